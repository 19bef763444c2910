/* restore_print.c: what a restore did, for people. */
#include <stdio.h>
#include <string.h>

#include "warroom/json.h"
#include "warroom/ledger.h"
#include "warroom/restore.h"
#include "warroom/text.h"

#define SHOWN 20

/* 10247 → "10,247" */
static void add_number(wr_buf *out, int64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%lld", (long long)n);
	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0 && digits[i - 1] != '-') wr_buf_addc(out, ',');
		wr_buf_addc(out, digits[i]);
	}
}

static void add_count(wr_buf *out, int64_t n, const char *one, const char *many)
{
	add_number(out, n);
	wr_buf_addf(out, " %s", n == 1 ? one : many);
}

/* Second resolution is what people read. */
static void add_time(wr_buf *out, const char *time)
{
	if (strlen(time) >= 19) wr_buf_addf(out, "%.10s %.8sZ", time, time + 11);
}

static int64_t number(const json_t *j, const char *key)
{
	return wr_json_int(j, key, 0);
}

static void print_source(const json_t *s, wr_buf *out)
{
	const json_t *bad = json_object_get(s, "first_bad");
	int64_t last = wr_json_int(s, "last_good_seq", -1), begins = wr_json_int(s, "begins", -1);
	const char *mark = wr_json_str(s, "mark", "");
	wr_buf_addf(out, "  %-12s ", wr_json_str(s, "source", ""));
	add_count(out, number(s, "receipts"), "receipt", "receipts");
	if (begins > 0) wr_buf_addf(out, " from #%lld on", (long long)begins);
	if (last >= 0) wr_buf_addf(out, ", good up to #%lld", (long long)last);
	if (number(s, "receipts")) {
		wr_buf_adds(out, ", last of ");
		add_time(out, wr_json_str(s, "last_timestamp", ""));
	}
	if (number(s, "unreadable")) {
		wr_buf_adds(out, ", ");
		add_count(out, number(s, "unreadable"), "unreadable line", "unreadable lines");
	}
	if (number(s, "torn_bytes"))
		wr_buf_addf(out, ", an unfinished write of %lld bytes at its end",
		            (long long)number(s, "torn_bytes"));
	if (strcmp(mark, "none") != 0 && strcmp(mark, "right") != 0)
		wr_buf_addf(out, ", high-water mark (%lld): %s", (long long)number(s, "mark_count"), mark);
	wr_buf_addc(out, '\n');
	if (bad)
		wr_buf_addf(out, "               first damage: %s:%lld byte %lld: %s\n",
		            wr_json_str(bad, "file", ""), (long long)number(bad, "line"),
		            (long long)number(bad, "byte"), wr_json_str(bad, "text", ""));
}

static void print_branch(const json_t *b, wr_buf *out)
{
	const char *operation;
	const json_t *n;
	size_t i;
	union {
		const json_t *given;
		json_t *taken; /* jansson's iterators want a mutable object, though they change nothing */
	} as = {.given = json_object_get(b, "operations")};
	wr_buf_addf(out, "  branch %s%s  %.16s…  ", wr_json_str(b, "branch", ""),
	            wr_json_bool(b, "chosen", false) ? " (taken)" : "", wr_json_str(b, "head", ""));
	add_count(out, number(b, "count"), "receipt", "receipts");
	wr_buf_adds(out, ", the last of ");
	add_time(out, wr_json_str(b, "timestamp", ""));
	wr_buf_addf(out, "\n    own since #%lld:", (long long)number(b, "from_seq"));
	json_object_foreach (as.taken, operation, n)
		wr_buf_addf(out, " %s %lld", operation, (long long)json_integer_value(n));
	wr_buf_addc(out, '\n');
	json_array_foreach (json_object_get(b, "signed"), i, n)
		wr_buf_addf(out, "    %s\n", json_string_value(n));
}

static void print_lost(const json_t *c, wr_buf *out)
{
	const json_t *lost = json_object_get(c, "lost"), *l;
	size_t i;
	json_array_foreach (lost, i, l) {
		if (i == SHOWN) break;
		wr_buf_addf(out, "    #%-8lld %.23sZ  %-28s %s  %s (%s)\n", (long long)number(l, "seq"),
		            wr_json_str(l, "timestamp", ""), wr_json_str(l, "operation", ""),
		            wr_json_str(l, "receipt_id", ""), wr_json_str(l, "reason", ""),
		            wr_json_str(l, "source", ""));
	}
	if (json_array_size(lost) > SHOWN)
		wr_buf_addf(out, "    and %zu more: --json lists all\n", json_array_size(lost) - SHOWN);
	json_array_foreach (json_object_get(c, "missing"), i, l) {
		if (i == SHOWN) {
			wr_buf_adds(out, "    and more: --json lists all\n");
			break;
		}
		wr_buf_addf(out, "    #%lld to #%lld  in no source: known only to have been\n",
		            (long long)number(l, "from"), (long long)number(l, "to"));
	}
}

