/* panels.h: the five panels of the overview, whose rows the views with more room use too. */
#ifndef TUI_PANELS_H
#define TUI_PANELS_H

#include "screen/scene.h"

#define HISTORY_MAX 60

/* The widest of a list's names, between least and most columns. */
int longest(const json_t *list, const char *key, int least, int most);
role class_role(const json_t *signal); /* of a signal's or a class's status */
const char *class_glyph(const json_t *signal);
/* A signal's recent samples: low is good, high is bad, ? is no answer; the newest at the right. */
void draw_history(grid *g, int x, int y, int w, const char *history);
void draw_region(grid *g, const scene *s, rect a, int name_w, const json_t *region);
void draw_signal(grid *g, const scene *s, rect a, const json_t *region, const json_t *signal);
void draw_fact(grid *g, const scene *s, rect a, const json_t *region, const json_t *fact);
void draw_link(grid *g, const scene *s, rect a, int name_w, const json_t *link);
void draw_quota(grid *g, rect a, int name_w, const json_t *quota);
size_t history_of(const json_t *obj, int64_t out[static HISTORY_MAX]);
/* The links in use; when none is, all of them. */
json_t *links_used(const scene *s); /* an array; new reference */

/* A panel's rows from y on; `f` is the frame around all of them. */
void panel_regions(grid *g, const scene *s, rect f, int y, int rows, int signals);
void panel_data(grid *g, const scene *s, rect f, int y, int rows); /* y: its divider */
void panel_receipts(grid *g, const scene *s, int y, int rows);
void panel_next(grid *g, const scene *s, int y, int rows);
/* The rows for what it has to say, with at most so many guards that block. */
int panel_next_rows(const scene *s, int most);
/* Where not all of a list fit into `rows`, what is not well comes first; else the order stays. */
size_t worst_first(const json_t *list, size_t rows, const json_t *out[static ITEMS_MAX]);
void draw_record(grid *g, const scene *s, int y); /* is the record intact? */

#endif
