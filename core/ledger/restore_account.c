/* restore_account.c: what a restore says: what each source held, the branches, what is lost. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/restore.h"
#include "warroom/text.h"

#define SIGNED_SHOWN 50   /* signatures told of one branch */
#define BRANCH_READ  4096 /* receipts of a branch that are looked into */

const char *wr_restore_method(const wr_restoring *r)
{
	bool changelog = wr_restore_source(r, WR_CHANGELOG), damaged = wr_restore_source(r, WR_DAMAGED);
	return changelog && damaged ? "snapshot+changelog+damaged"
	       : changelog          ? "snapshot+changelog"
	       : damaged            ? "snapshot+damaged"
	                            : "snapshot";
}

/* ---- losses ---- */

typedef struct lost_list {
	uint32_t *nodes;
	size_t count;
} lost_list;

static const wr_pool *sorting; /* qsort has no context; not thread-safe, as said */

static int by_seq(const void *a, const void *b)
{
	const wr_node *x = &sorting->nodes[*(const uint32_t *)a];
	const wr_node *y = &sorting->nodes[*(const uint32_t *)b];
	if (x->seq != y->seq) return x->seq < y->seq ? -1 : 1;
	return memcmp(x->hash, y->hash, WR_HASH_LEN);
}

static bool below_repeated(const wr_pool *p, const wr_node *n)
{
	while (!(n->flags & (WR_NODE_CHOSEN | WR_NODE_REPEATED)) && n->parent != WR_NONE)
		n = &p->nodes[n->parent];
	return n->flags & WR_NODE_REPEATED;
}

static const char *reason(const wr_pool *p, const wr_node *n, const wr_history *h)
{
	if (!(n->flags & WR_NODE_ROOTED)) return "not joined";
	bool cut = h->cut && below_repeated(p, n);
	return cut ? "repeated id" : "other branch";
}

static json_t *lost_json(wr_restoring *r, uint32_t i, const char *why, wr_err *err)
{
	char line[WR_LINE_MAX], time[WR_TIME_LEN], hex[WR_HEX_LEN], file[512];
	wr_receipt rec;
	const wr_node *n = &r->pool.nodes[i];
	const wr_pool_file *f = &r->pool.files[n->file];
	if (wr_pool_line(&r->pool, i, line, err)) return NULL;
	if (wr_receipt_parse(&rec, line, n->len, false, err) != WR_RF_OK) return NULL;
	wr_time_format(time, n->timestamp_us);
	wr_hex(hex, n->hash, WR_HASH_LEN);
	wr_sanitise_to(file, sizeof file, f->path);
	return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:s}", "seq", (json_int_t)n->seq,
	                 "receipt_id", rec.receipt_id, "operation", rec.operation, "timestamp", time,
	                 "hash", hex, "source", r->pool.sources[f->source].name, "file", file, "byte",
	                 (json_int_t)n->at, "reason", why);
}

static void widen(wr_loss *l, int64_t time_us)
{
	if (l->from_us < 0 || time_us < l->from_us) l->from_us = time_us;
	if (time_us > l->to_us) l->to_us = time_us;
}

static void add_missing(wr_loss *l, int64_t from, int64_t to)
{
	if (from >= to) return;
	l->missing_count += to - from;
	(void)json_array_append_new(
	    l->missing, json_pack("{s:I, s:I}", "from", (json_int_t)from, "to", (json_int_t)to - 1));
}

/* What the damaged ledger had not as it should be; without one, what is lost is all that is known.
 */
static void count_corrupted(const wr_restoring *r, uint16_t chain, wr_loss *l)
{
	const wr_history *h = &r->histories[chain];
	const wr_source *damaged = wr_restore_source(r, WR_DAMAGED);
	const wr_source *judged = damaged ? damaged : wr_restore_source(r, WR_SNAPSHOT);
	int64_t wrong = 0;
	for (size_t i = 0; damaged && i < h->count; i++) {
		const wr_node *n = &r->pool.nodes[h->path[i]];
		if (n->flags & WR_DAMAGED) continue;
		wrong++;
		widen(l, n->timestamp_us);
	}
	l->corrupted = wrong + l->lost + l->missing_count;
	if (judged->held[chain].bad > l->corrupted) l->corrupted = judged->held[chain].bad;
}

