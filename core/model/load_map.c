/* load_map.c: mappings that know which of their keys were asked for, and the plain getters. */
#include <stdio.h>
#include <string.h>

#include "model/load.h"
#include "warroom/clock.h"
#include "warroom/text.h"

static const char *const KIND_TEXT[] = {"a single value", "a list", "a mapping", "a refused value"};

bool wr_map_open(wr_map *m, wr_loader *l, wr_ynode *node, const char *what)
{
	*m = (wr_map){.l = l, .node = node};
	if (node->kind == WR_Y_MAP) return true;
	if (node->kind != WR_Y_BAD)
		wr_ynode_error(l->f, node, NULL, "expected %s (a mapping of keys), found %s", what,
		               node->kind == WR_Y_SCALAR && node->len == 0 ? "nothing"
		                                                           : KIND_TEXT[node->kind]);
	return false;
}

wr_ynode *wr_map_get(wr_map *m, const char *key)
{
	bool known = false;
	for (size_t i = 0; i < m->asked_count && !known; i++) known = strcmp(m->asked[i], key) == 0;
	if (!known) {
		WR_ASSERT(m->asked_count < WR_MAP_KEYS_MAX);
		m->asked[m->asked_count++] = key;
	}
	return wr_ynode_get(m->node, key);
}

static void report_unknown(wr_map *m, const wr_ynode *n)
{
	char list[384];
	const char *near = wr_nearest(n->key, m->asked, m->asked_count);
	if (near != NULL) {
		wr_ynode_error(m->l->f, n, NULL, "unknown key: did you mean \"%s\"?", near);
		return;
	}
	size_t at = 0;
	list[0] = '\0';
	for (size_t i = 0; i < m->asked_count && at < sizeof list; i++) {
		int w = snprintf(list + at, sizeof list - at, "%s%s", i > 0 ? ", " : "", m->asked[i]);
		at += w > 0 ? (size_t)w : 0;
	}
	wr_ynode_error(m->l->f, n, NULL, "unknown key: expected one of %s", list);
}

void wr_map_close(wr_map *m)
{
	for (const wr_ynode *n = m->node->first; n != NULL; n = n->next) {
		bool asked = false;
		for (size_t i = 0; i < m->asked_count && !asked; i++)
			asked = strcmp(m->asked[i], n->key) == 0;
		if (!asked) report_unknown(m, n);
	}
}

void wr_map_missing(wr_map *m, const char *key, const char *expected)
{
	wr_ynode_error(m->l->f, m->node, key, "missing: expected %s", expected);
}

/* Plain `key:`, `key: ~` and `key: null` say nothing. */
static bool is_null(const wr_ynode *n)
{
	return n->kind == WR_Y_SCALAR && n->plain &&
	       (n->len == 0 || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0);
}

/* A cut copy for a message; the finding's text is sanitised as a whole later. */
static const char *found(char out[static 48], const wr_ynode *n)
{
	if (n->kind != WR_Y_SCALAR) return KIND_TEXT[n->kind];
	if (is_null(n)) return "nothing";
	snprintf(out, 48, n->len > 40 ? "\"%.40s…\"" : "\"%s\"", n->text);
	return out;
}

static void expected(wr_loader *l, const wr_ynode *n, const char *what)
{
	char text[48];
	if (n->kind == WR_Y_BAD) return;
	wr_ynode_error(l->f, n, NULL, "expected %s, found %s", what, found(text, n));
}

/* The scalar under `key`; NULL when absent (reported if required) or not a scalar (reported). */
static wr_ynode *scalar(wr_map *m, const char *key, const char *what, bool required)
{
	wr_ynode *n = wr_map_get(m, key);
	if (n == NULL) {
		if (required) wr_map_missing(m, key, what);
		return NULL;
	}
	if (n->kind == WR_Y_SCALAR && !is_null(n)) return n;
	expected(m->l, n, what);
	return NULL;
}

/* ---- numbers, truths, durations ---- */

