/* sentence.c: a receipt as one human sentence, for tails and logs. */
#include <string.h>

#include "engine/engine.h"
#include "warroom/text.h"

typedef struct form {
	const char *operation;
	const char *text; /* "{field}" is replaced by the field's value */
} form;

static const form forms[] = {
    {"engine_started", "engine started, version {version}"},
    {"engine_stopped", "engine stopped: {reason}"},
    {"ledger_recovered", "an unfinished record of {torn_bytes} bytes was moved aside"},
    {"verdict_changed", "{region} {from} → {to}  {reason}"},
    {"incident_opened", "{title}"},
    {"incident_closed", "incident closed: {reason}"},
    {"observer_isolated", "{observer} is isolated: {reason}"},
    {"observer_restored", "{observer} sees again"},
    {"guards_changed", "{action}: {passed} pass, {failed} fail, {no_data} no data"},
    {"operation_proposed", "{operation_id} {kind} {from_region} → {to_region} by {proposer}"},
    {"approval_recorded", "{operation_id} {decision} by {principal} as {role}"},
    {"operation_approved", "{operation_id} approved"},
    {"operation_denied", "{operation_id} denied: {reason}"},
    {"operation_expired", "{operation_id} expired: {reason}"},
    {"operation_started", "{operation_id} started"},
    {"step_intent", "{operation_id} {step} begins, attempt {attempt}"},
    {"step_result", "{operation_id} {step} {outcome} in {duration_ms} ms {error}"},
    {"step_uncertain", "{operation_id} {step} uncertain: {reason}"},
    {"step_probing", "{operation_id} {step} is probed: was it done?"},
    {"step_ruled", "{operation_id} {step} ruled {ruling} by {by}"},
    {"operation_held", "{operation_id} held: {reason}"},
    {"operation_resumed", "{operation_id} goes on: {reason}"},
    {"operation_abort_requested", "{operation_id} abort asked: {reason}"},
    {"operation_rollback_started", "{operation_id} rolling back: {reason}"},
    {"operation_completed", "{operation_id} completed: {reason}"},
    {"operation_rolled_back", "{operation_id} rolled back: {reason}"},
    {"operation_aborted", "{operation_id} aborted: {reason}"},
    {"operation_failed", "{operation_id} failed: {reason}"},
    {"region_role_changed", "{region} is now {role}"},
    {"regional_failover_completed",
     "{primary_region} → {secondary_region}: {status}, {total_failover_time_seconds} s in all"},
    {"receipt_corruption_detected", "a damaged receipt was found"},
    {"image_rebuild_executed", "images were rebuilt"},
    {"notification_sent", "{channel}: {subject} {outcome}"},
    {"_failover_executed", "{primary_region} → {secondary_region}: {status}"}, /* any datastore's */
};

static const char *form_of(const char *operation)
{
	size_t n = strlen(operation);
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		size_t k = strlen(forms[i].operation);
		bool suffix = forms[i].operation[0] == '_' && n > k;
		if (!strcmp(forms[i].operation, suffix ? operation + (n - k) : operation))
			return forms[i].text;
	}
	return "{reason}";
}

static void put_field(wr_buf *out, const wr_receipt *r, const char *name, size_t len)
{
	char key[64], value[160];
	if (len >= sizeof key) return;
	memcpy(key, name, len);
	key[len] = '\0';
	const wr_field *f = wr_receipt_field(r, key);
	if (!f) return;
	if (wr_receipt_str(r, key, value, sizeof value)) {
		char clean[160];
		wr_buf_adds(out, wr_sanitise_to(clean, sizeof clean, value));
	} else {
		wr_buf_add(out, f->raw, f->raw_len);
	}
}

void receipt_sentence(const wr_receipt *r, char *out, size_t size)
{
	const char *text = form_of(r->operation);
	wr_buf b = WR_BUF_INIT(4096);
	while (*text) {
		const char *close = *text == '{' ? strchr(text, '}') : NULL;
		if (close) {
			put_field(&b, r, text + 1, (size_t)(close - text - 1));
			text = close + 1;
		} else {
			wr_buf_addc(&b, *text++);
		}
	}
	wr_sanitise_to(out, size, wr_buf_cstr(&b));
	wr_buf_free(&b);
}
