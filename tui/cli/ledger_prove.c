/* ledger_prove.c: ledger prove, check-proof, cosign. None needs an engine: prove reads a ledger's
 * files, check-proof nothing but the proof and a key, cosign a key file and a state directory. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/ledger.h"
#include "cli/lines.h"
#include "warroom/clock.h"
#include "warroom/io.h"
#include "warroom/json.h"
#include "warroom/model.h"
#include "warroom/proof.h"
#include "warroom/text.h"

const cli_option ledger_prove_options[] = {
    {"size", "SIZE", "prove against the checkpoint of that size (default: the latest)"},
    {"consistency", NULL, "prove that the log of size OLD is how the one of size NEW begins"},
    {"out", "FILE", "write the proof there (default: print it)"},
    {NULL, NULL, NULL}};
const cli_option ledger_check_proof_options[] = {
    {"key", "KEY", "the log's public key: a verifier key, or a file of them, as engine.pub"},
    {NULL, NULL, NULL}};
const cli_option ledger_cosign_options[] = {
    {"with", "FILE", "the key file to cosign with, an engine's"},
    {"name", "NAME", "the name to cosign under"},
    {"state", "DIR", "where it is remembered what was cosigned"},
    {"key", "KEY", "the log's public key: a verifier key, or a file of them, as engine.pub"},
    {"proof", "FILE", "a consistency proof from the last checkpoint cosigned"},
    {"ledger", "DIR", "or the log's own ledger, to make that proof from"},
    {"out", "FILE", "write the cosigned checkpoint there (default: print it)"},
    {NULL, NULL, NULL}};

/* "The answer is no" for what the receipts and signatures say, "unreadable" for the rest. */
static int fail(const cli *c, const wr_err *err)
{
	(void)cli_error(c, err);
	return err->code == WR_E_CORRUPT || err->code == WR_E_CONFLICT || err->code == WR_E_DENIED
	           ? EXIT_NO
	           : EXIT_USAGE;
}

static bool number_of(const char *text, int64_t *out)
{
	char *end;
	errno = 0;
	long long n = strtoll(text, &end, 10);
	*out = n;
	return *text >= '0' && *text <= '9' && !*end && errno == 0 && n <= WR_INT_MAX_SAFE;
}

/* A file, or "-": standard input. */
static int read_input(wr_buf *out, const char *path, size_t max, wr_err *err)
{
	char chunk[4096];
	size_t n;
	if (strcmp(path, "-") != 0) return wr_read_file(out, path, max, WR_ANY, err);
	while ((n = fread(chunk, 1, sizeof chunk, stdin)) > 0) wr_buf_add(out, chunk, n);
	if (ferror(stdin)) return wr_fail(err, WR_E_IO, "standard input cannot be read");
	return wr_buf_ok(out) && out->len <= max
	           ? 0
	           : wr_fail(err, WR_E_LIMIT, "standard input: more than %zu bytes", max);
}

static void progress(void *ctx, int64_t done, int64_t total)
{
	int64_t *last = ctx, percent = total > 0 ? done * 100 / total : 100;
	if (percent == *last) return;
	*last = percent;
	fprintf(stderr, "\rreading receipts %3lld%%", (long long)percent);
	if (percent >= 100) fputs("\r                     \r", stderr);
}

/* ---- prove ---- */

static int configured_chain(const cli *c, char *out, size_t size, wr_err *err)
{
	const char *path = c->config ? c->config : getenv("WARROOM_CONFIG");
	wr_findings f = {0};
	char chain[2 * WR_NAME_MAX + 2];
	if (!path || !*path) path = "warroom.yaml";
	wr_config *cfg = wr_config_load(path, &f);
	int rc;
	if (cfg) {
		snprintf(chain, sizeof chain, "%s/%s", cfg->partition, cfg->stream);
		rc = wr_path_join(out, size, cfg->ledger_dir, chain, err);
	} else {
		rc = wr_fail(
		    err, WR_E_INVALID,
		    "no ledger is named, and %.200s, which would name one, cannot be used: give the "
		    "ledger's directory before the number",
		    path);
	}
	wr_findings_free(&f);
	wr_config_free(cfg);
	return rc;
}

