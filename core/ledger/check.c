/* check.c: the checker of one chain.
 *
 * Every receipt has its place: the next seq, and as prev_hash the hash of the one before (a tip).
 * A receipt in its place is accepted and moves the place on. Each way of not being there has its
 * name:
 *   corrupt       not a receipt at all, or its hash is not that of its content
 *   duplicate     the same receipt once more; equivocation: the same id, other content
 *   fork          a second child of a parent that had one
 *   gap           receipts are missing before it
 *   orphan        anything else: its prev_hash names nothing before it, or it is of another chain
 * After damage the checker finds its place again by itself, so that one act of damage is one
 * anomaly and the next one is seen as well.
 *
 * This is the careful way, for chains that pass.c found something in. */
#include "ledger/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The shortest receipt: so many can have been in unreadable bytes at most. */
#define RECEIPT_MIN 256

WR_PRINTF(4, 0)
static void say(wr_check *c, wr_anomaly_kind kind, const wr_attest_place *at, const char *fmt,
                va_list args)
{
	wr_verify_report *r = c->report;
	r->anomaly_total++;
	if (kind != WR_AN_TORN) r->ok = c->ok = false;
	if (r->anomaly_count == WR_ANOMALIES_KEPT) return;
	if (!r->anomalies) r->anomalies = calloc(WR_ANOMALIES_KEPT, sizeof *r->anomalies);
	if (!r->anomalies) return; /* still counted */
	wr_anomaly *a = &r->anomalies[r->anomaly_count++];
	*a = (wr_anomaly){.kind = kind, .seq = at->seq, .line = at->line, .byte = at->byte};
	(void)snprintf(a->chain, sizeof a->chain, "%s", *c->chain ? c->chain : "?");
	(void)snprintf(a->file, sizeof a->file, "%s", c->file);
	(void)vsnprintf(a->text, sizeof a->text, fmt, args);
}

void wr_check_anomaly(wr_check *c, wr_anomaly_kind kind, int64_t seq, int64_t line, int64_t byte,
                      const char *fmt, ...)
{
	const wr_attest_place at = {.seq = seq, .line = line, .byte = byte};
	va_list args;
	va_start(args, fmt);
	say(c, kind, &at, fmt, args);
	va_end(args);
	if (kind == WR_AN_TORN) return;
	c->broken = true;
	if (kind != WR_AN_DUPLICATE && seq >= 0) c->damaged = true;
}

void wr_check_aside(wr_check *c, wr_anomaly_kind kind, const wr_attest_place *at, const char *fmt,
                    ...)
{
	va_list args;
	va_start(args, fmt);
	say(c, kind, at, fmt, args);
	va_end(args);
}

int wr_check_init(wr_check *c, wr_verify_report *report, const char *chain, const char *ledger_dir,
                  wr_err *err)
{
	*c = (wr_check){
	    .report = report, .ok = true, .segment = -1, .expect = chain ? 0 : -1, .consistent = -1};
	c->tip_count = chain ? 1 : 0;
	(void)snprintf(c->chain, sizeof c->chain, "%s", chain ? chain : "");
	c->authorise = wr_authorise_new(ledger_dir);
	return c->authorise ? 0 : wr_fail(err, WR_E_NOMEM, "verify: out of memory");
}

void wr_check_free(wr_check *c)
{
	wr_idset_free(&c->ids);
	wr_keyset_free(&c->parents);
	wr_authorise_free(c->authorise);
	wr_attest_free(&c->attest);
}

/* Could the unreadable lines since the last good receipt have been the ones up to `seq`? */
static bool explained(const wr_check *c, int64_t seq)
{
	return c->bad_lines > 0 && seq - c->expect <= c->bad_lines + c->bad_bytes / RECEIPT_MIN;
}

static void skip_to(wr_check *c, int64_t seq)
{
	c->expect = seq;
	c->tip_count = 0;
	c->bad_lines = c->bad_bytes = 0;
}

static void say_gap(wr_check *c, int64_t found, int64_t line, int64_t byte)
{
	wr_check_anomaly(c, WR_AN_GAP, c->expect, line, byte,
	                 "expected seq %lld, found seq %lld: %lld receipts are missing",
	                 (long long)c->expect, (long long)found, (long long)(found - c->expect));
}

void wr_chain_check_file(wr_check *c, const char *name, int64_t segment)
{
	(void)snprintf(c->file, sizeof c->file, "%s", name);
	c->segment = segment;
	c->file_began = false;
}

/* ---- lines that are no receipts ---- */

static void bad_line(wr_check *c, const wr_line *line)
{
	c->bad_lines++;
	c->bad_bytes += line->bytes;
	c->report->invalid++;
}

