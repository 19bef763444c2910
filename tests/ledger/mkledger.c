/* mkledger.c: makes ledgers, good and damaged on purpose, and verifies them, for agree.sh.
 *
 *   mkledger make DIR COUNT SEGMENT_MAX SEED   a closed ledger of chain us-central1/ops
 *   mkledger damage FILE KIND SEED             one act of damage to a .jsonl file
 *   mkledger verify PATH                       as warroom ledger verify: exit 0, 1, 2
 *
 * Whatever is random comes from SEED. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "warroom/io.h"
#include "warroom/ledger.h"
#include "warroom/verify.h"

static uint64_t chance;

static uint64_t next(void)
{
	uint64_t z = (chance += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static size_t below(size_t n)
{
	return n ? (size_t)(next() % n) : 0;
}

static void fill(void *ctx, void *out, size_t len)
{
	(void)ctx;
	for (size_t i = 0; i < len; i++) ((uint8_t *)out)[i] = (uint8_t)next();
}

static int die(const char *what)
{
	(void)fprintf(stderr, "mkledger: %s\n", what);
	return 2;
}

/* ---- make ---- */

static json_t *draft(int64_t i)
{
	static const char *const texts[] = {"plain",
	                                    "",
	                                    "tab\tnewline\nreturn\rquote\"back\\slash",
	                                    "\x01\x1f\x7f",
	                                    "\xc3\x84pfel \xe2\x86\x92 \xf0\x9f\x94\xa5 \xef\xbf\xbd",
	                                    "</script>&'/"};
	/* The end of an operation brings a checkpoint. */
	const char *operation = i % 20 == 19 ? "operation_completed" : "drill_noted";
	json_t *d = json_pack("{s:s, s:I, s:s, s:b, s:I}", "operation", operation, "number",
	                      (json_int_t)i, "text", texts[below(6)], "late", (int)below(2), "size",
	                      (json_int_t)(next() >> 11) * (below(2) ? 1 : -1));
	if (below(4) == 0) json_object_set_new(d, "incident", json_string("INC-0142"));
	if (below(5) == 0) json_object_set_new(d, "actor", json_string("alice"));
	return d;
}

static int make(const char *dir, long count, long segment_max)
{
	const wr_random random = {.fill = fill};
	char key[512];
	(void)snprintf(key, sizeof key, "%s.key", dir);
	const wr_ledger_opts opts = {.dir = dir,
	                             .engine_key = key,
	                             .partition = "us-central1",
	                             .stream = "ops",
	                             .actor = "engine:bastion",
	                             .random = &random,
	                             .segment_max = (size_t)segment_max};
	wr_err err = {0};
	wr_ledger *l = wr_ledger_open_dir(&opts, NULL, &err);
	if (!l) return die(err.msg);
	for (long i = 0; i < count; i++)
		if (wr_ledger_append(l, draft(i), 1, NULL, &err)) return die(err.msg);
	wr_ledger_close(l);
	return 0;
}

/* ---- damage ---- */

#define LINES_MAX 4096

typedef struct lines {
	wr_buf text;
	size_t at[LINES_MAX + 1]; /* where each begins; the last is the end */
	size_t count;
} lines;

static int load(lines *f, const char *path)
{
	wr_err err = {0};
	wr_buf_init(&f->text, 16u << 20);
	if (wr_read_file(&f->text, path, 16u << 20, WR_ANY, &err)) return die(err.msg);
	for (size_t i = 0; i < f->text.len && f->count < LINES_MAX; i++)
		if (f->text.data[i] == '\n') f->at[++f->count] = i + 1;
	return f->count > 3 ? 0 : die("too few lines to damage");
}

static void put(wr_buf *out, const lines *f, size_t from, size_t to)
{
	wr_buf_add(out, f->text.data + f->at[from], f->at[to] - f->at[from]);
}

/* The line again with one digit of its number changed, and the hash made right: what somebody with
 * this program could do. */
