/* sentence.c: a receipt as one human sentence, for tails and logs. */
#include <stdio.h>
#include <string.h>

#include "engine/engine.h"
#include "warroom/clock.h"
#include "warroom/text.h"

typedef struct form {
	const char *operation;
	const char *text; /* "{field}" is the field's value; "[…]" is left out when a field in it is
	                     empty or 0; a field …_ms is a duration */
} form;

/* An operation behind a dot is a variant of its receipt, see variant_of. */
static const form forms[] = {
    {"engine_started", "engine started, version {version}[, operations taken up: "
                       "{recovered_operations}]"},
    {"engine_stopped", "engine stopped[: {reason}]"},
    {"checkpoint_signed", "the first {size} receipts are attested, root {root}"},
    {"foreign_chain_audited", "{name} of {region}: {checked} records {result}[: {reason}]"},
    {"foreign_chain_broken", "{name} of {region} is broken: {reason}"},
    {"foreign_chain_restored", "{name} of {region} holds again[ after {broken_ms}]"},
    {"foreign_chain_rewound", "{name} of {region} has another history since {operation_id}"},
    {"ledger_exported", "receipts {first_seq} to {last_seq} exported to {destination}"},
    {"ledger_export_failed", "the export to {destination} failed[: {reason}]"},
    {"checkpoint_anchored", "the first {size} receipts stamped {time} by {tsa}"},
    {"checkpoint_anchor_failed", "no time stamp from {url}[: {reason}]"},
    {"ledger_recovered", "an unfinished record of {torn_bytes} bytes was moved aside"},
    {"verdict_changed", "{region} {from} → {to}[  {reason}]"},
    {"incident_opened", "{title}"},
    {"incident_closed", "incident closed[ after {duration_ms}][: {reason}]"},
    {"observer_isolated", "{observer} is isolated[: {reason}]"},
    {"observer_restored", "{observer} sees again[: {reason}]"},
    {"guards_changed", "{action}: {passed} pass, {failed} fail, {no_data} no data"},
    {"operation_proposed",
     "{operation_id} {kind} {from_region} → {to_region} proposed by {proposer}[: {reason}]"},
    {"approval_recorded", "{operation_id} {decision} signed by {principal} ({role})[: {note}]"},
    {"operation_approved", "{operation_id} approved[: {reason}]"},
    {"operation_denied", "{operation_id} denied[: {reason}]"},
    {"operation_expired", "{operation_id} expired[: {reason}]"},
    {"operation_started", "{operation_id} started[: {reason}]"},
    {"step_intent", "{operation_id} {step} begins"},
    {"step_intent.again", "{operation_id} {step} begins again, attempt {attempt}"},
    {"step_intent.undo", "{operation_id} {step} is being undone"},
    {"step_result", "{operation_id} {step} {outcome} in {duration_ms}[: {error}]"},
    {"step_result.undo", "{operation_id} undoing {step} {outcome} in {duration_ms}[: {error}]"},
    {"step_uncertain", "{operation_id} {step}: was it done? nobody knows[: {reason}]"},
    {"step_uncertain.undo", "{operation_id} {step}: was it undone? nobody knows[: {reason}]"},
    {"step_probing", "{operation_id} {step} is probed: was it done?"},
    {"step_probing.undo", "{operation_id} {step} is probed: was it undone?"},
    {"step_ruled", "{operation_id} {step} ruled {ruling} by {by}"},
    {"operation_held", "{operation_id} held[: {reason}]"},
    {"operation_resumed", "{operation_id} resumed[: {reason}]"},
    {"operation_abort_requested", "{operation_id} to go back[: {reason}]"},
    {"operation_rollback_started", "{operation_id} going back[: {reason}]"},
    {"operation_completed", "{operation_id} completed[ in {duration_ms}][: {reason}]"},
    {"operation_rolled_back", "{operation_id} rolled back[: {reason}]"},
    {"operation_aborted", "{operation_id} aborted[: {reason}]"},
    {"operation_failed", "{operation_id} failed[: {reason}]"},
    {"region_role_changed", "{region} is now {role}"},
    {"regional_failover_completed",
     "{primary_region} → {secondary_region}: {status}, {total_failover_time_seconds} s in all"},
    {"receipt_corruption_detected",
     "the ledger was restored from {backup_source}[, damaged records: {corrupted_count}]"
     "[, receipts lost: {lost_count}]"},
    {"image_rebuild_executed", "images were rebuilt"},
    {"notification_sent", "message to {channel} {outcome}: {subject}"},
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
	return NULL;
}

