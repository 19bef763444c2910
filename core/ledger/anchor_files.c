/* anchor_files.c: anchors on disk, and checking them offline beside the ledger that they are of.
 *
 * The roots of all anchored sizes come from one pass over the receipts, hashed again from their
 * bytes: neither the stored hashes nor the notes are taken at their word. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ledger/chain.h"
#include "warroom/anchor.h"
#include "warroom/clock.h"
#include "warroom/io.h"
#include "warroom/merkle.h"
#include "warroom/text.h"

#define ANCHORS  "anchors"
#define NAME_LEN 32 /* 20 digits, a dot, four letters, NUL */

static int anchor_path(char out[static PATH_MAX], const char *dir, int64_t size, const char *kind,
                       wr_err *err)
{
	char name[NAME_LEN];
	snprintf(name, sizeof name, "%020lld.%s", (long long)size, kind);
	return wr_path_join(out, PATH_MAX, dir, name, err);
}

/* The size in the name of a response; -1: another name. */
static int64_t anchor_size(const char *name)
{
	if (strspn(name, "0123456789") != 20 || strcmp(name + 20, ".tsr") != 0 || name[0] != '0')
		return -1;
	return strtoll(name, NULL, 10);
}

int wr_anchor_put(const char *chain_dir, int64_t size, wr_bytes note, wr_bytes request,
                  wr_bytes response, wr_err *err)
{
	char dir[PATH_MAX], path[PATH_MAX];
	const struct {
		const char *kind;
		wr_bytes bytes;
	} all[] = {{"note", note}, {"tsq", request}, {"tsr", response}};
	if (wr_path_join(dir, sizeof dir, chain_dir, ANCHORS, err) || wr_mkdirs(dir, 0750, err) ||
	    wr_fsync_dir(chain_dir, err))
		return -1;
	for (size_t i = 0; i < 3; i++) {
		if (anchor_path(path, dir, size, all[i].kind, err) ||
		    wr_write_file(path, all[i].bytes.data, all[i].bytes.len, 0640, err))
			return -1;
	}
	return 0;
}

/* ---- finding them ---- */

static int by_size(const void *a, const void *b)
{
	const wr_anchor_row *x = a, *y = b;
	return x->checkpoint.size < y->checkpoint.size ? -1 : x->checkpoint.size > y->checkpoint.size;
}

static int add_row(wr_anchor_report *r, const char *name, wr_err *err)
{
	if (r->count >= WR_ANCHORS_MAX)
		return wr_fail(err, WR_E_LIMIT, "more than %d anchors", WR_ANCHORS_MAX);
	if ((r->count & (r->count - 1)) == 0) {
		size_t cap = r->count ? 2 * r->count : 1;
		wr_anchor_row *more = realloc(r->rows, cap * sizeof *more);
		if (!more) return wr_fail(err, WR_E_NOMEM, "out of memory");
		r->rows = more;
	}
	wr_anchor_row *row = &r->rows[r->count++];
	*row = (wr_anchor_row){.checkpoint.size = anchor_size(name)};
	snprintf(row->file, sizeof row->file, "%s", name);
	return 0;
}

static int list(const char *dir, wr_anchor_report *r, wr_err *err)
{
	struct dirent *e;
	int rc = 0;
	DIR *d = opendir(dir);
	if (!d) return wr_fail_errno(err, errno, "%.200s", dir);
	/* cppcheck-suppress readdirCalled ; the stream is ours alone */
	while (rc == 0 && (e = readdir(d)))
		if (anchor_size(e->d_name) >= 0) rc = add_row(r, e->d_name, err);
	closedir(d);
	if (r->count) qsort(r->rows, r->count, sizeof *r->rows, by_size);
	return rc;
}

int64_t wr_anchor_last(const char *chain_dir)
{
	char dir[PATH_MAX];
	const struct dirent *e;
	int64_t last = -1;
	if (wr_path_join(dir, sizeof dir, chain_dir, ANCHORS, NULL)) return -1;
	DIR *d = opendir(dir);
	/* cppcheck-suppress readdirCalled ; the stream is ours alone */
	while (d && (e = readdir(d))) {
		int64_t size = anchor_size(e->d_name);
		if (size > last) last = size;
	}
	if (d) closedir(d);
	return last;
}

