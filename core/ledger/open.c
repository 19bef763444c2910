/* open.c: opening a ledger: the lock, the directories, and recovery.
 *
 * Recovery reads the whole chain, every hash and link, before anything is changed. What it finds
 * wrong is either a torn end (chain.h says what that is), which is copied to a file of its own,
 * synced and cut off, or corruption, which is left exactly as it is. Crashing in between leaves a
 * second copy of the torn bytes, never less. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/store.h"
#include "warroom/io.h"
#include "warroom/text.h"

typedef struct recovery {
	wr_ledger *l;
	wr_mark mark;
	wr_durable end; /* after the last good receipt */
	int64_t last;   /* first seq of the last segment, -1: no segment */
	bool torn;      /* the last segment ends in something torn, at end.bytes if it has receipts */
	int64_t torn_at, torn_bytes;
} recovery;

static int damaged_at(const recovery *rc, int64_t seq, int64_t segment, int64_t at, const char *why,
                      wr_err *err)
{
	char name[WR_SEGMENT_NAME_LEN];
	wr_segment_name(name, segment);
	return wr_fail(err, WR_E_CORRUPT, "%s seq %lld: %s byte %lld: %s; nothing was changed",
	               rc->l->chain, (long long)seq, name, (long long)at, why);
}

static int damaged(const recovery *rc, int64_t segment, const wr_line *line, const char *why,
                   wr_err *err)
{
	return damaged_at(rc, rc->end.count, segment, line->at, why, err);
}

/* The good receipts have come to where the mark was set: is it the same history? */
static int check_mark(const recovery *rc, int64_t segment, const wr_line *line, wr_err *err)
{
	if (rc->end.count != rc->mark.count) return 0;
	if (memcmp(rc->end.hash, rc->mark.hash, WR_HASH_LEN) != 0 || rc->mark.segment != segment ||
	    rc->mark.bytes != line->at + line->bytes)
		return damaged_at(rc, rc->end.count - 1, segment, line->at,
		                  "the high-water mark was set on another history", err);
	return 0;
}

static int recover_line(recovery *rc, int64_t segment, const wr_line *line, wr_err *err)
{
	wr_receipt r;
	wr_err why = {0};
	wr_durable *end = &rc->end;
	if (!line->ended) return damaged(rc, segment, line, "the line does not end", err);
	if (wr_receipt_parse(&r, line->text, line->len, true, &why) != WR_RF_OK)
		return damaged(rc, segment, line, why.msg, err);
	if (r.seq != end->count) return damaged(rc, segment, line, "another seq is there", err);
	if (memcmp(r.prev_hash, end->hash, WR_HASH_LEN) != 0)
		return damaged(rc, segment, line, "prev_hash is not the hash of the receipt before", err);
	if (strcmp(r.chain, rc->l->chain) != 0)
		return damaged(rc, segment, line, "a receipt of another chain", err);
	if (wr_places_reserve(rc->l, 1, err)) return -1;
	wr_places_add(rc->l, r.seq, segment, line->at);
	*end = (wr_durable){.count = r.seq + 1,
	                    .segment = segment,
	                    .bytes = line->at + line->bytes,
	                    .timestamp_us = r.timestamp_us,
	                    .epoch = r.epoch};
	memcpy(end->hash, r.hash, WR_HASH_LEN);
	return check_mark(rc, segment, line, err);
}

static int64_t size_of(const wr_lines *lines)
{
	struct stat st;
	return fstat(lines->fd, &st) == 0 ? (int64_t)st.st_size : -1;
}

static int recover_segment(recovery *rc, int64_t segment, wr_err *err)
{
	char path[PATH_MAX];
	wr_lines lines;
	wr_line line;
	int got;
	if (wr_segment_path(rc->l, path, segment, err)) return -1;
	if (segment != rc->end.count)
		return damaged_at(rc, rc->end.count, segment, 0,
		                  "the segment before it does not lead up to this one", err);
	if (wr_lines_open(&lines, path, 0, -1, err)) return -1;
	/* What an earlier process wrote without syncing counts from now on, so it is synced; and what
	 * the kernel only remembers is dropped, to read what the disk has. */
	int bad = 0;
	if (segment == rc->last && !rc->l->read_only) {
		if (fsync(lines.fd)) bad = wr_fs_fail(err, "fsync", path);
		(void)posix_fadvise(lines.fd, 0, 0, POSIX_FADV_DONTNEED);
	}
	while (!bad && (got = wr_lines_next(&lines, &line, err)) != 0) {
		bad = got < 0 ? -1 : recover_line(rc, segment, &line, err);
		bool past_mark = rc->end.count >= rc->mark.count;
		if (got < 0 || !bad || segment != rc->last || !past_mark || !wr_tail_torn(&line)) continue;
		bad = 0;
		rc->torn = true;
		rc->torn_at = line.at;
		rc->torn_bytes = size_of(&lines) - line.at;
		break;
	}
	wr_lines_close(&lines);
	return bad;
}

