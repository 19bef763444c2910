/* verify.c: finding the chains under a path, and reading each: at hashing speed with all threads
 * (pass.c), and if that finds anything wrong, once more carefully from its beginning (check.c).
 *
 * A running engine's ledger may be verified: the mark and the checkpoint are read before the files'
 * sizes, so they are never ahead of them; nothing beyond these sizes is read; and an unfinished
 * last line is left out while somebody writes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/check.h"
#include "ledger/fs.h"
#include "ledger/pass.h"
#include "ledger/store.h"
#include "ledger/window.h"
#include "warroom/clock.h"
#include "warroom/io.h"
#include "warroom/text.h"

#define PROGRESS_EVERY ((int64_t)1 << 20)
#define CHUNK_BYTES    ((size_t)1 << 20)
#define CHUNK_LEAST    ((size_t)1 << 10)
#define SUSPECTS_MAX   ((size_t)1 << 18) /* some 24 MiB in all, and 16 for window.c */
#define CHAINS_KEPT    1000

typedef struct run {
	wr_verify_report *report;
	wr_verify_opts opts;
	int64_t total, done, told;
	int64_t first_broken; /* index of the first chain that is not fine, -1 none */
	size_t skipped;       /* chains with nothing to check: they end before `since` */
	wr_window *window;    /* of the careful reading; NULL: none is needed */
} run;

/* One chain to verify. */
typedef struct subject {
	wr_parts parts;
	const char *chain; /* by its directory; NULL: its place does not say */
	bool whole;        /* a directory, with a mark and a checkpoint: it begins at seq 0 */
	wr_mark mark;
	wr_err mark_err, note_err;
	wr_buf note; /* the file `checkpoint` */
	bool have_note;
	bool end_only; /* nothing is left of it from `since` on: is it as long as it was? */
} subject;

static void tell(run *v, int64_t bytes)
{
	v->done += bytes;
	if (!v->opts.progress || v->done - v->told < PROGRESS_EVERY) return;
	v->told = v->done;
	v->opts.progress(v->opts.ctx, v->done, v->total);
}

static void tell_more(void *ctx, int64_t bytes)
{
	tell(ctx, bytes);
}

/* ---- the careful reading ---- */

/* 1: the rest of the file is a torn or unfinished end. */
static int take_line(run *v, wr_check *c, const wr_parts *parts, size_t i, const wr_line *line,
                     int64_t number, wr_err *err)
{
	int64_t size = parts->items[i].size;
	bool last = i + 1 == parts->count;
	if (last && wr_past_mark(c, line->at) && wr_tail_torn(line)) {
		if (!wr_part_live(parts, i)) wr_check_torn(c, line, number, size - line->at);
		v->report->bytes += size - line->at;
		tell(v, size - line->at);
		return 1;
	}
	v->report->bytes += line->bytes;
	tell(v, line->bytes);
	if (!line->ended && c->segment >= 0 && c->segment == c->mark.segment &&
	    line->at + line->bytes < c->mark.bytes) {
		wr_check_short(c, line, number, line->at + line->bytes);
		return 0;
	}
	return wr_check_line(c, line, number, err);
}

/* What the lines end before: zero bytes, which are a torn end in the last file alone. */
static void check_rest(wr_check *c, const wr_parts *parts, size_t i, const wr_lines *lines)
{
	const wr_line rest = {.at = lines->offset};
	int64_t left = parts->items[i].size - lines->offset;
	bool last = i + 1 == parts->count;
	wr_check_file_end(c, lines, left, last);
	if (last && left > 0 && wr_past_mark(c, rest.at) && !wr_part_live(parts, i))
		wr_check_torn(c, &rest, lines->number + 1, left);
}

