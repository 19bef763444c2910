/* sshsig.c: OpenSSH's detached signatures (PROTOCOL.sshsig) over Ed25519 and its FIDO variant.
 *
 * Parsing is a bounds-checked reader over the decoded blob that accepts one encoding only: known
 * version, empty `reserved`, exact lengths, no trailing bytes, printable names. The specification
 * lets a verifier ignore a filled `reserved`, but the signed data of OpenSSH always carries it
 * empty, so that anyone could fill it without breaking the signature: it is refused. Blobs and
 * signed data are small and bounded, so they are built in fixed arrays. Pure; thread-safe. */
#include "warroom/sshsig.h"

#include <sodium.h>
#include <string.h>

#include "warroom/hash.h"
#include "warroom/limits.h"

#define MAGIC       "SSHSIG"
#define MAGIC_LEN   6
#define SIG_VERSION 1
#define ARMOUR_HEAD "-----BEGIN SSH SIGNATURE-----"
#define ARMOUR_FOOT "-----END SSH SIGNATURE-----"
#define ARMOUR_COLS 70 /* as ssh-keygen wraps it */
#define SK_PRESENT  0x01
#define KEY_MAX     1024 /* bytes of a decoded key line: ed25519 takes 51, sk at most 137 */

static const char type_ed25519[] = "ssh-ed25519";
static const char type_sk[] = "sk-ssh-ed25519@openssh.com";

typedef struct span {
	const uint8_t *data;
	size_t len;
} span;

static bool take(span *in, size_t n, span *out)
{
	if (n > in->len) return false;
	*out = (span){in->data, n};
	in->data += n;
	in->len -= n;
	return true;
}

static bool take_u32(span *in, uint32_t *value)
{
	span s;
	if (!take(in, 4, &s)) return false;
	*value = (uint32_t)s.data[0] << 24 | (uint32_t)s.data[1] << 16 | (uint32_t)s.data[2] << 8 |
	         (uint32_t)s.data[3];
	return true;
}

static bool take_string(span *in, span *out)
{
	uint32_t n;
	return take_u32(in, &n) && take(in, n, out);
}

static bool span_is(span s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.data, text, s.len) == 0;
}

/* span_name copies a non-empty string of printable ASCII without spaces. */
static bool span_name(char *out, size_t size, span s)
{
	if (s.len == 0 || s.len >= size) return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] <= 0x20 || s.data[i] >= 0x7f) return false;
	memcpy(out, s.data, s.len);
	out[s.len] = '\0';
	return true;
}

/* Room for the largest thing built here, a whole sk signature blob. */
typedef struct blob {
	uint8_t data[768];
	size_t len;
} blob;

static void put(blob *b, const void *data, size_t n)
{
	WR_ASSERT(n <= sizeof(b->data) - b->len);
	memcpy(b->data + b->len, data, n);
	b->len += n;
}

