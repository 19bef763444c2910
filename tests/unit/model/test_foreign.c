/* test_foreign.c: profiles and ledger.foreign: what is understood, and what is refused, with its
 * line. */
#include "fixture.h"

#include "warroom/profile.h"

#define PROFILE                                                                                    \
	"fields: {seq: seq, id: meta.id, prev: /prev, hash: hash, time: at, time_unit: ms}\n"          \
	"exclude: [hash, meta.sig]\n"                                                                  \
	"canonical: python\n"                                                                          \
	"separators: compact\n"                                                                        \
	"ensure_ascii: false\n"                                                                        \
	"algorithm: sha512\n"                                                                          \
	"encoding: base64\n"                                                                           \
	"prefix: \"sha512:\"\n"                                                                        \
	"over: prev+content\n"                                                                         \
	"separator: \"|\"\n"                                                                           \
	"leading: \"00ff\"\n"                                                                          \
	"genesis: \"GENESIS\"\n"                                                                       \
	"first_seq: 1\n"                                                                               \
	"pruned: true\n"                                                                               \
	"pages: {style: cursor, records: data.items, cursor: /data/next, limit: 50}\n"                 \
	"headers: {Authorization: \"Bearer ${file:token}\"}\n"                                         \
	"ca_file: ca.pem\n"                                                                            \
	"timeout: 3s\n"

#define SMALL "fields: {prev: p, hash: h}\ncanonical: jcs\ngenesis: null\n"

static wr_profile *load(fixture *x, const char *text)
{
	char path[256];
	snprintf(path, sizeof path, "%s/p.yaml", x->dir);
	fx_put(x, "p.yaml", text);
	wr_findings_free(&x->f);
	return wr_profile_load(path, &x->f);
}

static void test_whole(void **state)
{
	fixture *x = *state;
	char path[256];
	wr_profile *p = load(x, PROFILE);
	if (p == NULL) wr_findings_print(&x->f, stderr);
	assert_non_null(p);
	assert_string_equal(p->seq, "/seq");
	assert_string_equal(p->id, "/meta/id");
	assert_string_equal(p->prev, "/prev");
	assert_int_equal(p->time_unit, WR_TIME_MS);
	assert_int_equal(p->exclude_count, 2);
	assert_string_equal(p->exclude[1], "/meta/sig");
	assert_true(p->canonical.kind == WR_CANON_PYTHON && p->canonical.compact && p->canonical.utf8);
	assert_int_equal(p->algorithm, WR_ALG_SHA512);
	assert_int_equal(p->encoding, WR_ENC_BASE64);
	assert_string_equal(p->prefix, "sha512:");
	assert_int_equal(p->over, WR_OVER_PREV_CONTENT);
	assert_string_equal(p->separator, "|");
	assert_int_equal(p->leading_len, 2);
	assert_int_equal(p->leading[1], 0xff);
	assert_int_equal(p->genesis, WR_GENESIS_TEXT);
	assert_string_equal(p->genesis_text, "GENESIS");
	assert_true(p->pruned && p->first_seq == 1);
	assert_int_equal(p->style, WR_PAGE_CURSOR);
	assert_string_equal(p->param, "cursor");
	assert_string_equal(p->limit_param, "limit");
	assert_int_equal(p->limit, 50);
	assert_string_equal(p->records, "/data/items");
	assert_string_equal(p->cursor, "/data/next");
	snprintf(path, sizeof path, "Bearer ${file:%s/token}", x->dir);
	assert_string_equal(p->headers[0].value, path);
	assert_int_equal(p->timeout_ms, 3000);
	wr_profile_free(p);
}

static void test_small(void **state)
{
	fixture *x = *state;
	wr_profile *p = load(x, SMALL);
	assert_non_null(p);
	assert_string_equal(p->seq, "");
	assert_int_equal(p->exclude_count, 1);
	assert_string_equal(p->exclude[0], "/h");
	assert_int_equal(p->genesis, WR_GENESIS_NULL);
	assert_int_equal(p->style, WR_PAGE_NONE);
	wr_profile_free(p);
	static const struct {
		const char *word;
		wr_genesis genesis;
	} words[] = {{"zeros", WR_GENESIS_ZEROS},   {"\"zeros\"", WR_GENESIS_TEXT},
	             {"absent", WR_GENESIS_ABSENT}, {"\"\"", WR_GENESIS_TEXT},
	             {"any", WR_GENESIS_ANY},       {"\"null\"", WR_GENESIS_TEXT},
	             {"~", WR_GENESIS_NULL},        {"GENESIS", WR_GENESIS_TEXT}};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		char text[200];
		snprintf(text, sizeof text, "fields: {prev: p, hash: h}\ncanonical: raw\ngenesis: %s\n",
		         words[i].word);
		p = load(x, text);
		assert_non_null(p);
		if (p->genesis != words[i].genesis) fail_msg("%s", words[i].word);
		wr_profile_free(p);
	}
}

