/* test_form.c: the signing dialog as a state machine, with a world that answers as told: what is
 * asked, what must be typed, what never signs, and that secrets are gone. */
#include "scenes.h"

#include <sodium.h>

#include "screen/form_parts.h"
#include "warroom/hash.h"
#include "warroom/words.h"

#define HASH "58cc8770fbaef5ceb5532d8ad842c35568124259d2412fdca132d06fc6b40f35"

typedef struct world {
	json_t *state;
	int asked, signed_;
	bool busy;
	char operation_id[64], action[32], from[64], to[64], reason[256], decision[96], principal[64];
	char key_file[512], secret[600], note[256];
	size_t secret_len;
} world;

static void keep(char *out, size_t size, const char *s)
{
	snprintf(out, size, "%s", s ? s : "(none)");
}

static bool on_challenge(void *ctx, const intent *in)
{
	world *w = ctx;
	if (w->busy) return false;
	w->asked++;
	keep(w->operation_id, sizeof w->operation_id, in->operation_id);
	keep(w->action, sizeof w->action, in->action);
	keep(w->from, sizeof w->from, in->from);
	keep(w->to, sizeof w->to, in->to);
	keep(w->reason, sizeof w->reason, in->reason);
	keep(w->decision, sizeof w->decision, in->decision);
	keep(w->principal, sizeof w->principal, in->principal);
	return true;
}

static bool on_sign(void *ctx, const json_t *challenge, const char *key_file,
                    const char *passphrase, size_t len, const char *note)
{
	world *w = ctx;
	assert_non_null(challenge);
	if (w->busy) return false;
	w->signed_++;
	keep(w->key_file, sizeof w->key_file, key_file);
	keep(w->note, sizeof w->note, note);
	assert_true(len < sizeof w->secret);
	memcpy(w->secret, passphrase, len);
	w->secret[len] = '\0';
	w->secret_len = len;
	return true;
}

static form *open_form(world *w, const char *state, action_id a)
{
	const char *why = "";
	*w = (world){.state = load_state(state)};
	scene s = scene_of(w->state, VIEW_OVERVIEW);
	form_ops ops = {w, on_challenge, on_sign};
	form *f = form_open(&s, a, &ops, &why);
	if (!f) fail_msg("%s: %s", state, why);
	return f;
}

static void close_form(world *w, form *f)
{
	form_free(f);
	json_decref(w->state);
}

static form_end press(form *f, uint32_t key)
{
	const char *message = NULL;
	bool bad = false;
	return form_key(f, key, false, &message, &bad);
}

static void type(form *f, const char *text)
{
	for (; *text; text++) assert_int_equal(press(f, (uint32_t)(unsigned char)*text), FORM_ON);
}

static json_t *challenge_for(const char *id, const char *decision, const char *principal,
                             const char *hash)
{
	json_t *m = json_pack("{s:s, s:s, s:s, s:s}", "operation_id", id, "decision", decision,
	                      "principal", principal, "plan_hash", hash);
	char *text = json_dumps(m, JSON_COMPACT | JSON_SORT_KEYS);
	json_t *c = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:{s:b, s:s}}", "operation_id", id,
	                      "message", text, "words", "as the engine says", "text",
	                      "the plan\nof two lines\n", "role", "sre", "principal", principal,
	                      "expires", "2026-11-20T23:06:07.266350Z", "loss", "known", 1, "text",
	                      "2.2 s, 54 KB (proven 0 s ago)");
	free(text);
	json_decref(m);
	assert_non_null(c);
	return c;
}

static form_end answer(form *f, json_t *challenge, const char **message, bool *bad)
{
	wr_err err = {0};
	if (!challenge) wr_fail(&err, WR_E_CONFLICT, "O-ONE: not now");
	return form_answer(f, challenge, &err, message, bad);
}