static void put_u32(blob *b, uint32_t v)
{
	const uint8_t be[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
	put(b, be, sizeof(be));
}

static void put_string(blob *b, const void *data, size_t n)
{
	put_u32(b, (uint32_t)n);
	put(b, data, n);
}

static void put_text(blob *b, const char *s)
{
	put_string(b, s, strlen(s));
}

static const char *key_type(const wr_pubkey *key)
{
	return key->sk ? type_sk : type_ed25519;
}

static void put_key(blob *b, const wr_pubkey *key)
{
	put_text(b, key_type(key));
	put_string(b, key->ed25519, sizeof(key->ed25519));
	if (key->sk) put_text(b, key->application);
}

static void set_fingerprint(wr_pubkey *key)
{
	static const char prefix[] = "SHA256:";
	uint8_t digest[WR_HASH_LEN];
	blob b = {.len = 0};
	put_key(&b, key);
	wr_sha256(digest, b.data, b.len);
	memcpy(key->fingerprint, prefix, sizeof(prefix));
	(void)sodium_bin2base64(key->fingerprint + sizeof(prefix) - 1,
	                        sizeof(key->fingerprint) - (sizeof(prefix) - 1), digest, sizeof(digest),
	                        sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
}

static int refuse_type(span type, wr_err *err)
{
	char name[64];
	if (!span_name(name, sizeof(name), type))
		return wr_fail(err, WR_E_INVALID, "the key has no valid type name");
	return wr_fail(err, WR_E_INVALID,
	               "key type %s is not accepted: use ed25519 (ssh-keygen -t ed25519, or "
	               "-t ed25519-sk for a security key)",
	               name);
}

static int parse_key(wr_pubkey *out, span in, wr_err *err)
{
	span type, point, app;
	memset(out, 0, sizeof(*out));
	if (!take_string(&in, &type)) return wr_fail(err, WR_E_INVALID, "the public key is cut short");
	out->sk = span_is(type, type_sk);
	if (!out->sk && !span_is(type, type_ed25519)) return refuse_type(type, err);
	if (!take_string(&in, &point) || point.len != sizeof(out->ed25519))
		return wr_fail(err, WR_E_INVALID, "the public key is not 32 bytes");
	memcpy(out->ed25519, point.data, point.len);
	if (out->sk &&
	    (!take_string(&in, &app) || !span_name(out->application, sizeof(out->application), app) ||
	     strncmp(out->application, "ssh:", 4) != 0))
		return wr_fail(err, WR_E_INVALID, "the security key's application is not \"ssh:…\"");
	if (in.len != 0) return wr_fail(err, WR_E_INVALID, "%zu bytes follow the public key", in.len);
	/* A key of small order has signatures that hold for many messages: a "signature" by it says
	 * nothing. Honest keys always lie in the main subgroup. */
	if (crypto_core_ed25519_is_valid_point(out->ed25519) != 1)
		return wr_fail(err, WR_E_INVALID, "the public key is not a valid ed25519 point");
	set_fingerprint(out);
	return 0;
}

void wr_pubkey_from_ed25519(wr_pubkey *out, const uint8_t public_key[static 32])
{
	memset(out, 0, sizeof(*out));
	memcpy(out->ed25519, public_key, sizeof(out->ed25519));
	set_fingerprint(out);
}

void wr_pubkey_format(wr_buf *out, const wr_pubkey *key)
{
	blob b = {.len = 0};
	put_key(&b, key);
	wr_buf_adds(out, key_type(key));
	wr_buf_addc(out, ' ');
	wr_base64(out, b.data, b.len);
}

int wr_pubkey_parse(wr_pubkey *out, const char *line, wr_err *err)
{
	memset(out, 0, sizeof(*out));
	const char *type = line + strspn(line, " \t");
	const size_t type_len = strcspn(type, " \t\r\n");
	const span typed = {(const uint8_t *)type, type_len};
	if (type_len == 0) return wr_fail(err, WR_E_INVALID, "there is no key on the line");
	if (!span_is(typed, type_ed25519) && !span_is(typed, type_sk)) return refuse_type(typed, err);

	const char *b64 = type + type_len + strspn(type + type_len, " \t");
	const size_t b64_len = strcspn(b64, " \t\r\n");
	const char *after = b64 + b64_len + strcspn(b64 + b64_len, "\r\n");
	if (b64_len == 0) return wr_fail(err, WR_E_INVALID, "the key's base64 is missing");
	if (after[strspn(after, " \t\r\n")] != '\0')
		return wr_fail(err, WR_E_INVALID, "one key was expected, but more lines follow");

	wr_buf raw = WR_BUF_INIT(KEY_MAX);
	int rc = wr_unbase64(&raw, b64, b64_len, false, err);
	if (rc == 0) rc = parse_key(out, (span){(const uint8_t *)wr_buf_cstr(&raw), raw.len}, err);
	wr_buf_free(&raw);
	if (rc == 0 && !span_is(typed, key_type(out)))
		rc = wr_fail(err, WR_E_INVALID, "the line says one key type and its base64 another");
	if (rc != 0) memset(out, 0, sizeof(*out));
	return rc;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* dearmour finds the base64 between header and footer, or takes all of a text without them. */
static int dearmour(span *out, span in, wr_err *err)
{
	span head, line_end;
	while (in.len > 0 && is_blank(in.data[0])) in.data++, in.len--;
	while (in.len > 0 && is_blank(in.data[in.len - 1])) in.len--;
	if (in.len == 0) return wr_fail(err, WR_E_INVALID, "the signature is empty");
	if (in.data[0] == '-') {
		if (!take(&in, strlen(ARMOUR_HEAD), &head) || !span_is(head, ARMOUR_HEAD) ||
		    !take(&in, 1, &line_end) || !is_blank(line_end.data[0]))
			return wr_fail(err, WR_E_INVALID, "the signature does not start with \"%s\"",
			               ARMOUR_HEAD);
		const size_t foot_len = strlen("\n" ARMOUR_FOOT);
		if (in.len < foot_len ||
		    !span_is((span){in.data + in.len - foot_len, foot_len}, "\n" ARMOUR_FOOT))
			return wr_fail(err, WR_E_INVALID, "the signature does not end with \"%s\"",
			               ARMOUR_FOOT);
		in.len -= foot_len;
	}
	*out = in;
	return 0;
}

/* parse_raw_signature reads the inner string: type, 64 bytes, and for FIDO flags and counter. */
static int parse_raw_signature(wr_sshsig *out, span in, wr_err *err)
{
	span type, bytes, flags;
	if (!take_string(&in, &type) || !span_is(type, key_type(&out->key)))
		return wr_fail(err, WR_E_INVALID, "the signature's algorithm is not that of its key (%s)",
		               key_type(&out->key));
	if (!take_string(&in, &bytes) || bytes.len != sizeof(out->sig))
		return wr_fail(err, WR_E_INVALID, "the signature is not 64 bytes");
	memcpy(out->sig, bytes.data, bytes.len);
	if (out->key.sk) {
		if (!take(&in, 1, &flags) || !take_u32(&in, &out->sk_counter))
			return wr_fail(err, WR_E_INVALID, "the security key's flags and counter are missing");
		out->sk_flags = flags.data[0];
	}
	if (in.len != 0) return wr_fail(err, WR_E_INVALID, "%zu bytes follow the signature", in.len);
	return 0;
}

static int parse_blob(wr_sshsig *out, span in, wr_err *err)
{
	span magic, key, ns, reserved, hash, signature;
	uint32_t version;
	if (!take(&in, MAGIC_LEN, &magic) || !span_is(magic, MAGIC))
		return wr_fail(err, WR_E_INVALID, "this is not an SSH signature");
	if (!take_u32(&in, &version) || version != SIG_VERSION)
		return wr_fail(err, WR_E_INVALID, "the signature's version is not %d", SIG_VERSION);
	if (!take_string(&in, &key) || !take_string(&in, &ns) || !take_string(&in, &reserved) ||
	    !take_string(&in, &hash) || !take_string(&in, &signature))
		return wr_fail(err, WR_E_INVALID, "the signature is cut short");
	if (in.len != 0) return wr_fail(err, WR_E_INVALID, "%zu bytes follow the signature", in.len);
	if (parse_key(&out->key, key, err) != 0) return -1;
	if (!span_name(out->ns, sizeof(out->ns), ns))
		return wr_fail(err, WR_E_INVALID,
		               "the signature's namespace is empty, too long or not plain ASCII");
	if (reserved.len != 0)
		return wr_fail(err, WR_E_INVALID, "the signature's reserved field is not empty");
	if (!span_is(hash, "sha512") && !span_is(hash, "sha256"))
		return wr_fail(err, WR_E_INVALID, "the signature's hash is neither sha512 nor sha256");
	memcpy(out->hash, hash.data, hash.len);
	return parse_raw_signature(out, signature, err);
}

int wr_sshsig_parse(wr_sshsig *out, const char *text, size_t len, wr_err *err)
{
	memset(out, 0, sizeof(*out));
	if (len > WR_SSHSIG_MAX)
		return wr_fail(err, WR_E_LIMIT, "the signature is longer than %u bytes", WR_SSHSIG_MAX);
	span b64 = {NULL, 0};
	if (dearmour(&b64, (span){(const uint8_t *)text, len}, err) != 0) return -1;
	wr_buf raw = WR_BUF_INIT(WR_SSHSIG_MAX);
	int rc = wr_unbase64(&raw, (const char *)b64.data, b64.len, true, err);
	if (rc == 0) rc = parse_blob(out, (span){(const uint8_t *)wr_buf_cstr(&raw), raw.len}, err);
	wr_buf_free(&raw);
	if (rc != 0) memset(out, 0, sizeof(*out));
	return rc;
}

/* put_signed_data builds what the key signs, from the message's hash. */
static void put_signed_data(blob *b, const char *ns, const char *hash, const void *msg, size_t len)
{
	uint8_t digest[crypto_hash_sha512_BYTES];
	const bool sha512 = strcmp(hash, "sha512") == 0;
	if (sha512)
		crypto_hash_sha512(digest, msg, len);
	else
		wr_sha256(digest, msg, len);
	put(b, MAGIC, MAGIC_LEN);
	put_text(b, ns);
	put_text(b, "");
	put_text(b, hash);
	put_string(b, digest, sha512 ? crypto_hash_sha512_BYTES : WR_HASH_LEN);
}

/* put_sk_data wraps the signed data the way a FIDO authenticator signs it (PROTOCOL.u2f). */
static void put_sk_data(blob *b, const wr_sshsig *sig, const blob *data)
{
	uint8_t digest[WR_HASH_LEN];
	wr_sha256(digest, sig->key.application, strlen(sig->key.application));
	put(b, digest, sizeof(digest));
	put(b, &sig->sk_flags, 1);
	put_u32(b, sig->sk_counter);
	wr_sha256(digest, data->data, data->len);
	put(b, digest, sizeof(digest));
}

int wr_sshsig_verify(const wr_sshsig *sig, const char *ns, const void *msg, size_t len, wr_err *err)
{
	if (strcmp(sig->ns, ns) != 0)
		return wr_fail(err, WR_E_DENIED, "the signature is for namespace \"%s\", not \"%s\"",
		               sig->ns, ns);
	if (strcmp(sig->hash, "sha512") != 0 && strcmp(sig->hash, "sha256") != 0)
		return wr_fail(err, WR_E_INVALID, "the signature has no known hash");
	if (sig->key.sk && (sig->sk_flags & SK_PRESENT) == 0)
		return wr_fail(err, WR_E_DENIED,
		               "the security key was not touched: keys made with no-touch-required are "
		               "not accepted");
	blob data = {.len = 0}, wrapped = {.len = 0};
	put_signed_data(&data, ns, sig->hash, msg, len);
	if (sig->key.sk) put_sk_data(&wrapped, sig, &data);
	const blob *b = sig->key.sk ? &wrapped : &data;
	if (crypto_sign_verify_detached(sig->sig, b->data, b->len, sig->key.ed25519) != 0)
		return wr_fail(err, WR_E_DENIED, "the signature by %s does not match the text",
		               sig->key.fingerprint);
	return 0;
}

static int put_armour(wr_buf *out, const blob *b, wr_err *err)
{
	wr_buf b64 = WR_BUF_INIT(WR_SSHSIG_MAX);
	wr_base64(&b64, b->data, b->len);
	bool ok = wr_buf_ok(&b64);
	if (ok) {
		wr_buf_adds(out, ARMOUR_HEAD "\n");
		for (size_t at = 0; at < b64.len; at += ARMOUR_COLS) {
			const size_t left = b64.len - at;
			wr_buf_add(out, b64.data + at, left < ARMOUR_COLS ? left : ARMOUR_COLS);
			wr_buf_addc(out, '\n');
		}
		wr_buf_adds(out, ARMOUR_FOOT "\n");
		ok = wr_buf_ok(out);
	}
	wr_buf_free(&b64);
	return ok ? 0 : wr_fail(err, WR_E_LIMIT, "there is no room for the signature");
}

int wr_sshsig_sign(wr_buf *armoured, const uint8_t secret[static 64], const char *ns,
                   const void *msg, size_t len, wr_err *err)
{
	char name[sizeof(((wr_sshsig *)0)->ns)];
	if (!span_name(name, sizeof(name), (span){(const uint8_t *)ns, strlen(ns)}))
		return wr_fail(err, WR_E_INVALID, "the namespace is empty, too long or not plain ASCII");
	wr_pubkey key;
	wr_pubkey_from_ed25519(&key, secret + 32);

	blob data = {.len = 0}, signature = {.len = 0}, whole = {.len = 0}, public_part = {.len = 0};
	uint8_t sig[crypto_sign_BYTES];
	put_signed_data(&data, ns, "sha512", msg, len);
	/* Checked before it leaves: a fault, or halves that do not belong together, give away the key.
	 */
	if (crypto_sign_detached(sig, NULL, data.data, data.len, secret) != 0 ||
	    crypto_sign_verify_detached(sig, data.data, data.len, key.ed25519) != 0) {
		sodium_memzero(sig, sizeof(sig));
		return wr_fail(err, WR_E_INVALID, "the secret key is damaged: it cannot sign");
	}
	put_text(&signature, type_ed25519);
	put_string(&signature, sig, sizeof(sig));
	put_key(&public_part, &key);
	put(&whole, MAGIC, MAGIC_LEN);
	put_u32(&whole, SIG_VERSION);
	put_string(&whole, public_part.data, public_part.len);
	put_text(&whole, ns);
	put_text(&whole, "");
	put_text(&whole, "sha512");
	put_string(&whole, signature.data, signature.len);
	return put_armour(armoured, &whole, err);
}