static void test_refused(void **state)
{
	fixture *x = *state;
	static const struct {
		const char *text, *key, *why;
		unsigned line;
	} bad[] = {
	    {"canonical: jcs\ngenesis: zeros\n", "fields", "missing", 1},
	    {"fields: {hash: h}\ncanonical: jcs\ngenesis: zeros\n", "fields.prev", "missing", 1},
	    {"fields: {prev: h, hash: h}\ncanonical: jcs\ngenesis: zeros\n", "fields.prev", "same", 1},
	    {SMALL "cannonical: raw\n", "cannonical", "did you mean \"canonical\"", 4},
	    {SMALL "colour: red\n", "colour", "unknown key", 4},
	    {"fields: {prev: p, hash: h, sig: s}\ncanonical: jcs\ngenesis: zeros\n", "fields.sig",
	     "unknown key", 1},
	    {"fields: {prev: p, hash: h}\ncanonical: yaml\ngenesis: zeros\n", "canonical", "one of", 2},
	    {"fields: {prev: p, hash: h}\ngenesis: zeros\n", "canonical", "missing", 1},
	    {"fields: {prev: p, hash: h}\ncanonical: jcs\n", "genesis", "missing", 1},
	    {SMALL "separators: compact\n", "separators", "python", 4},
	    {SMALL "ensure_ascii: true\n", "ensure_ascii", "python", 4},
	    {SMALL "exclude: [sig]\n", "exclude", "cover itself", 4},
	    {SMALL "separator: x\n", "separator", "over is content", 4},
	    {SMALL "leading: \"0\"\n", "leading", "hex", 4},
	    {SMALL "leading: \"000102030405060708090a0b0c0d0e0f10\"\n", "leading", "16 bytes", 4},
	    {SMALL "pruned: true\n", "pruned", "fields.seq", 1},
	    {SMALL "pages: {style: since}\n", "pages.style", "fields.seq", 4},
	    {SMALL "pages: {style: cursor}\n", "pages.cursor", "missing", 4},
	    {SMALL "pages: {style: offset, cursor: x}\n", "pages.cursor", "only styles", 4},
	    {SMALL "pages: {style: offset, param: \"a b\"}\n", "pages.param", "query parameter", 4},
	    {SMALL "pages: {style: none, param: a}\n", "pages.param", "no parameter", 4},
	    {SMALL "pages: {style: offset, format: lines, records: a}\n", "pages.format", "no room", 4},
	    {SMALL "headers: {Authorization: secret}\n", "headers.Authorization", "secret", 4},
	    {SMALL "timeout: 0s\n", "timeout", "duration", 4},
	    {"fields: {prev: \"a..b\", hash: h}\ncanonical: jcs\ngenesis: zeros\n", "fields.prev",
	     "a.b", 1},
	    {"fields: {prev: \"/a~2\", hash: h}\ncanonical: jcs\ngenesis: zeros\n", "fields.prev", "~0",
	     1},
	    {"[]\n", "", "mapping", 1},
	    {"fields: [\n", "", "", 0},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		wr_profile *p = load(x, bad[i].text);
		if (p != NULL) fail_msg("accepted: %s", bad[i].text);
		assert_true(x->f.errors > 0);
		if (bad[i].line == 0) continue;
		fx_expect_error(x, bad[i].key, bad[i].why);
		if (fx_find(x, true, bad[i].key, bad[i].why)->line != bad[i].line)
			fail_msg("%s: line %u", bad[i].text, fx_find(x, true, bad[i].key, bad[i].why)->line);
	}
	wr_findings_free(&x->f);
	assert_null(wr_profile_load("/nowhere/p.yaml", &x->f));
	assert_true(x->f.errors > 0);
}

