/* tsa.h: a time stamp authority in memory: a CA, a certificate for time stamping, responses. */
#ifndef TEST_TSA_H
#define TEST_TSA_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ts.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "warroom/anchor.h"

typedef struct tsa {
	EVP_PKEY *ca_key, *key;
	X509 *ca, *cert;
	int64_t serial;
	time_t at; /* of the stamps; 0: now */
} tsa;

static void tsa_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(ext);
	assert_int_equal(X509_add_ext(cert, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

static X509 *tsa_certificate(EVP_PKEY *key, const char *name, X509 *issuer, EVP_PKEY *issuer_key,
                             long serial, bool stamps)
{
	X509 *c = X509_new();
	assert_non_null(c);
	X509_set_version(c, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(c), serial);
	/* From 2020 to 2021, if it stamps: to be judged at the time of the stamp. */
	ASN1_TIME_set(X509_getm_notBefore(c), 1577836800);
	ASN1_TIME_set(X509_getm_notAfter(c), stamps ? 1609459200 : 4102444800);
	X509_set_pubkey(c, key);
	X509_NAME *n = X509_get_subject_name(c);
	X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(c, issuer ? X509_get_subject_name(issuer) : n);
	tsa_extension(c, issuer ? issuer : c, NID_basic_constraints,
	              issuer ? "critical,CA:FALSE" : "critical,CA:TRUE");
	if (stamps) tsa_extension(c, issuer, NID_ext_key_usage, "critical,timeStamping");
	assert_true(X509_sign(c, issuer_key, EVP_sha256()) > 0);
	return c;
}

static void tsa_init(tsa *t, bool stamps)
{
	*t = (tsa){.at = 1593561600}; /* 2020-07-01 */
	t->ca_key = EVP_EC_gen("P-256");
	t->key = EVP_EC_gen("P-256");
	t->ca = tsa_certificate(t->ca_key, "Test CA", NULL, t->ca_key, 1, false);
	t->cert = tsa_certificate(t->key, "Test TSA", t->ca, t->ca_key, 2, stamps);
}

static void tsa_free(tsa *t)
{
	X509_free(t->ca);
	X509_free(t->cert);
	EVP_PKEY_free(t->ca_key);
	EVP_PKEY_free(t->key);
}

static void tsa_write_ca(const tsa *t, const char *path)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, t->ca), 1);
	fclose(f);
}

static ASN1_INTEGER *tsa_serial(TS_RESP_CTX *ctx, void *data)
{
	(void)ctx;
	ASN1_INTEGER *i = ASN1_INTEGER_new();
	ASN1_INTEGER_set_int64(i, ++((tsa *)data)->serial);
	return i;
}

static int tsa_time(TS_RESP_CTX *ctx, void *data, long *sec, long *usec)
{
	(void)ctx;
	*sec = (long)((tsa *)data)->at;
	*usec = 0;
	return 1;
}

static void tsa_answer(tsa *t, const wr_buf *request, wr_buf *response)
{
	TS_RESP_CTX *ctx = TS_RESP_CTX_new();
	ASN1_OBJECT *policy = OBJ_txt2obj("1.2.3.4.1", 1);
	TS_RESP_CTX_set_serial_cb(ctx, tsa_serial, t);
	TS_RESP_CTX_set_time_cb(ctx, tsa_time, t);
	/* The certificate of one who may not stamp is refused here as well. */
	bool able = TS_RESP_CTX_set_signer_cert(ctx, t->cert) == 1;
	if (able) {
		TS_RESP_CTX_set_signer_key(ctx, t->key);
		TS_RESP_CTX_set_def_policy(ctx, policy);
		TS_RESP_CTX_set_signer_digest(ctx, EVP_sha256());
		TS_RESP_CTX_set_ess_cert_id_digest(ctx, EVP_sha256());
		TS_RESP_CTX_add_md(ctx, EVP_sha256());
		TS_RESP_CTX_set_accuracy(ctx, 1, 500, 100);
		BIO *in = BIO_new_mem_buf(request->data, (int)request->len);
		TS_RESP *r = TS_RESP_create_response(ctx, in);
		unsigned char *der = NULL;
		int len = r ? i2d_TS_RESP(r, &der) : -1;
		assert_true(len > 0);
		wr_buf_reset(response);
		wr_buf_add(response, der, (size_t)len);
		OPENSSL_free(der);
		TS_RESP_free(r);
		BIO_free(in);
	}
	ASN1_OBJECT_free(policy);
	TS_RESP_CTX_free(ctx);
	assert_true(able);
}

#endif
