/* page.c: page.h on top of a probe's transfer: what goes to the body and the headers is taken here.
 */
#include "warroom/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "watch/fetch.h"

#define LINK_MAX      2000
#define HEADERS_BYTES (64u << 10)

struct wr_page {
	wr_page_opts o;
	wr_fetch *fetch;
	wr_probe probe;
	wr_buf body;
	char link[LINK_MAX + 1];
	size_t header_bytes;
	bool flooded, stopped;
};

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
	wr_page *p = ctx;
	size_t len = size * n;
	if (len > p->body.max - p->body.len) {
		p->flooded = true;
		return 0;
	}
	wr_buf_add(&p->body, data, len);
	return wr_buf_ok(&p->body) ? len : 0;
}

/* The URL of Link: <URL>; rel="next" */
static void read_link(wr_page *p, const char *s, size_t n)
{
	char line[4096];
	if (n >= sizeof line) return;
	memcpy(line, s, n);
	line[n] = '\0';
	for (char *open = strchr(line, '<'); open; open = strchr(open + 1, '<')) {
		char *close = strchr(open, '>');
		if (!close) return;
		size_t rest = strcspn(close, ","), len = (size_t)(close - open) - 1;
		char saved = close[rest];
		close[rest] = '\0';
		bool next = strcasestr(close, "rel=\"next\"") || strcasestr(close, "rel=next");
		close[rest] = saved;
		if (next && len <= LINK_MAX) {
			memcpy(p->link, open + 1, len);
			p->link[len] = '\0';
			return;
		}
		open = close;
	}
}

static size_t on_header(char *data, size_t size, size_t n, void *ctx)
{
	wr_page *p = ctx;
	size_t len = size * n;
	p->header_bytes += len;
	if (p->header_bytes > HEADERS_BYTES) {
		p->flooded = true;
		return 0;
	}
	if (len > 5 && strncasecmp(data, "Link:", 5) == 0) read_link(p, data + 5, len - 5);
	return len;
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	(void)a, (void)b, (void)c, (void)d;
	wr_page *p = ctx;
	p->stopped = p->stopped || (p->o.stop && p->o.stop(p->o.ctx));
	return p->stopped;
}

static bool take_over(wr_page *p)
{
	CURL *e = wr_fetch_easy(p->fetch);
	return curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_WRITEDATA, (void *)p) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_HEADERDATA, (void *)p) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_XFERINFODATA, (void *)p) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_NOPROGRESS, 0L) == CURLE_OK;
}

wr_page *wr_page_new(const wr_page_opts *opts, wr_err *err)
{
	if (wr_fetch_setup(err) != 0) return NULL;
	wr_page *p = calloc(1, sizeof *p);
	if (!p) {
		(void)wr_fail(err, WR_E_NOMEM, "out of memory");
		return NULL;
	}
	p->o = *opts;
	wr_buf_init(&p->body, opts->body_max);
	p->probe = (wr_probe){.kind = WR_PROBE_HTTP,
	                      .url = "",
	                      .method = "GET",
	                      .body = "",
	                      .pointer = "",
	                      .headers = opts->headers,
	                      .header_count = opts->header_count,
	                      .ca_file = opts->ca_file};
	p->fetch = wr_fetch_new(&p->probe, opts->timeout_ms, p, err);
	if (p->fetch && take_over(p)) return p;
	if (p->fetch)
		(void)wr_fail(err, WR_E_UNAVAILABLE, "libcurl does not know an option that is needed");
	wr_page_free(p);
	return NULL;
}

void wr_page_free(wr_page *p)
{
	if (!p) return;
	wr_fetch_free(p->fetch);
	wr_buf_free(&p->body);
	free(p);
}

int wr_page_get(wr_page *p, const char *url, wr_err *err)
{
	wr_sample sample = {0};
	wr_buf_reset(&p->body);
	p->link[0] = '\0';
	p->header_bytes = 0;
	p->flooded = p->stopped = false;
	p->probe.url = url;
	if (wr_fetch_begin(p->fetch, err) != 0) return -1;
	(void)wr_fetch_end(p->fetch, curl_easy_perform(wr_fetch_easy(p->fetch)), &sample);
	if (p->stopped) return wr_fail(err, WR_E_CANCELLED, "stopped");
	if (p->flooded)
		return wr_fail(err, WR_E_LIMIT, "larger than %zu MiB: ask for less", p->o.body_max >> 20);
	if (!wr_buf_ok(&p->body)) return wr_fail(err, WR_E_NOMEM, "out of memory");
	if (!sample.vars.error && sample.vars.status == 200) return 0;
	if (!sample.detail[0])
		(void)snprintf(sample.detail, sizeof sample.detail, "HTTP %d", (int)sample.vars.status);
	return wr_fail(err, WR_E_UNAVAILABLE, "%s", sample.detail);
}

const char *wr_page_body(const wr_page *p, size_t *len)
{
	*len = p->body.len;
	return wr_buf_cstr(&p->body);
}

const char *wr_page_link(const wr_page *p)
{
	return p->link;
}
