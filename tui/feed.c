/* feed.c: two threads: one long-polls the state, one carries out the person's actions. */
#include "feed.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "warroom/clock.h"
#include "warroom/json.h"
#include "warroom/limits.h"

#define POLL_MS  10000
#define RETRY_MS 500
#define CALL_MS  15000

typedef struct action {
	action_kind kind;
	char *operation_id, *act, *from, *to, *reason, *runbook, *decision, *principal, *role,
	    *assurance;
	json_t *challenge;
	char *key_file, *note, *path;
	char *secret; /* sodium_malloc */
	size_t secret_len;
} action;

struct feed {
	client *reader, *actor;
	pthread_t read_thread, act_thread;
	int fd;
	atomic_bool stopping;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	news news;    /* lock */
	action *todo; /* lock: handed to the actor */
	bool busy;    /* lock: until its answer is taken */
};

static void ring(feed *f)
{
	uint64_t one = 1;
	(void)!write(f->fd, &one, sizeof one);
}

static void *read_main(void *ctx)
{
	feed *f = ctx;
	int64_t rev = -1;
	while (!atomic_load(&f->stopping)) {
		char path[96];
		wr_err err = {0};
		snprintf(path, sizeof path, "/v1/state?since=%lld&wait_ms=%d", (long long)rev, POLL_MS);
		json_t *state = client_call(f->reader, path, NULL, POLL_MS + 5000, &err);
		pthread_mutex_lock(&f->lock);
		bool was = f->news.connected;
		f->news.connected = state != NULL;
		if (state) {
			f->news.contact_ms = wr_mono_ms(&wr_clock_system);
			if (!wr_json_bool(state, "unchanged", false)) {
				rev = wr_json_int(state, "rev", rev);
				json_decref(f->news.state);
				f->news.state = json_incref(state);
			}
		} else {
			f->news.err = err;
			rev = -1; /* another engine counts anew */
		}
		bool ring_it = f->news.state || was != f->news.connected || !state;
		pthread_mutex_unlock(&f->lock);
		json_decref(state);
		if (ring_it) ring(f);
		for (int i = 0; err.code && i < RETRY_MS / 50 && !atomic_load(&f->stopping); i++)
			usleep(50000);
		if (!err.code) usleep(200000); /* five pictures a second are enough for people */
	}
	return NULL;
}

static void action_free(action *a)
{
	if (!a) return;
	free(a->operation_id);
	free(a->act);
	free(a->from);
	free(a->to);
	free(a->reason);
	free(a->runbook);
	free(a->decision);
	free(a->principal);
	free(a->role);
	free(a->assurance);
	free(a->key_file);
	free(a->note);
	free(a->path);
	json_decref(a->challenge);
	if (a->secret) sodium_free(a->secret);
	free(a);
}

static json_t *carry_out(feed *f, const action *a, wr_err *err)
{
	if (a->kind == ACT_GET) return client_call(f->actor, a->path, NULL, CALL_MS, err);
	if (a->kind == ACT_SIGN)
		return operator_sign(f->actor, a->challenge, a->key_file, a->secret, a->secret_len, a->note,
		                     err);
	intent in = {.operation_id = a->operation_id,
	             .action = a->act,
	             .from = a->from,
	             .to = a->to,
	             .reason = a->reason,
	             .runbook = a->runbook,
	             .decision = a->decision,
	             .principal = a->principal,
	             .role = a->role,
	             .assurance = a->assurance};
	return operator_challenge(f->actor, &in, err);
}

