/* attest.c: checkpoints compared with the tree of what is there. See attest.h. */
#include "ledger/attest.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ledger/check.h"
#include "warroom/io.h"

#define SIGNATURES_FIRST 64   /* some milliseconds */
#define SIGNATURE_EVERY  4096 /* receipts: beside so many hashes one signature is little */

void wr_attest_begin(wr_check *c, const char *ledger_dir, const uint8_t *pinned, bool need_key)
{
	wr_attest *a = &c->attest;
	wr_err err = {0};
	*a = (wr_attest){.last = -1, .known = true, .need_key = need_key};
	wr_buf_init(&a->pending_note, WR_NOTE_MAX + 1);
	wr_range_init(&a->tree, 0);
	a->have_key = true;
	if (pinned)
		memcpy(a->key, pinned, sizeof a->key);
	else if (wr_engine_pub_read(ledger_dir, a->key, &err)) {
		a->have_key = false;
		(void)snprintf(a->no_key, sizeof a->no_key, "%.190s", err.msg);
	}
}

void wr_attest_free(wr_attest *a)
{
	wr_buf_free(&a->pending_note);
}

/* An origin is "<prefix>/<chain>". */
static bool is_of_chain(const char *origin, const char *chain)
{
	size_t whole = strlen(origin), len = strlen(chain);
	return whole > len + 1 && origin[whole - len - 1] == '/' &&
	       strcmp(origin + whole - len, chain) == 0;
}

static int open_note(const wr_check *c, const char *note, size_t len, wr_checkpoint *out,
                     wr_err *err)
{
	if (wr_checkpoint_open(out, note, len, NULL, c->attest.key, err)) return -1;
	if (*c->chain && !is_of_chain(out->origin, c->chain))
		return wr_fail(err, WR_E_INVALID, "a checkpoint of another log, %.100s", out->origin);
	return 0;
}

static void say_no_key(wr_check *c, const wr_attest_place *at)
{
	wr_attest *a = &c->attest;
	a->unchecked++;
	if (!a->need_key) return;
	a->need_key = false; /* once */
	wr_check_aside(c, WR_AN_CORRUPT, at,
	               "expected the engine's public key, to verify checkpoints with, found: %s",
	               a->no_key);
}

int wr_attest_read(wr_buf *note, const char *chain_dir, wr_err *err)
{
	char path[PATH_MAX];
	struct stat st;
	if (wr_path_join(path, sizeof path, chain_dir, WR_CHECKPOINT_NAME, err)) return -1;
	if (stat(path, &st)) return 0;
	return wr_read_file(note, path, WR_NOTE_MAX, WR_ANY, err) ? -1 : 1;
}

void wr_attest_file(wr_check *c, const wr_buf *note, const wr_err *err)
{
	wr_attest *a = &c->attest;
	wr_err why = *err;
	const wr_attest_place at = {.seq = -1, .line = 1};
	wr_chain_check_file(c, WR_CHECKPOINT_NAME, -1);
	if (why.code == WR_E_OK && !a->have_key)
		say_no_key(c, &at);
	else if (why.code != WR_E_OK || open_note(c, note->data, note->len, &a->file, &why))
		wr_check_aside(c, WR_AN_CORRUPT, &at, "expected a signed checkpoint, found: %s", why.msg);
	else
		a->have_file = true;
}

/* ---- roots ---- */

/* True: the receipts so far are those that were signed. */
static bool root_holds(wr_check *c, const wr_checkpoint *cp, const wr_attest_place *at)
{
	wr_attest *a = &c->attest;
	uint8_t root[WR_HASH_LEN];
	char expected[WR_HEX_LEN], found[WR_HEX_LEN];
	if (!a->known || a->tree.begin != 0 || a->tree.end != cp->size) {
		a->unchecked++;
		return false;
	}
	wr_range_root(&a->tree, root);
	if (memcmp(root, cp->root, WR_HASH_LEN) == 0) {
		a->checkpoints++;
		return true;
	}
	a->known = false;
	if (a->diverged || c->damaged) return false; /* said */
	a->diverged = true;
	wr_hex(expected, cp->root, WR_HASH_LEN);
	wr_hex(found, root, WR_HASH_LEN);
	c->report->forks++;
	wr_check_anomaly(c, WR_AN_FORK, at->seq, at->line, at->byte,
	                 "another history than was signed, from seq %lld on at the earliest: expected "
	                 "root %.16s of %lld receipts, found %.16s",
	                 (long long)a->last + 1, expected, (long long)cp->size, found);
	return false;
}

