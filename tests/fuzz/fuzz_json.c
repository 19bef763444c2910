/* fuzz_json.c: what parses can be written, read again, and looked into.
 *
 * The first line of the input, if there is one, is used as a JSON pointer into the rest. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "warroom/json.h"

#define OUTPUT_MAX (8u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *newline = size ? memchr(text, '\n', size) : NULL;
	char *pointer = newline ? strndup(text, (size_t)(newline - text)) : NULL;
	if (newline) {
		size -= (size_t)(newline + 1 - text);
		text = newline + 1;
	}
	wr_err err;
	json_t *value = wr_json_parse(text, size, &err);
	if (value) {
		(void)wr_json_get(value, pointer ? pointer : "");
		wr_buf out = WR_BUF_INIT(OUTPUT_MAX);
		wr_json_dump(&out, value);
		WR_ASSERT(wr_buf_ok(&out));
		json_t *again = wr_json_parse(out.data, out.len, &err);
		WR_ASSERT(again && json_equal(value, again));
		json_decref(again);
		wr_buf_free(&out);
	}
	json_decref(value);
	free(pointer);
	return 0;
}
