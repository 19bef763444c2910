/* fuzz_canon.c: the canonical checker against a second opinion.
 *
 * The checker accepts a text if and only if it is an object which, parsed and written again in
 * canonical form, gives the same bytes. */
#include "fuzz.h"

#include <string.h>

#include "warroom/json.h"

#define OUTPUT_MAX (8u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	wr_err err;
	bool accepted = wr_canon_check(text, size, &err) == 0;
	bool same = false;
	json_t *value = wr_json_parse(text, size, &err);
	if (json_is_object(value)) {
		wr_buf again = WR_BUF_INIT(OUTPUT_MAX);
		same = wr_canon_write(&again, value, &err) == 0 && again.len == size &&
		       memcmp(again.data, text, size) == 0;
		wr_buf_free(&again);
	}
	json_decref(value);
	WR_ASSERT(accepted == same);
	return 0;
}