/* From the last receipt before the loss to the last one lost, begun minutes counted whole. */
static void count_minutes(const wr_restoring *r, uint16_t chain, const lost_list *lost, wr_loss *l)
{
	const wr_history *h = &r->histories[chain];
	const wr_pool *p = &r->pool;
	if (l->lost == 0 && l->missing_count == 0) return;
	int64_t last_seq = -1, last_us = 0, first = (int64_t)h->count;
	for (size_t i = 0; i < lost->count; i++) {
		const wr_node *n = &p->nodes[lost->nodes[i]];
		if (n->seq < first) first = n->seq;
		if (n->seq > last_seq) last_seq = n->seq;
		if (n->timestamp_us > last_us) last_us = n->timestamp_us;
	}
	l->minutes = -1;
	/* What is missing at the very end has no time. */
	if (last_seq < h->known - 1 || h->count == 0) return;
	const wr_node *before = &p->nodes[h->path[first > 0 ? first - 1 : 0]];
	int64_t us = last_us - before->timestamp_us;
	l->minutes = us > 0 ? (us + 59999999) / 60000000 : 0;
}

static int list_lost(wr_restoring *r, uint16_t chain, lost_list *lost, wr_err *err)
{
	wr_pool *p = &r->pool;
	wr_loss *l = &r->losses[chain];
	const wr_history *h = &r->histories[chain];
	WR_ASSERT(lost->nodes);
	for (uint32_t i = 0; i < p->node_count; i++)
		if (p->nodes[i].chain == chain && !(p->nodes[i].flags & WR_NODE_CHOSEN))
			lost->nodes[lost->count++] = i;
	sorting = p;
	if (lost->count) qsort(lost->nodes, lost->count, sizeof *lost->nodes, by_seq);
	int64_t next = (int64_t)h->count;
	for (size_t i = 0; i < lost->count; i++) {
		const wr_node *n = &p->nodes[lost->nodes[i]];
		const char *why = reason(p, n, h);
		json_t *j = lost_json(r, lost->nodes[i], why, err);
		if (!j) return -1;
		(void)json_array_append_new(l->receipts, j);
		l->lost++;
		l->other += strcmp(why, "other branch") == 0;
		widen(l, n->timestamp_us);
		add_missing(l, next, n->seq);
		if (n->seq >= next) next = n->seq + 1;
	}
	add_missing(l, next, h->known);
	return 0;
}

int wr_restore_losses(wr_restoring *r, uint16_t chain, wr_err *err)
{
	wr_loss *l = &r->losses[chain];
	const wr_history *h = &r->histories[chain];
	lost_list lost = {.nodes = malloc((r->pool.node_count + 1) * sizeof *lost.nodes)};
	*l = (wr_loss){.receipts = json_array(), .missing = json_array(), .from_us = -1, .to_us = -1};
	int rc = 0;
	if (!lost.nodes || !l->receipts || !l->missing)
		rc = wr_fail(err, WR_E_NOMEM, "restore: out of memory");
	/* Before a branch is chosen it cannot be said what is lost. */
	if (rc == 0 && (h->decided || h->branches == 0)) {
		rc = list_lost(r, chain, &lost, err);
		if (rc == 0) {
			count_minutes(r, chain, &lost, l);
			count_corrupted(r, chain, l);
		}
	}
	free(lost.nodes);
	return rc;
}

/* ---- sources ---- */

