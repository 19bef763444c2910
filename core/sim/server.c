/* server.c: the sockets of one server: open, closed, or a black hole. Called by the main thread.
 *
 * A region that is down must refuse connections on a port that it gets back later. So each port is
 * held twice: by a socket that is bound and never listens, and, while the region is reachable, by
 * one that listens; SO_REUSEPORT lets the two share it, and nobody else can take it in between. */
#include "sim/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG      128
#define HEADER_BYTES (32u << 10)

static int bound(int port, bool reuse_addr, bool reuse_port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0) return -1;
	if ((reuse_addr && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0) ||
	    (reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0) ||
	    bind(fd, (struct sockaddr *)&at, sizeof at) != 0) {
		int why = errno;
		close(fd);
		errno = why;
		return -1;
	}
	return fd;
}

int wr_sim_server_bind(wr_sim_server *v, int port, wr_err *err)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof at;
	if (port != 0) {
		/* SO_REUSEPORT would share the port with another simulation without a word. */
		int probe = bound(port, true, false);
		if (probe < 0) goto failed;
		close(probe);
	}
	v->reserve_fd = bound(port, false, true);
	if (v->reserve_fd < 0) goto failed;
	if (getsockname(v->reserve_fd, (struct sockaddr *)&at, &len) != 0) goto failed;
	v->port = ntohs(at.sin_port);
	return 0;
failed:
	return wr_fail(err, errno == EADDRINUSE ? WR_E_LOCKED : WR_E_IO,
	               "cannot use port %d on 127.0.0.1: %s; choose another --listen-base, or leave it "
	               "out",
	               port, strerror(errno));
}

static int listening(const wr_sim_server *v, wr_err *err)
{
	int fd = bound(v->port, true, true);
	if (fd >= 0 && listen(fd, BACKLOG) == 0) return fd;
	(void)wr_fail(err, WR_E_IO, "cannot listen on port %d: %s", v->port, strerror(errno));
	if (fd >= 0) close(fd);
	return -1;
}

static int open_daemon(wr_sim_server *v, wr_err *err)
{
	int fd = listening(v, err);
	if (fd < 0) return -1;
	/* poll, not epoll: with epoll libmicrohttpd 0.9.75 does not see a caller hang up who sent half
	 * a request, and keeps the connection until it has been idle for long enough. */
	v->mhd = MHD_start_daemon(
	    MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, wr_sim_serve, v,
	    MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, v->connections,
	    MHD_OPTION_CONNECTION_TIMEOUT, v->idle_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	    (size_t)HEADER_BYTES, MHD_OPTION_NOTIFY_COMPLETED, wr_sim_served, v, MHD_OPTION_END);
	if (v->mhd != NULL) return 0;
	close(fd);
	return wr_fail(err, WR_E_IO, "cannot start the HTTP server on port %d", v->port);
}

static void close_hole(wr_sim_server *v)
{
	for (int i = 0; i < v->held_count; i++) close(v->held[i]);
	v->held_count = 0;
	if (v->hole_fd >= 0) close(v->hole_fd);
	v->hole_fd = -1;
}

static void close_daemon(wr_sim_server *v)
{
	if (v->mhd == NULL) return;
	/* Nobody may wait in a daemon that stops. Nobody begins to: handlers refuse once the model
	 * says that the region is gone, or that all is stopping. */
	MHD_socket fd = MHD_quiesce_daemon(v->mhd);
	wr_sim_release(v->d, v->index, 0, true);
	MHD_stop_daemon(v->mhd);
	if (fd != MHD_INVALID_SOCKET) close(fd);
	v->mhd = NULL;
}

int wr_sim_server_become(wr_sim_server *v, wr_sim_reach reach, wr_err *err)
{
	if (reach == v->now) return 0;
	close_daemon(v);
	close_hole(v);
	v->now = WR_SIM_CLOSED;
	if (reach == WR_SIM_OPEN && open_daemon(v, err) != 0) return -1;
	if (reach == WR_SIM_BLACKHOLE) {
		v->hole_fd = listening(v, err);
		if (v->hole_fd < 0) return -1;
	}
	v->now = reach;
	return 0;
}

void wr_sim_server_tend(wr_sim_server *v)
{
	if (v->hole_fd < 0) return;
	for (int i = 0; i < v->held_count; i++) {
		struct pollfd p = {.fd = v->held[i], .events = POLLRDHUP};
		if (poll(&p, 1, 0) <= 0 || (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) == 0) continue;
		close(v->held[i]);
		v->held[i--] = v->held[--v->held_count];
	}
	while (v->held_count < WR_SIM_HELD) {
		int fd = accept4(v->hole_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) return;
		v->held[v->held_count++] = fd;
	}
}

void wr_sim_server_close(wr_sim_server *v)
{
	close_daemon(v);
	close_hole(v);
	if (v->reserve_fd >= 0) close(v->reserve_fd);
	v->reserve_fd = -1;
}
