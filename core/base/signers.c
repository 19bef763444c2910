/* signers.c: who may sign, from an OpenSSH allowed_signers file.
 *
 * The grammar is OpenSSH's (ssh-keygen(1), ALLOWED SIGNERS), so that one file serves ssh-keygen and
 * us; what we cannot hold to its word is refused with name:line instead of skipped, because a
 * skipped line is an operator who finds out during an incident. Principals are literal: a pattern
 * would let the signer choose a name, and two people would stop being two. Pure; thread-safe. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "warroom/clock.h"
#include "warroom/limits.h"
#include "warroom/sshsig.h"
#include "warroom/text.h"

#define BLANK         " \t"
#define SHOWN_MAX     80 /* of the file's own text in a message */
#define US_PER_SECOND INT64_C(1000000)

typedef struct options {
	bool has_namespaces;
	char namespaces[sizeof(((wr_signer *)0)->namespaces)];
	int64_t valid_after_us, valid_before_us;
} options;

/* has_wildcard: would OpenSSH read it as a pattern? */
static bool has_wildcard(const char *s)
{
	return strpbrk(s, "*?!") != NULL;
}

static bool looks_like_key_type(const char *s)
{
	static const char *const prefixes[] = {"ssh-", "sk-", "ecdsa-", "rsa-", "webauthn-"};
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(s, prefixes[i], strlen(prefixes[i])) == 0) return true;
	return false;
}

/* keyword advances *p past "name" followed by `end`, in any case. */
static bool keyword(const char **p, const char *name, char end)
{
	const size_t n = strlen(name);
	if (strncasecmp(*p, name, n) != 0 || (*p)[n] != end) return false;
	*p += n + 1;
	return true;
}

static int dequote(const char **p, char *out, size_t size, wr_err *err)
{
	const char *s = *p;
	size_t n = 0;
	if (*s++ != '"') return wr_fail(err, WR_E_INVALID, "put the option's value in double quotes");
	for (; *s != '\0' && *s != '"'; s++) {
		if (s[0] == '\\' && s[1] == '"') s++;
		if (n + 1 >= size)
			return wr_fail(err, WR_E_LIMIT, "the option's value is longer than %zu bytes",
			               size - 1);
		out[n++] = *s;
	}
	if (*s != '"') return wr_fail(err, WR_E_INVALID, "a double quote is missing");
	out[n] = '\0';
	*p = s + 1;
	return 0;
}

static int number(const char *s, size_t digits)
{
	int value = 0;
	for (size_t i = 0; i < digits; i++) value = value * 10 + (s[i] - '0');
	return value;
}

/* days_to counts days from 1970-01-01 to a date of the Gregorian calendar, year >= 1970. */
static int64_t days_to(int year, int month, int day)
{
	static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	const int64_t y = year - 1;
	const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	const int64_t leaps = y / 4 - y / 100 + y / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
	return (year - 1970) * INT64_C(365) + leaps + before[month - 1] + (leap && month > 2) + day - 1;
}

static int days_in(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return days[month - 1] + (leap && month == 2);
}

/* parse_time reads YYYYMMDD[HHMM[SS]] with the Z (or UTC) that OpenSSH makes optional: without it
 * the moment depends on the time zone of whoever reads the file. */
