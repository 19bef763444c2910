/* page.c: texts of the page view. */
#include "screen/page.h"

#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 128

/* A guard table inside a receipt: a row a guard. false when it is none. */
static bool add_table(wr_buf *out, const char *key, const char *text)
{
	wr_err err = {0};
	json_t *rows = strcmp(key, "table") ? NULL : wr_json_parse(text, strlen(text), &err), *row;
	size_t i;
	json_array_foreach (rows, i, row)
		wr_buf_addf(out, "%-22s  %-12s  %-16s  %s\n", i ? "" : key, wr_json_str(row, "verdict", ""),
		            wr_json_str(row, "name", ""), wr_json_str(row, "observed", ""));
	bool table = json_array_size(rows) > 0;
	json_decref(rows);
	return table;
}

static void add_field(wr_buf *out, const char *key, const json_t *value)
{
	if (json_is_string(value) && add_table(out, key, json_string_value(value))) return;
	wr_buf_addf(out, "%-22s  ", key);
	if (json_is_string(value))
		wr_buf_adds(out, json_string_value(value));
	else
		wr_json_dump(out, value);
	wr_buf_addc(out, '\n');
}

static int by_name(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;
	return strcmp(*x, *y);
}

static bool among(const char *key, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(key, *list)) return true;
	return false;
}

void page_receipt(wr_buf *out, const json_t *answer)
{
	static const char *const head[] = {"operation", "seq",          "timestamp", "actor",
	                                   "incident",  "operation_id", NULL},
	                         *const foot[] = {"chain",     "epoch", "v", "receipt_id",
	                                          "prev_hash", "hash",  NULL};
	const json_t *r = json_array_get(json_object_get(answer, "receipts"), 0);
	const char *keys[FIELDS_MAX], *key;
	size_t n = 0;
	json_t *value;
	wr_buf_reset(out);
	if (!r) {
		wr_buf_adds(out, "there is no such receipt");
		return;
	}
	json_object_foreach ((json_t *)(uintptr_t)r, key, value)
		if (n < FIELDS_MAX && !among(key, head) && !among(key, foot)) keys[n++] = key;
	qsort(keys, n, sizeof *keys, by_name);
	for (size_t i = 0; head[i]; i++)
		if ((value = json_object_get(r, head[i]))) add_field(out, head[i], value);
	wr_buf_addc(out, '\n');
	for (size_t i = 0; i < n; i++) add_field(out, keys[i], json_object_get(r, keys[i]));
	wr_buf_addc(out, '\n');
	for (size_t i = 0; foot[i]; i++)
		if ((value = json_object_get(r, foot[i]))) add_field(out, foot[i], value);
}

void page_plan(wr_buf *out, const json_t *answer)
{
	wr_buf_reset(out);
	wr_buf_adds(out, wr_json_str(answer, "text", "the engine has no text of this plan"));
}

int page_scroll_max(const scene *s, int w, int h)
{
	grid g;
	int max = 0;
	if (w < MIN_W || h < MIN_H || grid_init(&g, w, h) != 0) return 0;
	int top = s->view == VIEW_PAGE ? view_header(&g, s) : 0, room = h - 1 - top - 2;
	if (s->view == VIEW_HELP) max = help_rows(w) - room;
	if (s->view == VIEW_WELCOME && s->welcome) max = welcome_rows(s->welcome, w) - room;
	if (s->view == VIEW_PAGE && s->page_text) {
		int total;
		(void)draw_pages(&g, (rect){2, top + 1, w - 4, room}, ROLE_TEXT, s->page_text, 0, &total);
		max = total - room;
	}
	grid_free(&g);
	return max > 0 ? max : 0;
}
