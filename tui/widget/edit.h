/* edit.h: one line of text being typed, in UTF-8, with a cursor. Not for secrets. Pure. */
#ifndef TUI_EDIT_H
#define TUI_EDIT_H

#include "widget/grid.h"

typedef struct edit {
	char text[256]; /* always whole characters, terminated */
	size_t len, at; /* bytes; the cursor stands before byte `at`, at a character's start */
} edit;

void edit_set(edit *e, const char *text); /* cursor at the end */
/* edit_insert: false when the character is not a visible one or does not fit. */
bool edit_insert(edit *e, uint32_t cp);
/* edit_key handles typing, Backspace, Delete, arrows, Home, End, Ctrl-A, Ctrl-E, Ctrl-U, Ctrl-W;
 * false: not a key of an editor. */
bool edit_key(edit *e, uint32_t key);
/* edit_draw shows the part around the cursor in `w` columns; returns the cursor's column. */
int edit_draw(const edit *e, grid *g, int x, int y, int w, role r);

#endif
