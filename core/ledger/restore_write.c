/* restore_write.c: the new ledger: the chosen receipts byte by byte, the mark, the checkpoint that
 * attests them, keys, blobs and time stamps of the sources, and at the end what was done, as a
 * receipt of its own. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger/files.h"
#include "ledger/restore.h"
#include "ledger/store.h"
#include "warroom/io.h"
#include "warroom/json.h"
#include "warroom/text.h"

#define COPY_PART  ((size_t)256 << 10)
#define SIGNERS    "allowed_signers"
#define ENGINE_PUB "engine.pub"
#define BESIDE_MAX ((size_t)1 << 20) /* a time stamp with its certificates is a few KiB */

/* A chain being written. */
typedef struct writing {
	wr_restoring *r;
	const char *chain;
	int fd; /* of the segment, -1 */
	char name[192];
	int64_t segment, bytes; /* its first seq; written to it */
	uint32_t file;          /* a run of lines that stand one behind the other in a source … */
	int64_t from, to;       /* … from here to before its last newline; from == to: none */
	char *part;
} writing;

static int put(writing *w, const void *data, size_t len, wr_err *err)
{
	w->bytes += (int64_t)len;
	if (wr_fs_write_all(w->r->fs, w->fd, data, len) == 0) return 0;
	return wr_fs_fail(err, "write", w->name);
}

static int open_again(wr_pool_file *f, wr_err *err)
{
	if (f->fd < 0) f->fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	return f->fd < 0 ? wr_fs_fail(err, "open", f->path) : 0;
}

static int put_run(writing *w, wr_err *err)
{
	if (w->from == w->to) return 0;
	wr_pool_file *f = &w->r->pool.files[w->file];
	if (open_again(f, err)) return -1;
	while (w->from < w->to) {
		size_t want = w->to - w->from < (int64_t)COPY_PART ? (size_t)(w->to - w->from) : COPY_PART;
		ssize_t n = pread(f->fd, w->part, want, (off_t)w->from);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) return wr_fs_fail(err, "read", f->path);
		if (n == 0) return wr_fail(err, WR_E_IO, "%.300s: shorter than before", f->path);
		if (put(w, w->part, (size_t)n, err)) return -1;
		w->from += n;
	}
	w->from = w->to = 0;
	return put(w, "\n", 1, err);
}

static int end_segment(writing *w, wr_err *err)
{
	if (w->fd < 0) return 0;
	int rc = put_run(w, err);
	if (rc)
		(void)w->r->fs->close(w->r->fs->ctx, w->fd);
	else
		rc = wr_build_close(&w->r->build, w->fd, w->name, err);
	w->fd = -1;
	return rc;
}

static int begin_segment(writing *w, int64_t seq, wr_err *err)
{
	char segment[WR_SEGMENT_NAME_LEN];
	wr_segment_name(segment, seq);
	(void)snprintf(w->name, sizeof w->name, "%s/%s", w->chain, segment);
	w->segment = seq;
	w->bytes = 0;
	w->fd = wr_build_open(&w->r->build, w->name, err);
	return w->fd < 0 ? -1 : 0;
}

static int put_receipt(writing *w, const wr_node *n, wr_err *err)
{
	int64_t max =
	    (int64_t)(w->r->opts->segment_max ? w->r->opts->segment_max : (size_t)WR_SEGMENT_MAX);
	int64_t with_run = w->bytes + (w->to - w->from) + 1;
	if (w->fd >= 0 && with_run + n->len + 1 > max && end_segment(w, err)) return -1;
	if (w->fd < 0 && begin_segment(w, n->seq, err)) return -1;
	if (w->from < w->to && w->file == n->file && n->at == w->to + 1) {
		w->to = n->at + n->len;
		return 0;
	}
	if (put_run(w, err)) return -1;
	w->file = n->file;
	w->from = n->at;
	w->to = n->at + n->len;
	return 0;
}

