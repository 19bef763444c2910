/* term.c: curses, and nobody else. */
#define _XOPEN_SOURCE_EXTENDED 1
#include "term.h"

#include <locale.h>
#include <ncurses.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "warroom/text.h"

/* Codes of our own for what terminfo has no name for. */
enum { CODE_PASTE = KEY_MAX + 1, CODE_PASTE_END, CODE_HOME, CODE_END };

static bool opened, coloured, direct, pasteable, forget;
static SCREEN *screen;
static attr_t attrs[ROLE_COUNT];
static int pairs[ROLE_COUNT];
static grid shown; /* what the screen holds: equal grids cost nothing */
static int shown_x, shown_y;

/* The terminal's number of a colour, and what has to be added to it (8 colours and bold). */
static int number_of(const colour *c, bool foreground, attr_t *more)
{
	if (direct) return c->rgb < 0 ? -1 : c->rgb < 8 ? 8 : c->rgb; /* below 8: the ANSI colours */
	if (COLORS >= 256) return theme_index256(c);
	int i = theme_index16(c);
	if (COLORS >= 16 || i < 8) return i;
	if (foreground) *more |= A_BOLD;
	return i - 8;
}

static void apply_theme(const theme *t)
{
	for (int r = 0; r < ROLE_COUNT; r++) {
		int want = t->roles[r].attrs;
		attr_t a = A_NORMAL;
		if (want & ATTR_BOLD) a |= A_BOLD;
		if (want & ATTR_DIM) a |= A_DIM;
		if (want & ATTR_REVERSE) a |= A_REVERSE;
		if (want & ATTR_UNDERLINE) a |= A_UNDERLINE;
		pairs[r] = 0;
		if (coloured) {
			const colour *bg = t->roles[r].own_bg ? &t->roles[r].bg : &t->bg;
			int fg = number_of(&t->roles[r].fg, true, &a), ground = number_of(bg, false, &a);
			if (init_extended_pair(r + 1, fg, ground) == OK) pairs[r] = r + 1;
		}
		attrs[r] = a;
	}
}

static void blank_cell(cchar_t *cc)
{
	const wchar_t space[2] = {L' ', 0};
	(void)setcchar(cc, space, attrs[ROLE_TEXT], (short)0, &pairs[ROLE_TEXT]);
}

static void paint_ground(void)
{
	cchar_t cc;
	blank_cell(&cc);
	(void)wbkgrndset(stdscr, &cc);
	term_redraw();
}

static void send_mode(const char *mode)
{
	fputs(mode, stdout);
	fflush(stdout);
}

static void paste_mode(bool on)
{
	if (pasteable) send_mode(on ? "\033[?2004h" : "\033[?2004l");
}

static void die_hook(void)
{
	term_close();
}

static int no_screen(const char *term, wr_err *err)
{
	return wr_fail(err, WR_E_UNAVAILABLE,
	               "TERM=%.40s cannot carry a screen: use `warroom status --watch` for plain lines",
	               term);
}

/* A screen needs to put the cursor anywhere and to clear. */
static bool can_address(void)
{
	char name[2][8] = {"cup", "clear"};
	for (int i = 0; i < 2; i++) {
		const char *s = tigetstr(name[i]);
		if (!s || s == (char *)-1 || !*s) return false;
	}
	return true;
}

static void set_keys(void)
{
	static const struct {
		const char *sequence;
		int code;
	} keys[] = {{"\033[200~", CODE_PASTE}, {"\033[201~", CODE_PASTE_END}, {"\033[1~", CODE_HOME},
	            {"\033[7~", CODE_HOME},    {"\033[H", CODE_HOME},         {"\033[4~", CODE_END},
	            {"\033[8~", CODE_END},     {"\033[F", CODE_END}};
	raw();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(25);
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (key_defined(keys[i].sequence) <= 0) (void)define_key(keys[i].sequence, keys[i].code);
}

int term_open(const theme *t, bool want_colour, wr_err *err)
{
	const char *term = getenv("TERM");
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return wr_fail(err, WR_E_UNAVAILABLE,
		               "no terminal: use `warroom status --watch` for plain lines");
	if (!term || !*term || !strcmp(term, "dumb")) return no_screen(term ? term : "", err);
	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return wr_fail(err, WR_E_UNAVAILABLE,
		               "TERM=%.40s is not known here: set TERM=xterm-256color or another known one",
		               term);
	opened = true;
	if (!can_address()) {
		term_close();
		return no_screen(term, err);
	}
	wr_die_hook(die_hook);
	set_keys();
	curs_set(0);
	coloured = want_colour && has_colors() && start_color() == OK;
	char rgb[] = "RGB";
	direct = coloured && tigetflag(rgb) > 0 && COLORS > 256;
	if (coloured) use_default_colors();
	theme mono;
	if (!coloured && theme_load(&mono, "mono", err) == 0) t = &mono;
	apply_theme(t);
	/* Terminals without the mode ignore it, but for those that print what they do not know. */
	pasteable = !strncmp(term, "xterm", 5) || !strncmp(term, "tmux", 4) ||
	            !strncmp(term, "screen", 6) || !strncmp(term, "rxvt", 4) || strchr(term, '-');
	paste_mode(true);
	paint_ground();
	return 0;
}

