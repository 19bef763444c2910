/* test_sshsig.c: our SSH signatures and OpenSSH's are the same thing, and nothing else passes. */
#include "ssh_tool.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "warroom/hash.h"
#include "warroom/limits.h"

#define NS WR_NS_APPROVAL

static const char text[] = "{\"decision\":\"approve\",\"plan_hash\":\"9f3a\"}";

static void parse_ok(wr_sshsig *sig, const char *armour)
{
	wr_err err;
	if (wr_sshsig_parse(sig, armour, strlen(armour), &err) != 0) fail_msg("%s", err.msg);
}

static void parse_fails(const char *armour, size_t len, const char *why)
{
	wr_sshsig sig;
	wr_err err = {.code = WR_E_OK};
	assert_int_equal(wr_sshsig_parse(&sig, armour, len, &err), -1);
	assert_int_not_equal(err.code, WR_E_OK);
	if (strstr(err.msg, why) == NULL) fail_msg("expected \"%s\" in: %s", why, err.msg);
	const wr_sshsig zero = {.ns = ""};
	assert_memory_equal(&sig, &zero, sizeof(zero));
}

/* What ssh-keygen makes ------------------------------------------------------------------------ */

static void signatures_of_ssh_keygen_verify(void **state)
{
	(void)state;
	static const char *const options[] = {NULL, "hashalg=sha256", "hashalg=sha512"};
	const size_t lengths[] = {0, 1, sizeof(text) - 1, 300000};
	uint8_t *msg = malloc(300001);
	randombytes_buf(msg, 300001);
	tool_keygen("ed", "ed25519", NULL);
	wr_buf armour = WR_BUF_INIT(4096);
	for (size_t i = 0; i < 12; i++) {
		const size_t len = lengths[i / 3];
		wr_sshsig sig;
		wr_err err;
		assert_int_equal(tool_sign(&armour, "ed", NS, options[i % 3], msg, len), 0);
		parse_ok(&sig, wr_buf_cstr(&armour));
		assert_string_equal(sig.ns, NS);
		assert_string_equal(sig.hash, i % 3 == 1 ? "sha256" : "sha512");
		assert_false(sig.key.sk);
		assert_int_equal(wr_sshsig_verify(&sig, NS, msg, len, &err), 0);
		assert_int_equal(wr_sshsig_verify(&sig, "file", msg, len, &err), -1);
		assert_int_equal(err.code, WR_E_DENIED);
		msg[0] ^= 1;
		assert_int_equal(wr_sshsig_verify(&sig, NS, msg, len, &err), len == 0 ? 0 : -1);
		assert_int_equal(wr_sshsig_verify(&sig, NS, msg, len + 1, NULL), -1);
	}
	wr_buf_free(&armour);
	free(msg);
}

static void keys_and_fingerprints_equal_ssh_keygens(void **state)
{
	(void)state;
	tool_keygen("id", "ed25519", NULL);
	wr_buf pub = WR_BUF_INIT(4096), listed = WR_BUF_INIT(4096), ours = WR_BUF_INIT(4096);
	const char *argv[] = {"ssh-keygen", "-lf", tool_path("id.pub"), NULL};
	assert_int_equal(tool_run(argv, NULL, 0, &listed), 0);
	tool_read(&pub, "id.pub");

	wr_pubkey key;
	wr_err err;
	if (wr_pubkey_parse(&key, wr_buf_cstr(&pub), &err) != 0) fail_msg("%s", err.msg);
	char expected[64];
	(void)snprintf(expected, sizeof(expected), " %s ", key.fingerprint);
	assert_non_null(strstr(wr_buf_cstr(&listed), expected));
	wr_pubkey_format(&ours, &key);
	wr_buf_adds(&ours, " some comment\n");
	assert_string_equal(wr_buf_cstr(&ours), wr_buf_cstr(&pub));
	wr_buf_free(&pub);
	wr_buf_free(&listed);
	wr_buf_free(&ours);
}

/* secret_of reads the 64 secret bytes out of an unencrypted OpenSSH private key file. */
static void secret_of(uint8_t secret[static 64], const char *name)
{
	wr_buf pem = WR_BUF_INIT(4096), raw = WR_BUF_INIT(4096);
	tool_read(&pem, name);
	const char *from = strchr(wr_buf_cstr(&pem), '\n') + 1;
	const char *to = strstr(from, "\n-----END");
	wr_err err;
	assert_int_equal(wr_unbase64(&raw, from, (size_t)(to - from), true, &err), 0);
	static const uint8_t length[] = {0, 0, 0, 64};
	const uint8_t *found = memmem(raw.data, raw.len, length, sizeof(length));
	assert_non_null(found);
	assert_true(found + 4 + 64 <= (const uint8_t *)raw.data + raw.len);
	memcpy(secret, found + 4, 64);
	wr_buf_free(&pem);
	wr_buf_free(&raw);
}

