/* client.h: the engine's API as the TUI and every verb see it (docs/api.md), over its Unix socket.
 *
 * A client is used by one thread at a time; the TUI has one for reading (a thread that long-polls)
 * and one for acting. */
#ifndef TUI_CLIENT_H
#define TUI_CLIENT_H

#include <jansson.h>

#include "warroom/buf.h"

typedef struct client client;

WR_CHECKED client *client_new(const char *socket_path, wr_err *err);
void client_free(client *c);
const char *client_socket(const client *c);

/* client_call sends one request and reads one JSON answer (at most 32 MiB). `path` may hold a
 * query. body NULL: GET, else POST (borrowed). Returns a new reference, or NULL with *err:
 * WR_E_UNAVAILABLE when the engine cannot be reached (exit 3), else what the engine's error says
 * (its rule, if any, in front). */
WR_CHECKED json_t *client_call(client *c, const char *path, const json_t *body, int64_t timeout_ms,
                               wr_err *err);
/* Another thread may end a call that is under way; it fails with WR_E_CANCELLED. */
void client_interrupt(client *c);
void client_clear_interrupt(client *c);

/* client_query appends "key=value", percent-encoded, with the right ? or &. value NULL: nothing. */
void client_query(wr_buf *path, const char *key, const char *value);

#endif
