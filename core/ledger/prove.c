/* prove.c: proofs made from a chain's files. See proof.h.
 *
 * A receipt's stored hash is its leaf, so of each line only the end is looked at; that the hashes
 * are right is shown by the root that comes of them. One buffer, whatever the chain's size; the
 * segments' names say where to begin. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/chain.h"
#include "ledger/fs.h"
#include "warroom/io.h"
#include "warroom/proof.h"
#include "warroom/text.h"

#define CHECKPOINT_NAME "checkpoint"
#define TELL_EVERY      4096

/* The lines of a chain by number, best asked for in ascending order. */
typedef struct reader {
	const char *dir;
	int64_t *segments;
	size_t count;
	size_t open; /* which segment lines is of; count: none */
	wr_lines lines;
	int64_t next; /* seq of the line that lines gives next */
	const wr_prove_progress *progress;
	int64_t total;
	wr_err *err;
} reader;

static int reader_init(reader *r, const char *dir, wr_err *err)
{
	*r = (reader){.dir = dir, .err = err, .lines = {.fd = -1}};
	if (wr_segment_list(dir, &r->segments, &r->count, err)) return -1;
	r->open = r->count;
	if (r->count == 0) return wr_fail(err, WR_E_NOT_FOUND, "%s: there are no receipts here", dir);
	return 0;
}

static void reader_free(reader *r)
{
	if (r->open < r->count) wr_lines_close(&r->lines);
	free(r->segments);
}

static int open_segment(reader *r, size_t i)
{
	char path[PATH_MAX], name[WR_SEGMENT_NAME_LEN];
	if (r->open < r->count) wr_lines_close(&r->lines);
	r->open = r->count;
	wr_segment_name(name, r->segments[i]);
	if (wr_path_join(path, sizeof path, r->dir, name, r->err)) return -1;
	if (wr_lines_open(&r->lines, path, 0, -1, r->err)) return -1;
	r->open = i;
	r->next = r->segments[i];
	return 0;
}

static int missing(const reader *r, int64_t seq)
{
	return wr_fail(r->err, WR_E_NOT_FOUND, "%s: there is no receipt %lld", r->dir, (long long)seq);
}

/* Opens the segment that holds it, unless that one is open and not past it. */
static int seek(reader *r, int64_t seq)
{
	size_t i = r->open < r->count && r->next <= seq ? r->open : 0;
	if (seq < r->segments[0]) return missing(r, seq);
	while (i + 1 < r->count && r->segments[i + 1] <= seq) i++;
	return i == r->open && r->next <= seq ? 0 : open_segment(r, i);
}

static int line_at(reader *r, int64_t seq, wr_line *line)
{
	if (seek(r, seq)) return -1;
	do {
		int got = wr_lines_next(&r->lines, line, r->err);
		if (got < 0) return wr_err_wrap(r->err, "%s", r->dir);
		if (got == 0 || !line->ended) return missing(r, seq);
	} while (r->next++ < seq);
	return 0;
}

/* ,"hash":"<64 hex>"} */
static int hash_of(const wr_line *line, uint8_t out[static WR_HASH_LEN])
{
	static const char before[] = ",\"hash\":\"";
	const size_t tail = WR_HASH_TAIL + 1;
	if (line->overlong || line->len < tail) return -1;
	const char *s = line->text + line->len - tail;
	if (memcmp(s, before, sizeof before - 1) != 0 || memcmp(s + tail - 2, "\"}", 2) != 0) return -1;
	return wr_unhex(out, WR_HASH_LEN, s + sizeof before - 1, WR_HEX_LEN - 1);
}

/* line_at, of what a checkpoint covers: it must be there. */
static int covered_line(reader *r, int64_t seq, wr_line *line)
{
	if (line_at(r, seq, line) == 0) return 0;
	if (r->err && r->err->code == WR_E_NOT_FOUND)
		return wr_fail(
		    r->err, WR_E_CORRUPT,
		    "%s: receipt %lld is gone, and a checkpoint covers it: ledger verify says more", r->dir,
		    (long long)seq);
	return -1;
}

static int leaf_at(void *ctx, int64_t index, uint8_t out[static WR_HASH_LEN])
{
	reader *r = ctx;
	wr_line line = {0};
	if (covered_line(r, index, &line)) return -1;
	if (hash_of(&line, out))
		return wr_fail(r->err, WR_E_CORRUPT, "%s: receipt %lld has no hash at its end", r->dir,
		               (long long)index);
	if (r->progress && r->progress->tell && index % TELL_EVERY == 0)
		r->progress->tell(r->progress->ctx, index, r->total);
	return 0;
}

/* ---- which chain ---- */

static bool has_segments(const char *dir)
{
	int64_t *seqs;
	size_t count;
	wr_err ignored;
	if (wr_segment_list(dir, &seqs, &count, &ignored)) return false;
	free(seqs);
	return count > 0;
}

typedef struct chains {
	size_t count;
	char first[PATH_MAX];
	char names[256]; /* of all, as many as fit */
} chains;

