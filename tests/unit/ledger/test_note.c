/* test_note.c: signed notes, keys, checkpoints and cosignatures: the published examples of the
 * format, byte for byte, and notes made to deceive. */
#include "fixture.h"

#include "warroom/note.h"

/* golang.org/x/mod/sumdb/note's own test key, its seed and its note. */
#define PETER      "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
#define PETER_SEED "810a1402d5146c8d84f2443330f54080ebf98ee17d9c74f6252fc5d5c7283173\n"
#define PETER_TEXT                                                                                 \
	"If you think cryptography is the answer to your problem,\nthen you don't know what your "     \
	"problem is.\n"
#define PETER_LINE                                                                                 \
	"\xe2\x80\x94 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXg"   \
	"KvqfqdngotpRZb6KE6RyyBwJnAM=\n"

#define TEXT "acme/us-central1/ops\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n"
#define SIG  "\xe2\x80\x94 acme/x AAAAAAAA\n"

static wr_engine_key *load(const char *name, const char *seed)
{
	wr_err err = {0};
	spit(in_dir(name), seed, strlen(seed));
	assert_int_equal(chmod(in_dir(name), 0600), 0);
	wr_engine_key *k = wr_engine_key_load(in_dir(name), false, &test_random, &err);
	if (!k) fail_msg("%s", err.msg);
	return k;
}

static wr_engine_key *new_key(const char *name)
{
	wr_err err = {0};
	wr_engine_key *k = wr_engine_key_load(in_dir(name), true, &test_random, &err);
	if (!k) fail_msg("%s", err.msg);
	return k;
}

/* ---- keys ---- */

static void published_keys(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		wr_note_alg alg;
	} good[] = {{PETER, WR_NOTE_ED25519},
	            {"TEST+7997405c+AQcC+FTVKf0jlTdHDY3rbevmnKxxPjigCXlVtGe6RIr6", WR_NOTE_ED25519},
	            {"remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
	             WR_NOTE_COSIGNATURE}};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		wr_note_key k;
		wr_err err = {0};
		wr_buf again = WR_BUF_INIT(512);
		if (wr_note_key_parse(&k, good[i].text, &err)) fail_msg("%s", err.msg);
		assert_int_equal(k.alg, good[i].alg);
		wr_note_key_format(&again, &k);
		assert_string_equal(wr_buf_cstr(&again), good[i].text);
		wr_buf_free(&again);
	}
}