/* A segment's name says where it begins, until a receipt in it does. */
static int64_t place_of_bad(const wr_check *c)
{
	if (c->expect < 0) return -1;
	return (!c->file_began && c->segment > c->expect ? c->segment : c->expect) + c->bad_lines;
}

static void say_unreadable(wr_check *c, const wr_line *line, int64_t number, const char *why)
{
	wr_field fields[WR_RECEIPT_FIELDS_MAX];
	wr_scan scan;
	if (line->overlong)
		wr_check_anomaly(c, WR_AN_CORRUPT, place_of_bad(c), number, line->at,
		                 "expected a receipt, found a line of %lld bytes", (long long)line->bytes);
	else if (!wr_scan_line(line->text, line->len, fields, &scan))
		wr_check_anomaly(c, WR_AN_CORRUPT, place_of_bad(c), number, line->at + (int64_t)scan.at,
		                 "expected canonical JSON, found: %s", scan.why);
	else if (!line->ended)
		wr_check_anomaly(c, WR_AN_CORRUPT, place_of_bad(c), number, line->at + line->bytes,
		                 "expected a newline, found the end of the file");
	else
		wr_check_anomaly(c, WR_AN_CORRUPT, place_of_bad(c), number, line->at,
		                 "expected a receipt, found: %s", why);
	bad_line(c, line);
}

/* The content or the stored hash was changed; it keeps its place if it still names it, and the
 * next one may follow either hash. */
static void say_hash(wr_check *c, const wr_receipt *r, const wr_line *line, int64_t number)
{
	uint8_t hash[WR_HASH_LEN];
	char expected[WR_HEX_LEN], found[WR_HEX_LEN];
	wr_scan_leaf(hash, line->text, line->len);
	wr_hex(expected, hash, WR_HASH_LEN);
	wr_hex(found, r->hash, WR_HASH_LEN);
	c->report->hash_mismatches++;
	wr_check_anomaly(c, WR_AN_CORRUPT, place_of_bad(c), number, line->at,
	                 "hash: expected %s, found %s", expected, found);
	bad_line(c, line);
	if (r->seq != c->expect || c->bad_lines > 1) return;
	skip_to(c, r->seq + 1);
	memcpy(c->tips[0], hash, WR_HASH_LEN);
	memcpy(c->tips[1], r->hash, WR_HASH_LEN);
	c->tip_count = 2;
}

/* ---- receipts ---- */

static bool follows_tip(const wr_check *c, const wr_receipt *r)
{
	for (unsigned i = 0; i < c->tip_count; i++)
		if (memcmp(r->prev_hash, c->tips[i], WR_HASH_LEN) == 0) return true;
	return c->tip_count == 0;
}

static void move_on(wr_check *c, const wr_receipt *r)
{
	skip_to(c, r->seq + 1);
	memcpy(c->tips[0], r->hash, WR_HASH_LEN);
	c->tip_count = 1;
}

static int add_parent(wr_check *c, const wr_receipt *r, wr_err *err)
{
	if (c->suspects && !wr_suspects_parent(c->suspects, wr_hash_key(r->prev_hash))) return 0;
	if (wr_keyset_add(&c->parents, wr_hash_key(r->prev_hash)))
		return wr_fail(err, WR_E_NOMEM, "verify: out of memory at seq %lld", (long long)r->seq);
	return 0;
}

static void compare_mark(wr_check *c, const wr_receipt *r, const wr_line *line, int64_t number)
{
	char expected[WR_HEX_LEN], found[WR_HEX_LEN];
	if (c->mark.count != r->seq + 1) return;
	if (memcmp(c->mark.hash, r->hash, WR_HASH_LEN) != 0) {
		wr_hex(expected, c->mark.hash, WR_HASH_LEN);
		wr_hex(found, r->hash, WR_HASH_LEN);
		c->report->forks++;
		wr_check_anomaly(c, WR_AN_FORK, r->seq, number, line->at,
		                 "another history: the high-water mark has hash %s here, found %s",
		                 expected, found);
	} else if (c->mark.segment != c->segment || c->mark.bytes != line->at + line->bytes) {
		wr_check_anomaly(c, WR_AN_CORRUPT, r->seq, number, line->at,
		                 "the high-water mark has this receipt end at byte %lld of segment %lld",
		                 (long long)c->mark.bytes, (long long)c->mark.segment);
	}
}

int wr_check_authorise(wr_check *c, const wr_receipt *r, int64_t line, int64_t byte, wr_err *err)
{
	char why[256];
	const wr_attest_place at = {.seq = r->seq, .line = line, .byte = byte};
	if (!c->authorise) return 0;
	int rc = wr_authorise_see(c->authorise, r, why, sizeof why, err);
	if (rc != 0) return rc < 0 ? -1 : 0;
	c->report->unauthorised++;
	wr_check_aside(c, WR_AN_UNAUTHORISED, &at, "%s", why);
	return 0;
}

