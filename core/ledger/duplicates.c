/* duplicates.c: receipt ids that occur more than once, in bounded memory.
 *
 * The first reading counts ids in a table of two-bit counters, by a seeded hash: an id with a
 * counter that stays at one occurs once. The second reading keeps the others with their places,
 * true ones and the few that only share their counters, and says each that comes again. When they
 * do not fit, only a share of the hashes is looked at, and the file is read again for the next
 * share. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ledger/chain.h"
#include "ledger/files.h"
#include "ledger/fs.h"
#include "warroom/export.h"
#include "warroom/io.h"
#include "warroom/text.h"

#define COUNTERS  ((size_t)1 << 27) /* two bits each: 32 MiB */
#define SLOTS     ((size_t)1 << 18) /* 80 bytes each: 20 MiB */
#define SLOTS_MAX (SLOTS / 4 * 3)
#define CHAIN_LEN 128

/* The first place of an id that may come again. */
typedef struct seen {
	uint8_t id[16], content[8]; /* content: of the receipt's own hash */
	int64_t line, byte, seq;
	uint32_t file, chain;
	bool used;
} seen;

typedef struct search {
	wr_files files;
	const char *root; /* of the names; NULL: the one name is the path */
	uint8_t *counters;
	seen *slots;
	size_t used;
	uint64_t seed;
	uint64_t from, to; /* the share of the hashes looked at now */
	bool full;
	wr_files chains; /* names, as they come */
	wr_duplicates_report *report;
	void (*found)(void *ctx, const wr_duplicate *d);
	void *ctx;
} search;

static uint64_t hash_id(const search *s, const uint8_t id[static 16])
{
	uint64_t a, b;
	memcpy(&a, id, sizeof a);
	memcpy(&b, id + 8, sizeof b);
	uint64_t z = (a ^ s->seed) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 29) ^ b) * UINT64_C(0x94d049bb133111eb);
	z = (z ^ (z >> 32)) * UINT64_C(0xbf58476d1ce4e5b9);
	return z ^ (z >> 31);
}

static void read_id(const wr_receipt *r, uint8_t out[static 16])
{
	char hex[32];
	size_t n = 0;
	for (const char *p = r->receipt_id; *p && n < sizeof hex; p++)
		if (*p != '-') hex[n++] = *p;
	int bad = wr_unhex(out, 16, hex, n);
	WR_ASSERT(bad == 0);
}

/* ---- the first reading ---- */

static unsigned counter(const search *s, size_t i)
{
	WR_ASSERT(s->counters);
	return (unsigned)s->counters[i / 4] >> (i % 4 * 2) & 3u;
}

static void count_one(search *s, size_t i)
{
	if (counter(s, i) < 2) s->counters[i / 4] = (uint8_t)(s->counters[i / 4] + (1u << (i % 4 * 2)));
}

/* Each id has two counters: few others share both. */
static void count_up(search *s, uint64_t hash)
{
	count_one(s, (size_t)(hash % COUNTERS));
	count_one(s, (size_t)((hash >> 32) % COUNTERS));
}

static bool may_come_again(const search *s, uint64_t hash)
{
	return counter(s, (size_t)(hash % COUNTERS)) > 1 &&
	       counter(s, (size_t)((hash >> 32) % COUNTERS)) > 1;
}

/* ---- the later ones ---- */

static int chain_number(search *s, const char *chain, uint32_t *out, wr_err *err)
{
	for (size_t i = s->chains.count; i-- > 0;) {
		*out = (uint32_t)i;
		if (strcmp(s->chains.names[i], chain) == 0) return 0;
	}
	/* More than that are not told apart by name. */
	if (s->chains.count == 1024) return 0;
	*out = (uint32_t)s->chains.count;
	return wr_files_add(&s->chains, chain, err);
}

static void place_of(const search *s, const seen *e, wr_id_place *out)
{
	*out = (wr_id_place){.line = e->line, .byte = e->byte, .seq = e->seq};
	(void)wr_sanitise_to(out->file, sizeof out->file, s->files.names[e->file]);
	(void)snprintf(out->chain, sizeof out->chain, "%.127s", s->chains.names[e->chain]);
}

static void say(search *s, const seen *first, const seen *again, const char *id)
{
	wr_duplicate d = {.same = memcmp(first->content, again->content, sizeof first->content) == 0};
	(void)snprintf(d.receipt_id, sizeof d.receipt_id, "%s", id);
	place_of(s, first, &d.first);
	place_of(s, again, &d.again);
	if (d.same)
		s->report->duplicates++;
	else
		s->report->equivocations++;
	if (s->found) s->found(s->ctx, &d);
}

