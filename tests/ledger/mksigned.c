/* mksigned.c: makes, or goes on with, a ledger whose checkpoints are signed, for test_prove.sh.
 *
 *   mksigned DIR KEYFILE COUNT WORD    COUNT receipts that say WORD, then a checkpoint */
#include <stdio.h>
#include <stdlib.h>

#include "warroom/ledger.h"

static int die(const char *what)
{
	(void)fprintf(stderr, "mksigned: %s\n", what);
	return 2;
}

int main(int argc, char **argv)
{
	wr_err err = {0};
	if (argc != 5) return die("DIR KEYFILE COUNT WORD");
	const wr_ledger_opts opts = {.dir = argv[1],
	                             .partition = "us-central1",
	                             .stream = "ops",
	                             .actor = "engine:bastion",
	                             .engine_key = argv[2],
	                             .segment_max = 8192,
	                             .origin = "acme"};
	wr_ledger *l = wr_ledger_open_dir(&opts, NULL, &err);
	if (!l) return die(err.msg);
	for (long i = 0, n = strtol(argv[3], NULL, 10); i < n; i++)
		if (wr_ledger_append(l,
		                     json_pack("{s:s, s:I, s:s}", "operation", "drill_noted", "number",
		                               (json_int_t)i, "text", argv[4]),
		                     1, NULL, &err))
			return die(err.msg);
	wr_ledger_close(l);
	return 0;
}
