/* cli.c: options, dispatch, help. Options may stand before or behind the verb. */
#include "cli/ledger.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "screen/screen.h"
#include "warroom/json.h"
#include "warroom/model.h"
#include "warroom/text.h"

#define CALL_MS        15000
#define LIST_COLUMN    22
#define OPTION_COLUMN  18
#define DEFAULT_SOCKET "/run/warroom/warroom.sock"

/* ---- options of the verbs ---- */
#define NOTE                                                                                       \
	{                                                                                              \
		"note", "TEXT", "stays in the record with the decision"                                    \
	}
#define SIGNER                                                                                     \
	{"as", "PRINCIPAL", "who signs (default $WARROOM_PRINCIPAL, else $USER)"},                     \
	    {"role", "ROLE", "in which role, for people who have several"},                            \
	{                                                                                              \
		"assurance", "LEVEL", "own_device, separate_session or shared_terminal"                    \
	}
#define REGIONS                                                                                    \
	{"from", "REGION", "the region that is left"},                                                 \
	{                                                                                              \
		"to", "REGION", "the region that takes over"                                               \
	}
#define RUNBOOK                                                                                    \
	{                                                                                              \
		"runbook", "NAME", "another runbook than the action's own"                                 \
	}
#define END                                                                                        \
	{                                                                                              \
		NULL, NULL, NULL                                                                           \
	}

static const cli_option o_status[] = {{"watch", NULL, "a line at each change, until interrupted"},
                                      END};
static const cli_option o_why[] = {REGIONS, RUNBOOK, END};
static const cli_option o_propose[] = {
    REGIONS,
    {"reason", "TEXT", "why: it stays in the record"},
    RUNBOOK,
    {"key", "FILE", "sign with this sealed key: proposes, and counts as one approval"},
    {"only", NULL, "sign the proposal without approving it"},
    SIGNER,
    NOTE,
    END};
static const cli_option o_pending[] = {
    SIGNER,
    {"decision", "WHAT", "approve (default), deny, hold, resume, abort, rule:STEP:WHAT, tick:STEP"},
    END};
static const cli_option o_decide[] = {
    {"key", "FILE", "sign with this sealed key; the passphrase is asked blind"}, SIGNER, NOTE, END};
static const cli_option o_demo[] = {
    {"auto", NULL, "play the failover and the failback in text; exit 0 only if both completed"},
    END};

static const cli_sub config_verbs[] = {
    {"check", "[FILE]", "all errors and warnings of a configuration",
     "Exit 0: no error (warnings are printed); 2: errors.\n", NULL, verb_config_check},
    {NULL, NULL, NULL, NULL, NULL, NULL}};
static const cli_sub key_verbs[] = {
    {"new", "NAME [FILE]", "make a sealed key, for people without an SSH key",
     "Asks a passphrase twice, writes FILE (default NAME.key, never an existing one) and prints "
     "the\n"
     "allowed_signers line.\n",
     NULL, verb_key_new},
    {"show", "FILE", "the public part of a sealed key", "", NULL, verb_key_show},
    {NULL, NULL, NULL, NULL, NULL, NULL}};

#define SIGNED                                                                                     \
	"With - an SSHSIG over the text of `warroom pending ID` is read from standard input, with\n"   \
	"FILE from there; else --key says with which sealed key to sign here.\n"
#define ACTION "ACTION is failover, failback or the name of a runbook.\n"

