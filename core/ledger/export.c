/* export.c: receipts of a ledger, byte by byte, with what it takes to check them elsewhere.
 *
 * The ledger may be a running engine's: the checkpoint is read before the receipts, so it never
 * covers more than they are; an unfinished last line is left out; and what was read of the last
 * segment is synced before it is called exported, so that a crash of that machine cannot take back
 * what another one has. One segment of the ledger is one of the export. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger/build.h"
#include "ledger/chain.h"
#include "ledger/files.h"
#include "warroom/export.h"
#include "warroom/io.h"
#include "warroom/json.h"
#include "warroom/ledger.h"
#include "warroom/note.h"

#define PART ((size_t)1 << 20)

typedef struct job {
	const wr_export_opts *opts;
	wr_export_report *report;
	wr_build *build; /* NULL: opts->write takes the lines */
	wr_files blobs;  /* names of those that the receipts name, as they come */
	wr_buf out;
	int fd; /* of the file being built, -1 */
	char name[256];
} job;

typedef struct chain_job {
	job *j;
	wr_exported_chain *x;
	const char *dir;
	bool begun;    /* a receipt was taken: the next has its place */
	bool skipped;  /* there are receipts before the first one taken */
	int64_t known; /* the ledger held so many before it was read */
} chain_job;

/* ---- out ---- */

static int flush(job *j, wr_err *err)
{
	int rc = 0;
	if (!wr_buf_ok(&j->out)) return wr_fail(err, WR_E_NOMEM, "export: out of memory");
	if (j->out.len == 0) return 0;
	if (!j->build)
		rc = j->opts->write(j->opts->ctx, j->out.data, j->out.len, err);
	else if (wr_fs_write_all(j->build->fs, j->fd, j->out.data, j->out.len))
		rc = wr_fs_fail(err, "write", j->name);
	j->report->bytes += (int64_t)j->out.len;
	wr_buf_reset(&j->out);
	return rc;
}

static int end_file(job *j, wr_err *err)
{
	int rc = flush(j, err);
	if (j->fd < 0) return rc;
	if (rc)
		(void)j->build->fs->close(j->build->fs->ctx, j->fd);
	else
		rc = wr_build_close(j->build, j->fd, j->name, err);
	j->fd = -1;
	return rc;
}

static int begin_file(chain_job *c, int64_t first_seq, wr_err *err)
{
	char segment[WR_SEGMENT_NAME_LEN];
	job *j = c->j;
	if (!j->build) return 0;
	wr_segment_name(segment, first_seq);
	(void)snprintf(j->name, sizeof j->name, "%s/%s", c->x->chain, segment);
	j->fd = wr_build_open(j->build, j->name, err);
	return j->fd < 0 ? -1 : 0;
}

/* ---- the receipts ---- */

static int remember_blob(job *j, const wr_receipt *r, wr_err *err)
{
	char hex[WR_HEX_LEN + 1];
	if (!j->build || strcmp(r->operation, "operation_proposed") != 0) return 0;
	if (!wr_receipt_str(r, "plan_hash", hex, sizeof hex) || strlen(hex) != WR_HEX_LEN - 1) return 0;
	return wr_files_add(&j->blobs, hex, err);
}

static bool wanted(const wr_since *since, const wr_receipt *r)
{
	return since->kind == WR_SINCE_ALL ||
	       (since->kind == WR_SINCE_SEQ ? r->seq >= since->seq : r->timestamp_us >= since->time_us);
}

/* The first one taken: was there one before it that is wanted as well? */
static int begin(chain_job *c, const wr_receipt *r, wr_err *err)
{
	const wr_since *since = &c->j->opts->since;
	bool asked = since->kind == WR_SINCE_SEQ && r->seq == since->seq;
	if (r->seq > 0 && !c->skipped && !asked)
		return wr_fail(err, WR_E_CORRUPT,
		               "%s begins with seq %lld, what was before it is gone: restore it, or give "
		               "--since %lld",
		               c->x->chain, (long long)r->seq, (long long)r->seq);
	c->x->first_seq = r->seq;
	return 0;
}

