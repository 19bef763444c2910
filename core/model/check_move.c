/* check_move.c: warnings about moves that a guard will block for want of data, whatever happens: no
 * link to judge the loss by, no fact about the capacity. Better said in the day than in the night.
 */
#include <stdio.h>
#include <string.h>

#include "model/check.h"

static bool has_runbook(const wr_config *c, wr_runbook_kind kind)
{
	for (size_t i = 0; i < c->runbook_count; i++)
		if (c->runbooks[i].kind == kind) return true;
	return false;
}

static bool has_link(const wr_config *c, const char *from, const char *to)
{
	for (size_t i = 0; i < c->link_count; i++)
		if (!strcmp(c->links[i].from, from) && !strcmp(c->links[i].to, to)) return true;
	return false;
}

static bool has_capacity(const wr_config *c, const char *region)
{
	for (size_t i = 0; i < c->fact_count; i++)
		if (c->facts[i].kind == WR_FACT_CAPACITY &&
		    (!strcmp(c->facts[i].region, region) || c->facts[i].region[0] == '\0'))
			return true;
	return false;
}

static bool advisory(const wr_config *c, const char *guard)
{
	for (size_t i = 0; i < c->advisory_count; i++)
		if (!strcmp(c->advisory_guards[i], guard)) return true;
	return false;
}

static void check_move(wr_loader *l, const wr_ynode *at, wr_runbook_kind kind, const char *from,
                       const char *to)
{
	const wr_config *c = l->c;
	char link[192] = "", capacity[128] = "";
	if (!has_runbook(c, kind)) return;
	if (!has_link(c, from, to) && !advisory(c, "lag"))
		(void)snprintf(link, sizeof link, "no link from %s to %s", from, to);
	if (!has_capacity(c, to) && !advisory(c, "capacity"))
		(void)snprintf(capacity, sizeof capacity, "no fact of kind capacity for %s", to);
	if (link[0] == '\0' && capacity[0] == '\0') return;
	wr_ynode_warn(l->f, at, NULL, "every %s from %s to %s will be blocked: %s%s%s",
	              wr_runbook_kind_name(kind), from, to, link,
	              link[0] != '\0' && capacity[0] != '\0' ? ", " : "", capacity);
}

void wr_check_moves(wr_loader *l)
{
	const wr_config *c = l->c;
	const wr_region *home = NULL;
	const wr_ynode *list = wr_ynode_get(l->root, "regions");
	const wr_ynode *n = list != NULL ? list->first : NULL;
	for (size_t i = 0; i < c->region_count; i++)
		if (c->regions[i].role == WR_PRIMARY) home = &c->regions[i];
	for (size_t i = 0; home != NULL && i < c->region_count && n != NULL; i++, n = n->next) {
		if (c->regions[i].role != WR_STANDBY) continue;
		check_move(l, n, WR_RB_FAILOVER, home->name, c->regions[i].name);
		check_move(l, n, WR_RB_FAILBACK, c->regions[i].name, home->name);
	}
}
