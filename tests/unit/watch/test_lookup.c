/* test_lookup.c: a name server that never answers: probes of other hosts go on, and the lookups
 * that hang do not pile up.
 *
 * The getaddrinfo defined here stands before libc's, for libcurl too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hostile.h"
#include "warroom/watch.h"

#define HANGING    20
#define HEALTHY    20
#define PATIENCE_S 120

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static bool open_;
static atomic_int lookups, waiting;
static atomic_int samples[HANGING + HEALTHY];
static atomic_int wrong;

int getaddrinfo(const char *restrict name, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict out)
{
	union {
		void *p;
		int (*f)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	} next = {.p = dlsym(RTLD_NEXT, "getaddrinfo")};
	if (!name || strcmp(name, "hang.example") != 0) return next.f(name, service, hints, out);
	atomic_fetch_add(&lookups, 1);
	atomic_fetch_add(&waiting, 1);
	(void)pthread_mutex_lock(&gate);
	while (!open_) (void)pthread_cond_wait(&opened, &gate);
	(void)pthread_mutex_unlock(&gate);
	atomic_fetch_sub(&waiting, 1);
	return EAI_AGAIN;
}

static void sink(void *ctx, const wr_sample *s)
{
	(void)ctx;
	bool hangs = s->index < HANGING;
	if (s->vars.error != hangs || (hangs && !strstr(s->detail, "look"))) atomic_store(&wrong, 1);
	atomic_fetch_add(&samples[s->index], 1);
}

static void await(size_t from, size_t to, int times)
{
	for (int i = 0; i < PATIENCE_S * 100; i++) {
		bool all = true;
		for (size_t k = from; k < to; k++) all = all && atomic_load(&samples[k]) >= times;
		if (all) return;
		(void)poll(NULL, 0, 10);
	}
	fail_msg("no %d samples of each", times);
}

static void hanging_lookups(void **state)
{
	(void)state;
	static wr_signal signals[HANGING + HEALTHY];
	static char names[HANGING + HEALTHY][16], url[64];
	hostile *server = hostile_start();
	(void)snprintf(url, sizeof url, "http://127.0.0.1:%d/ok", server->port);
	for (size_t i = 0; i < HANGING + HEALTHY; i++) {
		(void)snprintf(names[i], sizeof names[i], "s-%zu", i);
		bool hangs = i < HANGING;
		signals[i] = (wr_signal){
		    .name = names[i],
		    .region = "us",
		    .interval_ms = 50,
		    .timeout_ms = hangs ? 100 : 60000,
		    .probe = {.kind = WR_PROBE_HTTP,
		              .url = hangs ? "http://hang.example/" : url,
		              .pointer = ""},
		};
	}
	const wr_config cfg = {.signals = signals, .signal_count = HANGING + HEALTHY};
	wr_err err = {0};
	wr_prober *p = wr_prober_start(&cfg, &wr_clock_system, sink, NULL, &err);
	assert_non_null(p);
	await(0, HANGING, 20);
	await(HANGING, HANGING + HEALTHY, 20);
	int asked = atomic_load(&lookups), failures = 0;
	for (size_t i = 0; i < HANGING; i++) failures += atomic_load(&samples[i]);
	wr_prober_stop(p); /* does not wait for the lookups either */
	assert_int_equal(atomic_load(&wrong), 0);
	assert_true(failures >= 20 * HANGING);
	assert_true(asked < failures / 4);
	(void)pthread_mutex_lock(&gate);
	open_ = true;
	(void)pthread_cond_broadcast(&opened);
	(void)pthread_mutex_unlock(&gate);
	while (atomic_load(&waiting) > 0) (void)poll(NULL, 0, 10);
	hostile_stop(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(hanging_lookups)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