static void test_chains(void **state)
{
	fixture *x = *state;
	fx_put(x, "ggen.yaml",
	       "fields: {seq: s, prev: p, hash: h, time: t}\ncanonical: jcs\n"
	       "genesis: zeros\npages: {style: since, records: r}\n");
	fx_load_text(x, FX_BASE
	             "ledger:\n"
	             "  foreign:\n"
	             "    - name: \"${region}-chain\"\n"
	             "      regions: all\n"
	             "      profile: ggen.yaml\n"
	             "      source: \"${region.api}/receipts\"\n"
	             "      every: 5s\n"
	             "      fresh: 1m\n"
	             "    - name: files\n"
	             "      signal: true\n"
	             "      region: eu\n"
	             "      source: eu.jsonl\n"
	             "      profile: {fields: {prev: p, hash: h}, canonical: raw, genesis: zeros}\n");
	fx_expect_clean(x);
	const wr_config *c = x->c;
	char path[256];
	assert_int_equal(c->foreign_count, 3);
	assert_string_equal(c->foreign[1].name, "eu-chain");
	assert_string_equal(c->foreign[1].region, "eu");
	assert_string_equal(c->foreign[1].source, "http://eu.test/receipts");
	assert_int_equal(c->foreign[1].every_ms, 5000);
	assert_int_equal(c->foreign[1].audit_every_ms, 3600000);
	assert_int_equal(c->foreign[1].fresh_ms, 60000);
	assert_int_equal(c->foreign[1].profile->style, WR_PAGE_SINCE);
	snprintf(path, sizeof path, "%s/eu.jsonl", x->dir);
	assert_string_equal(c->foreign[2].source, path);
	/* Each is a signal and a fact of its region, and nobody probes them. */
	assert_int_equal(c->signal_count, 4 + 1 + 3);
	const wr_signal *s = &c->signals[c->signal_count - 1];
	assert_string_equal(s->name, "files");
	assert_string_equal(s->region, "eu");
	assert_int_equal(s->signal_class, WR_CLASS_LEDGER);
	assert_int_equal(s->probe.kind, WR_PROBE_FED);
	assert_int_equal(c->fact_count, 3);
	assert_int_equal(c->facts[0].kind, WR_FACT_CHAIN);
	assert_string_equal(c->facts[0].region, "us");
	assert_true(c->foreign[2].signal);
	/* What the profile says is part of the configuration's hash. */
	uint8_t before[32];
	memcpy(before, c->hash, sizeof before);
	fx_put(x, "ggen.yaml",
	       "fields: {seq: s, prev: p, hash: h, time: t}\ncanonical: jcs\n"
	       "genesis: any\npages: {style: since, records: r}\n");
	fx_load(x);
	fx_expect_clean(x);
	assert_memory_not_equal(before, x->c->hash, sizeof before);
	/* For the guards only. */
	fx_load_text(x, FX_BASE "ledger:\n  foreign:\n"
	                        "    - {name: \"${region}-c\", regions: all, profile: ggen.yaml,\n"
	                        "       source: \"${region.api}/r\", signal: false}\n");
	fx_expect_clean(x);
	assert_int_equal(x->c->signal_count, 4 + 1);
	assert_int_equal(x->c->fact_count, 2);
}

static void test_chains_refused(void **state)
{
	fixture *x = *state;
	static const char profile[] =
	    "profile: {fields: {prev: p, hash: h}, canonical: raw, genesis: zeros}";
	static const struct {
		const char *entry, *key, *why;
	} bad[] = {
	    {"region: eu, source: f, name: a", "ledger.foreign[0].profile", "missing"},
	    {"region: eu, source: f, @", "ledger.foreign[0].name", "missing"},
	    {"region: eu, name: a, @", "ledger.foreign[0].source", "missing"},
	    {"source: f, name: a, @", "ledger.foreign[0].region", "missing"},
	    {"region: ue, source: f, name: a, @", "ledger.foreign[0].region", "did you mean"},
	    {"regions: all, source: f, name: a, @", "ledger.foreign[0].name", "taken"},
	    {"region: eu, source: \"ftp://x/\", name: a, @", "ledger.foreign[0].source", "http"},
	    {"region: eu, source: \"http://u:p@x/\", name: a, @", "ledger.foreign[0].source",
	     "credentials"},
	    {"region: eu, source: f, name: a, every: 1ms, @", "ledger.foreign[0].every", "duration"},
	    {"region: eu, source: f, name: a, fresh: 1m, @", "ledger.foreign[0].fresh", "fields.time"},
	    {"region: eu, source: f, name: a, often: 1m, @", "ledger.foreign[0].often", "unknown"},
	    {"region: eu, source: f, name: a, profile: nowhere.yaml", "ledger.foreign[0].profile",
	     "nowhere"},
	    {"region: eu, source: f, name: eu-a, @", "ledger.foreign", "taken"},
	    {"region: eu, source: f, name: a, profile: {fields: {prev: p, hash: h}, canonical: raw, "
	     "genesis: zeros, x: 1}",
	     "ledger.foreign[0].profile.x", "unknown key"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char text[4096], entry[1024];
		const char *at = strrchr(bad[i].entry, '@');
		bool filled = at && !at[1];
		snprintf(entry, sizeof entry, "%.*s%s", filled ? (int)(at - bad[i].entry) : 1000,
		         bad[i].entry, filled ? profile : "");
		snprintf(text, sizeof text, FX_BASE "ledger:\n  foreign:\n    - {%s}\n", entry);
		fx_load_text(x, text);
		if (x->c != NULL) fail_msg("accepted: %s", entry);
		fx_expect_error(x, bad[i].key, bad[i].why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_whole, fx_setup, fx_teardown),
	    cmocka_unit_test_setup_teardown(test_small, fx_setup, fx_teardown),
	    cmocka_unit_test_setup_teardown(test_refused, fx_setup, fx_teardown),
	    cmocka_unit_test_setup_teardown(test_chains, fx_setup, fx_teardown),
	    cmocka_unit_test_setup_teardown(test_chains_refused, fx_setup, fx_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
