/* cli.c: options, dispatch, help. Options may stand before or behind the verb. */
#include "cli/cli.h"

#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "screen/screen.h"
#include "warroom/json.h"
#include "warroom/model.h"

#define CALL_MS        15000
#define DEFAULT_SOCKET "/run/warroom/warroom.sock"

const verb verbs[] = {
    {"status", "", "what is down, what can be done, what runs",
     "  --watch   print a line at each change, until interrupted\n", verb_status},
    {"why", "failover|failback|RUNBOOK",
     "why an action can or cannot be taken now: its guard table",
     "  --from REGION --to REGION   (default: the candidate that the engine names first)\nExit 0: "
     "every guard that blocks passes; 1: not.\n",
     verb_why},
    {"plan", "failover|failback|RUNBOOK", "every step fully resolved, without effect",
     "  --from REGION --to REGION, --runbook NAME\n", verb_plan},
    {"propose", "failover|failback|RUNBOOK",
     "draft a plan; with a key also sign it, which proposes it",
     "  --from REGION --to REGION, --reason TEXT, --as PRINCIPAL, --role ROLE\n  --key FILE    "
     "sign with this sealed key: proposes and counts as one approval\n"
     "  --only        sign the proposal without approving it\nWithout a key it prints the draft's "
     "id: sign what `warroom pending ID` prints.\n",
     verb_propose},
    {"pending", "[ID]", "operations that wait for people; with ID the exact text to sign",
     "  --as PRINCIPAL (default $WARROOM_PRINCIPAL, else $USER), --role ROLE, --decision WHAT, "
     "--assurance LEVEL\n"
     "  warroom pending op-3 | ssh-keygen -Y sign -n warroom-approval -f KEY | warroom approve "
     "op-3 -\n",
     verb_pending},
    {"approve", "ID [-|SIGFILE]",
     "approve an operation, with a sealed key or a signature made elsewhere",
     "  -             read an SSHSIG over the text of `warroom pending ID` from standard input\n  "
     "--key FILE --as PRINCIPAL   sign here, passphrase asked blind\n  --note TEXT\n",
     verb_approve},
    {"deny", "ID [-|SIGFILE]", "deny an operation that has not started",
     "  --key FILE --as PRINCIPAL, --note TEXT\n", verb_deny},
    {"hold", "ID [-|SIGFILE]", "let the running step finish, then start nothing new",
     "  --key FILE --as PRINCIPAL, --note TEXT\n", verb_hold},
    {"resume", "ID [-|SIGFILE]", "go on after a hold", "  --key FILE --as PRINCIPAL, --note TEXT\n",
     verb_resume},
    {"abort", "ID [-|SIGFILE]", "stop, and undo what was done, in reverse order",
     "  --key FILE --as PRINCIPAL, --note TEXT\n", verb_abort},
    {"rule", "ID STEP done|not_done|skip [-|SIGFILE]",
     "say what became of an uncertain step (two people)",
     "  --key FILE --as PRINCIPAL, --note TEXT\n", verb_rule},
    {"tick", "ID STEP [-|SIGFILE]", "tick off a manual step",
     "  --key FILE --as PRINCIPAL, --note TEXT\n", verb_tick},
    {"ledger", "verify PATH | tail | show SEQ", "check a ledger, follow it, show one receipt",
     "  verify PATH   a ledger directory, a chain or one segment; needs no engine. Exit 0 "
     "verified, 1 broken, 2 unreadable\n"
     "  tail          the last receipts (-n N, default 20); --watch follows\n  show SEQ      one "
     "receipt, whole\n",
     verb_ledger},
    {"config", "check [FILE]", "all errors and warnings of a configuration",
     "Exit 0: no error (warnings are printed); 2: errors.\n", verb_config},
    {"key", "new NAME [FILE] | show FILE",
     "make or show a sealed key, for people without an SSH key",
     "  new alice [alice.key]   asks a passphrase twice, prints the allowed_signers line\n",
     verb_key},
    {"demo", "", "a simulated platform, an outage coming, two operators, the screen",
     "  --auto   play the failover and the failback in text; exit 0 only if both completed and the "
     "ledger verifies\n",
     verb_demo},
    {"version", "", "print the version", "", verb_version},
    {"help", "[VERB]", "this list, or a verb's help", "", verb_help},
    {NULL, NULL, NULL, NULL, NULL},
};

static const verb *find_verb(const char *name)
{
	for (const verb *v = verbs; v->name; v++)
		if (!strcmp(v->name, name)) return v;
	return NULL;
}

static void print_verb_help(const verb *v)
{
	printf("usage: warroom %s%s%s\n\n%s\n\n%s\nCommon: --socket PATH, --config FILE, --json, "
	       "--ascii, -h\n",
	       v->name, *v->operands ? " " : "", v->operands, v->summary, v->help);
}

