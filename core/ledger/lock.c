/* lock.c: one writer per ledger directory.
 *
 * An open-file-description lock: it goes with the process however that ends, and two openings in
 * one process exclude each other as well. The pid in the file is for people only. The directory
 * itself is locked too, because people remove lock files that look stale. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "ledger/store.h"
#include "warroom/io.h"

static const struct flock whole_file = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

static int locked_by_other(int fd, const char *path, wr_err *err)
{
	char pid[16] = "";
	ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
	size_t digits = n > 0 ? strspn(pid, "0123456789") : 0;
	if (digits == 0) return wr_fail(err, WR_E_LOCKED, "%s: another engine writes here", path);
	return wr_fail(err, WR_E_LOCKED, "%s: another engine (pid %.*s) writes here", path, (int)digits,
	               pid);
}

/* The lock holds without it too: a full disk must not keep an engine from starting. */
static void write_pid(int fd)
{
	char pid[16];
	wr_err ignored;
	int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) || wr_write_all(fd, pid, (size_t)n, &ignored)) return;
}

/* Where directories cannot be locked (some network file systems) the file's lock has to do. */
static int lock_dir(const char *dir, int *out, wr_err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) return wr_fs_fail(err, "open directory", dir);
	if (flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) {
		(void)close(fd);
		return wr_fail(err, WR_E_LOCKED, "%s: another engine writes here", dir);
	}
	*out = fd;
	return 0;
}

int wr_lock_take(const char *dir, int *dir_fd, wr_err *err)
{
	char path[PATH_MAX];
	struct flock lock = whole_file;
	if (wr_path_join(path, sizeof path, dir, "lock", err)) return -1;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0) return wr_fs_fail(err, "open", path);
	if (fcntl(fd, F_OFD_SETLK, &lock)) {
		if (errno == EAGAIN || errno == EACCES)
			(void)locked_by_other(fd, path, err);
		else
			(void)wr_fs_fail(err, "lock", path);
		(void)close(fd);
		return -1;
	}
	if (lock_dir(dir, dir_fd, err)) {
		(void)close(fd);
		return -1;
	}
	write_pid(fd);
	return fd;
}

bool wr_lock_held(const char *dir)
{
	char path[PATH_MAX];
	struct flock lock = whole_file;
	wr_err err;
	if (wr_path_join(path, sizeof path, dir, "lock", &err)) return false;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0) return false;
	bool held = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
	(void)close(fd);
	return held;
}
