/* signed.h: ledgers with checkpoints that the tests sign themselves, whatever the writer does. */
#ifndef WR_TEST_LEDGER_SIGNED_H
#define WR_TEST_LEDGER_SIGNED_H

#include "fixture.h"
#include "warroom/merkle.h"
#include "warroom/note.h"

#define ORIGIN "acme/" CHAIN_NAME

static UNUSED wr_engine_key *test_key(const char *name)
{
	wr_err err = {0};
	wr_engine_key *k = wr_engine_key_load(in_dir(name), true, &test_random, &err);
	if (!k) fail_msg("%s", err.msg);
	return k;
}

static int add_leaf(void *ctx, const wr_receipt *r)
{
	wr_range_add(ctx, r->hash);
	return 0;
}

/* The checkpoint of everything that is in the ledger now. */
static UNUSED void sign_now(wr_ledger *l, const wr_engine_key *k, wr_buf *out)
{
	wr_err err = {0};
	wr_range r;
	wr_checkpoint c = {.origin = ORIGIN};
	wr_range_init(&r, 0);
	assert_int_equal(wr_ledger_read(l, 0, add_leaf, &r, &err), 0);
	c.size = r.end;
	wr_range_root(&r, c.root);
	wr_buf_init(out, WR_NOTE_MAX);
	if (wr_checkpoint_sign(out, &c, k, &err)) fail_msg("%s", err.msg);
}

/* … put into the ledger as a receipt, at seq == size. */
static UNUSED void embed_now(wr_ledger *l, const wr_engine_key *k)
{
	wr_err err = {0};
	wr_buf text;
	sign_now(l, k, &text);
	json_t *d =
	    json_pack("{s:s, s:s}", "operation", "checkpoint_signed", "checkpoint", wr_buf_cstr(&text));
	if (wr_ledger_append(l, d, 1, NULL, &err)) fail_msg("%s", err.msg);
	wr_buf_free(&text);
}

/* A closed ledger in `dir`: n receipts, every `every`-th of them a checkpoint of those before it;
 * one of all of them in `latest` and in the chain's directory. */
static UNUSED void make_signed(const char *dir, int n, int every, size_t segment_max,
                               const wr_engine_key *k, wr_buf *latest)
{
	wr_ledger_opts opts = test_opts();
	char path[512];
	opts.dir = dir;
	opts.segment_max = segment_max;
	wr_ledger *l = must_open(&opts, NULL);
	for (int i = 0; i < n; i++) {
		if (every && i % every == every - 1)
			embed_now(l, k);
		else
			must_append(l, i);
	}
	sign_now(l, k, latest);
	wr_ledger_close(l);
	(void)snprintf(path, sizeof path, "%s/" CHAIN_NAME "/checkpoint", dir);
	spit(path, latest->data, latest->len);
}

#endif
