/* load.h: the loader's tools and its sections.
 *
 * A section opens a mapping with wr_map_open, asks for the keys it knows through the getters
 * below, and closes it: what was never asked for is an unknown key. A getter reports what is wrong
 * and returns something harmless, so that one load finds all errors. Sections are read in an order
 * in which names are known before they are referred to. Not thread-safe. */
#ifndef WARROOM_MODEL_LOAD_H
#define WARROOM_MODEL_LOAD_H

#include "model/arena.h"
#include "model/names.h"
#include "model/template.h"
#include "model/yaml.h"
#include "warroom/model.h"

typedef struct wr_loader {
	struct wr_arena *arena; /* of the configuration */
	struct wr_arena *tree;  /* of the YAML trees: until the load is over */
	wr_findings *f;
	wr_config *c;
	wr_ynode *root;
	const wr_ynode *runbooks[WR_MAX_RUNBOOKS]; /* the node of each, as in c->runbooks */
	const char **signal_names;                 /* sorted; c->signal_count of them */
	const char *shown_path;                    /* of the configuration, as it was given */
	size_t nodes_left;
	wr_buf scratch; /* one expanded string at a time */
	wr_buf hashed;  /* every file's bytes, each behind its length */
} wr_loader;

#define WR_MAP_KEYS_MAX 32
typedef struct wr_map {
	wr_loader *l;
	wr_ynode *node;
	const char *asked[WR_MAP_KEYS_MAX];
	size_t asked_count;
} wr_map;

/* How a string may look. */
typedef enum wr_form {
	WR_F_NAME, /* wr_name_ok */
	WR_F_LINE, /* no control characters at all: URLs, headers, paths, expressions */
	WR_F_TEXT, /* for people: sanitised, lines kept */
	WR_F_RAW   /* for programs: newline and tab allowed, other control characters not */
} wr_form;

/* What ${…} may mean in a string, and what else it must be once expanded. */
typedef struct wr_string_rule {
	wr_form form;
	bool templates;  /* ${…} is looked at; else any ${ is an error */
	bool secrets;    /* ${env:} and ${file:} are allowed (and stay references) */
	wr_scope scope;  /* what ${from}, ${to}, ${region} stand for */
	bool every_pair; /* check for every pair of regions, and keep it as written */
	const char *(*problem)(const char *expanded); /* or NULL; says what is wrong, or NULL */
} wr_string_rule;

/* ---- mappings ---- */
bool wr_map_open(wr_map *m, wr_loader *l, wr_ynode *node, const char *what);
wr_ynode *wr_map_get(wr_map *m, const char *key); /* NULL: absent */
void wr_map_close(wr_map *m);
void wr_map_missing(wr_map *m, const char *key, const char *expected);

/* ---- values; `dflt` NULL (or, for numbers, negative) makes the key required ---- */
const char *wr_get_name(wr_map *m, const char *key, const char *dflt);
const char *wr_get_text(wr_map *m, const char *key, const char *dflt);
const char *wr_get_string(wr_map *m, const char *key, const wr_string_rule *rule, const char *dflt);
/* A path, resolved against the configuration's directory. */
const char *wr_get_path(wr_map *m, const char *key, const char *dflt);
int wr_get_int(wr_map *m, const char *key, int least, int most, int dflt);
bool wr_get_bool(wr_map *m, const char *key, bool dflt);
int64_t wr_get_duration(wr_map *m, const char *key, int64_t least_ms, int64_t most_ms,
                        int64_t dflt_ms);
double wr_get_percent(wr_map *m, const char *key, double dflt);
/* One of `names`; the index, or dflt. dflt < 0: required. */
int wr_get_enum(wr_map *m, const char *key, const char *const *names, size_t count, int dflt);
/* NULL when absent and dflt is NULL, or when it does not parse. */
const wr_expr *wr_get_expr(wr_map *m, const char *key, const char *dflt);
/* A name that must be one of the loaded things; "" when absent (an error if required). */
const char *wr_get_region(wr_map *m, const char *key, bool required);
const char *wr_get_service(wr_map *m, const char *key);
/* The items of a sequence; NULL and 0 when absent. */
wr_ynode *wr_get_seq(wr_map *m, const char *key, size_t most, size_t *count);
/* NULL-terminated array of strings from a sequence (or one plain scalar if `single`). */
const char *const *wr_get_strings(wr_map *m, const char *key, const wr_string_rule *rule,
                                  size_t most, bool single, size_t *count);
/* Names of regions; absent: NULL and 0. */
const char *const *wr_get_regions(wr_map *m, const char *key, size_t *count);
/* A mapping of name → string, in the order of the file. */
const wr_pair *wr_get_pairs(wr_map *m, const char *key, const wr_string_rule *rule, size_t most,
                            size_t *count);
