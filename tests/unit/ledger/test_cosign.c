/* test_cosign.c: one engine watches another's ledger: honest growth is cosigned, a history that
 * was written anew and signed with the same key is not. */
#include "signed.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "warroom/proof.h"

typedef struct world {
	wr_engine_key *log, *witness;
	wr_trusted log_key;
	wr_cosigner cosigner;
	const char *prove_from; /* a ledger's directory; NULL: there is no proof */
	wr_proof *given;        /* … or this one */
	int asked;
	char kept[1024];
} world;

static world w;

static int prove(void *ctx, const wr_buf *old_note, const wr_buf *note_, wr_proof *out, wr_err *err)
{
	world *at = ctx;
	wr_proof_doc doc;
	char dir[512];
	at->asked++;
	if (at->given) {
		*out = *at->given;
		return 0;
	}
	if (!at->prove_from) return wr_fail(err, WR_E_NOT_FOUND, "no proof");
	(void)snprintf(dir, sizeof dir, "%s/" CHAIN_NAME, at->prove_from);
	if (wr_prove_growth(&doc, dir, old_note, note_, NULL, err)) return -1;
	*out = doc.path;
	wr_proof_doc_free(&doc);
	return 0;
}

static int begin(void **state)
{
	static char dir[512];
	if (make_test_dir(state)) return -1;
	w = (world){.log = test_key("log.key"), .witness = test_key("witness.key")};
	memcpy(w.log_key.public_key, wr_engine_key_public(w.log), WR_ED25519_PUBLIC);
	(void)snprintf(dir, sizeof dir, "%s/state", test_dir);
	w.cosigner = (wr_cosigner){.state_dir = dir,
	                           .name = "acme/lyon",
	                           .key = w.witness,
	                           .log_keys = &w.log_key,
	                           .log_key_count = 1,
	                           .time = 1769344815,
	                           .prove = prove,
	                           .ctx = &w};
	return 0;
}

static int end(void **state)
{
	wr_engine_key_free(w.log);
	wr_engine_key_free(w.witness);
	return drop_test_dir(state);
}

/* A ledger of its own directory whose history depends on `seed` as well. */
static void history(wr_buf *latest, const char *name, int n, uint64_t seed)
{
	char dir[512];
	(void)snprintf(dir, sizeof dir, "%s/%s", test_dir, name);
	remove_tree(dir);
	test_now = T0;
	test_seed = seed;
	make_signed(dir, n, 0, 4096, w.log, latest);
}

static const char *ledger_dir(const char *name)
{
	static char dir[512];
	(void)snprintf(dir, sizeof dir, "%s/%s", test_dir, name);
	return dir;
}

static wr_cosign_answer ask(wr_buf *note_, wr_err *err)
{
	*err = (wr_err){0};
	return wr_cosign(&w.cosigner, note_, w.kept, sizeof w.kept, err);
}

static void cosigned_by_both(const wr_buf *note_)
{
	wr_note n;
	wr_signers_of s;
	wr_err err = {0};
	wr_trusted keys[2] = {w.log_key, {.alg = WR_NOTE_COSIGNATURE}};
	memcpy(keys[1].public_key, wr_engine_key_public(w.witness), WR_ED25519_PUBLIC);
	(void)snprintf(keys[1].name, sizeof keys[1].name, "acme/lyon");
	assert_int_equal(wr_note_parse(&n, note_->data, note_->len, &err), 0);
	assert_int_equal(wr_note_signers(&s, &n, keys, 2, &err), 0);
	assert_int_equal(s.count, 2);
	assert_string_equal(s.items[0].name, ORIGIN);
	assert_string_equal(s.items[1].name, "acme/lyon");
	assert_int_equal(s.items[1].time, w.cosigner.time);
}

