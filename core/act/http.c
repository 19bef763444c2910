/* http.c: one HTTP request through libcurl, and what its fate tells about the world.
 *
 * A fresh connection for each request and HTTP/1.1 only: curl then never sends a request twice by
 * itself. No redirects, no proxy, no other schemes: what was approved is what is contacted. Secrets
 * are filled in just before use, and our copies are wiped after; libcurl keeps its own copies of
 * the URL and of the request's head in memory that it frees without wiping, which we cannot change.
 * Blocking; no shared state but curl's global one. */
#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "act/internal.h"
#include "warroom/json.h"
#include "warroom/limits.h"

#define HEAD_MAX     (64u << 10) /* all the answer's header lines, interim answers included */
#define EXPANDED_MAX WR_BODY_MAX

typedef struct request {
	const wr_act_io *io;
	const wr_act_request *rq;
	wr_act_answer *a;
	CURL *curl;
	struct curl_slist *headers;
	wr_buf url, body;
	const char *method;
	size_t head_len;
	bool head_ended; /* curl takes a head that was cut off between two lines for a whole one */
	char curl_error[CURL_ERROR_SIZE];
} request;

void wr_act_answer_free(wr_act_answer *a)
{
	wr_buf_wipe(&a->body);
}

static void global_init(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) wr_die("libcurl does not start");
}

/* ---- the request ---- */

static bool token_ok(const char *s)
{
	static const char others[] = "!#$%&'*+-.^_`|~";
	if (!*s || strlen(s) > WR_NAME_MAX) return false;
	for (; *s; s++) {
		bool alnum =
		    (*s >= '0' && *s <= '9') || (*s >= 'A' && *s <= 'Z') || (*s >= 'a' && *s <= 'z');
		if (!alnum && !strchr(others, *s)) return false;
	}
	return true;
}

static bool one_line(const char *s)
{
	for (; *s; s++)
		if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7F) return false;
	return true;
}

static int add_header(request *r, const char *name, const char *value, wr_err *err)
{
	wr_buf line = WR_BUF_INIT(EXPANDED_MAX);
	int rc = 0;
	if (!wr_buf_reserve(&line, strlen(name) + strlen(value) + 2))
		rc = wr_fail(err, WR_E_LIMIT, "header %s: too long", name);
	if (rc == 0) {
		wr_buf_adds(&line, name);
		wr_buf_adds(&line, *value ? ": " : ";"); /* curl's way to write a header without a value */
		wr_buf_adds(&line, value);
		struct curl_slist *more = curl_slist_append(r->headers, line.data);
		if (more)
			r->headers = more;
		else
			rc = wr_fail(err, WR_E_NOMEM, "out of memory");
	}
	wr_buf_wipe(&line);
	return rc;
}

/* Those that frame the message or that we set ourselves. */
static bool header_is_ours(const char *name)
{
	static const char *const ours[] = {
	    "Content-Length",  "Transfer-Encoding", "Connection", "Expect",
	    "Idempotency-Key", "X-Warroom-Epoch",   "Upgrade",    "TE"};
	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		if (strcasecmp(name, ours[i]) == 0) return true;
	return false;
}

static int add_spec_header(request *r, const char *name, const json_t *value, wr_err *err)
{
	if (!token_ok(name) || !json_is_string(value))
		return wr_fail(err, WR_E_INVALID, "a header's name or value is not valid");
	if (header_is_ours(name))
		return wr_fail(err, WR_E_INVALID, "header %s is not the plan's to set", name);
	wr_buf text = WR_BUF_INIT(EXPANDED_MAX);
	int rc = wr_act_expand(r->io->output, &text, json_string_value(value), err);
	if (rc == 0 && !one_line(wr_buf_cstr(&text)))
		rc = wr_fail(err, WR_E_INVALID, "header %s: a line break or control character", name);
	if (rc == 0) rc = add_header(r, name, wr_buf_cstr(&text), err);
	wr_buf_wipe(&text);
	return rc;
}

static bool given(json_t *headers, const char *name)
{
	const char *key;
	json_t *value;
	json_object_foreach (headers, key, value)
		if (strcasecmp(key, name) == 0) return true;
	return false;
}

