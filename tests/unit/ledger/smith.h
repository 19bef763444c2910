/* smith.h: a chain made by hand, so that it can be made wrong on purpose: lines in memory, cut into
 * segments, with a mark and a signed checkpoint, written to a ledger directory. */
#ifndef WR_TEST_LEDGER_SMITH_H
#define WR_TEST_LEDGER_SMITH_H

#include "fixture.h"

#include "ledger/chain.h"
#include "warroom/merkle.h"
#include "warroom/note.h"

#define SMITH_MAX    512
#define SMITH_ORIGIN "acme/" CHAIN_NAME

/* What one receipt is made of. */
typedef struct item {
	bool checkpoint, foul; /* foul: the signature does not verify */
	bool guarded;          /* a step that nobody approved */
	int number;
	char id[WR_UUID_LEN];
	int64_t time_us;
	char *note; /* an old one to keep, instead of a new one */
} item;

typedef struct smith {
	item items[SMITH_MAX];
	char *line[SMITH_MAX]; /* newline included */
	size_t len[SMITH_MAX];
	int64_t seq[SMITH_MAX]; /* of the line, by its content */
	uint8_t hash[SMITH_MAX][WR_HASH_LEN];
	size_t count;
	int64_t cut[SMITH_MAX]; /* index of the first line of each segment */
	size_t cuts;
	char *note; /* the file `checkpoint`; NULL none */
	wr_mark mark;
	wr_engine_key *key;
	uint64_t chance;
} smith;

static UNUSED size_t pick(smith *s, size_t n) /* below n */
{
	return n ? (size_t)(test_next(&s->chance) % n) : 0;
}

static UNUSED char *smith_sign(smith *s, int64_t size, const uint8_t *root)
{
	wr_checkpoint c = {.origin = SMITH_ORIGIN, .size = size};
	wr_buf note = WR_BUF_INIT(WR_NOTE_MAX);
	wr_err err = {0};
	memcpy(c.root, root, WR_HASH_LEN);
	if (wr_checkpoint_sign(&note, &c, s->key, &err)) fail_msg("%s", err.msg);
	char *text = strdup(wr_buf_cstr(&note));
	wr_buf_free(&note);
	return text;
}

static UNUSED json_t *smith_draft(smith *s, size_t i, const wr_range *tree)
{
	const item *it = &s->items[i];
	if (it->guarded)
		return json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:s, s:s, s:s, s:b, s:b}", "operation",
		                 "step_intent", "operation_id", "op-1", "plan_hash", "aa", "step", "shift",
		                 "index", 1, "attempt", 1, "kind", "traffic", "phase", "shift", "class",
		                 "idempotent", "guarded", 1, "undo", 0);
	if (!it->checkpoint) return note(it->number);
	uint8_t root[WR_HASH_LEN];
	char hex[WR_HEX_LEN];
	wr_checkpoint c = {.size = (int64_t)i};
	wr_range_root(tree, root);
	char *text = it->note ? strdup(it->note) : smith_sign(s, (int64_t)i, root);
	if (it->note) {
		wr_note n;
		wr_err err;
		assert_int_equal(wr_note_parse(&n, text, strlen(text), &err), 0);
		assert_int_equal(wr_checkpoint_parse(&c, n.text, n.text_len, &err), 0);
		memcpy(root, c.root, sizeof root);
	}
	if (it->foul) { /* another signature of the right length */
		char *at = strrchr(text, ' ') + 20;
		*at = *at == 'A' ? 'B' : 'A';
	}
	wr_hex(hex, root, WR_HASH_LEN);
	json_t *d = json_pack("{s:s, s:s, s:I, s:s}", "operation", "checkpoint_signed", "checkpoint",
	                      text, "size", (json_int_t)c.size, "root", hex);
	free(text);
	return d;
}

static UNUSED void smith_set(smith *s, size_t i, const wr_buf *line)
{
	free(s->line[i]);
	s->len[i] = line->len;
	s->line[i] = malloc(line->len + 1);
	memcpy(s->line[i], line->data, line->len);
	s->line[i][line->len] = '\0';
}

/* A line as it would be at `seq` after `prev`. */
static UNUSED void smith_write(wr_buf *out, uint8_t *hash, const item *it, int64_t seq,
                               const uint8_t *prev, json_t *draft)
{
	wr_err err = {0};
	const wr_envelope env = {.actor = "engine:bastion",
	                         .chain = CHAIN_NAME,
	                         .epoch = 1,
	                         .seq = seq,
	                         .timestamp_us = it->time_us,
	                         .prev_hash = prev,
	                         .receipt_id = it->id};
	if (wr_receipt_write(out, hash, &env, draft, &err)) fail_msg("%s", err.msg);
	json_decref(draft);
}

/* Makes the lines from `from` on, from their items, and the tree. */
static UNUSED void smith_forge(smith *s, size_t from)
{
	static const uint8_t zeros[WR_HASH_LEN];
	wr_range tree;
	wr_range_init(&tree, 0);
	for (size_t i = 0; i < from; i++) wr_range_add(&tree, s->hash[i]);
	for (size_t i = from; i < s->count; i++) {
		wr_buf line = WR_BUF_INIT(1u << 16);
		smith_write(&line, s->hash[i], &s->items[i], (int64_t)i, i ? s->hash[i - 1] : zeros,
		            smith_draft(s, i, &tree));
		smith_set(s, i, &line);
		s->seq[i] = (int64_t)i;
		wr_range_add(&tree, s->hash[i]);
		wr_buf_free(&line);
	}
}

