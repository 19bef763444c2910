/* actions.h: the action table: keys, hint bar, help and read-only mode all come from here. */
#ifndef TUI_ACTIONS_H
#define TUI_ACTIONS_H

#include "screen/scene.h"

#define CHANGES 1 /* needs a signature; not there in read-only mode */

/* id, key, key as shown, hint, help, flags */
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
	X(WHY, 'w', "w", "why",                                                                        \
	  "the guard table: why an action can or cannot be taken, and what would change it", 0)        \
	X(OPERATION, 'o', "o", "operation", "the operation: plan, steps, output, timings, approvals",  \
	  0)                                                                                           \
	X(RECEIPTS, 'l', "l", "receipts", "the receipts, newest first, and one whole", 0)              \
	X(NEXT, K_TAB, "Tab", "other", "the next candidate action, or the next operation", 0)          \
	X(FREEZE, 'Z', "Z", "freeze", "freeze the picture, to point at something; again to go on", 0)  \
	X(DOWN, 'j', "j", "", "down (also the arrow)", 0)                                              \
	X(UP, 'k', "k", "", "up (also the arrow)", 0)                                                  \
	X(TOP, 'g', "g", "", "to the top (also Home); G or End: to the end", 0)                        \
	X(REDRAW, K_CTRL_L, "Ctrl-L", "", "draw the screen anew", 0)                                   \
	X(HELP, '?', "?", "help", "this page (also F1)", 0)                                            \
	X(BACK, 'q', "q", "back",                                                                      \
	  "close this view; on the overview: quit (Ctrl-C quits from anywhere)", 0)

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

/* Which action a key means now; A_NONE when it means none, or not in this state or mode. */
action_id action_for_key(const scene *s, uint32_t key);
/* May it be used now? If not, *why says so in a sentence (static). */
bool action_available(const scene *s, action_id a, const char **why);
void draw_hints(grid *g, const scene *s);

#endif
