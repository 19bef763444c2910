/* test_anomalies.c: for each kind of damage, many ledgers with exactly that damage somewhere, from
 * seeds: the verifier says that kind, at that seq, and nothing else. Segments and chunks are small,
 * so that the damage comes to lie across their boundaries as well.
 *
 * WR_LEDGERS=N makes N ledgers of each kind instead of some hundred. */
#include "smith.h"

#define EVERY 8 /* receipts between checkpoints */

static smith s;
static wr_verify_report report;

typedef struct found {
	wr_anomaly_kind kind;
	int64_t seq;
	const char *file; /* NULL: any */
	bool more;        /* the same act may be said again, in the same words */
} found;

static void teardown_smith(void)
{
	smith_end(&s);
	wr_verify_free(&report);
}

static void verify_it(void)
{
	wr_err err = {0};
	const wr_verify_opts opts = {.threads = 1 + (unsigned)pick(&s, 3),
	                             .chunk_bytes = 1024 + pick(&s, 8000)};
	wr_verify_free(&report);
	if (wr_ledger_verify_with(test_dir, &opts, &report, &err)) fail_msg("%s", err.msg);
}

static void explain(const char *what, uint64_t seed, const found *f)
{
	wr_buf out = WR_BUF_INIT(1u << 20);
	wr_verify_print(&report, false, &out);
	print_message("%s\n", wr_buf_cstr(&out));
	wr_buf_free(&out);
	fail_msg("%s, seed %llu: expected %s at seq %lld", what, (unsigned long long)seed,
	         wr_anomaly_name(f->kind), (long long)f->seq);
}

static void must_be(const char *what, uint64_t seed, const found *f)
{
	verify_it();
	const wr_anomaly *a = report.anomalies;
	bool same = report.ok == (f->kind == WR_AN_TORN) && report.anomaly_count >= 1 &&
	            (f->more || report.anomaly_count == 1) && a->kind == f->kind && a->seq == f->seq &&
	            (!f->file || strcmp(a->file, f->file) == 0) &&
	            report.checked == report.valid + report.invalid;
	for (size_t i = 1; same && i < report.anomaly_count; i++) same = a[i].kind == f->kind;
	if (!same) explain(what, seed, f);
}

static int64_t made_names[SMITH_MAX]; /* of the segments, as they were made */

static const int64_t *names(void)
{
	return made_names;
}

static void fresh(uint64_t seed)
{
	smith_begin(&s, seed);
	smith_make(&s, 30 + pick(&s, 40), EVERY, 1 + pick(&s, 5));
	smith_mark(&s);
	memcpy(made_names, s.cut, sizeof made_names);
}

/* Moves the cuts behind line i by `by`. */
static void shift_cuts(size_t i, int64_t by)
{
	for (size_t k = 0; k < s.cuts; k++)
		if (s.cut[k] > (int64_t)i) s.cut[k] += by;
}

/* A line like line j, with other content. */
static void forged(wr_buf *out, uint8_t *hash, size_t j, bool new_id, bool new_parent)
{
	static const uint8_t zeros[WR_HASH_LEN];
	uint8_t prev[WR_HASH_LEN];
	item it = s.items[j];
	memcpy(prev, j ? s.hash[j - 1] : zeros, sizeof prev);
	if (new_parent) prev[pick(&s, WR_HASH_LEN)] ^= 1;
	if (new_id) smith_id(&s, &it);
	wr_buf_init(out, 1u << 16);
	smith_write(out, hash, &it, (int64_t)j, prev, note(4711));
}

static void insert_forged(size_t at, size_t j, bool new_id, bool new_parent)
{
	wr_buf line;
	uint8_t hash[WR_HASH_LEN];
	forged(&line, hash, j, new_id, new_parent);
	shift_cuts(at - 1, 1);
	smith_insert(&s, at, &line, (int64_t)j, hash);
	wr_buf_free(&line);
}

/* ---- the kinds; each damages and says what must be found ---- */

static found flip(void)
{
	size_t i = pick(&s, s.count), bit = pick(&s, s.len[i] * 8);
	s.line[i][bit / 8] = (char)(s.line[i][bit / 8] ^ (1 << bit % 8));
	smith_save(&s, names());
	return (found){WR_AN_CORRUPT, (int64_t)i, NULL, true};
}

