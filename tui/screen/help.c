/* help.c: pages of text: help, from the action table; the demo's welcome; what was fetched. */
#include <stdio.h>
#include <string.h>

#include "screen/actions.h"
#include "screen/page.h"

#define KEYS_W 14

static const char *const notes[] = {
    "What changes the world needs an operator's signature; what moves data needs two people.",
    "DOWN needs two classes of signals for the sustained time. NO DATA never passes a guard.",
    "An uncertain step may or may not have happened: look at the platform before you rule."};
#define NOTES ((int)(sizeof notes / sizeof *notes))

int help_rows(int w)
{
	int rows = 1;
	for (int i = 0; i < A_COUNT; i++) rows += wrap_rows(action_table[i].help, w - KEYS_W);
	for (int i = 0; i < NOTES; i++) rows += wrap_rows(notes[i], w - 4);
	return rows;
}

/* One text at a row of the page, as much of it as is on the screen; returns the row behind. */
static int put_rows(grid *g, int x, int row, int room, int w, role r, const char *text)
{
	wrap l = wrap_of(text);
	const char *start;
	size_t len;
	int indent;
	for (; wrap_next(&l, w, &start, &len, &indent); row++)
		if (row >= 0 && row < room)
			grid_textf(g, x + indent, 1 + row, w, r, "%.*s", (int)len, start);
	return row;
}

void view_help(grid *g, const scene *s)
{
	rect f = {0, 0, g->w, g->h - 1};
	int room = f.h - 2, total = help_rows(f.w), max = total - room;
	int first = max <= 0 ? 0 : s->scroll > max ? max : s->scroll, row = -first;
	draw_box(g, f, ROLE_BORDER_FOCUS, "Help");
	for (int i = 0; i < A_COUNT; i++) {
		bool now = action_available(s, (action_id)i, NULL);
		if (row >= 0 && row < room)
			grid_right(g, 2, 1 + row, 7, now ? ROLE_HINT_KEY : ROLE_DIM, action_table[i].shown);
		row = put_rows(g, 11, row, room, f.w - KEYS_W, now ? ROLE_TEXT : ROLE_DIM,
		               action_table[i].help);
	}
	row++;
	for (int i = 0; i < NOTES; i++) row = put_rows(g, 2, row, room, f.w - 4, ROLE_INFO, notes[i]);
	draw_scrollbar(g, f.w - 1, 1, room, first, room, total);
	if (first < max) draw_remark(g, f, f.h - 1, ROLE_DIM, "Space for more");
}

void view_page(grid *g, const scene *s)
{
	rect f = view_frame(g, view_header(g, s)), a = {2, f.y + 1, f.w - 4, f.h - 2};
	int total;
	draw_box(g, f, ROLE_BORDER_FOCUS, s->page_title ? s->page_title : "");
	if (!s->page_text) {
		grid_text(g, 2, f.y + 1, f.w - 4, ROLE_INFO, "asking the engine");
		return;
	}
	int first = draw_pages(g, a, ROLE_TEXT, s->page_text, s->scroll, &total);
	draw_scrollbar(g, f.x + f.w - 1, a.y, a.h, first, a.h, total);
	if (first + a.h < total) draw_remark(g, f, f.y + f.h - 1, ROLE_DIM, "Space for more");
}

/* ---- the demo's first page: lines that begin with # are titles, with * what must be seen ---- */

static const char *welcome_line(const char **p, char *line, size_t size, role *r)
{
	const char *nl = strchr(*p, '\n');
	size_t n = nl ? (size_t)(nl - *p) : strlen(*p);
	if (n >= size) n = size - 1;
	memcpy(line, *p, n);
	line[n] = '\0';
	*p = nl ? nl + 1 : *p + strlen(*p);
	*r = *line == '*' ? ROLE_HINT_KEY : *line == '#' ? ROLE_TITLE : ROLE_TEXT;
	return *line == '*' || *line == '#' ? line + 1 : line;
}

int welcome_rows(const char *text, int w)
{
	char line[1024];
	role r;
	int rows = 0;
	while (*text) {
		int used = wrap_rows(welcome_line(&text, line, sizeof line, &r), w - 6);
		rows += used ? used : 1;
	}
	return rows;
}

void view_welcome(grid *g, const scene *s)
{
	rect f = {0, 0, g->w, g->h - 1};
	const char *p = s->welcome ? s->welcome : "";
	int room = f.h - 2, total = welcome_rows(p, g->w), max = total - room;
	int first = max <= 0 ? 0 : s->scroll > max ? max : s->scroll;
	int row = max < -2 ? 1 : -first; /* a little air, where there is some */
	char line[1024];
	role r;
	draw_box(g, f, ROLE_BORDER_FOCUS, "warroom demo");
	while (*p) {
		const char *text = welcome_line(&p, line, sizeof line, &r);
		int next = put_rows(g, 3, row, room, g->w - 6, r, text);
		row = next > row ? next : row + 1;
	}
	draw_scrollbar(g, f.w - 1, 1, room, first, room, total);
	if (first < max) draw_remark(g, f, f.h - 1, ROLE_DIM, "j for more");
}