static void our_signature_is_ssh_keygens_byte_for_byte(void **state)
{
	(void)state;
	uint8_t secret[64];
	wr_buf theirs = WR_BUF_INIT(4096), ours = WR_BUF_INIT(4096);
	wr_err err;
	tool_keygen("same", "ed25519", NULL);
	secret_of(secret, "same");
	assert_int_equal(tool_sign(&theirs, "same", NS, NULL, text, strlen(text)), 0);
	assert_int_equal(wr_sshsig_sign(&ours, secret, NS, text, strlen(text), &err), 0);
	assert_string_equal(wr_buf_cstr(&ours), wr_buf_cstr(&theirs));
	wr_buf_free(&theirs);
	wr_buf_free(&ours);
}

static void our_signatures_verify_with_ssh_keygen(void **state)
{
	(void)state;
	uint8_t public_key[32], secret[64];
	wr_pubkey key;
	wr_err err;
	crypto_sign_keypair(public_key, secret);
	wr_pubkey_from_ed25519(&key, public_key);
	wr_buf signers = WR_BUF_INIT(4096), armour = WR_BUF_INIT(4096);
	wr_buf_adds(&signers, "alice ");
	wr_pubkey_format(&signers, &key);
	wr_buf_adds(&signers, "\n");
	assert_int_equal(wr_sshsig_sign(&armour, secret, NS, text, strlen(text), &err), 0);
	const char *list = wr_buf_cstr(&signers), *sig = wr_buf_cstr(&armour);
	assert_int_equal(tool_verify(list, "alice", NS, NULL, sig, text, strlen(text)), 0);
	assert_int_not_equal(tool_verify(list, "alice", NS, NULL, sig, text, strlen(text) - 1), 0);
	assert_int_not_equal(tool_verify(list, "alice", "file", NULL, sig, text, strlen(text)), 0);
	wr_buf_free(&signers);
	wr_buf_free(&armour);
}