static void put_rewritten(wr_buf *out, const lines *f, size_t i, bool new_id, const uint8_t *prev,
                          uint8_t hash[static WR_HASH_LEN])
{
	wr_receipt r;
	wr_err err = {0};
	char id[WR_UUID_LEN], random[10];
	size_t len = f->at[i + 1] - f->at[i] - 1;
	if (wr_receipt_parse(&r, f->text.data + f->at[i], len, true, &err) != WR_RF_OK) return;
	json_t *d = wr_receipt_json(&r);
	static const char *const own[] = {"chain", "epoch",     "prev_hash", "receipt_id",
	                                  "seq",   "timestamp", "v",         "hash"};
	for (size_t k = 0; k < sizeof own / sizeof *own; k++) json_object_del(d, own[k]);
	if (!prev) json_object_set_new(d, "number", json_integer(4711));
	fill(NULL, random, sizeof random);
	wr_uuid7(id, r.timestamp_us, (const uint8_t *)random);
	const wr_envelope env = {.chain = r.chain,
	                         .epoch = r.epoch,
	                         .seq = r.seq,
	                         .timestamp_us = r.timestamp_us,
	                         .prev_hash = prev ? prev : r.prev_hash,
	                         .receipt_id = new_id ? id : r.receipt_id};
	if (wr_receipt_write(out, hash, &env, d, &err)) (void)die(err.msg);
	json_decref(d);
}

static int damage(const char *path, const char *kind)
{
	static lines f;
	wr_buf out = WR_BUF_INIT(17u << 20);
	wr_err err = {0};
	if (load(&f, path)) return 2;
	uint8_t hash[WR_HASH_LEN];
	size_t n = f.count, i = 1 + below(n - 2);
	if (strcmp(kind, "flip") == 0) {
		wr_buf_add(&out, f.text.data, f.text.len);
		size_t bit = below(out.len * 8);
		out.data[bit / 8] = (char)(out.data[bit / 8] ^ (1 << bit % 8));
	} else if (strcmp(kind, "remove") == 0) {
		put(&out, &f, 0, i);
		put(&out, &f, i + 1, n);
	} else if (strcmp(kind, "swap") == 0) {
		put(&out, &f, 0, i);
		put(&out, &f, i + 1, i + 2);
		put(&out, &f, i, i + 1);
		put(&out, &f, i + 2, n);
	} else if (strcmp(kind, "duplicate") == 0) {
		put(&out, &f, 0, i + 1);
		put(&out, &f, below(i), i + 1);
		put(&out, &f, i + 1, n);
	} else if (strcmp(kind, "fork") == 0) {
		put(&out, &f, 0, i + 1);
		put_rewritten(&out, &f, i, true, NULL, hash);
		put(&out, &f, i + 1, n);
	} else if (strcmp(kind, "rewrite") == 0) {
		put(&out, &f, 0, i);
		put_rewritten(&out, &f, i, false, NULL, hash);
		put(&out, &f, i + 1, n);
	} else if (strcmp(kind, "anew") == 0) { /* from there on; only signatures can tell */
		put(&out, &f, 0, i);
		put_rewritten(&out, &f, i, false, NULL, hash);
		for (size_t k = i + 1; k < n; k++) put_rewritten(&out, &f, k, false, hash, hash);
	} else if (strcmp(kind, "cut") == 0) {
		wr_buf_add(&out, f.text.data, below(f.text.len));
	} else if (strcmp(kind, "tail") == 0) {
		wr_buf_add(&out, f.text.data, f.text.len);
		wr_buf_add(&out, f.text.data, 1 + below(f.at[1] - 2));
	} else if (strcmp(kind, "blank") == 0) {
		put(&out, &f, 0, i);
		wr_buf_addc(&out, '\n');
		put(&out, &f, i, n);
	} else {
		return die("no such damage");
	}
	int rc = wr_buf_ok(&out) && wr_write_file(path, out.data, out.len, 0640, &err) == 0 ? 0 : 2;
	wr_buf_free(&out);
	wr_buf_free(&f.text);
	return rc ? die(err.msg) : 0;
}

static int verify(const char *path)
{
	wr_verify_report r;
	wr_err err = {0};
	wr_buf out = WR_BUF_INIT(1u << 20);
	if (wr_ledger_verify(path, &r, NULL, NULL, &err)) return die(err.msg);
	wr_verify_print(&r, true, &out);
	(void)fputs(wr_buf_cstr(&out), stdout);
	int rc = r.ok ? 0 : 1;
	wr_verify_free(&r);
	wr_buf_free(&out);
	return rc;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "verify") == 0) return verify(argv[2]);
	if (argc == 5 && strcmp(argv[1], "damage") == 0) {
		chance = strtoull(argv[4], NULL, 10);
		return damage(argv[2], argv[3]);
	}
	if (argc == 6 && strcmp(argv[1], "make") == 0) {
		chance = strtoull(argv[5], NULL, 10);
		return make(argv[2], strtol(argv[3], NULL, 10), strtol(argv[4], NULL, 10));
	}
	return die("make DIR COUNT SEGMENT_MAX SEED | damage FILE KIND SEED | verify PATH");
}
