/* scenario.h: what goes wrong, and when: a YAML file, or the ready default outage. */
#ifndef WR_SIM_SCENARIO_H
#define WR_SIM_SCENARIO_H

#include "sim/model.h"

typedef struct wr_sim_event {
	unsigned line;
	wr_sim_fault_kind kind;
	int64_t at_ms, duration_ms, value; /* value -1: not given */
	char region[WR_NAME_MAX + 1], peer[WR_NAME_MAX + 1], link[WR_NAME_MAX + 1]; /* "" none */
} wr_sim_event;

typedef struct wr_sim_scenario {
	char file[256]; /* for messages */
	bool has_seed, has_speed;
	uint64_t seed;
	int64_t speed_milli;
	int event_count;
	wr_sim_event events[WR_SIM_FAULTS_MAX];
} wr_sim_scenario;

/* wr_sim_scenario_load reads a file; errors begin with "file:line: ". */
WR_CHECKED int wr_sim_scenario_load(const char *path, wr_sim_scenario *out, wr_err *err);
/* wr_sim_scenario_parse is the same from memory; `name` stands for the file in messages. */
WR_CHECKED int wr_sim_scenario_parse(const char *name, const char *text, size_t len,
                                     wr_sim_scenario *out, wr_err *err);
/* wr_sim_scenario_outage is the ready one: replication falls two seconds behind, then, ten seconds
 * later, the first region goes down at at_ms and stays so. */
void wr_sim_scenario_outage(wr_sim_scenario *out, const char *first_region, int64_t at_ms);
/* wr_sim_scenario_apply schedules all events; names that the platform does not have are errors. */
WR_CHECKED int wr_sim_scenario_apply(const wr_sim_scenario *sc, wr_sim *s, wr_err *err);

#endif
