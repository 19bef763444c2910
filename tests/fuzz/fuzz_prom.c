/* fuzz_prom.c: a hostile metrics page: no crash, and a value or a reason, never neither.
 *
 * The first line of the input is the metric; a label that half of the corpus has is matched too. */
#include "fuzz.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "watch/extract.h"

static void check(const char *metric, const char *page, size_t size, const wr_pair *labels,
                  size_t count)
{
	wr_value v;
	wr_err err = {0};
	char why[WR_WHY_LEN] = "";
	if (wr_pick_prom(page, size, metric, labels, count, &v, why, &err)) {
		WR_ASSERT(err.code != WR_E_OK && err.msg[0]);
		WR_ASSERT(v.type == WR_V_NONE);
		return;
	}
	WR_ASSERT(v.type == WR_V_NUM || v.type == WR_V_NONE);
	if (v.type == WR_V_NUM)
		WR_ASSERT(isfinite(v.num));
	else
		WR_ASSERT(why[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *newline = size ? memchr(text, '\n', size) : NULL;
	if (!newline) {
		check("up", text, size, NULL, 0);
		return 0;
	}
	size_t first = (size_t)(newline - text);
	char *metric = strndup(text, first < WR_STR_MAX ? first : WR_STR_MAX);
	WR_ASSERT(metric);
	const wr_pair label = {"job", "api"};
	/* An exact copy: a read past the end must be seen. */
	size_t rest = size - first - 1;
	char *page = malloc(rest ? rest : 1);
	WR_ASSERT(page);
	memcpy(page, newline + 1, rest);
	check(metric, page, rest, NULL, 0);
	check(metric, page, rest, &label, 1);
	free(page);
	free(metric);
	return 0;
}
