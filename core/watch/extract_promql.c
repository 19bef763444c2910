/* extract_promql.c: a value out of the answer of Prometheus' /api/v1/query. Pure.
 *
 * A signal is one number: a scalar, or a vector of exactly one series. More than one is a query
 * that forgot to aggregate, and picking one of them would be a guess. */
#include <stdio.h>
#include <string.h>

#include "warroom/json.h"
#include "warroom/text.h"
#include "watch/extract.h"

/* [ time, "text" ] */
static int pick_pair(const json_t *pair, wr_value *out, char *why, wr_err *err)
{
	const json_t *text = json_array_get(pair, 1);
	double x;
	if (json_array_size(pair) != 2 || !json_is_string(text))
		return wr_fail(err, WR_E_INVALID, "a sample is not [time, \"value\"]");
	if (!wr_number_parse(json_string_value(text), json_string_length(text), &x)) {
		char shown[64];
		return wr_fail(err, WR_E_INVALID, "a sample's value is no number: \"%s\"",
		               wr_sanitise_to(shown, sizeof shown, json_string_value(text)));
	}
	wr_value_number(out, x, why);
	return 0;
}

static int pick_vector(const json_t *result, wr_value *out, char *why, wr_err *err)
{
	if (!json_is_array(result)) return wr_fail(err, WR_E_INVALID, "the result is not an array");
	size_t n = json_array_size(result);
	if (n != 1) {
		if (n == 0)
			wr_value_none(out, why, "no series");
		else
			wr_value_none(out, why, "%zu series instead of one: aggregate in the query", n);
		return 0;
	}
	const json_t *series = json_array_get(result, 0);
	if (!json_object_get(series, "value") && json_object_get(series, "histogram")) {
		wr_value_none(out, why, "a native histogram, not a number");
		return 0;
	}
	return pick_pair(json_object_get(series, "value"), out, why, err);
}

static int pick_answer(const json_t *root, wr_value *out, char *why, wr_err *err)
{
	const char *status = wr_json_str(root, "status", "");
	if (strcmp(status, "error") == 0) {
		char type[48], text[200];
		return wr_fail(err, WR_E_UNAVAILABLE, "the query failed: %s: %s",
		               wr_sanitise_to(type, sizeof type, wr_json_str(root, "errorType", "?")),
		               wr_sanitise_to(text, sizeof text, wr_json_str(root, "error", "?")));
	}
	if (strcmp(status, "success") != 0)
		return wr_fail(err, WR_E_INVALID, "not an answer of a Prometheus query: no status");
	const json_t *data = json_object_get(root, "data");
	const json_t *result = json_object_get(data, "result");
	const char *type = wr_json_str(data, "resultType", "");
	if (strcmp(type, "vector") == 0) return pick_vector(result, out, why, err);
	if (strcmp(type, "scalar") == 0) return pick_pair(result, out, why, err);
	char shown[48];
	(void)wr_sanitise_to(shown, sizeof shown, type[0] ? type : "nothing");
	wr_value_none(out, why, "the query gives a %s, not a scalar or an instant vector", shown);
	return 0;
}

int wr_pick_promql(const char *body, size_t len, wr_value *out, char *why, wr_err *err)
{
	*out = (wr_value){.type = WR_V_NONE};
	json_t *root = wr_json_parse(body, len, err);
	if (!root) return -1;
	int rc = pick_answer(root, out, why, err);
	json_decref(root);
	return rc;
}
