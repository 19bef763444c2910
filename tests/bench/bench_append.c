/* bench_append.c: appends a second, beside what the disk does bare: write + fdatasync of 500 bytes,
 * and of 64 times as much, on a growing file in the same directory.
 *
 * usage: bench_append [ROUNDS [MS]]. Rounds are interleaved and the medians compared: the disk's
 * own speed differs from machine to machine and from second to second. Then: how long opening takes
 * (1 million receipts, or WR_BENCH_MILLIONS). */
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger/store.h"
#include "warroom/io.h"

#define WRITERS    64
#define ROUNDS_MAX 101
#define LINE       500

static atomic_bool stop;

static int64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Of 500 bytes, once it is in the chain. */
static json_t *receipt(void)
{
	return json_pack("{s:s, s:s, s:s, s:i, s:s}", "operation", "verdict_changed", "region",
	                 "us-central1", "to", "DOWN", "first_breach", 12345, "reason",
	                 "synthetic, mesh breached for 5:00 of 5:00; two observers agree");
}

static double bare(const char *dir, int64_t ms, size_t at_once)
{
	static char lines[WRITERS * LINE];
	char path[512];
	snprintf(path, sizeof path, "%s/bare", dir);
	memset(lines, 'x', sizeof lines);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	int64_t start = now_us(), n = 0;
	while (fd >= 0 && now_us() - start < ms * 1000) {
		if (write(fd, lines, at_once * LINE) != (ssize_t)(at_once * LINE) || fdatasync(fd) != 0)
			break;
		n += (int64_t)at_once;
	}
	if (fd >= 0) close(fd);
	double took = (double)(now_us() - start);
	unlink(path);
	return (double)n * 1e6 / took;
}

typedef struct writer {
	wr_ledger *ledger;
	int64_t done;
} writer;

static void *write_all(void *ctx)
{
	writer *w = ctx;
	int64_t seq;
	while (!atomic_load(&stop) && wr_ledger_append(w->ledger, receipt(), 1, &seq, NULL) == 0)
		w->done++;
	return NULL;
}

