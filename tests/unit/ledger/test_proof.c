/* test_proof.c: proofs made from a ledger, carried elsewhere as text, and checked there; and every
 * byte of them changed. */
#include "signed.h"

#include "warroom/proof.h"

typedef struct world {
	wr_engine_key *key;
	wr_trusted trusted;
	wr_buf latest;
} world;

static world w;

static void chain_path(char out[static 256])
{
	(void)snprintf(out, 256, "%s/" CHAIN_NAME, test_dir);
}

static void make_world(int n, int every, size_t segment_max)
{
	w = (world){.key = test_key("engine.key")};
	make_signed(test_dir, n, every, segment_max, w.key, &w.latest);
	memcpy(w.trusted.public_key, wr_engine_key_public(w.key), WR_ED25519_PUBLIC);
}

static void drop_world(void)
{
	wr_engine_key_free(w.key);
	wr_buf_free(&w.latest);
}

/* Made, written, read elsewhere. */
static void travels(const wr_proof_doc *made, wr_buf *text, wr_proof_doc *out)
{
	wr_err err = {0};
	wr_buf_init(text, WR_PROOF_MAX);
	wr_proof_format(text, made);
	assert_true(wr_buf_ok(text));
	if (wr_proof_parse(out, text->data, text->len, &err)) fail_msg("%s", err.msg);
}

static void every_receipt(void **state)
{
	(void)state;
	char dir[256];
	wr_proof_doc made, read;
	wr_proven p;
	wr_buf text, note = WR_BUF_INIT(WR_NOTE_MAX);
	wr_err err = {0};
	chain_path(dir);
	make_world(90, 20, 8192);
	assert_true(count_files("0") > 3); /* segments */
	assert_int_equal(wr_checkpoint_latest(dir, &note, &err), 0);
	for (int64_t seq = 0; seq < 90; seq++) {
		if (wr_prove_receipt(&made, dir, seq, &note, NULL, &err)) fail_msg("%s", err.msg);
		travels(&made, &text, &read);
		if (wr_proof_check(&read, &w.trusted, 1, &p, &err)) fail_msg("%s", err.msg);
		assert_true(p.holds);
		assert_int_equal(p.receipt.seq, seq);
		assert_int_equal(p.checkpoint.size, 90);
		assert_int_equal(p.signers.count, 1);
		assert_string_equal(p.signers.items[0].name, ORIGIN);
		wr_proof_doc_free(&made);
		wr_proof_doc_free(&read);
		wr_buf_free(&text);
	}
	assert_int_equal(wr_prove_receipt(&made, dir, 90, &note, NULL, &err), -1);
	assert_int_equal(err.code, WR_E_NOT_FOUND);
	assert_int_equal(wr_prove_receipt(&made, dir, -1, &note, NULL, &err), -1);
	wr_buf_free(&note);
	drop_world();
}

/* Against an older checkpoint, from the receipt that holds it. */
static void older_checkpoints(void **state)
{
	(void)state;
	char dir[256];
	wr_proof_doc doc;
	wr_proven p;
	wr_buf note = WR_BUF_INIT(WR_NOTE_MAX);
	wr_err err = {0};
	chain_path(dir);
	make_world(90, 20, 8192);
	for (int64_t size = 1; size < 90; size++) {
		int rc = wr_checkpoint_at(dir, size, &note, &err);
		assert_int_equal(rc, size % 20 == 19 ? 0 : -1);
		if (rc) {
			assert_int_equal(err.code, WR_E_NOT_FOUND);
			continue;
		}
		assert_int_equal(wr_prove_receipt(&doc, dir, size / 2, &note, NULL, &err), 0);
		assert_int_equal(wr_proof_check(&doc, &w.trusted, 1, &p, &err), 0);
		assert_int_equal(p.checkpoint.size, size);
		wr_proof_doc_free(&doc);
		assert_int_equal(wr_prove_receipt(&doc, dir, size, &note, NULL, &err), -1);
	}
	assert_int_equal(wr_checkpoint_at(dir, 90, &note, &err), 0); /* the file */
	assert_int_equal(wr_checkpoint_at(dir, 91, &note, &err), -1);
	wr_buf_free(&note);
	drop_world();
}

