/* quick.c: the receipt line's form and hash in one go. See quick.h.
 *
 * The tail ,"hash":"…"} has a fixed length, so it is looked at first; it also stops every scan of a
 * string before the line ends. Keys ascend, so that the envelope's are met in the order of one
 * table. Strings are passed over sixteen bytes at a time where there is SSE2. The stored hash is
 * compared as text with the computed one, which checks its digits as well. Pure. */
#include "ledger/quick.h"

#include <string.h>
#if defined(__SSE2__) && !defined(WR_QUICK_PORTABLE)
#include <emmintrin.h>
#define WR_QUICK_SSE2
#endif

#include "ledger/scan.h"
#include "warroom/json.h"

#define TAIL      (WR_HASH_TAIL + 1)
#define TAIL_KEY  ",\"hash\":\""
#define HEX       (WR_HEX_LEN - 1)
#define CHAIN_MAX 127 /* what a wr_receipt holds */

/* Up to eight bytes as a number that orders as they do: of two keys the one with the smaller number
 * comes first; the numbers are equal if their first eight bytes are. */
#define HEAD(a, b, c, d, e, f, g, h)                                                               \
	((uint64_t)(a) << 56 | (uint64_t)(b) << 48 | (uint64_t)(c) << 40 | (uint64_t)(d) << 32 |       \
	 (uint64_t)(e) << 24 | (uint64_t)(f) << 16 | (uint64_t)(g) << 8 | (uint64_t)(h))

/* The envelope but for "hash", ascending. */
enum { ACTOR, CHAIN, EPOCH, OPERATION, PREV, ID, SEQ, TIMESTAMP, V, ENVELOPE };
static const struct {
	uint64_t head;
	size_t len;
	const char *rest; /* beyond the first eight bytes */
} envelope[ENVELOPE + 1] = {
    {HEAD('a', 'c', 't', 'o', 'r', 0, 0, 0), 5, ""},
    {HEAD('c', 'h', 'a', 'i', 'n', 0, 0, 0), 5, ""},
    {HEAD('e', 'p', 'o', 'c', 'h', 0, 0, 0), 5, ""},
    {HEAD('o', 'p', 'e', 'r', 'a', 't', 'i', 'o'), 9, "n"},
    {HEAD('p', 'r', 'e', 'v', '_', 'h', 'a', 's'), 9, "h"},
    {HEAD('r', 'e', 'c', 'e', 'i', 'p', 't', '_'), 10, "id"},
    {HEAD('s', 'e', 'q', 0, 0, 0, 0, 0), 3, ""},
    {HEAD('t', 'i', 'm', 'e', 's', 't', 'a', 'm'), 9, "p"},
    {HEAD('v', 0, 0, 0, 0, 0, 0, 0), 1, ""},
    {0, 0, ""},
};
#define HEAD_HASH     HEAD('h', 'a', 's', 'h', 0, 0, 0, 0)
#define HEAD_INCIDENT HEAD('i', 'n', 'c', 'i', 'd', 'e', 'n', 't')

/* ---- bytes ---- */

static bool digit(unsigned char c)
{
	return (unsigned char)(c - '0') < 10;
}

static bool in_set(const uint64_t set[2], unsigned char c)
{
	return c < 128 && (set[c >> 6] >> (c & 63) & 1);
}

#define BITS(from, to) (((UINT64_C(2) << ((to)&63)) - 1) & ~((UINT64_C(1) << ((from)&63)) - 1))
static const uint64_t name_set[2] = {BITS('0', '9') | BITS('-', '.'),
                                     BITS('A', 'Z') | BITS('a', 'z') | BITS('_', '_')};
static const uint64_t hex_set[2] = {BITS('0', '9'), BITS('a', 'f')};

/* The length of the well-formed UTF-8 sequence at s, 0 if it is none. A sequence never runs over
 * the line's end, for what stops strings there is ASCII. */