static int add_headers(request *r, wr_err *err)
{
	json_t *headers = json_object_get(r->rq->spec, "headers");
	const char *name;
	json_t *value;
	if (json_object_size(headers) > WR_MAX_HEADERS)
		return wr_fail(err, WR_E_LIMIT, "more than %d headers", WR_MAX_HEADERS);
	json_object_foreach (headers, name, value) {
		if (r->rq->not_header && strcasecmp(name, r->rq->not_header) == 0) continue;
		if (add_spec_header(r, name, value, err) != 0) return -1;
	}
	char epoch[24];
	const wr_job *job = r->io->job;
	if (job) snprintf(epoch, sizeof epoch, "%lld", (long long)job->epoch);
	if (r->rq->effect && job &&
	    (add_header(r, "Idempotency-Key", job->idempotency_key, err) != 0 ||
	     add_header(r, "X-Warroom-Epoch", epoch, err) != 0))
		return -1;
	if (r->body.len > 0 && !given(headers, "Content-Type") &&
	    add_header(r, "Content-Type", "application/json", err) != 0)
		return -1;
	/* Without this curl asks first with large bodies, and sends again after a 417. */
	struct curl_slist *more = curl_slist_append(r->headers, "Expect:");
	if (!more) return wr_fail(err, WR_E_NOMEM, "out of memory");
	r->headers = more;
	return 0;
}

static int expand_url(request *r, wr_err *err)
{
	const char *url = wr_json_str(r->rq->spec, "url", "");
	if (wr_act_expand(r->io->output, &r->url, url, err) != 0) return wr_err_wrap(err, "url");
	const char *text = wr_buf_cstr(&r->url);
	if (strncasecmp(text, "http://", 7) != 0 && strncasecmp(text, "https://", 8) != 0)
		return wr_fail(err, WR_E_INVALID, "a URL begins with http:// or https://");
	for (; *text; text++)
		if ((unsigned char)*text <= 0x20 || *text == 0x7F)
			return wr_fail(err, WR_E_INVALID, "the URL holds a space or a control character");
	return 0;
}

/* expand fills in everything that comes from the plan. */
static int expand(request *r, wr_err *err)
{
	if (expand_url(r, err) != 0) return -1;
	json_t *body = json_object_get(r->rq->spec, "body");
	if (r->rq->body)
		wr_buf_adds(&r->body, r->rq->body);
	else if (body && !json_is_string(body))
		return wr_fail(err, WR_E_INVALID, "the body is not text");
	else if (body && wr_act_expand(r->io->output, &r->body, json_string_value(body), err) != 0)
		return wr_err_wrap(err, "body");
	if (!wr_buf_ok(&r->body)) return wr_fail(err, WR_E_LIMIT, "the body is too large");
	r->method = wr_json_str(r->rq->spec, "method", "");
	if (!*r->method) r->method = r->body.len > 0 ? "POST" : "GET";
	if (!token_ok(r->method)) return wr_fail(err, WR_E_INVALID, "the method is not a word");
	return add_headers(r, err);
}

/* ---- the answer ---- */

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
	request *r = ctx;
	size_t n = size * count, room = r->a->body.max - r->a->body.len;
	wr_buf_add(&r->a->body, data, n < room ? n : room);
	if (n > room || !wr_buf_ok(&r->a->body)) r->a->body_cut = true;
	if (!r->rq->quiet) wr_act_output_add(r->io->output, data, n);
	return n;
}

static size_t on_head(char *data, size_t size, size_t count, void *ctx)
{
	request *r = ctx;
	size_t n = size * count;
	r->head_len += n;
	if (n > 0 && (data[0] == '\r' || data[0] == '\n')) r->head_ended = true;
	if (n > 5 && memcmp(data, "HTTP/", 5) == 0) r->head_ended = false; /* not in trailers */
	return r->head_len > HEAD_MAX ? 0 : n;
}

static int on_progress(void *ctx, curl_off_t dlt, curl_off_t dln, curl_off_t ult, curl_off_t uln)
{
	(void)dlt, (void)dln, (void)ult, (void)uln;
	const request *r = ctx;
	return wr_act_cancelled(r->io) || wr_act_left_ms(r->io) == 0;
}