/* agent_start runs ssh-agent in the foreground of a child and waits until it answers. */
static pid_t agent_start(const char *socket_path)
{
	const pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || freopen("/dev/null", "w", stdout) == NULL)
			_exit(127);
		(void)execlp("ssh-agent", "ssh-agent", "-D", "-a", socket_path, (char *)NULL);
		_exit(127);
	}
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", socket_path);
	for (int tries = 0; tries < 6000; tries++) {
		const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		const bool up = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;
		(void)close(fd);
		if (up) return pid;
		if (waitpid(pid, NULL, WNOHANG) != 0) fail_msg("ssh-agent ended");
		(void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
	(void)kill(pid, SIGKILL);
	fail_msg("ssh-agent does not answer");
	return -1;
}

static void signatures_through_ssh_agent_verify(void **state)
{
	(void)state;
	char variable[PATH_LEN + 16];
	tool_keygen("held", "ed25519", NULL);
	const pid_t agent = agent_start(tool_path("agent"));
	(void)snprintf(variable, sizeof(variable), "SSH_AUTH_SOCK=%s", tool_path("agent"));
	const char *const env[] = {variable, NULL};
	const char *const add[] = {"ssh-add", "-q", tool_path("held"), NULL};
	const char *const sign[] = {"ssh-keygen",          "-q", "-Y", "sign", "-n", NS, "-f",
	                            tool_path("held.pub"), NULL};
	wr_buf armour = WR_BUF_INIT(4096);
	const int added = tool_run_env(add, env, NULL, 0, NULL);
	/* Without the file, only the agent can have signed. */
	const int removed = unlink(tool_path("held"));
	const int signed_ = tool_run_env(sign, env, text, strlen(text), &armour);
	(void)kill(agent, SIGTERM);
	(void)waitpid(agent, NULL, 0);
	assert_int_equal(added, 0);
	assert_int_equal(removed, 0);
	assert_int_equal(signed_, 0);

	wr_sshsig sig;
	wr_err err;
	parse_ok(&sig, wr_buf_cstr(&armour));
	assert_int_equal(wr_sshsig_verify(&sig, NS, text, strlen(text), &err), 0);
	wr_buf_free(&armour);
}

static void other_algorithms_are_refused_by_name(void **state)
{
	(void)state;
	static const struct {
		const char *type, *bits, *name;
	} keys[] = {{"rsa", "2048", "ssh-rsa"}, {"ecdsa", "256", "ecdsa-sha2-nistp256"}};
	wr_buf armour = WR_BUF_INIT(8192), pub = WR_BUF_INIT(8192);
	for (size_t i = 0; i < 2; i++) {
		char file[32];
		(void)snprintf(file, sizeof(file), "%s.pub", keys[i].type);
		tool_keygen(keys[i].type, keys[i].type, keys[i].bits);
		assert_int_equal(tool_sign(&armour, keys[i].type, NS, NULL, "", 0), 0);
		parse_fails(wr_buf_cstr(&armour), armour.len, keys[i].name);
		parse_fails(wr_buf_cstr(&armour), armour.len, "use ed25519");
		tool_read(&pub, file);
		wr_pubkey key;
		wr_err err;
		assert_int_equal(wr_pubkey_parse(&key, wr_buf_cstr(&pub), &err), -1);
		assert_non_null(strstr(err.msg, keys[i].name));
		assert_non_null(strstr(err.msg, "use ed25519"));
	}
	wr_buf_free(&armour);
	wr_buf_free(&pub);
}

static void certificates_are_refused_by_name(void **state)
{
	(void)state;
	tool_keygen("ca", "ed25519", NULL);
	tool_keygen("leaf", "ed25519", NULL);
	const char *const certify[] = {"ssh-keygen", "-q", "-s",    tool_path("ca"),       "-I",
	                               "id",         "-n", "alice", tool_path("leaf.pub"), NULL};
	assert_int_equal(tool_run(certify, NULL, 0, NULL), 0);
	wr_buf armour = WR_BUF_INIT(8192);
	assert_int_equal(tool_sign(&armour, "leaf-cert.pub", NS, NULL, text, strlen(text)), 0);
	parse_fails(wr_buf_cstr(&armour), armour.len, "ssh-ed25519-cert-v01@openssh.com");
	wr_buf_free(&armour);
}

/* Signatures made by hand -----------------------------------------------------------------------
 */

/* Everything that a blob is made of, so that each part can be wrong. Lengths of -1: strlen. */
typedef struct parts {
	bool sk;
	uint32_t version;
	const char *key_type, *application, *ns, *reserved, *hash, *sig_type;
	int ns_len;
	size_t point_len, sig_len;
	uint8_t flags;
	uint32_t counter;
	size_t after_key, after_sig, after_all; /* stray bytes */
	uint8_t public_key[32], secret[64];
} parts;

static parts good(bool sk)
{
	parts p = {.sk = sk,
	           .version = 1,
	           .key_type = sk ? "sk-ssh-ed25519@openssh.com" : "ssh-ed25519",
	           .application = "ssh:",
	           .ns = NS,
	           .reserved = "",
	           .hash = "sha512",
	           .ns_len = -1,
	           .point_len = 32,
	           .sig_len = 64,
	           .flags = 0x01,
	           .counter = 0x01020304};
	p.sig_type = p.key_type;
	crypto_sign_keypair(p.public_key, p.secret);
	return p;
}

static void stray(wr_buf *b, size_t n)
{
	while (n-- > 0) wr_buf_addc(b, 'x');
}

static void put_key(wr_buf *b, const parts *p)
{
	uint8_t point[64] = {0};
	memcpy(point, p->public_key, 32);
	wire_text(b, p->key_type);
	wire_string(b, point, p->point_len);
	if (p->sk) wire_text(b, p->application);
	stray(b, p->after_key);
}

static size_t ns_len(const parts *p)
{
	return p->ns_len < 0 ? strlen(p->ns) : (size_t)p->ns_len;
}

/* sign_parts is PROTOCOL.sshsig and, for FIDO, PROTOCOL.u2f once more, from libsodium alone. */
static void sign_parts(uint8_t sig[static 64], const parts *p)
{
	uint8_t digest[64], wrapped[32 + 1 + 4 + 32];
	wr_buf data = WR_BUF_INIT(4096);
	crypto_hash_sha512(digest, (const uint8_t *)text, strlen(text));
	wr_buf_adds(&data, "SSHSIG");
	wire_string(&data, p->ns, ns_len(p));
	wire_text(&data, "");
	wire_text(&data, p->hash);
	wire_string(&data, digest, sizeof(digest));
	if (p->sk) {
		crypto_hash_sha256(wrapped, (const uint8_t *)p->application, strlen(p->application));
		wrapped[32] = p->flags;
		for (unsigned i = 0; i < 4; i++) wrapped[33 + i] = (uint8_t)(p->counter >> (24 - 8 * i));
		crypto_hash_sha256(wrapped + 37, (const uint8_t *)data.data, data.len);
		crypto_sign_detached(sig, NULL, wrapped, sizeof(wrapped), p->secret);
	} else {
		crypto_sign_detached(sig, NULL, (const uint8_t *)data.data, data.len, p->secret);
	}
	wr_buf_free(&data);
}

static void build(wr_buf *blob, const parts *p)
{
	uint8_t sig[128] = {0};
	wr_buf key = WR_BUF_INIT(4096), signature = WR_BUF_INIT(4096);
	sign_parts(sig, p);
	put_key(&key, p);
	wire_text(&signature, p->sig_type);
	wire_string(&signature, sig, p->sig_len);
	if (p->sk) {
		wr_buf_addc(&signature, (char)p->flags);
		wire_u32(&signature, p->counter);
	}
	stray(&signature, p->after_sig);

	wr_buf_reset(blob);
	wr_buf_adds(blob, "SSHSIG");
	wire_u32(blob, p->version);
	wire_string(blob, key.data, key.len);
	wire_string(blob, p->ns, ns_len(p));
	wire_text(blob, p->reserved);
	wire_text(blob, p->hash);
	wire_string(blob, signature.data, signature.len);
	stray(blob, p->after_all);
	wr_buf_free(&key);
	wr_buf_free(&signature);
}

/* check_blob parses the bare base64 of a blob and verifies it against `text`. */
static int check_blob(const void *blob, size_t len, wr_err *err)
{
	wr_sshsig sig;
	wr_buf b64 = WR_BUF_INIT(WR_SSHSIG_MAX);
	wr_base64(&b64, blob, len);
	int rc = wr_sshsig_parse(&sig, wr_buf_cstr(&b64), b64.len, err);
	if (rc == 0) rc = wr_sshsig_verify(&sig, NS, text, strlen(text), err);
	wr_buf_free(&b64);
	return rc;
}

static int check_parts(const parts *p, wr_err *err)
{
	wr_buf blob = WR_BUF_INIT(8192);
	build(&blob, p);
	const int rc = check_blob(blob.data, blob.len, err);
	wr_buf_free(&blob);
	return rc;
}

static void hand_made_signatures_verify(void **state)
{
	(void)state;
	wr_err err = {.msg = ""};
	for (int sk = 0; sk < 2; sk++) {
		const parts p = good(sk == 1);
		if (check_parts(&p, &err) != 0) fail_msg("%s", err.msg);
	}
	parts p = good(true);
	p.flags = 0x05;
	p.application = "ssh:warroom";
	if (check_parts(&p, &err) != 0) fail_msg("%s", err.msg);
}

static void armour_blob(wr_buf *out, const wr_buf *blob)
{
	wr_buf b64 = WR_BUF_INIT(8192);
	wr_base64(&b64, blob->data, blob->len);
	wr_buf_addf(out, "-----BEGIN SSH SIGNATURE-----\n%s\n-----END SSH SIGNATURE-----\n",
	            wr_buf_cstr(&b64));
	wr_buf_free(&b64);
}

/* The synthetic FIDO vector is right because OpenSSH takes it too. */
static void security_keys_verify_here_and_with_ssh_keygen(void **state)
{
	(void)state;
	parts p = good(true);
	p.flags = 0x05;
	wr_buf blob = WR_BUF_INIT(8192), armour = WR_BUF_INIT(8192), list = WR_BUF_INIT(8192);
	wr_buf listed = WR_BUF_INIT(4096), key_blob = WR_BUF_INIT(4096);
	build(&blob, &p);
	armour_blob(&armour, &blob);
	put_key(&key_blob, &p);
	wr_buf_adds(&list, "alice sk-ssh-ed25519@openssh.com ");
	wr_base64(&list, key_blob.data, key_blob.len);
	wr_buf_adds(&list, "\n");
	const char *signers = wr_buf_cstr(&list), *sig_text = wr_buf_cstr(&armour);
	assert_int_equal(tool_verify(signers, "alice", NS, NULL, sig_text, text, strlen(text)), 0);

	wr_sshsig sig;
	wr_pubkey key;
	wr_err err;
	parse_ok(&sig, sig_text);
	assert_true(sig.key.sk);
	assert_int_equal(sig.sk_flags, 0x05);
	assert_int_equal(sig.sk_counter, 0x01020304);
	assert_string_equal(sig.key.application, "ssh:");
	assert_int_equal(wr_sshsig_verify(&sig, NS, text, strlen(text), &err), 0);
	assert_int_equal(wr_pubkey_parse(&key, signers + strlen("alice "), &err), 0);
	assert_memory_equal(&key, &sig.key, sizeof(key));

	tool_write("sk.pub", signers + strlen("alice "), list.len - strlen("alice "));
	const char *argv[] = {"ssh-keygen", "-lf", tool_path("sk.pub"), NULL};
	assert_int_equal(tool_run(argv, NULL, 0, &listed), 0);
	assert_non_null(strstr(wr_buf_cstr(&listed), key.fingerprint));
	wr_buf_free(&blob);
	wr_buf_free(&armour);
	wr_buf_free(&list);
	wr_buf_free(&listed);
	wr_buf_free(&key_blob);
}

static void an_untouched_security_key_is_refused(void **state)
{
	(void)state;
	static const uint8_t flags[] = {0x00, 0x04, 0xfe};
	for (size_t i = 0; i < sizeof(flags); i++) {
		wr_err err = {.msg = ""};
		parts p = good(true);
		p.flags = flags[i];
		assert_int_equal(check_parts(&p, &err), -1);
		assert_int_equal(err.code, WR_E_DENIED);
		assert_non_null(strstr(err.msg, "not touched"));
	}
}

static void every_bit_flip_fails(void **state)
{
	(void)state;
	for (int sk = 0; sk < 2; sk++) {
		const parts p = good(sk == 1);
		wr_buf blob = WR_BUF_INIT(8192);
		build(&blob, &p);
		assert_int_equal(check_blob(blob.data, blob.len, NULL), 0);
		for (size_t bit = 0; bit < blob.len * 8; bit++) {
			blob.data[bit / 8] ^= (char)(1 << bit % 8);
			if (check_blob(blob.data, blob.len, NULL) == 0) fail_msg("bit %zu of sk %d", bit, sk);
			blob.data[bit / 8] ^= (char)(1 << bit % 8);
		}
		wr_buf_free(&blob);
	}
}

static void every_truncation_and_every_longer_blob_fails(void **state)
{
	(void)state;
	for (int sk = 0; sk < 2; sk++) {
		const parts p = good(sk == 1);
		wr_buf blob = WR_BUF_INIT(8192);
		build(&blob, &p);
		for (size_t len = 0; len < blob.len; len++)
			assert_int_equal(check_blob(blob.data, len, NULL), -1);
		wr_buf_addc(&blob, '\0');
		assert_int_equal(check_blob(blob.data, blob.len, NULL), -1);
		wr_buf_free(&blob);
	}
}

/* Each length field in turn claims 0, one less, one more, and the whole address space. */
static void lying_lengths_fail(void **state)
{
	(void)state;
	for (int sk = 0; sk < 2; sk++) {
		const parts p = good(sk == 1);
		wr_buf blob = WR_BUF_INIT(8192);
		build(&blob, &p);
		uint8_t *data = (uint8_t *)blob.data;
		for (size_t at = 6; at + 4 <= blob.len; at++) {
			uint8_t kept[4];
			memcpy(kept, data + at, 4);
			const uint32_t value = (uint32_t)kept[0] << 24 | (uint32_t)kept[1] << 16 |
			                       (uint32_t)kept[2] << 8 | kept[3];
			const uint32_t lies[] = {0, value - 1, value + 1, 0x7fffffff, 0xffffffff, 0xfffffffc};
			for (size_t i = 0; i < 6; i++) {
				if (lies[i] == value) continue;
				for (unsigned k = 0; k < 4; k++) data[at + k] = (uint8_t)(lies[i] >> (24 - 8 * k));
				assert_int_equal(check_blob(blob.data, blob.len, NULL), -1);
			}
			memcpy(data + at, kept, 4);
		}
		wr_buf_free(&blob);
	}
}

static void malformed(const parts *p, const char *why)
{
	wr_err err = {.msg = ""};
	assert_int_equal(check_parts(p, &err), -1);
	if (strstr(err.msg, why) == NULL) fail_msg("expected \"%s\" in: %s", why, err.msg);
}

#define MALFORMED(is_sk, field, value, why)                                                        \
	do {                                                                                           \
		parts bad_ = good(is_sk);                                                                  \
		bad_.field = (value);                                                                      \
		malformed(&bad_, why);                                                                     \
	} while (0)

static void each_malformed_part_is_refused(void **state)
{
	(void)state;
	static const char long_ns[] =
	    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn";
	MALFORMED(false, version, 0, "version");
	MALFORMED(false, version, 2, "version");
	MALFORMED(false, ns, "", "namespace");
	MALFORMED(false, ns, long_ns, "namespace");
	MALFORMED(false, ns, "war\033[2Jroom", "namespace");
	MALFORMED(false, ns_len, (int)sizeof(NS), "namespace"); /* with its NUL */
	MALFORMED(false, ns, "file", "namespace \"file\"");
	MALFORMED(false, reserved, "x", "reserved");
	MALFORMED(false, hash, "sha1", "hash");
	MALFORMED(false, hash, "", "hash");
	MALFORMED(false, key_type, "ssh-rsa", "ssh-rsa");
	MALFORMED(false, key_type, "ssh-ed448", "ssh-ed448");
	MALFORMED(false, key_type, "sk-ssh-ed25519@openssh.com", "application");
	MALFORMED(true, key_type, "sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa");
	MALFORMED(true, key_type, "webauthn-sk-ecdsa-sha2-nistp256@openssh.com", "webauthn-sk");
	MALFORMED(false, key_type, "\033[2J", "no valid type name");
	MALFORMED(false, sig_type, "sk-ssh-ed25519@openssh.com", "algorithm");
	MALFORMED(true, sig_type, "ssh-ed25519", "algorithm");
	MALFORMED(false, point_len, 31, "32 bytes");
	MALFORMED(false, point_len, 33, "32 bytes");
	MALFORMED(false, sig_len, 63, "64 bytes");
	MALFORMED(false, sig_len, 65, "64 bytes");
	MALFORMED(false, sig_len, 0, "64 bytes");
	MALFORMED(false, after_key, 1, "follow the public key");
	MALFORMED(true, after_key, 4, "follow the public key");
	MALFORMED(false, after_sig, 1, "follow the signature");
	MALFORMED(true, after_sig, 1, "follow the signature");
	MALFORMED(false, after_all, 1, "follow the signature");
	MALFORMED(true, application, "", "application");
	MALFORMED(true, application, "https://example.com", "application");
	MALFORMED(true, application, "ssh:\001", "application");
}

/* Points of small order (and their non-canonical spellings) sign anything. From the torsion
 * subgroup of edwards25519. */
static void keys_of_small_order_are_refused(void **state)
{
	(void)state;
	static const char *const points[] = {
	    "0000000000000000000000000000000000000000000000000000000000000000",
	    "0100000000000000000000000000000000000000000000000000000000000000",
	    "0100000000000000000000000000000000000000000000000000000000000080",
	    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	    "0200000000000000000000000000000000000000000000000000000000000000",
	};
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		parts p = good(false);
		assert_int_equal(wr_unhex(p.public_key, 32, points[i], 64), 0);
		malformed(&p, "not a valid ed25519 point");
		wr_pubkey weak;
		wr_buf line = WR_BUF_INIT(256);
		wr_pubkey_from_ed25519(&weak, p.public_key);
		wr_pubkey_format(&line, &weak);
		assert_int_equal(wr_pubkey_parse(&weak, wr_buf_cstr(&line), NULL), -1);
		wr_buf_free(&line);
	}
}

