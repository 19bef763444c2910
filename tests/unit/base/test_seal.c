/* test_seal.c: the sealed key file opens with its passphrase and with nothing else.
 *
 * Most cases use files that the test seals itself, from libsodium and the description in seal.h, at
 * the least cost: they check the format independently, and take no time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "warroom/hash.h"
#include "warroom/limits.h"
#include "warroom/seal.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define NS         WR_NS_APPROVAL
#define PASSPHRASE "correct horse battery staple"
#define NOBODY     65534

/* A file sealed by the test; each part can be replaced before format(). */
typedef struct sealed {
	wr_pubkey pub;
	uint8_t seed[32], salt[16], nonce[24], sealed[48];
	char key_line[128];
	char v[32], principal[96], kdf[32], opslimit[32], memlimit[32], extra[64];
} sealed;

static void key_line_of(char line[static 128], const wr_pubkey *pub)
{
	wr_buf b = WR_BUF_INIT(127);
	wr_pubkey_format(&b, pub);
	memcpy(line, wr_buf_cstr(&b), b.len + 1);
	wr_buf_free(&b);
}

static void encrypt(sealed *s, const char *passphrase)
{
	uint8_t key[32];
	assert_int_equal(crypto_pwhash(key, sizeof(key), passphrase, strlen(passphrase), s->salt, 1,
	                               8192, crypto_pwhash_ALG_ARGON2ID13),
	                 0);
	crypto_aead_xchacha20poly1305_ietf_encrypt(s->sealed, NULL, s->seed, sizeof(s->seed),
	                                           (const uint8_t *)s->key_line, strlen(s->key_line),
	                                           NULL, s->nonce, key);
}

static sealed new_sealed(void)
{
	sealed s = {.v = "1",
	            .principal = "\"alice\"",
	            .kdf = "\"argon2id13\"",
	            .opslimit = "1",
	            .memlimit = "8192"};
	uint8_t public_key[32], secret[64];
	randombytes_buf(s.seed, sizeof(s.seed));
	randombytes_buf(s.salt, sizeof(s.salt));
	randombytes_buf(s.nonce, sizeof(s.nonce));
	crypto_sign_seed_keypair(public_key, secret, s.seed);
	wr_pubkey_from_ed25519(&s.pub, public_key);
	key_line_of(s.key_line, &s.pub);
	encrypt(&s, PASSPHRASE);
	return s;
}

static void format(wr_buf *out, const sealed *s)
{
	wr_buf_reset(out);
	wr_buf_addf(out,
	            "{\"v\":%s,\"principal\":%s,\"public_key\":\"%s\",\"kdf\":%s,\"opslimit\":%s,"
	            "\"memlimit\":%s,\"salt\":\"",
	            s->v, s->principal, s->key_line, s->kdf, s->opslimit, s->memlimit);
	wr_base64(out, s->salt, sizeof(s->salt));
	wr_buf_adds(out, "\",\"nonce\":\"");
	wr_base64(out, s->nonce, sizeof(s->nonce));
	wr_buf_adds(out, "\",\"sealed\":\"");
	wr_base64(out, s->sealed, sizeof(s->sealed));
	wr_buf_addf(out, "\"%s}\n", s->extra);
	assert_true(wr_buf_ok(out));
}

static void open_fails(const char *text, size_t len, const char *passphrase, wr_code code,
                       const char *why)
{
	char principal[64] = "unchanged";
	wr_pubkey pub;
	const wr_pubkey zero = {.sk = false};
	wr_err err = {.msg = ""};
	memset(&pub, 0xff, sizeof(pub));
	wr_secret *secret =
	    wr_seal_open(text, len, passphrase, strlen(passphrase), principal, &pub, &err);
	assert_null(secret);
	if (err.code != code || strstr(err.msg, why) == NULL)
		fail_msg("expected %s \"%s\" in: %s", wr_err_name(code), why, err.msg);
	assert_null(strstr(err.msg, PASSPHRASE));
	assert_string_equal(principal, "");
	assert_memory_equal(&pub, &zero, sizeof(zero));
}

