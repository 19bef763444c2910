/* test_views.c: what is drawn. Golden files (tests/tui/golden, renewed with GENERATE=1) hold the
 * screens of each recorded state; and whatever the state, size, mode and character set, nothing may
 * be drawn outside its frame or be more than a visible character. */
#include "scenes.h"
#include "warroom/text.h"

#define GOLDEN_MAX (4u << 20)

typedef struct golden {
	const char *suffix;
	int w, h;
	const glyphs *gl;
	bool roles;
	unsigned views; /* bits of view_id */
} golden;

#define BIT(v)             (1u << (v))
#define CHANGES_WITH_STATE (BIT(VIEW_OVERVIEW) | BIT(VIEW_OPERATION) | BIT(VIEW_WHY))
#define LISTS              (CHANGES_WITH_STATE | BIT(VIEW_REGIONS) | BIT(VIEW_DATA) | BIT(VIEW_RECEIPTS))

static const golden kinds[] = {
    {"80x24", 80, 24, &glyphs_utf8, true, LISTS},
    {"80x24-ascii", 80, 24, &glyphs_ascii, false, LISTS},
    {"120x40", 120, 40, &glyphs_utf8, false, LISTS},
    {"60x16", 60, 16, &glyphs_utf8, false, BIT(VIEW_OVERVIEW)},
};

static const char *const view_names[VIEW_COUNT] = {
    "overview", "regions", "data", "receipts", "operation", "why", "page", "help", "welcome"};

/* The lists look the same in most states. */
static bool shown_in(const char *state, view_id v)
{
	static const char *const with_lists[] = {"quiet",  "blocked", "away",   "isolated",
	                                         "broken", "many",    "hostile"};
	if (CHANGES_WITH_STATE & BIT(v)) return true;
	for (size_t i = 0; i < sizeof with_lists / sizeof *with_lists; i++)
		if (!strcmp(with_lists[i], state)) return true;
	return false;
}

/* Where two texts part: the line, as wanted and as it is. */
static void fail_at(const char *name, const char *want, const char *got)
{
	int line = 1;
	const char *w = want, *g = got;
	while (*w && *w == *g) {
		if (*w == '\n') {
			line++;
			want = w + 1;
			got = g + 1;
		}
		w++;
		g++;
	}
	fail_msg("%s:%d\nwant %.*s\ngot  %.*s", name, line, (int)strcspn(want, "\n"), want,
	         (int)strcspn(got, "\n"), got);
}

static void compare(const char *name, const wr_buf *got)
{
	char path[256];
	wr_err err = {0};
	wr_buf want = WR_BUF_INIT(GOLDEN_MAX);
	snprintf(path, sizeof path, "tests/tui/golden/%s.txt", name);
	assert_true(wr_buf_ok(got));
	if (getenv("GENERATE")) {
		assert_int_equal(wr_write_file(path, got->data, got->len, 0644, &err), 0);
	} else {
		if (wr_read_file(&want, path, GOLDEN_MAX, WR_ANY, &err) != 0)
			fail_msg("%s: run with GENERATE=1 to make it, and review it", err.msg);
		if (strcmp(wr_buf_cstr(&want), wr_buf_cstr(got)) != 0)
			fail_at(path, wr_buf_cstr(&want), wr_buf_cstr(got));
	}
	wr_buf_free(&want);
}

static void dump_scene(wr_buf *out, const scene *s, int w, int h, bool roles)
{
	grid g;
	assert_int_equal(grid_init(&g, w, h), 0);
	scene_draw(&g, s);
	grid_dump(&g, out, roles);
	grid_free(&g);
}

static void test_golden(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < STATES; i++) {
		json_t *state = load_state(state_names[i]);
		for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
			wr_buf out = WR_BUF_INIT(GOLDEN_MAX);
			char name[96];
			grid_use(kinds[k].gl);
			for (int v = 0; v < VIEW_COUNT; v++) {
				if (!(kinds[k].views & BIT(v)) || !shown_in(state_names[i], (view_id)v)) continue;
				scene s = scene_of(state, (view_id)v);
				wr_buf_addf(&out, "=== %s\n", view_names[v]);
				dump_scene(&out, &s, kinds[k].w, kinds[k].h, kinds[k].roles);
			}
			snprintf(name, sizeof name, "%s-%s", state_names[i], kinds[k].suffix);
			compare(name, &out);
			wr_buf_free(&out);
		}
		json_decref(state);
	}
	grid_use(&glyphs_utf8);
}

