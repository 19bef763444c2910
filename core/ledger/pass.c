/* pass.c: the threads of a pass, and the joining of chunks in order. See pass.h. */
#include "ledger/pass.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ledger/chunk.h"
#include "ledger/store.h"
#include "warroom/io.h"

#define THREADS_MAX 16
#define CHUNK_LEAST 4096

typedef struct pass {
	wr_check *check;
	const wr_parts *parts;
	const wr_pass_opts *opts;
	wr_suspects *suspects;
	int64_t want;

	pthread_mutex_t mutex; /* guards from here … */
	pthread_cond_t turned;
	size_t part;
	int64_t at;
	uint64_t handed, turn;
	bool stop;
	wr_err err; /* … to here: why it stopped */

	/* of the thread whose turn it is */
	bool clean;
	bool linked; /* last_hash is that of the line before */
	uint8_t last_hash[WR_HASH_LEN];
	int64_t part_seq, part_line; /* of the part's first receipt */
	bool part_began;
	bool blank; /* the part has ended in laid out space */
} pass;

/* ---- parts ---- */

const char *wr_part_name(const wr_parts *p, size_t i, char out[static WR_SEGMENT_NAME_LEN])
{
	if (p->single) return p->single;
	wr_segment_name(out, p->items[i].segment);
	return out;
}

int wr_part_path(const wr_parts *p, size_t i, char out[static PATH_MAX], wr_err *err)
{
	char name[WR_SEGMENT_NAME_LEN];
	return wr_path_join(out, PATH_MAX, p->dir, wr_part_name(p, i, name), err);
}

bool wr_part_live(const wr_parts *p, size_t i)
{
	char path[PATH_MAX];
	struct stat st;
	wr_err err;
	bool grown = wr_part_path(p, i, path, &err) == 0 && stat(path, &st) == 0 &&
	             (int64_t)st.st_size > p->items[i].size;
	return grown || wr_lock_held(p->ledger_dir);
}

bool wr_past_mark(const wr_check *c, int64_t at)
{
	return c->mark.count == 0 || c->segment < 0 || c->segment > c->mark.segment ||
	       (c->segment == c->mark.segment && at >= c->mark.bytes);
}

/* ---- joining ---- */

static void keep(pass *p, const wr_chunk *k, const wr_row *row)
{
	uint8_t prev[WR_HASH_LEN], hash[WR_HASH_LEN];
	wr_chunk_hashes(k, row, prev, hash);
	wr_suspects_keep(p->suspects, row->id_high, row->id_low, prev, hash);
}

/* Does the chunk's first receipt follow what came before? */
static bool follows(const pass *p, const wr_chunk *k)
{
	uint8_t prev[WR_HASH_LEN], hash[WR_HASH_LEN];
	if (!k->begins_good || !p->linked) return false;
	wr_chunk_hashes(k, &k->rows[0], prev, hash);
	return memcmp(prev, p->last_hash, WR_HASH_LEN) == 0;
}

static void look_for_suspects(pass *p, wr_chunk *k)
{
	for (size_t i = 0; i < k->row_count; i++) {
		const wr_row *row = &k->rows[i];
		bool again = wr_suspects_id(p->suspects, row->id_high, row->id_low);
		if (again) p->clean = false;
		if (again || row->flags & WR_ROW_UNLINKED) keep(p, k, row);
	}
}

static int see_notable(pass *p, const wr_chunk *k, size_t i, wr_err *err)
{
	const wr_row *row = &k->rows[i];
	wr_receipt r;
	wr_err why;
	int64_t line = p->part_line + (k->first_seq + (int64_t)i - p->part_seq);
	int64_t byte = k->base + row->at;
	wr_receipt_fault fault = wr_receipt_parse(&r, k->buf + 1 + row->at, row->len, false, &why);
	WR_ASSERT(fault == WR_RF_OK);
	if (row->flags & WR_ROW_CHECKPOINT) wr_attest_receipt(p->check, &r, line, byte);
	return wr_check_authorise(p->check, &r, line, byte, err);
}

/* Receipts [from, to) of the chunk; `range` NULL: leaf by leaf. */
static int join_rows(pass *p, const wr_chunk *k, size_t from, size_t to, const wr_range *range,
                     wr_err *err)
{
	wr_attest *a = &p->check->attest;
	uint8_t prev[WR_HASH_LEN], hash[WR_HASH_LEN];
	if (a->tree.end != k->first_seq + (int64_t)from) a->known = false;
	for (size_t i = from; i < to; i++) {
		if (k->rows[i].flags & WR_ROW_NOTABLE && see_notable(p, k, i, err)) return -1;
		if (i == from || !range) wr_attest_here(p->check);
		if (range || !a->known) continue;
		wr_chunk_hashes(k, &k->rows[i], prev, hash);
		wr_range_add(&a->tree, hash);
	}
	if (range && a->known) wr_range_join(&a->tree, range);
	return 0;
}

