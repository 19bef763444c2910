/* draw.c: the drawing primitives above cells. */
#include "widget/draw.h"

#include <stdio.h>
#include <string.h>

#include "warroom/clock.h"
#include "warroom/text.h"

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

void draw_remark(grid *g, rect f, int y, role r, const char *text)
{
	if (!*text || y < 0 || y >= g->h) return;
	int need = grid_width(text, f.w) + 2, x = f.x + f.w - 2 - need;
	uint32_t line = grid_glyphs()->h;
	for (int i = x - 1; i < x + need; i++)
		if (i <= f.x || g->cells[y * g->w + i].cp != line) return;
	grid_textf(g, x, y, need, r, " %s ", text);
}

void draw_scrollbar(grid *g, int x, int y, int h, int first, int shown, int total)
{
	if (total <= shown || h < 2) return;
	int len = h * shown / total, room;
	if (len < 1) len = 1;
	room = h - len;
	int at = total > shown ? (int)((long long)room * first / (total - shown)) : 0;
	if (at > room) at = room;
	for (int i = 0; i < len; i++) grid_put(g, x, y + at + i, grid_glyphs()->thumb, ROLE_DIM);
}

void draw_meter2(grid *g, int x, int y, int width, double part, double more, role full, role ahead,
                 role rest)
{
	const glyphs *gl = grid_glyphs();
	if (!(part > 0)) part = 0;
	if (part > 1) part = 1;
	if (!(more > 0)) more = 0;
	if (part + more > 1) more = 1 - part;
	int n = (int)(part * width + 0.5), m = (int)((part + more) * width + 0.5);
	if (part > 0 && n == 0) n = 1; /* a little is not nothing */
	if (more > 0 && m <= n) m = n + 1;
	for (int i = 0; i < width; i++)
		grid_put(g, x + i, y,
		         i < n   ? gl->full
		         : i < m ? gl->ahead
		                 : gl->empty,
		         i < n   ? full
		         : i < m ? ahead
		                 : rest);
}

void draw_meter(grid *g, int x, int y, int width, double part, role full, role rest)
{
	draw_meter2(g, x, y, width, part, 0, full, rest, rest);
}

void draw_spark(grid *g, int x, int y, int width, const int64_t *values, size_t n, int64_t scale,
                role r)
{
	const glyphs *gl = grid_glyphs();
	int64_t top = scale > 0 ? scale : 1;
	if (width <= 0) return;
	size_t shown = n < (size_t)width ? n : (size_t)width;
	for (size_t i = n - shown; i < n; i++)
		if (values[i] > top) top = values[i];
	for (size_t i = 0; i < shown; i++) {
		int64_t v = values[n - shown + i];
		int col = x + width - (int)shown + (int)i;
		if (v < 0)
			grid_put(g, col, y, ' ', ROLE_DIM);
		else
			grid_put(g, col, y, gl->spark[v >= top ? 7 : (int)((double)v / (double)top * 8)], r);
	}
}

/* Where the last column of a table row starts: behind its last run of two spaces, if that is in the
 * left half; else behind its indentation. */
static int hang_of(const char *p, const char *end, int width)
{
	int cols = 0, hang = 0;
	const char *start = p;
	while (p < end && *p != '\n' && cols < width / 2) {
		if (p >= start + 2 && p[-1] == ' ' && p[-2] == ' ' && *p != ' ') hang = cols;
		cols += wr_cp_width(wr_utf8_next(&p, end));
	}
	if (hang) return hang;
	for (p = start; p < end && *p == ' '; p++) hang++;
	return hang < width / 2 ? hang : 0;
}

wrap wrap_of(const char *text)
{
	return (wrap){.text = text, .end = text + strlen(text)};
}

