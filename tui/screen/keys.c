/* keys.c: what keys do outside dialogs: views, selection, filter, pages. */
#include <stdio.h>
#include <string.h>

#include "screen/app.h"
#include "warroom/clock.h"

#define PAGE_ROWS 10

static bool challenge(void *ctx, const intent *in)
{
	return feed_challenge(ctx, in);
}

static bool sign(void *ctx, const json_t *ch, const char *key_file, const char *passphrase,
                 size_t len, const char *note)
{
	return feed_sign(ctx, ch, key_file, passphrase, len, note);
}

static void go(app *a, view_id v)
{
	a->s.view = v;
	a->s.picked[0] = a->s.filter[0] = '\0';
	a->s.picked_row = 0;
	a->s.scroll = 0;
}

/* ---- moving ---- */

static void scroll_by(app *a, int by)
{
	int w, h;
	term_size(&w, &h);
	int max = page_scroll_max(&a->s, w, h), to = a->s.scroll + by;
	a->s.scroll = to < 0 ? 0 : to > max ? max : to;
}

static void pick_by(app *a, int by)
{
	const json_t *items[ITEMS_MAX];
	size_t n = scene_items(&a->s, items);
	if (!n) return;
	int64_t to = (int64_t)scene_picked(&a->s, items, n) + by;
	a->s.picked_row = to < 0 ? 0 : to >= (int64_t)n ? n - 1 : (size_t)to;
	scene_item_id(items[a->s.picked_row], a->s.picked, sizeof a->s.picked);
}

static void move_by(app *a, int by)
{
	if (a->s.view == VIEW_PAGE || a->s.view == VIEW_HELP || a->s.view == VIEW_WELCOME)
		scroll_by(a, by);
	else
		pick_by(a, by);
}

static void next_operation(app *a)
{
	const json_t *list = json_object_get(a->s.state, "operations"), *op = scene_operation(&a->s);
	size_t i, n = json_array_size(list);
	for (i = 0; i < n && json_array_get(list, i) != op; i++) {
	}
	go(a, VIEW_OPERATION);
	snprintf(a->s.operation_id, sizeof a->s.operation_id, "%s",
	         wr_json_str(json_array_get(list, n ? (i + 1) % n : 0), "id", ""));
}

static void next_candidate(app *a)
{
	const json_t *list = json_object_get(a->s.state, "actions"), *now = scene_action(&a->s);
	size_t i, n = json_array_size(list);
	if (!n) return;
	for (i = 0; i < n && json_array_get(list, i) != now; i++) {
	}
	candidate_id(json_array_get(list, (i + 1) % n), a->s.candidate, sizeof a->s.candidate);
	a->s.picked[0] = '\0';
}

/* ---- pages ---- */

static void open_page(app *a, const char *title, const char *path)
{
	if (a->s.view != VIEW_PAGE) a->behind = a->s.view;
	snprintf(a->page_title, sizeof a->page_title, "%s", title);
	a->s.page_title = a->page_title;
	a->s.page_text = NULL;
	a->s.scroll = 0;
	a->s.view = VIEW_PAGE;
	feed_get(a->feed, path);
}

static void open_receipt(app *a, int64_t seq)
{
	char title[64], path[96];
	int64_t count = num(json_object_get(a->s.state, "ledger"), "count", 0);
	if (seq < 0 || seq >= count) {
		app_say(a, seq < 0 ? "this is the first receipt" : "this is the newest receipt", false);
		return;
	}
	snprintf(title, sizeof title, "Receipt #%lld", (long long)seq);
	snprintf(path, sizeof path, "/v1/receipts?from=%lld&limit=1", (long long)seq);
	snprintf(a->s.picked, sizeof a->s.picked, "#%lld", (long long)seq);
	open_page(a, title, path);
}

static int64_t picked_seq(const app *a)
{
	long long seq = -1;
	return sscanf(a->s.picked, "#%lld", &seq) == 1 ? seq : -1;
}

/* The plan of the operation, or the one that the candidate action would be. */
static void open_plan(app *a)
{
	const json_t *op = a->s.view == VIEW_WHY ? NULL : scene_operation(&a->s),
	             *act = scene_action(&a->s);
	wr_buf path = WR_BUF_INIT(2048);
	char title[160];
	if (op) {
		snprintf(title, sizeof title, "The plan of %.60s", wr_json_str(op, "id", ""));
		wr_buf_addf(&path, "/v1/operations/%.60s", wr_json_str(op, "id", ""));
	} else {
		snprintf(title, sizeof title, "What a %.30s would do", wr_json_str(act, "action", ""));
		wr_buf_adds(&path, "/v1/plan");
		client_query(&path, "action", wr_json_str(act, "action", ""));
		client_query(&path, "from", wr_json_str(act, "from", ""));
		client_query(&path, "to", wr_json_str(act, "to", ""));
	}
	a->s.picked[0] = '\0';
	open_page(a, title, wr_buf_cstr(&path));
	wr_buf_free(&path);
}

void app_page(app *a, const json_t *answer, const wr_err *err)
{
	if (a->s.view != VIEW_PAGE) return;
	wr_buf_reset(&a->page);
	if (!answer)
		wr_buf_addf(&a->page, "the engine does not say: %s", err->msg);
	else if (json_object_get(answer, "receipts"))
		page_receipt(&a->page, answer);
	else
		page_plan(&a->page, answer);
	a->s.page_text = wr_buf_cstr(&a->page);
}