/* The engine is gone: old data says so, ages grow, clocks stand. And the other modes of a screen.
 */
static void test_golden_modes(void **unused)
{
	(void)unused;
	wr_buf out = WR_BUF_INIT(GOLDEN_MAX);
	json_t *state = load_state("running");
	scene s = scene_of(state, VIEW_OVERVIEW);
	s.connected = false;
	s.error = "cannot reach the engine at /run/warroom/warroom.sock; is warroomd running?";
	s.stale_ms = 83000;
	s.age_ms = 85000;
	s.clock_ms = 2000;
	wr_buf_adds(&out, "=== gone\n");
	dump_scene(&out, &s, 80, 24, true);
	s.ever = false;
	s.state = NULL;
	wr_buf_adds(&out, "=== never\n");
	dump_scene(&out, &s, 80, 24, false);
	s = scene_of(state, VIEW_OVERVIEW);
	s.read_only = s.frozen = true;
	wr_buf_adds(&out, "=== read-only, frozen\n");
	dump_scene(&out, &s, 80, 24, false);
	s.message = "op-1: approve by bob is recorded";
	s.view = VIEW_HELP;
	wr_buf_adds(&out, "=== help, message\n");
	dump_scene(&out, &s, 80, 24, false);
	s = scene_of(state, VIEW_WELCOME);
	wr_buf_adds(&out, "=== welcome\n");
	dump_scene(&out, &s, 80, 24, false);
	s.view = VIEW_PAGE;
	snprintf(s.picked, sizeof s.picked, "#7");
	wr_buf_adds(&out, "=== page\n");
	dump_scene(&out, &s, 80, 24, false);
	s.page_text = NULL;
	wr_buf_adds(&out, "=== page, asked for\n");
	dump_scene(&out, &s, 80, 24, false);
	s = scene_of(state, VIEW_WHY);
	snprintf(s.filter, sizeof s.filter, "lag");
	wr_buf_adds(&out, "=== filter\n");
	dump_scene(&out, &s, 80, 24, false);
	s = scene_of(state, VIEW_OVERVIEW);
	wr_buf_adds(&out, "=== too small\n");
	dump_scene(&out, &s, 40, 10, false);
	compare("modes", &out);
	wr_buf_free(&out);
	json_decref(state);
}

static bool closes_row(const glyphs *gl, uint32_t cp)
{
	return cp == gl->v || cp == gl->tee_r || cp == gl->tr || cp == gl->br || cp == gl->thumb;
}

/* Cells hold visible characters alone; in ASCII mode nothing else; wide ones are whole; the right
 * side of the frame stands. */
static void check_grid(const grid *g, const scene *s, const char *what)
{
	const glyphs *gl = grid_glyphs();
	bool small = g->w < MIN_W || g->h < MIN_H;
	int top = s->view == VIEW_HELP || s->view == VIEW_WELCOME ? 0 : header_rows(s);
	for (int y = 0; y < g->h; y++)
		for (int x = 0; x < g->w; x++) {
			const cell *c = &g->cells[y * g->w + x];
			bool right_half = c->cp == 0;
			if (c->role >= ROLE_COUNT) fail_msg("%s: role at %d,%d", what, x, y);
			if (!right_half && (!grid_harmless(c->cp) || wr_cp_width(c->cp) == 0))
				fail_msg("%s: U+%04X at %d,%d", what, (unsigned)c->cp, x, y);
			if (c->mark && (!grid_harmless(c->mark) || wr_cp_width(c->mark) != 0))
				fail_msg("%s: mark U+%04X at %d,%d", what, (unsigned)c->mark, x, y);
			if (gl->ascii && (c->cp > 0x7e || c->mark))
				fail_msg("%s: not ASCII at %d,%d", what, x, y);
			if (right_half && (x == 0 || wr_cp_width(c[-1].cp) != 2))
				fail_msg("%s: half a character at %d,%d", what, x, y);
			if (!right_half && wr_cp_width(c->cp) == 2 && (x + 1 >= g->w || c[1].cp != 0))
				fail_msg("%s: no right half at %d,%d", what, x, y);
		}
	for (int y = top; !small && y < g->h - 1; y++)
		if (!closes_row(gl, g->cells[y * g->w + g->w - 1].cp))
			fail_msg("%s: the frame is broken in row %d", what, y);
}

