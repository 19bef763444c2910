/* writer.c: the writer thread: group commit, segments, and what happens when the disk says no.
 *
 * A batch is what was queued while the last one was being synced. Its receipts get their seq, time
 * and hash here, each goes out in one write, one fdatasync covers them all, and only then are the
 * callers answered and the durable end moved.
 *
 * When a write or a sync fails, what is beyond the durable end is unknown, and syncing again would
 * say "fine" about pages that the kernel has dropped. So the segment is left for good: it is cut
 * back to the durable end (every byte cut is in the batch in memory), that is synced, and the same
 * lines go, byte by byte, into a new segment. Cutting comes first, so that a crash at any moment
 * leaves either a valid chain or a torn end, never two receipts with one seq.
 *
 * Cutting back fails: the batch may or may not be there: UNKNOWN, and the ledger has failed. The
 * second try fails: nothing of it is there: UNAVAILABLE, and the ledger has failed. No space:
 * nothing of it is there: UNAVAILABLE, and the next submission tries again. The segment is not as
 * we left it: somebody else writes here, with a newer epoch than ours: CONFLICT, nothing is written
 * and nothing cut off, and the ledger has failed. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ledger/store.h"
#include "warroom/log.h"

#define BATCH_LINES 4096 /* bounds what a batch allocates before its text is made */

typedef struct batch_line {
	size_t at, len; /* in text, newline included */
	wr_durable end; /* what is durable once this line is */
} batch_line;

typedef struct batch_unit {
	wr_unit *unit;
	size_t first_line; /* its lines follow each other */
	int64_t first_seq;
	bool refused; /* before writing: why says it */
	wr_append_status status;
	wr_err err;
} batch_unit;

typedef struct batch {
	wr_buf text;
	batch_line *lines;
	size_t line_count;
	size_t durable_lines;
	batch_unit *units;
	size_t unit_count;
	wr_durable end; /* of the last line made */
} batch;

/* ---- making the lines ---- */

static int make_line(wr_ledger *l, batch *b, const json_t *draft, int64_t epoch, wr_err *err)
{
	uint8_t random[10];
	char id[WR_UUID_LEN];
	batch_line *line = &b->lines[b->line_count];
	int64_t now = wr_wall_us(&l->clock);
	if (now < b->end.timestamp_us) now = b->end.timestamp_us + 1;
	wr_random_fill(&l->random, random, sizeof random);
	wr_uuid7(id, now, random);
	const wr_envelope env = {.actor = l->actor,
	                         .chain = l->chain,
	                         .epoch = epoch,
	                         .seq = b->end.count,
	                         .timestamp_us = now,
	                         .prev_hash = b->end.hash,
	                         .receipt_id = id};
	uint8_t hash[WR_HASH_LEN];
	*line = (batch_line){.at = b->text.len};
	if (wr_receipt_write(&b->text, hash, &env, draft, err)) return -1;
	line->len = b->text.len - line->at;
	b->end.count++;
	b->end.timestamp_us = now;
	b->end.epoch = epoch;
	memcpy(b->end.hash, hash, WR_HASH_LEN);
	line->end = b->end;
	b->line_count++;
	return 0;
}

static int refuse(batch_unit *bu, wr_append_status status)
{
	bu->refused = true;
	bu->status = status;
	return -1;
}

static int make_unit(wr_ledger *l, batch *b, batch_unit *bu)
{
	wr_unit *u = bu->unit;
	wr_durable before = b->end;
	size_t text_before = b->text.len;
	bu->first_line = b->line_count;
	bu->first_seq = b->end.count;
	if (u->epoch < b->end.epoch) {
		(void)wr_fail(&bu->err, WR_E_CONFLICT, "ledger: epoch %lld is over, the chain is at %lld",
		              (long long)u->epoch, (long long)b->end.epoch);
		return refuse(bu, WR_APPEND_CONFLICT);
	}
	for (size_t i = 0; i < u->count; i++) {
		if (make_line(l, b, u->drafts[i], u->epoch, &bu->err) == 0) continue;
		b->end = before;
		b->line_count = bu->first_line;
		b->text.len = text_before;
		b->text.failed = false;
		return refuse(bu, WR_APPEND_UNAVAILABLE);
	}
	return 0;
}

