/* foreign_check.c: the checker of one foreign chain.
 *
 * As in check.c every record has its place: the next seq (if records have one), and as previous
 * hash that of the record before it, a tip. Each way of not being there has the same name as in our
 * own ledger. After damage the checker finds its place again by itself, so that one act of damage
 * is one anomaly and the next one is seen as well. */
#include "ledger/foreign.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "warroom/clock.h"
#include "warroom/hash.h"
#include "warroom/text.h"

/* One record, taken apart. */
typedef struct record {
	int64_t seq, time_us;
	char id[128];
	uint64_t key; /* of the id; of the hash where there is none */
	uint8_t hash[FOREIGN_HASH_MAX], prev[FOREIGN_HASH_MAX];
	uint8_t computed[FOREIGN_HASH_MAX];
	bool prev_is_hash;
	bool prev_is_genesis;
	uint32_t prev_node, hash_node; /* prev_node may be WR_JT_NONE */
} record;

static void anomaly(foreign_check *c, wr_anomaly_kind kind, int64_t seq, const char *id,
                    const foreign_place *at, const char *fmt, ...) WR_PRINTF(6, 7);
static void anomaly(foreign_check *c, wr_anomaly_kind kind, int64_t seq, const char *id,
                    const foreign_place *at, const char *fmt, ...)
{
	wr_foreign_report *r = c->r;
	char text[512];
	va_list ap;
	r->anomaly_total++;
	r->kinds[kind]++;
	if (kind != WR_AN_TORN) {
		r->ok = false;
		c->broken = true;
	}
	if (r->anomaly_count == WR_FOREIGN_KEPT) return;
	wr_foreign_anomaly *a = &r->anomalies[r->anomaly_count++];
	*a = (wr_foreign_anomaly){.kind = kind,
	                          .seq = seq,
	                          .record = r->checked > 0 ? r->checked - 1 : 0,
	                          .page = at->page,
	                          .line = at->line,
	                          .byte = at->byte};
	(void)snprintf(a->id, sizeof a->id, "%s", id);
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	(void)wr_sanitise_to(a->text, sizeof a->text, text);
}

int foreign_check_init(foreign_check *c, const wr_profile *p, wr_foreign_report *r,
                       const wr_foreign_head *known, bool resume, wr_err *err)
{
	static const char *const names[] = {"SHA2-256", "SHA2-384", "SHA2-512"};
	static const size_t lens[] = {32, 48, 64};
	*r = (wr_foreign_report){.ok = true, .full = !resume};
	*c = (foreign_check){.p = p, .r = r, .expect = -1, .first_seq = -1, .resuming = resume};
	if (known) c->known = *known;
	c->hash_len = lens[p->algorithm];
	c->md = EVP_MD_fetch(NULL, names[p->algorithm], NULL);
	c->jt = wr_jt_new();
	wr_buf_init(&c->content, 8 * (size_t)WR_FOREIGN_RECORD_MAX);
	wr_buf_init(&c->text, WR_FOREIGN_RECORD_MAX);
	randombytes_buf(c->key, sizeof c->key);
	if (c->md && c->jt) return 0;
	foreign_check_free(c);
	return wr_fail(err, WR_E_NOMEM, "out of memory");
}

void foreign_check_free(foreign_check *c)
{
	EVP_MD_free(c->md);
	wr_jt_free(c->jt);
	wr_buf_free(&c->content);
	wr_buf_free(&c->text);
	foreign_map_free(&c->ids);
	foreign_map_free(&c->parents);
	c->md = NULL;
	c->jt = NULL;
}

static uint64_t key_of(const foreign_check *c, const void *data, size_t len)
{
	uint64_t key;
	_Static_assert(crypto_shorthash_BYTES == sizeof key, "SipHash-2-4");
	(void)crypto_shorthash((unsigned char *)&key, data, len, c->key);
	return key;
}

/* ---- taking a record apart; false with *why when it is none ---- */

/* One case only: a flipped bit must not be another spelling of the same hash. */
static bool hex_hash(const char *s, size_t n, bool upper, uint8_t *out, size_t len)
{
	char lower[2 * FOREIGN_HASH_MAX];
	if (n != 2 * len) return false;
	for (size_t i = 0; i < n; i++) {
		bool letter = s[i] >= 'A' && s[i] <= 'F';
		if (upper ? s[i] >= 'a' : letter) return false;
		lower[i] = letter ? (char)(s[i] | 32) : s[i];
	}
	return wr_unhex(out, len, lower, n) == 0;
}

