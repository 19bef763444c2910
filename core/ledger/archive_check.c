/* archive_check.c: does an archive hold what it says, and does each export follow on the one
 * before? Manifests first, then every receipt's hash and link, across the exports. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ledger/chain.h"
#include "ledger/files.h"
#include "warroom/archive.h"
#include "warroom/io.h"
#include "warroom/text.h"

typedef struct walk {
	wr_archive_report *report;
	wr_archive_row *row;
	int64_t next;              /* seq that follows; -1: whatever comes first */
	uint8_t hash[WR_HASH_LEN]; /* of the one before */
	int64_t seen;              /* greatest seq in this export, -1 */
	uint8_t last[WR_HASH_LEN]; /* its hash */
	char chain[128];
} walk;

static int bad(walk *w, const char *fmt, ...) WR_PRINTF(2, 3);
static int bad(walk *w, const char *fmt, ...)
{
	char raw[sizeof w->row->text];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(raw, sizeof raw, fmt, ap);
	va_end(ap);
	(void)wr_sanitise_to(w->row->text, sizeof w->row->text, raw);
	w->row->ok = false;
	return -1;
}

static int not_next(walk *w, const wr_receipt *r)
{
	return bad(w, "receipt %lld does not follow on the one before: its prev_hash is another",
	           (long long)r->seq);
}

static int take(walk *w, const wr_line *line, const char *name)
{
	wr_receipt r;
	wr_err err = {0};
	if (!line->ended)
		return bad(w, "%.100s byte %lld: the line does not end", name, (long long)line->at);
	if (wr_receipt_parse(&r, line->text, line->len, true, &err) != WR_RF_OK)
		return bad(w, "%.100s byte %lld: %.150s", name, (long long)line->at, err.msg);
	if (w->chain[0] && strcmp(w->chain, r.chain) != 0)
		return bad(w, "receipt %lld is of chain %.60s, not %.60s", (long long)r.seq, r.chain,
		           w->chain);
	memcpy(w->chain, r.chain, sizeof w->chain);
	/* The first of an export that begins before the end of the last one was seen already. */
	bool known = w->next >= 0 && r.seq < w->next;
	if (w->seen >= 0 && r.seq != w->seen + 1)
		return bad(w, "receipt %lld follows on %lld", (long long)r.seq, (long long)w->seen);
	if (w->seen < 0 && r.seq != w->row->entry.first_seq)
		return bad(w, "it begins with receipt %lld, its name says %lld", (long long)r.seq,
		           (long long)w->row->entry.first_seq);
	/* What the export before has too is proven by its links up to the one that is compared. */
	if (w->seen >= 0 && memcmp(r.prev_hash, w->last, WR_HASH_LEN) != 0) return not_next(w, &r);
	w->seen = r.seq;
	memcpy(w->last, r.hash, WR_HASH_LEN);
	if (known && r.seq != w->next - 1) return 0;
	if (known) {
		if (memcmp(r.hash, w->hash, WR_HASH_LEN) != 0)
			return bad(w, "receipt %lld is another than in the export before", (long long)r.seq);
		return 0;
	}
	if (w->next >= 0 && memcmp(r.prev_hash, w->hash, WR_HASH_LEN) != 0) return not_next(w, &r);
	memcpy(w->hash, r.hash, WR_HASH_LEN);
	w->next = r.seq + 1;
	w->report->receipts++;
	return 0;
}

static int read_file(walk *w, const char *dir, const char *name)
{
	char path[PATH_MAX];
	wr_lines lines;
	wr_line line;
	wr_err err = {0};
	int rc = 0, got;
	if (wr_path_join(path, sizeof path, dir, name, &err) ||
	    wr_lines_open(&lines, path, 0, -1, &err))
		return bad(w, "%s", err.msg);
	while (rc == 0 && (got = wr_lines_next(&lines, &line, &err)) != 0)
		rc = got < 0 ? bad(w, "%s", err.msg) : take(w, &line, name);
	wr_lines_close(&lines);
	return rc;
}

/* An export that does not begin where the one before ended. */
static void mind_gap(walk *w)
{
	wr_archive_report *r = w->report;
	int64_t first = w->row->entry.first_seq;
	if (w->next >= 0 && first <= w->next) return;
	if (w->next >= 0) {
		r->gaps++;
		snprintf(w->row->text, sizeof w->row->text, "receipts %lld to %lld are missing before it",
		         (long long)w->next, (long long)first - 1);
	}
	r->first_seq = first;
	w->next = -1;
}

/* 1: the receipt is in this file. */
static int find_in_file(const char *dir, const char *name, int64_t seq,
                        uint8_t hash[static WR_HASH_LEN])
{
	char path[PATH_MAX];
	wr_lines lines;
	wr_line line;
	wr_receipt r;
	int found = 0;
	if (wr_path_join(path, sizeof path, dir, name, NULL) ||
	    wr_lines_open(&lines, path, 0, -1, NULL))
		return 0;
	while (!found && wr_lines_next(&lines, &line, NULL) > 0) {
		if (wr_receipt_parse(&r, line.text, line.len, true, NULL) != WR_RF_OK) break;
		found = r.seq == seq;
		if (found) memcpy(hash, r.hash, WR_HASH_LEN);
	}
	wr_lines_close(&lines);
	return found;
}

