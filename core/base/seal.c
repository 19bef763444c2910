/* seal.c: the sealed key file (seal.h has its format).
 *
 * Everything secret (the passphrase's key, the seed, the signing key) lives in one sodium_malloc
 * block: guard pages, locked when RLIMIT_MEMLOCK allows (libsodium goes on without the lock when
 * not), left out of core dumps, wiped by sodium_free on every path. What comes from the file is
 * checked whole, costs included, before Argon2 runs. Thread-safe. */
#include "warroom/seal.h"

#include <sodium.h>
#include <string.h>

#include "warroom/hash.h"
#include "warroom/json.h"
#include "warroom/limits.h"
#include "warroom/text.h"

#define VERSION      1
#define KDF_NAME     "argon2id13"
#define FILE_MAX     4096 /* a file takes about 500 bytes */
#define KEY_LINE_MAX 128  /* "ssh-ed25519 " and 68 characters */
#define OPSLIMIT_MAX 10
#define MEMLIMIT_MAX (INT64_C(1) << 30)
#define SALT_LEN     crypto_pwhash_argon2id_SALTBYTES
#define NONCE_LEN    crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define SEED_LEN     crypto_sign_SEEDBYTES
#define SEALED_LEN   (SEED_LEN + crypto_aead_xchacha20poly1305_ietf_ABYTES)

/* The public side of a file, parsed or about to be written. */
typedef struct sealed_file {
	char principal[64];
	char key_line[KEY_LINE_MAX]; /* also the additional data of the seal */
	wr_pubkey pub;
	int64_t opslimit;
	int64_t memlimit_bytes;
	uint8_t salt[SALT_LEN];
	uint8_t nonce[NONCE_LEN];
	uint8_t sealed[SEALED_LEN];
} sealed_file;

struct wr_secret {
	uint8_t signing_key[crypto_sign_SECRETKEYBYTES];
	uint8_t seed[SEED_LEN];
	uint8_t sealing_key[crypto_aead_xchacha20poly1305_ietf_KEYBYTES];
};

static wr_secret *secret_new(wr_err *err)
{
	if (sodium_init() < 0) {
		(void)wr_fail(err, WR_E_UNAVAILABLE, "libsodium could not start");
		return NULL;
	}
	wr_secret *s = sodium_malloc(sizeof(*s));
	if (s == NULL) {
		(void)wr_fail(err, WR_E_NOMEM,
		              "no protected memory for the key: raise the memory limits (ulimit -v, -l)");
		return NULL;
	}
	sodium_memzero(s, sizeof(*s));
	return s;
}

void wr_secret_free(wr_secret *s)
{
	sodium_free(s);
}

const uint8_t *wr_secret_bytes(const wr_secret *s)
{
	return s->signing_key;
}

static int check_passphrase(size_t len, wr_err *err)
{
	if (len == 0) return wr_fail(err, WR_E_INVALID, "the passphrase is empty");
	if (len > WR_PASSPHRASE_MAX)
		return wr_fail(err, WR_E_LIMIT, "the passphrase is longer than %d bytes",
		               WR_PASSPHRASE_MAX);
	return 0;
}

static int derive_sealing_key(wr_secret *s, const sealed_file *f, const char *passphrase,
                              size_t passphrase_len, wr_err *err)
{
	if (crypto_pwhash(s->sealing_key, sizeof(s->sealing_key), passphrase, passphrase_len, f->salt,
	                  (unsigned long long)f->opslimit, (size_t)f->memlimit_bytes,
	                  crypto_pwhash_ALG_ARGON2ID13) != 0)
		return wr_fail(err, WR_E_NOMEM, "the passphrase needs %lld MiB of memory to be checked",
		               (long long)(f->memlimit_bytes >> 20));
	return 0;
}

static int format_key_line(sealed_file *f, wr_err *err)
{
	wr_buf line = WR_BUF_INIT(sizeof(f->key_line) - 1);
	wr_pubkey_format(&line, &f->pub);
	const bool ok = wr_buf_ok(&line);
	if (ok) memcpy(f->key_line, wr_buf_cstr(&line), line.len + 1);
	wr_buf_free(&line);
	return ok ? 0 : wr_fail(err, WR_E_NOMEM, "out of memory");
}

static void add_base64(wr_buf *out, const char *name, const uint8_t *data, size_t len)
{
	wr_buf_addf(out, ",\"%s\":\"", name);
	wr_base64(out, data, len);
	wr_buf_addc(out, '"');
}

