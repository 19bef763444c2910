/* term.c: curses, and nobody else. */
#define _XOPEN_SOURCE_EXTENDED 1
#include "term.h"

#include <locale.h>
#include <ncurses.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool opened, coloured;
static SCREEN *screen;
static int attrs[ROLE_COUNT];
static short pairs[ROLE_COUNT];

static int nearest(const colour *c)
{
	return COLORS >= 256 ? theme_index256(c) : theme_index16(c);
}

void term_theme(const theme *t)
{
	for (int r = 0; r < ROLE_COUNT; r++) {
		int a = 0, want = t->roles[r].attrs;
		if (want & ATTR_BOLD) a |= (int)A_BOLD;
		if (want & ATTR_DIM) a |= (int)A_DIM;
		if (want & ATTR_REVERSE) a |= (int)A_REVERSE;
		if (want & ATTR_UNDERLINE) a |= (int)A_UNDERLINE;
		attrs[r] = a;
		pairs[r] = 0;
		if (!coloured) continue;
		const colour *bg = t->roles[r].bg.rgb == -2 ? &t->bg : &t->roles[r].bg;
		short pair = (short)(r + 1);
		if (init_pair(pair, (short)nearest(&t->roles[r].fg), (short)nearest(bg)) == OK)
			pairs[r] = pair;
	}
	if (coloured) {
		wbkgdset(stdscr, (chtype)' ' | (chtype)COLOR_PAIR(pairs[ROLE_TEXT]));
		clearok(stdscr, TRUE);
	}
}

static void die_hook(void)
{
	term_close();
}

int term_open(const theme *t, bool want_colour, wr_err *err)
{
	const char *term = getenv("TERM");
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return wr_fail(err, WR_E_UNAVAILABLE,
		               "no terminal: use `warroom status --watch` for plain lines");
	if (!term || !*term || !strcmp(term, "dumb"))
		return wr_fail(
		    err, WR_E_UNAVAILABLE,
		    "TERM=%s cannot carry a screen: use `warroom status --watch` for plain lines",
		    term ? term : "");
	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return wr_fail(err, WR_E_UNAVAILABLE,
		               "TERM=%s is not known here: set TERM=xterm-256color or another known one",
		               term);
	opened = true;
	wr_die_hook(die_hook);
	raw();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(25);
	curs_set(0);
	coloured = want_colour && has_colors() && start_color() == OK;
	if (coloured) use_default_colors();
	term_theme(t);
	return 0;
}

void term_close(void)
{
	if (!opened) return;
	opened = false;
	curs_set(1);
	endwin();
	if (screen) delscreen(screen);
	screen = NULL;
}

void term_size(int *w, int *h)
{
	*w = COLS;
	*h = LINES;
}

void term_redraw(void)
{
	clearok(stdscr, TRUE);
}

void term_show(const grid *g, int cursor_x, int cursor_y)
{
	for (int y = 0; y < g->h && y < LINES; y++)
		for (int x = 0; x < g->w && x < COLS; x++) {
			const cell *c = &g->cells[y * g->w + x];
			if (!c->cp) continue;
			wchar_t text[3] = {(wchar_t)c->cp, (wchar_t)c->mark, 0};
			cchar_t cc;
			if (setcchar(&cc, text, (attr_t)attrs[c->role], pairs[c->role], NULL) == OK)
				(void)mvadd_wch(y, x, &cc);
		}
	if (cursor_x >= 0) {
		curs_set(1);
		move(cursor_y, cursor_x);
	} else {
		curs_set(0);
	}
	refresh();
}

uint32_t term_key(void)
{
	wint_t ch;
	int rc = get_wch(&ch);
	if (rc == ERR) return (uint32_t)KEY_NONE;
	if (rc != KEY_CODE_YES) {
		if (ch == '\n') return K_ENTER;
		if (ch == 127) return K_BACKSPACE;
		return (uint32_t)ch;
	}
	switch (ch) {
	case KEY_UP:
		return K_UP;
	case KEY_DOWN:
		return K_DOWN;
	case KEY_LEFT:
		return K_LEFT;
	case KEY_RIGHT:
		return K_RIGHT;
	case KEY_PPAGE:
		return K_PGUP;
	case KEY_NPAGE:
		return K_PGDN;
	case KEY_HOME:
		return K_HOME;
	case KEY_END:
		return K_END;
	case KEY_BTAB:
		return K_BTAB;
	case KEY_ENTER:
		return K_ENTER;
	case KEY_BACKSPACE:
		return K_BACKSPACE;
	case KEY_DC:
		return K_DELETE;
	case KEY_RESIZE:
		return K_RESIZE;
	case KEY_F(1):
		return K_F1;
	case KEY_F(5):
		return K_F5;
	default:
		return (uint32_t)KEY_NONE - 1; /* a key we have no use for, but one was pressed */
	}
}

void term_suspend(void)
{
	endwin();
	raise(SIGSTOP);
	refresh();
	term_redraw();
}