int verb_help(cli *c)
{
	if (c->argc > 0) {
		const verb *v = find_verb(c->argv[0]);
		if (!v) {
			fprintf(stderr, "warroom: no verb \"%.40s\"; see warroom help\n", c->argv[0]);
			return EXIT_USAGE;
		}
		print_verb_help(v);
		return EXIT_OK;
	}
	printf("usage: warroom [OPTIONS]             the war room screen\n       warroom VERB "
	       "[OPERANDS]\n\n");
	for (const verb *v = verbs; v->name; v++)
		printf("  %-9s %-42s %s\n", v->name, v->operands, v->summary);
	printf("\nOptions:\n"
	       "  --socket PATH    the engine's socket (default $WARROOM_SOCKET, else the "
	       "configuration's)\n"
	       "  --config FILE    the configuration (default $WARROOM_CONFIG, else ./warroom.yaml)\n"
	       "  --read-only      no key on the screen can change anything\n"
	       "  --ascii          no character beyond ASCII\n"
	       "  --theme NAME     dark, light, high-contrast, mono or a file\n"
	       "  --no-colour      as NO_COLOR\n"
	       "  --json           machine-readable answers\n"
	       "  -h, --help       help; after a verb: that verb's\n"
	       "\nExit: 0 done or true, 1 the answer is no, 2 wrong use or unreadable input, 3 the "
	       "engine cannot be reached.\n");
	return EXIT_OK;
}

int verb_version(cli *c)
{
	if (c->json)
		printf("{\"version\":\"%s\"}\n", WR_VERSION);
	else
		printf("warroom %s\n", WR_VERSION);
	return EXIT_OK;
}

int cli_usage(const cli *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fputs("warroom: ", stderr);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "; see warroom %s%s--help\n", c->verb ? c->verb : "", c->verb ? " " : "");
	return EXIT_USAGE;
}

int cli_error(const cli *c, const wr_err *err)
{
	if (c->json) {
		json_t *j = json_pack("{s:{s:s, s:s}}", "error", "code", wr_err_name(err->code), "message",
		                      err->msg);
		cli_print_json(j);
		json_decref(j);
	} else {
		fprintf(stderr, "warroom: %s\n", err->msg);
	}
	if (err->code == WR_E_UNAVAILABLE) return EXIT_UNREACHABLE;
	return err->code == WR_E_INVALID || err->code == WR_E_NOT_FOUND || err->code == WR_E_IO
	           ? EXIT_USAGE
	           : EXIT_NO;
}

void cli_print_json(const json_t *j)
{
	wr_buf out = WR_BUF_INIT(32u << 20);
	if (j) wr_json_dump(&out, j);
	puts(wr_buf_cstr(&out));
	wr_buf_free(&out);
}

bool cli_unicode(const cli *c)
{
	return !c->ascii && !strcmp(nl_langinfo(CODESET), "UTF-8");
}

static const char *first_error(const wr_findings *f)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->items[i].is_error) return f->items[i].text;
	return "";
}

int cli_socket(const cli *c, char *out, size_t size, wr_err *err)
{
	const char *env = getenv("WARROOM_SOCKET");
	if (c->socket || (env && *env && !c->config)) {
		snprintf(out, size, "%s", c->socket ? c->socket : env);
		return 0;
	}
	const char *path = c->config ? c->config : getenv("WARROOM_CONFIG");
	bool named = path && *path;
	if (!named) path = "warroom.yaml";
	if (!named && access(path, R_OK) != 0) {
		snprintf(out, size, "%s", DEFAULT_SOCKET);
		return 0;
	}
	wr_findings f = {0};
	wr_config *cfg = wr_config_load(path, &f);
	int rc = 0;
	if (cfg)
		snprintf(out, size, "%s", cfg->socket);
	else
		rc = wr_fail(
		    err, WR_E_INVALID,
		    "the engine's socket is named in %s, and that has %zu error%s, first: %.300s; warroom "
		    "config check %s says all, and --socket or WARROOM_SOCKET names the socket without it",
		    path, f.errors, f.errors == 1 ? "" : "s", f.count ? first_error(&f) : "", path);
	wr_findings_free(&f);
	wr_config_free(cfg);
	return rc;
}

client *cli_client(cli *c)
{
	if (c->client) return c->client;
	char path[512];
	wr_err err = {0};
	if (cli_socket(c, path, sizeof path, &err) != 0 || !(c->client = client_new(path, &err))) {
		cli_error(c, &err);
		return NULL;
	}
	return c->client;
}

json_t *cli_call(cli *c, const char *path, const json_t *body, int *exit_code)
{
	wr_err err = {0};
	if (!cli_client(c)) {
		*exit_code = EXIT_USAGE;
		return NULL;
	}
	json_t *answer = client_call(c->client, path, body, CALL_MS, &err);
	/* The engine may have read it from a file that somebody wrote into. JSON is escaped instead. */
	static const char *const multi[] = {"text", "output", NULL};
	if (answer && !c->json && wr_json_sanitise(answer, multi) != 0) {
		(void)wr_fail(&err, WR_E_NOMEM, "out of memory");
		json_decref(answer);
		answer = NULL;
	}
	if (!answer) *exit_code = cli_error(c, &err);
	return answer;
}

