/* open.c: opening a ledger: the lock, the directories, and recovery.
 *
 * The mark says from which receipt on everything has to be read: hashes, links and the tree. What
 * is before it is not read again here, however long it is: each segment must begin where the one
 * before ends, the tree that the mark carries must be what the checkpoint's signature covers, and
 * reading (wr_ledger_read) and verification check the rest. Without a mark, or where a key is but
 * no checkpoint to vouch for it, the whole chain is read.
 *
 * What recovery finds wrong is either a torn end (chain.h says what that is), which is copied to a
 * file of its own, synced and cut off, or corruption, which is left exactly as it is. Crashing in
 * between leaves a second copy of the torn bytes, never less. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/store.h"
#include "warroom/io.h"
#include "warroom/log.h"
#include "warroom/text.h"

typedef struct recovery {
	wr_ledger *l;
	wr_mark mark;
	wr_checkpoint checkpoint; /* the file's; size -1: there is none that holds */
	bool keyed;               /* there are checkpoints here */
	wr_durable end;           /* after the last good receipt */
	wr_range tree;            /* of the good receipts */
	wr_resume resume;         /* the last place to go on from */
	int64_t news;             /* receipts since the last checkpoint's */
	int64_t last;             /* first seq of the last segment, -1: no segment */
	bool torn;                /* the last segment ends in something torn, at end.bytes if it has
	                             receipts */
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

/* ---- the checkpoint ---- */

/* The file is there to vouch for what is not read; if it cannot, everything is read. */
static int read_checkpoint(recovery *rc, wr_err *err)
{
	wr_ledger *l = rc->l;
	uint8_t key[WR_ED25519_PUBLIC];
	char path[PATH_MAX];
	wr_err why = {0};
	rc->checkpoint.size = -1;
	if (wr_path_join(path, sizeof path, l->chain_dir, WR_CHECKPOINT_NAME, err)) return -1;
	if (access(path, F_OK)) return 0;
	rc->keyed = true;
	if (l->key)
		memcpy(key, wr_engine_key_public(l->key), sizeof key);
	else if (wr_engine_pub_read(l->dir, key, &why))
		return 0;
	wr_buf text = WR_BUF_INIT(WR_NOTE_MAX);
	wr_checkpoint c;
	int bad = wr_read_file(&text, path, WR_NOTE_MAX, WR_ANY, &why);
	if (!bad)
		bad = wr_checkpoint_open(&c, wr_buf_cstr(&text), text.len, l->key ? l->origin : NULL, key,
		                         &why);
	if (bad)
		wr_log(WR_LOG_ERROR, "ledger", "%s: its checkpoint does not hold, all is read: %s",
		       l->chain, why.msg);
	else
		rc->checkpoint = c;
	wr_buf_free(&text);
	return 0;
}

static int check_root(const recovery *rc, int64_t segment, int64_t at, wr_err *err)
{
	uint8_t root[WR_HASH_LEN];
	if (rc->end.count != rc->checkpoint.size) return 0;
	wr_range_root(&rc->tree, root);
	if (memcmp(root, rc->checkpoint.root, WR_HASH_LEN) == 0) return 0;
	return damaged_at(rc, rc->end.count - 1, segment, at,
	                  "the checkpoint was signed over another history", err);
}

/* ---- reading ---- */

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

static void note_place(recovery *rc, const wr_receipt *r, int64_t segment, int64_t at)
{
	bool checkpoint = strcmp(r->operation, "checkpoint_signed") == 0;
	rc->news = checkpoint ? 0 : rc->news + 1;
	if (r->seq == 0 || (rc->keyed ? !checkpoint : r->seq - rc->resume.seq < WR_CHECKPOINT_EVERY))
		return;
	rc->resume.seq = r->seq;
	rc->resume.segment = segment;
	rc->resume.at = at;
	memcpy(rc->resume.prev_hash, r->prev_hash, WR_HASH_LEN);
	rc->resume.tree = rc->tree;
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
	if (wr_index_reserve(&rc->l->index, 1, err)) return -1;
	if (segment == rc->last) wr_index_add(&rc->l->index, r.seq, line->at);
	note_place(rc, &r, segment, line->at);
	wr_range_add(&rc->tree, r.hash);
	*end = (wr_durable){.count = r.seq + 1,
	                    .segment = segment,
	                    .bytes = line->at + line->bytes,
	                    .timestamp_us = r.timestamp_us,
	                    .epoch = r.epoch};
	memcpy(end->hash, r.hash, WR_HASH_LEN);
	if (check_mark(rc, segment, line, err)) return -1;
	return check_root(rc, segment, line->at, err);
}

