/* sigv4.c: AWS Signature Version 4, from Amazon's description of it.
 *
 *   signature = HMAC(key(secret, day, region, service), "AWS4-HMAC-SHA256" \n time \n scope \n
 *                    hex(SHA-256(canonical request)))
 * The canonical request is the request with nothing left to taste: encoded in one way, sorted,
 * spaces collapsed. Whatever could end a line early is refused, so that no value can pose as
 * another header. Thread-safe (no state). */
#include "warroom/sigv4.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "warroom/clock.h"
#include "warroom/hash.h"

#define ALGORITHM       "AWS4-HMAC-SHA256"
#define HEADER_NAME_MAX 128
#define SCOPE_MAX       256

void wr_sigv4_time(char out[static WR_SIGV4_TIME_LEN], int64_t wall_us)
{
	char t[WR_TIME_LEN]; /* 2026-01-25T12:40:15.123456Z */
	static const int from[] = {0, 1, 2, 3, 5, 6, 8, 9, 10, 11, 12, 14, 15, 17, 18};
	size_t n = 0;
	wr_time_format(t, wall_us);
	if (t[0] != '?') {
		for (size_t i = 0; i < sizeof from / sizeof *from; i++) out[n++] = t[from[i]];
		out[n++] = 'Z';
	}
	out[n] = '\0';
}

static bool unreserved(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '.' || c == '_' || c == '~';
}

void wr_sigv4_encode(wr_buf *out, const char *text, bool slashes)
{
	static const char digits[] = "0123456789ABCDEF";
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (unreserved(*text) || (slashes && c == '/')) {
			wr_buf_addc(out, *text);
		} else {
			char enc[3] = {'%', digits[c >> 4], digits[c & 15]};
			wr_buf_add(out, enc, sizeof enc);
		}
	}
}

/* ---- query ---- */

typedef struct encoded {
	size_t name, value; /* offsets of the NUL-terminated texts */
} encoded;

static int by_name_and_value(const void *a, const void *b, void *texts)
{
	const encoded *x = a, *y = b;
	const char *t = texts;
	int order = strcmp(t + x->name, t + y->name);
	return order ? order : strcmp(t + x->value, t + y->value);
}

static void put_query(wr_buf *out, const wr_sigv4_request *rq)
{
	encoded all[WR_SIGV4_PAIRS_MAX];
	wr_buf texts = WR_BUF_INIT(WR_SIGV4_TEXT_MAX);
	for (size_t i = 0; i < rq->query_count; i++) {
		all[i].name = texts.len;
		wr_sigv4_encode(&texts, rq->query[i].name, false);
		wr_buf_addc(&texts, '\0');
		all[i].value = texts.len;
		wr_sigv4_encode(&texts, rq->query[i].value, false);
		wr_buf_addc(&texts, '\0');
	}
	if (!wr_buf_ok(&texts)) {
		out->failed = true;
	} else if (rq->query_count) {
		qsort_r(all, rq->query_count, sizeof *all, by_name_and_value, texts.data);
		for (size_t i = 0; i < rq->query_count; i++) {
			if (i) wr_buf_addc(out, '&');
			wr_buf_adds(out, texts.data + all[i].name);
			wr_buf_addc(out, '=');
			wr_buf_adds(out, texts.data + all[i].value);
		}
	}
	wr_buf_free(&texts);
}

/* ---- headers ---- */

typedef struct header {
	char name[HEADER_NAME_MAX]; /* lower case */
	const char *value;
	size_t order; /* as given: values of one name keep it */
} header;

