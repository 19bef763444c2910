/* stamps.c: time stamps of checkpoints, on a thread of their own (anchor.h says what they are).
 *
 * The response is on the disk before the receipt that tells of it. A crash in between leaves a
 * stamp without a receipt, which the next start judges again and records. A TSA that fails is said
 * once, in a receipt and in the state, until it works or fails for another reason. */
#include <stdlib.h>
#include <string.h>

#include "engine/archive.h"
#include "warroom/anchor.h"
#include "warroom/io.h"
#include "warroom/log.h"
#include "warroom/transfer.h"

#define QUERY         "application/timestamp-query"
#define REPLY         "application/timestamp-reply"
#define LOOK_AGAIN_MS 20000 /* for a new checkpoint */

typedef struct stamp {
	engine *e;
	const wr_anchor_plan *plan;
	char chain_dir[4096];
	int64_t upto; /* stamped so far */
	wr_checkpoint checkpoint;
	wr_buf note, tsq, tsr;
	wr_anchor_proof proof;
} stamp;

/* Every so often, but only when something is new that is not about this. */
static int64_t stamp_due(engine *e, int64_t now_us)
{
	const struct archive *a = e->archive;
	int64_t every_us = e->cfg->ledger_anchor->every_ms * 1000;
	int64_t last_us = a->stamps.done_us > now_us ? now_us : a->stamps.done_us;
	int64_t due_us = last_us + every_us;
	return a->news >= a->stamps.upto || due_us > now_us ? due_us : now_us + every_us;
}

static int read_note(stamp *s, wr_err *err)
{
	char path[4200];
	uint8_t public_key[WR_ED25519_PUBLIC];
	snprintf(path, sizeof path, "%s/checkpoint", s->chain_dir);
	if (wr_read_file(&s->note, path, WR_NOTE_MAX, WR_ANY, err) ||
	    wr_engine_pub_read(s->e->cfg->ledger_dir, public_key, err))
		return -1;
	return wr_checkpoint_open(&s->checkpoint, s->note.data, s->note.len, NULL, public_key, err);
}

static bool stop(void *ctx)
{
	return !duty_nap(ctx, 0);
}

static int ask(stamp *s, wr_err *err)
{
	static const wr_sigv4_pair headers[] = {{"Content-Type", QUERY}, {"Accept", REPLY}};
	wr_transfer t = {.method = "POST",
	                 .url = s->plan->url,
	                 .headers = headers,
	                 .header_count = 2,
	                 .body = s->tsq.data,
	                 .body_len = s->tsq.len,
	                 .ca_file = s->plan->tls_ca,
	                 .timeout_ms = s->plan->timeout_ms,
	                 .answer_max = WR_ANCHOR_MAX,
	                 .stop = stop,
	                 .ctx = s->e};
	wr_transfer_answer a;
	int rc = wr_transfer_run(&t, &a, err);
	if (rc == 0 && (a.status < 200 || a.status >= 300))
		rc = wr_fail(err, WR_E_UNAVAILABLE, "the TSA answers HTTP %d", a.status);
	if (rc == 0 && strcmp(a.type, REPLY) != 0)
		rc = wr_fail(err, WR_E_CORRUPT, "the TSA answers with %s, not " REPLY,
		             a.type[0] ? a.type : "no content type");
	if (rc == 0) wr_buf_add(&s->tsr, wr_buf_cstr(&a.body), a.body.len);
	wr_transfer_free(&a);
	if (rc == 0 && !wr_buf_ok(&s->tsr)) rc = wr_fail(err, WR_E_NOMEM, "out of memory");
	return rc;
}

static wr_bytes bytes(const wr_buf *b)
{
	return (wr_bytes){wr_buf_cstr(b), b->len};
}

static int judge(stamp *s, wr_err *err)
{
	return wr_anchor_check(&s->proof, bytes(&s->note), bytes(&s->tsq), bytes(&s->tsr),
	                       s->plan->ca_file, err);
}

static int record(stamp *s, wr_err *err)
{
	duty *d = &s->e->archive->stamps;
	char root[WR_HEX_LEN], at[WR_TIME_LEN];
	wr_hex(root, s->checkpoint.root, WR_HASH_LEN);
	wr_time_format(at, s->proof.time_us);
	json_t *receipt =
	    json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s}", "operation", "checkpoint_anchored",
	              "size", (json_int_t)s->checkpoint.size, "root", root, "tsa", s->proof.tsa, "time",
	              at, "serial", s->proof.serial, "digest", s->proof.digest, "url", s->plan->url);
	if (!receipt) return wr_fail(err, WR_E_NOMEM, "out of memory");
	if (wr_ledger_append(s->e->ledger, receipt, s->e->epoch, NULL, err)) return -1;
	pthread_mutex_lock(&s->e->nap_lock);
	d->upto = s->checkpoint.size;
	d->done_us = wr_wall_us(s->e->clock);
	d->stamped_us = s->proof.time_us;
	snprintf(d->what, sizeof d->what, "%.120s", s->proof.tsa);
	pthread_mutex_unlock(&s->e->nap_lock);
	wr_log(WR_LOG_INFO, "anchor", "the first %lld receipts are stamped %s by %s",
	       (long long)s->checkpoint.size, at, s->proof.tsa);
	return 0;
}