/* S + L is the same number modulo the group order: a second spelling of one signature. */
static void a_signature_has_one_spelling(void **state)
{
	(void)state;
	static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
	                                  0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
	const parts p = good(false);
	wr_buf blob = WR_BUF_INIT(8192);
	build(&blob, &p);
	uint8_t *s = (uint8_t *)blob.data + blob.len - 32;
	unsigned carry = 0;
	for (size_t i = 0; i < 32; i++) {
		carry += (unsigned)s[i] + order[i];
		s[i] = (uint8_t)carry;
		carry >>= 8;
	}
	wr_err err = {.msg = ""};
	assert_int_equal(check_blob(blob.data, blob.len, &err), -1);
	assert_int_equal(err.code, WR_E_DENIED);
	wr_buf_free(&blob);
}

/* Text around the blob ---------------------------------------------------------------------------
 */

static void armour_is_read_as_people_paste_it(void **state)
{
	(void)state;
	const parts p = good(false);
	wr_buf blob = WR_BUF_INIT(8192), b64 = WR_BUF_INIT(8192), t = WR_BUF_INIT(8192);
	build(&blob, &p);
	wr_base64(&b64, blob.data, blob.len);
	const char *s = wr_buf_cstr(&b64);
	static const char *const forms[] = {
	    "-----BEGIN SSH SIGNATURE-----\n%.70s\n%s\n-----END SSH SIGNATURE-----\n",
	    "-----BEGIN SSH SIGNATURE-----\n%.70s\n%s\n-----END SSH SIGNATURE-----",
	    "-----BEGIN SSH SIGNATURE-----\r\n%.70s\r\n%s\r\n-----END SSH SIGNATURE-----\r\n",
	    "\n  -----BEGIN SSH SIGNATURE-----\n%.70s\n%s\n-----END SSH SIGNATURE-----\n\n",
	    "%.70s%s",
	    "%.70s\n%s\n",
	    " %.70s %s ",
	};
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		wr_sshsig sig;
		wr_buf_reset(&t);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		wr_buf_addf(&t, forms[i], s, s + 70);
#pragma GCC diagnostic pop
		parse_ok(&sig, wr_buf_cstr(&t));
		assert_int_equal(wr_sshsig_verify(&sig, NS, text, strlen(text), NULL), 0);
	}
	wr_buf_free(&blob);
	wr_buf_free(&b64);
	wr_buf_free(&t);
}