static void honest_growth(void **state)
{
	(void)state;
	wr_err err;
	wr_buf text;
	static const int sizes[] = {1, 5, 5, 6, 40, 64, 65};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		history(&text, "ledger", sizes[i], 42);
		w.prove_from = ledger_dir("ledger");
		w.cosigner.time++;
		if (ask(&text, &err) != WR_COSIGN_DONE) fail_msg("%d: %s", sizes[i], err.msg);
		cosigned_by_both(&text);
		wr_buf_free(&text);
	}
	assert_int_equal(w.asked, 5); /* neither for the first one nor for the same again */
	assert_string_equal(w.kept, "");
}

/* The beginning is another one; the key is the same: the second checkpoint is as good as the first
 * to whoever sees it alone. */
static void split_view(void **state)
{
	(void)state;
	wr_err err;
	wr_buf first, second, again, kept;
	char path[1100];
	history(&first, "ledger", 20, 42);
	assert_int_equal(ask(&first, &err), WR_COSIGN_DONE);
	history(&second, "rewritten", 30, 43);
	w.prove_from = ledger_dir("rewritten");
	size_t len = second.len;
	assert_int_equal(ask(&second, &err), WR_COSIGN_FORK);
	assert_int_equal(err.code, WR_E_CONFLICT);
	assert_non_null(strstr(err.msg, "fork: " ORIGIN));
	assert_int_equal(second.len, len); /* nothing was signed */
	(void)snprintf(path, sizeof path, "%s.new", w.kept);
	slurp(&kept, path);
	assert_int_equal(kept.len, second.len);
	assert_memory_equal(kept.data, second.data, kept.len);
	wr_buf_free(&kept);
	(void)snprintf(path, sizeof path, "%s.old", w.kept);
	slurp(&kept, path);
	assert_memory_equal(kept.data, first.data, kept.len); /* without our line: as it came */
	wr_buf_free(&kept);
	/* Nothing was forgotten: the honest one goes on. */
	history(&again, "ledger", 31, 42);
	w.prove_from = ledger_dir("ledger");
	assert_int_equal(ask(&again, &err), WR_COSIGN_DONE);
	wr_buf_free(&first);
	wr_buf_free(&second);
	wr_buf_free(&again);
}

static void same_size(void **state)
{
	(void)state;
	wr_err err;
	wr_buf first, second;
	history(&first, "ledger", 20, 42);
	assert_int_equal(ask(&first, &err), WR_COSIGN_DONE);
	history(&second, "rewritten", 20, 43);
	assert_int_equal(ask(&second, &err), WR_COSIGN_FORK);
	assert_true(*w.kept);
	assert_int_equal(w.asked, 0);
	wr_buf_free(&first);
	wr_buf_free(&second);
}

static void smaller(void **state)
{
	(void)state;
	wr_err err;
	wr_buf first, second;
	history(&first, "ledger", 20, 42);
	assert_int_equal(ask(&first, &err), WR_COSIGN_DONE);
	history(&second, "ledger", 19, 42);
	w.prove_from = ledger_dir("ledger");
	assert_int_equal(ask(&second, &err), WR_COSIGN_SMALLER);
	assert_string_equal(w.kept, "");
	wr_buf_free(&first);
	wr_buf_free(&second);
}

static void without_proof(void **state)
{
	(void)state;
	wr_err err;
	wr_buf first, second;
	wr_proof wrong = {.count = 3};
	history(&first, "ledger", 20, 42);
	assert_int_equal(ask(&first, &err), WR_COSIGN_DONE);
	history(&second, "ledger", 30, 42);
	assert_int_equal(ask(&second, &err), WR_COSIGN_UNPROVEN);
	assert_string_equal(w.kept, "");
	w.given = &wrong;
	assert_int_equal(ask(&second, &err), WR_COSIGN_UNPROVEN);
	assert_true(*w.kept);
	w.given = NULL;
	/* Receipts that are not those of the checkpoint say nothing of the log. */
	wr_buf other;
	history(&other, "elsewhere", 40, 44);
	w.prove_from = ledger_dir("elsewhere");
	assert_int_equal(ask(&second, &err), WR_COSIGN_UNPROVEN);
	w.prove_from = ledger_dir("ledger");
	assert_int_equal(ask(&second, &err), WR_COSIGN_DONE);
	wr_buf_free(&first);
	wr_buf_free(&second);
	wr_buf_free(&other);
}

