/* server.h: one listening server and its libmicrohttpd daemon, shared by http.c and server.c. */
#ifndef WR_SIM_SERVER_H
#define WR_SIM_SERVER_H

#include <microhttpd.h>
#include <pthread.h>

#include "sim/http.h"
#include "sim/request.h"

#define WR_SIM_SERVERS (WR_SIM_REGIONS_MAX + 1)
#define WR_SIM_HELD    512         /* connections that a black hole keeps open */
#define WR_SIM_FLIGHT  (32u << 20) /* bytes of a server's answers that are not sent yet */
#define WR_SIM_SLOW_MS 5000        /* the longest that a brownout really holds a caller up */

typedef struct wr_sim_server {
	wr_simd *d;
	int index; /* WR_SIM_CONTROL or a region */
	int port;
	int reserve_fd; /* bound, never listening: keeps the port ours while nobody listens */
	unsigned connections, idle_s;
	/* of the main thread only */
	wr_sim_reach now;
	struct MHD_Daemon *mhd;
	int hole_fd;
	int held[WR_SIM_HELD];
	int held_count;
	bool complained; /* about a port that could not be opened again */
	/* of its own libmicrohttpd thread only */
	uint64_t nonce;
	size_t in_flight;
} wr_sim_server;

typedef struct wr_sim_waiter { /* a caller whom a brownout holds up */
	struct MHD_Connection *connection;
	int server;
	int64_t due_ms;
} wr_sim_waiter;

struct wr_simd {
	pthread_mutex_t lock;   /* guards everything below down to the blank line */
	pthread_cond_t settled; /* `applied` moved, or stopping */
	wr_sim *sim;
	wr_sim_dial dial;
	uint64_t asked, applied; /* changes that may open or close a socket; those done */
	bool stopping;
	wr_sim_waiter waiters[WR_SIM_CONNECTIONS_MAX];
	int waiter_count;

	int wake_fd, stop_fd; /* eventfds */
	int server_count;
	wr_sim_server servers[WR_SIM_SERVERS]; /* the control server, then the regions */
	int64_t last_ms, carry;                /* of the main thread only */
};

/* wr_sim_server_bind reserves the port (0: any free one). */
WR_CHECKED int wr_sim_server_bind(wr_sim_server *v, int port, wr_err *err);
/* wr_sim_server_become opens, closes or blackholes; the lock must not be held. 0 or -1. */
WR_CHECKED int wr_sim_server_become(wr_sim_server *v, wr_sim_reach reach, wr_err *err);
/* wr_sim_server_tend accepts what comes to a black hole and lets go of who has left. */
void wr_sim_server_tend(wr_sim_server *v);
void wr_sim_server_close(wr_sim_server *v);
/* wr_sim_release lets waiting callers of one server (-2: of all) go on: those due, or all. */
void wr_sim_release(wr_simd *d, int server, int64_t now_ms, bool all);
enum { WR_SIM_ALL_SERVERS = -2 };

/* serve.c: libmicrohttpd's callbacks. */
enum MHD_Result wr_sim_serve(void *cls, struct MHD_Connection *c, const char *url,
                             const char *method, const char *version, const char *upload,
                             size_t *upload_size, void **state);
void wr_sim_served(void *cls, struct MHD_Connection *c, void **state,
                   enum MHD_RequestTerminationCode why);
/* wr_sim_settle waits until the main thread has opened and closed what the change asks for. */
void wr_sim_settle(wr_simd *d);

#endif