static int64_t size_of(const wr_lines *lines)
{
	struct stat st;
	return fstat(lines->fd, &st) == 0 ? (int64_t)st.st_size : -1;
}

static bool known_durable(const recovery *rc)
{
	return rc->end.count < rc->mark.count || rc->end.count < rc->checkpoint.size;
}

/* Reads a segment from byte `from` on. */
static int recover_segment(recovery *rc, int64_t segment, int64_t from, wr_err *err)
{
	char path[PATH_MAX];
	wr_lines lines;
	wr_line line;
	int got;
	if (wr_segment_path(rc->l, path, segment, err)) return -1;
	if (from == 0 && segment != rc->end.count)
		return damaged_at(rc, rc->end.count, segment, 0,
		                  "the segment before it does not lead up to this one", err);
	if (wr_lines_open(&lines, path, from, -1, err)) return -1;
	/* What an earlier process wrote without syncing counts from now on, so it is synced; and what
	 * the kernel only remembers is dropped, to read what the disk has. */
	int bad = 0;
	if (segment == rc->last && !rc->l->read_only) {
		if (fsync(lines.fd)) bad = wr_fs_fail(err, "fsync", path);
		(void)posix_fadvise(lines.fd, 0, 0, POSIX_FADV_DONTNEED);
	}
	while (!bad && (got = wr_lines_next(&lines, &line, err)) != 0) {
		bad = got < 0 ? -1 : recover_line(rc, segment, &line, err);
		if (got < 0 || !bad || segment != rc->last || known_durable(rc) || !wr_tail_torn(&line))
			continue;
		bad = 0;
		rc->torn = true;
		rc->torn_at = line.at;
		rc->torn_bytes = size_of(&lines) - line.at;
		break;
	}
	wr_lines_close(&lines);
	return bad;
}

/* ---- what is not read ---- */

/* The first or last line of a segment's file. */
static int edge_line(const recovery *rc, int64_t segment, bool first, wr_receipt *r,
                     char buf[static WR_LINE_MAX + 2], wr_err *err)
{
	char path[PATH_MAX];
	struct stat st;
	wr_err why = {0};
	if (wr_segment_path(rc->l, path, segment, err)) return -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0) return wr_fs_fail(err, "open", path);
	off_t at = fstat(fd, &st) || first || st.st_size < (off_t)WR_LINE_MAX + 2
	               ? 0
	               : st.st_size - ((off_t)WR_LINE_MAX + 2);
	ssize_t n = pread(fd, buf, WR_LINE_MAX + 2, at);
	(void)close(fd);
	if (n < 0) return wr_fs_fail(err, "read", path);
	const char *begin = buf, *end = memchr(buf, '\n', (size_t)n);
	if (!first && n > 0 && buf[n - 1] == '\n') {
		end = buf + n - 1;
		for (begin = end; begin > buf && begin[-1] != '\n';) begin--;
	}
	if (!end || (!first && end != buf + n - 1))
		return damaged_at(rc, segment, segment, (int64_t)st.st_size, "the line does not end", err);
	if (wr_receipt_parse(r, begin, (size_t)(end - begin), true, &why) != WR_RF_OK)
		return damaged_at(rc, segment, segment, (int64_t)at + (begin - buf), why.msg, err);
	if (strcmp(r->chain, rc->l->chain) != 0)
		return damaged_at(rc, r->seq, segment, (int64_t)at + (begin - buf),
		                  "a receipt of another chain", err);
	return 0;
}

/* Does segment `a` end where `b` begins? */
static int check_seam(const recovery *rc, int64_t a, int64_t b, wr_err *err)
{
	static const char apart[] = "the segment before it does not lead up to this one";
	wr_receipt before, after;
	char *bufs = malloc(2 * (WR_LINE_MAX + 2));
	if (!bufs) return wr_fail(err, WR_E_NOMEM, "ledger: out of memory");
	int bad = edge_line(rc, a, false, &before, bufs, err);
	if (!bad) bad = edge_line(rc, b, true, &after, bufs + WR_LINE_MAX + 2, err);
	if (!bad && (before.seq != b - 1 || after.seq != b ||
	             memcmp(before.hash, after.prev_hash, WR_HASH_LEN) != 0))
		bad = damaged_at(rc, b, b, 0, apart, err);
	free(bufs);
	return bad;
}

