/* expr.c: the condition language: a recursive-descent parser into a flat node array, and a
 * three-valued evaluator. Pure; a parsed expression is immutable and shareable between threads.
 *
 * Texts of literals are slices of the expression's own copy of its source. */
#include "warroom/expr.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/names.h"
#include "warroom/text.h"

#define NODES_MAX 256 /* an expression that a person can read has a dozen */
#define DEPTH_MAX 32

typedef enum node_kind { N_NUM, N_STR, N_BOOL, N_NAME, N_CMP, N_AND, N_OR, N_NOT } node_kind;
typedef enum cmp_op { OP_LT, OP_LE, OP_GT, OP_GE, OP_EQ, OP_NE } cmp_op;
typedef enum name_id {
	NAME_VALUE,
	NAME_STATUS,
	NAME_LATENCY_MS,
	NAME_ERROR,
	NAME_EXIT_CODE,
	NAME_AGE_S,
	NAME_COUNT
} name_id;
static const char *const NAMES[NAME_COUNT] = {"value", "status",    "latency_ms",
                                              "error", "exit_code", "age_s"};

typedef struct node {
	node_kind kind;
	int op;             /* cmp_op or name_id */
	bool is_duration;   /* N_NUM with a time unit: `num` is milliseconds until compared */
	bool truth;         /* N_BOOL */
	size_t left, right; /* children; N_STR: offset and length in the text */
	double num;
} node;

struct wr_expr {
	char *text;
	size_t root, count;
	node nodes[]; /* NODES_MAX while parsing, then `count` */
};

typedef struct parser {
	wr_expr *e;
	size_t pos;
	int depth;
	wr_err *err;
} parser;

static int parse_or(parser *p, size_t *out);

