/* draw.h: boxes, meters, sparklines, wrapped text, and numbers as people read them. Pure. */
#ifndef TUI_DRAW_H
#define TUI_DRAW_H

#include "widget/grid.h"

/* A frame; the title sits in the top line. */
void draw_box(grid *g, rect area, role border, const char *title);
/* A horizontal divider inside a frame, with a title; joins the frame's sides. */
void draw_divider(grid *g, rect frame, int y, role border, const char *title);
/* A vertical line from y0 to y1 (both on dividers), joined; with a title on its top divider. */
void draw_split(grid *g, int x, int y0, int y1, role border, const char *title);
/* A remark at the right end of a border line; nothing when there is no room beside the title. */
void draw_remark(grid *g, rect frame, int y, role r, const char *text);
/* Where a list of `total` rows stands, on the right border; nothing when all of it is shown. */
void draw_scrollbar(grid *g, int x, int y, int h, int first, int shown, int total);

/* part/whole as a bar of `width` columns; clamps. */
void draw_meter(grid *g, int x, int y, int width, double part, role full, role rest);
/* Two parts: what is, and what is expected on top of it. */
void draw_meter2(grid *g, int x, int y, int width, double part, double more, role full, role ahead,
                 role rest);
/* The newest values at the right; -1 is a gap. The scale is the largest of the values and `scale`.
 */
void draw_spark(grid *g, int x, int y, int width, const int64_t *values, size_t n, int64_t scale,
                role r);

/* wrap_next gives the next line of at most `width` columns: its start and bytes. `indent` gets the
 * columns to put in front: a line that continues a row of a table (two spaces in a row) goes on
 * under its last column. false at the end. */
typedef struct wrap {
	const char *text, *end;
	int hang; /* of the line being continued; 0 at a line's start */
} wrap;
wrap wrap_of(const char *text);
bool wrap_next(wrap *w, int width, const char **start, size_t *len, int *indent);
int wrap_rows(const char *text, int width); /* the lines that wrap_next would give */
/* draw_wrapped draws text in lines of `a.w`, at most `a.h`; returns the lines used. */
int draw_wrapped(grid *g, rect a, role r, const char *text);
/* draw_pages is draw_wrapped from line `first` on, clamped so that the last page is full; *total
 * gets the lines there are. Returns the first line that was drawn. */
int draw_pages(grid *g, rect a, role r, const char *text, int first, int *total);

/* "850ms", "2.3s", "04:12"; "-" for negative. All return buf. */
const char *fmt_ms(char *buf, size_t size, int64_t ms);
/* The shortest that is exact enough for a limit or an age: "30s", "5m", "2h", "11d". */
const char *fmt_short(char *buf, size_t size, int64_t ms);
const char *fmt_age(char *buf, size_t size, int64_t ms); /* fmt_short of whole seconds */
/* Always mm:ss or h:mm:ss; a minus in front of the past. */
const char *fmt_clock(char *buf, size_t size, int64_t ms);
const char *fmt_bytes(char *buf, size_t size, int64_t bytes);
const char *fmt_count(char *buf, size_t size, int64_t n); /* 10,247 */

#endif
