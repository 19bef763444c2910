/* request.h: which action a request names; shared by the routes and the challenges. */
#ifndef ENGINE_REQUEST_H
#define ENGINE_REQUEST_H

#include "engine/engine.h"

/* request_action fills *out from the names given; on a wrong name it answers the error and returns
 * false. */
bool request_action(engine *e, request *r, const char *action, const char *from, const char *to,
                    const char *runbook, candidate *out);

#endif