/* One node as a string; NULL when it is not one (and reported). */
const char *wr_node_string(wr_loader *l, wr_ynode *n, const wr_string_rule *rule);
int64_t wr_node_int(wr_loader *l, wr_ynode *n, int64_t least, int64_t most, int64_t dflt);
const wr_expr *wr_parse_expr(wr_loader *l, const wr_ynode *at, const char *text);
/* Reports when `name` is already the name of one of the `count` items before, `stride` bytes apart,
 * whose first member is their name. */
void wr_check_unique(wr_loader *l, const wr_ynode *at, const char *member, const char *name,
                     const void *items, size_t count, size_t stride);
/* An unknown name among known ones: "unknown X "y": did you mean "z"?". */
void wr_unknown_name(wr_loader *l, const wr_ynode *at, const char *what, const char *name,
                     const char *const *known, size_t count);

bool wr_is_signal(const wr_loader *l, const char *name); /* after wr_load_signals */

/* ---- probes (load_probe.c) ---- */
/* Is it a usable http or https URL? NULL, or what was expected. */
const char *wr_url_problem(const char *url);
/* wr_load_probe reads one of the keys http, scrape, promql, exec of an open mapping into *out;
 * `kinds` is a set of 1 << wr_probe_kind. False when there is none (reported if required). */
#define WR_PROBES_ALL 0xFu
#define WR_PROBES_ACT ((1u << WR_PROBE_HTTP) | (1u << WR_PROBE_EXEC))
bool wr_load_probe(wr_map *owner, wr_probe *out, const wr_string_rule *rule, unsigned kinds,
                   bool required);
/* Parts that steps share with probes. `in` is the open http or exec mapping. */
void wr_load_http_parts(wr_map *in, wr_probe *out, const wr_string_rule *rule);
void wr_load_exec_parts(wr_map *in, wr_probe *out, const wr_string_rule *rule);
const wr_pair *wr_load_headers(wr_map *in, const wr_string_rule *rule, size_t *count);
/* interval and timeout of anything that is watched. */
void wr_load_pace(wr_map *m, int64_t *interval_ms, int64_t *timeout_ms);

/* ---- sections ---- */
void wr_load_regions(wr_loader *l, wr_map *top);
void wr_load_services(wr_loader *l, wr_map *top);
void wr_load_foreign(wr_loader *l, wr_map *ledger);
void wr_load_archive(wr_loader *l, wr_map *ledger); /* export and anchor */
void wr_load_signals(wr_loader *l, wr_map *top);
void wr_load_links(wr_loader *l, wr_map *top);
void wr_load_facts(wr_loader *l, wr_map *top);
void wr_load_quotas(wr_loader *l, wr_map *top);
void wr_load_traffic(wr_loader *l, wr_map *top);
void wr_load_notify(wr_loader *l, wr_map *top);
void wr_load_people(wr_loader *l, wr_map *top); /* operators, approvals; after the runbooks */
void wr_load_policy(wr_loader *l, wr_map *top); /* guards, residency */
void wr_load_runbooks(wr_loader *l, wr_map *top);
void wr_load_action(wr_map *m, wr_action *out);       /* exactly one kind, of an open step */
void wr_load_probe_action(wr_map *m, wr_action *out); /* http or exec, and until */

/* A name that may hold ${region} and ${region.VAR}; false when the key is absent. */
bool wr_get_name_of(wr_map *m, const char *key, const wr_region *region, const char **out);
/* The regions that an entry is for: one named, several named, or all but the witnesses. */
size_t wr_load_region_set(wr_map *m, const wr_region *out[static WR_MAX_REGIONS], bool required);

/* ---- foreign chains: a profile's mapping; and the signal and the fact of each chain, behind the
 * `before` that `out` has; how many ---- */
struct wr_profile;
void wr_read_profile(wr_loader *l, wr_ynode *n, struct wr_profile *p);
size_t wr_foreign_signals(wr_loader *l, const wr_ynode *at, wr_signal *out, size_t before,
                          size_t room);
size_t wr_foreign_facts(wr_loader *l, const wr_ynode *at, wr_fact *out, size_t before, size_t room);

/* wr_load_file reads the file that a scalar names (trust, size), adds it to the hash and parses it;
 * *path gets its name. */
wr_ynode *wr_load_file(wr_loader *l, wr_ynode *named, const char **path);
/* Files of keys and signers: must be trustworthy if they are there. */
void wr_check_file(wr_loader *l, const wr_ynode *at, const char *member, const char *path,
                   bool is_private);

/* ---- after an errorless load: dangerous, but legal (check.c) ---- */
void wr_check_warnings(wr_loader *l);

#endif