/* Whether the ledger's own engine.pub stands behind it. A signature that is not good is not handed
 * out; one of another key may be of the time before engine.pub was changed. */
static int own_signature(const cli *c, const char *dir, const wr_buf *note, wr_err *err)
{
	char ledger[PATH_MAX];
	uint8_t key[WR_ED25519_PUBLIC];
	wr_checkpoint cp;
	wr_err why = {0};
	if (wr_path_join(ledger, sizeof ledger, dir, "../..", err)) return -1;
	if (wr_engine_pub_read(ledger, key, &why) == 0 &&
	    wr_checkpoint_open(&cp, wr_buf_cstr(note), note->len, NULL, key, &why) == 0)
		return 0;
	if (why.code != WR_E_NOT_FOUND)
		return wr_fail(err, why.code, "the checkpoint is not good: %.300s", why.msg);
	if (!c->json)
		fprintf(stderr, "warroom: the checkpoint's signature was not checked: %s\n", why.msg);
	return 0;
}

static int size_of(const wr_buf *note, wr_checkpoint *cp, wr_err *err)
{
	wr_note n;
	if (wr_note_parse(&n, wr_buf_cstr(note), note->len, err)) return -1;
	return wr_checkpoint_parse(cp, n.text, n.text_len, err);
}

/* "latest", a size, or a file that holds a signed checkpoint. */
static int find_checkpoint(const cli *c, const char *dir, const char *which, wr_buf *note,
                           wr_err *err)
{
	int64_t size;
	bool numbered = number_of(which, &size);
	int rc = !strcmp(which, "latest") ? wr_checkpoint_latest(dir, note, err)
	         : numbered               ? wr_checkpoint_at(dir, size, note, err)
	                                  : wr_read_file(note, which, WR_NOTE_MAX, WR_ANY, err);
	if (rc == 0) return own_signature(c, dir, note, err);
	/* Not to be there is an answer, if one could have been. */
	if (err->code == WR_E_NOT_FOUND && numbered) err->code = WR_E_CONFLICT;
	if (err->code == WR_E_NOT_FOUND && !strcmp(which, "latest") && wr_prove_exists(dir, 0))
		return wr_fail(
		    err, WR_E_CONFLICT,
		    "nothing can be proven yet: no checkpoint was signed; a running engine signs "
		    "one within a minute, if it has a key");
	return -1;
}

static json_t *proof_json(const wr_proof_doc *d, const char *text)
{
	wr_checkpoint cp = {0};
	wr_err ignored;
	char root[WR_HEX_LEN];
	bool grown = d->kind == WR_PROOF_CONSISTENCY;
	if (size_of(&d->note, &cp, &ignored)) return NULL;
	wr_hex(root, cp.root, WR_HASH_LEN);
	return json_pack("{s:s, s:I, s:s, s:I, s:s, s:s}", "kind", grown ? "consistency" : "inclusion",
	                 grown ? "old_size" : "seq", (json_int_t)d->at, "origin", cp.origin, "size",
	                 (json_int_t)cp.size, "root", root, "proof", text);
}

static int put_text(const cli *c, const char *text, size_t len, wr_err *err)
{
	const char *path = cli_opt(c, "out");
	if (path) return wr_write_file(path, text, len, 0644, err);
	if (!c->json) fwrite(text, 1, len, stdout);
	return 0;
}

static int put_proof(const cli *c, wr_proof_doc *d)
{
	wr_err err = {0};
	wr_buf text = WR_BUF_INIT(WR_PROOF_MAX);
	wr_proof_format(&text, d);
	int rc = wr_buf_ok(&text) ? put_text(c, text.data, text.len, &err)
	                          : wr_fail(&err, WR_E_NOMEM, "out of memory");
	if (rc == 0 && c->json) {
		json_t *j = proof_json(d, wr_buf_cstr(&text));
		cli_print_json(j);
		json_decref(j);
	}
	wr_buf_free(&text);
	wr_proof_doc_free(d);
	return rc ? fail(c, &err) : EXIT_OK;
}

