/* app.c: the screen's loop: keys and news in, a picture out. One thread; the feed's threads never
 * draw. */
#include <curl/curl.h>
#include <langinfo.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/cli.h"
#include "screen/form.h"
#include "screen/screen.h"
#include "term.h"
#include "warroom/clock.h"

#define MESSAGE_MS 6000

typedef struct app {
	scene s;
	feed *feed;
	form *form;
	json_t *state;
	int64_t state_ms, contact_ms, message_until_ms;
	char error[512], message[600], socket[512];
	bool quit, pending_frozen;
} app;

static void say(app *a, const char *text, bool bad)
{
	snprintf(a->message, sizeof a->message, "%s", text);
	a->s.message_bad = bad;
	a->message_until_ms = wr_mono_ms(&wr_clock_system) + MESSAGE_MS;
}

static void end_form(app *a, const char *message, bool bad)
{
	if (message) say(a, message, bad);
	form_free(a->form);
	a->form = NULL;
}

static void take_news(app *a)
{
	news n;
	feed_take(a->feed, &n);
	int64_t now = wr_mono_ms(&wr_clock_system);
	a->s.connected = n.connected;
	a->contact_ms = n.contact_ms;
	a->s.ever = n.contact_ms != 0;
	snprintf(a->error, sizeof a->error, "%s", n.connected ? "" : n.err.msg);
	if (n.state && a->s.frozen) {
		json_decref(n.state); /* a frozen picture stays */
	} else if (n.state) {
		json_decref(a->state);
		a->state = n.state;
		a->state_ms = now;
	}
	if (n.answered) {
		const char *message = NULL;
		bool bad = false;
		if (!a->form)
			json_decref(n.answer);
		else if (!form_answer(a->form, n.answer, &n.action_err, &message, &bad))
			end_form(a, message, bad);
	}
}

static void go(app *a, view_id v)
{
	a->s.view = v;
	a->s.selected = -1;
	a->s.scroll = 0;
}

static int selectable(const app *a)
{
	const scene *s = &a->s;
	switch (s->view) {
	case VIEW_OPERATION:
		return (int)json_array_size(json_object_get(scene_operation(s), "steps"));
	case VIEW_WHY:
		return (int)json_array_size(json_object_get(scene_action(s), "guards"));
	case VIEW_RECEIPTS:
		return (int)json_array_size(json_object_get(json_object_get(s->state, "ledger"), "tail"));
	case VIEW_HELP:
		return A_COUNT;
	default:
		return 0;
	}
}

static void move_by(app *a, int by)
{
	int n = selectable(a);
	int *at = a->s.view == VIEW_HELP ? &a->s.scroll : &a->s.selected;
	if (n <= 0) return;
	int to = (*at < 0 ? (by > 0 ? -1 : 0) : *at) + by;
	*at = to < 0 ? 0 : to >= n ? n - 1 : to;
}

static void next_thing(app *a)
{
	if (a->s.view != VIEW_OPERATION) {
		a->s.action++;
		a->s.selected = -1;
		return;
	}
	const json_t *list = json_object_get(a->s.state, "operations"), *op = scene_operation(&a->s);
	size_t i, n = json_array_size(list);
	for (i = 0; i < n; i++)
		if (json_array_get(list, i) == op) break;
	snprintf(a->s.operation_id, sizeof a->s.operation_id, "%s",
	         wr_json_str(json_array_get(list, n ? (i + 1) % n : 0), "id", ""));
	a->s.selected = -1;
}

static void do_action(app *a, action_id id)
{
	const char *why = "";
	if (!action_available(&a->s, id, &why)) {
		say(a, why, true);
		return;
	}
	if (action_table[id].flags & CHANGES) {
		a->form = form_open(&a->s, id, a->feed, &why);
		if (!a->form) say(a, why, true);
		return;
	}
	switch (id) {
	case A_WHY:
		go(a, VIEW_WHY);
		break;
	case A_OPERATION:
		a->s.operation_id[0] = '\0';
		go(a, VIEW_OPERATION);
		break;
	case A_RECEIPTS:
		go(a, VIEW_RECEIPTS);
		break;
	case A_HELP:
		go(a, VIEW_HELP);
		break;
	case A_NEXT:
		next_thing(a);
		break;
	case A_FREEZE:
		a->s.frozen = !a->s.frozen;
		break;
	case A_DOWN:
		move_by(a, 1);
		break;
	case A_UP:
		move_by(a, -1);
		break;
	case A_TOP:
		move_by(a, -100000);
		break;
	case A_REDRAW:
		term_redraw();
		break;
	case A_BACK:
		if (a->s.view == VIEW_OVERVIEW)
			a->quit = true;
		else
			go(a, VIEW_OVERVIEW);
		break;
	default:
		break;
	}
}