static void *act_main(void *ctx)
{
	feed *f = ctx;
	pthread_mutex_lock(&f->lock);
	while (!atomic_load(&f->stopping)) {
		if (!f->todo) {
			pthread_cond_wait(&f->wake, &f->lock);
			continue;
		}
		action *a = f->todo;
		f->todo = NULL;
		pthread_mutex_unlock(&f->lock);
		wr_err err = {0};
		json_t *answer = carry_out(f, a, &err);
		action_free(a);
		pthread_mutex_lock(&f->lock);
		f->news.answer = answer;
		f->news.action_err = err;
		f->news.answered = true;
		ring(f);
	}
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

feed *feed_start(const char *socket_path, wr_err *err)
{
	feed *f = calloc(1, sizeof *f);
	if (!f) {
		wr_fail(err, WR_E_NOMEM, "out of memory");
		return NULL;
	}
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->wake, NULL);
	atomic_init(&f->stopping, false);
	f->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->reader = client_new(socket_path, err);
	f->actor = f->reader ? client_new(socket_path, err) : NULL;
	if (f->fd < 0 || !f->actor || pthread_create(&f->read_thread, NULL, read_main, f) != 0) {
		if (err && !err->code) wr_fail(err, WR_E_IO, "cannot start");
		goto fail;
	}
	if (pthread_create(&f->act_thread, NULL, act_main, f) == 0) return f;
	wr_fail(err, WR_E_IO, "cannot start a thread");
	atomic_store(&f->stopping, true);
	client_interrupt(f->reader);
	pthread_join(f->read_thread, NULL);
fail:
	client_free(f->reader);
	client_free(f->actor);
	if (f->fd >= 0) close(f->fd);
	free(f);
	return NULL;
}

void feed_stop(feed *f)
{
	if (!f) return;
	atomic_store(&f->stopping, true);
	client_interrupt(f->reader);
	client_interrupt(f->actor);
	pthread_mutex_lock(&f->lock);
	pthread_cond_signal(&f->wake);
	pthread_mutex_unlock(&f->lock);
	pthread_join(f->read_thread, NULL);
	pthread_join(f->act_thread, NULL);
	json_decref(f->news.state);
	json_decref(f->news.answer);
	action_free(f->todo);
	client_free(f->reader);
	client_free(f->actor);
	close(f->fd);
	pthread_cond_destroy(&f->wake);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

int feed_fd(const feed *f)
{
	return f->fd;
}

void feed_take(feed *f, news *out)
{
	uint64_t n;
	(void)!read(f->fd, &n, sizeof n);
	pthread_mutex_lock(&f->lock);
	*out = f->news;
	f->news.state = f->news.answer = NULL;
	if (f->news.answered) f->busy = false;
	f->news.answered = false;
	pthread_mutex_unlock(&f->lock);
}

bool feed_busy(feed *f)
{
	pthread_mutex_lock(&f->lock);
	bool busy = f->busy;
	pthread_mutex_unlock(&f->lock);
	return busy;
}

static bool submit(feed *f, action *a)
{
	if (!a) return false;
	pthread_mutex_lock(&f->lock);
	bool ok = !f->busy;
	if (ok) {
		f->busy = true;
		f->todo = a;
		pthread_cond_signal(&f->wake);
	}
	pthread_mutex_unlock(&f->lock);
	if (!ok) action_free(a);
	return ok;
}

static char *copy_of(const char *s)
{
	return s ? strdup(s) : NULL;
}

bool feed_challenge(feed *f, const intent *in)
{
	action *a = calloc(1, sizeof *a);
	if (!a) return false;
	a->kind = ACT_CHALLENGE;
	a->operation_id = copy_of(in->operation_id);
	a->act = copy_of(in->action);
	a->from = copy_of(in->from);
	a->to = copy_of(in->to);
	a->reason = copy_of(in->reason);
	a->runbook = copy_of(in->runbook);
	a->decision = copy_of(in->decision);
	a->principal = copy_of(in->principal);
	a->role = copy_of(in->role);
	a->assurance = copy_of(in->assurance);
	return submit(f, a);
}

bool feed_sign(feed *f, const json_t *challenge, const char *key_file, const char *passphrase,
               size_t len, const char *note)
{
	action *a = calloc(1, sizeof *a);
	if (!a) return false;
	a->kind = ACT_SIGN;
	a->challenge = json_deep_copy(challenge);
	a->key_file = copy_of(key_file);
	a->note = copy_of(note);
	a->secret = sodium_malloc(WR_PASSPHRASE_MAX);
	if (!a->secret || len > WR_PASSPHRASE_MAX) {
		action_free(a);
		return false;
	}
	memcpy(a->secret, passphrase, len);
	a->secret_len = len;
	return submit(f, a);
}

bool feed_get(feed *f, const char *path)
{
	action *a = calloc(1, sizeof *a);
	if (!a) return false;
	a->kind = ACT_GET;
	a->path = copy_of(path);
	return submit(f, a);
}