static size_t utf8_len(const unsigned char *s)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t len = s[0] >= 0xc2 && s[0] <= 0xdf ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : 4;
	if (s[0] < 0xc2 || s[0] > 0xf4) return 0;
	if (s[0] == 0xe0) low = 0xa0;
	if (s[0] == 0xed) high = 0x9f;
	if (s[0] == 0xf0) low = 0x90;
	if (s[0] == 0xf4) high = 0x8f;
	if (s[1] < low || s[1] > high) return 0;
	for (size_t i = 2; i < len; i++)
		if ((s[i] & 0xc0) != 0x80) return 0;
	return len;
}

/* The length of the canonical escape at s, 0 if it is none. */
static size_t escape_len(const unsigned char *s)
{
	switch (s[1]) {
	case '"':
	case '\\':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		return 2;
	case 'u':
		break;
	default:
		return 0;
	}
	if (s[2] != '0' || s[3] != '0' || (s[4] != '0' && s[4] != '1') || !in_set(hex_set, s[5]))
		return 0;
	if (s[4] == '0' && strchr("089acd", s[5])) return 0;
	return 6;
}

/* The first byte from s on that is a quote, a backslash, a control character or not ASCII; in a
 * key also DEL. There is one well before the line's end. */
static inline const char *plain_end(const char *s, bool key)
{
#ifdef WR_QUICK_SSE2
	const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'),
	              space = _mm_set1_epi8(' ');
	for (;; s += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)s);
		/* signed: what is not ASCII is below the space as well */
		__m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmplt_epi8(v, space)),
		                           _mm_cmpeq_epi8(v, backslash));
		if (key) hit = _mm_or_si128(hit, _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f)));
		unsigned mask = (unsigned)_mm_movemask_epi8(hit);
		if (mask) return s + __builtin_ctz(mask);
	}
#else
	while (*s != '"' && *s != '\\' && (unsigned char)(*s - ' ') < (key ? 0x5f : 0x60)) s++;
	return s;
#endif
}

/* ---- values; each returns where it ends, NULL if it is none ---- */

/* From behind the opening quote to behind the closing one. */
static const char *string(const char *s)
{
	for (;;) {
		s = plain_end(s, false);
		if (*s == '"') return s + 1;
		const unsigned char *u = (const unsigned char *)s;
		size_t len = *u == '\\' ? escape_len(u) : *u >= 0x80 ? utf8_len(u) : 0;
		if (len == 0) return NULL;
		s += len;
	}
}

static const char *integer(const char *s, int64_t *out)
{
	bool minus = *s == '-';
	const char *first = s += minus;
	int64_t value = 0;
	while (digit((unsigned char)*s)) {
		if (s - first >= 16) return NULL;
		value = value * 10 + (*s++ - '0');
	}
	if (s == first || (*first == '0' && (s - first > 1 || minus)) || value > WR_INT_MAX_SAFE)
		return NULL;
	*out = minus ? -value : value;
	return s;
}

/* An integer of which only the form matters. */
static const char *some_integer(const char *s)
{
	int64_t ignored;
	const char *first = s + (*s == '-'), *end = first;
	while (digit((unsigned char)*end)) end++;
	if (end - first > 15 || *first == '0') return integer(s, &ignored);
	return end > first ? end : NULL;
}

static const char *any_value(const char *s)
{
	if (*s == '"') return string(s + 1);
	if (*s == 't') return memcmp(s, "true", 4) == 0 ? s + 4 : NULL;
	if (*s == 'f') return memcmp(s, "false", 5) == 0 ? s + 5 : NULL;
	return some_integer(s);
}

static const char *count(const char *s, int64_t *out)
{
	s = integer(s, out);
	return s && *out >= 0 ? s : NULL;
}

/* The comma behind it is kept as well, so that a longer number is another one. */
static const char *epoch(wr_quick *q, const char *s, wr_quick_line *out)
{
	const char *end = count(s, &out->epoch);
	if (!end || *end != ',') return end;
	q->epoch = out->epoch;
	q->epoch_len = (size_t)(end - s) + 1;
	memcpy(q->epoch_text, s, q->epoch_len);
	return end;
}

static bool is(const char *s, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(s, word, len) == 0;
}