static void on_key(app *a, uint32_t ch)
{
	if (ch == K_RESIZE) {
		term_redraw();
		return;
	}
	if (ch == K_CTRL_Z && !a->form) {
		term_suspend();
		return;
	}
	if (a->form) {
		const char *message = NULL;
		bool bad = false;
		if (!form_key(a->form, &a->s, ch, &message, &bad)) end_form(a, message, bad);
		return;
	}
	if (ch == K_CTRL_C) {
		a->quit = true;
		return;
	}
	a->message_until_ms = 0;
	if (ch == K_PGDN || ch == K_PGUP || ch == 'G' || ch == K_END) {
		move_by(a, ch == K_PGDN ? 10 : ch == K_PGUP ? -10 : 100000);
		return;
	}
	if (a->s.view == VIEW_WELCOME && (ch == K_ENTER || ch == ' ')) {
		go(a, VIEW_OVERVIEW);
		return;
	}
	action_id id = action_for_key(&a->s, ch);
	if (id != A_NONE)
		do_action(a, id);
	else if (ch >= 0x20 && ch < 0x110000)
		say(a, "that key does nothing here; ? shows the keys", false);
}

static void draw(app *a)
{
	int w, h, cx = -1, cy = -1;
	grid g;
	int64_t now = wr_mono_ms(&wr_clock_system);
	term_size(&w, &h);
	if (w < 1 || h < 1 || grid_init(&g, w, h) != 0) return;
	a->s.state = a->state;
	a->s.stale_ms = a->contact_ms ? now - a->contact_ms : 0;
	/* A frozen picture, or one of an engine that is gone, does not pretend that its clocks run. */
	a->s.skew_ms = a->s.frozen || !a->s.connected ? 0 : now - a->state_ms;
	a->s.error = a->error;
	a->s.message = now < a->message_until_ms ? a->message : "";
	scene_draw(&g, &a->s);
	if (a->form && w >= MIN_W && h >= MIN_H) form_draw(a->form, &g, &a->s, &cx, &cy);
	term_show(&g, cx, cy);
	grid_free(&g);
}

static int loop(app *a, int sfd)
{
	struct pollfd fds[3] = {{.fd = STDIN_FILENO, .events = POLLIN},
	                        {.fd = feed_fd(a->feed), .events = POLLIN},
	                        {.fd = sfd, .events = POLLIN}};
	while (!a->quit) {
		draw(a);
		int64_t now = wr_wall_us(&wr_clock_system) / 1000;
		(void)poll(fds, 3, (int)(1000 - now % 1000)); /* the clocks move once a second */
		struct signalfd_siginfo si;
		if (fds[2].revents && read(sfd, &si, sizeof si) == (ssize_t)sizeof si) return EXIT_OK;
		if (fds[0].revents & (POLLHUP | POLLERR)) return EXIT_OK;
		uint32_t ch;
		for (int i = 0; i < 256 && (ch = term_key()) != (uint32_t)-1; i++) on_key(a, ch);
		take_news(a);
	}
	return EXIT_OK;
}

/* SIGTERM, SIGHUP and SIGINT come through a descriptor, so that the terminal is restored in one
 * place. SIGWINCH stays curses' own. */
static int open_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int screen_main(struct cli *c)
{
	app a = {.s = {.view = c->welcome ? VIEW_WELCOME : VIEW_OVERVIEW,
	               .selected = -1,
	               .read_only = c->read_only,
	               .welcome = c->welcome}};
	wr_err err = {0};
	theme t;
	const char *name = c->theme ? c->theme : getenv("WARROOM_THEME");
	if (theme_load(&t, name && *name ? name : c->no_colour ? "mono" : "dark", &err) != 0)
		return cli_error(c, &err);
	if (cli_socket(c, a.socket, sizeof a.socket, &err) != 0) return cli_error(c, &err);
	a.s.socket = a.socket;
	a.s.error = a.error;
	snprintf(a.error, sizeof a.error, "connecting to %.200s", a.socket);
	grid_use(cli_unicode(c) ? &glyphs_utf8 : &glyphs_ascii);
	int sfd = open_signals();
	if (term_open(&t, !c->no_colour, &err) != 0) {
		(void)cli_error(c, &err);
		return EXIT_USAGE;
	}
	a.feed = feed_start(a.socket, &err);
	int rc = EXIT_USAGE;
	if (a.feed) rc = loop(&a, sfd);
	form_free(a.form);
	feed_stop(a.feed);
	term_close();
	if (!a.feed) (void)cli_error(c, &err);
	json_decref(a.state);
	close(sfd);
	return rc;
}