/* ---- writing them ---- */

static int open_segment(wr_ledger *l, wr_err *err)
{
	char path[PATH_MAX];
	if (wr_segment_path(l, path, l->durable.count, err)) return -1;
	int fd = l->fs.open(l->fs.ctx, path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW, 0640);
	if (fd < 0) return wr_fs_fail(err, "create", path);
	l->fd = fd;
	l->segment = l->durable.count;
	l->bytes = 0;
	if (l->fs.sync_dir(l->fs.ctx, l->chain_dir))
		return wr_fs_fail(err, "fsync directory", l->chain_dir);
	return 0;
}

/* Everything written so far is on the disk: move the durable end over the first `upto` lines. */
static void advance(wr_ledger *l, batch *b, size_t upto)
{
	(void)pthread_mutex_lock(&l->mutex);
	int64_t at = l->durable.segment == l->segment ? l->durable.bytes : 0;
	for (size_t i = b->durable_lines; i < upto; i++) {
		wr_places_add(l, b->lines[i].end.count - 1, l->segment, at);
		at += (int64_t)b->lines[i].len;
	}
	if (upto > b->durable_lines) {
		l->durable = b->lines[upto - 1].end;
		l->durable.segment = l->segment;
		l->durable.bytes = at;
	}
	l->why = (wr_err){0};
	(void)pthread_mutex_unlock(&l->mutex);
	b->durable_lines = upto;
	WR_ASSERT(at == l->bytes);
}

static int sync_lines(wr_ledger *l, batch *b, size_t upto, wr_err *err)
{
	if (upto == b->durable_lines) return 0;
	if (l->fs.sync(l->fs.ctx, l->fd, true)) return wr_fs_fail(err, "fdatasync in", l->chain_dir);
	advance(l, b, upto);
	return 0;
}

/* A unit stays in one segment, so that a new segment never finds half of it durable. */
static int room_for(wr_ledger *l, batch *b, size_t first_line, int64_t need, wr_err *err)
{
	if (l->fd >= 0 && l->bytes > 0 && l->bytes + need > l->segment_max) {
		if (sync_lines(l, b, first_line, err)) return -1;
		(void)l->fs.close(l->fs.ctx, l->fd);
		l->fd = -1;
	}
	return l->fd < 0 ? open_segment(l, err) : 0;
}

static int write_unit(wr_ledger *l, batch *b, const batch_unit *bu, wr_err *err)
{
	const batch_line *first = &b->lines[bu->first_line];
	const batch_line *last = first + bu->unit->count - 1;
	if (room_for(l, b, bu->first_line, (int64_t)(last->at + last->len - first->at), err)) return -1;
	for (const batch_line *line = first; line <= last; line++) {
		if (wr_fs_write_all(&l->fs, l->fd, b->text.data + line->at, line->len))
			return wr_fs_fail(err, "write in", l->chain_dir);
		l->bytes += (int64_t)line->len;
	}
	return 0;
}

static int write_batch(wr_ledger *l, batch *b, wr_err *err)
{
	for (size_t i = 0; i < b->unit_count; i++) {
		const batch_unit *bu = &b->units[i];
		if (bu->refused || bu->first_line < b->durable_lines) continue;
		if (write_unit(l, b, bu, err)) return -1;
	}
	return sync_lines(l, b, b->line_count, err);
}

