/* app.h: the screen's state, shared by the loop (app.c) and what keys do (keys.c). */
#ifndef TUI_APP_H
#define TUI_APP_H

#include "feed.h"
#include "screen/form.h"
#include "screen/page.h"
#include "term.h"
#include "widget/edit.h"

typedef struct app {
	scene s;
	feed *feed;
	form *form;
	json_t *state, *later; /* later: what came while the picture is frozen */
	int64_t state_ms, contact_ms, message_until_ms;
	int64_t typed_ms; /* when the last character came, 0 if the last key was none */
	bool reached, quit, pasting, filtering;
	int silent;     /* wake-ups without a key */
	view_id behind; /* where a page leads back to */
	edit filter;
	wr_buf page;
	char page_title[160];
	char error[512], message[600], socket[512];
} app;

void app_say(app *a, const char *text, bool bad);
void app_key(app *a, uint32_t key); /* outside dialogs */
/* What feed_get brought; `answer` stays the caller's. */
void app_page(app *a, const json_t *answer, const wr_err *err);
void app_draw_filter(app *a, grid *g, int *cursor_x, int *cursor_y);

#endif
