/* bench_verify.c: verification beside plain SHA-256 over the same bytes with as many threads, in
 * the same run.
 *
 * usage: bench_verify [RECEIPTS [THREADS]]. A ledger of receipts of 500 bytes, with a signed
 * checkpoint after each 256, is made in a directory of its own. Plain: EVP, fetched once, a context
 * for each thread, one hash for each receipt's 500 bytes, from memory. The two take turns, and the
 * best round of each counts. The memory is that of a process that does nothing but verify. */
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "warroom/io.h"
#include "warroom/ledger.h"
#include "warroom/merkle.h"
#include "warroom/note.h"
#include "warroom/verify.h"

#define CHAIN       "bench/ops"
#define LINE        500
#define EVERY       256
#define ROUNDS      5
#define BATCH       2048 /* receipts hashed for each turn at the counter */
#define THREADS_MAX 16
#define FILES_MAX   512

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "bench_verify: %s\n", what);
	exit(1);
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- the ledger ---- */

typedef struct maker {
	char dir[256];
	int fd;
	int64_t bytes;
	int64_t seq, now_us;
	uint8_t hash[WR_HASH_LEN];
	wr_range tree;
	wr_engine_key *key;
	wr_buf out;
} maker;

static void flush_lines(maker *m)
{
	wr_err err;
	if (wr_write_all(m->fd, m->out.data, m->out.len, &err)) die(err.msg);
	wr_buf_reset(&m->out);
}

static void make_room(maker *m)
{
	char path[400];
	if (m->fd >= 0 && m->bytes + WR_RECEIPT_MAX < WR_SEGMENT_MAX) return;
	if (m->fd >= 0) {
		flush_lines(m);
		close(m->fd);
	}
	snprintf(path, sizeof path, "%s/" CHAIN "/%020lld.jsonl", m->dir, (long long)m->seq);
	m->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	m->bytes = 0;
	if (m->fd < 0) die("cannot make a segment");
}

static size_t put(maker *m, json_t *draft)
{
	char id[WR_UUID_LEN];
	uint8_t random[10];
	wr_err err;
	size_t before = m->out.len;
	wr_random_fill(&wr_random_system, random, sizeof random);
	wr_uuid7(id, m->now_us += 50, random);
	const wr_envelope env = {.actor = "engine:bastion",
	                         .chain = CHAIN,
	                         .epoch = 1,
	                         .seq = m->seq,
	                         .timestamp_us = m->now_us,
	                         .prev_hash = m->hash,
	                         .receipt_id = id};
	if (wr_receipt_write(&m->out, m->hash, &env, draft, &err)) die(err.msg);
	wr_range_add(&m->tree, m->hash);
	m->seq++;
	size_t len = m->out.len - before;
	m->bytes += (int64_t)len;
	json_decref(draft);
	if (m->out.len > (1u << 20)) flush_lines(m);
	return len;
}

static void put_checkpoint(maker *m)
{
	wr_checkpoint c = {.origin = "acme/" CHAIN, .size = m->seq};
	wr_buf note = WR_BUF_INIT(WR_NOTE_MAX);
	char root[WR_HEX_LEN];
	wr_err err;
	wr_range_root(&m->tree, c.root);
	if (wr_checkpoint_sign(&note, &c, m->key, &err)) die(err.msg);
	wr_hex(root, c.root, WR_HASH_LEN);
	(void)put(m, json_pack("{s:s, s:s, s:I, s:s}", "operation", "checkpoint_signed", "checkpoint",
	                       wr_buf_cstr(&note), "size", (json_int_t)c.size, "root", root));
	wr_buf_free(&note);
}

/* Filled up to 500 bytes, newline included. */
static json_t *draft(int64_t i, size_t fill)
{
	static const char words[] = "synthetic, mesh, control_plane breached for 5:00 of 5:00; two "
	                            "observers agree; every reference answers; nothing else is wrong";
	return json_pack("{s:s, s:s, s:s, s:I, s:s%}", "operation", "verdict_changed", "region",
	                 "us-central1", "to", "DOWN", "first_breach", (json_int_t)(10000000 + i),
	                 "reason", words, fill);
}

static void make(const char *dir, int64_t count)
{
	maker m = {.fd = -1, .now_us = INT64_C(1769344815123456), .out = WR_BUF_INIT(2u << 20)};
	char path[400];
	wr_err err;
	snprintf(m.dir, sizeof m.dir, "%s", dir);
	snprintf(path, sizeof path, "%s/" CHAIN, dir);
	if (wr_mkdirs(path, 0750, &err)) die(err.msg);
	wr_ledger_opts opts = {.dir = dir, .partition = "other", .stream = "ops", .actor = "bench"};
	snprintf(path, sizeof path, "%s/engine.key", dir);
	opts.engine_key = path;
	wr_ledger *l = wr_ledger_open_dir(&opts, NULL, &err); /* makes the key and its public half */
	if (!l) die(err.msg);
	wr_ledger_close(l);
	m.key = wr_engine_key_load(path, false, &wr_random_system, &err);
	if (!m.key) die(err.msg);
	wr_range_init(&m.tree, 0);
	size_t fill = 60;
	while (m.seq < count) {
		make_room(&m);
		size_t len = put(&m, draft(m.seq, fill));
		if (len > LINE) fill -= len - LINE;
		if (len < LINE) fill += LINE - len;
		if (m.seq % EVERY == 0) put_checkpoint(&m);
	}
	flush_lines(&m);
	close(m.fd);
	wr_engine_key_free(m.key);
	wr_buf_free(&m.out);
}