static void turn(form *f, const char *id, const char *decision, const char *principal)
{
	const char *message = NULL;
	bool bad = false;
	assert_int_equal(answer(f, challenge_for(id, decision, principal, HASH), &message, &bad),
	                 FORM_ON);
	assert_int_equal(f->page, P_CONFIRM);
}

static void test_propose(void **unused)
{
	(void)unused;
	world w;
	const char *message = NULL;
	bool bad = true;
	form *f = open_form(&w, "down", A_FAILOVER);
	press(f, K_ENTER);
	press(f, K_ENTER); /* no reason yet */
	assert_int_equal(w.asked, 0);
	assert_non_null(strstr(f->error, "say why"));
	type(f, "dark");
	press(f, K_ENTER);
	assert_int_equal(w.asked, 1);
	assert_int_equal(f->page, P_ASKING);
	assert_string_equal(w.operation_id, "(none)");
	assert_string_equal(w.action, "failover");
	assert_string_equal(w.from, "us-central1");
	assert_string_equal(w.to, "europe-west1");
	assert_string_equal(w.reason, "dark");
	assert_string_equal(w.decision, "approve");
	assert_string_equal(w.principal, "alice");
	turn(f, "op-7", "approve", "alice");
	press(f, K_ENTER);
	type(f, "europe-west");
	press(f, K_ENTER);
	assert_non_null(strstr(f->error, "that is not it"));
	type(f, "1");
	press(f, K_ENTER);
	press(f, K_ENTER); /* no passphrase */
	assert_int_equal(w.signed_, 0);
	type(f, "orange");
	press(f, K_ENTER);
	assert_int_equal(w.signed_, 1);
	assert_string_equal(w.secret, "orange");
	assert_string_equal(w.key_file, "/etc/warroom/keys/alice.key");
	assert_string_equal(w.note, "dark");
	assert_int_equal(f->page, P_SIGNING);
	json_t *done = json_pack("{s:s, s:s}", "operation_id", "op-7", "decision", "approve");
	assert_int_equal(answer(f, done, &message, &bad), FORM_OVER);
	assert_false(bad);
	assert_string_equal(message, "op-7: approve by alice is recorded");
	close_form(&w, f);
}

/* Who has approved already is not the one that comes first. */
static void test_second_person(void **unused)
{
	(void)unused;
	world w;
	form *f = open_form(&w, "proposed", A_APPROVE);
	assert_string_equal(f->fields[0].choices[f->fields[0].chosen].value, "bob");
	assert_non_null(strstr(f->fields[0].choices[0].shown, "has approved"));
	press(f, '1');
	press(f, K_RIGHT);
	press(f, K_ENTER);
	assert_string_equal(w.principal, "bob");
	assert_string_equal(w.operation_id, "op-1");
	turn(f, "op-1", "approve", "bob");
	assert_int_equal(f->fields[0].kind, F_CONFIRM);
	assert_string_equal(f->fields[0].expect, "europe-west1");
	close_form(&w, f);
}

static void test_decisions(void **unused)
{
	(void)unused;
	static const struct {
		const char *state;
		action_id action;
		int enters; /* on the first page, with a reason where one is asked */
		const char *decision, *confirm;
	} rows[] = {{"proposed", A_DENY, 2, "deny", NULL},
	            {"running", A_HOLD, 2, "hold", NULL},
	            {"held", A_RESUME, 1, "resume", NULL},
	            {"running", A_ABORT, 2, "abort", "op-1"},
	            {"manual", A_TICK, 2, "tick:call-the-provider", NULL},
	            {"uncertain", A_RULE, 2, "rule:promote-postgres:done", "op-1"}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		world w;
		form *f = open_form(&w, rows[i].state, rows[i].action);
		const char *id =
		    wr_json_str(json_array_get(json_object_get(w.state, "operations"), 0), "id", "");
		for (int k = 0; k < rows[i].enters; k++) {
			if (f->fields[f->at].kind == F_TEXT) type(f, "because");
			press(f, K_ENTER);
		}
		assert_int_equal(w.asked, 1);
		assert_string_equal(w.decision, rows[i].decision);
		assert_string_equal(w.operation_id, id);
		assert_string_equal(w.reason, "(none)");
		turn(f, id, rows[i].decision, "alice");
		assert_int_equal(f->n_fields, rows[i].confirm ? 2 : 1);
		if (rows[i].confirm) assert_string_equal(f->fields[0].expect, rows[i].confirm);
		close_form(&w, f);
	}
}