static int parse_time(const char *s, int64_t *us, wr_err *err)
{
	const size_t n = strspn(s, "0123456789");
	if (n != 8 && n != 12 && n != 14)
		return wr_fail(err, WR_E_INVALID, "write the time as YYYYMMDD[HHMM[SS]]Z");
	if (s[n] == '\0')
		return wr_fail(err, WR_E_INVALID,
		               "local times are not accepted: end the time with Z, for UTC");
	if (strcasecmp(s + n, "Z") != 0 && strcasecmp(s + n, "UTC") != 0)
		return wr_fail(err, WR_E_INVALID, "write the time as YYYYMMDD[HHMM[SS]]Z");
	const int year = number(s, 4), month = number(s + 4, 2), day = number(s + 6, 2);
	const int hour = n > 8 ? number(s + 8, 2) : 0, minute = n > 8 ? number(s + 10, 2) : 0;
	const int second = n > 12 ? number(s + 12, 2) : 0;
	if (year < 1971 || month < 1 || month > 12 || day < 1 || day > days_in(year, month) ||
	    hour > 23 || minute > 59 || second > 59)
		return wr_fail(err, WR_E_INVALID, "there is no such date or time");
	*us = (((days_to(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * US_PER_SECOND;
	return 0;
}

static int parse_time_option(const char **p, const char *name, int64_t *us, wr_err *err)
{
	char value[32];
	if (*us != 0) return wr_fail(err, WR_E_INVALID, "%s is given twice", name);
	if (dequote(p, value, sizeof(value), err) != 0 || parse_time(value, us, err) != 0)
		return wr_err_wrap(err, "%s", name);
	return 0;
}

static int parse_namespaces(const char **p, options *o, wr_err *err)
{
	if (o->has_namespaces) return wr_fail(err, WR_E_INVALID, "namespaces is given twice");
	if (dequote(p, o->namespaces, sizeof(o->namespaces), err) != 0)
		return wr_err_wrap(err, "namespaces");
	o->has_namespaces = true;
	if (o->namespaces[0] == '\0') return wr_fail(err, WR_E_INVALID, "namespaces is empty");
	for (const char *s = o->namespaces; *s != '\0'; s++)
		if (*s <= 0x20 || *s >= 0x7f)
			return wr_fail(err, WR_E_INVALID, "namespaces has a character that is not plain ASCII");
	return 0;
}

static int parse_option(const char **p, options *o, wr_err *err)
{
	char shown[SHOWN_MAX];
	if (keyword(p, "namespaces", '=')) return parse_namespaces(p, o, err);
	if (keyword(p, "valid-after", '='))
		return parse_time_option(p, "valid-after", &o->valid_after_us, err);
	if (keyword(p, "valid-before", '='))
		return parse_time_option(p, "valid-before", &o->valid_before_us, err);
	if (strncasecmp(*p, "cert-authority", strlen("cert-authority")) == 0)
		return wr_fail(err, WR_E_INVALID,
		               "certificates are not accepted: list each operator's own key");
	return wr_fail(err, WR_E_INVALID, "unknown option: %s",
	               wr_sanitise_to(shown, sizeof(shown), *p));
}

static int parse_options(const char **p, options *o, wr_err *err)
{
	for (;;) {
		if (parse_option(p, o, err) != 0) return -1;
		if (**p == ' ' || **p == '\t') break;
		if (**p == '\0') return wr_fail(err, WR_E_INVALID, "there is no key on the line");
		if (*(*p)++ != ',')
			return wr_fail(err, WR_E_INVALID, "a comma or a space must follow the option's value");
	}
	if (o->valid_after_us != 0 && o->valid_before_us != 0 &&
	    o->valid_before_us <= o->valid_after_us)
		return wr_fail(err, WR_E_INVALID, "valid-before is not after valid-after");
	return 0;
}

/* take_principals cuts the first field off the line; it may be quoted as a whole. */
static char *take_principals(char **line, wr_err *err)
{
	char *field = *line, *end;
	if (*field == '"') {
		end = strchr(++field, '"');
		if (end == NULL) {
			(void)wr_fail(err, WR_E_INVALID, "a double quote is missing");
			return NULL;
		}
	} else {
		end = field + strcspn(field, BLANK);
	}
	*line = end + (*end != '\0');
	*end = '\0';
	return field;
}

static int add_signer(wr_signers *s, const wr_signer *signer, wr_err *err)
{
	if (s->count >= WR_MAX_SIGNERS)
		return wr_fail(err, WR_E_LIMIT, "more than %d signers", WR_MAX_SIGNERS);
	if ((s->count & (s->count - 1)) == 0) {
		const size_t cap = s->count == 0 ? 1 : s->count * 2;
		wr_signer *items = reallocarray(s->items, cap, sizeof(*items));
		if (items == NULL) return wr_fail(err, WR_E_NOMEM, "out of memory");
		s->items = items;
	}
	s->items[s->count++] = *signer;
	return 0;
}

/* add_principals makes an entry of each name in the comma-separated list. */
static int add_principals(wr_signers *s, wr_signer *signer, char *list, wr_err *err)
{
	char shown[SHOWN_MAX];
	for (char *name = list, *next; name != NULL; name = next) {
		next = strchr(name, ',');
		if (next != NULL) *next++ = '\0';
		if (has_wildcard(name))
			return wr_fail(err, WR_E_INVALID,
			               "principal \"%s\" is a pattern: write each operator's name",
			               wr_sanitise_to(shown, sizeof(shown), name));
		if (!wr_name_ok(name))
			return wr_fail(err, WR_E_INVALID,
			               "principal \"%s\" is not a name (1 to 63 of A-Z a-z 0-9 . _ @ -)",
			               wr_sanitise_to(shown, sizeof(shown), name));
		memset(signer->principal, 0, sizeof(signer->principal));
		memcpy(signer->principal, name, strlen(name));
		if (add_signer(s, signer, err) != 0) return -1;
	}
	return 0;
}

static int parse_line(wr_signers *s, char *line, unsigned number_of_line, wr_err *err)
{
	line += strspn(line, BLANK);
	if (*line == '\0' || *line == '#') return 0;
	char *rest = line;
	char *principals = take_principals(&rest, err);
	if (principals == NULL) return -1;
	if (looks_like_key_type(principals))
		return wr_fail(err, WR_E_INVALID,
		               "the line starts with a key: put the operator's name in front of it");
	options o = {.has_namespaces = false};
	const char *p = rest + strspn(rest, BLANK);
	if (*p != '\0' && !looks_like_key_type(p) && parse_options(&p, &o, err) != 0) return -1;

	wr_signer signer = {.line = number_of_line,
	                    .any_namespace = !o.has_namespaces,
	                    .valid_after_us = o.valid_after_us,
	                    .valid_before_us = o.valid_before_us};
	memcpy(signer.namespaces, o.namespaces, sizeof(signer.namespaces));
	if (wr_pubkey_parse(&signer.key, p, err) != 0) return -1;
	return add_principals(s, &signer, principals, err);
}

static int parse_lines(wr_signers *out, char *text, size_t len, const char *name, wr_err *err)
{
	char shown[SHOWN_MAX];
	unsigned number_of_line = 0;
	for (char *line = text, *end = text + len; line < end;) {
		char *eol = memchr(line, '\n', (size_t)(end - line));
		if (eol == NULL) eol = end;
		const bool nul = memchr(line, '\0', (size_t)(eol - line)) != NULL;
		*eol = '\0';
		if (eol > line && eol[-1] == '\r') eol[-1] = '\0';
		number_of_line++;
		int rc = nul ? wr_fail(err, WR_E_INVALID, "the line has a NUL byte")
		             : parse_line(out, line, number_of_line, err);
		if (rc != 0)
			return wr_err_wrap(err, "%s:%u", wr_sanitise_to(shown, sizeof(shown), name),
			                   number_of_line);
		line = eol + 1;
	}
	return 0;
}

int wr_signers_parse(wr_signers *out, const char *text, size_t len, const char *name, wr_err *err)
{
	char shown[SHOWN_MAX];
	*out = (wr_signers){.items = NULL};
	if (len > WR_SIGNERS_MAX)
		return wr_fail(err, WR_E_LIMIT, "%s: longer than %u bytes",
		               wr_sanitise_to(shown, sizeof(shown), name), WR_SIGNERS_MAX);
	char *copy = malloc(len + 1);
	if (copy == NULL) return wr_fail(err, WR_E_NOMEM, "out of memory");
	if (len > 0) memcpy(copy, text, len);
	int rc = parse_lines(out, copy, len, name, err);
	free(copy);
	if (rc != 0) wr_signers_free(out);
	return rc;
}

void wr_signers_free(wr_signers *s)
{
	if (s == NULL) return;
	free(s->items);
	*s = (wr_signers){.items = NULL};
}

/* glob matches `text` against a pattern of * and ?, without recursion: on a mismatch the last star
 * takes one character more. */
static bool glob(const char *pattern, size_t pattern_len, const char *text)
{
	size_t p = 0, star = SIZE_MAX;
	const char *t = text, *star_text = NULL;
	while (*t != '\0') {
		if (p < pattern_len && pattern[p] == '*') {
			star = p++;
			star_text = t;
		} else if (p < pattern_len && (pattern[p] == '?' || pattern[p] == *t)) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++star_text;
		} else {
			return false;
		}
	}
	while (p < pattern_len && pattern[p] == '*') p++;
	return p == pattern_len;
}

/* in_pattern_list: one pattern matches, and no negated one does. */
static bool in_pattern_list(const char *list, const char *text)
{
	bool matched = false;
	for (const char *p = list;; p++) {
		const bool negated = *p == '!';
		if (negated) p++;
		const size_t n = strcspn(p, ",");
		if (glob(p, n, text)) {
			if (negated) return false;
			matched = true;
		}
		p += n;
		if (*p == '\0') return matched;
	}
}

static bool same_key(const wr_pubkey *a, const wr_pubkey *b)
{
	return a->sk == b->sk && memcmp(a->ed25519, b->ed25519, sizeof(a->ed25519)) == 0 &&
	       strcmp(a->application, b->application) == 0;
}

/* check_signer: may `signer` sign for `ns` at `at_us`? */
static int check_signer(const wr_signer *signer, const char *ns, int64_t at_us, wr_err *err)
{
	char when[WR_TIME_LEN], shown[SHOWN_MAX];
	if (!signer->any_namespace && !in_pattern_list(signer->namespaces, ns))
		return wr_fail(err, WR_E_DENIED,
		               "the key of %s (line %u) may not sign for namespace \"%s\"",
		               signer->principal, signer->line, wr_sanitise_to(shown, sizeof(shown), ns));
	if (signer->valid_after_us != 0 && at_us < signer->valid_after_us) {
		wr_time_format(when, signer->valid_after_us);
		return wr_fail(err, WR_E_DENIED, "the key of %s (line %u) is not valid before %s",
		               signer->principal, signer->line, when);
	}
	if (signer->valid_before_us != 0 && at_us > signer->valid_before_us) {
		wr_time_format(when, signer->valid_before_us);
		return wr_fail(err, WR_E_DENIED, "the key of %s (line %u) expired at %s", signer->principal,
		               signer->line, when);
	}
	return 0;
}

const wr_signer *wr_signers_find(const wr_signers *s, const char *principal, const wr_pubkey *key,
                                 const char *ns, int64_t at_us, wr_err *err)
{
	bool known = false, theirs = false;
	for (size_t i = 0; i < s->count; i++) {
		const wr_signer *signer = &s->items[i];
		if (strcmp(signer->principal, principal) != 0) continue;
		known = true;
		if (!same_key(&signer->key, key)) continue;
		/* The first entry's reason is the one reported when no entry of the key will do. */
		if (check_signer(signer, ns, at_us, theirs ? NULL : err) == 0) {
			if (err != NULL) *err = (wr_err){.code = WR_E_OK};
			return signer;
		}
		theirs = true;
	}
	char shown[SHOWN_MAX];
	(void)wr_sanitise_to(shown, sizeof(shown), principal);
	if (!known)
		(void)wr_fail(err, WR_E_NOT_FOUND, "%s is not among the allowed signers", shown);
	else if (!theirs)
		(void)wr_fail(err, WR_E_DENIED, "the key %s is not one of %s's", key->fingerprint, shown);
	return NULL;
}

const wr_signer *wr_signers_same_key(const wr_signers *s, const wr_pubkey *key,
                                     const char *other_than_principal)
{
	for (size_t i = 0; i < s->count; i++) {
		const wr_signer *signer = &s->items[i];
		if (memcmp(signer->key.ed25519, key->ed25519, sizeof(key->ed25519)) == 0 &&
		    (other_than_principal == NULL || strcmp(signer->principal, other_than_principal) != 0))
			return signer;
	}
	return NULL;
}