static bool base64_hash(const char *s, size_t n, bool url, uint8_t *out, size_t len)
{
	char text[2 * FOREIGN_HASH_MAX];
	wr_buf plain = WR_BUF_INIT(FOREIGN_HASH_MAX + 4);
	if (n > 4 * ((FOREIGN_HASH_MAX + 2) / 3)) return false;
	for (size_t i = 0; i < n; i++) {
		text[i] = url && s[i] == '-' ? '+' : url && s[i] == '_' ? '/' : s[i];
		if (url && (s[i] == '+' || s[i] == '/')) return false;
	}
	while (url && n % 4 != 0) text[n++] = '=';
	bool ok = wr_unbase64(&plain, text, n, false, NULL) == 0 && plain.len == len;
	if (ok) memcpy(out, plain.data, len);
	wr_buf_free(&plain);
	return ok;
}

/* The hash that a string stands for. */
static bool decode_hash(foreign_check *c, uint32_t node, uint8_t *out)
{
	const wr_profile *p = c->p;
	size_t skip = strlen(p->prefix);
	wr_buf_reset(&c->text);
	if (node == WR_JT_NONE || wr_jt_string(c->jt, node, &c->text) != 0) return false;
	const char *s = wr_buf_cstr(&c->text);
	size_t n = c->text.len;
	if (n < skip || memcmp(s, p->prefix, skip) != 0) return false;
	if (p->encoding == WR_ENC_HEX || p->encoding == WR_ENC_HEX_UPPER)
		return hex_hash(s + skip, n - skip, p->encoding == WR_ENC_HEX_UPPER, out, c->hash_len);
	return base64_hash(s + skip, n - skip, p->encoding == WR_ENC_BASE64URL, out, c->hash_len);
}

static bool is_genesis(foreign_check *c, const record *r)
{
	static const uint8_t zeros[FOREIGN_HASH_MAX];
	bool there = r->prev_node != WR_JT_NONE;
	switch (c->p->genesis) {
	case WR_GENESIS_ABSENT:
		return !there;
	case WR_GENESIS_NULL:
		return there && wr_jt_kind_of(c->jt, r->prev_node) == WR_JT_NULL;
	case WR_GENESIS_ZEROS:
		return r->prev_is_hash && memcmp(r->prev, zeros, c->hash_len) == 0;
	case WR_GENESIS_TEXT:
		wr_buf_reset(&c->text);
		return there && wr_jt_string(c->jt, r->prev_node, &c->text) == 0 &&
		       c->text.len == strlen(c->p->genesis_text) &&
		       memcmp(wr_buf_cstr(&c->text), c->p->genesis_text, c->text.len) == 0;
	case WR_GENESIS_ANY:
		break;
	}
	return true;
}

static bool read_seq(foreign_check *c, record *r)
{
	r->seq = -1;
	if (!c->p->seq[0]) return true;
	uint32_t node = wr_jt_at(c->jt, c->p->seq);
	return node != WR_JT_NONE && wr_jt_integer(c->jt, node, &r->seq) && r->seq >= 0;
}

static void read_time(foreign_check *c, record *r)
{
	static const int64_t unit_us[] = {1, 1000000, 1000, 1, 1};
	int64_t v;
	uint32_t node = c->p->time[0] ? wr_jt_at(c->jt, c->p->time) : WR_JT_NONE;
	r->time_us = 0;
	if (node == WR_JT_NONE) return;
	wr_buf_reset(&c->text);
	if (wr_jt_kind_of(c->jt, node) == WR_JT_STRING) {
		if (wr_jt_string(c->jt, node, &c->text) == 0)
			(void)!wr_time_parse(wr_buf_cstr(&c->text), &r->time_us, NULL);
		return;
	}
	if (wr_jt_kind_of(c->jt, node) != WR_JT_NUMBER || c->p->time_unit == WR_TIME_RFC3339) return;
	if (!wr_jt_integer(c->jt, node, &v)) { /* 1763687700.123 */
		size_t n;
		const char *s = wr_jt_raw(c->jt, node, &n), *point = memchr(s, '.', n);
		v = 0;
		for (; point && s < point && *s >= '0' && *s <= '9' && v < INT64_MAX / 100; s++)
			v = v * 10 + (*s - '0');
	}
	int64_t each = unit_us[c->p->time_unit];
	if (v < 0 || v > INT64_MAX / each) return;
	r->time_us = c->p->time_unit == WR_TIME_NS ? v / 1000 : v * each;
}