bool wrap_next(wrap *w, int width, const char **start, size_t *len, int *indent)
{
	const char *p = w->text, *end = w->end, *cut = NULL;
	if (p >= end || width < 1) return false;
	int cols = *indent = w->hang;
	int hang = w->hang ? w->hang : hang_of(p, end, width);
	*start = p;
	while (p < end && *p != '\n') {
		const char *before = p;
		int cp_cols = wr_cp_width(wr_utf8_next(&p, end));
		if (cols + cp_cols > width && before > *start) {
			p = *before != ' ' && cut && cut > *start ? cut : before;
			break;
		}
		cols += cp_cols;
		/* A line may end before a space and behind a comma or a slash. */
		if (*before == ' ' && cols - 1 > hang) cut = before;
		if ((*before == ',' || *before == '/') && cols > width / 2) cut = p;
	}
	*len = (size_t)(p - *start);
	w->hang = 0;
	if (p < end && *p != '\n') {
		w->hang = hang;
		while (*p == ' ') p++;
	} else if (p < end) {
		p++;
	}
	w->text = p;
	return true;
}

int wrap_rows(const char *text, int width)
{
	wrap w = wrap_of(text);
	const char *start;
	size_t len;
	int indent, rows = 0;
	while (wrap_next(&w, width, &start, &len, &indent)) rows++;
	return rows;
}

static void draw_piece(grid *g, int x, int y, int width, role r, const char *start, size_t len)
{
	char line[2048];
	if (len >= sizeof line) len = sizeof line - 1;
	memcpy(line, start, len);
	line[len] = '\0';
	grid_text(g, x, y, width, r, line);
}

int draw_wrapped(grid *g, rect a, role r, const char *text)
{
	wrap w = wrap_of(text);
	const char *start;
	size_t len;
	int lines = 0, indent;
	while (lines < a.h && wrap_next(&w, a.w, &start, &len, &indent)) {
		bool last = lines + 1 == a.h && w.text < w.end;
		draw_piece(g, a.x + indent, a.y + lines, a.w - indent, r, start, len);
		if (last) grid_put(g, a.x + a.w - 1, a.y + lines, grid_glyphs()->ellipsis, r);
		lines++;
	}
	return lines;
}

int draw_pages(grid *g, rect a, role r, const char *text, int first, int *total)
{
	wrap w = wrap_of(text);
	const char *start;
	size_t len;
	int indent;
	*total = wrap_rows(text, a.w);
	if (first > *total - a.h) first = *total - a.h;
	if (first < 0) first = 0;
	for (int i = 0; i < first + a.h && wrap_next(&w, a.w, &start, &len, &indent); i++)
		if (i >= first) draw_piece(g, a.x + indent, a.y + i - first, a.w - indent, r, start, len);
	return first;
}

const char *fmt_ms(char *buf, size_t size, int64_t ms)
{
	if (ms < 0)
		snprintf(buf, size, "-");
	else
		wr_duration_format(buf, size, ms);
	return buf;
}

const char *fmt_short(char *buf, size_t size, int64_t ms)
{
	static const struct {
		int64_t ms;
		const char *unit;
	} units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}};
	if (ms < 0) {
		snprintf(buf, size, "-");
		return buf;
	}
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (ms >= units[i].ms && (ms % units[i].ms == 0 || ms >= 3 * units[i].ms || i == 3)) {
			snprintf(buf, size, "%lld%s", (long long)(ms / units[i].ms), units[i].unit);
			return buf;
		}
	snprintf(buf, size, ms ? "%lldms" : "0s", (long long)ms);
	return buf;
}

const char *fmt_age(char *buf, size_t size, int64_t ms)
{
	return fmt_short(buf, size, ms < 0 ? -1 : ms / 1000 * 1000);
}

const char *fmt_clock(char *buf, size_t size, int64_t ms)
{
	const char *sign = ms < 0 ? "-" : "";
	int64_t s = ms / 1000;
	if (s < 0) s = -s;
	if (s >= 3600)
		snprintf(buf, size, "%s%lld:%02d:%02d", sign, (long long)(s / 3600), (int)(s / 60 % 60),
		         (int)(s % 60));
	else
		snprintf(buf, size, "%s%02d:%02d", sign, (int)(s / 60), (int)(s % 60));
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
