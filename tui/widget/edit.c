/* edit.c: editing by characters, a character being a code point and the marks upon it. */
#include "widget/edit.h"

#include <string.h>

#include "warroom/text.h"
#include "widget/keys.h"

static int width_at(const edit *e, size_t at, size_t *next)
{
	const char *p = e->text + at;
	int w = wr_cp_width(wr_utf8_next(&p, e->text + e->len));
	*next = (size_t)(p - e->text);
	return w;
}

static size_t after(const edit *e, size_t at)
{
	size_t next;
	if (at >= e->len) return e->len;
	(void)width_at(e, at, &next);
	for (at = next; at < e->len && width_at(e, at, &next) == 0; at = next) {
	}
	return at;
}

static size_t before(const edit *e, size_t at)
{
	size_t next;
	do {
		if (!at) return 0;
		at--;
		while (at && ((unsigned char)e->text[at] & 0xc0) == 0x80) at--;
	} while (at && width_at(e, at, &next) == 0);
	return at;
}

static void cut(edit *e, size_t from, size_t to)
{
	memmove(e->text + from, e->text + to, e->len - to + 1);
	e->len -= to - from;
	e->at = from;
}

void edit_set(edit *e, const char *text)
{
	const char *end = text + strlen(text);
	*e = (edit){.len = 0};
	while (text < end) (void)edit_insert(e, wr_utf8_next(&text, end));
}

bool edit_insert(edit *e, uint32_t cp)
{
	char utf8[4];
	if (!grid_harmless(cp) || (wr_cp_width(cp) == 0 && e->at == 0)) return false;
	size_t n = wr_utf8_put(utf8, cp);
	if (e->len + n >= sizeof e->text) return false;
	memmove(e->text + e->at + n, e->text + e->at, e->len - e->at + 1);
	memcpy(e->text + e->at, utf8, n);
	e->len += n;
	e->at += n;
	return true;
}

static size_t word_start(const edit *e)
{
	size_t at = e->at;
	while (at && e->text[at - 1] == ' ') at--;
	while (at && e->text[at - 1] != ' ') at--;
	return at;
}

bool edit_key(edit *e, uint32_t key)
{
	switch (key) {
	case K_LEFT:
		e->at = before(e, e->at);
		return true;
	case K_RIGHT:
		e->at = after(e, e->at);
		return true;
	case K_HOME:
	case K_CTRL_A:
		e->at = 0;
		return true;
	case K_END:
	case K_CTRL_E:
		e->at = e->len;
		return true;
	case K_BACKSPACE:
		cut(e, before(e, e->at), e->at);
		return true;
	case K_DELETE:
		cut(e, e->at, after(e, e->at));
		return true;
	case K_CTRL_U:
		cut(e, 0, e->at);
		return true;
	case K_CTRL_W:
		cut(e, word_start(e), e->at);
		return true;
	default:
		if (key < 0x20 || key >= 0x110000) return false;
		(void)edit_insert(e, key);
		return true;
	}
}

int edit_draw(const edit *e, grid *g, int x, int y, int w, role r)
{
	/* The cursor needs a column of its own, at the right end too. */
	size_t from = 0, next;
	int cols = 0;
	for (size_t i = 0; i < e->at; i = next) cols += width_at(e, i, &next);
	while (cols > w - 1 && from < e->at) {
		cols -= width_at(e, from, &next);
		from = next;
	}
	grid_fill(g, (rect){x, y, w, 1}, ' ', r);
	grid_text(g, x, y, w, r, e->text + from);
	return x + cols;
}
