/* io.c: small, careful file work.
 *
 * Files are judged by what fstat says of the open descriptor, so that nobody can swap them between
 * the look and the read. Thread-safe (no state). */
#include "warroom/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "warroom/text.h"

/* A path as an error message may show it. */
typedef struct shown {
	char text[192];
} shown;

static const char *show(shown *s, const char *path)
{
	return wr_sanitise_to(s->text, sizeof s->text, path);
}

static int check_trust(const struct stat *st, const char *path, wr_trust trust, wr_err *err)
{
	shown p;
	if (!S_ISREG(st->st_mode))
		return wr_fail(err, WR_E_DENIED, "%s: not a regular file", show(&p, path));
	if (trust == WR_ANY) return 0;
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return wr_fail(err, WR_E_DENIED, "%s: belongs to user %u, must be root's or your own",
		               show(&p, path), (unsigned)st->st_uid);
	if (trust == WR_PRIVATE && (st->st_mode & 066))
		return wr_fail(err, WR_E_DENIED,
		               "%s: others can read or write it (mode %04o); run: chmod 600 it",
		               show(&p, path), (unsigned)(st->st_mode & 07777));
	/* Root's own group is root; any other group is other people. */
	mode_t by_others = st->st_gid == 0 ? S_IWOTH : S_IWGRP | S_IWOTH;
	if (st->st_mode & by_others)
		return wr_fail(err, WR_E_DENIED, "%s: others can write it (mode %04o); run: chmod go-w it",
		               show(&p, path), (unsigned)(st->st_mode & 07777));
	return 0;
}

/* read_all reads to the end of the file, straight into `out` so that a secret has no second copy;
 * the size that fstat told is only a hint (/proc says 0). */
static int read_all(wr_buf *out, int fd, const char *path, size_t max, wr_err *err)
{
	shown p;
	size_t limit = max < out->max ? max : out->max;
	for (;;) {
		char beyond;
		bool full = out->len >= limit;
		if (!full && out->len + 1 >= out->cap) {
			size_t more = limit - out->len < 4096 ? limit - out->len : 4096;
			if (!wr_buf_reserve(out, more))
				return wr_fail(err, WR_E_NOMEM, "%s: out of memory", show(&p, path));
		}
		size_t room = full ? 1 : out->cap - 1 - out->len;
		if (!full && room > limit - out->len) room = limit - out->len;
		ssize_t n = read(fd, full ? &beyond : out->data + out->len, room);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) return wr_fail_errno(err, errno, "%s: cannot read", show(&p, path));
		if (n == 0) return 0;
		if (full)
			return wr_fail(err, WR_E_LIMIT, "%s: larger than %zu bytes", show(&p, path), limit);
		out->len += (size_t)n;
		out->data[out->len] = '\0';
	}
}

int wr_read_file(wr_buf *out, const char *path, size_t max, wr_trust trust, wr_err *err)
{
	shown p;
	struct stat st;
	wr_buf_reset(out);
	/* O_NONBLOCK: a FIFO must be refused by its type, not wait for a writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) return wr_fail_errno(err, errno, "%s: cannot open", show(&p, path));
	int rc = fstat(fd, &st) ? wr_fail_errno(err, errno, "%s: cannot examine", show(&p, path))
	                        : check_trust(&st, path, trust, err);
	if (rc == 0 && st.st_size > 0 && (uintmax_t)st.st_size <= max &&
	    (uintmax_t)st.st_size <= out->max && !wr_buf_reserve(out, (size_t)st.st_size))
		rc = wr_fail(err, WR_E_NOMEM, "%s: out of memory", show(&p, path));
	if (rc == 0) rc = read_all(out, fd, path, max, err);
	(void)close(fd);
	if (rc) wr_buf_reset(out);
	return rc;
}

int wr_write_all(int fd, const void *data, size_t len, wr_err *err)
{
	const char *p = data;
	while (len > 0) {
		ssize_t n = write(fd, p, len);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) return wr_fail_errno(err, errno, "cannot write");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int wr_fsync_dir(const char *dir, wr_err *err)
{
	shown p;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) return wr_fail_errno(err, errno, "%s: cannot open directory", show(&p, dir));
	int rc = fsync(fd) ? wr_fail_errno(err, errno, "%s: cannot sync directory", show(&p, dir)) : 0;
	(void)close(fd);
	return rc;
}

/* split_dir writes the directory part of path, "." if there is none. */
static int split_dir(char *dir, size_t size, const char *path, wr_err *err)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;
	if (slash && len == 0) len = 1;
	if (len >= size) return wr_fail(err, WR_E_LIMIT, "path of %zu bytes is too long", len);
	if (len == 0) {
		dir[len++] = '.';
	} else {
		memcpy(dir, path, len);
	}
	dir[len] = '\0';
	return 0;
}

