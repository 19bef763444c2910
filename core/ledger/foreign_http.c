/* foreign_http.c: records over HTTP, page by page, as the profile says. One page is in memory.
 *
 * What a server says is not believed: a page is bounded, the next one must be of the same server
 * (our headers may hold secrets) and another one than this, and a page that is not what was asked
 * for is unreadable, which is not the same as a broken chain. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ledger/foreign.h"
#include "warroom/page.h"
#include "warroom/text.h"

#define URL_MAX_LEN 2000
#define PAGES_MAX   10000000
/* Pages without a record, one after the other, that still name a next one. */
#define EMPTY_MAX 100

typedef struct transfer {
	foreign_source *s;
	wr_page *fetch;
	char url[URL_MAX_LEN + 1];
	char token[2048], next[2048]; /* cursor or URL of this page and of the next */
	const char *body;
	size_t len;
	wr_jt *page;
	int64_t number;  /* what since or offset asked for */
	int64_t records; /* in this page */
	int empties;
} transfer;

/* ---- one request ---- */

static bool stop(void *ctx)
{
	return foreign_stopped(ctx, NULL);
}

static int begin(transfer *t, wr_err *err)
{
	const wr_profile *p = t->s->p;
	const wr_page_opts opts = {.headers = p->headers,
	                           .header_count = p->header_count,
	                           .ca_file = p->ca_file,
	                           .timeout_ms = p->timeout_ms,
	                           .body_max = WR_FOREIGN_PAGE_MAX,
	                           .stop = stop,
	                           .ctx = t->s};
	t->fetch = wr_page_new(&opts, err);
	if (!t->fetch) return -1;
	t->page = wr_jt_new();
	return t->page ? 0 : wr_fail(err, WR_E_NOMEM, "out of memory");
}

static void end(transfer *t)
{
	wr_page_free(t->fetch);
	wr_jt_free(t->page);
}

static int get(transfer *t, wr_err *err)
{
	wr_foreign_report *r = t->s->c->r;
	if (wr_page_get(t->fetch, t->url, err) != 0)
		return wr_err_wrap(err, "page %lld", (long long)r->pages + 1);
	t->body = wr_page_body(t->fetch, &t->len);
	r->pages++;
	r->bytes += (int64_t)t->len;
	return 0;
}

/* ---- URLs ---- */

static int keep_url(CURLU *u, char *out, size_t size, wr_err *err)
{
	char *text = NULL;
	int rc = -1;
	if (curl_url_get(u, CURLUPART_URL, &text, 0) != CURLUE_OK || !text)
		rc = wr_fail(err, WR_E_INVALID, "no usable URL");
	else if (strlen(text) >= size || strlen(text) > URL_MAX_LEN)
		rc = wr_fail(err, WR_E_LIMIT, "a URL of more than %d bytes", URL_MAX_LEN);
	else
		rc = (memcpy(out, text, strlen(text) + 1), 0);
	curl_free(text);
	return rc;
}

static bool add_param(CURLU *u, const char *name, const char *value)
{
	wr_buf pair = WR_BUF_INIT(4096);
	wr_buf_addf(&pair, "%s=%s", name, value);
	bool ok = wr_buf_ok(&pair) && curl_url_set(u, CURLUPART_QUERY, wr_buf_cstr(&pair),
	                                           CURLU_APPENDQUERY | CURLU_URLENCODE) == CURLUE_OK;
	wr_buf_free(&pair);
	return ok;
}

/* The source's URL with its parameters. */
static int make_url(transfer *t, wr_err *err)
{
	const wr_profile *p = t->s->p;
	char text[32];
	CURLU *u = curl_url();
	bool ok = u && curl_url_set(u, CURLUPART_URL, t->s->where, 0) == CURLUE_OK;
	if (ok && p->style != WR_PAGE_NONE && p->limit_param[0]) {
		(void)snprintf(text, sizeof text, "%d", p->limit);
		ok = add_param(u, p->limit_param, text);
	}
	bool numbered = p->style == WR_PAGE_SINCE || p->style == WR_PAGE_OFFSET ||
	                (p->style == WR_PAGE_AFTER && t->number > 0);
	if (ok && numbered) {
		int64_t n = p->style == WR_PAGE_AFTER ? t->number - 1 : t->number;
		(void)snprintf(text, sizeof text, "%lld", (long long)n);
		ok = add_param(u, p->param, text);
	}
	if (ok && p->style == WR_PAGE_CURSOR && t->token[0]) ok = add_param(u, p->param, t->token);
	int rc = ok ? keep_url(u, t->url, sizeof t->url, err)
	            : wr_fail(err, WR_E_INVALID, "%.200s is no usable URL", t->s->where);
	curl_url_cleanup(u);
	return rc;
}

