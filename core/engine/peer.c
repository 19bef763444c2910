/* peer.c: who is connected: SO_PEERCRED, then the process's session and terminal from /proc.
 *
 * Two approvers whose programs share a controlling terminal are one screen with two people at it
 * (screen -x); the kernel knows, so nobody has to be asked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/engine.h"
#include "warroom/io.h"

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
	if (a->tty != 0 && b->tty != 0) return a->tty == b->tty;
	return a->session != 0 && a->session == b->session;
}
