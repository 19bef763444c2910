/* keys.h: what term_key returns. Below 0x110000: the code point that was typed. */
#ifndef TUI_KEYS_H
#define TUI_KEYS_H

enum {
	K_NONE = -1,
	K_CTRL_A = 1,
	K_CTRL_C = 3,
	K_CTRL_D = 4,
	K_CTRL_E = 5,
	K_BACKSPACE = 8,
	K_TAB = 9,
	K_CTRL_L = 12,
	K_ENTER = 13,
	K_CTRL_U = 21,
	K_CTRL_W = 23,
	K_CTRL_Z = 26,
	K_ESC = 27,
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
	K_DELETE,
	K_PASTE,     /* bracketed paste begins: what follows was not typed … */
	K_PASTE_END, /* … until here */
	K_OTHER      /* a key that nobody knows */
};

#endif
