/* transfer.c: see transfer.h. A connection of its own for each exchange, HTTP/1.1: what is retried
 * is retried by whoever asked, never by libcurl. Our copies of header values are wiped; libcurl
 * frees its own without wiping, which we cannot change. */
#include "warroom/transfer.h"

#include <curl/curl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "warroom/text.h"

#define HEADERS_MAX (64u << 10)

typedef struct exchange {
	const wr_transfer *t;
	wr_transfer_answer *a;
	CURL *curl;
	struct curl_slist *headers;
	int64_t sent;
	size_t header_bytes;
	bool too_much, short_file, stopped;
	char text[CURL_ERROR_SIZE];
} exchange;

static void global_init(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) wr_die("libcurl does not start");
}

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
	exchange *x = ctx;
	size_t len = size * n, room = x->t->answer_max - x->a->body.len;
	if (len > room && !x->t->cut) {
		x->too_much = true;
		return 0;
	}
	wr_buf_add(&x->a->body, data, len < room ? len : room);
	return len;
}

/* The value of header `name` in a line; NULL: another header. */
static const char *value_of(const char *line, size_t len, const char *name, char *out, size_t size)
{
	size_t n = strlen(name);
	if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':') return NULL;
	const char *v = line + n + 1, *end = line + len;
	while (v < end && (*v == ' ' || *v == '\t')) v++;
	while (end > v && (unsigned char)end[-1] <= ' ') end--;
	size_t keep = (size_t)(end - v) < size - 1 ? (size_t)(end - v) : size - 1;
	memcpy(out, v, keep);
	out[keep] = '\0';
	return out;
}

static int64_t number(const char *s)
{
	size_t n = strspn(s, "0123456789");
	return n > 0 && n < 19 && s[n] == '\0' ? strtoll(s, NULL, 10) : -1;
}

static size_t on_header(char *data, size_t size, size_t n, void *ctx)
{
	exchange *x = ctx;
	wr_transfer_answer *a = x->a;
	size_t len = size * n;
	char value[64];
	x->header_bytes += len;
	if (x->header_bytes > HEADERS_MAX) {
		x->too_much = true;
		return 0;
	}
	if (len > 5 && memcmp(data, "HTTP/", 5) == 0) { /* of each answer, interim ones too */
		a->length = a->retry_after_s = -1;
		a->type[0] = '\0';
	}
	if (value_of(data, len, "Content-Length", value, sizeof value)) a->length = number(value);
	if (value_of(data, len, "Retry-After", value, sizeof value)) a->retry_after_s = number(value);
	if (value_of(data, len, "Content-Type", value, sizeof value)) {
		value[strcspn(value, "; \t")] = '\0';
		for (char *c = value; *c; c++)
			if (*c >= 'A' && *c <= 'Z') *c = (char)(*c - 'A' + 'a');
		(void)wr_sanitise_to(a->type, sizeof a->type, value);
	}
	return len;
}

static size_t on_read(char *out, size_t size, size_t n, void *ctx)
{
	exchange *x = ctx;
	size_t room = size * n;
	int64_t left = x->t->file_size - x->sent;
	if ((int64_t)room > left) room = (size_t)left;
	if (room == 0) return 0;
	ssize_t got = pread(x->t->file, out, room, (off_t)x->sent);
	if (got <= 0) {
		x->short_file = true;
		return CURL_READFUNC_ABORT;
	}
	x->sent += got;
	return (size_t)got;
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	(void)a, (void)b, (void)c, (void)d;
	exchange *x = ctx;
	x->stopped = x->t->stop && x->t->stop(x->t->ctx);
	return x->stopped;
}

#define SET(option, value) ok = ok && curl_easy_setopt(x->curl, option, value) == CURLE_OK

static bool set_method(exchange *x)
{
	const wr_transfer *t = x->t;
	bool ok = true;
	if (!strcmp(t->method, "HEAD")) {
		SET(CURLOPT_NOBODY, 1L);
	} else if (!strcmp(t->method, "PUT")) {
		SET(CURLOPT_UPLOAD, 1L);
		SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)t->file_size);
		SET(CURLOPT_READFUNCTION, on_read);
		SET(CURLOPT_READDATA, (void *)x);
	} else if (!strcmp(t->method, "POST")) {
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->body_len);
		SET(CURLOPT_POSTFIELDS, t->body_len ? t->body : "");
	}
	return ok;
}