static int join_good(pass *p, const wr_chunk *k, wr_err *err)
{
	wr_check *c = p->check;
	int64_t end = k->first_seq + (int64_t)k->row_count;
	if (!p->part_began) {
		p->part_began = true;
		p->part_seq = k->first_seq;
		p->part_line = 1 + (k->part == 0 ? p->parts->line : 0);
	}
	c->report->checked += (int64_t)k->row_count;
	c->report->valid += (int64_t)k->row_count;
	if (k->dense && join_rows(p, k, 0, k->row_count, NULL, err)) return -1;
	for (size_t i = 0; i < k->range_count && !k->dense; i++) {
		const wr_range *r = &k->ranges[i];
		if (join_rows(p, k, (size_t)(r->begin - k->first_seq), (size_t)(r->end - k->first_seq), r,
		              err))
			return -1;
	}
	c->expect = end;
	c->consistent = end - 1;
	return 0;
}

static void join_tail(pass *p, const wr_chunk *k)
{
	wr_check *c = p->check;
	const wr_part *part = &p->parts->items[k->part];
	size_t at = (size_t)(k->tail_at - k->base);
	const wr_line line = {.text = k->buf + 1 + at,
	                      .len = k->len - at,
	                      .at = k->tail_at,
	                      .bytes = (int64_t)(k->len - at)};
	if (k->part + 1 < p->parts->count || line.len > WR_LINE_MAX || !wr_past_mark(c, k->tail_at) ||
	    !wr_tail_torn(&line)) {
		p->clean = false;
		return;
	}
	if (wr_part_live(p->parts, k->part)) return;
	int64_t before = k->part == 0 ? p->parts->line : 0;
	int64_t number = p->part_began ? p->part_line + (c->expect - p->part_seq) : 1 + before;
	wr_check_torn(c, &line, number, part->size - k->tail_at);
}

static void begin_part(pass *p, const wr_chunk *k)
{
	wr_check *c = p->check;
	char name[WR_SEGMENT_NAME_LEN];
	int64_t segment = p->parts->items[k->part].segment;
	bool from_inside = k->part == 0 && p->parts->at > 0;
	wr_chain_check_file(c, wr_part_name(p->parts, k->part, name), segment);
	c->report->segments++;
	p->part_began = false;
	if (segment >= 0 && c->expect >= 0 && segment != c->expect && !from_inside) p->clean = false;
}

static int join(pass *p, wr_chunk *k, wr_err *err)
{
	wr_check *c = p->check;
	bool linked = k->row_count > 0 && follows(p, k);
	if (k->first) p->blank = false;
	if (k->bad || (p->blank && k->to > k->at && k->blank_at != k->at)) p->clean = false;
	if (k->blank_at >= 0) p->blank = true;
	if (k->first && p->clean) begin_part(p, k);
	if (k->row_count > 0) {
		/* Where a reading begins in the middle, the first link is taken as it is. */
		bool begins = c->expect < 0;
		if (linked) k->rows[0].flags &= ~(uint32_t)WR_ROW_UNLINKED;
		if (begins && k->first_seq > 0 && k->begins_good) linked = true;
		if (begins) c->expect = k->first_seq;
		if (!linked || k->first_seq != c->expect) p->clean = false;
	}
	look_for_suspects(p, k);
	if (p->clean && k->row_count > 0 && join_good(p, k, err)) return -1;
	if (p->clean && k->tail_at >= 0) join_tail(p, k);
	if (k->row_count > 0 || k->bad || k->tail_at >= 0) {
		p->linked = k->ends_good;
		memcpy(p->last_hash, k->last_hash, WR_HASH_LEN);
	}
	c->report->bytes += (k->last ? p->parts->items[k->part].size : k->to) - k->at;
	if (p->opts->progress) p->opts->progress(p->opts->ctx, k->to - k->at);
	return 0;
}

/* ---- threads ---- */

/* Call with the mutex held. */
static bool take_chunk(pass *p, wr_chunk *k)
{
	const wr_parts *parts = p->parts;
	if (p->opts->cancel && atomic_load(p->opts->cancel) && !p->stop) {
		p->stop = true;
		(void)wr_fail(&p->err, WR_E_CANCELLED, "verify: cancelled");
	}
	if (p->stop || p->part == parts->count) return false;
	int64_t begin = p->part == 0 ? parts->at : 0, size = parts->items[p->part].size;
	k->part = p->part;
	k->first = p->at == begin;
	k->at = p->at;
	k->to = p->at + (int64_t)p->opts->chunk_bytes;
	if (k->to > size) k->to = size > p->at ? size : p->at;
	k->last = k->to >= size;
	k->want = p->want;
	p->at = k->to;
	if (k->last) {
		p->part++;
		p->at = 0;
	}
	return true;
}

