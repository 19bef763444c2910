/* grid.c: cells, text into cells, glyph sets. */
#include "widget/grid.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "warroom/text.h"

#define REPLACEMENT 0xFFFD

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
    .full = 0x2588,
    .empty = 0x2591,
    .ahead = 0x2593,
    .ellipsis = 0x2026,
    .thumb = 0x2590,
    .spark = {0x2581, 0x2582, 0x2583, 0x2584, 0x2585, 0x2586, 0x2587, 0x2588},
    .ok = "✔",
    .bad = "✖",
    .none = "?",
    .warn = "▲",
    .dot = "●",
    .arrow = "→",
    .run = "▶",
    .pause = "‖",
    .wait = "○",
    .undo = "↶",
    .skip = "–",
    .more = "▼",
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
    .full = '#',
    .empty = '.',
    .ahead = '=',
    .ellipsis = '~',
    .thumb = '#',
    .spark = {'_', '.', '-', ':', '=', '+', '*', '#'},
    .ok = "+",
    .bad = "X",
    .none = "?",
    .warn = "!",
    .dot = "o",
    .arrow = "->",
    .run = ">",
    .pause = "=",
    .wait = ".",
    .undo = "<",
    .skip = "-",
    .more = "v",
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
	for (int i = 0; i < g->w * g->h; i++) g->cells[i] = (cell){.cp = ' ', .role = ROLE_TEXT};
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
	*c = (cell){.cp = cp, .role = r};
}

static void put_wide(grid *g, int x, int y, uint32_t cp, role r)
{
	bool whole = at(g, x, y) && at(g, x + 1, y);
	grid_put(g, x, y, whole ? cp : ' ', r);
	if (!whole) return;
	grid_put(g, x + 1, y, ' ', r);
	at(g, x + 1, y)->cp = 0;
}

bool grid_harmless(uint32_t cp)
{
	static const struct {
		uint32_t first, last;
	} bad[] = {
	    {0x00, 0x1f},     {0x7f, 0x9f},       {0xad, 0xad},       {0x61c, 0x61c},
	    {0x180e, 0x180e}, {0x200b, 0x200f},   {0x2028, 0x202e},   {0x2060, 0x206f},
	    {0xd800, 0xdfff}, {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xfff0, 0xfffb},
	    {0xfffe, 0xffff}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff}, {0xf0000, UINT32_MAX},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (cp >= bad[i].first && cp <= bad[i].last) return false;
	return true;
}

/* In ASCII mode what has no ASCII form becomes '?'; marks vanish (0). */
static uint32_t plain(uint32_t cp)
{
	static const struct {
		uint32_t cp;
		char ascii;
	} forms[] = {{0x2192, '>'}, {0x2026, '~'}, {0x2014, '-'}, {0x2013, '-'},  {0x2212, '-'},
	             {0xb7, '.'},   {0xd7, 'x'},   {0xa0, ' '},   {0x2018, '\''}, {0x2019, '\''},
	             {0x201c, '"'}, {0x201d, '"'}, {0x2022, '*'}, {0x2714, '+'},  {0x2716, 'X'}};
	if (!current->ascii || cp < 0x7f) return cp;
	if (wr_cp_width(cp) == 0) return 0;
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
		if (forms[i].cp == cp) return (uint32_t)forms[i].ascii;
	return '?';
}

/* The next code point as it will be drawn; 0: nothing. */
static uint32_t next_drawn(const char **s, const char *end)
{
	uint32_t cp = wr_utf8_next(s, end);
	if (cp == '\n' || cp == '\t') return ' ';
	if (cp >= 0xfe00 && cp <= 0xfe0f) return 0; /* they choose a picture, and are none */
	if (!grid_harmless(cp)) cp = REPLACEMENT;
	return plain(cp);
}

int grid_width(const char *text, int limit)
{
	const char *s = text, *end = text + strlen(text);
	int used = 0;
	while (s < end && used <= limit) {
		uint32_t cp = next_drawn(&s, end);
		if (cp) used += wr_cp_width(cp);
	}
	return used;
}

int grid_text(grid *g, int x, int y, int width, role r, const char *text)
{
	const char *s = text, *end = text + strlen(text);
	bool cut = grid_width(text, width) > width;
	int room = cut ? width - 1 : width, used = 0, last = -1;
	if (width <= 0) return 0;
	while (s < end) {
		uint32_t cp = next_drawn(&s, end);
		if (!cp) continue;
		int cols = wr_cp_width(cp);
		if (cols == 0) {
			cell *c = last >= 0 ? at(g, x + last, y) : NULL;
			if (c && !c->mark) c->mark = cp;
			continue;
		}
		if (used + cols > room) break;
		last = used;
		if (cols == 2)
			put_wide(g, x + used, y, cp, r);
		else
			grid_put(g, x + used, y, cp, r);
		used += cols;
	}
	if (cut) grid_put(g, x + used++, y, current->ellipsis, r);
	return used;
}

int grid_textf(grid *g, int x, int y, int width, role r, const char *fmt, ...)
{
	char text[2048];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof text) { /* not in the middle of a character */
		size_t len = sizeof text - 1;
		while (len && ((unsigned char)text[len - 1] & 0xc0) == 0x80) len--;
		if (len && (unsigned char)text[len - 1] >= 0xc0) len--;
		text[len] = '\0';
	}
	return grid_text(g, x, y, width, r, text);
}

int grid_right(grid *g, int x, int y, int width, role r, const char *text)
{
	int need = grid_width(text, width);
	if (need > width) need = width;
	return grid_text(g, x + width - need, y, need, r, text);
}

void grid_fill(grid *g, rect area, uint32_t cp, role r)
{
	for (int y = area.y; y < area.y + area.h; y++)
		for (int x = area.x; x < area.x + area.w; x++) grid_put(g, x, y, cp, r);
}

void grid_recolour(grid *g, rect area, role r)
{
	for (int y = area.y; y < area.y + area.h; y++)
		for (int x = area.x; x < area.x + area.w; x++) {
			cell *c = at(g, x, y);
			if (c) c->role = r;
		}
}

void grid_fade(grid *g, rect area)
{
	for (int y = area.y; y < area.y + area.h; y++)
		for (int x = area.x; x < area.x + area.w; x++) {
			cell *c = at(g, x, y);
			if (!c) continue;
			switch ((role)c->role) {
			case ROLE_BORDER:
			case ROLE_BORDER_FOCUS:
			case ROLE_TITLE:
			case ROLE_SELECT:
			case ROLE_BANNER:
			case ROLE_HINT_KEY:
			case ROLE_HINT_TEXT:
				break;
			default:
				c->role = ROLE_STALE;
			}
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
			wr_buf_addc(out, (char)(row[x].role ? 'a' + (int)row[x].role : '.'));
		wr_buf_addc(out, '\n');
	}
}