static void other_text_is_refused(void **state)
{
	(void)state;
	static const char *const junk[] = {
	    "",
	    " \n",
	    "-",
	    "hello",
	    "-----BEGIN SSH SIGNATURE-----",
	    "-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----",
	    "-----BEGIN PGP SIGNATURE-----\nAAAA\n-----END PGP SIGNATURE-----",
	    "-----BEGIN SSH SIGNATURE-----AAAA\n-----END SSH SIGNATURE-----",
	    "-----BEGIN SSH SIGNATURE-----\nAAAA-----END SSH SIGNATURE-----",
	    "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\nmore",
	    "-----BEGIN SSH SIGNATURE-----\nA\033[2J\n-----END SSH SIGNATURE-----",
	    "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----",
	    "U1NIU0lH",
	    "U1NIU0lHAAAAAQ==",
	    "U1NIU0lHAAAAAR==",
	};
	for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++)
		parse_fails(junk[i], strlen(junk[i]), "");
	parse_fails(NULL, 0, "empty");
	parse_fails("U1NI\0U0lH", 9, "");

	char *big = malloc(WR_SSHSIG_MAX + 1);
	memset(big, 'A', WR_SSHSIG_MAX + 1);
	parse_fails(big, WR_SSHSIG_MAX + 1, "longer than");
	parse_fails(big, WR_SSHSIG_MAX, "not an SSH signature");
	free(big);
}