static bool same_part(CURLU *a, CURLU *b, CURLUPart part)
{
	char *x = NULL, *y = NULL;
	bool same = curl_url_get(a, part, &x, CURLU_DEFAULT_PORT) == CURLUE_OK &&
	            curl_url_get(b, part, &y, CURLU_DEFAULT_PORT) == CURLUE_OK && !strcasecmp(x, y);
	curl_free(x);
	curl_free(y);
	return same;
}

/* A URL that the server named, perhaps relative to this page. */
static int follow(transfer *t, const char *next, wr_err *err)
{
	char shown[128];
	CURLU *here = curl_url(), *there = curl_url();
	wr_sanitise_to(shown, sizeof shown, next);
	int rc = -1;
	/* ${file:…} is for configurations: from a server it would be a way to read our files. */
	bool ok = here && there && !strstr(next, "${") &&
	          curl_url_set(here, CURLUPART_URL, t->url, 0) == CURLUE_OK &&
	          curl_url_set(there, CURLUPART_URL, t->url, 0) == CURLUE_OK &&
	          curl_url_set(there, CURLUPART_URL, next, 0) == CURLUE_OK;
	if (!ok)
		(void)wr_fail(err, WR_E_INVALID, "the next page's URL is not usable: %s", shown);
	else if (!same_part(here, there, CURLUPART_SCHEME) || !same_part(here, there, CURLUPART_HOST) ||
	         !same_part(here, there, CURLUPART_PORT))
		(void)wr_fail(err, WR_E_DENIED, "the next page is on another server: %s", shown);
	else
		rc = keep_url(there, t->next, sizeof t->next, err);
	curl_url_cleanup(here);
	curl_url_cleanup(there);
	return rc;
}

/* ---- pages ---- */

static int take_record(transfer *t, const char *s, size_t n, wr_err *err)
{
	foreign_check *c = t->s->c;
	foreign_place at = {
	    .page = c->r->pages, .line = t->s->p->lines ? t->records + 1 : 0, .byte = s - t->body};
	t->records++;
	if (n > WR_FOREIGN_RECORD_MAX) {
		foreign_check_damage(c, &at, "more than 1 MiB");
		return 0;
	}
	return foreign_check_record(c, s, n, &at, err);
}

static int take_lines(transfer *t, wr_err *err)
{
	const char *s = t->body, *last = s + t->len;
	while (s < last) {
		const char *nl = memchr(s, '\n', (size_t)(last - s));
		size_t n = nl ? (size_t)(nl - s) : (size_t)(last - s);
		if (strspn(s, " \t\r") < n && take_record(t, s, n, err) != 0) return -1;
		s += n + 1;
	}
	return 0;
}

/* A server that does not know our parameter would give the beginning again and again. */
static int check_first(transfer *t, wr_err *err)
{
	char pointer[512];
	int64_t seq;
	const wr_profile *p = t->s->p;
	if (p->style != WR_PAGE_SINCE && p->style != WR_PAGE_AFTER) return 0;
	(void)snprintf(pointer, sizeof pointer, "%s/0%s", p->records, p->seq);
	uint32_t node = wr_jt_at(t->page, pointer);
	if (node == WR_JT_NONE || !wr_jt_integer(t->page, node, &seq) || seq >= t->number) return 0;
	return wr_fail(err, WR_E_INVALID,
	               "page %lld: asked for %s=%lld, the answer begins with %lld: it is not the "
	               "parameter that this server knows",
	               (long long)t->s->c->r->pages, p->param, (long long)t->number, (long long)seq);
}

/* The cursor or URL of the next page, "" if there is none. */
static int find_next(transfer *t, wr_err *err)
{
	const wr_profile *p = t->s->p;
	t->next[0] = '\0';
	if (p->style == WR_PAGE_LINK) {
		const char *link = wr_page_link(t->fetch);
		return link[0] ? follow(t, link, err) : 0;
	}
	if (p->style != WR_PAGE_CURSOR && p->style != WR_PAGE_NEXT) return 0;
	uint32_t node = wr_jt_at(t->page, p->cursor);
	if (node == WR_JT_NONE || wr_jt_kind_of(t->page, node) == WR_JT_NULL ||
	    wr_jt_kind_of(t->page, node) == WR_JT_FALSE)
		return 0;
	wr_buf text = WR_BUF_INIT(sizeof t->next - 1);
	size_t n;
	const char *raw = wr_jt_raw(t->page, node, &n);
	int rc = 0;
	if (wr_jt_kind_of(t->page, node) == WR_JT_NUMBER)
		wr_buf_add(&text, raw, n);
	else
		rc = wr_jt_string(t->page, node, &text);
	if (rc != 0 || !wr_buf_ok(&text) || strlen(wr_buf_cstr(&text)) != text.len)
		rc = wr_fail(err, WR_E_INVALID, "page %lld: %s is no usable cursor",
		             (long long)t->s->c->r->pages, p->cursor);
	else if (p->style == WR_PAGE_NEXT && text.len > 0)
		rc = follow(t, wr_buf_cstr(&text), err);
	else
		memcpy(t->next, wr_buf_cstr(&text), text.len + 1);
	wr_buf_free(&text);
	return rc;
}

