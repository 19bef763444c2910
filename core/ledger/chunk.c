/* chunk.c: see chunk.h. Each line is looked at once, by quick.c; what that does not accept makes
 * the chunk bad, and is named by others. */
#include "ledger/chunk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger/fs.h"

#define MORE       ((size_t)4 << 10) /* read beyond the chunk at first: its last line mostly ends */
#define LINE_LEAST 300               /* no good receipt is shorter */

int wr_chunk_init(wr_chunk *k, size_t chunk_bytes, wr_err *err)
{
	*k = (wr_chunk){.fd = -1};
	k->size = chunk_bytes + WR_LINE_MAX + MORE;
	k->row_cap = k->size / LINE_LEAST + 2;
	k->buf = malloc(1 + k->size + WR_QUICK_SLACK);
	k->rows = malloc(k->row_cap * sizeof *k->rows);
	k->ranges = malloc(WR_CHUNK_SPLITS * sizeof *k->ranges);
	if (k->buf && k->rows && k->ranges) return 0;
	wr_chunk_free(k);
	return wr_fail(err, WR_E_NOMEM, "verify: out of memory");
}

void wr_chunk_free(wr_chunk *k)
{
	if (k->fd >= 0) (void)close(k->fd);
	k->fd = -1;
	free(k->buf);
	free(k->rows);
	free(k->ranges);
	k->buf = NULL;
	k->rows = NULL;
	k->ranges = NULL;
}

/* ---- reading ---- */

/* A file that is gone is for the careful reading to say. */
static int open_part(wr_chunk *k, wr_err *err)
{
	char path[PATH_MAX];
	if (k->fd >= 0 && k->fd_part == k->part) return 0;
	if (k->fd >= 0) (void)close(k->fd);
	if (wr_part_path(k->parts, k->part, path, err)) return -1;
	k->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	k->fd_part = k->part;
	if (k->fd < 0) k->bad = true;
	return 0;
}

/* Reads up to the file's byte `upto`, or to its end. */
static int read_to(wr_chunk *k, int64_t upto, wr_err *err)
{
	int64_t end = k->parts->items[k->part].size;
	if (upto > end) upto = end;
	while (k->base + (int64_t)k->len < upto) {
		size_t room = (size_t)(upto - k->base) - k->len;
		ssize_t n = pread(k->fd, k->buf + 1 + k->len, room, k->base + (int64_t)k->len);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) return wr_fail(err, WR_E_IO, "read: %s", strerror(errno));
		if (n == 0) { /* it was longer */
			k->bad = true;
			return 0;
		}
		k->len += (size_t)n;
	}
	return 0;
}

/* ---- lines ---- */

static void new_range(wr_chunk *k, int64_t seq)
{
	if (k->range_count == WR_CHUNK_SPLITS) k->dense = true;
	if (!k->dense) wr_range_init(&k->ranges[k->range_count++], seq);
}

static void add_leaf(wr_chunk *k, const wr_quick_line *l)
{
	if (k->bad || k->dense) return;
	if (k->range_count == 0 || l->checkpoint || l->seq == k->want) new_range(k, l->seq);
	if (!k->dense) wr_range_add(&k->ranges[k->range_count - 1], l->hash);
}

static bool mark_holds(const wr_chunk *k, const wr_quick_line *l, int64_t end)
{
	const wr_mark *m = &k->check->mark;
	return m->count != l->seq + 1 ||
	       (m->segment == k->parts->items[k->part].segment && m->bytes == end &&
	        memcmp(m->hash, l->hash, WR_HASH_LEN) == 0);
}

static void take_good(wr_chunk *k, const wr_quick_line *l, size_t at, size_t len)
{
	bool begins = k->row_count == 0;
	unsigned flags = (l->notable || begins || l->epoch != k->last_epoch ? WR_ROW_NOTABLE : 0) |
	                 (l->checkpoint ? WR_ROW_CHECKPOINT : 0) | (l->linked ? 0 : WR_ROW_UNLINKED);
	if (l->other_chain || !mark_holds(k, l, k->base + (int64_t)(at + len) + 1)) k->bad = true;
	if (begins)
		k->first_seq = l->seq;
	else if (!l->linked || l->seq != k->first_seq + (int64_t)k->row_count)
		k->bad = true;
	WR_ASSERT(k->row_count < k->row_cap);
	k->rows[k->row_count++] = (wr_row){.id_high = l->id_high,
	                                   .id_low = l->id_low,
	                                   .at = (uint32_t)at,
	                                   .len = (uint32_t)len,
	                                   .flags = flags};
	k->last_epoch = l->epoch;
	add_leaf(k, l);
	memcpy(k->last_hash, l->hash, WR_HASH_LEN);
}

