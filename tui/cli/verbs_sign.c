/* verbs_sign.c: what a person decides: propose, pending, approve, deny, hold, resume, abort, rule,
 * tick. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/lines.h"
#include "operator.h"
#include "warroom/io.h"
#include "warroom/json.h"
#include "warroom/limits.h"
#include "warroom/seal.h"
#include "warroom/text.h"

static const char *who(const cli *c)
{
	if (c->principal) return c->principal;
	const char *env = getenv("WARROOM_PRINCIPAL");
	if (env && *env) return env;
	env = getenv("USER");
	return env && *env ? env : "";
}

/* What a decision that is not about the whole plan does. */
static const char *meaning_of(const char *decision)
{
	static const struct {
		const char *decision, *means;
	} all[] = {
	    {"deny", "it will not start; there is no way back to this proposal"},
	    {"hold", "the running step ends, and nothing new starts"},
	    {"resume", "it goes on with the next step"},
	    {"abort", "it stops, and what was done is undone in reverse order"},
	    {"rule:", "a second person must say the same"},
	    {"tick:", "the manual step counts as done"},
	};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		size_t n = strlen(all[i].decision);
		if (!strncmp(decision, all[i].decision, n) && (!decision[n] || decision[n - 1] == ':'))
			return all[i].means;
	}
	return NULL;
}

/* The whole plan where it is signed; for the rest, what it does. The summary comes last, where the
 * passphrase is asked. */
static void show_before_signing(const cli *c, const json_t *ch)
{
	const char *decision = wr_json_str(ch, "decision", "");
	const char *means = meaning_of(decision);
	if (!means) say(c, stderr, "%s\n", wr_json_str(ch, "text", ""));
	say(c, stderr, "%s signs: %s %s, as %s\n", wr_json_str(ch, "principal", ""), decision,
	    wr_json_str(ch, "operation_id", ""), wr_json_str(ch, "role", ""));
	say(c, stderr, "words: %s\n", wr_json_str(ch, "words", ""));
	if (means)
		say(c, stderr, "so: %s\n", means);
	else
		say(c, stderr, "expected loss: %s\n",
		    wr_json_str(json_object_get(ch, "loss"), "text", "unknown"));
}

/* What the decision leads to, where the operation itself does not show it yet. */
static void say_next(const cli *c, const json_t *op, const char *decision)
{
	const char *id = wr_json_str(op, "id", ""), *state = wr_json_str(op, "state", "");
	bool held = !strcmp(state, "held"), running = !strcmp(state, "running");
	size_t step = strncmp(decision, "rule:", 5) ? 0 : strcspn(decision + 5, ":");
	if (!strncmp(decision, "tick:", 5)) return;
	if (step && held)
		say(c, stdout,
		    "  another person must say the same, with a key of their own: warroom rule %s "
		    "%.*s%s%s\n",
		    id, (int)step, decision + 5, decision[5 + step] ? " " : "",
		    decision[5 + step] ? decision + 6 + step : "");
	else if (!strcmp(decision, "abort") && running)
		say(c, stdout, "  goes back as soon as the running step has ended: warroom status\n");
	else
		say_waits(c, op);
	if (!strcmp(decision, "abort") && held)
		say(c, stdout, "  and goes back then, as the abort says\n");
}

/* What was recorded, and what the operation waits for now. */
static void show_answer(cli *c, const json_t *answer)
{
	char path[64];
	int rc = EXIT_OK;
	const char *id = wr_json_str(answer, "operation_id", "");
	if (c->json) {
		cli_print_json(answer);
		return;
	}
	say(c, stdout, "%s of %s is recorded\n", wr_json_str(answer, "decision", ""), id);
	snprintf(path, sizeof path, "/v1/operations/%.40s", id);
	json_t *now = cli_call(c, path, NULL, &rc);
	const json_t *op = json_object_get(now, "operation");
	if (op) {
		say_operation(c, op);
		say_next(c, op, wr_json_str(answer, "decision", ""));
	}
	json_decref(now);
}