static void test_ruling_is_chosen(void **unused)
{
	(void)unused;
	world w;
	form *f = open_form(&w, "uncertain", A_RULE);
	press(f, K_ENTER);
	press(f, K_RIGHT);
	press(f, K_ENTER);
	assert_string_equal(w.decision, "rule:promote-postgres:not_done");
	close_form(&w, f);
}

static void to_confirm(world *w, form *f)
{
	press(f, K_ENTER);
	type(f, "dark");
	press(f, K_ENTER);
	assert_int_equal(w->asked, 1);
	turn(f, "op-1", "approve", "alice");
}

/* What is to be signed must say what was asked; the words come from its hash. */
static void test_text_that_says_otherwise(void **unused)
{
	(void)unused;
	static const struct {
		const char *id, *decision, *principal, *hash;
	} lies[] = {{"op-1", "deny", "bob", HASH},
	            {"op-1", "approve", "alice", HASH},
	            {"op-2", "approve", "bob", HASH},
	            {"op-1", "approve", "bob", "58cc"},
	            {"op-1", "approve", "bob", ""}};
	world w;
	form *f = open_form(&w, "proposed", A_APPROVE);
	const char *message = NULL;
	bool bad = false;
	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		press(f, K_ENTER);
		assert_int_equal(w.asked, (int)i + 1);
		json_t *c = challenge_for(lies[i].id, lies[i].decision, lies[i].principal, lies[i].hash);
		assert_int_equal(answer(f, c, &message, &bad), FORM_ON);
		assert_int_equal(f->page, P_WHO);
		assert_null(f->challenge);
		assert_non_null(strstr(f->error, "does not say what was asked"));
	}
	press(f, K_ENTER);
	turn(f, "op-1", "approve", "bob");
	uint8_t hash[WR_HASH_LEN];
	char words[WR_WORDS_LEN];
	assert_int_equal(wr_unhex(hash, sizeof hash, HASH, strlen(HASH)), 0);
	wr_words(words, hash);
	assert_string_equal(f->words, words);
	close_form(&w, f);
}

/* The id of a challenge is that of its message too. */
static void test_other_id_than_the_message(void **unused)
{
	(void)unused;
	world w;
	form *f = open_form(&w, "down", A_FAILOVER);
	const char *message = NULL;
	bool bad = false;
	press(f, K_ENTER);
	type(f, "dark");
	press(f, K_ENTER);
	json_t *c = challenge_for("op-1", "approve", "alice", HASH);
	json_object_set_new(c, "operation_id", json_string("op-9"));
	assert_int_equal(answer(f, c, &message, &bad), FORM_ON);
	assert_int_equal(f->page, P_WHO);
	c = json_object();
	press(f, K_ENTER);
	assert_int_equal(answer(f, c, &message, &bad), FORM_ON);
	assert_int_equal(f->page, P_WHO);
	close_form(&w, f);
}

