/* branch.c: the histories that the receipts of a pool make.
 *
 * A receipt's parent is the one whose hash it names, in the same chain and one seq before. What
 * hangs together from a receipt 0 is a tree; a signed checkpoint of size n attests the one node at
 * depth n whose way from the root has the checkpoint's Merkle root. At a fork, children with an
 * attested receipt at or below them go before those without. The ends that remain are the branches
 * to choose from; where there is one, it is chosen.
 *
 * Nothing recurses deeper than the square root of the number of receipts: the longest child is
 * followed in place, the others with a copy of the range so far. */
#include "ledger/branch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/idset.h"
#include "warroom/merkle.h"
#include "warroom/text.h"

static const uint8_t zeros[WR_HASH_LEN];

/* ---- parents and children ---- */

static bool is_root(const wr_node *n)
{
	return n->seq == 0 && memcmp(n->prev, zeros, WR_HASH_LEN) == 0;
}

static void find_parents(wr_pool *p)
{
	for (uint32_t i = 0; i < p->node_count; i++) {
		wr_node *n = &p->nodes[i];
		uint32_t up = n->seq > 0 ? wr_pool_find(p, n->prev) : WR_NONE;
		if (up == WR_NONE || p->nodes[up].chain != n->chain || p->nodes[up].seq + 1 != n->seq)
			continue;
		n->parent = up;
		n->sibling = p->nodes[up].child;
		p->nodes[up].child = i;
	}
}

int wr_branch_link(wr_pool *p, wr_err *err)
{
	size_t count = 0;
	uint32_t *order = malloc((p->node_count + 1) * sizeof *order);
	if (!order) return wr_fail(err, WR_E_NOMEM, "restore: out of memory");
	find_parents(p);
	for (uint32_t i = 0; i < p->node_count; i++)
		if (is_root(&p->nodes[i])) order[count++] = i;
	for (size_t i = 0; i < count; i++) {
		p->nodes[order[i]].flags |= WR_NODE_ROOTED;
		for (uint32_t c = p->nodes[order[i]].child; c != WR_NONE; c = p->nodes[c].sibling)
			order[count++] = c;
	}
	for (size_t i = count; i-- > 0;) {
		const wr_node *n = &p->nodes[order[i]];
		if (n->parent == WR_NONE) continue;
		wr_node *up = &p->nodes[n->parent];
		if (n->height + 1 > up->height) up->height = n->height + 1;
	}
	free(order);
	return 0;
}

/* ---- checkpoints ---- */

typedef struct attest {
	wr_pool *p;
	uint32_t *notes; /* the valid ones of a chain, ascending by size */
	size_t count;
} attest;

