/* theme.h: how roles look.
 *
 * A theme is lines `role = colour [256-colour [16-colour]] [, attribute…]` and `#` comments. The
 * colour is #RRGGBB, a name (red, bright-blue …) or `default`, the terminal's own; the two that may
 * follow are its stand-ins on poorer terminals, 0-255 and a name, else the nearest is taken.
 * `bg = …` is the ground, `role.bg = …` a role's own. Attributes: bold, dim, reverse, underline. */
#ifndef TUI_THEME_H
#define TUI_THEME_H

#include "widget/grid.h"

enum { ATTR_BOLD = 1, ATTR_DIM = 2, ATTR_REVERSE = 4, ATTR_UNDERLINE = 8 };

typedef struct colour {
	int rgb;      /* 0xRRGGBB, or -1: the terminal's default */
	int index256; /* -1: the nearest */
	int index16;  /* -1: the nearest */
} colour;

typedef struct theme {
	char name[64];
	colour bg;
	struct {
		colour fg, bg;
		bool own_bg; /* else the ground's */
		int attrs;
	} roles[ROLE_COUNT];
} theme;

/* theme_load takes a built-in name, a name for which NAME.theme lies in the user's or the installed
 * theme directory, or a file (with a slash or .theme in it). On failure *err gives file:line and *t
 * is unusable. */
WR_CHECKED int theme_load(theme *t, const char *name, wr_err *err);
/* theme_parse changes what the text names and leaves the rest. */
WR_CHECKED int theme_parse(theme *t, const char *text, size_t len, const char *file, wr_err *err);
const char *theme_builtin(size_t i); /* the i-th built-in name, or NULL */
int theme_index256(const colour *c); /* -1: default */
int theme_index16(const colour *c);

#endif
