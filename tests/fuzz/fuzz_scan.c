/* fuzz_scan.c: the quick look at a receipt line against the reference scanner: they accept the same
 * lines and read the same from them.
 *
 * Input: the fields of a receipt, without braces, hash and chain's luck: it is tried as it is, as a
 * whole line, and once more with a right hash put behind it. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "ledger/quick.h"
#include "ledger/scan.h"
#include "warroom/receipt.h"

#define CHAIN "us-central1/ops"

static uint64_t number(const char *hex, size_t n)
{
	uint64_t value = 0;
	for (; n > 0; hex++) {
		if (*hex == '-') continue;
		value = value << 4 | (uint64_t)(*hex <= '9' ? *hex - '0' : *hex - 'a' + 10);
		n--;
	}
	return value;
}

static void compare(const wr_quick_line *l, const wr_receipt *r)
{
	uint8_t prev[WR_HASH_LEN];
	int bad = wr_unhex(prev, sizeof prev, l->prev_hex, WR_HEX_LEN - 1);
	WR_ASSERT(bad == 0 && memcmp(prev, r->prev_hash, sizeof prev) == 0);
	WR_ASSERT(memcmp(l->hash, r->hash, WR_HASH_LEN) == 0);
	WR_ASSERT(l->seq == r->seq && l->epoch == r->epoch);
	WR_ASSERT(l->other_chain == (strcmp(r->chain, CHAIN) != 0));
	WR_ASSERT(l->id_high == number(r->receipt_id, 16) &&
	          l->id_low == number(r->receipt_id + 19, 16));
	bool checkpoint = strcmp(r->operation, "checkpoint_signed") == 0;
	WR_ASSERT(l->checkpoint == checkpoint);
	WR_ASSERT(l->notable == (checkpoint || strcmp(r->operation, "approval_recorded") == 0 ||
	                         strcmp(r->operation, "step_intent") == 0 ||
	                         strcmp(r->operation, "step_ruled") == 0));
}

static void look(wr_quick *q, const char *line, size_t len)
{
	wr_receipt r;
	wr_quick_line l = {0};
	wr_err err;
	char *copy = malloc(1 + len + WR_QUICK_SLACK);
	if (!copy) return;
	copy[0] = '\n';
	memcpy(copy + 1, line, len);
	memset(copy + 1 + len, 'x', WR_QUICK_SLACK);
	bool good = wr_receipt_parse(&r, line, len, true, &err) == WR_RF_OK;
	WR_ASSERT(wr_quick_check(q, &l, copy + 1, len, NULL) == good);
	WR_ASSERT(copy[0] == '\n' && memcmp(copy + 1, line, len) == 0);
	if (good) compare(&l, &r);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	wr_quick fresh = {.chain = CHAIN, .chain_len = sizeof CHAIN - 1}, used = fresh;
	uint8_t hash[WR_HASH_LEN];
	char hex[WR_HEX_LEN];
	if (size > WR_RECEIPT_MAX) return 0;
	look(&fresh, (const char *)data, size);
	wr_buf line = WR_BUF_INIT(2 * WR_LINE_MAX);
	wr_buf_addc(&line, '{');
	wr_buf_add(&line, data, size);
	wr_buf_addc(&line, '}');
	if (!wr_buf_ok(&line)) return 0;
	wr_leaf_hash(hash, line.data, line.len);
	wr_hex(hex, hash, WR_HASH_LEN);
	line.len--;
	wr_buf_addf(&line, ",\"hash\":\"%s\"}", hex);
	look(&fresh, line.data, line.len);
	/* What is remembered of one line must not matter for the next. */
	look(&used, line.data, line.len);
	look(&used, line.data, line.len);
	look(&fresh, line.data, line.len);
	wr_buf_free(&line);
	return 0;
}
