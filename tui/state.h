/* state.h: what both the screen and the command line ask of the engine's state (docs/api.md). */
#ifndef TUI_STATE_H
#define TUI_STATE_H

#include <jansson.h>
#include <stdbool.h>

bool is(const json_t *obj, const char *key, const char *value); /* a string member equals */
/* step_in: the operation's first step in that state, of that kind unless NULL; or NULL. Borrowed.
 */
const json_t *step_in(const json_t *op, const char *state, const char *kind);

#endif