static void open_chosen(app *a)
{
	const json_t *items[ITEMS_MAX];
	size_t n = scene_items(&a->s, items);
	switch (a->s.view) {
	case VIEW_WELCOME:
		go(a, VIEW_OVERVIEW);
		break;
	case VIEW_OVERVIEW:
		go(a, scene_operation(&a->s) ? VIEW_OPERATION : VIEW_WHY);
		break;
	case VIEW_RECEIPTS:
		if (n) open_receipt(a, num(items[scene_picked(&a->s, items, n)], "seq", -1));
		break;
	case VIEW_OPERATION:
	case VIEW_WHY:
		open_plan(a);
		break;
	default:
		break;
	}
}

/* ---- the filter ---- */

void app_draw_filter(app *a, grid *g, int *cx, int *cy)
{
	int y = g->h - 1;
	grid_fill(g, (rect){0, y, g->w, 1}, ' ', ROLE_TEXT);
	int x = 1 + grid_text(g, 1, y, g->w - 2, ROLE_HINT_KEY, "/");
	*cx = edit_draw(&a->filter, g, x, y, g->w - x - 1, ROLE_INPUT);
	*cy = y;
}

static void filter_key(app *a, uint32_t key)
{
	if (key == K_ENTER || key == K_ESC || key == K_CTRL_C) {
		a->filtering = false;
		if (key != K_ENTER) edit_set(&a->filter, "");
	} else {
		(void)edit_key(&a->filter, key);
	}
	snprintf(a->s.filter, sizeof a->s.filter, "%s", a->filter.text);
}

/* ---- actions ---- */

static void freeze(app *a)
{
	a->s.frozen = !a->s.frozen;
	if (a->s.frozen || !a->later) return;
	json_decref(a->state);
	a->state = a->later;
	a->later = NULL;
	a->state_ms = a->contact_ms;
}

static void back(app *a, bool escape)
{
	if (a->s.filter[0]) {
		a->s.filter[0] = '\0';
	} else if (a->s.view == VIEW_PAGE) {
		char keep[sizeof a->s.picked];
		memcpy(keep, a->s.picked, sizeof keep);
		go(a, a->behind);
		memcpy(a->s.picked, keep, sizeof keep);
	} else if (a->s.view != VIEW_OVERVIEW) {
		go(a, VIEW_OVERVIEW);
	} else if (escape) {
		app_say(a, "q quits", false);
	} else {
		a->quit = true;
	}
}

static void open_form(app *a, action_id id)
{
	const char *why = "";
	form_ops ops = {a->feed, challenge, sign};
	a->form = form_open(&a->s, id, &ops, &why);
	if (!a->form) app_say(a, why, true);
}

static void show(app *a, action_id id)
{
	switch (id) {
	case A_OPEN:
		open_chosen(a);
		break;
	case A_OLDER:
	case A_NEWER:
		open_receipt(a, picked_seq(a) + (id == A_NEWER ? 1 : -1));
		break;
	case A_WHY:
		go(a, VIEW_WHY);
		break;
	case A_OPERATION:
		a->s.operation_id[0] = '\0';
		go(a, VIEW_OPERATION);
		break;
	case A_PLAN:
		open_plan(a);
		break;
	case A_NEXT:
		if (a->s.view == VIEW_OPERATION)
			next_operation(a);
		else
			next_candidate(a);
		break;
	case A_REGIONS:
		go(a, VIEW_REGIONS);
		break;
	case A_DATA:
		go(a, VIEW_DATA);
		break;
	case A_RECEIPTS:
		go(a, VIEW_RECEIPTS);
		break;
	case A_HELP:
		go(a, VIEW_HELP);
		break;
	default:
		break;
	}
}

static void do_action(app *a, action_id id, uint32_t key)
{
	const char *why = "";
	if (!action_available(&a->s, id, &why)) {
		app_say(a, why, true);
		return;
	}
	if (action_table[id].flags & CHANGES) {
		open_form(a, id);
		return;
	}
	switch (id) {
	case A_FILTER:
		a->filtering = true;
		edit_set(&a->filter, "");
		break;
	case A_FREEZE:
		freeze(a);
		break;
	case A_DOWN:
	case A_UP:
		move_by(a, id == A_DOWN ? 1 : -1);
		break;
	case A_PAGE_DOWN:
	case A_PAGE_UP:
		move_by(a, id == A_PAGE_DOWN ? PAGE_ROWS : -PAGE_ROWS);
		break;
	case A_TOP:
	case A_BOTTOM:
		move_by(a, id == A_BOTTOM ? 1 << 24 : -(1 << 24));
		break;
	case A_REDRAW:
		term_redraw();
		break;
	case A_SUSPEND:
		term_suspend();
		break;
	case A_BACK:
		back(a, key == K_ESC);
		break;
	case A_QUIT:
		a->quit = true;
		break;
	default:
		show(a, id);
		break;
	}
}

void app_key(app *a, uint32_t key)
{
	if (a->filtering) {
		filter_key(a, key);
		return;
	}
	if (a->s.view == VIEW_WELCOME && key == ' ') key = K_ENTER;
	action_id id = action_for_key(&a->s, key);
	if (id != A_NONE)
		do_action(a, id, key);
	else if (key >= 0x20 && key < 0x110000)
		app_say(a, "that key does nothing here; ? shows the keys", false);
}