/* Going back, and trying again, read differently. */
static const char *variant_of(const wr_receipt *r)
{
	char name[80];
	const char *text = NULL;
	if (strncmp(r->operation, "step_", 5) != 0) return NULL;
	if (wr_receipt_bool(r, "undo", false)) {
		snprintf(name, sizeof name, "%s.undo", r->operation);
		text = form_of(name);
	} else if (wr_receipt_int(r, "attempt", 1) > 1) {
		snprintf(name, sizeof name, "%s.again", r->operation);
		text = form_of(name);
	}
	return text;
}

/* "failover us eu", the name of a guard table, as people write it. */
static void put_action(wr_buf *out, const char *action)
{
	const char *second = strchr(action, ' ');
	second = second ? strchr(second + 1, ' ') : NULL;
	wr_buf_add(out, action, second ? (size_t)(second - action) : strlen(action));
	if (second) wr_buf_addf(out, " → %s", second + 1);
}

/* False when there is nothing to put, or 0. */
static bool put_field(wr_buf *out, const wr_receipt *r, const char *name, size_t len)
{
	char key[64], value[160];
	if (len >= sizeof key) return false;
	memcpy(key, name, len);
	key[len] = '\0';
	const wr_field *f = wr_receipt_field(r, key);
	if (!f) return false;
	bool is_ms = len > 3 && !strcmp(key + len - 3, "_ms");
	if (wr_receipt_str(r, key, value, sizeof value)) {
		char clean[160];
		wr_sanitise_to(clean, sizeof clean, value);
		if (!strcmp(key, "action"))
			put_action(out, clean);
		else
			wr_buf_adds(out, clean);
		return clean[0] != '\0';
	}
	if (is_ms && f->raw[0] != '"') {
		wr_duration_words(value, sizeof value, wr_receipt_int(r, key, 0));
		wr_buf_adds(out, value);
	} else {
		wr_buf_add(out, f->raw, f->raw_len);
	}
	return f->raw_len != 1 || f->raw[0] != '0';
}

/* Puts text up to `end`; false when one of its fields is empty. */
static bool put_text(wr_buf *out, const wr_receipt *r, const char *text, const char *end)
{
	bool whole = true;
	while (text < end) {
		const char *close = *text == '{' ? strchr(text, '}') : NULL;
		if (close) {
			whole = put_field(out, r, text + 1, (size_t)(close - text - 1)) && whole;
			text = close + 1;
		} else {
			wr_buf_addc(out, *text++);
		}
	}
	return whole;
}

/* Why something was held, denied or resumed begins with that word, and so does the sentence. */
static void say_once(char *text)
{
	static const char *const twice[] = {"held: held ", "denied: denied ", "aborted: aborted ",
	                                    "resumed: resumed "};
	for (size_t i = 0; i < sizeof twice / sizeof *twice; i++) {
		char *at = strstr(text, twice[i]);
		size_t n = strlen(twice[i]) / 2 + 1;
		if (at) memmove(at, at + n, strlen(at + n) + 1);
	}
}

void receipt_sentence(const wr_receipt *r, char *out, size_t size)
{
	const char *text = variant_of(r);
	if (!text) text = form_of(r->operation);
	if (!text) text = "{reason}";
	wr_buf b = WR_BUF_INIT(4096), part = WR_BUF_INIT(4096);
	while (*text) {
		const char *next = text + strcspn(text, "[");
		(void)put_text(&b, r, text, next);
		if (!*next) break;
		const char *close = strchr(next, ']');
		wr_buf_reset(&part);
		if (put_text(&part, r, next + 1, close)) wr_buf_adds(&b, wr_buf_cstr(&part));
		text = close + 1;
	}
	wr_sanitise_to(out, size, wr_buf_cstr(&b));
	say_once(out);
	wr_buf_free(&part);
	wr_buf_free(&b);
}
