/* writer.c: group commit, segments, checkpoints, and what happens when the disk says no.
 *
 * While much is written, space is laid out ahead in the segment (chain.h): a sync that need not
 * record a new length costs half. The writer thread cuts it off when there is little to do.
 *
 * A batch is what was queued while the last one was being synced. Its receipts get their seq, time
 * and hash here; what goes to one segment goes out in one write, one fdatasync covers the batch,
 * and only then are the callers answered and the durable end moved. A checkpoint that is due is the
 * last receipt of its batch: its tree covers all before it.
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
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ledger/store.h"
#include "warroom/json.h"
#include "warroom/log.h"

#define BATCH_LINES 4096 /* bounds what a batch allocates before its text is made */
#define LINES_MAX   (BATCH_LINES + WR_UNIT_MAX + 1)
#define TEXT_MAX    (WR_BATCH_BYTES + (WR_UNIT_MAX + 1) * (size_t)(WR_LINE_MAX + 32))
#define TEXT_KEPT   ((size_t)1 << 20)
#define POOL        640 /* random bytes for 64 ids at once: one system call */
#define PRIORITY    (-5)
#define SECTOR      512    /* laid out space ends at one's beginning, as unwritten pages do */
#define GATHER_NS   150000 /* the most that a crowd is waited for; a sync takes longer */

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

struct wr_batch {
	wr_buf text;
	batch_line lines[LINES_MAX];
	size_t line_count, durable_lines;
	batch_unit units[LINES_MAX];
	size_t unit_count;
	size_t waiters; /* units whose owner waits */
	wr_durable end; /* of the last line made */

	wr_unit own; /* the checkpoint's */
	wr_draft own_draft;
	size_t own_line; /* LINES_MAX: there is none */
	bool ends;       /* an operation ends in this batch */
	bool due;        /* a checkpoint is, by the clock */
	wr_range tree;
	wr_resume resume;
	char note[WR_NOTE_MAX];
	size_t note_len;

	char time[WR_TIME_LEN]; /* of the last line … */
	int64_t second;         /* … and of which second that is */
	uint8_t pool[POOL];
	size_t pool_left;
};

int wr_writer_init(wr_ledger *l, wr_err *err)
{
	l->batch = calloc(1, sizeof *l->batch);
	if (!l->batch) return wr_fail(err, WR_E_NOMEM, "ledger: out of memory");
	wr_buf_init(&l->batch->text, TEXT_MAX);
	l->batch->second = INT64_MIN;
	return 0;
}

void wr_writer_free(wr_ledger *l)
{
	if (l->batch) wr_buf_free(&l->batch->text);
	free(l->batch);
}

/* ---- making the lines ---- */

static int tell_time(wr_batch *b, int64_t now, wr_err *err)
{
	int64_t second = now / 1000000, us = now % 1000000;
	if (us < 0 || second != b->second) {
		wr_time_format(b->time, now);
		b->second = us < 0 ? INT64_MIN : second;
		if (strlen(b->time) == WR_TIME_LEN - 1) return 0;
		b->second = INT64_MIN;
		return wr_fail(err, WR_E_INVALID, "ledger: the clock is out of all bounds");
	}
	for (size_t i = 25; i >= 20; i--, us /= 10) b->time[i] = (char)('0' + us % 10);
	return 0;
}

static int make_line(wr_ledger *l, wr_batch *b, const wr_draft *draft, int64_t epoch, wr_err *err)
{
	char id[WR_UUID_LEN];
	batch_line *line = &b->lines[b->line_count];
	int64_t now = wr_wall_us(&l->clock);
	if (now < b->end.timestamp_us) now = b->end.timestamp_us + 1;
	if (tell_time(b, now, err)) return -1;
	if (b->end.count > WR_INT_MAX_SAFE)
		return wr_fail(err, WR_E_LIMIT, "ledger: the chain is as long as it can be");
	if (!wr_buf_reserve(&b->text, wr_draft_room(draft)))
		return wr_fail(err, WR_E_NOMEM, "ledger: out of memory");
	if (b->pool_left == 0) {
		wr_random_fill(&l->random, b->pool, POOL);
		b->pool_left = POOL;
	}
	b->pool_left -= 10;
	wr_uuid7(id, now, b->pool + b->pool_left);
	const wr_link link = {
	    .seq = b->end.count, .time = b->time, .receipt_id = id, .prev_hash = b->end.hash};
	uint8_t hash[WR_HASH_LEN];
	line->at = b->text.len;
	line->len = wr_draft_write(draft, &link, b->text.data + b->text.len, hash);
	b->text.len += line->len;
	b->ends = b->ends || draft->ends;
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

static int make_unit(wr_ledger *l, wr_batch *b, batch_unit *bu)
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
		if (make_line(l, b, &u->drafts[i], u->epoch, &bu->err) == 0) continue;
		b->end = before;
		b->line_count = bu->first_line;
		b->text.len = text_before;
		b->text.failed = false;
		return refuse(bu, WR_APPEND_UNAVAILABLE);
	}
	return 0;
}

