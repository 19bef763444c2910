/* receipt.c: one receipt: checked and read; draft.c writes. The form is in scan.c; this file knows
 * the envelope. Pure. */
#include "warroom/receipt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/scan.h"
#include "warroom/clock.h"
#include "warroom/json.h"

/* ---- the envelope, read ---- */

static bool field_is(const wr_field *f, const char *key)
{
	size_t len = strlen(key);
	return f->key_len == len && memcmp(f->key, key, len) == 0;
}

static bool is_string(const wr_field *f)
{
	return f->raw_len >= 2 && f->raw[0] == '"';
}

static bool read_int(const wr_field *f, int64_t *out)
{
	size_t i = f->raw[0] == '-' ? 1 : 0;
	if (i == f->raw_len || f->raw[i] < '0' || f->raw[i] > '9') return false;
	int64_t value = 0;
	for (; i < f->raw_len; i++) value = value * 10 + (f->raw[i] - '0');
	*out = f->raw[0] == '-' ? -value : value;
	return true;
}

/* A string of plain characters within [1, size-1], copied. */
static bool read_plain(const wr_field *f, char *out, size_t size, bool (*ok)(char))
{
	if (!is_string(f) || f->raw_len < 3 || f->raw_len - 2 > size - 1) return false;
	for (size_t i = 1; i < f->raw_len - 1; i++)
		if (!ok(f->raw[i])) return false;
	memcpy(out, f->raw + 1, f->raw_len - 2);
	out[f->raw_len - 2] = '\0';
	return true;
}

static bool operation_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	       c == '-' || c == '.';
}

static bool chain_char(char c)
{
	return operation_char(c) || c == '/' || c == '@';
}

static bool uuid_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '-';
}

static bool read_uuid7(const wr_field *f, char out[static WR_UUID_LEN])
{
	if (!is_string(f) || f->raw_len != WR_UUID_LEN - 1 + 2) return false;
	if (!read_plain(f, out, WR_UUID_LEN, uuid_char)) return false;
	for (size_t i = 0; i < WR_UUID_LEN - 1; i++)
		if ((out[i] == '-') != (i == 8 || i == 13 || i == 18 || i == 23)) return false;
	return out[14] == '7' && (out[19] == '8' || out[19] == '9' || out[19] == 'a' || out[19] == 'b');
}

static int digits(const char *s, size_t n)
{
	int value = 0;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9') return -1;
		value = value * 10 + (s[i] - '0');
	}
	return value;
}

/* Days from 1970-01-01 in the Gregorian calendar (Howard Hinnant's days_from_civil). */
static int64_t days_from_civil(int year, int month, int day)
{
	int y = month <= 2 ? year - 1 : year;
	int era = y / 400, of_era = y - era * 400;
	int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return (int64_t)era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return month == 2 && leap ? 29 : days[month - 1];
}