void term_close(void)
{
	if (!opened) return;
	opened = false;
	paste_mode(false);
	curs_set(1);
	endwin();
	if (screen) delscreen(screen);
	screen = NULL;
	if (shown.cells) grid_free(&shown);
}

void term_size(int *w, int *h)
{
	*w = COLS;
	*h = LINES;
}

void term_redraw(void)
{
	clearok(stdscr, TRUE);
	forget = true;
}

static bool same(const grid *g, int x, int y)
{
	return !forget && shown.cells && shown.w == g->w && shown.h == g->h && shown_x == x &&
	       shown_y == y &&
	       !memcmp(shown.cells, g->cells, (size_t)g->w * (size_t)g->h * sizeof *g->cells);
}

static void remember(const grid *g, int x, int y)
{
	forget = false;
	if (shown.cells && (shown.w != g->w || shown.h != g->h)) grid_free(&shown);
	if (!shown.cells && grid_init(&shown, g->w, g->h) != 0) {
		shown.cells = NULL;
		return;
	}
	memcpy(shown.cells, g->cells, (size_t)g->w * (size_t)g->h * sizeof *g->cells);
	shown_x = x;
	shown_y = y;
}

static void put_cell(int x, int y, const cell *c)
{
	wchar_t text[3] = {(wchar_t)c->cp, (wchar_t)c->mark, 0};
	cchar_t cc;
	/* Where the C library knows another width than we do, or none, the columns behind it would be
	 * off: a mark says that there was something. */
	if (wcwidth(text[0]) != wr_cp_width(c->cp)) text[0] = L'?';
	if (text[1] && wcwidth(text[1]) != 0) text[1] = 0;
	if (setcchar(&cc, text, attrs[c->role], (short)0, &pairs[c->role]) == OK)
		(void)mvadd_wch(y, x, &cc);
	if (text[0] == L'?' && wr_cp_width(c->cp) == 2) (void)mvaddch(y, x + 1, ' ');
}

void term_show(const grid *g, int cursor_x, int cursor_y)
{
	if (same(g, cursor_x, cursor_y)) return;
	for (int y = 0; y < g->h && y < LINES; y++)
		for (int x = 0; x < g->w && x < COLS; x++)
			if (g->cells[y * g->w + x].cp) put_cell(x, y, &g->cells[y * g->w + x]);
	curs_set(cursor_x >= 0 ? 1 : 0);
	leaveok(stdscr, cursor_x < 0);
	if (cursor_x >= 0) move(cursor_y, cursor_x);
	refresh();
	remember(g, cursor_x, cursor_y);
}

static uint32_t named_key(wint_t ch)
{
	static const struct {
		int code;
		uint32_t key;
	} keys[] = {{KEY_UP, K_UP},
	            {KEY_DOWN, K_DOWN},
	            {KEY_LEFT, K_LEFT},
	            {KEY_RIGHT, K_RIGHT},
	            {KEY_PPAGE, K_PGUP},
	            {KEY_NPAGE, K_PGDN},
	            {KEY_HOME, K_HOME},
	            {KEY_END, K_END},
	            {KEY_BTAB, K_BTAB},
	            {KEY_ENTER, K_ENTER},
	            {KEY_BACKSPACE, K_BACKSPACE},
	            {KEY_DC, K_DELETE},
	            {KEY_RESIZE, K_RESIZE},
	            {KEY_F(1), K_F1},
	            {KEY_F(5), K_F5},
	            {CODE_PASTE, K_PASTE},
	            {CODE_PASTE_END, K_PASTE_END},
	            {CODE_HOME, K_HOME},
	            {CODE_END, K_END}};
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if ((wint_t)keys[i].code == ch) return keys[i].key;
	return K_OTHER;
}

/* An escape that something follows at once is a key nobody knows, not a person's Esc: its rest must
 * not be taken for letters. */
static uint32_t swallow_sequence(void)
{
	wint_t ch;
	if (get_wch(&ch) != OK) return K_ESC;
	if (ch == 'O') {
		(void)get_wch(&ch);
	} else if (ch == '[') {
		for (int i = 0; i < 32 && get_wch(&ch) == OK && (ch < 0x40 || ch > 0x7e); i++) {
		}
	}
	return K_OTHER;
}

uint32_t term_key(void)
{
	wint_t ch;
	int rc = get_wch(&ch);
	if (rc == ERR) return (uint32_t)K_NONE;
	if (rc == KEY_CODE_YES) return named_key(ch);
	if (ch == '\n') return K_ENTER;
	if (ch == 127) return K_BACKSPACE;
	if (ch == K_ESC) return swallow_sequence();
	return (uint32_t)ch;
}

void term_suspend(void)
{
	paste_mode(false);
	endwin();
	raise(SIGSTOP);
	refresh();
	paste_mode(true);
	term_redraw();
}
