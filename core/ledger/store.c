/* store.c: the file store's interface: submit, read, head, close.
 *
 * Callers put units on a list under the mutex; the writer thread (writer.c) takes them. Readers
 * open the files themselves and stop at the durable end, so that they never wait for the writer. */
#include "ledger/store.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "warroom/io.h"
#include "warroom/json.h"

int wr_segment_path(const wr_ledger *l, char out[static PATH_MAX], int64_t segment, wr_err *err)
{
	char name[WR_SEGMENT_NAME_LEN];
	wr_segment_name(name, segment);
	return wr_path_join(out, PATH_MAX, l->chain_dir, name, err);
}

/* ---- the index ---- */

int wr_places_reserve(wr_ledger *l, size_t more, wr_err *err)
{
	int rc = 0;
	(void)pthread_mutex_lock(&l->mutex);
	if (l->place_cap - l->place_count < more) {
		size_t cap = (l->place_cap + more) * 2;
		wr_place *places = realloc(l->places, cap * sizeof *places);
		if (places) {
			l->places = places;
			l->place_cap = cap;
		} else {
			rc = wr_fail(err, WR_E_NOMEM, "ledger: out of memory for the index");
		}
	}
	(void)pthread_mutex_unlock(&l->mutex);
	return rc;
}

/* Call with the mutex held, or before there are threads. */
void wr_places_add(wr_ledger *l, int64_t seq, int64_t segment, int64_t at)
{
	if (at != 0 && seq % WR_PLACE_EVERY != 0) return;
	WR_ASSERT(l->place_count < l->place_cap);
	l->places[l->place_count++] = (wr_place){.seq = seq, .segment = segment, .at = at};
}

/* ---- submit ---- */

void wr_unit_free(wr_unit *u)
{
	for (size_t i = 0; i < u->count; i++) json_decref(u->drafts[i]);
	free(u);
}

/* Whether a draft can become a receipt is found out here, in the caller's thread, with the largest
 * envelope that can be: so the writer never meets a draft that it must refuse. */
static int try_draft(const wr_ledger *l, const json_t *draft, int64_t epoch, wr_err *err)
{
	static const uint8_t zeros[WR_HASH_LEN];
	const wr_envelope env = {.actor = l->actor,
	                         .chain = l->chain,
	                         .epoch = epoch,
	                         .seq = WR_INT_MAX_SAFE,
	                         .timestamp_us = 0,
	                         .prev_hash = zeros,
	                         .receipt_id = "00000000-0000-7000-8000-000000000000"};
	uint8_t hash[WR_HASH_LEN];
	wr_buf line = WR_BUF_INIT(WR_LINE_MAX * 8);
	int rc = wr_receipt_write(&line, hash, &env, draft, err);
	wr_buf_free(&line);
	return rc;
}

static int check_unit(const wr_ledger *l, const wr_unit *u, wr_err *err)
{
	if (l->read_only) return wr_fail(err, WR_E_DENIED, "ledger: opened read-only");
	if (u->count == 0 || u->count > WR_UNIT_MAX)
		return wr_fail(err, WR_E_LIMIT, "ledger: a submission has 1 to %d receipts", WR_UNIT_MAX);
	for (size_t i = 0; i < u->count; i++)
		if (try_draft(l, u->drafts[i], u->epoch, err)) return -1;
	return 0;
}

static int enqueue(wr_ledger *l, wr_unit *u, wr_err *err)
{
	int rc = 0;
	(void)pthread_mutex_lock(&l->mutex);
	if (l->failed) {
		if (err) *err = l->why;
		rc = -1;
	} else if (l->closing) {
		rc = wr_fail(err, WR_E_CANCELLED, "ledger: closing");
	} else if (l->queued >= WR_EVENTS_MAX) {
		rc =
		    wr_fail(err, WR_E_LIMIT, "ledger: %zu submissions are waiting for the disk", l->queued);
	} else {
		*l->last = u;
		l->last = &u->next;
		l->queued++;
		(void)pthread_cond_signal(&l->work);
	}
	(void)pthread_mutex_unlock(&l->mutex);
	return rc;
}

int wr_ledger_submit(wr_ledger *l, json_t **drafts, size_t count, int64_t epoch,
                     void (*done)(void *ctx, const wr_appended *), void *ctx, wr_err *err)
{
	wr_unit *u = malloc(sizeof *u + count * sizeof(json_t *));
	if (!u) {
		for (size_t i = 0; i < count; i++) json_decref(drafts[i]);
		return wr_fail(err, WR_E_NOMEM, "ledger: out of memory");
	}
	*u = (wr_unit){.count = count, .epoch = epoch, .done = done, .ctx = ctx};
	for (size_t i = 0; i < count; i++) u->drafts[i] = drafts[i];
	/* The analyzer does not see that the list holds it then. */
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
	if (check_unit(l, u, err) == 0 && enqueue(l, u, err) == 0) return 0;
	wr_unit_free(u);
	return -1;
}