static void growth(void **state)
{
	(void)state;
	char dir[256];
	wr_proof_doc made, read;
	wr_proven p;
	wr_buf text, old = WR_BUF_INIT(WR_NOTE_MAX), new = WR_BUF_INIT(WR_NOTE_MAX);
	wr_err err = {0};
	chain_path(dir);
	make_world(90, 20, 8192);
	for (int64_t from = 19; from < 90; from += 20)
		for (int64_t to = from; to < 110; to += 20) {
			assert_int_equal(wr_checkpoint_at(dir, from, &old, &err), 0);
			assert_int_equal(to < 90 ? wr_checkpoint_at(dir, to, &new, &err)
			                         : wr_checkpoint_latest(dir, &new, &err),
			                 0);
			if (wr_prove_growth(&made, dir, &old, &new, NULL, &err)) fail_msg("%s", err.msg);
			travels(&made, &text, &read);
			assert_int_equal(read.kind, WR_PROOF_CONSISTENCY);
			if (wr_proof_check(&read, &w.trusted, 1, &p, &err)) fail_msg("%s", err.msg);
			assert_int_equal(p.old.size, from);
			assert_int_equal(p.checkpoint.size, to < 90 ? to : 90);
			wr_proof_doc_free(&made);
			wr_proof_doc_free(&read);
			wr_buf_free(&text);
		}
	assert_int_equal(wr_prove_growth(&made, dir, &new, &old, NULL, &err), -1); /* backwards */
	wr_buf_free(&old);
	wr_buf_free(&new);
	drop_world();
}

/* ---- what must not pass ---- */

/* Any byte that is another: no proof, or not proven. */
static void tampered(const wr_proof_doc *made)
{
	wr_proof_doc doc;
	wr_proven p;
	wr_buf text = WR_BUF_INIT(WR_PROOF_MAX);
	wr_err err;
	wr_proof_format(&text, made);
	for (size_t i = 0; i < text.len; i++)
		for (int change = 0; change < 10; change++) {
			char was = text.data[i];
			text.data[i] = change < 8 ? (char)(was ^ 1 << change) : change == 8 ? '\n' : 'A';
			if (text.data[i] != was && wr_proof_parse(&doc, text.data, text.len, &err) == 0) {
				if (wr_proof_check(&doc, &w.trusted, 1, &p, &err) == 0)
					fail_msg("byte %zu as 0x%02x", i, (unsigned)(unsigned char)text.data[i]);
				wr_proof_doc_free(&doc);
			}
			text.data[i] = was;
		}
	for (size_t len = 0; len < text.len; len++)
		assert_int_equal(wr_proof_parse(&doc, text.data, len, &err), -1);
	wr_buf_addc(&text, '\n');
	assert_int_equal(wr_proof_parse(&doc, text.data, text.len, &err), -1);
	wr_buf_free(&text);
}

static void every_byte(void **state)
{
	(void)state;
	char dir[256];
	wr_proof_doc doc;
	wr_buf old = WR_BUF_INIT(WR_NOTE_MAX);
	wr_err err = {0};
	chain_path(dir);
	make_world(45, 20, 0);
	assert_int_equal(wr_prove_receipt(&doc, dir, 21, &w.latest, NULL, &err), 0);
	tampered(&doc);
	wr_proof_doc_free(&doc);
	assert_int_equal(wr_checkpoint_at(dir, 19, &old, &err), 0);
	assert_int_equal(wr_prove_growth(&doc, dir, &old, &w.latest, NULL, &err), 0);
	tampered(&doc);
	wr_proof_doc_free(&doc);
	wr_buf_free(&old);
	drop_world();
}

/* The right parts, wrongly put together. */
static void mixed(void **state)
{
	(void)state;
	char dir[256];
	wr_proof_doc doc, other;
	wr_proven p;
	wr_err err = {0};
	chain_path(dir);
	make_world(45, 20, 0);
	assert_int_equal(wr_prove_receipt(&doc, dir, 7, &w.latest, NULL, &err), 0);
	assert_int_equal(wr_prove_receipt(&other, dir, 8, &w.latest, NULL, &err), 0);
	doc.at = 8;
	assert_int_equal(wr_proof_check(&doc, &w.trusted, 1, &p, &err), -1);
	assert_int_equal(err.code, WR_E_CORRUPT);
	assert_false(p.holds);
	doc.path = other.path;
	assert_int_equal(wr_proof_check(&doc, &w.trusted, 1, &p, &err), -1);
	doc.at = 7;
	assert_int_equal(wr_proof_check(&doc, &w.trusted, 1, &p, &err), -1);
	doc.kind = WR_PROOF_CONSISTENCY;
	assert_int_equal(wr_proof_check(&doc, &w.trusted, 1, &p, &err), -1);
	other.extra.len = 0;
	assert_int_equal(wr_proof_check(&other, &w.trusted, 1, &p, &err), -1);
	wr_proof_doc_free(&doc);
	wr_proof_doc_free(&other);
	drop_world();
}