const verb verbs[] = {
    {"status", "", "what is down, what can be done, what runs", "", o_status, NULL, verb_status},
    {"why", "ACTION", "why an action can or cannot be taken now: its guard table",
     ACTION
     "Without --from and --to: the candidate that the engine names first.\nExit 0: every guard "
     "that blocks passes; 1: not.\n",
     o_why, NULL, verb_why},
    {"plan", "ACTION", "every step fully resolved, without effect", ACTION, o_why, NULL, verb_plan},
    {"propose", "ACTION", "draft a plan; with a key also sign it, which proposes it",
     ACTION "Without --key it prints the draft's id: sign what `warroom pending ID` prints.\n",
     o_propose, NULL, verb_propose},
    {"pending", "[ID]", "operations that wait for people; with ID the exact text to sign",
     "  warroom pending op-3 | ssh-keygen -Y sign -n warroom-approval -f KEY | warroom approve "
     "op-3 -\n",
     o_pending, NULL, verb_pending},
    {"approve", "ID [-|FILE]",
     "approve an operation, with a sealed key or a signature made elsewhere", SIGNED, o_decide,
     NULL, verb_approve},
    {"deny", "ID [-|FILE]", "deny an operation that has not started", SIGNED, o_decide, NULL,
     verb_deny},
    {"hold", "ID [-|FILE]", "let the running step finish, then start nothing new", SIGNED, o_decide,
     NULL, verb_hold},
    {"resume", "ID [-|FILE]", "go on after a hold", SIGNED, o_decide, NULL, verb_resume},
    {"abort", "ID [-|FILE]", "stop, and undo what was done, in reverse order", SIGNED, o_decide,
     NULL, verb_abort},
    {"rule", "ID STEP done|not_done|skip [-|FILE]",
     "say what became of an uncertain step (two people)", SIGNED, o_decide, NULL, verb_rule},
    {"tick", "ID STEP [-|FILE]", "tick off a manual step", SIGNED, o_decide, NULL, verb_tick},
    {"ledger", "VERB [OPERANDS]", "the record: check it, read it, prove it, copy it", "", NULL,
     ledger_verbs, NULL},
    {"config", "check [FILE]", "all errors and warnings of a configuration", "", NULL, config_verbs,
     NULL},
    {"key", "new NAME [FILE] | show FILE",
     "make or show a sealed key, for people without an SSH key", "", NULL, key_verbs, NULL},
    {"demo", "", "a simulated platform, an outage coming, two operators, the screen", "", o_demo,
     NULL, verb_demo},
    {"version", "", "print the version", "", NULL, NULL, verb_version},
    {"help", "[VERB [VERB]]", "this list, or a verb's help", "", NULL, NULL, verb_help},
    {NULL, NULL, NULL, NULL, NULL, NULL, NULL},
};

const verb *cli_find_verb(const char *name)
{
	for (const verb *v = verbs; v->name; v++)
		if (!strcmp(v->name, name)) return v;
	return NULL;
}

const cli_sub *cli_find_sub(const verb *v, const char *name)
{
	for (const cli_sub *s = v->subs; s && s->name; s++)
		if (!strcmp(s->name, name)) return s;
	return NULL;
}

static void print_options(const char *title, const cli_option *o)
{
	if (!o || !o->name) return;
	printf("\n%s:\n", title);
	for (; o->name; o++) {
		char left[64];
		int n = snprintf(left, sizeof left, "%s%s%s%s", o->name[1] ? "--" : "-", o->name,
		                 o->value ? " " : "", o->value ? o->value : "");
		if (n < OPTION_COLUMN)
			printf("  %-*s %s\n", OPTION_COLUMN, left, o->help);
		else
			printf("  %s\n  %-*s %s\n", left, OPTION_COLUMN, "", o->help);
	}
}

/* A row of a list: what to type, and what it does, on a line of its own where the first is long. */
static void print_row(const char *name, const char *operands, const char *summary)
{
	char left[128];
	int n = snprintf(left, sizeof left, "%s%s%s", name, *operands ? " " : "", operands);
	if (n < LIST_COLUMN)
		printf("  %-*s %s\n", LIST_COLUMN, left, summary);
	else
		printf("  %s\n  %-*s %s\n", left, LIST_COLUMN, "", summary);
}

static void print_help(const verb *v, const cli_sub *s)
{
	const char *operands = s ? s->operands : v->operands, *help = s ? s->help : v->help;
	printf("usage: warroom %s%s%s%s%s\n\n%s\n", v->name, s ? " " : "", s ? s->name : "",
	       *operands ? " " : "", operands, s ? s->summary : v->summary);
	if (*help) printf("\n%s%s", help, help[strlen(help) - 1] == '\n' ? "" : "\n");
	if (!s && v->subs) {
		printf("\nVerbs:\n");
		for (const cli_sub *x = v->subs; x->name; x++) print_row(x->name, x->operands, x->summary);
		printf("Each has its own help: warroom %s %s --help\n", v->name, v->subs->name);
	}
	print_options("Options", s ? s->options : v->options);
	print_options("Common options", cli_common);
}

