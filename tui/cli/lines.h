/* lines.h: what the state says about an operation and about what can be done, in lines for people.
 */
#ifndef TUI_CLI_LINES_H
#define TUI_CLI_LINES_H

#include "cli/cli.h"

/* say prints; where only ASCII is fine, arrows and dots are written in ASCII, and the rest as '?'.
 */
void say(const cli *c, FILE *out, const char *fmt, ...) WR_PRINTF(3, 4);
/* "2026-01-25T12:40:15Z" of a time with a fraction. */
const char *say_time(char out[static 32], const char *timestamp);
/* A duration in words, "-" when it is negative (unknown). */
const char *say_ms(char out[static 24], int64_t ms);

/* What people call it: "failover", "failback", or the runbook's name. Of operations and actions. */
const char *action_name(const json_t *o);
bool op_is_over(const json_t *op);
/* "op-4 failover lyon → oslo: running, step 4 of 11 (ask-dba) for 1 m 8 s" */
void say_operation(const cli *c, const json_t *op);
/* Does it wait for people, or for guards? And for what, with the command that gives it. */
bool op_waits(const json_t *op);
void say_waits(const cli *c, const json_t *op);
/* "failover lyon → oslo: possible (…)", or "blocked by …" with every guard that blocks. */
void say_action(const cli *c, const json_t *action);

#endif