static void test_every_size(void **unused)
{
	(void)unused;
	static const int sizes[][2] = {{1, 1},    {20, 5},   {40, 10},  {60, 16},  {61, 17},
	                               {72, 20},  {80, 24},  {81, 25},  {99, 24},  {100, 30},
	                               {120, 40}, {132, 43}, {200, 60}, {400, 16}, {60, 200}};
	for (size_t i = 0; i < STATES; i++) {
		json_t *state = load_state(state_names[i]);
		for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
			for (int mode = 0; mode < 8 * VIEW_COUNT; mode++) {
				char what[96];
				grid g;
				scene s = scene_of(state, (view_id)(mode / 8));
				grid_use(mode & 1 ? &glyphs_ascii : &glyphs_utf8);
				s.connected = !(mode & 2);
				s.error = "cannot reach";
				s.age_ms = s.stale_ms = 3600000;
				s.read_only = mode & 4;
				snprintf(what, sizeof what, "%s %s %dx%d mode %d", state_names[i],
				         view_names[s.view], sizes[k][0], sizes[k][1], mode & 7);
				assert_int_equal(grid_init(&g, sizes[k][0], sizes[k][1]), 0);
				scene_draw(&g, &s);
				check_grid(&g, &s, what);
				grid_free(&g);
			}
		json_decref(state);
	}
	grid_use(&glyphs_utf8);
}

static const char *row_with(const char *screen, const char *text)
{
	const char *hit = strstr(screen, text);
	while (hit && hit > screen && hit[-1] != '\n') hit--;
	return hit;
}

/* Question by question of DESIGN.md section 1, at 80x24 without a key pressed. */
static void test_ten_questions(void **unused)
{
	(void)unused;
	static const struct {
		const char *state;
		const char *texts[6];
	} asked[] = {
	    {"blocked", {"DOWN", "20:12", "syn ✖ slo ✖ ctl ?", "seen by bastion-1", "NOW not yet"}},
	    {"blocked", {"impact 25:12", "04:48 left", "41 s, 7.4 MB, 811 receipts"}},
	    {"blocked", {"europe-west1 ready?", "lag ✖", "capacity ✖", "keys ?", "5 block"}},
	    {"isolated", {"IT COULD BE US", "0 of 1 references answer"}},
	    {"proposed", {"1 of 2 approved, waiting for one on_call", "alice (sre)", "NOW press a"}},
	    {"running", {"wait-capacity", "it is not so: status 200", "2 of 2 approved", "RTO"}},
	    {"uncertain", {"did promote-postgres happen?", "press u"}},
	    {"expired", {"0 of 2 approved, waiting for one sre and one on_call", "a approves again"}},
	    {"manual", {"press t when it is done", "Call the provider, read them the incident number"}},
	    {"broken", {"BROKEN: us-central1/ops #2: hash mismatch", "the record is broken"}},
	    {"missed", {"MISSED by 1:00:12", "impact 1:30:12", "unknown"}},
	    {"away", {"RTO met: 01:", "away from home"}},
	    {"quiet", {"all quiet", "nothing to do", "chain ✔ verified"}},
	};
	for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
		json_t *state = load_state(asked[i].state);
		scene s = scene_of(state, VIEW_OVERVIEW);
		wr_buf out = WR_BUF_INIT(GOLDEN_MAX);
		dump_scene(&out, &s, 80, 24, false);
		for (size_t k = 0; k < 6 && asked[i].texts[k]; k++)
			if (!row_with(wr_buf_cstr(&out), asked[i].texts[k]))
				fail_msg("%s: \"%s\" is not on the screen:\n%s", asked[i].state, asked[i].texts[k],
				         wr_buf_cstr(&out));
		wr_buf_free(&out);
		json_decref(state);
	}
}

