/* load_string.c: strings out of the YAML tree: their form, their ${…}, their secrets.
 *
 * What is expanded when the plan is made is tried here for every pair of regions, so that a name
 * that one region lacks is found by `config check` and not during the outage. */
#include <stdio.h>
#include <string.h>

#include "model/load.h"
#include "warroom/io.h"
#include "warroom/text.h"

static const wr_string_rule PLAIN_NAME = {.form = WR_F_NAME};
static const wr_string_rule PLAIN_LINE = {.form = WR_F_LINE};
static const wr_string_rule PLAIN_TEXT = {.form = WR_F_TEXT};

/* What is wrong with the characters of a string, or NULL. */
static const char *form_problem(const char *s, size_t len, wr_form form)
{
	if (len > WR_STR_MAX) return "longer than 2047 bytes";
	if (strlen(s) != len) return "it holds a NUL character";
	if (form == WR_F_NAME)
		return wr_name_ok(s) ? NULL
		                     : "expected a name: letters, digits and ._@-, at most 63, beginning "
		                       "with a letter or digit";
	for (size_t i = 0; form != WR_F_TEXT && i < len; i++) {
		unsigned char ch = (unsigned char)s[i];
		bool blank = form == WR_F_RAW && (ch == '\n' || ch == '\t');
		if ((ch < 0x20 && !blank) || ch == 0x7f) return "it holds a control character";
	}
	return NULL;
}

/* Expands into l->scratch and looks at the result; false when reported. */
static bool try_scope(wr_loader *l, const wr_ynode *n, const char *text, const wr_string_rule *rule,
                      const wr_scope *scope)
{
	wr_err err;
	wr_buf_reset(&l->scratch);
	if (wr_template_run(&l->scratch, text, l->c, scope, &err) != 0) {
		wr_ynode_error(l->f, n, NULL, "%s", err.msg);
		return false;
	}
	const char *problem = rule->problem != NULL ? rule->problem(wr_buf_cstr(&l->scratch)) : NULL;
	if (problem == NULL) return true;
	if (scope->from != NULL && scope->to != NULL)
		wr_ynode_error(l->f, n, NULL, "%s (\"%.80s\", from %s to %s)", problem,
		               wr_buf_cstr(&l->scratch), scope->from->name, scope->to->name);
	else
		wr_ynode_error(l->f, n, NULL, "%s, found \"%.80s\"", problem, wr_buf_cstr(&l->scratch));
	return false;
}

static bool try_pairs(wr_loader *l, const wr_ynode *n, const char *text, const wr_string_rule *rule)
{
	wr_scope scope = {0};
	if (strstr(text, "${") == NULL || l->c->region_count == 0)
		return try_scope(l, n, text, rule, &scope);
	for (size_t i = 0; wr_next_pair(l->c, &i, &scope);)
		if (!try_scope(l, n, text, rule, &scope)) return false;
	return true;
}

/* ${file:relative} is made absolute here: only the loader knows the configuration's directory. */
static const char *settle_files(wr_loader *l, const wr_ynode *n, const char *text)
{
	wr_buf b;
	size_t at = 0, len, done = 0;
	if (strstr(text, "${file:") == NULL) return text;
	wr_buf_init(&b, 2 * WR_STR_MAX);
	for (; wr_secret_find(text, &at, &len); at += len) {
		char name[WR_STR_MAX + 1], path[WR_STR_MAX + 1];
		if (text[at + 2] != 'f') continue;
		size_t skip = sizeof "${file:" - 1, m = len - skip - 1;
		memcpy(name, text + at + skip, m);
		name[m] = '\0';
		if (m == 0 || wr_path_join(path, sizeof path, l->c->dir, name, NULL) != 0) {
			wr_ynode_error(l->f, n, NULL, "expected a path in ${file:…}");
			break;
		}
		wr_buf_add(&b, text + done, at + skip - done);
		wr_buf_adds(&b, path);
		done = at + len - 1;
	}
	wr_buf_adds(&b, text + done);
	const char *out = wr_buf_ok(&b) ? wr_arena_dup(l->arena, b.data, b.len) : "";
	if (!wr_buf_ok(&b)) wr_ynode_error(l->f, n, NULL, "the paths in this value are too long");
	wr_buf_free(&b);
	return out;
}

static bool check_secrets(wr_loader *l, const wr_ynode *n, const char *text, bool allowed)
{
	size_t at = 0, len;
	if (allowed || !wr_secret_find(text, &at, &len)) return true;
	wr_ynode_error(l->f, n, NULL,
	               "secrets (${env:…}, ${file:…}) are only accepted in header values, bodies, env "
	               "of exec, and URLs of notify channels");
	return false;
}

