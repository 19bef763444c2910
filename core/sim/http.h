/* http.h: the platform over HTTP on 127.0.0.1: a control server and one server for each region.
 *
 * Threads: one for each server (libmicrohttpd's) and the caller of wr_simd_run, which advances the
 * model by real time and opens and closes the regions' sockets as faults demand. One mutex guards
 * the model and everything the threads share. The number of connections, their idle time, the size
 * of headers, bodies and answers in flight are bounded. */
#ifndef WR_SIM_HTTP_H
#define WR_SIM_HTTP_H

#include "sim/model.h"

#define WR_SIM_CONNECTIONS_MAX 512 /* each server */
#define WR_SIM_IDLE_S          15

typedef struct wr_simd wr_simd;

typedef struct wr_simd_options {
	int listen_base; /* 0: the kernel picks */
	int64_t speed_milli;
	unsigned idle_s;      /* 0: WR_SIM_IDLE_S */
	unsigned connections; /* 0: WR_SIM_CONNECTIONS_MAX */
} wr_simd_options;

/* wr_simd_open listens on all ports; takes the model also when it fails. */
WR_CHECKED wr_simd *wr_simd_open(wr_sim *take, const wr_simd_options *o, wr_err *err);
/* wr_simd_port: of the control server (-1) or of a region. */
int wr_simd_port(const wr_simd *d, int region);
const char *wr_simd_region(const wr_simd *d, int region);
int wr_simd_regions(const wr_simd *d);
/* wr_simd_run serves until wr_simd_stop, or until parent_fd (a pidfd; -1: none) is readable. */
void wr_simd_run(wr_simd *d, int parent_fd);
/* wr_simd_stop may be called from any thread and from a signal handler. */
void wr_simd_stop(wr_simd *d);
void wr_simd_free(wr_simd *d);

#endif
