/* demo.c: `warroom demo`: the screen on the simulated platform, or --auto, which plays it all in
 * text. */
#include "cli/demo.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "operator.h"
#include "screen/screen.h"
#include "warroom/clock.h"
#include "warroom/json.h"
#include "warroom/ledger.h"
#include "warroom/verify.h"

#define PATIENCE_MS 300000 /* of --auto for one act: a demo that hangs ends */

static atomic_bool interrupted;

static void on_signal(int sig)
{
	(void)sig;
	atomic_store(&interrupted, true);
}

/* ---- the screen ---- */

static const char welcome_form[] =
    "#A region is about to be lost. You are two people at one screen.\n"
    "\n"
    "In about 20 seconds us-central1 goes dark. The overview will say so once two different "
    "classes of signals have agreed for 8 seconds.\n"
    "\n"
    "*  alice   (sre)       passphrase:  %s\n"
    "*  bob     (on_call)   passphrase:  %s\n"
    "\n"
    "The line that begins with NOW says which key comes next:\n"
    "\n"
    "   f   alice proposes the failover: a reason, the target region typed from the screen, her "
    "passphrase\n"
    "   a   bob approves it; both see the same six words\n"
    "   o   watch the steps; w at any time says why, or why not\n"
    "   b   when us-central1 is repaired: the failback, proposed by one, approved (a) by the "
    "other\n"
    "\n"
    "Everything is simulated, in one temporary directory, and is gone when you quit with q.\n"
    "\n"
    "#Press Enter.";

/* After the failover the platform's people repair the lost region, as they would. */
static void *conductor_main(void *ctx)
{
	demo *d = ctx;
	wr_err err = {0};
	client *c = client_new(d->socket, &err);
	bool repaired = false;
	while (c && !repaired && !atomic_load(&d->stop)) {
		json_t *s = client_call(c, "/v1/state", NULL, 5000, &err), *op;
		size_t i;
		bool moved = false;
		json_array_foreach (json_object_get(s, "operations"), i, op)
			moved |= !strcmp(wr_json_str(op, "action", ""), "failover") &&
			         !strcmp(wr_json_str(op, "state", ""), "completed");
		json_decref(s);
		for (int k = 0; k < 25 && moved && !atomic_load(&d->stop); k++)
			usleep(200000); /* five seconds to look at it */
		if (moved) repaired = demo_repair(d, &err) == 0;
		for (int k = 0; k < 5 && !atomic_load(&d->stop); k++) usleep(100000);
	}
	client_free(c);
	return NULL;
}

static int demo_screen(cli *c, demo *d)
{
	char text[2048];
	snprintf(text, sizeof text, welcome_form, demo_people[0].passphrase, demo_people[1].passphrase);
	if (pthread_create(&d->conductor, NULL, conductor_main, d) == 0) d->conducting = true;
	c->socket = d->socket;
	c->welcome = text;
	return screen_main(c);
}

/* ---- --auto ---- */

typedef struct play {
	cli *cli;
	demo *d;
	client *client;
	json_t *state;
	char last[160], reason[160]; /* said already */
	bool failed;
} play;

static void tell(play *p, const char *fmt, ...) WR_PRINTF(2, 3);
static void tell(play *p, const char *fmt, ...)
{
	va_list ap;
	char line[400], now[WR_TIME_LEN];
	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	if (!strcmp(line, p->last)) return;
	snprintf(p->last, sizeof p->last, "%.150s", line);
	wr_time_format(now, wr_wall_us(&wr_clock_system));
	printf("%.8s  %s\n", now + 11, line);
	fflush(stdout);
}

static int fail(play *p, const char *what)
{
	if (!p->failed) tell(p, "FAILED: %s", what);
	p->failed = true;
	return -1;
}

static const json_t *region_named(const play *p, const char *name)
{
	size_t i;
	json_t *r;
	json_array_foreach (json_object_get(p->state, "regions"), i, r)
		if (!strcmp(wr_json_str(r, "name", ""), name)) return r;
	return NULL;
}

