/* expr.h: the small condition language of breach_when, until, need and fail_when. Pure.
 *
 *   expr  = and { "or" and } ; and = not { "and" not } ; not = [ "not" ] cmp
 *   cmp   = term [ ( "<" | "<=" | ">" | ">=" | "==" | "!=" ) term ]
 *   term  = number [ unit ] | 'text' | "text" | true | false | name | "(" expr ")"
 *   unit  = ms s m h d (to milliseconds for names ending in _ms, to seconds otherwise) | %
 * (ignored) Names: value, status, latency_ms, error (truth: the probe itself failed), exit_code,
 * age_s. Three-valued (Kleene): a comparison with missing data is UNKNOWN, not false. A bare name
 * is true when it is a true truth or a non-zero number. */
#ifndef WARROOM_EXPR_H
#define WARROOM_EXPR_H

#include "warroom/err.h"
#include "warroom/value.h"

typedef struct wr_expr wr_expr; /* immutable after parsing; shareable between threads */

typedef enum wr_truth { WR_FALSE, WR_TRUE, WR_UNKNOWN } wr_truth;

typedef struct wr_expr_vars {
	wr_value value;
	int64_t status;     /* HTTP; 0: none */
	int64_t latency_ms; /* -1: none */
	int64_t exit_code;  /* -1: none */
	int64_t age_s;      /* of the sample; -1: none */
	bool error;         /* the probe failed (connection, timeout, bad body) */
} wr_expr_vars;

WR_CHECKED wr_expr *wr_expr_parse(const char *text, wr_err *err); /* error gives the column */
void wr_expr_free(wr_expr *e);
wr_truth wr_expr_eval(const wr_expr *e, const wr_expr_vars *vars);
const char *wr_expr_text(const wr_expr *e); /* as written */

#endif
