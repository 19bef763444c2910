/* key.c: the engine's own Ed25519 key: a file with the seed in hex, mode 0600, and its public key
 * line in the ledger as engine.pub, for whoever verifies. A ledger keeps the key it began with.
 *
 * The secret lives in one sodium_malloc block: guard pages, locked if the limits allow, read-only
 * once made, wiped when freed. Thread-safe: a loaded key never changes. */
#include "ledger/key.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "ledger/store.h"
#include "warroom/io.h"
#include "warroom/log.h"
#include "warroom/sshsig.h"

#define SEED_HEX (2 * crypto_sign_SEEDBYTES)
#define PUB_MAX  1024
#define PUB_NAME "engine.pub"

struct wr_engine_key {
	uint8_t seed[crypto_sign_SEEDBYTES];
	uint8_t secret[crypto_sign_SECRETKEYBYTES];
	uint8_t public_key[crypto_sign_PUBLICKEYBYTES];
};

static int seed_new(const char *path, const wr_random *random, uint8_t *seed, wr_err *err)
{
	char text[SEED_HEX + 2];
	wr_random_fill(random, seed, crypto_sign_SEEDBYTES);
	wr_hex(text, seed, crypto_sign_SEEDBYTES);
	text[SEED_HEX] = '\n';
	int rc = wr_write_file(path, text, SEED_HEX + 1, 0600, err);
	sodium_memzero(text, sizeof text);
	return rc;
}

static int seed_load(const char *path, uint8_t *seed, wr_err *err)
{
	wr_buf text = WR_BUF_INIT(SEED_HEX + 1);
	int rc = wr_read_file(&text, path, SEED_HEX + 1, WR_PRIVATE, err);
	if (rc == 0 && (text.len != SEED_HEX + 1 || text.data[SEED_HEX] != '\n' ||
	                wr_unhex(seed, crypto_sign_SEEDBYTES, text.data, SEED_HEX)))
		rc = wr_fail(err, WR_E_INVALID, "%s: no engine key: expected %u hex digits and a newline",
		             path, (unsigned)SEED_HEX);
	wr_buf_wipe(&text);
	return rc;
}

static wr_engine_key *key_alloc(wr_err *err)
{
	if (sodium_init() < 0) {
		(void)wr_fail(err, WR_E_UNAVAILABLE, "libsodium does not start");
		return NULL;
	}
	wr_engine_key *k = sodium_malloc(sizeof *k);
	if (!k) {
		(void)wr_fail(err, WR_E_NOMEM,
		              "no protected memory for the engine key: raise the memory limits (ulimit -v, "
		              "-l)");
		return NULL;
	}
	sodium_memzero(k, sizeof *k);
	if (sodium_mlock(k, sizeof *k))
		wr_log(WR_LOG_WARN, "ledger",
		       "the engine key cannot be locked in memory (ulimit -l): it might be swapped out");
	return k;
}

wr_engine_key *wr_engine_key_load(const char *path, bool create, const wr_random *random,
                                  wr_err *err)
{
	wr_engine_key *k = key_alloc(err);
	if (!k) return NULL;
	bool missing = create && access(path, F_OK) != 0 && errno == ENOENT;
	int rc = missing ? seed_new(path, random, k->seed, err) : seed_load(path, k->seed, err);
	if (rc) {
		wr_engine_key_free(k);
		return NULL;
	}
	(void)crypto_sign_seed_keypair(k->public_key, k->secret, k->seed);
	sodium_memzero(k->seed, sizeof k->seed);
	(void)sodium_mprotect_readonly(k);
	return k;
}

const uint8_t *wr_engine_key_public(const wr_engine_key *k)
{
	return k->public_key;
}

void wr_engine_key_free(wr_engine_key *k)
{
	sodium_free(k);
}

void wr_engine_key_sign(const wr_engine_key *k, uint8_t out[static WR_ED25519_SIGNATURE],
                        const void *message, size_t len)
{
	(void)crypto_sign_detached(out, NULL, message, len, k->secret);
}

/* ---- engine.pub ---- */

int wr_engine_pub_read(const char *ledger_dir, uint8_t out[static WR_ED25519_PUBLIC], wr_err *err)
{
	char path[PATH_MAX];
	wr_buf text = WR_BUF_INIT(PUB_MAX);
	wr_pubkey key;
	if (wr_path_join(path, sizeof path, ledger_dir, PUB_NAME, err)) return -1;
	int rc = wr_read_file(&text, path, PUB_MAX, WR_ANY, err);
	if (rc == 0 && memchr(wr_buf_cstr(&text), '\0', text.len))
		rc = wr_fail(err, WR_E_INVALID, "%s: no public key: a NUL byte is in it", path);
	if (rc == 0 && wr_pubkey_parse(&key, wr_buf_cstr(&text), err))
		rc = wr_err_wrap(err, "%s", path);
	if (rc == 0 && key.sk)
		rc = wr_fail(err, WR_E_INVALID, "%s: a FIDO key: an engine's is ssh-ed25519", path);
	if (rc == 0) memcpy(out, key.ed25519, WR_ED25519_PUBLIC);
	wr_buf_free(&text);
	return rc;
}

static int publish(const char *dir, const wr_buf *line, wr_err *err)
{
	char path[PATH_MAX];
	wr_buf old = WR_BUF_INIT(PUB_MAX);
	if (wr_path_join(path, sizeof path, dir, PUB_NAME, err)) return -1;
	if (access(path, F_OK) != 0) return wr_write_file(path, line->data, line->len, 0640, err);
	int rc = wr_read_file(&old, path, PUB_MAX, WR_ANY, err);
	if (rc == 0 && (old.len != line->len || memcmp(old.data, line->data, old.len) != 0))
		rc = wr_fail(err, WR_E_CONFLICT,
		             "%s is not the public key of the engine key given: give the one that this "
		             "ledger began with, or move engine.pub away to go on with another",
		             path);
	wr_buf_free(&old);
	return rc;
}

int wr_engine_key_publish(const wr_engine_key *k, const char *dir, wr_err *err)
{
	wr_pubkey key;
	wr_buf line = WR_BUF_INIT(PUB_MAX);
	wr_pubkey_from_ed25519(&key, k->public_key);
	wr_pubkey_format(&line, &key);
	wr_buf_addc(&line, '\n');
	int rc = wr_buf_ok(&line) ? publish(dir, &line, err)
	                          : wr_fail(err, WR_E_NOMEM, "engine key: out of memory");
	wr_buf_free(&line);
	return rc;
}
