/* bench_probes.c: does one core keep up with 1,000 probes a second? Not a test: it prints.
 *
 * usage: bench_probes [TARGETS [SECONDS [HANGING]]]
 * A local web server answers TARGETS targets, of which HANGING are never answered (they time out).
 * Printed: probes done a second, how late they began, and the CPU seconds of the prober's thread.
 */
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "warroom/watch.h"

#define INTERVAL_MS 1000

static const char PAGE[] = "{\"status\":\"ok\",\"p95_ms\":12.5,\"errors\":0,\"version\":\"1.2.3\"}";

typedef struct tally {
	atomic_ullong samples, errors;
	atomic_llong cpu_us; /* of the thread that calls the sink */
} tally;

static enum MHD_Result answer(void *ctx, struct MHD_Connection *c, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **request)
{
	(void)method, (void)version, (void)upload, (void)upload_size, (void)request;
	if (strncmp(url, "/hang", 5) == 0) {
		MHD_suspend_connection(c);
		return MHD_YES;
	}
	return MHD_queue_response(c, MHD_HTTP_OK, ctx);
}

static void sink(void *ctx, const wr_sample *s)
{
	tally *t = ctx;
	struct timespec cpu;
	atomic_fetch_add(&t->samples, 1);
	if (s->vars.error) atomic_fetch_add(&t->errors, 1);
	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu) == 0)
		atomic_store(&t->cpu_us, (long long)cpu.tv_sec * 1000000 + cpu.tv_nsec / 1000);
}

static wr_signal *make_signals(size_t count, size_t hanging, unsigned port)
{
	wr_signal *signals = calloc(count, sizeof *signals);
	char(*names)[32] = calloc(count, sizeof *names), (*urls)[64] = calloc(count, sizeof *urls);
	if (!signals || !names || !urls) exit(1);
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(names[i], sizeof names[i], "signal-%zu", i);
		(void)snprintf(urls[i], sizeof urls[i], "http://127.0.0.1:%u/%s/%zu", port,
		               i < hanging ? "hang" : "health", i);
		signals[i] =
		    (wr_signal){.name = names[i],
		                .region = "us",
		                .interval_ms = INTERVAL_MS,
		                .timeout_ms = INTERVAL_MS,
		                .probe = {.kind = WR_PROBE_HTTP, .url = urls[i], .pointer = "/p95_ms"}};
	}
	return signals;
}

static void raise_descriptors(void)
{
	struct rlimit r;
	if (getrlimit(RLIMIT_NOFILE, &r)) return;
	r.rlim_cur = r.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &r);
}

static void measure(const wr_config *cfg, unsigned seconds)
{
	tally t = {0};
	wr_err err = {0};
	wr_prober_stats stats;
	int64_t start_ms = wr_mono_ms(&wr_clock_system);
	wr_prober *p = wr_prober_start(cfg, &wr_clock_system, sink, &t, &err);
	if (!p) {
		(void)fprintf(stderr, "%s\n", err.msg);
		exit(1);
	}
	(void)sleep(seconds);
	wr_prober_get_stats(p, &stats);
	double took_s = (double)(wr_mono_ms(&wr_clock_system) - start_ms) / 1000;
	wr_prober_stop(p);
	double cpu_s = (double)atomic_load(&t.cpu_us) / 1e6;
	printf("targets %zu  seconds %.1f  done %llu  done/s %.0f  errors %llu\n", cfg->signal_count,
	       took_s, (unsigned long long)stats.done, (double)stats.done / took_s,
	       (unsigned long long)atomic_load(&t.errors));
	printf("late %llu  worst lateness %lld ms\n", (unsigned long long)stats.late,
	       (long long)stats.worst_late_ms);
	printf("prober thread CPU %.2f s (%.0f %% of a core, %.0f us a probe)\n", cpu_s,
	       100 * cpu_s / took_s, stats.done ? 1e6 * cpu_s / (double)stats.done : 0);
}

static size_t argument(int argc, char **argv, int i, size_t otherwise)
{
	return argc > i ? (size_t)strtoul(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	size_t targets = argument(argc, argv, 1, 1000), hanging = argument(argc, argv, 3, 0);
	unsigned seconds = (unsigned)argument(argc, argv, 2, 10);
	raise_descriptors();
	struct MHD_Response *page = MHD_create_response_from_buffer(
	    sizeof PAGE - 1, (char *)(uintptr_t)PAGE, MHD_RESPMEM_PERSISTENT);
	struct MHD_Daemon *d =
	    MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
	                     answer, page, MHD_OPTION_CONNECTION_LIMIT, 8192u, MHD_OPTION_END);
	if (!d || !page || targets == 0 || hanging > targets) {
		(void)fprintf(stderr, "usage: bench_probes [TARGETS [SECONDS [HANGING]]]\n");
		return 2;
	}
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT);
	wr_config cfg = {.signals = make_signals(targets, hanging, info->port),
	                 .signal_count = targets};
	measure(&cfg, seconds);
	/* The suspended connections would keep the daemon from stopping. */
	(void)fflush(stdout);
	_exit(0);
}
