/* fuzz_proof.c: proof files and lists of trusted keys: what parses is the same when written anew,
 * and without a key that signed it nothing is proven. */
#include "fuzz.h"

#include <string.h>

#include "warroom/proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static wr_proof_doc doc;
	static wr_proven proven;
	wr_trusted keys[WR_TRUSTED_MAX];
	size_t count;
	wr_err err = {0};
	wr_buf text = WR_BUF_INIT(2 * WR_PROOF_MAX);
	wr_buf_add(&text, data, size);
	if (!wr_buf_ok(&text)) {
		wr_buf_free(&text);
		return 0;
	}
	if (wr_trusted_parse(keys, &count, wr_buf_cstr(&text), &err) == 0)
		WR_ASSERT(count > 0 && count <= WR_TRUSTED_MAX);
	if (wr_proof_parse(&doc, wr_buf_cstr(&text), size, &err) == 0) {
		wr_buf again = WR_BUF_INIT(WR_PROOF_MAX);
		wr_proof_format(&again, &doc);
		WR_ASSERT(wr_buf_ok(&again) && again.len == size && memcmp(again.data, data, size) == 0);
		wr_buf_free(&again);
		WR_ASSERT(wr_proof_check(&doc, NULL, 0, &proven, &err) != 0 && *err.msg);
		wr_proof_doc_free(&doc);
	}
	wr_buf_free(&text);
	return 0;
}