/* fill writes and syncs the temporary; always closes fd. */
static int fill(int fd, const void *data, size_t len, mode_t mode, wr_err *err)
{
	int rc = fchmod(fd, mode) ? wr_fail_errno(err, errno, "cannot set its mode") : 0;
	if (rc == 0) rc = wr_write_all(fd, data, len, err);
	if (rc == 0 && fsync(fd)) rc = wr_fail_errno(err, errno, "cannot sync");
	if (close(fd) && rc == 0) rc = wr_fail_errno(err, errno, "cannot close");
	return rc;
}

int wr_write_file(const char *path, const void *data, size_t len, mode_t mode, wr_err *err)
{
	shown p;
	char dir[PATH_MAX], temporary[PATH_MAX];
	if (split_dir(dir, sizeof dir, path, err)) return -1;
	int n = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
	if (n < 0 || (size_t)n >= sizeof temporary)
		return wr_fail(err, WR_E_LIMIT, "%s: path too long", show(&p, path));
	int fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return wr_fail_errno(err, errno, "%s: cannot create a file beside it", show(&p, path));
	if (fill(fd, data, len, mode, err) == 0) {
		if (rename(temporary, path) == 0) return wr_fsync_dir(dir, err);
		wr_fail_errno(err, errno, "cannot rename into place");
	}
	(void)unlink(temporary);
	return wr_err_wrap(err, "%s", show(&p, path));
}

int wr_mkdirs(const char *path, mode_t mode, wr_err *err)
{
	shown p;
	struct stat st;
	char part[PATH_MAX];
	size_t len = strlen(path);
	if (len == 0 || len >= sizeof part)
		return wr_fail(err, WR_E_INVALID, "\"%s\": not a usable directory name", show(&p, path));
	memcpy(part, path, len + 1);
	for (size_t i = 1; i <= len; i++) {
		if (part[i] != '/' && part[i] != '\0') continue;
		part[i] = '\0';
		int failed = mkdir(part, mode) ? errno : 0;
		/* Whatever mkdir says of a directory that is there (EEXIST, EROFS, EACCES) is fine. */
		if (failed && stat(part, &st))
			return wr_fail_errno(err, failed, "%s: cannot create", show(&p, part));
		if (failed && !S_ISDIR(st.st_mode))
			return wr_fail(err, WR_E_CONFLICT, "%s: not a directory", show(&p, part));
		if (i < len) part[i] = '/';
	}
	return 0;
}

int wr_path_join(char *out, size_t size, const char *dir, const char *name, wr_err *err)
{
	shown p;
	size_t dir_len = strlen(dir);
	bool alone = name[0] == '/' || dir_len == 0;
	const char *slash = dir_len > 0 && dir[dir_len - 1] == '/' ? "" : "/";
	int n =
	    alone ? snprintf(out, size, "%s", name) : snprintf(out, size, "%s%s%s", dir, slash, name);
	if (n < 0 || (size_t)n >= size)
		return wr_fail(err, WR_E_LIMIT, "%s: path too long", show(&p, name));
	return 0;
}