static int recover_chain(recovery *rc, wr_err *err)
{
	int64_t *segments;
	size_t count;
	int bad = 0;
	if (wr_mark_read(rc->l->chain_dir, &rc->mark, err)) return -1;
	if (wr_segment_list(rc->l->chain_dir, &segments, &count, err)) return -1;
	rc->last = count ? segments[count - 1] : -1;
	for (size_t i = 0; i < count && !bad; i++) bad = recover_segment(rc, segments[i], err);
	free(segments);
	if (!bad && rc->end.count < rc->mark.count)
		bad = wr_fail(err, WR_E_CORRUPT,
		              "%s: truncated: it had %lld receipts, %lld are left; nothing was changed",
		              rc->l->chain, (long long)rc->mark.count, (long long)rc->end.count);
	return bad;
}

/* ---- mending the end ---- */

static int set_aside(recovery *rc, const char *path, wr_ledger_opened *opened, wr_err *err)
{
	wr_ledger *l = rc->l;
	char name[64], time[WR_TIME_LEN];
	wr_buf torn = WR_BUF_INIT(2 * (size_t)WR_SEGMENT_MAX);
	wr_time_format(time, wr_wall_us(&l->clock));
	(void)snprintf(name, sizeof name, "torn-%lld-%.4s%.2s%.5s%.2s%.2sZ.bin",
	               (long long)rc->end.count, time, time + 5, time + 8, time + 14, time + 17);
	char joined[PATH_MAX];
	if (wr_path_join(joined, sizeof joined, l->chain_dir, name, err)) return -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) return wr_fs_fail(err, "open", path);
	char part[4096];
	int64_t at = rc->torn_at, to = rc->torn_at + rc->torn_bytes;
	ssize_t n = 1;
	while (at < to && n > 0 && (n = pread(fd, part, sizeof part, (off_t)at)) > 0) {
		wr_buf_add(&torn, part, (size_t)n);
		at += n;
	}
	int bad = n < 0 ? wr_fs_fail(err, "read", path) : 0;
	(void)close(fd);
	if (!bad && !wr_buf_ok(&torn)) bad = wr_fail(err, WR_E_NOMEM, "ledger: out of memory");
	if (!bad) bad = wr_fs_put(&l->fs, l->chain_dir, name, torn.data, torn.len, err);
	wr_buf_free(&torn);
	if (!bad) (void)snprintf(opened->torn_file, sizeof opened->torn_file, "%s", name);
	return bad;
}

static int mend(recovery *rc, wr_ledger_opened *opened, wr_err *err)
{
	wr_ledger *l = rc->l;
	char path[PATH_MAX];
	if (rc->last < 0) return 0;
	if (wr_segment_path(l, path, rc->last, err)) return -1;
	if (rc->torn && set_aside(rc, path, opened, err)) return -1;
	if (rc->end.segment != rc->last) { /* it holds no receipt: as if it had not been created */
		if (l->fs.unlink(l->fs.ctx, path)) return wr_fs_fail(err, "remove", path);
		if (l->fs.sync_dir(l->fs.ctx, l->chain_dir))
			return wr_fs_fail(err, "fsync directory", l->chain_dir);
		return 0;
	}
	l->fd = l->fs.open(l->fs.ctx, path, O_WRONLY | O_APPEND | O_NOFOLLOW, 0);
	if (l->fd < 0) return wr_fs_fail(err, "open", path);
	l->segment = rc->last;
	l->bytes = rc->end.bytes;
	if (!rc->torn) return 0;
	if (l->fs.truncate(l->fs.ctx, l->fd, (off_t)rc->end.bytes))
		return wr_fs_fail(err, "truncate", path);
	if (l->fs.sync(l->fs.ctx, l->fd, false)) return wr_fs_fail(err, "fsync", path);
	return 0;
}

static int recover(wr_ledger *l, wr_ledger_opened *opened, wr_err *err)
{
	recovery rc = {.l = l, .last = -1, .end = {.segment = -1}};
	if (access(l->chain_dir, F_OK)) return wr_fs_fail(err, "open", l->chain_dir);
	if (recover_chain(&rc, err)) return -1;
	if (!l->read_only && mend(&rc, opened, err)) return -1;
	l->durable = rc.end;
	l->marked = l->mark_tried = rc.mark.count;
	/* Somebody else's torn end is only an unfinished write while they are at it. */
	if (!l->read_only || !wr_lock_held(l->dir)) {
		opened->torn_tail = rc.torn;
		opened->torn_bytes = rc.torn_bytes;
	}
	opened->count = rc.end.count;
	return 0;
}

