/* haproxy.c: weights through HAProxy's runtime API (docs/traffic.md).
 *
 * A region is a server of one backend; its weight is its percent, set as an absolute weight, so
 * that shares are weight / sum whatever the configured weights are. HAProxy has no command that
 * sets two servers: all go in one line, which it executes in one go, those that grow first. Then at
 * every instant in between the shares lie between the old and the new ones; the other way round
 * there would be one in which no server takes traffic. Blocking; no shared state. */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "act/internal.h"
#include "warroom/json.h"
#include "warroom/limits.h"
#include "warroom/text.h"

#define SERVERS_MAX  64 /* of a backend: one a region, and a few backups */
#define COLUMNS_MAX  128
#define SLICE_MS     50
#define COMMANDS_MAX (WR_MAX_REGIONS * 192)

/* srv_op_state and srv_admin_state of `show servers state` */
#define OP_STOPPED  0
#define OP_STOPPING 3
#define ADMIN_MAINT 0x23
#define ADMIN_DRAIN 0x18

typedef struct server {
	char name[WR_NAME_MAX + 1];
	const char *region; /* borrowed; NULL: of no region */
	int64_t weight, op, admin;
	bool backup;
	int wanted;
} server;

typedef struct backend {
	const char *name;
	server servers[SERVERS_MAX];
	size_t count;
} backend;

/* ---- the socket ---- */

static int connect_to(int fd, const struct sockaddr *addr, socklen_t len)
{
	return connect(fd, addr, len) == 0 || errno == EINPROGRESS || errno == EAGAIN ? 0 : -1;
}

static int open_unix(const char *path, wr_err *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	size_t n = strlen(path);
	if (n == 0 || n >= sizeof addr.sun_path)
		return wr_fail(err, WR_E_INVALID, "the path of haproxy's socket is too long");
	memcpy(addr.sun_path, path, n);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) return wr_fail_errno(err, errno, "socket");
	if (connect(fd, (struct sockaddr *)&addr, sizeof addr) == 0) return fd;
	(void)wr_fail_errno(err, errno, "haproxy's socket %s", path);
	(void)close(fd);
	return -1;
}

/* Numeric addresses only: resolving cannot be bounded in time, and names fail when it matters. */
static int open_tcp(const char *where, wr_err *err)
{
	const char *colon = strrchr(where, ':');
	char host[64];
	size_t n = colon ? (size_t)(colon - where) : 0;
	if (n >= 2 && where[0] == '[' && where[n - 1] == ']') {
		where++;
		n -= 2;
	}
	if (n == 0 || n >= sizeof host)
		return wr_fail(err, WR_E_INVALID, "haproxy's address is not tcp:ADDRESS:PORT");
	memcpy(host, where, n);
	host[n] = '\0';
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
	                         .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	if (getaddrinfo(host, colon + 1, &hints, &found) != 0 || !found)
		return wr_fail(err, WR_E_INVALID, "haproxy's address is not tcp:ADDRESS:PORT, in numbers");
	int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc = fd < 0 ? -1 : connect_to(fd, found->ai_addr, found->ai_addrlen), saved = errno;
	freeaddrinfo(found);
	if (rc == 0) return fd;
	if (fd >= 0) (void)close(fd);
	return wr_fail_errno(err, saved, "haproxy at %s", host);
}

static int open_address(const char *address, wr_err *err)
{
	if (strncmp(address, "unix:", 5) == 0) return open_unix(address + 5, err);
	if (strncmp(address, "tcp:", 4) == 0) return open_tcp(address + 4, err);
	return wr_fail(err, WR_E_INVALID, "haproxy's address begins with unix: or tcp:");
}

static int wait_ready(const wr_act_io *io, int fd, short events, wr_err *err)
{
	for (;;) {
		int64_t left = wr_act_left_ms(io);
		if (wr_act_cancelled(io)) return wr_fail(err, WR_E_CANCELLED, "cancelled");
		if (left == 0) return wr_fail(err, WR_E_TIMEOUT, "haproxy does not answer in time");
		struct pollfd p = {.fd = fd, .events = events};
		int n = poll(&p, 1, (int)(left < SLICE_MS ? left : SLICE_MS));
		if (n > 0) return 0;
		if (n < 0 && errno != EINTR) return wr_fail_errno(err, errno, "poll");
	}
}