static int read_part(run *v, wr_check *c, const wr_parts *parts, size_t i, wr_err *err)
{
	char path[PATH_MAX];
	wr_lines lines;
	wr_line line;
	int rc;
	bool inside = i == 0 && parts->at > 0;
	if (wr_part_path(parts, i, path, err)) return -1;
	if (wr_lines_open(&lines, path, inside ? parts->at : 0, parts->items[i].size, err)) {
		/* The engine takes back a segment that it could not write. */
		bool taken_back = i + 1 == parts->count && err && err->code == WR_E_NOT_FOUND;
		return taken_back && wr_lock_held(parts->ledger_dir) ? 0 : -1;
	}
	v->report->segments++;
	if (inside) {
		lines.number = parts->line;
		c->file_began = true;
	}
	while ((rc = wr_lines_next(&lines, &line, err)) > 0) {
		rc = v->window ? wr_window_reach(v->window, c, i, line.at, err) : 0;
		if (rc == 0) rc = take_line(v, c, parts, i, &line, lines.number, err);
		if (rc == 0 && v->opts.cancel && atomic_load(v->opts.cancel))
			rc = wr_fail(err, WR_E_CANCELLED, "verify: cancelled");
		if (rc) break;
	}
	if (rc == 0) check_rest(c, parts, i, &lines);
	wr_lines_close(&lines);
	return rc < 0 ? wr_err_wrap(err, "%s", path) : 0;
}

static int read_carefully(run *v, wr_check *c, const wr_parts *parts, wr_err *err)
{
	for (size_t i = 0; i < parts->count; i++) {
		char name[WR_SEGMENT_NAME_LEN];
		wr_chain_check_file(c, wr_part_name(parts, i, name), parts->items[i].segment);
		if (read_part(v, c, parts, i, err)) return -1;
	}
	wr_check_end(c);
	return 0;
}

/* ---- one chain ---- */

/* A .jsonl file that is no segment: somebody may take it for receipts. */
static int only_strays(const struct dirent *e)
{
	size_t len = strlen(e->d_name);
	return len >= 6 && strcmp(e->d_name + len - 6, ".jsonl") == 0 && e->d_name[0] != '.' &&
	       wr_segment_seq(e->d_name) < 0;
}

static int say_strays(wr_check *c, const char *dir, wr_err *err)
{
	const wr_attest_place at = {.seq = -1, .line = 1};
	struct dirent **strays;
	char shown[sizeof c->file];
	int n = scandir(dir, &strays, only_strays, alphasort);
	if (n < 0) return wr_fs_fail(err, "open directory", dir);
	for (int i = 0; i < n; i++) {
		wr_chain_check_file(c, wr_sanitise_to(shown, sizeof shown, strays[i]->d_name), -1);
		wr_check_aside(c, WR_AN_CORRUPT, &at,
		               "expected segments, named by their first seq, found another file");
		free(strays[i]);
	}
	free(strays);
	return 0;
}

/* Whoever names the key wants to know what it signed. */
static void want_attested(const run *v, wr_check *c, const subject *s)
{
	bool from_inside = v->opts.since_seq > 0 || v->opts.since_us > 0;
	if (!v->opts.engine_pub || !s->whole || from_inside || !c->ok) return;
	if (c->expect <= 0 || c->attest.last >= 0) return;
	wr_chain_check_file(c, WR_CHECKPOINT_NAME, -1);
	wr_check_anomaly(c, WR_AN_CORRUPT, -1, 1, 0,
	                 "expected a checkpoint signed with the given key, found none in %lld receipts",
	                 (long long)c->expect);
}