int verb_help(cli *c)
{
	if (c->argc > 0) {
		const verb *v = cli_find_verb(c->argv[0]);
		const cli_sub *s = v && c->argc > 1 ? cli_find_sub(v, c->argv[1]) : NULL;
		if (!v || (c->argc > 1 && !s))
			return cli_usage(c, "there is no verb \"%.40s%s%.40s\"", c->argv[0], v ? " " : "",
			                 v ? c->argv[1] : "");
		print_help(v, s);
		return EXIT_OK;
	}
	printf("usage: warroom [OPTIONS]             the war room screen\n       warroom VERB "
	       "[OPERANDS] [OPTIONS]\n\n");
	for (const verb *v = verbs; v->name; v++) print_row(v->name, v->operands, v->summary);
	print_options("Options of all verbs", cli_common);
	printf("\nExit: 0 done or true, 1 the answer is no, 2 wrong use or unreadable input,\n"
	       "3 the engine cannot be reached.\n");
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
	char text[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	char clean[sizeof text];
	wr_sanitise_to(clean, sizeof clean, text);
	if (c->json) {
		wr_err err;
		(void)wr_fail(&err, WR_E_INVALID, "%s", clean);
		return cli_error(c, &err);
	}
	bool known = c->verb && cli_find_verb(c->verb);
	fprintf(stderr, "warroom: %s; see warroom %s%s%s%s--help\n", clean, known ? c->verb : "",
	        known ? " " : "", c->sub ? c->sub->name : "", c->sub ? " " : "");
	return EXIT_USAGE;
}

int cli_error(const cli *c, const wr_err *err)
{
	/* Lines stay: some messages quote the end of a log. */
	wr_buf b = WR_BUF_INIT(8 * sizeof err->msg);
	wr_sanitise(&b, err->msg, strlen(err->msg), true);
	const char *clean = wr_buf_cstr(&b);
	if (b.len && b.data[b.len - 1] == '\n') b.data[--b.len] = '\0';
	if (c->json) {
		json_t *j =
		    json_pack("{s:{s:s, s:s}}", "error", "code", wr_err_name(err->code), "message", clean);
		cli_print_json(j);
		json_decref(j);
	} else {
		bool lost = err->code == WR_E_UNAVAILABLE && c->client &&
		            !strcmp(client_socket(c->client), DEFAULT_SOCKET);
		fprintf(stderr, "warroom: %s%s\n", clean,
		        lost ? " For another engine say --config FILE or --socket PATH." : "");
	}
	wr_buf_free(&b);
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

/* "verify, tail, show" */
static int name_one(const cli *c, const verb *v)
{
	char list[512] = "";
	size_t n = 0;
	for (const cli_sub *s = v->subs; s->name && n < sizeof list; s++)
		n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", s->name);
	if (c->argc)
		return cli_usage(c, "there is no \"%s %.40s\", but: %s", v->name, c->argv[0], list);
	return cli_usage(c, "%s what? %s", v->name, list);
}

static int run(cli *c)
{
	if (c->version) return verb_version(c);
	if (!c->verb) return c->help ? verb_help(c) : screen_main(c);
	const verb *v = cli_find_verb(c->verb);
	if (!v) return cli_usage(c, "there is no verb \"%.40s\"", c->verb);
	if (c->help) {
		print_help(v, c->sub);
		return EXIT_OK;
	}
	if (v->subs) return c->sub ? c->sub->run(c) : name_one(c, v);
	return v->run(c);
}

bool cli_output_lost(void)
{
	return fflush(stdout) != 0 || ferror(stdout);
}

/* Who reads through a pipe may stop reading; a disk that is full is an error. */
static int finish(int rc)
{
	errno = 0;
	if (!cli_output_lost()) return rc;
	struct stat st;
	int e = errno;
	if (fstat(STDOUT_FILENO, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))) return rc;
	fprintf(stderr, "warroom: cannot write to standard output: %s\n",
	        e ? strerror(e) : "not all of it was written");
	return EXIT_USAGE;
}

int cli_main(int argc, char **argv)
{
	setlocale(LC_ALL, "");
	cli c = {0};
	const char *no_color = getenv("NO_COLOR");
	if (no_color && *no_color) c.no_colour = true;
	int rc = cli_parse(&c, argc, argv);
	if (rc == EXIT_OK) rc = run(&c);
	client_free(c.client);
	return finish(rc);
}
