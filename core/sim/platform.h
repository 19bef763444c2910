/* platform.h: the platforms that can be simulated, and the configuration of a run. Pure.
 *
 * Each platform is a row of one table: its regions, its replication links (the first one is the
 * link of record: it carries the writes that become receipts), its load and its tenants. */
#ifndef WR_SIM_PLATFORM_H
#define WR_SIM_PLATFORM_H

#include <stdint.h>

#include "warroom/err.h"
#include "warroom/limits.h"

#define WR_SIM_REGIONS_MIN 2
#define WR_SIM_REGIONS_MAX 5 /* as many as one terminal page can compare */
#define WR_SIM_LINKS_MAX   6
#define WR_SIM_ACTIONS     3

typedef struct wr_sim_link_spec {
	char name[WR_NAME_MAX + 1];
	int64_t delay_ms;        /* shipping delay of an idle link */
	int64_t bytes_per_write; /* log bytes of one client write */
} wr_sim_link_spec;

typedef struct wr_sim_config {
	char platform[WR_NAME_MAX + 1];
	char regions[WR_SIM_REGIONS_MAX][WR_NAME_MAX + 1]; /* the first one starts as primary */
	int region_count;
	wr_sim_link_spec links[WR_SIM_LINKS_MAX];
	int link_count;
	int64_t base_rps;
	int64_t tenants;
	const char *actions[WR_SIM_ACTIONS]; /* what tenants do; static strings */
	uint64_t seed;
	int64_t start_us; /* wall time of virtual millisecond 0 */
} wr_sim_config;

/* wr_sim_config_init fills *out with the platform's row, seed 1 and a fixed start time. */
WR_CHECKED int wr_sim_config_init(wr_sim_config *out, const char *platform, wr_err *err);
/* wr_sim_config_regions and _links replace the names by a comma-separated list. */
WR_CHECKED int wr_sim_config_regions(wr_sim_config *c, const char *list, wr_err *err);
WR_CHECKED int wr_sim_config_links(wr_sim_config *c, const char *list, wr_err *err);
/* wr_sim_platform_names: "ggen, mesh, …" for messages; static. */
const char *wr_sim_platform_names(void);
/* wr_sim_residency guesses the residency domain from a region's name: "us", "eu", "apac", … */
const char *wr_sim_residency(const char *region);

#endif
