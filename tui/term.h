/* term.h: the terminal. The only part that knows curses; one thread. */
#ifndef TUI_TERM_H
#define TUI_TERM_H

#include "theme.h"
#include "widget/grid.h"

enum {
	KEY_NONE = -1,
	K_ESC = 27,
	K_ENTER = 13,
	K_TAB = 9,
	K_BACKSPACE = 8,
	K_CTRL_C = 3,
	K_CTRL_D = 4,
	K_CTRL_L = 12,
	K_CTRL_U = 21,
	K_CTRL_Z = 26,
	K_UP = 0x200000,
	K_DOWN,
	K_LEFT,
	K_RIGHT,
	K_PGUP,
	K_PGDN,
	K_HOME,
	K_END,
	K_BTAB,
	K_RESIZE,
	K_F1,
	K_F5,
	K_DELETE
}; /* below 0x200000: the code point that was typed */

WR_CHECKED int term_open(const theme *t, bool colour,
                         wr_err *err); /* WR_E_UNAVAILABLE: no terminal fit for a screen */
void term_close(void);                 /* restores; safe to call twice, and from wr_die's hook */
void term_theme(const theme *t);
void term_size(int *w, int *h);
/* term_show copies the grid; only what changed goes over the line. cursor_x < 0: no cursor. */
void term_show(const grid *g, int cursor_x, int cursor_y);
void term_redraw(void);  /* repaint everything at the next show */
uint32_t term_key(void); /* next key without waiting, or (uint32_t)KEY_NONE */
void term_suspend(void);

#endif