static void sealed_fails(const sealed *s, wr_code code, const char *why)
{
	wr_buf text = WR_BUF_INIT(8192);
	format(&text, s);
	open_fails(text.data, text.len, PASSPHRASE, code, why);
	wr_buf_free(&text);
}

/* signs: does the opened secret sign for the key of the file? */
static bool signs(const char *text, size_t len, const char *passphrase)
{
	char principal[64];
	wr_pubkey pub;
	wr_err err;
	wr_sshsig sig;
	wr_buf armour = WR_BUF_INIT(4096);
	wr_secret *secret =
	    wr_seal_open(text, len, passphrase, strlen(passphrase), principal, &pub, &err);
	if (secret == NULL) return false;
	bool ok = wr_sshsig_sign(&armour, wr_secret_bytes(secret), NS, "m", 1, &err) == 0 &&
	          wr_sshsig_parse(&sig, armour.data, armour.len, &err) == 0 &&
	          wr_sshsig_verify(&sig, NS, "m", 1, &err) == 0 &&
	          memcmp(&sig.key, &pub, sizeof(pub)) == 0 && strcmp(principal, "alice") == 0;
	wr_secret_free(secret);
	wr_buf_free(&armour);
	return ok;
}

static void a_new_key_opens_and_signs(void **state)
{
	(void)state;
	static const struct {
		wr_seal_cost cost;
		const char *costs;
	} cases[] = {
	    {WR_SEAL_INTERACTIVE, "\"opslimit\":2,\"memlimit\":67108864,"},
	    {WR_SEAL_MODERATE, "\"opslimit\":3,\"memlimit\":268435456,"},
	};
	for (size_t i = 0; i < 2; i++) {
		wr_buf text = WR_BUF_INIT(4096);
		wr_pubkey pub, read;
		wr_err err;
		char principal[64];
		if (wr_seal_new(&text, &pub, "alice", PASSPHRASE, strlen(PASSPHRASE), cases[i].cost,
		                &err) != 0)
			fail_msg("%s", err.msg);
		assert_non_null(strstr(wr_buf_cstr(&text), cases[i].costs));
		assert_int_equal(text.data[text.len - 1], '\n');
		assert_int_equal(wr_seal_public(text.data, text.len, principal, &read, &err), 0);
		assert_string_equal(principal, "alice");
		assert_memory_equal(&read, &pub, sizeof(pub));
		assert_true(signs(text.data, text.len, PASSPHRASE));
		if (i == 0) open_fails(text.data, text.len, "wrong", WR_E_DENIED, "wrong passphrase");
		wr_buf_free(&text);
	}
}

static void two_new_keys_share_nothing(void **state)
{
	(void)state;
	wr_buf a = WR_BUF_INIT(4096), b = WR_BUF_INIT(4096);
	wr_pubkey pub;
	assert_int_equal(wr_seal_new(&a, &pub, "alice", "p", 1, WR_SEAL_INTERACTIVE, NULL), 0);
	assert_int_equal(wr_seal_new(&b, &pub, "alice", "p", 1, WR_SEAL_INTERACTIVE, NULL), 0);
	static const char *const fields[] = {"\"salt\":", "\"nonce\":", "\"sealed\":", "ed25519 "};
	for (size_t i = 0; i < 4; i++) {
		const char *x = strstr(a.data, fields[i]), *y = strstr(b.data, fields[i]);
		assert_true(x != NULL && y != NULL);
		assert_memory_not_equal(x, y, i == 3 ? 76 : 24);
	}
	wr_buf_free(&a);
	wr_buf_free(&b);
}

