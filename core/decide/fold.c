/* fold.c: the fold: receipts in, state out. What is not of an operation is here. Pure.
 *
 * A receipt that contradicts what came before (an older epoch, a gap, a result without an intent)
 * is counted and left aside, never fatal: the ledger's own verification names such things. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decide/internal.h"
#include "warroom/clock.h"

static int64_t time_field(const wr_receipt *r, const char *key)
{
	char text[40];
	int64_t us = 0;
	if (!wr_receipt_str(r, key, text, sizeof text) || !text[0]) return 0;
	return wr_time_parse(text, &us, NULL) == 0 ? us : 0;
}

static int region_field(const wr_state *s, const wr_receipt *r)
{
	char name[64];
	return wr_receipt_str(r, "region", name, sizeof name) ? wr_region_index(s->cfg, name) : -1;
}

/* A change for the worse after one for the better, or the other way round, is a flip; what was not
 * seen is no change. */
static void note_flip(region_flips *f, wr_verdict from, wr_verdict to, int64_t at_us)
{
	if (from == WR_V_UNKNOWN || to == WR_V_UNKNOWN || from == to) return;
	int direction = wr_verdict_rank(to) > wr_verdict_rank(from) ? 1 : -1;
	if (direction == f->direction) return;
	f->direction = direction;
	f->at_us[f->head++ % WR_FLIPS_KEPT] = at_us;
}

static void fold_verdict(wr_state *s, const wr_receipt *r)
{
	char name[16];
	wr_verdict to;
	int i = region_field(s, r);
	if (i < 0) return; /* a region that the configuration no longer has */
	if (!wr_receipt_str(r, "to", name, sizeof name) || wr_verdict_parse(name, &to) != 0) {
		s->contradictions++;
		return;
	}
	wr_region_state *region = &s->regions[i];
	note_flip(&s->flips[i], region->verdict, to, r->timestamp_us);
	region->verdict = to;
	region->verdict_us = r->timestamp_us;
	bool alive = to == WR_V_HEALTHY || to == WR_V_DEGRADED;
	if (alive) region->impact_us = 0;
	if (alive && region->out) region->back_seq = r->seq;
	region->out = !alive && (region->out || to != WR_V_UNKNOWN);
	if ((to == WR_V_SUSPECT || to == WR_V_DOWN) && !region->impact_us)
		region->impact_us = time_field(r, "first_breach");
}

static void fold_incident_opened(wr_state *s, const wr_receipt *r)
{
	if (s->incident[0]) s->contradictions++;
	wr_receipt_str(r, "incident", s->incident, sizeof s->incident);
	wr_receipt_str(r, "title", s->incident_title, sizeof s->incident_title);
	wr_receipt_str(r, "region", s->incident_region, sizeof s->incident_region);
	s->incident_us = time_field(r, "impact_started");
	if (!s->incident_us) s->incident_us = r->timestamp_us;
	int64_t n = wr_id_number(s->incident, "INC-");
	if (n > s->last_incident) s->last_incident = n;
}

static void fold_incident_closed(wr_state *s, const wr_receipt *r)
{
	(void)r;
	if (!s->incident[0]) s->contradictions++;
	s->incident[0] = s->incident_title[0] = s->incident_region[0] = '\0';
	s->incident_us = 0;
}

static void fold_isolated(wr_state *s, const wr_receipt *r)
{
	s->isolated = !strcmp(r->operation, "observer_isolated");
}

static void fold_guards(wr_state *s, const wr_receipt *r)
{
	char action[sizeof s->guards[0].action];
	if (!wr_receipt_str(r, "action", action, sizeof action)) return;
	guards_seen *g = NULL;
	for (size_t i = 0; i < s->guards_count && !g; i++)
		if (!strcmp(s->guards[i].action, action)) g = &s->guards[i];
	if (!g) {
		if (s->guards_count == WR_ACTIONS_KEPT) return;
		g = &s->guards[s->guards_count++];
		memcpy(g->action, action, sizeof action);
	}
	wr_receipt_str(r, "digest", g->digest, sizeof g->digest);
	g->at_us = r->timestamp_us;
}

static void fold_role(wr_state *s, const wr_receipt *r)
{
	char role[16];
	int i = region_field(s, r);
	if (i < 0 || !wr_receipt_str(r, "role", role, sizeof role)) return;
	for (wr_role k = WR_PRIMARY; k <= WR_WITNESS; k++)
		if (!strcmp(role, wr_role_text(k))) s->regions[i].role = k;
}

/* How long nothing may have been written before a start, so that the engine can have been looking:
 * longer than a quick restart takes, shorter than a region needs to be called down. */
#define UNSEEN_US (30 * US_PER_S)

static void fold_started(wr_state *s, const wr_receipt *r)
{
	int64_t gap_us = r->timestamp_us - s->newest_us;
	s->engine_started_us = r->timestamp_us;
	if (gap_us < 0 || gap_us > UNSEEN_US) s->unseen_us = r->timestamp_us;
	if (gap_us < 0 || gap_us > s->cfg->sustained_ms * US_PER_MS) s->lost_us = r->timestamp_us;
}

static const struct {
	const char *operation;
	void (*fold)(wr_state *s, const wr_receipt *r);
} folds[] = {
    {"verdict_changed", fold_verdict},         {"incident_opened", fold_incident_opened},
    {"incident_closed", fold_incident_closed}, {"observer_isolated", fold_isolated},
    {"observer_restored", fold_isolated},      {"guards_changed", fold_guards},
    {"region_role_changed", fold_role},        {"engine_started", fold_started},
};

void wr_fold(wr_state *s, const wr_receipt *r)
{
	if (r->seq <= s->seq) return;
	if (r->seq != s->seq + 1) s->contradictions++;
	s->seq = r->seq;
	if (r->epoch < s->epoch) { /* law 4: a stale epoch acts no more */
		s->contradictions++;
		if (!strcmp(r->operation, "approval_recorded")) (void)wr_fold_nonce(s, r);
		return;
	}
	s->epoch = r->epoch;
	wr_fold_time(s, r->timestamp_us);
	size_t i = 0;
	for (; i < sizeof folds / sizeof folds[0]; i++) {
		if (strcmp(r->operation, folds[i].operation) != 0) continue;
		folds[i].fold(s, r);
		break;
	}
	if (i == sizeof folds / sizeof folds[0]) wr_fold_operation(s, r);
	s->newest_us = r->timestamp_us;
}