static int sign_with_key(cli *c, const intent *asked)
{
	char owner[64];
	wr_err err = {0};
	wr_pubkey pub;
	intent in = *asked;
	/* The sealed key knows whose it is: no need to say --as as well. */
	if (sealed_public(c->key, owner, &pub, &err) != 0) {
		(void)cli_error(c, &err);
		return EXIT_USAGE;
	}
	if (c->principal && strcmp(c->principal, owner) != 0)
		return cli_usage(c, "%s is the key of %s, not of %.63s", c->key, owner, c->principal);
	/* Before a draft is made that nobody could sign. */
	if (passphrase_possible(&err) != 0) return cli_error(c, &err);
	if (!c->principal) in.principal = owner;
	if (!in.assurance) in.assurance = "separate_session";
	if (!cli_client(c)) return EXIT_USAGE;
	json_t *ch = operator_challenge(c->client, &in, &err);
	if (!ch) return cli_error(c, &err);
	if (!c->json) show_before_signing(c, ch);
	char prompt[128];
	snprintf(prompt, sizeof prompt, "Passphrase of %.64s: ", owner);
	passphrase p = {0};
	json_t *answer = NULL;
	if (passphrase_read(&p, prompt, &err) == 0)
		answer = operator_sign(c->client, ch, c->key, p.text, p.len, c->note, &err);
	passphrase_free(&p);
	json_decref(ch);
	if (!answer) return cli_error(c, &err);
	show_answer(c, answer);
	json_decref(answer);
	return EXIT_OK;
}

static int read_signature(const char *from, wr_buf *out, wr_err *err)
{
	if (strcmp(from, "-") != 0) return wr_read_file(out, from, WR_SSHSIG_MAX, WR_ANY, err);
	char chunk[4096];
	size_t n;
	while ((n = fread(chunk, 1, sizeof chunk, stdin)) > 0) wr_buf_add(out, chunk, n);
	return wr_buf_ok(out) && out->len
	           ? 0
	           : wr_fail(err, WR_E_INVALID,
	                     "no signature on standard input (ssh-keygen -Y sign writes one)");
}

static int send_signature(cli *c, const char *id, const char *decision, const char *from)
{
	wr_buf sig = WR_BUF_INIT(WR_SSHSIG_MAX);
	wr_err err = {0};
	json_t *answer = NULL;
	if (read_signature(from, &sig, &err) == 0) {
		if (!cli_client(c)) {
			wr_buf_free(&sig);
			return EXIT_USAGE;
		}
		answer = operator_post(c->client, id, decision, wr_buf_cstr(&sig), c->note, &err);
	}
	wr_buf_free(&sig);
	if (!answer) return cli_error(c, &err);
	show_answer(c, answer);
	json_decref(answer);
	return EXIT_OK;
}

static int read_only(const cli *c)
{
	return cli_usage(c, "%s would change something, and --read-only was given", c->verb);
}

/* The whole command, to be copied. */
static int how_to_sign(const cli *c, const char *decision, int operands)
{
	char all[256] = "";
	size_t n = 0;
	for (int i = 0; i < operands && n < sizeof all; i++)
		n += (size_t)snprintf(all + n, sizeof all - n, " %.63s", c->argv[i]);
	const char *name = *who(c) ? who(c) : "NAME";
	return cli_usage(
	    c,
	    "say how you sign: --key FILE (a sealed key), or with an SSH key: warroom pending "
	    "%.40s --as %.63s --decision %s | ssh-keygen -Y sign -n warroom-approval -f KEY | "
	    "warroom %s%s -",
	    c->argv[0], name, decision, c->verb, all);
}

/* ID [-|FILE], the decision being `decision`. */
static int decide(cli *c, const char *decision, int operands)
{
	bool piped = c->argc == operands + 1;
	if (c->argc != operands && !piped)
		return cli_usage(c, "too many operands: the last is - or the file of a signature");
	if (c->read_only) return read_only(c);
	if (piped) return send_signature(c, c->argv[0], decision, c->argv[operands]);
	if (!c->key) return how_to_sign(c, decision, operands);
	intent in = {.operation_id = c->argv[0],
	             .decision = decision,
	             .principal = who(c),
	             .role = c->role,
	             .assurance = c->assurance};
	return sign_with_key(c, &in);
}

int verb_approve(cli *c)
{
	return c->argc < 1 ? cli_usage(c, "which operation? warroom pending lists those that wait")
	                   : decide(c, "approve", 1);
}
int verb_deny(cli *c)
{
	return c->argc < 1 ? cli_usage(c, "which operation? warroom status shows them")
	                   : decide(c, "deny", 1);
}
int verb_hold(cli *c)
{
	return c->argc < 1 ? cli_usage(c, "which operation? warroom status shows them")
	                   : decide(c, "hold", 1);
}
int verb_resume(cli *c)
{
	return c->argc < 1 ? cli_usage(c, "which operation? warroom status shows them")
	                   : decide(c, "resume", 1);
}
int verb_abort(cli *c)
{
	return c->argc < 1 ? cli_usage(c, "which operation? warroom status shows them")
	                   : decide(c, "abort", 1);
}

int verb_rule(cli *c)
{
	if (c->argc < 3) return cli_usage(c, "use: rule ID STEP done|not_done|skip");
	char decision[96];
	snprintf(decision, sizeof decision, "rule:%.60s:%.12s", c->argv[1], c->argv[2]);
	return decide(c, decision, 3);
}