int64_t wr_node_int(wr_loader *l, wr_ynode *n, int64_t least, int64_t most, int64_t dflt)
{
	int64_t v = 0;
	bool ok = n->kind == WR_Y_SCALAR && n->plain && n->len > 0 && n->len <= 15;
	for (size_t i = 0; ok && i < n->len; i++) {
		ok = n->text[i] >= '0' && n->text[i] <= '9';
		v = v * 10 + (n->text[i] - '0');
	}
	if (ok && v >= least && v <= most) return v;
	char what[80];
	snprintf(what, sizeof what, "a whole number from %lld to %lld", (long long)least,
	         (long long)most);
	expected(l, n, what);
	return dflt;
}

int wr_get_int(wr_map *m, const char *key, int least, int most, int dflt)
{
	wr_ynode *n = scalar(m, key, "a whole number", dflt < 0);
	int safe = dflt < 0 ? least : dflt;
	return n == NULL ? safe : (int)wr_node_int(m->l, n, least, most, safe);
}

bool wr_get_bool(wr_map *m, const char *key, bool dflt)
{
	wr_ynode *n = scalar(m, key, "true or false", false);
	if (n == NULL) return dflt;
	bool yes = n->plain && strcmp(n->text, "true") == 0;
	if (!yes && !(n->plain && strcmp(n->text, "false") == 0)) {
		expected(m->l, n, "true or false");
		return dflt;
	}
	return yes;
}

/* As one would write it: "100ms", "1m30s". */
static void duration_as_written(char *out, size_t size, int64_t ms)
{
	char *to = out;
	wr_duration_words(out, size, ms);
	for (const char *s = out; *s != '\0'; s++)
		if (*s != ' ') *to++ = *s;
	*to = '\0';
}

int64_t wr_get_duration(wr_map *m, const char *key, int64_t least_ms, int64_t most_ms,
                        int64_t dflt_ms)
{
	wr_err err;
	int64_t ms;
	int64_t safe = dflt_ms < 0 ? least_ms : dflt_ms;
	wr_ynode *n = scalar(m, key, "a duration (250ms, 5s, 1m30s, 2h, 7d)", dflt_ms < 0);
	if (n == NULL) return safe;
	if (wr_duration_parse(n->text, &ms, &err) != 0) {
		expected(m->l, n, "a duration (250ms, 5s, 1m30s, 2h, 7d)");
		return safe;
	}
	if (ms >= least_ms && ms <= most_ms) return ms;
	char least[24], most[24], what[80];
	duration_as_written(least, sizeof least, least_ms);
	duration_as_written(most, sizeof most, most_ms);
	snprintf(what, sizeof what, "a duration from %s to %s", least_ms == 0 ? "0" : least, most);
	expected(m->l, n, what);
	return safe;
}

/* 80, 80% or 87.5; the per cent sign is only for people. */
double wr_get_percent(wr_map *m, const char *key, double dflt)
{
	wr_ynode *n = scalar(m, key, "a percentage from 0 to 100", false);
	if (n == NULL) return dflt;
	double v = 0, scale = 1;
	bool ok = n->len <= 8, point = false, digit = false;
	size_t len = n->len > 0 && n->text[n->len - 1] == '%' ? n->len - 1 : n->len;
	for (size_t i = 0; ok && i < len; i++) {
		char c = n->text[i];
		if (c == '.' && !point && digit) {
			point = true;
			continue;
		}
		ok = c >= '0' && c <= '9';
		digit = true;
		v = v * 10 + (c - '0');
		if (point) scale *= 10;
	}
	if (ok && digit && v / scale <= 100) return v / scale;
	expected(m->l, n, "a percentage from 0 to 100");
	return dflt;
}

int wr_get_enum(wr_map *m, const char *key, const char *const *names, size_t count, int dflt)
{
	char list[256] = "";
	size_t at = 0;
	for (size_t i = 0; i < count && at < sizeof list; i++) {
		int w = snprintf(list + at, sizeof list - at, "%s%s", i == 0 ? "one of " : ", ", names[i]);
		at += w > 0 ? (size_t)w : 0;
	}
	int safe = dflt < 0 ? 0 : dflt;
	wr_ynode *n = scalar(m, key, list, dflt < 0);
	if (n == NULL) return safe;
	for (size_t i = 0; i < count; i++)
		if (strcmp(n->text, names[i]) == 0) return (int)i;
	const char *near = wr_nearest(n->text, names, count);
	if (near != NULL)
		wr_ynode_error(m->l->f, n, NULL, "expected %s, found \"%.40s\": did you mean \"%s\"?", list,
		               n->text, near);
	else
		expected(m->l, n, list);
	return safe;
}

