/* test_foreign.c: chains of every form that a profile can describe, and every kind of damage at
 * every place, by its right name; from lines and from an array; going on from what was seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "warroom/foreign.h"
#include "warroom/hash.h"
#include "warroom/io.h"

#define RECORDS 12

typedef struct chain {
	wr_profile p;
	char *records[4 * RECORDS];
	char *hashes[4 * RECORDS]; /* as stored */
	size_t count;
} chain;

static char dir[] = "/tmp/wr-foreign-XXXXXX", path[64];

static int set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/chain", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

/* ---- making chains ---- */

static const char *const only_hash[] = {"/hash"};

static wr_profile profile(wr_canon_kind kind)
{
	return (wr_profile){.seq = "/seq",
	                    .id = "/meta/id",
	                    .prev = "/prev",
	                    .hash = "/hash",
	                    .time = "/at",
	                    .time_unit = WR_TIME_MS,
	                    .exclude = only_hash,
	                    .exclude_count = 1,
	                    .canonical = {.kind = kind},
	                    .prefix = "",
	                    .separator = "",
	                    .genesis = WR_GENESIS_ZEROS,
	                    .genesis_text = "",
	                    .param = "",
	                    .limit_param = "",
	                    .records = "",
	                    .cursor = "",
	                    .ca_file = ""};
}

static void encode(const wr_profile *p, const uint8_t *hash, size_t len, wr_buf *out)
{
	char hex[2 * EVP_MAX_MD_SIZE + 1];
	wr_buf_adds(out, p->prefix);
	if (p->encoding == WR_ENC_HEX || p->encoding == WR_ENC_HEX_UPPER) {
		wr_hex(hex, hash, len);
		for (char *s = hex; *s && p->encoding == WR_ENC_HEX_UPPER; s++)
			if (*s >= 'a') *s = (char)(*s - 32);
		wr_buf_adds(out, hex);
		return;
	}
	size_t from = out->len;
	wr_base64(out, hash, len);
	for (size_t i = from; i < out->len && p->encoding == WR_ENC_BASE64URL; i++)
		out->data[i] = out->data[i] == '+' ? '-' : out->data[i] == '/' ? '_' : out->data[i];
	while (p->encoding == WR_ENC_BASE64URL && out->data[out->len - 1] == '=')
		out->data[--out->len] = '\0';
}

/* What stands in a record for the one before it, as JSON with its key. */
static void add_prev(const chain *c, size_t parent, bool first, wr_buf *out)
{
	static const uint8_t zeros[64];
	const wr_profile *p = &c->p;
	size_t len = p->algorithm == WR_ALG_SHA256 ? 32 : p->algorithm == WR_ALG_SHA384 ? 48 : 64;
	if (first && p->genesis == WR_GENESIS_ABSENT) return;
	wr_buf_adds(out, ",\"prev\":");
	if (first && p->genesis == WR_GENESIS_NULL) {
		wr_buf_adds(out, "null");
		return;
	}
	wr_buf_addc(out, '"');
	if (!first)
		wr_buf_adds(out, c->hashes[parent]);
	else if (p->genesis == WR_GENESIS_ZEROS)
		encode(p, zeros, len, out);
	else
		wr_buf_adds(out, p->genesis == WR_GENESIS_ANY ? "whatever" : p->genesis_text);
	wr_buf_addc(out, '"');
}