static void mangled_keys(void **state)
{
	(void)state;
	wr_note_key k;
	wr_err err;
	const size_t n = sizeof PETER - 1;
	static const char peter[] = PETER;
	char text[sizeof PETER];
	for (size_t i = 0; i <= n; i++)
		for (size_t j = i; j <= n; j++) {
			if (i == 0 && j == n) continue;
			memcpy(text, &peter[i], j - i);
			text[j - i] = '\0';
			assert_int_equal(wr_note_key_parse(&k, text, &err), -1);
		}
	for (size_t i = 0; i < n; i++)
		for (int bit = 0; bit < 8; bit++) {
			memcpy(text, PETER, sizeof PETER);
			text[i] = (char)(text[i] ^ 1 << bit);
			assert_int_equal(wr_note_key_parse(&k, text, &err), -1);
		}
	static const char *const bad[] = {
	    "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
	    "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
	    "bananas.sigstore.dev+12344556",
	    "rekor.sigstore.dev+12345678+THIS_IS_NOT_BASE64!",
	    "rekor.sigstore.dev+12345678+AwEB",
	    "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
	    "",
	    "+",
	    "++"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(wr_note_key_parse(&k, bad[i], &err), -1);
}

static void names(void **state)
{
	(void)state;
	static const char *const bad[] = {"",
	                                  "a b",
	                                  "a+b",
	                                  "a\tb",
	                                  "a\nb",
	                                  "a\xc2\xa0"
	                                  "b",
	                                  "a\xe2\x80\xa8",
	                                  "a\xe3\x80\x80",
	                                  "\xff",
	                                  "a\xe2\x80",
	                                  "a\x1b[2J",
	                                  "a\xe2\x80\xae"
	                                  "b"};
	const uint8_t key[32] = {1};
	wr_note_key k;
	wr_err err;
	char longest[WR_NOTE_NAME_MAX + 2];
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(wr_note_key_make(&k, bad[i], WR_NOTE_ED25519, key, &err), -1);
	assert_int_equal(wr_note_key_make(&k, "acme/m\xc3\xbcnchen/ops", WR_NOTE_ED25519, key, &err),
	                 0);
	assert_int_equal(wr_note_key_make(&k, "a\xef\xbf\xbd", WR_NOTE_ED25519, key, &err), 0);
	memset(longest, 'a', sizeof longest);
	longest[WR_NOTE_NAME_MAX] = '\0';
	assert_int_equal(wr_note_key_make(&k, longest, WR_NOTE_ED25519, key, &err), 0);
	longest[WR_NOTE_NAME_MAX] = 'a';
	longest[WR_NOTE_NAME_MAX + 1] = '\0';
	assert_int_equal(wr_note_key_make(&k, longest, WR_NOTE_ED25519, key, &err), -1);
	assert_int_equal(wr_note_key_make(&k, "a", (wr_note_alg)2, key, &err), -1);
}

/* ---- signing ---- */

static void published_note(void **state)
{
	(void)state;
	wr_err err = {0};
	wr_note n;
	wr_note_key k;
	int64_t time = -1;
	wr_buf out = WR_BUF_INIT(WR_NOTE_MAX);
	wr_engine_key *key = load("peter", PETER_SEED);
	assert_int_equal(wr_note_sign(&out, PETER_TEXT, "PeterNeumann", key, &err), 0);
	assert_string_equal(wr_buf_cstr(&out), PETER_TEXT "\n" PETER_LINE);
	assert_int_equal(wr_note_key_parse(&k, PETER, &err), 0);
	assert_memory_equal(k.public_key, wr_engine_key_public(key), WR_ED25519_PUBLIC);
	assert_int_equal(wr_note_parse(&n, out.data, out.len, &err), 0);
	assert_int_equal(n.text_len, strlen(PETER_TEXT));
	assert_int_equal(wr_note_verify(&n, &k, &time, &err), 0);
	assert_int_equal(time, 0);
	wr_engine_key_free(key);
	wr_buf_free(&out);
}

/* The examples of c2sp.org/signed-note, /tlog-checkpoint and /tlog-cosignature, whose keys are not
 * published: their form. */
static void published_forms(void **state)
{
	(void)state;
	static const char poem[] = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di "
	                           "sole:\n\ned \xc3\xa8 subito "
	                           "sera.\n\n\xe2\x80\x94 quasimodo.example/salvatore "
	                           "NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+"
	                           "EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";
	static const char cosigned[] =
	    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
	    "\xe2\x80\x94 example.com/behind-the-sofa "
	    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/"
	    "Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
	    "\xe2\x80\x94 witness.example.com/w1 "
	    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/"
	    "zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
	wr_note n;
	wr_checkpoint c;
	wr_err err = {0};
	assert_int_equal(wr_note_parse(&n, poem, sizeof poem - 1, &err), 0);
	assert_int_equal(n.sig_count, 1);
	assert_int_equal(n.text_len, strstr(poem, "\n\n\xe2\x80\x94") + 1 - poem);
	assert_int_equal(wr_note_parse(&n, cosigned, sizeof cosigned - 1, &err), 0);
	assert_int_equal(n.sig_count, 2);
	assert_int_equal(n.sigs[0].len, 64);
	assert_int_equal(n.sigs[1].len, 72);
	assert_string_equal(n.sigs[1].name, "witness.example.com/w1");
	/* The time is the first eight bytes: 1679315147. */
	assert_memory_equal(n.sigs[1].data, "\0\0\0\0\x64\x18\x50\xcb", 8);
	assert_int_equal(wr_checkpoint_parse(&c, n.text, n.text_len, &err), 0);
	assert_string_equal(c.origin, "example.com/behind-the-sofa");
	assert_int_equal(c.size, 20852163);
}

static void checkpoints(void **state)
{
	(void)state;
	wr_err err = {0};
	wr_note n;
	wr_note_key witness;
	wr_buf out = WR_BUF_INIT(WR_NOTE_MAX);
	wr_checkpoint c = {.origin = "acme/us-central1/ops", .size = 8}, back;
	int64_t time = 0;
	wr_engine_key *key = new_key("log"), *other = new_key("witness");
	memset(c.root, 0xa5, WR_HASH_LEN);
	const uint8_t *pub = wr_engine_key_public(key), *other_pub = wr_engine_key_public(other);
	assert_int_equal(wr_checkpoint_sign(&out, &c, key, &err), 0);
	assert_int_equal(wr_note_cosign(&out, "acme/lyon", other, 1769344815, &err), 0);
	assert_int_equal(wr_checkpoint_open(&back, out.data, out.len, c.origin, pub, &err), 0);
	assert_int_equal(back.size, 8);
	assert_memory_equal(back.root, c.root, WR_HASH_LEN);
	assert_int_equal(wr_checkpoint_open(&back, out.data, out.len, NULL, pub, &err), 0);
	/* Another origin, another key, the witness for the log. */
	assert_int_equal(wr_checkpoint_open(&back, out.data, out.len, "acme/x/ops", pub, &err), -1);
	assert_int_equal(wr_checkpoint_open(&back, out.data, out.len, NULL, other_pub, &err), -1);
	assert_int_equal(err.code, WR_E_NOT_FOUND);
	assert_int_equal(wr_note_parse(&n, out.data, out.len, &err), 0);
	assert_int_equal(wr_note_key_make(&witness, "acme/lyon", WR_NOTE_COSIGNATURE, other_pub, &err),
	                 0);
	assert_int_equal(wr_note_verify(&n, &witness, &time, &err), 0);
	assert_int_equal(time, 1769344815);
	/* As a plain signature it is of another key: the type is in its id. */
	assert_int_equal(wr_note_key_make(&witness, "acme/lyon", WR_NOTE_ED25519, other_pub, &err), 0);
	assert_int_equal(wr_note_verify(&n, &witness, NULL, &err), -1);
	assert_int_equal(err.code, WR_E_NOT_FOUND);
	wr_engine_key_free(key);
	wr_engine_key_free(other);
	wr_buf_free(&out);
}

/* Whatever bit is changed: another note, or none that both signed. */
static void every_bit(void **state)
{
	(void)state;
	wr_err err = {0};
	wr_note n;
	wr_note_key log, witness;
	wr_buf out = WR_BUF_INIT(WR_NOTE_MAX);
	const wr_checkpoint c = {.origin = "acme/us-central1/ops", .size = 1234};
	wr_engine_key *key = new_key("log"), *other = new_key("witness");
	assert_int_equal(wr_checkpoint_sign(&out, &c, key, &err), 0);
	assert_int_equal(wr_note_cosign(&out, "acme/lyon", other, 1769344815, &err), 0);
	assert_int_equal(
	    wr_note_key_make(&log, c.origin, WR_NOTE_ED25519, wr_engine_key_public(key), &err), 0);
	assert_int_equal(wr_note_key_make(&witness, "acme/lyon", WR_NOTE_COSIGNATURE,
	                                  wr_engine_key_public(other), &err),
	                 0);
	for (size_t bit = 0; bit < out.len * 8; bit++) {
		char *byte = &out.data[bit / 8];
		*byte = (char)(*byte ^ 1 << bit % 8);
		bool good = wr_note_parse(&n, out.data, out.len, &err) == 0 &&
		            wr_note_verify(&n, &log, NULL, &err) == 0 &&
		            wr_note_verify(&n, &witness, NULL, &err) == 0;
		assert_false(good);
		*byte = (char)(*byte ^ 1 << bit % 8);
	}
	for (size_t len = 0; len < out.len; len++) {
		bool good = wr_note_parse(&n, out.data, len, &err) == 0 &&
		            wr_note_verify(&n, &witness, NULL, &err) == 0;
		assert_false(good);
	}
	wr_engine_key_free(key);
	wr_engine_key_free(other);
	wr_buf_free(&out);
}

static void refuses_to_sign(void **state)
{
	(void)state;
	static const char *const texts[] = {"",         "no newline", "tab\there\n",
	                                    "cr\r\n",   "\xff\n",     ("cosignature/v1\ntime 5\n" TEXT),
	                                    "\x1b[2J\n"};
	wr_err err = {0};
	wr_buf out = WR_BUF_INIT(WR_NOTE_MAX);
	wr_checkpoint c = {.origin = "a b", .size = 1};
	wr_engine_key *key = new_key("log");
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		wr_buf_reset(&out);
		assert_int_equal(wr_note_sign(&out, texts[i], "acme/x", key, &err), -1);
	}
	assert_int_equal(wr_note_sign(&out, "text\n", "two words", key, &err), -1);
	assert_int_equal(wr_checkpoint_sign(&out, &c, key, &err), -1);
	(void)snprintf(c.origin, sizeof c.origin, "a\n5");
	assert_int_equal(wr_checkpoint_sign(&out, &c, key, &err), -1);
	c = (wr_checkpoint){.origin = "a", .size = -1};
	assert_int_equal(wr_checkpoint_sign(&out, &c, key, &err), -1);
	/* What is no checkpoint is not cosigned. */
	wr_buf_reset(&out);
	assert_int_equal(wr_note_sign(&out, "text\n", "acme/x", key, &err), 0);
	assert_int_equal(wr_note_cosign(&out, "acme/y", key, 5, &err), -1);
	wr_buf_reset(&out);
	assert_int_equal(wr_note_sign(&out, TEXT, "acme/x", key, &err), 0);
	assert_int_equal(wr_note_cosign(&out, "acme/y", key, -5, &err), -1);
	for (int i = 1; i < WR_NOTE_SIGS_MAX; i++)
		assert_int_equal(wr_note_cosign(&out, "acme/y", key, i, &err), 0);
	assert_int_equal(wr_note_cosign(&out, "acme/y", key, 99, &err), -1);
	assert_int_equal(err.code, WR_E_LIMIT);
	wr_engine_key_free(key);
	wr_buf_free(&out);
}

