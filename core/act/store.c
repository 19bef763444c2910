/* store.c: an export's files into an HTTP store, signed with SigV4 if there are keys.
 *
 * A store can take a file and not say so, or say so and not have it. So a PUT counts when it was
 * answered with 2xx and a HEAD then tells the right size; a store that does not answer HEAD (403,
 * 405, 501) is believed, as its PUT was checked against the hash that was signed. Retries PUT the
 * same bytes under the same name again: nothing else can come of that. The keys are read for each
 * request and wiped after it, so that new ones are taken up without a restart. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "warroom/export.h"
#include "warroom/io.h"
#include "warroom/text.h"
#include "warroom/transfer.h"

#define ANSWER_MAX    (16u << 10)
#define MANIFEST_MAX  (16u << 20)
#define BACKOFF_MS    1000
#define BACKOFF_MOST  60000
#define RETRY_AFTER_S 300 /* longer is not waited for a store */
#define EMPTY_SHA256  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* One file on its way. */
typedef struct object {
	const wr_store_job *job;
	const char *name;
	int fd;
	int64_t size;
	char sha256[WR_HEX_LEN];
	wr_buf path, url; /* as it is meant; as it is sent */
	char host[512];
} object;

/* ---- where ---- */

void wr_store_name(const wr_export_plan *to, char *out, size_t size)
{
	size_t n = strlen(to->url);
	while (n && to->url[n - 1] == '/') n--;
	if (to->dir[0])
		snprintf(out, size, "%s", to->dir);
	else
		snprintf(out, size, "%.*s%s%s%s%s", (int)n, to->url, to->bucket[0] ? "/" : "", to->bucket,
		         to->prefix[0] ? "/" : "", to->prefix);
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'                 ? c - '0'
	       : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
	                                            : -1;
}