/* The hash of a record's text, by other means than the checker's. */
static void seal(const chain *c, const char *text, const uint8_t *prev, size_t prev_len,
                 wr_buf *encoded)
{
	static const char *const names[] = {"SHA256", "SHA384", "SHA512"};
	const wr_profile *p = &c->p;
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned len;
	wr_err err = {0};
	wr_buf all = WR_BUF_INIT(1u << 16), content = WR_BUF_INIT(1u << 16);
	wr_jt *j = wr_jt_new();
	assert_int_equal(wr_jt_parse(j, text, strlen(text), &err), 0);
	assert_int_equal(wr_jt_write(j, &p->canonical, &content, &err), 0);
	wr_buf_add(&all, p->leading, p->leading_len);
	if (p->over == WR_OVER_PREV_CONTENT) {
		wr_buf_add(&all, prev, prev_len);
		wr_buf_adds(&all, p->separator);
	}
	wr_buf_add(&all, content.data, content.len);
	if (p->over == WR_OVER_CONTENT_PREV) {
		wr_buf_adds(&all, p->separator);
		wr_buf_add(&all, prev, prev_len);
	}
	assert_int_equal(
	    EVP_Digest(all.data, all.len, hash, &len, EVP_get_digestbyname(names[p->algorithm]), NULL),
	    1);
	encode(p, hash, len, encoded);
	wr_jt_free(j);
	wr_buf_free(&all);
	wr_buf_free(&content);
}

/* A record behind `parent` (-1: the first), numbered seq. */
static void make(const chain *c, int parent, int64_t seq, const char *id, wr_buf *record,
                 wr_buf *hash)
{
	wr_buf text = WR_BUF_INIT(1u << 14), prev = WR_BUF_INIT(1000);
	const char *stored = "";
	if (parent >= 0) stored = c->hashes[parent];
	wr_buf_addf(&text, "{\"amount\":%lld.50,\"meta\":{\"id\":\"%s\",\"who\":\"Zo\\u00eb\"}",
	            (long long)seq, id);
	add_prev(c, parent < 0 ? 0 : (size_t)parent, parent < 0, &text);
	if (c->p.seq[0]) wr_buf_addf(&text, ",\"seq\":%lld", (long long)seq);
	wr_buf_addf(&text, ",\"at\":%lld", 1763687700000LL + seq);
	wr_buf_adds(&text, "}");
	if (parent < 0 && c->p.genesis == WR_GENESIS_TEXT) stored = c->p.genesis_text;
	static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
	if (parent < 0 && c->p.genesis == WR_GENESIS_ZEROS) stored = zeros;
	if (c->p.prev_bytes) {
		uint8_t bytes[32];
		assert_int_equal(wr_unhex(bytes, 32, stored, 64), 0);
		wr_buf_add(&prev, bytes, 32);
	} else {
		wr_buf_adds(&prev, stored);
	}
	seal(c, text.data, (const uint8_t *)wr_buf_cstr(&prev), prev.len, hash);
	text.len--;
	wr_buf_addf(&text, ",\"hash\":\"%s\"}", wr_buf_cstr(hash));
	wr_buf_adds(record, text.data);
	wr_buf_free(&text);
	wr_buf_free(&prev);
}

static void append(chain *c, int parent, int64_t seq, const char *id)
{
	wr_buf record = WR_BUF_INIT(1u << 14), hash = WR_BUF_INIT(200);
	make(c, parent, seq, id, &record, &hash);
	c->records[c->count] = wr_buf_take(&record);
	c->hashes[c->count++] = wr_buf_take(&hash);
}

static void grow(chain *c, size_t n)
{
	char id[16];
	while (n-- > 0) {
		(void)snprintf(id, sizeof id, "r%zu", c->count);
		append(c, (int)c->count - 1, c->p.first_seq + (int64_t)c->count, id);
	}
}

static void drop(chain *c)
{
	for (size_t i = 0; i < c->count; i++) {
		free(c->records[i]);
		free(c->hashes[i]);
	}
	c->count = 0;
}

/* ---- auditing ---- */