enum {
	O_SOCKET = 256,
	O_JSON,
	O_READ_ONLY,
	O_ASCII,
	O_FROM,
	O_TO,
	O_REASON,
	O_RUNBOOK,
	O_AS,
	O_ROLE,
	O_KEY,
	O_ASSURANCE,
	O_NOTE,
	O_ONLY,
	O_WATCH,
	O_THEME,
	O_NO_COLOUR,
	O_VERSION,
	O_AUTO,
	O_DECISION
};

static const struct option options[] = {{"socket", required_argument, NULL, O_SOCKET},
                                        {"config", required_argument, NULL, 'c'},
                                        {"json", no_argument, NULL, O_JSON},
                                        {"read-only", no_argument, NULL, O_READ_ONLY},
                                        {"ascii", no_argument, NULL, O_ASCII},
                                        {"from", required_argument, NULL, O_FROM},
                                        {"to", required_argument, NULL, O_TO},
                                        {"reason", required_argument, NULL, O_REASON},
                                        {"runbook", required_argument, NULL, O_RUNBOOK},
                                        {"as", required_argument, NULL, O_AS},
                                        {"role", required_argument, NULL, O_ROLE},
                                        {"key", required_argument, NULL, O_KEY},
                                        {"assurance", required_argument, NULL, O_ASSURANCE},
                                        {"note", required_argument, NULL, O_NOTE},
                                        {"only", no_argument, NULL, O_ONLY},
                                        {"watch", no_argument, NULL, O_WATCH},
                                        {"theme", required_argument, NULL, O_THEME},
                                        {"no-colour", no_argument, NULL, O_NO_COLOUR},
                                        {"no-color", no_argument, NULL, O_NO_COLOUR},
                                        {"version", no_argument, NULL, O_VERSION},
                                        {"auto", no_argument, NULL, O_AUTO},
                                        {"decision", required_argument, NULL, O_DECISION},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

/* Returns -1 to go on, else an exit code. */
static int take_option(cli *c, int opt, bool *help)
{
	switch (opt) {
	case O_SOCKET:
		c->socket = optarg;
		break;
	case 'c':
		c->config = optarg;
		break;
	case O_JSON:
		c->json = true;
		break;
	case O_READ_ONLY:
		c->read_only = true;
		break;
	case O_ASCII:
		c->ascii = true;
		break;
	case O_FROM:
		c->from = optarg;
		break;
	case O_TO:
		c->to = optarg;
		break;
	case O_REASON:
		c->reason = optarg;
		break;
	case O_RUNBOOK:
		c->runbook = optarg;
		break;
	case O_AS:
		c->principal = optarg;
		break;
	case O_ROLE:
		c->role = optarg;
		break;
	case O_KEY:
		c->key = optarg;
		break;
	case O_ASSURANCE:
		c->assurance = optarg;
		break;
	case O_NOTE:
		c->note = optarg;
		break;
	case O_ONLY:
		c->propose_only = true;
		break;
	case O_WATCH:
		c->watch = true;
		break;
	case O_THEME:
		c->theme = optarg;
		break;
	case O_NO_COLOUR:
		c->no_colour = true;
		break;
	case O_AUTO:
		c->auto_play = true;
		break;
	case O_DECISION:
		c->decision = optarg;
		break;
	case O_VERSION:
		return verb_version(c);
	case 'n': {
		char *end;
		c->lines = strtoll(optarg, &end, 10);
		if (*end || c->lines < 1 || c->lines > 500)
			return cli_usage(c, "-n %s: a number from 1 to 500", optarg);
		break;
	}
	case 'h':
		*help = true;
		break;
	default:
		return cli_usage(c, "unknown option");
	}
	return -1;
}

int cli_main(int argc, char **argv)
{
	setlocale(LC_ALL, "");
	cli c = {.lines = 20};
	bool help = false;
	const char *no_color = getenv("NO_COLOR");
	if (no_color && *no_color) c.no_colour = true;
	opterr = 1;
	int opt, rc;
	while ((opt = getopt_long(argc, argv, "c:n:h", options, NULL)) != -1)
		if ((rc = take_option(&c, opt, &help)) >= 0) return rc;
	if (optind >= argc) {
		if (help) return verb_help(&c);
		return screen_main(&c);
	}
	c.verb = argv[optind];
	c.argc = argc - optind - 1;
	c.argv = argv + optind + 1;
	const verb *v = find_verb(c.verb);
	if (!v) {
		fprintf(stderr, "warroom: no verb \"%.40s\"; see warroom --help\n", c.verb);
		return EXIT_USAGE;
	}
	if (help) {
		print_verb_help(v);
		return EXIT_OK;
	}
	rc = v->run(&c);
	client_free(c.client);
	if (fflush(stdout) != 0) return EXIT_USAGE;
	return rc;
}