static int plain_dirs(const struct dirent *e)
{
	return wr_name_ok(e->d_name) && strcmp(e->d_name, "blobs") != 0 &&
	       (e->d_type == DT_DIR || e->d_type == DT_UNKNOWN);
}

static void found_chain(chains *found, const char *dir, const char *partition, const char *stream)
{
	size_t n = strlen(found->names);
	if (found->count++ == 0) (void)snprintf(found->first, sizeof found->first, "%s", dir);
	(void)snprintf(found->names + n, sizeof found->names - n, "%s%.63s/%.63s", n ? ", " : "",
	               partition, stream);
}

static int find_streams(chains *found, const char *ledger, const char *partition, wr_err *err)
{
	char path[PATH_MAX], dir[PATH_MAX];
	struct dirent **streams;
	if (wr_path_join(path, sizeof path, ledger, partition, err)) return -1;
	int n = scandir(path, &streams, plain_dirs, alphasort);
	if (n < 0) return errno == ENOTDIR ? 0 : wr_fs_fail(err, "open directory", path);
	int rc = 0;
	for (int i = 0; i < n; i++) {
		if (rc == 0) rc = wr_path_join(dir, sizeof dir, path, streams[i]->d_name, err);
		if (rc == 0 && has_segments(dir)) found_chain(found, dir, partition, streams[i]->d_name);
		free(streams[i]);
	}
	free(streams);
	return rc;
}

int wr_prove_chain(const char *path, char *out, size_t size, wr_err *err)
{
	chains found = {0};
	struct dirent **partitions;
	if (has_segments(path)) return wr_path_join(out, size, "", path, err);
	int n = scandir(path, &partitions, plain_dirs, alphasort);
	if (n < 0) return wr_fs_fail(err, "open directory", path);
	int rc = 0;
	for (int i = 0; i < n; i++) {
		if (rc == 0) rc = find_streams(&found, path, partitions[i]->d_name, err);
		free(partitions[i]);
	}
	free(partitions);
	if (rc) return -1;
	if (found.count == 0)
		return wr_fail(err, WR_E_NOT_FOUND,
		               "%s: no receipts here: give a ledger's directory or a chain's", path);
	if (found.count > 1)
		return wr_fail(err, WR_E_INVALID, "%s: there are %zu chains: give the directory of one: %s",
		               path, found.count, found.names);
	return wr_path_join(out, size, "", found.first, err);
}

/* ---- checkpoints ---- */

static int read_checkpoint(const wr_buf *note, wr_checkpoint *out, wr_err *err)
{
	wr_note n;
	if (wr_note_parse(&n, wr_buf_cstr(note), note->len, err)) return -1;
	return wr_checkpoint_parse(out, n.text, n.text_len, err);
}

int wr_checkpoint_latest(const char *chain_dir, wr_buf *note, wr_err *err)
{
	char path[PATH_MAX];
	wr_checkpoint c;
	if (wr_path_join(path, sizeof path, chain_dir, CHECKPOINT_NAME, err)) return -1;
	if (wr_read_file(note, path, WR_NOTE_MAX, WR_ANY, err)) return -1;
	return read_checkpoint(note, &c, err) ? wr_err_wrap(err, "%s", path) : 0;
}

static int embedded(const wr_line *line, int64_t seq, wr_buf *note, wr_err *err)
{
	static const char none[] = "receipt %lld holds no checkpoint: none was signed at that size";
	wr_receipt r;
	wr_checkpoint c;
	char text[WR_NOTE_MAX];
	if (wr_receipt_parse(&r, line->text, line->len, true, err) != WR_RF_OK) return -1;
	if (strcmp(r.operation, "checkpoint_signed") != 0 ||
	    !wr_receipt_str(&r, "checkpoint", text, sizeof text))
		return wr_fail(err, WR_E_NOT_FOUND, none, (long long)seq);
	wr_buf_reset(note);
	wr_buf_adds(note, text);
	if (!wr_buf_ok(note)) return wr_fail(err, WR_E_NOMEM, "checkpoint: out of memory");
	if (read_checkpoint(note, &c, err)) return wr_err_wrap(err, "receipt %lld", (long long)seq);
	if (c.size != seq) return wr_fail(err, WR_E_NOT_FOUND, none, (long long)seq);
	return 0;
}

int wr_checkpoint_at(const char *chain_dir, int64_t size, wr_buf *note, wr_err *err)
{
	reader r;
	wr_line line;
	wr_checkpoint c;
	wr_err ignored;
	if (wr_checkpoint_latest(chain_dir, note, &ignored) == 0 &&
	    read_checkpoint(note, &c, &ignored) == 0 && c.size == size)
		return 0;
	int rc = reader_init(&r, chain_dir, err);
	if (rc == 0) rc = line_at(&r, size, &line);
	if (rc == 0) rc = embedded(&line, size, note, err);
	reader_free(&r);
	return rc;
}

/* ---- proofs ---- */

bool wr_prove_exists(const char *chain_dir, int64_t seq)
{
	reader r;
	wr_line line;
	wr_err ignored;
	bool there = reader_init(&r, chain_dir, &ignored) == 0 && line_at(&r, seq, &line) == 0;
	reader_free(&r);
	return there;
}