static void put_file(const char *text, size_t len)
{
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void put_records(char *const *records, size_t n, bool array)
{
	wr_buf text = WR_BUF_INIT(1u << 20);
	if (array) wr_buf_adds(&text, " [\n");
	for (size_t i = 0; i < n; i++)
		wr_buf_addf(&text, "%s%s", records[i], !array ? "\n" : i + 1 < n ? " ,\n " : "");
	if (array) wr_buf_adds(&text, "\n]\n");
	put_file(wr_buf_cstr(&text), text.len);
	wr_buf_free(&text);
}

static wr_foreign *audit_of(const wr_profile *p, const wr_foreign_head *known, wr_foreign_report *r)
{
	wr_err err = {0};
	wr_foreign *f = wr_foreign_open(p, path, &err);
	assert_non_null(f);
	if (known) wr_foreign_expect(f, known);
	if (wr_foreign_audit(f, r, NULL, &err) != 0) fail_msg("%s", err.msg);
	return f;
}

static void audit(const wr_profile *p, wr_foreign_report *r)
{
	wr_foreign_close(audit_of(p, NULL, r));
}

static void verified(const chain *c, bool array)
{
	wr_foreign_report r;
	put_records(c->records, c->count, array);
	audit(&c->p, &r);
	if (!r.ok) fail_msg("%s: %s", c->records[0], r.anomalies[0].text);
	assert_int_equal(r.checked, c->count);
	assert_int_equal(r.valid, c->count);
	assert_int_equal(r.invalid, 0);
	assert_int_equal(r.anomaly_total, 0);
	assert_true(r.full);
	assert_int_equal(r.head.position, (int64_t)c->count - 1);
	assert_int_equal(r.head.seq, c->p.seq[0] ? c->p.first_seq + (int64_t)c->count - 1 : -1);
	assert_int_equal(r.head.time_us,
	                 (1763687700000LL + c->p.first_seq + (int64_t)c->count - 1) * 1000);
}

/* Exactly one anomaly, of this kind, at this number. */
static void named(const wr_profile *p, wr_anomaly_kind kind, int64_t seq)
{
	wr_foreign_report r;
	audit(p, &r);
	if (r.anomaly_total != 1 || r.anomalies[0].kind != kind ||
	    (p->seq[0] && r.anomalies[0].seq != seq))
		fail_msg("expected %s at %lld, found %lld: %s at %lld: %s", wr_anomaly_name(kind),
		         (long long)seq, (long long)r.anomaly_total, wr_anomaly_name(r.anomalies[0].kind),
		         (long long)r.anomalies[0].seq, r.anomalies[0].text);
	assert_int_equal(r.kinds[kind], 1);
	assert_false(r.ok);
}

/* ---- every form ---- */

static void test_forms(void **state)
{
	(void)state;
	for (int kind = 0; kind < WR_CANON_COUNT; kind++)
		for (int alg = 0; alg < 3; alg++)
			for (int enc = 0; enc < 4; enc++)
				for (int over = 0; over < 3; over++)
					for (int genesis = 0; genesis <= WR_GENESIS_ANY; genesis++) {
						chain c = {.p = profile((wr_canon_kind)kind)};
						c.p.algorithm = (wr_hash_algorithm)alg;
						c.p.encoding = (wr_hash_encoding)enc;
						c.p.prefix = enc % 2 ? "sha-x:" : "";
						c.p.over = (wr_hash_over)over;
						c.p.separator = over == 2 ? "|" : "";
						c.p.genesis = (wr_genesis)genesis;
						c.p.genesis_text = kind == 0 ? "" : "GENESIS";
						if (genesis == WR_GENESIS_ZEROS && (over || alg || enc)) continue;
						if (genesis == WR_GENESIS_ANY && over) continue;
						if (alg == 1) c.p.seq = "";
						if (alg == 2) c.p.id = "";
						if (alg == 0) c.p.first_seq = 7;
						if (enc == 2) c.p.leading_len = 1;
						grow(&c, 3);
						verified(&c, false);
						verified(&c, true);
						drop(&c);
					}
}

static void test_previous_as_bytes(void **state)
{
	(void)state;
	for (int over = 1; over < 3; over++) {
		chain c = {.p = profile(WR_CANON_JCS)};
		c.p.over = (wr_hash_over)over;
		c.p.prev_bytes = true;
		c.p.separator = "\n";
		grow(&c, 5);
		verified(&c, false);
		c.p.prev_bytes = false;
		wr_foreign_report r;
		audit(&c.p, &r);
		assert_int_equal(r.hash_mismatches, 5);
		drop(&c);
	}
}

static void test_genesis(void **state)
{
	(void)state;
	chain c = {.p = profile(WR_CANON_JCS)};
	c.p.genesis = WR_GENESIS_TEXT;
	c.p.genesis_text = "begin";
	grow(&c, 3);
	put_records(c.records, c.count, false);
	c.p.genesis_text = "other";
	named(&c.p, WR_AN_CORRUPT, 0);
	c.p.genesis = WR_GENESIS_ANY;
	wr_foreign_report r;
	audit(&c.p, &r);
	assert_true(r.ok);
	drop(&c);
	/* A hash where the beginning should be. */
	c.p.genesis = WR_GENESIS_ZEROS;
	grow(&c, 3);
	put_records(c.records + 1, 2, false);
	named(&c.p, WR_AN_GAP, 0);
	c.p.pruned = true;
	audit(&c.p, &r);
	assert_true(r.ok);
	c.p.pruned = false;
	c.p.seq = "";
	audit(&c.p, &r);
	assert_int_equal(r.kinds[WR_AN_ORPHAN], 1);
	drop(&c);
}

/* ---- damage, named ---- */

static void each_damage(wr_profile p, bool array)
{
	bool numbered = p.seq[0];
	for (size_t at = 1; at < RECORDS - 2; at++) {
		chain c = {.p = p};
		grow(&c, RECORDS);
		char *list[RECORDS + 4];
		/* One is missing. */
		memcpy(list, c.records, at * sizeof *list);
		memcpy(list + at, c.records + at + 1, (RECORDS - at - 1) * sizeof *list);
		put_records(list, RECORDS - 1, array);
		named(&c.p, numbered ? WR_AN_GAP : WR_AN_ORPHAN, (int64_t)at);
		/* One is there twice, at once and later. */
		for (size_t later = at + 1; later < RECORDS; later += 3) {
			memcpy(list, c.records, later * sizeof *list);
			list[later] = c.records[at];
			memcpy(list + later + 1, c.records + later, (RECORDS - later) * sizeof *list);
			put_records(list, RECORDS + 1, array);
			named(&c.p, WR_AN_DUPLICATE, (int64_t)at);
		}
		/* The id of another one, on a record in its place. */
		chain e = {.p = p};
		grow(&e, at + 1);
		append(&e, (int)at, (int64_t)at + 1, "r0");
		grow(&e, 3);
		put_records(e.records, e.count, array);
		named(&e.p, WR_AN_EQUIVOCATION, (int64_t)at + 1);
		drop(&e);
		/* Another child of a parent that has one, and a record whose parent nobody knows. */
		char id[16];
		(void)snprintf(id, sizeof id, "fork%zu", at);
		append(&c, (int)at - 1, (int64_t)at, id);
		memcpy(list, c.records, (at + 1) * sizeof *list);
		list[at + 1] = c.records[RECORDS];
		memcpy(list + at + 2, c.records + at + 1, (RECORDS - at - 1) * sizeof *list);
		put_records(list, RECORDS + 1, array);
		named(&c.p, WR_AN_FORK, (int64_t)at);
		if (numbered) {
			append(&c, RECORDS, (int64_t)at + 1, "orphan");
			list[at + 1] = c.records[RECORDS + 1];
			put_records(list, RECORDS + 1, array);
			wr_foreign_report r;
			audit(&c.p, &r);
			assert_int_equal(r.anomalies[0].kind, WR_AN_ORPHAN);
			assert_int_equal(r.anomalies[0].seq, (int64_t)at + 1);
		}
		/* No JSON, in the place of one. */
		memcpy(list, c.records, RECORDS * sizeof *list);
		static char no_record[] = "{\"a\": 1}";
		list[at] = no_record;
		put_records(list, RECORDS, array);
		named(&c.p, WR_AN_CORRUPT, (int64_t)at);
		drop(&c);
	}
}

static void test_damage(void **state)
{
	(void)state;
	for (int kind = 0; kind < WR_CANON_COUNT; kind++) {
		wr_profile p = profile((wr_canon_kind)kind);
		each_damage(p, false);
		each_damage(p, true);
		p.seq = "";
		each_damage(p, false);
	}
}

/* Every bit of a chain whose bytes are hashed as they are. */
static void test_bits(void **state)
{
	(void)state;
	chain c = {.p = profile(WR_CANON_RAW)};
	wr_buf text = WR_BUF_INIT(1u << 16);
	size_t starts[6], n = 5;
	grow(&c, n);
	for (size_t i = 0; i < n; i++) {
		starts[i] = text.len;
		wr_buf_addf(&text, "%s\n", c.records[i]);
	}
	starts[n] = text.len;
	put_file(text.data, text.len);
	wr_foreign_report r;
	wr_foreign_close(audit_of(&c.p, NULL, &r));
	wr_foreign_head known = r.head;
	for (size_t i = 0, record = 0; i < text.len; i++) {
		if (i == starts[record + 1]) record++;
		for (int bit = 0; bit < 8; bit++) {
			text.data[i] = (char)(text.data[i] ^ 1 << bit);
			put_file(text.data, text.len);
			wr_foreign_close(audit_of(&c.p, &known, &r));
			if (r.ok) fail_msg("bit %d of byte %zu was not noticed: %s", bit, i, text.data);
			const wr_foreign_anomaly *a = &r.anomalies[r.anomalies[0].kind == WR_AN_TORN];
			bool last = record == n - 1;
			if (a->kind != WR_AN_CORRUPT && !(last && a->kind == WR_AN_TRUNCATED))
				fail_msg("bit %d of byte %zu is %s: %s", bit, i, wr_anomaly_name(a->kind), a->text);
			assert_int_equal(a->seq, (int64_t)record);
			text.data[i] = (char)(text.data[i] ^ 1 << bit);
		}
	}
	wr_buf_free(&text);
	drop(&c);
}

/* ---- what was seen before ---- */

static void polled(wr_foreign *f, wr_foreign_report *r)
{
	wr_err err = {0};
	if (wr_foreign_poll(f, r, NULL, &err) != 0) fail_msg("%s", err.msg);
}

static void follow(wr_profile p, bool array)
{
	chain c = {.p = p}, other = {.p = p};
	wr_foreign_report r;
	grow(&c, 4);
	put_records(c.records, 4, array);
	wr_foreign *f = audit_of(&c.p, NULL, &r);
	polled(f, &r);
	assert_true(r.ok && !r.full);
	assert_int_equal(r.checked, 0);
	grow(&c, 6);
	put_records(c.records, 10, array);
	polled(f, &r);
	assert_true(r.ok);
	assert_int_equal(r.full, array);
	assert_int_equal(r.checked, array ? 10 : 6);
	assert_int_equal(r.head.position, 9);
	/* Cut, rewritten, gone; and back again. */
	put_records(c.records, 7, array);
	for (int i = 0; i < 2; i++) {
		polled(f, &r);
		assert_false(r.ok);
		assert_true(r.moved);
		assert_int_equal(r.anomalies[0].kind, WR_AN_TRUNCATED);
		assert_int_equal(r.anomalies[0].seq, p.seq[0] ? 9 : -1);
	}
	grow(&other, 5);
	append(&other, 4, 5, "other");
	grow(&other, 8);
	put_records(other.records, other.count, array);
	polled(f, &r);
	assert_true(!r.ok && r.moved);
	assert_int_equal(r.anomalies[0].kind, WR_AN_FORK);
	put_records(NULL, 0, array);
	polled(f, &r);
	assert_int_equal(r.anomalies[0].kind, WR_AN_TRUNCATED);
	put_records(c.records, 10, array);
	polled(f, &r);
	assert_true(r.ok);
	/* What is new is bad: read as a whole, so that it is named. */
	char *list[12];
	grow(&c, 3);
	memcpy(list, c.records, 10 * sizeof *list);
	list[10] = c.records[11];
	list[11] = c.records[12];
	put_records(list, 12, array);
	polled(f, &r);
	assert_true(!r.ok && r.full && !r.moved);
	assert_int_equal(r.anomalies[0].kind, p.seq[0] ? WR_AN_GAP : WR_AN_ORPHAN);
	assert_int_equal(wr_foreign_known(f)->position, 9);
	/* Told to forget, another history is a beginning. */
	put_records(other.records, other.count, array);
	wr_foreign_expect(f, NULL);
	polled(f, &r);
	assert_true(r.ok);
	wr_foreign_close(f);
	drop(&c);
	drop(&other);
}

static void test_following(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		wr_profile p = profile(i < 2 ? WR_CANON_JCS : WR_CANON_PYTHON);
		if (i % 2) p.seq = "";
		follow(p, false);
		follow(p, true);
	}
}