static int begin_check(run *v, wr_check *c, const subject *s, wr_err *err)
{
	char shown[256];
	if (wr_check_init(c, v->report, s->chain, s->parts.ledger_dir, err)) return -1;
	bool from_inside = s->parts.at > 0 || v->opts.since_seq > 0 || v->opts.since_us > 0;
	wr_attest_begin(c, s->parts.ledger_dir, v->opts.engine_pub, s->whole);
	if (from_inside) { /* approvals may be before it */
		wr_authorise_free(c->authorise);
		c->authorise = NULL;
	}
	c->expect = s->whole && !from_inside ? 0 : -1;
	c->tip_count = c->expect == 0 ? 1 : 0;
	if (s->parts.known) {
		c->expect = s->parts.seq;
		memcpy(c->tips[0], s->parts.tip, WR_HASH_LEN);
		c->tip_count = 1;
	}
	c->mark = s->mark;
	if (s->whole && say_strays(c, s->parts.dir, err)) return -1;
	if (s->mark_err.code) {
		wr_chain_check_file(c, WR_MARK_NAME, -1);
		wr_check_anomaly(c, WR_AN_CORRUPT, -1, 1, 0, "%s",
		                 wr_sanitise_to(shown, sizeof shown, s->mark_err.msg));
	}
	if (s->have_note) wr_attest_file(c, &s->note, &s->note_err);
	return 0;
}

static void keep_chain_report(run *v, const wr_check *c)
{
	wr_verify_report *r = v->report;
	if (!c->ok && v->first_broken < 0) v->first_broken = r->chains;
	r->chains++;
	r->checkpoints += c->attest.checkpoints;
	r->checkpoints_unchecked += c->attest.unchecked;
	if (r->chain_report_count == CHAINS_KEPT) return;
	wr_chain_report *more = realloc(r->chain_reports, (r->chain_report_count + 1) * sizeof *more);
	if (!more) return;
	r->chain_reports = more;
	wr_chain_report *one = &more[r->chain_report_count++];
	*one = (wr_chain_report){.receipts = c->expect > 0 ? c->expect : 0,
	                         .last_consistent_seq = c->consistent,
	                         .last_attested_seq = c->attest.last,
	                         .checkpoints = c->attest.checkpoints,
	                         .ok = c->ok};
	(void)snprintf(one->chain, sizeof one->chain, "%s", c->chain);
}

/* What the first reading has counted is forgotten; the list of anomalies is only cut. */
static void forget(wr_verify_report *r, const wr_verify_report *before)
{
	wr_anomaly *anomalies = r->anomalies;
	*r = *before;
	r->anomalies = anomalies;
}

/* Ids and parents are looked up among the suspects; if these are too many, in windows. */
static int check_carefully(run *v, wr_check *c, const subject *s, wr_suspects **suspects,
                           const wr_pass_opts *opts, wr_err *err)
{
	bool keep_all = v->opts.suspects_max == SIZE_MAX;
	for (size_t i = 0; i < s->parts.count; i++) v->total += s->parts.items[i].size;
	if (begin_check(v, c, s, err)) return -1;
	c->suspects = keep_all ? NULL : *suspects;
	c->attest.each = true;
	int rc = 0;
	if (!keep_all && wr_suspects_too_many(*suspects)) {
		wr_suspects_free(*suspects);
		*suspects = c->suspects = NULL;
		rc = wr_window_open(&v->window, &s->parts, v->opts.suspects_max, opts, &v->total, err);
	}
	if (rc == 0) rc = read_carefully(v, c, &s->parts, err);
	wr_window_close(v->window);
	v->window = NULL;
	c->suspects = NULL;
	return rc;
}

/* Only the last segment has space laid out behind its receipts. */
static bool ends_in_lines(const wr_parts *p)
{
	bool all = true;
	for (size_t i = 0; all && i + 1 < p->count; i++) {
		char path[PATH_MAX], end = '\0';
		wr_err ignored;
		if (p->items[i].size == 0 || wr_part_path(p, i, path, &ignored)) continue;
		int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		all = fd >= 0 && pread(fd, &end, 1, (off_t)p->items[i].size - 1) == 1 && end == '\n';
		if (fd >= 0) (void)close(fd);
	}
	return all;
}

