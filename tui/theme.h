/* theme.h: how roles look. A theme file is lines `role = colour[, attribute…]`, `#` comments; a
 * colour is #RRGGBB, 0-255, a name (red, bright-blue …), or "default"; `bg = …` is the ground,
 * `role.bg = …` a role's own. */
#ifndef TUI_THEME_H
#define TUI_THEME_H

#include "widget/grid.h"

enum { ATTR_BOLD = 1, ATTR_DIM = 2, ATTR_REVERSE = 4, ATTR_UNDERLINE = 8 };

typedef struct colour {
	int rgb;   /* 0xRRGGBB, or -1: the terminal's default */
	int index; /* 0-255 when given as a number or name, else -1: nearest is chosen */
} colour;

typedef struct theme {
	char name[32];
	colour bg;
	struct {
		colour fg, bg; /* bg.rgb == -2: the ground's */
		int attrs;
	} roles[ROLE_COUNT];
} theme;

/* theme_load takes a built-in name (dark, light, high-contrast, mono, …) or a file with a slash or
 * .theme in its name. On failure *err gives file:line; *t is then the dark theme. */
WR_CHECKED int theme_load(theme *t, const char *name, wr_err *err);
WR_CHECKED int theme_parse(theme *t, const char *text, size_t len, const char *file, wr_err *err);
int theme_index256(const colour *c);
int theme_index16(const colour *c);

#endif