static int send_line(const wr_act_io *io, int fd, const char *line, bool *sent, wr_err *err)
{
	for (size_t n = strlen(line), done = 0; done < n;) {
		if (wait_ready(io, fd, POLLOUT, err) != 0) return -1;
		ssize_t rc = send(fd, line + done, n - done, MSG_NOSIGNAL);
		if (rc > 0) {
			*sent = true;
			done += (size_t)rc;
		} else if (errno != EAGAIN && errno != EINTR) {
			return wr_fail_errno(err, errno, "haproxy's socket");
		}
	}
	return 0;
}

static int receive_all(const wr_act_io *io, int fd, wr_buf *reply, wr_err *err)
{
	for (;;) {
		char chunk[4096];
		if (wait_ready(io, fd, POLLIN, err) != 0) return -1;
		ssize_t n = recv(fd, chunk, sizeof chunk, 0);
		if (n == 0) break;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return wr_fail_errno(err, errno, "haproxy's socket");
		if (n > 0) wr_buf_add(reply, chunk, (size_t)n);
		if (!wr_buf_ok(reply)) return wr_fail(err, WR_E_LIMIT, "haproxy's answer is too long");
	}
	/* Each command's answer ends with an empty line; without one the connection broke off. */
	if (reply->len == 0 || reply->data[reply->len - 1] != '\n')
		return wr_fail(err, WR_E_IO, "haproxy closed the connection without an answer");
	if (memchr(reply->data, '\0', reply->len))
		return wr_fail(err, WR_E_INVALID, "the answer is not haproxy's");
	return 0;
}

/* exchange sends one line and reads until haproxy closes. On failure *sent tells whether haproxy
 * may have got it. */
static int exchange(const wr_act_io *io, const char *address, const char *line, wr_buf *reply,
                    bool *sent, wr_err *err)
{
	*sent = false;
	int fd = open_address(address, err);
	if (fd < 0) return -1;
	int rc = send_line(io, fd, line, sent, err);
	if (rc == 0) rc = receive_all(io, fd, reply, err);
	(void)close(fd);
	return rc;
}

/* ---- reading ---- */

/* Names go into a command line: nothing that could end a word or a command. */
static bool word_ok(const char *s)
{
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:");
	return n > 0 && n <= WR_NAME_MAX && s[n] == '\0';
}

typedef struct line {
	const char *at;
	size_t len;
} line;

static bool next_line(const char **s, line *out)
{
	if (!**s) return false;
	out->at = *s;
	out->len = strcspn(*s, "\n");
	*s += out->len + ((*s)[out->len] == '\n');
	return true;
}

/* column gives field `index` of a line; false if there are not so many. */
static bool column(line l, char separator, size_t index, line *out)
{
	for (;;) {
		const char *end = memchr(l.at, separator, l.len);
		size_t n = end ? (size_t)(end - l.at) : l.len;
		if (index-- == 0) {
			*out = (line){l.at, n};
			return true;
		}
		if (!end) return false;
		l.at += n + 1;
		l.len -= n + 1;
	}
}

static int find_column(line head, char separator, const char *name)
{
	line field;
	for (size_t i = 0; i < COLUMNS_MAX && column(head, separator, i, &field); i++)
		if (field.len == strlen(name) && memcmp(field.at, name, field.len) == 0) return (int)i;
	return -1;
}

static bool number(line l, char separator, int index, int64_t max, int64_t *out)
{
	line f;
	if (index < 0 || !column(l, separator, (size_t)index, &f) || f.len == 0 || f.len > 9)
		return false;
	*out = 0;
	for (size_t i = 0; i < f.len; i++) {
		if (f.at[i] < '0' || f.at[i] > '9') return false;
		*out = *out * 10 + (f.at[i] - '0');
	}
	return *out <= max;
}