static int check_subject(run *v, const subject *s, wr_err *err)
{
	const wr_verify_report before = *v->report;
	const wr_pass_opts opts = {.threads = v->opts.threads,
	                           .chunk_bytes = v->opts.chunk_bytes,
	                           .cancel = v->opts.cancel,
	                           .progress = tell_more,
	                           .ctx = v};
	wr_check c = {0};
	bool clean = false;
	wr_suspects *suspects = wr_suspects_new(v->opts.suspects_max);
	int rc = suspects ? begin_check(v, &c, s, err) : wr_fail(err, WR_E_NOMEM, "verify: no memory");
	bool fast = v->opts.suspects_max != SIZE_MAX;
	if (rc == 0 && fast) rc = wr_pass(&c, &s->parts, &opts, suspects, &clean, err);
	clean = rc == 0 && clean && ends_in_lines(&s->parts);
	if (rc == 0 && !clean) {
		wr_check_free(&c);
		forget(v->report, &before);
		rc = check_carefully(v, &c, s, &suspects, &opts, err);
	}
	if (rc == 0) want_attested(v, &c, s);
	if (rc == 0 && s->end_only && c.ok)
		v->skipped++;
	else if (rc == 0)
		keep_chain_report(v, &c);
	wr_check_free(&c);
	wr_suspects_free(suspects);
	return rc;
}

/* ---- since ---- */

/* Is this receipt where the reading is to begin? */
static bool begins_here(const run *v, const wr_receipt *r)
{
	return v->opts.since_us > 0 ? r->timestamp_us >= v->opts.since_us : r->seq >= v->opts.since_seq;
}

/* Looks for the first such receipt in part i: 1 found, 0 not there. What is between it and the
 * receipt before belongs to what is checked: *before is that receipt's end. `first_only`: looks at
 * its first receipt alone. */
static int look_in(const run *v, const wr_parts *p, size_t i, bool first_only, wr_parts *before,
                   wr_err *err)
{
	char path[PATH_MAX];
	wr_lines lines;
	wr_line line;
	wr_receipt r;
	wr_err why;
	int rc, found = 0;
	if (wr_part_path(p, i, path, err)) return -1;
	if (wr_lines_open(&lines, path, 0, p->items[i].size, err)) return -1;
	while (!found && (rc = wr_lines_next(&lines, &line, err)) > 0) {
		wr_receipt_fault fault = line.ended && !line.overlong
		                             ? wr_receipt_parse(&r, line.text, line.len, false, &why)
		                             : WR_RF_NOT_CANONICAL;
		if (fault != WR_RF_OK) continue;
		found = begins_here(v, &r);
		if (first_only) break;
		if (found) continue;
		before->at = line.at + line.bytes;
		before->line = lines.number;
		before->known = true;
		before->seq = r.seq + 1;
		memcpy(before->tip, r.hash, WR_HASH_LEN);
	}
	wr_lines_close(&lines);
	return rc < 0 ? -1 : found;
}

/* Leaves out what is before `since`: 1 if anything is left, 0 if that is only the end. */
static int skip_before(const run *v, wr_parts *p, wr_err *err)
{
	if (v->opts.since_seq <= 0 && v->opts.since_us <= 0) return 1;
	size_t i = p->count;
	while (i > 0) { /* the last part that begins before it */
		int rc = look_in(v, p, i - 1, true, p, err);
		if (rc < 0) return -1;
		if (rc == 0) break;
		i--;
	}
	int rc = i > 0 ? look_in(v, p, i - 1, false, p, err) : 0;
	if (rc < 0) return -1;
	bool inside = rc > 0 || i == p->count;
	size_t from = inside && i > 0 ? i - 1 : i;
	memmove(p->items, p->items + from, (p->count - from) * sizeof *p->items);
	p->count -= from;
	if (!inside) p->at = p->line = 0;
	return rc > 0 || i < from + p->count;
}

/* ---- chains ---- */

