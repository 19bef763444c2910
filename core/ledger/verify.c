/* verify.c: finding the chains under a path and feeding their lines to the checker.
 *
 * A running engine's ledger may be verified: the mark is read before the files, so it is never
 * ahead of them, and an unfinished last line is left out while somebody holds the lock. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ledger/check.h"
#include "ledger/fs.h"
#include "ledger/store.h"
#include "warroom/io.h"
#include "warroom/text.h"

#define PROGRESS_EVERY ((int64_t)1 << 20)

typedef struct run {
	wr_verify_report *report;
	void (*progress)(void *ctx, int64_t bytes, int64_t total);
	void *ctx;
	int64_t total, done, told;
	int64_t first_broken; /* last consistent seq of the first broken chain; -2: none is */
	int64_t only;         /* … of the last chain read */
} run;

/* One file being read. */
typedef struct source {
	const char *path;
	int64_t size;
	bool last; /* of its chain: it may end torn */
	const char *ledger_dir;
} source;

static void tell(run *v, int64_t bytes)
{
	v->done += bytes;
	v->report->bytes += bytes;
	if (!v->progress || v->done - v->told < PROGRESS_EVERY) return;
	v->told = v->done;
	v->progress(v->ctx, v->done, v->total);
}

/* Everything up to the mark was once durable: no torn end there. */
static bool past_mark(const wr_check *c, const wr_line *line)
{
	return c->mark.count == 0 || c->segment < 0 || c->segment > c->mark.segment ||
	       (c->segment == c->mark.segment && line->at >= c->mark.bytes);
}

/* 1: the rest of the file is a torn or unfinished end. */
static int take_line(run *v, wr_check *c, const source *s, const wr_line *line, int64_t number,
                     wr_err *err)
{
	if (s->last && past_mark(c, line) && wr_tail_torn(line)) {
		/* What came since the size was read is somebody at work. */
		bool live = wr_lock_held(s->ledger_dir);
		if (!live) wr_check_torn(c, line, number, s->size - line->at);
		tell(v, s->size > line->at ? s->size - line->at : 0);
		return 1;
	}
	tell(v, line->bytes);
	if (!line->ended && c->segment >= 0 && c->segment == c->mark.segment &&
	    line->at + line->bytes < c->mark.bytes) {
		wr_check_short(c, line, number, line->at + line->bytes);
		return 0;
	}
	return wr_check_line(c, line, number, err);
}

static int read_file(run *v, wr_check *c, const source *s, wr_err *err)
{
	wr_lines lines;
	wr_line line;
	int rc;
	if (wr_lines_open(&lines, s->path, 0, -1, err)) {
		/* The engine takes back a segment that it could not write. */
		bool taken_back = s->last && err && err->code == WR_E_NOT_FOUND;
		return taken_back && wr_lock_held(s->ledger_dir) ? 0 : -1;
	}
	v->report->segments++;
	while ((rc = wr_lines_next(&lines, &line, err)) > 0) {
		rc = take_line(v, c, s, &line, lines.number, err);
		if (rc) break;
	}
	wr_lines_close(&lines);
	return rc < 0 ? wr_err_wrap(err, "%s", s->path) : 0;
}

static void finish_chain(run *v, wr_check *c)
{
	wr_check_end(c);
	v->report->chains++;
	v->only = c->consistent;
	if (c->broken && v->first_broken == -2) v->first_broken = c->consistent;
}