static int look(search *s, const wr_receipt *r, const wr_line *line, int64_t number, uint32_t file,
                wr_err *err)
{
	seen e = {.line = number, .byte = line->at, .seq = r->seq, .file = file, .used = true};
	uint8_t content[WR_HASH_LEN];
	read_id(r, e.id);
	uint64_t hash = hash_id(s, e.id);
	if (hash < s->from || hash > s->to || !may_come_again(s, hash)) return 0;
	if (chain_number(s, r->chain, &e.chain, err)) return -1;
	wr_scan_leaf(content, line->text, line->len);
	memcpy(e.content, content, sizeof e.content);
	size_t i = (size_t)(hash >> 20) & (SLOTS - 1);
	while (s->slots[i].used && memcmp(s->slots[i].id, e.id, sizeof e.id) != 0)
		i = (i + 1) & (SLOTS - 1);
	if (s->slots[i].used) {
		say(s, &s->slots[i], &e, r->receipt_id);
	} else if (s->used < SLOTS_MAX) {
		s->slots[i] = e;
		s->used++;
	} else {
		s->full = true;
	}
	return 0;
}

/* ---- reading ---- */

static int read_file(search *s, uint32_t file, bool first, wr_err *err)
{
	char path[PATH_MAX];
	wr_lines lines;
	wr_line line;
	wr_receipt r;
	int got, rc = 0;
	if (s->root) {
		if (wr_path_join(path, sizeof path, s->root, s->files.names[file], err)) return -1;
	} else {
		(void)snprintf(path, sizeof path, "%s", s->files.names[file]);
	}
	if (wr_lines_open(&lines, path, 0, -1, err)) return -1;
	while (rc == 0 && (got = wr_lines_next(&lines, &line, err)) != 0) {
		bool receipt = got > 0 && !line.overlong &&
		               wr_receipt_parse(&r, line.text, line.len, false, NULL) == WR_RF_OK;
		if (got < 0) {
			rc = -1;
		} else if (first && receipt) {
			uint8_t id[16];
			read_id(&r, id);
			count_up(s, hash_id(s, id));
			s->report->receipts++;
		} else if (first) {
			s->report->unreadable++;
		} else if (receipt && !s->full) {
			rc = look(s, &r, &line, lines.number, file, err);
		}
	}
	wr_lines_close(&lines);
	return rc ? wr_err_wrap(err, "%s", path) : 0;
}

static int read_all(search *s, bool first, wr_err *err)
{
	for (uint32_t i = 0; i < s->files.count && !s->full; i++)
		if (read_file(s, i, first, err)) return -1;
	return 0;
}

/* Each share of the hashes is looked at silently first: one that does not fit is made smaller, so
 * nothing is said twice. */
static int look_in_shares(search *s, wr_err *err)
{
	const wr_duplicates_report counted = *s->report;
	void (*found)(void *ctx, const wr_duplicate *d) = s->found;
	uint64_t width = UINT64_MAX;
	s->from = 0;
	for (;;) {
		s->to = s->from + width < s->from ? UINT64_MAX : s->from + width;
		wr_duplicates_report before = *s->report;
		/* Silently first if it may not fit; what fits is looked at again, aloud. */
		for (int aloud = 0; aloud < 2; aloud++) {
			memset(s->slots, 0, SLOTS * sizeof *s->slots);
			s->used = 0;
			s->full = false;
			*s->report = before;
			s->found = aloud ? found : NULL;
			if (read_all(s, false, err)) return -1;
			if (s->full) break;
		}
		if (s->full) {
			*s->report = before;
			width /= 4;
			if (width < UINT64_MAX >> 24)
				return wr_fail(err, WR_E_LIMIT, "duplicates: too many of them to be listed");
			continue;
		}
		if (s->to == UINT64_MAX) break;
		s->from = s->to + 1;
	}
	s->found = found;
	WR_ASSERT(s->report->receipts == counted.receipts);
	return 0;
}

static int find_files(search *s, const char *path, wr_err *err)
{
	struct stat st;
	if (stat(path, &st)) return wr_fs_fail(err, "open", path);
	if (S_ISREG(st.st_mode)) return wr_files_add(&s->files, path, err);
	if (!S_ISDIR(st.st_mode))
		return wr_fail(err, WR_E_INVALID, "%.300s: neither a file nor a directory", path);
	s->root = path;
	if (wr_files_list(&s->files, path, ".jsonl", false, err)) return -1;
	if (s->files.count > 0) return 0;
	return wr_fail(err, WR_E_NOT_FOUND,
	               "%.300s: no receipts here: give a ledger, a chain's directory or a .jsonl file",
	               path);
}

int wr_duplicates(const char *path, wr_duplicates_report *out,
                  void (*found)(void *ctx, const wr_duplicate *d), void *ctx, wr_err *err)
{
	search s = {.report = out, .found = found, .ctx = ctx};
	*out = (wr_duplicates_report){0};
	wr_random_fill(&wr_random_system, &s.seed, sizeof s.seed);
	s.counters = calloc(COUNTERS / 4, 1);
	s.slots = calloc(SLOTS, sizeof *s.slots);
	int rc = s.counters && s.slots ? 0 : wr_fail(err, WR_E_NOMEM, "duplicates: out of memory");
	if (rc == 0) rc = find_files(&s, path, err);
	if (rc == 0) rc = read_all(&s, true, err);
	if (rc == 0) rc = look_in_shares(&s, err);
	wr_files_free(&s.files);
	wr_files_free(&s.chains);
	free(s.counters);
	free(s.slots);
	return rc;
}