static int format_file(wr_buf *out, const sealed_file *f, wr_err *err)
{
	wr_buf_addf(out, "{\"v\":%d,\"principal\":", VERSION);
	wr_canon_str(out, f->principal, strlen(f->principal));
	wr_buf_adds(out, ",\"public_key\":");
	wr_canon_str(out, f->key_line, strlen(f->key_line));
	wr_buf_addf(out, ",\"kdf\":\"%s\",\"opslimit\":%lld,\"memlimit\":%lld", KDF_NAME,
	            (long long)f->opslimit, (long long)f->memlimit_bytes);
	add_base64(out, "salt", f->salt, sizeof(f->salt));
	add_base64(out, "nonce", f->nonce, sizeof(f->nonce));
	add_base64(out, "sealed", f->sealed, sizeof(f->sealed));
	wr_buf_adds(out, "}\n");
	return wr_buf_ok(out) ? 0 : wr_fail(err, WR_E_LIMIT, "there is no room for the key file");
}

/* make_key_pair fills the secret's seed and signing key, and what of the file is public. */
static int make_key_pair(wr_secret *s, sealed_file *f, wr_err *err)
{
	uint8_t public_key[crypto_sign_PUBLICKEYBYTES];
	randombytes_buf(s->seed, sizeof(s->seed));
	randombytes_buf(f->salt, sizeof(f->salt));
	randombytes_buf(f->nonce, sizeof(f->nonce));
	(void)crypto_sign_seed_keypair(public_key, s->signing_key, s->seed);
	wr_pubkey_from_ed25519(&f->pub, public_key);
	return format_key_line(f, err);
}

int wr_seal_new(wr_buf *out, wr_pubkey *pub, const char *principal, const char *passphrase,
                size_t passphrase_len, wr_seal_cost cost, wr_err *err)
{
	sealed_file f = {.opslimit = crypto_pwhash_OPSLIMIT_MODERATE,
	                 .memlimit_bytes = crypto_pwhash_MEMLIMIT_MODERATE};
	if (cost == WR_SEAL_INTERACTIVE) {
		f.opslimit = crypto_pwhash_OPSLIMIT_INTERACTIVE;
		f.memlimit_bytes = crypto_pwhash_MEMLIMIT_INTERACTIVE;
	}
	memset(pub, 0, sizeof(*pub));
	if (!wr_name_ok(principal))
		return wr_fail(err, WR_E_INVALID,
		               "the principal is not a name (1 to 63 of A-Z a-z 0-9 . _ @ -)");
	memcpy(f.principal, principal, strlen(principal));
	if (check_passphrase(passphrase_len, err) != 0) return -1;

	wr_secret *s = secret_new(err);
	if (s == NULL) return -1;
	int rc = make_key_pair(s, &f, err);
	if (rc == 0) rc = derive_sealing_key(s, &f, passphrase, passphrase_len, err);
	if (rc == 0) {
		(void)crypto_aead_xchacha20poly1305_ietf_encrypt(
		    f.sealed, NULL, s->seed, sizeof(s->seed), (const uint8_t *)f.key_line,
		    strlen(f.key_line), NULL, f.nonce, s->sealing_key);
		rc = format_file(out, &f, err);
	}
	wr_secret_free(s);
	if (rc == 0) *pub = f.pub;
	return rc;
}

static int get_base64(uint8_t *out, size_t len, const json_t *file, const char *name, wr_err *err)
{
	const char *text = wr_json_str(file, name, "");
	wr_buf raw = WR_BUF_INIT(SEALED_LEN);
	int rc = wr_unbase64(&raw, text, strlen(text), false, NULL);
	if (rc == 0 && raw.len == len)
		memcpy(out, wr_buf_cstr(&raw), len);
	else
		rc = wr_fail(err, WR_E_INVALID, "\"%s\" is not %zu bytes of base64", name, len);
	wr_buf_free(&raw);
	return rc;
}

static int get_key(sealed_file *f, const json_t *file, wr_err *err)
{
	const char *line = wr_json_str(file, "public_key", "");
	if (wr_pubkey_parse(&f->pub, line, err) != 0) return wr_err_wrap(err, "\"public_key\"");
	if (f->pub.sk)
		return wr_fail(err, WR_E_INVALID, "\"public_key\": a security key cannot be sealed");
	if (format_key_line(f, err) != 0) return -1;
	if (strcmp(line, f->key_line) != 0)
		return wr_fail(err, WR_E_INVALID, "\"public_key\" is not a key line without comment");
	return 0;
}

