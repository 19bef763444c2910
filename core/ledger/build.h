/* build.h: a directory that appears whole or not at all: made beside its place under another name,
 * synced, then renamed. What a crash left of an earlier attempt is cleared away by the next one.
 * Not thread-safe. */
#ifndef WR_LEDGER_BUILD_H
#define WR_LEDGER_BUILD_H

#include <limits.h>

#include "ledger/fs.h"

typedef struct wr_build {
	const wr_fs *fs;
	char into[PATH_MAX], parent[PATH_MAX];
	char dir[PATH_MAX]; /* where it is made: "<parent>/.<name>.partial" */
	int lock_fd;        /* of dir, locked; -1 */
} wr_build;

/* wr_build_begin: `into` must be missing or an empty directory, and its parent there. */
WR_CHECKED int wr_build_begin(wr_build *b, const char *into, const wr_fs *fs, wr_err *err);
/* wr_build_file writes a whole file durably, making the directories it is in. */
WR_CHECKED int wr_build_file(wr_build *b, const char *name, const void *data, size_t len,
                             wr_err *err);
/* wr_build_open creates a file to be written to in parts; wr_build_close syncs and closes it. */
WR_CHECKED int wr_build_open(wr_build *b, const char *name, wr_err *err);
WR_CHECKED int wr_build_close(wr_build *b, int fd, const char *name, wr_err *err);
/* wr_build_unlock lets a ledger be opened in dir, which takes the same lock. */
void wr_build_unlock(wr_build *b);
WR_CHECKED int wr_build_commit(wr_build *b, wr_err *err);
/* wr_build_abort removes what was made; harmless after commit. */
void wr_build_abort(wr_build *b);

#endif
