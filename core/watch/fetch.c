/* fetch.c: one probe over HTTP, made to stand anything that answers.
 *
 * Bounds: the total time (slow drips and endless bodies end there), the bytes of body and headers.
 * Redirects are reported, never followed: what is probed is what was configured. Nothing of the
 * environment counts (no proxies, no netrc), compression is not asked for (no bombs), and HTTP/1.1
 * keeps probes apart on connections of their own. Connections are reused, but not for ever: an old
 * one would go on reaching a server that new clients are no longer sent to. */
#include "watch/fetch.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <pthread.h>

#include "warroom/text.h"
#include "watch/extract.h"

#define HEADERS_MAX       (64u << 10)
#define BODY_KEPT         (16u << 10) /* memory kept between probes of a target */
#define CONNECTION_LIFE_S 60L
#define CA_CACHE_S        600L

typedef enum flood { FLOOD_NONE, FLOOD_BODY, FLOOD_HEADERS, FLOOD_MEMORY } flood;

struct wr_fetch {
	const wr_probe *probe;
	void *owner;
	int64_t timeout_ms;
	CURL *easy;
	struct curl_slist *headers; /* expanded; wiped at the end */
	wr_buf body;
	size_t header_bytes;
	flood flood;
	bool sent; /* connected, the request is on its way */
	char error[CURL_ERROR_SIZE];
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_state;

static void init_curl(void)
{
	curl_state = curl_global_init(CURL_GLOBAL_DEFAULT);
}

int wr_fetch_setup(wr_err *err)
{
	(void)pthread_once(&curl_once, init_curl);
	if (curl_state == CURLE_OK) return 0;
	return wr_fail(err, WR_E_UNAVAILABLE, "libcurl: %s", curl_easy_strerror(curl_state));
}

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
	wr_fetch *f = ctx;
	size_t len = size * n;
	if (len > f->body.max - f->body.len) {
		f->flood = FLOOD_BODY;
		return 0;
	}
	wr_buf_add(&f->body, data, len);
	if (wr_buf_ok(&f->body)) return len;
	f->flood = FLOOD_MEMORY;
	return 0;
}

static size_t on_header(char *data, size_t size, size_t n, void *ctx)
{
	(void)data;
	wr_fetch *f = ctx;
	f->header_bytes += size * n;
	if (f->header_bytes <= HEADERS_MAX) return size * n;
	f->flood = FLOOD_HEADERS;
	return 0;
}

static int on_request(void *ctx, char *primary_ip, char *local_ip, int primary_port, int local_port)
{
	(void)primary_ip, (void)local_ip, (void)primary_port, (void)local_port;
	((wr_fetch *)ctx)->sent = true;
	return CURL_PREREQFUNC_OK;
}

/* set_limits: what no configuration changes. */
static bool set_limits(wr_fetch *f)
{
	CURL *e = f->easy;
	bool ok = true;
#define SET(option, value) ok = ok && curl_easy_setopt(e, option, value) == CURLE_OK
	SET(CURLOPT_PRIVATE, (void *)f);
	SET(CURLOPT_ERRORBUFFER, f->error);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, (void *)f);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, (void *)f);
	SET(CURLOPT_PREREQFUNCTION, on_request);
	SET(CURLOPT_PREREQDATA, (void *)f);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_NOPROGRESS, 1L);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
#if LIBCURL_VERSION_NUM >= 0x075500
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
#else
	SET(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_USERAGENT, "warroom/" WR_VERSION);
	SET(CURLOPT_TIMEOUT_MS, (long)f->timeout_ms);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)f->timeout_ms);
	SET(CURLOPT_MAXLIFETIME_CONN, CONNECTION_LIFE_S);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* Else a lookup that hangs holds up whoever removes the handle, and with it all probes. */
	SET(CURLOPT_QUICK_EXIT, 1L);
	SET(CURLOPT_CA_CACHE_TIMEOUT, CA_CACHE_S);
#endif
	return ok;
}

static bool set_probe(wr_fetch *f)
{
	CURL *e = f->easy;
	const wr_probe *p = f->probe;
	bool ok = true;
	SET(CURLOPT_SSL_VERIFYPEER, p->insecure ? 0L : 1L);
	SET(CURLOPT_SSL_VERIFYHOST, p->insecure ? 0L : 2L);
	if (p->ca_file && p->ca_file[0]) SET(CURLOPT_CAINFO, p->ca_file);
	if (p->kind != WR_PROBE_HTTP || !p->method) return ok;
	if (strcmp(p->method, "HEAD") == 0) {
		SET(CURLOPT_NOBODY, 1L);
	} else if (strcmp(p->method, "POST") == 0) {
		const char *body = p->body ? p->body : "";
		SET(CURLOPT_POSTFIELDSIZE, (long)strlen(body));
		SET(CURLOPT_POSTFIELDS, body);
	}
	return ok;
}

