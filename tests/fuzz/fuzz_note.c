/* fuzz_note.c: signed notes, checkpoints and verifier keys.
 *
 * What parses must stay within its bounds, must be the same when its lines are written anew, and is
 * signed by nobody whose key we have: a key of our own never verifies on it. */
#include "fuzz.h"

#include <string.h>

#include "warroom/note.h"

static void check_key(const char *text)
{
	wr_note_key k;
	wr_err err;
	wr_buf again = WR_BUF_INIT(1024);
	if (wr_note_key_parse(&k, text, &err)) return;
	wr_note_key_format(&again, &k);
	WR_ASSERT(wr_buf_ok(&again) && strcmp(again.data, text) == 0);
	wr_buf_free(&again);
}

static void check_checkpoint(const char *text, size_t len)
{
	wr_checkpoint c, back;
	wr_err err;
	wr_buf again = WR_BUF_INIT(1024);
	if (wr_checkpoint_parse(&c, text, len, &err)) return;
	WR_ASSERT(c.size >= 0);
	wr_checkpoint_format(&again, &c);
	/* Extension lines may follow. */
	WR_ASSERT(wr_buf_ok(&again) && again.len <= len && memcmp(again.data, text, again.len) == 0);
	int rc = wr_checkpoint_parse(&back, again.data, again.len, &err);
	WR_ASSERT(rc == 0 && back.size == c.size && strcmp(back.origin, c.origin) == 0);
	wr_buf_free(&again);
}

static void check_note(const wr_note *n, const char *data, size_t len)
{
	const char *end = data + len;
	wr_buf again = WR_BUF_INIT(2 * WR_NOTE_MAX);
	WR_ASSERT(n->text == data && n->text_len > 0 && n->text + n->text_len < end);
	WR_ASSERT(n->text[n->text_len - 1] == '\n' && n->text[n->text_len] == '\n');
	WR_ASSERT(n->sig_count > 0 && n->sig_count <= WR_NOTE_SIGS_MAX);
	bool whole = true;
	wr_buf_add(&again, n->text, n->text_len);
	wr_buf_addc(&again, '\n');
	for (size_t i = 0; i < n->sig_count; i++) {
		const wr_note_sig *s = &n->sigs[i];
		uint8_t raw[4 + sizeof s->data];
		WR_ASSERT(s->len > 0 && *s->name);
		if (s->len > sizeof s->data) {
			whole = false;
			break;
		}
		memcpy(raw, s->id, 4);
		memcpy(raw + 4, s->data, s->len);
		wr_buf_addf(&again, "\xe2\x80\x94 %s ", s->name);
		wr_base64(&again, raw, 4 + s->len);
		wr_buf_addc(&again, '\n');
	}
	WR_ASSERT(!whole || (again.len == len && memcmp(again.data, data, len) == 0));
	wr_buf_free(&again);
}

static void check_signatures(const wr_note *n)
{
	static const uint8_t key[WR_ED25519_PUBLIC] = {0x1a, 0x5c, 0xd9, 0x07, 0x14, 0x3c, 0x38, 0x4c,
	                                               0x41, 0xe8, 0x30, 0xc5, 0xbc, 0xe1, 0x2a, 0xa8,
	                                               0x81, 0x7e, 0xc5, 0x64, 0x9a, 0xaa, 0xbf, 0x2c,
	                                               0x31, 0x38, 0x8b, 0x35, 0xb2, 0xd7, 0x44, 0xd6};
	wr_err err;
	for (size_t i = 0; i < n->sig_count; i++) {
		wr_note_key k;
		int64_t time;
		for (int alg = WR_NOTE_ED25519; alg <= WR_NOTE_COSIGNATURE; alg += 3)
			if (wr_note_key_make(&k, n->sigs[i].name, (wr_note_alg)alg, key, &err) == 0)
				WR_ASSERT(wr_note_verify(n, &k, &time, &err) != 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static wr_note n;
	wr_err err;
	wr_buf text = WR_BUF_INIT(2 * WR_NOTE_MAX);
	wr_buf_add(&text, data, size);
	if (!wr_buf_ok(&text)) {
		wr_buf_free(&text);
		return 0;
	}
	check_key(wr_buf_cstr(&text));
	check_checkpoint(wr_buf_cstr(&text), size);
	if (wr_note_parse(&n, wr_buf_cstr(&text), size, &err) == 0) {
		check_note(&n, text.data, size);
		check_checkpoint(n.text, n.text_len);
		check_signatures(&n);
	}
	wr_buf_free(&text);
	return 0;
}