static void test_refusals(void **unused)
{
	(void)unused;
	world w;
	const char *message = NULL;
	bool bad = false;
	wr_err err = {0};
	form *f = open_form(&w, "down", A_FAILOVER);
	press(f, K_ENTER);
	type(f, "dark");
	press(f, K_ENTER);
	assert_int_equal(answer(f, NULL, &message, &bad), FORM_ON);
	assert_string_equal(f->error, "O-ONE: not now");
	assert_int_equal(f->page, P_WHO);
	press(f, K_ENTER);
	assert_int_equal(w.asked, 2);
	turn(f, "op-1", "approve", "alice");
	type(f, "europe-west1");
	press(f, K_ENTER);
	type(f, "wrong");
	press(f, K_ENTER);
	wr_fail(&err, WR_E_DENIED, "wrong passphrase (or the key file was changed)");
	assert_int_equal(form_answer(f, NULL, &err, &message, &bad), FORM_ON);
	assert_int_equal(f->page, P_CONFIRM);
	assert_int_equal(f->secret_len, 0);
	type(f, "right");
	press(f, K_ENTER);
	wr_fail(&err, WR_E_CONFLICT, "A-EXPIRED: too late");
	assert_int_equal(form_answer(f, NULL, &err, &message, &bad), FORM_OVER);
	assert_true(bad);
	assert_string_equal(message, "not accepted: A-EXPIRED: too late");
	close_form(&w, f);
}

static bool all_zero(const form *f)
{
	for (size_t i = 0; i < 512; i++)
		if (f->secret[i]) return false;
	return f->secret_len == 0;
}

static void test_secrets_are_wiped(void **unused)
{
	(void)unused;
	world w;
	form *f = open_form(&w, "down", A_FAILOVER);
	to_confirm(&w, f);
	type(f, "europe-west1");
	press(f, K_ENTER);
	type(f, "abc");
	press(f, 0xFC); /* ü: two bytes, one key */
	assert_int_equal(f->secret_len, 5);
	press(f, K_BACKSPACE);
	assert_int_equal(f->secret_len, 3);
	assert_int_equal(f->secret[3], 0);
	press(f, 0x1F600);
	assert_int_equal(f->secret_len, 7);
	press(f, K_CTRL_U);
	assert_true(all_zero(f));
	type(f, "secret");
	press(f, K_ENTER);
	assert_string_equal(w.secret, "secret");
	assert_true(all_zero(f));
	close_form(&w, f);
	/* An earlier request is still under way: what was typed is gone all the same. */
	f = open_form(&w, "down", A_FAILOVER);
	to_confirm(&w, f);
	type(f, "europe-west1");
	press(f, K_ENTER);
	type(f, "secret");
	w.busy = true;
	press(f, K_ENTER);
	assert_int_equal(f->page, P_CONFIRM);
	assert_true(all_zero(f));
	assert_int_equal(w.signed_, 0);
	close_form(&w, f);
}

static void test_long_secret(void **unused)
{
	(void)unused;
	world w;
	form *f = open_form(&w, "held", A_RESUME);
	press(f, K_ENTER);
	turn(f, "op-2", "resume", "alice");
	for (int i = 0; i < 600; i++) press(f, 'x');
	assert_int_equal(f->secret_len, 512);
	assert_non_null(strstr(f->error, "at most 512 bytes"));
	press(f, K_ENTER);
	assert_int_equal(w.secret_len, 512);
	close_form(&w, f);
}

static void test_paste_signs_nothing(void **unused)
{
	(void)unused;
	world w;
	form *f = open_form(&w, "down", A_FAILOVER);
	press(f, K_ENTER);
	press(f, K_PASTE);
	type(f, "dark");
	press(f, K_ENTER);
	press(f, K_ESC);
	press(f, K_CTRL_C);
	press(f, K_TAB);
	type(f, "!");
	press(f, K_PASTE_END);
	assert_string_equal(f->fields[1].edit.text, "dark!");
	assert_int_equal(w.asked, 0);
	press(f, K_ENTER);
	turn(f, "op-1", "approve", "alice");
	press(f, K_PASTE);
	type(f, "europe-west1");
	press(f, K_PASTE_END);
	assert_int_equal(f->fields[0].edit.len, 0);
	assert_non_null(strstr(f->error, "type it"));
	type(f, "europe-west1");
	press(f, K_ENTER);
	press(f, K_PASTE);
	type(f, "orange");
	press(f, K_ENTER);
	press(f, '\n');
	press(f, K_PASTE_END);
	assert_int_equal(w.signed_, 0);
	assert_int_equal(f->secret_len, 6);
	close_form(&w, f);
}