/* A receipt that no checkpoint covers yet is no error of anybody's. */
static int not_yet(const cli *c, const char *dir, int64_t seq, int64_t size)
{
	wr_err err;
	if (wr_prove_exists(dir, seq))
		(void)wr_fail(
		    &err, WR_E_CONFLICT,
		    "receipt %lld cannot be proven yet: the latest signed checkpoint covers those "
		    "before %lld; a running engine signs one within a minute, and at each end of an "
		    "operation: try again then",
		    (long long)seq, (long long)size);
	else
		(void)wr_fail(&err, WR_E_CONFLICT, "no receipt %lld: the chain ends before it",
		              (long long)seq);
	return fail(c, &err);
}

static int prove_seq(const cli *c, const char *dir, int64_t seq, const wr_prove_progress *p)
{
	wr_err err = {0};
	wr_proof_doc doc;
	wr_checkpoint cp = {0};
	wr_buf note = WR_BUF_INIT(WR_NOTE_MAX);
	const char *size = cli_opt(c, "size");
	int rc = find_checkpoint(c, dir, size ? size : "latest", &note, &err);
	if (rc == 0) rc = size_of(&note, &cp, &err);
	if (rc == 0 && !size && seq >= cp.size) {
		wr_buf_free(&note);
		return not_yet(c, dir, seq, cp.size);
	}
	if (rc == 0) rc = wr_prove_receipt(&doc, dir, seq, &note, p, &err);
	wr_buf_free(&note);
	return rc ? fail(c, &err) : put_proof(c, &doc);
}

static int prove_growth(const cli *c, const char *dir, const char *old, const char *new,
                        const wr_prove_progress *p)
{
	wr_err err = {0};
	wr_proof_doc doc;
	wr_buf note = WR_BUF_INIT(WR_NOTE_MAX), old_note = WR_BUF_INIT(WR_NOTE_MAX);
	int rc = find_checkpoint(c, dir, old, &old_note, &err);
	if (rc == 0) rc = find_checkpoint(c, dir, new, &note, &err);
	if (rc == 0) rc = wr_prove_growth(&doc, dir, &old_note, &note, p, &err);
	wr_buf_free(&note);
	wr_buf_free(&old_note);
	return rc ? fail(c, &err) : put_proof(c, &doc);
}

int ledger_prove(cli *c)
{
	char dir[PATH_MAX];
	wr_err err = {0};
	bool grown = cli_opt(c, "consistency") != NULL;
	int numbers = grown ? 2 : 1;
	int64_t seq = 0, last = -1;
	const wr_prove_progress tell = {.tell = progress, .ctx = &last};
	const wr_prove_progress *p = isatty(STDERR_FILENO) && !c->json ? &tell : NULL;
	if (c->argc != numbers && c->argc != numbers + 1)
		return cli_usage(c, grown ? "ledger prove --consistency needs OLD and NEW, two sizes (or "
		                            "\"latest\", or a file), behind the ledger's directory if any"
		                          : "ledger prove needs SEQ, the number of a receipt, behind the "
		                            "ledger's directory if any");
	char **at = c->argv + (c->argc - numbers);
	if (!grown && !number_of(at[0], &seq))
		return cli_usage(c, "\"%.40s\" is no number of a receipt", at[0]);
	if (grown && cli_opt(c, "size")) return cli_usage(c, "--size does not go with --consistency");
	int rc = c->argc > numbers ? wr_prove_chain(c->argv[0], dir, sizeof dir, &err)
	                           : configured_chain(c, dir, sizeof dir, &err);
	if (rc) return fail(c, &err);
	return grown ? prove_growth(c, dir, at[0], at[1], p) : prove_seq(c, dir, seq, p);
}

/* ---- check-proof ---- */

typedef struct key_ring {
	wr_trusted keys[WR_TRUSTED_MAX];
	size_t count;
} key_ring;

