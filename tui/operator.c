/* operator.c: challenge, signature, answer. */
#include "operator.h"

#include <string.h>

#include "warroom/io.h"
#include "warroom/json.h"
#include "warroom/limits.h"
#include "warroom/seal.h"

#define CALL_MS 15000

static void set(json_t *o, const char *key, const char *value)
{
	if (value) (void)json_object_set_new(o, key, json_string(value));
}

json_t *operator_challenge(client *c, const intent *in, wr_err *err)
{
	json_t *body = json_object();
	if (in->operation_id) {
		set(body, "operation_id", in->operation_id);
	} else {
		json_t *draft = json_object();
		set(draft, "action", in->action);
		set(draft, "from", in->from);
		set(draft, "to", in->to);
		set(draft, "runbook", in->runbook);
		set(draft, "reason", in->reason);
		(void)json_object_set_new(body, "draft", draft);
	}
	set(body, "decision", in->decision);
	set(body, "principal", in->principal);
	set(body, "role", in->role);
	set(body, "assurance", in->assurance);
	json_t *answer = client_call(c, "/v1/challenge", body, CALL_MS, err);
	json_decref(body);
	return answer;
}

json_t *operator_post(client *c, const char *operation_id, const char *armoured, const char *note,
                      wr_err *err)
{
	json_t *body = json_pack("{s:s, s:s, s:s}", "operation_id", operation_id, "signature", armoured,
	                         "note", note ? note : "");
	if (!body) {
		wr_fail(err, WR_E_INVALID, "the signature or the note is not UTF-8 text");
		return NULL;
	}
	json_t *answer = client_call(c, "/v1/sign", body, CALL_MS, err);
	json_decref(body);
	return answer;
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
		answer = operator_post(c, wr_json_str(challenge, "operation_id", ""), wr_buf_cstr(&armour),
		                       note, err);
done:
	wr_secret_free(secret);
	wr_buf_wipe(&text);
	wr_buf_free(&armour);
	return answer;
}
