/* archive.c: making the exports of an archive, and removing old ones.
 *
 * What is being made or removed has a name of its own that begins with a dot; a crash leaves one
 * such, which the next run clears away. Everything else in the directory is left alone. Not
 * thread-safe for one archive; an engine has one thread for it. */
#include "warroom/archive.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/files.h"
#include "warroom/anchor.h"
#include "warroom/io.h"
#include "warroom/sigv4.h"

#define DAY_US   INT64_C(86400000000)
#define MAKING   ".making"
#define REMOVING ".removing"
/* A stamp may be of a checkpoint that is so many receipts behind: it may come after an export that
 * has them all, and then goes with the next one. */
#define STAMP_LAG 1024

int64_t wr_archive_next(int64_t now_us, int64_t at_ms, int64_t last_us)
{
	if (last_us > now_us) last_us = now_us;
	int64_t day = last_us / DAY_US - (last_us % DAY_US < 0);
	int64_t due = day * DAY_US + at_ms * 1000;
	return due > last_us ? due : due + DAY_US;
}

/* ---- names ---- */

void wr_archive_name(wr_archive_entry *e)
{
	char at[WR_SIGV4_TIME_LEN];
	wr_sigv4_time(at, e->time_us);
	snprintf(e->name, sizeof e->name, "%.16s-%020lld-%020lld", at, (long long)e->first_seq,
	         (long long)e->last_seq);
}

bool wr_archive_parse(const char *name, wr_archive_entry *out)
{
	wr_archive_entry again;
	char at[24];
	/* 20261121T120000Z-<20>-<20> */
	if (strlen(name) != WR_ARCHIVE_NAME_LEN - 1 || name[16] != '-' || name[37] != '-' ||
	    strspn(name + 17, "0123456789") != 20 || strspn(name + 38, "0123456789") != 20 ||
	    name[17] != '0' || name[38] != '0')
		return false;
	snprintf(at, sizeof at, "%.4s-%.2s-%.5s:%.2s:%.2sZ", name, name + 4, name + 6, name + 11,
	         name + 13);
	*out = (wr_archive_entry){.first_seq = strtoll(name + 17, NULL, 10),
	                          .last_seq = strtoll(name + 38, NULL, 10)};
	if (wr_time_parse(at, &out->time_us, NULL) || out->first_seq > out->last_seq) return false;
	again = *out;
	wr_archive_name(&again);
	memcpy(out->name, again.name, sizeof out->name);
	return strcmp(name, again.name) == 0;
}

static int by_first(const void *a, const void *b)
{
	const wr_archive_entry *x = a, *y = b;
	if (x->first_seq != y->first_seq) return x->first_seq < y->first_seq ? -1 : 1;
	if (x->last_seq != y->last_seq) return x->last_seq < y->last_seq ? -1 : 1;
	return strcmp(x->name, y->name);
}

int wr_archive_list(const char *dir, wr_archive_entry **out, size_t *count, wr_err *err)
{
	struct dirent *e;
	size_t cap = 0;
	int rc = 0;
	*out = NULL;
	*count = 0;
	DIR *d = opendir(dir);
	if (!d && errno == ENOENT) return 0;
	if (!d) return wr_fail_errno(err, errno, "%.200s", dir);
	/* cppcheck-suppress readdirCalled ; the stream is ours alone */
	while (rc == 0 && (e = readdir(d))) {
		wr_archive_entry one;
		if (!wr_archive_parse(e->d_name, &one)) continue;
		if (*count == cap) {
			cap = cap ? 2 * cap : 16;
			wr_archive_entry *more = realloc(*out, cap * sizeof **out);
			if (!more) {
				rc = wr_fail(err, WR_E_NOMEM, "out of memory");
				break;
			}
			*out = more;
		}
		(*out)[(*count)++] = one;
		if (*count > WR_ARCHIVE_MAX)
			rc = wr_fail(err, WR_E_LIMIT, "%.200s: more than %d exports", dir, WR_ARCHIVE_MAX);
	}
	closedir(d);
	if (*count) qsort(*out, *count, sizeof **out, by_first);
	if (rc) {
		free(*out);
		*out = NULL;
		*count = 0;
	}
	return rc;
}

/* ---- removing ---- */

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static int remove_tree(const char *dir, wr_err *err)
{
	if (access(dir, F_OK) != 0) return 0;
	if (nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0) return 0;
	return wr_fail_errno(err, errno, "%.200s: cannot remove", dir);
}

