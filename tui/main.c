/* main.c: warroom. */
#include <curl/curl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>

#include "cli/cli.h"

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
		fputs("warroom: libsodium or libcurl does not start\n", stderr);
		return EXIT_USAGE;
	}
	int rc = cli_main(argc, argv);
	curl_global_cleanup();
	return rc;
}