/* The index of the segment to go on in, or `count`: all has to be read. */
static size_t resume_at(const recovery *rc, const int64_t *segments, size_t count)
{
	const wr_resume *r = &rc->mark.resume;
	if (rc->mark.count == 0 || r->seq == 0) return count;
	if (rc->keyed && rc->checkpoint.size < r->seq) return count;
	for (size_t i = 0; i < count; i++)
		if (segments[i] == r->segment) return i;
	return count;
}

/* Everything before the receipt to go on from is taken as the mark and the checkpoint say. */
static int resume(recovery *rc, const int64_t *segments, size_t at, wr_err *err)
{
	wr_ledger *l = rc->l;
	const wr_resume *r = &rc->mark.resume;
	char path[PATH_MAX];
	wr_index_part part;
	int64_t lines;
	if (segments[0] != 0)
		return damaged_at(rc, 0, segments[0], 0, "the segments before this one are missing", err);
	for (size_t i = 0; i < at; i++)
		if (check_seam(rc, segments[i], segments[i + 1], err)) return -1;
	rc->resume = *r;
	rc->tree = r->tree;
	rc->end = (wr_durable){.count = r->seq, .segment = r->segment, .bytes = r->at};
	memcpy(rc->end.hash, r->prev_hash, WR_HASH_LEN);
	if (check_root(rc, r->segment, r->at, err)) return -1;
	if (r->at == 0 || r->segment != rc->last) return 0;
	if (wr_segment_path(l, path, r->segment, err)) return -1;
	if (wr_index_scan(&part, path, r->segment, r->at, &lines, err)) return -1;
	if (lines > 0 && lines % WR_INDEX_EVERY == 0) part.count--; /* the one to go on from */
	free(l->index.last.at);
	l->index.last = part;
	if (lines == r->seq - r->segment) return 0;
	return damaged_at(rc, r->seq, r->segment, r->at, "the mark's receipt is not there", err);
}

static int recover_chain(recovery *rc, wr_err *err)
{
	int64_t *segments;
	size_t count;
	if (wr_mark_read(rc->l->chain_dir, &rc->mark, err) || read_checkpoint(rc, err)) return -1;
	if (wr_segment_list(rc->l->chain_dir, &segments, &count, err)) return -1;
	wr_index_take(&rc->l->index, segments, count);
	rc->last = count ? segments[count - 1] : -1;
	size_t at = resume_at(rc, segments, count);
	int64_t from = 0;
	if (at == count)
		at = 0;
	else if (resume(rc, segments, at, err))
		return -1;
	else
		from = rc->mark.resume.at;
	for (int bad = 0; at < count; at++, from = 0) {
		/* Recovering grows the list; its content stays. */
		bad = recover_segment(rc, rc->l->index.segments[at], from, err);
		if (bad) return -1;
	}
	if (known_durable(rc))
		return wr_fail(err, WR_E_CORRUPT,
		               "%s: truncated: it had %lld receipts, %lld are left; nothing was changed",
		               rc->l->chain,
		               (long long)(rc->mark.count > rc->checkpoint.size ? rc->mark.count
		                                                                : rc->checkpoint.size),
		               (long long)rc->end.count);
	return 0;
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
		wr_index_drop(&l->index);
		if (l->fs.unlink(l->fs.ctx, path)) return wr_fs_fail(err, "remove", path);
		if (l->fs.sync_dir(l->fs.ctx, l->chain_dir))
			return wr_fs_fail(err, "fsync directory", l->chain_dir);
		return 0;
	}
	l->fd = l->fs.open(l->fs.ctx, path, O_WRONLY | O_NOFOLLOW, 0);
	if (l->fd < 0) return wr_fs_fail(err, "open", path);
	l->segment = rc->last;
	l->bytes = l->laid = rc->end.bytes;
	struct stat st; /* torn, or space that was laid out ahead */
	if (stat(path, &st)) return wr_fs_fail(err, "look at", path);
	if (st.st_size == (off_t)rc->end.bytes) return 0;
	if (l->fs.truncate(l->fs.ctx, l->fd, (off_t)rc->end.bytes))
		return wr_fs_fail(err, "truncate", path);
	if (l->fs.sync(l->fs.ctx, l->fd, false)) return wr_fs_fail(err, "fsync", path);
	return 0;
}