const char *wr_node_string(wr_loader *l, wr_ynode *n, const wr_string_rule *rule)
{
	if (n->kind != WR_Y_SCALAR) {
		if (n->kind != WR_Y_BAD)
			wr_ynode_error(l->f, n, NULL, "expected text, found %s",
			               n->kind == WR_Y_SEQ ? "a list" : "a mapping");
		return NULL;
	}
	const char *problem = form_problem(n->text, n->len, rule->form);
	if (problem != NULL) {
		if (rule->form == WR_F_NAME)
			wr_ynode_error(l->f, n, NULL, "%s; found \"%.60s\"", problem, n->text);
		else
			wr_ynode_error(l->f, n, NULL, "not usable: %s", problem);
		return NULL;
	}
	if (rule->form == WR_F_TEXT) {
		wr_buf_reset(&l->scratch);
		wr_sanitise(&l->scratch, n->text, n->len, true);
		n->text = wr_arena_dup(l->tree, wr_buf_cstr(&l->scratch), l->scratch.len);
		n->len = strlen(n->text);
	}
	if (!check_secrets(l, n, n->text, rule->secrets)) return NULL;
	if (!rule->templates) {
		if (strstr(n->text, "${") != NULL) {
			wr_ynode_error(l->f, n, NULL, "${…} is not accepted here: write the value out");
			return NULL;
		}
		const char *wrong = rule->problem != NULL ? rule->problem(n->text) : NULL;
		if (wrong != NULL) wr_ynode_error(l->f, n, NULL, "%s, found \"%.80s\"", wrong, n->text);
		return wrong != NULL ? NULL : wr_arena_dup(l->arena, n->text, n->len);
	}
	if (rule->every_pair) {
		if (!try_pairs(l, n, n->text, rule)) return NULL;
		return settle_files(l, n, wr_arena_dup(l->arena, n->text, n->len));
	}
	if (!try_scope(l, n, n->text, rule, &rule->scope)) return NULL;
	return settle_files(l, n, wr_arena_dup(l->arena, wr_buf_cstr(&l->scratch), l->scratch.len));
}

const char *wr_get_string(wr_map *m, const char *key, const wr_string_rule *rule, const char *dflt)
{
	wr_ynode *n = wr_map_get(m, key);
	const char *safe = dflt != NULL ? dflt : "";
	if (n == NULL) {
		if (dflt == NULL) wr_map_missing(m, key, rule->form == WR_F_NAME ? "a name" : "text");
		return safe;
	}
	const char *s = wr_node_string(m->l, n, rule);
	if (s == NULL) return safe;
	if (s[0] == '\0' && dflt == NULL) {
		wr_ynode_error(m->l->f, n, NULL, "expected text, found nothing");
		return safe;
	}
	return s;
}

const char *wr_get_name(wr_map *m, const char *key, const char *dflt)
{
	return wr_get_string(m, key, &PLAIN_NAME, dflt);
}

const char *wr_get_text(wr_map *m, const char *key, const char *dflt)
{
	return wr_get_string(m, key, &PLAIN_TEXT, dflt);
}

const char *wr_get_path(wr_map *m, const char *key, const char *dflt)
{
	char path[WR_STR_MAX + 1];
	const char *s = wr_get_string(m, key, &PLAIN_LINE, dflt);
	if (s[0] == '\0') return s;
	if (wr_path_join(path, sizeof path, m->l->c->dir, s, NULL) != 0) {
		wr_ynode_error(m->l->f, m->node, key, "this path is too long");
		return "";
	}
	return wr_arena_dup(m->l->arena, path, strlen(path));
}

const wr_expr *wr_parse_expr(wr_loader *l, const wr_ynode *at, const char *text)
{
	wr_err err;
	wr_expr *e = wr_expr_parse(text, &err);
	if (e == NULL) {
		wr_ynode_error(l->f, at, NULL, "%s", err.msg);
		return NULL;
	}
	return wr_arena_take_expr(l->arena, e);
}

const wr_expr *wr_get_expr(wr_map *m, const char *key, const char *dflt)
{
	wr_ynode *n = wr_map_get(m, key);
	if (n == NULL) return dflt != NULL ? wr_parse_expr(m->l, m->node, dflt) : NULL;
	const char *s = wr_node_string(m->l, n, &PLAIN_LINE);
	return s != NULL ? wr_parse_expr(m->l, n, s) : NULL;
}

const char *const *wr_get_strings(wr_map *m, const char *key, const wr_string_rule *rule,
                                  size_t most, bool single, size_t *count)
{
	size_t n, kept = 0;
	wr_ynode *it = wr_map_get(m, key);
	bool one = single && it != NULL && it->kind == WR_Y_SCALAR && it->len > 0;
	*count = 0;
	if (one)
		n = 1;
	else
		it = wr_get_seq(m, key, most, &n);
	const char **out = wr_arena_zero(m->l->arena, n + 1, sizeof *out);
	if (it == NULL || out == NULL) return NULL;
	for (size_t i = 0; i < n; i++, it = it->next) {
		const char *s = wr_node_string(m->l, it, rule);
		if (s != NULL) out[kept++] = s;
	}
	*count = kept;
	return out;
}

const wr_pair *wr_get_pairs(wr_map *m, const char *key, const wr_string_rule *rule, size_t most,
                            size_t *count)
{
	*count = 0;
	wr_ynode *n = wr_map_get(m, key);
	wr_map sub;
	if (n == NULL || !wr_map_open(&sub, m->l, n, "names and their values")) return NULL;
	if (n->count > most) {
		wr_ynode_error(m->l->f, n, NULL, "expected at most %zu entries, found %zu", most, n->count);
		return NULL;
	}
	wr_pair *out = wr_arena_zero(m->l->arena, n->count, sizeof *out);
	if (out == NULL) return NULL;
	size_t kept = 0;
	for (wr_ynode *it = n->first; it != NULL; it = it->next) {
		const char *problem = form_problem(it->key, strlen(it->key), WR_F_LINE);
		if (problem != NULL)
			wr_ynode_error(m->l->f, it, NULL, "this key is not usable: %s", problem);
		const char *value = wr_node_string(m->l, it, rule);
		if (value == NULL || problem != NULL) continue;
		out[kept].key = wr_arena_dup(m->l->arena, it->key, strlen(it->key));
		out[kept++].value = value;
	}
	*count = kept;
	return out;
}
