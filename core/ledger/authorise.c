/* authorise.c: two people, two keys, one plan, in time, and nobody against it.
 *
 * For each (operation, plan) it keeps the approvals whose signatures hold; a guarded intent then
 * looks for two of them by different people with different keys. Whether a step is guarded is
 * worked out from its kind, phase and class; the receipt's own word can only make it so. Rulings
 * are kept the same way, for each (operation, decision), and a step_ruled uses them up. What an
 * engine whose epoch is over wrote counts for nothing. */
#include "ledger/authorise.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/idset.h"
#include "warroom/clock.h"
#include "warroom/io.h"
#include "warroom/json.h"
#include "warroom/ledger.h"
#include "warroom/sshsig.h"
#include "warroom/text.h"
#include "warroom/verify.h"

typedef struct approval {
	char principal[64], plan_hash[72];
	uint8_t key[32];
	int64_t expires_us;
} approval;

/* What can be approved: a plan, or a ruling. */
typedef struct matter {
	approval *approvals; /* the valid ones */
	size_t count;
	bool denied;
	char rejected[128]; /* the last one that was not valid, and why; "" none */
} matter;

struct wr_authorise {
	wr_signers signers;
	char no_signers[160]; /* why there are none; "" if there are */
	wr_idset nonces;      /* used so far, hashed */
	wr_keyset begun;      /* steps with an intent, by hashed operation, plan hash and index */
	wr_idset index;       /* of matters, by hashed operation and plan hash or decision */
	matter *matters;
	size_t matter_count, matter_cap;
	int64_t epoch; /* the highest so far */
};

wr_authorise *wr_authorise_new(const char *ledger_dir)
{
	char path[PATH_MAX];
	wr_err err = {0};
	wr_buf text = WR_BUF_INIT(WR_SIGNERS_MAX);
	wr_authorise *a = calloc(1, sizeof *a);
	if (!a) return NULL;
	if (wr_path_join(path, sizeof path, ledger_dir, "allowed_signers", &err) ||
	    wr_read_file(&text, path, WR_SIGNERS_MAX, WR_ANY, &err) ||
	    wr_signers_parse(&a->signers, wr_buf_cstr(&text), text.len, "allowed_signers", &err))
		(void)snprintf(a->no_signers, sizeof a->no_signers, "%.150s", err.msg);
	wr_buf_free(&text);
	return a;
}

void wr_authorise_free(wr_authorise *a)
{
	if (!a) return;
	for (size_t i = 0; i < a->matter_count; i++) free(a->matters[i].approvals);
	free(a->matters);
	wr_idset_free(&a->nonces);
	wr_keyset_free(&a->begun);
	wr_idset_free(&a->index);
	wr_signers_free(&a->signers);
	free(a);
}

/* A string field, whole or not at all: a cut one could be mistaken for another. */
static bool whole(const wr_receipt *r, const char *key, char *out, size_t size)
{
	const wr_field *f = wr_receipt_field(r, key);
	out[0] = '\0';
	return f && f->raw_len <= size && wr_receipt_str(r, key, out, size);
}

static void hash_text(uint8_t hash[static WR_HASH_LEN], const char *fmt, ...) WR_PRINTF(2, 3);