/* ---- the transfer ---- */

#define SET(option, value)                                                                         \
	do {                                                                                           \
		if (curl_easy_setopt(r->curl, (option), (value)) != CURLE_OK)                              \
			return wr_fail(err, WR_E_BUG, "libcurl refuses %s", #option);                          \
	} while (0)

static int set_method(request *r, wr_err *err)
{
	bool has_body = strcmp(r->method, "POST") == 0 || strcmp(r->method, "PUT") == 0 ||
	                strcmp(r->method, "PATCH") == 0 || r->body.len > 0;
	if (strcmp(r->method, "HEAD") == 0) {
		SET(CURLOPT_NOBODY, 1L);
		return 0;
	}
	if (has_body) {
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
		SET(CURLOPT_POSTFIELDS, wr_buf_cstr(&r->body)); /* borrowed, so that it can be wiped */
	}
	SET(CURLOPT_CUSTOMREQUEST, r->method);
	return 0;
}

static int set_safety(request *r, wr_err *err)
{
	const char *ca_file = wr_json_str(r->rq->spec, "ca_file", "");
	bool verify = !wr_json_bool(r->rq->spec, "insecure", false);
#if LIBCURL_VERSION_NUM >= 0x075500
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
#else
	SET(CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NOPROXY, "*");
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_FRESH_CONNECT, 1L);
	SET(CURLOPT_FORBID_REUSE, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* Without this a timeout while resolving waits for the resolver's own, much longer, one. */
	SET(CURLOPT_QUICK_EXIT, 1L);
#endif
	SET(CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
	SET(CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
	if (*ca_file) SET(CURLOPT_CAINFO, ca_file);
	return 0;
}

static int set_options(request *r, wr_err *err)
{
	int64_t left_ms = wr_act_left_ms(r->io);
	if (left_ms == 0) return wr_fail(err, WR_E_TIMEOUT, "no time left");
	r->curl = curl_easy_init();
	if (!r->curl) return wr_fail(err, WR_E_NOMEM, "out of memory");
	SET(CURLOPT_ERRORBUFFER, r->curl_error);
	SET(CURLOPT_URL, wr_buf_cstr(&r->url));
	SET(CURLOPT_HTTPHEADER, r->headers);
	SET(CURLOPT_USERAGENT, "warroom/" WR_VERSION);
	SET(CURLOPT_TIMEOUT_MS, (long)left_ms);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)left_ms);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, r);
	SET(CURLOPT_HEADERFUNCTION, on_head);
	SET(CURLOPT_HEADERDATA, r);
	SET(CURLOPT_XFERINFOFUNCTION, on_progress);
	SET(CURLOPT_XFERINFODATA, r);
	SET(CURLOPT_NOPROGRESS, 0L);
	return set_safety(r, err) != 0 ? -1 : set_method(r, err);
}

/* With NOSIGNAL curl leaves SIGPIPE alone, and OpenSSL writes without MSG_NOSIGNAL. */
static CURLcode perform(CURL *curl)
{
	sigset_t pipe, before, pending;
	(void)sigemptyset(&pipe);
	(void)sigaddset(&pipe, SIGPIPE);
	(void)sigpending(&pending);
	bool was_pending = sigismember(&pending, SIGPIPE) == 1;
	if (pthread_sigmask(SIG_BLOCK, &pipe, &before) != 0) return CURLE_FAILED_INIT;
	CURLcode rc = curl_easy_perform(curl);
	if (!was_pending) (void)sigtimedwait(&pipe, NULL, &(struct timespec){0});
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

/* anything_sent: of the request itself; a TLS handshake is not the request. */
static bool anything_sent(CURL *curl)
{
	long head = 0;
	curl_off_t body = 0;
	(void)curl_easy_getinfo(curl, CURLINFO_REQUEST_SIZE, &head);
	(void)curl_easy_getinfo(curl, CURLINFO_SIZE_UPLOAD_T, &body);
	return head > 0 || body > 0;
}

static void transfer(request *r)
{
	wr_act_answer *a = r->a;
	int64_t began_ms = wr_mono_ms(r->io->clock);
	CURLcode rc = perform(r->curl);
	long status = 0;
	(void)curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &status);
	a->latency_ms = wr_mono_ms(r->io->clock) - began_ms;
	a->status = status;
	if (rc == CURLE_OK && status >= 200 && r->head_ended) {
		a->fate = WR_ACT_ANSWERED;
		return;
	}
	a->fate = anything_sent(r->curl) ? WR_ACT_LOST : WR_ACT_NOT_SENT;
	const char *why = *r->curl_error ? r->curl_error : curl_easy_strerror(rc);
	if (rc == CURLE_OK) why = "the answer broke off";
	if (rc == CURLE_ABORTED_BY_CALLBACK)
		why = wr_act_cancelled(r->io) ? "cancelled" : "no answer in time";
	if (r->head_len > HEAD_MAX) why = "the answer's headers are too large";
	char text[CURL_ERROR_SIZE + 64];
	snprintf(text, sizeof text, "%s%s", why,
	         a->fate == WR_ACT_LOST ? " (after the request was sent)" : "");
	wr_act_clean(r->io->output, a->error, sizeof a->error, text);
}