static int put_mark(writing *w, const wr_node *last, wr_err *err)
{
	char name[192];
	wr_buf text = WR_BUF_INIT(1024);
	wr_mark mark = {.count = last->seq + 1, .segment = w->segment, .bytes = w->bytes};
	memcpy(mark.hash, last->hash, WR_HASH_LEN);
	wr_mark_format(&text, &mark);
	(void)snprintf(name, sizeof name, "%s/" WR_MARK_NAME, w->chain);
	int rc = wr_build_file(&w->r->build, name, wr_buf_cstr(&text), text.len, err);
	wr_buf_free(&text);
	return rc;
}

static int put_checkpoint(writing *w, const wr_history *h, wr_err *err)
{
	char name[192];
	if (h->note == WR_NONE) return 0;
	const wr_note_found *n = &w->r->pool.notes[h->note];
	(void)snprintf(name, sizeof name, "%s/checkpoint", w->chain);
	return wr_build_file(&w->r->build, name, n->text, n->len, err);
}

static int write_chain(wr_restoring *r, uint16_t chain, wr_err *err)
{
	const wr_history *h = &r->histories[chain];
	writing w = {.r = r, .chain = r->pool.chains[chain], .fd = -1, .part = malloc(COPY_PART)};
	if (!w.part) return wr_fail(err, WR_E_NOMEM, "restore: out of memory");
	int rc = 0;
	for (size_t i = 0; i < h->count && rc == 0; i++)
		rc = put_receipt(&w, &r->pool.nodes[h->path[i]], err);
	if (rc == 0)
		rc = end_segment(&w, err);
	else if (w.fd >= 0)
		(void)r->fs->close(r->fs->ctx, w.fd);
	if (rc == 0) rc = put_mark(&w, &r->pool.nodes[h->path[h->count - 1]], err);
	if (rc == 0) rc = put_checkpoint(&w, h, err);
	free(w.part);
	return rc;
}

/* ---- what goes with them ---- */

/* 0: read; 1: it is not there. */
static int read_beside(const wr_source *s, const char *name, size_t max, wr_buf *out, wr_err *err)
{
	char path[PATH_MAX];
	if (!s || !s->is_dir) return 1;
	if (wr_path_join(path, sizeof path, s->path, name, err)) return -1;
	if (access(path, F_OK) != 0 && errno == ENOENT) return 1;
	return wr_read_file(out, path, max, WR_ANY, err);
}

/* The snapshot's, else the damaged ledger's. */
static int put_beside(wr_restoring *r, const char *name, size_t max, wr_err *err)
{
	wr_buf ours = WR_BUF_INIT(max), theirs = WR_BUF_INIT(max);
	wr_err ignored;
	int a = read_beside(wr_restore_source(r, WR_SNAPSHOT), name, max, &ours, err);
	int b = read_beside(wr_restore_source(r, WR_DAMAGED), name, max, &theirs, &ignored);
	const wr_buf *from = a == 0 ? &ours : b == 0 ? &theirs : NULL;
	int rc = a < 0 ? -1 : 0;
	if (rc == 0 && a == 0 && b == 0 &&
	    (ours.len != theirs.len || memcmp(wr_buf_cstr(&ours), wr_buf_cstr(&theirs), ours.len) != 0))
		wr_restore_note(r,
		                "%s is not the same in the snapshot and in the damaged ledger; the "
		                "snapshot's was taken. Compare them before the engine starts.",
		                name);
	if (rc == 0 && a == 1 && b == 0)
		wr_restore_note(r, "%s was taken from the damaged ledger: the snapshot has none.", name);
	if (rc == 0 && from) rc = wr_build_file(&r->build, name, wr_buf_cstr(from), from->len, err);
	wr_buf_free(&ours);
	wr_buf_free(&theirs);
	return rc;
}

static bool built_already(const wr_restoring *r, const char *name)
{
	char path[PATH_MAX];
	wr_err ignored;
	return wr_path_join(path, sizeof path, r->build.dir, name, &ignored) == 0 &&
	       access(path, F_OK) == 0;
}

