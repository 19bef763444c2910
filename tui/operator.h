/* operator.h: a person acting: ask for the text to sign, sign it with their sealed key, send it.
 *
 * The one path for the TUI and the verbs. The passphrase is the caller's to read blind and to wipe;
 * the unsealed key lives only inside operator_sign. */
#ifndef TUI_OPERATOR_H
#define TUI_OPERATOR_H

#include "client.h"

/* What is to be signed: an existing operation (operation_id) or a draft (action, from, to, reason,
 * runbook). */
typedef struct intent {
	const char *operation_id; /* or NULL for a draft */
	const char *action, *from, *to, *reason, *runbook;
	const char *decision; /* approve, propose, deny, hold, resume, abort, rule:…, tick:… */
	const char *principal;
	const char *role;      /* or NULL: the engine chooses the one that helps */
	const char *assurance; /* or NULL: own_device */
} intent;

/* operator_challenge: the engine's answer to POST /v1/challenge, new reference. */
WR_CHECKED json_t *operator_challenge(client *c, const intent *in, wr_err *err);
/* operator_sign opens the sealed key file (0600), signs the challenge's message, posts it.
 * WR_E_DENIED with "wrong passphrase" when it does not open, and when the message is not what the
 * challenge says it is: nobody signs what they were not shown. Returns the answer, new reference.
 */
WR_CHECKED json_t *operator_sign(client *c, const json_t *challenge, const char *key_file,
                                 const char *passphrase, size_t passphrase_len, const char *note,
                                 wr_err *err);
/* operator_post sends a signature made elsewhere; it is refused when it is not of a message with
 * this decision (NULL: any). */
WR_CHECKED json_t *operator_post(client *c, const char *operation_id, const char *decision,
                                 const char *armoured, const char *note, wr_err *err);

#endif