/* Without bracketed paste the line's end comes with the text. */
static void test_quick_enter(void **unused)
{
	(void)unused;
	world w;
	const char *message = NULL;
	bool bad = false;
	form *f = open_form(&w, "held", A_RESUME);
	press(f, K_ENTER);
	turn(f, "op-2", "resume", "alice");
	type(f, "orange");
	assert_int_equal(form_key(f, K_ENTER, true, &message, &bad), FORM_ON);
	assert_int_equal(w.signed_, 0);
	assert_non_null(strstr(f->error, "press it yourself"));
	press(f, K_ENTER);
	assert_int_equal(w.signed_, 1);
	close_form(&w, f);
}

/* Going round the typed value with Tab does not get past it. */
static void test_tab_does_not_get_past(void **unused)
{
	(void)unused;
	world w;
	form *f = open_form(&w, "down", A_FAILOVER);
	to_confirm(&w, f);
	press(f, K_TAB);
	type(f, "orange");
	press(f, K_ENTER);
	assert_int_equal(w.signed_, 0);
	assert_int_equal(f->at, 0);
	assert_non_null(strstr(f->error, "type the target region first"));
	press(f, K_BTAB);
	assert_int_equal(f->at, 1);
	press(f, K_UP);
	assert_int_equal(f->at, 0);
	type(f, "europe-west1");
	press(f, K_DOWN);
	press(f, K_ENTER);
	assert_int_equal(w.signed_, 1);
	close_form(&w, f);
}

static void test_cancel(void **unused)
{
	(void)unused;
	world w;
	const char *message = NULL;
	bool bad = true;
	form *f = open_form(&w, "down", A_FAILOVER);
	assert_int_equal(form_key(f, K_ESC, false, &message, &bad), FORM_OVER);
	assert_string_equal(message, "cancelled; nothing was signed");
	close_form(&w, f);
	f = open_form(&w, "down", A_FAILOVER);
	to_confirm(&w, f);
	type(f, "europe-west1");
	press(f, K_ENTER);
	type(f, "orange");
	press(f, K_ENTER);
	assert_int_equal(press(f, K_ESC), FORM_ON); /* it is on its way */
	assert_int_equal(press(f, K_CTRL_C), FORM_ON);
	type(f, "q");
	assert_int_equal(press(f, K_CTRL_C), FORM_QUIT);
	close_form(&w, f);
}

/* An answer to a dialog that was cancelled, in the next one. */
static void test_late_answer(void **unused)
{
	(void)unused;
	world w;
	const char *message = NULL;
	bool bad = false;
	form *f = open_form(&w, "down", A_FAILOVER);
	assert_int_equal(answer(f, challenge_for("op-1", "approve", "alice", HASH), &message, &bad),
	                 FORM_ON);
	assert_int_equal(f->page, P_WHO);
	close_form(&w, f);
}

static void test_cannot_open(void **unused)
{
	(void)unused;
	world w = {.state = load_state("quiet")};
	scene s = scene_of(w.state, VIEW_OVERVIEW);
	form_ops ops = {&w, on_challenge, on_sign};
	const char *why = "";
	assert_null(form_open(&s, A_APPROVE, &ops, &why));
	assert_string_equal(why, "there is nothing to decide on");
	json_object_set_new(w.state, "operators", json_array());
	assert_null(form_open(&s, A_FAILOVER, &ops, &why));
	assert_non_null(strstr(why, "no operator has a sealed key"));
	json_decref(w.state);
}

/* Every page at every size: nothing leaves the grid, the cursor is inside, the secret is not
 * there. */