static void read_id(foreign_check *c, record *r)
{
	uint32_t node = c->p->id[0] ? wr_jt_at(c->jt, c->p->id) : WR_JT_NONE;
	r->id[0] = '\0';
	r->key = key_of(c, r->hash, c->hash_len);
	if (node == WR_JT_NONE) return;
	wr_buf_reset(&c->text);
	if (wr_jt_string(c->jt, node, &c->text) != 0) {
		size_t n;
		const char *s = wr_jt_raw(c->jt, node, &n);
		wr_buf_reset(&c->text);
		wr_buf_add(&c->text, s, n);
	}
	r->key = key_of(c, wr_buf_cstr(&c->text), c->text.len);
	(void)wr_sanitise_to(r->id, sizeof r->id, wr_buf_cstr(&c->text));
}

static bool compute(foreign_check *c, record *r, wr_err *why)
{
	const wr_profile *p = c->p;
	wr_buf content = WR_BUF_INIT(4 * (size_t)WR_FOREIGN_RECORD_MAX);
	unsigned len = 0;
	for (size_t i = 0; i < p->exclude_count; i++) {
		uint32_t node = wr_jt_at(c->jt, p->exclude[i]);
		if (node == WR_JT_NONE || node == 0) continue;
		wr_jt_exclude(c->jt, node);
	}
	wr_buf_reset(&c->content);
	wr_buf_add(&c->content, p->leading, p->leading_len);
	bool text = r->prev_node != WR_JT_NONE && wr_jt_kind_of(c->jt, r->prev_node) == WR_JT_STRING &&
	            p->over != WR_OVER_CONTENT;
	wr_buf_reset(&c->text);
	if (text && p->prev_bytes && r->prev_is_hash)
		wr_buf_add(&c->text, r->prev, c->hash_len);
	else if (text && !p->prev_bytes && wr_jt_string(c->jt, r->prev_node, &c->text) != 0)
		wr_buf_reset(&c->text);
	if (p->over == WR_OVER_PREV_CONTENT) {
		wr_buf_add(&c->content, wr_buf_cstr(&c->text), c->text.len);
		wr_buf_adds(&c->content, p->separator);
	}
	int rc = wr_jt_write(c->jt, &p->canonical, &content, why);
	wr_buf_add(&c->content, wr_buf_cstr(&content), content.len);
	wr_buf_free(&content);
	if (p->over == WR_OVER_CONTENT_PREV) {
		wr_buf_adds(&c->content, p->separator);
		wr_buf_add(&c->content, wr_buf_cstr(&c->text), c->text.len);
	}
	if (rc != 0) return false;
	if (!wr_buf_ok(&c->content)) return wr_fail(why, WR_E_LIMIT, "too large to be hashed") == 0;
	if (EVP_Digest(c->content.data ? c->content.data : "", c->content.len, r->computed, &len, c->md,
	               NULL) != 1)
		return wr_fail(why, WR_E_NOMEM, "libcrypto cannot hash") == 0;
	return true;
}

/* An excluded member must be one of an object: an element of a list cannot be left out. */
static bool excludable(foreign_check *c, wr_err *why)
{
	for (size_t i = 0; i < c->p->exclude_count; i++) {
		const char *pointer = c->p->exclude[i], *slash = strrchr(pointer, '/');
		char parent[256];
		if (!slash || (size_t)(slash - pointer) >= sizeof parent) continue;
		memcpy(parent, pointer, (size_t)(slash - pointer));
		parent[slash - pointer] = '\0';
		uint32_t up = wr_jt_at(c->jt, parent);
		if (up != WR_JT_NONE && wr_jt_kind_of(c->jt, up) == WR_JT_ARRAY)
			return wr_fail(why, WR_E_INVALID, "%s is an element of a list", pointer) == 0;
	}
	return true;
}