static void narrate(play *p)
{
	const json_t *op = json_array_get(json_object_get(p->state, "operations"), 0);
	int64_t cur = wr_json_int(op, "current", -1);
	const json_t *st = cur >= 0 ? json_array_get(json_object_get(op, "steps"), (size_t)cur) : NULL;
	const json_t *us = region_named(p, "us-central1"), *eu = region_named(p, "europe-west1");
	if (st)
		tell(p, "%s %s: step %lld %s (%s)", wr_json_str(op, "id", ""), wr_json_str(op, "state", ""),
		     (long long)cur + 1, wr_json_str(st, "name", ""), wr_json_str(st, "state", ""));
	else if (us && eu)
		tell(p, "us-central1 %s weight %lld, europe-west1 %s weight %lld",
		     wr_json_str(us, "verdict", ""), (long long)wr_json_int(us, "weight", -1),
		     wr_json_str(eu, "verdict", ""), (long long)wr_json_int(eu, "weight", -1));
}

/* Follows the state until `done` says yes (1) or never (-1). */
static int follow(play *p, const char *what, int (*done)(play *p, const char *arg), const char *arg)
{
	int64_t end = wr_mono_ms(&wr_clock_system) + PATIENCE_MS;
	while (!atomic_load(&interrupted)) {
		wr_err err = {0};
		char path[96];
		snprintf(path, sizeof path, "/v1/state?since=%lld&wait_ms=2000",
		         (long long)wr_json_int(p->state, "rev", -1));
		json_t *s = client_call(p->client, path, NULL, 10000, &err);
		if (!s) return fail(p, err.msg);
		if (wr_json_bool(s, "unchanged", false)) {
			json_decref(s);
		} else {
			json_decref(p->state);
			p->state = s;
		}
		narrate(p);
		int r = done(p, arg);
		if (r) return r > 0 ? 0 : fail(p, what);
		if (wr_mono_ms(&wr_clock_system) > end) return fail(p, what);
	}
	return fail(p, "interrupted");
}

static int is_down(play *p, const char *region)
{
	return !strcmp(wr_json_str(region_named(p, region), "verdict", ""), "DOWN");
}

static const json_t *action_named(const play *p, const char *kind)
{
	size_t i;
	json_t *a;
	json_array_foreach (json_object_get(p->state, "actions"), i, a)
		if (!strcmp(wr_json_str(a, "action", ""), kind)) return a;
	return NULL;
}

static int is_possible(play *p, const char *kind)
{
	const json_t *a = action_named(p, kind);
	char why[160];
	/* Once for each guard, not for each second that its clock counts. */
	snprintf(why, sizeof why, "%.*s", (int)strcspn(wr_json_str(a, "reason", ""), ":;"),
	         wr_json_str(a, "reason", ""));
	if (a && !wr_json_bool(a, "possible", false) && strcmp(why, p->reason) != 0) {
		tell(p, "%s not yet: %s", kind, wr_json_str(a, "reason", ""));
		snprintf(p->reason, sizeof p->reason, "%s", why);
	}
	return a && wr_json_bool(a, "possible", false);
}

static int is_finished(play *p, const char *id)
{
	size_t i;
	json_t *op;
	json_array_foreach (json_object_get(p->state, "operations"), i, op) {
		if (strcmp(wr_json_str(op, "id", ""), id) != 0) continue;
		const char *state = wr_json_str(op, "state", "");
		if (!strcmp(state, "completed")) return 1;
		if (!strcmp(state, "held"))
			tell(p, "%s is held: %s", id, wr_json_str(op, "held_reason", ""));
		if (!strcmp(state, "held") || !strcmp(state, "failed") || !strcmp(state, "aborted") ||
		    !strcmp(state, "rolled_back") || !strcmp(state, "denied") || !strcmp(state, "expired"))
			return -1;
	}
	return 0;
}

