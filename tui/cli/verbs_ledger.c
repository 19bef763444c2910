/* verbs_ledger.c: the table of `warroom ledger`, and tail and show. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/ledger.h"
#include "cli/lines.h"
#include "warroom/json.h"
#include "warroom/ledger.h"

#define TAIL_MOST 500

static void print_line(const cli *c, const json_t *r, const char *text)
{
	say(c, stdout, "%6lld  %.23sZ  %-26s %s\n", (long long)wr_json_int(r, "seq", -1),
	    wr_json_str(r, "timestamp", ""), wr_json_str(r, "operation", ""), text);
}

static const char *sentence(const json_t *answer, size_t i)
{
	const char *text = json_string_value(json_array_get(json_object_get(answer, "texts"), i));
	return text ? text : "";
}

static json_t *fetch(cli *c, int64_t from, int64_t limit, int *rc)
{
	char path[96];
	snprintf(path, sizeof path, "/v1/receipts?from=%lld&limit=%lld", (long long)from,
	         (long long)limit);
	return cli_call(c, path, NULL, rc);
}

/* Until something new may be there: the state's revision moves at every receipt. */
static int wait_for_more(cli *c, int64_t *rev)
{
	int rc = EXIT_OK;
	char path[96];
	snprintf(path, sizeof path, "/v1/state?since=%lld&wait_ms=5000", (long long)*rev);
	json_t *s = cli_call(c, path, NULL, &rc);
	*rev = wr_json_int(s, "rev", *rev);
	json_decref(s);
	return rc;
}

/* One answer of the engine, which may hold less than was asked for; *next is where to go on, and
 * *count how many there are in all. */
static int tail_part(cli *c, int64_t *next, int64_t *count, json_t *all)
{
	int rc = EXIT_OK;
	json_t *a = fetch(c, *next, TAIL_MOST, &rc), *r;
	if (!a) return rc;
	size_t i;
	*count = wr_json_int(json_object_get(a, "head"), "count", 0);
	*next = *next < 0 ? *count : *next;
	json_array_foreach (json_object_get(a, "receipts"), i, r) {
		*next = wr_json_int(r, "seq", *next) + 1;
		if (all)
			(void)json_array_append(all, r);
		else if (c->json)
			cli_print_json(r);
		else
			print_line(c, r, sentence(a, i));
	}
	json_decref(a);
	return EXIT_OK;
}

static int tail(cli *c)
{
	int64_t lines = 20, count = 0, end = -1;
	if (c->argc)
		return cli_usage(c, "ledger tail takes no operand, but there is \"%.40s\"", c->argv[0]);
	if (cli_number(c, "n", 1, TAIL_MOST, &lines) != EXIT_OK) return EXIT_USAGE;
	json_t *all = c->json && !c->watch ? json_array() : NULL;
	int64_t next = -lines, before, rev = -1;
	int rc;
	do {
		before = next;
		if ((rc = tail_part(c, &next, &count, all)) != EXIT_OK || cli_output_lost()) break;
		if (end < 0) end = count;
		if (next < count && next != before) continue;
		if (c->watch) rc = wait_for_more(c, &rev);
	} while (rc == EXIT_OK && (c->watch || (next < end && next != before)));
	if (all && rc == EXIT_OK) cli_print_json(all);
	json_decref(all);
	return rc;
}

/* What has several lines is moved in, so that none of them looks like a member. */
static void print_member(const char *key, const char *value)
{
	size_t n = strcspn(value, "\n");
	printf("%-24s %.*s\n", key, (int)n, value);
	while (value[n]) {
		value += n + 1;
		n = strcspn(value, "\n");
		if (n || value[n]) printf("%-24s %.*s\n", "", (int)n, value);
	}
}

static int show(cli *c)
{
	char *end = NULL;
	long long seq = c->argc == 1 ? strtoll(c->argv[0], &end, 10) : -1;
	if (seq < 0 || !end || *end || end == c->argv[0])
		return cli_usage(c, "ledger show needs one SEQ, the number of a receipt");
	int rc = EXIT_OK;
	json_t *a = fetch(c, seq, 1, &rc);
	if (!a) return rc;
	json_t *r = json_array_get(json_object_get(a, "receipts"), 0);
	if (!r) {
		int64_t count = wr_json_int(json_object_get(a, "head"), "count", 0);
		json_decref(a);
		wr_err err;
		(void)wr_fail(&err, WR_E_CANCELLED, "no receipt %lld: the last one is %lld", seq,
		              (long long)count - 1);
		(void)cli_error(c, &err);
		return EXIT_NO;
	}
	if (c->json) {
		cli_print_json(r);
	} else {
		say(c, stdout, "%s\n\n", sentence(a, 0));
		const char *key;
		json_t *v;
		json_object_foreach (r, key, v) {
			wr_buf b = WR_BUF_INIT(1u << 20);
			wr_json_dump(&b, v);
			print_member(key, json_is_string(v) ? json_string_value(v) : wr_buf_cstr(&b));
			wr_buf_free(&b);
		}
	}
	json_decref(a);
	return EXIT_OK;
}