static void whose_signature(void **state)
{
	(void)state;
	char dir[256];
	wr_proof_doc doc;
	wr_proven p;
	wr_err err = {0};
	chain_path(dir);
	make_world(45, 20, 0);
	wr_engine_key *stranger = test_key("stranger.key");
	wr_trusted other = {.alg = 0};
	memcpy(other.public_key, wr_engine_key_public(stranger), WR_ED25519_PUBLIC);
	assert_int_equal(wr_prove_receipt(&doc, dir, 7, &w.latest, NULL, &err), 0);
	/* Nobody's, or another's: the hashes hold, and that is said apart. */
	assert_int_equal(wr_proof_check(&doc, NULL, 0, &p, &err), -1);
	assert_int_equal(err.code, WR_E_NOT_FOUND);
	assert_true(p.holds);
	assert_int_equal(p.signers.others, 1);
	assert_int_equal(wr_proof_check(&doc, &other, 1, &p, &err), -1);
	assert_int_equal(err.code, WR_E_NOT_FOUND);
	/* The key, but for another log, or for cosigning alone. */
	wr_trusted named = w.trusted;
	(void)snprintf(named.name, sizeof named.name, "acme/elsewhere/ops");
	assert_int_equal(wr_proof_check(&doc, &named, 1, &p, &err), -1);
	(void)snprintf(named.name, sizeof named.name, ORIGIN);
	assert_int_equal(wr_proof_check(&doc, &named, 1, &p, &err), 0);
	named.alg = WR_NOTE_COSIGNATURE;
	assert_int_equal(wr_proof_check(&doc, &named, 1, &p, &err), -1);
	/* Cosigned, both keys given, one given, and by the witness alone. */
	assert_int_equal(wr_note_cosign(&doc.note, "acme/lyon", stranger, 1769344815, &err), 0);
	const wr_trusted both[] = {other, w.trusted};
	assert_int_equal(wr_proof_check(&doc, both, 2, &p, &err), 0);
	assert_int_equal(p.signers.count, 2);
	assert_int_equal(p.signers.items[1].time, 1769344815);
	assert_int_equal(wr_proof_check(&doc, &w.trusted, 1, &p, &err), 0);
	assert_int_equal(p.signers.others, 1);
	assert_int_equal(wr_proof_check(&doc, &other, 1, &p, &err), -1);
	assert_int_equal(err.code, WR_E_NOT_FOUND);
	wr_proof_doc_free(&doc);
	wr_engine_key_free(stranger);
	drop_world();
}

/* A receipt of one chain in a tree that another chain's name is on. */
static void another_chain(void **state)
{
	(void)state;
	char dir[256];
	wr_proof_doc doc;
	wr_proven p;
	wr_note n;
	wr_checkpoint c;
	wr_err err = {0};
	wr_buf renamed = WR_BUF_INIT(WR_NOTE_MAX);
	chain_path(dir);
	make_world(10, 0, 0);
	assert_int_equal(wr_note_parse(&n, w.latest.data, w.latest.len, &err), 0);
	assert_int_equal(wr_checkpoint_parse(&c, n.text, n.text_len, &err), 0);
	static const char *const origins[] = {"acme/us-central1/dev", "us-central1/ops",
	                                      "acmeus-central1/ops", "acme/x-us-central1/ops"};
	for (size_t i = 0; i < sizeof origins / sizeof *origins; i++) {
		(void)snprintf(c.origin, sizeof c.origin, "%s", origins[i]);
		wr_buf_reset(&renamed);
		assert_int_equal(wr_checkpoint_sign(&renamed, &c, w.key, &err), 0);
		assert_int_equal(wr_prove_receipt(&doc, dir, 3, &renamed, NULL, &err), 0);
		assert_int_equal(wr_proof_check(&doc, &w.trusted, 1, &p, &err), -1);
		assert_int_equal(err.code, WR_E_CORRUPT);
		wr_proof_doc_free(&doc);
	}
	wr_buf_free(&renamed);
	drop_world();
}