static void new_refuses_bad_input(void **state)
{
	(void)state;
	char long_phrase[WR_PASSPHRASE_MAX + 1];
	memset(long_phrase, 'p', sizeof(long_phrase));
	static const char *const names[] = {
	    "",        "a b", "a/b",
	    "\033[2J", "*",   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	wr_buf out = WR_BUF_INIT(4096), small = WR_BUF_INIT(100);
	wr_pubkey pub;
	wr_err err;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(wr_seal_new(&out, &pub, names[i], "p", 1, WR_SEAL_INTERACTIVE, &err), -1);
		assert_int_equal(err.code, WR_E_INVALID);
	}
	assert_int_equal(wr_seal_new(&out, &pub, "alice", "", 0, WR_SEAL_INTERACTIVE, &err), -1);
	assert_int_equal(err.code, WR_E_INVALID);
	assert_int_equal(wr_seal_new(&out, &pub, "alice", long_phrase, sizeof(long_phrase),
	                             WR_SEAL_INTERACTIVE, &err),
	                 -1);
	assert_int_equal(err.code, WR_E_LIMIT);
	assert_int_equal(out.len, 0);
	assert_int_equal(wr_seal_new(&small, &pub, "alice", "p", 1, WR_SEAL_INTERACTIVE, &err), -1);
	assert_int_equal(err.code, WR_E_LIMIT);
	wr_buf_free(&out);
	wr_buf_free(&small);
}

static void a_file_sealed_elsewhere_opens(void **state)
{
	(void)state;
	const sealed s = new_sealed();
	wr_buf text = WR_BUF_INIT(8192);
	format(&text, &s);
	assert_true(signs(text.data, text.len, PASSPHRASE));
	assert_false(signs(text.data, text.len, PASSPHRASE " "));
	assert_false(signs(text.data, text.len, ""));
	open_fails(text.data, text.len, "", WR_E_INVALID, "empty");
	wr_buf_free(&text);
}

static void every_bit_of_the_seal_matters(void **state)
{
	(void)state;
	const sealed good = new_sealed();
	for (size_t bit = 0; bit < 8 * sizeof(good.sealed); bit += 5) {
		sealed s = good;
		s.sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		sealed_fails(&s, WR_E_DENIED, "wrong passphrase");
		s = good;
		s.salt[bit / 8 % sizeof(s.salt)] ^= (uint8_t)(1 << bit % 8);
		sealed_fails(&s, WR_E_DENIED, "wrong passphrase");
		s = good;
		s.nonce[bit / 8 % sizeof(s.nonce)] ^= (uint8_t)(1 << bit % 8);
		sealed_fails(&s, WR_E_DENIED, "wrong passphrase");
	}
	sealed s = good;
	memcpy(s.opslimit, "2", 2);
	sealed_fails(&s, WR_E_DENIED, "wrong passphrase");
}

/* Nobody can put their own public key over a seal, nor a seal under another's key. */
static void the_seal_is_bound_to_its_public_key(void **state)
{
	(void)state;
	const sealed alice = new_sealed(), mallory = new_sealed();
	sealed s = alice;
	memcpy(s.key_line, mallory.key_line, sizeof(s.key_line));
	sealed_fails(&s, WR_E_DENIED, "wrong passphrase");
	encrypt(&s, PASSPHRASE);
	sealed_fails(&s, WR_E_CORRUPT, "not that of \"public_key\"");
}

static void costs_are_capped_before_any_work(void **state)
{
	(void)state;
	static const struct {
		const char *opslimit, *memlimit;
		wr_code code;
	} cases[] = {
	    {"11", "8192", WR_E_LIMIT},
	    {"9007199254740991", "8192", WR_E_LIMIT},
	    {"1", "1073741825", WR_E_LIMIT},
	    {"1", "9007199254740991", WR_E_LIMIT}, /* no machine has it: only the check can say so */
	    {"0", "8192", WR_E_INVALID},
	    {"-1", "8192", WR_E_INVALID},
	    {"1", "0", WR_E_INVALID},
	    {"1", "-8192", WR_E_INVALID},
	    {"1", "8191", WR_E_INVALID},
	    {"1.0", "8192", WR_E_INVALID},
	    {"\"1\"", "8192", WR_E_INVALID},
	    {"1", "true", WR_E_INVALID},
	    {"null", "8192", WR_E_INVALID},
	    {"18446744073709551617", "8192", WR_E_INVALID},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sealed s = new_sealed();
		(void)snprintf(s.opslimit, sizeof(s.opslimit), "%s", cases[i].opslimit);
		(void)snprintf(s.memlimit, sizeof(s.memlimit), "%s", cases[i].memlimit);
		sealed_fails(&s, cases[i].code, "key file: ");
	}
}

