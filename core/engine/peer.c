/* peer.c: who is connected: SO_PEERCRED, then the process's session and terminal from /proc.
 *
 * Two approvers whose programs share a controlling terminal are one screen with two people at it
 * (screen -x); the kernel knows, so nobody has to be asked. Numbers of sessions and terminals mean
 * something until the machine starts anew, so what is kept of them carries the boot's id. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/engine.h"
#include "warroom/io.h"

#define BOOT_DIGITS 8

static char boot_id[BOOT_DIGITS + 1]; /* "" unknown; written once */

static void read_boot_id(void)
{
	char line[64] = "";
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	if (!f) return;
	if (fgets(line, sizeof line, f) && strspn(line, "0123456789abcdef") >= BOOT_DIGITS)
		memcpy(boot_id, line, BOOT_DIGITS);
	fclose(f);
}

static const char *this_boot(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	(void)pthread_once(&once, read_boot_id);
	return boot_id;
}

void peer_of_fd(int fd, peer *out)
{
	memset(out, 0, sizeof *out);
	struct ucred cred;
	socklen_t len = sizeof cred;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0) return;
	out->pid = cred.pid;
	out->uid = (int64_t)cred.uid;
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/stat", (int)cred.pid);
	FILE *f = fopen(path, "re");
	if (!f) return;
	char line[1024];
	size_t n = fread(line, 1, sizeof line - 1, f);
	fclose(f);
	line[n] = '\0';
	/* pid (comm) state ppid pgrp session tty_nr …; comm may hold anything, so start behind its last
	 * ')' */
	const char *p = strrchr(line, ')');
	long long session = 0, tty = 0;
	char state;
	if (p && sscanf(p + 1, " %c %*d %*d %lld %lld", &state, &session, &tty) == 3) {
		out->session = session;
		out->tty = tty;
	}
}

bool peer_same_terminal(const peer *a, const peer *b)
{
	if ((!a->session && !a->tty) || (!b->session && !b->tty)) return true;
	if (a->tty != 0 && b->tty != 0) return a->tty == b->tty;
	return a->session == b->session;
}

void peer_write(const peer *p, char out[static PEER_TEXT])
{
	out[0] = '\0';
	if (!*this_boot() || (!p->session && !p->tty)) return;
	snprintf(out, PEER_TEXT, "%s/%lld/%lld/%lld", this_boot(), (long long)p->uid,
	         (long long)p->session, (long long)p->tty);
}

bool peer_read(const char *text, peer *out)
{
	memset(out, 0, sizeof *out);
	if (!*this_boot() || strncmp(text, this_boot(), BOOT_DIGITS) != 0) return false;
	const char *p = text + BOOT_DIGITS;
	int64_t *const fields[] = {&out->uid, &out->session, &out->tty};
	for (size_t i = 0; i < 3; i++) {
		char *end;
		if (*p != '/' || p[1] < '0' || p[1] > '9') return false;
		*fields[i] = strtoll(p + 1, &end, 10);
		p = end;
	}
	return *p == '\0' && (out->session || out->tty);
}
