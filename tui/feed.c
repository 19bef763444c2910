/* feed.c: two threads: one long-polls the state, one carries out what the person asks for. They
 * share `news` and the two slots of work with the UI thread, under one lock. */
#include "feed.h"

#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "warroom/clock.h"
#include "warroom/json.h"
#include "warroom/limits.h"

#define POLL_MS  2000 /* an engine that hangs is noticed within POLL_MS + GRACE_MS */
#define GRACE_MS 2500
#define PAUSE_MS 200 /* five pictures a second are enough for people */
#define RETRY_MS 500
#define CALL_MS  15000

typedef enum work_kind { W_CHALLENGE, W_SIGN, W_GET } work_kind;

typedef struct work {
	work_kind kind;
	char *operation_id, *act, *from, *to, *reason, *runbook, *decision, *principal, *role,
	    *assurance;
	json_t *challenge;
	char *key_file, *note, *path;
	char *secret; /* sodium_malloc */
	size_t secret_len;
	unsigned ticket; /* of a W_GET */
} work;

struct feed {
	client *reader, *actor;
	pthread_t read_thread, act_thread;
	int fd;
	atomic_bool stopping, signing;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	news news;            /* lock */
	work *decision, *get; /* lock: handed to the actor */
	bool busy;            /* lock: until the decision's answer is taken */
	unsigned ticket;      /* lock: of the newest W_GET */
};

static void ring(feed *f)
{
	uint64_t one = 1;
	(void)!write(f->fd, &one, sizeof one);
}

/* Sleeps until `ms` are over or the feed stops. */
static void rest(feed *f, int64_t ms)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(ms / 1000);
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&f->lock);
	while (!atomic_load(&f->stopping) &&
	       pthread_cond_clockwait(&f->wake, &f->lock, CLOCK_MONOTONIC, &until) == 0) {
	}
	pthread_mutex_unlock(&f->lock);
}

static json_t *read_state(feed *f, int64_t rev, wr_err *err)
{
	char path[96];
	snprintf(path, sizeof path, "/v1/state?since=%lld&wait_ms=%d", (long long)rev, POLL_MS);
	json_t *state = client_call(f->reader, path, NULL, POLL_MS + GRACE_MS, err);
	if (state && json_is_integer(json_object_get(state, "rev"))) return state;
	if (state)
		wr_fail(err, WR_E_INVALID,
		        "what answers at %.200s is not an engine: its state has no revision",
		        client_socket(f->reader));
	json_decref(state);
	return NULL;
}

static void *read_main(void *ctx)
{
	feed *f = ctx;
	int64_t rev = -1;
	while (!atomic_load(&f->stopping)) {
		wr_err err = {0};
		json_t *state = read_state(f, rev, &err);
		pthread_mutex_lock(&f->lock);
		bool tell = !state || !f->news.connected;
		f->news.connected = state != NULL;
		if (state) {
			f->news.contact_ms = wr_mono_ms(&wr_clock_system);
			if (!wr_json_bool(state, "unchanged", false)) {
				rev = wr_json_int(state, "rev", rev);
				json_decref(f->news.state);
				f->news.state = json_incref(state);
				tell = true;
			}
		} else {
			f->news.err = err;
			rev = -1; /* another engine counts anew */
		}
		pthread_mutex_unlock(&f->lock);
		if (tell) ring(f);
		rest(f, state ? PAUSE_MS : RETRY_MS);
		json_decref(state);
	}
	return NULL;
}

static void work_free(work *w)
{
	if (!w) return;
	free(w->operation_id);
	free(w->act);
	free(w->from);
	free(w->to);
	free(w->reason);
	free(w->runbook);
	free(w->decision);
	free(w->principal);
	free(w->role);
	free(w->assurance);
	free(w->key_file);
	free(w->note);
	free(w->path);
	json_decref(w->challenge);
	if (w->secret) sodium_free(w->secret);
	free(w);
}

static json_t *carry_out(feed *f, work *w, wr_err *err)
{
	if (w->kind == W_GET) return client_call(f->actor, w->path, NULL, CALL_MS, err);
	if (w->kind == W_SIGN) {
		json_t *answer = operator_sign(f->actor, w->challenge, w->key_file, w->secret,
		                               w->secret_len, w->note, err);
		sodium_memzero(w->secret, w->secret_len);
		return answer;
	}
	intent in = {.operation_id = w->operation_id,
	             .action = w->act,
	             .from = w->from,
	             .to = w->to,
	             .reason = w->reason,
	             .runbook = w->runbook,
	             .decision = w->decision,
	             .principal = w->principal,
	             .role = w->role,
	             .assurance = w->assurance};
	return operator_challenge(f->actor, &in, err);
}

/* Lock held. */
static void hand_in(feed *f, const work *w, json_t *answer, const wr_err *err)
{
	news *n = &f->news;
	if (w->kind != W_GET) {
		n->answer = answer;
		n->answer_err = *err;
		n->answered = true;
	} else if (w->ticket != f->ticket) {
		json_decref(answer);
	} else {
		json_decref(n->page);
		n->page = answer;
		n->page_err = *err;
		n->fetched = true;
	}
	ring(f);
}