static void test_pruned(void **state)
{
	(void)state;
	chain c = {.p = profile(WR_CANON_JCS)};
	wr_foreign_report r;
	c.p.pruned = true;
	grow(&c, 10);
	put_records(c.records, 5, false);
	wr_foreign *f = audit_of(&c.p, NULL, &r);
	put_records(c.records + 2, 6, false);
	polled(f, &r);
	assert_true(r.ok);
	assert_int_equal(r.head.seq, 7);
	put_records(c.records + 8, 2, false);
	polled(f, &r);
	assert_true(r.ok); /* what was seen last has been pruned since */
	wr_foreign_close(f);
	drop(&c);
}

/* ---- files in every bad state ---- */

static void test_files(void **state)
{
	(void)state;
	chain c = {.p = profile(WR_CANON_JCS)};
	wr_foreign_report r;
	wr_buf text = WR_BUF_INIT(8u << 20);
	grow(&c, 3);
	for (int i = 0; i < 3; i++) wr_buf_addf(&text, "%s%s", i ? "\r\n\n" : "\n \n", c.records[i]);
	put_file(text.data, text.len); /* the last line has no end, but is whole */
	audit(&c.p, &r);
	assert_true(r.ok);
	assert_int_equal(r.checked, 3);
	for (size_t cut = 1; cut < strlen(c.records[2]); cut++) {
		put_file(text.data, text.len - cut);
		audit(&c.p, &r);
		assert_true(r.ok);
		assert_int_equal(r.checked, 2);
		assert_int_equal(r.kinds[WR_AN_TORN], 1);
	}
	static const char *const arrays[] = {"[1,", "[{}", "[{},]", "[{} {}]",
	                                     "[}",  "[]x", "[[]]",  "[1 2]"};
	for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
		put_file(arrays[i], strlen(arrays[i]));
		audit(&c.p, &r);
		if (r.ok) fail_msg("%s is fine", arrays[i]);
		assert_int_equal(r.anomalies[0].kind, WR_AN_CORRUPT);
	}
	put_file("[ ]", 3);
	audit(&c.p, &r);
	assert_true(r.ok && r.checked == 0);
	/* A line of more than a record may have; then one that is good. */
	wr_buf_reset(&text);
	wr_buf_addf(&text, "%s\n{\"a\":\"", c.records[0]);
	while (text.len < WR_FOREIGN_RECORD_MAX + 1000u) wr_buf_adds(&text, "xxxxxxxxxxxxxxxx");
	wr_buf_addf(&text, "\"}\n%s\n", c.records[2]);
	put_file(text.data, text.len);
	named(&c.p, WR_AN_CORRUPT, 1);
	wr_err err = {0};
	wr_foreign *f = wr_foreign_open(&c.p, "/nowhere/at/all", &err);
	assert_int_equal(wr_foreign_audit(f, &r, NULL, &err), -1);
	wr_foreign_close(f);
	f = wr_foreign_open(&c.p, dir, &err);
	assert_int_equal(wr_foreign_audit(f, &r, NULL, &err), -1);
	wr_foreign_close(f);
	wr_buf_free(&text);
	drop(&c);
}

