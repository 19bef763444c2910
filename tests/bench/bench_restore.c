/* bench_restore.c: a ledger of 100,000 signed receipts restored from a snapshot, a changelog and
 * the damaged ledger, beside plain verification of the same receipts in the same run.
 *
 * usage: bench_restore [RECEIPTS] */
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "warroom/export.h"
#include "warroom/io.h"
#include "warroom/ledger.h"
#include "warroom/restore.h"
#include "warroom/verify.h"

#define BEST_OF 3

static char tmp[64];

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void remove_tree(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int die(const char *what)
{
	(void)fprintf(stderr, "bench_restore: %s\n", what);
	remove_tree(tmp);
	return 1;
}

static const char *in_tmp(char out[static 128], const char *name)
{
	(void)snprintf(out, 128, "%s/%s", tmp, name);
	return out;
}

static int grow(const char *dir, const char *key, long n, wr_err *err)
{
	const wr_ledger_opts opts = {.dir = dir,
	                             .partition = "us-central1",
	                             .stream = "ops",
	                             .actor = "engine:bastion",
	                             .engine_key = key};
	wr_ledger *l = wr_ledger_open_dir(&opts, NULL, err);
	if (!l) return -1;
	int rc = 0;
	for (long i = 0; i < n && rc == 0; i++)
		rc = wr_ledger_append(l,
		                      json_pack("{s:s, s:s, s:s, s:I, s:s}", "operation", "verdict_changed",
		                                "region", "us-central1", "to", "DOWN", "number",
		                                (json_int_t)i, "reason",
		                                "synthetic, mesh breached for 5:00 of 5:00; two observers "
		                                "agree; every reference answers"),
		                      1, NULL, err);
	wr_ledger_close(l);
	return rc;
}

static int copy_out(const char *from, const char *to, int64_t since, wr_err *err)
{
	wr_export_report r;
	const wr_export_opts o = {
	    .ledger = from, .to = to, .since = {.kind = WR_SINCE_SEQ, .seq = since}};
	if (wr_export(&o, &r, err)) return -1;
	wr_export_free(&r);
	return 0;
}

/* A byte in the middle. */
static int damage(const char *dir)
{
	char path[256];
	(void)snprintf(path, sizeof path, "%s/us-central1/ops/00000000000000000000.jsonl", dir);
	FILE *f = fopen(path, "r+");
	if (!f || fseek(f, 0, SEEK_END)) return -1;
	long middle = ftell(f) / 2;
	int rc = fseek(f, middle, SEEK_SET) || fputc('\x7f', f) == EOF ? -1 : 0;
	return fclose(f) || rc ? -1 : 0;
}

static double seconds_since(int64_t start_ms)
{
	return (double)(wr_mono_ms(&wr_clock_system) - start_ms) / 1000;
}

int main(int argc, char **argv)
{
	char whole[128], snapshot[128], log[128], key[128], into[128];
	long n = argc > 1 ? strtol(argv[1], NULL, 10) : 100000;
	wr_err err = {0};
	(void)snprintf(tmp, sizeof tmp, "%s/wr-bench-XXXXXX",
	               access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(tmp)) return die("no directory");
	(void)in_tmp(key, "key");
	(void)in_tmp(log, "log");
	(void)in_tmp(into, "into");
	if (grow(in_tmp(whole, "whole"), key, n * 9 / 10, &err) ||
	    copy_out(whole, in_tmp(snapshot, "snapshot"), 0, &err) ||
	    grow(whole, key, n - n * 9 / 10, &err) || copy_out(whole, log, n * 9 / 10 - 100, &err) ||
	    damage(whole))
		return die(err.msg);
	double verify = 1e9, restore = 1e9;
	const char *logs[] = {log};
	const wr_restore_opts o = {.snapshot = snapshot,
	                           .changelogs = logs,
	                           .changelog_count = 1,
	                           .damaged = whole,
	                           .into = into,
	                           .engine_key = key};
	for (int i = 0; i < BEST_OF; i++) {
		wr_restore_report r;
		wr_verify_report v;
		int64_t start = wr_mono_ms(&wr_clock_system);
		if (wr_restore(&o, &r, &err) || r.lost) return die(*err.msg ? err.msg : "receipts lost");
		double took = seconds_since(start);
		wr_restore_free(&r);
		if (took < restore) restore = took;
		start = wr_mono_ms(&wr_clock_system);
		if (wr_ledger_verify(into, &v, NULL, NULL, &err) || !v.ok) return die("does not verify");
		took = seconds_since(start);
		wr_verify_free(&v);
		if (took < verify) verify = took;
		remove_tree(into);
	}
	if (verify <= 0) verify = 0.001;
	printf(
	    "restore: %ld receipts, snapshot + changelog + damaged ledger, signed: %.2f s, %.1f times "
	    "plain verification (%.3f s)\n",
	    n, restore, restore / verify, verify);
	remove_tree(tmp);
	return 0;
}
