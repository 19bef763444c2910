/* blob.c: evidence too large for a receipt, named by its SHA-256.
 *
 * A blob is whole or not there (written beside, synced, renamed), and durable before wr_blob_put
 * returns, so that the receipt which names it may follow. Thread-safe. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/store.h"
#include "warroom/io.h"

static int blob_path(char out[static PATH_MAX], const char *ledger_dir, const char *hex,
                     wr_err *err)
{
	char dir[PATH_MAX];
	if (wr_path_join(dir, sizeof dir, ledger_dir, "blobs/sha256", err)) return -1;
	return wr_path_join(out, PATH_MAX, dir, hex, err);
}

/* Is it there already, with all its bytes right? */
static bool blob_there(const wr_ledger *l, const char *hex)
{
	wr_err ignored;
	wr_buf have = WR_BUF_INIT(WR_BLOB_MAX);
	bool there = wr_blob_get(l->dir, hex, &have, &ignored) == 0;
	wr_buf_free(&have);
	return there;
}

int wr_blob_put(wr_ledger *l, const void *data, size_t len, char hex[static WR_HEX_LEN],
                wr_err *err)
{
	static const char *const levels[] = {"blobs/sha256", "blobs", "."};
	uint8_t hash[WR_HASH_LEN];
	char path[PATH_MAX], file[PATH_MAX];
	if (l->read_only) return wr_fail(err, WR_E_DENIED, "ledger: opened read-only");
	if (len > WR_BLOB_MAX)
		return wr_fail(err, WR_E_LIMIT, "blob: %zu bytes, at most %u", len, WR_BLOB_MAX);
	wr_sha256(hash, data, len);
	wr_hex(hex, hash, WR_HASH_LEN);
	if (blob_there(l, hex)) return 0;
	if (wr_path_join(path, sizeof path, l->dir, levels[0], err)) return -1;
	bool made = access(path, F_OK) != 0;
	if (wr_mkdirs(path, 0750, err)) return -1;
	if (wr_path_join(file, sizeof file, path, hex, err)) return -1;
	/* Two threads may put the same blob: each writes a temporary of its own. */
	if (wr_write_file(file, data, len, 0640, err)) return -1;
	for (size_t i = 1; made && i < sizeof levels / sizeof *levels; i++) {
		if (wr_path_join(path, sizeof path, l->dir, levels[i], err)) return -1;
		if (l->fs.sync_dir(l->fs.ctx, path)) return wr_fs_fail(err, "fsync directory", path);
	}
	return 0;
}

int wr_blob_get(const char *ledger_dir, const char *hex, wr_buf *out, wr_err *err)
{
	uint8_t wanted[WR_HASH_LEN], hash[WR_HASH_LEN];
	char path[PATH_MAX];
	if (strlen(hex) != WR_HEX_LEN - 1 || wr_unhex(wanted, WR_HASH_LEN, hex, WR_HEX_LEN - 1))
		return wr_fail(err, WR_E_INVALID, "blob: a name is 64 lower-case hex digits");
	if (blob_path(path, ledger_dir, hex, err)) return -1;
	if (wr_read_file(out, path, WR_BLOB_MAX, WR_ANY, err)) return -1;
	wr_sha256(hash, out->data ? out->data : "", out->len);
	if (memcmp(hash, wanted, WR_HASH_LEN) == 0) return 0;
	wr_buf_reset(out);
	return wr_fail(err, WR_E_CORRUPT, "blob %s: its content has another hash", hex);
}