static server *find_server(backend *b, line name)
{
	for (size_t i = 0; i < b->count; i++)
		if (strlen(b->servers[i].name) == name.len &&
		    memcmp(b->servers[i].name, name.at, name.len) == 0)
			return &b->servers[i];
	return NULL;
}

static int read_state_line(backend *b, line head, line l, wr_err *err)
{
	line name;
	int at = find_column(head, ' ', "srv_name");
	server s = {0};
	if (at < 0 || !column(l, ' ', (size_t)at, &name) || name.len == 0 ||
	    name.len >= sizeof s.name || find_server(b, name) ||
	    !number(l, ' ', find_column(head, ' ', "srv_op_state"), 255, &s.op) ||
	    !number(l, ' ', find_column(head, ' ', "srv_admin_state"), 65535, &s.admin) ||
	    !number(l, ' ', find_column(head, ' ', "srv_uweight"), 256, &s.weight))
		return wr_fail(err, WR_E_INVALID, "haproxy's servers state cannot be read");
	if (b->count == SERVERS_MAX)
		return wr_fail(err, WR_E_LIMIT, "backend %s has more than %d servers", b->name,
		               SERVERS_MAX);
	memcpy(s.name, name.at, name.len);
	b->servers[b->count++] = s;
	return 0;
}

static void read_stat_line(backend *b, line head, line l)
{
	line name;
	int64_t backup = 0;
	int at = find_column(head, ',', "svname");
	server *s = at >= 0 && column(l, ',', (size_t)at, &name) ? find_server(b, name) : NULL;
	if (s && number(l, ',', find_column(head, ',', "bck"), 1, &backup)) s->backup = backup == 1;
}

static int refused(line l, wr_err *err)
{
	char raw[160], text[160];
	snprintf(raw, sizeof raw, "%.*s", (int)(l.len < 140 ? l.len : 140), l.at);
	return wr_fail(err, WR_E_INVALID, "haproxy says: %s", wr_sanitise_to(text, sizeof text, raw));
}

/* read_reply takes the answers of `show servers state` and `show stat`. */
static int read_reply(backend *b, const char *reply, wr_err *err)
{
	static const char state_head[] = "# be_id ", stat_head[] = "# pxname,";
	enum { NOWHERE, STATE, STAT } where = NOWHERE;
	line l, head = {0};
	bool stat_seen = false;
	while (next_line(&reply, &l)) {
		if (l.len > 2 && memcmp(l.at, "# ", 2) == 0) {
			head = (line){l.at + 2, l.len - 2};
			where = strncmp(l.at, state_head, sizeof state_head - 1) == 0 ? STATE
			        : strncmp(l.at, stat_head, sizeof stat_head - 1) == 0 ? STAT
			                                                              : NOWHERE;
			stat_seen |= where == STAT;
			if (where == NOWHERE) return refused(l, err);
		} else if (l.len == 0) {
			where = NOWHERE;
		} else if (where == STATE) {
			if (read_state_line(b, head, l, err) != 0) return -1;
		} else if (where == STAT) {
			read_stat_line(b, head, l);
		} else if (l.len != 1 || *l.at != '1') { /* the version of the state format */
			return refused(l, err);
		}
	}
	if (b->count == 0 || !stat_seen)
		return wr_fail(err, WR_E_INVALID, "haproxy's answer is not complete");
	return 0;
}

static int map_servers(backend *b, const json_t *spec, wr_err *err)
{
	json_t *servers = json_object_get(spec, "servers");
	const char *region;
	json_t *value;
	if (json_object_size(servers) == 0 || json_object_size(servers) > WR_MAX_REGIONS)
		return wr_fail(err, WR_E_INVALID, "no servers, or too many, for the regions");
	json_object_foreach (servers, region, value) {
		const char *name = json_string_value(value);
		if (!name || !word_ok(name) || strlen(region) > WR_NAME_MAX)
			return wr_fail(err, WR_E_INVALID, "the server of a region has no valid name");
		server *s = find_server(b, (line){name, strlen(name)});
		if (!s) return wr_fail(err, WR_E_NOT_FOUND, "backend %s has no server %s", b->name, name);
		if (s->region) return wr_fail(err, WR_E_INVALID, "server %s stands for two regions", name);
		s->region = region;
	}
	return 0;
}

