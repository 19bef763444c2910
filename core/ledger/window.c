/* window.c: see window.h. */
#include "ledger/window.h"

#include <stdlib.h>
#include <string.h>

#include "warroom/io.h"

#define COUNTERS_MAX   ((size_t)1 << 26) /* two bits each: 16 MiB */
#define COUNTERS_LEAST ((size_t)1 << 12)
#define BYTES_EACH     32 /* of the chain, for a counter: at least, while there are enough */

typedef struct place {
	size_t part;
	int64_t at;
} place;

struct wr_window {
	const wr_parts *parts;
	const wr_pass_opts *opts;
	int64_t *total;
	uint8_t *counters;
	size_t counter_count; /* a power of two */
	uint64_t seed;
	wr_suspects *suspects;
	place end;
	wr_check *check; /* while it is given one */
};

typedef int visitor(wr_window *w, const wr_receipt *r, wr_err *err);

static place beginning(const wr_window *w)
{
	return (place){.at = w->parts->at};
}

static bool before(place a, place b)
{
	return a.part < b.part || (a.part == b.part && a.at < b.at);
}

/* ---- reading ---- */

/* From *at in its part to the part's end or to `end`; *at goes along. 1: the visitor has enough. */
static int read_part(wr_window *w, place *at, place end, visitor *visit, wr_err *err)
{
	char path[PATH_MAX];
	wr_lines lines;
	wr_line line;
	wr_receipt r;
	int rc = 0;
	int64_t size = w->parts->items[at->part].size;
	if (end.part == at->part && end.at < size) size = end.at;
	if (wr_part_path(w->parts, at->part, path, err)) return -1;
	if (wr_lines_open(&lines, path, at->at, size, err))
		return err->code == WR_E_NOT_FOUND ? 0 : -1; /* the checker says what that is */
	if (w->total) *w->total += size - at->at;
	while (rc == 0 && (rc = wr_lines_next(&lines, &line, err)) > 0) {
		bool good = line.ended && !line.overlong &&
		            wr_receipt_parse(&r, line.text, line.len, true, NULL) == WR_RF_OK;
		rc = good ? visit(w, &r, err) : 0;
		at->at = line.at + line.bytes;
		if (w->opts->progress) w->opts->progress(w->opts->ctx, line.bytes);
		if (w->opts->cancel && atomic_load(w->opts->cancel))
			rc = wr_fail(err, WR_E_CANCELLED, "verify: cancelled");
	}
	if (w->total && rc > 0) *w->total -= size - at->at; /* the rest is not read */
	wr_lines_close(&lines);
	return rc;
}

/* Visits the receipts of [from, end), until the visitor has enough; *reached: there it ended. */
static int read_between(wr_window *w, place from, place end, visitor *visit, place *reached,
                        wr_err *err)
{
	place at = from;
	int rc = 0;
	while (rc == 0 && at.part < w->parts->count && before(at, end)) {
		rc = read_part(w, &at, end, visit, err);
		if (rc == 0) at = (place){.part = at.part + 1};
	}
	if (reached) *reached = at;
	return rc < 0 ? -1 : 0;
}

/* ---- counting ---- */

static uint64_t scatter(const wr_window *w, uint64_t a, uint64_t b)
{
	uint64_t z = (a ^ w->seed) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 29) ^ b) * UINT64_C(0x94d049bb133111eb);
	z = (z ^ (z >> 32)) * UINT64_C(0xbf58476d1ce4e5b9);
	return z ^ (z >> 31);
}

static unsigned counter(const wr_window *w, uint64_t i)
{
	i &= w->counter_count - 1;
	return (unsigned)w->counters[i / 4] >> (i % 4 * 2) & 3u;
}

static void count_one(wr_window *w, uint64_t i)
{
	i &= w->counter_count - 1;
	if (counter(w, i) < 2) w->counters[i / 4] = (uint8_t)(w->counters[i / 4] + (1u << (i % 4 * 2)));
}

/* Each has two counters: few others share both. */
static void count(wr_window *w, uint64_t hash)
{
	count_one(w, hash);
	count_one(w, hash >> 32);
}

static bool may_come_again(const wr_window *w, uint64_t hash)
{
	return counter(w, hash) > 1 && counter(w, hash >> 32) > 1;
}

static uint64_t scatter_id(const wr_window *w, const uint8_t id[static 16])
{
	uint64_t half[2];
	memcpy(half, id, sizeof half);
	return scatter(w, half[0], half[1]);
}

static uint64_t scatter_parent(const wr_window *w, const wr_receipt *r)
{
	return scatter(w, wr_hash_key(r->prev_hash), 1);
}

static int see(wr_window *w, const wr_receipt *r, wr_err *err)
{
	uint8_t id[16];
	(void)err;
	wr_check_id(r, id);
	count(w, scatter_id(w, id));
	count(w, scatter_parent(w, r));
	return 0;
}

/* ---- a window ---- */

static int keep(wr_window *w, const wr_receipt *r, wr_err *err)
{
	uint8_t id[16];
	wr_check_id(r, id);
	if (may_come_again(w, scatter_id(w, id)) && wr_suspects_add_id(w->suspects, id))
		return wr_fail(err, WR_E_NOMEM, "verify: out of memory at seq %lld", (long long)r->seq);
	if (may_come_again(w, scatter_parent(w, r)) &&
	    wr_suspects_add_parent(w->suspects, wr_hash_key(r->prev_hash)))
		return wr_fail(err, WR_E_NOMEM, "verify: out of memory at seq %lld", (long long)r->seq);
	return wr_suspects_full(w->suspects) ? 1 : 0;
}

static int look_back(wr_window *w, const wr_receipt *r, wr_err *err)
{
	return wr_check_seen(w->check, r, err);
}

int wr_window_reach(wr_window *w, wr_check *c, size_t part, int64_t at, wr_err *err)
{
	const place here = {.part = part, .at = at}, end = {.part = w->parts->count};
	if (before(here, w->end)) return 0;
	wr_suspects_clear(w->suspects);
	wr_keyset_free(&c->parents);
	c->suspects = w->suspects;
	w->check = c;
	if (read_between(w, here, end, keep, &w->end, err)) return -1;
	if (!wr_suspects_any(w->suspects)) return 0;
	return read_between(w, beginning(w), here, look_back, NULL, err);
}

/* ---- all of it ---- */

int wr_window_open(wr_window **out, const wr_parts *parts, size_t max, const wr_pass_opts *opts,
                   int64_t *total, wr_err *err)
{
	int64_t bytes = 0;
	wr_window *w = calloc(1, sizeof *w);
	*out = w;
	if (!w) return wr_fail(err, WR_E_NOMEM, "verify: out of memory");
	for (size_t i = 0; i < parts->count; i++) bytes += parts->items[i].size;
	w->parts = parts;
	w->opts = opts;
	w->total = total;
	w->end = beginning(w);
	w->counter_count = COUNTERS_LEAST;
	while (w->counter_count < COUNTERS_MAX && (int64_t)w->counter_count * BYTES_EACH < bytes)
		w->counter_count *= 2;
	wr_random_fill(&wr_random_system, &w->seed, sizeof w->seed);
	w->counters = calloc(w->counter_count / 4, 1);
	w->suspects = wr_suspects_new(max);
	if (!w->counters || !w->suspects) return wr_fail(err, WR_E_NOMEM, "verify: out of memory");
	const place end = {.part = parts->count};
	return read_between(w, beginning(w), end, see, NULL, err);
}

void wr_window_close(wr_window *w)
{
	if (!w) return;
	wr_suspects_free(w->suspects);
	free(w->counters);
	free(w);
}
