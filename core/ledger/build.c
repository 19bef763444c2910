/* build.c: see build.h. */
#include "ledger/build.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "warroom/io.h"

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int must_be_free(const char *into, wr_err *err)
{
	struct stat st;
	if (lstat(into, &st)) return errno == ENOENT ? 0 : wr_fs_fail(err, "examine", into);
	if (!S_ISDIR(st.st_mode))
		return wr_fail(err, WR_E_CONFLICT, "%.300s: there already, and no directory", into);
	DIR *d = opendir(into);
	if (!d) return wr_fs_fail(err, "open directory", into);
	int entries = 0;
	/* cppcheck-suppress readdirCalled ; the stream is ours alone */
	while (entries <= 2 && readdir(d)) entries++;
	(void)closedir(d);
	if (entries > 2)
		return wr_fail(err, WR_E_CONFLICT, "%.300s: not empty; name a directory that is new", into);
	return 0;
}

/* Where it goes: the parent with its links resolved, and the last name. */
static int place(wr_build *b, const char *into, wr_err *err)
{
	char path[PATH_MAX];
	size_t len = strlen(into);
	while (len > 1 && into[len - 1] == '/') len--;
	if (len == 0 || len >= sizeof path)
		return wr_fail(err, WR_E_INVALID, "the name of the new directory is empty or too long");
	memcpy(path, into, len);
	path[len] = '\0';
	char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return wr_fail(err, WR_E_INVALID, "%.300s: name a directory that is new", into);
	if (slash) *slash = '\0';
	const char *above = !slash ? "." : *path ? path : "/";
	char hidden[NAME_MAX + 1];
	if (!realpath(above, b->parent)) return wr_fs_fail(err, "find directory", above);
	int n = snprintf(hidden, sizeof hidden, ".%s.partial", name);
	if (n < 0 || (size_t)n >= sizeof hidden)
		return wr_fail(err, WR_E_LIMIT, "%.300s: name too long", into);
	return wr_path_join(b->into, sizeof b->into, b->parent, name, err) ||
	               wr_path_join(b->dir, sizeof b->dir, b->parent, hidden, err)
	           ? -1
	           : 0;
}

static int lock_dir(wr_build *b, wr_err *err)
{
	b->lock_fd = open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (b->lock_fd < 0) return wr_fs_fail(err, "open directory", b->dir);
	if (flock(b->lock_fd, LOCK_EX | LOCK_NB) == 0) return 0;
	int e = errno;
	(void)close(b->lock_fd);
	b->lock_fd = -1;
	errno = e;
	if (e != EWOULDBLOCK) return wr_fs_fail(err, "lock", b->dir);
	return wr_fail(err, WR_E_LOCKED, "%.300s: another process is making it", b->into);
}

static int make_dir(wr_build *b, wr_err *err)
{
	struct stat st;
	if (lstat(b->dir, &st) == 0) {
		if (lock_dir(b, err)) return -1;
		wr_build_abort(b);
	}
	if (mkdir(b->dir, 0750)) return wr_fs_fail(err, "make directory", b->dir);
	return lock_dir(b, err);
}

int wr_build_begin(wr_build *b, const char *into, const wr_fs *fs, wr_err *err)
{
	*b = (wr_build){.fs = fs, .lock_fd = -1};
	if (place(b, into, err) == 0 && must_be_free(b->into, err) == 0 && make_dir(b, err) == 0)
		return 0;
	*b->dir = '\0'; /* not ours to remove */
	return -1;
}

static int path_in(wr_build *b, const char *name, char out[static PATH_MAX], wr_err *err)
{
	char above[PATH_MAX];
	if (wr_path_join(out, PATH_MAX, b->dir, name, err)) return -1;
	(void)snprintf(above, sizeof above, "%s", out);
	char *slash = strrchr(above, '/');
	WR_ASSERT(slash);
	*slash = '\0';
	return wr_mkdirs(above, 0750, err);
}

int wr_build_open(wr_build *b, const char *name, wr_err *err)
{
	char path[PATH_MAX];
	if (path_in(b, name, path, err)) return -1;
	int fd = b->fs->open(b->fs->ctx, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0640);
	return fd < 0 ? wr_fs_fail(err, "create", path) : fd;
}

int wr_build_close(wr_build *b, int fd, const char *name, wr_err *err)
{
	int rc = b->fs->sync(b->fs->ctx, fd, false) ? wr_fs_fail(err, "fsync", name) : 0;
	if (b->fs->close(b->fs->ctx, fd) && rc == 0) rc = wr_fs_fail(err, "close", name);
	return rc;
}

int wr_build_file(wr_build *b, const char *name, const void *data, size_t len, wr_err *err)
{
	int fd = wr_build_open(b, name, err);
	if (fd < 0) return -1;
	int rc = wr_fs_write_all(b->fs, fd, data, len) ? wr_fs_fail(err, "write", name) : 0;
	if (rc) {
		(void)b->fs->close(b->fs->ctx, fd);
		return -1;
	}
	return wr_build_close(b, fd, name, err);
}

void wr_build_unlock(wr_build *b)
{
	if (b->lock_fd >= 0) (void)close(b->lock_fd);
	b->lock_fd = -1;
}

static int sync_dirs(wr_build *b, const char *dir, int depth, wr_err *err)
{
	struct dirent **entries;
	char path[PATH_MAX];
	struct stat st;
	int rc = 0, n = scandir(dir, &entries, NULL, alphasort);
	if (n < 0) return wr_fs_fail(err, "open directory", dir);
	for (int i = 0; i < n; i++) {
		if (rc == 0 && depth > 0 && entries[i]->d_name[0] != '.') {
			rc = wr_path_join(path, sizeof path, dir, entries[i]->d_name, err);
			if (rc == 0 && lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
				rc = sync_dirs(b, path, depth - 1, err);
		}
		free(entries[i]);
	}
	free(entries);
	if (rc == 0 && b->fs->sync_dir(b->fs->ctx, dir)) rc = wr_fs_fail(err, "fsync directory", dir);
	return rc;
}

int wr_build_commit(wr_build *b, wr_err *err)
{
	if (sync_dirs(b, b->dir, 4, err)) return -1;
	if (b->fs->rename(b->fs->ctx, b->dir, b->into)) return wr_fs_fail(err, "rename to", b->into);
	wr_build_unlock(b);
	*b->dir = '\0';
	if (b->fs->sync_dir(b->fs->ctx, b->parent) && errno != EACCES)
		return wr_fs_fail(err, "fsync directory", b->parent);
	return 0;
}

void wr_build_abort(wr_build *b)
{
	if (*b->dir) (void)nftw(b->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	wr_build_unlock(b);
}