/* ---- opening ---- */

static int set_names(wr_ledger *l, const wr_ledger_opts *o, wr_err *err)
{
	if (!wr_name_ok(o->partition) || !wr_name_ok(o->stream))
		return wr_fail(err, WR_E_INVALID, "ledger: partition and stream must be plain names");
	(void)snprintf(l->chain, sizeof l->chain, "%s/%s", o->partition, o->stream);
	if (!o->read_only && (!o->actor || !*o->actor || strlen(o->actor) >= sizeof l->actor))
		return wr_fail(err, WR_E_INVALID, "ledger: the default actor is empty or too long");
	(void)snprintf(l->actor, sizeof l->actor, "%s", o->actor ? o->actor : "");
	if (wr_path_join(l->dir, sizeof l->dir, o->dir, "", err)) return -1;
	return wr_path_join(l->chain_dir, sizeof l->chain_dir, o->dir, l->chain, err);
}

/* A directory that was just made is only there for sure when the one above it is synced. */
static int make_dirs(wr_ledger *l, const wr_ledger_opts *o, wr_err *err)
{
	char level[PATH_MAX];
	const char *below[] = {l->chain, o->partition, ".", ".."};
	if (wr_mkdirs(l->chain_dir, 0750, err)) return -1;
	for (size_t i = 0; i < sizeof below / sizeof *below; i++) {
		if (wr_path_join(level, sizeof level, l->dir, below[i], err)) return -1;
		if (l->fs.sync_dir(l->fs.ctx, level) == 0) continue;
		/* The one above the ledger need not be ours to read. */
		if (strcmp(below[i], "..") == 0 && errno == EACCES) continue;
		return wr_fs_fail(err, "fsync directory", level);
	}
	return 0;
}

static int ready_key(wr_ledger *l, const char *path, wr_err *err)
{
	wr_engine_key *k = wr_engine_key_load(path, true, &l->random, err);
	int rc = k ? wr_engine_key_publish(k, l->dir, err) : -1;
	wr_engine_key_free(k);
	return rc;
}

static int open_for_writing(wr_ledger *l, const wr_ledger_opts *o, wr_ledger_opened *opened,
                            wr_err *err)
{
	if (make_dirs(l, o, err)) return -1;
	l->lock_fd = wr_lock_take(l->dir, &l->dir_fd, err);
	if (l->lock_fd < 0) return -1;
	if (o->engine_key && ready_key(l, o->engine_key, err)) return -1;
	if (recover(l, opened, err)) return -1;
	wr_ledger_mark(l);
	if (pthread_create(&l->writer, NULL, wr_ledger_writer, l))
		return wr_fail(err, WR_E_UNAVAILABLE, "ledger: cannot start the writer thread");
	l->started = true;
	return 0;
}

static int init_waiting(wr_ledger *l)
{
	pthread_condattr_t attr;
	l->last = &l->first;
	if (pthread_mutex_init(&l->mutex, NULL) || pthread_condattr_init(&attr)) return -1;
	int rc =
	    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) || pthread_cond_init(&l->work, &attr);
	(void)pthread_condattr_destroy(&attr);
	return rc ? -1 : 0;
}

wr_ledger *wr_ledger_open_with(const wr_ledger_opts *o, const wr_fs *fs, wr_ledger_opened *opened,
                               wr_err *err)
{
	wr_ledger_opened ignored;
	if (!opened) opened = &ignored;
	*opened = (wr_ledger_opened){0};
	wr_ledger *l = calloc(1, sizeof *l);
	if (!l || init_waiting(l)) {
		free(l);
		(void)wr_fail(err, WR_E_NOMEM, "ledger: out of memory");
		return NULL;
	}
	l->fs = *fs;
	l->clock = o->clock ? *o->clock : wr_clock_system;
	l->random = o->random ? *o->random : wr_random_system;
	l->read_only = o->read_only;
	l->segment_max = (int64_t)(o->segment_max ? o->segment_max : WR_SEGMENT_MAX);
	l->lock_fd = l->dir_fd = l->fd = -1;
	l->durable.segment = -1;
	int rc = set_names(l, o, err);
	if (rc == 0) rc = o->read_only ? recover(l, opened, err) : open_for_writing(l, o, opened, err);
	if (rc == 0) return l;
	wr_ledger_close(l);
	return NULL;
}

wr_ledger *wr_ledger_open_dir(const wr_ledger_opts *opts, wr_ledger_opened *opened, wr_err *err)
{
	return wr_ledger_open_with(opts, &wr_fs_system, opened, err);
}
