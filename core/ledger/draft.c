/* draft.c: receipts, written. See draft.h. */
#include "ledger/draft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/scan.h"
#include "warroom/clock.h"
#include "warroom/json.h"

#define DIGITS_MAX 16 /* of a seq up to 2^53-1 */
#define PREV_LEN   (WR_HEX_LEN - 1)
#define ID_LEN     (WR_UUID_LEN - 1)
#define TIME_LEN   (WR_TIME_LEN - 1)

/* In the places until the chain says better: they have the right form, so that the whole can be
 * checked as a receipt. */
static const char no_hash[] = "0000000000000000000000000000000000000000000000000000000000000000";
static const char no_id[] = "00000000-0000-7000-8000-000000000000";
static const char no_time[] = "1970-01-01T00:00:00.000000Z";

typedef struct out_field {
	const char *key;
	const json_t *value; /* from the draft, or NULL: */
	const char *text;    /* an envelope string, or NULL: */
	int64_t number;
	size_t *at; /* gets where the value begins, after the quote if it is a string */
} out_field;

static int by_key(const void *a, const void *b)
{
	return strcmp(((const out_field *)a)->key, ((const out_field *)b)->key);
}

static bool key_ok(const char *key)
{
	for (const char *p = key; *p; p++)
		if (*p < 0x20 || *p > 0x7e || *p == '"' || *p == '\\') return false;
	return true;
}

static int check_field(const char *key, const json_t *value, wr_err *err)
{
	static const char *const own[] = {"chain",      "epoch", "hash",      "prev_hash",
	                                  "receipt_id", "seq",   "timestamp", "v"};
	if (!key_ok(key))
		return wr_fail(err, WR_E_INVALID, "receipt: a field's name is not printable ASCII");
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (strcmp(key, own[i]) == 0)
			return wr_fail(err, WR_E_INVALID, "receipt: \"%s\" is the envelope's", key);
	if (json_is_integer(value)) {
		json_int_t n = json_integer_value(value);
		if (n > WR_INT_MAX_SAFE || n < -WR_INT_MAX_SAFE)
			return wr_fail(err, WR_E_INVALID, "receipt: \"%s\" is beyond 2^53-1", key);
		return 0;
	}
	if (json_is_string(value) || json_is_boolean(value)) return 0;
	return wr_fail(err, WR_E_INVALID, "receipt: \"%s\" is no string, integer or boolean", key);
}

/* The draft's own fields, after the envelope's that are there already. */
static int collect(out_field *fields, size_t *count, const json_t *draft, wr_err *err)
{
	/* jansson's iterators want a mutable object, though they change nothing. */
	union {
		const json_t *given;
		json_t *taken;
	} as = {.given = draft};
	/* one more is the hash */
	if (json_object_size(draft) + *count + 1 > WR_RECEIPT_FIELDS_MAX)
		return wr_fail(err, WR_E_LIMIT, "receipt: more than %d fields", WR_RECEIPT_FIELDS_MAX);
	for (void *it = json_object_iter(as.taken); it; it = json_object_iter_next(as.taken, it)) {
		const char *key = json_object_iter_key(it);
		const json_t *value = json_object_iter_value(it);
		if (check_field(key, value, err)) return -1;
		fields[(*count)++] = (out_field){.key = key, .value = value};
	}
	/* Nearly sorted and few: inserting beats qsort's calls. */
	for (size_t i = 1; i < *count; i++) {
		out_field f = fields[i];
		size_t at = i;
		for (; at > 0 && by_key(&fields[at - 1], &f) > 0; at--) fields[at] = fields[at - 1];
		fields[at] = f;
	}
	return 0;
}

static size_t put_digits(char *out, int64_t value)
{
	char reversed[24];
	size_t n = 0, len = 0;
	uint64_t left = value < 0 ? (uint64_t)-value : (uint64_t)value;
	do reversed[n++] = (char)('0' + left % 10);
	while (left /= 10);
	if (value < 0) out[len++] = '-';
	while (n) out[len++] = reversed[--n];
	return len;
}

static void put_field(wr_buf *b, const out_field *f)
{
	char digits[24];
	wr_canon_str(b, f->key, strlen(f->key));
	wr_buf_addc(b, ':');
	if (f->at) *f->at = b->len + (f->text ? 1 : 0);
	if (f->text)
		wr_canon_str(b, f->text, strlen(f->text));
	else if (!f->value)
		wr_buf_add(b, digits, put_digits(digits, f->number));
	else if (json_is_string(f->value))
		wr_canon_str(b, json_string_value(f->value), json_string_length(f->value));
	else if (json_is_integer(f->value))
		wr_buf_add(b, digits, put_digits(digits, json_integer_value(f->value)));
	else
		wr_buf_adds(b, json_is_true(f->value) ? "true" : "false");
}

/* What we write is what we accept: an actor or operation of the wrong form stops here. `whole` is
 * E with a seq. */
static int check_whole(const wr_buf *whole, wr_draft *out, wr_err *err)
{
	char line[WR_LINE_MAX + 1];
	wr_receipt check;
	wr_err why = {0};
	memcpy(line, whole->data, whole->len - 1);
	int n =
	    snprintf(line + whole->len - 1, sizeof line - whole->len + 1, ",\"hash\":\"%s\"}", no_hash);
	if (wr_receipt_parse(&check, line, whole->len - 1 + (size_t)n, false, &why) != WR_RF_OK)
		return wr_fail(err, WR_E_INVALID, "receipt: %s", why.msg);
	static const char *const ends[] = {"operation_completed", "operation_rolled_back",
	                                   "operation_aborted", "operation_failed"};
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		out->ends = out->ends || strcmp(check.operation, ends[i]) == 0;
	return 0;
}

