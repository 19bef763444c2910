/* request.h: one HTTP request against the model, without a socket: routing, checking, answering.
 *
 * All that comes from outside is checked here, so this is what tests and fuzzers feed. Pure but for
 * what a command changes in the model. */
#ifndef WR_SIM_REQUEST_H
#define WR_SIM_REQUEST_H

#include "sim/view.h"

#define WR_SIM_BODY_MAX (64u << 10)
#define WR_SIM_ARGS_MAX 16
#define WR_SIM_CONTROL  (-1) /* the control server, where regions are 0, 1, … */

typedef struct wr_sim_arg {
	const char *key, *value; /* borrowed; value may be NULL */
} wr_sim_arg;

typedef struct wr_sim_request {
	int server; /* WR_SIM_CONTROL or a region's index */
	const char *method, *path;
	wr_sim_arg args[WR_SIM_ARGS_MAX];
	int arg_count;
	const char *body; /* may be NULL when body_len is 0 */
	size_t body_len;
	const char *epoch, *key; /* X-Warroom-Epoch, Idempotency-Key; NULL: none */
	uint64_t nonce;          /* the server's number of this request, for brownouts */
} wr_sim_request;

/* What the shell has beside the model. */
typedef struct wr_sim_dial {
	int64_t speed_milli; /* POST /v1/clock changes it */
	int64_t behind_ms;
} wr_sim_dial;

typedef struct wr_sim_response {
	bool drop; /* answer nothing and close: the caller cannot reach this */
	int status;
	bool replayed, text; /* text: not JSON but the metrics format */
	const char *allow;   /* of a 405 */
	wr_buf body;         /* the caller frees */
} wr_sim_response;

/* wr_sim_handle answers one request. */
void wr_sim_handle(wr_sim *s, wr_sim_dial *dial, const wr_sim_request *q, wr_sim_response *out);
/* wr_sim_respond_error makes the body {"error":text}. */
void wr_sim_respond_error(wr_sim_response *out, int status, const char *fmt, ...) WR_PRINTF(3, 4);

#endif