wr_fetch *wr_fetch_new(const wr_probe *probe, int64_t timeout_ms, void *owner, wr_err *err)
{
	WR_ASSERT(probe->kind != WR_PROBE_EXEC);
	wr_fetch *f = calloc(1, sizeof *f);
	if (f) f->easy = curl_easy_init();
	if (!f || !f->easy) {
		free(f);
		(void)wr_fail(err, WR_E_NOMEM, "out of memory");
		return NULL;
	}
	f->probe = probe;
	f->owner = owner;
	f->timeout_ms = timeout_ms > 0 ? timeout_ms : 1;
	wr_buf_init(&f->body, WR_BODY_MAX);
	if (set_limits(f) && set_probe(f)) return f;
	wr_fetch_free(f);
	(void)wr_fail(err, WR_E_UNAVAILABLE, "libcurl does not know an option that is needed");
	return NULL;
}

static void wipe_headers(wr_fetch *f)
{
	for (struct curl_slist *h = f->headers; h; h = h->next)
		sodium_memzero(h->data, strlen(h->data));
	curl_slist_free_all(f->headers);
	f->headers = NULL;
}

void wr_fetch_free(wr_fetch *f)
{
	if (!f) return;
	curl_easy_cleanup(f->easy);
	wipe_headers(f);
	wr_buf_free(&f->body);
	free(f);
}

CURL *wr_fetch_easy(wr_fetch *f)
{
	return f->easy;
}

static wr_fetch *fetch_of(CURL *easy)
{
	char *f = NULL;
	(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &f);
	WR_ASSERT(f);
	return (wr_fetch *)(void *)f;
}

void *wr_fetch_owner(CURL *easy)
{
	return fetch_of(easy)->owner;
}

static int add_header(wr_fetch *f, const char *line, wr_err *err)
{
	if (strpbrk(line, "\r\n")) return wr_fail(err, WR_E_INVALID, "a header with a line break");
	struct curl_slist *more = curl_slist_append(f->headers, line);
	if (!more) return wr_fail(err, WR_E_NOMEM, "out of memory");
	f->headers = more;
	return 0;
}

static int expand_header(wr_fetch *f, const wr_pair *h, wr_err *err)
{
	wr_buf line = WR_BUF_INIT(WR_STR_MAX + WR_SECRET_MAX);
	int rc = -1;
	if (wr_buf_reserve(&line, line.max)) {
		wr_buf_adds(&line, h->key);
		size_t bare = line.len;
		wr_buf_adds(&line, ": ");
		rc = wr_secret_expand(&line, h->value, err);
		if (rc) {
			(void)wr_err_wrap(err, "header %s", h->key);
		} else if (!wr_buf_ok(&line)) {
			rc = wr_fail(err, WR_E_LIMIT, "header %s: too long", h->key);
		} else {
			/* curl's spelling of a header with an empty value; "Name: " would remove it */
			if (line.len == bare + 2) memcpy(line.data + bare, ";", 2);
			rc = add_header(f, line.data, err);
		}
	} else {
		(void)wr_fail(err, WR_E_NOMEM, "out of memory");
	}
	wr_buf_wipe(&line);
	return rc;
}

static bool has_header(const wr_probe *p, const char *name)
{
	for (size_t i = 0; i < p->header_count; i++)
		if (strcasecmp(p->headers[i].key, name) == 0) return true;
	return false;
}

static int set_headers(wr_fetch *f, wr_err *err)
{
	const wr_probe *p = f->probe;
	static const char *const accept[] = {[WR_PROBE_HTTP] = "Accept: application/json, */*",
	                                     [WR_PROBE_SCRAPE] = "Accept: text/plain;version=0.0.4",
	                                     [WR_PROBE_PROMQL] = "Accept: application/json"};
	if (!has_header(p, "Accept") && add_header(f, accept[p->kind], err)) return -1;
	if (p->kind == WR_PROBE_HTTP && p->body && p->body[0] && !has_header(p, "Content-Type") &&
	    add_header(f, "Content-Type: application/json", err))
		return -1;
	for (size_t i = 0; i < p->header_count; i++)
		if (expand_header(f, &p->headers[i], err)) return -1;
	if (curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, f->headers) == CURLE_OK) return 0;
	return wr_fail(err, WR_E_NOMEM, "out of memory");
}