static void test_drawing(void **unused)
{
	(void)unused;
	static const int sizes[][2] = {{60, 16}, {72, 18}, {80, 24}, {120, 40}, {200, 60}};
	static const char *const states[] = {"down", "many", "hostile"};
	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
			for (int page = 0; page < 2; page++) {
				world w;
				grid g;
				int cx, cy;
				action_id a = i == 2 ? A_HOLD : A_FAILOVER;
				form *f = open_form(&w, states[i], a);
				if (page) {
					press(f, K_ENTER);
					type(f, "dark");
					press(f, K_ENTER);
					turn(f, a == A_HOLD ? f->operation_id : "op-1", f->decision, f->principal);
					press(f, K_TAB);
					type(f, "zzz-secret");
				}
				assert_int_equal(grid_init(&g, sizes[k][0], sizes[k][1]), 0);
				form_draw(f, &g, 2, &cx, &cy);
				assert_true(cx >= -1 && cx < g.w && cy >= -1 && cy < g.h);
				wr_buf out = WR_BUF_INIT(1u << 20);
				grid_dump(&g, &out, false);
				assert_null(strstr(wr_buf_cstr(&out), "zzz"));
				assert_non_null(strstr(wr_buf_cstr(&out), page ? "read aloud" : "who signs"));
				if (page) assert_non_null(strstr(wr_buf_cstr(&out), "2.2 s, 54 KB"));
				wr_buf_free(&out);
				grid_free(&g);
				close_form(&w, f);
			}
}

/* Fourteen people do not fit: the chosen one is always there. */
static void test_many_people(void **unused)
{
	(void)unused;
	world w;
	form *f = open_form(&w, "many", A_FAILOVER);
	assert_int_equal(f->fields[0].n_choices, 14);
	for (int i = 0; i < 14; i++) {
		grid g;
		int cx, cy;
		char name[32];
		assert_int_equal(grid_init(&g, 60, 16), 0);
		form_draw(f, &g, 2, &cx, &cy);
		wr_buf out = WR_BUF_INIT(1u << 20);
		grid_dump(&g, &out, false);
		snprintf(name, sizeof name, "operator-%02d", i);
		if (!strstr(wr_buf_cstr(&out), name)) fail_msg("%s\n%s", name, wr_buf_cstr(&out));
		wr_buf_free(&out);
		grid_free(&g);
		press(f, K_RIGHT);
	}
	close_form(&w, f);
}

static void test_plan_scrolls(void **unused)
{
	(void)unused;
	world w;
	grid g;
	int cx, cy;
	form *f = open_form(&w, "down", A_FAILOVER);
	to_confirm(&w, f);
	assert_int_equal(grid_init(&g, 80, 24), 0);
	for (int i = 0; i < 100; i++) press(f, K_PGDN);
	form_draw(f, &g, 2, &cx, &cy);
	assert_int_equal(f->scroll, 0); /* two lines: nothing to scroll */
	grid_free(&g);
	close_form(&w, f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_propose),
	                                   cmocka_unit_test(test_second_person),
	                                   cmocka_unit_test(test_decisions),
	                                   cmocka_unit_test(test_ruling_is_chosen),
	                                   cmocka_unit_test(test_text_that_says_otherwise),
	                                   cmocka_unit_test(test_other_id_than_the_message),
	                                   cmocka_unit_test(test_refusals),
	                                   cmocka_unit_test(test_secrets_are_wiped),
	                                   cmocka_unit_test(test_long_secret),
	                                   cmocka_unit_test(test_paste_signs_nothing),
	                                   cmocka_unit_test(test_quick_enter),
	                                   cmocka_unit_test(test_tab_does_not_get_past),
	                                   cmocka_unit_test(test_cancel),
	                                   cmocka_unit_test(test_late_answer),
	                                   cmocka_unit_test(test_cannot_open),
	                                   cmocka_unit_test(test_drawing),
	                                   cmocka_unit_test(test_many_people),
	                                   cmocka_unit_test(test_plan_scrolls)};
	if (sodium_init() < 0) return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