static int64_t size_of(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

static void read_mark(wr_check *c, const char *dir)
{
	wr_err err = {0};
	if (wr_mark_read(dir, &c->mark, &err) == 0) return;
	wr_chain_check_file(c, WR_MARK_NAME, -1);
	wr_check_anomaly(c, WR_AN_CORRUPT, -1, 1, 0, "%s", err.msg);
}

static int check_segments(run *v, wr_check *c, const char *dir, const char *ledger_dir, wr_err *err)
{
	int64_t *seqs;
	size_t count;
	int rc = 0;
	if (wr_segment_list(dir, &seqs, &count, err)) return -1;
	for (size_t i = 0; i < count && rc == 0; i++) {
		char name[WR_SEGMENT_NAME_LEN], path[PATH_MAX];
		wr_segment_name(name, seqs[i]);
		rc = wr_path_join(path, sizeof path, dir, name, err);
		if (rc) break;
		const source s = {
		    .path = path, .size = size_of(path), .last = i == count - 1, .ledger_dir = ledger_dir};
		wr_chain_check_file(c, name, seqs[i]);
		rc = read_file(v, c, &s, err);
	}
	free(seqs);
	return rc;
}

/* `chain` NULL: the directory's place does not say. */
static int check_chain_dir(run *v, const char *dir, const char *chain, const char *ledger_dir,
                           wr_err *err)
{
	wr_check c;
	int rc = wr_check_init(&c, v->report, chain, ledger_dir, err);
	if (rc == 0) {
		c.expect = 0;
		c.tip_count = 1;
		read_mark(&c, dir);
		rc = check_segments(v, &c, dir, ledger_dir, err);
	}
	if (rc == 0) finish_chain(v, &c);
	wr_check_free(&c);
	return rc;
}

static int check_one_file(run *v, const char *path, const char *ledger_dir, wr_err *err)
{
	wr_check c;
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char shown[64];
	v->total = size_of(path);
	const source s = {.path = path, .size = v->total, .last = true, .ledger_dir = ledger_dir};
	int rc = wr_check_init(&c, v->report, NULL, ledger_dir, err);
	if (rc == 0) {
		wr_chain_check_file(&c, wr_sanitise_to(shown, sizeof shown, name), wr_segment_seq(name));
		rc = read_file(v, &c, &s, err);
	}
	if (rc == 0) finish_chain(v, &c);
	wr_check_free(&c);
	return rc;
}

/* ---- finding chains ---- */

static bool is_chain_dir(const char *dir, int64_t *bytes)
{
	int64_t *seqs;
	size_t count;
	char path[PATH_MAX], name[WR_SEGMENT_NAME_LEN];
	struct stat st;
	wr_err err;
	if (wr_segment_list(dir, &seqs, &count, &err)) return false;
	for (size_t i = 0; i < count; i++) {
		wr_segment_name(name, seqs[i]);
		if (wr_path_join(path, sizeof path, dir, name, &err) == 0) *bytes += size_of(path);
	}
	free(seqs);
	if (count) return true;
	return wr_path_join(path, sizeof path, dir, WR_MARK_NAME, &err) == 0 && stat(path, &st) == 0 &&
	       S_ISREG(st.st_mode);
}

static int only_dirs(const struct dirent *e)
{
	return e->d_name[0] != '.' && strlen(e->d_name) < 64 &&
	       (e->d_type == DT_DIR || e->d_type == DT_UNKNOWN);
}

typedef struct found {
	char chain[128]; /* two directory names of at most 63 bytes */
	char dir[PATH_MAX];
} found;

typedef struct found_list {
	found *items;
	size_t count;
	int64_t bytes;
} found_list;

static int add_found(found_list *list, const char *ledger, const char *chain, wr_err *err)
{
	found f;
	if (wr_path_join(f.dir, sizeof f.dir, ledger, chain, err)) return -1;
	(void)snprintf(f.chain, sizeof f.chain, "%.127s", chain);
	if (!is_chain_dir(f.dir, &list->bytes)) return 0;
	found *more = realloc(list->items, (list->count + 1) * sizeof *more);
	if (!more) return wr_fail(err, WR_E_NOMEM, "verify: out of memory");
	list->items = more;
	list->items[list->count++] = f;
	return 0;
}

static int find_streams(found_list *list, const char *ledger, const char *partition, wr_err *err)
{
	char path[PATH_MAX];
	struct dirent **streams;
	if (wr_path_join(path, sizeof path, ledger, partition, err)) return -1;
	int n = scandir(path, &streams, only_dirs, alphasort);
	if (n < 0) return errno == ENOTDIR ? 0 : wr_fs_fail(err, "open directory", path);
	int rc = 0;
	for (int i = 0; i < n; i++) {
		char chain[128], shown[128];
		(void)snprintf(chain, sizeof chain, "%.63s/%.63s", partition, streams[i]->d_name);
		bool plain = strcmp(wr_sanitise_to(shown, sizeof shown, chain), chain) == 0;
		if (rc == 0 && plain) rc = add_found(list, ledger, chain, err);
		free(streams[i]);
	}
	free(streams);
	return rc;
}

static int find_chains(found_list *list, const char *ledger, wr_err *err)
{
	struct dirent **partitions;
	int n = scandir(ledger, &partitions, only_dirs, alphasort);
	if (n < 0) return wr_fs_fail(err, "open directory", ledger);
	int rc = 0;
	for (int i = 0; i < n; i++) {
		if (rc == 0 && strcmp(partitions[i]->d_name, "blobs") != 0)
			rc = find_streams(list, ledger, partitions[i]->d_name, err);
		free(partitions[i]);
	}
	free(partitions);
	return rc;
}

static int check_ledger(run *v, const char *dir, wr_err *err)
{
	found_list list = {0};
	char lock[PATH_MAX];
	struct stat st;
	int rc = find_chains(&list, dir, err);
	v->total = list.bytes;
	for (size_t i = 0; i < list.count && rc == 0; i++)
		rc = check_chain_dir(v, list.items[i].dir, list.items[i].chain, dir, err);
	if (rc == 0 && list.count == 0) {
		/* A ledger that nothing was written to yet has its lock. */
		rc = wr_path_join(lock, sizeof lock, dir, "lock", err);
		if (rc == 0 && stat(lock, &st))
			rc = wr_fail(err, WR_E_NOT_FOUND,
			             "%s: no receipts here: give a ledger, a chain's "
			             "directory or a .jsonl file",
			             dir);
	}
	free(list.items);
	return rc;
}

/* The ledger that a chain's directory is in: allowed_signers and the lock are there. */
static int ledger_above(char out[static PATH_MAX], const char *chain_dir, wr_err *err)
{
	return wr_path_join(out, PATH_MAX, chain_dir, "../..", err);
}

static int verify_path(run *v, const char *path, wr_err *err)
{
	char real[PATH_MAX], dir[PATH_MAX], ledger[PATH_MAX];
	struct stat st;
	if (!realpath(path, real) || stat(real, &st)) return wr_fs_fail(err, "open", path);
	if (S_ISREG(st.st_mode)) {
		(void)snprintf(dir, sizeof dir, "%s", real);
		*strrchr(dir, '/') = '\0';
		if (ledger_above(ledger, *dir ? dir : "/", err)) return -1;
		return check_one_file(v, real, ledger, err);
	}
	if (!S_ISDIR(st.st_mode))
		return wr_fail(err, WR_E_INVALID, "%s: neither a file nor a directory", path);
	if (!is_chain_dir(real, &v->total)) return check_ledger(v, real, err);
	if (ledger_above(ledger, real, err)) return -1;
	return check_chain_dir(v, real, NULL, ledger, err);
}

int wr_ledger_verify(const char *path, wr_verify_report *out,
                     void (*progress)(void *ctx, int64_t bytes, int64_t total), void *ctx,
                     wr_err *err)
{
	run v = {.report = out, .progress = progress, .ctx = ctx, .first_broken = -2, .only = -1};
	*out = (wr_verify_report){.ok = true, .last_consistent_seq = -1};
	if (verify_path(&v, path, err)) {
		wr_verify_free(out);
		return -1;
	}
	out->last_consistent_seq = v.first_broken != -2 ? v.first_broken
	                           : out->chains == 1   ? v.only
	                                                : -1;
	if (progress) progress(ctx, v.done, v.total);
	return 0;
}

void wr_verify_free(wr_verify_report *r)
{
	free(r->anomalies);
	r->anomalies = NULL;
	r->anomaly_count = 0;
}
