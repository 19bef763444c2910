/* app.c: the screen's loop: keys and news in, a picture out. One thread; the feed's threads never
 * draw. */
#include "screen/app.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/cli.h"
#include "screen/screen.h"
#include "warroom/clock.h"

#define MESSAGE_MS 6000
#define REFUSED_MS 60000 /* what went wrong stays longer; a key clears it */
#define QUICK_MS   4     /* between two keys: faster than anybody types */
#define SILENCE_MS                                                                                 \
	5500             /* without an answer the engine counts as gone: a long poll and its grace     \
	                  */
#define KEYS_MAX 512 /* handled before the picture is drawn anew */

void app_say(app *a, const char *text, bool bad)
{
	snprintf(a->message, sizeof a->message, "%s", text);
	a->s.message_bad = bad;
	a->message_until_ms = wr_mono_ms(&wr_clock_system) + (bad ? REFUSED_MS : MESSAGE_MS);
}

static void end_form(app *a, form_end end, const char *message, bool bad)
{
	if (end == FORM_ON) return;
	if (end == FORM_QUIT) a->quit = true;
	if (message) app_say(a, message, bad);
	form_free(a->form);
	a->form = NULL;
}

static void take_state(app *a, json_t *state)
{
	/* A frozen picture stays; what came meanwhile is shown afterwards. */
	json_t **slot = a->s.frozen ? &a->later : &a->state;
	json_decref(*slot);
	*slot = state;
	if (!a->s.frozen) a->state_ms = a->contact_ms;
}

static void take_news(app *a)
{
	news n;
	const char *message = NULL;
	bool bad = false;
	feed_take(a->feed, &n);
	a->reached = n.connected;
	a->contact_ms = n.contact_ms;
	if (!n.connected && n.err.code) snprintf(a->error, sizeof a->error, "%s", n.err.msg);
	if (n.state) take_state(a, n.state);
	if (n.fetched) app_page(a, n.page, &n.page_err);
	json_decref(n.page);
	if (!n.answered) return;
	if (!a->form) {
		json_decref(n.answer);
		return;
	}
	form_end end = form_answer(a->form, n.answer, &n.answer_err, &message, &bad);
	end_form(a, end, message, bad);
}

static void on_form_key(app *a, uint32_t key, bool quick)
{
	const char *message = NULL;
	bool bad = false;
	int w, h;
	term_size(&w, &h);
	/* What cannot be seen is not filled in. */
	if ((w < MIN_W || h < MIN_H) && key != K_ESC && key != K_CTRL_C) return;
	form_end end = form_key(a->form, key, quick, &message, &bad);
	end_form(a, end, message, bad);
}

static void on_key(app *a, uint32_t key)
{
	int64_t now = wr_mono_ms(&wr_clock_system);
	bool quick = a->typed_ms && now - a->typed_ms < QUICK_MS;
	a->typed_ms = key >= 0x20 && key < 0x110000 ? now : 0;
	if (key == K_RESIZE) {
		term_redraw();
	} else if (a->form) {
		on_form_key(a, key, quick);
	} else if (key == K_PASTE || key == K_PASTE_END) {
		a->pasting = key == K_PASTE;
	} else if (!a->pasting && key != K_OTHER) {
		a->message_until_ms = 0;
		app_key(a, key);
	}
}

static void read_keys(app *a)
{
	uint32_t key;
	int n = 0;
	while (n < KEYS_MAX && !a->quit && (key = term_key()) != (uint32_t)K_NONE) {
		on_key(a, key);
		n++;
	}
	/* Readable, and yet no key, again and again: the terminal is gone. */
	a->silent = n ? 0 : a->silent + 1;
	if (a->silent > 50) a->quit = true;
}

