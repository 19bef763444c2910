/* files.c: see files.h. */
#include "ledger/files.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ledger/fs.h"
#include "warroom/io.h"

static int add(wr_files *f, const char *name, wr_err *err)
{
	if (f->count == f->cap) {
		size_t cap = f->cap ? f->cap * 2 : 32;
		char **more = realloc(f->names, cap * sizeof *more);
		if (!more) return wr_fail(err, WR_E_NOMEM, "list files: out of memory");
		f->names = more;
		f->cap = cap;
	}
	f->names[f->count] = strdup(name);
	if (!f->names[f->count]) return wr_fail(err, WR_E_NOMEM, "list files: out of memory");
	f->count++;
	return 0;
}

static bool ends_in(const char *name, const char *suffix)
{
	size_t n = strlen(name), k = strlen(suffix);
	return n >= k && strcmp(name + n - k, suffix) == 0;
}

typedef struct search {
	const char *root, *suffix;
	bool hidden;
} search;

static int search_dir(wr_files *f, const search *s, const char *below, int depth, wr_err *err);

static int look_at(wr_files *f, const search *s, const char *name, int depth, wr_err *err)
{
	char path[PATH_MAX];
	struct stat st;
	if (wr_path_join(path, sizeof path, s->root, name, err)) return -1;
	/* What vanishes while it is listed was not there. */
	if (lstat(path, &st)) return errno == ENOENT ? 0 : wr_fs_fail(err, "examine", path);
	if (S_ISDIR(st.st_mode)) return depth > 0 ? search_dir(f, s, name, depth - 1, err) : 0;
	return S_ISREG(st.st_mode) && ends_in(name, s->suffix) ? add(f, name, err) : 0;
}

static int search_dir(wr_files *f, const search *s, const char *below, int depth, wr_err *err)
{
	char path[PATH_MAX], name[PATH_MAX];
	struct dirent **entries;
	int rc = 0;
	if (wr_path_join(path, sizeof path, s->root, below, err)) return -1;
	int n = scandir(path, &entries, NULL, alphasort);
	if (n < 0) return wr_fs_fail(err, "open directory", path);
	for (int i = 0; i < n; i++) {
		const char *e = entries[i]->d_name;
		bool wanted = strcmp(e, ".") != 0 && strcmp(e, "..") != 0 && (s->hidden || *e != '.');
		if (rc == 0 && wanted) {
			rc = *below ? wr_path_join(name, sizeof name, below, e, err) : 0;
			if (rc == 0) rc = look_at(f, s, *below ? name : e, depth, err);
		}
		free(entries[i]);
	}
	free(entries);
	return rc;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int wr_files_list(wr_files *out, const char *dir, const char *suffix, bool hidden, wr_err *err)
{
	const search s = {.root = dir, .suffix = suffix, .hidden = hidden};
	*out = (wr_files){0};
	if (search_dir(out, &s, "", WR_FILES_DEPTH, err)) {
		wr_files_free(out);
		return -1;
	}
	if (out->count) qsort(out->names, out->count, sizeof *out->names, by_name);
	return 0;
}

void wr_files_free(wr_files *f)
{
	for (size_t i = 0; i < f->count; i++) free(f->names[i]);
	free(f->names);
	*f = (wr_files){0};
}