/* Leaves the disk with what is durable and nothing else, and no segment open. */
static int cut_back(wr_ledger *l, wr_err *err)
{
	if (l->fd < 0) return 0;
	int fd = l->fd, rc = 0;
	bool fresh = l->segment != l->durable.segment;
	char path[PATH_MAX];
	l->fd = -1;
	if (l->fs.truncate(l->fs.ctx, fd, fresh ? 0 : (off_t)l->durable.bytes))
		rc = wr_fs_fail(err, "truncate in", l->chain_dir);
	else if (!fresh && l->fs.sync(l->fs.ctx, fd, false))
		rc = wr_fs_fail(err, "fsync in", l->chain_dir);
	(void)l->fs.close(l->fs.ctx, fd);
	if (rc || !fresh) return rc;
	if (wr_segment_path(l, path, l->segment, err)) return -1;
	if (l->fs.unlink(l->fs.ctx, path)) return wr_fs_fail(err, "remove", path);
	if (l->fs.sync_dir(l->fs.ctx, l->chain_dir))
		return wr_fs_fail(err, "fsync directory", l->chain_dir);
	return 0;
}

static void give_up(wr_ledger *l, const wr_err *why, bool for_good)
{
	(void)pthread_mutex_lock(&l->mutex);
	l->failed = for_good;
	l->why = *why;
	(void)pthread_mutex_unlock(&l->mutex);
	wr_log(WR_LOG_ERROR, "ledger", "%s: %s%s", l->chain, why->msg,
	       for_good ? "; no more receipts until a restart" : "");
}

/* The locks keep other engines away, unless somebody takes them away. Then two would write one
 * chain, and the older one must be the one that stops (law 4). */
static bool is_ours(const wr_ledger *l, wr_err *err)
{
	struct stat st;
	if (l->fd < 0 || fstat(l->fd, &st) || (st.st_size == l->bytes && st.st_nlink > 0)) return true;
	(void)wr_fail(err, WR_E_CONFLICT, "%s: somebody else %s segment %lld: we stop writing",
	              l->chain, st.st_nlink > 0 ? "wrote to" : "removed", (long long)l->segment);
	return false;
}

static wr_append_status commit(wr_ledger *l, batch *b, wr_err *err)
{
	if (!is_ours(l, err)) {
		give_up(l, err, true);
		return WR_APPEND_CONFLICT;
	}
	for (int attempt = 0;; attempt++) {
		wr_err cutting = {0};
		if (write_batch(l, b, err) == 0) return WR_APPEND_DONE;
		if (cut_back(l, &cutting)) {
			(void)wr_err_wrap(&cutting, "after \"%s\"", err->msg);
			*err = cutting;
			give_up(l, err, true);
			return WR_APPEND_UNKNOWN;
		}
		bool no_space = err->code == WR_E_NO_SPACE;
		if (no_space || attempt == 1) {
			give_up(l, err, !no_space);
			return WR_APPEND_UNAVAILABLE;
		}
		wr_log(WR_LOG_WARN, "ledger", "%s: %s; going on in a new segment", l->chain, err->msg);
	}
}

/* ---- a batch ---- */

static void answer(batch *b, batch_unit *bu, const char **lines, size_t *lens)
{
	wr_unit *u = bu->unit;
	wr_appended a = {.status = bu->status, .err = bu->err, .first_seq = bu->first_seq};
	if (bu->status == WR_APPEND_DONE) {
		a.count = u->count;
		a.lines = lines;
		a.lens = lens;
		for (size_t i = 0; i < u->count; i++) {
			const batch_line *line = &b->lines[bu->first_line + i];
			b->text.data[line->at + line->len - 1] = '\0';
			lines[i] = b->text.data + line->at;
			lens[i] = line->len - 1;
		}
	}
	if (u->done) u->done(u->ctx, &a);
	wr_unit_free(u);
}

static void answer_all(batch *b, wr_append_status status, const wr_err *err)
{
	const char *lines[WR_UNIT_MAX];
	size_t lens[WR_UNIT_MAX];
	for (size_t i = 0; i < b->unit_count; i++) {
		batch_unit *bu = &b->units[i];
		bool durable = !bu->refused && bu->first_line + bu->unit->count <= b->durable_lines;
		if (durable) {
			bu->status = WR_APPEND_DONE;
		} else if (!bu->refused) {
			bu->status = status;
			bu->err = *err;
		}
		answer(b, bu, lines, lens);
	}
}

static void free_batch(batch *b)
{
	wr_buf_free(&b->text);
	free(b->lines);
	free(b->units);
}

