/* scene.h: everything a view may look at, and the views. Drawing is a pure function of a scene, so
 * that golden tests need no engine and no terminal. */
#ifndef TUI_SCENE_H
#define TUI_SCENE_H

#include <jansson.h>

#include "warroom/json.h"
#include "widget/draw.h"

typedef enum view_id {
	VIEW_OVERVIEW,
	VIEW_OPERATION,
	VIEW_WHY,
	VIEW_RECEIPTS,
	VIEW_HELP,
	VIEW_WELCOME,
	VIEW_COUNT
} view_id;

typedef struct scene {
	const json_t *state; /* borrowed; NULL before the first contact */
	bool connected, ever;
	int64_t stale_ms;  /* since the last contact with the engine */
	int64_t skew_ms;   /* since the state was fetched: ages and clocks run on */
	const char *error; /* why not connected */
	const char *socket;
	bool read_only, frozen;
	view_id view;
	int selected, scroll;  /* of the view */
	int action;            /* which candidate action, index into state.actions */
	char operation_id[32]; /* which operation; "" the newest */
	int64_t receipt_seq;   /* selected receipt, -1 the newest */
	const char *message;   /* one line for the person, or "" */
	bool message_bad;
	const char *welcome; /* text of the welcome page, or NULL */
	char demo_note[96];
} scene;

/* Parts */
const json_t *scene_operation(const scene *s); /* the shown or newest operation, or NULL */
const json_t *scene_active(const scene *s);    /* the newest that is not over, or NULL */
const json_t *scene_action(const scene *s);    /* the shown candidate action, or NULL */
bool op_over(const json_t *op);
/* Of a live clock in the state: its value now. `up`: it grows. Negative (unknown) stays. */
int64_t scene_ms(const scene *s, const json_t *obj, const char *key, bool up);
role verdict_role(const char *verdict);
const char *verdict_glyph(const char *verdict);
/* "NOW: press a …": what the screen suggests, and the role to say it in. */
role scene_suggest(const scene *s, char *out, size_t size);

/* Views draw into the whole grid but its last row (the hint bar) and, below 80x24 or so, say what
 * they need. */
void view_header(grid *g, const scene *s);
void view_overview(grid *g, const scene *s);
void view_operation_page(grid *g, const scene *s);
void view_why(grid *g, const scene *s);
void view_receipts(grid *g, const scene *s);
void view_help(grid *g, const scene *s);
void view_welcome(grid *g, const scene *s);
void scene_draw(grid *g, const scene *s); /* the current view, the hint bar, the message */

#define MIN_W 60
#define MIN_H 16

/* wrap: draws text in lines of `w`, at most `h`; returns lines used. */
int draw_wrapped(grid *g, rect area, role r, const char *text);

#endif
