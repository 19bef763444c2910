/* loss.c: what would be lost if the move were made now. Pure.
 *
 * Only what was proven counts. A source that broke off cannot be asked any more: its last proof
 * stands, and the time between that proof and the break is added, because whatever was written then
 * is unproven. A synchronous link loses nothing when it was proven to be synchronous. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "decide/internal.h"
#include "warroom/clock.h"

#define SKEW_S   1.0  /* two clocks are so far apart that a lag may come out below nothing */
#define BELIEVED 1e15 /* a petabyte, or thirty million years: beyond that nothing is measured */

/* -1: not measured. What cannot be is no measurement, or "-3600 s behind" would be "not behind". */
static double proven_num(const wr_measure *m, bool has, double skew)
{
	if (!has || !m->proven_us || m->proven.type != WR_V_NUM) return -1;
	double num = m->proven.num;
	if (!(num >= -skew && num <= BELIEVED)) return -1; /* a NaN too */
	return num > 0 ? num : 0;
}

/* The moment up to which the source can have written: when it broke off, else now. */
static int64_t end_of_writing(const wr_world *w, size_t link, int64_t now_us)
{
	int from = wr_region_index(w->cfg, w->cfg->links[link].from);
	if (from < 0) return now_us;
	const wr_region_view *v = &w->regions[from];
	bool broke = (v->verdict == WR_V_DOWN || v->verdict == WR_V_SUSPECT) && v->first_bad_us > 0;
	return broke && v->first_bad_us < now_us ? v->first_bad_us : now_us;
}

void wr_link_lag(link_lag *out, const wr_world *w, size_t link, int64_t now_us)
{
	const wr_link *l = &w->cfg->links[link];
	const wr_link_view *v = &w->links[link];
	int64_t bound_us = 3 * l->interval_ms * US_PER_MS, end_us = end_of_writing(w, link, now_us);
	const wr_measure *measures[] = {&v->seconds, &v->bytes, &v->receipts};
	memset(out, 0, sizeof *out);
	out->seconds = proven_num(&v->seconds, l->has_seconds, SKEW_S);
	out->bytes = proven_num(&v->bytes, l->has_bytes, 0);
	out->receipts = proven_num(&v->receipts, l->has_receipts, 0);
	bool has[] = {out->seconds >= 0, out->bytes >= 0, out->receipts >= 0};
	for (size_t i = 0; i < 3; i++) {
		if (!has[i]) continue;
		out->known = true;
		/* As old as its oldest part. */
		if (!out->proven_us || measures[i]->proven_us < out->proven_us)
			out->proven_us = measures[i]->proven_us;
	}
	if (out->seconds >= 0 && end_us - v->seconds.proven_us > bound_us)
		out->seconds += (double)(end_us - v->seconds.proven_us) / 1e6;
	out->stale = out->known && end_us - out->proven_us > bound_us;
	if (l->sync && v->state_ok != WR_FALSE && v->state_ok_us > 0 &&
	    end_us - v->state_ok_us <= bound_us) {
		out->sync = out->known = true;
		out->stale = false;
		out->seconds = out->bytes = out->receipts = 0;
		out->proven_us = v->state_ok_us;
	}
}

static void add_part(char *out, size_t size, const char *fmt, double value, const char *unit)
{
	size_t at = strlen(out);
	char number[32];
	(void)snprintf(number, sizeof number, "%.*f", !strcmp(fmt, "1") ? 1 : 0, value);
	wr_put(out + at, size - at, "%s%s %s", at ? ", " : "", number, unit);
}

static void add_bytes(char *out, size_t size, double bytes)
{
	static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
	size_t u = 0;
	while (bytes >= 999.5 && u < 4) {
		bytes /= 1000;
		u++;
	}
	add_part(out, size, u && bytes < 10 ? "1" : "0", bytes, units[u]);
}

void wr_lag_text(char *out, size_t size, const link_lag *lag, int64_t now_us)
{
	char age[24], tail[64];
	out[0] = '\0';
	if (!lag->known) {
		wr_put(out, size, "never measured");
		return;
	}
	wr_age_text(age, lag->proven_us, now_us);
	if (lag->sync) {
		wr_put(out, size, "nothing: synchronous (measured %s)", age);
		return;
	}
	if (lag->seconds >= 0) add_part(out, size, lag->seconds < 100 ? "1" : "0", lag->seconds, "s");
	if (lag->bytes >= 0) add_bytes(out, size, lag->bytes);
	if (lag->receipts >= 0) add_part(out, size, "0", lag->receipts, "receipts");
	wr_put(tail, sizeof tail, " (measured %s%s)", age, lag->stale ? ", grown since" : "");
	size_t at = strlen(out);
	wr_put(out + at, size - at, "%s", tail);
}

static void add_names(wr_loss *out, const wr_measure *m)
{
	size_t at = strlen(out->names);
	if (!m->names[0]) return;
	wr_put(out->names + at, sizeof out->names - at, "%s%s", at ? "," : "", m->names);
}

void wr_loss_eval(wr_loss *out, const wr_world *w, size_t from, size_t to, int64_t now_us)
{
	const wr_config *c = w->cfg;
	size_t links = 0, sync = 0, known = 0;
	link_lag sum = {.seconds = -1, .bytes = -1, .receipts = -1};
	memset(out, 0, sizeof *out);
	for (size_t i = 0; i < c->link_count; i++) {
		if (strcmp(c->links[i].from, c->regions[from].name) != 0 ||
		    strcmp(c->links[i].to, c->regions[to].name) != 0)
			continue;
		link_lag lag;
		wr_link_lag(&lag, w, i, now_us);
		links++;
		if (!lag.known) continue;
		known++;
		sync += lag.sync;
		if (lag.seconds > sum.seconds) sum.seconds = lag.seconds;
		if (lag.bytes >= 0) sum.bytes = (sum.bytes > 0 ? sum.bytes : 0) + lag.bytes;
		if (lag.receipts >= 0) sum.receipts = (sum.receipts > 0 ? sum.receipts : 0) + lag.receipts;
		/* As old as its oldest part. */
		if (!sum.proven_us || lag.proven_us < sum.proven_us) sum.proven_us = lag.proven_us;
		if (!lag.sync && c->links[i].has_receipts) add_names(out, &w->links[i].receipts);
		sum.stale = sum.stale || lag.stale;
	}
	out->known = sum.known = known > 0;
	out->stale = sum.stale;
	out->sync = sum.sync = links > 0 && sync == links;
	out->seconds = sum.seconds > 0 ? sum.seconds : 0;
	out->bytes = sum.bytes > 0 ? sum.bytes : 0;
	out->receipts = sum.receipts > 0 ? sum.receipts : 0;
	out->proven_us = sum.proven_us;
	if (!links)
		wr_put(out->text, sizeof out->text, "unknown: no replication link is configured");
	else if (!known)
		wr_put(out->text, sizeof out->text, "unknown: replication was never measured");
	else
		wr_lag_text(out->text, sizeof out->text, &sum, now_us);
	size_t at = strlen(out->text);
	if (known && known < links)
		wr_put(out->text + at, sizeof out->text - at, "; %zu of %zu links never measured",
		       links - known, links);
}
