/* template.c: ${from}, ${to}, ${region}, their variables, and ${var.X}. Pure. */
#include "model/template.h"

#include <stdio.h>
#include <string.h>

#include "model/names.h"
#include "warroom/text.h"

static bool starts(const char *s, size_t len, const char *prefix)
{
	size_t n = strlen(prefix);
	return len >= n && memcmp(s, prefix, n) == 0;
}

bool wr_secret_find(const char *text, size_t *at, size_t *len)
{
	for (const char *s = text + *at; (s = strstr(s, "${")) != NULL; s += 2) {
		const char *end = strchr(s, '}');
		if (end == NULL) return false;
		size_t n = (size_t)(end - s - 2);
		if (!starts(s + 2, n, "env:") && !starts(s + 2, n, "file:")) continue;
		*at = (size_t)(s - text);
		*len = n + 3;
		return true;
	}
	return false;
}

bool wr_next_pair(const wr_config *c, size_t *i, wr_scope *out)
{
	const size_t n = c->region_count;
	while (*i < n * n) {
		const wr_region *from = &c->regions[*i / n], *to = &c->regions[*i % n];
		++*i;
		bool moves = from != to && from->role != WR_WITNESS && to->role != WR_WITNESS;
		if (!moves && n > 1) continue;
		*out = (wr_scope){.from = from, .to = to};
		return true;
	}
	return false;
}

static int put_var(wr_buf *out, const wr_pair *vars, size_t count, const char *name, size_t len,
                   const char *owner, wr_err *err)
{
	const char *known[WR_MAX_VARS];
	char shown[WR_NAME_MAX + 1], word[WR_NAME_MAX + 1];
	if (count > WR_MAX_VARS) count = WR_MAX_VARS;
	for (size_t i = 0; i < count; i++) {
		if (strlen(vars[i].key) == len && memcmp(vars[i].key, name, len) == 0) {
			wr_buf_adds(out, vars[i].value);
			return 0;
		}
		known[i] = vars[i].key;
	}
	size_t n = len < sizeof word ? len : sizeof word - 1;
	memcpy(word, name, n);
	word[n] = '\0';
	const char *near = wr_nearest(word, known, count);
	wr_sanitise_to(shown, sizeof shown, word);
	return wr_fail(err, WR_E_NOT_FOUND, "%s no variable \"%s\"%s%s%s", owner, shown,
	               near != NULL ? ": did you mean \"" : "", near != NULL ? near : "",
	               near != NULL ? "\"?" : "");
}

/* `name` is what stands between the braces behind "from", "to" or "region": "" or ".VAR". */
static int put_region(wr_buf *out, const wr_region *r, const char *which, const char *name,
                      size_t len, wr_err *err)
{
	if (r == NULL)
		return wr_fail(err, WR_E_INVALID, "${%s} has no meaning here: %s", which,
		               strcmp(which, "region") == 0
		                   ? "it is the region of an entry that names one (region, regions)"
		                   : "only links and runbooks lead from one region to another");
	if (len == 0) {
		wr_buf_adds(out, r->name);
		return 0;
	}
	char owner[128];
	snprintf(owner, sizeof owner, "region %s has", r->name);
	return put_var(out, r->vars, r->var_count, name + 1, len - 1, owner, err);
}

/* [s, s+len) is what stands between "${" and "}". */
static int put_reference(wr_buf *out, const char *s, size_t len, const wr_config *c,
                         const wr_scope *scope, wr_err *err)
{
	const struct {
		const char *word;
		const wr_region *region;
	} sides[] = {{"from", scope->from}, {"to", scope->to}, {"region", scope->region}};
	for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
		size_t n = strlen(sides[i].word);
		if (starts(s, len, sides[i].word) && (len == n || s[n] == '.'))
			return put_region(out, sides[i].region, sides[i].word, s + n, len - n, err);
	}
	if (starts(s, len, "var."))
		return put_var(out, c->vars, c->var_count, s + 4, len - 4, "vars has", err);
	if (starts(s, len, "env:") || starts(s, len, "file:")) {
		wr_buf_adds(out, "${");
		wr_buf_add(out, s, len + 1);
		return 0;
	}
	char word[40], shown[64];
	size_t n = len < sizeof word ? len : sizeof word - 1;
	memcpy(word, s, n);
	word[n] = '\0';
	return wr_fail(err, WR_E_INVALID,
	               "unknown reference ${%s} (there are from, to, region, from.NAME, to.NAME, "
	               "region.NAME, var.NAME, env:NAME, file:PATH)",
	               wr_sanitise_to(shown, sizeof shown, word));
}

int wr_template_run(wr_buf *out, const char *text, const wr_config *c, const wr_scope *scope,
                    wr_err *err)
{
	const char *s = text, *ref;
	while ((ref = strstr(s, "${")) != NULL) {
		wr_buf_add(out, s, (size_t)(ref - s));
		const char *end = strchr(ref, '}');
		if (end == NULL)
			return wr_fail(err, WR_E_INVALID, "a \"${\" is not closed with \"}\" (byte %zu)",
			               (size_t)(ref - text) + 1);
		if (put_reference(out, ref + 2, (size_t)(end - ref) - 2, c, scope, err) != 0) return -1;
		s = end + 1;
	}
	wr_buf_adds(out, s);
	if (!wr_buf_ok(out))
		return wr_fail(err, WR_E_LIMIT, "longer than %zu bytes once expanded", out->max);
	return 0;
}

int wr_template_expand(wr_buf *out, const char *text, const wr_config *c, const wr_region *from,
                       const wr_region *to, wr_err *err)
{
	return wr_template_run(out, text, c, &(wr_scope){.from = from, .to = to}, err);
}