static const char *chain(const wr_quick *q, const char *s, wr_quick_line *out)
{
	if (*s != '"') return NULL;
	const char *first = ++s;
	out->other_chain =
	    q->chain_len == 0 || memcmp(s, q->chain, q->chain_len) != 0 || s[q->chain_len] != '"';
	if (!out->other_chain) return s + q->chain_len + 1;
	while (in_set(name_set, (unsigned char)*s) || *s == '/' || *s == '@') s++;
	return *s == '"' && s > first && s - first <= CHAIN_MAX ? s + 1 : NULL;
}

static const char *operation(wr_quick *q, const char *s, wr_quick_line *out)
{
	if (*s != '"') return NULL;
	const char *first = ++s;
	size_t len = q->operation_len;
	bool same = len > 0 && memcmp(s, q->operation, len) == 0 && s[len] == '"';
	if (!same) {
		while (in_set(name_set, (unsigned char)*s)) s++;
		len = (size_t)(s - first);
		if (*s != '"' || len == 0 || len >= sizeof q->operation) return NULL;
		memcpy(q->operation, first, len);
		q->operation_len = len;
		q->checkpoint = is(first, len, "checkpoint_signed");
		q->notable = q->checkpoint || is(first, len, "approval_recorded") ||
		             is(first, len, "step_intent") || is(first, len, "step_ruled");
	}
	out->checkpoint = q->checkpoint;
	out->notable = q->notable;
	return first + len + 1;
}

/* ---- hex ---- */

#ifdef WR_QUICK_SSE2
static bool all_hex(const char *s, size_t n) /* n: a multiple of 16 */
{
	unsigned ok = 0xffff;
	for (size_t i = 0; i < n; i += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(s + i));
		__m128i d = _mm_sub_epi8(v, _mm_set1_epi8('0')), a = _mm_sub_epi8(v, _mm_set1_epi8('a'));
		__m128i is_d = _mm_cmpeq_epi8(_mm_min_epu8(d, _mm_set1_epi8(9)), d);
		__m128i is_a = _mm_cmpeq_epi8(_mm_min_epu8(a, _mm_set1_epi8(5)), a);
		ok &= (unsigned)_mm_movemask_epi8(_mm_or_si128(is_d, is_a));
	}
	return ok == 0xffff;
}

/* 32 good digits to 16 bytes. An ASCII letter has bit 6, and its low four bits are 1 for 'a'. */
static void unhex(uint8_t out[static 16], const char digits[static 32])
{
	__m128i half[2];
	for (unsigned i = 0; i < 2; i++) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(digits + 16 * i));
		__m128i letter = _mm_and_si128(_mm_srli_epi16(v, 6), _mm_set1_epi8(1));
		__m128i nine = _mm_add_epi8(_mm_slli_epi16(letter, 3), letter);
		v = _mm_add_epi8(_mm_and_si128(v, _mm_set1_epi8(15)), nine);
		v = _mm_or_si128(_mm_slli_epi16(v, 4), _mm_srli_epi16(v, 8)); /* first | second digit */
		half[i] = _mm_and_si128(v, _mm_set1_epi16(0xff));
	}
	_mm_storeu_si128((__m128i *)(void *)out, _mm_packus_epi16(half[0], half[1]));
}

static void hex(char out[static HEX], const uint8_t hash[static WR_HASH_LEN])
{
	for (unsigned i = 0; i < 2; i++) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(hash + 16 * i));
		__m128i high = _mm_and_si128(_mm_srli_epi16(v, 4), _mm_set1_epi8(15));
		__m128i low = _mm_and_si128(v, _mm_set1_epi8(15));
		__m128i pair[2] = {_mm_unpacklo_epi8(high, low), _mm_unpackhi_epi8(high, low)};
		for (unsigned k = 0; k < 2; k++) {
			__m128i above = _mm_cmpgt_epi8(pair[k], _mm_set1_epi8(9));
			v = _mm_add_epi8(pair[k], _mm_set1_epi8('0'));
			v = _mm_add_epi8(v, _mm_and_si128(above, _mm_set1_epi8('a' - '0' - 10)));
			_mm_storeu_si128((__m128i *)(void *)(out + 32 * i + 16 * k), v);
		}
	}
}
#else
static bool all_hex(const char *s, size_t n)
{
	bool ok = true;
	for (size_t i = 0; i < n; i++) ok &= in_set(hex_set, (unsigned char)s[i]);
	return ok;
}

