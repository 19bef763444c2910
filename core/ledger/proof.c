/* proof.c: proofs as files, and what they prove. See proof.h. Pure. */
#include "warroom/proof.h"

#include <string.h>

#include "ledger/proof_in.h"
#include "ledger/scan.h"
#include "warroom/sshsig.h"
#include "warroom/text.h"

static const struct {
	const char *first, *number;
} forms[] = {[WR_PROOF_INCLUSION] = {"c2sp.org/tlog-proof@v1", "index "},
             [WR_PROOF_CONSISTENCY] = {"warroom/consistency-proof@v1", "old "}};
static const char extra_word[] = "extra ";

void wr_proof_doc_init(wr_proof_doc *d, wr_proof_kind kind)
{
	*d = (wr_proof_doc){.kind = kind};
	wr_buf_init(&d->extra, WR_LINE_MAX);
	wr_buf_init(&d->note, WR_NOTE_MAX);
}

void wr_proof_doc_free(wr_proof_doc *d)
{
	wr_buf_free(&d->extra);
	wr_buf_free(&d->note);
}

void wr_proof_format(wr_buf *out, const wr_proof_doc *d)
{
	wr_buf_addf(out, "%s\n", forms[d->kind].first);
	if (d->extra.len) {
		wr_buf_adds(out, extra_word);
		wr_base64(out, d->extra.data, d->extra.len);
		wr_buf_addc(out, '\n');
	}
	wr_buf_addf(out, "%s%lld\n", forms[d->kind].number, (long long)d->at);
	for (size_t i = 0; i < d->path.count; i++) {
		wr_base64(out, d->path.nodes[i], WR_HASH_LEN);
		wr_buf_addc(out, '\n');
	}
	wr_buf_addc(out, '\n');
	wr_buf_add(out, d->note.data, d->note.len);
}

/* ---- reading ---- */

typedef struct cursor {
	const char *at, *end;
	const char *line; /* taken last, without its newline */
	size_t len;
	int number; /* of that line, from 1 */
} cursor;

static bool take_line(cursor *c)
{
	const char *newline = c->at < c->end ? memchr(c->at, '\n', (size_t)(c->end - c->at)) : NULL;
	if (!newline) return false;
	c->line = c->at;
	c->len = (size_t)(newline - c->at);
	c->at = newline + 1;
	c->number++;
	return true;
}

static bool line_begins(const cursor *c, const char *word)
{
	size_t n = strlen(word);
	return c->len >= n && memcmp(c->line, word, n) == 0;
}

static int wrong_line(const cursor *c, const char *what, wr_err *err)
{
	return wr_fail(err, WR_E_INVALID, "proof: line %d: %s", c->number, what);
}

static int take_kind(cursor *c, wr_proof_kind *kind, wr_err *err)
{
	if (take_line(c))
		for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
			if (c->len == strlen(forms[i].first) && line_begins(c, forms[i].first)) {
				*kind = (wr_proof_kind)i;
				return 0;
			}
	return wr_fail(err, WR_E_INVALID, "no proof: its first line is neither %s nor %s",
	               forms[0].first, forms[1].first);
}

static int take_extra(cursor *c, wr_proof_doc *d, wr_err *err)
{
	const size_t n = sizeof extra_word - 1;
	if (wr_unbase64(&d->extra, c->line + n, c->len - n, false, err))
		return wr_err_wrap(err, "proof: line %d", c->number);
	if (d->extra.len == 0) return wrong_line(c, "there is no extra data", err);
	return 0;
}

static int take_number(const cursor *c, wr_proof_doc *d, wr_err *err)
{
	const char *word = forms[d->kind].number;
	size_t i = strlen(word);
	if (!line_begins(c, word) || c->len == i || c->len > i + 18)
		return wrong_line(c, "expected a number behind its word", err);
	for (; i < c->len; i++) {
		if (c->line[i] < '0' || c->line[i] > '9') return wrong_line(c, "no plain number", err);
		d->at = d->at * 10 + (c->line[i] - '0');
	}
	return 0;
}

static int take_hash(const cursor *c, wr_proof *p, wr_err *err)
{
	wr_buf raw = WR_BUF_INIT(WR_HASH_LEN + 1);
	int rc = wr_unbase64(&raw, c->line, c->len, false, err);
	if (rc == 0 && raw.len == WR_HASH_LEN && p->count < WR_PROOF_NODES)
		memcpy(p->nodes[p->count++], raw.data, WR_HASH_LEN);
	else
		rc = wrong_line(c, "expected the base64 of a hash, 64 of them at most", err);
	wr_buf_free(&raw);
	return rc;
}

static int open_note(wr_note *n, wr_checkpoint *c, const wr_buf *note, wr_err *err)
{
	if (wr_note_parse(n, wr_buf_cstr(note), note->len, err)) return -1;
	return wr_checkpoint_parse(c, n->text, n->text_len, err);
}