/* A file, or the key itself. */
static int read_keys(const cli *c, key_ring *r, wr_err *err)
{
	const char *arg = cli_opt(c, "key");
	wr_buf text = WR_BUF_INIT(64u << 10);
	r->count = 0;
	if (!arg) return 0;
	bool itself = access(arg, F_OK) != 0 && (strchr(arg, '+') || !strncmp(arg, "ssh-", 4));
	int rc = itself ? wr_trusted_parse(r->keys, &r->count, arg, err)
	                : wr_read_file(&text, arg, 64u << 10, WR_ANY, err);
	if (!itself && rc == 0 && memchr(wr_buf_cstr(&text), '\0', text.len))
		rc = wr_fail(err, WR_E_INVALID, "a NUL byte is in it");
	if (!itself && rc == 0) rc = wr_trusted_parse(r->keys, &r->count, wr_buf_cstr(&text), err);
	wr_buf_free(&text);
	return rc ? wr_err_wrap(err, "--key") : 0;
}

/* What another tool is given to check the same signature. */
static void verifier_key(wr_buf *out, const wr_signed_by *by)
{
	wr_note_key key;
	wr_err ignored;
	wr_buf_init(out, 1024);
	if (wr_note_key_make(&key, by->name, by->alg, by->public_key, &ignored) == 0)
		wr_note_key_format(out, &key);
}

static json_t *signers_json(const wr_signers_of *s)
{
	json_t *list = json_array();
	for (size_t i = 0; i < s->count; i++) {
		const wr_signed_by *by = &s->items[i];
		wr_buf key;
		verifier_key(&key, by);
		json_t *j = json_pack("{s:s, s:s, s:s}", "name", by->name, "kind",
		                      by->alg == WR_NOTE_COSIGNATURE ? "cosignature" : "signature",
		                      "verifier_key", wr_buf_cstr(&key));
		wr_buf_free(&key);
		if (by->alg == WR_NOTE_COSIGNATURE)
			(void)json_object_set_new(j, "time", json_integer((json_int_t)by->time));
		(void)json_array_append_new(list, j);
	}
	return list;
}

static void answer_json(const wr_proof_doc *d, const wr_proven *p, const wr_err *err)
{
	char root[WR_HEX_LEN];
	bool grown = d->kind == WR_PROOF_CONSISTENCY, ok = err->code == WR_E_OK;
	wr_hex(root, p->checkpoint.root, WR_HASH_LEN);
	json_t *j =
	    json_pack("{s:b, s:s, s:b, s:s, s:I, s:s, s:I, s:o, s:I}", "proven", ok, "kind",
	              grown ? "consistency" : "inclusion", "hashes_hold", p->holds, "origin",
	              p->checkpoint.origin, "size", (json_int_t)p->checkpoint.size, "root", root,
	              grown ? "old_size" : "seq", (json_int_t)d->at, "signed_by",
	              signers_json(&p->signers), "unchecked_signatures", (json_int_t)p->signers.others);
	if (grown) (void)json_object_set_new(j, "old_signed_by", signers_json(&p->old_signers));
	if (!ok) (void)json_object_set_new(j, "why", json_string(err->msg));
	if (!grown && p->holds) (void)json_object_set_new(j, "receipt", wr_receipt_json(&p->receipt));
	cli_print_json(j);
	json_decref(j);
}

static void print_receipt(const cli *c, const wr_receipt *r)
{
	char raw[WR_NAME_MAX * 4], actor[WR_NAME_MAX * 4], hash[WR_HEX_LEN], when[WR_TIME_LEN];
	(void)wr_receipt_str(r, "actor", raw, sizeof raw);
	wr_sanitise_to(actor, sizeof actor, raw);
	wr_sanitise_to(raw, sizeof raw, r->operation);
	wr_hex(hash, r->hash, WR_HASH_LEN);
	wr_time_format(when, r->timestamp_us);
	say(c, stdout, "  receipt     %s %s by %s\n              id %s\n              hash %s\n", when,
	    raw, actor, r->receipt_id, hash);
}

static void print_signers(const cli *c, const wr_signers_of *s)
{
	for (size_t i = 0; i < s->count; i++) {
		const wr_signed_by *by = &s->items[i];
		char when[WR_TIME_LEN] = "";
		bool co = by->alg == WR_NOTE_COSIGNATURE;
		wr_buf key;
		verifier_key(&key, by);
		if (co) wr_time_format(when, by->time <= INT64_MAX / 1000000 ? by->time * 1000000 : -1);
		say(c, stdout, "  %s %s%s%s\n", co ? "cosigned by" : "signed by  ", by->name,
		    co ? " at " : "", when);
		say(c, stdout, "              with %s\n", wr_buf_cstr(&key));
		wr_buf_free(&key);
	}
	if (s->others)
		say(c, stdout, "  unchecked   %zu signature%s of keys that were not given\n", s->others,
		    s->others == 1 ? "" : "s");
}