static bool always(void *ctx)
{
	(void)ctx;
	return true;
}

static void test_stopped(void **state)
{
	(void)state;
	chain c = {.p = profile(WR_CANON_JCS)};
	wr_foreign_report r;
	wr_foreign_hooks hooks = {.stop = always};
	wr_err err = {0};
	grow(&c, 3);
	put_records(c.records, 3, false);
	wr_foreign *f = wr_foreign_open(&c.p, path, &err);
	assert_int_equal(wr_foreign_audit(f, &r, &hooks, &err), -1);
	assert_int_equal(err.code, WR_E_CANCELLED);
	assert_true(r.ok);
	wr_foreign_close(f);
	drop(&c);
}

/* A long chain: memory stays bounded, a duplicate within the window is found. */
static void test_window(void **state)
{
	(void)state;
	enum { LONG = 3 * WR_FOREIGN_WINDOW };
	chain c = {.p = profile(WR_CANON_RAW)};
	wr_foreign_report r;
	FILE *out = fopen(path, "wb");
	assert_non_null(out);
	char *again = NULL;
	for (int i = 0; i < LONG; i++) {
		char id[16];
		(void)snprintf(id, sizeof id, "r%d", i);
		append(&c, (int)c.count - 1, i, id);
		assert_true(fprintf(out, "%s\n", c.records[c.count - 1]) > 0);
		if (i == LONG - WR_FOREIGN_WINDOW + 10) again = strdup(c.records[c.count - 1]);
		if (c.count == 2) { /* only the parent is needed */
			free(c.records[0]);
			free(c.hashes[0]);
			c.records[0] = c.records[1];
			c.hashes[0] = c.hashes[1];
			c.count = 1;
		}
	}
	assert_true(fprintf(out, "%s\n", again) > 0);
	assert_int_equal(fclose(out), 0);
	audit(&c.p, &r);
	assert_int_equal(r.anomaly_total, 1);
	assert_int_equal(r.kinds[WR_AN_DUPLICATE], 1);
	assert_int_equal(r.valid, LONG);
	free(again);
	drop(&c);
}