static int put_blobs_of(wr_restoring *r, const wr_source *s, int64_t *copied, wr_err *err)
{
	char dir[PATH_MAX], name[128];
	wr_files blobs;
	wr_buf data = WR_BUF_INIT(WR_BLOB_MAX);
	wr_err ignored;
	if (wr_path_join(dir, sizeof dir, s->path, "blobs/sha256", err)) return -1;
	if (!s->is_dir || access(dir, F_OK)) return 0;
	if (wr_files_list(&blobs, dir, "", false, err)) return -1;
	int rc = 0;
	for (size_t i = 0; i < blobs.count && rc == 0; i++) {
		if (strlen(blobs.names[i]) != WR_HEX_LEN - 1) continue;
		(void)snprintf(name, sizeof name, "blobs/sha256/%.64s", blobs.names[i]);
		if (built_already(r, name) || wr_blob_get(s->path, blobs.names[i], &data, &ignored))
			continue;
		rc = wr_build_file(&r->build, name, wr_buf_cstr(&data), data.len, err);
		(*copied)++;
	}
	wr_files_free(&blobs);
	wr_buf_free(&data);
	return rc;
}

static int put_blobs(wr_restoring *r, wr_err *err)
{
	const wr_pool *p = &r->pool;
	int64_t copied = 0;
	json_t *missing = json_array();
	int rc = 0;
	for (size_t i = 0; i < p->source_count && rc == 0; i++)
		rc = put_blobs_of(r, &p->sources[i], &copied, err);
	for (size_t i = 0; i < p->ref_count && rc == 0; i++) {
		char name[128];
		const wr_node *n = &p->nodes[p->refs[i].node];
		(void)snprintf(name, sizeof name, "blobs/sha256/%.64s", p->refs[i].hex);
		if (!(n->flags & WR_NODE_CHOSEN) || built_already(r, name)) continue;
		(void)json_array_append_new(missing,
		                            json_pack("{s:s, s:s, s:I}", "sha256", p->refs[i].hex, "chain",
		                                      p->chains[n->chain], "seq", (json_int_t)n->seq));
	}
	json_t *blobs = json_pack("{s:I, s:o}", "copied", (json_int_t)copied, "missing", missing);
	(void)json_object_set_new(r->report->doc, "blobs", blobs);
	return rc;
}

/* External time stamps of checkpoints. */
static int put_anchors_of(wr_restoring *r, const wr_source *s, wr_err *err)
{
	wr_files files;
	wr_buf data = WR_BUF_INIT(BESIDE_MAX);
	if (!s->is_dir || s->role == WR_CHANGELOG) return 0;
	if (wr_files_list(&files, s->path, "", false, err)) return -1;
	int rc = 0;
	for (size_t i = 0; i < files.count && rc == 0; i++) {
		const char *name = files.names[i];
		if (!strstr(name, "/anchors/") || built_already(r, name)) continue;
		rc = read_beside(s, name, BESIDE_MAX, &data, err);
		if (rc == 0) rc = wr_build_file(&r->build, name, wr_buf_cstr(&data), data.len, err);
		if (rc > 0) rc = 0;
	}
	wr_files_free(&files);
	wr_buf_free(&data);
	return rc;
}

int wr_restore_write(wr_restoring *r, wr_err *err)
{
	for (size_t c = 0; c < r->pool.chain_count; c++)
		if (r->histories[c].count > 0 && write_chain(r, (uint16_t)c, err)) return -1;
	if (put_beside(r, SIGNERS, WR_SIGNERS_MAX, err) || put_beside(r, ENGINE_PUB, 1024, err))
		return -1;
	for (size_t i = 0; i < r->pool.source_count; i++)
		if (put_anchors_of(r, &r->pool.sources[i], err)) return -1;
	return put_blobs(r, err);
}

/* ---- what was done, as a receipt ---- */

