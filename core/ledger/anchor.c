/* anchor.c: RFC 3161 requests, and what their responses are worth.
 *
 * libcrypto's TS functions do the ASN.1, the signature and the chain of certificates; here is what
 * they leave open: that nothing follows the structure, that the request is one of ours, that the
 * certificates are judged at the time of the stamp. Thread-safe (no state; libcrypto's errors are a
 * thread's own). */
#include "warroom/anchor.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pkcs7.h>
#include <openssl/ts.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "warroom/text.h"

/* libcrypto's last word, sanitised: parts of it may be from the response. */
static const char *crypto_why(char out[static 160])
{
	const char *data = NULL;
	int flags = 0;
	unsigned long code = ERR_peek_last_error_all(NULL, NULL, NULL, &data, &flags);
	const char *reason = code ? ERR_reason_error_string(code) : NULL;
	char text[512];
	bool more = data && (flags & ERR_TXT_STRING) && *data;
	snprintf(text, sizeof text, "%s%s%.300s", reason ? reason : "not acceptable", more ? ": " : "",
	         more ? data : "");
	ERR_clear_error();
	return wr_sanitise_to(out, 160, text);
}

/* ---- the request ---- */

static bool set_imprint(TS_REQ *req, wr_bytes note)
{
	uint8_t hash[WR_HASH_LEN];
	TS_MSG_IMPRINT *imprint = TS_MSG_IMPRINT_new();
	X509_ALGOR *alg = X509_ALGOR_new();
	wr_sha256(hash, note.data, note.len);
	bool ok = imprint && alg && X509_ALGOR_set0(alg, OBJ_nid2obj(NID_sha256), V_ASN1_NULL, NULL) &&
	          TS_MSG_IMPRINT_set_algo(imprint, alg) &&
	          TS_MSG_IMPRINT_set_msg(imprint, hash, sizeof hash) &&
	          TS_REQ_set_msg_imprint(req, imprint);
	X509_ALGOR_free(alg);
	TS_MSG_IMPRINT_free(imprint);
	return ok;
}

static bool set_nonce(TS_REQ *req, const wr_random *random)
{
	uint64_t value;
	wr_random_fill(random, &value, sizeof value);
	value = (value >> 1) | UINT64_C(1) << 62; /* positive, and of one length */
	ASN1_INTEGER *nonce = ASN1_INTEGER_new();
	bool ok = nonce && ASN1_INTEGER_set_uint64(nonce, value) && TS_REQ_set_nonce(req, nonce);
	ASN1_INTEGER_free(nonce);
	return ok;
}

int wr_anchor_request(wr_buf *out, wr_bytes note, const wr_random *random, wr_err *err)
{
	unsigned char *der = NULL;
	int len = -1;
	TS_REQ *req = TS_REQ_new();
	if (req && TS_REQ_set_version(req, 1) && set_imprint(req, note) && set_nonce(req, random) &&
	    TS_REQ_set_cert_req(req, 1))
		len = i2d_TS_REQ(req, &der);
	if (len > 0) wr_buf_add(out, der, (size_t)len);
	OPENSSL_free(der);
	TS_REQ_free(req);
	ERR_clear_error();
	return len > 0 && wr_buf_ok(out) ? 0 : wr_fail(err, WR_E_NOMEM, "out of memory");
}

/* ---- the response ---- */

typedef struct exchange {
	TS_REQ *req;
	TS_RESP *resp;
	X509_STORE *store;
	TS_VERIFY_CTX *ctx;
} exchange;

static void exchange_free(exchange *x)
{
	TS_VERIFY_CTX_free(x->ctx); /* the store with it, once it was given */
	X509_STORE_free(x->store);
	TS_RESP_free(x->resp);
	TS_REQ_free(x->req);
	ERR_clear_error();
}

/* A stored request might be for something else: imprint and nonce are what all depends on. */
static int check_request(TS_REQ *req, wr_bytes note, wr_err *err)
{
	uint8_t hash[WR_HASH_LEN];
	const ASN1_OBJECT *alg = NULL;
	TS_MSG_IMPRINT *imprint = TS_REQ_get_msg_imprint(req);
	ASN1_OCTET_STRING *msg = imprint ? TS_MSG_IMPRINT_get_msg(imprint) : NULL;
	if (!msg) return wr_fail(err, WR_E_CORRUPT, "the request stamps nothing");
	X509_ALGOR_get0(&alg, NULL, NULL, TS_MSG_IMPRINT_get_algo(imprint));
	wr_sha256(hash, note.data, note.len);
	if (OBJ_obj2nid(alg) != NID_sha256 || ASN1_STRING_length(msg) != WR_HASH_LEN ||
	    memcmp(ASN1_STRING_get0_data(msg), hash, WR_HASH_LEN) != 0)
		return wr_fail(err, WR_E_CONFLICT, "the request is for something else than this note");
	if (!TS_REQ_get_nonce(req)) return wr_fail(err, WR_E_CONFLICT, "the request has no nonce");
	return 0;
}

