/* fuzz_receipt.c: the scanner of receipt lines against the general canonical checker.
 *
 * The input is E; its hash is made right here, because no fuzzer finds one. What is accepted must
 * be canonical by the other checker, must be the same bytes when written anew, and every beginning
 * of it must be called a possible torn end; what follows a whole line must not. */
#include "fuzz.h"

#include <string.h>

#include "ledger/chain.h"
#include "warroom/json.h"

static void check_prefixes(const char *line, size_t len)
{
	size_t step = len > 2000 ? len / 500 : 1;
	for (size_t n = 0; n <= len; n += step) WR_ASSERT(wr_scan_prefix(line, n));
}

static void check_again(const wr_receipt *r, const char *e, size_t len)
{
	wr_err err;
	wr_buf again = WR_BUF_INIT(WR_LINE_MAX * 2);
	json_t *j = wr_receipt_json(r);
	WR_ASSERT(j);
	(void)json_object_del(j, "hash");
	int rc = wr_canon_write(&again, j, &err);
	WR_ASSERT(rc == 0 && again.len == len && memcmp(again.data, e, len) == 0);
	json_decref(j);
	wr_buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static wr_receipt r;
	wr_err err;
	uint8_t hash[WR_HASH_LEN];
	char hex[WR_HEX_LEN], text[64];
	wr_buf line = WR_BUF_INIT(WR_LINE_MAX * 2);
	const wr_line raw = {.text = (const char *)data, .len = size};
	(void)wr_receipt_parse(&r, (const char *)data, size, true, &err);
	(void)wr_tail_torn(&raw);
	if (size < 2 || size > WR_RECEIPT_MAX || data[size - 1] != '}') return 0;
	wr_leaf_hash(hash, data, size);
	wr_hex(hex, hash, WR_HASH_LEN);
	wr_buf_add(&line, data, size - 1);
	wr_buf_addf(&line, ",\"hash\":\"%s\"}", hex);
	if (wr_receipt_parse(&r, line.data, line.len, true, &err) == WR_RF_OK) {
		WR_ASSERT(wr_canon_check((const char *)data, size, &err) == 0);
		check_prefixes(line.data, line.len);
		check_again(&r, (const char *)data, size);
		for (size_t i = 0; i < r.field_count; i++)
			wr_scan_unescape(r.fields[i].raw, r.fields[i].raw_len, text,
			                 r.fields[i].raw[0] == '"' ? sizeof text : 0);
		wr_buf_addc(&line, 'J');
		WR_ASSERT(!wr_scan_prefix(line.data, line.len));
	}
	wr_buf_free(&line);
	return 0;
}
