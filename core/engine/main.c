/* main.c: warroomd's command line. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "warroom/log.h"

static const char usage[] =
    "usage: warroomd [--config FILE] [--check] [--log LEVEL]\n"
    "\n"
    "The warroom engine: watches the regions, keeps the ledger, carries out what two operators "
    "approved.\n"
    "It stays in the foreground and logs to standard error; a service manager puts it behind.\n"
    "\n"
    "  -c, --config FILE   the configuration (default: $WARROOM_CONFIG, else ./warroom.yaml)\n"
    "      --check         check the configuration, print every finding, start nothing\n"
    "      --log LEVEL     debug, info, warn or error (default info)\n"
    "      --version       print the version\n"
    "  -h, --help          this text\n"
    "\n"
    "Exit: 0 stopped as asked, 1 a fatal error while running, 2 wrong use or a configuration or "
    "ledger that cannot be used.\n"
    "See warroomd(8), warroom.yaml(5).\n";

static int check(const char *path)
{
	wr_findings f = {0};
	wr_config *c = wr_config_load(path, &f);
	wr_findings_print(&f, stdout);
	printf("%s: %zu errors, %zu warnings\n", path, f.errors, f.warnings);
	wr_findings_free(&f);
	bool ok = c != NULL;
	wr_config_free(c);
	return ok ? 0 : 2;
}

static int set_level(const char *name)
{
	static const char *const names[] = {"debug", "info", "warn", "error"};
	for (int i = 0; i < 4; i++)
		if (!strcmp(name, names[i])) {
			wr_log_level((wr_level)i);
			return 0;
		}
	fprintf(stderr, "warroomd: --log %s: use debug, info, warn or error\n", name);
	return -1;
}

/* Signals come through a descriptor in the main loop; every thread inherits this mask. */
static void block_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ,
	       SIG_IGN); /* a file size limit is a failed write, which the ledger knows how to report */
}

int main(int argc, char **argv)
{
	enum { OPT_CHECK = 256, OPT_LOG, OPT_VERSION };
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},  {"check", no_argument, NULL, OPT_CHECK},
	    {"log", required_argument, NULL, OPT_LOG}, {"version", no_argument, NULL, OPT_VERSION},
	    {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};
	const char *path = getenv("WARROOM_CONFIG");
	if (!path || !*path) path = "warroom.yaml";
	bool only_check = false;
	int opt;
	while ((opt = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (opt == 'c')
			path = optarg;
		else if (opt == OPT_CHECK)
			only_check = true;
		else if (opt == OPT_LOG) {
			if (set_level(optarg) != 0) return 2;
		} else if (opt == OPT_VERSION) {
			puts("warroomd " WR_VERSION);
			return 0;
		} else if (opt == 'h') {
			fputs(usage, stdout);
			return 0;
		} else {
			fputs("see warroomd --help\n", stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "warroomd: unexpected argument; see warroomd --help\n");
		return 2;
	}
	if (only_check) return check(path);
	block_signals();
	engine *e = calloc(1, sizeof *e);
	if (!e) return 1;
	wr_err err = {0};
	int rc = 2;
	if (engine_boot(e, path, &err) != 0) {
		fprintf(stderr, "warroomd: %s\n", err.msg);
		engine_shutdown(e, "start failed");
	} else {
		printf("warroomd: ready, socket %s\n", e->cfg->socket);
		fflush(stdout);
		rc = engine_run(e);
		engine_shutdown(e, rc == 0 ? "asked to stop" : "fatal error");
	}
	free(e);
	return rc;
}