static bool take_apart(foreign_check *c, const char *text, size_t len, record *r, wr_err *why)
{
	*r = (record){.seq = -1};
	if (wr_jt_parse(c->jt, text, len, why) != 0) return false;
	if (wr_jt_kind_of(c->jt, 0) != WR_JT_OBJECT)
		return wr_fail(why, WR_E_INVALID, "not a JSON object") == 0;
	bool numbered = read_seq(c, r);
	r->hash_node = wr_jt_at(c->jt, c->p->hash);
	r->prev_node = wr_jt_at(c->jt, c->p->prev);
	if (!decode_hash(c, r->hash_node, r->hash))
		return wr_fail(why, WR_E_INVALID, "%s is no hash as the profile describes it",
		               c->p->hash) == 0;
	r->prev_is_hash = decode_hash(c, r->prev_node, r->prev);
	read_id(c, r);
	read_time(c, r);
	if (!numbered) return wr_fail(why, WR_E_INVALID, "%s is no number from 0 up", c->p->seq) == 0;
	r->prev_is_genesis = is_genesis(c, r);
	if (!r->prev_is_hash && !r->prev_is_genesis)
		return wr_fail(why, WR_E_INVALID, "%s is no hash as the profile describes it",
		               c->p->prev) == 0;
	return excludable(c, why) && compute(c, r, why);
}

/* ---- places ---- */

static void skip_to(foreign_check *c, int64_t seq)
{
	c->expect = seq;
	c->tip_count = 0;
	c->bad = 0;
}

static int64_t place_of_bad(const foreign_check *c)
{
	if (!c->p->seq[0]) return -1;
	if (!c->began) return c->p->pruned ? -1 : c->p->first_seq + c->bad;
	return c->expect < 0 ? -1 : c->expect + c->bad;
}

static void set_tip(foreign_check *c, const uint8_t *hash)
{
	memcpy(c->tips[0], hash, c->hash_len);
	c->tip_count = 1;
}

static void describe(const foreign_check *c, const record *r, wr_foreign_head *out)
{
	*out = (wr_foreign_head){
	    .known = true, .seq = r->seq, .position = c->position, .time_us = r->time_us};
	memcpy(out->id, r->id, sizeof out->id);
	wr_hex(out->hash, r->hash, c->hash_len);
}

static bool follows_tip(const foreign_check *c, const record *r)
{
	for (unsigned i = 0; i < c->tip_count; i++)
		if (r->prev_is_hash && memcmp(r->prev, c->tips[i], c->hash_len) == 0) return true;
	return c->tip_count == 0;
}

static int move_on(foreign_check *c, const record *r, wr_err *err)
{
	uint64_t none = 0;
	skip_to(c, r->seq < 0 ? -1 : r->seq + 1);
	set_tip(c, r->hash);
	if (r->prev_is_hash && foreign_map_add(&c->parents, key_of(c, r->prev, c->hash_len), &none) < 0)
		return wr_fail(err, WR_E_NOMEM, "out of memory");
	return 0;
}

static int accept(foreign_check *c, const record *r, wr_err *err)
{
	c->r->valid++;
	if (!c->broken) describe(c, r, &c->r->consistent);
	return move_on(c, r, err);
}

static void invalid(foreign_check *c, wr_anomaly_kind kind, const record *r,
                    const foreign_place *at, const char *what)
{
	char expected[33] = "anything", found[33] = "no hash", place[64] = "";
	c->r->invalid++;
	if (c->tip_count) wr_hex(expected, c->tips[0], 8);
	if (r->prev_is_hash) wr_hex(found, r->prev, 8);
	if (r->seq >= 0) (void)snprintf(place, sizeof place, "seq %lld after ", (long long)c->expect);
	anomaly(c, kind, r->seq, r->id, at, "%s: expected %s%s, found %s%s", what, place, expected,
	        r->seq >= 0 ? "after " : "", found);
}