static found gap(void)
{
	size_t from = pick(&s, s.count - 1), gone = 1 + pick(&s, s.count - from - 1);
	int64_t kept[SMITH_MAX];
	size_t n = 0;
	memcpy(kept, names(), s.cuts * sizeof *kept);
	for (size_t i = 0; i < gone; i++) smith_remove(&s, from);
	/* Segments of which nothing is left are gone as well. */
	for (size_t k = 0; k < s.cuts; k++) {
		int64_t end = k + 1 < s.cuts ? s.cut[k + 1] : (int64_t)(s.count + gone);
		if (kept[k] >= (int64_t)from && end <= (int64_t)(from + gone)) continue;
		int64_t at = kept[k];
		if (at > (int64_t)(from + gone))
			at -= (int64_t)gone;
		else if (at > (int64_t)from)
			at = (int64_t)from;
		kept[n] = kept[k];
		s.cut[n++] = at;
	}
	s.cuts = n;
	int64_t bytes = 0;
	for (size_t i = (size_t)s.cut[n - 1]; i < s.count; i++) bytes += (int64_t)s.len[i];
	s.mark.bytes = bytes; /* the last receipt is where it was said to be */
	smith_save(&s, kept);
	return (found){WR_AN_GAP, (int64_t)from, NULL, false};
}

static found truncated(void)
{
	size_t gone = 1 + pick(&s, s.count - 2), left = s.count - gone;
	bool by_checkpoint = pick(&s, 2) && (size_t)(s.count - 1) / EVERY * EVERY > left;
	for (size_t i = 0; i < gone; i++) smith_remove(&s, s.count - 1);
	while (s.cuts > 1 && s.cut[s.cuts - 1] >= (int64_t)left) s.cuts--;
	if (by_checkpoint) s.mark.count = 0;
	smith_save(&s, names());
	return (found){WR_AN_TRUNCATED, (int64_t)left, NULL, false};
}

static found orphan(void)
{
	size_t j = 1 + pick(&s, s.count - 2), at = j + 1 + pick(&s, s.count - j - 1);
	insert_forged(at, j, true, true);
	s.mark.count = 0;
	smith_save(&s, names());
	return (found){WR_AN_ORPHAN, (int64_t)j, NULL, false};
}

static found duplicate(void)
{
	wr_buf line = WR_BUF_INIT(1u << 16);
	size_t j = pick(&s, s.count - 1), at = j + 1 + pick(&s, s.count - j - 1);
	wr_buf_add(&line, s.line[j], s.len[j]);
	shift_cuts(at - 1, 1);
	smith_insert(&s, at, &line, (int64_t)j, s.hash[j]);
	wr_buf_free(&line);
	s.mark.count = 0;
	smith_save(&s, names());
	return (found){WR_AN_DUPLICATE, (int64_t)j, NULL, false};
}

static found equivocation(void)
{
	size_t j = pick(&s, s.count - 1), at = j + 1 + pick(&s, s.count - j - 1);
	insert_forged(at, j, false, pick(&s, 2));
	s.mark.count = 0;
	smith_save(&s, names());
	return (found){WR_AN_EQUIVOCATION, (int64_t)j, NULL, false};
}

static found fork_in_chain(void)
{
	size_t j = pick(&s, s.count - 1), at = j + 1 + pick(&s, s.count - j - 1);
	insert_forged(at, j, true, false);
	s.mark.count = 0;
	smith_save(&s, names());
	return (found){WR_AN_FORK, (int64_t)j, NULL, false};
}

static void keep_note(size_t i)
{
	wr_receipt r;
	wr_err err;
	char text[2048];
	assert_int_equal(wr_receipt_parse(&r, s.line[i], s.len[i] - 1, true, &err), WR_RF_OK);
	assert_true(wr_receipt_str(&r, "checkpoint", text, sizeof text));
	s.items[i].note = strdup(text);
}

/* Somebody writes the chain anew from one receipt on, every hash and the mark made right; the old
 * signatures stay, or their receipts are replaced by others. */
static found rewritten(void)
{
	size_t signed_size = (s.count - 1) / EVERY * EVERY, i = pick(&s, signed_size);
	bool keep = pick(&s, 2);
	size_t next = (i / EVERY + 1) * EVERY; /* the first checkpoint that covers it */
	for (size_t k = i; k < s.count; k++)
		if (s.items[k].checkpoint && keep) keep_note(k);
	for (size_t k = i; k < s.count; k++)
		if (s.items[k].checkpoint && !keep) s.items[k].checkpoint = false;
	if (s.items[i].checkpoint) { /* it is signed for by the next one */
		free(s.items[i].note);
		s.items[i].note = NULL;
		s.items[i].checkpoint = false;
		if (next > signed_size) next = 0;
	}
	s.items[i].number = 4711;
	smith_forge(&s, i);
	smith_mark(&s);
	smith_save(&s, names());
	if (keep && next) return (found){WR_AN_FORK, (int64_t)next, NULL, false};
	return (found){WR_AN_FORK, (int64_t)signed_size - 1, "checkpoint", false};
}