static int take_all(cursor *c, wr_proof_doc *d, wr_err *err)
{
	static const char ends[] = "proof: it ends too early";
	wr_note n;
	wr_checkpoint checkpoint;
	if (!take_line(c)) return wr_fail(err, WR_E_INVALID, "%s", ends);
	if (line_begins(c, extra_word)) {
		if (take_extra(c, d, err)) return -1;
		if (!take_line(c)) return wr_fail(err, WR_E_INVALID, "%s", ends);
	}
	if (take_number(c, d, err)) return -1;
	for (;;) {
		if (!take_line(c)) return wr_fail(err, WR_E_INVALID, "%s", ends);
		if (c->len == 0) break;
		if (take_hash(c, &d->path, err)) return -1;
	}
	wr_buf_add(&d->note, c->at, (size_t)(c->end - c->at));
	if (!wr_buf_ok(&d->note)) return wr_fail(err, WR_E_LIMIT, "proof: the checkpoint is too long");
	return open_note(&n, &checkpoint, &d->note, err);
}

/* One value has one spelling: what was read must be what would be written. */
static int check_spelling(const wr_proof_doc *d, const char *data, size_t len, wr_err *err)
{
	wr_buf again = WR_BUF_INIT(WR_PROOF_MAX + 1);
	wr_proof_format(&again, d);
	bool same = wr_buf_ok(&again) && again.len == len && memcmp(again.data, data, len) == 0;
	wr_buf_free(&again);
	return same ? 0 : wr_fail(err, WR_E_INVALID, "proof: not in its one canonical form");
}

int wr_proof_parse(wr_proof_doc *out, const char *data, size_t len, wr_err *err)
{
	cursor c = {.at = data, .end = data + len};
	wr_proof_kind kind = WR_PROOF_INCLUSION;
	wr_proof_doc_init(out, kind);
	if (len > WR_PROOF_MAX)
		return wr_fail(err, WR_E_LIMIT, "proof: longer than %u bytes", WR_PROOF_MAX);
	if (take_kind(&c, &kind, err)) return -1;
	out->kind = kind;
	int rc = take_all(&c, out, err);
	if (rc == 0) rc = check_spelling(out, data, len, err);
	if (rc) wr_proof_doc_free(out);
	return rc;
}

/* ---- keys ---- */

static int parse_trusted(wr_trusted *out, const char *line, wr_err *err)
{
	wr_pubkey ssh;
	wr_note_key key;
	*out = (wr_trusted){0};
	if (strchr(line, ' ')) { /* no verifier key has one */
		if (wr_pubkey_parse(&ssh, line, err)) return -1;
		if (ssh.sk) return wr_fail(err, WR_E_INVALID, "a FIDO key: an engine's is ssh-ed25519");
		memcpy(out->public_key, ssh.ed25519, WR_ED25519_PUBLIC);
		return 0;
	}
	if (wr_note_key_parse(&key, line, err)) return -1;
	memcpy(out->name, key.name, sizeof out->name);
	memcpy(out->public_key, key.public_key, WR_ED25519_PUBLIC);
	out->alg = (int)key.alg;
	return 0;
}

int wr_trusted_parse(wr_trusted *out, size_t *count, const char *text, wr_err *err)
{
	char line[1024];
	*count = 0;
	for (int number = 1; *text; number++) {
		size_t n = strcspn(text, "\n"), next = text[n] ? n + 1 : n;
		if (n >= sizeof line) return wr_fail(err, WR_E_LIMIT, "line %d: too long", number);
		memcpy(line, text, n);
		line[n] = '\0';
		text += next;
		if (line[strspn(line, " \t\r")] == '\0' || line[0] == '#') continue;
		if (*count == WR_TRUSTED_MAX)
			return wr_fail(err, WR_E_LIMIT, "more than %d keys", WR_TRUSTED_MAX);
		if (parse_trusted(&out[*count], line, err)) return wr_err_wrap(err, "line %d", number);
		++*count;
	}
	return *count ? 0 : wr_fail(err, WR_E_INVALID, "there is no key");
}

/* The key as this line's name and id would have it; false: the line is not of this key. */
static bool line_key(wr_note_key *out, const wr_note_sig *sig, const wr_trusted *t, wr_note_alg alg)
{
	wr_err ignored;
	return (t->alg == 0 || t->alg == (int)alg) && (!*t->name || strcmp(t->name, sig->name) == 0) &&
	       wr_note_key_make(out, sig->name, alg, t->public_key, &ignored) == 0 &&
	       memcmp(out->id, sig->id, sizeof out->id) == 0;
}

static bool find_key(wr_note_key *out, const wr_note_sig *sig, const wr_trusted *keys, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (line_key(out, sig, &keys[i], WR_NOTE_ED25519) ||
		    line_key(out, sig, &keys[i], WR_NOTE_COSIGNATURE))
			return true;
	return false;
}

static bool counted(const wr_signers_of *s, const wr_note_key *key)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->items[i].alg == key->alg && strcmp(s->items[i].name, key->name) == 0) return true;
	return false;
}

