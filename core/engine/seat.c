/* seat.c: from where people sign, so that two people at one screen count as what they are.
 *
 * The kernel says who is at the other end (peer.c); approval_recorded keeps it, and the seats are
 * folded from there, so that a restart forgets nothing. What cannot be seen is not assumed to be
 * apart (law 8). */
#include <stdio.h>
#include <string.h>

#include "engine/engine.h"

static const seat *find(const engine *e, const char *operation_id, const char *principal)
{
	for (size_t i = 0; i < SEATS; i++)
		if (!strcmp(e->seats[i].operation_id, operation_id) &&
		    !strcmp(e->seats[i].principal, principal))
			return &e->seats[i];
	return NULL;
}

/* What takes two people: approving, and ruling on a step. */
static bool takes_two(const char *decision)
{
	return !strcmp(decision, "approve") || !strncmp(decision, "rule:", 5);
}

wr_assurance engine_observe(const engine *e, const wr_signed *s, const peer *from, char *why,
                            size_t size)
{
	const wr_op *op = wr_state_op(e->state, s->operation_id);
	int64_t now = wr_wall_us(e->clock);
	why[0] = '\0';
	for (size_t i = 0; op && i < op->approval_count; i++) {
		const wr_approval *a = &op->approvals[i];
		if (!takes_two(a->decision) || a->expires_us <= now || !strcmp(a->principal, s->principal))
			continue;
		const seat *other = find(e, op->id, a->principal);
		bool seen =
		    other && (other->from.session || other->from.tty) && (from->session || from->tty);
		if (seen && !peer_same_terminal(&other->from, from)) continue;
		snprintf(why, size,
		         seen ? "%.63s %s from this very terminal"
		              : "it cannot be seen that %.63s %s from another terminal",
		         a->principal, *a->decision == 'a' ? "approved" : "ruled");
		return WR_SHARED_TERMINAL;
	}
	return s->assurance;
}

/* A free place, one of an operation that is over, or the next in turn. */
static seat *place(engine *e)
{
	for (size_t i = 0; i < SEATS; i++) {
		const wr_op *op = wr_state_op(e->state, e->seats[i].operation_id);
		if (!op || wr_op_final(op->state)) return &e->seats[i];
	}
	return &e->seats[e->seat_next++ % SEATS];
}

void engine_fold_seat(engine *e, const wr_receipt *r)
{
	char decision[96], text[PEER_TEXT];
	seat s = {0};
	if (strcmp(r->operation, "approval_recorded") != 0 ||
	    !wr_receipt_str(r, "decision", decision, sizeof decision) || !takes_two(decision) ||
	    !wr_receipt_str(r, "operation_id", s.operation_id, sizeof s.operation_id) ||
	    !wr_receipt_str(r, "principal", s.principal, sizeof s.principal))
		return;
	/* An earlier seat of the same person goes, also when the new one is not known. */
	seat *old = (seat *)(uintptr_t)find(e, s.operation_id, s.principal);
	if (old) memset(old, 0, sizeof *old);
	(void)wr_receipt_str(r, "seat", text, sizeof text);
	if (!peer_read(text, &s.from)) return;
	*(old ? old : place(e)) = s;
}