static int add_query(wr_fetch *f, wr_buf *url, wr_err *err)
{
	while (url->len && url->data[url->len - 1] == '/') url->data[--url->len] = '\0';
	char *query = curl_easy_escape(f->easy, f->probe->query, 0);
	if (!query) return wr_fail(err, WR_E_NOMEM, "out of memory");
	wr_buf_addf(url, "/api/v1/query?query=%s&timeout=%lldms", query, (long long)f->timeout_ms);
	curl_free(query);
	return 0;
}

static int set_url(wr_fetch *f, wr_err *err)
{
	wr_buf url = WR_BUF_INIT(WR_STR_MAX + WR_SECRET_MAX + 3 * WR_STR_MAX + 64);
	int rc = -1;
	if (!wr_buf_reserve(&url, url.max)) {
		(void)wr_fail(err, WR_E_NOMEM, "out of memory");
	} else if (wr_secret_expand(&url, f->probe->url, err)) {
		(void)wr_err_wrap(err, "url");
	} else if (f->probe->kind != WR_PROBE_PROMQL || !add_query(f, &url, err)) {
		if (!wr_buf_ok(&url))
			(void)wr_fail(err, WR_E_LIMIT, "the URL is too long");
		else if (curl_easy_setopt(f->easy, CURLOPT_URL, url.data) != CURLE_OK)
			(void)wr_fail(err, WR_E_NOMEM, "out of memory");
		else
			rc = 0;
	}
	wr_buf_wipe(&url);
	return rc;
}

int wr_fetch_begin(wr_fetch *f, wr_err *err)
{
	f->header_bytes = 0;
	f->flood = FLOOD_NONE;
	f->sent = false;
	f->error[0] = '\0';
	if (set_url(f, err) == 0 && set_headers(f, err) == 0) return 0;
	(void)curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, NULL);
	wipe_headers(f);
	return -1;
}

void wr_sample_failed(wr_sample *out, const char *detail)
{
	out->vars = (wr_expr_vars){.latency_ms = -1, .exit_code = -1, .error = true};
	(void)wr_sanitise_to(out->detail, sizeof out->detail, detail);
	out->names[0] = '\0';
}

static int64_t info_us(const wr_fetch *f, CURLINFO info)
{
	curl_off_t us = 0;
	(void)curl_easy_getinfo(f->easy, info, &us);
	return us;
}

/* timeout_text says what it was that took too long. */
static void timeout_text(const wr_fetch *f, char *out, size_t size)
{
	char after[16];
	wr_duration_format(after, sizeof after, f->timeout_ms);
	const char *what = "looking up the name";
	if (f->sent)
		what = f->body.len > 0 ? "reading the answer" : "waiting for the answer";
	else if (info_us(f, CURLINFO_CONNECT_TIME_T) > 0)
		what = "in the TLS handshake";
	else if (info_us(f, CURLINFO_NAMELOOKUP_TIME_T) > 0)
		what = "connecting";
	(void)snprintf(out, size, "timed out after %s %s", after, what);
	if (f->sent && f->body.len > 0) {
		size_t len = strlen(out);
		(void)snprintf(out + len, size - len, " (%zu bytes so far)", f->body.len);
	}
}

static void failure_text(const wr_fetch *f, CURLcode code, char *out, size_t size)
{
	long os = 0;
	(void)curl_easy_getinfo(f->easy, CURLINFO_OS_ERRNO, &os);
	const char *text = f->error[0] ? f->error : curl_easy_strerror(code);
	if (f->flood == FLOOD_BODY)
		(void)snprintf(out, size, "body over %u KiB", WR_BODY_MAX >> 10);
	else if (f->flood == FLOOD_HEADERS)
		(void)snprintf(out, size, "headers over %u KiB", HEADERS_MAX >> 10);
	else if (code == CURLE_OPERATION_TIMEDOUT)
		timeout_text(f, out, size);
	else if (code == CURLE_COULDNT_CONNECT && os)
		(void)snprintf(out, size, "cannot connect: %s", strerrordesc_np((int)os));
	else if (code == CURLE_SSL_CONNECT_ERROR || code == CURLE_PEER_FAILED_VERIFICATION ||
	         code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_ISSUER_ERROR)
		(void)snprintf(out, size, "TLS: %s", text);
	else
		(void)snprintf(out, size, "%s", text);
}

/* our_fault: a failure that says nothing about the target (law 8). */
static bool our_fault(const wr_fetch *f, CURLcode code)
{
	long os = 0;
	if (code == CURLE_OUT_OF_MEMORY || code == CURLE_FAILED_INIT || f->flood == FLOOD_MEMORY)
		return true;
	if (code != CURLE_COULDNT_CONNECT) return false;
	(void)curl_easy_getinfo(f->easy, CURLINFO_OS_ERRNO, &os);
	return os == EMFILE || os == ENFILE || os == ENOMEM || os == ENOBUFS;
}