/* A ledger that is not what was signed proves nothing. */
static void damaged_ledger(void **state)
{
	(void)state;
	char dir[256];
	wr_proof_doc doc;
	wr_buf file;
	wr_err err = {0};
	chain_path(dir);
	make_world(30, 10, 0);
	slurp(&file, segment_file(0));
	char *line = file.data;
	for (int i = 0; i < 12; i++) line = strchr(line, '\n') + 1;
	char *hash = strstr(line, "\"hash\":\"") + 8;
	*hash = *hash == '0' ? '1' : '0'; /* of receipt 12 */
	spit(segment_file(0), file.data, file.len);
	assert_int_equal(wr_prove_receipt(&doc, dir, 3, &w.latest, NULL, &err), -1);
	assert_int_equal(err.code, WR_E_CORRUPT);
	assert_int_equal(wr_prove_receipt(&doc, dir, 12, &w.latest, NULL, &err), -1);
	*hash = 'x';
	spit(segment_file(0), file.data, file.len);
	assert_int_equal(wr_prove_receipt(&doc, dir, 3, &w.latest, NULL, &err), -1);
	assert_int_equal(err.code, WR_E_CORRUPT);
	/* Cut short, and gone. */
	spit(segment_file(0), file.data, (size_t)(line - file.data) + 5);
	assert_int_equal(wr_prove_receipt(&doc, dir, 3, &w.latest, NULL, &err), -1);
	assert_int_equal(err.code, WR_E_CORRUPT);
	assert_int_equal(unlink(segment_file(0)), 0);
	assert_int_equal(wr_prove_receipt(&doc, dir, 3, &w.latest, NULL, &err), -1);
	assert_int_equal(err.code, WR_E_NOT_FOUND);
	wr_buf_free(&file);
	drop_world();
}

static void which_chain(void **state)
{
	(void)state;
	char dir[256], found[512];
	wr_err err = {0};
	wr_ledger_opts opts = test_opts();
	chain_path(dir);
	assert_int_equal(wr_prove_chain(test_dir, found, sizeof found, &err), -1);
	assert_int_equal(err.code, WR_E_NOT_FOUND);
	make_world(3, 0, 0);
	assert_int_equal(wr_prove_chain(test_dir, found, sizeof found, &err), 0);
	assert_string_equal(found, dir);
	assert_int_equal(wr_prove_chain(dir, found, sizeof found, &err), 0);
	assert_string_equal(found, dir);
	opts.partition = "oslo";
	wr_ledger *l = must_open(&opts, NULL);
	must_append(l, 1);
	wr_ledger_close(l);
	assert_int_equal(wr_prove_chain(test_dir, found, sizeof found, &err), -1);
	assert_non_null(strstr(err.msg, "oslo/ops, us-central1/ops"));
	assert_int_equal(wr_prove_chain("/nonexistent", found, sizeof found, &err), -1);
	drop_world();
}

/* ---- form ---- */

#define HASH "gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ="
#define CP                                                                                         \
	"example.com/fancylog\n109482\nsFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=\n\n\xe2\x80\x94 "  \
	"example.com/fancylog AAAAAAAA\n"

