/* ledger.export and ledger.anchor: what they may say, and what is refused, each at its place. */
#include "fixture.h"

#define HOUR_MS INT64_C(3600000)

static const wr_export_plan *load_export(fixture *x, const char *text)
{
	char all[8192];
	snprintf(all, sizeof all, FX_BASE FX_TRAFFIC FX_PEOPLE "ledger:\n  export: %s\n", text);
	fx_put(x, "allowed_signers", "");
	wr_config *c = fx_load_text(x, all);
	return c ? c->ledger_export : NULL;
}

static void nothing(void **state)
{
	fixture *x = *state;
	fx_put(x, "allowed_signers", "");
	fx_load_text(x, FX_BASE FX_TRAFFIC FX_PEOPLE);
	fx_expect_loaded(x);
	assert_null(x->c->ledger_export);
	assert_null(x->c->ledger_anchor);
}

static void directory(void **state)
{
	fixture *x = *state;
	const wr_export_plan *p = load_export(x, "{to: /archive/ledger}");
	fx_expect_loaded(x);
	assert_string_equal(p->dir, "/archive/ledger");
	assert_string_equal(p->url, "");
	assert_int_equal(p->at_ms, 12 * HOUR_MS);
	assert_int_equal(p->keep_ms, 90 * 24 * HOUR_MS);
	p = load_export(x, "{to: /archive, at: \"23:59:58\", keep: forever}");
	fx_expect_loaded(x);
	assert_int_equal(p->at_ms, 24 * HOUR_MS - 2000);
	assert_int_equal(p->keep_ms, 0);
	p = load_export(x, "{to: copies, keep: 400d}");
	fx_expect_loaded(x);
	assert_non_null(strstr(p->dir, "/copies"));
}

static void store(void **state)
{
	fixture *x = *state;
	const wr_export_plan *p = load_export(
	    x,
	    "{to: {url: \"https://s3.eu-west-1.amazonaws.com\", region: eu-west-1, bucket: acme.ledger,"
	    " prefix: prod/receipts, access_key: \"${env:KEY_ID}\", secret_key: \"${file:/run/key}\","
	    " session_token: \"${env:TOKEN}\", timeout: 30s}}");
	fx_expect_loaded(x);
	assert_string_equal(p->dir, "");
	assert_string_equal(p->url, "https://s3.eu-west-1.amazonaws.com");
	assert_string_equal(p->bucket, "acme.ledger");
	assert_string_equal(p->prefix, "prod/receipts");
	assert_string_equal(p->secret_key, "${file:/run/key}");
	assert_int_equal(p->timeout_ms, 30000);
	p = load_export(x, "{to: {url: \"http://127.0.0.1:9/dav\"}}");
	fx_expect_loaded(x);
	assert_string_equal(p->access_key, "");
}

static void refused(void **state)
{
	fixture *x = *state;
	static const struct {
		const char *text, *key, *says;
	} cases[] = {
	    {"{at: \"12:00\"}", "ledger.export.to", "a directory"},
	    {"{to: /a, at: \"24:00\"}", "ledger.export.at", "time of day"},
	    {"{to: /a, at: noon}", "ledger.export.at", "time of day"},
	    {"{to: /a, at: \"1:00\"}", "ledger.export.at", "time of day"},
	    {"{to: /a, keep: 1h}", "ledger.export.keep", ""},
	    {"{to: /a, keep: ever}", "ledger.export.keep", ""},
	    {"{to: ledger/copies}", "ledger.export.to", "inside the ledger"},
	    {"{to: ledger}", "ledger.export.to", "inside the ledger"},
	    {"{to: /a, more: 1}", "ledger.export.more", ""},
	    {"{to: {region: r}}", "ledger.export.to.url", ""},
	    {"{to: {url: \"ftp://h\"}}", "ledger.export.to.url", "http"},
	    {"{to: {url: \"https://u:p@h/\"}}", "ledger.export.to.url", "credentials"},
	    {"{to: {url: \"https://h/?x=1\"}}", "ledger.export.to.url", "without"},
	    {"{to: {url: \"https://h\", prefix: \"a/../b\"}}", "ledger.export.to.prefix", ".."},
	    {"{to: {url: \"https://h\", prefix: /a}}", "ledger.export.to.prefix", "letters"},
	    {"{to: {url: \"https://h\", bucket: a/b}}", "ledger.export.to.bucket", "slashes"},
	    {"{to: {url: \"https://h\", region: r, access_key: AKIA, secret_key: \"${env:S}\"}}",
	     "ledger.export.to.access_key", "must not stand"},
	    {"{to: {url: \"https://h\", region: r, access_key: \"${env:A}\", secret_key: "
	     "\"x${env:S}\"}}",
	     "ledger.export.to.secret_key", "must not stand"},
	    {"{to: {url: \"https://h\", access_key: \"${env:A}\", secret_key: \"${env:S}\"}}",
	     "ledger.export.to.region", ""},
	    {"{to: {url: \"https://h\", region: r, access_key: \"${env:A}\"}}",
	     "ledger.export.to.secret_key", ""},
	    {"{to: {url: \"https://h\", secret_key: \"${env:A}\"}}", "ledger.export.to.access_key", ""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_null(load_export(x, cases[i].text));
		fx_expect_error(x, cases[i].key, cases[i].says);
	}
}

static void stamps(void **state)
{
	fixture *x = *state;
	fx_put(x, "allowed_signers", "");
	fx_put(x, "tsa.pem", "certificates\n");
	fx_load_text(x, FX_BASE FX_TRAFFIC FX_PEOPLE
	             "ledger:\n  anchor: {url: \"http://tsa.test/tsr?p=1\", ca: tsa.pem}\n");
	fx_expect_loaded(x);
	const wr_anchor_plan *p = x->c->ledger_anchor;
	assert_string_equal(p->url, "http://tsa.test/tsr?p=1");
	assert_non_null(strstr(p->ca_file, "/tsa.pem"));
	assert_int_equal(p->every_ms, HOUR_MS);
	fx_load_text(x, FX_BASE FX_TRAFFIC FX_PEOPLE "ledger:\n  anchor: {url: \"http://tsa.test\"}\n");
	fx_expect_error(x, "ledger.anchor.ca", "");
	fx_load_text(x, FX_BASE FX_TRAFFIC FX_PEOPLE
	             "ledger:\n  anchor: {url: \"http://tsa.test\", ca: tsa.pem, every: 1s}\n");
	fx_expect_error(x, "ledger.anchor.every", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(nothing, fx_setup, fx_teardown),
	    cmocka_unit_test_setup_teardown(directory, fx_setup, fx_teardown),
	    cmocka_unit_test_setup_teardown(store, fx_setup, fx_teardown),
	    cmocka_unit_test_setup_teardown(refused, fx_setup, fx_teardown),
	    cmocka_unit_test_setup_teardown(stamps, fx_setup, fx_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