/* Without any one character of the armour it fails, but for the white space between its parts. */
static void an_armour_that_lost_a_character_fails(void **state)
{
	(void)state;
	uint8_t public_key[32], secret[64];
	wr_err err;
	wr_buf armour = WR_BUF_INIT(4096), cut = WR_BUF_INIT(4096);
	crypto_sign_keypair(public_key, secret);
	assert_int_equal(wr_sshsig_sign(&armour, secret, NS, text, strlen(text), &err), 0);
	for (size_t i = 0; i < armour.len; i++) {
		wr_sshsig sig;
		wr_buf_reset(&cut);
		wr_buf_add(&cut, armour.data, i);
		wr_buf_add(&cut, armour.data + i + 1, armour.len - i - 1);
		if (wr_sshsig_parse(&sig, cut.data, cut.len, NULL) != 0) continue;
		assert_int_equal(armour.data[i], '\n');
		assert_int_equal(wr_sshsig_verify(&sig, NS, text, strlen(text), NULL), 0);
	}
	wr_buf_free(&armour);
	wr_buf_free(&cut);
}

static void signing_refuses_bad_input_and_writes_nothing(void **state)
{
	(void)state;
	uint8_t public_key[32], secret[64];
	wr_buf out = WR_BUF_INIT(4096), small = WR_BUF_INIT(100);
	wr_err err;
	crypto_sign_keypair(public_key, secret);
	assert_int_equal(wr_sshsig_sign(&out, secret, "", text, 1, &err), -1);
	assert_int_equal(wr_sshsig_sign(&out, secret, "two words", text, 1, &err), -1);
	secret[40] ^= 1; /* the public half is no longer that of the seed */
	assert_int_equal(wr_sshsig_sign(&out, secret, NS, text, 1, &err), -1);
	assert_non_null(strstr(err.msg, "damaged"));
	assert_int_equal(out.len, 0);
	secret[40] ^= 1;
	assert_int_equal(wr_sshsig_sign(&small, secret, NS, text, 1, &err), -1);
	assert_int_equal(err.code, WR_E_LIMIT);
	wr_buf_free(&out);
	wr_buf_free(&small);
}

