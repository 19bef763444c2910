/* extract_json.c: a value out of a JSON body, by RFC 6901 pointer. Pure.
 *
 * An array counts: its length is the value, and what its items are called is kept (receipts at
 * risk). A name is one line without commas, so that nobody can forge a second one. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "warroom/json.h"
#include "warroom/text.h"
#include "watch/extract.h"

#define MORE "…"

/* parse_lenient reads a body again with integers beyond int64 as doubles: a counter of uint64 in
 * a corner of the page must not make the rest unreadable. Only for text that wr_json_parse found to
 * be within its depth. */
static json_t *parse_lenient(const char *body, size_t len)
{
	return json_loadb(body, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL,
	                  NULL);
}

static json_t *parse(const char *body, size_t len, wr_err *err)
{
	wr_err local = {0};
	json_t *root = wr_json_parse(body, len, &local);
	if (!root && local.code == WR_E_INVALID) root = parse_lenient(body, len);
	if (!root && err) *err = local;
	return root;
}

static bool item_name(const json_t *item, char *out, size_t size)
{
	const json_t *id = item;
	if (json_is_object(item)) {
		id = json_object_get(item, "id");
		if (!id) id = json_object_get(item, "receipt_id");
	} else if (!json_is_string(item)) {
		return false;
	}
	if (json_is_string(id))
		(void)wr_sanitise_to(out, size, json_string_value(id));
	else if (json_is_integer(id))
		(void)snprintf(out, size, "%" JSON_INTEGER_FORMAT, json_integer_value(id));
	else if (json_is_real(id))
		(void)snprintf(out, size, "%.0f", json_real_value(id));
	else
		return false;
	for (char *p = out; (p = strchr(p, ',')) != NULL;) *p = ';';
	return out[0] != '\0';
}

static void collect_names(const json_t *array, char *names, size_t size)
{
	char name[128];
	size_t len = 0;
	for (size_t i = 0; i < json_array_size(array); i++) {
		if (!item_name(json_array_get(array, i), name, sizeof name)) continue;
		size_t n = strlen(name), comma = len > 0 ? 1 : 0;
		bool last = i + 1 == json_array_size(array);
		if (len + comma + n + (last ? 0 : 1 + sizeof MORE - 1) >= size) {
			if (len + comma + sizeof MORE <= size)
				(void)snprintf(names + len, size - len, "%s%s", comma ? "," : "", MORE);
			return;
		}
		(void)snprintf(names + len, size - len, "%s%s", comma ? "," : "", name);
		len += comma + n;
	}
}

int wr_pick_json(const char *body, size_t len, const char *pointer, wr_value *out, char *names,
                 size_t names_size, char *why, wr_err *err)
{
	*out = (wr_value){.type = WR_V_NONE};
	if (names_size) names[0] = '\0';
	json_t *root = parse(body, len, err);
	if (!root) return -1;
	const json_t *v = wr_json_get(root, pointer);
	if (!v) {
		wr_value_none(out, why, "no %s in the body", pointer);
	} else if (json_is_number(v)) {
		wr_value_number(out, json_number_value(v), why);
	} else if (json_is_boolean(v)) {
		*out = (wr_value){.type = WR_V_BOOL, .truth = json_is_true(v)};
	} else if (json_is_string(v)) {
		out->type = WR_V_STR;
		(void)wr_sanitise_to(out->str, sizeof out->str, json_string_value(v));
	} else if (json_is_array(v)) {
		*out = (wr_value){.type = WR_V_NUM, .num = (double)json_array_size(v)};
		if (names_size) collect_names(v, names, names_size);
	} else {
		wr_value_none(out, why, "%s is %s", pointer[0] ? pointer : "the body",
		              json_is_null(v) ? "null" : "an object");
	}
	json_decref(root);
	return 0;
}
