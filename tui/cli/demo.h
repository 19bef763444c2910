/* demo.h: the simulated platform with an engine on it, in one temporary directory. */
#ifndef TUI_DEMO_H
#define TUI_DEMO_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "cli/cli.h"

#define DEMO_PEOPLE 2

typedef struct demo {
	char dir[128], bin[4096], examples[4096], socket[160], config[160];
	int control, us, eu; /* the simulator's ports */
	pid_t sim, engine;
	pthread_t conductor;
	bool conducting;
	atomic_bool stop;
} demo;

typedef struct demo_person {
	const char *principal, *passphrase, *role;
} demo_person;
extern const demo_person demo_people[DEMO_PEOPLE];

WR_CHECKED int demo_up(demo *d, wr_err *err);
void demo_down(demo *d); /* stops everything by pid and removes the directory */
/* demo_repair: the platform's people repair the lost region: heals the fault and rebuilds its
 * replicas. */
WR_CHECKED int demo_repair(demo *d, wr_err *err);
int demo_auto(cli *c, demo *d);

#endif
