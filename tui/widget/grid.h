/* grid.h: what is on the screen, as cells: a code point, one combining mark, a role. Views draw
 * here and know nothing of terminals; term.c copies it to curses; golden tests compare it. Pure.
 *
 * Nothing reaches a cell that a terminal could take for more than a visible character (law 12):
 * controls, bidirectional and zero-width characters become a visible replacement here, whatever the
 * engine sent. */
#ifndef TUI_GRID_H
#define TUI_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "warroom/buf.h"

/* What a cell means; a theme says how that looks (themes/). */
#define ROLES(X)                                                                                   \
	X(TEXT, "fg")                                                                                  \
	X(DIM, "dim")                                                                                  \
	X(ACCENT, "accent")                                                                            \
	X(BORDER, "border")                                                                            \
	X(BORDER_FOCUS, "border_focus")                                                                \
	X(TITLE, "title")                                                                              \
	X(SELECT, "select")                                                                            \
	X(HINT_KEY, "hint_key")                                                                        \
	X(HINT_TEXT, "hint_text")                                                                      \
	X(MATCH, "match")                                                                              \
	X(SEV1, "sev1")                                                                                \
	X(SEV2, "sev2")                                                                                \
	X(SEV3, "sev3")                                                                                \
	X(SEV4, "sev4")                                                                                \
	X(OK, "ok")                                                                                    \
	X(STALE, "stale")                                                                              \
	X(UNKNOWN, "unknown")                                                                          \
	X(INFO, "info")                                                                                \
	X(BANNER, "banner")                                                                            \
	X(INPUT, "input")
typedef enum role {
#define X(id, name) ROLE_##id,
	ROLES(X)
#undef X
	    ROLE_COUNT
} role;
const char *role_name(role r);

typedef struct cell {
	uint32_t cp;   /* 0: the right half of a wide character */
	uint32_t mark; /* one combining mark, or 0 */
	uint32_t role;
} cell;

typedef struct grid {
	int w, h;
	cell *cells;
} grid;

WR_CHECKED int grid_init(grid *g, int w, int h); /* blank */
void grid_free(grid *g);
void grid_clear(grid *g);

typedef struct rect {
	int x, y, w, h;
} rect;

/* All drawing is clipped to the grid. */
void grid_put(grid *g, int x, int y, uint32_t cp, role r);
/* grid_text writes one line of UTF-8 within `width` columns, cut with `…` (or ~ in ASCII mode).
 * Returns the columns used. */
int grid_text(grid *g, int x, int y, int width, role r, const char *text);
int grid_textf(grid *g, int x, int y, int width, role r, const char *fmt, ...) WR_PRINTF(6, 7);
/* grid_right is grid_text with its end at column x + width. */
int grid_right(grid *g, int x, int y, int width, role r, const char *text);
void grid_fill(grid *g, rect area, uint32_t cp, role r);
void grid_recolour(grid *g, rect area, role r); /* keeps the text */
/* grid_fade gives every role that says something is good or bad the look of old data. */
void grid_fade(grid *g, rect area);

/* grid_harmless: is this a visible character, a space or a combining mark? Not controls, not
 * bidirectional or zero-width formatting. */
bool grid_harmless(uint32_t cp);
/* The columns that grid_text needs for the text, but counting stops above `limit`. */
int grid_width(const char *text, int limit);

/* The characters that drawing uses; one set for UTF-8, one for ASCII. */
typedef struct glyphs {
	bool ascii;
	uint32_t h, v, tl, tr, bl, br, tee_l, tee_r, tee_t, tee_b;
	uint32_t full, empty, ahead, ellipsis, thumb;
	uint32_t spark[8];
	const char *ok, *bad, *none, *warn, *dot, *arrow, *run, *pause, *wait, *undo, *skip, *more;
} glyphs;
extern const glyphs glyphs_utf8, glyphs_ascii;
void grid_use(const glyphs *gl); /* which ellipsis and boxes grid_* use; process-wide */
const glyphs *grid_glyphs(void);

/* Rows of text, trailing blanks cut; with roles: a second block of letters, one a cell (golden
 * tests). */
void grid_dump(const grid *g, wr_buf *out, bool roles);

#endif
