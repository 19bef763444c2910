/* files.c: see files.h. */
#include "ledger/files.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ledger/chain.h"
#include "ledger/fs.h"
#include "warroom/io.h"

int wr_files_add(wr_files *f, const char *name, wr_err *err)
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
	bool hidden, strange;
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
	bool wanted =
	    s->strange ? !S_ISREG(st.st_mode) : S_ISREG(st.st_mode) && ends_in(name, s->suffix);
	return wanted ? wr_files_add(f, name, err) : 0;
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

static int find(wr_files *out, const search *s, wr_err *err)
{
	*out = (wr_files){0};
	if (search_dir(out, s, "", WR_FILES_DEPTH, err)) {
		wr_files_free(out);
		return -1;
	}
	wr_files_sort(out);
	return 0;
}

int wr_files_list(wr_files *out, const char *dir, const char *suffix, bool hidden, wr_err *err)
{
	const search s = {.root = dir, .suffix = suffix, .hidden = hidden};
	return find(out, &s, err);
}

int wr_files_strange(wr_files *out, const char *dir, wr_err *err)
{
	const search s = {.root = dir, .suffix = "", .hidden = true, .strange = true};
	return find(out, &s, err);
}

void wr_files_sort(wr_files *f)
{
	if (f->count) qsort(f->names, f->count, sizeof *f->names, by_name);
}

void wr_files_free(wr_files *f)
{
	for (size_t i = 0; i < f->count; i++) free(f->names[i]);
	free(f->names);
	*f = (wr_files){0};
}

/* The length of the chain's name in "us-central1/ops/00000000000000000000.jsonl"; 0: not that. */
static size_t chain_part(const char *name)
{
	const char *slash = strchr(name, '/');
	const char *last = strrchr(name, '/');
	if (!slash || slash == last || strchr(slash + 1, '/') != last) return 0;
	return wr_segment_seq(last + 1) >= 0 ? (size_t)(last - name) : 0;
}

int wr_files_chains(wr_files *out, const char *ledger, wr_err *err)
{
	wr_files all;
	char chain[PATH_MAX];
	int rc = wr_files_list(&all, ledger, ".jsonl", false, err);
	*out = (wr_files){0};
	for (size_t i = 0; i < all.count && rc == 0; i++) {
		size_t n = chain_part(all.names[i]);
		if (n == 0 || n >= 128) continue;
		(void)snprintf(chain, sizeof chain, "%.*s", (int)n, all.names[i]);
		if (out->count && strcmp(out->names[out->count - 1], chain) == 0) continue;
		rc = wr_files_add(out, chain, err);
	}
	wr_files_free(&all);
	if (rc) wr_files_free(out);
	return rc;
}
