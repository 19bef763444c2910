/* check.c: warnings about what is legal, but dangerous in the night. Runs after an errorless load,
 * while the YAML trees still stand, because a warning says where. */
#include <stdio.h>
#include <string.h>

#include "model/check.h"
#include "warroom/clock.h"
#include "warroom/io.h"
#include "warroom/sshsig.h"

/* The i-th entry of a list of the top level: lists of the configuration keep the file's order. */
static const wr_ynode *entry(const wr_loader *l, const char *section, size_t i)
{
	const wr_ynode *list = wr_ynode_get(l->root, section);
	const wr_ynode *n = list != NULL ? list->first : NULL;
	for (; n != NULL && i > 0; i--) n = n->next;
	return n != NULL ? n : l->root;
}

/* ---- verdicts ---- */

static unsigned classes_of(const wr_config *c, const char *region)
{
	unsigned set = 0;
	for (size_t i = 0; i < c->signal_count; i++)
		if (strcmp(c->signals[i].region, region) == 0) set |= 1u << c->signals[i].signal_class;
	return set;
}

static int count_bits(unsigned set)
{
	int n = 0;
	for (; set != 0; set &= set - 1) n++;
	return n;
}

static void check_regions(wr_loader *l)
{
	const wr_config *c = l->c;
	for (size_t i = 0; i < c->region_count; i++) {
		const wr_region *r = &c->regions[i];
		int classes = count_bits(classes_of(c, r->name));
		const wr_ynode *n = entry(l, "regions", i);
		if (r->role == WR_WITNESS) continue;
		if (classes == 0)
			wr_ynode_warn(l->f, n, NULL, "no signal watches %s: it will never be more than UNKNOWN",
			              r->name);
		else if (classes < c->min_classes)
			wr_ynode_warn(
			    l->f, n, NULL,
			    "%s has signals of %d class%s, but DOWN needs %d: its outage can never be "
			    "declared",
			    r->name, classes, classes == 1 ? "" : "es", c->min_classes);
	}
}

static void check_stale(wr_loader *l)
{
	const wr_config *c = l->c;
	const wr_ynode *verdict = wr_ynode_get(l->root, "verdict");
	for (size_t i = 0; verdict != NULL && i < c->signal_count && c->stale_after_ms > 0; i++) {
		if (c->stale_after_ms >= c->signals[i].interval_ms) continue;
		wr_ynode_warn(l->f, verdict, "stale_after",
		              "shorter than the interval of signal %s: it would be stale between samples",
		              c->signals[i].name);
		return;
	}
}

static void check_verdict(wr_loader *l)
{
	const wr_config *c = l->c;
	const wr_ynode *n = wr_ynode_get(l->root, "verdict");
	bool references = false;
	for (size_t i = 0; i < c->signal_count; i++)
		references = references || c->signals[i].signal_class == WR_CLASS_REFERENCE;
	if (!references)
		wr_ynode_warn(l->f, l->root, "references",
		              "none: the engine cannot tell a dead region from being cut off itself");
	check_stale(l);
	if (n == NULL) return;
	if (c->sustained_ms < 30000)
		wr_ynode_warn(l->f, n, "sustained",
		              "under 30 s: a short blip will be declared a regional outage");
	if (c->min_classes < 2)
		wr_ynode_warn(l->f, n, "min_classes",
		              "one class of signals is enough for DOWN: one broken probe can declare it");
	if (c->cooldown_ms == 0)
		wr_ynode_warn(l->f, n, "cooldown", "none: operations can follow each other at once");
}

/* ---- replication, traffic ---- */

static void check_links(wr_loader *l)
{
	const wr_config *c = l->c;
	for (size_t i = 0; i < c->link_count; i++) {
		const wr_link *k = &c->links[i];
		const wr_ynode *n = entry(l, "links", i);
		if (k->rpo_ms == 0 && !k->sync)
			wr_ynode_warn(l->f, n, "rpo", "no loss is allowed, but the link is not sync: true");
		else if (k->rpo_ms > 0 && k->rpo_ms < k->interval_ms)
			wr_ynode_warn(l->f, n, "rpo",
			              "shorter than the interval: a breach is seen only after the fact");
		if (k->has_state && !k->has_seconds && !k->has_bytes && !k->has_receipts)
			wr_ynode_warn(l->f, n, NULL,
			              "neither seconds, bytes nor receipts: the loss of a move stays unknown");
	}
}

static bool uses_traffic(const wr_runbook *rb, const char *name)
{
	for (size_t i = 0; i < rb->step_count; i++) {
		const wr_step *s = &rb->steps[i];
		if (s->action.kind == WR_STEP_TRAFFIC && strcmp(s->action.traffic, name) == 0) return true;
		if (s->has_rollback && s->rollback.kind == WR_STEP_TRAFFIC &&
		    strcmp(s->rollback.traffic, name) == 0)
			return true;
	}
	return false;
}

static void check_traffic(wr_loader *l)
{
	const wr_config *c = l->c;
	for (size_t i = 0; i < c->traffic_count; i++) {
		bool used = false;
		for (size_t j = 0; j < c->runbook_count; j++)
			used = used || uses_traffic(&c->runbooks[j], c->traffic[i].name);
		if (!used)
			wr_ynode_warn(l->f, entry(l, "traffic", i), NULL,
			              "no runbook moves the traffic of %s: it stays where it is",
			              c->traffic[i].name);
	}
}

/* ---- services and their runbooks ---- */

