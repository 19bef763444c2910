/* operator.c: challenge, signature, answer. */
#include "operator.h"

#include <string.h>

#include "warroom/hash.h"
#include "warroom/io.h"
#include "warroom/json.h"
#include "warroom/limits.h"
#include "warroom/seal.h"
#include "warroom/words.h"

#define CALL_MS 15000

/* Remembers in *bad what cannot be said in JSON: dropping it would change what is asked. */
static void set(json_t *o, const char *key, const char *value, const char **bad)
{
	if (value && json_object_set_new(o, key, json_string(value)) != 0) *bad = key;
}

static json_t *challenge_body(const intent *in, const char **bad)
{
	json_t *body = json_object();
	if (in->operation_id) {
		set(body, "operation_id", in->operation_id, bad);
	} else {
		json_t *draft = json_object();
		set(draft, "action", in->action, bad);
		set(draft, "from", in->from, bad);
		set(draft, "to", in->to, bad);
		set(draft, "runbook", in->runbook, bad);
		set(draft, "reason", in->reason, bad);
		(void)json_object_set_new(body, "draft", draft);
	}
	set(body, "decision", in->decision, bad);
	set(body, "principal", in->principal, bad);
	set(body, "role", in->role, bad);
	set(body, "assurance", in->assurance, bad);
	return body;
}

json_t *operator_challenge(client *c, const intent *in, wr_err *err)
{
	const char *bad = NULL;
	json_t *body = challenge_body(in, &bad), *answer = NULL;
	if (bad)
		wr_fail(err, WR_E_INVALID, "%s: not UTF-8 text", bad);
	else
		answer = client_call(c, "/v1/challenge", body, CALL_MS, err);
	json_decref(body);
	/* What people read before they sign; a message that this changes is none of ours. */
	static const char *const multi[] = {"text", NULL}, *const none[] = {NULL};
	if (answer && (wr_json_sanitise(json_object_get(answer, "loss"), none) != 0 ||
	               wr_json_sanitise(answer, multi) != 0)) {
		wr_fail(err, WR_E_NOMEM, "out of memory");
		json_decref(answer);
		answer = NULL;
	}
	return answer;
}

json_t *operator_post(client *c, const char *operation_id, const char *decision,
                      const char *armoured, const char *note, wr_err *err)
{
	const char *bad = NULL;
	json_t *body = json_object(), *answer = NULL;
	set(body, "operation_id", operation_id, &bad);
	set(body, "signature", armoured, &bad);
	set(body, "note", note, &bad);
	set(body, "decision", decision, &bad);
	if (bad)
		wr_fail(err, WR_E_INVALID, "%s: not UTF-8 text", bad);
	else
		answer = client_call(c, "/v1/sign", body, CALL_MS, err);
	json_decref(body);
	return answer;
}

/* The message says the same as what was shown beside it, and the words are those of its plan. */
static int check_message(const json_t *challenge, const char *message, wr_err *err)
{
	static const char *const shown[] = {"operation_id", "decision",  "principal",
	                                    "role",         "plan_hash", "expires"};
	char words[WR_WORDS_LEN] = "";
	uint8_t hash[WR_HASH_LEN];
	const char *plan_hash = wr_json_str(challenge, "plan_hash", "");
	json_t *m = wr_json_parse(message, strlen(message), err);
	bool same = json_is_object(m);
	for (size_t i = 0; same && i < sizeof shown / sizeof *shown; i++)
		same = !strcmp(wr_json_str(m, shown[i], ""), wr_json_str(challenge, shown[i], "-"));
	json_decref(m);
	if (same && wr_unhex(hash, sizeof hash, plan_hash, strlen(plan_hash)) == 0)
		wr_words(words, hash);
	if (same && !strcmp(words, wr_json_str(challenge, "words", "-"))) return 0;
	return wr_fail(err, WR_E_DENIED,
	               "the engine asks to sign something else than it shows: nothing was signed");
}

json_t *operator_sign(client *c, const json_t *challenge, const char *key_file,
                      const char *passphrase, size_t passphrase_len, const char *note, wr_err *err)
{
	const char *message = wr_json_str(challenge, "message", ""),
	           *principal = wr_json_str(challenge, "principal", "");
	wr_buf text = WR_BUF_INIT(WR_SECRET_MAX), armour = WR_BUF_INIT(WR_SSHSIG_MAX);
	wr_secret *secret = NULL;
	json_t *answer = NULL;
	char owner[64];
	wr_pubkey pub;
	if (check_message(challenge, message, err) != 0) goto done;
	if (wr_read_file(&text, key_file, WR_SECRET_MAX, WR_PRIVATE, err) != 0) goto done;
	secret = wr_seal_open(text.data, text.len, passphrase, passphrase_len, owner, &pub, err);
	if (!secret) goto done;
	if (strcmp(owner, principal) != 0) {
		wr_fail(err, WR_E_DENIED, "%s is the key of %s, not of %s", key_file, owner, principal);
		goto done;
	}
	int rc = wr_sshsig_sign(&armour, wr_secret_bytes(secret), WR_NS_APPROVAL, message,
	                        strlen(message), err);
	wr_secret_free(secret);
	secret = NULL;
	if (rc == 0)
		answer = operator_post(c, wr_json_str(challenge, "operation_id", ""),
		                       wr_json_str(challenge, "decision", NULL), wr_buf_cstr(&armour), note,
		                       err);
done:
	wr_secret_free(secret);
	wr_buf_wipe(&text);
	wr_buf_free(&armour);
	return answer;
}