static void attest(wr_check *c, const wr_receipt *r, int64_t number, int64_t byte)
{
	wr_attest *a = &c->attest;
	if (a->tree.end != r->seq) a->known = false;
	wr_attest_here(c);
	if (strcmp(r->operation, WR_CHECKPOINT_OPERATION) == 0) wr_attest_receipt(c, r, number, byte);
	if (a->known) wr_range_add(&a->tree, r->hash);
}

static int accept(wr_check *c, const wr_receipt *r, const wr_line *line, int64_t number,
                  wr_err *err)
{
	c->report->valid++;
	bool gap = r->seq != c->expect; /* then that is why */
	if (!c->file_began && c->segment >= 0 && r->seq != c->segment && !gap)
		wr_check_anomaly(c, WR_AN_CORRUPT, r->seq, number, line->at,
		                 "the file's name says seq %lld, its first receipt is seq %lld",
		                 (long long)c->segment, (long long)r->seq);
	c->file_began = true;
	compare_mark(c, r, line, number);
	attest(c, r, number, line->at);
	move_on(c, r);
	if (!c->broken) c->consistent = r->seq;
	return wr_check_authorise(c, r, number, line->at, err);
}

static int invalid(wr_check *c, wr_anomaly_kind kind, const wr_receipt *r, const wr_line *line,
                   int64_t number, const char *what)
{
	char expected[WR_HEX_LEN] = "none", found[WR_HEX_LEN];
	c->report->invalid++;
	if (c->tip_count) wr_hex(expected, c->tips[0], WR_HASH_LEN);
	wr_hex(found, r->prev_hash, WR_HASH_LEN);
	wr_check_anomaly(c, kind, r->seq, number, line->at,
	                 "%s: expected seq %lld after %.16s, found seq %lld after %.16s", what,
	                 (long long)c->expect, expected, (long long)r->seq, found);
	return 0;
}

/* As wr_idset_add, among the suspects if they are known. */
static int add_id(wr_check *c, const uint8_t id[static 16], uint64_t *value)
{
	if (!c->suspects) return wr_idset_add(&c->ids, id, value);
	wr_id *before = wr_suspects_find(c->suspects, id);
	if (!before) return 1;
	if (before->value == 0) {
		before->value = *value;
		return 1;
	}
	*value = before->value;
	return 0;
}

void wr_check_id(const wr_receipt *r, uint8_t out[static 16])
{
	char hex[32];
	size_t n = 0;
	for (const char *p = r->receipt_id; *p && n < sizeof hex; p++)
		if (*p != '-') hex[n++] = *p;
	int parsed = wr_unhex(out, 16, hex, n);
	WR_ASSERT(parsed == 0);
}

/* As wr_idset_add; *content: which of the receipts with that id came first. */
static int remember(wr_check *c, const wr_receipt *r, uint64_t *content, wr_err *err)
{
	uint8_t id[16];
	wr_check_id(r, id);
	*content = wr_hash_key(r->hash) ? wr_hash_key(r->hash) : 1;
	int added = add_id(c, id, content);
	if (added >= 0) return added;
	return wr_fail(err, WR_E_NOMEM, "verify: out of memory at seq %lld", (long long)r->seq);
}

int wr_check_seen(wr_check *c, const wr_receipt *r, wr_err *err)
{
	uint64_t content;
	return remember(c, r, &content, err) < 0 ? -1 : add_parent(c, r, err);
}

/* The id was there before; 1: it was not, -1: out of memory. */
static int seen_before(wr_check *c, const wr_receipt *r, const wr_line *line, int64_t number,
                       wr_err *err)
{
	uint64_t hash = wr_hash_key(r->hash) ? wr_hash_key(r->hash) : 1, before;
	int added = remember(c, r, &before, err);
	if (added) return added;
	bool same = before == hash;
	bool in_place = r->seq == c->expect && follows_tip(c, r);
	c->report->duplicates++;
	(void)invalid(c, same ? WR_AN_DUPLICATE : WR_AN_EQUIVOCATION, r, line, number,
	              same ? "the same receipt once more" : "a receipt_id that another receipt has");
	if (in_place) move_on(c, r);
	return 0;
}

