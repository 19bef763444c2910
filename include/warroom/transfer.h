/* transfer.h: one HTTP exchange that carries bytes: a file up, a question and its answer. No
 * redirects, no proxy, no other schemes; bounded in time and size. Blocking; thread-safe. SIGPIPE
 * is the process's to ignore. */
#ifndef WARROOM_TRANSFER_H
#define WARROOM_TRANSFER_H

#include "warroom/clock.h"
#include "warroom/hash.h"
#include "warroom/model.h"
#include "warroom/sigv4.h"

typedef struct wr_transfer {
	const char *method; /* GET, HEAD, PUT, POST */
	const char *url;
	const wr_sigv4_pair *headers;
	size_t header_count;
	const void *body; /* of a POST */
	size_t body_len;
	int file;          /* of a PUT: its content, from its beginning on */
	int64_t file_size; /* … of exactly this size */
	const char *ca_file;
	int64_t timeout_ms;
	size_t answer_max; /* what comes beyond it is an error, or with `cut` left out */
	bool cut;
	bool (*stop)(void *ctx); /* or NULL; asked now and then */
	void *ctx;
} wr_transfer;

typedef struct wr_transfer_answer {
	int status;
	int64_t length;        /* Content-Length, -1 not said */
	int64_t retry_after_s; /* -1 not said */
	char type[64];         /* Content-Type without its parameters, lower case */
	wr_buf body;
} wr_transfer_answer;

/* wr_transfer_run: 0 when a complete answer came, whatever it says. -1: WR_E_TIMEOUT,
 * WR_E_UNAVAILABLE (no connection, or it broke), WR_E_DENIED (another certificate), WR_E_LIMIT,
 * WR_E_CANCELLED, WR_E_INVALID. */
WR_CHECKED int wr_transfer_run(const wr_transfer *t, wr_transfer_answer *a, wr_err *err);
void wr_transfer_free(wr_transfer_answer *a);

/* ---- an export into a store ---- */

typedef struct wr_store_job {
	const wr_export_plan *to;
	const char *dir;   /* an export's directory */
	const char *under; /* where in the store: "us-central1/ops/<name>" */
	const wr_clock *clock;
	const wr_random *random;
	int attempts; /* of each request; at least 1 */
	/* Sleeps; false: give up. Asked with 0 during a transfer. */
	bool (*nap)(void *ctx, int64_t ms);
	void *ctx;
} wr_store_job;

typedef struct wr_store_result {
	int files, retries;
	int64_t bytes;
} wr_store_result;

/* wr_store_put PUTs every file, SHA256SUMS last: where that is, all is. 0 only when each PUT was
 * answered with 2xx and, where the store tells sizes, the size is right. Tries again after 5xx,
 * 429, 408, timeouts and lost connections, later and later. No error holds a key. */
WR_CHECKED int wr_store_put(const wr_store_job *job, wr_store_result *out, wr_err *err);
/* wr_store_name writes where exports go, for people: a directory or a URL. */
void wr_store_name(const wr_export_plan *to, char *out, size_t size);

#endif
