/* options.c: see options.h. */
#include "sim/options.h"

#include <getopt.h>
#include <string.h>

#include "sim/platform.h"
#include "warroom/clock.h"
#include "warroom/json.h"
#include "warroom/text.h"

enum {
	OPT_LISTEN_BASE = 1000,
	OPT_PORTS_FILE,
	OPT_REGIONS,
	OPT_LINKS,
	OPT_PLATFORM,
	OPT_SEED,
	OPT_SPEED,
	OPT_SCENARIO,
	OPT_OUTAGE_AT,
	OPT_START_TIME,
	OPT_PARENT_PID,
	OPT_HELP,
	OPT_VERSION
};

static const struct option longopts[] = {{"listen-base", required_argument, NULL, OPT_LISTEN_BASE},
                                         {"ports-file", required_argument, NULL, OPT_PORTS_FILE},
                                         {"regions", required_argument, NULL, OPT_REGIONS},
                                         {"links", required_argument, NULL, OPT_LINKS},
                                         {"platform", required_argument, NULL, OPT_PLATFORM},
                                         {"seed", required_argument, NULL, OPT_SEED},
                                         {"speed", required_argument, NULL, OPT_SPEED},
                                         {"scenario", required_argument, NULL, OPT_SCENARIO},
                                         {"outage-at", required_argument, NULL, OPT_OUTAGE_AT},
                                         {"start-time", required_argument, NULL, OPT_START_TIME},
                                         {"parent-pid", required_argument, NULL, OPT_PARENT_PID},
                                         {"help", no_argument, NULL, OPT_HELP},
                                         {"version", no_argument, NULL, OPT_VERSION},
                                         {NULL, 0, NULL, 0}};

void wr_sim_usage(FILE *out)
{
	fprintf(out,
	        "usage: warroom-sim [options]\n"
	        "A simulated platform of 2 to 5 regions over HTTP on 127.0.0.1.\n\n"
	        "  --listen-base PORT    control on PORT, the regions on the ports after it\n"
	        "                        (without it the kernel picks free ports)\n"
	        "  --ports-file FILE     write the ports there once listening, as JSON\n"
	        "  --platform NAME       %s (default ggen)\n"
	        "  --regions A,B[,C…]    names of the regions; the first one starts as primary\n"
	        "  --links A[,B…]        names of the replication links; the first one carries the "
	        "writes\n"
	        "  --seed N              of everything random (default 1)\n"
	        "  --speed X             virtual seconds in a second, 0 to 1000 (default 1)\n"
	        "  --scenario FILE       YAML: what goes wrong, and when\n"
	        "  --outage-at 20s       the first region goes down then\n"
	        "  --start-time TIME     RFC 3339 time of the virtual start (default now)\n"
	        "  --parent-pid PID      exit when that process is gone\n"
	        "  --help, --version\n\n"
	        "Exit: 0 after SIGTERM or SIGINT, 2 wrong use. See warroom-sim(8).\n",
	        wr_sim_platform_names());
}

int wr_sim_number_parse(const char *s, int64_t least, int64_t most, int64_t *out)
{
	int64_t value = 0;
	if (*s == '\0') return -1;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9') return -1;
		if (value > (INT64_MAX - 9) / 10) return -1;
		value = value * 10 + (*s - '0');
	}
	if (value < least || value > most) return -1;
	*out = value;
	return 0;
}

int wr_sim_speed_parse(const char *s, int64_t *milli, wr_err *err)
{
	const char *dot = strchr(s, '.');
	size_t whole_len = dot != NULL ? (size_t)(dot - s) : strlen(s);
	size_t decimals = dot != NULL ? strlen(dot + 1) : 0;
	char digits[16];
	int64_t value;
	if (whole_len == 0 || whole_len > 4 || decimals > 3 || (dot != NULL && decimals == 0)) goto bad;
	memcpy(digits, s, whole_len);
	for (size_t i = 0; i < 3; i++) digits[whole_len + i] = i < decimals ? dot[1 + i] : '0';
	digits[whole_len + 3] = '\0';
	if (wr_sim_number_parse(digits, 0, WR_SIM_SPEED_MAX, &value) != 0) goto bad;
	*milli = value;
	return 0;
bad:
	return wr_fail(err, WR_E_INVALID,
	               "a speed is a number from 0 to 1000 with at most three decimals");
}