/* The history is not the one that the mark was set on. */
static found other_mark(void)
{
	size_t i = 1 + pick(&s, s.count - 1);
	free(s.note);
	s.note = NULL;
	for (size_t k = 0; k < s.count; k++) s.items[k].checkpoint = false;
	s.mark.hash[pick(&s, WR_HASH_LEN)] ^= (uint8_t)(1 + pick(&s, 255));
	(void)i;
	smith_forge(&s, 0);
	wr_mark old = s.mark;
	smith_mark(&s);
	memcpy(s.mark.hash, old.hash, WR_HASH_LEN);
	smith_save(&s, names());
	return (found){WR_AN_FORK, (int64_t)s.count - 1, NULL, false};
}

/* A checkpoint whose signature does not verify; what comes after it is signed rightly. */
static found foul_signature(void)
{
	size_t n = (s.count - 1) / EVERY, i = (1 + pick(&s, n)) * EVERY;
	s.items[i].foul = true;
	smith_forge(&s, i);
	free(s.note);
	s.note = NULL;
	smith_mark(&s);
	smith_save(&s, names());
	return (found){WR_AN_CORRUPT, (int64_t)i, NULL, false};
}

static found checkpoint_file(void)
{
	size_t bit = pick(&s, strlen(s.note) * 8);
	s.note[bit / 8] = (char)(s.note[bit / 8] ^ (1 << bit % 8));
	if (s.note[bit / 8] == '\0') s.note[bit / 8] = '_'; /* it was a space, say */
	smith_save(&s, names());
	return (found){WR_AN_CORRUPT, -1, "checkpoint", false};
}

static found unauthorised(void)
{
	size_t i = pick(&s, s.count);
	if (s.items[i].checkpoint) i--;
	s.items[i].guarded = true;
	free(s.note);
	s.note = NULL;
	smith_forge(&s, i);
	smith_mark(&s);
	smith_save(&s, names());
	return (found){WR_AN_UNAUTHORISED, (int64_t)i, NULL, false};
}

static found torn(void)
{
	wr_buf line;
	uint8_t hash[WR_HASH_LEN];
	smith_save(&s, names());
	forged(&line, hash, s.count - 1, true, false);
	append_bytes(segment_file(s.cut[s.cuts - 1]), line.data, 1 + pick(&s, line.len - 2));
	wr_buf_free(&line);
	return (found){WR_AN_TORN, (int64_t)s.count, NULL, false};
}

/* ---- */

static void many(const char *what, found (*damage)(void))
{
	const char *more = getenv("WR_LEDGERS");
	uint64_t count = more ? strtoull(more, NULL, 10) : 300;
	for (uint64_t seed = 1; seed <= count; seed++) {
		fresh(seed);
		found f = damage();
		must_be(what, seed, &f);
		teardown_smith();
	}
}

#define KINDS(X)                                                                                   \
	X(flip)                                                                                        \
	X(gap)                                                                                         \
	X(truncated)                                                                                   \
	X(orphan)                                                                                      \
	X(duplicate)                                                                                   \
	X(equivocation)                                                                                \
	X(fork_in_chain)                                                                               \
	X(rewritten) X(other_mark) X(foul_signature) X(checkpoint_file) X(unauthorised) X(torn)