/* The URL's own path, decoded: it is encoded again in one way for all. */
static void put_decoded(wr_buf *out, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int high = i + 2 < len && s[i] == '%' ? hex_digit(s[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(s[i + 2]) : -1;
		if (low >= 0 && (high || low)) {
			wr_buf_addc(out, (char)(high * 16 + low));
			i += 2;
		} else {
			wr_buf_addc(out, s[i]);
		}
	}
}

static void put_part(wr_buf *out, const char *part)
{
	size_t n = strlen(part);
	while (n && part[n - 1] == '/') n--;
	if (!n) return;
	wr_buf_addc(out, '/');
	wr_buf_add(out, part, n);
}

static int place(object *o, wr_err *err)
{
	const wr_export_plan *to = o->job->to;
	const char *host = strstr(to->url, "://");
	if (!host) return wr_fail(err, WR_E_INVALID, "no URL");
	host += 3;
	size_t scheme = (size_t)(host - to->url), n = strcspn(host, "/"), rest = strlen(host + n);
	while (rest && host[n + rest - 1] == '/') rest--;
	/* curl leaves out a port that goes without saying, and so must the signature. */
	const char *usual = to->url[4] == 's' ? ":443" : ":80";
	size_t k = strlen(usual);
	size_t shown = n > k && !memcmp(host + n - k, usual, k) ? n - k : n;
	snprintf(o->host, sizeof o->host, "%.*s", (int)shown, host);
	put_decoded(&o->path, host + n, rest);
	put_part(&o->path, to->bucket);
	put_part(&o->path, to->prefix);
	put_part(&o->path, o->job->under);
	put_part(&o->path, o->name);
	wr_buf_add(&o->url, to->url, scheme + n);
	wr_sigv4_encode(&o->url, wr_buf_cstr(&o->path), true);
	if (wr_buf_ok(&o->path) && wr_buf_ok(&o->url) && strlen(o->host) == shown) return 0;
	return wr_fail(err, WR_E_LIMIT, "the URL is too long");
}

/* ---- signing ---- */

typedef struct keys {
	wr_buf access, secret, token, authorization;
} keys;

static void keys_wipe(keys *k)
{
	wr_buf_wipe(&k->access);
	wr_buf_wipe(&k->secret);
	wr_buf_wipe(&k->token);
	wr_buf_wipe(&k->authorization);
}

static int expand(wr_buf *out, const char *reference, wr_err *err)
{
	wr_buf_init(out, 2 * WR_SECRET_MAX);
	if (!reference[0]) return 0;
	if (!wr_buf_reserve(out, out->max)) return wr_fail(err, WR_E_NOMEM, "out of memory");
	return wr_secret_expand(out, reference, err);
}

typedef struct signed_headers {
	wr_sigv4_pair pairs[8];
	size_t count;
	char date[WR_SIGV4_TIME_LEN];
	keys k;
} signed_headers;

static void add(signed_headers *h, const char *name, const char *value)
{
	h->pairs[h->count++] = (wr_sigv4_pair){name, value};
}

static int sign(signed_headers *h, const object *o, const char *method, const char *sha256,
                wr_err *err)
{
	const wr_export_plan *to = o->job->to;
	int64_t now_us = wr_wall_us(o->job->clock);
	*h = (signed_headers){0};
	wr_buf_init(&h->k.authorization, 4096);
	add(h, "Host", o->host);
	if (!to->access_key[0]) return 0;
	if (expand(&h->k.access, to->access_key, err) || expand(&h->k.secret, to->secret_key, err) ||
	    expand(&h->k.token, to->session_token, err))
		return -1;
	wr_sigv4_time(h->date, now_us);
	add(h, "x-amz-content-sha256", sha256);
	add(h, "x-amz-date", h->date);
	if (h->k.token.len) add(h, "x-amz-security-token", wr_buf_cstr(&h->k.token));
	wr_sigv4_request rq = {.method = method,
	                       .path = wr_buf_cstr(&o->path),
	                       .headers = h->pairs,
	                       .header_count = h->count,
	                       .payload_sha256 = sha256,
	                       .region = to->region,
	                       .service = "s3",
	                       .time_us = now_us};
	wr_sigv4_key key = {wr_buf_cstr(&h->k.access), wr_buf_cstr(&h->k.secret)};
	if (wr_sigv4_authorization(&h->k.authorization, &rq, &key, err)) return -1;
	add(h, "Authorization", wr_buf_cstr(&h->k.authorization));
	return 0;
}

/* ---- asking ---- */

static bool stop(void *ctx)
{
	const wr_store_job *job = ctx;
	return job->nap && !job->nap(job->ctx, 0);
}

static int ask(const object *o, const char *method, wr_transfer_answer *a, wr_err *err)
{
	bool put = !strcmp(method, "PUT");
	signed_headers h;
	*a = (wr_transfer_answer){0};
	int rc = sign(&h, o, method, put ? o->sha256 : EMPTY_SHA256, err);
	if (rc == 0) {
		wr_transfer t = {.method = method,
		                 .url = wr_buf_cstr(&o->url),
		                 .headers = h.pairs,
		                 .header_count = h.count,
		                 .file = put ? o->fd : -1,
		                 .file_size = put ? o->size : 0,
		                 .ca_file = o->job->to->tls_ca,
		                 .timeout_ms = o->job->to->timeout_ms,
		                 .answer_max = ANSWER_MAX,
		                 .cut = true,
		                 .stop = stop,
		                 .ctx = (void *)(uintptr_t)o->job};
		rc = wr_transfer_run(&t, a, err);
	}
	keys_wipe(&h.k);
	return rc;
}

/* S3's own word for it, as <Code>SlowDown</Code>. */
static void error_code(const wr_transfer_answer *a, char out[static 80])
{
	const char *text = wr_buf_cstr(&a->body), *at = strstr(text, "<Code>");
	size_t n =
	    at ? strspn(at + 6, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") : 0;
	out[0] = '\0';
	if (n > 0 && n < 64 && at[6 + n] == '<') snprintf(out, 80, " (%.*s)", (int)n, at + 6);
}

static bool passing(int status)
{
	return status >= 500 || status == 429 || status == 408;
}

/* What an answer to a PUT means: 0 taken. *again: worth another try. */
static int judge_put(const wr_transfer_answer *a, bool *again, wr_err *err)
{
	char code[80];
	error_code(a, code);
	*again = passing(a->status);
	if (a->status >= 200 && a->status < 300) return 0;
	if (a->status >= 300 && a->status < 400)
		return wr_fail(err, WR_E_CONFLICT,
		               "the store answers %d%s: it is elsewhere; redirects are not followed",
		               a->status, code);
	return wr_fail(err, *again ? WR_E_UNAVAILABLE : WR_E_DENIED, "the store answers %d%s",
	               a->status, code);
}

static int judge_head(const object *o, const wr_transfer_answer *a, bool *again, wr_err *err)
{
	*again = passing(a->status) && a->status != 501;
	if (a->status == 403 || a->status == 405 || a->status == 501) return 0;
	if (a->status < 200 || a->status >= 300) {
		*again = *again || a->status == 404;
		return wr_fail(err, WR_E_UNAVAILABLE,
		               "it was sent, but the store answers %d when asked "
		               "for it",
		               a->status);
	}
	if (a->length < 0 || a->length == o->size) return 0;
	*again = true;
	return wr_fail(err, WR_E_CORRUPT, "the store has %lld bytes of %lld", (long long)a->length,
	               (long long)o->size);
}

static int try_once(const object *o, bool *again, int64_t *wait_s, wr_err *err)
{
	wr_transfer_answer a;
	*again = false;
	*wait_s = -1;
	int rc = ask(o, "PUT", &a, err);
	if (rc) *again = err->code == WR_E_TIMEOUT || err->code == WR_E_UNAVAILABLE;
	if (rc == 0) {
		rc = judge_put(&a, again, err);
		*wait_s = a.retry_after_s;
	}
	wr_transfer_free(&a);
	if (rc) return rc;
	rc = ask(o, "HEAD", &a, err);
	if (rc) *again = err->code == WR_E_TIMEOUT || err->code == WR_E_UNAVAILABLE;
	if (rc == 0) rc = judge_head(o, &a, again, err);
	wr_transfer_free(&a);
	return rc;
}

/* 1 s, 2 s, 4 s … and up to half as much again, so that many engines do not come at once. */
static int64_t backoff_ms(const wr_store_job *job, int attempt, int64_t wait_s)
{
	uint16_t chance;
	wr_random_fill(job->random, &chance, sizeof chance);
	int64_t ms = BACKOFF_MS << (attempt < 6 ? attempt : 6);
	if (ms > BACKOFF_MOST) ms = BACKOFF_MOST;
	if (wait_s > RETRY_AFTER_S) wait_s = RETRY_AFTER_S;
	if (wait_s * 1000 > ms) ms = wait_s * 1000;
	return ms + ms * chance / (2 * UINT16_MAX);
}

static int send_object(const object *o, wr_store_result *out, wr_err *err)
{
	for (int attempt = 0;; attempt++) {
		bool again;
		int64_t wait_s;
		wr_err why = {0};
		if (try_once(o, &again, &wait_s, &why) == 0) return 0;
		bool last = attempt + 1 >= o->job->attempts;
		if (!again || last) {
			*err = why;
			return wr_err_wrap(err, "%.80s%s", o->name, again && attempt ? " (tried again)" : "");
		}
		out->retries++;
		if (o->job->nap && !o->job->nap(o->job->ctx, backoff_ms(o->job, attempt, wait_s)))
			return wr_fail(err, WR_E_CANCELLED, "cancelled");
	}
}

static int send_file(const wr_store_job *job, const char *name, const char *sha256,
                     wr_store_result *out, wr_err *err)
{
	char path[PATH_MAX];
	struct stat st;
	object o = {.job = job, .name = name, .path.max = 8192, .url.max = 32768};
	memcpy(o.sha256, sha256, WR_HEX_LEN - 1);
	if (wr_path_join(path, sizeof path, job->dir, name, err)) return -1;
	o.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (o.fd < 0) return wr_fail_errno(err, errno, "%.200s", path);
	int rc = fstat(o.fd, &st) ? wr_fail_errno(err, errno, "%.200s", path) : 0;
	o.size = (int64_t)st.st_size;
	if (rc == 0) rc = place(&o, err);
	if (rc == 0) rc = send_object(&o, out, err);
	if (rc == 0) {
		out->files++;
		out->bytes += o.size;
	}
	close(o.fd);
	wr_buf_free(&o.path);
	wr_buf_free(&o.url);
	return rc;
}

/* The manifest's lines, "<hex>  <name>": they were compared with the files just before. */
static int send_listed(const wr_store_job *job, char *lines, wr_store_result *out, wr_err *err)
{
	int rc = 0;
	for (char *line = lines; *line && rc == 0;) {
		size_t n = strcspn(line, "\n");
		char *next = line + n + (line[n] == '\n');
		line[n] = '\0';
		if (n <= WR_HEX_LEN + 1) return wr_fail(err, WR_E_CORRUPT, "the manifest has an odd line");
		rc = send_file(job, line + WR_HEX_LEN + 1, line, out, err);
		line = next;
	}
	return rc;
}

int wr_store_put(const wr_store_job *job, wr_store_result *out, wr_err *err)
{
	char path[PATH_MAX], hex[WR_HEX_LEN];
	uint8_t hash[WR_HASH_LEN];
	wr_buf lines = WR_BUF_INIT(MANIFEST_MAX);
	wr_err ignored = {0}, *why = err ? err : &ignored;
	*out = (wr_store_result){0};
	int rc = wr_manifest_check(job->dir, why);
	if (rc == 0) rc = wr_path_join(path, sizeof path, job->dir, WR_MANIFEST_NAME, why);
	if (rc == 0) rc = wr_read_file(&lines, path, MANIFEST_MAX, WR_ANY, why);
	if (rc == 0) {
		wr_sha256(hash, wr_buf_cstr(&lines), lines.len);
		wr_hex(hex, hash, sizeof hash);
		if (lines.len) rc = send_listed(job, lines.data, out, why);
	}
	if (rc == 0) rc = send_file(job, WR_MANIFEST_NAME, hex, out, why);
	wr_buf_free(&lines);
	return rc;
}
