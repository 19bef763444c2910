/* sigv4.h: AWS Signature Version 4 in the Authorization header, as S3 and what is compatible with
 * it want it: every segment of the path encoded once, the payload's hash signed. Pure: the time is
 * given, nothing is kept, and what is derived from the secret is wiped. */
#ifndef WARROOM_SIGV4_H
#define WARROOM_SIGV4_H

#include <stdint.h>

#include "warroom/buf.h"

#define WR_SIGV4_PAIRS_MAX 32          /* headers or query parameters; a PUT has six */
#define WR_SIGV4_TEXT_MAX  (64u << 10) /* of the canonical request */
#define WR_SIGV4_TIME_LEN  17          /* "20130524T000000Z" + NUL */

typedef struct wr_sigv4_pair {
	const char *name, *value;
} wr_sigv4_pair;

typedef struct wr_sigv4_request {
	const char *method;         /* upper-case letters */
	const char *path;           /* as it is meant, not encoded; begins with "/" */
	const wr_sigv4_pair *query; /* as they are meant, not encoded */
	size_t query_count;
	const wr_sigv4_pair *headers; /* that are signed: at least host; x-amz-date is one of them */
	size_t header_count;
	const char *payload_sha256; /* 64 hex digits */
	const char *region, *service;
	int64_t time_us;
} wr_sigv4_request;

typedef struct wr_sigv4_key {
	const char *access, *secret;
} wr_sigv4_key;

/* wr_sigv4_time writes the form that x-amz-date has. Years 0001–9999, else "". */
void wr_sigv4_time(char out[static WR_SIGV4_TIME_LEN], int64_t wall_us);
/* wr_sigv4_encode percent-encodes all but A-Z a-z 0-9 - . _ ~, and "/" if `slashes` are kept: what
 * goes into the URL must be these very bytes. */
void wr_sigv4_encode(wr_buf *out, const char *text, bool slashes);
/* wr_sigv4_canonical appends the canonical request; `names` (reset) gets the signed headers. */
WR_CHECKED int wr_sigv4_canonical(wr_buf *out, wr_buf *names, const wr_sigv4_request *rq,
                                  wr_err *err);
/* wr_sigv4_authorization appends the Authorization header's value. No error names the key. */
WR_CHECKED int wr_sigv4_authorization(wr_buf *out, const wr_sigv4_request *rq,
                                      const wr_sigv4_key *key, wr_err *err);

#endif