static int recover(wr_ledger *l, wr_ledger_opened *opened, wr_err *err)
{
	recovery *rc = calloc(1, sizeof *rc);
	if (!rc) return wr_fail(err, WR_E_NOMEM, "ledger: out of memory");
	*rc = (recovery){.l = l, .keyed = l->key != NULL, .last = -1, .end = {.segment = -1}};
	wr_range_init(&rc->tree, 0);
	int bad = access(l->chain_dir, F_OK) ? wr_fs_fail(err, "open", l->chain_dir) : 0;
	if (!bad) bad = recover_chain(rc, err);
	if (!bad && !l->read_only) bad = mend(rc, opened, err);
	if (!bad) {
		l->durable = rc->end;
		l->tree = rc->tree;
		l->resume = rc->resume;
		l->marked = l->mark_tried = rc->mark.count;
		l->noted = rc->checkpoint.size;
		/* Where there is no checkpoint that holds, one is due. */
		l->news = rc->news > 0 || rc->checkpoint.size >= 0 ? rc->news : rc->end.count;
		/* Somebody else's torn end is only an unfinished write while they are at it. */
		if (!l->read_only || !wr_lock_held(l->dir)) {
			opened->torn_tail = rc->torn;
			opened->torn_bytes = rc->torn_bytes;
		}
		opened->count = rc->end.count;
	}
	free(rc);
	return bad;
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
	const char *prefix = o->origin ? o->origin : "warroom";
	int n = snprintf(l->origin, sizeof l->origin, "%s/%s", prefix, l->chain);
	if (n < 0 || (size_t)n >= sizeof l->origin || n == 0 || !*prefix)
		return wr_fail(err, WR_E_INVALID, "ledger: the origin is empty or too long");
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

static int start_threads(wr_ledger *l, wr_err *err)
{
	l->writer_up = pthread_create(&l->writer, NULL, wr_ledger_writer, l) == 0;
	l->keeper_up = l->writer_up && pthread_create(&l->keeper, NULL, wr_ledger_keeper, l) == 0;
	return l->keeper_up ? 0
	                    : wr_fail(err, WR_E_UNAVAILABLE, "ledger: cannot start the writer thread");
}

static int open_for_writing(wr_ledger *l, const wr_ledger_opts *o, wr_ledger_opened *opened,
                            wr_err *err)
{
	if (make_dirs(l, o, err) || wr_writer_init(l, err)) return -1;
	l->lock = wr_lock_take(l->dir, l->chain, err);
	if (!l->lock) return -1;
	if (o->engine_key) {
		l->key = wr_engine_key_load(o->engine_key, true, &l->random, err);
		if (!l->key || wr_engine_key_publish(l->key, l->dir, err)) return -1;
	}
	if (recover(l, opened, err)) return -1;
	wr_keeper_write(l);
	l->noted_ms = wr_mono_ms(&l->clock);
	if (l->threads && start_threads(l, err)) return -1;
	l->opened = true;
	return 0;
}

static int init_waiting(wr_ledger *l)
{
	pthread_condattr_t attr;
	l->last = &l->first;
	l->wanted = SIZE_MAX;
	if (pthread_mutex_init(&l->mutex, NULL) || pthread_condattr_init(&attr)) return -1;
	int rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) ||
	         pthread_cond_init(&l->work, &attr) || pthread_cond_init(&l->care, &attr);
	(void)pthread_condattr_destroy(&attr);
	return rc ? -1 : 0;
}

static wr_ledger *open_ledger(const wr_ledger_opts *o, const wr_fs *fs, bool threads,
                              wr_ledger_opened *opened, wr_err *err)
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
	l->threads = threads;
	l->segment_max = (int64_t)(o->segment_max ? o->segment_max : WR_SEGMENT_MAX);
	l->crowd = WR_CROWD;
	l->lay = WR_LAID;
	l->fd = -1;
	l->durable.segment = -1;
	wr_index_init(&l->index);
	wr_range_init(&l->tree, 0);
	int rc = set_names(l, o, err);
	if (rc == 0) rc = o->read_only ? recover(l, opened, err) : open_for_writing(l, o, opened, err);
	if (rc == 0) return l;
	wr_ledger_close(l);
	return NULL;
}

wr_ledger *wr_ledger_open_with(const wr_ledger_opts *opts, const wr_fs *fs,
                               wr_ledger_opened *opened, wr_err *err)
{
	return open_ledger(opts, fs, true, opened, err);
}

wr_ledger *wr_ledger_open_alone(const wr_ledger_opts *opts, const wr_fs *fs,
                                wr_ledger_opened *opened, wr_err *err)
{
	return open_ledger(opts, fs, false, opened, err);
}

wr_ledger *wr_ledger_open_dir(const wr_ledger_opts *opts, wr_ledger_opened *opened, wr_err *err)
{
	return wr_ledger_open_with(opts, &wr_fs_system, opened, err);
}
