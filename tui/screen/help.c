/* help.c: the help page, from the action table; the welcome page of the demo. */
#include <string.h>

#include "screen/actions.h"

void view_help(grid *g, const scene *s)
{
	rect f = {0, 0, g->w, g->h - 1};
	draw_box(g, f, ROLE_BORDER_FOCUS, "Help");
	int y = 1, end = g->h - 2;
	const char *why;
	for (int i = s->scroll; i < A_COUNT && y < end; i++) {
		bool now = action_available(s, (action_id)i, &why);
		grid_textf(g, 2, y, 7, now ? ROLE_HINT_KEY : ROLE_DIM, "%6s", action_table[i].shown);
		int used = draw_wrapped(g, (rect){10, y, g->w - 12, end - y < 2 ? end - y : 2},
		                        now ? ROLE_TEXT : ROLE_DIM, action_table[i].help);
		y += used ? used : 1;
	}
	static const char *const notes[] = {
	    "Anything that changes the world needs an operator's signature; what moves data needs two "
	    "people.",
	    "DOWN needs two signal classes for the sustained time. NO DATA never passes a guard.",
	    "A step marked uncertain may or may not have happened: look at the platform before you "
	    "rule."};
	for (size_t i = 0; i < sizeof notes / sizeof *notes && y + 1 < end; i++)
		y += draw_wrapped(g, (rect){2, y + (i == 0), g->w - 4, 2}, ROLE_INFO, notes[i]) + (i == 0);
	if (y >= end) grid_text(g, g->w - 16, g->h - 2, 14, ROLE_DIM, " j for more ");
}

void view_welcome(grid *g, const scene *s)
{
	rect f = {0, 0, g->w, g->h - 1};
	draw_box(g, f, ROLE_BORDER_FOCUS, "warroom demo");
	int y = 2;
	const char *p = s->welcome ? s->welcome : "";
	while (*p && y < g->h - 2) {
		const char *nl = strchr(p, '\n');
		size_t n = nl ? (size_t)(nl - p) : strlen(p);
		char line[512];
		if (n >= sizeof line) n = sizeof line - 1;
		memcpy(line, p, n);
		line[n] = '\0';
		role r = *line == '*' ? ROLE_HINT_KEY : *line == '#' ? ROLE_TITLE : ROLE_TEXT;
		const char *text = *line == '*' || *line == '#' ? line + 1 : line;
		int used = draw_wrapped(g, (rect){3, y, g->w - 6, g->h - 2 - y}, r, text);
		y += used ? used : 1;
		p = nl ? nl + 1 : p + strlen(p);
	}
}
