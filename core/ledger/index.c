/* index.c: where receipts begin in a chain's segments. See index.h. */
#include "ledger/index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger/fs.h"

#define SCAN_BUF ((size_t)256 << 10)

void wr_index_init(wr_index *x)
{
	*x = (wr_index){.last.segment = -1};
	for (size_t i = 0; i < WR_INDEX_KEPT; i++) x->kept[i].segment = -1;
}

void wr_index_free(wr_index *x)
{
	free(x->segments);
	free(x->last.at);
	for (size_t i = 0; i < WR_INDEX_KEPT; i++) free(x->kept[i].at);
	wr_index_init(x);
}

static int grow(int64_t **list, size_t *cap, size_t need, wr_err *err)
{
	if (need <= *cap) return 0;
	size_t more = need * 2;
	int64_t *grown = realloc(*list, more * sizeof *grown);
	if (!grown) return wr_fail(err, WR_E_NOMEM, "ledger: out of memory for the index");
	*list = grown;
	*cap = more;
	return 0;
}

int wr_index_reserve(wr_index *x, size_t more, wr_err *err)
{
	if (grow(&x->segments, &x->cap, x->count + more, err)) return -1;
	return grow(&x->last.at, &x->last.cap, x->last.count + more / WR_INDEX_EVERY + 2, err);
}

void wr_index_segment(wr_index *x, int64_t first)
{
	WR_ASSERT(x->count < x->cap && (x->count == 0 || x->segments[x->count - 1] < first));
	x->segments[x->count++] = first;
	x->last.segment = first;
	x->last.count = 0;
}

void wr_index_drop(wr_index *x)
{
	WR_ASSERT(x->count > 0);
	x->count--;
	x->last.segment = x->count ? x->segments[x->count - 1] : -1;
	x->last.count = 0;
}

void wr_index_add(wr_index *x, int64_t seq, int64_t at)
{
	if ((seq - x->last.segment) % WR_INDEX_EVERY != 0) return;
	WR_ASSERT(x->last.count < x->last.cap);
	WR_ASSERT((int64_t)x->last.count == (seq - x->last.segment) / WR_INDEX_EVERY);
	x->last.at[x->last.count++] = at;
}

void wr_index_take(wr_index *x, int64_t *segments, size_t count)
{
	free(x->segments);
	x->segments = segments;
	x->count = x->cap = count;
	x->last.segment = count ? segments[count - 1] : -1;
	x->last.count = 0;
}

static const wr_index_part *part_of(wr_index *x, int64_t segment)
{
	if (segment == x->last.segment) return &x->last;
	for (size_t i = 0; i < WR_INDEX_KEPT; i++) {
		if (x->kept[i].segment != segment) continue;
		x->kept[i].used = ++x->lookups;
		return &x->kept[i];
	}
	return NULL;
}

bool wr_index_find(wr_index *x, int64_t seq, int64_t *segment, int64_t *next, int64_t *from_seq,
                   int64_t *from_at)
{
	size_t low = 0, high = x->count; /* segments[low] <= seq < segments[high] */
	WR_ASSERT(high > 0 && x->segments[0] <= seq);
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (x->segments[middle] <= seq)
			low = middle;
		else
			high = middle;
	}
	*segment = *from_seq = x->segments[low];
	*next = high < x->count ? x->segments[high] : -1;
	*from_at = 0;
	size_t k = (size_t)(seq - *segment) / WR_INDEX_EVERY;
	if (k == 0) return true;
	const wr_index_part *part = part_of(x, *segment);
	if (!part || k >= part->count) return false;
	*from_seq += (int64_t)k * WR_INDEX_EVERY;
	*from_at = part->at[k];
	return true;
}

void wr_index_keep(wr_index *x, wr_index_part *part)
{
	wr_index_part *slot = &x->kept[0];
	for (size_t i = 0; i < WR_INDEX_KEPT; i++) {
		if (x->kept[i].segment == part->segment) slot = &x->kept[i]; /* another reader was first */
		if (slot->segment == part->segment) break;
		if (x->kept[i].used < slot->used) slot = &x->kept[i];
	}
	free(slot->at);
	*slot = *part;
	slot->used = ++x->lookups;
	part->at = NULL;
}

static int scan_part(wr_index_part *out, const char *buf, size_t n, int64_t at, int64_t *lines,
                     wr_err *err)
{
	const char *p = buf, *end = buf + n;
	for (; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++) {
		if (++*lines % WR_INDEX_EVERY != 0) continue;
		if (grow(&out->at, &out->cap, out->count + 1, err)) return -1;
		out->at[out->count++] = at + (p - buf) + 1;
	}
	return 0;
}

int wr_index_scan(wr_index_part *out, const char *path, int64_t segment, int64_t end,
                  int64_t *lines, wr_err *err)
{
	*out = (wr_index_part){.segment = segment};
	*lines = 0;
	char *buf = malloc(SCAN_BUF);
	int fd = buf ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
	int rc = !buf     ? wr_fail(err, WR_E_NOMEM, "ledger: out of memory for the index")
	         : fd < 0 ? wr_fs_fail(err, "open", path)
	                  : grow(&out->at, &out->cap, 1, err);
	if (rc == 0) out->at[out->count++] = 0;
	for (int64_t at = 0; rc == 0 && at != end;) {
		size_t want = end >= 0 && end - at < (int64_t)SCAN_BUF ? (size_t)(end - at) : SCAN_BUF;
		ssize_t n = pread(fd, buf, want, at);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) rc = wr_fs_fail(err, "read", path);
		if (n <= 0) break;
		rc = scan_part(out, buf, (size_t)n, at, lines, err);
		at += n;
	}
	if (fd >= 0) (void)close(fd);
	free(buf);
	if (rc) {
		free(out->at);
		out->at = NULL;
	}
	return rc;
}