static int take_page(transfer *t, wr_err *err)
{
	const wr_profile *p = t->s->p;
	wr_err why = {0};
	t->records = 0;
	if (p->lines) return take_lines(t, err) != 0 ? -1 : find_next(t, err);
	if (wr_jt_parse(t->page, t->body, t->len, &why) != 0)
		return wr_fail(err, WR_E_INVALID, "page %lld is not JSON: %.200s",
		               (long long)t->s->c->r->pages, why.msg);
	uint32_t list = wr_jt_at(t->page, p->records);
	if (list == WR_JT_NONE || wr_jt_kind_of(t->page, list) != WR_JT_ARRAY)
		return wr_fail(err, WR_E_INVALID, "page %lld has no list of records%s%s",
		               (long long)t->s->c->r->pages, p->records[0] ? " at " : "", p->records);
	if (check_first(t, err) != 0) return -1;
	for (uint32_t k = wr_jt_first(t->page, list); k != WR_JT_NONE; k = wr_jt_next(t->page, k)) {
		size_t n;
		const char *s = wr_jt_raw(t->page, k, &n);
		if (take_record(t, s, n, err) != 0) return -1;
	}
	return find_next(t, err);
}

/* 1: there is another page to ask for; 0: this was the last. */
static int advance(transfer *t, wr_err *err)
{
	const foreign_check *c = t->s->c;
	switch (t->s->p->style) {
	case WR_PAGE_NONE:
		return 0;
	case WR_PAGE_SINCE:
	case WR_PAGE_AFTER:
		if (t->records == 0) return 0;
		if (!c->r->head.known || c->r->head.seq < t->number)
			return wr_fail(err, WR_E_INVALID, "page %lld has no record to go on from",
			               (long long)c->r->pages);
		t->number = c->r->head.seq + 1;
		return 1;
	case WR_PAGE_OFFSET:
		t->number += t->records;
		return t->records > 0;
	case WR_PAGE_CURSOR:
	case WR_PAGE_NEXT:
	case WR_PAGE_LINK:
		break;
	}
	if (!t->next[0]) return 0;
	t->empties = t->records > 0 ? 0 : t->empties + 1;
	if (strcmp(t->next, t->token) == 0 || t->empties > EMPTY_MAX)
		return wr_fail(err, WR_E_INVALID, "page %lld names itself, or nothing, as the next one",
		               (long long)c->r->pages);
	memcpy(t->token, t->next, sizeof t->token);
	return 1;
}

static int next_url(transfer *t, wr_err *err)
{
	bool url = t->s->p->style == WR_PAGE_NEXT || t->s->p->style == WR_PAGE_LINK;
	if (!url || !t->token[0]) return make_url(t, err);
	(void)snprintf(t->url, sizeof t->url, "%.*s", URL_MAX_LEN, t->token);
	return 0;
}

static int read_pages(transfer *t, wr_err *err)
{
	foreign_source *s = t->s;
	for (int64_t page = 0; page < PAGES_MAX; page++) {
		if (foreign_stopped(s, err)) return -1;
		if (next_url(t, err) != 0 || get(t, err) != 0) return -1;
		if (take_page(t, err) != 0) return -1;
		if (t->records > 0) memcpy(s->last.page, t->token, sizeof s->last.page);
		foreign_progress(s, -1);
		/* The page of the last record seen must have it; behind it there is only more. */
		if (s->c->resuming && !s->c->found) return 0;
		int more = advance(t, err);
		if (more <= 0) return more;
	}
	return wr_fail(err, WR_E_LIMIT, "more than %d pages", PAGES_MAX);
}

int foreign_read_http(foreign_source *s, bool resume, wr_err *err)
{
	transfer *t = calloc(1, sizeof *t);
	if (!t) return wr_fail(err, WR_E_NOMEM, "out of memory");
	t->s = s;
	s->last = s->head;
	if (!resume) s->last.page[0] = '\0';
	bool offset = s->p->style == WR_PAGE_OFFSET;
	t->number = offset ? 0 : s->p->first_seq;
	if (resume) {
		t->number = offset ? s->c->known.position : s->c->known.seq;
		memcpy(t->token, s->head.page, sizeof t->token);
	}
	int rc = begin(t, err);
	if (rc == 0) rc = read_pages(t, err);
	end(t);
	free(t);
	return rc == 0 ? 0 : wr_err_wrap(err, "%.200s", s->where);
}
