/* io.h: small, careful file work. */
#ifndef WARROOM_IO_H
#define WARROOM_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "warroom/buf.h"

typedef enum wr_trust {
	WR_ANY,          /* readable is enough */
	WR_NOT_WRITABLE, /* refuse if group- or world-writable by others than root or us, or not a
	                    regular file */
	WR_PRIVATE /* refuse if others or group can read or write it, or the owner is not us or root */
} wr_trust;

/* wr_read_file reads a regular file of at most `max` bytes into `out` (reset first). Opened with
 * O_CLOEXEC and checked by fstat on the descriptor, not by path. */
WR_CHECKED int wr_read_file(wr_buf *out, const char *path, size_t max, wr_trust trust, wr_err *err);
/* wr_write_file writes a temporary beside, fsyncs, renames, fsyncs the directory. */
WR_CHECKED int wr_write_file(const char *path, const void *data, size_t len, mode_t mode,
                             wr_err *err);
/* wr_write_all retries short writes and EINTR. */
WR_CHECKED int wr_write_all(int fd, const void *data, size_t len, wr_err *err);
WR_CHECKED int wr_fsync_dir(const char *dir, wr_err *err);
WR_CHECKED int wr_mkdirs(const char *path, mode_t mode, wr_err *err); /* like mkdir -p */
/* wr_path_join writes "dir/name" (or name alone if absolute). */
WR_CHECKED int wr_path_join(char *out, size_t size, const char *dir, const char *name, wr_err *err);
/* wr_set_cloexec_nonblock and friends are the callers' own. */

#endif