#define X(kind)                                                                                    \
	static void many_##kind(void **state)                                                          \
	{                                                                                              \
		(void)state;                                                                               \
		many(#kind, kind);                                                                         \
	}
KINDS(X)
#undef X

static void see_total(void *ctx, int64_t bytes, int64_t total)
{
	int64_t *most = ctx;
	(void)bytes;
	if (total > *most) *most = total;
}

/* Space laid out ahead is the end of the file, and no reason to read it twice. */
static void laid_out(void **state)
{
	(void)state;
	static const char zeros[9000];
	for (uint64_t seed = 1; seed <= 200; seed++) {
		wr_err err = {0};
		int64_t most = 0, bytes = 0;
		fresh(seed);
		smith_save(&s, names());
		append_bytes(segment_file(made_names[s.cuts - 1]), zeros, 1 + pick(&s, sizeof zeros - 1));
		for (size_t k = 0; k < s.cuts; k++) bytes += file_size(segment_file(made_names[k]));
		const wr_verify_opts opts = {.threads = 1 + (unsigned)pick(&s, 3),
		                             .chunk_bytes = 1024 + pick(&s, 3000),
		                             .progress = see_total,
		                             .ctx = &most};
		wr_verify_free(&report);
		if (wr_ledger_verify_with(test_dir, &opts, &report, &err)) fail_msg("%s", err.msg);
		const found none = {WR_AN_TORN, -1, NULL, false};
		if (!report.ok || report.anomaly_total || report.valid != (int64_t)s.count || most != bytes)
			explain("laid out", seed, &none);
		/* With something behind it, it is pages that never reached the disk, or damage. */
		append_bytes(segment_file(made_names[s.cuts - 1]), "x\n", 2);
		verify_it();
		if (report.ok && !report.torn) explain("laid out, and more", seed, &none);
		teardown_smith();
	}
}

static void undamaged(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 300; seed++) {
		fresh(seed);
		smith_save(&s, names());
		verify_it();
		const found none = {WR_AN_TORN, -1, NULL, false};
		if (!report.ok || report.anomaly_total) explain("undamaged", seed, &none);
		assert_int_equal(report.valid, s.count);
		assert_int_equal(report.last_consistent_seq, s.count - 1);
		assert_int_equal(report.last_attested_seq, (s.count - 1) / EVERY * EVERY - 1);
		teardown_smith();
	}
}

/* ---- several acts at once: no names are promised then, but the same ones in every way ---- */

static void hurt(void)
{
	size_t i = pick(&s, s.count), j = pick(&s, s.count), bit = pick(&s, s.len[i] * 8);
	wr_buf line = WR_BUF_INIT(1u << 16);
	switch (pick(&s, 6)) {
	case 0:
		s.line[i][bit / 8] = (char)(s.line[i][bit / 8] ^ (1 << bit % 8));
		break;
	case 1:
		smith_remove(&s, i);
		shift_cuts(i, -1);
		break;
	case 2:
		wr_buf_add(&line, s.line[j], s.len[j]);
		smith_insert(&s, i, &line, (int64_t)j, s.hash[j]);
		shift_cuts(i, 1);
		break;
	case 3: /* an old one to another place */
		wr_buf_add(&line, s.line[j], s.len[j]);
		smith_remove(&s, j);
		smith_insert(&s, i < s.count ? i : 0, &line, (int64_t)j, s.hash[j]);
		break;
	default:
		if (i > 0 && s.count > 20) insert_forged(i, 1 + pick(&s, 19), pick(&s, 2), pick(&s, 2));
		break;
	}
	wr_buf_free(&line);
}

static void verify_so(wr_verify_report *out, wr_verify_opts opts)
{
	wr_err err = {0};
	if (wr_ledger_verify_with(test_dir, &opts, out, &err)) fail_msg("%s", err.msg);
}

static void must_agree(const char *how, uint64_t seed, const wr_verify_report *a,
                       const wr_verify_report *b)
{
	bool same = a->anomaly_count == b->anomaly_count && a->valid == b->valid &&
	            a->checked == b->checked && a->orphaned == b->orphaned && a->forks == b->forks &&
	            a->duplicates == b->duplicates && a->bytes == b->bytes &&
	            a->segments == b->segments && a->ok == b->ok &&
	            a->last_attested_seq == b->last_attested_seq &&
	            a->last_consistent_seq == b->last_consistent_seq;
	for (size_t i = 0; same && i < a->anomaly_count; i++)
		same = memcmp(&a->anomalies[i], &b->anomalies[i], sizeof *a->anomalies) == 0;
	if (!same) fail_msg("seed %llu, %s: two ways, two answers", (unsigned long long)seed, how);
}

/* At hashing speed, with all ids and parents kept, and with room for a few at a time. */
static void in_every_way(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 400; seed++) {
		wr_verify_report all, few;
		fresh(seed);
		for (size_t n = 1 + pick(&s, 5); n > 0; n--) hurt();
		if (pick(&s, 2)) s.mark.count = 0;
		smith_save(&s, names());
		verify_it();
		verify_so(&all, (wr_verify_opts){.threads = 1, .suspects_max = SIZE_MAX});
		verify_so(&few, (wr_verify_opts){.threads = 2, .suspects_max = 1 + pick(&s, 6)});
		must_agree("the fast one", seed, &all, &report);
		must_agree("windows", seed, &all, &few);
		wr_verify_free(&all);
		wr_verify_free(&few);
		teardown_smith();
	}
}