/* The first record of the whole chain: its place is the beginning. */
static int first(foreign_check *c, const record *r, const foreign_place *at, wr_err *err)
{
	const wr_profile *p = c->p;
	bool late = r->seq > p->first_seq;
	c->began = true;
	if (r->seq >= 0 && r->seq < p->first_seq) {
		skip_to(c, p->first_seq);
		invalid(c, WR_AN_ORPHAN, r, at, "a record before the first one");
		return move_on(c, r, err);
	}
	if (late && !p->pruned && c->bad < r->seq - p->first_seq) {
		anomaly(c, WR_AN_GAP, p->first_seq, r->id, at,
		        "expected seq %lld, found seq %lld: the beginning is missing",
		        (long long)p->first_seq, (long long)r->seq);
		return accept(c, r, err);
	}
	if (!late && c->bad == 0 && !r->prev_is_genesis) {
		invalid(c, WR_AN_ORPHAN, r, at, "the first record does not begin as the profile says");
		return move_on(c, r, err);
	}
	return accept(c, r, err);
}

/* The id was there before; 1: it was not, -1: out of memory. */
static int seen_before(foreign_check *c, const record *r, const foreign_place *at, wr_err *err)
{
	uint64_t hash = key_of(c, r->hash, c->hash_len), before = hash;
	int added = foreign_map_add(&c->ids, r->key, &before);
	if (added < 0) return wr_fail(err, WR_E_NOMEM, "out of memory");
	if (added) return 1;
	bool same = before == hash;
	bool in_place = (r->seq < 0 || r->seq == c->expect) && c->tip_count && follows_tip(c, r);
	invalid(c, same ? WR_AN_DUPLICATE : WR_AN_EQUIVOCATION, r, at,
	        same ? "the same record once more" : "an id that another record has");
	return in_place && move_on(c, r, err) != 0 ? -1 : 0;
}

static int out_of_place(foreign_check *c, const record *r, const foreign_place *at, wr_err *err)
{
	bool here = r->seq < 0 || r->seq == c->expect;
	bool fork = r->prev_is_hash && foreign_map_has(&c->parents, key_of(c, r->prev, c->hash_len));
	invalid(c, fork ? WR_AN_FORK : WR_AN_ORPHAN, r, at,
	        fork ? "a second child of one parent" : "its parent is not before it");
	if (here) {
		uint8_t other[FOREIGN_HASH_MAX];
		bool keep = fork && c->tip_count > 0;
		memcpy(other, c->tips[0], sizeof other);
		if (move_on(c, r, err) != 0) return -1;
		if (keep) memcpy(c->tips[c->tip_count++], other, sizeof other);
	} else if (fork && r->seq == c->expect - 1 && c->tip_count > 0) {
		/* Either branch may go on from here. */
		memcpy(c->tips[1], r->hash, c->hash_len);
		c->tip_count = 2;
	}
	return 0;
}

/* The content or the stored hash was changed; it keeps its place if it still names it, and the next
 * one may follow either hash. */
static void say_hash(foreign_check *c, const record *r, const foreign_place *at)
{
	char expected[129], found[129];
	wr_hex(expected, r->computed, c->hash_len);
	wr_hex(found, r->hash, c->hash_len);
	c->r->invalid++;
	c->r->hash_mismatches++;
	int64_t place = place_of_bad(c);
	anomaly(c, WR_AN_CORRUPT, place >= 0 ? place : r->seq, r->id, at,
	        "hash: its content has %.64s, it says %.64s", expected, found);
	bool here = c->bad == 0 && (r->seq < 0 || place < 0 || r->seq == place);
	c->bad++;
	if (!here) return;
	c->began = true;
	skip_to(c, r->seq < 0 ? -1 : r->seq + 1);
	memcpy(c->tips[0], r->computed, c->hash_len);
	memcpy(c->tips[1], r->hash, c->hash_len);
	c->tip_count = 2;
}

static int judge(foreign_check *c, const record *r, const foreign_place *at, wr_err *err)
{
	if (memcmp(r->computed, r->hash, c->hash_len) != 0) {
		say_hash(c, r, at);
		return 0;
	}
	int rc = seen_before(c, r, at, err);
	if (rc <= 0) return rc;
	if (!c->began) return first(c, r, at, err);
	bool follows = c->bad > 0 && c->tip_count == 0 ? true : follows_tip(c, r);
	if (r->seq < 0) {
		/* What was unreadable may have been its parent. */
		if (follows || c->bad > 0) return accept(c, r, err);
		return out_of_place(c, r, at, err);
	}
	if (c->expect < 0) return accept(c, r, err);
	if (r->seq == c->expect && follows) return accept(c, r, err);
	if (r->seq > c->expect) {
		int64_t missing = r->seq - c->expect;
		if (c->bad < missing)
			anomaly(c, WR_AN_GAP, c->expect, r->id, at,
			        "expected seq %lld, found seq %lld: %lld records are missing",
			        (long long)c->expect, (long long)r->seq, (long long)missing);
		return accept(c, r, err);
	}
	return out_of_place(c, r, at, err);
}