static void key_lines_are_read_strictly(void **state)
{
	(void)state;
	uint8_t public_key[32], secret[64];
	wr_pubkey made;
	wr_buf formatted = WR_BUF_INIT(256);
	crypto_sign_keypair(public_key, secret);
	wr_pubkey_from_ed25519(&made, public_key);
	wr_pubkey_format(&formatted, &made);
	const char *blob = strchr(wr_buf_cstr(&formatted), ' ') + 1;
	static const struct {
		const char *form;
		bool ok;
	} cases[] = {
	    {"ssh-ed25519 %s", true},
	    {"ssh-ed25519 %s comment with spaces", true},
	    {"  ssh-ed25519\t%s\n", true},
	    {"ssh-ed25519 %s c\r\n", true},
	    {"", false},
	    {" \n", false},
	    {"ssh-ed25519", false},
	    {"ssh-ed25519 ", false},
	    {"%s", false},
	    {"ssh-ed25519 %s\nssh-ed25519 second", false},
	    {"ssh-ed25519 %sAAAA", false},
	    {"ssh-ed25519 %s=", false},
	    {"ssh-ed25519 A%s", false},
	    {"sk-ssh-ed25519@openssh.com %s", false},
	    {"SSH-ED25519 %s", false},
	    {"ssh-ed25519,%s", false},
	    {"alice ssh-ed25519 %s", false},
	    {"\033[2J %s", false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		wr_pubkey key;
		wr_err err = {.msg = ""};
		wr_buf line = WR_BUF_INIT(4096);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		wr_buf_addf(&line, cases[i].form, blob);
#pragma GCC diagnostic pop
		const bool ok = wr_pubkey_parse(&key, wr_buf_cstr(&line), &err) == 0;
		if (ok != cases[i].ok) fail_msg("%s: %s", wr_buf_cstr(&line), err.msg);
		assert_null(strchr(err.msg, '\033'));
		if (ok) assert_memory_equal(&key, &made, sizeof(key));
		wr_buf_free(&line);
	}
	wr_buf_free(&formatted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(signatures_of_ssh_keygen_verify),
	    cmocka_unit_test(keys_and_fingerprints_equal_ssh_keygens),
	    cmocka_unit_test(our_signature_is_ssh_keygens_byte_for_byte),
	    cmocka_unit_test(our_signatures_verify_with_ssh_keygen),
	    cmocka_unit_test(signatures_through_ssh_agent_verify),
	    cmocka_unit_test(other_algorithms_are_refused_by_name),
	    cmocka_unit_test(certificates_are_refused_by_name),
	    cmocka_unit_test(hand_made_signatures_verify),
	    cmocka_unit_test(security_keys_verify_here_and_with_ssh_keygen),
	    cmocka_unit_test(an_untouched_security_key_is_refused),
	    cmocka_unit_test(every_bit_flip_fails),
	    cmocka_unit_test(every_truncation_and_every_longer_blob_fails),
	    cmocka_unit_test(lying_lengths_fail),
	    cmocka_unit_test(each_malformed_part_is_refused),
	    cmocka_unit_test(keys_of_small_order_are_refused),
	    cmocka_unit_test(a_signature_has_one_spelling),
	    cmocka_unit_test(armour_is_read_as_people_paste_it),
	    cmocka_unit_test(other_text_is_refused),
	    cmocka_unit_test(an_armour_that_lost_a_character_fails),
	    cmocka_unit_test(signing_refuses_bad_input_and_writes_nothing),
	    cmocka_unit_test(key_lines_are_read_strictly),
	};
	return cmocka_run_group_tests(tests, tool_setup, tool_teardown);
}