/* ---- notes made to deceive ---- */

static void hostile_notes(void **state)
{
	(void)state;
	static const struct {
		const char *data;
		size_t len;
	} bad[] = {
#define BAD(text) {text, sizeof(text) - 1}
	    BAD(""),
	    BAD("\n"),
	    BAD("\n\n"),
	    BAD(TEXT),
	    BAD(TEXT "\n"),
	    BAD(TEXT SIG),            /* no empty line */
	    BAD("\n" SIG),            /* no text */
	    BAD(TEXT "\n" SIG "\n"),  /* nothing behind the last empty line */
	    BAD(TEXT "\n" SIG "x\n"), /* no signature line */
	    BAD(TEXT "\n" SIG "\n"
	             "x"),
	    BAD(TEXT "\n\xe2\x80\x94 acme/x AAAAAAAA"), /* does not end */
	    BAD(TEXT "\r\n" SIG),
	    BAD("a\r\n\r\n\xe2\x80\x94 acme/x AAAAAAAA\r\n"),
	    BAD("a\tb\n\n" SIG),
	    BAD("a\0b\n\n" SIG),
	    BAD("a\x1b[2Jb\n\n" SIG),
	    BAD("a\xc0\xaf\n\n" SIG),
	    BAD("a\xed\xa0\x80\n\n" SIG),
	    BAD(TEXT "\n- acme/x AAAAAAAA\n"),
	    BAD(TEXT "\n\xe2\x80\x94"
	             "acme/x AAAAAAAA\n"),
	    BAD(TEXT "\n\xe2\x80\x94  AAAAAAAA\n"),
	    BAD(TEXT "\n\xe2\x80\x94 acme/x\n"),
	    BAD(TEXT "\n\xe2\x80\x94 acme/x \n"),
	    BAD(TEXT "\n\xe2\x80\x94 acme/x AAAA\n"),      /* shorter than an id */
	    BAD(TEXT "\n\xe2\x80\x94 acme/x AAAAAA==\n"),  /* an id and no signature */
	    BAD(TEXT "\n\xe2\x80\x94 acme/x AAAAAAB\n"),   /* no padding */
	    BAD(TEXT "\n\xe2\x80\x94 acme/x AAAAAAAB=\n"), /* too much of it */
	    BAD(TEXT "\n\xe2\x80\x94 acme/x AAAAAAB=\n"),  /* stray bits */
	    BAD(TEXT "\n\xe2\x80\x94 acme/x AAAAAAAA \n"),
	    BAD(TEXT "\n\xe2\x80\x94 acme/x AAAA AAAA\n"),
	    BAD(TEXT "\n\xe2\x80\x94 acme/x AAAA_-AA\n"),
	    BAD(TEXT "\n\xe2\x80\x94 acme x AAAAAAAA\n"),
	    BAD(TEXT "\n\xe2\x80\x94 acme+x AAAAAAAA\n"),
	    BAD(TEXT "\n\xe2\x80\x94 acme\xc2\xa0x AAAAAAAA\n"),
	    BAD(TEXT "\n\xe2\x80\x94 acme/x AAAAAAAA\n\xef\xbb\xbf"),
#undef BAD
	};
	wr_note n;
	wr_err err;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (wr_note_parse(&n, bad[i].data, bad[i].len, &err) == 0) fail_msg("note %zu", i);
	assert_int_equal(wr_note_parse(&n, TEXT "\n" SIG, sizeof(TEXT "\n" SIG) - 1, &err), 0);
}

