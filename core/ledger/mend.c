/* mend.c: a receipt of which one bit was changed, made right again.
 *
 * The hash of a receipt that cannot be read is often known: the one behind it names it, and its own
 * last field is it. One wrong bit can be in few places, so each is tried; that the hash is then the
 * one that was asked for is proof, as it is for any receipt. What was mended is kept in a file in
 * memory, which the rest of the restore reads as it reads any other. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ledger/fs.h"
#include "ledger/pool.h"
#include "warroom/io.h"

#define MEND_LINE_MAX 8192
#define MEND_BYTES    (INT64_C(2) << 30) /* hashed at most: a few seconds */

static const char tail[] = ",\"hash\":\"";

/* Hashes that somebody names as prev_hash and nobody has, ascending. */
typedef struct wanted {
	uint8_t (*hashes)[WR_HASH_LEN];
	size_t count;
} wanted;

static int by_hash(const void *a, const void *b)
{
	return memcmp(a, b, WR_HASH_LEN);
}

static int find_wanted(const wr_pool *p, wanted *w, wr_err *err)
{
	w->count = 0;
	w->hashes = malloc((p->node_count + 1) * sizeof *w->hashes);
	if (!w->hashes) return wr_fail(err, WR_E_NOMEM, "restore: out of memory");
	for (size_t i = 0; i < p->node_count; i++)
		if (p->nodes[i].seq > 0 && wr_pool_find(p, p->nodes[i].prev) == WR_NONE)
			memcpy(w->hashes[w->count++], p->nodes[i].prev, WR_HASH_LEN);
	if (w->count) qsort(w->hashes, w->count, sizeof *w->hashes, by_hash);
	return 0;
}

typedef struct attempt {
	const wanted *w;
	bool has_own;
	uint8_t own[WR_HASH_LEN]; /* what the line itself says its hash is */
	uint8_t hash[WR_HASH_LEN];
	int64_t *budget; /* bytes that may still be hashed */
} attempt;

static bool right(attempt *a, const char *e, size_t len)
{
	*a->budget -= (int64_t)len;
	wr_leaf_hash(a->hash, e, len);
	if (a->has_own && memcmp(a->hash, a->own, WR_HASH_LEN) == 0) return true;
	return a->w->count &&
	       bsearch(a->hash, a->w->hashes, a->w->count, sizeof *a->w->hashes, by_hash);
}

/* The line's E, at most one bit of it changed, and its hash in a->hash. */
static bool mend_e(attempt *a, char *e, size_t len)
{
	if (right(a, e, len)) return true;
	for (size_t bit = 0; bit < (len - 1) * 8 && *a->budget > 0; bit++) {
		e[bit / 8] = (char)(e[bit / 8] ^ (1 << bit % 8));
		if (right(a, e, len)) return true;
		e[bit / 8] = (char)(e[bit / 8] ^ (1 << bit % 8));
	}
	return false;
}

/* 1: `line` is a receipt again. */
static int mend_line(const wanted *w, char *line, size_t len, int64_t *budget)
{
	attempt a = {.w = w, .budget = budget};
	wr_receipt r;
	if (len <= WR_HASH_TAIL + 2 || len > MEND_LINE_MAX) return 0;
	size_t e_len = len - WR_HASH_TAIL;
	char *end = line + e_len - 1;
	a.has_own = wr_unhex(a.own, WR_HASH_LEN, end + sizeof tail - 1, WR_HEX_LEN - 1) == 0;
	*end = '}';
	if (!mend_e(&a, line, e_len)) return 0;
	memcpy(end, tail, sizeof tail - 1);
	wr_hex(end + sizeof tail - 1, a.hash, WR_HASH_LEN);
	line[len - 2] = '"';
	line[len - 1] = '}';
	return wr_receipt_parse(&r, line, len, true, NULL) == WR_RF_OK;
}

static int open_memory(wr_pool *p, uint32_t *file, wr_err *err)
{
	wr_pool_file *files = realloc(p->files, (p->file_count + 1) * sizeof *files);
	if (!files) return wr_fail(err, WR_E_NOMEM, "restore: out of memory");
	p->files = files;
	wr_pool_file *f = &files[p->file_count];
	*f = (wr_pool_file){.path = strdup("(mended)"), .fd = memfd_create("mended", MFD_CLOEXEC)};
	*file = (uint32_t)p->file_count++;
	if (!f->path) return wr_fail(err, WR_E_NOMEM, "restore: out of memory");
	return f->fd < 0 ? wr_fs_fail(err, "make", "memory file") : 0;
}

static int keep(wr_pool *p, uint32_t *file, const wr_bad_line *b, const char *line, wr_err *err)
{
	wr_receipt r;
	if (wr_receipt_parse(&r, line, b->len, true, err) != WR_RF_OK) return -1;
	if (wr_pool_find(p, r.hash) != WR_NONE) return 0; /* another source has it whole */
	if (*file == WR_NONE && open_memory(p, file, err)) return -1;
	wr_pool_file *f = &p->files[*file];
	off_t at = lseek(f->fd, 0, SEEK_END);
	if (wr_write_all(f->fd, line, b->len, err) || wr_write_all(f->fd, "\n", 1, err)) return -1;
	f->source = p->files[b->file].source;
	p->mended++;
	return wr_pool_add(p, &r, *file, at, b->chain, err);
}

int wr_pool_mend(wr_pool *p, wr_err *err)
{
	uint32_t file = WR_NONE;
	int64_t budget = MEND_BYTES;
	bool progress = true;
	int rc = 0;
	/* A mended receipt says what the hash of the one before it must be. */
	while (rc == 0 && progress && p->bad_count > 0) {
		wanted w;
		progress = false;
		if (find_wanted(p, &w, err)) return -1;
		for (size_t i = p->bad_count; i-- > 0 && rc == 0;) {
			char line[MEND_LINE_MAX];
			wr_bad_line *b = &p->bad[i];
			if (b->len > sizeof line || b->mended) continue;
			rc = wr_pool_read(p, b->file, b->at, b->len, line, err);
			if (rc || !mend_line(&w, line, b->len, &budget)) continue;
			b->mended = progress = true;
			rc = keep(p, &file, b, line, err);
		}
		free(w.hashes);
	}
	return rc;
}