static void unhex(uint8_t out[static 16], const char digits[static 32])
{
	for (size_t i = 0; i < 32; i++) {
		unsigned value = (unsigned)((digits[i] & 15) + (digits[i] >> 6) * 9);
		out[i / 2] = (uint8_t)(i % 2 ? out[i / 2] | value : value << 4);
	}
}

static void hex(char out[static HEX], const uint8_t hash[static WR_HASH_LEN])
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < WR_HASH_LEN; i++) {
		out[2 * i] = digits[hash[i] >> 4];
		out[2 * i + 1] = digits[hash[i] & 15];
	}
}
#endif

static const char *uuid7(const char *s, wr_quick_line *out)
{
	const char *u = s + 1;
	char digits[32];
	uint8_t id[16];
	if (*s != '"' || u[36] != '"') return NULL;
	if (u[8] != '-' || u[13] != '-' || u[18] != '-' || u[23] != '-') return NULL;
	if (u[14] != '7' || (u[19] != '8' && u[19] != '9' && u[19] != 'a' && u[19] != 'b')) return NULL;
	memcpy(digits, u, 8);
	memcpy(digits + 8, u + 9, 4);
	memcpy(digits + 12, u + 14, 4);
	memcpy(digits + 16, u + 19, 4);
	memcpy(digits + 20, u + 24, 12);
	if (!all_hex(digits, sizeof digits)) return NULL;
	unhex(id, digits);
	memcpy(&out->id_high, id, 8);
	memcpy(&out->id_low, id + 8, 8);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	out->id_high = __builtin_bswap64(out->id_high);
	out->id_low = __builtin_bswap64(out->id_low);
#endif
	return u + 37;
}

/* Two digits: their value, or 100. */
static int two(const char *s)
{
	bool ok = digit((unsigned char)s[0]) && digit((unsigned char)s[1]);
	return ok ? (s[0] - '0') * 10 + (s[1] - '0') : 100;
}

static bool date_ok(const char *s)
{
	static const char days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int century = two(s), year = two(s + 2), month = two(s + 5), day = two(s + 8);
	if (s[4] != '-' || s[7] != '-' || century > 99 || year > 99 || century + year == 0)
		return false;
	if (month < 1 || month > 12 || day < 1 || day > days[month - 1]) return false;
	bool leap = year == 0 ? century % 4 == 0 : year % 4 == 0;
	return month != 2 || day < 29 || leap;
}

static const char *timestamp(wr_quick *q, const char *s)
{
	const char *t = s + 1;
	if (*s != '"' || t[26] != 'Z' || t[27] != '"') return NULL;
	if (two(t + 20) > 99 || two(t + 22) > 99 || two(t + 24) > 99) return NULL;
	if (q->time[0] == '\0' || memcmp(t, q->time, sizeof q->time) != 0) {
		if (t[10] != 'T' || t[13] != ':' || t[16] != ':' || t[19] != '.' || two(t + 11) > 23 ||
		    two(t + 14) > 59 || two(t + 17) > 59 || !date_ok(t))
			return NULL;
		memcpy(q->time, t, sizeof q->time);
	}
	return t + 28;
}

/* ---- fields ---- */