/* One person signs; the operation's id comes back in `id`. */
static int sign_as(play *p, const demo_person *who, const intent *what, char *id, size_t size)
{
	intent in = *what;
	wr_err err = {0};
	char key[300];
	in.principal = who->principal;
	in.assurance = "separate_session";
	snprintf(key, sizeof key, "%s/keys/%s.key", p->d->dir, who->principal);
	json_t *ch = operator_challenge(p->client, &in, &err);
	if (!ch) return fail(p, err.msg);
	json_t *answer =
	    operator_sign(p->client, ch, key, who->passphrase, strlen(who->passphrase), "", &err);
	if (answer)
		tell(p, "%s signs %s of %s as %s; words: %s; expected loss: %s", who->principal,
		     wr_json_str(ch, "decision", ""), wr_json_str(ch, "operation_id", ""),
		     wr_json_str(ch, "role", ""), wr_json_str(ch, "words", ""),
		     wr_json_str(json_object_get(ch, "loss"), "text", ""));
	snprintf(id, size, "%s", wr_json_str(ch, "operation_id", ""));
	json_decref(ch);
	json_decref(answer);
	return answer ? 0 : fail(p, err.msg);
}

static int act(play *p, const char *kind)
{
	char id[32], same[32];
	if (follow(p, "the guards do not pass", is_possible, kind) != 0) return -1;
	const json_t *a = action_named(p, kind);
	char from[64], to[64];
	snprintf(from, sizeof from, "%s", wr_json_str(a, "from", ""));
	snprintf(to, sizeof to, "%s", wr_json_str(a, "to", ""));
	tell(p, "%s %s -> %s: %lld of %lld guards pass", kind, from, to,
	     (long long)wr_json_int(a, "passed", 0), (long long)wr_json_int(a, "total", 0));
	intent draft = {
	    .action = kind, .from = from, .to = to, .reason = "demo", .decision = "approve"};
	if (sign_as(p, &demo_people[0], &draft, id, sizeof id) != 0) return -1;
	intent second = {.operation_id = id, .decision = "approve"};
	if (sign_as(p, &demo_people[1], &second, same, sizeof same) != 0) return -1;
	if (follow(p, "the operation did not complete", is_finished, id) != 0) return -1;
	tell(p, "%s completed", id);
	return 0;
}

static int verify(play *p)
{
	char path[300];
	wr_verify_report rep = {0};
	wr_err err = {0};
	snprintf(path, sizeof path, "%s/ledger", p->d->dir);
	if (wr_ledger_verify(path, &rep, NULL, NULL, &err) != 0) return fail(p, err.msg);
	wr_buf out = WR_BUF_INIT(1u << 20);
	wr_verify_print(&rep, cli_unicode(p->cli), &out);
	fputs(wr_buf_cstr(&out), stdout);
	bool ok = rep.ok;
	wr_buf_free(&out);
	wr_verify_free(&rep);
	return ok ? 0 : fail(p, "the ledger does not verify");
}

int demo_auto(cli *c, demo *d)
{
	wr_err err = {0};
	play p = {.cli = c, .d = d, .client = client_new(d->socket, &err)};
	if (!p.client) return cli_error(c, &err);
	tell(&p, "the platform runs; us-central1 will be lost 20 s after its start");
	bool ok = follow(&p, "us-central1 is not called DOWN", is_down, "us-central1") == 0 &&
	          act(&p, "failover") == 0;
	if (ok) {
		tell(&p, "the platform's people repair us-central1");
		ok = demo_repair(d, &err) == 0 || fail(&p, err.msg) == 0;
	}
	ok = ok && act(&p, "failback") == 0 && verify(&p) == 0;
	json_decref(p.state);
	client_free(p.client);
	return ok ? EXIT_OK : EXIT_NO;
}

int verb_demo(cli *c)
{
	demo d = {0};
	wr_err err = {0};
	struct sigaction sa = {.sa_handler = on_signal};
	if (c->argc > 1 || (c->argc == 1 && strcmp(c->argv[0], "ggen") != 0))
		return cli_usage(c, "the demo platform of this version is ggen");
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	atomic_init(&d.stop, false);
	int rc;
	if (demo_up(&d, &err) != 0)
		rc = cli_error(c, &err);
	else
		rc = c->auto_play ? demo_auto(c, &d) : demo_screen(c, &d);
	demo_down(&d);
	return rc;
}