static int keep(wr_buf *to, const char *data, size_t len, wr_err *err)
{
	wr_buf_reset(to);
	wr_buf_add(to, data, len);
	return wr_buf_ok(to) ? 0 : wr_fail(err, WR_E_LIMIT, "proof: too long, or out of memory");
}

static void told(const reader *r)
{
	if (r->progress && r->progress->tell) r->progress->tell(r->progress->ctx, r->total, r->total);
}

static int take_receipt(reader *r, int64_t seq, wr_proof_doc *out, wr_receipt *receipt, wr_err *err)
{
	wr_line line;
	if (covered_line(r, seq, &line) || keep(&out->extra, line.text, line.len, err)) return -1;
	if (wr_receipt_parse(receipt, out->extra.data, out->extra.len, true, err) != WR_RF_OK ||
	    receipt->seq != seq) {
		if (receipt->seq == seq) return wr_err_wrap(err, "receipt %lld", (long long)seq);
		return wr_fail(err, WR_E_CORRUPT, "receipt %lld is not where it should be", (long long)seq);
	}
	return 0;
}

int wr_prove_receipt(wr_proof_doc *out, const char *chain_dir, int64_t seq, const wr_buf *note,
                     const wr_prove_progress *progress, wr_err *err)
{
	reader r;
	wr_receipt receipt;
	wr_checkpoint c;
	wr_proof_doc_init(out, WR_PROOF_INCLUSION);
	if (read_checkpoint(note, &c, err)) return -1;
	if (seq < 0 || seq >= c.size)
		return wr_fail(err, WR_E_NOT_FOUND, "the checkpoint covers receipts 0 to %lld, not %lld",
		               (long long)c.size - 1, (long long)seq);
	out->at = seq;
	int rc = reader_init(&r, chain_dir, err);
	r.progress = progress;
	r.total = c.size;
	if (rc == 0) rc = take_receipt(&r, seq, out, &receipt, err);
	if (rc == 0) rc = wr_prove_inclusion(&out->path, seq, c.size, leaf_at, &r);
	if (rc == 0) told(&r);
	reader_free(&r);
	if (rc == 0 && !wr_check_inclusion(&out->path, seq, c.size, receipt.hash, c.root))
		rc = wr_fail(err, WR_E_CORRUPT,
		             "the receipts are not those that the checkpoint of size %lld was made from",
		             (long long)c.size);
	if (rc == 0) rc = keep(&out->note, note->data, note->len, err);
	if (rc) wr_proof_doc_free(out);
	return rc;
}

static int prove_growth(reader *r, wr_proof *out, const wr_checkpoint *old, const wr_checkpoint *c)
{
	wr_proof first;
	uint8_t leaf[WR_HASH_LEN];
	if (wr_prove_consistency(out, old->size, c->size, leaf_at, r)) return -1;
	if (wr_check_consistency(out, old->size, c->size, old->root, c->root)) return 0;
	/* Whose is the fault? If the receipts are those of the newer one, they were others before. */
	if (leaf_at(r, 0, leaf) || wr_prove_inclusion(&first, 0, c->size, leaf_at, r)) return -1;
	if (wr_check_inclusion(&first, 0, c->size, leaf, c->root))
		return wr_fail(r->err, WR_E_CONFLICT,
		               "fork: %.150s signed a history of %lld receipts, and later one of %lld that "
		               "does not begin with it",
		               c->origin, (long long)old->size, (long long)c->size);
	return wr_fail(r->err, WR_E_CORRUPT,
	               "the receipts are not those that the checkpoint of size %lld was made from",
	               (long long)c->size);
}

int wr_prove_growth(wr_proof_doc *out, const char *chain_dir, const wr_buf *old_note,
                    const wr_buf *note, const wr_prove_progress *progress, wr_err *err)
{
	reader r;
	wr_checkpoint c, old;
	wr_proof_doc_init(out, WR_PROOF_CONSISTENCY);
	if (read_checkpoint(note, &c, err) || read_checkpoint(old_note, &old, err)) return -1;
	if (strcmp(c.origin, old.origin) != 0)
		return wr_fail(err, WR_E_INVALID, "the checkpoints are of two logs: %.150s and %.150s",
		               old.origin, c.origin);
	if (old.size < 1 || old.size > c.size)
		return wr_fail(err, WR_E_INVALID, "a tree of %lld receipts is no beginning of one of %lld",
		               (long long)old.size, (long long)c.size);
	out->at = old.size;
	int rc = reader_init(&r, chain_dir, err);
	r.progress = progress;
	r.total = c.size;
	if (rc == 0) rc = prove_growth(&r, &out->path, &old, &c);
	if (rc == 0) told(&r);
	reader_free(&r);
	if (rc == 0) rc = keep(&out->extra, old_note->data, old_note->len, err);
	if (rc == 0) rc = keep(&out->note, note->data, note->len, err);
	if (rc) wr_proof_doc_free(out);
	return rc;
}
