/* fuzz_sshsig.c: no input crashes the signature parser, and what it accepts has one encoding.
 *
 * The first byte chooses: the text as it came, or the rest as a blob that is encoded first (base64
 * would hide the format from the fuzzer). */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "warroom/hash.h"
#include "warroom/limits.h"
#include "warroom/sshsig.h"

static void check_key(const wr_pubkey *key)
{
	wr_pubkey again;
	wr_err err;
	wr_buf line = WR_BUF_INIT(1024);
	wr_pubkey_format(&line, key);
	WR_ASSERT(wr_buf_ok(&line));
	WR_ASSERT(wr_pubkey_parse(&again, wr_buf_cstr(&line), &err) == 0);
	WR_ASSERT(memcmp(&again, key, sizeof again) == 0);
	WR_ASSERT(strlen(key->fingerprint) == strlen("SHA256:") + 43);
	wr_buf_free(&line);
}

static void check_signature(const char *text, size_t len)
{
	static const wr_sshsig zero;
	wr_sshsig sig;
	wr_err err = {.code = WR_E_OK};
	if (wr_sshsig_parse(&sig, text, len, &err) != 0) {
		WR_ASSERT(err.code != WR_E_OK && err.msg[0] != '\0');
		WR_ASSERT(memcmp(&sig, &zero, sizeof sig) == 0);
		return;
	}
	check_key(&sig.key);
	WR_ASSERT(sig.ns[0] != '\0' && strlen(sig.ns) < sizeof sig.ns);
	WR_ASSERT(strcmp(sig.hash, "sha512") == 0 || strcmp(sig.hash, "sha256") == 0);
	/* A fuzzer that forges an Ed25519 signature of 32 zeros deserves to stop here. */
	static const char message[32];
	WR_ASSERT(wr_sshsig_verify(&sig, sig.ns, message, sizeof message, &err) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > WR_SSHSIG_MAX) return 0;
	if (data[0] % 2 == 0) {
		wr_buf b64 = WR_BUF_INIT(2 * WR_SSHSIG_MAX);
		wr_base64(&b64, data + 1, size - 1);
		check_signature(wr_buf_cstr(&b64), b64.len);
		wr_buf_free(&b64);
	} else {
		check_signature((const char *)data + 1, size - 1);
	}
	char *line = malloc(size);
	if (!line) return 0;
	memcpy(line, data + 1, size - 1);
	line[size - 1] = '\0';
	wr_pubkey key;
	wr_err err;
	if (wr_pubkey_parse(&key, line, &err) == 0) check_key(&key);
	free(line);
	return 0;
}