static bool is_token(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static int take_header(header *h, const wr_sigv4_pair *p, size_t order, wr_err *err)
{
	size_t n = strlen(p->name);
	if (n == 0 || n >= sizeof h->name)
		return wr_fail(err, WR_E_INVALID, "signing: a header's name is empty or too long");
	for (size_t i = 0; i <= n; i++) {
		char c = p->name[i];
		if (i < n && !is_token(c))
			return wr_fail(err, WR_E_INVALID, "signing: a header's name is not a token");
		h->name[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	for (const char *v = p->value; *v; v++)
		if (((unsigned char)*v < 0x20 && *v != '\t') || *v == 0x7f)
			return wr_fail(err, WR_E_INVALID, "signing: header %s holds a control character",
			               h->name);
	if (!strcmp(h->name, "authorization"))
		return wr_fail(err, WR_E_INVALID, "signing: the signature cannot cover itself");
	h->value = p->value;
	h->order = order;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const header *x = a, *y = b;
	int order = strcmp(x->name, y->name);
	if (order) return order;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Without the blanks around, and one for several. */
static void put_value(wr_buf *out, const char *v)
{
	bool gap = false, any = false;
	for (; *v; v++) {
		if (*v == ' ' || *v == '\t') {
			gap = any;
			continue;
		}
		if (gap) wr_buf_addc(out, ' ');
		gap = false;
		any = true;
		wr_buf_addc(out, *v);
	}
}

static int put_headers(wr_buf *out, wr_buf *names, const wr_sigv4_request *rq, wr_err *err)
{
	header all[WR_SIGV4_PAIRS_MAX];
	bool host = false;
	for (size_t i = 0; i < rq->header_count; i++) {
		if (take_header(&all[i], &rq->headers[i], i, err)) return -1;
		host = host || !strcmp(all[i].name, "host");
	}
	if (!host) return wr_fail(err, WR_E_INVALID, "signing: host must be signed");
	qsort(all, rq->header_count, sizeof *all, by_name);
	for (size_t i = 0; i < rq->header_count; i++) {
		if (i && !strcmp(all[i].name, all[i - 1].name)) {
			wr_buf_addc(out, ',');
		} else {
			if (i) wr_buf_addc(out, '\n');
			if (i) wr_buf_addc(names, ';');
			wr_buf_adds(out, all[i].name);
			wr_buf_addc(out, ':');
			wr_buf_adds(names, all[i].name);
		}
		put_value(out, all[i].value);
	}
	wr_buf_addc(out, '\n');
	return 0;
}

/* ---- the whole ---- */

static bool letters_only(const char *s)
{
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	return n > 0 && n < 16 && s[n] == '\0';
}

static bool scope_part(const char *s)
{
	size_t n = 0;
	while (unreserved(s[n])) n++;
	return n > 0 && n < 64 && s[n] == '\0';
}

static int check(const wr_sigv4_request *rq, wr_err *err)
{
	uint8_t hash[WR_HASH_LEN];
	if (!letters_only(rq->method))
		return wr_fail(err, WR_E_INVALID, "signing: the method must be upper-case letters");
	if (rq->path[0] != '/')
		return wr_fail(err, WR_E_INVALID, "signing: the path must begin with /");
	if (rq->query_count > WR_SIGV4_PAIRS_MAX || rq->header_count > WR_SIGV4_PAIRS_MAX)
		return wr_fail(err, WR_E_LIMIT, "signing: more than %d headers or parameters",
		               WR_SIGV4_PAIRS_MAX);
	if (wr_unhex(hash, sizeof hash, rq->payload_sha256, strlen(rq->payload_sha256)))
		return wr_fail(err, WR_E_INVALID, "signing: the payload's hash is not one");
	if (!scope_part(rq->region) || !scope_part(rq->service))
		return wr_fail(err, WR_E_INVALID,
		               "signing: region and service are letters, digits and dashes");
	return 0;
}

int wr_sigv4_canonical(wr_buf *out, wr_buf *names, const wr_sigv4_request *rq, wr_err *err)
{
	wr_buf_reset(names);
	if (check(rq, err)) return -1;
	wr_buf_adds(out, rq->method);
	wr_buf_addc(out, '\n');
	wr_sigv4_encode(out, rq->path, true);
	wr_buf_addc(out, '\n');
	put_query(out, rq);
	wr_buf_addc(out, '\n');
	if (put_headers(out, names, rq, err)) return -1;
	wr_buf_addc(out, '\n');
	wr_buf_adds(out, wr_buf_cstr(names));
	wr_buf_addc(out, '\n');
	wr_buf_adds(out, rq->payload_sha256);
	if (wr_buf_ok(out) && wr_buf_ok(names)) return 0;
	return wr_fail(err, WR_E_LIMIT, "signing: the request is too large");
}

static void hmac(uint8_t out[static WR_HASH_LEN], const void *key, size_t key_len, const char *text)
{
	crypto_auth_hmacsha256_state st;
	(void)crypto_auth_hmacsha256_init(&st, key, key_len);
	(void)crypto_auth_hmacsha256_update(&st, (const unsigned char *)text, strlen(text));
	(void)crypto_auth_hmacsha256_final(&st, out);
	sodium_memzero(&st, sizeof st);
}

/* The key of one day, region and service. */
static int day_key(uint8_t out[static WR_HASH_LEN], const char *secret, const char *day,
                   const wr_sigv4_request *rq, wr_err *err)
{
	wr_buf key = WR_BUF_INIT(8192);
	size_t n = strlen(secret);
	if (n == 0 || n > 4096 || !wr_buf_reserve(&key, n + 4)) {
		wr_buf_wipe(&key);
		return wr_fail(err, WR_E_INVALID, "signing: the secret key is empty or too long");
	}
	wr_buf_adds(&key, "AWS4");
	wr_buf_adds(&key, secret);
	hmac(out, key.data, key.len, day);
	hmac(out, out, WR_HASH_LEN, rq->region);
	hmac(out, out, WR_HASH_LEN, rq->service);
	hmac(out, out, WR_HASH_LEN, "aws4_request");
	wr_buf_wipe(&key);
	return 0;
}

static bool plain(const char *s)
{
	size_t n = 0;
	while (s[n] > 0x20 && s[n] < 0x7f && s[n] != ',' && s[n] != '/') n++;
	return n > 0 && n <= 256 && s[n] == '\0';
}

static int sign(wr_buf *out, const wr_sigv4_request *rq, const wr_sigv4_key *key,
                const char *canonical, size_t len, const char *names, wr_err *err)
{
	char time[WR_SIGV4_TIME_LEN], day[9], hex[WR_HEX_LEN], scope[SCOPE_MAX];
	uint8_t hash[WR_HASH_LEN], k[WR_HASH_LEN];
	wr_sigv4_time(time, rq->time_us);
	if (!time[0]) return wr_fail(err, WR_E_INVALID, "signing: the time is out of range");
	memcpy(day, time, 8);
	day[8] = '\0';
	snprintf(scope, sizeof scope, "%s/%s/%s/aws4_request", day, rq->region, rq->service);
	wr_sha256(hash, canonical, len);
	wr_hex(hex, hash, sizeof hash);
	wr_buf text = WR_BUF_INIT(1024);
	wr_buf_addf(&text, ALGORITHM "\n%s\n%s\n%s", time, scope, hex);
	int rc = wr_buf_ok(&text) ? 0 : wr_fail(err, WR_E_NOMEM, "out of memory");
	if (rc == 0) rc = day_key(k, key->secret, day, rq, err);
	if (rc == 0) {
		hmac(hash, k, sizeof k, text.data);
		wr_hex(hex, hash, sizeof hash);
		wr_buf_addf(out, ALGORITHM " Credential=%s/%s, SignedHeaders=%s, Signature=%s", key->access,
		            scope, names, hex);
	}
	sodium_memzero(k, sizeof k);
	wr_buf_free(&text);
	return rc;
}

int wr_sigv4_authorization(wr_buf *out, const wr_sigv4_request *rq, const wr_sigv4_key *key,
                           wr_err *err)
{
	wr_buf canonical = WR_BUF_INIT(WR_SIGV4_TEXT_MAX), names = WR_BUF_INIT(4096);
	int rc = -1;
	if (!plain(key->access))
		(void)wr_fail(err, WR_E_INVALID, "signing: the access key is not one");
	else if (wr_sigv4_canonical(&canonical, &names, rq, err) == 0)
		rc = sign(out, rq, key, canonical.data, canonical.len, wr_buf_cstr(&names), err);
	/* A session token is among the headers. */
	wr_buf_wipe(&canonical);
	wr_buf_free(&names);
	if (rc == 0 && !wr_buf_ok(out)) rc = wr_fail(err, WR_E_LIMIT, "signing: no room");
	return rc;
}
