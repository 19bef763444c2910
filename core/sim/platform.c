/* platform.c: the table of platforms. Pure. See platform.h. */
#include "sim/platform.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "warroom/text.h"

/* 2026-01-25T12:40:00Z: a start that makes runs without a given start time repeatable. */
#define DEFAULT_START_US (INT64_C(1769344800) * 1000000)

typedef struct platform {
	const char *name;
	const char *regions;
	wr_sim_link_spec links[WR_SIM_LINKS_MAX];
	int64_t base_rps;
	int64_t tenants;
	const char *actions[WR_SIM_ACTIONS];
} platform;

static const platform platforms[] = {
    {.name = "ggen",
     .regions = "us-central1,europe-west1",
     .links = {{"postgres", 120, 150}, {"redis", 40, 60}},
     .base_rps = 400,
     .tenants = 10000,
     .actions = {"generate_code", "validate_policy", "export_bundle"}},
    {.name = "mesh",
     .regions = "region-a,region-b",
     .links = {{"postgres", 150, 220}, {"neo4j", 300, 180}, {"queue", 80, 90}},
     .base_rps = 300,
     .tenants = 2000,
     .actions = {"api_call", "stream_batch", "graph_query"}},
    {.name = "genai",
     .regions = "us-east-1,eu-central",
     .links = {{"opensearch", 900, 700}, {"redis", 60, 60}, {"faiss", 1500, 400}},
     .base_rps = 250,
     .tenants = 1500,
     .actions = {"complete", "embed", "search"}},
    {.name = "companyos",
     .regions = "us-east,us-west,eu-central",
     .links = {{"postgres", 110, 160}, {"content", 700, 900}, {"jobs", 90, 120}},
     .base_rps = 500,
     .tenants = 5000,
     .actions = {"login", "dispatch_job", "store_object"}},
};
#define PLATFORM_COUNT (sizeof platforms / sizeof platforms[0])

const char *wr_sim_platform_names(void)
{
	return "ggen, mesh, genai, companyos";
}

/* split calls `take` with each comma-separated name, checked; the number of names or -1. */
static int split(const char *list, int max, const char *what, char out[][WR_NAME_MAX + 1],
                 wr_err *err)
{
	int count = 0;
	const char *p = list;
	for (;;) {
		size_t len = strcspn(p, ",");
		if (count == max)
			return wr_fail(err, WR_E_LIMIT, "%s: more than %d names; leave some out", what, max);
		if (len > WR_NAME_MAX)
			return wr_fail(err, WR_E_INVALID, "%s: a name is longer than %d characters", what,
			               WR_NAME_MAX);
		memcpy(out[count], p, len);
		out[count][len] = '\0';
		if (!wr_name_ok(out[count]))
			return wr_fail(err, WR_E_INVALID,
			               "%s: name %d is not a name (letters, digits, '.', '_', '-'; it starts "
			               "with a letter or digit)",
			               what, count + 1);
		for (int i = 0; i < count; i++)
			if (strcmp(out[i], out[count]) == 0)
				return wr_fail(err, WR_E_INVALID, "%s: \"%s\" is named twice", what, out[i]);
		count++;
		if (p[len] == '\0') return count;
		p += len + 1;
	}
}

int wr_sim_config_regions(wr_sim_config *c, const char *list, wr_err *err)
{
	char names[WR_SIM_REGIONS_MAX][WR_NAME_MAX + 1];
	int n = split(list, WR_SIM_REGIONS_MAX, "regions", names, err);
	if (n < 0) return -1;
	if (n < WR_SIM_REGIONS_MIN)
		return wr_fail(err, WR_E_INVALID, "regions: %d given, at least %d are needed", n,
		               WR_SIM_REGIONS_MIN);
	for (int i = 0; i < n; i++) {
		/* These two words have a meaning of their own in faults and in the ports file. */
		if (strcmp(names[i], "observer") == 0 || strcmp(names[i], "control") == 0)
			return wr_fail(err, WR_E_INVALID, "regions: \"%s\" is reserved; choose another name",
			               names[i]);
	}
	memcpy(c->regions, names, sizeof names[0] * (size_t)n);
	c->region_count = n;
	return 0;
}

int wr_sim_config_links(wr_sim_config *c, const char *list, wr_err *err)
{
	char names[WR_SIM_LINKS_MAX][WR_NAME_MAX + 1];
	int n = split(list, WR_SIM_LINKS_MAX, "links", names, err);
	if (n < 0) return -1;
	for (int i = 0; i < n; i++) {
		if (strcmp(names[i], "all") == 0)
			return wr_fail(err, WR_E_INVALID, "links: \"all\" is reserved; choose another name");
		wr_sim_link_spec spec = {.delay_ms = 120, .bytes_per_write = 150};
		memcpy(spec.name, names[i], sizeof spec.name);
		c->links[i] = spec;
	}
	c->link_count = n;
	return 0;
}

int wr_sim_config_init(wr_sim_config *out, const char *name, wr_err *err)
{
	const platform *p = NULL;
	for (size_t i = 0; i < PLATFORM_COUNT; i++)
		if (strcmp(platforms[i].name, name) == 0) p = &platforms[i];
	if (p == NULL)
		return wr_fail(err, WR_E_INVALID, "there is no such platform; choose one of %s",
		               wr_sim_platform_names());
	*out = (wr_sim_config){
	    .base_rps = p->base_rps, .tenants = p->tenants, .seed = 1, .start_us = DEFAULT_START_US};
	snprintf(out->platform, sizeof out->platform, "%s", p->name);
	memcpy(out->actions, p->actions, sizeof out->actions);
	memcpy(out->links, p->links, sizeof out->links);
	while (out->link_count < WR_SIM_LINKS_MAX && out->links[out->link_count].name[0] != '\0')
		out->link_count++;
	return wr_sim_config_regions(out, p->regions, err);
}

const char *wr_sim_residency(const char *region)
{
	static const struct {
		const char *prefix, *domain;
	} map[] = {{"us", "us"},   {"northamerica", "us"}, {"eu", "eu"}, {"asia", "apac"},
	           {"ap", "apac"}, {"australia", "apac"},  {"sa", "sa"}, {"southamerica", "sa"}};
	for (size_t i = 0; i < sizeof map / sizeof map[0]; i++)
		if (strncmp(region, map[i].prefix, strlen(map[i].prefix)) == 0) return map[i].domain;
	return "global";
}