static bool set_options(exchange *x)
{
	const wr_transfer *t = x->t;
	bool ok = true;
	SET(CURLOPT_ERRORBUFFER, x->text);
	SET(CURLOPT_URL, t->url);
	SET(CURLOPT_HTTPHEADER, x->headers);
	SET(CURLOPT_USERAGENT, "warroom/" WR_VERSION);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, (void *)x);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, (void *)x);
	SET(CURLOPT_XFERINFOFUNCTION, on_progress);
	SET(CURLOPT_XFERINFODATA, (void *)x);
	SET(CURLOPT_NOPROGRESS, 0L);
	SET(CURLOPT_TIMEOUT_MS, (long)t->timeout_ms);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)t->timeout_ms);
#if LIBCURL_VERSION_NUM >= 0x075500
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
#else
	SET(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_FRESH_CONNECT, 1L);
	SET(CURLOPT_FORBID_REUSE, 1L);
	/* The path is as it was signed. */
	SET(CURLOPT_PATH_AS_IS, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	SET(CURLOPT_QUICK_EXIT, 1L);
#endif
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (t->ca_file && *t->ca_file) SET(CURLOPT_CAINFO, t->ca_file);
	return ok && set_method(x);
}

static int add_header(exchange *x, const char *name, const char *value, wr_err *err)
{
	wr_buf line = WR_BUF_INIT(2 * WR_SECRET_MAX);
	struct curl_slist *more = NULL;
	for (const char *v = value; *v; v++)
		if (((unsigned char)*v < 0x20 && *v != '\t') || *v == 0x7f)
			return wr_fail(err, WR_E_INVALID, "header %s holds a control character", name);
	if (wr_buf_reserve(&line, strlen(name) + strlen(value) + 2)) {
		wr_buf_adds(&line, name);
		wr_buf_adds(&line, *value ? ": " : ":");
		wr_buf_adds(&line, value);
		more = curl_slist_append(x->headers, line.data);
	}
	wr_buf_wipe(&line);
	if (!more) return wr_fail(err, WR_E_LIMIT, "header %s: too long", name);
	x->headers = more;
	return 0;
}

static int judge(const exchange *x, CURLcode code, wr_err *err)
{
	char text[CURL_ERROR_SIZE];
	const char *why = x->text[0] ? x->text : curl_easy_strerror(code);
	if (x->stopped) return wr_fail(err, WR_E_CANCELLED, "cancelled");
	if (x->short_file) return wr_fail(err, WR_E_IO, "the file became shorter while it was sent");
	if (x->too_much)
		return wr_fail(err, WR_E_LIMIT, "the answer is larger than %zu KiB",
		               x->t->answer_max >> 10);
	if (code == CURLE_OK) return 0;
	if (code == CURLE_OPERATION_TIMEDOUT) {
		/* The same words each time, so that it is seen to be the same. */
		char after[16];
		wr_duration_words(after, sizeof after, x->t->timeout_ms);
		return wr_fail(err, WR_E_TIMEOUT, "timed out after %s", after);
	}
	(void)wr_sanitise_to(text, sizeof text, why);
	bool stranger = code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE;
	return wr_fail(err, stranger ? WR_E_DENIED : WR_E_UNAVAILABLE, "%s", text);
}

int wr_transfer_run(const wr_transfer *t, wr_transfer_answer *a, wr_err *err)
{
	exchange x = {.t = t, .a = a};
	*a = (wr_transfer_answer){.length = -1, .retry_after_s = -1, .body.max = t->answer_max};
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	(void)pthread_once(&once, global_init);
	x.curl = curl_easy_init();
	int rc = x.curl ? 0 : wr_fail(err, WR_E_NOMEM, "out of memory");
	if (rc == 0) rc = add_header(&x, "Expect", "", err);
	for (size_t i = 0; i < t->header_count && rc == 0; i++)
		rc = add_header(&x, t->headers[i].name, t->headers[i].value, err);
	if (rc == 0 && !set_options(&x))
		rc = wr_fail(err, WR_E_UNAVAILABLE, "libcurl does not know an option that is needed");
	if (rc == 0) {
		rc = judge(&x, curl_easy_perform(x.curl), err);
		long status = 0;
		(void)curl_easy_getinfo(x.curl, CURLINFO_RESPONSE_CODE, &status);
		a->status = (int)status;
		if (rc == 0 && !wr_buf_ok(&a->body)) rc = wr_fail(err, WR_E_NOMEM, "out of memory");
	}
	for (struct curl_slist *h = x.headers; h; h = h->next) sodium_memzero(h->data, strlen(h->data));
	curl_slist_free_all(x.headers);
	if (x.curl) curl_easy_cleanup(x.curl);
	return rc;
}

void wr_transfer_free(wr_transfer_answer *a)
{
	wr_buf_free(&a->body);
}