wr_ynode *wr_get_seq(wr_map *m, const char *key, size_t most, size_t *count)
{
	*count = 0;
	wr_ynode *n = wr_map_get(m, key);
	if (n == NULL || is_null(n)) return NULL;
	if (n->kind != WR_Y_SEQ) {
		expected(m->l, n, "a list");
		return NULL;
	}
	if (n->count > most) {
		wr_ynode_error(m->l->f, n, NULL, "expected at most %zu entries, found %zu", most, n->count);
		return NULL;
	}
	*count = n->count;
	return n->first;
}

/* ---- names of things ---- */

void wr_unknown_name(wr_loader *l, const wr_ynode *at, const char *what, const char *name,
                     const char *const *known, size_t count)
{
	const char *near = wr_nearest(name, known, count);
	char list[160];
	size_t pos = 0;
	list[0] = '\0';
	for (size_t i = 0; i < count && i < 8 && pos < sizeof list; i++) {
		int w = snprintf(list + pos, sizeof list - pos, "%s%s", i > 0 ? ", " : "", known[i]);
		pos += w > 0 ? (size_t)w : 0;
	}
	if (near != NULL)
		wr_ynode_error(l->f, at, NULL, "unknown %s \"%.63s\": did you mean \"%s\"?", what, name,
		               near);
	else if (count == 0)
		wr_ynode_error(l->f, at, NULL, "unknown %s \"%.63s\": none is configured", what, name);
	else
		wr_ynode_error(l->f, at, NULL, "unknown %s \"%.63s\": there are %s%s", what, name, list,
		               count > 8 ? ", …" : "");
}

void wr_check_unique(wr_loader *l, const wr_ynode *at, const char *member, const char *name,
                     const void *items, size_t count, size_t stride)
{
	if (name[0] == '\0') return;
	for (size_t i = 0; i < count; i++) {
		const char *other;
		memcpy(&other, (const char *)items + i * stride, sizeof other);
		if (other == NULL || strcmp(other, name) != 0) continue;
		wr_ynode_error(l->f, at, member, "the name \"%s\" is already taken by an entry above",
		               name);
		return;
	}
}

static const char *check_region(wr_loader *l, const wr_ynode *n, const char *name)
{
	const wr_config *c = l->c;
	const wr_region *r = wr_config_region(c, name);
	if (r != NULL) return r->name;
	const char *known[WR_MAX_REGIONS];
	for (size_t i = 0; i < c->region_count; i++) known[i] = c->regions[i].name;
	wr_unknown_name(l, n, "region", name, known, c->region_count);
	return "";
}

const char *wr_get_region(wr_map *m, const char *key, bool required)
{
	wr_ynode *n = scalar(m, key, "the name of a region", required);
	return n == NULL ? "" : check_region(m->l, n, n->text);
}

const char *wr_get_service(wr_map *m, const char *key)
{
	const wr_config *c = m->l->c;
	wr_ynode *n = scalar(m, key, "the name of a service", false);
	if (n == NULL) return "";
	const char *known[WR_MAX_SERVICES];
	for (size_t i = 0; i < c->service_count; i++) {
		if (strcmp(c->services[i].name, n->text) == 0) return c->services[i].name;
		known[i] = c->services[i].name;
	}
	wr_unknown_name(m->l, n, "service", n->text, known, c->service_count);
	return "";
}

const char *const *wr_get_regions(wr_map *m, const char *key, size_t *count)
{
	size_t n, kept = 0;
	wr_ynode *it = wr_get_seq(m, key, WR_MAX_REGIONS, &n);
	*count = 0;
	const char **out = wr_arena_zero(m->l->arena, n + 1, sizeof *out);
	if (it == NULL || out == NULL) return NULL;
	for (; it != NULL; it = it->next) {
		if (it->kind != WR_Y_SCALAR) {
			expected(m->l, it, "the name of a region");
			continue;
		}
		const char *name = check_region(m->l, it, it->text);
		wr_check_unique(m->l, it, NULL, name, out, kept, sizeof *out);
		if (name[0] != '\0') out[kept++] = name;
	}
	*count = kept;
	return out;
}