static int take(chain_job *c, const wr_line *line, bool *new_file, wr_err *err)
{
	wr_receipt r;
	wr_exported_chain *x = c->x;
	wr_err why = {0};
	if (wr_receipt_parse(&r, line->text, line->len, true, &why) != WR_RF_OK)
		return wr_fail(err, WR_E_CORRUPT, "byte %lld: %s", (long long)line->at, why.msg);
	if (strcmp(r.chain, x->chain) != 0)
		return wr_fail(err, WR_E_CORRUPT, "byte %lld: a receipt of another chain",
		               (long long)line->at);
	if (c->begun &&
	    (r.seq != x->first_seq + x->count || memcmp(r.prev_hash, x->head, WR_HASH_LEN) != 0))
		return wr_fail(err, WR_E_CORRUPT,
		               "byte %lld: seq %lld does not follow the receipt before it",
		               (long long)line->at, (long long)r.seq);
	if (!c->begun && !wanted(&c->j->opts->since, &r)) {
		x->first_seq = r.seq + 1;
		c->skipped = true;
		return 0;
	}
	if (!c->begun && begin(c, &r, err)) return -1;
	c->begun = true;
	if (*new_file && begin_file(c, r.seq, err)) return -1;
	*new_file = false;
	x->count++;
	memcpy(x->head, r.hash, WR_HASH_LEN);
	wr_buf_add(&c->j->out, line->text, line->len);
	wr_buf_addc(&c->j->out, '\n');
	if (remember_blob(c->j, &r, err)) return -1;
	return c->j->out.len >= PART ? flush(c->j, err) : 0;
}

static int read_segment(chain_job *c, int64_t segment, bool last, wr_err *err)
{
	char name[WR_SEGMENT_NAME_LEN], path[PATH_MAX];
	wr_lines lines;
	wr_line line;
	bool new_file = true;
	int got = 0, rc = 0;
	wr_segment_name(name, segment);
	if (wr_path_join(path, sizeof path, c->dir, name, err)) return -1;
	if (wr_lines_open(&lines, path, 0, -1, err)) {
		/* The engine takes back a segment that it could not write. */
		return last && err && err->code == WR_E_NOT_FOUND ? 0 : -1;
	}
	while (rc == 0 && (got = wr_lines_next(&lines, &line, err)) > 0) {
		if (last && wr_tail_torn(&line)) break;
		rc = take(c, &line, &new_file, err);
	}
	if (rc == 0 && got >= 0 && last && fdatasync(lines.fd) && errno != EROFS && errno != EINVAL)
		rc = wr_fs_fail(err, "fsync", path);
	wr_lines_close(&lines);
	if (rc || got < 0) return wr_err_wrap(err, "%s/%s", c->x->chain, name);
	return end_file(c->j, err);
}

/* Does the segment begin at or before where the export does? */
static int begins_before(const chain_job *c, int64_t segment, bool *out, wr_err *err)
{
	char name[WR_SEGMENT_NAME_LEN], path[PATH_MAX];
	const wr_since *since = &c->j->opts->since;
	wr_lines lines;
	wr_line line;
	wr_receipt r;
	*out = segment <= since->seq;
	if (since->kind == WR_SINCE_SEQ) return 0;
	wr_segment_name(name, segment);
	if (wr_path_join(path, sizeof path, c->dir, name, err) ||
	    wr_lines_open(&lines, path, 0, -1, err))
		return -1;
	int got = wr_lines_next(&lines, &line, err);
	*out = got > 0 && wr_receipt_parse(&r, line.text, line.len, false, NULL) == WR_RF_OK &&
	       r.timestamp_us < since->time_us;
	wr_lines_close(&lines);
	return got < 0 ? -1 : 0;
}

static int read_chain(chain_job *c, wr_err *err)
{
	int64_t *segments;
	size_t count, from;
	int rc = 0;
	bool before = false;
	if (wr_segment_list(c->dir, &segments, &count, err)) return -1;
	from = c->j->opts->since.kind == WR_SINCE_ALL || count == 0 ? 0 : count - 1;
	while (rc == 0 && from > 0 && !before) {
		rc = begins_before(c, segments[from], &before, err);
		if (rc == 0 && !before) from--;
	}
	if (count) c->x->first_seq = segments[from];
	for (size_t i = from; i < count && rc == 0; i++)
		rc = read_segment(c, segments[i], i == count - 1, err);
	free(segments);
	if (rc && c->j->fd >= 0) (void)end_file(c->j, NULL);
	return rc;
}

