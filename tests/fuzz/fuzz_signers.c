/* fuzz_signers.c: no allowed_signers file crashes the parser, and each entry it makes is usable. */
#include "fuzz.h"

#include <string.h>

#include "warroom/limits.h"
#include "warroom/sshsig.h"
#include "warroom/text.h"

#define NEVER INT64_MAX

static void check_entry(const wr_signers *s, const wr_signer *signer)
{
	wr_err err;
	WR_ASSERT(wr_name_ok(signer->principal));
	WR_ASSERT(strpbrk(signer->principal, "*?!,") == NULL);
	WR_ASSERT(signer->line > 0);
	WR_ASSERT(signer->any_namespace == (signer->namespaces[0] == '\0'));
	WR_ASSERT(signer->valid_after_us >= 0 && signer->valid_before_us >= 0);
	WR_ASSERT(signer->valid_before_us == 0 || signer->valid_before_us > signer->valid_after_us);
	const wr_signer *found = wr_signers_find(s, signer->principal, &signer->key, WR_NS_APPROVAL,
	                                         signer->valid_after_us, &err);
	WR_ASSERT(found == NULL || strcmp(found->principal, signer->principal) == 0);
	WR_ASSERT(found != NULL || !signer->any_namespace);
	if (signer->valid_before_us != 0)
		(void)wr_signers_find(s, signer->principal, &signer->key, WR_NS_APPROVAL, NEVER, &err);
	const wr_signer *other = wr_signers_same_key(s, &signer->key, signer->principal);
	WR_ASSERT(other == NULL || strcmp(other->principal, signer->principal) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	wr_signers s;
	wr_err err = {.code = WR_E_OK};
	if (wr_signers_parse(&s, (const char *)data, size, "signers", &err) != 0) {
		WR_ASSERT(err.code != WR_E_OK && strncmp(err.msg, "signers:", 8) == 0);
		WR_ASSERT(s.items == NULL && s.count == 0);
		return 0;
	}
	WR_ASSERT(s.count <= WR_MAX_SIGNERS);
	for (size_t i = 0; i < s.count && i < 16; i++) check_entry(&s, &s.items[i]);
	wr_signers_free(&s);
	return 0;
}