/* The newline of the line at `at`: its place, or the length read if it is not there. */
static size_t find_newline(const wr_chunk *k, size_t at)
{
	const char *found = memchr(k->buf + 1 + at, '\n', k->len - at);
	return found ? (size_t)(found - (k->buf + 1)) : k->len;
}

/* The first line that begins at or after the chunk's beginning. */
static size_t first_line(const wr_chunk *k)
{
	if (k->base == k->at) return 0;
	size_t newline = find_newline(k, 0);
	return newline < k->len ? newline + 1 : k->len;
}

/* Laid out space: zero bytes from `at` on, as far as this chunk goes. */
static bool blank(const wr_chunk *k, size_t at)
{
	size_t end = (size_t)(k->to - k->base);
	if (end > k->len) end = k->len;
	if (at >= end || k->buf[1 + at] != '\0') return false;
	for (size_t i = at; i < end; i++)
		if (k->buf[1 + i] != '\0') return false;
	return true;
}

static int check_lines(wr_chunk *k, wr_err *err)
{
	const wr_part *part = &k->parts->items[k->part];
	wr_quick_line line[2];
	const wr_quick_line *before = NULL;
	unsigned turn = 0;
	bool any = false;
	size_t at = first_line(k), end, first = (size_t)(k->at - k->base);
	if (blank(k, first)) at = first;
	for (; k->base + (int64_t)at < k->to && at < k->len; at = end + 1) {
		if (blank(k, at)) {
			k->blank_at = k->base + (int64_t)at;
			return 0;
		}
		end = find_newline(k, at);
		if (end == k->len) {
			if (read_to(k, k->base + (int64_t)at + (int64_t)WR_LINE_MAX + 2, err)) return -1;
			end = find_newline(k, at);
		}
		if (end == k->len) { /* it has none, or is longer than any receipt */
			bool whole = k->base + (int64_t)k->len == part->size;
			if (whole)
				k->tail_at = k->base + (int64_t)at;
			else
				k->bad = true;
			k->ends_good = false;
			return 0;
		}
		wr_quick_line *l = &line[turn ^= 1];
		bool good = wr_quick_check(&k->quick, l, k->buf + 1 + at, end - at,
		                           before ? before->hash_hex : NULL);
		if (good)
			take_good(k, l, at, end - at);
		else
			k->bad = true;
		if (!any) k->begins_good = good;
		any = true;
		k->ends_good = good;
		before = good ? l : NULL;
	}
	return 0;
}

int wr_chunk_read(wr_chunk *k, wr_err *err)
{
	bool inside = k->at > (k->part == 0 ? k->parts->at : 0);
	k->base = inside ? k->at - 1 : k->at;
	k->len = k->row_count = k->range_count = 0;
	k->bad = k->dense = k->begins_good = k->ends_good = false;
	k->tail_at = k->blank_at = -1;
	k->quick.chain = k->check->chain;
	k->quick.chain_len = strlen(k->check->chain);
	if (open_part(k, err)) return -1;
	if (k->bad) return 0;
	if (read_to(k, k->to + (int64_t)MORE, err)) return -1;
	return check_lines(k, err);
}

void wr_chunk_hashes(const wr_chunk *k, const wr_row *row, uint8_t prev[static WR_HASH_LEN],
                     uint8_t hash[static WR_HASH_LEN])
{
	wr_receipt r;
	wr_err err;
	wr_receipt_fault fault = wr_receipt_parse(&r, k->buf + 1 + row->at, row->len, false, &err);
	WR_ASSERT(fault == WR_RF_OK);
	memcpy(prev, r.prev_hash, WR_HASH_LEN);
	memcpy(hash, r.hash, WR_HASH_LEN);
}