static int64_t size_of(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

/* A segment that its engine took back is empty. */
static int size_of_segment(const char *path, int64_t *size, wr_err *err)
{
	struct stat st;
	*size = 0;
	if (lstat(path, &st)) return errno == ENOENT ? 0 : wr_fs_fail(err, "examine", path);
	if (!S_ISREG(st.st_mode)) return wr_fail(err, WR_E_INVALID, "%s: not a regular file", path);
	*size = (int64_t)st.st_size;
	return 0;
}

static int list_parts(wr_parts *p, wr_err *err)
{
	int64_t *seqs;
	size_t count;
	int rc = 0;
	if (wr_segment_list(p->dir, &seqs, &count, err)) return -1;
	p->items = calloc(count ? count : 1, sizeof *p->items);
	if (!p->items) rc = wr_fail(err, WR_E_NOMEM, "verify: out of memory");
	for (size_t i = 0; seqs && p->items && i < count && rc == 0; i++) {
		char path[PATH_MAX];
		p->items[i].segment = seqs[i];
		p->count = i + 1;
		rc = wr_part_path(p, i, path, err);
		if (rc == 0) rc = size_of_segment(path, &p->items[i].size, err);
	}
	free(seqs);
	return rc;
}

static int check_left(run *v, subject *s, wr_err *err)
{
	int left = skip_before(v, &s->parts, err);
	if (left < 0) return -1;
	s->end_only = left == 0;
	return check_subject(v, s, err);
}

/* `chain` NULL: the directory's place does not say. */
static int check_chain_dir(run *v, const char *dir, const char *chain, const char *ledger_dir,
                           wr_err *err)
{
	subject s = {.chain = chain, .whole = true, .note = WR_BUF_INIT(WR_NOTE_MAX + 1)};
	s.parts.ledger_dir = ledger_dir;
	(void)snprintf(s.parts.dir, sizeof s.parts.dir, "%s", dir);
	if (wr_mark_read(dir, &s.mark, &s.mark_err) == 0) s.mark_err.code = WR_E_OK;
	s.have_note = wr_attest_read(&s.note, dir, &s.note_err) != 0;
	int rc = list_parts(&s.parts, err);
	if (rc == 0) rc = check_left(v, &s, err);
	free(s.parts.items);
	wr_buf_free(&s.note);
	return rc;
}

static int check_one_file(run *v, const char *path, const char *ledger_dir, wr_err *err)
{
	const char *slash = strrchr(path, '/');
	char name[256];
	wr_part part = {.segment = wr_segment_seq(slash + 1), .size = size_of(path)};
	subject s = {.parts = {.single = name, .items = &part, .count = 1, .ledger_dir = ledger_dir}};
	v->total = part.size;
	(void)snprintf(name, sizeof name, "%s", slash + 1);
	(void)snprintf(s.parts.dir, sizeof s.parts.dir, "%.*s", (int)(slash - path + 1), path);
	return check_left(v, &s, err);
}

/* ---- finding chains ---- */

static bool has_file(const char *dir, const char *name)
{
	char path[PATH_MAX];
	struct stat st;
	wr_err err;
	return wr_path_join(path, sizeof path, dir, name, &err) == 0 && lstat(path, &st) == 0 &&
	       !S_ISDIR(st.st_mode);
}

/* 1: it is, even if its mark or its checkpoint is all that is left; -1: who can tell? */
static int is_chain_dir(const char *dir, int64_t *bytes, wr_err *err)
{
	int64_t *seqs;
	size_t count;
	char path[PATH_MAX], name[WR_SEGMENT_NAME_LEN];
	struct stat st;
	if (stat(dir, &st)) return wr_fs_fail(err, "examine", dir);
	if (!S_ISDIR(st.st_mode)) return 0;
	if (wr_segment_list(dir, &seqs, &count, err)) return -1;
	for (size_t i = 0; i < count; i++) {
		wr_segment_name(name, seqs[i]);
		if (wr_path_join(path, sizeof path, dir, name, err) == 0) *bytes += size_of(path);
	}
	free(seqs);
	return count || has_file(dir, WR_MARK_NAME) || has_file(dir, WR_CHECKPOINT_NAME);
}

/* What a symbolic link leads to is verified as well: the engine follows it. */
static int only_dirs(const struct dirent *e)
{
	return e->d_name[0] != '.' && strlen(e->d_name) < 64 &&
	       (e->d_type == DT_DIR || e->d_type == DT_LNK || e->d_type == DT_UNKNOWN);
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
	int is = is_chain_dir(f.dir, &list->bytes, err);
	if (is <= 0) return is;
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
	int is = is_chain_dir(real, &v->total, err);
	if (is < 0) return -1;
	if (is == 0) return check_ledger(v, real, err);
	if (ledger_above(ledger, real, err)) return -1;
	return check_chain_dir(v, real, NULL, ledger, err);
}

static void set_defaults(wr_verify_opts *o)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	if (o->threads == 0) o->threads = processors > 0 ? (unsigned)processors : 1;
	if (o->suspects_max == 0) o->suspects_max = SUSPECTS_MAX;
	if (o->chunk_bytes == 0) o->chunk_bytes = CHUNK_BYTES;
	if (o->chunk_bytes < CHUNK_LEAST) o->chunk_bytes = CHUNK_LEAST;
	if (o->chunk_bytes > CHUNK_BYTES * 16) o->chunk_bytes = CHUNK_BYTES * 16;
}