typedef struct waiting {
	pthread_mutex_t mutex; /* guards the rest */
	pthread_cond_t cond;
	bool answered;
	wr_append_status status;
	wr_err err;
	int64_t seq;
} waiting;

static void answered(void *ctx, const wr_appended *a)
{
	waiting *w = ctx;
	(void)pthread_mutex_lock(&w->mutex);
	w->answered = true;
	w->status = a->status;
	w->err = a->err;
	w->seq = a->first_seq;
	(void)pthread_cond_signal(&w->cond);
	(void)pthread_mutex_unlock(&w->mutex);
}

int wr_ledger_append(wr_ledger *l, json_t *draft, int64_t epoch, int64_t *seq, wr_err *err)
{
	waiting w = {.mutex = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
	if (wr_ledger_submit(l, &draft, 1, epoch, answered, &w, err)) return -1;
	(void)pthread_mutex_lock(&w.mutex);
	while (!w.answered) (void)pthread_cond_wait(&w.cond, &w.mutex);
	(void)pthread_mutex_unlock(&w.mutex);
	(void)pthread_cond_destroy(&w.cond);
	(void)pthread_mutex_destroy(&w.mutex);
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
 * `end` (-1: the file's). False if there is no receipt `seq`. */
typedef struct stretch {
	wr_place start;
	int64_t until, end;
} stretch;

static bool find_stretch(wr_ledger *l, int64_t seq, stretch *out)
{
	bool found = false;
	(void)pthread_mutex_lock(&l->mutex);
	if (seq < l->durable.count) {
		size_t low = 0, high = l->place_count; /* places[low].seq <= seq < places[high].seq */
		WR_ASSERT(high > 0 && l->places[0].seq == 0);
		while (high - low > 1) {
			size_t middle = low + (high - low) / 2;
			if (l->places[middle].seq <= seq)
				low = middle;
			else
				high = middle;
		}
		out->start = l->places[low];
		while (high < l->place_count && l->places[high].at != 0) high++;
		bool last = high == l->place_count;
		out->until = last ? l->durable.count : l->places[high].seq;
		out->end = last ? l->durable.bytes : -1;
		found = true;
	}
	(void)pthread_mutex_unlock(&l->mutex);
	return found;
}

typedef struct reader {
	wr_ledger *l;
	int64_t seq; /* wanted next */
	int (*fn)(void *ctx, const wr_receipt *r);
	void *ctx;
} reader;

static int read_damaged(const reader *rd, const stretch *s, const wr_line *line, const char *why,
                        wr_err *err)
{
	char name[WR_SEGMENT_NAME_LEN];
	wr_segment_name(name, s->start.segment);
	return wr_fail(err, WR_E_CORRUPT, "%s seq %lld: %s: byte %lld: %s", rd->l->chain,
	               (long long)rd->seq, name, (long long)line->at, why);
}

/* 0 at the end of the stretch, else what fn said or -1. */
static int read_lines(reader *rd, const stretch *s, wr_lines *lines, wr_err *err)
{
	wr_line line = {0};
	wr_receipt r;
	for (int64_t at = s->start.seq; at < s->until; at++) {
		int rc = wr_lines_next(lines, &line, err);
		if (rc < 0) return -1;
		if (rc == 0 || !line.ended)
			return read_damaged(rd, s, &line, "the file ends before its time", err);
		if (at < rd->seq) continue;
		wr_err why = {0};
		if (wr_receipt_parse(&r, line.text, line.len, true, &why) != WR_RF_OK)
			return read_damaged(rd, s, &line, why.msg, err);
		if (r.seq != rd->seq) return read_damaged(rd, s, &line, "another receipt is there", err);
		rd->seq++;
		rc = rd->fn(rd->ctx, &r);
		if (rc) return rc;
	}
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
		if (wr_segment_path(l, path, s.start.segment, err)) return -1;
		if (wr_lines_open(&lines, path, s.start.at, s.end, err)) return -1;
		int rc = read_lines(&rd, &s, &lines, err);
		wr_lines_close(&lines);
		if (rc) return rc;
	}
	return 0;
}

/* ---- close ---- */

void wr_ledger_close(wr_ledger *l)
{
	if (!l) return;
	if (l->started) {
		(void)pthread_mutex_lock(&l->mutex);
		l->closing = true;
		(void)pthread_cond_signal(&l->work);
		(void)pthread_mutex_unlock(&l->mutex);
		(void)pthread_join(l->writer, NULL);
	}
	WR_ASSERT(!l->first);
	if (l->fd >= 0) (void)l->fs.close(l->fs.ctx, l->fd);
	if (l->dir_fd >= 0) (void)close(l->dir_fd);
	if (l->lock_fd >= 0) (void)close(l->lock_fd);
	(void)pthread_cond_destroy(&l->work);
	(void)pthread_mutex_destroy(&l->mutex);
	free(l->places);
	free(l);
}
