/* http.c: see http.h: time, and the state of the servers. The code of the main thread. */
#include "sim/http.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "sim/server.h"
#include "warroom/clock.h"
#include "warroom/log.h"

#define LOOP_MS     20   /* the longest sleep: black holes and waiters are looked at so often */
#define CATCH_UP_MS 1000 /* real time that is made up for after a stall; more is skipped */
#define BATCH_TICKS 50   /* of one holding of the lock */
#define BUSY_MS     100  /* real time that one round of catching up may take */

/* advance moves the model by the real time that has passed. What cannot be caught up with is
 * skipped and counted, so that a great speed never starves the servers. */
static void advance(wr_simd *d)
{
	int64_t now = wr_mono_ms(&wr_clock_system);
	int64_t passed = now - d->last_ms;
	d->last_ms = now;
	pthread_mutex_lock(&d->lock);
	int64_t speed = d->dial.speed_milli;
	if (passed > CATCH_UP_MS) {
		d->dial.behind_ms += (passed - CATCH_UP_MS) * speed / 1000;
		passed = CATCH_UP_MS;
	}
	d->carry += passed * speed;
	int64_t due = d->carry / 1000;
	d->carry %= 1000;
	while (due > 0) {
		int64_t part = due < BATCH_TICKS * WR_SIM_TICK_MS ? due : BATCH_TICKS * WR_SIM_TICK_MS;
		wr_sim_step(d->sim, part);
		due -= part;
		if (wr_mono_ms(&wr_clock_system) - now > BUSY_MS) {
			d->dial.behind_ms += due;
			break;
		}
		pthread_mutex_unlock(&d->lock);
		pthread_mutex_lock(&d->lock);
	}
	pthread_mutex_unlock(&d->lock);
}

/* apply makes the sockets be what the model says, then tells who waits for that. */
static void apply(wr_simd *d)
{
	wr_sim_reach want[WR_SIM_SERVERS] = {WR_SIM_OPEN};
	pthread_mutex_lock(&d->lock);
	uint64_t asked = d->asked;
	for (int i = 1; i < d->server_count; i++) want[i] = wr_sim_region_reach(d->sim, i - 1);
	pthread_mutex_unlock(&d->lock);
	for (int i = 1; i < d->server_count; i++) {
		wr_sim_server *v = &d->servers[i];
		wr_err err = {0};
		if (wr_sim_server_become(v, want[i], &err) == 0) {
			v->complained = false;
		} else if (!v->complained) { /* and tried again in the next round */
			wr_log(WR_LOG_ERROR, "sim", "%s", err.msg);
			v->complained = true;
		}
		wr_sim_server_tend(v);
	}
	pthread_mutex_lock(&d->lock);
	d->applied = asked;
	pthread_cond_broadcast(&d->settled);
	pthread_mutex_unlock(&d->lock);
}

static void drain_eventfd(int fd)
{
	uint64_t n;
	if (read(fd, &n, sizeof n) < 0) return; /* nothing there: another wake-up took it */
}

void wr_simd_run(wr_simd *d, int parent_fd)
{
	struct pollfd fds[] = {{.fd = d->stop_fd, .events = POLLIN},
	                       {.fd = d->wake_fd, .events = POLLIN},
	                       {.fd = parent_fd, .events = POLLIN}};
	d->last_ms = wr_mono_ms(&wr_clock_system);
	for (;;) {
		int n = poll(fds, 3, LOOP_MS);
		if (n < 0 && errno != EINTR) break;
		if (n > 0 && (fds[0].revents != 0 || fds[2].revents != 0)) break;
		if (n > 0 && fds[1].revents != 0) drain_eventfd(d->wake_fd);
		advance(d);
		apply(d);
		wr_sim_release(d, WR_SIM_ALL_SERVERS, wr_mono_ms(&wr_clock_system), false);
	}
	pthread_mutex_lock(&d->lock);
	d->stopping = true;
	pthread_cond_broadcast(&d->settled);
	pthread_mutex_unlock(&d->lock);
	for (int i = 0; i < d->server_count; i++) wr_sim_server_close(&d->servers[i]);
}

void wr_simd_stop(wr_simd *d)
{
	uint64_t one = 1;
	int saved = errno;
	if (write(d->stop_fd, &one, sizeof one) < 0) { /* full: stopping already */
	}
	errno = saved;
}

static int open_server(wr_simd *d, int i, const wr_simd_options *o, wr_err *err)
{
	wr_sim_server *v = &d->servers[i];
	v->connections = o->connections != 0 ? o->connections : WR_SIM_CONNECTIONS_MAX;
	v->idle_s = o->idle_s != 0 ? o->idle_s : WR_SIM_IDLE_S;
	if (wr_sim_server_bind(v, o->listen_base != 0 ? o->listen_base + i : 0, err) != 0) return -1;
	wr_sim_reach reach = i == 0 ? WR_SIM_OPEN : wr_sim_region_reach(d->sim, i - 1);
	return wr_sim_server_become(v, reach, err);
}

wr_simd *wr_simd_open(wr_sim *take, const wr_simd_options *o, wr_err *err)
{
	wr_simd *d = calloc(1, sizeof *d);
	if (d == NULL) {
		wr_sim_free(take);
		(void)wr_fail(err, WR_E_NOMEM, "out of memory");
		return NULL;
	}
	d->sim = take;
	d->dial.speed_milli = o->speed_milli;
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->settled, NULL);
	d->server_count = wr_sim_region_count(take) + 1;
	for (int i = 0; i < d->server_count; i++)
		d->servers[i] = (wr_sim_server){
		    .d = d, .index = i - 1, .now = WR_SIM_CLOSED, .reserve_fd = -1, .hole_fd = -1};
	d->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	d->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	bool ok = d->wake_fd >= 0 && d->stop_fd >= 0;
	if (!ok) (void)wr_fail(err, WR_E_IO, "cannot make an eventfd: too many open files?");
	for (int i = 0; ok && i < d->server_count; i++) ok = open_server(d, i, o, err) == 0;
	if (ok) return d;
	wr_simd_free(d);
	return NULL;
}

int wr_simd_port(const wr_simd *d, int region)
{
	WR_ASSERT(region >= WR_SIM_CONTROL && region + 1 < d->server_count);
	return d->servers[region + 1].port;
}

const char *wr_simd_region(const wr_simd *d, int region)
{
	return wr_sim_region_name(d->sim, region);
}

int wr_simd_regions(const wr_simd *d)
{
	return d->server_count - 1;
}

void wr_simd_free(wr_simd *d)
{
	if (d == NULL) return;
	pthread_mutex_lock(&d->lock);
	d->stopping = true; /* when it never ran, handlers may be running all the same */
	pthread_cond_broadcast(&d->settled);
	pthread_mutex_unlock(&d->lock);
	for (int i = 0; i < d->server_count; i++) wr_sim_server_close(&d->servers[i]);
	wr_sim_free(d->sim);
	pthread_cond_destroy(&d->settled);
	pthread_mutex_destroy(&d->lock);
	if (d->wake_fd >= 0) close(d->wake_fd);
	if (d->stop_fd >= 0) close(d->stop_fd);
	free(d);
}