static void skip_blanks(parser *p)
{
	while (p->e->text[p->pos] == ' ' || p->e->text[p->pos] == '\t' || p->e->text[p->pos] == '\n')
		p->pos++;
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int fail_at(const parser *p, size_t pos, const char *what)
{
	char near[24];
	wr_sanitise_to(near, sizeof near, p->e->text + pos);
	if (near[0] == '\0')
		return wr_fail(p->err, WR_E_INVALID, "column %zu: %s, but the expression ends here",
		               pos + 1, what);
	return wr_fail(p->err, WR_E_INVALID, "column %zu: %s, found \"%s\"", pos + 1, what, near);
}

static int add(parser *p, node n, size_t *out)
{
	wr_expr *e = p->e;
	if (e->count == NODES_MAX)
		return wr_fail(p->err, WR_E_LIMIT, "column %zu: too long an expression (over %d terms)",
		               p->pos + 1, NODES_MAX);
	e->nodes[e->count] = n;
	*out = e->count++;
	return 0;
}

static bool accept_word(parser *p, const char *word)
{
	skip_blanks(p);
	size_t n = strlen(word);
	const char *s = p->e->text + p->pos;
	if (strncmp(s, word, n) != 0 || is_word(s[n])) return false;
	p->pos += n;
	return true;
}

/* Own number reader: strtod follows the locale's decimal point. Up to 15 digits are exact. */
static int parse_number(parser *p, size_t *out)
{
	static const struct {
		const char *name;
		double ms;
	} units[] = {{"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}};
	const char *text = p->e->text;
	size_t start = p->pos;
	bool negative = text[p->pos] == '-';
	if (negative) p->pos++;
	double mantissa = 0, scale = 1;
	int digits = 0;
	for (; is_digit(text[p->pos]); p->pos++, digits++)
		mantissa = mantissa * 10 + text[p->pos] - '0';
	if (digits == 0) return fail_at(p, start, "expected a number");
	if (text[p->pos] == '.') {
		p->pos++;
		if (!is_digit(text[p->pos])) return fail_at(p, p->pos, "expected a digit after the point");
		for (; is_digit(text[p->pos]); p->pos++, digits++) {
			mantissa = mantissa * 10 + text[p->pos] - '0';
			scale *= 10;
		}
	}
	if (digits > 15) return fail_at(p, start, "expected a number of at most 15 digits");
	node n = {.kind = N_NUM, .num = (negative ? -mantissa : mantissa) / scale};
	if (text[p->pos] == '%') {
		p->pos++;
	} else if (is_word(text[p->pos])) {
		size_t u = 0;
		while (u < sizeof units / sizeof units[0] && !accept_word(p, units[u].name)) u++;
		if (u == sizeof units / sizeof units[0])
			return fail_at(p, p->pos, "expected a unit (ms, s, m, h, d or %)");
		n.is_duration = true;
		n.num *= units[u].ms;
	}
	return add(p, n, out);
}

static int parse_string(parser *p, size_t *out)
{
	const char *text = p->e->text;
	size_t start = p->pos;
	const char *end = strchr(text + start + 1, text[start]);
	if (end == NULL) return fail_at(p, start, "this text has no closing quote");
	size_t len = (size_t)(end - (text + start + 1));
	if (len >= sizeof((wr_value *)NULL)->str)
		return fail_at(p, start, "a text longer than 127 bytes never matches");
	p->pos = start + len + 2;
	return add(p, (node){.kind = N_STR, .left = start + 1, .right = len}, out);
}

static int parse_name(parser *p, size_t *out)
{
	const char *s = p->e->text + p->pos;
	size_t len = 0;
	while (is_word(s[len])) len++;
	for (int i = 0; i < NAME_COUNT; i++) {
		if (strlen(NAMES[i]) == len && memcmp(NAMES[i], s, len) == 0) {
			p->pos += len;
			return add(p, (node){.kind = N_NAME, .op = i}, out);
		}
	}
	char word[WR_NAME_MAX + 1];
	if (len >= sizeof word) len = sizeof word - 1;
	memcpy(word, s, len);
	word[len] = '\0';
	const char *near = wr_nearest(word, NAMES, NAME_COUNT);
	return wr_fail(p->err, WR_E_INVALID,
	               "column %zu: unknown name \"%s\"%s%s%s (there are value, status, latency_ms, "
	               "error, exit_code, age_s)",
	               p->pos + 1, word, near ? ": did you mean " : "", near ? near : "",
	               near ? "?" : "");
}

static int parse_term(parser *p, size_t *out)
{
	skip_blanks(p);
	char c = p->e->text[p->pos];
	if (c == '(') {
		if (++p->depth > DEPTH_MAX)
			return wr_fail(p->err, WR_E_LIMIT, "column %zu: too many nested parentheses",
			               p->pos + 1);
		p->pos++;
		if (parse_or(p, out) != 0) return -1;
		skip_blanks(p);
		if (p->e->text[p->pos] != ')') return fail_at(p, p->pos, "expected \")\"");
		p->pos++;
		p->depth--;
		return 0;
	}
	if (c == '\'' || c == '"') return parse_string(p, out);
	if (is_digit(c) || c == '-') return parse_number(p, out);
	if (accept_word(p, "true")) return add(p, (node){.kind = N_BOOL, .truth = true}, out);
	if (accept_word(p, "false")) return add(p, (node){.kind = N_BOOL}, out);
	if (is_word(c) && !accept_word(p, "and") && !accept_word(p, "or") && !accept_word(p, "not"))
		return parse_name(p, out);
	return fail_at(p, p->pos, "expected a name, a number or a text");
}

static int accept_op(parser *p)
{
	static const struct {
		const char *text;
		cmp_op op;
	} ops[] = {{"<=", OP_LE}, {">=", OP_GE}, {"==", OP_EQ},
	           {"!=", OP_NE}, {"<", OP_LT},  {">", OP_GT}};
	skip_blanks(p);
	const char *s = p->e->text + p->pos;
	for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
		size_t n = strlen(ops[i].text);
		if (strncmp(s, ops[i].text, n) == 0) {
			p->pos += n;
			return (int)ops[i].op;
		}
	}
	return -1;
}

/* A duration becomes milliseconds beside a name ending in _ms, and seconds everywhere else. */
static void settle_unit(wr_expr *e, size_t literal, size_t other)
{
	node *n = &e->nodes[literal];
	if (n->kind != N_NUM || !n->is_duration) return;
	const node *o = &e->nodes[other];
	if (o->kind != N_NAME || o->op != NAME_LATENCY_MS) n->num /= 1000;
	n->is_duration = false;
}

static int parse_cmp(parser *p, size_t *out)
{
	skip_blanks(p);
	size_t start = p->pos, left, right;
	if (parse_term(p, &left) != 0) return -1;
	size_t op_pos = p->pos;
	int op = accept_op(p);
	if (op < 0) {
		node_kind kind = p->e->nodes[left].kind;
		if (kind == N_NUM || kind == N_STR)
			return fail_at(p, start, "a number or text alone is no condition");
		if (p->e->text[p->pos] == '=') return fail_at(p, p->pos, "a comparison is written ==");
		*out = left;
		return 0;
	}
	if (parse_term(p, &right) != 0) return -1;
	wr_expr *e = p->e;
	if ((e->nodes[left].kind == N_STR || e->nodes[right].kind == N_STR) && op < OP_EQ)
		return fail_at(p, op_pos, "texts can only be compared with == and !=");
	settle_unit(e, left, right);
	settle_unit(e, right, left);
	return add(p, (node){.kind = N_CMP, .op = op, .left = left, .right = right}, out);
}

static int parse_not(parser *p, size_t *out)
{
	bool negate = accept_word(p, "not");
	if (parse_cmp(p, out) != 0) return -1;
	return negate ? add(p, (node){.kind = N_NOT, .left = *out}, out) : 0;
}

static int parse_and(parser *p, size_t *out)
{
	if (parse_not(p, out) != 0) return -1;
	while (accept_word(p, "and")) {
		size_t right;
		if (parse_not(p, &right) != 0) return -1;
		if (add(p, (node){.kind = N_AND, .left = *out, .right = right}, out) != 0) return -1;
	}
	return 0;
}

static int parse_or(parser *p, size_t *out)
{
	if (parse_and(p, out) != 0) return -1;
	while (accept_word(p, "or")) {
		size_t right;
		if (parse_and(p, &right) != 0) return -1;
		if (add(p, (node){.kind = N_OR, .left = *out, .right = right}, out) != 0) return -1;
	}
	return 0;
}

wr_expr *wr_expr_parse(const char *text, wr_err *err)
{
	size_t len = strlen(text);
	if (len > WR_STR_MAX) {
		wr_fail(err, WR_E_LIMIT, "the expression is longer than %d bytes", WR_STR_MAX);
		return NULL;
	}
	wr_expr *e = calloc(1, sizeof *e + NODES_MAX * sizeof(node));
	if (e == NULL || (e->text = strdup(text)) == NULL) {
		wr_fail(err, WR_E_NOMEM, "out of memory");
		free(e);
		return NULL;
	}
	parser p = {.e = e, .err = err};
	int rc = parse_or(&p, &e->root);
	if (rc == 0) {
		skip_blanks(&p);
		if (e->text[p.pos] != '\0') rc = fail_at(&p, p.pos, "expected \"and\", \"or\" or the end");
	}
	if (rc != 0) {
		wr_expr_free(e);
		return NULL;
	}
	wr_expr *fit = realloc(e, sizeof *e + e->count * sizeof(node));
	if (fit == NULL) fit = e;
	return fit;
}

void wr_expr_free(wr_expr *e)
{
	if (e == NULL) return;
	free(e->text);
	free(e);
}

const char *wr_expr_text(const wr_expr *e)
{
	return e->text;
}

/* ---- evaluation ---- */

/* What a node stands for while it is evaluated; `str` is not copied. */
typedef struct operand {
	wr_value_type type;
	double num;
	bool truth;
	const char *str;
	size_t len;
} operand;

static wr_truth eval(const wr_expr *e, size_t at, const wr_expr_vars *vars);

static operand from_int(int64_t v, int64_t none)
{
	if (v == none) return (operand){.type = WR_V_NONE};
	return (operand){.type = WR_V_NUM, .num = (double)v};
}

static operand from_name(int name, const wr_expr_vars *vars)
{
	switch ((name_id)name) {
	case NAME_STATUS:
		return from_int(vars->status, 0);
	case NAME_LATENCY_MS:
		return from_int(vars->latency_ms, -1);
	case NAME_EXIT_CODE:
		return from_int(vars->exit_code, -1);
	case NAME_AGE_S:
		return from_int(vars->age_s, -1);
	case NAME_ERROR:
		return (operand){.type = WR_V_BOOL, .truth = vars->error};
	case NAME_VALUE:
	case NAME_COUNT:
		break;
	}
	const wr_value *v = &vars->value;
	if (v->type == WR_V_NUM && !isfinite(v->num)) return (operand){.type = WR_V_NONE};
	return (operand){.type = v->type,
	                 .num = v->num,
	                 .truth = v->truth,
	                 .str = v->str,
	                 .len = v->type == WR_V_STR ? strnlen(v->str, sizeof v->str) : 0};
}

static operand operand_of(const wr_expr *e, size_t at, const wr_expr_vars *vars)
{
	const node *n = &e->nodes[at];
	switch (n->kind) {
	case N_NUM:
		return (operand){.type = WR_V_NUM, .num = n->num};
	case N_STR:
		return (operand){.type = WR_V_STR, .str = e->text + n->left, .len = n->right};
	case N_BOOL:
		return (operand){.type = WR_V_BOOL, .truth = n->truth};
	case N_NAME:
		return from_name(n->op, vars);
	case N_CMP:
	case N_AND:
	case N_OR:
	case N_NOT:
		break;
	}
	wr_truth t = eval(e, at, vars);
	if (t == WR_UNKNOWN) return (operand){.type = WR_V_NONE};
	return (operand){.type = WR_V_BOOL, .truth = t == WR_TRUE};
}

static wr_truth known(bool b)
{
	return b ? WR_TRUE : WR_FALSE;
}

static wr_truth compare_num(double a, cmp_op op, double b)
{
	switch (op) {
	case OP_LT:
		return known(a < b);
	case OP_LE:
		return known(a <= b);
	case OP_GT:
		return known(a > b);
	case OP_GE:
		return known(a >= b);
	case OP_EQ:
		return known(a == b);
	case OP_NE:
		return known(a != b);
	}
	return WR_UNKNOWN;
}

/* A number beside a truth counts as a truth (Prometheus has no other), so `value == true` holds
 * for 1. Other mixtures are UNKNOWN: data of the wrong kind is no data. */
static wr_truth compare(operand a, cmp_op op, operand b)
{
	if (a.type == WR_V_NONE || b.type == WR_V_NONE) return WR_UNKNOWN;
	if (a.type == WR_V_NUM && b.type == WR_V_NUM) return compare_num(a.num, op, b.num);
	if (op != OP_EQ && op != OP_NE) return WR_UNKNOWN;
	bool same;
	if (a.type == WR_V_STR || b.type == WR_V_STR) {
		if (a.type != b.type) return WR_UNKNOWN;
		same = a.len == b.len && memcmp(a.str, b.str, a.len) == 0;
	} else {
		bool x = a.type == WR_V_NUM ? a.num != 0 : a.truth;
		bool y = b.type == WR_V_NUM ? b.num != 0 : b.truth;
		same = x == y;
	}
	return known(same == (op == OP_EQ));
}

static wr_truth eval(const wr_expr *e, size_t at, const wr_expr_vars *vars)
{
	const node *n = &e->nodes[at];
	wr_truth a, b;
	operand v;
	switch (n->kind) {
	case N_AND:
		a = eval(e, n->left, vars);
		if (a == WR_FALSE) return WR_FALSE;
		b = eval(e, n->right, vars);
		if (b == WR_FALSE) return WR_FALSE;
		return a == WR_TRUE && b == WR_TRUE ? WR_TRUE : WR_UNKNOWN;
	case N_OR:
		a = eval(e, n->left, vars);
		if (a == WR_TRUE) return WR_TRUE;
		b = eval(e, n->right, vars);
		if (b == WR_TRUE) return WR_TRUE;
		return a == WR_FALSE && b == WR_FALSE ? WR_FALSE : WR_UNKNOWN;
	case N_NOT:
		a = eval(e, n->left, vars);
		return a == WR_UNKNOWN ? a : known(a == WR_FALSE);
	case N_CMP:
		return compare(operand_of(e, n->left, vars), (cmp_op)n->op, operand_of(e, n->right, vars));
	case N_NUM:
	case N_STR:
	case N_BOOL:
	case N_NAME:
		break;
	}
	v = operand_of(e, at, vars);
	if (v.type == WR_V_NUM) return known(v.num != 0);
	return v.type == WR_V_BOOL ? known(v.truth) : WR_UNKNOWN;
}

wr_truth wr_expr_eval(const wr_expr *e, const wr_expr_vars *vars)
{
	return eval(e, e->root, vars);
}