static void print_what(const cli *c, const wr_proof_doc *d, const wr_proven *p, bool proven)
{
	const wr_checkpoint *cp = &p->checkpoint;
	char root[WR_HEX_LEN];
	const char *claim = proven ? "Proven" : "The hashes hold, if the checkpoint can be believed";
	if (d->kind == WR_PROOF_INCLUSION) {
		say(c, stdout, "%s: receipt %lld is in the log %s of %lld receipts.\n", claim,
		    (long long)d->at, cp->origin, (long long)cp->size);
		print_receipt(c, &p->receipt);
	} else {
		say(c, stdout, "%s: the log %s of %lld receipts begins with the one of %lld.\n", claim,
		    cp->origin, (long long)cp->size, (long long)p->old.size);
		wr_hex(root, p->old.root, WR_HASH_LEN);
		say(c, stdout, "  root        %s of %lld\n", root, (long long)p->old.size);
		print_signers(c, &p->old_signers);
	}
	wr_hex(root, cp->root, WR_HASH_LEN);
	say(c, stdout, "  root        %s of %lld\n", root, (long long)cp->size);
	print_signers(c, &p->signers);
}

static int check_doc(const cli *c, const wr_proof_doc *d, const key_ring *keys)
{
	wr_err err = {0};
	wr_proven p;
	bool ok = wr_proof_check(d, keys->keys, keys->count, &p, &err) == 0;
	if (ok) err.code = WR_E_OK;
	if (c->json) {
		answer_json(d, &p, &err);
	} else {
		if (p.holds) print_what(c, d, &p, ok);
		if (!ok) say(c, stdout, "Not proven: %s.\n", err.msg);
		if (!ok && keys->count == 0)
			say(c, stdout,
			    "The key is unpinned: give the log's public key, from where you trust it, "
			    "with --key (engine.pub, or a verifier key).\n");
	}
	return ok ? EXIT_OK : EXIT_NO;
}

int ledger_check_proof(cli *c)
{
	key_ring keys;
	wr_err err = {0};
	wr_proof_doc doc;
	wr_buf text = WR_BUF_INIT(WR_PROOF_MAX);
	if (c->argc != 1) return cli_usage(c, "ledger check-proof needs one FILE, or -");
	int rc = read_keys(c, &keys, &err);
	if (rc == 0) rc = read_input(&text, c->argv[0], WR_PROOF_MAX, &err);
	if (rc == 0) rc = wr_proof_parse(&doc, wr_buf_cstr(&text), text.len, &err);
	wr_buf_free(&text);
	if (rc) {
		(void)cli_error(c, &err);
		return EXIT_USAGE;
	}
	rc = check_doc(c, &doc, &keys);
	wr_proof_doc_free(&doc);
	return rc;
}

/* ---- cosign ---- */

static int proof_from_file(const char *path, wr_proof *out, wr_err *err)
{
	wr_proof_doc doc;
	wr_buf text = WR_BUF_INIT(WR_PROOF_MAX);
	int rc = wr_read_file(&text, path, WR_PROOF_MAX, WR_ANY, err);
	if (rc == 0) rc = wr_proof_parse(&doc, wr_buf_cstr(&text), text.len, err);
	wr_buf_free(&text);
	if (rc) return -1;
	if (doc.kind == WR_PROOF_CONSISTENCY)
		*out = doc.path;
	else
		rc = wr_fail(err, WR_E_INVALID,
		             "%s: no consistency proof: make one with ledger prove "
		             "--consistency",
		             path);
	wr_proof_doc_free(&doc);
	return rc;
}