static void forms(void **state)
{
	(void)state;
#define TLOG "c2sp.org/tlog-proof@v1\n"
	static const struct {
		const char *text;
		bool good;
	} all[] = {{TLOG "extra YWdl\nindex 73894\n" HASH "\n" HASH "\n\n" CP, true},
	           {TLOG "index 0\n\n" CP, true},
	           {"warroom/consistency-proof@v1\nextra YWdl\nold 5\n" HASH "\n\n" CP, true},
	           {"", false},
	           {TLOG, false},
	           {TLOG "index 5\n", false},
	           {TLOG "index 5\n\n", false},
	           {TLOG "index 5\n" HASH "\n" CP, false},
	           {TLOG "old 5\n\n" CP, false},
	           {"warroom/consistency-proof@v1\nindex 5\n\n" CP, false},
	           {"c2sp.org/tlog-proof@v2\nindex 5\n\n" CP, false},
	           {" " TLOG "index 5\n\n" CP, false},
	           {"c2sp.org/tlog-proof@v1\r\nindex 5\r\n\r\n" CP, false},
	           {TLOG "extra \nindex 5\n\n" CP, false},
	           {TLOG "extra YWd\nindex 5\n\n" CP, false},
	           {TLOG "extra YWdl\nextra YWdl\nindex 5\n\n" CP, false},
	           {TLOG "index\n\n" CP, false},
	           {TLOG "index \n\n" CP, false},
	           {TLOG "index 05\n\n" CP, false},
	           {TLOG "index -5\n\n" CP, false},
	           {TLOG "index 5 \n\n" CP, false},
	           {TLOG "index 99999999999999999999\n\n" CP, false},
	           {TLOG "index 5\nAAAA\n\n" CP, false},
	           {TLOG "index 5\n" HASH " \n\n" CP, false},
	           {TLOG "index 5\n\n\n" CP, false},
	           {TLOG "index 5\n\nno checkpoint\n", false}};
	wr_proof_doc doc;
	wr_err err;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		bool good = wr_proof_parse(&doc, all[i].text, strlen(all[i].text), &err) == 0;
		if (good != all[i].good) fail_msg("proof %zu", i);
		if (good) wr_proof_doc_free(&doc);
	}
	wr_buf many = WR_BUF_INIT(2 * WR_PROOF_MAX);
	wr_buf_adds(&many, TLOG "index 5\n");
	for (int i = 0; i < WR_PROOF_NODES; i++) wr_buf_adds(&many, HASH "\n");
	size_t fits = many.len;
	wr_buf_adds(&many, "\n" CP);
	assert_int_equal(wr_proof_parse(&doc, many.data, many.len, &err), 0);
	wr_proof_doc_free(&doc);
	many.len = fits;
	wr_buf_adds(&many, HASH "\n\n" CP);
	assert_int_equal(wr_proof_parse(&doc, many.data, many.len, &err), -1);
	while (many.len <= WR_PROOF_MAX) wr_buf_adds(&many, CP);
	assert_int_equal(wr_proof_parse(&doc, many.data, many.len, &err), -1);
	assert_int_equal(err.code, WR_E_LIMIT);
	wr_buf_free(&many);
#undef TLOG
}

static void trusted_keys(void **state)
{
	(void)state;
#define VKEY "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
#define PUB  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
	wr_trusted keys[WR_TRUSTED_MAX];
	size_t count;
	wr_err err = {0};
	assert_int_equal(wr_trusted_parse(keys, &count, VKEY, &err), 0);
	assert_int_equal(count, 1);
	assert_string_equal(keys[0].name, "PeterNeumann");
	assert_int_equal(keys[0].alg, WR_NOTE_ED25519);
	assert_int_equal(
	    wr_trusted_parse(keys, &count, "# ours\n\n" PUB " engine\n  \n" VKEY "\n", &err), 0);
	assert_int_equal(count, 2);
	assert_string_equal(keys[0].name, "");
	assert_memory_equal(keys[0].public_key, keys[1].public_key, WR_ED25519_PUBLIC);
	assert_int_equal(wr_trusted_parse(keys, &count, "", &err), -1);
	assert_int_equal(wr_trusted_parse(keys, &count, "# none\n", &err), -1);
	assert_int_equal(wr_trusted_parse(keys, &count, VKEY "\nrubbish\n", &err), -1);
	assert_non_null(strstr(err.msg, "line 2"));
	assert_int_equal(wr_trusted_parse(keys, &count, "ssh-rsa AAAA\n", &err), -1);
	wr_buf many = WR_BUF_INIT(8192);
	for (int i = 0; i <= WR_TRUSTED_MAX; i++) wr_buf_adds(&many, VKEY "\n");
	assert_int_equal(wr_trusted_parse(keys, &count, wr_buf_cstr(&many), &err), -1);
	assert_int_equal(err.code, WR_E_LIMIT);
	wr_buf_free(&many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    LEDGER_TEST(every_receipt), LEDGER_TEST(older_checkpoints),
	    LEDGER_TEST(growth),        LEDGER_TEST(every_byte),
	    LEDGER_TEST(mixed),         LEDGER_TEST(whose_signature),
	    LEDGER_TEST(another_chain), LEDGER_TEST(damaged_ledger),
	    LEDGER_TEST(which_chain),   LEDGER_TEST(forms),
	    LEDGER_TEST(trusted_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