static void unsigned_ones(void **state)
{
	(void)state;
	wr_err err;
	wr_buf text, foreign = WR_BUF_INIT(WR_NOTE_MAX);
	wr_checkpoint c = {.origin = ORIGIN, .size = 3};
	assert_int_equal(wr_checkpoint_sign(&foreign, &c, w.witness, &err), 0);
	assert_int_equal(ask(&foreign, &err), WR_COSIGN_UNSIGNED);
	/* A log's key whose signature was changed; one cosigned by the log but not signed. */
	history(&text, "ledger", 5, 42);
	char *at = strstr(text.data, "\n\n") + 2;
	at = strrchr(at, ' ') + 20;
	*at = *at == 'A' ? 'B' : 'A';
	assert_int_equal(ask(&text, &err), WR_COSIGN_UNSIGNED);
	assert_int_equal(err.code, WR_E_DENIED);
	assert_int_equal(wr_note_cosign(&foreign, ORIGIN, w.log, 5, &err), 0);
	assert_int_equal(ask(&foreign, &err), WR_COSIGN_UNSIGNED);
	/* No checkpoint at all, and one that says nothing where it should. */
	wr_buf_reset(&foreign);
	wr_buf_adds(&foreign, "rubbish\n");
	assert_int_equal(ask(&foreign, &err), WR_COSIGN_FAILED);
	wr_buf_reset(&foreign);
	c.size = 0;
	assert_int_equal(wr_checkpoint_sign(&foreign, &c, w.log, &err), 0);
	assert_int_equal(ask(&foreign, &err), WR_COSIGN_FAILED);
	wr_buf_free(&text);
	wr_buf_free(&foreign);
}

/* Each log has a state of its own, and none is taken for another's. */
static void two_logs(void **state)
{
	(void)state;
	wr_err err = {0};
	wr_buf a, b = WR_BUF_INIT(WR_NOTE_MAX);
	wr_checkpoint c = {.origin = "acme/oslo/ops", .size = 3};
	history(&a, "ledger", 20, 42);
	assert_int_equal(ask(&a, &err), WR_COSIGN_DONE);
	assert_int_equal(wr_checkpoint_sign(&b, &c, w.log, &err), 0);
	assert_int_equal(ask(&b, &err), WR_COSIGN_DONE);
	wr_buf_free(&a);
	wr_buf_free(&b);
}

static const char *state_file(void)
{
	static char path[800];
	DIR *d = opendir(w.cosigner.state_dir);
	const struct dirent *e;
	assert_non_null(d);
	while ((e = readdir(d)))
		if (strstr(e->d_name, ".checkpoint"))
			(void)snprintf(path, sizeof path, "%s/%.255s", w.cosigner.state_dir, e->d_name);
	(void)closedir(d);
	return path;
}

/* A state that is damaged, or cannot be written: no signature. */
static void state_first(void **state)
{
	(void)state;
	wr_err err;
	wr_buf text, more;
	history(&text, "ledger", 20, 42);
	assert_int_equal(ask(&text, &err), WR_COSIGN_DONE);
	history(&more, "ledger", 25, 42);
	w.prove_from = ledger_dir("ledger");
	size_t len = more.len;
	spit(state_file(), "rubbish\n", 8);
	assert_int_equal(ask(&more, &err), WR_COSIGN_FAILED);
	assert_int_equal(more.len, len);
	spit(state_file(), text.data, text.len);
	assert_int_equal(ask(&more, &err), WR_COSIGN_DONE);
	/* Where the directory should be there is a file. */
	spit(in_dir("file"), "x", 1);
	w.cosigner.state_dir = in_dir("file");
	assert_int_equal(ask(&more, &err), WR_COSIGN_FAILED);
	wr_buf_free(&text);
	wr_buf_free(&more);
}

/* One bit of the state: "8 receipts" becomes "0 receipts", before which there is no history. And a
 * state that leads nowhere is not one that never was. */