static void wipe(request *r)
{
	for (struct curl_slist *h = r->headers; h; h = h->next)
		sodium_memzero(h->data, strlen(h->data));
	curl_slist_free_all(r->headers);
	if (r->curl) curl_easy_cleanup(r->curl);
	wr_buf_wipe(&r->url);
	wr_buf_wipe(&r->body);
}

void wr_act_http(const wr_act_io *io, const wr_act_request *rq, wr_act_answer *a)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	(void)pthread_once(&once, global_init);
	*a = (wr_act_answer){.fate = WR_ACT_NOT_SENT, .exit_code = -1, .body.max = WR_BODY_MAX};
	request r = {.io = io, .rq = rq, .a = a, .url.max = EXPANDED_MAX, .body.max = EXPANDED_MAX};
	wr_err err = {0};
	if (wr_act_cancelled(io))
		(void)wr_fail(&err, WR_E_CANCELLED, "cancelled");
	else if (expand(&r, &err) == 0 && set_options(&r, &err) == 0)
		transfer(&r);
	if (err.code != WR_E_OK) wr_act_clean(io->output, a->error, sizeof a->error, err.msg);
	wipe(&r);
}

/* ---- the step ---- */

static bool status_expected(const json_t *spec, int64_t status)
{
	json_t *list = json_object_get(spec, "expect_status");
	if (json_array_size(list) == 0) return status >= 200 && status < 300;
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_integer_value(json_array_get(list, i)) == status) return true;
	return false;
}

/* What an HTTP step's end means:
 *   nothing of the request was sent (no such host, refused, TLS failed)     FAILED: it did not
 * happen sent, and no complete answer (timeout, connection lost, half an answer) UNKNOWN 408, 502,
 * 504, not expected                                             UNKNOWN: a gateway lost the answer,
 * or gave up on a request under way any other complete answer that is not as expected FAILED */
static wr_outcome judge(wr_act_answer *a, const json_t *spec)
{
	if (a->fate == WR_ACT_NOT_SENT) return WR_OUT_FAILED;
	if (a->fate == WR_ACT_LOST) return WR_OUT_UNKNOWN;
	if (!status_expected(spec, a->status)) {
		bool lost = a->status == 408 || a->status == 502 || a->status == 504;
		snprintf(a->error, sizeof a->error, "status %d%s", (int)a->status,
		         lost ? ": a gateway lost the answer" : "");
		return lost ? WR_OUT_UNKNOWN : WR_OUT_FAILED;
	}
	return wr_act_expect(a, wr_json_str(spec, "expect", ""), wr_json_str(spec, "pointer", ""));
}

void wr_act_run_http(const wr_act_io *io, const json_t *spec, wr_step_report *out)
{
	wr_act_answer a;
	wr_act_http(io, &(wr_act_request){.spec = spec, .effect = true}, &a);
	out->outcome = judge(&a, spec);
	out->status = a.status;
	snprintf(out->error, sizeof out->error, "%s", a.error);
	wr_act_answer_free(&a);
}