/* What was named, sorted out. */
typedef struct place {
	char anchors[PATH_MAX], chain[PATH_MAX], ledger[PATH_MAX]; /* directories */
	const char *only;                                          /* a .tsr's name, or NULL */
} place;

static bool is_dir(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void up(char *out, const char *path)
{
	char joined[PATH_MAX + 4], real[PATH_MAX];
	snprintf(joined, sizeof joined, "%s/..", path);
	snprintf(out, PATH_MAX, "%s", realpath(joined, real) ? real : "");
}

/* The only <partition>/<stream>/anchors of a ledger: 1 found, 0 none, -1 several. */
static int find_chain(const char *ledger, char out[static PATH_MAX])
{
	int found = 0;
	struct dirent **parts = NULL, **streams = NULL;
	int n = scandir(ledger, &parts, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		char dir[PATH_MAX];
		int m = -1;
		if (parts[i]->d_name[0] != '.' &&
		    wr_path_join(dir, sizeof dir, ledger, parts[i]->d_name, NULL) == 0 && is_dir(dir))
			m = scandir(dir, &streams, NULL, alphasort);
		for (int k = 0; k < m; k++) {
			char chain[PATH_MAX], anchors[PATH_MAX];
			if (streams[k]->d_name[0] != '.' &&
			    wr_path_join(chain, sizeof chain, dir, streams[k]->d_name, NULL) == 0 &&
			    wr_path_join(anchors, sizeof anchors, chain, ANCHORS, NULL) == 0 &&
			    is_dir(anchors)) {
				memcpy(out, anchors, sizeof anchors);
				found++;
			}
			free(streams[k]);
		}
		if (m >= 0) free(streams);
		free(parts[i]);
	}
	if (n >= 0) free(parts);
	return found > 1 ? -1 : found;
}

static int find(place *p, const char *path, wr_err *err)
{
	char joined[PATH_MAX];
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	*p = (place){0};
	if (wr_path_join(joined, sizeof joined, path, ANCHORS, err)) return -1;
	if (anchor_size(base) >= 0) {
		p->only = base;
		snprintf(p->anchors, sizeof p->anchors, "%.*s", slash ? (int)(slash - path) : 1,
		         slash ? path : ".");
	} else if (is_dir(joined)) {
		memcpy(p->anchors, joined, sizeof joined);
	} else if (is_dir(path)) {
		int n = find_chain(path, p->anchors);
		if (n < 0)
			return wr_fail(err, WR_E_INVALID,
			               "%.200s holds several chains with anchors: name one of them", path);
		if (n == 0) snprintf(p->anchors, sizeof p->anchors, "%s", path);
	} else {
		return wr_fail(err, WR_E_NOT_FOUND, "%.200s: no directory and no .tsr file", path);
	}
	up(p->chain, p->anchors);
	char partition[PATH_MAX];
	up(partition, p->chain);
	up(p->ledger, partition);
	return 0;
}

/* ---- checking ---- */

static int read_part(wr_buf *out, const char *dir, int64_t size, const char *kind, wr_err *err)
{
	char path[PATH_MAX];
	return anchor_path(path, dir, size, kind, err)
	           ? -1
	           : wr_read_file(out, path, WR_ANCHOR_MAX, WR_ANY, err);
}

static int open_note(wr_anchor_row *row, const wr_buf *note, const uint8_t *public_key, wr_err *err)
{
	wr_note parsed;
	int64_t size = row->checkpoint.size;
	int rc;
	if (public_key) {
		rc = wr_checkpoint_open(&row->checkpoint, note->data, note->len, NULL, public_key, err);
	} else {
		rc = wr_note_parse(&parsed, note->data, note->len, err);
		if (rc == 0) rc = wr_checkpoint_parse(&row->checkpoint, parsed.text, parsed.text_len, err);
	}
	if (rc == 0 && row->checkpoint.size != size)
		rc = wr_fail(err, WR_E_CONFLICT, "the note is of size %lld",
		             (long long)row->checkpoint.size);
	row->checkpoint.size = size;
	return rc;
}

static void check_row(wr_anchor_row *row, const place *p, const uint8_t *public_key,
                      const char *ca_file)
{
	wr_buf note = WR_BUF_INIT(WR_ANCHOR_MAX), tsq = WR_BUF_INIT(WR_ANCHOR_MAX),
	       tsr = WR_BUF_INIT(WR_ANCHOR_MAX);
	wr_err err = {0};
	int64_t size = row->checkpoint.size;
	int rc = read_part(&note, p->anchors, size, "note", &err);
	if (rc == 0) rc = read_part(&tsq, p->anchors, size, "tsq", &err);
	if (rc == 0) rc = read_part(&tsr, p->anchors, size, "tsr", &err);
	if (rc == 0)
		rc = wr_anchor_check(&row->proof, (wr_bytes){note.data, note.len},
		                     (wr_bytes){tsq.data, tsq.len}, (wr_bytes){tsr.data, tsr.len}, ca_file,
		                     &err);
	if (rc == 0) rc = open_note(row, &note, public_key, &err);
	row->ok = rc == 0;
	if (rc)
		(void)wr_sanitise_to(row->text, sizeof row->text, err.msg);
	else if (!public_key)
		snprintf(row->text, sizeof row->text, "no engine.pub: the note's signature is not checked");
	wr_buf_free(&note);
	wr_buf_free(&tsq);
	wr_buf_free(&tsr);
}

/* ---- the ledger's own roots ---- */

typedef struct walk {
	wr_anchor_report *report;
	wr_range tree;
	size_t next; /* row */
} walk;

static bool ends_with_chain(const char *origin, const char *chain)
{
	size_t n = strlen(origin), k = strlen(chain);
	return n == k ? strcmp(origin, chain) == 0
	              : n > k && origin[n - k - 1] == '/' && strcmp(origin + (n - k), chain) == 0;
}

static void speak_against(wr_anchor_row *row, const char *text)
{
	if (row->ok) snprintf(row->text, sizeof row->text, "%s", text);
	row->ok = row->rooted = false;
}

/* The tree has come to the size of the next rows. */
static void compare(walk *w)
{
	wr_anchor_report *r = w->report;
	for (; w->next < r->count && r->rows[w->next].checkpoint.size <= w->tree.end; w->next++) {
		wr_anchor_row *row = &r->rows[w->next];
		uint8_t root[WR_HASH_LEN];
		if (!row->ok) continue;
		wr_range_root(&w->tree, root);
		row->rooted = memcmp(root, row->checkpoint.root, sizeof root) == 0;
		if (!row->rooted)
			speak_against(row, "the ledger's root at this size is another: these receipts are "
			                   "not those that were stamped");
		else if (r->chain[0] && !ends_with_chain(row->checkpoint.origin, r->chain))
			speak_against(row, "the note is of another chain");
	}
}

/* 1: enough, or no further. */
static int take(walk *w, const wr_line *line, wr_err *err)
{
	wr_receipt rc;
	if (!line->ended) return 1;
	if (wr_receipt_parse(&rc, line->text, line->len, true, err) != WR_RF_OK)
		return wr_err_wrap(err, "receipt %lld", (long long)w->tree.end);
	if (rc.seq != w->tree.end)
		return wr_fail(err, WR_E_CORRUPT, "receipt %lld follows on %lld", (long long)rc.seq,
		               (long long)w->tree.end - 1);
	if (!w->report->chain[0]) snprintf(w->report->chain, sizeof w->report->chain, "%s", rc.chain);
	wr_range_add(&w->tree, rc.hash);
	compare(w);
	return w->next >= w->report->count;
}

static int walk_segment(walk *w, const char *path, wr_err *err)
{
	wr_lines lines;
	wr_line line;
	int rc = 0, got;
	if (wr_lines_open(&lines, path, 0, -1, err)) return -1;
	while (rc == 0 && (got = wr_lines_next(&lines, &line, err)) != 0)
		rc = got < 0 ? -1 : take(w, &line, err);
	wr_lines_close(&lines);
	return rc;
}

static void find_roots(wr_anchor_report *r, const char *chain_dir)
{
	walk w = {.report = r};
	int64_t *seqs = NULL;
	size_t count = 0;
	wr_err err = {0};
	int rc = wr_segment_list(chain_dir, &seqs, &count, &err);
	wr_range_init(&w.tree, 0);
	bool whole = rc == 0 && count && seqs[0] == 0;
	if (whole) compare(&w); /* of size 0 */
	for (size_t i = 0; whole && rc == 0 && i < count; i++) {
		char name[WR_SEGMENT_NAME_LEN], path[PATH_MAX];
		wr_segment_name(name, seqs[i]);
		rc = wr_path_join(path, sizeof path, chain_dir, name, &err) ? -1
		                                                            : walk_segment(&w, path, &err);
	}
	free(seqs);
	r->receipts = w.tree.end;
	for (; w.next < r->count; w.next++) {
		wr_anchor_row *row = &r->rows[w.next];
		char text[320], why[200];
		if (!row->ok) continue;
		if (!whole && rc == 0) {
			snprintf(row->text, sizeof row->text,
			         "the receipts from 0 on are not here: the root is not compared");
			continue;
		}
		snprintf(text, sizeof text, "the ledger has only %lld receipts%s%s", (long long)w.tree.end,
		         rc < 0 ? " that can be read: " : "",
		         rc < 0 ? wr_sanitise_to(why, sizeof why, err.msg) : "");
		speak_against(row, text);
	}
}

int wr_anchor_verify(const char *path, const char *ca_file, wr_anchor_report *out, wr_err *err)
{
	place p;
	uint8_t public_key[WR_ED25519_PUBLIC];
	*out = (wr_anchor_report){0};
	if (find(&p, path, err)) return -1;
	if (p.only ? add_row(out, p.only, err) : list(p.anchors, out, err)) return -1;
	if (!out->count)
		return wr_fail(err, WR_E_NOT_FOUND, "%.200s: no anchors there: no .tsr file", path);
	bool has_key = wr_engine_pub_read(p.ledger, public_key, NULL) == 0;
	for (size_t i = 0; i < out->count; i++)
		check_row(&out->rows[i], &p, has_key ? public_key : NULL, ca_file);
	find_roots(out, p.chain);
	for (size_t i = 0; i < out->count; i++) {
		const wr_anchor_row *row = &out->rows[i];
		out->failed += !row->ok;
		if (!row->ok || !row->rooted || row->checkpoint.size < out->proven) continue;
		out->proven = row->checkpoint.size;
		out->proven_us = row->proof.time_us;
	}
	return 0;
}

void wr_anchor_report_free(wr_anchor_report *r)
{
	free(r->rows);
	*r = (wr_anchor_report){0};
}

json_t *wr_anchor_json(const wr_anchor_report *r)
{
	char at[WR_TIME_LEN], root[WR_HEX_LEN];
	json_t *rows = json_array();
	for (size_t i = 0; i < r->count; i++) {
		const wr_anchor_row *a = &r->rows[i];
		bool stamped = a->proof.digest[0] != '\0';
		wr_time_format(at, a->proof.time_us);
		wr_hex(root, a->checkpoint.root, WR_HASH_LEN);
		json_array_append_new(
		    rows, json_pack("{s:s, s:I, s:b, s:b, s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:s}",
		                    "file", a->file, "size", (json_int_t)a->checkpoint.size, "ok", a->ok,
		                    "root_in_ledger", a->rooted, "origin", a->checkpoint.origin, "root",
		                    a->checkpoint.origin[0] ? root : "", "time", stamped ? at : "",
		                    "accuracy_us", (json_int_t)a->proof.accuracy_us, "tsa", a->proof.tsa,
		                    "policy", a->proof.policy, "serial", a->proof.serial, "digest",
		                    a->proof.digest, "text", a->text));
	}
	wr_time_format(at, r->proven_us);
	return json_pack("{s:b, s:I, s:I, s:s, s:I, s:I, s:s, s:o}", "ok", r->failed == 0, "checked",
	                 (json_int_t)r->count, "failed", (json_int_t)r->failed, "chain", r->chain,
	                 "receipts", (json_int_t)r->receipts, "proven", (json_int_t)r->proven,
	                 "proven_time", r->proven ? at : "", "anchors", rows);
}
