/* term.h: the terminal. The only part that knows curses; one thread. */
#ifndef TUI_TERM_H
#define TUI_TERM_H

#include "theme.h"
#include "widget/grid.h"
#include "widget/keys.h"

/* term_open: WR_E_UNAVAILABLE when no terminal fit for a screen is there. Without `colour`, or on a
 * terminal that has none, the theme's attributes are those of the mono theme. */
WR_CHECKED int term_open(const theme *t, bool colour, wr_err *err);
void term_close(void); /* restores; safe to call twice, and from wr_die's hook */
void term_size(int *w, int *h);
/* term_show copies the grid; only what changed goes over the line. cursor_x < 0: no cursor. */
void term_show(const grid *g, int cursor_x, int cursor_y);
void term_redraw(void);  /* repaint everything at the next show */
uint32_t term_key(void); /* next key without waiting, or (uint32_t)K_NONE */
void term_suspend(void); /* Ctrl-Z: back to the shell until `fg` */

#endif
