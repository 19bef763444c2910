/* extract_prom.c: the Prometheus text exposition format 0.0.4. Pure, one pass, no allocation.
 *
 *   line   = [ "# HELP" name text | "# TYPE" name type | "#" text | sample ] LF
 *   sample = name [ "{" [ label "=" '"' text '"' { "," … } [ "," ] ] "}" ] value [ timestamp ]
 * Every line is checked, also of other metrics: a page that is broken somewhere is not trusted
 * elsewhere. The last line must end too: a page cut off in the middle of a number reads as another
 * number. Histograms and summaries are the plain series that they are written as. */
#include <math.h>
#include <string.h>

#include "warroom/text.h"
#include "watch/extract.h"

#define LABELS_MAX 64  /* of one series; Prometheus itself warns from 30 on */
#define VALUE_MAX  512 /* unescaped bytes of a label that can be matched */

typedef struct span {
	const char *s;
	size_t n;
} span;

typedef struct page {
	const char *p, *end; /* the rest of the present line */
	size_t line;
	const char *metric;
	const wr_pair *labels;
	size_t label_count;
	double sum;
	size_t matched, named; /* series of that name with, and whatever, the labels */
	wr_err *err;
} page;

static int bad(page *g, const char *what)
{
	return wr_fail(g->err, WR_E_INVALID, "metrics page, line %zu: %s", g->line, what);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void skip_blanks(page *g)
{
	while (g->p < g->end && is_blank(*g->p)) g->p++;
}

static bool name_char(char c, bool first, bool colon)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_') return true;
	return (colon && c == ':') || (!first && c >= '0' && c <= '9');
}

static span take_name(page *g, bool colon)
{
	span out = {g->p, 0};
	while (g->p < g->end && name_char(*g->p, g->p == out.s, colon)) g->p++;
	out.n = (size_t)(g->p - out.s);
	return out;
}

static span take_word(page *g)
{
	span out = {g->p, 0};
	while (g->p < g->end && !is_blank(*g->p)) g->p++;
	out.n = (size_t)(g->p - out.s);
	return out;
}

static bool same(span a, const char *s)
{
	return strlen(s) == a.n && memcmp(a.s, s, a.n) == 0;
}

static int comment(page *g)
{
	static const char *const types[] = {"counter", "gauge", "histogram", "summary", "untyped"};
	g->p++;
	skip_blanks(g);
	span word = take_word(g);
	bool type = same(word, "TYPE");
	if (!type && !same(word, "HELP")) return 0;
	skip_blanks(g);
	if (take_name(g, true).n == 0) return bad(g, "a metric name was expected");
	if (g->p < g->end && !is_blank(*g->p)) return bad(g, "a bad character in a metric name");
	if (!type) return 0;
	skip_blanks(g);
	word = take_word(g);
	skip_blanks(g);
	for (size_t i = 0; i < sizeof types / sizeof *types && g->p == g->end; i++)
		if (same(word, types[i])) return 0;
	return bad(g, "an unknown metric type");
}

/* take_text unescapes a quoted label value into buf; *len is its true length, which may be more
 * than was kept. */
static int take_text(page *g, char buf[static VALUE_MAX], size_t *len)
{
	*len = 0;
	if (g->p == g->end || *g->p != '"') return bad(g, "a quoted label value was expected");
	for (g->p++; g->p < g->end && *g->p != '"'; g->p++, ++*len) {
		char c = *g->p;
		if (c == '\\') {
			if (++g->p == g->end) break;
			c = *g->p == 'n' ? '\n' : *g->p;
			if (c != '\\' && c != '"' && c != '\n')
				return bad(g, "an unknown escape in a label value");
		}
		if (*len < VALUE_MAX) buf[*len] = c;
	}
	if (g->p == g->end) return bad(g, "a label value does not end");
	g->p++;
	return 0;
}

