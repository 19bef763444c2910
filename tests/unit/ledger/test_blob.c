/* test_blob.c: evidence beside the ledger. */
#include "fixture.h"

static void put_and_get(void **state)
{
	(void)state;
	wr_ledger_opts opts = test_opts();
	wr_ledger *l = must_open(&opts, NULL);
	wr_err err = {0};
	char hex[WR_HEX_LEN], again[WR_HEX_LEN], path[256];
	wr_buf out = WR_BUF_INIT(WR_BLOB_MAX);
	assert_int_equal(wr_blob_put(l, "plan\0x", 6, hex, &err), 0);
	assert_int_equal(wr_blob_put(l, "plan\0x", 6, again, &err), 0);
	assert_string_equal(hex, again);
	assert_int_equal(wr_blob_get(test_dir, hex, &out, &err), 0);
	assert_int_equal(out.len, 6);
	assert_memory_equal(out.data, "plan\0x", 6);
	assert_int_equal(wr_blob_put(l, "", 0, hex, &err), 0);
	assert_int_equal(wr_blob_get(test_dir, hex, &out, &err), 0);
	assert_int_equal(out.len, 0);
	/* A damaged one is told, and mended by putting it once more. */
	(void)snprintf(path, sizeof path, "blobs/sha256/%s", again);
	spit(in_dir(path), "plan\0y", 6);
	assert_int_equal(wr_blob_get(test_dir, again, &out, &err), -1);
	assert_int_equal(err.code, WR_E_CORRUPT);
	assert_int_equal(wr_blob_put(l, "plan\0x", 6, again, &err), 0);
	assert_int_equal(wr_blob_get(test_dir, again, &out, &err), 0);
	wr_buf_free(&out);
	wr_ledger_close(l);
}

static void refuses(void **state)
{
	(void)state;
	wr_ledger_opts opts = test_opts();
	wr_ledger *l = must_open(&opts, NULL);
	wr_err err = {0};
	char hex[WR_HEX_LEN];
	wr_buf out = WR_BUF_INIT(WR_BLOB_MAX);
	char *big = calloc(1, WR_BLOB_MAX + 1);
	assert_int_equal(wr_blob_put(l, big, WR_BLOB_MAX + 1, hex, &err), -1);
	assert_int_equal(err.code, WR_E_LIMIT);
	assert_int_equal(wr_blob_put(l, big, WR_BLOB_MAX, hex, &err), 0);
	free(big);
	assert_int_equal(wr_blob_get(test_dir, hex, &out, &err), 0);
	assert_int_equal(wr_blob_get(test_dir, "../../etc/passwd", &out, &err), -1);
	assert_int_equal(err.code, WR_E_INVALID);
	hex[0] = 'A';
	assert_int_equal(wr_blob_get(test_dir, hex, &out, &err), -1);
	assert_int_equal(err.code, WR_E_INVALID);
	memset(hex, '0', 64);
	assert_int_equal(wr_blob_get(test_dir, hex, &out, &err), -1);
	assert_int_equal(err.code, WR_E_NOT_FOUND);
	wr_ledger_close(l);
	opts.read_only = true;
	l = must_open(&opts, NULL);
	assert_int_equal(wr_blob_put(l, "x", 1, hex, &err), -1);
	assert_int_equal(err.code, WR_E_DENIED);
	wr_ledger_close(l);
	wr_buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {LEDGER_TEST(put_and_get), LEDGER_TEST(refuses)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
