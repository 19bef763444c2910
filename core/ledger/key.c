/* key.c: the engine's own Ed25519 key: a file with the seed in hex, mode 0600, and its public key
 * line in the ledger as engine.pub, for whoever verifies. A ledger keeps the key it began with. */
#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "ledger/store.h"
#include "warroom/io.h"
#include "warroom/sshsig.h"

#define SEED_HEX (2 * crypto_sign_SEEDBYTES)

static int key_new(const char *path, const wr_random *random, uint8_t *seed, wr_err *err)
{
	char text[SEED_HEX + 2];
	wr_random_fill(random, seed, crypto_sign_SEEDBYTES);
	wr_hex(text, seed, crypto_sign_SEEDBYTES);
	text[SEED_HEX] = '\n';
	int rc = wr_write_file(path, text, SEED_HEX + 1, 0600, err);
	sodium_memzero(text, sizeof text);
	return rc;
}

static int key_load(const char *path, uint8_t *seed, wr_err *err)
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

static int publish(const char *dir, const wr_buf *line, wr_err *err)
{
	char path[PATH_MAX];
	wr_buf old = WR_BUF_INIT(1024);
	if (wr_path_join(path, sizeof path, dir, "engine.pub", err)) return -1;
	if (access(path, F_OK) != 0) return wr_write_file(path, line->data, line->len, 0640, err);
	int rc = wr_read_file(&old, path, 1024, WR_ANY, err);
	if (rc == 0 && (old.len != line->len || memcmp(old.data, line->data, old.len) != 0))
		rc = wr_fail(err, WR_E_CONFLICT,
		             "%s is not the public key of the engine key given: give the one that this "
		             "ledger began with, or move engine.pub away to go on with another",
		             path);
	wr_buf_free(&old);
	return rc;
}

int wr_engine_key(const char *path, const char *dir, const wr_random *random, wr_err *err)
{
	uint8_t seed[crypto_sign_SEEDBYTES], secret[crypto_sign_SECRETKEYBYTES];
	uint8_t public_key[crypto_sign_PUBLICKEYBYTES];
	if (sodium_init() < 0) return wr_fail(err, WR_E_BUG, "libsodium does not start");
	bool missing = access(path, F_OK) != 0 && errno == ENOENT;
	int rc = missing ? key_new(path, random, seed, err) : key_load(path, seed, err);
	if (rc == 0) {
		wr_pubkey key;
		wr_buf line = WR_BUF_INIT(1024);
		(void)crypto_sign_seed_keypair(public_key, secret, seed);
		wr_pubkey_from_ed25519(&key, public_key);
		wr_pubkey_format(&line, &key);
		wr_buf_addc(&line, '\n');
		rc = wr_buf_ok(&line) ? publish(dir, &line, err)
		                      : wr_fail(err, WR_E_NOMEM, "engine key: out of memory");
		wr_buf_free(&line);
	}
	sodium_memzero(seed, sizeof seed);
	sodium_memzero(secret, sizeof secret);
	return rc;
}