static int parse_both(exchange *x, wr_bytes note, wr_bytes request, wr_bytes response, wr_err *err)
{
	if (request.len > WR_ANCHOR_MAX || response.len > WR_ANCHOR_MAX)
		return wr_fail(err, WR_E_LIMIT, "a time stamp of more than %u KiB", WR_ANCHOR_MAX >> 10);
	const unsigned char *p = request.data, *q = response.data;
	x->req = d2i_TS_REQ(NULL, &p, (long)request.len);
	if (!x->req || p != (const unsigned char *)request.data + request.len)
		return wr_fail(err, WR_E_CORRUPT, "the request is no time stamp request");
	x->resp = d2i_TS_RESP(NULL, &q, (long)response.len);
	if (!x->resp || q != (const unsigned char *)response.data + response.len)
		return wr_fail(err, WR_E_CORRUPT, "the answer is no time stamp response");
	return check_request(x->req, note, err);
}

static int refusal(TS_RESP *resp, wr_err *err)
{
	TS_STATUS_INFO *info = TS_RESP_get_status_info(resp);
	const ASN1_INTEGER *status = info ? TS_STATUS_INFO_get0_status(info) : NULL;
	int64_t code = -1;
	if (!status || !ASN1_INTEGER_get_int64(&code, status))
		return wr_fail(err, WR_E_CORRUPT, "the answer has no status");
	if (code == 0 || code == 1) return 0;
	char text[160] = "";
	const STACK_OF(ASN1_UTF8STRING) *words = TS_STATUS_INFO_get0_text(info);
	const ASN1_UTF8STRING *first =
	    words && sk_ASN1_UTF8STRING_num(words) > 0 ? sk_ASN1_UTF8STRING_value(words, 0) : NULL;
	if (first) {
		char raw[160];
		int n = ASN1_STRING_length(first);
		snprintf(raw, sizeof raw, "%.*s", n < 150 ? n : 150,
		         (const char *)ASN1_STRING_get0_data(first));
		(void)wr_sanitise_to(text, sizeof text, raw);
	}
	return wr_fail(err, WR_E_DENIED, "the TSA refuses: status %lld%s%s", (long long)code,
	               *text ? ": " : "", text);
}

static int stamp_time(TS_TST_INFO *info, int64_t *time_us, wr_err *err)
{
	struct tm tm = {0};
	const ASN1_GENERALIZEDTIME *at = info ? TS_TST_INFO_get_time(info) : NULL;
	if (!at || !ASN1_TIME_to_tm(at, &tm))
		return wr_fail(err, WR_E_CORRUPT, "the stamp has no time");
	int64_t us = (int64_t)timegm(&tm) * 1000000;
	/* ASN1_TIME_to_tm drops the fraction: "20261121013000.123Z" */
	const char *text = (const char *)ASN1_STRING_get0_data(at);
	int64_t unit = 100000;
	for (int i = 15, n = ASN1_STRING_length(at);
	     n > 15 && text[14] == '.' && i < n && text[i] >= '0' && text[i] <= '9' && unit; i++) {
		us += (text[i] - '0') * unit;
		unit /= 10;
	}
	*time_us = us;
	return 0;
}

static int load_store(exchange *x, const char *ca_file, int64_t time_us, wr_err *err)
{
	char why[160];
	x->store = X509_STORE_new();
	x->ctx = TS_REQ_to_TS_VERIFY_CTX(x->req, NULL);
	if (!x->store || !x->ctx) return wr_fail(err, WR_E_NOMEM, "out of memory");
	if (!X509_STORE_load_file(x->store, ca_file))
		return wr_fail(err, WR_E_INVALID, "%.200s: cannot read certificates: %s", ca_file,
		               crypto_why(why));
	X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(x->store), (time_t)(time_us / 1000000));
	(void)TS_VERIFY_CTX_add_flags(x->ctx, TS_VFY_SIGNATURE);
	(void)TS_VERIFY_CTX_set_store(x->ctx, x->store);
	x->store = NULL;
	return 0;
}

