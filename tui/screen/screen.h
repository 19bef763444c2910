/* screen.h: the war room screen, as the command line starts it. */
#ifndef TUI_SCREEN_H
#define TUI_SCREEN_H

struct cli;

/* screen_main opens the terminal and stays until the person quits. Returns the exit code. TERM=dumb
 * or no terminal: says to use `warroom status --watch` and returns EXIT_USAGE. */
int screen_main(struct cli *c);

#endif
