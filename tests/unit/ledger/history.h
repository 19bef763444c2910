/* history.h: receipts made in memory, with the checkpoints that an engine would have signed, and
 * written out as ledgers, changelogs, and what damage leaves of them: for the tests of restore,
 * export, import and duplicates. */
#ifndef WR_TEST_LEDGER_HISTORY_H
#define WR_TEST_LEDGER_HISTORY_H

#include "fixture.h"

#include <sodium.h>

#include "ledger/chain.h"
#include "ledger/store.h"
#include "warroom/merkle.h"
#include "warroom/note.h"

#define LINES_MAX 2048

typedef struct history {
	char chain[64];
	size_t count;
	char *line[LINES_MAX]; /* no newline */
	size_t len[LINES_MAX];
	uint8_t hash[LINES_MAX][WR_HASH_LEN];
	wr_range tree;
	int64_t time_us;
	char *note; /* the last checkpoint's; owned */
	int64_t note_size;
} history;

static UNUSED wr_engine_key *history_key(void)
{
	wr_err err = {0};
	if (sodium_init() < 0) fail_msg("libsodium does not start");
	wr_engine_key *k = wr_engine_key_load(in_dir("engine.key"), true, &wr_random_system, &err);
	if (!k) fail_msg("%s", err.msg);
	return k;
}

static UNUSED void history_init(history *h, const char *chain)
{
	memset(h, 0, sizeof *h);
	(void)snprintf(h->chain, sizeof h->chain, "%s", chain);
	wr_range_init(&h->tree, 0);
	h->time_us = T0;
}

static UNUSED void history_free(history *h)
{
	for (size_t i = 0; i < h->count; i++) free(h->line[i]);
	free(h->note);
	h->count = 0;
	h->note = NULL;
}

/* Appends a receipt; `id` NULL makes a new one. */
static UNUSED void history_put(history *h, json_t *draft, const char *id)
{
	static const uint8_t zeros[WR_HASH_LEN];
	char fresh[WR_UUID_LEN];
	uint8_t random[10];
	wr_buf line = WR_BUF_INIT(WR_LINE_MAX + 2);
	wr_err err = {0};
	assert_true(h->count < LINES_MAX);
	test_fill(&test_seed, random, sizeof random);
	wr_uuid7(fresh, h->time_us += 1000000, random);
	const wr_envelope env = {.actor = "engine:bastion",
	                         .chain = h->chain,
	                         .epoch = 1,
	                         .seq = (int64_t)h->count,
	                         .timestamp_us = h->time_us,
	                         .prev_hash = h->count ? h->hash[h->count - 1] : zeros,
	                         .receipt_id = id ? id : fresh};
	if (wr_receipt_write(&line, h->hash[h->count], &env, draft, &err)) fail_msg("%s", err.msg);
	json_decref(draft);
	h->len[h->count] = line.len - 1;
	h->line[h->count] = wr_buf_take(&line);
	h->line[h->count][h->len[h->count]] = '\0';
	wr_range_add(&h->tree, h->hash[h->count]);
	h->count++;
}

/* A checkpoint of all so far, as note and as receipt. */
static UNUSED void history_sign(history *h, const wr_engine_key *k)
{
	wr_checkpoint cp = {.size = (int64_t)h->count};
	wr_buf note = WR_BUF_INIT(WR_NOTE_MAX);
	wr_err err = {0};
	char hex[WR_HEX_LEN];
	(void)snprintf(cp.origin, sizeof cp.origin, "acme/%s", h->chain);
	wr_range_root(&h->tree, cp.root);
	wr_hex(hex, cp.root, WR_HASH_LEN);
	if (wr_checkpoint_sign(&note, &cp, k, &err)) fail_msg("%s", err.msg);
	history_put(h,
	            json_pack("{s:s, s:s, s:I, s:s}", "operation", "checkpoint_signed", "checkpoint",
	                      wr_buf_cstr(&note), "size", (json_int_t)cp.size, "root", hex),
	            NULL);
	free(h->note);
	h->note = wr_buf_take(&note);
	h->note_size = cp.size;
}

/* n receipts more; with a key a checkpoint after each `every` of them (0: none). */
static UNUSED void history_grow(history *h, size_t n, const wr_engine_key *k, size_t every)
{
	for (size_t to = h->count + n; h->count < to;) {
		history_put(h, note((int)test_next(&test_seed) & 0xffff), NULL);
		if (every && h->count % every == 0) history_sign(h, k);
	}
}

