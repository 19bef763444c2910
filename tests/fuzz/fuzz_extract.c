/* fuzz_extract.c: a value out of hostile JSON, its text and names harmless and within bounds.
 *
 * The first byte sets the room for names, the first line is the pointer, the rest the body. */
#include "fuzz.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "warroom/text.h"
#include "watch/extract.h"

static void check_harmless(const char *s)
{
	char again[1024];
	WR_ASSERT(strcmp(s, wr_sanitise_to(again, sizeof again, s)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0) return 0;
	size_t names_size = data[0] + 1u;
	const char *text = (const char *)data + 1;
	size--;
	const char *newline = size ? memchr(text, '\n', size) : NULL;
	char *pointer = newline ? strndup(text, (size_t)(newline - text)) : strdup("");
	char *names = malloc(names_size);
	WR_ASSERT(pointer && names);
	if (newline) {
		size -= (size_t)(newline + 1 - text);
		text = newline + 1;
	}
	wr_value v;
	wr_err err = {0};
	char why[WR_WHY_LEN] = "";
	if (wr_pick_json(text, size, pointer, &v, names, names_size, why, &err)) {
		WR_ASSERT(err.code != WR_E_OK && err.msg[0]);
	} else {
		WR_ASSERT(strlen(names) < names_size);
		check_harmless(names);
		check_harmless(why);
		if (v.type == WR_V_NUM) WR_ASSERT(isfinite(v.num));
		if (v.type == WR_V_STR) check_harmless(v.str);
		if (v.type == WR_V_NONE) WR_ASSERT(why[0]);
	}
	free(names);
	free(pointer);
	return 0;
}
