/* grid.c: cells, text into cells, glyph sets. */
#include "widget/grid.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "warroom/text.h"

const glyphs glyphs_utf8 = {
    .h = 0x2500,
    .v = 0x2502,
    .tl = 0x256D,
    .tr = 0x256E,
    .bl = 0x2570,
    .br = 0x256F,
    .tee_l = 0x251C,
    .tee_r = 0x2524,
    .tee_t = 0x252C,
    .tee_b = 0x2534,
    .cross = 0x253C,
    .full = 0x2588,
    .empty = 0x2591,
    .ellipsis = 0x2026,
    .spark = {0x2581, 0x2582, 0x2583, 0x2584, 0x2585, 0x2586, 0x2587, 0x2588},
    .ok = "✔",
    .bad = "✖",
    .none = "?",
    .warn = "▲",
    .dot = "●",
    .arrow = "→",
    .run = "▶",
    .up = "▲",
    .pause = "‖",
    .wait = "○",
    .undo = "↶",
};
const glyphs glyphs_ascii = {
    .ascii = true,
    .h = '-',
    .v = '|',
    .tl = '+',
    .tr = '+',
    .bl = '+',
    .br = '+',
    .tee_l = '+',
    .tee_r = '+',
    .tee_t = '+',
    .tee_b = '+',
    .cross = '+',
    .full = '#',
    .empty = '.',
    .ellipsis = '~',
    .spark = {'_', '.', '-', ':', '=', '+', '*', '#'},
    .ok = "+",
    .bad = "X",
    .none = "?",
    .warn = "!",
    .dot = "o",
    .arrow = "->",
    .run = ">",
    .up = "^",
    .pause = "=",
    .wait = ".",
    .undo = "<",
};
static const glyphs *current = &glyphs_utf8;

void grid_use(const glyphs *gl)
{
	current = gl;
}
const glyphs *grid_glyphs(void)
{
	return current;
}

const char *role_name(role r)
{
	static const char *const names[] = {
#define X(id, name) name,
	    ROLES(X)
#undef X
	};
	return r < ROLE_COUNT ? names[r] : "?";
}

int grid_init(grid *g, int w, int h)
{
	WR_ASSERT(w > 0 && h > 0 && w <= 10000 && h <= 10000);
	g->w = w;
	g->h = h;
	g->cells = calloc((size_t)w * (size_t)h, sizeof *g->cells);
	if (!g->cells) return -1;
	grid_clear(g);
	return 0;
}

void grid_free(grid *g)
{
	free(g->cells);
	g->cells = NULL;
	g->w = g->h = 0;
}

void grid_clear(grid *g)
{
	grid_fill(g, (rect){0, 0, g->w, g->h}, ' ', ROLE_TEXT);
}

static cell *at(grid *g, int x, int y)
{
	return x >= 0 && y >= 0 && x < g->w && y < g->h ? &g->cells[y * g->w + x] : NULL;
}

void grid_put(grid *g, int x, int y, uint32_t cp, role r)
{
	cell *c = at(g, x, y);
	if (!c) return;
	/* Half of a wide character is no character. */
	if (c->cp == 0 && x > 0) at(g, x - 1, y)->cp = ' ';
	cell *next = at(g, x + 1, y);
	if (next && next->cp == 0) next->cp = ' ';
	*c = (cell){.cp = cp, .role = (uint8_t)r};
}

static int put_wide(grid *g, int x, int y, uint32_t cp, role r)
{
	grid_put(g, x, y, cp, r);
	cell *right = at(g, x + 1, y);
	if (right) *right = (cell){.cp = 0, .role = (uint8_t)r};
	return 2;
}

/* In ASCII mode what has no ASCII form becomes '?'. */
static uint32_t plain(uint32_t cp)
{
	if (!current->ascii || cp < 0x7f) return cp;
	switch (cp) {
	case 0x2192:
		return '>';
	case 0x2026:
		return '~';
	case 0x2014:
	case 0x2013:
		return '-';
	case 0x00b7:
		return '.';
	case 0x2018:
	case 0x2019:
		return '\'';
	case 0x201c:
	case 0x201d:
		return '"';
	default:
		return '?';
	}
}

int grid_text(grid *g, int x, int y, int width, role r, const char *text)
{
	const char *s = text, *end = text + strlen(text);
	int used = 0, last = -1;
	while (s < end) {
		uint32_t cp = plain(wr_utf8_next(&s, end));
		if (cp < 0x20 || cp == 0x7f || (cp >= 0x80 && cp < 0xa0)) cp = ' ';
		int cols = wr_cp_width(cp);
		if (cols == 0) {
			cell *c = last >= 0 ? at(g, x + last, y) : NULL;
			if (c && !c->mark) c->mark = cp;
			continue;
		}
		bool more = s < end;
		if (used + cols > width ||
		    (used + cols == width && more && cols == 1 && width > 1 && wr_text_width(s) > 0)) {
			if (used < width) {
				grid_put(g, x + used, y, current->ellipsis, r);
				used++;
			}
			return used;
		}
		last = used;
		if (cols == 2) {
			used += put_wide(g, x + used, y, cp, r);
		} else {
			grid_put(g, x + used, y, cp, r);
			used++;
		}
	}
	return used;
}

int grid_textf(grid *g, int x, int y, int width, role r, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return grid_text(g, x, y, width, r, text);
}

void grid_fill(grid *g, rect area, uint32_t cp, role r)
{
	for (int y = area.y; y < area.y + area.h; y++)
		for (int x = area.x; x < area.x + area.w; x++) {
			cell *c = at(g, x, y);
			if (c) *c = (cell){.cp = cp, .role = (uint8_t)r};
		}
}

void grid_recolour(grid *g, rect area, role r)
{
	for (int y = area.y; y < area.y + area.h; y++)
		for (int x = area.x; x < area.x + area.w; x++) {
			cell *c = at(g, x, y);
			if (c) c->role = (uint8_t)r;
		}
}

static void dump_text(const grid *g, wr_buf *out)
{
	for (int y = 0; y < g->h; y++) {
		const cell *row = &g->cells[y * g->w];
		int last = g->w - 1;
		while (last >= 0 && row[last].cp == ' ') last--;
		for (int x = 0; x <= last; x++) {
			char utf8[4];
			if (!row[x].cp) continue;
			wr_buf_add(out, utf8, wr_utf8_put(utf8, row[x].cp));
			if (row[x].mark) wr_buf_add(out, utf8, wr_utf8_put(utf8, row[x].mark));
		}
		wr_buf_addc(out, '\n');
	}
}

void grid_dump(const grid *g, wr_buf *out, bool roles)
{
	dump_text(g, out);
	if (!roles) return;
	wr_buf_adds(out, "--\n");
	for (int y = 0; y < g->h; y++) {
		const cell *row = &g->cells[y * g->w];
		int last = g->w - 1;
		while (last >= 0 && row[last].cp == ' ' && row[last].role == ROLE_TEXT) last--;
		for (int x = 0; x <= last; x++)
			wr_buf_addc(out, (char)(row[x].role ? 'a' + row[x].role : '.'));
		wr_buf_addc(out, '\n');
	}
}
