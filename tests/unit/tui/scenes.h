/* scenes.h: recorded states as scenes, for the tests of what is drawn. Tests run in the source
 * directory. */
#ifndef TESTS_TUI_SCENES_H
#define TESTS_TUI_SCENES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "screen/actions.h"
#include "screen/page.h"
#include "warroom/io.h"

static const char *const state_names[] = {
    "quiet",  "suspect",  "down", "blocked", "missed",    "proposed", "running",
    "soak",   "manual",   "held", "expired", "uncertain", "away",     "rolled_back",
    "broken", "isolated", "many", "hostile", "empty"};
#define STATES (sizeof state_names / sizeof *state_names)

static inline json_t *load_state(const char *name)
{
	char path[256];
	wr_err err = {0};
	wr_buf text = WR_BUF_INIT(8u << 20);
	snprintf(path, sizeof path, "tests/tui/states/%s.json", name);
	if (wr_read_file(&text, path, 8u << 20, WR_ANY, &err) != 0) fail_msg("%s", err.msg);
	json_t *state = wr_json_parse(wr_buf_cstr(&text), text.len, &err);
	if (!state) fail_msg("%s: %s", path, err.msg);
	wr_buf_free(&text);
	return state;
}

static inline scene scene_of(const json_t *state, view_id view)
{
	return (scene){.state = state,
	               .connected = true,
	               .ever = true,
	               .error = "",
	               .socket = "/run/warroom/warroom.sock",
	               .view = view,
	               .welcome = "#A title\n\nText.\n*  alice   a secret\n",
	               .page_title = "A page",
	               .page_text = "operation               test\nseq                     7\n"};
}

#endif
