/* files.h: the regular files below a directory. Symbolic links are not followed. */
#ifndef WR_LEDGER_FILES_H
#define WR_LEDGER_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "warroom/err.h"

#define WR_FILES_DEPTH 4 /* <dir>/<partition>/<stream>/<file>, and one more */

typedef struct wr_files {
	char **names; /* relative to the directory, ascending */
	size_t count, cap;
} wr_files;

/* wr_files_list finds the files whose names end in `suffix` ("": all). Hidden ones are left out
 * unless `hidden`. */
WR_CHECKED int wr_files_list(wr_files *out, const char *dir, const char *suffix, bool hidden,
                             wr_err *err);
/* wr_files_strange finds what is neither a regular file nor a directory. */
WR_CHECKED int wr_files_strange(wr_files *out, const char *dir, wr_err *err);
WR_CHECKED int wr_files_add(wr_files *f, const char *name, wr_err *err);
void wr_files_sort(wr_files *f);
void wr_files_free(wr_files *f);
/* wr_files_chains gives the chains that have segments in a ledger directory, "us-central1/ops". */
WR_CHECKED int wr_files_chains(wr_files *out, const char *ledger, wr_err *err);

#endif