static void *act_main(void *ctx)
{
	feed *f = ctx;
	pthread_mutex_lock(&f->lock);
	while (!atomic_load(&f->stopping)) {
		work **slot = f->decision ? &f->decision : &f->get, *w = *slot;
		if (!w) {
			pthread_cond_wait(&f->wake, &f->lock);
			continue;
		}
		*slot = NULL;
		pthread_mutex_unlock(&f->lock);
		wr_err err = {0};
		atomic_store(&f->signing, w->kind == W_SIGN);
		json_t *answer = carry_out(f, w, &err);
		pthread_mutex_lock(&f->lock);
		/* When the feed stops, a signature that was interrupted stays "on its way". */
		if (answer || err.code != WR_E_CANCELLED) atomic_store(&f->signing, false);
		hand_in(f, w, answer, &err);
		work_free(w);
	}
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

/* Signals are the UI thread's: these two must not catch what should wake it. */
static int start_threads(feed *f)
{
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int rc = pthread_create(&f->read_thread, NULL, read_main, f);
	if (rc == 0 && (rc = pthread_create(&f->act_thread, NULL, act_main, f)) != 0) {
		atomic_store(&f->stopping, true);
		client_interrupt(f->reader);
		pthread_mutex_lock(&f->lock);
		pthread_cond_broadcast(&f->wake);
		pthread_mutex_unlock(&f->lock);
		pthread_join(f->read_thread, NULL);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}

static void release(feed *f)
{
	json_decref(f->news.state);
	json_decref(f->news.answer);
	json_decref(f->news.page);
	work_free(f->decision);
	work_free(f->get);
	client_free(f->reader);
	client_free(f->actor);
	if (f->fd >= 0) close(f->fd);
	pthread_cond_destroy(&f->wake);
	pthread_mutex_destroy(&f->lock);
	free(f);
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
	atomic_init(&f->signing, false);
	f->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->reader = client_new(socket_path, err);
	f->actor = f->reader ? client_new(socket_path, err) : NULL;
	if (f->actor && f->fd >= 0 && start_threads(f) == 0) return f;
	if (f->actor) wr_fail(err, WR_E_IO, "cannot start the threads that talk to the engine");
	release(f);
	return NULL;
}

bool feed_stop(feed *f)
{
	if (!f) return false;
	atomic_store(&f->stopping, true);
	client_interrupt(f->reader);
	client_interrupt(f->actor);
	pthread_mutex_lock(&f->lock);
	pthread_cond_broadcast(&f->wake);
	pthread_mutex_unlock(&f->lock);
	pthread_join(f->read_thread, NULL);
	pthread_join(f->act_thread, NULL);
	bool unknown = atomic_load(&f->signing);
	release(f);
	return unknown;
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
	if (f->news.answered) f->busy = false;
	f->news.state = f->news.answer = f->news.page = NULL;
	f->news.answered = f->news.fetched = false;
	pthread_mutex_unlock(&f->lock);
}

static bool submit(feed *f, work *w)
{
	pthread_mutex_lock(&f->lock);
	bool ok = !f->busy;
	if (ok) {
		f->busy = true;
		f->decision = w;
		pthread_cond_broadcast(&f->wake);
	}
	pthread_mutex_unlock(&f->lock);
	if (!ok) work_free(w);
	return ok;
}

static work *work_new(work_kind kind)
{
	work *w = calloc(1, sizeof *w);
	WR_ASSERT(w);
	w->kind = kind;
	return w;
}

static char *copy_of(const char *s)
{
	char *copy = s ? strdup(s) : NULL;
	WR_ASSERT(copy || !s);
	return copy;
}

bool feed_challenge(feed *f, const intent *in)
{
	work *w = work_new(W_CHALLENGE);
	w->operation_id = copy_of(in->operation_id);
	w->act = copy_of(in->action);
	w->from = copy_of(in->from);
	w->to = copy_of(in->to);
	w->reason = copy_of(in->reason);
	w->runbook = copy_of(in->runbook);
	w->decision = copy_of(in->decision);
	w->principal = copy_of(in->principal);
	w->role = copy_of(in->role);
	w->assurance = copy_of(in->assurance);
	return submit(f, w);
}

bool feed_sign(feed *f, const json_t *challenge, const char *key_file, const char *passphrase,
               size_t len, const char *note)
{
	work *w = work_new(W_SIGN);
	w->challenge = json_deep_copy(challenge);
	w->key_file = copy_of(key_file);
	w->note = copy_of(note);
	w->secret = sodium_malloc(WR_PASSPHRASE_MAX);
	WR_ASSERT(w->secret && len <= WR_PASSPHRASE_MAX);
	memcpy(w->secret, passphrase, len);
	w->secret_len = len;
	return submit(f, w);
}

void feed_get(feed *f, const char *path)
{
	work *w = work_new(W_GET);
	w->path = copy_of(path);
	pthread_mutex_lock(&f->lock);
	w->ticket = ++f->ticket;
	work_free(f->get);
	f->get = w;
	pthread_cond_broadcast(&f->wake);
	pthread_mutex_unlock(&f->lock);
}
