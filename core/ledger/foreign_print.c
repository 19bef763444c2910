/* foreign_print.c: what an audit of a foreign chain found, for people and for programs. */
#include <stdio.h>
#include <string.h>

#include "ledger/foreign.h"
#include "warroom/clock.h"

/* 10247 → "10,247" */
static void add_count(wr_buf *out, const char *name, int64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%lld", (long long)n);
	wr_buf_addf(out, "%s: ", name);
	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0) wr_buf_addc(out, ',');
		wr_buf_addc(out, digits[i]);
	}
	wr_buf_addc(out, '\n');
}

static void add_record(wr_buf *out, int64_t seq, int64_t position, const char *id)
{
	if (seq >= 0)
		wr_buf_addf(out, "seq %lld", (long long)seq);
	else
		wr_buf_addf(out, "record %lld", (long long)position);
	if (*id) wr_buf_addf(out, " (id %s)", id);
}

static void add_anomaly(wr_buf *out, const wr_foreign_anomaly *a)
{
	wr_buf_addf(out, "%-12s ", wr_anomaly_name(a->kind));
	add_record(out, a->seq, a->record, a->id);
	if (a->page > 0) wr_buf_addf(out, " page %lld", (long long)a->page);
	if (a->line > 0) wr_buf_addf(out, " line %lld", (long long)a->line);
	if (a->page > 0 || a->line > 0) wr_buf_addf(out, " byte %lld", (long long)a->byte);
	wr_buf_addf(out, ": %s\n", a->text);
}

static void add_head(wr_buf *out, const char *name, const wr_foreign_head *h)
{
	char time[WR_TIME_LEN] = "";
	if (!h->known) return;
	if (h->time_us) wr_time_format(time, h->time_us);
	wr_buf_addf(out, "%s: ", name);
	add_record(out, h->seq, h->position, h->id);
	wr_buf_addf(out, "%s%s %s\n", *time ? " " : "", time, h->hash);
}

void wr_foreign_print(const wr_foreign_report *r, const char *source, bool unicode, wr_buf *out)
{
	for (size_t i = 0; i < r->anomaly_count; i++) add_anomaly(out, &r->anomalies[i]);
	if (r->anomaly_total > (int64_t)r->anomaly_count)
		wr_buf_addf(out, "and %lld more\n",
		            (long long)(r->anomaly_total - (int64_t)r->anomaly_count));
	if (r->anomaly_total) wr_buf_addc(out, '\n');
	wr_buf_addf(out, "Source: %s\n", source);
	add_head(out, "Last record", &r->head);
	if (!r->ok) add_head(out, "Last consistent record", &r->consistent);
	add_count(out, "Receipts checked", r->checked);
	add_count(out, "Valid receipts", r->valid);
	add_count(out, "Invalid receipts", r->invalid);
	add_count(out, "Hash mismatches", r->hash_mismatches);
	add_count(out, "Missing stretches", r->kinds[WR_AN_GAP] + r->kinds[WR_AN_TRUNCATED]);
	add_count(out, "Orphaned receipts", r->kinds[WR_AN_ORPHAN]);
	add_count(out, "Duplicate receipts", r->kinds[WR_AN_DUPLICATE] + r->kinds[WR_AN_EQUIVOCATION]);
	add_count(out, "Forks", r->kinds[WR_AN_FORK]);
	wr_buf_addf(out, "Chain integrity: %s%s\n", r->ok ? "VERIFIED" : "BROKEN",
	            !unicode ? ""
	            : r->ok  ? " \xe2\x9c\x93"
	                     : " \xe2\x9c\x97");
}

static void put(json_t *o, const char *key, json_t *value)
{
	(void)json_object_set_new(o, key, value);
}

static json_t *head_json(const wr_foreign_head *h)
{
	char time[WR_TIME_LEN] = "";
	if (!h->known) return json_null();
	if (h->time_us) wr_time_format(time, h->time_us);
	return json_pack("{s:I, s:I, s:s, s:s, s:s}", "seq", (json_int_t)h->seq, "position",
	                 (json_int_t)h->position, "id", h->id, "hash", h->hash, "time", time);
}

json_t *wr_foreign_json(const wr_foreign_report *r)
{
	json_t *list = json_array(), *o = json_object(), *kinds = json_object();
	for (size_t i = 0; i < r->anomaly_count; i++) {
		const wr_foreign_anomaly *a = &r->anomalies[i];
		(void)json_array_append_new(
		    list,
		    json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:s, s:s}", "kind", wr_anomaly_name(a->kind),
		              "seq", (json_int_t)a->seq, "record", (json_int_t)a->record, "page",
		              (json_int_t)a->page, "line", (json_int_t)a->line, "byte", (json_int_t)a->byte,
		              "id", a->id, "text", a->text));
	}
	for (int k = 0; k < WR_AN_COUNT; k++)
		if (r->kinds[k])
			put(kinds, wr_anomaly_name((wr_anomaly_kind)k), json_integer((json_int_t)r->kinds[k]));
	put(o, "ok", json_boolean(r->ok));
	put(o, "anomalies", list);
	put(o, "kinds", kinds);
	put(o, "head", head_json(&r->head));
	put(o, "last_consistent", head_json(&r->consistent));
#define COUNT(field) put(o, #field, json_integer((json_int_t)r->field))
	COUNT(checked);
	COUNT(valid);
	COUNT(invalid);
	COUNT(hash_mismatches);
	COUNT(pages);
	COUNT(bytes);
	COUNT(anomaly_total);
#undef COUNT
	return o;
}

void wr_foreign_say(const wr_foreign_report *r, char *out, size_t size)
{
	wr_buf b = WR_BUF_INIT(1024);
	out[0] = '\0';
	for (size_t i = 0; i < r->anomaly_count; i++) {
		const wr_foreign_anomaly *a = &r->anomalies[i];
		if (a->kind == WR_AN_TORN) continue;
		wr_buf_addf(&b, "%s at ", wr_anomaly_name(a->kind));
		add_record(&b, a->seq, a->record, a->id);
		wr_buf_addf(&b, ": %s", a->text);
		break;
	}
	if (b.len) (void)snprintf(out, size, "%s", wr_buf_cstr(&b));
	wr_buf_free(&b);
}