static json_t *draft_of(const wr_restoring *r, uint16_t chain, const char *report)
{
	const wr_loss *loss = &r->losses[chain];
	const wr_held *snapshot = &wr_restore_source(r, WR_SNAPSHOT)->held[chain];
	char from[WR_TIME_LEN] = "", to[WR_TIME_LEN] = "", backup[WR_TIME_LEN] = "", span[80] = "";
	char source[512];
	if (snapshot->receipts) wr_time_format(backup, snapshot->last_time_us);
	if (loss->from_us >= 0) {
		wr_time_format(from, loss->from_us);
		wr_time_format(to, loss->to_us);
		(void)snprintf(span, sizeof span, "%s/%s", from, to);
	}
	wr_sanitise_to(source, sizeof source, r->opts->snapshot);
	json_t *d = json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:I, s:s, s:I}", "operation",
	                      "receipt_corruption_detected", "corrupted_count",
	                      (json_int_t)loss->corrupted, "affected_timespan", span, "recovery_method",
	                      wr_restore_method(r), "backup_source", source, "backup_timestamp", backup,
	                      "data_loss_minutes", (json_int_t)loss->minutes, "status", "restored",
	                      "lost_count", (json_int_t)(loss->lost + loss->missing_count));
	if (*report) (void)json_object_set_new(d, "report", json_string(report));
	return d;
}

/* The account as a blob, for whoever asks later which receipts were lost; "" if it is too large. */
static void put_account(wr_restoring *r, wr_ledger *l, char hex[static WR_HEX_LEN])
{
	wr_buf text = WR_BUF_INIT(WR_BLOB_MAX);
	wr_err ignored;
	wr_json_dump(&text, r->report->doc);
	if (!wr_buf_ok(&text) || wr_blob_put(l, text.data, text.len, hex, &ignored)) *hex = '\0';
	wr_buf_free(&text);
}

/* The checkpoints go on under the name that they had. */
static const char *origin_of(const wr_restoring *r, uint16_t chain,
                             char out[static WR_NOTE_NAME_MAX + 1])
{
	const wr_history *h = &r->histories[chain];
	if (h->note == WR_NONE) return NULL;
	const char *whole = r->pool.notes[h->note].cp.origin;
	size_t n = strlen(whole) - strlen(r->pool.chains[chain]) - 1;
	(void)snprintf(out, WR_NOTE_NAME_MAX + 1, "%.*s", (int)n, whole);
	return out;
}

int wr_restore_say(wr_restoring *r, uint16_t chain, wr_err *err)
{
	const wr_history *h = &r->histories[chain];
	char line[WR_LINE_MAX], name[128], origin[WR_NOTE_NAME_MAX + 1], hex[WR_HEX_LEN] = "";
	wr_receipt last;
	const wr_restore_opts *o = r->opts;
	uint32_t tip = h->path[h->count - 1];
	if (wr_pool_line(&r->pool, tip, line, err)) return -1;
	if (wr_receipt_parse(&last, line, r->pool.nodes[tip].len, true, err) != WR_RF_OK) return -1;
	(void)snprintf(name, sizeof name, "%s", r->pool.chains[chain]);
	char *slash = strchr(name, '/');
	WR_ASSERT(slash);
	*slash = '\0';
	const wr_ledger_opts opts = {.dir = r->build.dir,
	                             .partition = name,
	                             .stream = slash + 1,
	                             .actor = o->actor ? o->actor : "engine:restore",
	                             .engine_key = o->engine_key,
	                             .origin = origin_of(r, chain, origin),
	                             .clock = o->clock,
	                             .random = o->random,
	                             .segment_max = o->segment_max};
	wr_ledger *l = wr_ledger_open_with(&opts, r->fs, NULL, err);
	if (!l) return -1;
	put_account(r, l, hex);
	int rc = wr_ledger_append(l, draft_of(r, chain, hex), last.epoch, NULL, err);
	wr_ledger_close(l);
	return rc;
}