/* The first of a size of at least `size`. */
static size_t note_at(const attest *a, int64_t size)
{
	size_t low = 0, high = a->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (a->p->notes[a->notes[middle]].cp.size < size)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void match(attest *a, wr_node *n, const wr_range *r)
{
	uint8_t root[WR_HASH_LEN];
	bool have = false;
	for (size_t i = note_at(a, r->end); i < a->count; i++) {
		wr_note_found *note = &a->p->notes[a->notes[i]];
		if (note->cp.size != r->end) return;
		if (!have) wr_range_root(r, root);
		have = true;
		if (memcmp(root, note->cp.root, WR_HASH_LEN) != 0) continue;
		note->matched = true;
		n->flags |= WR_NODE_ATTESTED;
	}
}

static uint32_t longest_child(const wr_pool *p, const wr_node *n)
{
	uint32_t best = n->child;
	for (uint32_t c = n->child; c != WR_NONE; c = p->nodes[c].sibling)
		if (p->nodes[c].height > p->nodes[best].height) best = c;
	return best;
}

static int follow(attest *a, uint32_t at, const wr_range *before, wr_err *err)
{
	wr_range *r = malloc(sizeof *r);
	int rc = 0;
	if (!r) return wr_fail(err, WR_E_NOMEM, "restore: out of memory");
	*r = *before;
	while (rc == 0 && at != WR_NONE) {
		wr_node *n = &a->p->nodes[at];
		size_t next = note_at(a, r->end + 1);
		if (next == a->count || a->p->notes[a->notes[next]].cp.size > r->end + 1 + n->height) break;
		wr_range_add(r, n->hash);
		match(a, n, r);
		at = longest_child(a->p, n);
		for (uint32_t c = n->child; c != WR_NONE && rc == 0; c = a->p->nodes[c].sibling)
			if (c != at) rc = follow(a, c, r, err);
	}
	free(r);
	return rc;
}

static void spread_attested(wr_pool *p)
{
	for (uint32_t i = 0; i < p->node_count; i++) {
		if (!(p->nodes[i].flags & WR_NODE_ATTESTED)) continue;
		for (uint32_t n = i; n != WR_NONE && !p->nodes[n].attested_below; n = p->nodes[n].parent)
			p->nodes[n].attested_below = true;
	}
}

static void open_note(wr_pool *p, wr_note_found *n,
                      const uint8_t public_key[static WR_ED25519_PUBLIC])
{
	wr_err why = {0};
	const char *chain = p->chains[n->chain];
	if (wr_checkpoint_open(&n->cp, n->text, n->len, NULL, public_key, &why)) {
		(void)wr_sanitise_to(n->why, sizeof n->why, why.msg);
		return;
	}
	size_t len = strlen(n->cp.origin), tail = strlen(chain);
	bool ours = len > tail && strcmp(n->cp.origin + len - tail, chain) == 0 &&
	            n->cp.origin[len - tail - 1] == '/';
	if (!ours) (void)snprintf(n->why, sizeof n->why, "it is of another chain");
	n->valid = ours && n->cp.size > 0;
}

static wr_pool *sorting; /* qsort has no context; not thread-safe, as said */

static int by_size(const void *a, const void *b)
{
	int64_t x = sorting->notes[*(const uint32_t *)a].cp.size;
	int64_t y = sorting->notes[*(const uint32_t *)b].cp.size;
	return x < y ? -1 : x > y;
}

static int attest_chain(attest *a, uint16_t chain, wr_err *err)
{
	wr_pool *p = a->p;
	wr_range empty;
	int rc = 0;
	a->count = 0;
	WR_ASSERT(a->notes);
	for (uint32_t i = 0; i < p->note_count; i++)
		if (p->notes[i].valid && p->notes[i].chain == chain) a->notes[a->count++] = i;
	if (a->count == 0) return 0;
	sorting = p;
	qsort(a->notes, a->count, sizeof *a->notes, by_size);
	wr_range_init(&empty, 0);
	for (uint32_t i = 0; i < p->node_count && rc == 0; i++)
		if (p->nodes[i].chain == chain && is_root(&p->nodes[i])) rc = follow(a, i, &empty, err);
	return rc;
}

int wr_branch_attest(wr_pool *p, const uint8_t public_key[static WR_ED25519_PUBLIC], wr_err *err)
{
	attest a = {.p = p, .notes = malloc((p->note_count + 1) * sizeof *a.notes)};
	int rc = a.notes ? 0 : wr_fail(err, WR_E_NOMEM, "restore: out of memory");
	for (size_t i = 0; i < p->note_count && rc == 0; i++) open_note(p, &p->notes[i], public_key);
	for (size_t i = 0; i < p->chain_count && rc == 0; i++) rc = attest_chain(&a, (uint16_t)i, err);
	free(a.notes);
	if (rc == 0) spread_attested(p);
	return rc;
}

/* ---- choosing ---- */

static int better(const wr_pool *p, uint32_t a, uint32_t b)
{
	const wr_node *x = &p->nodes[a], *y = &p->nodes[b];
	if (x->seq != y->seq) return x->seq > y->seq;
	return memcmp(x->hash, y->hash, WR_HASH_LEN) < 0;
}

static void add_tip(const wr_pool *p, wr_history *h, uint32_t tip)
{
	h->branches++;
	size_t i = h->tip_count;
	while (i > 0 && better(p, tip, h->tips[i - 1])) i--;
	if (i == WR_BRANCHES_SHOWN) return;
	if (h->tip_count < WR_BRANCHES_SHOWN) h->tip_count++;
	memmove(&h->tips[i + 1], &h->tips[i], (h->tip_count - i - 1) * sizeof *h->tips);
	h->tips[i] = tip;
}

/* Pushes those of some siblings that may go on. */
static size_t push(const wr_pool *p, const uint32_t *some, size_t count, uint32_t *stack,
                   size_t top)
{
	bool attested = false;
	for (size_t i = 0; i < count; i++) attested |= p->nodes[some[i]].attested_below;
	for (size_t i = 0; i < count; i++)
		if (!attested || p->nodes[some[i]].attested_below) stack[top++] = some[i];
	return top;
}

static int find_tips(const wr_pool *p, uint16_t chain, wr_history *h, wr_err *err)
{
	size_t top = 0, count = 0;
	uint32_t *stack = malloc((p->node_count + 1) * sizeof *stack);
	uint32_t *some = malloc((p->node_count + 1) * sizeof *some);
	if (!stack || !some) {
		free(stack);
		free(some);
		return wr_fail(err, WR_E_NOMEM, "restore: out of memory");
	}
	for (uint32_t i = 0; i < p->node_count; i++)
		if (p->nodes[i].chain == chain && is_root(&p->nodes[i])) some[count++] = i;
	top = push(p, some, count, stack, top);
	while (top > 0) {
		uint32_t n = stack[--top];
		count = 0;
		for (uint32_t c = p->nodes[n].child; c != WR_NONE; c = p->nodes[c].sibling)
			some[count++] = c;
		if (count == 0) add_tip(p, h, n);
		top = push(p, some, count, stack, top);
	}
	free(stack);
	free(some);
	return 0;
}

static uint32_t common(const wr_pool *p, uint32_t a, uint32_t b)
{
	while (a != b && a != WR_NONE && b != WR_NONE) {
		if (p->nodes[a].seq > p->nodes[b].seq)
			a = p->nodes[a].parent;
		else if (p->nodes[b].seq > p->nodes[a].seq)
			b = p->nodes[b].parent;
		else
			a = p->nodes[a].parent, b = p->nodes[b].parent;
	}
	return a == b ? a : WR_NONE;
}

static int pick(const wr_pool *p, const char *wanted, const wr_history *h, uint32_t *out,
                wr_err *err)
{
	size_t len = strlen(wanted);
	char shown[80];
	*out = WR_NONE;
	if (len == 1 && wanted[0] >= 'A' && (size_t)(wanted[0] - 'A') < h->tip_count) {
		*out = h->tips[wanted[0] - 'A'];
		return 0;
	}
	for (size_t i = 0; i < h->tip_count && len >= 4; i++) {
		char hex[WR_HEX_LEN];
		wr_hex(hex, p->nodes[h->tips[i]].hash, WR_HASH_LEN);
		if (strncmp(hex, wanted, len) == 0) *out = h->tips[i];
	}
	if (*out != WR_NONE) return 0;
	return wr_fail(err, WR_E_NOT_FOUND,
	               "--branch %s: no such branch; without it, the branches are shown",
	               wr_sanitise_to(shown, sizeof shown, wanted));
}

/* The way to the tip, as far as no receipt_id occurs twice. */
static int lay_path(wr_pool *p, uint32_t tip, wr_history *h, wr_err *err)
{
	wr_idset ids = {0};
	int rc = 0;
	size_t count = (size_t)p->nodes[tip].seq + 1;
	h->path = calloc(count, sizeof *h->path);
	if (!h->path) return wr_fail(err, WR_E_NOMEM, "restore: out of memory");
	for (uint32_t n = tip; n != WR_NONE; n = p->nodes[n].parent) h->path[p->nodes[n].seq] = n;
	for (h->count = 0; h->count < count; h->count++) {
		uint64_t value = 0;
		wr_node *n = &p->nodes[h->path[h->count]];
		int added = wr_idset_add(&ids, n->id, &value);
		if (added < 0) rc = wr_fail(err, WR_E_NOMEM, "restore: out of memory");
		if (added == 0) {
			n->flags |= WR_NODE_REPEATED;
			h->cut = true;
		}
		if (added <= 0) break;
		n->flags |= WR_NODE_CHOSEN;
	}
	wr_idset_free(&ids);
	return rc;
}

/* What the checkpoints and the sources say of how many receipts there were. */
static void weigh(const wr_pool *p, uint16_t chain, wr_history *h)
{
	int64_t longest = 0;
	h->known = (int64_t)h->count;
	for (size_t i = 0; i < p->node_count; i++) {
		const wr_node *n = &p->nodes[i];
		if (n->chain != chain) continue;
		if (n->seq + 1 > h->known) h->known = n->seq + 1;
		if (n->flags & WR_NODE_ROOTED && n->seq + 1 > longest) longest = n->seq + 1;
	}
	for (size_t s = 0; s < p->source_count; s++)
		if (p->sources[s].held[chain].should > h->known)
			h->known = p->sources[s].held[chain].should;
	for (uint32_t i = 0; i < p->note_count; i++) {
		const wr_note_found *n = &p->notes[i];
		if (n->chain != chain || !n->valid) continue;
		if (n->cp.size > h->known) h->known = n->cp.size;
		bool on_path = n->matched && n->cp.size <= (int64_t)h->count &&
		               p->nodes[h->path[n->cp.size - 1]].flags & WR_NODE_ATTESTED;
		if (on_path && n->cp.size > h->attested) {
			h->attested = n->cp.size;
			h->note = i;
		}
		if (!n->matched && n->cp.size <= longest && n->cp.size > h->contradicted)
			h->contradicted = n->cp.size;
	}
	if (h->contradicted <= h->attested) h->contradicted = 0;
}

int wr_branch_choose(wr_pool *p, uint16_t chain, const char *wanted, wr_history *out, wr_err *err)
{
	uint32_t tip;
	*out = (wr_history){.fork = WR_NONE, .note = WR_NONE};
	if (find_tips(p, chain, out, err)) return -1;
	if (out->tip_count > 0) {
		tip = out->tips[0];
		out->fork = tip;
		for (size_t i = 1; i < out->tip_count; i++) out->fork = common(p, out->fork, out->tips[i]);
		if (out->tip_count == 1) out->fork = WR_NONE;
		bool asked = wanted && out->branches > 1;
		if (asked && pick(p, wanted, out, &tip, err)) return -1;
		out->decided = out->branches == 1 || asked;
		if (out->decided && lay_path(p, tip, out, err)) return -1;
	}
	weigh(p, chain, out);
	if (out->contradicted && !wanted) out->decided = false;
	return 0;
}

void wr_history_free(wr_history *h)
{
	free(h->path);
	*h = (wr_history){0};
}