static void many_and_long(void **state)
{
	(void)state;
	wr_note n;
	wr_err err;
	wr_buf note_text = WR_BUF_INIT(64u << 10);
	wr_buf_adds(&note_text, TEXT "\n");
	for (int i = 0; i < WR_NOTE_SIGS_MAX; i++) wr_buf_adds(&note_text, SIG);
	assert_int_equal(wr_note_parse(&n, note_text.data, note_text.len, &err), 0);
	assert_int_equal(n.sig_count, WR_NOTE_SIGS_MAX);
	wr_buf_adds(&note_text, SIG);
	assert_int_equal(wr_note_parse(&n, note_text.data, note_text.len, &err), -1);
	assert_int_equal(err.code, WR_E_LIMIT);
	/* A signature of a kind with longer ones is passed over, not cut to something that fits. */
	wr_buf_reset(&note_text);
	wr_buf_adds(&note_text, TEXT "\n\xe2\x80\x94 acme/x ");
	for (int i = 0; i < 600; i++) wr_buf_adds(&note_text, "AAAAAAAA");
	wr_buf_adds(&note_text, "\n");
	assert_int_equal(wr_note_parse(&n, note_text.data, note_text.len, &err), 0);
	assert_int_equal(n.sigs[0].len, 600 * 6 - 4);
	wr_buf_reset(&note_text);
	for (size_t i = 0; i < WR_NOTE_MAX; i++) wr_buf_addc(&note_text, 'a');
	wr_buf_adds(&note_text, "\n\n" SIG);
	assert_int_equal(wr_note_parse(&n, note_text.data, note_text.len, &err), -1);
	assert_int_equal(err.code, WR_E_LIMIT);
	wr_buf_free(&note_text);
}