static json_t *held_json(const wr_source *s, const wr_held *h, const wr_history *history,
                         const wr_pool *p)
{
	char hex[WR_HEX_LEN] = "", time[WR_TIME_LEN] = "";
	const char *mark = *h->mark_bad ? h->mark_bad : h->mark.count == 0 ? "none" : "right";
	if (h->consistent >= 0) wr_hex(hex, h->consistent_hash, WR_HASH_LEN);
	if (h->receipts) wr_time_format(time, h->last_time_us);
	if (h->mark.count > (int64_t)history->count)
		mark = history->count ? "beyond what is left" : mark;
	else if (h->mark.count > 0 && !*h->mark_bad &&
	         memcmp(p->nodes[history->path[h->mark.count - 1]].hash, h->mark.hash, WR_HASH_LEN) !=
	             0)
		mark = "of another history";
	json_t *j =
	    json_pack("{s:s, s:I, s:I, s:I, s:s, s:s, s:I, s:I, s:s, s:I}", "source", s->name,
	              "receipts", (json_int_t)h->receipts, "begins", (json_int_t)h->begins,
	              "last_good_seq", (json_int_t)h->consistent, "last_good_hash", hex,
	              "last_timestamp", time, "unreadable", (json_int_t)h->bad, "torn_bytes",
	              (json_int_t)h->torn, "mark", mark, "mark_count", (json_int_t)h->mark.count);
	if (*h->first_bad.text)
		(void)json_object_set_new(j, "first_bad",
		                          json_pack("{s:s, s:I, s:I, s:s}", "file", h->first_bad.file,
		                                    "line", (json_int_t)h->first_bad.line, "byte",
		                                    (json_int_t)h->first_bad.byte, "text",
		                                    h->first_bad.text));
	return j;
}

static json_t *checkpoints_json(const wr_pool *p, uint16_t chain)
{
	json_t *list = json_array();
	for (size_t i = 0; i < p->note_count; i++) {
		const wr_note_found *n = &p->notes[i];
		if (n->chain != chain || (n->valid && n->matched)) continue;
		const char *what = !n->valid ? (*n->why ? n->why : "no engine key is known")
		                             : "of no history that is here";
		(void)json_array_append_new(
		    list, json_pack("{s:s, s:I, s:I, s:b, s:s}", "source", p->sources[n->source].name,
		                    "seq", (json_int_t)n->seq, "size", (json_int_t)n->cp.size, "signed",
		                    n->valid, "problem", what));
	}
	return list;
}

/* ---- branches ---- */

static void count_operation(json_t *counts, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(counts, name));
	(void)json_object_set_new(counts, name, json_integer(n + 1));
}

static void add_signed(json_t *list, const wr_receipt *rec)
{
	char who[128], decision[128], operation[128], text[448], clean[448];
	if (strcmp(rec->operation, "approval_recorded") != 0 || json_array_size(list) >= SIGNED_SHOWN)
		return;
	(void)wr_receipt_str(rec, "principal", who, sizeof who);
	(void)wr_receipt_str(rec, "decision", decision, sizeof decision);
	(void)wr_receipt_str(rec, "operation_id", operation, sizeof operation);
	(void)snprintf(text, sizeof text, "seq %lld: %s signed %s of %s", (long long)rec->seq, who,
	               decision, operation);
	(void)json_array_append_new(list, json_string(wr_sanitise_to(clean, sizeof clean, text)));
}

/* What is in a branch behind the fork: enough to choose by. */
static int look_into(wr_restoring *r, uint32_t tip, uint32_t fork, json_t *out, wr_err *err)
{
	json_t *counts = json_object(), *signatures = json_array();
	size_t read = 0;
	int rc = 0;
	for (uint32_t i = tip; i != fork && i != WR_NONE && read < BRANCH_READ && rc == 0; read++) {
		char line[WR_LINE_MAX];
		wr_receipt rec;
		const wr_node *n = &r->pool.nodes[i];
		rc = wr_pool_line(&r->pool, i, line, err);
		if (rc == 0 && wr_receipt_parse(&rec, line, n->len, false, NULL) == WR_RF_OK) {
			count_operation(counts, rec.operation);
			add_signed(signatures, &rec);
		}
		i = n->parent;
	}
	(void)json_object_set_new(out, "operations", counts);
	(void)json_object_set_new(out, "signed", signatures);
	return rc;
}

