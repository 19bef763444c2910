/* fs.h: the file operations that make a ledger durable, as a capability, so that faults can be
 * put into each of them. They answer as the system calls do (-1 and errno). Reading is not in
 * here: what is on the disk is read plainly. */
#ifndef WR_LEDGER_FS_H
#define WR_LEDGER_FS_H

#include <stdbool.h>
#include <sys/types.h>

#include "warroom/err.h"

typedef struct wr_fs {
	int (*open)(void *ctx, const char *path, int flags, mode_t mode);
	ssize_t (*write)(void *ctx, int fd, const void *data, size_t len);
	int (*sync)(void *ctx, int fd, bool data_only);
	int (*truncate)(void *ctx, int fd, off_t len);
	int (*rename)(void *ctx, const char *from, const char *to);
	int (*unlink)(void *ctx, const char *path);
	int (*sync_dir)(void *ctx, const char *dir);
	int (*close)(void *ctx, int fd);
	void *ctx;
	ssize_t (*pwrite)(void *ctx, int fd, const void *data, size_t len, off_t at);
} wr_fs;

extern const wr_fs wr_fs_system;

/* wr_fs_fail turns errno into an error: what was tried, on which path. */
int wr_fs_fail(wr_err *err, const char *what, const char *path);
WR_CHECKED int wr_fs_write_all(const wr_fs *fs, int fd, const void *data, size_t len);
WR_CHECKED int wr_fs_write_at(const wr_fs *fs, int fd, const void *data, size_t len, off_t at);
/* wr_fs_put writes a whole file durably: a temporary beside it, synced, renamed, directory
 * synced. */
WR_CHECKED int wr_fs_put(const wr_fs *fs, const char *dir, const char *name, const void *data,
                         size_t len, wr_err *err);

#endif