/* Takes up to `units` units off the front of *list, and about WR_BATCH_BYTES of text. */
static void make_batch(wr_ledger *l, batch *b, wr_unit **list, size_t units)
{
	while (*list && b->unit_count < units && b->text.len < WR_BATCH_BYTES) {
		batch_unit *bu = &b->units[b->unit_count++];
		*bu = (batch_unit){.unit = *list};
		*list = bu->unit->next;
		if (l->failed) {
			bu->err = l->why;
			(void)refuse(bu, WR_APPEND_UNAVAILABLE);
		} else {
			(void)make_unit(l, b, bu);
		}
	}
}

static void answer_no_memory(wr_unit **list)
{
	wr_unit *u = *list;
	wr_appended a = {.status = WR_APPEND_UNAVAILABLE};
	(void)wr_fail(&a.err, WR_E_NOMEM, "ledger: out of memory");
	*list = u->next;
	if (u->done) u->done(u->ctx, &a);
	wr_unit_free(u);
}

static void run_batch(wr_ledger *l, wr_unit **list)
{
	batch b = {.text = WR_BUF_INIT(WR_BATCH_BYTES + WR_UNIT_MAX * (size_t)(WR_LINE_MAX + 1)),
	           .end = l->durable};
	wr_err err = {0};
	size_t units = 0, lines = 0;
	for (const wr_unit *u = *list; u && lines < BATCH_LINES; u = u->next) {
		units++;
		lines += u->count;
	}
	b.units = calloc(units, sizeof *b.units);
	b.lines = calloc(lines, sizeof *b.lines);
	if (!b.units || !b.lines || wr_places_reserve(l, lines, &err)) {
		free_batch(&b);
		answer_no_memory(list);
		return;
	}
	make_batch(l, &b, list, units);
	wr_append_status status = b.line_count ? commit(l, &b, &err) : WR_APPEND_DONE;
	answer_all(&b, status, &err);
	free_batch(&b);
}

/* ---- the mark ---- */

void wr_ledger_mark(wr_ledger *l)
{
	wr_buf text = WR_BUF_INIT(1024);
	wr_err err = {0};
	if (l->durable.count == l->marked || l->why.code == WR_E_CONFLICT) return;
	wr_mark mark = {
	    .count = l->durable.count, .segment = l->durable.segment, .bytes = l->durable.bytes};
	memcpy(mark.hash, l->durable.hash, WR_HASH_LEN);
	wr_mark_format(&text, &mark);
	l->mark_tried = mark.count;
	if (wr_buf_ok(&text) &&
	    wr_fs_put(&l->fs, l->chain_dir, WR_MARK_NAME, text.data, text.len, &err) == 0)
		l->marked = mark.count;
	else
		wr_log(WR_LOG_WARN, "ledger", "%s: no high-water mark: %s", l->chain, err.msg);
	wr_buf_free(&text);
}

/* ---- the thread ---- */

/* Waits for work; false when idle for so long that the mark is due. */
static bool wait_for_work(wr_ledger *l)
{
	struct timespec until;
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += WR_MARK_IDLE_S;
	while (!l->first && !l->closing) {
		if (l->durable.count == l->mark_tried)
			(void)pthread_cond_wait(&l->work, &l->mutex);
		else if (pthread_cond_timedwait(&l->work, &l->mutex, &until) == ETIMEDOUT)
			return l->first || l->closing;
	}
	return true;
}

void *wr_ledger_writer(void *ledger)
{
	wr_ledger *l = ledger;
	for (;;) {
		(void)pthread_mutex_lock(&l->mutex);
		bool worked = wait_for_work(l);
		wr_unit *list = l->first;
		bool closing = l->closing;
		l->first = NULL;
		l->last = &l->first;
		l->queued = 0;
		(void)pthread_mutex_unlock(&l->mutex);
		if (!list && closing) break;
		while (list) run_batch(l, &list);
		if (!worked || l->durable.count - l->mark_tried >= WR_MARK_EVERY) wr_ledger_mark(l);
	}
	wr_ledger_mark(l);
	return NULL;
}