/* The one form that a receipt's timestamp has: 2026-01-25T12:40:15.123456Z. */
static bool read_timestamp(const wr_field *f, int64_t *out)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd.ddddddZ";
	const char *s = f->raw + 1;
	if (!is_string(f) || f->raw_len != sizeof form - 1 + 2) return false;
	for (size_t i = 0; i < sizeof form - 1; i++)
		if (form[i] != 'd' && s[i] != form[i]) return false;
	int year = digits(s, 4), month = digits(s + 5, 2), day = digits(s + 8, 2);
	int hour = digits(s + 11, 2), minute = digits(s + 14, 2), second = digits(s + 17, 2);
	int micros = digits(s + 20, 6);
	if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
		return false;
	if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 ||
	    micros < 0)
		return false;
	*out = ((days_from_civil(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
	*out = *out * 1000000 + micros;
	return true;
}

/* Two for each receipt that is read: a table, for a fifth of the time of reading a ledger back. 16
 * marks a digit. */
static bool read_hash(const wr_field *f, uint8_t out[static WR_HASH_LEN])
{
	static const uint8_t digit[256] = {
	    ['0'] = 16, ['1'] = 17, ['2'] = 18, ['3'] = 19, ['4'] = 20, ['5'] = 21,
	    ['6'] = 22, ['7'] = 23, ['8'] = 24, ['9'] = 25, ['a'] = 26, ['b'] = 27,
	    ['c'] = 28, ['d'] = 29, ['e'] = 30, ['f'] = 31};
	if (!is_string(f) || f->raw_len != WR_HEX_LEN + 1) return false;
	const char *hex = f->raw + 1;
	unsigned all = 16;
	for (size_t i = 0; i < WR_HASH_LEN; i++) {
		uint8_t high = digit[(uint8_t)hex[2 * i]], low = digit[(uint8_t)hex[2 * i + 1]];
		all &= high & low;
		out[i] = (uint8_t)(high << 4 | (low & 15));
	}
	return all != 0;
}

static bool read_count(const wr_field *f, int64_t *out)
{
	return read_int(f, out) && *out >= 0;
}

/* Each required field: its bit, its name, its reader. */
#define ENVELOPE(X)                                                                                \
	X(ACTOR, "actor", is_string(f) && f->raw_len > 2)                                              \
	X(CHAIN, "chain", read_plain(f, r->chain, sizeof r->chain, chain_char))                        \
	X(EPOCH, "epoch", read_count(f, &r->epoch))                                                    \
	X(HASH, "hash", read_hash(f, r->hash))                                                         \
	X(OPERATION, "operation", read_plain(f, r->operation, sizeof r->operation, operation_char))    \
	X(PREV, "prev_hash", read_hash(f, r->prev_hash))                                               \
	X(ID, "receipt_id", read_uuid7(f, r->receipt_id))                                              \
	X(SEQ, "seq", read_count(f, &r->seq))                                                          \
	X(TIMESTAMP, "timestamp", read_timestamp(f, &r->timestamp_us))                                 \
	X(V, "v", f->raw_len == 1 && f->raw[0] == '1')

enum {
#define X(id, name, read) ENV_##id,
	ENVELOPE(X)
#undef X
	    ENV_COUNT
};
static const char *const envelope_names[] = {
#define X(id, name, read) name,
    ENVELOPE(X)
#undef X
};

/* The bit of an envelope field, ENV_COUNT for any other; *ok says whether it has its form. */
static unsigned read_envelope_field(wr_receipt *r, const wr_field *f, bool *ok)
{
	*ok = true;
#define X(id, name, read)                                                                          \
	if (field_is(f, name)) {                                                                       \
		*ok = (read);                                                                              \
		return ENV_##id;                                                                           \
	}
	ENVELOPE(X)
#undef X
	if (field_is(f, "incident")) *ok = is_string(f);
	return ENV_COUNT;
}

static bool read_envelope(wr_receipt *r, wr_err *err)
{
	unsigned seen = 0;
	for (size_t i = 0; i < r->field_count; i++) {
		const wr_field *f = &r->fields[i];
		bool ok;
		seen |= 1u << read_envelope_field(r, f, &ok);
		if (ok) continue;
		(void)wr_fail(err, WR_E_CORRUPT, "byte %zu: \"%.*s\" has not its form",
		              (size_t)(f->raw - r->line), (int)f->key_len, f->key);
		return false;
	}
	for (unsigned i = 0; i < ENV_COUNT; i++) {
		if (seen & 1u << i) continue;
		(void)wr_fail(err, WR_E_CORRUPT, "byte 0: \"%s\" is missing", envelope_names[i]);
		return false;
	}
	return true;
}

wr_receipt_fault wr_receipt_parse(wr_receipt *out, const char *line, size_t len, bool check_hash,
                                  wr_err *err)
{
	wr_scan scan;
	out->line = line;
	out->len = len;
	if (!wr_scan_line(line, len, out->fields, &scan)) {
		(void)wr_fail(err, WR_E_CORRUPT, "byte %zu: %s", scan.at, scan.why);
		return WR_RF_NOT_CANONICAL;
	}
	out->field_count = scan.count;
	if (scan.hash_at + 1 > WR_RECEIPT_MAX) {
		(void)wr_fail(err, WR_E_CORRUPT, "byte %zu: longer than a receipt may be", scan.hash_at);
		return WR_RF_NOT_CANONICAL;
	}
	if (!read_envelope(out, err)) return WR_RF_ENVELOPE;
	if (!check_hash) return WR_RF_OK;
	uint8_t hash[WR_HASH_LEN];
	wr_scan_leaf(hash, line, len);
	if (memcmp(hash, out->hash, WR_HASH_LEN) == 0) return WR_RF_OK;
	char expected[WR_HEX_LEN], found[WR_HEX_LEN];
	wr_hex(expected, hash, WR_HASH_LEN);
	wr_hex(found, out->hash, WR_HASH_LEN);
	(void)wr_fail(err, WR_E_CORRUPT, "byte %zu: the hash of the content is %s, stored is %s",
	              scan.hash_at + 1, expected, found);
	return WR_RF_HASH;
}

const wr_field *wr_receipt_field(const wr_receipt *r, const char *key)
{
	for (size_t i = 0; i < r->field_count; i++)
		if (field_is(&r->fields[i], key)) return &r->fields[i];
	return NULL;
}

bool wr_receipt_str(const wr_receipt *r, const char *key, char *out, size_t size)
{
	const wr_field *f = wr_receipt_field(r, key);
	if (size) out[0] = '\0';
	if (!f || !is_string(f)) return false;
	wr_scan_unescape(f->raw, f->raw_len, out, size);
	return true;
}

int64_t wr_receipt_int(const wr_receipt *r, const char *key, int64_t dflt)
{
	const wr_field *f = wr_receipt_field(r, key);
	int64_t value;
	return f && read_int(f, &value) ? value : dflt;
}

bool wr_receipt_bool(const wr_receipt *r, const char *key, bool dflt)
{
	const wr_field *f = wr_receipt_field(r, key);
	if (!f || (f->raw[0] != 't' && f->raw[0] != 'f')) return dflt;
	return f->raw[0] == 't';
}

json_t *wr_receipt_json(const wr_receipt *r)
{
	wr_err err;
	return wr_json_parse(r->line, r->len, &err);
}
