/* cosign.c: another engine's word that a log only grew (c2sp.org/tlog-cosignature). See proof.h.
 *
 * The state is a directory: <SHA-256 of the origin>.checkpoint is the signed note that was cosigned
 * last; `lock` is held from reading it to replacing it. A signature whose state were lost could be
 * followed by one of another history, so the state goes first. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/fs.h"
#include "ledger/proof_in.h"
#include "warroom/io.h"

#define STATE_MODE 0640

typedef struct state {
	char path[PATH_MAX]; /* without ".checkpoint" */
	wr_buf note;         /* empty: nothing was cosigned yet */
	wr_checkpoint last;
} state;

static int make_dir(const char *dir, wr_err *err)
{
	char above[PATH_MAX];
	if (access(dir, F_OK) == 0) return 0;
	if (wr_mkdirs(dir, 0750, err) || wr_path_join(above, sizeof above, dir, "..", err)) return -1;
	return wr_fsync_dir(above, err);
}

static int take_lock(const char *dir, wr_err *err)
{
	char path[PATH_MAX];
	if (wr_path_join(path, sizeof path, dir, "lock", err)) return -1;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, STATE_MODE);
	if (fd < 0) return wr_fs_fail(err, "open", path);
	while (flock(fd, LOCK_EX)) {
		if (errno == EINTR) continue;
		(void)wr_fs_fail(err, "lock", path);
		(void)close(fd);
		return -1;
	}
	return fd;
}

static int state_path(const state *s, char out[static PATH_MAX], const char *ending, wr_err *err)
{
	int n = snprintf(out, PATH_MAX, "%s%s", s->path, ending);
	return n < PATH_MAX ? 0 : wr_fail(err, WR_E_LIMIT, "%.200s…: the path is too long", s->path);
}

/* Nothing follows from a state that the log did not sign: one bit of its size would be enough. */
static int state_check(const wr_cosigner *c, state *s, const char *path, wr_err *err)
{
	wr_note n;
	wr_signers_of signers;
	if (wr_note_parse(&n, wr_buf_cstr(&s->note), s->note.len, err) ||
	    wr_checkpoint_parse(&s->last, n.text, n.text_len, err))
		return wr_err_wrap(err, "%s", path);
	if (wr_log_signed(&signers, &n, s->last.origin, c->log_keys, c->log_key_count, err) == 0)
		return 0;
	return wr_fail(err, WR_E_CORRUPT,
	               "%s: damaged, or signed with a former key of the log; then give that as well",
	               path);
}

static int state_read(const wr_cosigner *c, state *s, const char *origin, wr_err *err)
{
	uint8_t hash[WR_HASH_LEN];
	char name[WR_HEX_LEN], path[PATH_MAX];
	struct stat st;
	wr_sha256(hash, origin, strlen(origin));
	wr_hex(name, hash, WR_HASH_LEN);
	if (wr_path_join(s->path, sizeof s->path, c->state_dir, name, err)) return -1;
	if (state_path(s, path, ".checkpoint", err)) return -1;
	/* A link that leads nowhere is not nothing. */
	if (lstat(path, &st) != 0 && errno == ENOENT) return 0;
	if (wr_read_file(&s->note, path, WR_NOTE_MAX, WR_NOT_WRITABLE, err)) return -1;
	if (state_check(c, s, path, err)) return -1;
	if (strcmp(s->last.origin, origin) != 0)
		return wr_fail(err, WR_E_CORRUPT, "%s: the state of another log", path);
	return 0;
}

static int state_write(const state *s, const wr_buf *note, wr_err *err)
{
	char path[PATH_MAX];
	if (state_path(s, path, ".checkpoint", err)) return -1;
	return wr_write_file(path, note->data, note->len, STATE_MODE, err);
}

/* Evidence: <origin's hash>-<new size>-<new root, 8 bytes>.old and .new. */
static void keep_both(const state *s, const wr_checkpoint *c, const wr_buf *note, char *kept,
                      size_t kept_size)
{
	char base[PATH_MAX], path[PATH_MAX + 8], root[17];
	wr_err err;
	wr_hex(root, c->root, 8);
	int n = snprintf(base, sizeof base, "%s-%lld-%s", s->path, (long long)c->size, root);
	if (n >= (int)sizeof base || (size_t)n >= kept_size) return;
	(void)snprintf(path, sizeof path, "%s.old", base);
	if (wr_write_file(path, s->note.data, s->note.len, STATE_MODE, &err)) return;
	(void)snprintf(path, sizeof path, "%s.new", base);
	if (wr_write_file(path, note->data, note->len, STATE_MODE, &err)) return;
	(void)snprintf(kept, kept_size, "%s", base);
}