static int get_costs(sealed_file *f, const json_t *file, wr_err *err)
{
	if (strcmp(wr_json_str(file, "kdf", ""), KDF_NAME) != 0)
		return wr_fail(err, WR_E_INVALID, "\"kdf\" is not \"" KDF_NAME "\"");
	f->opslimit = wr_json_int(file, "opslimit", 0);
	f->memlimit_bytes = wr_json_int(file, "memlimit", 0);
	if (f->opslimit < (int64_t)crypto_pwhash_OPSLIMIT_MIN ||
	    f->memlimit_bytes < (int64_t)crypto_pwhash_MEMLIMIT_MIN)
		return wr_fail(err, WR_E_INVALID, "\"opslimit\" or \"memlimit\" is missing or too small");
	if (f->opslimit > OPSLIMIT_MAX || f->memlimit_bytes > MEMLIMIT_MAX)
		return wr_fail(err, WR_E_LIMIT,
		               "\"opslimit\" is over %d or \"memlimit\" over %lld: the file asks for more "
		               "work than we do",
		               OPSLIMIT_MAX, (long long)MEMLIMIT_MAX);
	return 0;
}

static int get_fields(sealed_file *f, const json_t *file, wr_err *err)
{
	const size_t fields = 9;
	if (!json_is_object(file) || wr_json_int(file, "v", 0) != VERSION)
		return wr_fail(err, WR_E_INVALID, "\"v\" is not %d", VERSION);
	const char *principal = wr_json_str(file, "principal", "");
	if (!wr_name_ok(principal)) return wr_fail(err, WR_E_INVALID, "\"principal\" is not a name");
	memcpy(f->principal, principal, strlen(principal));
	if (get_key(f, file, err) != 0 || get_costs(f, file, err) != 0 ||
	    get_base64(f->salt, sizeof(f->salt), file, "salt", err) != 0 ||
	    get_base64(f->nonce, sizeof(f->nonce), file, "nonce", err) != 0 ||
	    get_base64(f->sealed, sizeof(f->sealed), file, "sealed", err) != 0)
		return -1;
	/* Each field above was there, so more than these are others. */
	if (json_object_size(file) != fields)
		return wr_fail(err, WR_E_INVALID, "there are unknown fields");
	return 0;
}

static int parse_file(sealed_file *f, const char *text, size_t len, wr_err *err)
{
	memset(f, 0, sizeof(*f));
	if (len > FILE_MAX) return wr_fail(err, WR_E_LIMIT, "key file: longer than %d bytes", FILE_MAX);
	json_t *file = wr_json_parse(text, len, err);
	int rc = file == NULL ? -1 : get_fields(f, file, err);
	json_decref(file);
	return rc == 0 ? 0 : wr_err_wrap(err, "key file");
}

int wr_seal_public(const char *text, size_t len, char principal[static 64], wr_pubkey *pub,
                   wr_err *err)
{
	sealed_file f;
	memset(pub, 0, sizeof(*pub));
	principal[0] = '\0';
	if (parse_file(&f, text, len, err) != 0) return -1;
	memcpy(principal, f.principal, sizeof(f.principal));
	*pub = f.pub;
	return 0;
}

/* unseal decrypts the seed and checks that it is the seed of the file's public key. */
static int unseal(wr_secret *s, const sealed_file *f, wr_err *err)
{
	uint8_t public_key[crypto_sign_PUBLICKEYBYTES];
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(
	        s->seed, NULL, NULL, f->sealed, sizeof(f->sealed), (const uint8_t *)f->key_line,
	        strlen(f->key_line), f->nonce, s->sealing_key) != 0)
		return wr_fail(err, WR_E_DENIED, "wrong passphrase (or the key file was changed)");
	(void)crypto_sign_seed_keypair(public_key, s->signing_key, s->seed);
	if (sodium_memcmp(public_key, f->pub.ed25519, sizeof(public_key)) != 0)
		return wr_fail(err, WR_E_CORRUPT, "key file: the sealed key is not that of \"public_key\"");
	sodium_memzero(s->seed, sizeof(s->seed));
	sodium_memzero(s->sealing_key, sizeof(s->sealing_key));
	return 0;
}

wr_secret *wr_seal_open(const char *text, size_t len, const char *passphrase, size_t passphrase_len,
                        char principal[static 64], wr_pubkey *pub, wr_err *err)
{
	sealed_file f;
	memset(pub, 0, sizeof(*pub));
	principal[0] = '\0';
	if (parse_file(&f, text, len, err) != 0 || check_passphrase(passphrase_len, err) != 0)
		return NULL;
	wr_secret *s = secret_new(err);
	if (s == NULL) return NULL;
	if (derive_sealing_key(s, &f, passphrase, passphrase_len, err) != 0 ||
	    unseal(s, &f, err) != 0) {
		wr_secret_free(s);
		return NULL;
	}
	(void)sodium_mprotect_readonly(s);
	memcpy(principal, f.principal, sizeof(f.principal));
	*pub = f.pub;
	return s;
}
