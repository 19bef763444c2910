/* view.h: small pieces that the state's builders share. */
#ifndef ENGINE_VIEW_H
#define ENGINE_VIEW_H

#include <jansson.h>

#include "engine/engine.h"

/* RFC 3339, or "" for 0. New reference. */
json_t *view_time(int64_t us);
/* Milliseconds from `us` to now, never negative; -1 for 0. */
int64_t view_age_ms(const engine *e, int64_t us);
void put(json_t *obj, const char *key, json_t *value); /* steals */
void put_str(json_t *obj, const char *key, const char *s);
void put_int(json_t *obj, const char *key, int64_t n);
void put_bool(json_t *obj, const char *key, bool b);

#endif