static const char *envelope_value(wr_quick *q, wr_quick_line *out, unsigned which, const char *s)
{
	const char *end;
	switch (which) {
	case ACTOR:
		end = *s == '"' ? string(s + 1) : NULL;
		return end && end - s > 2 ? end : NULL;
	case CHAIN:
		return chain(q, s, out);
	case EPOCH:
		if (q->epoch_len > 0 && memcmp(s, q->epoch_text, q->epoch_len) == 0) {
			out->epoch = q->epoch;
			return s + q->epoch_len - 1;
		}
		return epoch(q, s, out);
	case OPERATION:
		return operation(q, s, out);
	case PREV:
		if (*s != '"' || s[1 + HEX] != '"') return NULL;
		out->linked = out->prev_hex && memcmp(s + 1, out->prev_hex, HEX) == 0;
		out->prev_hex = s + 1;
		if (!out->linked && !all_hex(s + 1, HEX)) return NULL;
		return s + HEX + 2;
	case ID:
		return uuid7(s, out);
	case SEQ:
		return count(s, &out->seq);
	case TIMESTAMP:
		return timestamp(q, s);
	default:
		return s[0] == '1' && !digit((unsigned char)s[1]) ? s + 1 : NULL;
	}
}

typedef struct key {
	const char *text;
	size_t len;
	uint64_t head;
} key;

/* Reads up to eight bytes beyond a short key: still in the line. */
static uint64_t head_of(const char *s, size_t len)
{
	uint64_t raw;
	memcpy(&raw, s, sizeof raw);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	raw = __builtin_bswap64(raw);
#endif
	return len >= 8 ? raw : len == 0 ? 0 : raw & ~(UINT64_MAX >> (8 * len));
}

static bool ascending(const key *a, const key *b)
{
	if (a->head != b->head) return a->head < b->head;
	size_t shorter = a->len < b->len ? a->len : b->len;
	int order = memcmp(a->text, b->text, shorter);
	return order < 0 || (order == 0 && a->len < b->len);
}

/* From behind the opening quote to behind the colon. */
static const char *read_key(const char *s, key *out)
{
	const char *end = plain_end(s, true);
	if (*end != '"' || end[1] != ':') return NULL;
	*out = (key){.text = s, .len = (size_t)(end - s)};
	out->head = head_of(s, out->len);
	return end + 2;
}

static bool is_envelope(unsigned which, const key *k)
{
	return k->head == envelope[which].head && k->len == envelope[which].len &&
	       (k->len <= 8 || memcmp(k->text + 8, envelope[which].rest, k->len - 8) == 0);
}

/* The fields before "hash", which end exactly at `end`. */
static bool fields(wr_quick *q, wr_quick_line *out, const char *s, const char *end)
{
	key before = {.text = ""}, k;
	unsigned next = 0;
	for (unsigned n = 0; n < WR_RECEIPT_FIELDS_MAX - 1; n++) {
		if (*s != '"' || !(s = read_key(s + 1, &k))) return false;
		if (n > 0 && !ascending(&before, &k)) return false;
		if (next < ENVELOPE && is_envelope(next, &k))
			s = envelope_value(q, out, next++, s);
		else if ((k.head == HEAD_INCIDENT && k.len == 8 && *s != '"') ||
		         (k.head == HEAD_HASH && k.len == 4))
			return false;
		else
			s = any_value(s);
		if (!s || s > end) return false;
		if (s == end) return next == ENVELOPE;
		if (*s++ != ',') return false;
		before = k;
	}
	return false;
}

/* ---- the hash ---- */

static bool hash_is(const uint8_t hash[static WR_HASH_LEN], const char *said)
{
	char text[HEX];
	hex(text, hash);
	return memcmp(text, said, HEX) == 0;
}

bool wr_quick_check(wr_quick *q, wr_quick_line *out, char *line, size_t len, const char *hash_hex)
{
	if (len <= TAIL + 1 || len > WR_LINE_MAX) return false;
	char *comma = line + len - TAIL;
	if (line[0] != '{' || line[len - 1] != '}' || line[len - 2] != '"' ||
	    memcmp(comma, TAIL_KEY, sizeof TAIL_KEY - 1) != 0)
		return false;
	out->hash_hex = comma + sizeof TAIL_KEY - 1;
	out->prev_hex = hash_hex;
	if (!fields(q, out, line + 1, comma)) return false;
	char before = line[-1];
	line[-1] = '\0'; /* RFC 6962's prefix of a leaf */
	*comma = '}';
	wr_sha256(out->hash, line - 1, (size_t)(comma - line) + 2);
	line[-1] = before;
	*comma = ',';
	return hash_is(out->hash, out->hash_hex);
}