/* ---- what goes with them ---- */

/* Read before the receipts. */
static int read_checkpoint(chain_job *c, wr_buf *text)
{
	char path[PATH_MAX];
	wr_note note;
	wr_checkpoint cp;
	wr_err ignored;
	c->x->checkpoint_size = -1;
	if (wr_path_join(path, sizeof path, c->dir, "checkpoint", &ignored) ||
	    wr_read_file(text, path, WR_NOTE_MAX, WR_ANY, &ignored) ||
	    wr_note_parse(&note, text->data, text->len, &ignored) ||
	    wr_checkpoint_parse(&cp, note.text, note.text_len, &ignored))
		return -1;
	c->x->checkpoint_size = c->known = cp.size;
	return 0;
}

static void read_mark(chain_job *c)
{
	wr_mark mark;
	wr_err ignored;
	if (wr_mark_read(c->dir, &mark, &ignored) == 0 && mark.count > c->known) c->known = mark.count;
}

static int all_there(const chain_job *c, wr_err *err)
{
	int64_t end = c->x->first_seq + c->x->count;
	if (end >= c->known) return 0;
	return wr_fail(err, WR_E_CORRUPT, "%s ends with %lld receipts, it had %lld: restore it",
	               c->x->chain, (long long)end, (long long)c->known);
}

static int export_chain(job *j, const char *chain, wr_err *err)
{
	char dir[PATH_MAX], name[256];
	wr_buf checkpoint = WR_BUF_INIT(WR_NOTE_MAX);
	wr_exported_chain *x = &j->report->chains[j->report->chain_count++];
	chain_job c = {.j = j, .x = x, .dir = dir};
	(void)snprintf(x->chain, sizeof x->chain, "%s", chain);
	if (wr_path_join(dir, sizeof dir, j->opts->ledger, chain, err)) return -1;
	bool have = read_checkpoint(&c, &checkpoint) == 0;
	read_mark(&c);
	int rc = read_chain(&c, err);
	if (rc == 0) rc = all_there(&c, err);
	j->report->receipts += x->count;
	(void)snprintf(name, sizeof name, "%s/checkpoint", chain);
	if (rc == 0 && have && j->build && x->count)
		rc = wr_build_file(j->build, name, checkpoint.data, checkpoint.len, err);
	wr_buf_free(&checkpoint);
	return rc;
}

static int put_copy(job *j, const char *name, size_t max, wr_err *err)
{
	char path[PATH_MAX];
	wr_buf text = WR_BUF_INIT(max);
	if (wr_path_join(path, sizeof path, j->opts->ledger, name, err)) return -1;
	if (access(path, F_OK) != 0 && errno == ENOENT) return 0;
	int rc = wr_read_file(&text, path, max, WR_ANY, err);
	if (rc == 0) rc = wr_build_file(j->build, name, wr_buf_cstr(&text), text.len, err);
	wr_buf_free(&text);
	return rc;
}

static int put_blobs(job *j, wr_err *err)
{
	wr_buf data = WR_BUF_INIT(WR_BLOB_MAX);
	int rc = 0;
	wr_files_sort(&j->blobs);
	for (size_t i = 0; i < j->blobs.count && rc == 0; i++) {
		char name[128];
		wr_err ignored;
		if (i > 0 && strcmp(j->blobs.names[i - 1], j->blobs.names[i]) == 0) continue;
		if (wr_blob_get(j->opts->ledger, j->blobs.names[i], &data, &ignored)) {
			j->report->blobs_missing++;
			continue;
		}
		(void)snprintf(name, sizeof name, "blobs/sha256/%.64s", j->blobs.names[i]);
		rc = wr_build_file(j->build, name, wr_buf_cstr(&data), data.len, err);
		j->report->blobs++;
	}
	wr_buf_free(&data);
	return rc;
}

static json_t *since_json(const wr_since *s)
{
	char time[WR_TIME_LEN];
	if (s->kind == WR_SINCE_ALL) return json_string("all");
	if (s->kind == WR_SINCE_SEQ) return json_integer((json_int_t)s->seq);
	wr_time_format(time, s->time_us);
	return json_string(time);
}