static int read_part(const stamp *s, int64_t size, const char *kind, wr_buf *out, wr_err *err)
{
	char path[4200];
	snprintf(path, sizeof path, "%s/anchors/%020lld.%s", s->chain_dir, (long long)size, kind);
	return wr_read_file(out, path, WR_ANCHOR_MAX, WR_ANY, err);
}

/* A stamp that is kept but not on record. */
static int take_up(stamp *s, int64_t size, wr_err *err)
{
	uint8_t public_key[WR_ED25519_PUBLIC];
	int rc = read_part(s, size, "note", &s->note, err);
	if (rc == 0) rc = read_part(s, size, "tsq", &s->tsq, err);
	if (rc == 0) rc = read_part(s, size, "tsr", &s->tsr, err);
	if (rc == 0) rc = wr_engine_pub_read(s->e->cfg->ledger_dir, public_key, err);
	if (rc == 0)
		rc = wr_checkpoint_open(&s->checkpoint, s->note.data, s->note.len, NULL, public_key, err);
	if (rc == 0 && s->checkpoint.size != size)
		rc = wr_fail(err, WR_E_CONFLICT, "the note of anchor %lld is of another size",
		             (long long)size);
	if (rc == 0) rc = judge(s, err);
	return rc ? -1 : record(s, err);
}

/* 1: no checkpoint that is new. */
static int stamp_once(stamp *s, wr_err *err)
{
	wr_err why = {0};
	int64_t kept = wr_anchor_last(s->chain_dir);
	if (kept > s->upto && take_up(s, kept, &why) == 0) s->upto = kept;
	wr_buf_reset(&s->note);
	wr_buf_reset(&s->tsq);
	wr_buf_reset(&s->tsr);
	/* The ledger writes its first checkpoint within a minute, and others from time to time. */
	if (read_note(s, &why)) {
		if (why.code == WR_E_NOT_FOUND) return 1;
		*err = why;
		return -1;
	}
	if (s->checkpoint.size <= s->upto) return 1;
	if (wr_anchor_request(&s->tsq, bytes(&s->note), &wr_random_system, err) || ask(s, err) ||
	    judge(s, err))
		return -1;
	if (wr_anchor_put(s->chain_dir, s->checkpoint.size, bytes(&s->note), bytes(&s->tsq),
	                  bytes(&s->tsr), err))
		return -1;
	return record(s, err);
}

static void one_stamp(engine *e)
{
	duty *d = &e->archive->stamps;
	wr_err err = {0};
	stamp s = {.e = e,
	           .plan = e->cfg->ledger_anchor,
	           .note.max = WR_ANCHOR_MAX,
	           .tsq.max = WR_ANCHOR_MAX,
	           .tsr.max = WR_ANCHOR_MAX};
	snprintf(s.chain_dir, sizeof s.chain_dir, "%s/%s/%s", e->cfg->ledger_dir, e->cfg->partition,
	         e->cfg->stream);
	pthread_mutex_lock(&e->nap_lock);
	s.upto = d->upto;
	pthread_mutex_unlock(&e->nap_lock);
	int rc = stamp_once(&s, &err);
	bool failed = rc < 0;
	if (!failed || err.code != WR_E_CANCELLED) {
		bool news = duty_end(e, d, failed ? &err : NULL);
		if (failed && news) {
			wr_log(WR_LOG_ERROR, "anchor", "no time stamp from %s: %s", s.plan->url, err.msg);
			archive_append(e, json_pack("{s:s, s:s, s:I, s:s, s:s}", "operation",
			                            "checkpoint_anchor_failed", "url", s.plan->url, "size",
			                            (json_int_t)s.checkpoint.size, "code",
			                            wr_err_name(err.code), "reason", err.msg));
		}
	}
	if (rc > 0) duty_later(e, d, LOOK_AGAIN_MS);
	wr_buf_free(&s.note);
	wr_buf_free(&s.tsq);
	wr_buf_free(&s.tsr);
}

void *stamps_main(void *ctx)
{
	engine *e = ctx;
	archive_nice();
	while (duty_wait(e, &e->archive->stamps, stamp_due)) one_stamp(e);
	return NULL;
}
