/* draw.h: boxes, meters, sparklines, and numbers as people read them. Pure. */
#ifndef TUI_DRAW_H
#define TUI_DRAW_H

#include "widget/grid.h"

/* A frame; the title sits in the top line. */
void draw_box(grid *g, rect area, role border, const char *title);
/* A horizontal divider inside a frame, with a title; joins the frame's sides. */
void draw_divider(grid *g, rect frame, int y, role border, const char *title);
/* A vertical line from y0 to y1 (both on dividers), joined; with a title on its top divider. */
void draw_split(grid *g, int x, int y0, int y1, role border, const char *title);
/* part/whole as a bar of `width` columns; clamps. */
void draw_meter(grid *g, int x, int y, int width, double part, role full, role rest);
/* The newest values at the right; -1 is a gap. The scale is the largest of the values and `scale`.
 */
void draw_spark(grid *g, int x, int y, int width, const int64_t *values, size_t n, int64_t scale,
                role r);

/* "2.3 s", "04:12", "1:04:12"; "-" for negative. Returns buf. */
const char *fmt_ms(char *buf, size_t size, int64_t ms);
const char *fmt_clock(char *buf, size_t size,
                      int64_t ms); /* always mm:ss or h:mm:ss; a minus in front of the past */
const char *fmt_bytes(char *buf, size_t size, int64_t bytes);
const char *fmt_count(char *buf, size_t size, int64_t n); /* 10,247 */

#endif
