/* page.h: what was fetched, as text for the page view. */
#ifndef TUI_PAGE_H
#define TUI_PAGE_H

#include "screen/scene.h"

#define PAGE_MAX (4u << 20) /* bytes of text: more than any plan */

/* A whole receipt, a line a field: who and what first, then its own fields, hashes last. */
void page_receipt(wr_buf *out, const json_t *answer);
/* The text of a plan or an operation. */
void page_plan(wr_buf *out, const json_t *answer);
/* Rows that the help and the demo's first page need on a screen of this width. */
int help_rows(int w);
int welcome_rows(const char *text, int w);
/* How far the page, the help and the welcome can be scrolled on a screen of this size. */
int page_scroll_max(const scene *s, int w, int h);

#endif