static int branches_json(wr_restoring *r, const wr_history *h, json_t *out, wr_err *err)
{
	const wr_pool *p = &r->pool;
	int64_t from = h->fork == WR_NONE ? 0 : p->nodes[h->fork].seq + 1;
	for (size_t i = 0; i < h->tip_count; i++) {
		const wr_node *n = &p->nodes[h->tips[i]];
		char hex[WR_HEX_LEN], time[WR_TIME_LEN], name[2] = {(char)('A' + (int)i), '\0'};
		bool chosen = h->count > 0 && n->flags & WR_NODE_CHOSEN;
		wr_hex(hex, n->hash, WR_HASH_LEN);
		wr_time_format(time, n->timestamp_us);
		json_t *j = json_pack("{s:s, s:s, s:I, s:I, s:s, s:b, s:b}", "branch", name, "head", hex,
		                      "count", (json_int_t)n->seq + 1, "from_seq", (json_int_t)from,
		                      "timestamp", time, "attested", n->attested_below, "chosen", chosen);
		(void)json_array_append_new(out, j);
		if (look_into(r, h->tips[i], h->fork, j, err)) return -1;
	}
	return 0;
}

/* ---- all of it ---- */

static json_t *head_json(const wr_restoring *r, const wr_history *h)
{
	char hex[WR_HEX_LEN] = "";
	if (h->count) wr_hex(hex, r->pool.nodes[h->path[h->count - 1]].hash, WR_HASH_LEN);
	return json_string(hex);
}

static int chain_account(wr_restoring *r, uint16_t chain, json_t *chains, wr_err *err)
{
	const wr_pool *p = &r->pool;
	const wr_history *h = &r->histories[chain];
	const wr_loss *l = &r->losses[chain];
	json_t *sources = json_array(), *branches = json_array();
	for (size_t s = 0; s < p->source_count; s++)
		(void)json_array_append_new(sources,
		                            held_json(&p->sources[s], &p->sources[s].held[chain], h, p));
	json_t *j = json_pack(
	    "{s:s, s:b, s:I, s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:O, s:O, s:I, s:I, s:I, s:I, s:I}",
	    "chain", p->chains[chain], "decided", h->decided, "receipts", (json_int_t)h->count, "head",
	    head_json(r, h), "attested", (json_int_t)h->attested, "known", (json_int_t)h->known,
	    "branch_count", (json_int_t)h->branches, "sources", sources, "branches", branches,
	    "checkpoint_problems", checkpoints_json(p, chain), "lost", l->receipts, "missing",
	    l->missing, "lost_count", (json_int_t)(l->lost + l->missing_count), "other_branch_count",
	    (json_int_t)l->other, "missing_count", (json_int_t)l->missing_count, "corrupted_count",
	    (json_int_t)l->corrupted, "data_loss_minutes", (json_int_t)l->minutes);
	if (!j) return wr_fail(err, WR_E_NOMEM, "restore: out of memory");
	(void)json_array_append_new(chains, j);
	if (l->from_us >= 0) {
		char from[WR_TIME_LEN], to[WR_TIME_LEN];
		wr_time_format(from, l->from_us);
		wr_time_format(to, l->to_us);
		(void)json_object_set_new(j, "affected_from", json_string(from));
		(void)json_object_set_new(j, "affected_to", json_string(to));
	}
	return h->branches > 1 ? branches_json(r, h, branches, err) : 0;
}

static json_t *source_json(const wr_source *s)
{
	char path[512];
	return json_pack("{s:s, s:s, s:b, s:I}", "source", s->name, "path",
	                 wr_sanitise_to(path, sizeof path, s->path), "engine_pub", s->has_key,
	                 "unreadable", (json_int_t)s->unreadable);
}

int wr_restore_account(wr_restoring *r, wr_err *err)
{
	json_t *doc = r->report->doc, *chains = json_array(), *sources = json_array();
	char into[512];
	(void)json_object_set_new(doc, "chains", chains);
	(void)json_object_set_new(doc, "sources", sources);
	(void)json_object_set_new(doc, "into",
	                          json_string(wr_sanitise_to(into, sizeof into, r->opts->into)));
	(void)json_object_set_new(doc, "recovery_method", json_string(wr_restore_method(r)));
	(void)json_object_set_new(doc, "checkpoint_signed", json_boolean(r->opts->engine_key != NULL));
	(void)json_object_set(doc, "notes", r->notes);
	for (size_t s = 0; s < r->pool.source_count; s++)
		(void)json_array_append_new(sources, source_json(&r->pool.sources[s]));
	for (size_t c = 0; c < r->pool.chain_count; c++)
		if (r->taken[c] && chain_account(r, (uint16_t)c, chains, err)) return -1;
	return 0;
}