static void draw(app *a)
{
	int w, h, cx = -1, cy = -1;
	grid g;
	int64_t now = wr_mono_ms(&wr_clock_system);
	scene *s = &a->s;
	term_size(&w, &h);
	if (w < 1 || h < 1 || w > 10000 || h > 10000 || grid_init(&g, w, h) != 0) return;
	s->state = a->state;
	s->ever = a->contact_ms != 0;
	s->stale_ms = s->ever ? now - a->contact_ms : 0;
	s->connected = a->reached && s->stale_ms < SILENCE_MS;
	if (a->reached && !s->connected)
		snprintf(a->error, sizeof a->error, "no answer from %.300s", a->socket);
	/* Of an engine that is gone the clocks stand, and the ages grow; a frozen picture stays. */
	if (!s->frozen) s->age_ms = a->state_ms ? now - a->state_ms : 0;
	if (!s->frozen && s->connected) s->clock_ms = s->age_ms;
	s->message = now < a->message_until_ms ? a->message : "";
	scene_draw(&g, s);
	bool fits = w >= MIN_W && h >= MIN_H;
	if (a->form && fits) form_draw(a->form, &g, header_rows(s), &cx, &cy);
	if (a->filtering && fits) app_draw_filter(a, &g, &cx, &cy);
	term_show(&g, cx, cy);
	grid_free(&g);
}

static int loop(app *a, int sfd)
{
	struct pollfd fds[3] = {{.fd = STDIN_FILENO, .events = POLLIN},
	                        {.fd = feed_fd(a->feed), .events = POLLIN},
	                        {.fd = sfd, .events = POLLIN}};
	sigset_t mask;
	sigprocmask(SIG_SETMASK, NULL, &mask);
	sigdelset(&mask, SIGWINCH); /* resizing is noticed while waiting, and only then */
	while (!a->quit) {
		draw(a);
		int64_t now = wr_wall_us(&wr_clock_system) / 1000; /* the clocks move once a second */
		struct timespec wait = {0, (long)(1000 - now % 1000) * 1000000};
		if (wait.tv_nsec >= 1000000000) wait = (struct timespec){1, 0};
		int rc = ppoll(fds, 3, &wait, &mask);
		if (rc < 0 && errno != EINTR) return EXIT_USAGE;
		if (rc < 0) fds[0].revents = POLLIN, fds[1].revents = fds[2].revents = 0;
		if (fds[2].revents || fds[0].revents & (POLLHUP | POLLERR | POLLNVAL)) return EXIT_OK;
		if (fds[0].revents) read_keys(a);
		take_news(a);
	}
	return EXIT_OK;
}

/* SIGTERM, SIGHUP and SIGINT come through a descriptor, so that the terminal is restored in one
 * place. SIGWINCH stays curses' own, and is let through in ppoll alone. */
static int open_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGQUIT);
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return fd;
}

static void set_up(app *a, const cli *c)
{
	a->s = (scene){.view = c->welcome ? VIEW_WELCOME : VIEW_OVERVIEW,
	               .read_only = c->read_only,
	               .welcome = c->welcome,
	               .error = a->error,
	               .socket = a->socket};
	wr_buf_init(&a->page, PAGE_MAX);
	snprintf(a->error, sizeof a->error, "connecting to %.200s", a->socket);
	grid_use(cli_unicode(c) ? &glyphs_utf8 : &glyphs_ascii);
}

static void clean_up(app *a)
{
	form_free(a->form);
	/* The person has their terminal back before threads are waited for. */
	term_close();
	if (feed_stop(a->feed))
		fputs("warroom: a signature was on its way; `warroom pending` says what became of it\n",
		      stderr);
	json_decref(a->state);
	json_decref(a->later);
	wr_buf_free(&a->page);
}

int screen_main(struct cli *c)
{
	static app a; /* too large for a stack, and there is one screen */
	wr_err err = {0};
	theme t;
	memset(&a, 0, sizeof a);
	const char *name = c->theme ? c->theme : getenv("WARROOM_THEME");
	if (theme_load(&t, name && *name ? name : "dark", &err) != 0) return cli_error(c, &err);
	if (cli_socket(c, a.socket, sizeof a.socket, &err) != 0) return cli_error(c, &err);
	set_up(&a, c);
	int sfd = open_signals(), rc = EXIT_USAGE;
	if (sfd < 0 || term_open(&t, !c->no_colour, &err) != 0) {
		if (sfd < 0) wr_fail(&err, WR_E_IO, "no descriptor for signals: %s", strerror(errno));
		(void)cli_error(c, &err);
		if (sfd >= 0) close(sfd);
		return EXIT_USAGE;
	}
	a.feed = feed_start(a.socket, &err);
	if (a.feed) rc = loop(&a, sfd);
	clean_up(&a);
	if (err.code) (void)cli_error(c, &err);
	close(sfd);
	return rc;
}