static void hash_text(uint8_t hash[static WR_HASH_LEN], const char *fmt, ...)
{
	char text[640];
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	wr_sha256(hash, text, n > 0 && (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

/* `what` is "plan" or "ruling", `which` the plan's hash or the decision. */
static matter *matter_of(wr_authorise *a, const char *operation, const char *what,
                         const char *which)
{
	uint8_t hash[WR_HASH_LEN];
	uint64_t i = a->matter_count;
	if (a->matter_count == a->matter_cap) {
		size_t cap = a->matter_cap ? a->matter_cap * 2 : 16;
		matter *matters = realloc(a->matters, cap * sizeof *matters);
		if (!matters) return NULL;
		a->matters = matters;
		a->matter_cap = cap;
	}
	hash_text(hash, "%s %s %s", what, which, operation);
	int added = wr_idset_add(&a->index, hash, &i);
	if (added < 0) return NULL;
	if (added) a->matters[a->matter_count++] = (matter){0};
	return &a->matters[i];
}

static int use_nonce(wr_authorise *a, const wr_receipt *r, bool *fresh)
{
	char nonce[512];
	uint8_t hash[WR_HASH_LEN];
	uint64_t none = 0;
	*fresh = false;
	if (!whole(r, "nonce", nonce, sizeof nonce) || !*nonce) return 0;
	wr_sha256(hash, nonce, strlen(nonce));
	int added = wr_idset_add(&a->nonces, hash, &none);
	*fresh = added > 0;
	return added < 0 ? -1 : 0;
}

/* Does the text that was signed say what the receipt says? */
static bool signed_agrees(const wr_receipt *r, const char *text)
{
	static const char *const names[] = {"assurance",    "decision",  "expires",   "head", "nonce",
	                                    "operation_id", "plan_hash", "principal", "role"};
	const size_t count = sizeof names / sizeof *names;
	char field[2048];
	wr_err err;
	if (wr_canon_check(text, strlen(text), &err)) return false;
	json_t *j = wr_json_parse(text, strlen(text), &err);
	bool agrees = j && json_object_size(j) == count;
	for (size_t i = 0; agrees && i < count; i++) {
		const char *said = json_string_value(json_object_get(j, names[i]));
		agrees = said && whole(r, names[i], field, sizeof field) && strcmp(said, field) == 0;
	}
	json_decref(j);
	return agrees;
}

static const char *check_signature(const wr_signers *signers, const wr_receipt *r, approval *out)
{
	char text[8192], blob[WR_SSHSIG_MAX], fingerprint[WR_FINGERPRINT_LEN + 1], expires[64];
	wr_sshsig sig;
	wr_err err;
	if (!whole(r, "signed", text, sizeof text)) return "no signed text";
	if (!whole(r, "signature", blob, sizeof blob)) return "no signature";
	if (!signed_agrees(r, text)) return "the signed text is not what the receipt says";
	if (wr_sshsig_parse(&sig, blob, strlen(blob), &err)) return "the signature is unreadable";
	if (wr_sshsig_verify(&sig, WR_NS_APPROVAL, text, strlen(text), &err))
		return "the signature does not verify";
	if (!whole(r, "key_fingerprint", fingerprint, sizeof fingerprint) ||
	    strcmp(fingerprint, sig.key.fingerprint) != 0)
		return "key_fingerprint is not that of the signature's key";
	if (!whole(r, "plan_hash", out->plan_hash, sizeof out->plan_hash)) return "no plan";
	if (!whole(r, "principal", out->principal, sizeof out->principal) ||
	    !wr_signers_find(signers, out->principal, &sig.key, WR_NS_APPROVAL, r->timestamp_us, &err))
		return "the key is not allowed for this person";
	if (!whole(r, "expires", expires, sizeof expires) ||
	    wr_time_parse(expires, &out->expires_us, &err))
		return "no expiry";
	memcpy(out->key, sig.key.ed25519, sizeof out->key);
	return NULL;
}

int wr_approval_check(const wr_receipt *r, const wr_signers *signers, wr_err *err)
{
	approval ignored;
	const char *why = check_signature(signers, r, &ignored);
	return why ? wr_fail(err, WR_E_DENIED, "%s", why) : 0;
}

static int add_approval(matter *m, const approval *one)
{
	/* Only people of allowed_signers come here; the same one again replaces. */
	for (size_t i = 0; i < m->count; i++) {
		if (strcmp(m->approvals[i].principal, one->principal) != 0 ||
		    strcmp(m->approvals[i].plan_hash, one->plan_hash) != 0 ||
		    memcmp(m->approvals[i].key, one->key, sizeof one->key) != 0)
			continue;
		if (one->expires_us > m->approvals[i].expires_us) m->approvals[i] = *one;
		return 0;
	}
	approval *more = realloc(m->approvals, (m->count + 1) * sizeof *more);
	if (!more) return -1;
	m->approvals = more;
	m->approvals[m->count++] = *one;
	return 0;
}

static int see_approval(wr_authorise *a, const wr_receipt *r, bool stale)
{
	char operation[256], hash[128], decision[128], principal[64], shown[64];
	bool fresh;
	approval one = {0};
	if (use_nonce(a, r, &fresh)) return -1;
	if (!whole(r, "decision", decision, sizeof decision)) return 0;
	bool deny = strcmp(decision, "deny") == 0, rules = strncmp(decision, "rule:", 5) == 0;
	if (!deny && !rules && strcmp(decision, "approve") != 0) return 0;
	if (!whole(r, "operation_id", operation, sizeof operation) ||
	    !whole(r, "plan_hash", hash, sizeof hash))
		return 0;
	matter *m = matter_of(a, operation, rules ? "ruling" : "plan", rules ? decision : hash);
	if (!m) return -1;
	if (deny) {
		m->denied = true;
		return 0;
	}
	const char *why = stale    ? "recorded by an engine whose epoch was over"
	                  : !fresh ? "its nonce is missing or was used before"
	                           : check_signature(&a->signers, r, &one);
	if (!why) return add_approval(m, &one);
	(void)wr_receipt_str(r, "principal", principal, sizeof principal);
	(void)snprintf(m->rejected, sizeof m->rejected, "; %.40s: %s",
	               wr_sanitise_to(shown, sizeof shown, principal), why);
	return 0;
}

static bool field_is_one_of(const wr_receipt *r, const char *key, const char *const *words)
{
	char value[64];
	(void)wr_receipt_str(r, key, value, sizeof value);
	for (; *words; words++)
		if (strcmp(value, *words) == 0) return true;
	return false;
}

/* As the engine judges it; a kind that it has not, or none at all, is no way around. */
static bool is_guarded(const wr_receipt *r, bool undo)
{
	static const char *const harmless[] = {"wait", "soak", "manual", "notify", NULL};
	static const char *const calls[] = {"http", "exec", NULL};
	static const char *const looking[] = {"prove", "verify", "announce", NULL};
	static const char *const idempotent[] = {"idempotent", NULL};
	if (wr_receipt_bool(r, "guarded", false)) return true;
	if (field_is_one_of(r, "kind", harmless)) return false;
	if (undo || !field_is_one_of(r, "kind", calls)) return true;
	return !field_is_one_of(r, "phase", looking) || !field_is_one_of(r, "class", idempotent);
}

static bool counts(const approval *one, const wr_receipt *at, bool undo)
{
	return undo || one->expires_us >= at->timestamp_us;
}

static bool has_two(const matter *m, const wr_receipt *at, bool undo)
{
	for (size_t i = 0; i < m->count; i++)
		for (size_t j = i + 1; j < m->count; j++)
			if (counts(&m->approvals[i], at, undo) && counts(&m->approvals[j], at, undo) &&
			    strcmp(m->approvals[i].principal, m->approvals[j].principal) != 0 &&
			    strcmp(m->approvals[i].plan_hash, m->approvals[j].plan_hash) == 0 &&
			    memcmp(m->approvals[i].key, m->approvals[j].key, 32) != 0)
				return true;
	return false;
}

static void say_lacking(const wr_authorise *a, const matter *m, const wr_receipt *at, bool undo,
                        const char *what, char *why, size_t why_size)
{
	size_t valid = 0;
	for (size_t i = 0; i < m->count; i++) valid += counts(&m->approvals[i], at, undo) ? 1 : 0;
	(void)snprintf(why, why_size,
	               "%s: expected %s by two people with two keys, found %zu valid%s%s%s", what,
	               strcmp(at->operation, "step_ruled") == 0 ? "rulings" : "approvals", valid,
	               m->rejected, *a->no_signers ? "; " : "", a->no_signers);
}

/* Going back is exempt from the expiry, but only from what was begun: -1 out of memory, 0 a
 * "rollback" of what never was. */
static int note_begun(wr_authorise *a, const char *operation, const char *hash, const wr_receipt *r,
                      bool undo)
{
	uint8_t digest[WR_HASH_LEN];
	uint64_t key;
	hash_text(digest, "%s %s %lld", hash, operation, (long long)wr_receipt_int(r, "index", -1));
	memcpy(&key, digest, sizeof key);
	if (undo) return wr_keyset_has(&a->begun, key) ? 1 : 0;
	return wr_keyset_add(&a->begun, key) ? -1 : 1;
}

static int see_intent(wr_authorise *a, const wr_receipt *r, bool stale, char *why, size_t why_size)
{
	char operation[256], hash[128], step[128], shown[64], what[96];
	bool undo = wr_receipt_bool(r, "undo", false), guarded = is_guarded(r, undo);
	(void)wr_receipt_str(r, "step", step, sizeof step);
	(void)snprintf(what, sizeof what, "guarded step %s", wr_sanitise_to(shown, sizeof shown, step));
	if (!whole(r, "operation_id", operation, sizeof operation) ||
	    !whole(r, "plan_hash", hash, sizeof hash)) {
		(void)snprintf(why, why_size, "%s names no operation and plan", what);
		return guarded ? 0 : 1;
	}
	if (stale) {
		(void)snprintf(why, why_size, "%s: begun in epoch %lld, which was over: epoch %lld began",
		               what, (long long)r->epoch, (long long)a->epoch);
		return guarded ? 0 : 1;
	}
	int begun = note_begun(a, operation, hash, r, undo);
	if (begun < 0 || !guarded) return begun < 0 ? -1 : 1;
	undo = undo && begun;
	const matter *m = matter_of(a, operation, "plan", hash);
	if (!m) return -1;
	if (!m->denied && has_two(m, r, undo)) return 1;
	if (m->denied)
		(void)snprintf(why, why_size, "%s of a plan that was denied", what);
	else
		say_lacking(a, m, r, undo, what, why, why_size);
	return 0;
}

/* What two people said of a step is used up by the ruling, whichever of the three it was. */
static int use_up(wr_authorise *a, const char *operation, const char *step)
{
	static const char *const rulings[] = {"done", "not_done", "skip"};
	char decision[192];
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(decision, sizeof decision, "rule:%s:%s", step, rulings[i]);
		matter *m = matter_of(a, operation, "ruling", decision);
		if (!m) return -1;
		m->count = 0;
	}
	return 0;
}

static int see_ruling(wr_authorise *a, const wr_receipt *r, bool stale, char *why, size_t why_size)
{
	char operation[256], step[128], ruling[32], decision[192], shown[64], what[96];
	(void)wr_receipt_str(r, "step", step, sizeof step);
	(void)snprintf(what, sizeof what, "ruling on step %s",
	               wr_sanitise_to(shown, sizeof shown, step));
	if (stale || !whole(r, "operation_id", operation, sizeof operation) ||
	    !whole(r, "step", step, sizeof step) || !whole(r, "ruling", ruling, sizeof ruling)) {
		(void)snprintf(why, why_size, "%s: %s", what,
		               stale ? "of an epoch that was over" : "it names no operation and step");
		return 0;
	}
	(void)snprintf(decision, sizeof decision, "rule:%s:%s", step, ruling);
	const matter *m = matter_of(a, operation, "ruling", decision);
	if (!m) return -1;
	if (has_two(m, r, false)) return use_up(a, operation, step) ? -1 : 1;
	say_lacking(a, m, r, false, what, why, why_size);
	return 0;
}

int wr_authorise_see(wr_authorise *a, const wr_receipt *r, char *why, size_t why_size, wr_err *err)
{
	int rc = 1;
	bool stale = r->epoch < a->epoch;
	if (!stale) a->epoch = r->epoch;
	if (strcmp(r->operation, "approval_recorded") == 0)
		rc = see_approval(a, r, stale) ? -1 : 1;
	else if (strcmp(r->operation, "step_intent") == 0)
		rc = see_intent(a, r, stale, why, why_size);
	else if (strcmp(r->operation, "step_ruled") == 0)
		rc = see_ruling(a, r, stale, why, why_size);
	if (rc < 0) return wr_fail(err, WR_E_NOMEM, "verify: out of memory for approvals");
	return rc;
}