/* The same up to `count`, to go on otherwise. */
static UNUSED void history_branch(history *to, const history *from, size_t count)
{
	history_init(to, from->chain);
	for (size_t i = 0; i < count; i++) {
		to->line[i] = strdup(from->line[i]);
		assert_non_null(to->line[i]);
		to->len[i] = from->len[i];
		memcpy(to->hash[i], from->hash[i], WR_HASH_LEN);
		wr_range_add(&to->tree, to->hash[i]);
	}
	to->count = count;
	to->time_us = from->time_us;
	if (from->note && from->note_size <= (int64_t)count) {
		to->note = strdup(from->note);
		to->note_size = from->note_size;
	}
}

static UNUSED void history_text(const history *h, size_t from, size_t to, const char *end,
                                wr_buf *out)
{
	for (size_t i = from; i < to; i++) {
		wr_buf_add(out, h->line[i], h->len[i]);
		wr_buf_adds(out, end);
	}
	assert_true(wr_buf_ok(out));
}

static UNUSED void history_file(const history *h, size_t from, size_t to, const char *end,
                                const char *path)
{
	wr_buf text = WR_BUF_INIT(64u << 20);
	history_text(h, from, to, end, &text);
	spit(path, wr_buf_cstr(&text), text.len);
	wr_buf_free(&text);
}

/* A path in a ledger of the test's directory. */
static UNUSED const char *in_ledger(const char *ledger, const char *name)
{
	char relative[384];
	(void)snprintf(relative, sizeof relative, "%s/%s", ledger, name);
	return in_dir(relative);
}

/* [from, to) as a closed ledger with segments of `per` receipts (0: one), mark, checkpoint. */
static UNUSED void history_ledger(const history *h, const char *ledger, size_t from, size_t to,
                                  size_t per, const wr_engine_key *k)
{
	wr_err err = {0};
	char name[128], segment[WR_SEGMENT_NAME_LEN], path[512];
	wr_mark mark = {.count = (int64_t)to};
	(void)snprintf(path, sizeof path, "%s", in_ledger(ledger, h->chain));
	assert_int_equal(wr_mkdirs(path, 0750, &err), 0);
	for (size_t i = from; i < to;) {
		size_t end = per && i + per < to ? i + per : to;
		wr_segment_name(segment, (int64_t)i);
		(void)snprintf(name, sizeof name, "%s/%s", h->chain, segment);
		(void)snprintf(path, sizeof path, "%s", in_ledger(ledger, name));
		history_file(h, i, end, "\n", path);
		mark.segment = (int64_t)i;
		mark.bytes = file_size(path);
		i = end;
	}
	if (to > from) {
		wr_buf text = WR_BUF_INIT(WR_MARK_MAX);
		memcpy(mark.hash, h->hash[to - 1], WR_HASH_LEN);
		wr_mark_format(&text, &mark);
		(void)snprintf(name, sizeof name, "%s/head", h->chain);
		spit(in_ledger(ledger, name), text.data, text.len);
		wr_buf_free(&text);
	}
	if (h->note && h->note_size <= (int64_t)to && from == 0) {
		(void)snprintf(name, sizeof name, "%s/checkpoint", h->chain);
		spit(in_ledger(ledger, name), h->note, strlen(h->note));
	}
	if (k && wr_engine_key_publish(k, in_dir(ledger), &err)) fail_msg("%s", err.msg);
}

/* ---- a directory's content, to see that nothing changed ---- */

static wr_buf snapshot_of_tree;

static int add_to_snapshot(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	char hex[WR_HEX_LEN] = "";
	(void)ftw;
	if (flag == FTW_F) {
		wr_buf text = WR_BUF_INIT(64u << 20);
		uint8_t hash[WR_HASH_LEN];
		wr_err err = {0};
		if (wr_read_file(&text, path, 64u << 20, WR_ANY, &err)) fail_msg("%s", err.msg);
		wr_sha256(hash, wr_buf_cstr(&text), text.len);
		wr_hex(hex, hash, WR_HASH_LEN);
		wr_buf_free(&text);
	}
	wr_buf_addf(&snapshot_of_tree, "%s %o %lld %lld.%09ld %s\n", path, st->st_mode,
	            (long long)st->st_size, (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec, hex);
	return 0;
}

/* Names, modes, sizes, times and contents below a path; free() it. */
static UNUSED char *tree_text(const char *path)
{
	wr_buf_init(&snapshot_of_tree, 64u << 20);
	(void)nftw(path, add_to_snapshot, 16, FTW_PHYS);
	return wr_buf_take(&snapshot_of_tree);
}

#endif