/* Most of the chain comes again, whole or forged: there are many windows, and each has some that
 * were in an earlier one. */
static void many_suspects(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		wr_verify_report all, few;
		fresh(seed);
		size_t count = s.count;
		for (size_t i = 0; i < count; i++) {
			wr_buf line = WR_BUF_INIT(1u << 16);
			size_t at = 1 + pick(&s, s.count - 1);
			wr_buf_add(&line, s.line[i], s.len[i]);
			shift_cuts(at - 1, 1);
			smith_insert(&s, at, &line, (int64_t)i, s.hash[i]);
			wr_buf_free(&line);
			if (s.count > 20 && pick(&s, 3) == 0)
				insert_forged(s.count - 1, 1 + pick(&s, 19), pick(&s, 2), pick(&s, 2));
		}
		s.mark.count = 0;
		smith_save(&s, names());
		verify_so(&all, (wr_verify_opts){.threads = 1, .suspects_max = SIZE_MAX});
		assert_true(all.duplicates > 5);
		for (size_t max = 1; max < 64; max *= 2) {
			verify_so(&few, (wr_verify_opts){.threads = 2, .suspects_max = max});
			must_agree("windows", seed, &all, &few);
			wr_verify_free(&few);
		}
		wr_verify_free(&all);
		teardown_smith();
	}
}

/* Times that fall are no damage, whatever room there is; each reading is told of. */
static void falling_times(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		wr_verify_report few;
		fresh(seed);
		for (size_t i = 0; i < s.count / 2; i++) {
			item *a = &s.items[i], *b = &s.items[s.count - 1 - i];
			char id[sizeof a->id];
			memcpy(id, a->id, sizeof id);
			memcpy(a->id, b->id, sizeof id);
			memcpy(b->id, id, sizeof id);
		}
		free(s.note);
		s.note = NULL;
		smith_forge(&s, 0);
		smith_mark(&s);
		smith_save(&s, names());
		verify_so(&few, (wr_verify_opts){.threads = 1, .suspects_max = 1 + pick(&s, 6)});
		if (!few.ok || few.anomaly_total || few.valid != (int64_t)s.count) {
			verify_it();
			const found none = {WR_AN_TORN, -1, NULL, false};
			explain("falling times", seed, &none);
		}
		wr_verify_free(&few);
		teardown_smith();
	}
}

/* From a receipt on: the same answers fast and carefully; what is good is read only once. */
static void since(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 300; seed++) {
		wr_verify_report all, fast, few;
		int64_t most = 0;
		fresh(seed);
		bool good = seed % 3 == 0;
		for (size_t n = good ? 0 : 1 + pick(&s, 3); n > 0; n--) hurt();
		if (pick(&s, 2)) s.mark.count = 0;
		smith_save(&s, names());
		if (pick(&s, 2)) append_bytes(segment_file(made_names[s.cuts - 1]), "{\"torn", 6);
		wr_verify_opts opts = {.threads = 1, .since_seq = 1 + (int64_t)pick(&s, s.count - 2)};
		opts.suspects_max = SIZE_MAX;
		verify_so(&all, opts);
		opts.suspects_max = 1 + pick(&s, 6);
		verify_so(&few, opts);
		opts.suspects_max = 0;
		opts.threads = 1 + (unsigned)pick(&s, 3);
		opts.chunk_bytes = 1024 + pick(&s, 3000);
		opts.progress = see_total;
		opts.ctx = &most;
		verify_so(&fast, opts);
		must_agree("fast, since", seed, &all, &fast);
		must_agree("windows, since", seed, &all, &few);
		if (good) {
			int64_t bytes = 0;
			for (size_t k = 0; k < s.cuts; k++) bytes += file_size(segment_file(made_names[k]));
			assert_true(fast.ok && fast.anomaly_total == fast.torn);
			assert_int_equal(fast.valid, (int64_t)s.count - opts.since_seq);
			assert_int_equal(most, bytes);
		}
		wr_verify_free(&all);
		wr_verify_free(&fast);
		wr_verify_free(&few);
		teardown_smith();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    LEDGER_TEST(undamaged),
#define X(kind) LEDGER_TEST(many_##kind),
	    KINDS(X)
#undef X
	        LEDGER_TEST(in_every_way),
	    LEDGER_TEST(many_suspects),
	    LEDGER_TEST(falling_times),
	    LEDGER_TEST(since),
	    LEDGER_TEST(laid_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