static double appends(wr_ledger *l, int writers, int64_t ms)
{
	pthread_t t[WRITERS];
	writer w[WRITERS];
	int64_t start = now_us(), n = 0;
	atomic_store(&stop, false);
	for (int i = 0; i < writers; i++) {
		w[i] = (writer){.ledger = l};
		if (pthread_create(&t[i], NULL, write_all, &w[i]) != 0) exit(1);
	}
	usleep((useconds_t)(ms * 1000));
	atomic_store(&stop, true);
	for (int i = 0; i < writers; i++) {
		pthread_join(t[i], NULL);
		n += w[i].done;
	}
	return (double)n * 1e6 / (double)(now_us() - start);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static double median(double *list, int n)
{
	qsort(list, (size_t)n, sizeof *list, by_value);
	return list[n / 2];
}

static wr_ledger *must_open(const char *dir, const char *key, const wr_fs *fs, bool threads)
{
	wr_err err = {0};
	wr_ledger_opts opts = {.dir = dir,
	                       .partition = "bench",
	                       .stream = "ops",
	                       .actor = "engine:bench",
	                       .engine_key = key,
	                       .clock = &wr_clock_system,
	                       .random = &wr_random_system};
	wr_ledger *l = threads ? wr_ledger_open_with(&opts, fs, NULL, &err)
	                       : wr_ledger_open_alone(&opts, fs, NULL, &err);
	if (l) return l;
	fprintf(stderr, "bench_append: %s\n", err.msg);
	exit(1);
}

static void compare(const char *dir, const char *ledger_dir, const char *key, int rounds,
                    int64_t ms)
{
	static double base[ROUNDS_MAX], base64[ROUNDS_MAX], one[ROUNDS_MAX], many[ROUNDS_MAX];
	static double one_ratio[ROUNDS_MAX], many_ratio[ROUNDS_MAX];
	wr_ledger *l = must_open(ledger_dir, key, &wr_fs_system, true);
	for (int i = 0; i < rounds; i++) {
		base[i] = bare(dir, ms, 1);
		one[i] = appends(l, 1, ms);
		base64[i] = bare(dir, ms, WRITERS);
		many[i] = appends(l, WRITERS, ms);
		one_ratio[i] = one[i] / base[i];
		many_ratio[i] = many[i] / base[i];
	}
	wr_ledger_close(l);
	printf("append: bare write+fdatasync of %d bytes: %.0f/s; of %d at a time: %.0f/s\n", LINE,
	       median(base, rounds), WRITERS, median(base64, rounds));
	printf("append: one writer %.0f/s, %.2f times the bare loop; %d writers %.0f/s, %.1f times "
	       "(medians of %d rounds of %lld ms)\n",
	       median(one, rounds), median(one_ratio, rounds), WRITERS, median(many, rounds),
	       median(many_ratio, rounds), rounds, (long long)ms);
}

/* ---- opening ---- */

static int no_sync(void *ctx, int fd, bool data_only)
{
	(void)ctx;
	(void)fd;
	(void)data_only;
	return 0;
}

static void generate(wr_ledger *l, int64_t count)
{
	json_t *drafts[WR_UNIT_MAX];
	wr_err err = {0};
	for (int64_t done = 0; done < count; done += WR_UNIT_MAX) {
		for (size_t i = 0; i < WR_UNIT_MAX; i++) drafts[i] = receipt();
		if (wr_ledger_submit(l, drafts, WR_UNIT_MAX, 1, NULL, NULL, &err) != 0) {
			fprintf(stderr, "bench_append: %s\n", err.msg);
			exit(1);
		}
	}
}

static int count_one(void *ctx, const wr_receipt *r)
{
	(void)r;
	++*(int64_t *)ctx;
	return 0;
}

static void opening(const char *dir, const char *key)
{
	const char *millions = getenv("WR_BENCH_MILLIONS");
	int64_t count = (millions ? strtoll(millions, NULL, 10) : 1) * 1000000, read = 0;
	wr_fs quick = wr_fs_system;
	wr_head head;
	wr_err err = {0};
	quick.sync = no_sync;
	int64_t t0 = now_us();
	wr_ledger *l = must_open(dir, key, &quick, false);
	generate(l, count);
	wr_ledger_close(l);
	sync();
	int64_t t1 = now_us();
	l = must_open(dir, key, &wr_fs_system, true);
	int64_t t2 = now_us();
	wr_ledger_head(l, &head);
	if (wr_ledger_read(l, 0, count_one, &read, &err) != 0) fprintf(stderr, "%s\n", err.msg);
	int64_t t3 = now_us();
	int64_t middle = 0;
	if (wr_ledger_read(l, head.count / 3, count_one, &middle, &err) < 0)
		fprintf(stderr, "%s\n", err.msg);
	wr_ledger_close(l);
	printf("open: %lld receipts in %.3f s (made in %.1f s, read whole in %.1f s: %.2f million/s)\n",
	       (long long)head.count, (double)(t2 - t1) / 1e6, (double)(t1 - t0) / 1e6,
	       (double)(t3 - t2) / 1e6, (double)read / (double)(t3 - t2));
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 5;
	int64_t ms = argc > 2 ? strtoll(argv[2], NULL, 10) : 1000;
	const char *tmp = getenv("TMPDIR");
	char dir[128], ledger_dir[160], other_dir[160], key[160];
	snprintf(dir, sizeof dir, "%.90s/warroom-bench.XXXXXX", tmp ? tmp : "/tmp");
	if (rounds < 1 || rounds > ROUNDS_MAX || ms < 1 || !mkdtemp(dir)) return 2;
	snprintf(ledger_dir, sizeof ledger_dir, "%s/ledger", dir);
	snprintf(other_dir, sizeof other_dir, "%s/long", dir);
	snprintf(key, sizeof key, "%s/engine.key", dir);
	compare(dir, ledger_dir, key, rounds, ms);
	if (!getenv("WR_BENCH_NO_OPEN")) opening(other_dir, key);
	(void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}