/* Two lines of one key: each must be good. Lines of others do not matter. */
static void doubled_signatures(void **state)
{
	(void)state;
	wr_note n;
	wr_note_key k;
	wr_err err = {0};
	wr_buf out = WR_BUF_INIT(WR_NOTE_MAX);
	assert_int_equal(wr_note_key_parse(&k, PETER, &err), 0);
	wr_buf_adds(&out, PETER_TEXT "\n" PETER_LINE PETER_LINE SIG);
	wr_buf_adds(&out, "\xe2\x80\x94 PeterNeumann AAAAAAAA\n"); /* another id */
	assert_int_equal(wr_note_parse(&n, out.data, out.len, &err), 0);
	assert_int_equal(wr_note_verify(&n, &k, NULL, &err), 0);
	wr_buf_adds(&out, "\xe2\x80\x94 PeterNeumann x08gowAA\n"); /* his id */
	assert_int_equal(wr_note_parse(&n, out.data, out.len, &err), 0);
	assert_int_equal(wr_note_verify(&n, &k, NULL, &err), -1);
	assert_int_equal(err.code, WR_E_DENIED);
	wr_buf_free(&out);
}

static void hostile_checkpoints(void **state)
{
	(void)state;
#define ROOT "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg="
	static const struct {
		const char *text;
		bool good;
	} all[] = {{"a\n0\n" ROOT "\n", true},
	           {"a\n9223372036854775807\n" ROOT "\n", true},
	           {"a\n5\n" ROOT "\nan extension\nanother\n", true},
	           {"", false},
	           {"a\n", false},
	           {"a\n5\n", false},
	           {"a\n5\n" ROOT, false},
	           {"\n5\n" ROOT "\n", false},
	           {"a b\n5\n" ROOT "\n", false},
	           {"a+b\n5\n" ROOT "\n", false},
	           {"a\xe2\x80\xae\n5\n" ROOT "\n", false},
	           {"a\r\n5\r\n" ROOT "\r\n", false},
	           {"a\n\n" ROOT "\n", false},
	           {"a\n05\n" ROOT "\n", false},
	           {"a\n00\n" ROOT "\n", false},
	           {"a\n+5\n" ROOT "\n", false},
	           {"a\n-5\n" ROOT "\n", false},
	           {"a\n 5\n" ROOT "\n", false},
	           {"a\n5 \n" ROOT "\n", false},
	           {"a\n5.0\n" ROOT "\n", false},
	           {"a\n0x5\n" ROOT "\n", false},
	           {"a\n9223372036854775808\n" ROOT "\n", false},
	           {"a\n18446744073709551617\n" ROOT "\n", false},
	           {"a\n99999999999999999999999999999999999999999\n" ROOT "\n", false},
	           {"a\n5\n" ROOT " \n", false},
	           {"a\n5\n\n", false},
	           {"a\n5\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyh=\n", false}, /* stray bits */
	           {"a\n5\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg\n", false},
	           {"a\n5\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/Rg\n", false},
	           {"a\n5\n" ROOT "\n\nafter an empty line\n", false},
	           {"a\n5\n" ROOT "\nunfinished", false}};
	wr_checkpoint c;
	wr_err err;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if ((wr_checkpoint_parse(&c, all[i].text, strlen(all[i].text), &err) == 0) != all[i].good)
			fail_msg("checkpoint %zu", i);
	assert_int_equal(wr_checkpoint_parse(&c, "a\0b\n5\n" ROOT "\n", 6 + 45, &err), -1);
#undef ROOT
}