static void changed_state(void **state)
{
	(void)state;
	wr_err err;
	wr_buf first, other, kept;
	char path[800];
	history(&first, "ledger", 8, 42);
	assert_int_equal(ask(&first, &err), WR_COSIGN_DONE);
	(void)snprintf(path, sizeof path, "%s", state_file());
	slurp(&kept, path);
	char *size = strchr(kept.data, '\n') + 1;
	assert_int_equal(*size, '8');
	*size ^= 8;
	spit(path, kept.data, kept.len);
	history(&other, "rewritten", 20, 43);
	size_t len = other.len;
	assert_int_equal(ask(&other, &err), WR_COSIGN_FAILED);
	assert_int_equal(err.code, WR_E_CORRUPT);
	assert_int_equal(other.len, len);
	spit(path, "", 0);
	assert_int_equal(ask(&other, &err), WR_COSIGN_FAILED);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("nowhere", path), 0);
	assert_int_equal(ask(&other, &err), WR_COSIGN_FAILED);
	assert_int_equal(other.len, len);
	wr_buf_free(&first);
	wr_buf_free(&other);
	wr_buf_free(&kept);
}

/* The disk takes nothing: no signature, and what was there stays. */
static void full_disk(void **state)
{
	(void)state;
	wr_err err;
	wr_buf text, more, kept;
	int status;
	history(&text, "ledger", 20, 42);
	size_t plain = text.len;
	assert_int_equal(ask(&text, &err), WR_COSIGN_DONE);
	history(&more, "ledger", 25, 42);
	w.prove_from = ledger_dir("ledger");
	pid_t pid = fork();
	if (pid == 0) {
		const struct rlimit none = {0};
		size_t len = more.len;
		(void)signal(SIGXFSZ, SIG_IGN);
		if (setrlimit(RLIMIT_FSIZE, &none)) _exit(3);
		wr_cosign_answer answer = ask(&more, &err);
		_exit(answer != WR_COSIGN_FAILED ? 1 : more.len != len ? 2 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	slurp(&kept, state_file());
	assert_int_equal(kept.len, plain);
	assert_memory_equal(kept.data, text.data, plain);
	assert_int_equal(ask(&more, &err), WR_COSIGN_DONE);
	wr_buf_free(&text);
	wr_buf_free(&more);
	wr_buf_free(&kept);
}

/* Two at once, with two histories of one size: one of them is cosigned. */
static void at_the_same_time(void **state)
{
	(void)state;
	for (int round = 0; round < 20; round++) {
		wr_buf texts[2];
		pid_t pids[2];
		int done = 0;
		history(&texts[0], "a", 5, 42);
		history(&texts[1], "b", 5, 43);
		remove_tree(w.cosigner.state_dir);
		assert_int_equal(mkdir(w.cosigner.state_dir, 0750), 0);
		for (int i = 0; i < 2; i++) {
			pids[i] = fork();
			if (pids[i] == 0) {
				wr_err err;
				_exit((int)ask(&texts[i], &err));
			}
		}
		for (int i = 0; i < 2; i++) {
			int status;
			assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
			assert_true(WIFEXITED(status));
			done += WEXITSTATUS(status) == WR_COSIGN_DONE;
			assert_true(WEXITSTATUS(status) == WR_COSIGN_DONE ||
			            WEXITSTATUS(status) == WR_COSIGN_FORK);
			wr_buf_free(&texts[i]);
		}
		assert_int_equal(done, 1);
	}
}

#define COSIGN_TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    COSIGN_TEST(honest_growth), COSIGN_TEST(split_view),    COSIGN_TEST(same_size),
	    COSIGN_TEST(smaller),       COSIGN_TEST(without_proof), COSIGN_TEST(unsigned_ones),
	    COSIGN_TEST(two_logs),      COSIGN_TEST(state_first),   COSIGN_TEST(at_the_same_time),
	    COSIGN_TEST(full_disk),     COSIGN_TEST(changed_state),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