/* An export that ends before another one did: its last receipt is in that as well. */
static int compare_end(walk *w, const char *archive)
{
	uint8_t hash[WR_HASH_LEN];
	char dir[PATH_MAX];
	wr_files files;
	for (const wr_archive_row *a = w->report->rows; a < w->row; a++) {
		int found = 0;
		if (!a->ok || a->entry.first_seq > w->seen || a->entry.last_seq < w->seen) continue;
		if (wr_path_join(dir, sizeof dir, archive, a->entry.name, NULL) ||
		    wr_files_list(&files, dir, ".jsonl", false, NULL))
			continue;
		for (size_t i = 0; i < files.count && !found; i++)
			found = find_in_file(dir, files.names[i], w->seen, hash);
		wr_files_free(&files);
		if (found && memcmp(hash, w->last, WR_HASH_LEN) != 0)
			return bad(w, "receipt %lld is another than in %.80s", (long long)w->seen,
			           a->entry.name);
		if (found) return 0;
	}
	return 0;
}

static void check_export(walk *w, const char *archive, const char *dir)
{
	wr_files files;
	wr_err err = {0};
	w->seen = -1;
	w->row->ok = true;
	if (wr_manifest_check(dir, &err)) {
		(void)bad(w, "%s", err.msg);
		return;
	}
	mind_gap(w);
	if (wr_files_list(&files, dir, ".jsonl", false, &err)) {
		(void)bad(w, "%s", err.msg);
		return;
	}
	int rc = 0;
	for (size_t i = 0; i < files.count && rc == 0; i++) rc = read_file(w, dir, files.names[i]);
	wr_files_free(&files);
	if (rc == 0 && w->seen != w->row->entry.last_seq)
		rc = bad(w, "it ends with receipt %lld, its name says %lld", (long long)w->seen,
		         (long long)w->row->entry.last_seq);
	if (rc == 0 && w->seen < w->next - 1) (void)compare_end(w, archive);
}

/* `path` itself may be an export. */
static int find(const char *path, char dir[static PATH_MAX], wr_archive_entry **all, size_t *count,
                wr_err *err)
{
	struct stat st;
	size_t len = strlen(path);
	while (len > 1 && path[len - 1] == '/') len--;
	if (len == 0 || len >= PATH_MAX || stat(path, &st) || !S_ISDIR(st.st_mode))
		return wr_fail(err, WR_E_NOT_FOUND, "%.200s: no such directory", path);
	memcpy(dir, path, len);
	dir[len] = '\0';
	char *slash = strrchr(dir, '/');
	wr_archive_entry one;
	if (wr_archive_parse(slash ? slash + 1 : dir, &one)) {
		if (slash == dir)
			dir[1] = '\0';
		else if (slash)
			*slash = '\0';
		else
			memcpy(dir, ".", 2);
		*all = malloc(sizeof **all);
		if (!*all) return wr_fail(err, WR_E_NOMEM, "out of memory");
		**all = one;
		*count = 1;
		return 0;
	}
	if (wr_archive_list(dir, all, count, err)) return -1;
	if (*count) return 0;
	return wr_fail(err, WR_E_NOT_FOUND,
	               "%.200s: no exports there; they are called 20261121T120000Z-<first>-<last>",
	               path);
}

int wr_archive_verify(const char *path, wr_archive_report *out, wr_err *err)
{
	char dir[PATH_MAX], one[PATH_MAX];
	wr_archive_entry *all = NULL;
	size_t count = 0;
	*out = (wr_archive_report){.first_seq = -1, .last_seq = -1};
	if (find(path, dir, &all, &count, err)) return -1;
	out->rows = calloc(count, sizeof *out->rows);
	if (!out->rows) {
		free(all);
		return wr_fail(err, WR_E_NOMEM, "out of memory");
	}
	walk w = {.report = out, .next = -1};
	for (size_t i = 0; i < count; i++) {
		w.row = &out->rows[out->count++];
		w.row->entry = all[i];
		if (wr_path_join(one, sizeof one, dir, all[i].name, NULL) == 0)
			check_export(&w, dir, one);
		else
			(void)bad(&w, "its path is too long");
		out->failed += !w.row->ok;
	}
	if (w.next > 0) out->last_seq = w.next - 1;
	free(all);
	return 0;
}

void wr_archive_report_free(wr_archive_report *r)
{
	free(r->rows);
	*r = (wr_archive_report){0};
}

json_t *wr_archive_json(const wr_archive_report *r)
{
	json_t *rows = json_array();
	for (size_t i = 0; i < r->count; i++) {
		const wr_archive_row *a = &r->rows[i];
		char at[WR_TIME_LEN];
		wr_time_format(at, a->entry.time_us);
		json_array_append_new(
		    rows, json_pack("{s:s, s:s, s:I, s:I, s:b, s:s}", "name", a->entry.name, "time", at,
		                    "first_seq", (json_int_t)a->entry.first_seq, "last_seq",
		                    (json_int_t)a->entry.last_seq, "ok", a->ok, "text", a->text));
	}
	return json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "ok",
	                 r->failed == 0 && r->gaps == 0, "exports", (json_int_t)r->count, "failed",
	                 (json_int_t)r->failed, "gaps", (json_int_t)r->gaps, "receipts",
	                 (json_int_t)r->receipts, "first_seq", (json_int_t)r->first_seq, "last_seq",
	                 (json_int_t)r->last_seq, "archive", rows);
}