/* Clocks run while the engine is there and stand when it is gone; ages always grow. */
static void test_clocks(void **unused)
{
	(void)unused;
	json_t *state = load_state("down");
	scene s = scene_of(state, VIEW_OVERVIEW);
	const json_t *rto = json_object_get(state, "rto"), *ledger = json_object_get(state, "ledger");
	int64_t left = num(rto, "left_ms", 0), age = num(ledger, "verified_age_ms", 0);
	s.clock_ms = s.age_ms = 5000;
	assert_int_equal(scene_clock(&s, rto, "left_ms", false), left - 5000);
	assert_int_equal(scene_age(&s, ledger, "verified_age_ms"), age + 5000);
	s.age_ms = 60000;
	assert_int_equal(scene_clock(&s, rto, "left_ms", false), left - 5000);
	assert_int_equal(scene_age(&s, ledger, "verified_age_ms"), age + 60000);
	assert_int_equal(scene_age(&s, ledger, "no_such"), -1);
	json_decref(state);
}

static void check_pick(scene *s, const char *name)
{
	const json_t *items[ITEMS_MAX];
	size_t n = scene_items(s, items);
	assert_true(n > 0);
	assert_string_equal(wr_json_str(items[scene_picked(s, items, n)], "name", ""), name);
}

/* The selection follows the guard, whose row changes with its verdict. */
static void test_selection_follows(void **unused)
{
	(void)unused;
	json_t *down = load_state("down"), *blocked = load_state("blocked");
	const json_t *items[ITEMS_MAX];
	scene s = scene_of(down, VIEW_WHY);
	size_t n = scene_items(&s, items), row = 0;
	while (row < n && !is(items[row], "name", "capacity")) row++;
	assert_true(row > 0 && row < n);
	scene_item_id(items[row], s.picked, sizeof s.picked);
	s.picked_row = row;
	check_pick(&s, "capacity");
	s.state = blocked;
	check_pick(&s, "capacity");
	n = scene_items(&s, items);
	assert_true(scene_picked(&s, items, n) < row);
	/* Nothing was chosen: what stands in the way is. */
	s.picked[0] = '\0';
	assert_int_equal(scene_picked(&s, items, n), 0);
	assert_string_equal(wr_json_str(items[0], "verdict", ""), "FAIL");
	json_decref(down);
	json_decref(blocked);
}

/* Receipts move down as new ones come; the chosen one is still the chosen one. */
static void test_selection_of_receipts(void **unused)
{
	(void)unused;
	json_t *state = load_state("down"),
	       *tail = json_object_get(json_object_get(state, "ledger"), "tail");
	const json_t *items[ITEMS_MAX];
	scene s = scene_of(state, VIEW_RECEIPTS);
	size_t n = scene_items(&s, items);
	assert_int_equal(n, json_array_size(tail));
	scene_item_id(items[2], s.picked, sizeof s.picked);
	s.picked_row = 2;
	int64_t seq = num(items[2], "seq", -1);
	json_array_append_new(tail, json_pack("{s:I, s:s}", "seq", (json_int_t)1000, "text", "new"));
	n = scene_items(&s, items);
	assert_int_equal(scene_picked(&s, items, n), 3);
	assert_int_equal(num(items[3], "seq", -1), seq);
	/* Gone from the list: the row stays where it was. */
	json_array_remove(tail, json_array_size(tail) - 4);
	n = scene_items(&s, items);
	assert_int_equal(scene_picked(&s, items, n), 2);
	json_decref(state);
}

static void test_step_of_itself(void **unused)
{
	(void)unused;
	json_t *state = load_state("running");
	scene s = scene_of(state, VIEW_OPERATION);
	check_pick(&s, "wait-capacity");
	json_decref(state);
	state = load_state("away");
	s.state = state;
	check_pick(&s, "announce"); /* over: the last that did anything */
	json_decref(state);
}

static void test_filter(void **unused)
{
	(void)unused;
	json_t *state = load_state("blocked");
	const json_t *items[ITEMS_MAX];
	scene s = scene_of(state, VIEW_WHY);
	size_t all = scene_items(&s, items);
	snprintf(s.filter, sizeof s.filter, "QUOTA");
	size_t some = scene_items(&s, items);
	assert_true(some > 0 && some < all);
	for (size_t i = 0; i < some; i++)
		assert_non_null(strstr(wr_json_str(items[i], "rule", ""), "QUOTA"));
	snprintf(s.filter, sizeof s.filter, "no such thing");
	assert_int_equal(scene_items(&s, items), 0);
	json_decref(state);
}