static int number(const char *option, const char *arg, int64_t least, int64_t most, int64_t *out,
                  wr_err *err)
{
	if (wr_sim_number_parse(arg, least, most, out) == 0) return 0;
	return wr_fail(err, WR_E_INVALID, "--%s needs a whole number from %lld to %lld", option,
	               (long long)least, (long long)most);
}

static int take(wr_sim_options *o, int opt, const char *arg, wr_err *err)
{
	int64_t n = 0;
	switch (opt) {
	case OPT_LISTEN_BASE:
		if (number("listen-base", arg, 1, 65535 - WR_SIM_REGIONS_MAX, &n, err) != 0) return -1;
		o->listen_base = (int)n;
		return 0;
	case OPT_PORTS_FILE:
		o->ports_file = arg;
		return 0;
	case OPT_REGIONS:
		o->regions = arg;
		return 0;
	case OPT_LINKS:
		o->links = arg;
		return 0;
	case OPT_PLATFORM:
		o->platform = arg;
		return 0;
	case OPT_SEED:
		if (number("seed", arg, 0, WR_INT_MAX_SAFE, &n, err) != 0) return -1;
		o->seed = (uint64_t)n;
		o->has_seed = true;
		return 0;
	case OPT_SPEED:
		o->has_speed = true;
		if (wr_sim_speed_parse(arg, &o->speed_milli, err) == 0) return 0;
		return wr_err_wrap(err, "--speed");
	case OPT_SCENARIO:
		o->scenario = arg;
		return 0;
	case OPT_OUTAGE_AT:
		if (wr_duration_parse(arg, &o->outage_at_ms, err) == 0) return 0;
		return wr_err_wrap(err, "--outage-at");
	case OPT_START_TIME:
		o->has_start = true;
		if (wr_time_parse(arg, &o->start_us, err) == 0) return 0;
		return wr_err_wrap(err, "--start-time");
	case OPT_PARENT_PID:
		return number("parent-pid", arg, 1, INT32_MAX, &o->parent_pid, err);
	case OPT_HELP:
		o->help = true;
		return 0;
	default:
		o->version = true;
		return 0;
	}
}

int wr_sim_options_parse(int argc, char **argv, wr_sim_options *out, wr_err *err)
{
	*out = (wr_sim_options){.platform = "ggen", .speed_milli = 1000, .outage_at_ms = -1};
	opterr = 0;
	optind = 0; /* glibc: start afresh, also after an earlier call */
	int opt;
	char word[80];
	while ((opt = getopt_long(argc, argv, "+:", longopts, NULL)) != -1) {
		if (opt == ':')
			return wr_fail(err, WR_E_INVALID, "%s needs a value; see --help",
			               wr_sanitise_to(word, sizeof word, argv[optind - 1]));
		if (opt == '?')
			return wr_fail(err, WR_E_INVALID,
			               "there is no option %s, or not in this form; see --help",
			               wr_sanitise_to(word, sizeof word, argv[optind - 1]));
		if (take(out, opt, optarg, err) != 0) return -1;
	}
	if (optind < argc)
		return wr_fail(err, WR_E_INVALID, "\"%s\" is no option; see --help",
		               wr_sanitise_to(word, sizeof word, argv[optind]));
	if (out->scenario != NULL && out->outage_at_ms >= 0)
		return wr_fail(
		    err, WR_E_INVALID,
		    "--scenario and --outage-at exclude each other: put the outage into the file");
	return 0;
}
