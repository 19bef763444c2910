/* store.c: the file store's interface: submit, append, read, head, close.
 *
 * Callers put units on a list under the mutex; the writer thread (writer.c) takes them, or a caller
 * who finds nobody at it. Readers open the files themselves and stop at the durable end, so that
 * they never wait for the writer. */
#include "ledger/store.h"

#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "warroom/io.h"
#include "warroom/json.h"

int wr_segment_path(const wr_ledger *l, char out[static PATH_MAX], int64_t segment, wr_err *err)
{
	char name[WR_SEGMENT_NAME_LEN];
	wr_segment_name(name, segment);
	return wr_path_join(out, PATH_MAX, l->chain_dir, name, err);
}

/* ---- submit ---- */

void wr_unit_free(wr_unit *u)
{
	for (size_t i = 0; i < u->count; i++) wr_draft_free(&u->drafts[i]);
	free(u->drafts);
	free(u);
}

/* Whether a draft can become a receipt is found out here, in the caller's thread: the writer never
 * meets one that it must refuse. */
static int make_draft(const wr_ledger *l, wr_draft *out, json_t *fields, int64_t epoch, wr_err *err)
{
	int rc = l->read_only ? wr_fail(err, WR_E_DENIED, "ledger: opened read-only")
	                      : wr_draft_make(out, l->actor, l->chain, epoch, fields, err);
	json_decref(fields);
	return rc;
}

static wr_unit *make_unit(const wr_ledger *l, json_t **drafts, size_t count, int64_t epoch,
                          wr_err *err)
{
	size_t made = 0, taken = 0;
	wr_unit *u = calloc(1, sizeof *u);
	wr_draft *list = count && count <= WR_UNIT_MAX ? calloc(count, sizeof *list) : NULL;
	if (count == 0 || count > WR_UNIT_MAX)
		(void)wr_fail(err, WR_E_LIMIT, "ledger: a submission has 1 to %d receipts", WR_UNIT_MAX);
	else if (!u || !list)
		(void)wr_fail(err, WR_E_NOMEM, "ledger: out of memory");
	else
		while (made == taken && taken < count)
			made += make_draft(l, &list[made], drafts[taken++], epoch, err) == 0;
	if (u && list && made == count) {
		*u = (wr_unit){.count = count, .epoch = epoch, .owned = true, .drafts = list};
		return u;
	}
	while (taken < count) json_decref(drafts[taken++]);
	while (made) wr_draft_free(&list[--made]);
	free(list);
	free(u);
	return NULL;
}

/* Call with the mutex held. */
static int enqueue(wr_ledger *l, wr_unit *u, wr_err *err)
{
	if (l->failed) {
		if (err) *err = l->why;
		return -1;
	}
	if (l->closing) return wr_fail(err, WR_E_CANCELLED, "ledger: closing");
	if (l->queued >= WR_EVENTS_MAX)
		return wr_fail(err, WR_E_LIMIT, "ledger: %zu submissions are waiting for the disk",
		               l->queued);
	*l->last = u;
	l->last = &u->next;
	l->queued++;
	if (!l->writing || l->queued == l->wanted) (void)pthread_cond_signal(&l->work);
	return 0;
}

/* Without threads the caller does it all, the files beside the segments now and then. */
static void work_at_once(wr_ledger *l)
{
	wr_unit *list = l->first;
	l->first = NULL;
	l->last = &l->first;
	l->queued = 0;
	l->checkpoint_due = wr_keeper_due(l);
	wr_writer_run(l, list);
	if (l->note_urgent || l->durable.count - l->mark_tried >= WR_CHECKPOINT_EVERY / 4)
		wr_keeper_write(l);
}

int wr_ledger_submit(wr_ledger *l, json_t **drafts, size_t count, int64_t epoch,
                     void (*done)(void *ctx, const wr_appended *), void *ctx, wr_err *err)
{
	wr_unit *u = make_unit(l, drafts, count, epoch, err);
	if (!u) return -1;
	u->done = done;
	u->ctx = ctx;
	u->wants_lines = done != NULL;
	(void)pthread_mutex_lock(&l->mutex);
	int rc = enqueue(l, u, err);
	(void)pthread_mutex_unlock(&l->mutex);
	if (rc) wr_unit_free(u);
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the list holds it */
	if (rc == 0 && !l->threads) work_at_once(l);
	return rc;
}

/* ---- append ---- */

typedef struct waiting {
	atomic_bool answered; /* after the rest */
	wr_append_status status;
	wr_err err;
	int64_t seq;
} waiting;