static int put_about(job *j, wr_err *err)
{
	const wr_clock *clock = j->opts->clock ? j->opts->clock : &wr_clock_system;
	char time[WR_TIME_LEN];
	wr_buf text = WR_BUF_INIT(4u << 20);
	json_t *about = wr_export_json(j->report);
	wr_time_format(time, wr_wall_us(clock));
	(void)json_object_set_new(about, "created", json_string(time));
	(void)json_object_set_new(about, "since", since_json(&j->opts->since));
	(void)json_object_set_new(about, "v", json_integer(1));
	wr_json_dump(&text, about);
	wr_buf_addc(&text, '\n');
	json_decref(about);
	int rc = wr_buf_ok(&text) ? wr_build_file(j->build, "export.json", text.data, text.len, err)
	                          : wr_fail(err, WR_E_NOMEM, "export: out of memory");
	wr_buf_free(&text);
	return rc;
}

static int finish_dir(job *j, wr_err *err)
{
	if (put_copy(j, "engine.pub", 1024, err) || put_copy(j, "allowed_signers", WR_SIGNERS_MAX, err))
		return -1;
	if (put_blobs(j, err) || put_about(j, err) || wr_manifest_write(j->build->dir, err)) return -1;
	return wr_build_commit(j->build, err);
}

/* ---- all of it ---- */

static int export_chains(job *j, const wr_files *chains, wr_err *err)
{
	int rc = 0;
	size_t n = 0;
	j->report->chains = calloc(chains->count + 1, sizeof *j->report->chains);
	if (!j->report->chains) return wr_fail(err, WR_E_NOMEM, "export: out of memory");
	for (size_t i = 0; i < chains->count && rc == 0; i++) {
		if (j->opts->chain && strcmp(j->opts->chain, chains->names[i]) != 0) continue;
		n++;
		rc = export_chain(j, chains->names[i], err);
	}
	if (rc == 0 && n == 0)
		rc = wr_fail(err, WR_E_NOT_FOUND, "%.300s: no receipts%s%.120s here", j->opts->ledger,
		             j->opts->chain ? " of chain " : "", j->opts->chain ? j->opts->chain : "");
	return rc;
}

int wr_export(const wr_export_opts *opts, wr_export_report *out, wr_err *err)
{
	wr_files chains;
	wr_build build;
	wr_err ignored = {0}, *why = err ? err : &ignored;
	job j = {.opts = opts, .report = out, .fd = -1};
	*out = (wr_export_report){0};
	wr_buf_init(&j.out, PART + WR_LINE_MAX + 1);
	if (wr_files_chains(&chains, opts->ledger, why)) return -1;
	int rc = opts->to ? wr_build_begin(&build, opts->to, &wr_fs_system, why) : 0;
	if (rc == 0 && opts->to) j.build = &build;
	if (rc == 0) rc = export_chains(&j, &chains, why);
	if (rc == 0 && j.build) rc = finish_dir(&j, why);
	if (rc && j.build) wr_build_abort(&build);
	if (rc) wr_export_free(out);
	wr_files_free(&j.blobs);
	wr_files_free(&chains);
	wr_buf_free(&j.out);
	return rc;
}

void wr_export_free(wr_export_report *r)
{
	free(r->chains);
	*r = (wr_export_report){0};
}

json_t *wr_export_json(const wr_export_report *r)
{
	json_t *chains = json_array();
	for (size_t i = 0; i < r->chain_count; i++) {
		const wr_exported_chain *x = &r->chains[i];
		char hex[WR_HEX_LEN] = "";
		if (x->count) wr_hex(hex, x->head, WR_HASH_LEN);
		(void)json_array_append_new(
		    chains, json_pack("{s:s, s:I, s:I, s:s, s:I}", "chain", x->chain, "first_seq",
		                      (json_int_t)x->first_seq, "count", (json_int_t)x->count, "head", hex,
		                      "checkpoint_size", (json_int_t)x->checkpoint_size));
	}
	return json_pack("{s:o, s:I, s:I, s:I, s:I}", "chains", chains, "receipts",
	                 (json_int_t)r->receipts, "bytes", (json_int_t)r->bytes, "blobs",
	                 (json_int_t)r->blobs, "blobs_missing", (json_int_t)r->blobs_missing);
}