int verb_tick(cli *c)
{
	if (c->argc < 2) return cli_usage(c, "use: tick ID STEP");
	char decision[96];
	snprintf(decision, sizeof decision, "tick:%.60s", c->argv[1]);
	return decide(c, decision, 2);
}

static int list_pending(cli *c)
{
	int rc = EXIT_OK;
	json_t *s = cli_call(c, "/v1/state", NULL, &rc);
	if (!s) return rc;
	json_t *list = json_array(), *op;
	size_t i;
	bool none = true;
	json_array_foreach (json_object_get(s, "operations"), i, op) {
		if (op_is_over(op) || !op_waits(op)) continue;
		none = false;
		if (c->json) {
			(void)json_array_append(list, op);
		} else {
			say_operation(c, op);
			say_waits(c, op);
		}
	}
	if (c->json)
		cli_print_json(list);
	else if (none)
		say(c, stdout, "nothing waits for anyone\n");
	json_decref(list);
	json_decref(s);
	return EXIT_OK;
}

int verb_pending(cli *c)
{
	if (c->argc == 0) return list_pending(c);
	if (c->argc > 1) return cli_usage(c, "one operation at a time");
	if (!cli_client(c)) return EXIT_USAGE;
	intent in = {.operation_id = c->argv[0],
	             .decision = c->decision ? c->decision : "approve",
	             .principal = who(c),
	             .role = c->role,
	             .assurance = c->assurance};
	wr_err err = {0};
	json_t *ch = operator_challenge(c->client, &in, &err);
	if (!ch) return cli_error(c, &err);
	/* Exactly the bytes to sign, no newline: this goes into ssh-keygen. What it means goes to the
	 * person. */
	if (!c->json) {
		if (isatty(STDERR_FILENO) || !isatty(STDOUT_FILENO)) show_before_signing(c, ch);
		fputs(wr_json_str(ch, "message", ""), stdout);
	} else {
		cli_print_json(ch);
	}
	json_decref(ch);
	return EXIT_OK;
}

/* A draft without a signature: printed for `pending`. */
static int print_draft(cli *c, const intent *in)
{
	wr_err err = {0};
	json_t *ch = operator_challenge(c->client, in, &err);
	if (!ch) return cli_error(c, &err);
	if (c->json)
		cli_print_json(ch);
	else
		say(c, stdout,
		    "%s\ndraft %s, expected loss: %s\nNothing is proposed until someone signs it:\n"
		    "  warroom pending %s --as %s | ssh-keygen -Y sign -n warroom-approval -f KEY | "
		    "warroom approve %s -\n",
		    wr_json_str(ch, "text", ""), wr_json_str(ch, "operation_id", ""),
		    wr_json_str(json_object_get(ch, "loss"), "text", "unknown"),
		    wr_json_str(ch, "operation_id", ""), in->principal,
		    wr_json_str(ch, "operation_id", ""));
	json_decref(ch);
	return EXIT_OK;
}

/* Says which regions there are, if the engine answers. */
static int which_regions(cli *c)
{
	char path[512], list[256] = "";
	wr_err err = {0};
	json_t *s = NULL, *r;
	if (cli_socket(c, path, sizeof path, &err) == 0 && (c->client = client_new(path, &err)))
		s = client_call(c->client, "/v1/state", NULL, 2000, &err);
	size_t i, n = 0;
	json_array_foreach (json_object_get(s, "regions"), i, r)
		if (n < sizeof list && wr_name_ok(wr_json_str(r, "name", "")))
			n += (size_t)snprintf(list + n, sizeof list - n, "%s%s (%.20s)",
			                      n ? ", " : "; there are ", wr_json_str(r, "name", ""),
			                      wr_json_str(r, "role", ""));
	json_decref(s);
	return cli_usage(c,
	                 "say --from REGION and --to REGION, nothing is guessed when something will be "
	                 "moved%s",
	                 list);
}

int verb_propose(cli *c)
{
	if (c->argc != 1) return cli_usage(c, "name one action: failover, failback or a runbook");
	if (c->read_only && c->key) return read_only(c);
	if (!c->from || !c->to) return which_regions(c);
	if (!c->reason || !*c->reason)
		return cli_usage(c, "say why with --reason: it stays in the record");
	if (!cli_client(c)) return EXIT_USAGE;
	intent in = {.action = c->argv[0],
	             .from = c->from,
	             .to = c->to,
	             .reason = c->reason,
	             .runbook = c->runbook,
	             .decision = c->propose_only ? "propose" : "approve",
	             .principal = who(c),
	             .role = c->role,
	             .assurance = c->assurance};
	return c->key ? sign_with_key(c, &in) : print_draft(c, &in);
}
