/* print.c: what verification found, for people and for programs. */
#include <stdio.h>
#include <string.h>

#include "warroom/json.h"
#include "warroom/ledger.h"
#include "warroom/verify.h"

const char *wr_anomaly_name(wr_anomaly_kind k)
{
	static const char *const names[] = {
#define X(id, name) name,
	    WR_ANOMALIES(X)
#undef X
	};
	return (unsigned)k < WR_AN_COUNT ? names[k] : "?";
}

/* 10247 → "10,247" */
static void add_count(wr_buf *out, const char *name, int64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%lld", (long long)n);
	wr_buf_addf(out, "%s: ", name);
	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0 && digits[i - 1] != '-') wr_buf_addc(out, ',');
		wr_buf_addc(out, digits[i]);
	}
	wr_buf_addc(out, '\n');
}

static void add_anomaly(wr_buf *out, const wr_anomaly *a)
{
	wr_buf_addf(out, "%-12s %s", wr_anomaly_name(a->kind), a->chain);
	if (a->seq >= 0) wr_buf_addf(out, " seq %lld", (long long)a->seq);
	if (*a->file && a->line > 0)
		wr_buf_addf(out, " %s:%lld byte %lld", a->file, (long long)a->line, (long long)a->byte);
	wr_buf_addf(out, ": %s\n", a->text);
}

static void add_seq(wr_buf *out, const char *name, int64_t seq, const char *none, const char *chain)
{
	wr_buf_addf(out, "Last %s receipt: ", name);
	if (seq < 0)
		wr_buf_adds(out, none);
	else
		wr_buf_addf(out, "%lld", (long long)seq);
	wr_buf_addf(out, "%s%s\n", *chain ? "  " : "", chain);
}

static void add_chains(wr_buf *out, const wr_verify_report *r)
{
	for (size_t i = 0; i < r->chain_report_count; i++) {
		const wr_chain_report *c = &r->chain_reports[i];
		const char *name = r->chains > 1 ? c->chain : "";
		add_seq(out, "consistent", c->last_consistent_seq, "none", name);
		add_seq(out, "attested", c->last_attested_seq, *r->not_checked ? "not checked" : "none",
		        name);
	}
	if (*r->not_checked) wr_buf_addf(out, "Not checked: %s\n", r->not_checked);
	if (r->chain_report_count || *r->not_checked) wr_buf_addc(out, '\n');
}

void wr_verify_print(const wr_verify_report *r, bool unicode, wr_buf *out)
{
	for (size_t i = 0; i < r->anomaly_count; i++) add_anomaly(out, &r->anomalies[i]);
	if (r->anomaly_total > (int64_t)r->anomaly_count)
		wr_buf_addf(out, "and %lld more\n",
		            (long long)(r->anomaly_total - (int64_t)r->anomaly_count));
	if (r->anomaly_total) wr_buf_addc(out, '\n');
	add_chains(out, r);
	add_count(out, "Receipts checked", r->checked);
	add_count(out, "Valid receipts", r->valid);
	add_count(out, "Invalid receipts", r->invalid);
	add_count(out, "Hash mismatches", r->hash_mismatches);
	add_count(out, "Orphaned receipts", r->orphaned);
	add_count(out, "Duplicate receipts", r->duplicates);
	add_count(out, "Forks", r->forks);
	add_count(out, "Unauthorised steps", r->unauthorised);
	wr_buf_addf(out, "Chain integrity: %s%s\n", r->ok ? "VERIFIED" : "BROKEN",
	            !unicode ? ""
	            : r->ok  ? " \xe2\x9c\x93"
	                     : " \xe2\x9c\x97");
}

static json_t *anomaly_json(const wr_anomaly *a)
{
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:s}", "kind", wr_anomaly_name(a->kind),
	                 "chain", a->chain, "file", a->file, "seq", (json_int_t)a->seq, "line",
	                 (json_int_t)a->line, "byte", (json_int_t)a->byte, "text", a->text);
}

static json_t *chain_json(const wr_chain_report *c)
{
	return json_pack("{s:s, s:b, s:I, s:I, s:I, s:I}", "chain", c->chain, "ok", c->ok, "receipts",
	                 (json_int_t)c->receipts, "last_consistent_seq",
	                 (json_int_t)c->last_consistent_seq, "last_attested_seq",
	                 (json_int_t)c->last_attested_seq, "checkpoints", (json_int_t)c->checkpoints);
}

json_t *wr_verify_json(const wr_verify_report *r)
{
	json_t *each = json_array();
	for (size_t i = 0; i < r->chain_report_count; i++)
		(void)json_array_append_new(each, chain_json(&r->chain_reports[i]));
	json_t *list = json_array();
	for (size_t i = 0; i < r->anomaly_count; i++)
		(void)json_array_append_new(list, anomaly_json(&r->anomalies[i]));
	json_t *j = json_pack("{s:b, s:o, s:o, s:s}", "ok", r->ok, "anomalies", list, "chain_reports",
	                      each, "not_checked", r->not_checked);
#define COUNT(field) (void)json_object_set_new(j, #field, json_integer((json_int_t)r->field))
	COUNT(checked);
	COUNT(valid);
	COUNT(invalid);
	COUNT(hash_mismatches);
	COUNT(orphaned);
	COUNT(duplicates);
	COUNT(forks);
	COUNT(unauthorised);
	COUNT(torn);
	COUNT(chains);
	COUNT(segments);
	COUNT(bytes);
	COUNT(anomaly_total);
	COUNT(last_consistent_seq);
	COUNT(last_attested_seq);
	COUNT(checkpoints);
	COUNT(checkpoints_unchecked);
#undef COUNT
	return j;
}
