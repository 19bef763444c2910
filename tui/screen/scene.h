/* scene.h: everything a view may look at, and the views. Drawing is a pure function of a scene, so
 * that golden tests need no engine and no terminal. */
#ifndef TUI_SCENE_H
#define TUI_SCENE_H

#include <jansson.h>

#include "state.h"
#include "warroom/json.h"
#include "widget/draw.h"

typedef enum view_id {
	VIEW_OVERVIEW,
	VIEW_REGIONS,
	VIEW_DATA,
	VIEW_RECEIPTS,
	VIEW_OPERATION,
	VIEW_WHY,
	VIEW_PAGE, /* a text that was fetched: a plan, a whole receipt */
	VIEW_HELP,
	VIEW_WELCOME,
	VIEW_COUNT
} view_id;

typedef struct scene {
	const json_t *state; /* borrowed; NULL before the first contact */
	bool connected, ever;
	int64_t stale_ms; /* since the last contact with the engine */
	/* Clocks (impact, RTO) run on while the engine is there and stop when it is gone; ages
	 * (verified 3 s ago) grow for ever. Both since the state was fetched. */
	int64_t clock_ms, age_ms;
	const char *error; /* why not connected */
	const char *socket;
	bool read_only, frozen;
	view_id view;
	char picked[160];      /* the chosen item's id (scene_item_id), "" the view's own choice */
	size_t picked_row;     /* where it was, for when it is gone */
	int scroll;            /* of pages, help, welcome */
	char candidate[200];   /* which candidate action (candidate_id), "" the likeliest */
	char operation_id[64]; /* which operation; "" the newest */
	char filter[64];       /* of lists; "" none */
	const char *message;   /* one line for the person, or "" */
	bool message_bad;
	const char *welcome; /* text of the welcome page, or NULL */
	const char *page_title, *page_text;
} scene;

#define MIN_W     60
#define MIN_H     16
#define ITEMS_MAX 4096

/* ---- finding things (scene.c) ---- */

const json_t *scene_operation(const scene *s); /* the shown or newest operation, or NULL */
const json_t *scene_active(const scene *s);    /* the newest that is not over, or NULL */
const json_t *scene_action(const scene *s);    /* the shown candidate action, or NULL */
const json_t *scene_primary(const scene *s);   /* the region that is primary, or NULL */
void candidate_id(const json_t *action, char *out, size_t size);
bool op_over(const json_t *op);
/* A number as it is, clamped so that sums cannot overflow. */
int64_t num(const json_t *obj, const char *key, int64_t dflt);
/* Of a live clock in the state: its value now. `up`: it grows. -1 (unknown) stays. */
int64_t scene_clock(const scene *s, const json_t *obj, const char *key, bool up);
int64_t scene_age(const scene *s, const json_t *obj, const char *key); /* -1 stays */
const char *time_of(const json_t *obj, const char *key); /* "12:45:30" of a time, or "" */

/* The rows of a list view, in the order shown, filtered; how many. */
size_t scene_items(const scene *s, const json_t *out[static ITEMS_MAX]);
void scene_item_id(const json_t *item, char *out, size_t size);
/* Which of them is chosen: the one with the picked id, wherever it is now. */
size_t scene_picked(const scene *s, const json_t *const *items, size_t n);
/* Of `rows` rows, the first one to draw so that `at` is among them, near the middle. */
size_t first_row(size_t at, size_t rows, size_t n);

/* ---- what views share (parts.c) ---- */

role verdict_role(const char *verdict);
const char *verdict_glyph(const char *verdict);
role guard_role(const json_t *guard);
const char *guard_glyph(const json_t *guard);
const char *step_glyph(const char *state, role *r);
/* What would be lost, in `width` columns: the whole sentence, or the figures alone. */
void loss_text(const json_t *loss, int width, char *out, size_t size);
role loss_role(const json_t *loss);
/* The title bar, banners if any, impact and RTO. Returns the first row below. */
int view_header(grid *g, const scene *s);
int header_rows(const scene *s); /* what view_header would return */
/* What the screen suggests to do now, and the role to say it in. */
role scene_suggest(const scene *s, char *out, size_t size);
void draw_now(grid *g, const scene *s, int x, int y, int w); /* "NOW: …" */
/* Who has approved what, and who is missing, on one line. Returns the column behind. */
int draw_approvals(grid *g, const scene *s, int x, int y, int right, const json_t *op);
/* Impact, what is still to come, and the limit. */
int draw_rto(grid *g, const scene *s, int x, int y, int right, const json_t *op);
/* A list's title with its filter: "Why …  /lag: 3 of 25". */
void list_title(const scene *s, size_t shown, char *out, size_t size, const char *title);
rect view_frame(const grid *g, int top);

/* ---- views: into the whole grid but its last row ---- */

void view_overview(grid *g, const scene *s);
void view_regions(grid *g, const scene *s);
void view_data(grid *g, const scene *s);
void view_operation_page(grid *g, const scene *s);
void view_why(grid *g, const scene *s);
void view_receipts(grid *g, const scene *s);
void view_page(grid *g, const scene *s);
void view_help(grid *g, const scene *s);
void view_welcome(grid *g, const scene *s);
void scene_draw(grid *g, const scene *s); /* the current view, the hint bar, the message */

#endif