static void say_not_checked(run *v)
{
	wr_verify_report *r = v->report;
	char from[64];
	if (v->opts.since_us > 0) {
		char time[WR_TIME_LEN];
		wr_time_format(time, v->opts.since_us);
		(void)snprintf(from, sizeof from, "%s", time);
	} else {
		(void)snprintf(from, sizeof from, "seq %lld", (long long)v->opts.since_seq);
	}
	if (v->opts.since_us > 0 || v->opts.since_seq > 0)
		(void)snprintf(r->not_checked, sizeof r->not_checked,
		               "what is before %s, approvals, and the roots of checkpoints, which need it",
		               from);
	else if (r->checkpoints_unchecked > 0)
		(void)snprintf(
		    r->not_checked, sizeof r->not_checked,
		    "%lld checkpoints: no key for them, or the receipts before them are not whole",
		    (long long)r->checkpoints_unchecked);
}

static void sum_up(run *v)
{
	wr_verify_report *r = v->report;
	size_t i = v->first_broken >= 0 ? (size_t)v->first_broken : 0;
	if ((v->first_broken >= 0 || r->chains == 1) && i < r->chain_report_count) {
		r->last_consistent_seq = r->chain_reports[i].last_consistent_seq;
		r->last_attested_seq = r->chain_reports[i].last_attested_seq;
	}
	say_not_checked(v);
}

int wr_ledger_verify_with(const char *path, const wr_verify_opts *opts, wr_verify_report *out,
                          wr_err *err)
{
	run v = {.report = out, .first_broken = -1};
	wr_err ignored = {0};
	if (!err) err = &ignored;
	if (opts) v.opts = *opts;
	set_defaults(&v.opts);
	*out = (wr_verify_report){.ok = true, .last_consistent_seq = -1, .last_attested_seq = -1};
	int rc = verify_path(&v, path, err);
	if (rc == 0 && out->chains == 0 && v.skipped > 0 && v.opts.since_us <= 0)
		rc = wr_fail(err, WR_E_NOT_FOUND, "%s: it ends before receipt %lld", path,
		             (long long)v.opts.since_seq);
	if (rc) {
		wr_verify_free(out);
		return -1;
	}
	sum_up(&v);
	if (v.opts.progress) v.opts.progress(v.opts.ctx, v.total, v.total);
	return 0;
}

int wr_ledger_verify(const char *path, wr_verify_report *out,
                     void (*progress)(void *ctx, int64_t bytes, int64_t total), void *ctx,
                     wr_err *err)
{
	const wr_verify_opts opts = {.progress = progress, .ctx = ctx};
	return wr_ledger_verify_with(path, &opts, out, err);
}

void wr_verify_free(wr_verify_report *r)
{
	free(r->anomalies);
	free(r->chain_reports);
	r->anomalies = NULL;
	r->anomaly_count = 0;
	r->chain_reports = NULL;
	r->chain_report_count = 0;
}