#define REFUSED(field, text_, why)                                                                 \
	do {                                                                                           \
		sealed s_ = new_sealed();                                                                  \
		(void)snprintf(s_.field, sizeof(s_.field), "%s", text_);                                   \
		sealed_fails(&s_, WR_E_INVALID, why);                                                      \
	} while (0)

static void each_malformed_field_is_refused(void **state)
{
	(void)state;
	REFUSED(v, "2", "\"v\"");
	REFUSED(v, "\"1\"", "\"v\"");
	REFUSED(principal, "\"a b\"", "principal");
	REFUSED(principal, "\"\\u001b[2J\"", "principal");
	REFUSED(principal, "7", "principal");
	REFUSED(kdf, "\"argon2i\"", "kdf");
	REFUSED(kdf, "null", "kdf");
	REFUSED(key_line, "", "public_key");
	REFUSED(key_line, "ssh-ed25519 AAAA", "public_key");
	REFUSED(key_line, "ssh-rsa AAAAB3NzaC1yc2E=", "public_key");
	REFUSED(extra, ",\"more\":1", "unknown fields");
	REFUSED(extra, ",\"v\":1", "key file");

	sealed s = new_sealed();
	memcpy(s.key_line + strlen(s.key_line), " x", 3);
	sealed_fails(&s, WR_E_INVALID, "without comment");
}

/* A FIDO key has no seed that could be sealed. */
static void a_security_key_cannot_be_sealed(void **state)
{
	(void)state;
	sealed s = new_sealed();
	s.pub.sk = true;
	memcpy(s.pub.application, "ssh:", 5);
	wr_buf line = WR_BUF_INIT(512), text = WR_BUF_INIT(8192), file = WR_BUF_INIT(8192);
	wr_pubkey_format(&line, &s.pub);
	format(&text, &s);
	const char *at = strstr(text.data, s.key_line);
	wr_buf_add(&file, text.data, (size_t)(at - text.data));
	wr_buf_adds(&file, wr_buf_cstr(&line));
	wr_buf_adds(&file, at + strlen(s.key_line));
	open_fails(file.data, file.len, PASSPHRASE, WR_E_INVALID, "security key cannot be sealed");
	wr_buf_free(&line);
	wr_buf_free(&text);
	wr_buf_free(&file);
}

static void damaged_files_are_refused(void **state)
{
	(void)state;
	const sealed s = new_sealed();
	wr_buf text = WR_BUF_INIT(8192);
	format(&text, &s);
	wr_err err;
	char principal[64];
	wr_pubkey pub;
	for (size_t len = 0; len + 1 < text.len; len++) {
		assert_int_equal(wr_seal_public(text.data, len, principal, &pub, &err), -1);
		assert_string_equal(principal, "");
	}
	/* Without any one field: its name is spoilt, which also makes it an unknown one. */
	static const char *const names[] = {"v",        "principal", "public_key", "kdf",   "opslimit",
	                                    "memlimit", "salt",      "nonce",      "sealed"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char quoted[32];
		(void)snprintf(quoted, sizeof(quoted), "\"%s\":", names[i]);
		char *name = strstr(text.data, quoted);
		name[1] ^= 0x01;
		open_fails(text.data, text.len, PASSPHRASE, WR_E_INVALID, "key file: ");
		name[1] ^= 0x01;
	}
	wr_buf_free(&text);

	static const char *const junk[] = {"",         "{}", "[]", "null", "1", "ssh-ed25519 AAAA",
	                                   "{\"v\":1}"};
	for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++)
		assert_int_equal(wr_seal_public(junk[i], strlen(junk[i]), principal, &pub, &err), -1);
	char *big = malloc(5000);
	memset(big, ' ', 5000);
	open_fails(big, 5000, PASSPHRASE, WR_E_LIMIT, "longer");
	free(big);
}