static void test_print(void **state)
{
	(void)state;
	chain c = {.p = profile(WR_CANON_JCS)};
	wr_foreign_report r;
	wr_buf out = WR_BUF_INIT(1u << 16);
	char said[200];
	grow(&c, 4);
	put_records(c.records + 2, 2, false);
	audit(&c.p, &r);
	wr_foreign_print(&r, "here", true, &out);
	assert_non_null(
	    strstr(wr_buf_cstr(&out), "gap          seq 0 (id r2) line 1 byte 0: expected seq 0"));
	assert_non_null(strstr(wr_buf_cstr(&out), "Receipts checked: 2\n"));
	assert_non_null(strstr(wr_buf_cstr(&out), "Chain integrity: BROKEN \xe2\x9c\x97\n"));
	wr_foreign_say(&r, said, sizeof said);
	assert_memory_equal(said, "gap at seq 0 (id r2): ", 22);
	json_t *j = wr_foreign_json(&r);
	assert_false(json_boolean_value(json_object_get(j, "ok")));
	json_decref(j);
	wr_buf_free(&out);
	drop(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_forms),   cmocka_unit_test(test_previous_as_bytes),
	    cmocka_unit_test(test_genesis), cmocka_unit_test(test_damage),
	    cmocka_unit_test(test_bits),    cmocka_unit_test(test_following),
	    cmocka_unit_test(test_pruned),  cmocka_unit_test(test_files),
	    cmocka_unit_test(test_stopped), cmocka_unit_test(test_window),
	    cmocka_unit_test(test_print),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