static int find_proof(void *ctx, const wr_buf *old_note, const wr_buf *note, wr_proof *out,
                      wr_err *err)
{
	const cli *c = ctx;
	const char *file = cli_opt(c, "proof"), *ledger = cli_opt(c, "ledger");
	char dir[PATH_MAX];
	wr_proof_doc doc;
	wr_checkpoint old;
	if (file) return proof_from_file(file, out, err);
	if (!ledger) {
		if (size_of(old_note, &old, err)) return -1;
		return wr_fail(
		    err, WR_E_NOT_FOUND,
		    "a log of %lld receipts was cosigned before: give a proof that this one begins "
		    "with it (--proof, from ledger prove --consistency), or the log's --ledger",
		    (long long)old.size);
	}
	if (wr_prove_chain(ledger, dir, sizeof dir, err)) return -1;
	if (wr_prove_growth(&doc, dir, old_note, note, NULL, err)) return -1;
	*out = doc.path;
	wr_proof_doc_free(&doc);
	return 0;
}

static int refuse(const cli *c, wr_cosign_answer answer, const char *kept, const wr_err *err)
{
	static const char *const words[] = {[WR_COSIGN_UNSIGNED] = "unsigned",
	                                    [WR_COSIGN_SMALLER] = "smaller",
	                                    [WR_COSIGN_UNPROVEN] = "unproven",
	                                    [WR_COSIGN_FORK] = "fork"};
	if (c->json) {
		json_t *j = json_pack("{s:b, s:s, s:s, s:s}", "cosigned", 0, "refused", words[answer],
		                      "why", err->msg, "kept", kept);
		cli_print_json(j);
		json_decref(j);
		return EXIT_NO;
	}
	fprintf(stderr, "warroom: not cosigned: %s\n", err->msg);
	if (*kept) fprintf(stderr, "both checkpoints are kept as %s.old and .new\n", kept);
	return EXIT_NO;
}

static int cosign_note(const cli *c, const wr_cosigner *with, wr_buf *note)
{
	wr_err err = {0};
	char kept[PATH_MAX];
	wr_cosign_answer answer = wr_cosign(with, note, kept, sizeof kept, &err);
	if (answer == WR_COSIGN_FAILED) {
		(void)cli_error(c, &err);
		return EXIT_USAGE;
	}
	if (answer != WR_COSIGN_DONE) return refuse(c, answer, kept, &err);
	if (put_text(c, note->data, note->len, &err)) return fail(c, &err);
	if (c->json) {
		json_t *j = json_pack("{s:b, s:s}", "cosigned", 1, "checkpoint", wr_buf_cstr(note));
		cli_print_json(j);
		json_decref(j);
	}
	return EXIT_OK;
}

int ledger_cosign(cli *c)
{
	key_ring keys;
	wr_err err = {0};
	wr_note_key named;
	wr_buf note = WR_BUF_INIT(WR_NOTE_MAX);
	const char *with = cli_opt(c, "with"), *name = cli_opt(c, "name"), *state = cli_opt(c, "state");
	if (c->argc != 1) return cli_usage(c, "ledger cosign needs one CHECKPOINT, a file or -");
	if (!with || !name || !state || !cli_opt(c, "key"))
		return cli_usage(c, "ledger cosign needs --with, --name, --state and --key");
	if (cli_opt(c, "proof") && cli_opt(c, "ledger"))
		return cli_usage(c, "--proof or --ledger, not both");
	wr_engine_key *key = wr_engine_key_load(with, false, &wr_random_system, &err);
	int rc =
	    key ? wr_note_key_make(&named, name, WR_NOTE_COSIGNATURE, wr_engine_key_public(key), &err)
	        : -1;
	if (rc == 0) rc = read_keys(c, &keys, &err);
	if (rc == 0) rc = read_input(&note, c->argv[0], WR_NOTE_MAX, &err);
	if (rc) {
		(void)cli_error(c, &err);
		rc = EXIT_USAGE;
	} else {
		const wr_cosigner w = {.state_dir = state,
		                       .name = name,
		                       .key = key,
		                       .log_keys = keys.keys,
		                       .log_key_count = keys.count,
		                       .time = wr_wall_us(&wr_clock_system) / 1000000,
		                       .prove = find_proof,
		                       .ctx = c};
		rc = cosign_note(c, &w, &note);
	}
	wr_engine_key_free(key);
	wr_buf_free(&note);
	return rc;
}