/* How long a step takes when all goes well: what people stated, else what it cannot be less than.
 */
static int64_t step_ms(const wr_step *s)
{
	const wr_action *a = &s->action;
	if (s->usual_ms > 0) return s->usual_ms;
	if (a->kind == WR_STEP_SOAK) return a->duration_ms;
	if (s->optional) return 0;
	return s->timeout_ms;
}

static int64_t runbook_ms(const wr_runbook *rb)
{
	int64_t sum = 0;
	for (size_t i = 0; i < rb->step_count; i++) sum += step_ms(&rb->steps[i]);
	return sum;
}

static void check_service(wr_loader *l, size_t i)
{
	const wr_config *c = l->c;
	const wr_service *s = &c->services[i];
	const wr_ynode *n = entry(l, "services", i);
	int64_t best = -1;
	for (size_t j = 0; j < c->runbook_count; j++) {
		const wr_runbook *rb = &c->runbooks[j];
		if (rb->kind != WR_RB_FAILOVER || strcmp(rb->group, s->group) != 0) continue;
		int64_t ms = runbook_ms(rb);
		if (best < 0 || ms < best) best = ms;
	}
	if (best < 0) {
		wr_ynode_warn(l->f, n, NULL, "no failover runbook serves group %s: %s cannot be moved",
		              s->group, s->name);
	} else if (best > s->rto_ms) {
		char need[24], rto[24];
		wr_duration_words(need, sizeof need, best);
		wr_duration_words(rto, sizeof rto, s->rto_ms);
		wr_ynode_warn(
		    l->f, n, "rto",
		    "no failover runbook can meet %s: the fastest takes %s (a step counts with its "
		    "usual time, or with its timeout where none is stated)",
		    rto, need);
	}
	if (s->region_count < 2)
		wr_ynode_warn(l->f, n, "regions", "%s runs in one region only: it cannot be moved",
		              s->name);
}

static void check_failback(wr_loader *l)
{
	const wr_config *c = l->c;
	for (size_t i = 0; i < c->runbook_count; i++) {
		const wr_runbook *rb = &c->runbooks[i];
		bool back = rb->kind != WR_RB_FAILOVER;
		for (size_t j = 0; j < c->runbook_count && !back; j++)
			back = c->runbooks[j].kind == WR_RB_FAILBACK &&
			       strcmp(c->runbooks[j].group, rb->group) == 0;
		if (!back)
			wr_ynode_warn(l->f, l->runbooks[i], NULL,
			              "no failback runbook for group %s: there is a way out and none home",
			              rb->group);
	}
}

/* ---- people ---- */

static void check_signers(wr_loader *l, const wr_signers *signers)
{
	const wr_config *c = l->c;
	const wr_ynode *people = wr_ynode_get(wr_ynode_get(l->root, "operators"), "people");
	const wr_ynode *n = people != NULL ? people->first : NULL;
	for (size_t i = 0; i < c->operator_count && n != NULL; i++, n = n->next) {
		const wr_signer *mine = NULL;
		for (size_t j = 0; j < signers->count && mine == NULL; j++)
			if (strcmp(signers->items[j].principal, c->operators[i].principal) == 0)
				mine = &signers->items[j];
		if (mine == NULL) {
			wr_ynode_warn(l->f, n, "principal", "%s is not in allowed_signers and cannot approve",
			              c->operators[i].principal);
			continue;
		}
		const wr_signer *other =
		    wr_signers_same_key(signers, &mine->key, c->operators[i].principal);
		if (other != NULL)
			wr_ynode_warn(l->f, n, "principal",
			              "%s has the same key as %s: together they count as nobody",
			              c->operators[i].principal, other->principal);
	}
}

static void check_people(wr_loader *l)
{
	const wr_config *c = l->c;
	wr_signers signers = {0};
	wr_buf file;
	wr_err err;
	if (c->operator_count == 0) {
		if (c->runbook_count > 0)
			wr_ynode_warn(l->f, l->root, "operators", "none: nobody can approve a runbook");
		return;
	}
	wr_buf_init(&file, WR_SIGNERS_MAX);
	if (wr_read_file(&file, c->allowed_signers, WR_SIGNERS_MAX, WR_NOT_WRITABLE, &err) == 0) {
		if (wr_signers_parse(&signers, wr_buf_cstr(&file), file.len, "allowed_signers", &err) == 0)
			check_signers(l, &signers);
		else
			wr_ynode_warn(l->f, wr_ynode_get(l->root, "operators"), "allowed_signers", "%s",
			              err.msg);
		wr_signers_free(&signers);
	}
	wr_buf_free(&file);
}

static void check_policy(wr_loader *l)
{
	const wr_config *c = l->c;
	const wr_ynode *guards = wr_ynode_get(l->root, "guards");
	for (size_t i = 0; guards != NULL && i < c->advisory_count; i++)
		wr_ynode_warn(l->f, guards, "advisory",
		              "guard %s does not block when it has no data: people must look themselves",
		              c->advisory_guards[i]);
}

void wr_check_warnings(wr_loader *l)
{
	const wr_config *c = l->c;
	check_regions(l);
	check_verdict(l);
	for (size_t i = 0; i < c->service_count; i++) check_service(l, i);
	check_links(l);
	check_traffic(l);
	check_policy(l);
	check_failback(l);
	wr_check_moves(l);
	for (size_t i = 0; i < c->runbook_count; i++) wr_check_runbook(l, i);
	check_people(l);
}