static void answered(void *ctx, const wr_appended *a)
{
	waiting *w = ctx;
	w->status = a->status;
	if (a->status != WR_APPEND_DONE) w->err = a->err;
	w->seq = a->first_seq;
	atomic_store_explicit(&w->answered, true, memory_order_release);
}

static void wait_for(wr_ledger *l, const waiting *w, uint32_t cohort)
{
	wr_bell *bell = &l->bells[cohort % WR_BELLS];
	for (;;) {
		uint32_t rung = atomic_load(&bell->rung);
		if (atomic_load(&bell->wakes) && atomic_exchange(&bell->wakes, false))
			(void)syscall(SYS_futex, &bell->rung, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
		if (atomic_load_explicit(&w->answered, memory_order_acquire)) return;
		(void)syscall(SYS_futex, &bell->rung, FUTEX_WAIT_PRIVATE, rung, NULL, NULL, 0);
	}
}

/* Nobody writes: we do, and are done without a change of threads. The mutex is held at the
 * beginning, and not at the end. */
static void write_alone(wr_ledger *l, wr_unit *u)
{
	l->writing = true;
	(void)pthread_mutex_unlock(&l->mutex);
	wr_writer_run(l, u);
	(void)pthread_mutex_lock(&l->mutex);
	l->writing = false;
	bool more = l->first || l->checkpoint_due || l->closing;
	(void)pthread_mutex_unlock(&l->mutex);
	if (more) (void)pthread_cond_signal(&l->work);
}

/* 0 once it is answered. */
static int append_unit(wr_ledger *l, wr_unit *u, const waiting *w, wr_err *err)
{
	(void)pthread_mutex_lock(&l->mutex);
	if (l->threads && !l->failed && !l->closing && !l->writing && !l->first) {
		write_alone(l, u);
		return 0;
	}
	uint32_t cohort = l->cohort;
	int rc = enqueue(l, u, err);
	(void)pthread_mutex_unlock(&l->mutex);
	if (rc) return -1;
	if (l->threads)
		wait_for(l, w, cohort);
	else
		work_at_once(l);
	return 0;
}

int wr_ledger_append(wr_ledger *l, json_t *draft, int64_t epoch, int64_t *seq, wr_err *err)
{
	waiting w = {.status = WR_APPEND_UNAVAILABLE};
	wr_draft d;
	if (make_draft(l, &d, draft, epoch, err)) return -1;
	wr_unit u = {.count = 1, .epoch = epoch, .done = answered, .ctx = &w, .drafts = &d};
	int rc = append_unit(l, &u, &w, err);
	wr_draft_free(&d);
	if (rc) return -1;
	if (w.status != WR_APPEND_DONE) {
		if (err) *err = w.err;
		return -1;
	}
	if (seq) *seq = w.seq;
	return 0;
}

/* ---- head ---- */

void wr_ledger_head(wr_ledger *l, wr_head *out)
{
	(void)pthread_mutex_lock(&l->mutex);
	out->count = l->durable.count;
	memcpy(out->hash, l->durable.hash, WR_HASH_LEN);
	(void)pthread_mutex_unlock(&l->mutex);
}

bool wr_ledger_failed(wr_ledger *l, wr_err *why)
{
	(void)pthread_mutex_lock(&l->mutex);
	bool failed = l->why.code != WR_E_OK;
	if (why) *why = l->why;
	(void)pthread_mutex_unlock(&l->mutex);
	return failed;
}

/* ---- read ---- */

/* What is to be read of one segment: from `start` on, up to receipt `until` (exclusive), to byte
 * `end` (-1: the file's). */
typedef struct stretch {
	int64_t segment, seq, at;
	int64_t until, end;
	bool indexed; /* false: `seq` is the segment's first, because its entries are not known */
} stretch;

/* False if there is no receipt `seq`. */
static bool find_stretch(wr_ledger *l, int64_t seq, stretch *out)
{
	(void)pthread_mutex_lock(&l->mutex);
	bool found = seq < l->durable.count;
	if (found) {
		int64_t next;
		out->indexed = wr_index_find(&l->index, seq, &out->segment, &next, &out->seq, &out->at);
		out->until = next < 0 ? l->durable.count : next;
		out->end = next < 0 ? l->durable.bytes : -1;
	}
	(void)pthread_mutex_unlock(&l->mutex);
	return found;
}

typedef struct reader {
	wr_ledger *l;
	int64_t seq; /* wanted next */
	int (*fn)(void *ctx, const wr_receipt *r);
	void *ctx;
	bool linked;
	uint8_t hash[WR_HASH_LEN]; /* if linked: of the receipt before */
} reader;

static int read_damaged(const reader *rd, const stretch *s, const wr_line *line, const char *why,
                        wr_err *err)
{
	char name[WR_SEGMENT_NAME_LEN];
	wr_segment_name(name, s->segment);
	return wr_fail(err, WR_E_CORRUPT, "%s seq %lld: %s: byte %lld: %s", rd->l->chain,
	               (long long)rd->seq, name, (long long)line->at, why);
}

static int read_line(reader *rd, const stretch *s, const wr_line *line, wr_err *err)
{
	wr_receipt r;
	wr_err why = {0};
	if (wr_receipt_parse(&r, line->text, line->len, true, &why) != WR_RF_OK)
		return read_damaged(rd, s, line, why.msg, err);
	if (r.seq != rd->seq) return read_damaged(rd, s, line, "another receipt is there", err);
	if (rd->linked && memcmp(rd->hash, r.prev_hash, WR_HASH_LEN) != 0)
		return read_damaged(rd, s, line, "prev_hash is not the hash of the receipt before", err);
	memcpy(rd->hash, r.hash, WR_HASH_LEN);
	rd->linked = true;
	rd->seq++;
	return rd->fn(rd->ctx, &r);
}

/* 0 at the end of the stretch, else what fn said or -1. */
static int read_lines(reader *rd, const stretch *s, wr_lines *lines, wr_err *err)
{
	wr_line line = {0};
	for (int64_t at = s->seq; at < s->until; at++) {
		int rc = wr_lines_next(lines, &line, err);
		if (rc < 0) return -1;
		if (rc == 0 || !line.ended)
			return read_damaged(rd, s, &line, "the file ends before its time", err);
		if (at < rd->seq) continue;
		rc = read_line(rd, s, &line, err);
		if (rc) return rc;
	}
	return 0;
}

/* Somebody reads in the middle of an old segment: once is enough to look where its lines are. */
static int index_segment(wr_ledger *l, stretch *s, int64_t seq, const char *path, wr_err *err)
{
	wr_index_part part;
	int64_t lines;
	if (wr_index_scan(&part, path, s->segment, s->end, &lines, err)) return -1;
	size_t k = (size_t)(seq - s->segment) / WR_INDEX_EVERY;
	if (k < part.count) {
		s->seq = s->segment + (int64_t)k * WR_INDEX_EVERY;
		s->at = part.at[k];
	}
	(void)pthread_mutex_lock(&l->mutex);
	if (s->segment == l->index.last.segment)
		free(part.at); /* it grows: the writer's are made as it goes */
	else
		wr_index_keep(&l->index, &part);
	(void)pthread_mutex_unlock(&l->mutex);
	return 0;
}

int wr_ledger_read(wr_ledger *l, int64_t from_seq, int (*fn)(void *ctx, const wr_receipt *r),
                   void *ctx, wr_err *err)
{
	reader rd = {.l = l, .seq = from_seq < 0 ? 0 : from_seq, .fn = fn, .ctx = ctx};
	stretch s;
	while (find_stretch(l, rd.seq, &s)) {
		char path[PATH_MAX];
		wr_lines lines;
		if (wr_segment_path(l, path, s.segment, err)) return -1;
		if (!s.indexed && index_segment(l, &s, rd.seq, path, err)) return -1;
		if (wr_lines_open(&lines, path, s.at, s.end, err)) return -1;
		int rc = read_lines(&rd, &s, &lines, err);
		wr_lines_close(&lines);
		if (rc) return rc;
	}
	return 0;
}

/* ---- close ---- */

static void stop_threads(wr_ledger *l)
{
	(void)pthread_mutex_lock(&l->mutex);
	l->closing = true;
	(void)pthread_cond_signal(&l->work);
	(void)pthread_cond_signal(&l->care);
	(void)pthread_mutex_unlock(&l->mutex);
	if (l->writer_up) (void)pthread_join(l->writer, NULL);
	if (l->keeper_up) (void)pthread_join(l->keeper, NULL);
}

void wr_ledger_close(wr_ledger *l)
{
	if (!l) return;
	if (l->writer_up || l->keeper_up) stop_threads(l);
	WR_ASSERT(!l->first);
	if (l->opened && !l->read_only) {
		l->checkpoint_due = true;
		wr_writer_run(l, NULL);
		wr_writer_settle(l);
		wr_keeper_write(l);
	}
	if (l->fd >= 0) (void)l->fs.close(l->fs.ctx, l->fd);
	if (l->lock) wr_lock_drop(l->lock, l->chain);
	wr_engine_key_free(l->key);
	wr_writer_free(l);
	wr_index_free(&l->index);
	(void)pthread_cond_destroy(&l->work);
	(void)pthread_cond_destroy(&l->care);
	(void)pthread_mutex_destroy(&l->mutex);
	free(l);
}