/* ---- the engine's key ---- */

static void key_files(void **state)
{
	(void)state;
	wr_err err = {0};
	uint8_t pub[WR_ED25519_PUBLIC];
	struct stat st;
	wr_engine_key *k = wr_engine_key_load(in_dir("k"), false, &test_random, &err);
	assert_null(k);
	assert_int_equal(err.code, WR_E_NOT_FOUND);
	k = new_key("k");
	wr_engine_key *again = new_key("k");
	assert_memory_equal(wr_engine_key_public(k), wr_engine_key_public(again), WR_ED25519_PUBLIC);
	assert_int_equal(stat(in_dir("k"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	wr_engine_key_free(k);
	wr_engine_key_free(again);
	wr_engine_key_free(NULL);
	assert_int_equal(chmod(in_dir("k"), 0644), 0);
	assert_null(wr_engine_key_load(in_dir("k"), true, &test_random, &err));
	assert_int_equal(err.code, WR_E_DENIED);
	assert_int_equal(chmod(in_dir("k"), 0600), 0);
	spit(in_dir("k"), "00\n", 3);
	assert_null(wr_engine_key_load(in_dir("k"), true, &test_random, &err));
	assert_int_equal(err.code, WR_E_INVALID);
	assert_int_equal(wr_engine_pub_read(test_dir, pub, &err), -1);
}

static void public_files(void **state)
{
	(void)state;
	static const char *const bad[] = {
	    "", "ssh-rsa AAAA\n", "ssh-ed25519 AAAA\n",
	    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\nmore\n"};
	static const char good[] =
	    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\n";
	wr_err err = {0};
	uint8_t pub[WR_ED25519_PUBLIC];
	wr_note_key k;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		spit(in_dir("engine.pub"), bad[i], strlen(bad[i]));
		assert_int_equal(wr_engine_pub_read(test_dir, pub, &err), -1);
	}
	spit(in_dir("engine.pub"), good, sizeof good); /* its NUL as well */
	assert_int_equal(wr_engine_pub_read(test_dir, pub, &err), -1);
	spit(in_dir("engine.pub"), good, sizeof good - 1);
	assert_int_equal(wr_engine_pub_read(test_dir, pub, &err), 0);
	assert_int_equal(wr_note_key_parse(&k, PETER, &err), 0);
	assert_memory_equal(pub, k.public_key, WR_ED25519_PUBLIC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    LEDGER_TEST(published_keys),
	    LEDGER_TEST(mangled_keys),
	    LEDGER_TEST(names),
	    LEDGER_TEST(published_note),
	    LEDGER_TEST(published_forms),
	    LEDGER_TEST(checkpoints),
	    LEDGER_TEST(every_bit),
	    LEDGER_TEST(refuses_to_sign),
	    LEDGER_TEST(hostile_notes),
	    LEDGER_TEST(many_and_long),
	    LEDGER_TEST(doubled_signatures),
	    LEDGER_TEST(hostile_checkpoints),
	    LEDGER_TEST(key_files),
	    LEDGER_TEST(public_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
