/* jsontext.h: the tokens, shared by the tokenizer and the canonicalisers. */
#ifndef WARROOM_BASE_JSONTEXT_H
#define WARROOM_BASE_JSONTEXT_H

#include "warroom/jsontext.h"

typedef struct jt_node {
	uint8_t kind;
	bool excluded, cut;           /* cut: something below it is excluded */
	bool key_decoded;             /* the key's text is in `decoded`, not in the text */
	uint32_t start, end;          /* of the value, in the text */
	uint32_t key_start;           /* of the key's opening quote; == start without a key */
	uint32_t key_off, key_len;    /* the key's meaning */
	uint32_t next, parent, count; /* next sibling */
} jt_node;

struct wr_jt {
	const char *text;
	uint32_t len;
	jt_node *nodes;
	uint32_t count, cap;
	wr_buf decoded;
	uint32_t *order; /* a stack of node numbers being sorted */
	size_t order_count, order_cap;
};

const char *jt_key(const wr_jt *j, const jt_node *n);
/* jt_decode appends what the string between its quotes means; surrogates that have no partner are
 * written as three bytes each (WTF-8), and *lone says so. */
void jt_decode(const char *s, size_t n, wr_buf *out, bool *lone);

#endif
