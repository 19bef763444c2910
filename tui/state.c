/* state.c: see state.h. */
#include "state.h"

#include <string.h>

#include "warroom/json.h"

bool is(const json_t *obj, const char *key, const char *value)
{
	return !strcmp(wr_json_str(obj, key, ""), value);
}

const json_t *step_in(const json_t *op, const char *state, const char *kind)
{
	size_t i;
	json_t *st;
	json_array_foreach (json_object_get(op, "steps"), i, st)
		if (is(st, "state", state) && (!kind || is(st, "kind", kind))) return st;
	return NULL;
}