static int clear(const char *dir, const char *name, wr_err *err)
{
	char path[PATH_MAX];
	return wr_path_join(path, sizeof path, dir, name, err) ? -1 : remove_tree(path, err);
}

int wr_archive_remove(const char *dir, const char *name, wr_err *err)
{
	char path[PATH_MAX], aside[PATH_MAX];
	if (wr_path_join(path, sizeof path, dir, name, err) ||
	    wr_path_join(aside, sizeof aside, dir, REMOVING, err) || remove_tree(aside, err))
		return -1;
	if (rename(path, aside)) return wr_fail_errno(err, errno, "%.200s: cannot remove", path);
	return wr_fsync_dir(dir, err) ? -1 : remove_tree(aside, err);
}

int wr_archive_prune(const char *dir, int64_t keep_ms, int64_t now_us, int64_t *removed,
                     int64_t *left, wr_err *err)
{
	wr_archive_entry *all = NULL;
	size_t count = 0, newest = 0;
	*removed = *left = 0;
	if (keep_ms <= 0) return 0;
	if (clear(dir, REMOVING, err) || wr_archive_list(dir, &all, &count, err)) return -1;
	for (size_t i = 1; i < count; i++)
		if (all[i].last_seq > all[newest].last_seq ||
		    (all[i].last_seq == all[newest].last_seq && all[i].time_us > all[newest].time_us))
			newest = i;
	int rc = 0;
	for (size_t i = 0; i < count && rc == 0; i++) {
		char path[PATH_MAX];
		if (i == newest || all[i].time_us > now_us - keep_ms * 1000) continue;
		if (wr_path_join(path, sizeof path, dir, all[i].name, err)) {
			rc = -1;
		} else if (wr_manifest_check(path, NULL) != 0) {
			/* Changed, or something of somebody's is in it: that is for people to look at. */
			(*left)++;
		} else {
			rc = wr_archive_remove(dir, all[i].name, err);
			*removed += rc == 0;
		}
	}
	free(all);
	return rc;
}

/* ---- making ---- */

static int measure(const char *dir, wr_archive_made *out, wr_err *err)
{
	wr_files files;
	char path[PATH_MAX];
	uint8_t hash[WR_HASH_LEN];
	int rc = wr_files_list(&files, dir, "", true, err);
	if (rc) return -1;
	out->bytes = 0;
	for (size_t i = 0; i < files.count && rc == 0; i++) {
		struct stat st;
		rc = wr_path_join(path, sizeof path, dir, files.names[i], err);
		if (rc == 0 && stat(path, &st)) rc = wr_fail_errno(err, errno, "%.200s", path);
		if (rc == 0) out->bytes += (int64_t)st.st_size;
	}
	wr_files_free(&files);
	if (rc == 0) rc = wr_path_join(path, sizeof path, dir, WR_MANIFEST_NAME, err);
	if (rc == 0) rc = wr_sha256_file(path, hash, err);
	if (rc == 0) wr_hex(out->manifest, hash, sizeof hash);
	out->receipts = out->entry.last_seq - out->entry.first_seq + 1;
	return rc;
}

/* What an earlier run made, and could not tell of any more. */
static int find_made(const wr_archive_job *job, wr_archive_made *out, wr_err *err)
{
	wr_archive_entry *all = NULL;
	size_t count = 0;
	char path[PATH_MAX];
	if (wr_archive_list(job->dir, &all, &count, err)) return -1;
	int rc = 0;
	for (size_t i = count; i > 0 && !out->found && rc == 0; i--) {
		if (all[i - 1].first_seq != job->first_seq ||
		    wr_path_join(path, sizeof path, job->dir, all[i - 1].name, NULL) ||
		    wr_manifest_check(path, NULL) != 0)
			continue;
		out->entry = all[i - 1];
		rc = measure(path, out, err);
		out->found = rc == 0;
	}
	free(all);
	return rc;
}

static int copy_file(const char *from_dir, const char *name, const char *to_dir, wr_err *err)
{
	char from[PATH_MAX], to[PATH_MAX];
	wr_buf data = WR_BUF_INIT(WR_ANCHOR_MAX);
	int rc = wr_path_join(from, sizeof from, from_dir, name, err);
	if (rc == 0) rc = wr_path_join(to, sizeof to, to_dir, name, err);
	if (rc == 0) rc = wr_read_file(&data, from, WR_ANCHOR_MAX, WR_ANY, err);
	if (rc == 0) rc = wr_write_file(to, data.data ? data.data : "", data.len, 0640, err);
	wr_buf_free(&data);
	return rc;
}

