/* proc_child.h: the side of wr_proc_run that runs between fork and exec. */
#ifndef WARROOM_BASE_PROC_CHILD_H
#define WARROOM_BASE_PROC_CHILD_H

#include <sys/types.h>

#include "warroom/err.h"

typedef struct wr_child_plan {
	const char *program; /* absolute */
	char *const *argv;   /* as execve takes them; it changes nothing */
	char *const *env;
	const char *cwd; /* or NULL */
	int stdio[3];    /* all above 2, close-on-exec */
	int failure_fd;  /* same; takes one wr_child_failure, or closes with the exec */
	pid_t parent;
} wr_child_plan;

typedef enum wr_child_stage { WR_CHILD_SETUP, WR_CHILD_CWD, WR_CHILD_EXEC } wr_child_stage;

typedef struct wr_child_failure {
	wr_child_stage stage;
	int errnum;
} wr_child_failure;

/* wr_child_exec becomes the program or reports why not. Signals are blocked on entry. */
void wr_child_exec(const wr_child_plan *plan) __attribute__((noreturn));
/* wr_child_explain (in the parent) turns the report into an error; returns -1. */
int wr_child_explain(const wr_child_failure *why, const wr_child_plan *plan, wr_err *err);

#endif
