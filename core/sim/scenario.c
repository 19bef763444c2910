/* scenario.c: see scenario.h. Strict: an unknown or repeated key is an error, because a misspelt
 * event would be a drill in which nothing happens. */
#include "sim/scenario.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "sim/options.h"
#include "warroom/clock.h"
#include "warroom/io.h"
#include "warroom/json.h"
#include "warroom/text.h"

#define LEAD_MS  10000 /* of the ready outage: how long before it replication falls behind */
#define LEAD_LAG 2     /* seconds */

typedef struct reader {
	const char *name;
	yaml_document_t doc;
	wr_err *err;
} reader;

static unsigned line_of(const yaml_node_t *n)
{
	return (unsigned)n->start_mark.line + 1;
}

static int bad(const reader *r, const yaml_node_t *n, const char *what)
{
	return wr_fail(r->err, WR_E_INVALID, "%s:%u: %s", r->name, line_of(n), what);
}

/* text_of copies a scalar; 0 bytes inside, control characters and over-long text are errors. */
static int text_of(const reader *r, const yaml_node_t *n, char *out, size_t size)
{
	if (n->type != YAML_SCALAR_NODE) return bad(r, n, "a plain value is needed here");
	size_t len = n->data.scalar.length;
	if (len >= size) return bad(r, n, "this value is too long");
	memcpy(out, n->data.scalar.value, len);
	out[len] = '\0';
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)out[i] < 0x20 || (unsigned char)out[i] > 0x7e)
			return bad(r, n, "this value has characters other than printable ASCII");
	return 0;
}

static int name_of(const reader *r, const yaml_node_t *n, char out[static WR_NAME_MAX + 1])
{
	if (text_of(r, n, out, WR_NAME_MAX + 1) != 0) return -1;
	return wr_name_ok(out) ? 0 : bad(r, n, "this is not a name");
}

static int duration_of(const reader *r, const yaml_node_t *n, int64_t *ms)
{
	char text[32];
	if (text_of(r, n, text, sizeof text) != 0) return -1;
	if (wr_duration_parse(text, ms, NULL) != 0)
		return bad(r, n, "a duration is needed: 500ms, 20s, 1m30s");
	return 0;
}

static int number_of(const reader *r, const yaml_node_t *n, int64_t *out)
{
	char text[32];
	if (text_of(r, n, text, sizeof text) != 0) return -1;
	if (wr_sim_number_parse(text, 0, WR_INT_MAX_SAFE, out) != 0)
		return bad(r, n, "a whole number is needed");
	return 0;
}

static int event_member(reader *r, wr_sim_event *e, const char *key, const yaml_node_t *key_node,
                        const yaml_node_t *v)
{
	char text[WR_NAME_MAX + 1], message[160];
	if (strcmp(key, "at") == 0) return duration_of(r, v, &e->at_ms);
	if (strcmp(key, "duration") == 0) return duration_of(r, v, &e->duration_ms);
	if (strcmp(key, "value") == 0) return number_of(r, v, &e->value);
	if (strcmp(key, "region") == 0) return name_of(r, v, e->region);
	if (strcmp(key, "peer") == 0) return name_of(r, v, e->peer);
	if (strcmp(key, "link") == 0) return name_of(r, v, e->link);
	if (strcmp(key, "fault") == 0) {
		if (text_of(r, v, text, sizeof text) != 0) return -1;
		if (wr_sim_fault_parse(text, &e->kind) == 0) return 0;
		snprintf(message, sizeof message, "there is no fault \"%s\"", text);
		return bad(r, v, message);
	}
	snprintf(message, sizeof message,
	         "unknown key \"%s\"; an event has at, fault, region, peer, link, value, duration",
	         key);
	return bad(r, key_node, message);
}

/* each_pair walks a mapping, refusing repeated keys. */
static int each_pair(reader *r, const yaml_node_t *map, void *ctx,
                     int (*fn)(reader *, void *, const char *, const yaml_node_t *,
                               const yaml_node_t *))
{
	char seen[16][24], message[96];
	int count = 0;
	if (map->type != YAML_MAPPING_NODE) return bad(r, map, "a mapping (key: value) is needed here");
	for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top;
	     p++) {
		const yaml_node_t *k = yaml_document_get_node(&r->doc, p->key);
		const yaml_node_t *v = yaml_document_get_node(&r->doc, p->value);
		if (count == 16) return bad(r, k, "too many keys");
		if (text_of(r, k, seen[count], sizeof seen[0]) != 0) return -1;
		for (int i = 0; i < count; i++) {
			if (strcmp(seen[i], seen[count]) != 0) continue;
			snprintf(message, sizeof message, "\"%.23s\" is given twice", seen[i]);
			return bad(r, k, message);
		}
		if (fn(r, ctx, seen[count], k, v) != 0) return -1;
		count++;
	}
	return 0;
}

static int event_pair(reader *r, void *ctx, const char *key, const yaml_node_t *k,
                      const yaml_node_t *v)
{
	return event_member(r, ctx, key, k, v);
}

static int read_events(reader *r, const yaml_node_t *list, wr_sim_scenario *out)
{
	if (list->type != YAML_SEQUENCE_NODE) return bad(r, list, "events must be a list");
	for (const yaml_node_item_t *i = list->data.sequence.items.start;
	     i < list->data.sequence.items.top; i++) {
		const yaml_node_t *n = yaml_document_get_node(&r->doc, *i);
		if (out->event_count == WR_SIM_FAULTS_MAX) return bad(r, n, "more than 128 events");
		wr_sim_event *e = &out->events[out->event_count];
		*e = (wr_sim_event){.line = line_of(n), .kind = WR_SIM_F_COUNT, .at_ms = -1, .value = -1};
		if (each_pair(r, n, e, event_pair) != 0) return -1;
		if (e->at_ms < 0) return bad(r, n, "this event has no \"at\"");
		if (e->kind == WR_SIM_F_COUNT) return bad(r, n, "this event has no \"fault\"");
		out->event_count++;
	}
	return 0;
}

