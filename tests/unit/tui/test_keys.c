/* test_keys.c: the action table: one meaning a key, read-only and frozen mode, and hints that fit.
 */
#include "scenes.h"

static const view_id views[] = {VIEW_OVERVIEW, VIEW_REGIONS,   VIEW_DATA,
                                VIEW_RECEIPTS, VIEW_OPERATION, VIEW_WHY,
                                VIEW_PAGE,     VIEW_HELP,      VIEW_WELCOME};

static void test_one_meaning_a_key(void **unused)
{
	(void)unused;
	for (int i = 0; i < A_COUNT; i++) {
		assert_true(action_table[i].key != 0);
		assert_true(*action_table[i].shown && *action_table[i].help);
		for (int k = i + 1; k < A_COUNT; k++) {
			if (action_table[i].key == action_table[k].key)
				fail_msg("%s is two actions", action_table[i].shown);
			assert_string_not_equal(action_table[i].shown, action_table[k].shown);
		}
	}
}

/* Every key of the table does what the table says, in every view. */
static void test_keys_reach_their_action(void **unused)
{
	(void)unused;
	json_t *state = load_state("running");
	for (size_t v = 0; v < sizeof views / sizeof *views; v++) {
		scene s = scene_of(state, views[v]);
		for (int i = 0; i < A_COUNT; i++)
			assert_int_equal(action_for_key(&s, action_table[i].key), i);
		assert_int_equal(action_for_key(&s, 'Y'), A_NONE);
		assert_int_equal(action_for_key(&s, 0), A_NONE);
		assert_int_equal(action_for_key(&s, K_OTHER), A_NONE);
		assert_int_equal(action_for_key(&s, 0x1F600), A_NONE);
		assert_int_equal(action_for_key(&s, K_DOWN), A_DOWN);
		assert_int_equal(action_for_key(&s, K_ESC), A_BACK);
		assert_int_equal(action_for_key(&s, K_F1), A_HELP);
		assert_int_equal(action_for_key(&s, '5'), A_OPERATION);
	}
	json_decref(state);
	state = load_state("quiet");
	scene s = scene_of(state, VIEW_OVERVIEW);
	assert_int_equal(action_for_key(&s, '5'), A_WHY);
	json_decref(state);
}

static void test_changes_are_refused(void **unused)
{
	(void)unused;
	for (size_t n = 0; n < STATES; n++) {
		json_t *state = load_state(state_names[n]);
		for (int i = 0; i < A_COUNT; i++) {
			if (!(action_table[i].flags & CHANGES)) continue;
			const char *why = "";
			scene s = scene_of(state, VIEW_OVERVIEW);
			s.read_only = true;
			assert_false(action_available(&s, (action_id)i, &why));
			assert_non_null(strstr(why, "read-only"));
			s.read_only = false;
			s.connected = false;
			assert_false(action_available(&s, (action_id)i, &why));
			s.connected = true;
			s.frozen = true;
			assert_false(action_available(&s, (action_id)i, &why));
			s.frozen = false;
			s.state = NULL;
			assert_false(action_available(&s, (action_id)i, &why));
			s.state = state;
			if (!action_available(&s, (action_id)i, &why)) assert_true(*why != '\0');
		}
		json_decref(state);
	}
}

static void test_what_can_be_done_when(void **unused)
{
	(void)unused;
	static const struct {
		const char *state, *keys; /* of the actions that change something */
	} rows[] = {{"quiet", "f"}, {"proposed", "ad"},  {"running", "hx"},    {"manual", "hxt"},
	            {"held", "rx"}, {"expired", "arx"},  {"uncertain", "rxu"}, {"away", "fb"},
	            {"empty", ""},  {"rolled_back", "f"}};
	for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {
		json_t *state = load_state(rows[n].state);
		scene s = scene_of(state, VIEW_OVERVIEW);
		char got[A_COUNT + 1] = "";
		size_t len = 0;
		for (int i = 0; i < A_COUNT; i++)
			if ((action_table[i].flags & CHANGES) && action_available(&s, (action_id)i, NULL))
				got[len++] = (char)action_table[i].key;
		if (strcmp(got, rows[n].keys) != 0)
			fail_msg("%s: \"%s\", not \"%s\"", rows[n].state, got, rows[n].keys);
		json_decref(state);
	}
}

static void hint_row(const scene *s, int w, wr_buf *out)
{
	grid g;
	assert_int_equal(grid_init(&g, w, 2), 0);
	draw_hints(&g, s);
	wr_buf_reset(out);
	grid_dump(&g, out, false);
	grid_free(&g);
}

/* Help and the way out are always there, whole; read-only shows no key that changes anything. */
static void test_hints_fit(void **unused)
{
	(void)unused;
	wr_buf out = WR_BUF_INIT(1u << 16);
	for (size_t n = 0; n < STATES; n++) {
		json_t *state = load_state(state_names[n]);
		for (size_t v = 0; v < sizeof views / sizeof *views; v++)
			for (int w = MIN_W; w <= 200; w += 7) {
				scene s = scene_of(state, views[v]);
				hint_row(&s, w, &out);
				const char *text = wr_buf_cstr(&out);
				if (views[v] != VIEW_HELP && !strstr(text, "? help")) fail_msg("%d: %s", w, text);
				if (!strstr(text, views[v] == VIEW_OVERVIEW ? "q quit" : "q back"))
					fail_msg("%d: %s", w, text);
				s.read_only = true;
				hint_row(&s, w, &out);
				assert_null(strstr(wr_buf_cstr(&out), "failover"));
				assert_null(strstr(wr_buf_cstr(&out), "approve"));
			}
		json_decref(state);
	}
	wr_buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_one_meaning_a_key), cmocka_unit_test(test_keys_reach_their_action),
	    cmocka_unit_test(test_changes_are_refused), cmocka_unit_test(test_what_can_be_done_when),
	    cmocka_unit_test(test_hints_fit)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