/* While the primary is not well, getting away from it is what the screen is about. */
static void test_likeliest_action(void **unused)
{
	(void)unused;
	json_t *state = load_state("away");
	scene s = scene_of(state, VIEW_OVERVIEW);
	assert_string_equal(wr_json_str(scene_action(&s), "action", ""), "failback");
	json_t *primary = json_array_get(json_object_get(state, "regions"), 1);
	assert_string_equal(wr_json_str(primary, "role", ""), "primary");
	json_object_set_new(primary, "verdict", json_string("DOWN"));
	assert_string_equal(wr_json_str(scene_action(&s), "action", ""), "failover");
	candidate_id(json_array_get(json_object_get(state, "actions"), 0), s.candidate,
	             sizeof s.candidate);
	assert_string_equal(wr_json_str(scene_action(&s), "action", ""), "failback");
	json_decref(state);
}

static void test_first_row(void **unused)
{
	(void)unused;
	assert_int_equal(first_row(0, 10, 5), 0);
	assert_int_equal(first_row(4, 10, 5), 0);
	assert_int_equal(first_row(0, 10, 100), 0);
	assert_int_equal(first_row(50, 10, 100), 45);
	assert_int_equal(first_row(99, 10, 100), 90);
	for (size_t at = 0; at < 100; at++) {
		size_t first = first_row(at, 7, 100);
		assert_true(first <= at && at < first + 7 && first + 7 <= 100);
	}
}

static void test_pages(void **unused)
{
	(void)unused;
	wr_buf out = WR_BUF_INIT(PAGE_MAX);
	json_t *answer = json_pack("{s:[{s:s, s:i, s:s, s:s, s:s}]}", "receipts", "operation",
	                           "guards_changed", "seq", 7, "table",
	                           "[{\"name\":\"lag\",\"verdict\":\"FAIL\",\"observed\":\"41 s\"},"
	                           "{\"name\":\"keys\",\"verdict\":\"NO DATA\",\"observed\":\"-\"}]",
	                           "zebra", "last of its own", "hash", "00ff");
	page_receipt(&out, answer);
	const char *text = wr_buf_cstr(&out);
	assert_ptr_equal(strstr(text, "operation"), text);
	assert_non_null(strstr(text, "FAIL          lag               41 s\n"));
	assert_non_null(strstr(text, "NO DATA       keys"));
	assert_true(strstr(text, "zebra") < strstr(text, "hash"));
	json_decref(answer);
	answer = json_pack("{s:[]}", "receipts");
	page_receipt(&out, answer);
	assert_string_equal(wr_buf_cstr(&out), "there is no such receipt");
	json_decref(answer);
	wr_buf_free(&out);
}

static void test_scroll_ends(void **unused)
{
	(void)unused;
	wr_buf text = WR_BUF_INIT(1u << 20);
	for (int i = 0; i < 100; i++) wr_buf_addf(&text, "line %d\n", i);
	scene s = scene_of(NULL, VIEW_PAGE);
	s.page_text = wr_buf_cstr(&text);
	s.connected = true;
	int max = page_scroll_max(&s, 80, 24);
	wr_buf out = WR_BUF_INIT(GOLDEN_MAX);
	s.scroll = max;
	dump_scene(&out, &s, 80, 24, false);
	assert_non_null(strstr(wr_buf_cstr(&out), "line 99"));
	assert_null(strstr(wr_buf_cstr(&out), "more"));
	wr_buf_reset(&out);
	s.scroll = max - 1;
	dump_scene(&out, &s, 80, 24, false);
	assert_null(strstr(wr_buf_cstr(&out), "line 99"));
	assert_int_equal(page_scroll_max(&s, 80, 200), 0);
	s.view = VIEW_HELP;
	assert_true(page_scroll_max(&s, 80, 24) > 0);
	assert_int_equal(page_scroll_max(&s, 200, 100), 0);
	wr_buf_free(&text);
	wr_buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden),
	                                   cmocka_unit_test(test_golden_modes),
	                                   cmocka_unit_test(test_every_size),
	                                   cmocka_unit_test(test_ten_questions),
	                                   cmocka_unit_test(test_clocks),
	                                   cmocka_unit_test(test_selection_follows),
	                                   cmocka_unit_test(test_selection_of_receipts),
	                                   cmocka_unit_test(test_step_of_itself),
	                                   cmocka_unit_test(test_filter),
	                                   cmocka_unit_test(test_likeliest_action),
	                                   cmocka_unit_test(test_first_row),
	                                   cmocka_unit_test(test_pages),
	                                   cmocka_unit_test(test_scroll_ends)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