static UNUSED void smith_id(smith *s, item *it)
{
	uint8_t random[10];
	test_fill(&s->chance, random, sizeof random);
	wr_uuid7(it->id, it->time_us, random);
}

/* `count` receipts, a checkpoint about each `every`, cut into about `parts` segments. */
static UNUSED void smith_make(smith *s, size_t count, size_t every, size_t parts)
{
	int64_t now = T0;
	s->count = count;
	for (size_t i = 0; i < count; i++) {
		item *it = &s->items[i];
		now += (int64_t)pick(s, 3) * 400; /* often several in one millisecond */
		*it = (item){.number = (int)i, .time_us = now, .checkpoint = i && i % every == 0};
		smith_id(s, it);
	}
	smith_forge(s, 0);
	s->cuts = 0;
	for (size_t i = 0; i < count; i++)
		if (i == 0 || pick(s, count) < parts - 1) s->cut[s->cuts++] = (int64_t)i;
	size_t last = (count - 1) / every * every;
	if (last) {
		wr_range tree;
		uint8_t root[WR_HASH_LEN];
		wr_range_init(&tree, 0);
		for (size_t i = 0; i < last; i++) wr_range_add(&tree, s->hash[i]);
		wr_range_root(&tree, root);
		free(s->note);
		s->note = smith_sign(s, (int64_t)last, root);
	}
}

/* The mark of the lines as they are. */
static UNUSED void smith_mark(smith *s)
{
	int64_t start = s->cut[s->cuts - 1];
	s->mark = (wr_mark){.count = s->seq[s->count - 1] + 1, .segment = s->seq[start]};
	for (size_t i = (size_t)start; i < s->count; i++) s->mark.bytes += (int64_t)s->len[i];
	memcpy(s->mark.hash, s->hash[s->count - 1], WR_HASH_LEN);
}

/* Takes line i away; segments keep their names. */
static UNUSED void smith_remove(smith *s, size_t i)
{
	free(s->line[i]);
	size_t after = s->count - i - 1;
	memmove(&s->line[i], &s->line[i + 1], after * sizeof *s->line);
	memmove(&s->len[i], &s->len[i + 1], after * sizeof *s->len);
	memmove(&s->seq[i], &s->seq[i + 1], after * sizeof *s->seq);
	memmove(&s->hash[i], &s->hash[i + 1], after * sizeof *s->hash);
	s->line[--s->count] = NULL;
}

static UNUSED void smith_insert(smith *s, size_t i, const wr_buf *line, int64_t seq,
                                const uint8_t *hash)
{
	uint8_t copy[WR_HASH_LEN];
	size_t after = s->count++ - i;
	memcpy(copy, hash, sizeof copy);
	memmove(&s->line[i + 1], &s->line[i], after * sizeof *s->line);
	memmove(&s->len[i + 1], &s->len[i], after * sizeof *s->len);
	memmove(&s->seq[i + 1], &s->seq[i], after * sizeof *s->seq);
	memmove(&s->hash[i + 1], &s->hash[i], after * sizeof *s->hash);
	s->line[i] = NULL;
	smith_set(s, i, line);
	s->seq[i] = seq;
	memcpy(s->hash[i], copy, sizeof copy);
}

/* Writes everything below test_dir. names[k]: the seq in segment k's name. */
static UNUSED void smith_save(smith *s, const int64_t *names)
{
	wr_err err = {0};
	remove_tree(in_dir("us-central1"));
	if (wr_mkdirs(in_dir(CHAIN_NAME), 0750, &err)) fail_msg("%s", err.msg);
	wr_buf file = WR_BUF_INIT(8u << 20);
	for (size_t k = 0; k < s->cuts; k++) {
		size_t end = k + 1 < s->cuts ? (size_t)s->cut[k + 1] : s->count;
		wr_buf_reset(&file);
		for (size_t i = (size_t)s->cut[k]; i < end; i++) wr_buf_add(&file, s->line[i], s->len[i]);
		spit(segment_file(names[k]), file.data ? file.data : "", file.len);
	}
	if (s->note) spit(in_chain("checkpoint"), s->note, strlen(s->note));
	if (s->mark.count) {
		wr_buf_reset(&file);
		wr_mark_format(&file, &s->mark);
		spit(in_chain("head"), file.data, file.len);
	}
	wr_buf_free(&file);
}

static UNUSED void smith_begin(smith *s, uint64_t seed)
{
	static const wr_random random = {.fill = test_fill, .ctx = &test_seed};
	wr_err err = {0};
	memset(s, 0, sizeof *s);
	s->chance = seed;
	s->key = wr_engine_key_load(in_dir("engine.key"), true, &random, &err);
	if (!s->key) fail_msg("%s", err.msg);
	wr_pubkey key;
	wr_buf line = WR_BUF_INIT(1024);
	wr_pubkey_from_ed25519(&key, wr_engine_key_public(s->key));
	wr_pubkey_format(&line, &key);
	wr_buf_addc(&line, '\n');
	spit(in_dir("engine.pub"), line.data, line.len);
	wr_buf_free(&line);
}

static UNUSED void smith_end(smith *s)
{
	for (size_t i = 0; i < SMITH_MAX; i++) {
		free(s->line[i]);
		free(s->items[i].note);
		s->line[i] = s->items[i].note = NULL;
	}
	free(s->note);
	wr_engine_key_free(s->key);
	s->note = NULL;
	s->key = NULL;
}

#endif