static const cli_option o_tail[] = {{"n", "COUNT", "how many, 1 to 500 (default 20)"},
                                    {"watch", NULL, "follow, until interrupted"},
                                    {NULL, NULL, NULL}};

const ledger_verb ledger_verbs[] = {
    {"verify", "PATH", "check a ledger, a chain or one segment; needs no engine",
     "PATH is a ledger's directory, a chain's, or one segment; an engine may be writing to it. "
     "Each\n"
     "anomaly is listed with its place. Consistent: every hash and link up to there holds. "
     "Attested:\n"
     "a signed checkpoint covers it.\n"
     "Exit 0: verified; 1: broken; 2: wrong use or unreadable.\n",
     ledger_verify_options, ledger_verify},
    {"tail", "", "the last receipts", "", o_tail, tail},
    {"show", "SEQ", "one receipt, whole", "", NULL, show},
    {"prove", "[DIR] SEQ | [DIR] OLD NEW", "a proof of a receipt, or of growth, as a file",
     "DIR is a ledger's directory or a chain's (default: the configuration's). OLD and NEW are\n"
     "sizes of signed checkpoints, \"latest\" for the latest, or files that hold one. A receipt "
     "can\n"
     "be proven once a signed checkpoint covers it, within a minute.\nExit 1: it cannot be "
     "proven.\n",
     ledger_prove_options, ledger_prove},
    {"check-proof", "FILE | -", "what a proof proves, and who signed it; needs nothing else",
     "Without --key nothing says whose signature it is, and nothing is proven.\n"
     "Exit 0: proven; 1: not; 2: no proof, or unreadable.\n",
     ledger_check_proof_options, ledger_check_proof},
    {"cosign", "CHECKPOINT | -", "sign another engine's checkpoint, if its log only grew",
     "Refused, with exit 1, unless --key signed it and it goes on from the one cosigned last. Of "
     "a\n"
     "fork both checkpoints are kept in --state.\n",
     ledger_cosign_options, ledger_cosign},
    {"audit", "PROFILE SOURCE | REGION|all", "check receipts that other software wrote",
     "PROFILE says how they are chained (docs/foreign-chains.md), SOURCE is a file or a URL. With "
     "a\n"
     "REGION or all, the engine audits what it follows there.\n"
     "Exit 0: verified; 1: broken; 2: unreadable.\n",
     ledger_audit_options, ledger_audit},
    {"export", "[LEDGER]", "receipts as JSON lines, with their checkpoint and a manifest",
     "LEDGER is a ledger's directory (default: the configuration's); an engine may be writing to\n"
     "it. A directory gets the checkpoint, the keys, the plans and SHA256SUMS as well, and can be\n"
     "imported, or restored from; a file gets FILE.sha256 beside it.\n"
     "Exit 0: exported; 1: the ledger is damaged there; 2: wrong use or unreadable.\n",
     ledger_export_options, ledger_export},
    {"import", "EXPORT", "append an export's receipts to a ledger that they belong to",
     "EXPORT is an export's directory or a file of JSON lines. Everything is checked first: "
     "manifest,\n"
     "hashes, links, ids, checkpoint. It must go on where the ledger ends; what is there already "
     "is\n"
     "skipped, so importing twice does nothing.\n"
     "Exit 0: it is in; 1: it does not belong there; 2: wrong use or unreadable.\n",
     ledger_import_options, ledger_import},
    {"restore", "", "a damaged ledger made whole: snapshot, changelog, what is left",
     "The sources are only read. What hangs together from receipt 0 on and is signed goes on; "
     "what\n"
     "is lost is listed. The result is verified before it appears. docs/restore.md has the steps.\n"
     "Exit 0: restored, nothing lost; 1: restored with a loss, or refused; 2: wrong use or "
     "unreadable.\n",
     ledger_restore_options, ledger_restore},
    {"duplicates", "PATH", "receipt ids that occur twice, with both places",
     "PATH is a ledger's directory, a chain's, or one segment.\n"
     "Exit 0: none; 1: some; 2: unreadable.\n",
     NULL, ledger_duplicates},
    {"archive", "now | list [DIR] | verify [DIR]",
     "the daily exports: another one, all, are they whole",
     "now: the engine exports what is new, without waiting for the time of day. list and verify\n"
     "read DIR, an archive or one export (default: the configuration's), and need no engine:\n"
     "manifests, every hash and link, and that each export follows on the one before.\n"
     "Exit 0: exported, or verified; 1: failed, or broken; 2: unreadable.\n",
     ledger_archive_options, ledger_archive},
    {"anchor", "now | verify [PATH]", "external time stamps of checkpoints (RFC 3161)",
     "now: the engine has its latest checkpoint stamped. verify needs no engine: PATH is a ledger, "
     "a\n"
     "chain, an anchors directory or a .tsr file; it says since when the receipts are proven to\n"
     "exist, and that the stamped root is the ledger's.\n"
     "Exit 0: stamped, or all hold; 1: failed, or some do not; 2: unreadable.\n",
     ledger_anchor_options, ledger_anchor},
    {NULL, NULL, NULL, NULL, NULL, NULL}};
