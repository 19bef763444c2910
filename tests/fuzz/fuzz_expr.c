/* fuzz_expr.c: conditions: whatever parses evaluates, and its negation is its negation. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "warroom/expr.h"

static const wr_expr_vars SAMPLES[] = {
    {.latency_ms = -1, .exit_code = -1, .age_s = -1},
    {.latency_ms = -1, .exit_code = -1, .age_s = -1, .error = true},
    {.value = {.type = WR_V_NUM, .num = 10.5}, .status = 200, .latency_ms = 12, .age_s = 3},
    {.value = {.type = WR_V_BOOL, .truth = true}, .status = 503, .exit_code = 1},
    {.value = {.type = WR_V_STR, .str = "streaming"}, .latency_ms = 30000, .age_s = 0},
};

static wr_truth negation(wr_truth t)
{
	return t == WR_UNKNOWN ? t : t == WR_TRUE ? WR_FALSE : WR_TRUE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	wr_err err;
	char text[WR_STR_MAX + 8], inverse[sizeof text + 8];
	if (size >= sizeof text) size = sizeof text - 1;
	memcpy(text, data, size);
	text[size] = '\0';
	wr_expr *e = wr_expr_parse(text, &err);
	if (e == NULL) {
		WR_ASSERT(err.msg[0] != '\0');
		return 0;
	}
	snprintf(inverse, sizeof inverse, "not (%s)", text);
	wr_expr *not_e = wr_expr_parse(inverse, &err); /* may be too deep or too long */
	for (size_t i = 0; i < sizeof SAMPLES / sizeof SAMPLES[0]; i++) {
		wr_truth t = wr_expr_eval(e, &SAMPLES[i]);
		WR_ASSERT(t == WR_FALSE || t == WR_TRUE || t == WR_UNKNOWN);
		if (not_e != NULL) WR_ASSERT(wr_expr_eval(not_e, &SAMPLES[i]) == negation(t));
	}
	wr_expr_free(not_e);
	wr_expr_free(e);
	return 0;
}
