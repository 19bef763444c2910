/* guards.c: the guard table: which guards there are, when each is judged, and how rows are counted.
 * Pure. Law 7: a row passes on evidence only; what is not configured or not seen is NO DATA.
 *
 * A NO DATA row blocks, unless the policy lists the guard as advisory, or it is an optional guard
 * for which nothing is configured anywhere (then the row says what to add). */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "decide/internal.h"
#include "warroom/clock.h"

enum { FO = 1 << WR_RB_FAILOVER, FB = 1 << WR_RB_FAILBACK, OT = 1 << WR_RB_OTHER };

static const struct {
	const char *rule;
	unsigned kinds;
	bool while_running; /* judged again before every step */
	void (*judge)(guard_case *c);
} guards[] = {
    {"G-RUNBOOK", FO | FB, false, wr_guard_runbook},
    {"G-PRIMARY", FO | FB, false, wr_guard_primary},
    {"G-CLASSES", FO, false, wr_guard_classes},
    {"G-SUSTAINED", FO | FB, false, wr_guard_sustained},
    {"G-TARGET", FO | FB, true, wr_guard_target},
    {"G-FRESH", FO | FB, false, wr_guard_fresh},
    {"G-OBSERVER", FO | FB | OT, true, wr_guard_observer},
    {"G-LAG", FO | FB, false, wr_guard_lag},
    {"G-CAPACITY", FO | FB, false, wr_guard_capacity},
    {"G-QUOTA", FO | FB, false, wr_guard_quota},
    {"G-RESIDENCY", FO | FB, false, wr_guard_residency},
    {"G-KEYS", FO | FB, false, wr_guard_keys},
    {"G-BUILD", FO | FB, false, wr_guard_build},
    {"G-BACKUP", FO | FB, false, wr_guard_backup},
    {"G-CHAIN", FO | FB, false, wr_guard_chain},
    {"G-CUSTOM", FO | FB, false, wr_guard_custom},
    {"G-LEDGER", FO | FB | OT, true, wr_guard_ledger},
    {"G-FREEZE", FO | FB | OT, false, wr_guard_freeze},
    {"G-ONE", FO | FB | OT, false, wr_guard_one},
    {"G-COOLDOWN", FO | FB | OT, false, wr_guard_cooldown},
    {"G-FLAP", FO | FB, false, wr_guard_flapping},
    {"G-FENCE", FO | FB, false, wr_guard_fence},
};
#define GUARD_COUNT (sizeof guards / sizeof guards[0])

bool wr_guard_while_running(const char *rule)
{
	for (size_t i = 0; i < GUARD_COUNT; i++)
		if (!strcmp(guards[i].rule, rule)) return guards[i].while_running;
	return false;
}

wr_guard *wr_guard_row(guard_case *c, const char *fmt, ...)
{
	if (c->out->count == WR_MAX_GUARDS) return NULL;
	wr_guard *row = &c->out->rows[c->out->count++];
	memset(row, 0, sizeof *row);
	va_list ap;
	va_start(ap, fmt);
	if (vsnprintf(row->name, sizeof row->name, fmt, ap) < 0) row->name[0] = '\0';
	va_end(ap);
	wr_put(row->rule, sizeof row->rule, "%s", c->rule);
	row->verdict = WR_GATE_NO_DATA;
	row->blocking = true;
	return row;
}

void wr_guard_say(wr_guard *row, wr_gate_verdict verdict, const char *observed,
                  const char *threshold, const char *flip)
{
	row->verdict = verdict;
	wr_put(row->observed, sizeof row->observed, "%s", observed);
	wr_put(row->threshold, sizeof row->threshold, "%s", threshold);
	wr_put(row->flip, sizeof row->flip, "%s", verdict == WR_PASS ? "" : flip);
}