static int read_backend(const wr_act_io *io, const json_t *spec, backend *b, wr_err *err)
{
	*b = (backend){.name = wr_json_str(spec, "backend", "")};
	if (!word_ok(b->name)) return wr_fail(err, WR_E_INVALID, "the backend has no valid name");
	char text[2 * WR_NAME_MAX + 64];
	snprintf(text, sizeof text, "show servers state %s;show stat %s 4 -1\n", b->name, b->name);
	wr_buf reply = WR_BUF_INIT(WR_BODY_MAX);
	wr_act_io brief = wr_act_within(io, wr_json_int(spec, "timeout_ms", 0));
	bool sent;
	int rc = exchange(&brief, wr_json_str(spec, "address", ""), text, &reply, &sent, err);
	if (rc == 0) rc = read_reply(b, wr_buf_cstr(&reply), err);
	if (rc == 0) rc = map_servers(b, spec, err);
	wr_buf_free(&reply);
	return rc;
}

int wr_act_haproxy_get(const wr_act_io *io, const json_t *spec, wr_act_weights *out, wr_err *err)
{
	backend b;
	out->count = 0;
	if (read_backend(io, spec, &b, err) != 0) return -1;
	for (size_t i = 0; i < b.count; i++) {
		const server *s = &b.servers[i];
		if (!s->region) continue;
		WR_ASSERT(out->count < WR_MAX_REGIONS);
		snprintf(out->rows[out->count].region, sizeof out->rows->region, "%s", s->region);
		out->rows[out->count].percent = (int)s->weight;
		out->rows[out->count].out = (s->admin & (ADMIN_MAINT | ADMIN_DRAIN)) != 0;
		out->count++;
	}
	return 0;
}

/* ---- setting ---- */

static const char *unfit(const server *s)
{
	if (s->admin & ADMIN_MAINT) return "in maintenance";
	if (s->admin & ADMIN_DRAIN) return "draining";
	if (s->op == OP_STOPPED) return "down";
	if (s->op == OP_STOPPING) return "stopping";
	return NULL;
}

static int want(backend *b, const wr_act_weights *wanted, wr_err *err)
{
	size_t found = 0;
	for (size_t i = 0; i < b->count; i++) {
		for (size_t k = 0; b->servers[i].region && k < wanted->count; k++) {
			if (strcmp(b->servers[i].region, wanted->rows[k].region) != 0) continue;
			b->servers[i].wanted = wanted->rows[k].percent;
			found++;
		}
	}
	if (found != wanted->count)
		return wr_fail(err, WR_E_INVALID, "a weight is for a region that has no server here");
	return 0;
}

/* check finds what would make the shares differ from the weights. A server that is to lose traffic
 * may be in any state. */
static int check(const wr_act_io *io, const backend *b, wr_err *err)
{
	for (size_t i = 0; i < b->count; i++) {
		const server *s = &b->servers[i];
		const char *why = unfit(s);
		if (!s->region && !s->backup && s->weight > 0 && !(s->admin & ADMIN_MAINT))
			return wr_fail(err, WR_E_CONFLICT,
			               "server %s/%s is no region's and takes a share of the traffic", b->name,
			               s->name);
		if (!s->region) continue;
		if (s->backup)
			return wr_fail(err, WR_E_CONFLICT, "server %s/%s is a backup: its weight means nothing",
			               b->name, s->name);
		if (s->wanted == 0 || !why) continue;
		if (s->wanted >= s->weight)
			return wr_fail(err, WR_E_CONFLICT, "server %s/%s (%s) is %s: it cannot take %d%%",
			               b->name, s->name, s->region, why, s->wanted);
		wr_act_output_line(io->output, "note: %s/%s is %s and keeps %d%%", b->name, s->name, why,
		                   s->wanted);
	}
	return 0;
}