static wr_cosign_answer larger(const wr_cosigner *c, const state *s, const wr_checkpoint *new,
                               const wr_buf *note, wr_err *err)
{
	wr_proof proof = {0};
	if (s->last.size == 0) return WR_COSIGN_DONE;
	if (c->prove(c->ctx, &s->note, note, &proof, err))
		return err->code == WR_E_CONFLICT ? WR_COSIGN_FORK : WR_COSIGN_UNPROVEN;
	if (wr_check_consistency(&proof, s->last.size, new->size, s->last.root, new->root))
		return WR_COSIGN_DONE;
	(void)wr_fail(err, WR_E_CORRUPT,
	              "the proof does not lead from the %lld receipts cosigned before to these %lld",
	              (long long)s->last.size, (long long)new->size);
	return WR_COSIGN_UNPROVEN;
}

/* Does it go on from what was cosigned last? */
static wr_cosign_answer compare(const wr_cosigner *c, const state *s, const wr_checkpoint *new,
                                const wr_buf *note, wr_err *err)
{
	if (s->note.len == 0) return WR_COSIGN_DONE;
	if (new->size > s->last.size) return larger(c, s, new, note, err);
	if (new->size < s->last.size) {
		(void)wr_fail(err, WR_E_CONFLICT, "of %lld receipts, but one of %lld was cosigned already",
		              (long long)new->size, (long long)s->last.size);
		return WR_COSIGN_SMALLER;
	}
	if (memcmp(new->root, s->last.root, WR_HASH_LEN) == 0) return WR_COSIGN_DONE;
	(void)wr_fail(err, WR_E_CONFLICT, "fork: %.150s signed two histories of %lld receipts",
	              new->origin, (long long)new->size);
	return WR_COSIGN_FORK;
}

static wr_cosign_answer check_log(const wr_cosigner *c, const wr_buf *note, wr_checkpoint *new,
                                  wr_err *err)
{
	wr_note n;
	wr_signers_of signers;
	uint8_t nothing[WR_HASH_LEN];
	if (wr_note_parse(&n, wr_buf_cstr(note), note->len, err) ||
	    wr_checkpoint_parse(new, n.text, n.text_len, err))
		return WR_COSIGN_FAILED;
	if (wr_log_signed(&signers, &n, new->origin, c->log_keys, c->log_key_count, err))
		return WR_COSIGN_UNSIGNED;
	wr_sha256(nothing, "", 0);
	if (new->size == 0 && memcmp(new->root, nothing, WR_HASH_LEN) != 0) {
		(void)wr_fail(err, WR_E_INVALID, "the root of no receipts is another one");
		return WR_COSIGN_FAILED;
	}
	return WR_COSIGN_DONE;
}

static wr_cosign_answer cosign(const wr_cosigner *c, state *s, wr_buf *note, char *kept,
                               size_t kept_size, wr_err *err)
{
	wr_checkpoint new;
	wr_cosign_answer answer = check_log(c, note, &new, err);
	if (answer != WR_COSIGN_DONE) return answer;
	if (state_read(c, s, new.origin, err)) return WR_COSIGN_FAILED;
	answer = compare(c, s, &new, note, err);
	if (answer == WR_COSIGN_FORK || (answer == WR_COSIGN_UNPROVEN && err->code == WR_E_CORRUPT))
		keep_both(s, &new, note, kept, kept_size);
	if (answer != WR_COSIGN_DONE) return answer;
	bool known = s->note.len && s->last.size == new.size;
	if (!known && state_write(s, note, err)) return WR_COSIGN_FAILED;
	return wr_note_cosign(note, c->name, c->key, c->time, err) ? WR_COSIGN_FAILED : WR_COSIGN_DONE;
}

wr_cosign_answer wr_cosign(const wr_cosigner *c, wr_buf *note, char *kept, size_t kept_size,
                           wr_err *err)
{
	wr_err own = {0};
	state s = {.path = ""};
	if (!err) err = &own;
	*kept = '\0';
	if (make_dir(c->state_dir, err)) return WR_COSIGN_FAILED;
	int lock = take_lock(c->state_dir, err);
	if (lock < 0) return WR_COSIGN_FAILED;
	wr_buf_init(&s.note, WR_NOTE_MAX);
	wr_cosign_answer answer = cosign(c, &s, note, kept, kept_size, err);
	wr_buf_free(&s.note);
	(void)close(lock);
	return answer;
}
