/* authorise.c: two people, two keys, one plan, in time, and nobody against it.
 *
 * For each (operation, plan) it keeps the approvals whose signatures hold; a guarded intent then
 * looks for two of them by different people with different keys. Whether a step is guarded is
 * worked out from its kind, phase and class; the receipt's own word can only make it so. */
#include "ledger/authorise.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/idset.h"
#include "warroom/clock.h"
#include "warroom/io.h"
#include "warroom/json.h"
#include "warroom/sshsig.h"
#include "warroom/text.h"

typedef struct approval {
	char principal[64];
	uint8_t key[32];
	int64_t expires_us;
} approval;

typedef struct plan {
	approval *approvals; /* the valid ones */
	size_t count;
	bool denied;
	char rejected[128]; /* the last one that was not valid, and why; "" none */
} plan;

struct wr_authorise {
	wr_signers signers;
	char no_signers[160]; /* why there are none; "" if there are */
	wr_idset nonces;      /* used so far, hashed */
	wr_idset index;       /* of plans, by hashed operation and plan hash */
	plan *plans;
	size_t plan_count, plan_cap;
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
	for (size_t i = 0; i < a->plan_count; i++) free(a->plans[i].approvals);
	free(a->plans);
	wr_idset_free(&a->nonces);
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

static plan *plan_of(wr_authorise *a, const char *operation, const char *plan_hash)
{
	char both[512];
	uint8_t hash[WR_HASH_LEN];
	uint64_t i = a->plan_count;
	if (a->plan_count == a->plan_cap) {
		size_t cap = a->plan_cap ? a->plan_cap * 2 : 16;
		plan *plans = realloc(a->plans, cap * sizeof *plans);
		if (!plans) return NULL;
		a->plans = plans;
		a->plan_cap = cap;
	}
	int n = snprintf(both, sizeof both, "%s %s", plan_hash, operation);
	wr_sha256(hash, both, (size_t)n < sizeof both ? (size_t)n : sizeof both - 1);
	int added = wr_idset_add(&a->index, hash, &i);
	if (added < 0) return NULL;
	if (added) a->plans[a->plan_count++] = (plan){0};
	return &a->plans[i];
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

static const char *check_signature(const wr_authorise *a, const wr_receipt *r, approval *out)
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
	if (!whole(r, "principal", out->principal, sizeof out->principal) ||
	    !wr_signers_find(&a->signers, out->principal, &sig.key, WR_NS_APPROVAL, r->timestamp_us,
	                     &err))
		return "the key is not allowed for this person";
	if (!whole(r, "expires", expires, sizeof expires) ||
	    wr_time_parse(expires, &out->expires_us, &err))
		return "no expiry";
	memcpy(out->key, sig.key.ed25519, sizeof out->key);
	return NULL;
}

static int add_approval(plan *p, const approval *one)
{
	/* Only people of allowed_signers come here; the same one again replaces. */
	for (size_t i = 0; i < p->count; i++) {
		if (strcmp(p->approvals[i].principal, one->principal) != 0 ||
		    memcmp(p->approvals[i].key, one->key, sizeof one->key) != 0)
			continue;
		if (one->expires_us > p->approvals[i].expires_us) p->approvals[i] = *one;
		return 0;
	}
	approval *more = realloc(p->approvals, (p->count + 1) * sizeof *more);
	if (!more) return -1;
	p->approvals = more;
	p->approvals[p->count++] = *one;
	return 0;
}

static int see_approval(wr_authorise *a, const wr_receipt *r)
{
	char operation[256], hash[128], decision[64], principal[64], shown[64];
	bool fresh;
	approval one = {0};
	if (use_nonce(a, r, &fresh)) return -1;
	(void)wr_receipt_str(r, "decision", decision, sizeof decision);
	bool deny = strcmp(decision, "deny") == 0;
	if (!deny && strcmp(decision, "approve") != 0) return 0;
	if (!whole(r, "operation_id", operation, sizeof operation) ||
	    !whole(r, "plan_hash", hash, sizeof hash))
		return 0;
	plan *p = plan_of(a, operation, hash);
	if (!p) return -1;
	if (deny) {
		p->denied = true;
		return 0;
	}
	const char *why =
	    fresh ? check_signature(a, r, &one) : "its nonce is missing or was used before";
	if (!why) return add_approval(p, &one);
	(void)wr_receipt_str(r, "principal", principal, sizeof principal);
	(void)snprintf(p->rejected, sizeof p->rejected, "; %.40s: %s",
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

static bool is_guarded(const wr_receipt *r)
{
	static const char *const kinds[] = {"http", "exec", "traffic", NULL};
	static const char *const looking[] = {"prove", "verify", "announce", NULL};
	static const char *const idempotent[] = {"idempotent", NULL};
	if (wr_receipt_bool(r, "guarded", false)) return true;
	if (!field_is_one_of(r, "kind", kinds)) return false;
	return !field_is_one_of(r, "phase", looking) || !field_is_one_of(r, "class", idempotent);
}

static bool counts(const approval *one, const wr_receipt *intent, bool undo)
{
	return undo || one->expires_us >= intent->timestamp_us;
}

static bool has_two(const plan *p, const wr_receipt *intent, bool undo)
{
	for (size_t i = 0; i < p->count; i++)
		for (size_t j = i + 1; j < p->count; j++)
			if (counts(&p->approvals[i], intent, undo) && counts(&p->approvals[j], intent, undo) &&
			    strcmp(p->approvals[i].principal, p->approvals[j].principal) != 0 &&
			    memcmp(p->approvals[i].key, p->approvals[j].key, 32) != 0)
				return true;
	return false;
}

static int see_intent(wr_authorise *a, const wr_receipt *r, char *why, size_t why_size)
{
	char operation[256], hash[128], step[128], shown[64];
	bool undo = wr_receipt_bool(r, "undo", false);
	if (!is_guarded(r)) return 1;
	(void)wr_receipt_str(r, "step", step, sizeof step);
	(void)wr_sanitise_to(shown, sizeof shown, step);
	if (!whole(r, "operation_id", operation, sizeof operation) ||
	    !whole(r, "plan_hash", hash, sizeof hash)) {
		(void)snprintf(why, why_size, "guarded step %s names no operation and plan", shown);
		return 0;
	}
	const plan *p = plan_of(a, operation, hash);
	if (!p) return -1;
	if (!p->denied && has_two(p, r, undo)) return 1;
	size_t valid = 0;
	for (size_t i = 0; i < p->count; i++) valid += counts(&p->approvals[i], r, undo) ? 1 : 0;
	if (p->denied)
		(void)snprintf(why, why_size, "guarded step %s of a plan that was denied", shown);
	else
		(void)snprintf(why, why_size,
		               "guarded step %s: expected approvals by two people with two keys, found %zu "
		               "valid%s%s%s",
		               shown, valid, p->rejected, *a->no_signers ? "; " : "", a->no_signers);
	return 0;
}

int wr_authorise_see(wr_authorise *a, const wr_receipt *r, char *why, size_t why_size, wr_err *err)
{
	int rc = 1;
	if (strcmp(r->operation, "approval_recorded") == 0)
		rc = see_approval(a, r) ? -1 : 1;
	else if (strcmp(r->operation, "step_intent") == 0)
		rc = see_intent(a, r, why, why_size);
	if (rc < 0) return wr_fail(err, WR_E_NOMEM, "verify: out of memory for approvals");
	return rc;
}