static bool as_wanted(const backend *b)
{
	for (size_t i = 0; i < b->count; i++)
		if (b->servers[i].region && b->servers[i].weight != b->servers[i].wanted) return false;
	return true;
}

static void command_line(const backend *b, char *out, size_t size)
{
	size_t n = 0;
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < b->count; i++) {
			const server *s = &b->servers[i];
			bool grows = s->wanted > s->weight;
			if (!s->region || s->wanted == s->weight || grows != (pass == 0)) continue;
			int rc = snprintf(out + n, size - n, "%sset weight %s/%s %d", n ? ";" : "", b->name,
			                  s->name, s->wanted);
			WR_ASSERT(rc > 0 && (size_t)rc < size - n - 1);
			n += (size_t)rc;
		}
	}
	snprintf(out + n, size - n, "\n");
}

static bool blank(const char *s)
{
	return s[strspn(s, " \r\n\t")] == '\0';
}

/* send_weights: anything but empty lines is a complaint. */
static wr_outcome send_weights(const wr_act_io *io, const json_t *spec, const backend *b,
                               bool *complained, wr_err *err)
{
	char text[COMMANDS_MAX];
	command_line(b, text, sizeof text);
	wr_act_output_line(io->output, "%.*s", (int)strcspn(text, "\n"), text);
	wr_buf reply = WR_BUF_INIT(WR_STR_MAX);
	bool sent;
	wr_outcome outcome = WR_OUT_DONE;
	*complained = false;
	if (exchange(io, wr_json_str(spec, "address", ""), text, &reply, &sent, err) != 0) {
		outcome = sent ? WR_OUT_UNKNOWN : WR_OUT_FAILED;
	} else if (!blank(wr_buf_cstr(&reply))) {
		const char *s = wr_buf_cstr(&reply) + strspn(wr_buf_cstr(&reply), " \r\n\t");
		(void)refused((line){s, strcspn(s, "\n")}, err);
		*complained = true;
		outcome = WR_OUT_FAILED;
	}
	wr_buf_free(&reply);
	return outcome;
}

/* put_back: haproxy took some commands of the line and refused others. Weights that add up to
 * something else than 100 must not stay (law 5), and the former ones are known. */
static void put_back(const wr_act_io *io, const json_t *spec, const backend *before, wr_err *err)
{
	backend now;
	wr_err why = {0};
	bool complained;
	if (read_backend(io, spec, &now, &why) != 0) {
		(void)wr_err_wrap(err, "weights may be in between (%.80s)", why.msg);
		return;
	}
	for (size_t i = 0; i < now.count; i++) {
		const server *s = &before->servers[i];
		now.servers[i].wanted = i < before->count && strcmp(s->name, now.servers[i].name) == 0
		                            ? (int)s->weight
		                            : (int)now.servers[i].weight;
	}
	if (as_wanted(&now)) {
		(void)wr_err_wrap(err, "nothing changed");
		return;
	}
	bool back = send_weights(io, spec, &now, &complained, &why) == WR_OUT_DONE &&
	            read_backend(io, spec, &now, &why) == 0;
	for (size_t i = 0; back && i < now.count; i++)
		back = i < before->count && now.servers[i].weight == before->servers[i].weight;
	(void)wr_err_wrap(err, back ? "half of it was refused, and the former weights are back"
	                            : "half of it was refused, AND WEIGHTS ARE IN BETWEEN");
}

wr_outcome wr_act_haproxy_set(const wr_act_io *io, const json_t *spec, const wr_act_weights *wanted,
                              wr_err *err)
{
	backend b;
	bool complained;
	if (read_backend(io, spec, &b, err) != 0 || want(&b, wanted, err) != 0 ||
	    check(io, &b, err) != 0)
		return WR_OUT_FAILED;
	if (as_wanted(&b)) {
		wr_act_output_line(io->output, "the weights are so already");
		return WR_OUT_DONE;
	}
	wr_outcome outcome = send_weights(io, spec, &b, &complained, err);
	if (complained) put_back(io, spec, &b, err);
	return outcome;
}
