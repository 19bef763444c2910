/* actions.h: the action table: keys, hint bar, help and read-only mode all come from here. */
#ifndef TUI_ACTIONS_H
#define TUI_ACTIONS_H

#include "screen/scene.h"
#include "widget/keys.h"

enum { CHANGES = 1 }; /* needs a signature; not there in read-only mode */

/* id, key, key as shown, hint, help, flags. The order is that of the hint bar and of the help. */
#define ACTIONS(X)                                                                                 \
	X(FAILOVER, 'f', "f", "failover",                                                              \
	  "propose a failover: shows the plan, then asks who you are and your passphrase", CHANGES)    \
	X(FAILBACK, 'b', "b", "failback", "propose the failback to the home region", CHANGES)          \
	X(APPROVE, 'a', "a", "approve", "approve the operation that waits, as a second person",        \
	  CHANGES)                                                                                     \
	X(DENY, 'd', "d", "deny", "deny the operation that waits: one denial ends it", CHANGES)        \
	X(HOLD, 'h', "h", "hold", "let the running step finish, then start nothing new", CHANGES)      \
	X(RESUME, 'r', "r", "resume", "go on after a hold", CHANGES)                                   \
	X(ABORT, 'x', "x", "abort", "stop and undo what was done, in reverse order", CHANGES)          \
	X(TICK, 't', "t", "tick off", "tick off the manual step that waits", CHANGES)                  \
	X(RULE, 'u', "u", "rule", "say what became of an uncertain step (two people)", CHANGES)        \
	X(OPEN, K_ENTER, "Enter", "open",                                                              \
	  "open: on the overview the operation, or why not; a receipt whole; the plan of an "          \
	  "operation",                                                                                 \
	  0)                                                                                           \
	X(OLDER, '[', "[", "older", "the receipt before this one (also the left arrow)", 0)            \
	X(NEWER, ']', "]", "newer", "the receipt after this one (also the right arrow)", 0)            \
	X(WHY, 'w', "w", "why",                                                                        \
	  "the guard table: why an action can or cannot be taken, and what would change it", 0)        \
	X(OPERATION, 'o', "o", "operation",                                                            \
	  "the operation: steps, output, timings, approvals (also 5)", 0)                              \
	X(PLAN, 'p', "p", "plan", "the whole plan, as it is or would be signed", 0)                    \
	X(NEXT, K_TAB, "Tab", "other", "the next candidate action, or the next operation", 0)          \
	X(REGIONS, '1', "1", "signals",                                                                \
	  "every signal and fact of every region: who saw what, and its recent past", 0)               \
	X(DATA, '2', "2", "data", "replication links and quotas in full (also 3)", 0)                  \
	X(RECEIPTS, 'l', "l", "receipts", "the receipts, newest first (also 4)", 0)                    \
	X(FILTER, '/', "/", "filter", "show only rows that contain a text; Esc shows all again", 0)    \
	X(FREEZE, 'Z', "Z", "freeze", "freeze the picture, to point at something; again to go on", 0)  \
	X(DOWN, 'j', "j", "", "down (also the arrow)", 0)                                              \
	X(UP, 'k', "k", "", "up (also the arrow)", 0)                                                  \
	X(TOP, 'g', "g", "", "to the top (also Home)", 0)                                              \
	X(BOTTOM, 'G', "G", "", "to the end (also End)", 0)                                            \
	X(PAGE_DOWN, K_PGDN, "PgDn", "", "a page down (also Space, Ctrl-D)", 0)                        \
	X(PAGE_UP, K_PGUP, "PgUp", "", "a page up (also Ctrl-U)", 0)                                   \
	X(REDRAW, K_CTRL_L, "Ctrl-L", "", "draw the screen anew (also F5)", 0)                         \
	X(SUSPEND, K_CTRL_Z, "Ctrl-Z", "", "back to the shell until `fg`", 0)                          \
	X(HELP, '?', "?", "help", "this page (also F1)", 0)                                            \
	X(BACK, 'q', "q", "back", "close this view (also Esc); on the overview: quit", 0)              \
	X(QUIT, K_CTRL_C, "Ctrl-C", "", "quit from anywhere; in a dialog it cancels, then quits", 0)

typedef enum action_id {
#define X(id, key, shown, hint, help, flags) A_##id,
	ACTIONS(X)
#undef X
	    A_COUNT,
	A_NONE = -1
} action_id;

typedef struct action_row {
	uint32_t key;
	const char *shown, *hint, *help;
	int flags;
} action_row;
extern const action_row action_table[A_COUNT];

/* Which action a key means now; A_NONE when it means none. */
action_id action_for_key(const scene *s, uint32_t key);
/* May it be used now? If not, *why says so in a sentence (static). */
bool action_available(const scene *s, action_id a, const char **why);
/* The keys that mean something now; help and back always fit. */
void draw_hints(grid *g, const scene *s);

#endif