/* ---- what was seen before ---- */

static void compare_known(foreign_check *c, const record *r, const foreign_place *at)
{
	char hash[129];
	if (!c->known.known || c->known_seen) return;
	wr_hex(hash, r->hash, c->hash_len);
	if (strcmp(hash, c->known.hash) == 0) {
		c->known_seen = true;
		return;
	}
	bool place = r->seq >= 0 && c->known.seq >= 0 ? r->seq == c->known.seq
	                                              : c->position == c->known.position;
	if (!place || c->other_seen) return;
	c->other_seen = true;
	c->other_at = *at;
	memcpy(c->other_hash, hash, sizeof hash);
}

/* Passes over what is before the last record seen; true: this one is not to be judged. */
static bool look_for_known(foreign_check *c, const record *r)
{
	char hash[129];
	if (!c->resuming || c->found) return false;
	wr_hex(hash, r->hash, c->hash_len);
	if (strcmp(hash, c->known.hash) != 0 || memcmp(r->computed, r->hash, c->hash_len) != 0)
		return true;
	c->found = c->known_seen = c->began = true;
	c->position = c->known.position + 1;
	skip_to(c, r->seq < 0 ? -1 : r->seq + 1);
	set_tip(c, r->hash);
	c->r->head = c->r->consistent = c->known;
	c->r->from = c->position;
	return true;
}

int foreign_check_record(foreign_check *c, const char *text, size_t len, const foreign_place *at,
                         wr_err *err)
{
	record r;
	wr_err why = {0};
	bool whole = take_apart(c, text, len, &r, &why);
	if (c->resuming && !c->found) {
		if (whole) (void)look_for_known(c, &r);
		return 0;
	}
	if (!whole) {
		foreign_check_damage(c, at, why.msg);
		return 0;
	}
	c->r->checked++;
	if (c->first_seq < 0) c->first_seq = r.seq;
	compare_known(c, &r, at);
	int rc = judge(c, &r, at, err);
	describe(c, &r, &c->r->head);
	c->position++;
	return rc;
}

void foreign_check_damage(foreign_check *c, const foreign_place *at, const char *what)
{
	c->r->checked++;
	c->r->invalid++;
	anomaly(c, WR_AN_CORRUPT, place_of_bad(c), "", at, "expected a record, found: %s", what);
	c->bad++;
	c->position++;
	c->tip_count = 0; /* what it was to be followed by is not known */
}

void foreign_check_torn(foreign_check *c, const foreign_place *at, int64_t bytes)
{
	anomaly(c, WR_AN_TORN, place_of_bad(c), "", at,
	        "the last line does not end: %lld bytes of a write that was cut short or goes on",
	        (long long)bytes);
}

void foreign_check_end(foreign_check *c)
{
	const wr_foreign_head *k = &c->known;
	static const foreign_place nowhere;
	if (!k->known || c->known_seen || c->resuming) return;
	if (c->p->pruned && k->seq >= 0 && k->seq < c->first_seq) return; /* pruned since */
	c->r->moved = c->r->ok;
	if (c->other_seen)
		anomaly(c, WR_AN_FORK, k->seq, k->id, &c->other_at,
		        "another history: this was %.32s… when it was last read, and is %.32s… now",
		        k->hash, c->other_hash);
	else if (c->r->head.known)
		anomaly(c, WR_AN_TRUNCATED, k->seq, k->id, &nowhere,
		        "record %lld was there when it was last read; now the chain ends with record %lld",
		        (long long)(k->seq >= 0 ? k->seq : k->position),
		        (long long)(k->seq >= 0 ? c->r->head.seq : c->r->head.position));
	else
		anomaly(c, WR_AN_TRUNCATED, k->seq, k->id, &nowhere,
		        "record %lld was there when it was last read; now there is none",
		        (long long)(k->seq >= 0 ? k->seq : k->position));
}
