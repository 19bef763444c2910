/* cli.c: warroom-sim from its command line to its end: options, scenario, ports file, signals. */
#include "sim/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sim/http.h"
#include "sim/jw.h"
#include "sim/options.h"
#include "sim/scenario.h"
#include "warroom/clock.h"
#include "warroom/io.h"

#define EXIT_WRONG  2
#define FDS_RESERVE 64 /* beside the connections: sockets, epoll, the standard streams */

static _Atomic(wr_simd *) running; /* for the signal handler */
static atomic_bool asked_to_stop;  /* a signal came, perhaps before anything ran */

static void on_signal(int number)
{
	(void)number;
	atomic_store(&asked_to_stop, true);
	wr_simd *d = atomic_load(&running);
	if (d != NULL) wr_simd_stop(d);
}

static int complain(const wr_err *err)
{
	fprintf(stderr, "warroom-sim: %s\n", err->msg);
	return EXIT_WRONG;
}

static wr_sim *build(const wr_sim_options *o, wr_sim_scenario *sc, wr_err *err)
{
	wr_sim_config cfg;
	if (wr_sim_config_init(&cfg, o->platform, err) != 0) {
		(void)wr_err_wrap(err, "--platform");
		return NULL;
	}
	if (o->regions != NULL && wr_sim_config_regions(&cfg, o->regions, err) != 0) return NULL;
	if (o->links != NULL && wr_sim_config_links(&cfg, o->links, err) != 0) return NULL;
	memset(sc, 0, sizeof *sc);
	if (o->scenario != NULL && wr_sim_scenario_load(o->scenario, sc, err) != 0) return NULL;
	if (o->outage_at_ms >= 0) wr_sim_scenario_outage(sc, cfg.regions[0], o->outage_at_ms);
	if (sc->has_seed) cfg.seed = sc->seed;
	if (o->has_seed) cfg.seed = o->seed;
	cfg.start_us = o->has_start ? o->start_us : wr_wall_us(&wr_clock_system);
	wr_sim *s = wr_sim_new(&cfg, err);
	if (s != NULL && wr_sim_scenario_apply(sc, s, err) != 0) {
		wr_sim_free(s);
		return NULL;
	}
	return s;
}

static int write_ports(const wr_simd *d, const char *path, wr_err *err)
{
	wr_buf b = WR_BUF_INIT(4096);
	wr_jw w;
	wr_jw_begin(&w, &b);
	wr_jw_int(&w, "control", wr_simd_port(d, -1));
	wr_jw_object(&w, "regions");
	for (int i = 0; i < wr_simd_regions(d); i++)
		wr_jw_int(&w, wr_simd_region(d, i), wr_simd_port(d, i));
	wr_jw_object_end(&w);
	wr_jw_int(&w, "pid", getpid());
	wr_jw_end(&w);
	wr_buf_addc(&b, '\n');
	int rc = wr_buf_ok(&b) ? wr_write_file(path, b.data, b.len, 0644, err)
	                       : wr_fail(err, WR_E_NOMEM, "out of memory");
	wr_buf_free(&b);
	return rc == 0 ? 0 : wr_err_wrap(err, "--ports-file");
}

/* hold_standard_fds: with a closed standard output, the first socket would become it. */
static void hold_standard_fds(void)
{
	int fd;
	do fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO) close(fd);
}

static int say_ready(const wr_simd *d, wr_err *err)
{
	printf("ready control=%d", wr_simd_port(d, -1));
	for (int i = 0; i < wr_simd_regions(d); i++)
		printf(" %s=%d", wr_simd_region(d, i), wr_simd_port(d, i));
	putchar('\n');
	if (fflush(stdout) == 0) return 0;
	return wr_fail(err, WR_E_IO, "cannot print the ports: %s", strerror(errno));
}

/* connections_allowed raises the limit of open files for as many connections as we take, or takes
 * fewer. */
static unsigned connections_allowed(int servers)
{
	rlim_t want = (rlim_t)servers * WR_SIM_CONNECTIONS_MAX + FDS_RESERVE;
	struct rlimit r;
	if (getrlimit(RLIMIT_NOFILE, &r) != 0) return WR_SIM_CONNECTIONS_MAX / 8;
	if (r.rlim_cur < want) {
		r.rlim_cur = r.rlim_max < want ? r.rlim_max : want;
		if (setrlimit(RLIMIT_NOFILE, &r) != 0 && getrlimit(RLIMIT_NOFILE, &r) != 0)
			return WR_SIM_CONNECTIONS_MAX / 8;
	}
	rlim_t each = r.rlim_cur > FDS_RESERVE ? (r.rlim_cur - FDS_RESERVE) / (rlim_t)servers : 1;
	if (each > WR_SIM_CONNECTIONS_MAX) return WR_SIM_CONNECTIONS_MAX;
	return each > 0 ? (unsigned)each : 1;
}

static void catch_signals(void)
{
	struct sigaction stop = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

static int serve(wr_simd *d, const wr_sim_options *o, wr_err *err)
{
	int parent_fd = -1;
	if (o->parent_pid != 0) {
		parent_fd = (int)syscall(SYS_pidfd_open, (pid_t)o->parent_pid, 0);
		if (parent_fd < 0 && errno == ESRCH) return 0; /* gone already */
		if (parent_fd < 0)
			return wr_fail(err, WR_E_IO, "--parent-pid: cannot watch that process: %s",
			               strerror(errno));
	}
	int rc = o->ports_file != NULL ? write_ports(d, o->ports_file, err) : 0;
	if (rc == 0) rc = say_ready(d, err);
	if (rc == 0) wr_simd_run(d, parent_fd);
	if (parent_fd >= 0) close(parent_fd);
	return rc;
}

int wr_sim_main(int argc, char **argv)
{
	wr_sim_options o;
	wr_err err = {0};
	static wr_sim_scenario sc; /* large, and the program has one */
	hold_standard_fds();
	if (wr_sim_options_parse(argc, argv, &o, &err) != 0) return complain(&err);
	if (o.help) {
		wr_sim_usage(stdout);
		return 0;
	}
	if (o.version) {
		printf("warroom-sim %s\n", WR_VERSION);
		return 0;
	}
	wr_sim *s = build(&o, &sc, &err);
	if (s == NULL) return complain(&err);
	wr_simd_options so = {.listen_base = o.listen_base,
	                      .speed_milli =
	                          o.has_speed || !sc.has_speed ? o.speed_milli : sc.speed_milli,
	                      .connections = connections_allowed(wr_sim_region_count(s) + 1)};
	catch_signals();
	wr_simd *d = wr_simd_open(s, &so, &err);
	if (d == NULL) return complain(&err);
	atomic_store(&running, d);
	if (atomic_load(&asked_to_stop)) wr_simd_stop(d);
	int rc = serve(d, &o, &err);
	atomic_store(&running, NULL);
	wr_simd_free(d);
	return rc == 0 ? 0 : complain(&err);
}
