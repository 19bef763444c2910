/* fixture.h: what the ledger's tests share: a directory of their own, a clock and randomness that
 * are the same every time, drafts, and files read and damaged. */
#ifndef WR_TEST_LEDGER_FIXTURE_H
#define WR_TEST_LEDGER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "warroom/io.h"
#include "warroom/ledger.h"
#include "warroom/verify.h"

#define T0         INT64_C(1769344815123456) /* 2026-01-25T12:40:15.123456Z */
#define CHAIN_NAME "us-central1/ops"
#define UNUSED     __attribute__((unused))

static char test_dir[64];

/* ---- time and chance ---- */

static _Atomic int64_t test_now = T0; /* a ledger has threads */

static UNUSED int64_t test_wall(void *ctx)
{
	(void)ctx;
	return atomic_fetch_add(&test_now, 1000) + 1000;
}

static UNUSED int64_t test_mono(void *ctx)
{
	(void)ctx;
	return test_now / 1000;
}

static UNUSED const wr_clock test_clock = {.mono_ms = test_mono, .wall_us = test_wall};

static UNUSED uint64_t test_next(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static UNUSED void test_fill(void *ctx, void *out, size_t len)
{
	uint8_t *p = out;
	for (size_t i = 0; i < len; i++) p[i] = (uint8_t)test_next(ctx);
}

static uint64_t test_seed = 42;
static UNUSED const wr_random test_random = {.fill = test_fill, .ctx = &test_seed};

/* ---- a directory ---- */

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static UNUSED void remove_tree(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static UNUSED int make_test_dir(void **state)
{
	(void)state;
	const char *root = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	(void)snprintf(test_dir, sizeof test_dir, "%s/wr-ledger-XXXXXX", root);
	test_now = T0;
	test_seed = 42;
	return mkdtemp(test_dir) ? 0 : -1;
}

static UNUSED int drop_test_dir(void **state)
{
	(void)state;
	remove_tree(test_dir);
	return 0;
}

#define LEDGER_TEST(f) cmocka_unit_test_setup_teardown(f, make_test_dir, drop_test_dir)

/* The path of something in the test's directory; four at a time stay valid. */
static UNUSED const char *in_dir(const char *name)
{
	static char paths[4][512];
	static unsigned turn;
	char *path = paths[turn++ % 4];
	(void)snprintf(path, sizeof paths[0], "%s/%s", test_dir, name);
	return path;
}

static UNUSED const char *in_chain(const char *name)
{
	char relative[384];
	(void)snprintf(relative, sizeof relative, CHAIN_NAME "/%.300s", name);
	return in_dir(relative);
}

static UNUSED const char *segment_file(int64_t first)
{
	char name[64];
	(void)snprintf(name, sizeof name, "%020lld.jsonl", (long long)first);
	return in_chain(name);
}

static UNUSED void slurp(wr_buf *out, const char *path)
{
	wr_err err = {0};
	wr_buf_init(out, 64u << 20);
	if (wr_read_file(out, path, 64u << 20, WR_ANY, &err)) fail_msg("%s", err.msg);
}

static UNUSED void spit(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	assert_int_equal(close(fd), 0);
}

static UNUSED void append_bytes(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	assert_int_equal(close(fd), 0);
}

static UNUSED int64_t file_size(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

/* How many files in the chain's directory begin with `prefix`. */
static UNUSED int count_files(const char *prefix)
{
	int n = 0;
	DIR *d = opendir(in_dir(CHAIN_NAME));
	const struct dirent *e;
	assert_non_null(d);
	while ((e = readdir(d)))
		if (strncmp(e->d_name, prefix, strlen(prefix)) == 0) n++;
	(void)closedir(d);
	return n;
}

/* ---- a ledger ---- */

static UNUSED wr_ledger_opts test_opts(void)
{
	return (wr_ledger_opts){.dir = test_dir,
	                        .partition = "us-central1",
	                        .stream = "ops",
	                        .actor = "engine:bastion",
	                        .clock = &test_clock,
	                        .random = &test_random};
}

static UNUSED wr_ledger *must_open(const wr_ledger_opts *opts, wr_ledger_opened *opened)
{
	wr_err err = {0};
	wr_ledger *l = wr_ledger_open_dir(opts, opened, &err);
	if (!l) fail_msg("%s", err.msg);
	return l;
}

static UNUSED json_t *note(int i)
{
	return json_pack("{s:s, s:i, s:s, s:b}", "operation", "drill_noted", "number", i, "text",
	                 "zwei Kilo \"Äpfel\"\n", "late", i % 2);
}

static UNUSED void must_append(wr_ledger *l, int i)
{
	wr_err err = {0};
	int64_t seq;
	if (wr_ledger_append(l, note(i), 1, &seq, &err)) fail_msg("%s", err.msg);
}

/* A closed ledger of n receipts. */
static UNUSED void make_ledger(int n, size_t segment_max)
{
	wr_ledger_opts opts = test_opts();
	opts.segment_max = segment_max;
	wr_ledger *l = must_open(&opts, NULL);
	for (int i = 0; i < n; i++) must_append(l, i);
	wr_ledger_close(l);
}

#endif