/* ---- the checkpoint ---- */

static bool checkpoint_due(const wr_ledger *l, const wr_batch *b)
{
	int64_t news = l->news + (int64_t)b->line_count;
	if (!l->key || l->failed || news == 0) return false;
	return b->ends || news >= WR_CHECKPOINT_EVERY || b->due;
}

static json_t *sign_checkpoint(wr_ledger *l, wr_batch *b, wr_err *err)
{
	wr_checkpoint c = {.size = b->end.count};
	char root[WR_HEX_LEN];
	wr_buf note = WR_BUF_INIT(WR_NOTE_MAX - 1);
	b->tree = l->tree;
	for (size_t i = 0; i < b->line_count; i++) wr_range_add(&b->tree, b->lines[i].end.hash);
	wr_range_root(&b->tree, c.root);
	wr_hex(root, c.root, WR_HASH_LEN);
	memcpy(c.origin, l->origin, sizeof c.origin);
	json_t *draft = NULL;
	if (wr_checkpoint_sign(&note, &c, l->key, err) == 0) {
		b->note_len = note.len;
		memcpy(b->note, note.data, note.len + 1);
		draft = json_pack("{s:s, s:s, s:I, s:s}", "operation", "checkpoint_signed", "checkpoint",
		                  b->note, "size", (json_int_t)c.size, "root", root);
		if (!draft) (void)wr_fail(err, WR_E_NOMEM, "ledger: out of memory");
	}
	wr_buf_free(&note);
	return draft;
}

static void add_checkpoint(wr_ledger *l, wr_batch *b)
{
	wr_err err = {0};
	json_t *draft = sign_checkpoint(l, b, &err);
	if (draft && wr_draft_make(&b->own_draft, l->actor, l->chain, b->end.epoch, draft, &err) == 0) {
		batch_unit *bu = &b->units[b->unit_count++];
		b->own = (wr_unit){.count = 1, .epoch = b->end.epoch, .drafts = &b->own_draft};
		*bu = (batch_unit){.unit = &b->own};
		if (make_unit(l, b, bu) == 0) b->own_line = bu->first_line;
		err = bu->err;
	}
	json_decref(draft);
	if (err.code) wr_log(WR_LOG_ERROR, "ledger", "%s: no checkpoint: %s", l->chain, err.msg);
}

/* ---- writing them ---- */

static int open_segment(wr_ledger *l, wr_err *err)
{
	char path[PATH_MAX];
	if (wr_segment_path(l, path, l->durable.count, err)) return -1;
	int fd = l->fs.open(l->fs.ctx, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0640);
	if (fd < 0) return wr_fs_fail(err, "create", path);
	l->fd = fd;
	l->segment = l->durable.count;
	l->bytes = l->laid = 0;
	if (l->fs.sync_dir(l->fs.ctx, l->chain_dir))
		return wr_fs_fail(err, "fsync directory", l->chain_dir);
	return 0;
}

static void set_resume(wr_ledger *l, wr_batch *b, size_t line, int64_t at)
{
	b->resume.seq = b->lines[line].end.count - 1;
	b->resume.segment = l->segment;
	b->resume.at = at;
	memcpy(b->resume.prev_hash, line ? b->lines[line - 1].end.hash : l->durable.hash, WR_HASH_LEN);
	b->resume.tree = l->tree;
}

/* Call with the mutex held: the checkpoint in the batch is durable. */
static void publish_note(wr_ledger *l, const wr_batch *b)
{
	memcpy(l->note, b->note, b->note_len + 1);
	l->note_len = b->note_len;
	l->note_size = b->lines[b->own_line].end.count - 1;
	l->note_urgent = l->note_urgent || b->ends || b->due;
	l->news = 0;
	l->checkpoint_due = false;
	l->noted_ms = wr_mono_ms(&l->clock);
}