/* ---- plain hashing ---- */

typedef struct mapped {
	const uint8_t *data;
	size_t len;
} mapped;

static mapped files[FILES_MAX];
static size_t file_count;
static atomic_llong taken;
static int64_t records_total;
static EVP_MD *sha256;

static void map_files(const char *dir)
{
	char path[400];
	struct stat st;
	for (int64_t seq = 0; file_count < FILES_MAX; seq = records_total) {
		snprintf(path, sizeof path, "%s/" CHAIN "/%020lld.jsonl", dir, (long long)seq);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st)) return;
		void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
		close(fd);
		if (data == MAP_FAILED) die("cannot map a segment");
		files[file_count] = (mapped){.data = data, .len = (size_t)st.st_size};
		for (const char *p = data, *end = p + st.st_size; p < end; records_total++)
			p = (const char *)memchr(p, '\n', (size_t)(end - p)) + 1;
		file_count++;
	}
}

/* All bytes as one row of records of 500. */
static void *hash_plainly(void *ctx)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint8_t out[32];
	unsigned len;
	(void)ctx;
	for (;;) {
		size_t at = (size_t)atomic_fetch_add(&taken, BATCH) * LINE, end = at + BATCH * LINE,
		       file = 0;
		while (file < file_count && at >= files[file].len) {
			at -= files[file].len;
			end -= files[file].len;
			file++;
		}
		if (!md || file == file_count) break;
		if (end > files[file].len) end = files[file].len;
		for (; at < end; at += LINE) {
			size_t n = end - at < LINE ? end - at : LINE;
			if (!EVP_DigestInit_ex2(md, sha256, NULL) ||
			    !EVP_DigestUpdate(md, files[file].data + at, n) ||
			    !EVP_DigestFinal_ex(md, out, &len))
				die("SHA-256");
		}
	}
	EVP_MD_CTX_free(md);
	return NULL;
}

static double plain(unsigned threads)
{
	pthread_t t[THREADS_MAX];
	double start = now();
	atomic_store(&taken, 0);
	for (unsigned i = 1; i < threads; i++)
		if (pthread_create(&t[i], NULL, hash_plainly, NULL)) die("thread");
	(void)hash_plainly(NULL);
	for (unsigned i = 1; i < threads; i++) pthread_join(t[i], NULL);
	return now() - start;
}

/* ---- */

static double verify(const char *dir, unsigned threads, int64_t *receipts)
{
	const wr_verify_opts opts = {.threads = threads};
	wr_verify_report r;
	wr_err err;
	double start = now();
	if (wr_ledger_verify_with(dir, &opts, &r, &err)) die(err.msg);
	double took = now() - start;
	if (!r.ok || r.last_attested_seq < r.checked - EVERY - 2) die("the ledger does not verify");
	*receipts = r.checked;
	wr_verify_free(&r);
	return took;
}

static double peak_mib(const char *dir, unsigned threads)
{
	struct rusage use;
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		int64_t n;
		(void)verify(dir, threads, &n);
		_exit(0);
	}
	if (pid < 0 || wait4(pid, &status, 0, &use) != pid || status != 0) die("verifying child");
	return (double)use.ru_maxrss / 1024;
}

int main(int argc, char **argv)
{
	int64_t count = argc > 1 ? strtoll(argv[1], NULL, 10) : 1000000, n = 0;
	unsigned threads = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 2;
	char dir[] = "/tmp/warroom-bench.XXXXXX", ledger[64];
	if (threads < 1 || threads > THREADS_MAX) die("1 to 16 threads");
	if (!mkdtemp(dir)) die("mkdtemp");
	snprintf(ledger, sizeof ledger, "%s/ledger", dir);
	make(ledger, count);
	double peak = peak_mib(ledger, threads), best = 1e9, best_plain = 1e9;
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	map_files(ledger);
	for (int i = 0; i < ROUNDS; i++) {
		double a = plain(threads), b = verify(ledger, threads, &n);
		if (a < best_plain) best_plain = a;
		if (b < best) best = b;
	}
	double rate = (double)records_total / best / 1e6;
	double plain_rate = (double)records_total / best_plain / 1e6;
	printf("ledger: verify %lld receipts of %d bytes, %u threads: %.2f million/s, %.2f of plain "
	       "SHA-256 (%.2f million/s); peak memory %.0f MiB\n",
	       (long long)n, LINE, threads, rate, best_plain / best, plain_rate, peak);
	fflush(stdout);
	execlp("rm", "rm", "-rf", "--", dir, (char *)NULL);
	return 0;
}
