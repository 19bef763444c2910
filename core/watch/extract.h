/* extract.h: from a body to a value, with the reason when there is none. Pure.
 *
 * The three extractors of watch.h are these, without `why`. 0: *out is a value, or WR_V_NONE and
 * `why` says what was there instead ("NaN", "no /p95_ms in the body"); -1: the body is not what it
 * claims to be, *err says where. `why` is WR_WHY_LEN bytes and sanitised. */
#ifndef WARROOM_WATCH_EXTRACT_H
#define WARROOM_WATCH_EXTRACT_H

#include "warroom/watch.h"

#define WR_WHY_LEN 160

WR_CHECKED int wr_pick_json(const char *body, size_t len, const char *pointer, wr_value *out,
                            char *names, size_t names_size, char *why, wr_err *err);
WR_CHECKED int wr_pick_prom(const char *body, size_t len, const char *metric, const wr_pair *labels,
                            size_t label_count, wr_value *out, char *why, wr_err *err);
WR_CHECKED int wr_pick_promql(const char *body, size_t len, wr_value *out, char *why, wr_err *err);

/* wr_number_parse reads a decimal number, NaN, Inf, +Inf or -Inf (any case) that fills [s, s+n),
 * whatever the locale. */
WR_CHECKED bool wr_number_parse(const char *s, size_t n, double *out);
/* wr_value_number: a finite number, else WR_V_NONE and why. */
void wr_value_number(wr_value *out, double x, char *why);
void wr_value_none(wr_value *out, char *why, const char *fmt, ...) WR_PRINTF(3, 4);

#endif
