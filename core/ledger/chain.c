/* chain.c: a chain's files, read. See chain.h. */
#include "ledger/chain.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger/fs.h"
#include "warroom/io.h"
#include "warroom/json.h"

/* Room for the longest line, its newline, and a good part of the next. */
#define LINES_BUF ((size_t)256 << 10)
#define REFRESHES 1000 /* of one line: each is one write that went on meanwhile */
#define SECTOR    512

/* ---- segments ---- */

void wr_segment_name(char out[static WR_SEGMENT_NAME_LEN], int64_t first_seq)
{
	WR_ASSERT(first_seq >= 0);
	(void)snprintf(out, WR_SEGMENT_NAME_LEN, "%020lld.jsonl", (long long)first_seq);
}

int64_t wr_segment_seq(const char *name)
{
	int64_t seq = 0;
	if (strlen(name) != WR_SEGMENT_NAME_LEN - 1 || strcmp(name + 20, ".jsonl") != 0) return -1;
	for (size_t i = 0; i < 20; i++) {
		if (name[i] < '0' || name[i] > '9' || seq > WR_INT_MAX_SAFE) return -1;
		seq = seq * 10 + (name[i] - '0');
	}
	return seq <= WR_INT_MAX_SAFE ? seq : -1;
}

static int by_seq(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

static int list_into(DIR *d, int64_t **seqs, size_t *count)
{
	size_t cap = 0;
	const struct dirent *e;
	/* cppcheck-suppress readdirCalled ; the stream is ours alone */
	while ((e = readdir(d))) {
		int64_t seq = wr_segment_seq(e->d_name);
		if (seq < 0) continue;
		if (*count == cap) {
			cap = cap ? cap * 2 : 16;
			int64_t *more = realloc(*seqs, cap * sizeof *more);
			if (!more) return -1;
			*seqs = more;
		}
		(*seqs)[(*count)++] = seq;
	}
	return 0;
}

int wr_segment_list(const char *dir, int64_t **seqs, size_t *count, wr_err *err)
{
	*seqs = NULL;
	*count = 0;
	DIR *d = opendir(dir);
	if (!d) return errno == ENOENT ? 0 : wr_fs_fail(err, "open directory", dir);
	int rc = list_into(d, seqs, count);
	(void)closedir(d);
	if (rc) {
		free(*seqs);
		*seqs = NULL;
		return wr_fail(err, WR_E_NOMEM, "list %s: out of memory", dir);
	}
	if (*count) qsort(*seqs, *count, sizeof **seqs, by_seq);
	return 0;
}

/* ---- the mark ---- */

void wr_mark_format(wr_buf *out, const wr_mark *m)
{
	char hex[WR_HEX_LEN], nodes[WR_RANGE_NODES * (WR_HEX_LEN - 1) + 1];
	const wr_resume *r = &m->resume;
	wr_hex(hex, m->hash, WR_HASH_LEN);
	wr_buf_addf(out, "{\"bytes\":%lld,\"count\":%lld,\"hash\":\"%s\"", (long long)m->bytes,
	            (long long)m->count, hex);
	if (r->seq > 0) {
		wr_hex(hex, r->prev_hash, WR_HASH_LEN);
		wr_hex(nodes, r->tree.nodes[0], r->tree.count * WR_HASH_LEN);
		wr_buf_addf(out, ",\"resume_at\":%lld,\"resume_prev\":\"%s\",\"resume_segment\":%lld",
		            (long long)r->at, hex, (long long)r->segment);
		wr_buf_addf(out, ",\"resume_seq\":%lld,\"resume_tree\":\"%s\"", (long long)r->seq, nodes);
	}
	wr_buf_addf(out, ",\"segment\":%lld}\n", (long long)m->segment);
}

static bool resume_parse(const json_t *j, const wr_mark *m, wr_resume *out)
{
	const char *prev = wr_json_str(j, "resume_prev", ""),
	           *nodes = wr_json_str(j, "resume_tree", "");
	out->at = wr_json_int(j, "resume_at", -1);
	out->segment = wr_json_int(j, "resume_segment", -1);
	out->seq = wr_json_int(j, "resume_seq", 0);
	if (out->seq == 0) return true;
	if (out->at < 0 || out->segment < 0 || out->segment > out->seq || out->seq >= m->count ||
	    out->segment > m->segment || strlen(prev) != WR_HEX_LEN - 1 ||
	    wr_unhex(out->prev_hash, WR_HASH_LEN, prev, WR_HEX_LEN - 1))
		return false;
	/* The perfect subtrees of a tree are as many as its size has bits. */
	wr_range_init(&out->tree, 0);
	out->tree.end = out->seq;
	for (int64_t left = out->seq; left; left &= left - 1) out->tree.count++;
	size_t len = out->tree.count * WR_HASH_LEN;
	return strlen(nodes) == 2 * len && wr_unhex(out->tree.nodes[0], len, nodes, 2 * len) == 0;
}

/* Strict: the file must be exactly what wr_mark_format makes, so that no changed bit is missed. */
static bool mark_parse(const wr_buf *text, wr_mark *out)
{
	wr_err err;
	json_t *j = wr_json_parse(text->data, text->len, &err);
	const char *hex = wr_json_str(j, "hash", "");
	out->bytes = wr_json_int(j, "bytes", -1);
	out->count = wr_json_int(j, "count", -1);
	out->segment = wr_json_int(j, "segment", -1);
	bool ok = out->bytes > 0 && out->count > 0 && out->segment >= 0 && out->segment < out->count &&
	          strlen(hex) == WR_HEX_LEN - 1 &&
	          wr_unhex(out->hash, WR_HASH_LEN, hex, WR_HEX_LEN - 1) == 0 &&
	          resume_parse(j, out, &out->resume);
	wr_buf again = WR_BUF_INIT(WR_MARK_MAX);
	if (ok) wr_mark_format(&again, out);
	ok = ok && wr_buf_ok(&again) && again.len == text->len &&
	     memcmp(again.data, text->data, text->len) == 0;
	wr_buf_free(&again);
	json_decref(j);
	return ok;
}

int wr_mark_read(const char *dir, wr_mark *out, wr_err *err)
{
	char path[PATH_MAX];
	wr_buf text = WR_BUF_INIT(WR_MARK_MAX);
	*out = (wr_mark){0};
	if (wr_path_join(path, sizeof path, dir, WR_MARK_NAME, err)) return -1;
	if (access(path, F_OK) != 0 && errno == ENOENT) return 0;
	int rc = wr_read_file(&text, path, WR_MARK_MAX, WR_ANY, err);
	if (rc == 0 && (text.len == 0 || !mark_parse(&text, out))) {
		*out = (wr_mark){0};
		rc = wr_fail(
		    err, WR_E_CORRUPT,
		    "%s: the high-water mark is damaged; if the chain verifies without it, remove it",
		    path);
	} else if (rc && err && err->code == WR_E_LIMIT) {
		err->code = WR_E_CORRUPT;
	}
	wr_buf_free(&text);
	return rc;
}

/* ---- lines ---- */

int wr_lines_open(wr_lines *r, const char *path, int64_t at, int64_t limit, wr_err *err)
{
	*r = (wr_lines){.fd = -1, .offset = at, .limit = limit};
	r->buf = malloc(LINES_BUF);
	if (!r->buf) return wr_fail(err, WR_E_NOMEM, "read %s: out of memory", path);
	r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (r->fd < 0) {
		(void)wr_fs_fail(err, "open", path);
		wr_lines_close(r);
		return -1;
	}
	(void)posix_fadvise(r->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return 0;
}

void wr_lines_close(wr_lines *r)
{
	if (r->fd >= 0) (void)close(r->fd);
	free(r->buf);
	r->fd = -1;
	r->buf = NULL;
}

static int read_at(const wr_lines *r, char *into, size_t room, int64_t at, size_t *got, wr_err *err)
{
	*got = 0;
	if (r->limit >= 0 && r->limit - at < (int64_t)room)
		room = r->limit > at ? (size_t)(r->limit - at) : 0;
	while (room > 0) {
		ssize_t n = pread(r->fd, into, room, at);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) return wr_fail(err, WR_E_IO, "read: %s", strerror(errno));
		*got = (size_t)n;
		return 0;
	}
	return 0;
}

static int fill(wr_lines *r, wr_err *err)
{
	size_t got;
	if (r->start > 0) {
		memmove(r->buf, r->buf + r->start, r->end - r->start);
		r->end -= r->start;
		r->start = 0;
	}
	int64_t at = r->offset + (int64_t)r->end;
	if (read_at(r, r->buf + r->end, LINES_BUF - r->end, at, &got, err)) return -1;
	r->eof = got == 0;
	r->end += got;
	return 0;
}

/* The rest of a line that is too long for any receipt: passed over, its first bytes kept. */
static int skip_rest(wr_lines *r, wr_line *out, wr_err *err)
{
	const size_t keep = WR_LINE_MAX + 1;
	int64_t at = out->at + (int64_t)keep;
	const char *newline = NULL;
	size_t got;
	memmove(r->buf, r->buf + r->start, keep);
	do {
		if (read_at(r, r->buf + keep, LINES_BUF - keep, at, &got, err)) return -1;
		if (got) newline = memchr(r->buf + keep, '\n', got);
		at += newline ? newline + 1 - (r->buf + keep) : (int64_t)got;
	} while (got && !newline);
	out->text = r->buf;
	out->len = keep;
	out->overlong = true;
	out->ended = newline != NULL;
	out->bytes = at - out->at;
	r->offset = at;
	r->start = r->end = keep;
	return 0;
}

/* Is there nothing but zero bytes from `at` on? */
static int blank_rest(const wr_lines *r, int64_t at, bool *blank, wr_err *err)
{
	char part[4096];
	size_t got;
	*blank = true;
	do {
		if (read_at(r, part, sizeof part, at, &got, err)) return -1;
		for (size_t i = 0; i < got && *blank; i++) *blank = part[i] == '\0';
		at += (int64_t)got;
	} while (got && *blank);
	return 0;
}

/* Reads once more what is in the buffer. A writer fills laid out space while it is read, and no
 * page is promised to be seen before the next one: zero bytes in a line may only be old. */
static int refresh(wr_lines *r, bool *changed, wr_err *err)
{
	char part[4096];
	size_t got;
	*changed = false;
	for (size_t i = r->start; i < r->end; i += got) {
		size_t want = r->end - i < sizeof part ? r->end - i : sizeof part;
		if (read_at(r, part, want, r->offset + (int64_t)(i - r->start), &got, err)) return -1;
		if (got == 0) { /* cut off meanwhile */
			r->end = i;
			*changed = true;
			break;
		}
		if (memcmp(r->buf + i, part, got) == 0) continue;
		memcpy(r->buf + i, part, got);
		*changed = true;
	}
	return 0;
}

static int next_line(wr_lines *r, wr_line *out, bool *again, wr_err *err)
{
	const char *newline = NULL;
	size_t searched = 0;
	for (;;) {
		size_t have = r->end - r->start;
		size_t within = have <= WR_LINE_MAX + 1 ? have : WR_LINE_MAX + 1;
		if (within > searched)
			newline = memchr(r->buf + r->start + searched, '\n', within - searched);
		searched = within;
		if (newline || have > WR_LINE_MAX || r->eof) break;
		if (fill(r, err)) return -1;
	}
	size_t have = r->end - r->start;
	r->eof = false; /* a file that grows may be asked again */
	if (have == 0) return *again = false, 0;
	if (r->buf[r->start] == '\0') {
		bool blank;
		if (blank_rest(r, r->offset, &blank, err)) return -1;
		if (blank) return *again = false, 0;
	}
	if (*again &&
	    memchr(r->buf + r->start, '\0', newline ? (size_t)(newline - r->buf) - r->start : have)) {
		if (refresh(r, again, err)) return -1;
		if (*again) return 0;
	}
	*again = false;
	r->number++;
	*out = (wr_line){.at = r->offset, .text = r->buf + r->start, .ended = newline != NULL};
	if (!newline && have > WR_LINE_MAX) return skip_rest(r, out, err) ? -1 : 1;
	out->len = newline ? (size_t)(newline - out->text) : have;
	out->bytes = (int64_t)out->len + (newline ? 1 : 0);
	r->start += (size_t)out->bytes;
	r->offset += out->bytes;
	return 1;
}

int wr_lines_next(wr_lines *r, wr_line *out, wr_err *err)
{
	for (int tries = 0;; tries++) {
		bool again = tries < REFRESHES;
		int rc = next_line(r, out, &again, err);
		if (rc != 0 || !again) return rc;
	}
}

/* Pages that never reached the disk read as zeros: from the end of what was there before or from
 * a sector's beginning, up to a sector's beginning or the end of the file. So does space that was
 * laid out and not written: from anywhere to the end of the file. A byte that was changed into a
 * zero has not this shape, unless it is the last, which is no more than cutting it off. */
static bool unwritten_pages(const wr_line *line, size_t zero)
{
	size_t end = zero;
	while (end < line->len && line->text[end] == '\0') end++;
	bool all = end == line->len;
	if (all && !line->ended) return true;
	if (all && line->overlong && end - zero >= SECTOR) return true;
	return (zero == 0 || (line->at + (int64_t)zero) % SECTOR == 0) &&
	       (line->at + (int64_t)end) % SECTOR == 0;
}

bool wr_tail_torn(const wr_line *line)
{
	const char *zero = memchr(line->text, '\0', line->len);
	if (!zero) return !line->ended && !line->overlong && wr_scan_prefix(line->text, line->len);
	size_t at = (size_t)(zero - line->text);
	return unwritten_pages(line, at) && wr_scan_prefix(line->text, at);
}
