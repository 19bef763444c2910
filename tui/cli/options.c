/* options.c: the command line's options, before or behind the verb. The line is read twice: first
 * to find the verb and its sub-verb, because only their tables say which options take a value. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

const cli_option cli_common[] = {
    {"socket", "PATH", "the engine's socket (default $WARROOM_SOCKET, else the configuration's)"},
    {"config", "FILE", "the configuration (default $WARROOM_CONFIG, else ./warroom.yaml)"},
    {"read-only", NULL, "no key on the screen can change anything"},
    {"ascii", NULL, "no character beyond ASCII"},
    {"theme", "NAME", "dark, light, high-contrast, colour-blind, mono or a file"},
    {"no-colour", NULL, "as NO_COLOR"},
    {"json", NULL, "machine-readable answers, errors too"},
    {"help", NULL, "help; after a verb: that verb's"},
    {"version", NULL, "print the version"},
    {NULL, NULL, NULL}};

/* Other spellings of the common ones. */
static const struct {
	const char *spelling, *name;
} aliases[] = {{"c", "config"}, {"h", "help"}, {"no-color", "no-colour"}};

typedef enum { TEXT, FLAG } field_kind;
static const struct {
	const char *name;
	field_kind kind;
	size_t at;
} fields[] = {
    {"socket", TEXT, offsetof(cli, socket)},     {"config", TEXT, offsetof(cli, config)},
    {"json", FLAG, offsetof(cli, json)},         {"read-only", FLAG, offsetof(cli, read_only)},
    {"ascii", FLAG, offsetof(cli, ascii)},       {"no-colour", FLAG, offsetof(cli, no_colour)},
    {"help", FLAG, offsetof(cli, help)},         {"version", FLAG, offsetof(cli, version)},
    {"from", TEXT, offsetof(cli, from)},         {"to", TEXT, offsetof(cli, to)},
    {"reason", TEXT, offsetof(cli, reason)},     {"runbook", TEXT, offsetof(cli, runbook)},
    {"as", TEXT, offsetof(cli, principal)},      {"role", TEXT, offsetof(cli, role)},
    {"key", TEXT, offsetof(cli, key)},           {"assurance", TEXT, offsetof(cli, assurance)},
    {"note", TEXT, offsetof(cli, note)},         {"only", FLAG, offsetof(cli, propose_only)},
    {"watch", FLAG, offsetof(cli, watch)},       {"auto", FLAG, offsetof(cli, auto_play)},
    {"decision", TEXT, offsetof(cli, decision)}, {"theme", TEXT, offsetof(cli, theme)},
};

/* One word of the line: an operand, or an option with its value. */
typedef struct word {
	const char *text;         /* as written */
	size_t len;               /* of the option's name in text, behind its dashes */
	const cli_option *option; /* NULL with is_option: nobody knows it */
	const char *value;        /* NULL: none */
	bool is_option, attached; /* attached: --name=value */
} word;

typedef struct reader {
	int argc, at;
	char **argv;
	bool operands_only; /* behind -- */
	const verb *v;
	const cli_sub *sub;
} reader;

static const char *dashes(const char *name)
{
	return name[1] ? "--" : "-";
}

static const cli_option *in_table(const cli_option *t, const char *name, size_t len)
{
	for (; t && t->name; t++)
		if (strlen(t->name) == len && !memcmp(t->name, name, len)) return t;
	return NULL;
}

/* Somewhere in the tables, to know whether it takes a value before its verb is known. */
static const cli_option *anywhere(const char *name, size_t len)
{
	const cli_option *o = NULL;
	for (const verb *v = verbs; !o && v->name; v++) {
		o = in_table(v->options, name, len);
		for (const cli_sub *s = v->subs; !o && s && s->name; s++)
			o = in_table(s->options, name, len);
	}
	return o;
}

static const cli_option *find_option(const reader *r, const char *name, size_t len)
{
	const cli_option *o = r->sub ? in_table(r->sub->options, name, len) : NULL;
	if (!o && r->v) o = in_table(r->v->options, name, len);
	for (size_t i = 0; !o && i < sizeof aliases / sizeof *aliases; i++)
		if (strlen(aliases[i].spelling) == len && !memcmp(aliases[i].spelling, name, len))
			return in_table(cli_common, aliases[i].name, strlen(aliases[i].name));
	return o ? o : in_table(cli_common, name, len);
}

/* A value that looks like an option is most likely a forgotten value. */
static void take_value(reader *r, word *w)
{
	const char *next = r->at < r->argc ? r->argv[r->at] : NULL;
	if (!next || !strncmp(next, "--", 2)) return;
	w->value = next;
	r->at++;
}