static void attested(wr_attest *a, int64_t size)
{
	a->signatures++;
	a->signed_size = size;
	if (size - 1 > a->last) a->last = size - 1;
	if (a->pending && a->pending_size <= size) a->pending = false;
}

/* The file's place is met between two receipts. */
void wr_attest_here(wr_check *c)
{
	wr_attest *a = &c->attest;
	char file[sizeof c->file];
	if (!a->have_file || !a->known || a->tree.end != a->file.size || a->tree.begin != 0) return;
	const wr_attest_place at = {.seq = a->file.size - 1, .line = 1};
	memcpy(file, c->file, sizeof file);
	(void)snprintf(c->file, sizeof c->file, "%s", WR_CHECKPOINT_NAME);
	a->have_file = false;
	if (root_holds(c, &a->file, &at)) attested(a, a->file.size);
	memcpy(c->file, file, sizeof file);
}

/* ---- receipts ---- */

static bool agrees(const wr_receipt *r, const wr_checkpoint *cp)
{
	char root[WR_HEX_LEN + 1], expected[WR_HEX_LEN];
	wr_hex(expected, cp->root, WR_HASH_LEN);
	return wr_receipt_int(r, "size", -1) == cp->size &&
	       wr_receipt_str(r, "root", root, sizeof root) && strcmp(root, expected) == 0;
}

static bool leave_out(const wr_attest *a, int64_t seq)
{
	return !a->each && a->signatures >= SIGNATURES_FIRST && seq - a->signed_size < SIGNATURE_EVERY;
}

static int read_unsigned(const wr_check *c, const char *note, size_t len, wr_checkpoint *out,
                         wr_err *err)
{
	wr_note n;
	if (wr_note_parse(&n, note, len, err) || wr_checkpoint_parse(out, n.text, n.text_len, err))
		return -1;
	return is_of_chain(out->origin, c->chain) ? 0 : wr_fail(err, WR_E_INVALID, "of another log");
}

void wr_attest_receipt(wr_check *c, const wr_receipt *r, int64_t line, int64_t byte)
{
	wr_attest *a = &c->attest;
	const wr_attest_place at = {.seq = r->seq, .line = line, .byte = byte};
	char note[WR_NOTE_MAX + 1];
	wr_checkpoint cp;
	wr_err err = {0};
	const wr_field *f = wr_receipt_field(r, "checkpoint");
	note[0] = '\0';
	if (!a->have_key) {
		say_no_key(c, &at);
		return;
	}
	if (!f || f->raw_len > sizeof note || !wr_receipt_str(r, "checkpoint", note, sizeof note))
		note[0] = '\0';
	size_t len = strlen(note);
	bool later = leave_out(a, r->seq);
	if (later ? read_unsigned(c, note, len, &cp, &err) : open_note(c, note, len, &cp, &err)) {
		if (later)
			a->again = true;
		else
			wr_check_aside(c, WR_AN_CORRUPT, &at,
			               "expected a checkpoint signed by the engine, found: %s", err.msg);
		return;
	}
	if (!agrees(r, &cp)) {
		wr_check_aside(c, WR_AN_CORRUPT, &at,
		               "expected the size and the root of the checkpoint, found others");
		return;
	}
	if (cp.size != r->seq) {
		if (a->diverged || c->damaged) return;
		a->diverged = true;
		a->known = false;
		c->report->forks++;
		wr_check_anomaly(c, WR_AN_FORK, r->seq, line, byte,
		                 "another history than was signed: expected %lld receipts before this "
		                 "checkpoint, found %lld",
		                 (long long)cp.size, (long long)r->seq);
		return;
	}
	if (!root_holds(c, &cp, &at)) return;
	if (!later) {
		attested(a, cp.size);
		return;
	}
	wr_buf_reset(&a->pending_note);
	wr_buf_add(&a->pending_note, note, len);
	a->pending = true;
	a->pending_size = cp.size;
}

void wr_attest_end(wr_check *c)
{
	wr_attest *a = &c->attest;
	wr_checkpoint cp;
	wr_err err;
	wr_attest_here(c);
	if (!a->pending) return;
	if (open_note(c, wr_buf_cstr(&a->pending_note), a->pending_note.len, &cp, &err) == 0)
		attested(a, a->pending_size);
	else
		a->again = true;
}