static void out_of_place(wr_check *c, const wr_receipt *r, const wr_line *line, int64_t number)
{
	bool here = r->seq == c->expect;
	bool fork = wr_keyset_has(&c->parents, wr_hash_key(r->prev_hash));
	if (fork) {
		c->report->forks++;
		(void)invalid(c, WR_AN_FORK, r, line, number, "a second child of one parent");
	} else {
		c->report->orphaned++;
		(void)invalid(c, WR_AN_ORPHAN, r, line, number, "its parent is not before it");
	}
	if (here) {
		uint8_t other[WR_HASH_LEN];
		bool keep = fork && c->tip_count > 0;
		memcpy(other, c->tips[0], WR_HASH_LEN);
		move_on(c, r);
		if (keep) memcpy(c->tips[c->tip_count++], other, WR_HASH_LEN);
	} else if (fork && r->seq == c->expect - 1 && c->tip_count > 0) {
		/* Either branch may go on from here. */
		memcpy(c->tips[1], r->hash, WR_HASH_LEN);
		c->tip_count = 2;
	}
}

static int check_receipt(wr_check *c, const wr_receipt *r, const wr_line *line, int64_t number,
                         wr_err *err)
{
	if (!*c->chain) (void)snprintf(c->chain, sizeof c->chain, "%s", r->chain);
	if (c->expect < 0) {
		static const uint8_t zeros[WR_HASH_LEN];
		skip_to(c, r->seq);
		memcpy(c->tips[0], zeros, WR_HASH_LEN);
		c->tip_count = r->seq == 0 ? 1 : 0;
	}
	int rc = seen_before(c, r, line, number, err);
	if (rc <= 0) return rc;
	if (strcmp(r->chain, c->chain) != 0) {
		bool in_place = r->seq == c->expect && follows_tip(c, r);
		c->report->orphaned++;
		(void)invalid(c, WR_AN_ORPHAN, r, line, number, "a receipt of another chain");
		if (in_place) move_on(c, r);
		return 0;
	}
	if (r->seq == c->expect && follows_tip(c, r)) return accept(c, r, line, number, err);
	if (r->seq > c->expect) {
		if (!explained(c, r->seq)) say_gap(c, r->seq, number, line->at);
		return accept(c, r, line, number, err);
	}
	out_of_place(c, r, line, number);
	return 0;
}

int wr_check_line(wr_check *c, const wr_line *line, int64_t number, wr_err *err)
{
	wr_receipt r;
	wr_err why = {0};
	c->report->checked++;
	wr_receipt_fault fault = line->ended && !line->overlong
	                             ? wr_receipt_parse(&r, line->text, line->len, true, &why)
	                             : WR_RF_NOT_CANONICAL;
	if (fault == WR_RF_OK)
		return check_receipt(c, &r, line, number, err) ? -1 : add_parent(c, &r, err);
	if (fault == WR_RF_HASH)
		say_hash(c, &r, line, number);
	else
		say_unreadable(c, line, number, why.msg);
	return 0;
}

/* ---- ends ---- */

void wr_check_torn(wr_check *c, const wr_line *line, int64_t number, int64_t bytes)
{
	c->report->torn++;
	wr_check_anomaly(c, WR_AN_TORN, c->expect, number, line->at,
	                 "%lld bytes of a write that was cut short; the next start sets them aside",
	                 (long long)bytes);
}

void wr_check_short(wr_check *c, const wr_line *line, int64_t number, int64_t file_bytes)
{
	c->cut_short = true;
	c->report->checked++;
	wr_check_anomaly(c, WR_AN_TRUNCATED, place_of_bad(c), number, line->at,
	                 "expected %lld bytes and %lld receipts, found %lld bytes",
	                 (long long)c->mark.bytes, (long long)c->mark.count, (long long)file_bytes);
	bad_line(c, line);
}

void wr_check_file_end(wr_check *c, const wr_lines *lines, int64_t left, bool last)
{
	if (left > 0 && !last)
		wr_check_anomaly(c, WR_AN_CORRUPT, place_of_bad(c), lines->number + 1, lines->offset,
		                 "expected the end of the file, found %lld bytes without a receipt",
		                 (long long)left);
	bool empty = lines->number == 0 && c->segment >= 0 && c->expect >= 0;
	if (!empty || c->segment == c->expect || explained(c, c->segment)) return;
	wr_check_anomaly(
	    c, WR_AN_CORRUPT, -1, 1, 0,
	    "the file's name says seq %lld, expected seq %lld, and there is no receipt in it",
	    (long long)c->segment, (long long)c->expect);
}

void wr_check_end(wr_check *c)
{
	const wr_attest *a = &c->attest;
	wr_attest_end(c);
	bool by_file = a->have_file && a->file.size > c->mark.count;
	int64_t expected = by_file ? a->file.size : c->mark.count;
	if (expected <= (c->expect > 0 ? c->expect : 0) || c->cut_short || explained(c, expected))
		return;
	wr_check_anomaly(c, WR_AN_TRUNCATED, c->expect, 0, 0,
	                 "expected %lld receipts%s, found the end after seq %lld", (long long)expected,
	                 by_file ? " as the signed checkpoint says" : "", (long long)c->expect - 1);
}
