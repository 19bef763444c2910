/* page.h: a page of data over HTTP, fetched with the care of a probe (no redirects, no proxies,
 * certificates checked, everything bounded) but handed over whole. Not thread-safe. */
#ifndef WARROOM_PAGE_H
#define WARROOM_PAGE_H

#include "warroom/model.h"

typedef struct wr_page_opts {
	const wr_pair *headers; /* secrets in them are expanded for each request; borrowed */
	size_t header_count;
	const char *ca_file; /* "" for the system's */
	int64_t timeout_ms;
	size_t body_max;
	bool (*stop)(void *ctx); /* asked often; true ends the transfer; or NULL */
	void *ctx;
} wr_page_opts;

typedef struct wr_page wr_page;
WR_CHECKED wr_page *wr_page_new(const wr_page_opts *opts, wr_err *err);
void wr_page_free(wr_page *p); /* NULL is fine */
/* wr_page_get: 0 only for status 200 and a whole body. WR_E_CANCELLED: told to stop; WR_E_LIMIT:
 * too large; WR_E_UNAVAILABLE: anything else. `url` must hold no ${…} that is not the caller's own.
 */
WR_CHECKED int wr_page_get(wr_page *p, const char *url, wr_err *err);
/* Both until the next request: the body, NUL-terminated; the URL of Link: <URL>; rel="next", "" if
 * there is none. */
const char *wr_page_body(const wr_page *p, size_t *len);
const char *wr_page_link(const wr_page *p);

#endif