static bool next_word(reader *r, bool guess, word *w)
{
	if (r->at >= r->argc) return false;
	*w = (word){.text = r->argv[r->at++]};
	if (!r->operands_only && !strcmp(w->text, "--")) {
		r->operands_only = true;
		return next_word(r, guess, w);
	}
	w->is_option = !r->operands_only && w->text[0] == '-' && w->text[1];
	if (!w->is_option) return true;
	bool longer = w->text[1] == '-';
	const char *name = w->text + (longer ? 2 : 1);
	w->len = longer ? strcspn(name, "=") : 1;
	w->option = find_option(r, name, w->len);
	if (!w->option && guess) w->option = anywhere(name, w->len);
	w->attached = name[w->len] != '\0';
	if (w->attached)
		w->value = name + w->len + (longer ? 1 : 0);
	else if (w->option && w->option->value)
		take_value(r, w);
	return true;
}

static void find_words(cli *c, reader *r)
{
	word w;
	while (next_word(r, true, &w)) {
		if (w.is_option) {
			if (w.option && !strcmp(w.option->name, "json")) c->json = true;
		} else if (!c->verb) {
			c->verb = w.text;
			r->v = cli_find_verb(w.text);
		} else if (r->v && r->v->subs && !r->sub) {
			r->sub = cli_find_sub(r->v, w.text);
			return;
		}
	}
}

/* "ledger tail", for messages. */
static const char *whom(const reader *r, char out[static 96])
{
	snprintf(out, 96, "%.30s%s%.30s", r->v ? r->v->name : "the screen", r->sub ? " " : "",
	         r->sub ? r->sub->name : "");
	return out;
}

static int unknown(const cli *c, const reader *r, const word *w)
{
	char name[96];
	int shown = (int)(w->len < 40 ? w->len : 40) + (w->text[1] == '-' ? 2 : 1);
	const char *bare = w->text + (w->text[1] == '-' ? 2 : 1);
	if (anywhere(bare, w->len) || !w->len)
		return cli_usage(c, "%s takes no option %.*s", whom(r, name), shown, w->text);
	const cli_option *tables[] = {r->sub ? r->sub->options : NULL, r->v ? r->v->options : NULL,
	                              cli_common};
	for (size_t i = 0; w->len > 1 && i < sizeof tables / sizeof *tables; i++)
		for (const cli_option *o = tables[i]; o && o->name; o++)
			if (!strncmp(o->name, bare, w->len < 3 ? w->len : 3))
				return cli_usage(c, "unknown option %.*s: did you mean --%s?", shown, w->text,
				                 o->name);
	return cli_usage(c, "unknown option %.*s", shown, w->text);
}

/* The options that older verbs read as members of cli. */
static void set_field(cli *c, const char *name, const char *value)
{
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		if (strcmp(fields[i].name, name) != 0) continue;
		void *at = (char *)c + fields[i].at;
		if (fields[i].kind == FLAG)
			*(bool *)at = true;
		else
			*(const char **)at = value;
	}
}

static int take_option(cli *c, const reader *r, const word *w)
{
	const cli_option *o = w->option;
	if (!o) return unknown(c, r, w);
	if (o->value && !w->value)
		return cli_usage(c, "%s%s needs a value: %s%s %s", dashes(o->name), o->name,
		                 dashes(o->name), o->name, o->value);
	if (!o->value && w->attached)
		return cli_usage(c, "%s%s takes no value", dashes(o->name), o->name);
	if (c->given_count == CLI_GIVEN_MAX) return cli_usage(c, "more than %d options", CLI_GIVEN_MAX);
	c->given[c->given_count].name = o->name;
	c->given[c->given_count++].value = w->value ? w->value : "";
	set_field(c, o->name, w->value ? w->value : "");
	return EXIT_OK;
}

int cli_parse(cli *c, int argc, char **argv)
{
	reader r = {.argc = argc, .at = 1, .argv = argv};
	find_words(c, &r);
	c->sub = r.sub;
	r.at = 1;
	r.operands_only = false;
	/* Operands move to the front of argv, never past the word that is read. */
	int operands = 0, skip = (c->verb ? 1 : 0) + (c->sub ? 1 : 0), rc;
	word w;
	while (next_word(&r, false, &w)) {
		if (!w.is_option)
			argv[operands++] = r.argv[r.at - 1];
		else if ((rc = take_option(c, &r, &w)) != EXIT_OK)
			return rc;
	}
	if (operands < skip || (skip && argv[0] != c->verb))
		return cli_usage(c, "options with a value go behind the verb");
	c->argv = argv + skip;
	c->argc = operands - skip;
	return EXIT_OK;
}

const char *cli_opt(const cli *c, const char *name)
{
	for (size_t i = c->given_count; i-- > 0;)
		if (!strcmp(c->given[i].name, name)) return c->given[i].value;
	return NULL;
}

int cli_number(const cli *c, const char *name, int64_t least, int64_t most, int64_t *out)
{
	const char *value = cli_opt(c, name);
	if (!value) return EXIT_OK;
	char *end;
	errno = 0;
	long long n = strtoll(value, &end, 10);
	if (end == value || *end || errno || n < least || n > most)
		return cli_usage(c, "%s%s %.40s: a number from %lld to %lld", dashes(name), name, value,
		                 (long long)least, (long long)most);
	*out = n;
	return EXIT_OK;
}