int wr_note_signers(wr_signers_of *out, const wr_note *n, const wr_trusted *keys, size_t key_count,
                    wr_err *err)
{
	*out = (wr_signers_of){0};
	for (size_t i = 0; i < n->sig_count; i++) {
		wr_note_key key;
		int64_t time;
		if (!find_key(&key, &n->sigs[i], keys, key_count)) {
			out->others++;
			continue;
		}
		if (wr_note_verify(n, &key, &time, err)) return -1;
		if (counted(out, &key)) continue;
		wr_signed_by *s = &out->items[out->count++];
		*s = (wr_signed_by){.alg = key.alg, .time = time};
		memcpy(s->name, key.name, sizeof s->name);
		memcpy(s->public_key, key.public_key, WR_ED25519_PUBLIC);
	}
	return 0;
}

/* ---- what it proves ---- */

/* "acme/us-central1/ops" is the log of the chain "us-central1/ops". */
static bool origin_of(const char *origin, const char *chain)
{
	size_t n = strlen(origin), m = strlen(chain);
	return n > m + 1 && origin[n - m - 1] == '/' && strcmp(origin + n - m, chain) == 0;
}

static int check_receipt(const wr_proof_doc *d, wr_proven *out, wr_err *err)
{
	wr_err why = {0};
	char chain[sizeof out->receipt.chain];
	if (d->extra.len == 0)
		return wr_fail(err, WR_E_INVALID, "proof: the receipt is not in it (no extra data)");
	if (wr_receipt_parse(&out->receipt, d->extra.data, d->extra.len, true, &why) != WR_RF_OK)
		return wr_fail(err, WR_E_CORRUPT, "the receipt in it is not as it was written: %.200s",
		               why.msg);
	if (out->receipt.seq != d->at)
		return wr_fail(err, WR_E_CORRUPT, "the receipt in it is seq %lld, the proof is for %lld",
		               (long long)out->receipt.seq, (long long)d->at);
	if (!origin_of(out->checkpoint.origin, out->receipt.chain))
		return wr_fail(
		    err, WR_E_CORRUPT, "the receipt is of chain %.120s, the checkpoint of %.200s",
		    wr_sanitise_to(chain, sizeof chain, out->receipt.chain), out->checkpoint.origin);
	if (!wr_check_inclusion(&d->path, d->at, out->checkpoint.size, out->receipt.hash,
	                        out->checkpoint.root))
		return wr_fail(err, WR_E_CORRUPT,
		               "the hashes do not lead from receipt %lld to the checkpoint's root",
		               (long long)d->at);
	return 0;
}

static int check_growth(const wr_proof_doc *d, wr_note *old, wr_proven *out, wr_err *err)
{
	if (d->extra.len == 0)
		return wr_fail(err, WR_E_INVALID,
		               "proof: the older checkpoint is not in it (no extra data)");
	if (open_note(old, &out->old, &d->extra, err)) return wr_err_wrap(err, "the older one");
	if (strcmp(out->old.origin, out->checkpoint.origin) != 0)
		return wr_fail(err, WR_E_CORRUPT, "the checkpoints are of two logs: %.150s and %.150s",
		               out->old.origin, out->checkpoint.origin);
	if (out->old.size != d->at || d->at < 1)
		return wr_fail(err, WR_E_CORRUPT,
		               "the older checkpoint is of size %lld, the proof from %lld",
		               (long long)out->old.size, (long long)d->at);
	if (!wr_check_consistency(&d->path, d->at, out->checkpoint.size, out->old.root,
	                          out->checkpoint.root))
		return wr_fail(err, WR_E_CORRUPT,
		               "the hashes do not lead from the root of %lld to that of %lld receipts",
		               (long long)d->at, (long long)out->checkpoint.size);
	return 0;
}

static bool by_log(const wr_signers_of *s, const char *origin)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->items[i].alg == WR_NOTE_ED25519 && strcmp(s->items[i].name, origin) == 0)
			return true;
	return false;
}

int wr_log_signed(wr_signers_of *out, const wr_note *n, const char *origin, const wr_trusted *keys,
                  size_t key_count, wr_err *err)
{
	if (wr_note_signers(out, n, keys, key_count, err)) return -1;
	if (by_log(out, origin)) return 0;
	if (key_count == 0)
		return wr_fail(
		    err, WR_E_NOT_FOUND,
		    "no key was given: whoever made this file may have made the signature as well");
	return wr_fail(err, WR_E_NOT_FOUND, "not signed as %.150s by a key that was given", origin);
}

int wr_proof_check(const wr_proof_doc *d, const wr_trusted *keys, size_t key_count, wr_proven *out,
                   wr_err *err)
{
	wr_note n, old;
	*out = (wr_proven){0};
	if (open_note(&n, &out->checkpoint, &d->note, err)) return -1;
	bool grown = d->kind == WR_PROOF_CONSISTENCY;
	if (grown ? check_growth(d, &old, out, err) : check_receipt(d, out, err)) return -1;
	out->holds = true;
	if (wr_log_signed(&out->signers, &n, out->checkpoint.origin, keys, key_count, err)) return -1;
	if (grown && wr_log_signed(&out->old_signers, &old, out->old.origin, keys, key_count, err))
		return wr_err_wrap(err, "the older checkpoint");
	return 0;
}