const char *wr_age_text(char out[static 24], int64_t since_us, int64_t now_us)
{
	char age[16];
	if (since_us <= 0) {
		wr_put(out, 24, "never");
		return out;
	}
	int64_t ms = (now_us - since_us) / US_PER_MS;
	if (ms < 0) ms = 0;
	if (ms < 60000)
		wr_put(out, 24, "%lld s ago", (long long)(ms / 1000));
	else {
		wr_duration_words(age, sizeof age, ms);
		wr_put(out, 24, "%s ago", age);
	}
	return out;
}

bool wr_in_group(const wr_config *cfg, const char *service, const char *group)
{
	if (!service[0]) return true;
	for (size_t i = 0; i < cfg->service_count; i++)
		if (!strcmp(cfg->services[i].name, service)) return !strcmp(cfg->services[i].group, group);
	return true;
}

/* "lag:postgres" is listed by its own name or as "lag". */
static bool advisory(const wr_config *cfg, const char *name)
{
	size_t stem = strcspn(name, ":");
	for (size_t i = 0; i < cfg->advisory_count; i++) {
		const char *listed = cfg->advisory_guards[i];
		if (!strcmp(listed, name)) return true;
		if (strlen(listed) == stem && !strncmp(listed, name, stem)) return true;
	}
	return false;
}

static void count_rows(wr_guards *g, const wr_config *cfg)
{
	for (size_t i = 0; i < g->count; i++) {
		wr_guard *row = &g->rows[i];
		if (row->verdict == WR_GATE_NO_DATA && advisory(cfg, row->name)) row->blocking = false;
		switch (row->verdict) {
		case WR_PASS:
			g->passed++;
			break;
		case WR_FAIL:
			g->failed++;
			break;
		case WR_INCONCLUSIVE:
			g->inconclusive++;
			break;
		case WR_GATE_NO_DATA:
			g->no_data++;
			break;
		}
		if (row->blocking && row->verdict != WR_PASS) g->blocking++;
	}
}

void wr_guards_eval(wr_guards *out, const wr_state *s, const wr_world *w, wr_runbook_kind kind,
                    size_t from, size_t to, const char *group, const wr_op *during, int64_t now_us)
{
	guard_case c = {.out = out,
	                .s = s,
	                .w = w,
	                .cfg = s->cfg,
	                .kind = kind,
	                .from = from,
	                .to = to,
	                .group = group,
	                .during = during,
	                .now_us = now_us};
	WR_ASSERT(from < s->cfg->region_count && to < s->cfg->region_count);
	memset(out, 0, sizeof *out);
	for (size_t i = 0; i < GUARD_COUNT; i++) {
		if (!(guards[i].kinds & 1u << kind)) continue;
		c.rule = guards[i].rule;
		guards[i].judge(&c);
	}
	if (out->count == WR_MAX_GUARDS) {
		/* Rows may be missing, so the last one that is there says so and blocks. */
		wr_guard *last = &out->rows[out->count - 1];
		wr_put(last->name, sizeof last->name, "too_many");
		last->blocking = true;
		wr_guard_say(last, WR_INCONCLUSIVE, "more guards than the table holds", "at most 63 rows",
		             "configure fewer facts and links");
	}
	count_rows(out, s->cfg);
}

json_t *wr_guards_json(const wr_guards *g)
{
	json_t *rows = json_array();
	if (!rows) wr_die("out of memory for a guard table");
	for (size_t i = 0; i < g->count; i++) {
		const wr_guard *row = &g->rows[i];
		json_t *o = json_object();
		if (!o || json_array_append_new(rows, o) != 0) wr_die("out of memory for a guard table");
		wr_set_str(o, "name", row->name);
		wr_set_str(o, "rule", row->rule);
		wr_set_str(o, "verdict", wr_gate_verdict_name(row->verdict));
		wr_set_bool(o, "blocking", row->blocking);
		wr_set_str(o, "observed", row->observed);
		wr_set_str(o, "threshold", row->threshold);
		wr_set_str(o, "flip", row->flip);
		wr_set_time(o, "eta", row->eta_us);
	}
	return rows;
}