static int verify_response(exchange *x, wr_err *err)
{
	ERR_clear_error();
	if (TS_RESP_verify_response(x->ctx, x->resp)) return 0;
	unsigned long code = ERR_peek_last_error();
	int reason = ERR_GET_LIB(code) == ERR_LIB_TS ? ERR_GET_REASON(code) : 0;
	bool other = reason == TS_R_NONCE_MISMATCH || reason == TS_R_NONCE_NOT_RETURNED ||
	             reason == TS_R_MESSAGE_IMPRINT_MISMATCH || reason == TS_R_POLICY_MISMATCH;
	bool untrusted = reason == TS_R_CERTIFICATE_VERIFY_ERROR;
	char why[160];
	return wr_fail(err,
	               other       ? WR_E_CONFLICT
	               : untrusted ? WR_E_DENIED
	                           : WR_E_CORRUPT,
	               "the time stamp does not hold: %s", crypto_why(why));
}

/* ---- what it says ---- */

static void signer_name(TS_RESP *resp, char *out, size_t size)
{
	PKCS7 *token = TS_RESP_get_token(resp);
	STACK_OF(X509) *signers = token ? PKCS7_get0_signers(token, NULL, 0) : NULL;
	BIO *text = BIO_new(BIO_s_mem());
	char *data = NULL, raw[256] = "";
	if (text && signers && sk_X509_num(signers) > 0 &&
	    X509_NAME_print_ex(text, X509_get_subject_name(sk_X509_value(signers, 0)), 0,
	                       XN_FLAG_RFC2253) >= 0) {
		long n = BIO_get_mem_data(text, &data);
		snprintf(raw, sizeof raw, "%.*s",
		         n > 0 && n < 250 ? (int)n
		         : n > 0          ? 250
		                          : 0,
		         data ? data : "");
	}
	(void)wr_sanitise_to(out, size, raw);
	BIO_free(text);
	sk_X509_free(signers);
}

static int64_t part(const ASN1_INTEGER *i, int64_t unit_us)
{
	int64_t v = 0;
	if (!i || !ASN1_INTEGER_get_int64(&v, i) || v < 0 || v > 86400) return 0;
	return v * unit_us;
}

static void describe(wr_anchor_proof *out, exchange *x, wr_bytes response)
{
	TS_TST_INFO *info = TS_RESP_get_tst_info(x->resp);
	uint8_t hash[WR_HASH_LEN];
	TS_ACCURACY *acc = TS_TST_INFO_get_accuracy(info);
	out->accuracy_us = -1;
	if (acc)
		out->accuracy_us = part(TS_ACCURACY_get_seconds(acc), 1000000) +
		                   part(TS_ACCURACY_get_millis(acc), 1000) +
		                   part(TS_ACCURACY_get_micros(acc), 1);
	(void)OBJ_obj2txt(out->policy, sizeof out->policy, TS_TST_INFO_get_policy_id(info), 1);
	const ASN1_INTEGER *serial = TS_TST_INFO_get_serial(info);
	int n = serial ? ASN1_STRING_length(serial) : 0;
	if (n > 0)
		wr_hex(out->serial, ASN1_STRING_get0_data(serial),
		       n < (int)sizeof out->serial / 2 ? (size_t)n : sizeof out->serial / 2 - 1);
	signer_name(x->resp, out->tsa, sizeof out->tsa);
	wr_sha256(hash, response.data, response.len);
	wr_hex(out->digest, hash, sizeof hash);
}

int wr_anchor_check(wr_anchor_proof *out, wr_bytes note, wr_bytes request, wr_bytes response,
                    const char *ca_file, wr_err *err)
{
	exchange x = {0};
	*out = (wr_anchor_proof){.accuracy_us = -1};
	int rc = parse_both(&x, note, request, response, err);
	if (rc == 0) rc = refusal(x.resp, err);
	if (rc == 0) rc = stamp_time(TS_RESP_get_tst_info(x.resp), &out->time_us, err);
	if (rc == 0) rc = load_store(&x, ca_file, out->time_us, err);
	if (rc == 0) rc = verify_response(&x, err);
	if (rc == 0)
		describe(out, &x, response);
	else
		*out = (wr_anchor_proof){.accuracy_us = -1};
	exchange_free(&x);
	return rc;
}