static void finish_chunk(pass *p, wr_chunk *k, uint64_t number, int rc, wr_err *err)
{
	(void)pthread_mutex_lock(&p->mutex);
	while (p->turn != number) (void)pthread_cond_wait(&p->turned, &p->mutex);
	bool stopped = p->stop;
	(void)pthread_mutex_unlock(&p->mutex);
	if (rc == 0 && !stopped) rc = join(p, k, err);
	(void)pthread_mutex_lock(&p->mutex);
	if (rc && !p->stop) {
		p->stop = true;
		p->err = *err;
	}
	p->turn++;
	(void)pthread_cond_broadcast(&p->turned);
	(void)pthread_mutex_unlock(&p->mutex);
}

static void *work(void *ctx)
{
	pass *p = ctx;
	wr_chunk k;
	wr_err err = {0};
	bool ready = wr_chunk_init(&k, p->opts->chunk_bytes, &err) == 0;
	k.check = p->check;
	k.parts = p->parts;
	(void)pthread_mutex_lock(&p->mutex);
	if (!ready && !p->stop) {
		p->stop = true;
		p->err = err;
	}
	while (ready && take_chunk(p, &k)) {
		uint64_t number = p->handed++;
		(void)pthread_mutex_unlock(&p->mutex);
		int rc = wr_chunk_read(&k, &err);
		finish_chunk(p, &k, number, rc, &err);
		(void)pthread_mutex_lock(&p->mutex);
	}
	(void)pthread_mutex_unlock(&p->mutex);
	if (ready) wr_chunk_free(&k);
	return NULL;
}

/* As many as there are chunks for. This thread is one of them. */
static unsigned threads_for(const wr_parts *parts, const wr_pass_opts *opts)
{
	int64_t bytes = 0;
	for (size_t i = 0; i < parts->count; i++) bytes += parts->items[i].size;
	int64_t chunks = (bytes - parts->at) / (int64_t)opts->chunk_bytes + 1;
	int64_t threads = opts->threads < THREADS_MAX ? opts->threads : THREADS_MAX;
	return (unsigned)(threads < chunks ? threads : chunks);
}

static void run_threads(pass *p)
{
	pthread_t others[THREADS_MAX];
	unsigned started = 0, wanted = threads_for(p->parts, p->opts);
	while (started + 1 < wanted && pthread_create(&others[started], NULL, work, p) == 0) started++;
	(void)work(p);
	for (unsigned i = 0; i < started; i++) (void)pthread_join(others[i], NULL);
}

/* The chain's name, if only its receipts say it. */
static int read_name(wr_check *c, const wr_parts *parts, wr_err *err)
{
	for (size_t i = 0; i < parts->count && !*c->chain; i++) {
		char path[PATH_MAX];
		wr_lines lines;
		wr_line line;
		wr_receipt r;
		wr_err why = {0};
		if (wr_part_path(parts, i, path, err)) return -1;
		if (wr_lines_open(&lines, path, i == 0 ? parts->at : 0, parts->items[i].size, &why)) break;
		int rc = wr_lines_next(&lines, &line, &why);
		bool good = rc > 0 && line.ended && !line.overlong &&
		            wr_receipt_parse(&r, line.text, line.len, true, &why) == WR_RF_OK;
		if (good) memcpy(c->chain, r.chain, sizeof c->chain);
		wr_lines_close(&lines);
		if (rc != 0) break;
	}
	return 0;
}

int wr_pass(wr_check *c, const wr_parts *parts, const wr_pass_opts *opts, wr_suspects *suspects,
            bool *clean, wr_err *err)
{
	/* A small chain needs no large buffer. */
	wr_pass_opts fitted = *opts;
	size_t all = 0;
	for (size_t i = 0; i < parts->count; i++) all += (size_t)parts->items[i].size;
	if (fitted.chunk_bytes > all + CHUNK_LEAST) fitted.chunk_bytes = all + CHUNK_LEAST;
	pass p = {.check = c,
	          .parts = parts,
	          .opts = &fitted,
	          .suspects = suspects,
	          .want = c->attest.have_file ? c->attest.file.size : -1,
	          .at = parts->at,
	          .clean = true,
	          .linked = parts->at == 0 || parts->known};
	if (parts->known) memcpy(p.last_hash, parts->tip, WR_HASH_LEN);
	if (read_name(c, parts, err)) return -1;
	if (pthread_mutex_init(&p.mutex, NULL)) return wr_fail(err, WR_E_NOMEM, "verify: no mutex");
	if (pthread_cond_init(&p.turned, NULL)) {
		(void)pthread_mutex_destroy(&p.mutex);
		return wr_fail(err, WR_E_NOMEM, "verify: no condition");
	}
	run_threads(&p);
	(void)pthread_cond_destroy(&p.turned);
	(void)pthread_mutex_destroy(&p.mutex);
	if (p.stop) {
		if (err) *err = p.err;
		return -1;
	}
	int64_t end = c->expect > 0 ? c->expect : 0;
	if (end < c->mark.count || (c->attest.have_file && c->attest.file.size > end)) p.clean = false;
	if (p.clean) wr_attest_end(c);
	*clean = p.clean && !c->attest.again;
	return 0;
}