static void print_loss(const json_t *c, wr_buf *out)
{
	int64_t lost = number(c, "lost_count"), other = number(c, "other_branch_count");
	int64_t minutes = number(c, "data_loss_minutes");
	if (lost == 0) {
		wr_buf_adds(out, "  lost: nothing\n");
		return;
	}
	wr_buf_adds(out, "  lost: ");
	add_count(out, lost, "receipt", "receipts");
	if (other) {
		wr_buf_adds(out, ", of them only in the other branch: ");
		add_number(out, other);
	}
	if (minutes >= 0)
		wr_buf_addf(out, ", %lld min", (long long)minutes);
	else
		wr_buf_adds(out, ", their times are not known");
	wr_buf_addc(out, '\n');
	print_lost(c, out);
}

static void print_chain(const json_t *c, bool restored, wr_buf *out)
{
	const json_t *item;
	size_t i;
	wr_buf_addf(out, "%s", wr_json_str(c, "chain", ""));
	if (restored && number(c, "receipts") == 0) wr_buf_adds(out, ": not restored");
	if (restored && number(c, "receipts") > 0) {
		wr_buf_adds(out, ": ");
		add_count(out, number(c, "receipts"), "receipt", "receipts");
		wr_buf_addf(out, ", head %.16s…, ", wr_json_str(c, "head", ""));
		if (number(c, "attested"))
			wr_buf_addf(out, "signed by the engine up to #%lld",
			            (long long)number(c, "attested") - 1);
		else
			wr_buf_adds(out, "not attested by any checkpoint");
	}
	wr_buf_addc(out, '\n');
	json_array_foreach (json_object_get(c, "sources"), i, item) print_source(item, out);
	json_array_foreach (json_object_get(c, "checkpoint_problems"), i, item) {
		if (i == SHOWN) break;
		wr_buf_addf(out, "  checkpoint in %s%s: %s\n", wr_json_str(item, "source", ""),
		            wr_json_bool(item, "signed", false) ? ", signed" : "",
		            wr_json_str(item, "problem", ""));
	}
	json_array_foreach (json_object_get(c, "branches"), i, item) print_branch(item, out);
	if (restored) print_loss(c, out);
}

static void print_end(const wr_restore_report *r, wr_buf *out)
{
	const json_t *item;
	const json_t *missing = json_object_get(json_object_get(r->doc, "blobs"), "missing");
	size_t i;
	json_array_foreach (missing, i, item) {
		if (i == SHOWN) break;
		wr_buf_addf(out, "Missing: blob %s of %s #%lld is in no source\n",
		            wr_json_str(item, "sha256", ""), wr_json_str(item, "chain", ""),
		            (long long)number(item, "seq"));
	}
	if (json_array_size(missing) > SHOWN)
		wr_buf_addf(out, "and %zu more blobs\n", json_array_size(missing) - SHOWN);
	json_array_foreach (json_object_get(r->doc, "notes"), i, item)
		wr_buf_addf(out, "Note: %s\n", json_string_value(item));
	if (!r->restored) {
		wr_buf_addf(out, "Not restored, nothing was written: %s\n",
		            wr_json_str(r->doc, "refused", ""));
		return;
	}
	if (!wr_json_bool(r->doc, "checkpoint_signed", false))
		wr_buf_adds(out, "Note: no --engine-key was given, so the end of it is not signed; the "
		                 "engine signs it when it starts.\n");
	wr_buf_addf(out, "Restored into %s: ", wr_json_str(r->doc, "into", ""));
	add_count(out, r->receipts, "receipt", "receipts");
	wr_buf_adds(out, ", every one verified");
	wr_buf_addf(out, "%s\n", r->lost ? "; some are lost, see above" : "; nothing is lost");
}

void wr_restore_print(const wr_restore_report *r, wr_buf *out)
{
	const json_t *c;
	size_t i;
	json_array_foreach (json_object_get(r->doc, "chains"), i, c) print_chain(c, r->restored, out);
	print_end(r, out);
}