/* in_child runs `body` in a process of its own, as its limits would stay, and returns its answer.
 */
static int in_child(int (*body)(const wr_buf *text), const wr_buf *text)
{
	(void)fflush(NULL);
	const pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) _exit(body(text));
	int status = -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* root may lock memory beyond its limit, so the child is nobody. */
static int open_without_locked_memory(const wr_buf *text)
{
	const struct rlimit none = {0, 0};
	if (setrlimit(RLIMIT_MEMLOCK, &none) != 0) return 10;
	if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)) return 11;
	uint8_t page[64];
	if (!SANITIZED && sodium_mlock(page, sizeof(page)) == 0) return 12; /* they fake mlock */
	return signs(text->data, text->len, PASSPHRASE) ? 0 : 13;
}

static void it_works_where_memory_cannot_be_locked(void **state)
{
	(void)state;
	const sealed s = new_sealed();
	wr_buf text = WR_BUF_INIT(8192);
	format(&text, &s);
	assert_int_equal(in_child(open_without_locked_memory, &text), 0);
	wr_buf_free(&text);
}

static int open_without_memory(const wr_buf *text)
{
	const struct rlimit tight = {64u << 20, 64u << 20};
	if (setrlimit(RLIMIT_AS, &tight) != 0) return 10;
	char principal[64];
	wr_pubkey pub;
	wr_err err = {.msg = ""};
	if (wr_seal_open(text->data, text->len, PASSPHRASE, strlen(PASSPHRASE), principal, &pub,
	                 &err) != NULL)
		return 11;
	return err.code == WR_E_NOMEM && strstr(err.msg, "memory") != NULL ? 0 : 12;
}

static int open_without_any_memory(const wr_buf *text)
{
	const struct rlimit none = {1, 1};
	if (setrlimit(RLIMIT_AS, &none) != 0) return 10;
	char principal[64];
	wr_pubkey pub;
	wr_err err = {.msg = ""};
	if (wr_seal_open(text->data, text->len, PASSPHRASE, strlen(PASSPHRASE), principal, &pub,
	                 &err) != NULL)
		return 11;
	return err.code == WR_E_NOMEM ? 0 : 12;
}

static void too_little_memory_is_an_error_that_says_so(void **state)
{
	(void)state;
	if (SANITIZED) skip(); /* sanitizers need the address space that the test takes away */
	sealed s = new_sealed();
	(void)snprintf(s.memlimit, sizeof(s.memlimit), "67108864");
	wr_buf text = WR_BUF_INIT(8192);
	format(&text, &s);
	assert_int_equal(in_child(open_without_memory, &text), 0);
	(void)snprintf(s.memlimit, sizeof(s.memlimit), "8192");
	format(&text, &s);
	assert_int_equal(in_child(open_without_any_memory, &text), 0);
	wr_buf_free(&text);
}

static void freeing_nothing_is_fine(void **state)
{
	(void)state;
	wr_secret_free(NULL);
}

static int setup(void **state)
{
	(void)state;
	return sodium_init() < 0 ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_new_key_opens_and_signs),
	    cmocka_unit_test(two_new_keys_share_nothing),
	    cmocka_unit_test(new_refuses_bad_input),
	    cmocka_unit_test(a_file_sealed_elsewhere_opens),
	    cmocka_unit_test(every_bit_of_the_seal_matters),
	    cmocka_unit_test(the_seal_is_bound_to_its_public_key),
	    cmocka_unit_test(costs_are_capped_before_any_work),
	    cmocka_unit_test(each_malformed_field_is_refused),
	    cmocka_unit_test(a_security_key_cannot_be_sealed),
	    cmocka_unit_test(damaged_files_are_refused),
	    cmocka_unit_test(it_works_where_memory_cannot_be_locked),
	    cmocka_unit_test(too_little_memory_is_an_error_that_says_so),
	    cmocka_unit_test(freeing_nothing_is_fine),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
