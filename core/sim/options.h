/* options.h: the command line of warroom-sim. Pure but for getopt's state: one call at a time. */
#ifndef WR_SIM_OPTIONS_H
#define WR_SIM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "warroom/err.h"

#define WR_SIM_SPEED_MAX 1000000 /* thousandths: a thousand virtual seconds in a second */

typedef struct wr_sim_options { /* strings are borrowed from argv */
	bool help, version;
	int listen_base;        /* 0: the kernel picks */
	const char *ports_file; /* or NULL */
	const char *regions, *links, *scenario;
	const char *platform;
	bool has_seed, has_speed, has_start;
	uint64_t seed;
	int64_t speed_milli, start_us;
	int64_t outage_at_ms; /* -1: none */
	int64_t parent_pid;   /* 0: none */
} wr_sim_options;

/* wr_sim_options_parse: -1 with a message that says what is wrong and what to do. */
WR_CHECKED int wr_sim_options_parse(int argc, char **argv, wr_sim_options *out, wr_err *err);
/* wr_sim_speed_parse reads "2", "0.5", …: 0 to 1000, at most three decimals. */
WR_CHECKED int wr_sim_speed_parse(const char *s, int64_t *milli, wr_err *err);
/* wr_sim_number_parse reads decimal digits, nothing else, within [least, most]. */
WR_CHECKED int wr_sim_number_parse(const char *s, int64_t least, int64_t most, int64_t *out);
void wr_sim_usage(FILE *out);

#endif
