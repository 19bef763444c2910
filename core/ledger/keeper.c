/* keeper.c: the small files beside the segments: the high-water mark and the last checkpoint; and
 * the minute after which a checkpoint is due.
 *
 * Both say what was durable some moment ago, so nobody waits for them, and writing them (several
 * fsyncs each) must not keep the writer. The checkpoint goes first: the mark says from where on
 * opening reads, and the checkpoint vouches for what is before. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "ledger/store.h"
#include "warroom/log.h"

#define POLL_MS  1000  /* between two looks at the clock while a checkpoint is to come */
#define SHARE    40    /* a fortieth of the time at most goes into these files: disks can be slow */
#define REST_MAX 10000 /* milliseconds */

static int put(wr_ledger *l, const char *name, const char *text, size_t len)
{
	wr_err err = {0};
	if (wr_fs_put(&l->fs, l->chain_dir, name, text, len, &err) == 0) return 0;
	wr_log(WR_LOG_WARN, "ledger", "%s: the file \"%s\" stays as it was: %s", l->chain, name,
	       err.msg);
	return -1;
}

static void put_mark(wr_ledger *l, const wr_durable *d, const wr_resume *resume)
{
	wr_buf text = WR_BUF_INIT(WR_MARK_MAX);
	wr_mark mark = {.count = d->count, .segment = d->segment, .bytes = d->bytes, .resume = *resume};
	memcpy(mark.hash, d->hash, WR_HASH_LEN);
	wr_mark_format(&text, &mark);
	l->mark_tried = mark.count;
	if (wr_buf_ok(&text) && put(l, WR_MARK_NAME, text.data, text.len) == 0) l->marked = mark.count;
	wr_buf_free(&text);
}

void wr_keeper_write(wr_ledger *l)
{
	char note[WR_NOTE_MAX];
	(void)pthread_mutex_lock(&l->mutex);
	size_t note_len = l->note_len;
	int64_t note_size = l->note_size;
	memcpy(note, l->note, note_len);
	wr_durable durable = l->durable;
	wr_resume resume = l->resume;
	bool theirs = l->why.code == WR_E_CONFLICT;
	l->note_urgent = false;
	(void)pthread_mutex_unlock(&l->mutex);
	if (theirs) return;
	if (note_len && note_size != l->noted && put(l, WR_CHECKPOINT_NAME, note, note_len) == 0)
		l->noted = note_size;
	if (durable.count != l->marked) put_mark(l, &durable, &resume);
}

bool wr_keeper_due(wr_ledger *l)
{
	return l->key && wr_mono_ms(&l->clock) - l->noted_ms >= WR_CHECKPOINT_MS;
}

/* ---- the thread ---- */

static bool behind(const wr_ledger *l)
{
	return l->durable.count != l->mark_tried;
}

static void wait_ms(wr_ledger *l, int64_t ms)
{
	struct timespec until;
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(ms / 1000);
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	while (!l->closing && !l->note_urgent)
		if (pthread_cond_timedwait(&l->care, &l->mutex, &until) == ETIMEDOUT) return;
}

static int64_t ms_now(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void *wr_ledger_keeper(void *ledger)
{
	wr_ledger *l = ledger;
	int64_t rest_ms = WR_KEEP_MS;
	(void)pthread_mutex_lock(&l->mutex);
	while (!l->closing) {
		if (l->news > 0 && wr_keeper_due(l) && !l->checkpoint_due) {
			l->checkpoint_due = true;
			(void)pthread_cond_signal(&l->work);
		}
		if (behind(l)) {
			wait_ms(l, rest_ms);
			(void)pthread_mutex_unlock(&l->mutex);
			int64_t began_ms = ms_now();
			wr_keeper_write(l);
			rest_ms = (ms_now() - began_ms) * SHARE;
			if (rest_ms < WR_KEEP_MS) rest_ms = WR_KEEP_MS;
			if (rest_ms > REST_MAX) rest_ms = REST_MAX;
			(void)pthread_mutex_lock(&l->mutex);
		} else if (l->key && l->news > 0) {
			l->keeper_idle = true;
			struct timespec until;
			(void)clock_gettime(CLOCK_MONOTONIC, &until);
			until.tv_sec += POLL_MS / 1000;
			(void)pthread_cond_timedwait(&l->care, &l->mutex, &until);
			l->keeper_idle = false;
		} else {
			l->keeper_idle = true;
			(void)pthread_cond_wait(&l->care, &l->mutex);
			l->keeper_idle = false;
		}
	}
	(void)pthread_mutex_unlock(&l->mutex);
	return NULL;
}
