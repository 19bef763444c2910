/* names.c: what things are called, looking them up, and near-misses. Pure. */
#include "model/names.h"

#include <string.h>

#include "warroom/model.h"

#define X3(id, name, abbr) name,
#define X2(id, name)       name,

const char *const wr_class_names[WR_CLASS_COUNT] = {WR_CLASSES(X3)};
const char *const wr_fact_kind_names[WR_FACT_COUNT] = {WR_FACTS(X2)};
const char *const wr_step_kind_names[WR_STEP_KIND_COUNT] = {WR_STEP_KINDS(X2)};
const char *const wr_phase_names[WR_PHASE_COUNT] = {WR_PHASES(X2)};
const char *const wr_runbook_kind_names[WR_RUNBOOK_KIND_COUNT] = {WR_RUNBOOK_KINDS(X2)};
const char *const wr_assurance_names[WR_ASSURANCE_COUNT] = {"shared_terminal", "separate_session",
                                                            "own_device"};

const char *wr_class_name(wr_class c)
{
	WR_ASSERT((size_t)c < WR_CLASS_COUNT);
	return wr_class_names[c];
}

const char *wr_class_abbr(wr_class c)
{
#define X(id, name, abbr) abbr,
	static const char *const abbrs[WR_CLASS_COUNT] = {WR_CLASSES(X)};
#undef X
	WR_ASSERT((size_t)c < WR_CLASS_COUNT);
	return abbrs[c];
}

const char *wr_fact_kind_name(wr_fact_kind k)
{
	WR_ASSERT((size_t)k < WR_FACT_COUNT);
	return wr_fact_kind_names[k];
}

const char *wr_step_kind_name(wr_step_kind k)
{
	WR_ASSERT((size_t)k < WR_STEP_KIND_COUNT);
	return wr_step_kind_names[k];
}

const char *wr_phase_name(wr_phase p)
{
	WR_ASSERT((size_t)p < WR_PHASE_COUNT);
	return wr_phase_names[p];
}

const char *wr_runbook_kind_name(wr_runbook_kind k)
{
	WR_ASSERT((size_t)k < WR_RUNBOOK_KIND_COUNT);
	return wr_runbook_kind_names[k];
}

const char *wr_assurance_name(wr_assurance a)
{
	WR_ASSERT((size_t)a < WR_ASSURANCE_COUNT);
	return wr_assurance_names[a];
}

int wr_assurance_parse(const char *s, wr_assurance *out)
{
	for (size_t i = 0; i < WR_ASSURANCE_COUNT; i++) {
		if (strcmp(s, wr_assurance_names[i]) == 0) {
			*out = (wr_assurance)i;
			return 0;
		}
	}
	return -1;
}

/* ---- look-ups ---- */

const wr_region *wr_config_region(const wr_config *c, const char *name)
{
	for (size_t i = 0; i < c->region_count; i++)
		if (strcmp(c->regions[i].name, name) == 0) return &c->regions[i];
	return NULL;
}

const wr_operator *wr_config_operator(const wr_config *c, const char *principal)
{
	for (size_t i = 0; i < c->operator_count; i++)
		if (strcmp(c->operators[i].principal, principal) == 0) return &c->operators[i];
	return NULL;
}

const wr_runbook *wr_config_runbook(const wr_config *c, const char *name)
{
	for (size_t i = 0; i < c->runbook_count; i++)
		if (strcmp(c->runbooks[i].name, name) == 0) return &c->runbooks[i];
	return NULL;
}

const wr_runbook *wr_config_runbook_for(const wr_config *c, wr_runbook_kind kind, const char *group)
{
	const wr_runbook *found = NULL;
	for (size_t i = 0; i < c->runbook_count; i++) {
		const wr_runbook *rb = &c->runbooks[i];
		if (rb->kind != kind || (group != NULL && strcmp(rb->group, group) != 0)) continue;
		if (found != NULL) return NULL;
		found = rb;
	}
	return found;
}

const wr_traffic *wr_config_traffic(const wr_config *c, const char *name)
{
	for (size_t i = 0; i < c->traffic_count; i++)
		if (strcmp(c->traffic[i].name, name) == 0) return &c->traffic[i];
	return NULL;
}

const wr_notify *wr_config_notify(const wr_config *c, const char *name)
{
	for (size_t i = 0; i < c->notify_count; i++)
		if (strcmp(c->notify[i].name, name) == 0) return &c->notify[i];
	return NULL;
}

/* ---- near-misses ---- */

#define WORD_MAX 64

/* Edit distance with transpositions of neighbours (optimal string alignment), three rows. */
static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
	size_t rows[3][WORD_MAX + 1];
	for (size_t j = 0; j <= m; j++) rows[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *row = rows[i % 3];
		const size_t *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t best = up[j - 1] + (a[i - 1] != b[j - 1]);
			if (up[j] + 1 < best) best = up[j] + 1;
			if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    up2[j - 2] + 1 < best)
				best = up2[j - 2] + 1;
			row[j] = best;
		}
	}
	return rows[n % 3][m];
}

const char *wr_nearest(const char *word, const char *const *list, size_t count)
{
	size_t n = strlen(word);
	const char *best = NULL;
	if (n == 0 || n > WORD_MAX) return NULL;
	size_t least = n <= 3 ? 1 : n / 3 + 1;
	for (size_t i = 0; i < count; i++) {
		size_t m = strlen(list[i]);
		if (m > WORD_MAX || m > n + least || n > m + least) continue;
		size_t d = distance(word, n, list[i], m);
		if (d < least || (d == least && best == NULL)) {
			least = d;
			best = list[i];
		}
	}
	return best;
}