static wr_fetch_outcome failed(const wr_fetch *f, CURLcode code, wr_sample *out)
{
	char text[CURL_ERROR_SIZE + 64];
	failure_text(f, code, text, sizeof text);
	wr_sample_failed(out, text);
	if (our_fault(f, code)) return WR_FETCH_OURS;
	if (code != CURLE_OPERATION_TIMEDOUT) return WR_FETCH_DONE;
	/* It did take that long: `latency_ms > N` must hold. A refused connection took no time, and
	 * has no latency. */
	out->vars.latency_ms = f->timeout_ms;
	bool looked_up = f->sent || info_us(f, CURLINFO_NAMELOOKUP_TIME_T) > 0;
	return looked_up ? WR_FETCH_DONE : WR_FETCH_LOOKUP;
}

static void bad_body(wr_sample *out, const char *text)
{
	out->vars.error = true;
	out->vars.value = (wr_value){.type = WR_V_NONE};
	if (out->vars.status >= 300)
		(void)snprintf(out->detail, sizeof out->detail, "HTTP %d", (int)out->vars.status);
	else
		(void)wr_sanitise_to(out->detail, sizeof out->detail, text);
}

/* redirect_text names where it would have gone, without the query: tokens live there. */
static void redirect_text(const wr_fetch *f, wr_sample *out)
{
	char *to = NULL, text[256];
	(void)curl_easy_getinfo(f->easy, CURLINFO_REDIRECT_URL, &to);
	if (!to) return;
	(void)snprintf(text, sizeof text, "HTTP %d: redirects are not followed (to %.*s)",
	               (int)out->vars.status, (int)strcspn(to, "?#"), to);
	(void)wr_sanitise_to(out->detail, sizeof out->detail, text);
}

static void answered_http(const wr_fetch *f, wr_sample *out)
{
	const wr_probe *p = f->probe;
	char why[WR_WHY_LEN] = "";
	wr_err err = {0};
	if (p->pointer && p->pointer[0] &&
	    wr_pick_json(wr_buf_cstr(&f->body), f->body.len, p->pointer, &out->vars.value, out->names,
	                 sizeof out->names, why, &err))
		bad_body(out, err.msg);
	else if (out->vars.status >= 400)
		(void)snprintf(out->detail, sizeof out->detail, "HTTP %d", (int)out->vars.status);
	else
		(void)wr_sanitise_to(out->detail, sizeof out->detail, why);
	if (out->vars.status >= 300 && out->vars.status < 400) redirect_text(f, out);
}

static void answered_prometheus(const wr_fetch *f, wr_sample *out)
{
	const wr_probe *p = f->probe;
	const char *body = wr_buf_cstr(&f->body);
	char why[WR_WHY_LEN] = "";
	wr_err err = {0};
	int rc = 0;
	bool ok = out->vars.status >= 200 && out->vars.status < 300;
	if (p->kind == WR_PROBE_PROMQL)
		rc = wr_pick_promql(body, f->body.len, &out->vars.value, why, &err);
	else if (ok)
		rc = wr_pick_prom(body, f->body.len, p->metric, p->labels, p->label_count, &out->vars.value,
		                  why, &err);
	if (rc || !ok) bad_body(out, err.msg);
	/* Prometheus says in the body of a 4xx what is wrong with the query. */
	if (rc && err.code == WR_E_UNAVAILABLE)
		(void)wr_sanitise_to(out->detail, sizeof out->detail, err.msg);
	if (!rc && ok) (void)wr_sanitise_to(out->detail, sizeof out->detail, why);
}

static void answered(const wr_fetch *f, wr_sample *out)
{
	long status = 0;
	(void)curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	out->vars = (wr_expr_vars){.status = status, .exit_code = -1};
	out->vars.latency_ms = (info_us(f, CURLINFO_TOTAL_TIME_T) + 500) / 1000;
	out->detail[0] = out->names[0] = '\0';
	if (f->probe->kind == WR_PROBE_HTTP)
		answered_http(f, out);
	else
		answered_prometheus(f, out);
}

wr_fetch_outcome wr_fetch_end(wr_fetch *f, CURLcode code, wr_sample *out)
{
	wr_fetch_outcome outcome = WR_FETCH_DONE;
	if (code == CURLE_OK)
		answered(f, out);
	else
		outcome = failed(f, code, out);
	(void)curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, NULL);
	wipe_headers(f);
	if (f->body.cap > BODY_KEPT)
		wr_buf_free(&f->body);
	else
		wr_buf_reset(&f->body);
	return outcome;
}
