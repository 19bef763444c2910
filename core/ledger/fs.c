/* fs.c: the file operations of fs.h on the real system. */
#include "ledger/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "warroom/io.h"
#include "warroom/text.h"

static int system_open(void *ctx, const char *path, int flags, mode_t mode)
{
	(void)ctx;
	return open(path, flags | O_CLOEXEC, mode);
}

static ssize_t system_write(void *ctx, int fd, const void *data, size_t len)
{
	(void)ctx;
	return write(fd, data, len);
}

static ssize_t system_pwrite(void *ctx, int fd, const void *data, size_t len, off_t at)
{
	(void)ctx;
	return pwrite(fd, data, len, at);
}

static int system_sync(void *ctx, int fd, bool data_only)
{
	(void)ctx;
	return data_only ? fdatasync(fd) : fsync(fd);
}

static int system_truncate(void *ctx, int fd, off_t len)
{
	(void)ctx;
	return ftruncate(fd, len);
}

static int system_rename(void *ctx, const char *from, const char *to)
{
	(void)ctx;
	return rename(from, to);
}

static int system_unlink(void *ctx, const char *path)
{
	(void)ctx;
	return unlink(path);
}

static int system_sync_dir(void *ctx, const char *dir)
{
	(void)ctx;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) return -1;
	int rc = fsync(fd);
	int saved = errno;
	(void)close(fd);
	errno = saved;
	return rc;
}

static int system_close(void *ctx, int fd)
{
	(void)ctx;
	return close(fd);
}

const wr_fs wr_fs_system = {
    .open = system_open,
    .write = system_write,
    .pwrite = system_pwrite,
    .sync = system_sync,
    .truncate = system_truncate,
    .rename = system_rename,
    .unlink = system_unlink,
    .sync_dir = system_sync_dir,
    .close = system_close,
};

int wr_fs_fail(wr_err *err, const char *what, const char *path)
{
	int e = errno;
	wr_code code = e == ENOSPC || e == EDQUOT || e == EFBIG  ? WR_E_NO_SPACE
	               : e == EACCES || e == EPERM || e == EROFS ? WR_E_DENIED
	               : e == ENOENT                             ? WR_E_NOT_FOUND
	               : e == ENOMEM                             ? WR_E_NOMEM
	                                                         : WR_E_IO;
	char shown[192];
	return wr_fail(err, code, "%s %s: %s", what, wr_sanitise_to(shown, sizeof shown, path),
	               strerror(e));
}

/* At `at`, or where the descriptor is if that is negative. */
static int write_on(const wr_fs *fs, int fd, const void *data, size_t len, off_t at)
{
	const char *p = data;
	while (len > 0) {
		ssize_t n = at < 0 ? fs->write(fs->ctx, fd, p, len) : fs->pwrite(fs->ctx, fd, p, len, at);
		if (n < 0) {
			if (errno == EINTR) continue;
			return -1;
		}
		if (n == 0) {
			errno = EIO;
			return -1;
		}
		p += n;
		len -= (size_t)n;
		if (at >= 0) at += n;
	}
	return 0;
}

int wr_fs_write_all(const wr_fs *fs, int fd, const void *data, size_t len)
{
	return write_on(fs, fd, data, len, -1);
}

int wr_fs_write_at(const wr_fs *fs, int fd, const void *data, size_t len, off_t at)
{
	return write_on(fs, fd, data, len, at);
}

static int put_temporary(const wr_fs *fs, const char *path, const void *data, size_t len,
                         wr_err *err)
{
	int fd = fs->open(fs->ctx, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0640);
	if (fd < 0) return wr_fs_fail(err, "create", path);
	int rc = wr_fs_write_all(fs, fd, data, len);
	if (rc)
		rc = wr_fs_fail(err, "write", path);
	else if (fs->sync(fs->ctx, fd, false))
		rc = wr_fs_fail(err, "fsync", path);
	if (fs->close(fs->ctx, fd) && rc == 0) rc = wr_fs_fail(err, "close", path);
	return rc;
}

int wr_fs_put(const wr_fs *fs, const char *dir, const char *name, const void *data, size_t len,
              wr_err *err)
{
	char path[4096], temporary[4096 + 8];
	if (wr_path_join(path, sizeof path, dir, name, err)) return -1;
	(void)snprintf(temporary, sizeof temporary, "%s.new", path);
	int rc = put_temporary(fs, temporary, data, len, err);
	if (rc == 0 && fs->rename(fs->ctx, temporary, path)) rc = wr_fs_fail(err, "rename to", path);
	if (rc) {
		(void)fs->unlink(fs->ctx, temporary);
		return -1;
	}
	if (fs->sync_dir(fs->ctx, dir)) return wr_fs_fail(err, "fsync directory", dir);
	return 0;
}
