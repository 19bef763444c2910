/* draw.c: the drawing primitives above cells. */
#include "widget/draw.h"

#include <stdio.h>
#include <string.h>

#include "warroom/clock.h"

void draw_box(grid *g, rect a, role border, const char *title)
{
	const glyphs *gl = grid_glyphs();
	if (a.w < 2 || a.h < 2) return;
	for (int x = a.x + 1; x < a.x + a.w - 1; x++) {
		grid_put(g, x, a.y, gl->h, border);
		grid_put(g, x, a.y + a.h - 1, gl->h, border);
	}
	for (int y = a.y + 1; y < a.y + a.h - 1; y++) {
		grid_put(g, a.x, y, gl->v, border);
		grid_put(g, a.x + a.w - 1, y, gl->v, border);
	}
	grid_put(g, a.x, a.y, gl->tl, border);
	grid_put(g, a.x + a.w - 1, a.y, gl->tr, border);
	grid_put(g, a.x, a.y + a.h - 1, gl->bl, border);
	grid_put(g, a.x + a.w - 1, a.y + a.h - 1, gl->br, border);
	if (title && *title) grid_textf(g, a.x + 1, a.y, a.w - 2, ROLE_TITLE, " %s ", title);
}

void draw_divider(grid *g, rect f, int y, role border, const char *title)
{
	const glyphs *gl = grid_glyphs();
	for (int x = f.x + 1; x < f.x + f.w - 1; x++) grid_put(g, x, y, gl->h, border);
	grid_put(g, f.x, y, gl->tee_l, border);
	grid_put(g, f.x + f.w - 1, y, gl->tee_r, border);
	if (title && *title) grid_textf(g, f.x + 1, y, f.w - 2, ROLE_TITLE, " %s ", title);
}

void draw_split(grid *g, int x, int y0, int y1, role border, const char *title)
{
	const glyphs *gl = grid_glyphs();
	grid_put(g, x, y0, gl->tee_t, border);
	for (int y = y0 + 1; y < y1; y++) grid_put(g, x, y, gl->v, border);
	grid_put(g, x, y1, gl->tee_b, border);
	if (title && *title) grid_textf(g, x + 1, y0, g->w - x - 2, ROLE_TITLE, " %s ", title);
}

void draw_meter(grid *g, int x, int y, int width, double part, role full, role rest)
{
	const glyphs *gl = grid_glyphs();
	if (!(part > 0)) part = 0;
	if (part > 1) part = 1;
	int n = (int)(part * width + 0.5);
	if (part > 0 && n == 0) n = 1; /* a little is not nothing */
	for (int i = 0; i < width; i++)
		grid_put(g, x + i, y, i < n ? gl->full : gl->empty, i < n ? full : rest);
}

void draw_spark(grid *g, int x, int y, int width, const int64_t *values, size_t n, int64_t scale,
                role r)
{
	const glyphs *gl = grid_glyphs();
	int64_t top = scale > 0 ? scale : 1;
	size_t shown = n < (size_t)width ? n : (size_t)width;
	for (size_t i = n - shown; i < n; i++)
		if (values[i] > top) top = values[i];
	for (size_t i = 0; i < shown; i++) {
		int64_t v = values[n - shown + i];
		int col = x + width - (int)shown + (int)i;
		if (v < 0)
			grid_put(g, col, y, ' ', ROLE_DIM);
		else
			grid_put(g, col, y, gl->spark[v >= top ? 7 : (int)(v * 8 / top)], r);
	}
}

const char *fmt_ms(char *buf, size_t size, int64_t ms)
{
	if (ms < 0)
		snprintf(buf, size, "-");
	else
		wr_duration_format(buf, size, ms);
	return buf;
}

const char *fmt_clock(char *buf, size_t size, int64_t ms)
{
	const char *sign = ms < 0 ? "-" : "";
	long long s = (ms < 0 ? -ms : ms) / 1000;
	if (s >= 3600)
		snprintf(buf, size, "%s%lld:%02lld:%02lld", sign, s / 3600, s / 60 % 60, s % 60);
	else
		snprintf(buf, size, "%s%02lld:%02lld", sign, s / 60, s % 60);
	return buf;
}

const char *fmt_bytes(char *buf, size_t size, int64_t bytes)
{
	static const char *const units[] = {"B", "KB", "MB", "GB", "TB", "PB"};
	if (bytes < 0) {
		snprintf(buf, size, "-");
		return buf;
	}
	double v = (double)bytes;
	size_t u = 0;
	while (v >= 1000 && u < 5) {
		v /= 1000;
		u++;
	}
	snprintf(buf, size, u && v < 10 ? "%.1f %s" : "%.0f %s", v, units[u]);
	return buf;
}

const char *fmt_count(char *buf, size_t size, int64_t n)
{
	char digits[32];
	int len = snprintf(digits, sizeof digits, "%lld", (long long)n);
	size_t o = 0;
	for (int i = 0; i < len && o + 2 < size; i++) {
		if (i && digits[i - 1] != '-' && (len - i) % 3 == 0) buf[o++] = ',';
		buf[o++] = digits[i];
	}
	buf[o] = '\0';
	return buf;
}