/* Everything written so far is on the disk: move the durable end over the first `upto` lines. */
static void advance(wr_ledger *l, wr_batch *b, size_t upto)
{
	bool fresh = l->durable.segment != l->segment, noted = false;
	int64_t at = fresh ? 0 : l->durable.bytes;
	b->resume.seq = 0;
	for (size_t i = b->durable_lines; i < upto; i++) {
		const batch_line *line = &b->lines[i];
		bool far = !l->key && line->end.count - l->resume.seq > WR_CHECKPOINT_EVERY;
		if (i == b->own_line || (far && b->resume.seq == 0)) set_resume(l, b, i, at);
		noted = noted || i == b->own_line;
		wr_range_add(&l->tree, line->end.hash);
		at += (int64_t)line->len;
	}
	WR_ASSERT(at == l->bytes && upto > b->durable_lines);
	(void)pthread_mutex_lock(&l->mutex);
	at = fresh ? 0 : l->durable.bytes;
	if (fresh) wr_index_segment(&l->index, l->segment);
	for (size_t i = b->durable_lines; i < upto; i++) {
		wr_index_add(&l->index, b->lines[i].end.count - 1, at);
		at += (int64_t)b->lines[i].len;
	}
	l->news += (int64_t)(upto - b->durable_lines);
	if (b->resume.seq > 0) l->resume = b->resume;
	if (noted) publish_note(l, b);
	l->durable = b->lines[upto - 1].end;
	l->durable.segment = l->segment;
	l->durable.bytes = at;
	l->why = (wr_err){0};
	bool wake = l->keeper_idle || l->note_urgent;
	bool spare = l->laid > l->bytes, first_spare = spare && !l->spare;
	l->spare = spare;
	l->recent++;
	(void)pthread_mutex_unlock(&l->mutex);
	if (wake) (void)pthread_cond_signal(&l->care);
	if (first_spare) (void)pthread_cond_signal(&l->work); /* somebody has to cut it some time */
	b->durable_lines = upto;
}

static int sync_lines(wr_ledger *l, wr_batch *b, size_t upto, wr_err *err)
{
	if (upto == b->durable_lines) return 0;
	if (l->fs.sync(l->fs.ctx, l->fd, true)) return wr_fs_fail(err, "fdatasync in", l->chain_dir);
	advance(l, b, upto);
	return 0;
}

/* The lines [from, to) in one write. */
static int write_lines(wr_ledger *l, wr_batch *b, size_t from, size_t to, wr_err *err)
{
	if (from == to) return 0;
	const batch_line *first = &b->lines[from], *last = &b->lines[to - 1];
	size_t len = last->at + last->len - first->at;
	if (wr_fs_write_at(&l->fs, l->fd, b->text.data + first->at, len, (off_t)l->bytes))
		return wr_fs_fail(err, "write in", l->chain_dir);
	l->bytes += (int64_t)len;
	if (l->laid < l->bytes) l->laid = l->bytes;
	return 0;
}

static bool busy(wr_ledger *l, const wr_batch *b)
{
	int64_t now_ms = wr_mono_ms(&l->clock);
	if (now_ms - l->window_ms >= WR_SETTLE_S * 1000) {
		l->window_ms = now_ms;
		l->batches = 0;
	}
	return b->unit_count >= l->crowd || ++l->batches >= WR_BUSY;
}

/* There is much to write: the next syncs shall be cheap. Where there is no room for that, there may
 * be for receipts. */
static int lay_out(wr_ledger *l, const wr_batch *b, wr_err *err)
{
	static const char zeros[1 << 16];
	if (!busy(l, b) || l->laid - l->bytes >= l->lay / 8) return 0;
	for (int64_t left = l->lay - l->laid % SECTOR; left > 0;) {
		size_t len = left < (int64_t)sizeof zeros ? (size_t)left : sizeof zeros;
		left -= (int64_t)len;
		if (wr_fs_write_at(&l->fs, l->fd, zeros, len, (off_t)l->laid) == 0) {
			l->laid += (int64_t)len;
			continue;
		}
		if (l->fs.truncate(l->fs.ctx, l->fd, (off_t)l->bytes))
			return wr_fs_fail(err, "truncate in", l->chain_dir);
		l->laid = l->bytes;
		return 0;
	}
	return 0;
}

/* The locks keep other engines away, unless somebody takes them away. Then two would write one
 * chain, and the older one must be the one that stops (law 4). */
static bool is_ours(const wr_ledger *l, wr_err *err)
{
	struct stat st;
	if (l->fd < 0 || fstat(l->fd, &st) || (st.st_size == l->laid && st.st_nlink > 0)) return true;
	(void)wr_fail(err, WR_E_CONFLICT, "%s: somebody else %s segment %lld: we stop writing",
	              l->chain, st.st_nlink > 0 ? "wrote to" : "removed", (long long)l->segment);
	return false;
}

