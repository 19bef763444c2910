/* request.h: which action a request names; shared by the routes and the challenges. */
#ifndef ENGINE_REQUEST_H
#define ENGINE_REQUEST_H

#include "engine/engine.h"

/* "a, b, c" for a message that says what there is. What does not fit ends in "…". */
typedef struct name_list {
	char text[224];
	size_t len;
} name_list;
const char *name_list_add(name_list *l, const char *name); /* returns the text so far */

/* request_action fills *out from the names given; on a wrong name it answers the error and returns
 * false. */
bool request_action(engine *e, request *r, const char *action, const char *from, const char *to,
                    const char *runbook, candidate *out);

#endif
