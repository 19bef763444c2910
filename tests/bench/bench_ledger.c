/* bench_ledger.c: appends a second, beside a bare write+fdatasync loop on the same disk in the same
 * run.
 *
 * usage: bench_ledger [SECONDS]. Figures are ratios: the disk's own speed differs from machine to
 * machine. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "warroom/io.h"
#include "warroom/ledger.h"
#include "warroom/verify.h"

#define WRITERS 64

static atomic_bool stop;

static json_t *receipt(void)
{
	return json_pack("{s:s, s:s, s:s, s:i, s:s}", "operation", "verdict_changed", "region",
	                 "us-central1", "to", "DOWN", "first_breach", 12345, "reason",
	                 "synthetic, mesh, control_plane breached for 5:00 of 5:00; two observers "
	                 "agree; every reference answers; nothing else is known to be wrong");
}

static double bare(const char *dir, int64_t ms)
{
	char path[512], line[500];
	snprintf(path, sizeof path, "%s/bare", dir);
	memset(line, 'x', sizeof line);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	int64_t start = wr_mono_ms(&wr_clock_system), n = 0;
	while (fd >= 0 && wr_mono_ms(&wr_clock_system) - start < ms) {
		if (write(fd, line, sizeof line) != (ssize_t)sizeof line || fdatasync(fd) != 0) break;
		n++;
	}
	if (fd >= 0) close(fd);
	return (double)n * 1000 / (double)(wr_mono_ms(&wr_clock_system) - start);
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
	int64_t start = wr_mono_ms(&wr_clock_system), n = 0;
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
	return (double)n * 1000 / (double)(wr_mono_ms(&wr_clock_system) - start);
}

int main(int argc, char **argv)
{
	int64_t ms = (argc > 1 ? strtoll(argv[1], NULL, 10) : 3) * 1000;
	char dir[] = "/tmp/warroom-bench.XXXXXX", ledger_dir[128], cmd[64];
	wr_err err = {0};
	if (!mkdtemp(dir)) return 1;
	snprintf(ledger_dir, sizeof ledger_dir, "%s/ledger", dir);
	wr_ledger_opts opts = {.dir = ledger_dir,
	                       .partition = "bench",
	                       .stream = "ops",
	                       .actor = "bench",
	                       .clock = &wr_clock_system,
	                       .random = &wr_random_system};
	wr_ledger_opened opened;
	wr_ledger *l = wr_ledger_open_dir(&opts, &opened, &err);
	if (!l) {
		fprintf(stderr, "bench_ledger: %s\n", err.msg);
		return 1;
	}
	double base = bare(dir, ms), one = appends(l, 1, ms), many = appends(l, WRITERS, ms);
	wr_ledger_close(l);
	wr_verify_report rep = {0};
	int64_t start = wr_mono_ms(&wr_clock_system);
	bool ok = wr_ledger_verify(ledger_dir, &rep, NULL, NULL, &err) == 0 && rep.ok;
	int64_t took = wr_mono_ms(&wr_clock_system) - start;
	printf("ledger: bare write+fdatasync %.0f/s; one writer %.2f of that; %d writers %.1f times "
	       "that\n",
	       base, one / base, WRITERS, many / base);
	printf("ledger: verify %lld receipts: %.2f million/s, %s\n", (long long)rep.checked,
	       (double)rep.checked / 1000 / (double)(took ? took : 1), ok ? "verified" : "BROKEN");
	wr_verify_free(&rep);
	fflush(stdout);
	snprintf(cmd, sizeof cmd, "%s", dir);
	execlp("rm", "rm", "-rf", cmd, (char *)NULL);
	return ok ? 0 : 1;
}