/* The time stamps of checkpoints from the first receipt on go with them: how many. Those whose
 * response is not written yet come another time. */
static int copy_anchors(const wr_archive_job *job, const char *making, wr_err *err)
{
	char from[PATH_MAX], chain[PATH_MAX], to[PATH_MAX];
	wr_files files;
	if (wr_path_join(chain, sizeof chain, job->ledger, job->chain, err) ||
	    wr_path_join(from, sizeof from, chain, "anchors", err))
		return -1;
	if (access(from, F_OK) != 0) return 0;
	if (wr_path_join(chain, sizeof chain, making, job->chain, err) ||
	    wr_path_join(to, sizeof to, chain, "anchors", err) ||
	    wr_files_list(&files, from, ".tsr", false, err))
		return -1;
	int copied = 0, rc = 0;
	for (size_t i = 0; i < files.count && rc == 0; i++) {
		char name[40];
		if (strlen(files.names[i]) != 24 ||
		    strtoll(files.names[i], NULL, 10) <= job->first_seq - STAMP_LAG)
			continue;
		static const char *const kinds[] = {"note", "tsq", "tsr"};
		if (copied == 0) rc = wr_mkdirs(to, 0750, err);
		for (size_t k = 0; k < 3 && rc == 0; k++) {
			snprintf(name, sizeof name, "%.20s.%s", files.names[i], kinds[k]);
			rc = copy_file(from, name, to, err);
		}
		copied++;
	}
	wr_files_free(&files);
	return rc ? -1 : copied;
}

/* Under its name; a damaged one may have that already, of the same second and receipts. */
static int name_it(const wr_archive_job *job, const char *making, wr_archive_entry *e, wr_err *err)
{
	char path[PATH_MAX];
	for (int tries = 0; tries < 10; tries++, e->time_us += 1000000) {
		wr_archive_name(e);
		if (wr_path_join(path, sizeof path, job->dir, e->name, err)) return -1;
		if (rename(making, path) == 0) return wr_fsync_dir(job->dir, err);
		if (errno != EEXIST && errno != ENOTEMPTY) break;
	}
	return wr_fail_errno(err, errno, "%.200s: cannot rename", path);
}

static int finish(const wr_archive_job *job, const char *making, wr_archive_made *out, wr_err *err)
{
	int anchors = copy_anchors(job, making, err);
	if (anchors < 0 || (anchors > 0 && wr_manifest_write(making, err))) return -1;
	if (measure(making, out, err) || wr_fsync_dir(making, err)) return -1;
	return name_it(job, making, &out->entry, err);
}

int wr_archive_make(const wr_archive_job *job, wr_archive_made *out, wr_err *err)
{
	char making[PATH_MAX];
	wr_export_report rep = {0};
	*out = (wr_archive_made){0};
	if (wr_mkdirs(job->dir, 0750, err) || find_made(job, out, err)) return -1;
	if (out->found) return 0;
	if (clear(job->dir, MAKING, err) || wr_path_join(making, sizeof making, job->dir, MAKING, err))
		return -1;
	wr_export_opts opts = {.ledger = job->ledger,
	                       .chain = job->chain,
	                       .since = {.kind = WR_SINCE_SEQ, .seq = job->first_seq},
	                       .to = making,
	                       .clock = job->clock};
	if (wr_export(&opts, &rep, err)) return -1;
	int rc = 0;
	if (rep.chain_count == 1 && rep.chains[0].count > 0) {
		out->entry =
		    (wr_archive_entry){.time_us = wr_wall_us(job->clock),
		                       .first_seq = rep.chains[0].first_seq,
		                       .last_seq = rep.chains[0].first_seq + rep.chains[0].count - 1};
		rc = out->entry.first_seq == job->first_seq
		         ? finish(job, making, out, err)
		         : wr_fail(err, WR_E_CORRUPT, "receipt %lld is not there, but %lld",
		                   (long long)job->first_seq, (long long)out->entry.first_seq);
	}
	wr_export_free(&rep);
	if (rc || out->receipts == 0) (void)clear(job->dir, MAKING, NULL);
	return rc;
}
