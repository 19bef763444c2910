/* fuzz_promql.c: a hostile Prometheus: no crash, and a finite number, a reason, or an error. */
#include "fuzz.h"

#include <math.h>

#include "watch/extract.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	wr_value v;
	wr_err err = {0};
	char why[WR_WHY_LEN] = "";
	if (wr_pick_promql((const char *)data, size, &v, why, &err)) {
		WR_ASSERT(err.code != WR_E_OK && err.msg[0]);
		return 0;
	}
	if (v.type == WR_V_NUM)
		WR_ASSERT(isfinite(v.num));
	else
		WR_ASSERT(v.type == WR_V_NONE && why[0]);
	return 0;
}