static int cut_laid(wr_ledger *l, wr_err *err)
{
	if (l->fd < 0 || l->laid == l->bytes) return 0;
	if (!is_ours(l, err)) return -1;
	if (l->fs.truncate(l->fs.ctx, l->fd, (off_t)l->bytes))
		return wr_fs_fail(err, "truncate in", l->chain_dir);
	l->laid = l->bytes;
	if (l->fs.sync(l->fs.ctx, l->fd, false)) return wr_fs_fail(err, "fsync in", l->chain_dir);
	return 0;
}

/* What was written is synced and the segment left. */
static int leave_segment(wr_ledger *l, wr_batch *b, size_t upto, wr_err *err)
{
	if (sync_lines(l, b, upto, err) || cut_laid(l, err)) return -1;
	(void)l->fs.close(l->fs.ctx, l->fd);
	l->fd = -1;
	return 0;
}

/* A unit stays in one segment, so that a new segment never finds half of it durable. */
static int write_batch(wr_ledger *l, wr_batch *b, wr_err *err)
{
	size_t from = b->durable_lines; /* not written yet */
	int64_t bytes = l->fd >= 0 ? l->bytes : 0;
	for (size_t i = 0; i < b->unit_count; i++) {
		const batch_unit *bu = &b->units[i];
		if (bu->refused || bu->first_line < b->durable_lines) continue;
		const batch_line *first = &b->lines[bu->first_line], *last = first + bu->unit->count - 1;
		int64_t need = (int64_t)(last->at + last->len - first->at);
		if (l->fd >= 0 && bytes > 0 && bytes + need > l->segment_max) {
			if (write_lines(l, b, from, bu->first_line, err) ||
			    leave_segment(l, b, bu->first_line, err))
				return -1;
			from = bu->first_line;
		}
		if (l->fd < 0) {
			if (open_segment(l, err)) return -1;
			bytes = 0;
		}
		bytes += need;
	}
	if (write_lines(l, b, from, b->line_count, err) || lay_out(l, b, err)) return -1;
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

static wr_append_status commit(wr_ledger *l, wr_batch *b, wr_err *err)
{
	if (!is_ours(l, err)) {
		give_up(l, err, true);
		return WR_APPEND_CONFLICT;
	}
	for (int attempt = 0;; attempt++) {
		wr_err cutting = {0};
		if (write_batch(l, b, err) == 0) return WR_APPEND_DONE;
		if (err->code == WR_E_CONFLICT) {
			give_up(l, err, true);
			return WR_APPEND_CONFLICT;
		}
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

static void answer(wr_batch *b, batch_unit *bu, const char **lines, size_t *lens)
{
	wr_unit *u = bu->unit;
	bool owned = u->owned; /* who waits is gone once answered, and the unit with them */
	wr_appended a = {.status = bu->status, .first_seq = bu->first_seq};
	if (bu->status != WR_APPEND_DONE) a.err = bu->err;
	if (bu->status == WR_APPEND_DONE && u->wants_lines) {
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
	if (owned) wr_unit_free(u);
}

static void answer_all(wr_batch *b, wr_append_status status, const wr_err *err)
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

/* Takes units off the front of *list: about WR_BATCH_BYTES of text. */
static void make_batch(wr_ledger *l, wr_batch *b, wr_unit **list)
{
	while (*list && b->line_count < BATCH_LINES && b->unit_count < BATCH_LINES &&
	       b->text.len < WR_BATCH_BYTES) {
		batch_unit *bu = &b->units[b->unit_count++];
		*bu = (batch_unit){.unit = *list};
		*list = bu->unit->next;
		b->waiters += !bu->unit->owned;
		if (l->failed) {
			bu->err = l->why;
			(void)refuse(bu, WR_APPEND_UNAVAILABLE);
		} else {
			(void)make_unit(l, b, bu);
		}
	}
}

static void begin_batch(const wr_ledger *l, wr_batch *b)
{
	b->text.len = 0;
	if (b->text.cap > TEXT_KEPT) wr_buf_free(&b->text);
	wr_buf_reset(&b->text);
	b->line_count = b->durable_lines = b->unit_count = b->waiters = 0;
	b->own_line = LINES_MAX;
	b->own_draft.text = NULL;
	b->ends = false;
	b->end = l->durable;
}

static void run_batch(wr_ledger *l, wr_unit **list)
{
	wr_batch *b = l->batch;
	wr_err err = {0};
	begin_batch(l, b);
	(void)pthread_mutex_lock(&l->mutex);
	int rc = wr_index_reserve(&l->index, LINES_MAX, &err);
	b->due = l->checkpoint_due;
	(void)pthread_mutex_unlock(&l->mutex);
	wr_append_status status = WR_APPEND_UNAVAILABLE;
	make_batch(l, b, list);
	if (rc == 0 && checkpoint_due(l, b)) add_checkpoint(l, b);
	if (rc == 0) status = b->line_count ? commit(l, b, &err) : WR_APPEND_DONE;
	answer_all(b, status, &err);
	wr_draft_free(&b->own_draft);
}

void wr_writer_run(wr_ledger *l, wr_unit *units)
{
	do run_batch(l, &units);
	while (units);
	if (!l->batch->due) return;
	(void)pthread_mutex_lock(&l->mutex); /* tried; the keeper asks again */
	l->checkpoint_due = false;
	l->noted_ms = wr_mono_ms(&l->clock);
	(void)pthread_mutex_unlock(&l->mutex);
}

/* ---- the thread ---- */

/* Waking many takes a while: the first of them does it, not the writer. */
static void ring(wr_ledger *l, uint32_t cohort)
{
	wr_bell *bell = &l->bells[cohort % WR_BELLS];
	atomic_store(&bell->wakes, true);
	(void)atomic_fetch_add(&bell->rung, 1);
	(void)syscall(SYS_futex, &bell->rung, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* Whom the last batch answered are back at once, as a rule: waiting a little until some are makes
 * one sync do for many, and the rest come while it runs. Call with the mutex held. */
static void gather(wr_ledger *l, size_t answered)
{
	size_t crowd = answered + l->queued;
	struct timespec until;
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += GATHER_NS;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	l->wanted = crowd / 4;
	while (l->queued < l->wanted && !l->closing)
		if (pthread_cond_timedwait(&l->work, &l->mutex, &until) == ETIMEDOUT) break;
	l->wanted = SIZE_MAX;
}

/* Nothing to do: no space is laid out any more. */
void wr_writer_settle(wr_ledger *l)
{
	wr_err err = {0}, cutting = {0};
	if (cut_laid(l, &err) == 0) return;
	if (err.code == WR_E_CONFLICT) {
		give_up(l, &err, true);
		return;
	}
	wr_log(WR_LOG_WARN, "ledger", "%s: %s; going on in a new segment", l->chain, err.msg);
	if (cut_back(l, &cutting)) give_up(l, &cutting, true);
}

/* Call with the mutex held. Space stays laid out as long as there is a lot to write. */
static void wait_for_work(wr_ledger *l)
{
	struct timespec until;
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += WR_SETTLE_S;
	while (l->writing || (!l->first && !l->checkpoint_due && !l->closing)) {
		if (!l->spare) {
			(void)pthread_cond_wait(&l->work, &l->mutex);
			continue;
		}
		if (pthread_cond_timedwait(&l->work, &l->mutex, &until) != ETIMEDOUT) continue;
		(void)clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += WR_SETTLE_S;
		bool busy = l->recent >= WR_BUSY;
		if (l->writing) continue;
		l->recent = 0;
		if (busy) continue;
		l->writing = true;
		l->spare = false;
		(void)pthread_mutex_unlock(&l->mutex);
		wr_writer_settle(l);
		(void)pthread_mutex_lock(&l->mutex);
		l->writing = false;
	}
}

void *wr_ledger_writer(void *ledger)
{
	wr_ledger *l = ledger;
	/* A crowd waits for one thread: it goes first, where that may be asked for. */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), getpriority(PRIO_PROCESS, 0) + PRIORITY);
	(void)pthread_mutex_lock(&l->mutex);
	for (;;) {
		wait_for_work(l);
		if (!l->first && !l->checkpoint_due) break;
		l->writing = true;
		do {
			wr_unit *list = l->first;
			uint32_t cohort = l->cohort++;
			l->first = NULL;
			l->last = &l->first;
			l->queued = 0;
			(void)pthread_mutex_unlock(&l->mutex);
			wr_writer_run(l, list);
			size_t waiters = l->batch->waiters;
			if (waiters) ring(l, cohort);
			(void)pthread_mutex_lock(&l->mutex);
			if (waiters > 1) gather(l, waiters);
		} while (l->first || l->checkpoint_due);
		l->writing = false;
	}
	(void)pthread_mutex_unlock(&l->mutex);
	return NULL;
}