static int top_pair(reader *r, void *ctx, const char *key, const yaml_node_t *k,
                    const yaml_node_t *v)
{
	wr_sim_scenario *out = ctx;
	char text[32], message[96];
	int64_t n = 0;
	wr_err why = {0};
	if (strcmp(key, "events") == 0) return read_events(r, v, out);
	if (strcmp(key, "name") == 0 || strcmp(key, "description") == 0) return 0; /* for people */
	if (strcmp(key, "seed") == 0) {
		if (number_of(r, v, &n) != 0) return -1;
		out->seed = (uint64_t)n;
		out->has_seed = true;
		return 0;
	}
	if (strcmp(key, "speed") == 0) {
		if (text_of(r, v, text, sizeof text) != 0) return -1;
		if (wr_sim_speed_parse(text, &out->speed_milli, &why) != 0) return bad(r, v, why.msg);
		out->has_speed = true;
		return 0;
	}
	snprintf(message, sizeof message, "unknown key \"%s\"; a scenario has seed, speed, events",
	         key);
	return bad(r, k, message);
}

int wr_sim_scenario_parse(const char *name, const char *text, size_t len, wr_sim_scenario *out,
                          wr_err *err)
{
	memset(out, 0, sizeof *out);
	(void)wr_sanitise_to(out->file, sizeof out->file, name);
	reader r = {.name = out->file, .err = err};
	yaml_parser_t parser;
	if (!yaml_parser_initialize(&parser)) return wr_fail(err, WR_E_NOMEM, "out of memory");
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	int rc = -1;
	if (!yaml_parser_load(&parser, &r.doc)) {
		(void)wr_fail(err, WR_E_INVALID, "%s:%u: not YAML: %s", out->file,
		              (unsigned)parser.problem_mark.line + 1,
		              parser.problem != NULL ? parser.problem : "unreadable");
	} else {
		const yaml_node_t *root = yaml_document_get_root_node(&r.doc);
		if (root == NULL)
			(void)wr_fail(err, WR_E_INVALID, "%s:1: the file is empty; it needs \"events\"",
			              out->file);
		else
			rc = each_pair(&r, root, out, top_pair);
		yaml_document_delete(&r.doc);
	}
	yaml_parser_delete(&parser);
	return rc;
}

int wr_sim_scenario_load(const char *path, wr_sim_scenario *out, wr_err *err)
{
	wr_buf text = WR_BUF_INIT(WR_CONFIG_MAX);
	int rc = wr_read_file(&text, path, WR_CONFIG_MAX, WR_ANY, err);
	if (rc == 0) rc = wr_sim_scenario_parse(path, wr_buf_cstr(&text), text.len, out, err);
	wr_buf_free(&text);
	return rc;
}

void wr_sim_scenario_outage(wr_sim_scenario *out, const char *first_region, int64_t at_ms)
{
	memset(out, 0, sizeof *out);
	snprintf(out->file, sizeof out->file, "--outage-at");
	wr_sim_event *lag = &out->events[0], *down = &out->events[1];
	*lag = (wr_sim_event){
	    .kind = WR_SIM_F_LAG, .at_ms = at_ms > LEAD_MS ? at_ms - LEAD_MS : 0, .value = LEAD_LAG};
	*down = (wr_sim_event){.kind = WR_SIM_F_REGION_DOWN, .at_ms = at_ms, .value = -1};
	lag->duration_ms = at_ms > lag->at_ms ? at_ms - lag->at_ms : 1;
	snprintf(lag->region, sizeof lag->region, "%s", first_region);
	snprintf(down->region, sizeof down->region, "%s", first_region);
	out->event_count = 2;
}

static int place(const wr_sim *s, const char *name, int *out)
{
	*out = WR_SIM_NONE;
	if (name[0] == '\0') return 0;
	if (strcmp(name, "observer") == 0) {
		*out = WR_SIM_OBSERVER;
		return 0;
	}
	*out = wr_sim_find_region(s, name);
	return *out == WR_SIM_NONE ? -1 : 0;
}

int wr_sim_scenario_apply(const wr_sim_scenario *sc, wr_sim *s, wr_err *err)
{
	for (int i = 0; i < sc->event_count; i++) {
		const wr_sim_event *e = &sc->events[i];
		wr_sim_fault_spec f = {.kind = e->kind,
		                       .link = WR_SIM_NONE,
		                       .value = e->value,
		                       .after_ms = e->at_ms,
		                       .duration_ms = e->duration_ms};
		const char *wrong = NULL;
		if (place(s, e->region, &f.region) != 0) wrong = e->region;
		if (place(s, e->peer, &f.peer) != 0) wrong = e->peer;
		if (wrong != NULL)
			return wr_fail(err, WR_E_INVALID, "%s:%u: the platform has no region \"%s\"", sc->file,
			               e->line, wrong);
		if (e->link[0] != '\0') f.link = wr_sim_find_link(s, e->link);
		if (e->link[0] != '\0' && f.link == WR_SIM_NONE)
			return wr_fail(err, WR_E_INVALID, "%s:%u: the platform has no link \"%s\"", sc->file,
			               e->line, e->link);
		if (wr_sim_fault(s, &f, NULL, err) != 0)
			return wr_err_wrap(err, "%s:%u", sc->file, e->line);
	}
	return 0;
}