/* One label; sets the bit of each wanted label that it satisfies. */
static int take_label(page *g, span *name, uint64_t *found)
{
	char text[VALUE_MAX];
	size_t len;
	*name = take_name(g, false);
	if (name->n == 0) return bad(g, "a label name was expected");
	skip_blanks(g);
	if (g->p == g->end || *g->p != '=') return bad(g, "'=' was expected after a label name");
	g->p++;
	skip_blanks(g);
	if (take_text(g, text, &len)) return -1;
	for (size_t i = 0; i < g->label_count; i++)
		if (same(*name, g->labels[i].key) && len <= VALUE_MAX &&
		    same((span){text, len}, g->labels[i].value))
			*found |= UINT64_C(1) << i;
	return 0;
}

static int take_labels(page *g, uint64_t *found)
{
	span names[LABELS_MAX];
	size_t count = 0;
	g->p++;
	for (;;) {
		skip_blanks(g);
		if (g->p < g->end && *g->p == '}') break;
		if (count == LABELS_MAX) return bad(g, "too many labels");
		if (take_label(g, &names[count], found)) return -1;
		for (size_t i = 0; i < count; i++)
			if (names[i].n == names[count].n && memcmp(names[i].s, names[count].s, names[i].n) == 0)
				return bad(g, "a label twice in one series");
		count++;
		skip_blanks(g);
		if (g->p < g->end && *g->p == ',') {
			g->p++;
			continue;
		}
		if (g->p == g->end || *g->p != '}') return bad(g, "',' or '}' was expected");
	}
	g->p++;
	return 0;
}

static bool timestamp_ok(span t)
{
	size_t i = t.n > 0 && (t.s[0] == '-' || t.s[0] == '+') ? 1 : 0;
	if (t.n == i || t.n - i > 18) return false;
	while (i < t.n && t.s[i] >= '0' && t.s[i] <= '9') i++;
	return i == t.n;
}

static int sample(page *g)
{
	uint64_t found = 0;
	double x;
	span name = take_name(g, true);
	if (name.n == 0) return bad(g, "a metric name was expected");
	skip_blanks(g);
	bool joined = g->p == name.s + name.n && g->p < g->end;
	if (g->p < g->end && *g->p == '{') {
		if (take_labels(g, &found)) return -1;
		joined = false;
	}
	if (joined) return bad(g, "a bad character in a metric name");
	skip_blanks(g);
	span value = take_word(g);
	if (!wr_number_parse(value.s, value.n, &x)) return bad(g, "the value is not a number");
	skip_blanks(g);
	if (g->p < g->end && !timestamp_ok(take_word(g)))
		return bad(g, "the timestamp is not a number");
	skip_blanks(g);
	if (g->p < g->end) return bad(g, "something after the timestamp");
	if (!same(name, g->metric)) return 0;
	g->named++;
	if (found != (UINT64_C(1) << g->label_count) - 1) return 0;
	g->matched++;
	g->sum += x;
	return 0;
}

int wr_pick_prom(const char *body, size_t len, const char *metric, const wr_pair *labels,
                 size_t label_count, wr_value *out, char *why, wr_err *err)
{
	page g = {.metric = metric, .labels = labels, .label_count = label_count, .err = err};
	*out = (wr_value){.type = WR_V_NONE};
	if (label_count >= 64) return wr_fail(err, WR_E_LIMIT, "more than 63 labels to match");
	for (const char *next = body, *end = body + len; next < end;) {
		g.p = next;
		g.end = memchr(next, '\n', (size_t)(end - next));
		g.line++;
		if (!g.end) return bad(&g, "the last line is cut off");
		next = g.end + 1;
		skip_blanks(&g);
		if (g.p < g.end && (*g.p == '#' ? comment(&g) : sample(&g))) return -1;
	}
	if (g.matched)
		wr_value_number(out, g.sum, why);
	else if (g.named)
		wr_value_none(out, why, "no series of %s with these labels (%zu others)", metric, g.named);
	else
		wr_value_none(out, why, "no series of %s", metric);
	return 0;
}