static int make(wr_draft *out, const char *actor, const char *chain, int64_t epoch, int64_t seq,
                const json_t *draft, wr_err *err)
{
	char digits[24];
	*out = (wr_draft){0};
	if (!json_is_object(draft) || !json_is_string(json_object_get(draft, "operation")))
		return wr_fail(err, WR_E_INVALID, "receipt: a draft is an object with an operation");
	out_field fields[WR_RECEIPT_FIELDS_MAX] = {
	    {.key = "actor", .text = actor},
	    {.key = "chain", .text = chain},
	    {.key = "epoch", .number = epoch},
	    {.key = "prev_hash", .text = no_hash, .at = &out->prev_at},
	    {.key = "receipt_id", .text = no_id, .at = &out->id_at},
	    {.key = "seq", .number = seq, .at = &out->seq_at},
	    {.key = "timestamp", .text = no_time, .at = &out->time_at},
	    {.key = "v", .number = 1},
	};
	size_t count = 8;
	if (json_object_get(draft, "actor")) memmove(fields, fields + 1, --count * sizeof *fields);
	if (collect(fields, &count, draft, err)) return -1;
	wr_buf b = WR_BUF_INIT(WR_LINE_MAX * 8);
	(void)wr_buf_reserve(&b, 1000);
	for (size_t i = 0; i < count; i++) {
		wr_buf_addc(&b, i == 0 ? '{' : ',');
		put_field(&b, &fields[i]);
	}
	wr_buf_addc(&b, '}');
	int rc = 0;
	if (!wr_buf_ok(&b))
		rc = wr_fail(err, WR_E_NOMEM, "receipt: no room to write it");
	else if (b.len > WR_RECEIPT_MAX)
		rc = wr_fail(err, WR_E_LIMIT, "receipt: larger than 60 KiB");
	else
		rc = check_whole(&b, out, err);
	if (rc) {
		wr_buf_free(&b);
		return -1;
	}
	size_t len = put_digits(digits, seq), after = out->seq_at + len;
	memmove(b.data + out->seq_at, b.data + after, b.len - after);
	out->len = b.len - len;
	out->time_at -= len;
	out->text = wr_buf_take(&b);
	return 0;
}

int wr_draft_make(wr_draft *out, const char *actor, const char *chain, int64_t epoch,
                  const json_t *draft, wr_err *err)
{
	return make(out, actor, chain, epoch, WR_INT_MAX_SAFE, draft, err);
}

void wr_draft_free(wr_draft *d)
{
	free(d->text);
	d->text = NULL;
}

size_t wr_draft_room(const wr_draft *d)
{
	return d->len + DIGITS_MAX + WR_HASH_TAIL + 1;
}

size_t wr_draft_write(const wr_draft *d, const wr_link *link, char *out,
                      uint8_t hash[static WR_HASH_LEN])
{
	static const char tail[] = ",\"hash\":\"";
	char hex[WR_HEX_LEN];
	WR_ASSERT(d->text);
	wr_hex(hex, link->prev_hash, WR_HASH_LEN);
	memcpy(out, d->text, d->seq_at);
	memcpy(out + d->prev_at, hex, PREV_LEN);
	memcpy(out + d->id_at, link->receipt_id, ID_LEN);
	size_t digits = put_digits(out + d->seq_at, link->seq), len = d->len + digits;
	memcpy(out + d->seq_at + digits, d->text + d->seq_at, d->len - d->seq_at);
	memcpy(out + d->time_at + digits, link->time, TIME_LEN);
	wr_leaf_hash(hash, out, len);
	wr_hex(hex, hash, WR_HASH_LEN);
	char *end = out + len - 1;
	memcpy(end, tail, sizeof tail - 1);
	memcpy(end + sizeof tail - 1, hex, PREV_LEN);
	end += sizeof tail - 1 + PREV_LEN;
	end[0] = '"';
	end[1] = '}';
	end[2] = '\n';
	return len - 1 + WR_HASH_TAIL + 2;
}

int wr_receipt_write(wr_buf *line, uint8_t hash_out[static WR_HASH_LEN], const wr_envelope *env,
                     const json_t *draft, wr_err *err)
{
	wr_draft d;
	wr_receipt check;
	wr_err why = {0};
	char time[WR_TIME_LEN];
	wr_time_format(time, env->timestamp_us);
	if (env->seq < 0 || env->seq > WR_INT_MAX_SAFE || strlen(time) != TIME_LEN ||
	    strlen(env->receipt_id) != ID_LEN)
		return wr_fail(err, WR_E_INVALID, "receipt: no seq, time or id that a receipt can have");
	if (make(&d, env->actor, env->chain, env->epoch, env->seq, draft, err)) return -1;
	int rc = 0;
	size_t start = line->len;
	if (!wr_buf_reserve(line, wr_draft_room(&d))) {
		rc = wr_fail(err, WR_E_NOMEM, "receipt: no room to write it");
	} else {
		const wr_link link = {.seq = env->seq,
		                      .time = time,
		                      .receipt_id = env->receipt_id,
		                      .prev_hash = env->prev_hash};
		line->len += wr_draft_write(&d, &link, line->data + start, hash_out);
		if (wr_receipt_parse(&check, line->data + start, line->len - start - 1, false, &why) !=
		    WR_RF_OK) {
			line->len = start;
			rc = wr_fail(err, WR_E_INVALID, "receipt: %s", why.msg);
		}
		line->data[line->len] = '\0';
	}
	wr_draft_free(&d);
	return rc;
}
