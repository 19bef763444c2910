/* test_signers.c: allowed_signers as OpenSSH reads it, and stricter where DESIGN.md asks for it. */
#include "ssh_tool.h"

#include <time.h>

#include "warroom/clock.h"
#include "warroom/limits.h"

#define NS   WR_NS_APPROVAL
#define NAME "ops/signers"

typedef struct person {
	uint8_t secret[64];
	wr_pubkey key;
	char line[128]; /* "ssh-ed25519 AAAA…" */
} person;

static person new_person(void)
{
	person p;
	uint8_t public_key[32];
	wr_buf line = WR_BUF_INIT(127);
	crypto_sign_keypair(public_key, p.secret);
	wr_pubkey_from_ed25519(&p.key, public_key);
	wr_pubkey_format(&line, &p.key);
	memcpy(p.line, wr_buf_cstr(&line), line.len + 1);
	wr_buf_free(&line);
	return p;
}

/* expand replaces each ^ by the key line. */
static const char *expand(wr_buf *out, const char *form, const char *key_line)
{
	wr_buf_reset(out);
	for (; *form != '\0'; form++)
		if (*form == '^')
			wr_buf_adds(out, key_line);
		else
			wr_buf_addc(out, *form);
	return wr_buf_cstr(out);
}

static void parse_ok(wr_signers *s, const char *text)
{
	wr_err err;
	if (wr_signers_parse(s, text, strlen(text), NAME, &err) != 0) fail_msg("%s", err.msg);
}

static int64_t at(const char *rfc3339)
{
	int64_t us;
	wr_err err;
	if (wr_time_parse(rfc3339, &us, &err) != 0) fail_msg("%s", err.msg);
	return us;
}

static void a_whole_file_is_read(void **state)
{
	(void)state;
	const person p = new_person();
	wr_buf text = WR_BUF_INIT(8192);
	wr_signers s;
	parse_ok(&s, expand(&text,
	                    "# people\n"
	                    "\n"
	                    "alice ^ alice's laptop\n"
	                    "  \t# indented comment\r\n"
	                    "bob,carol\tnamespaces=\"warroom-approval,file\"  ^\r\n"
	                    "\"dave,erin\" VALID-AFTER=\"20260101Z\",Valid-Before=\"202601251240Z\" ^\n"
	                    "   \t \n"
	                    "frank.o-hara_2 valid-before=\"20260125124015z\" ^",
	                    p.line));
	static const char *const names[] = {"alice", "bob", "carol", "dave", "erin", "frank.o-hara_2"};
	static const unsigned lines[] = {3, 5, 5, 6, 6, 8};
	assert_int_equal(s.count, 6);
	for (size_t i = 0; i < s.count; i++) {
		assert_string_equal(s.items[i].principal, names[i]);
		assert_int_equal(s.items[i].line, lines[i]);
		assert_memory_equal(&s.items[i].key, &p.key, sizeof(p.key));
		assert_int_equal(s.items[i].any_namespace, i < 1 || i > 2);
	}
	assert_string_equal(s.items[1].namespaces, "warroom-approval,file");
	assert_true(s.items[3].valid_after_us == at("2026-01-01T00:00:00Z"));
	assert_true(s.items[3].valid_before_us == at("2026-01-25T12:40:00Z"));
	assert_true(s.items[5].valid_before_us == at("2026-01-25T12:40:15Z"));
	assert_true(s.items[0].valid_before_us == 0 && s.items[0].valid_after_us == 0);
	wr_signers_free(&s);
	assert_int_equal(s.count, 0);
	wr_buf_free(&text);
}

static void empty_files_have_no_signers(void **state)
{
	(void)state;
	static const char *const empty[] = {"", "\n", "\r\n", "#", "# only\n# comments", " \t"};
	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
		wr_signers s;
		parse_ok(&s, empty[i]);
		assert_int_equal(s.count, 0);
		wr_signers_free(&s);
	}
	wr_signers s;
	assert_int_equal(wr_signers_parse(&s, NULL, 0, NAME, NULL), 0);
	wr_signers_free(&s);
	wr_signers_free(NULL);
}

static void what_cannot_be_honoured_is_refused_with_its_place(void **state)
{
	(void)state;
	static const struct {
		const char *form, *why;
	} cases[] = {
	    {"* ^", "pattern"},
	    {"*@example.com ^", "pattern"},
	    {"alic? ^", "pattern"},
	    {"alice,!bob ^", "pattern"},
	    {"alice,b* ^", "pattern"},
	    {"alice, ^", "not a name"},
	    {",alice ^", "not a name"},
	    {"\"\" ^", "not a name"},
	    {"\"alice bob\" ^", "not a name"},
	    {"al/ice ^", "not a name"},
	    {"al\xc3\xad"
	     "ce ^",
	     "not a name"},
	    {"a\033[2Jb ^", "not a name"},
	    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ^", "not a name"},
	    {"\"alice ^", "double quote"},
	    {"alice", "no key"},
	    {"alice ", "no key"},
	    {"^", "starts with a key"},
	    {"alice ssh-ed25519", "base64 is missing"},
	    {"alice ssh-ed25519 AAAA", "cut short"},
	    {"alice ssh-rsa AAAAB3NzaC1yc2E=", "ssh-rsa is not accepted: use ed25519"},
	    {"alice ecdsa-sha2-nistp256 AAAA", "ecdsa-sha2-nistp256"},
	    {"alice sk-ecdsa-sha2-nistp256@openssh.com AAAA", "sk-ecdsa"},
	    {"alice ssh-ed25519-cert-v01@openssh.com AAAA", "ssh-ed25519-cert"},
	    {"alice cert-authority ^", "certificates"},
	    {"alice CERT-AUTHORITY,namespaces=\"file\" ^", "certificates"},
	    {"alice no-touch-required ^", "unknown option"},
	    {"alice namespace=\"file\" ^", "unknown option"},
	    {"alice \033[31m ^", "unknown option"},
	    {"alice namespaces=file ^", "double quotes"},
	    {"alice namespaces=\"file ^", "double quote is missing"},
	    {"alice namespaces=\"\" ^", "empty"},
	    {"alice namespaces=\"a b\" ^", "plain ASCII"},
	    {"alice namespaces=\"a\",namespaces=\"b\" ^", "twice"},
	    {"alice namespaces=\"a\"", "no key"},
	    {"alice namespaces=\"a\",", "unknown option"},
	    {"alice namespaces=\"a\", ^", "unknown option"},
	    {"alice namespaces=\"a\"x ^", "comma"},
	    {"alice ,namespaces=\"a\" ^", "unknown option"},
	    {"alice valid-after=\"20260101\" ^", "end the time with Z"},
	    {"alice valid-after=\"202601010000\" ^", "end the time with Z"},
	    {"alice valid-before=\"20260101000000\" ^", "end the time with Z"},
	    {"alice valid-before=20260101Z ^", "double quotes"},
	    {"alice valid-before=\"20260101ZZ\" ^", "YYYYMMDD"},
	    {"alice valid-before=\"2026-01-01\" ^", "YYYYMMDD"},
	    {"alice valid-before=\"2026010112Z\" ^", "YYYYMMDD"},
	    {"alice valid-before=\"\" ^", "YYYYMMDD"},
	    {"alice valid-before=\"20260230Z\" ^", "no such date"},
	    {"alice valid-before=\"20260431Z\" ^", "no such date"},
	    {"alice valid-before=\"20261301Z\" ^", "no such date"},
	    {"alice valid-before=\"20260001Z\" ^", "no such date"},
	    {"alice valid-before=\"20260100Z\" ^", "no such date"},
	    {"alice valid-before=\"21000229Z\" ^", "no such date"},
	    {"alice valid-before=\"202601012400Z\" ^", "no such date"},
	    {"alice valid-before=\"202601012360Z\" ^", "no such date"},
	    {"alice valid-before=\"20260101235960Z\" ^", "no such date"},
	    {"alice valid-before=\"00000101Z\" ^", "no such date"},
	    {"alice valid-before=\"20260101Z\",valid-before=\"20260101Z\" ^", "twice"},
	    {"alice valid-after=\"20260102Z\",valid-before=\"20260101Z\" ^", "not after"},
	    {"alice valid-after=\"20260101Z\",valid-before=\"20260101Z\" ^", "not after"},
	};
	const person p = new_person();
	wr_buf text = WR_BUF_INIT(8192), lines = WR_BUF_INIT(8192);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		wr_buf_reset(&lines);
		wr_buf_addf(&lines, "# one\nzoe ^\n%s\nyan ^\n", cases[i].form);
		expand(&text, wr_buf_cstr(&lines), p.line);
		wr_signers s;
		wr_err err = {.msg = ""};
		if (wr_signers_parse(&s, text.data, text.len, NAME, &err) != -1)
			fail_msg("accepted: %s", cases[i].form);
		if (strstr(err.msg, cases[i].why) == NULL || strstr(err.msg, NAME ":3: ") != err.msg ||
		    strchr(err.msg, '\033') != NULL)
			fail_msg("%s: expected \"%s\" in: %s", cases[i].form, cases[i].why, err.msg);
		assert_null(s.items);
		assert_int_equal(s.count, 0);
	}
	wr_buf_free(&text);
	wr_buf_free(&lines);
}

static void nul_bytes_are_refused(void **state)
{
	(void)state;
	static const char first[] = "# a\n#\0b\n", last[] = "#\n#b\0";
	wr_signers s;
	wr_err err;
	assert_int_equal(wr_signers_parse(&s, first, sizeof(first) - 1, NAME, &err), -1);
	assert_non_null(strstr(err.msg, ":2: the line has a NUL"));
	assert_int_equal(wr_signers_parse(&s, last, sizeof(last) - 1, NAME, &err), -1);
	assert_non_null(strstr(err.msg, ":2: the line has a NUL"));
}

static void size_and_count_are_bounded(void **state)
{
	(void)state;
	const person p = new_person();
	wr_signers s;
	wr_err err;
	char *big = malloc(WR_SIGNERS_MAX + 1);
	memset(big, '\n', WR_SIGNERS_MAX + 1);
	assert_int_equal(wr_signers_parse(&s, big, WR_SIGNERS_MAX, NAME, &err), 0);
	wr_signers_free(&s);
	assert_int_equal(wr_signers_parse(&s, big, WR_SIGNERS_MAX + 1, NAME, &err), -1);
	assert_int_equal(err.code, WR_E_LIMIT);
	memset(big, 'a', WR_SIGNERS_MAX);
	assert_int_equal(wr_signers_parse(&s, big, WR_SIGNERS_MAX, NAME, &err), -1);
	free(big);

	wr_buf text = WR_BUF_INIT(WR_SIGNERS_MAX);
	for (int i = 0; i < WR_MAX_SIGNERS; i++) wr_buf_addf(&text, "%sp%d", i > 0 ? "," : "", i);
	wr_buf_addf(&text, " %s\n", p.line);
	parse_ok(&s, wr_buf_cstr(&text));
	assert_int_equal(s.count, WR_MAX_SIGNERS);
	wr_signers_free(&s);
	wr_buf_addf(&text, "last %s\n", p.line);
	assert_int_equal(wr_signers_parse(&s, text.data, text.len, NAME, &err), -1);
	assert_int_equal(err.code, WR_E_LIMIT);
	wr_buf_free(&text);
}

/* Every prefix of a good file, and every file with one byte changed: no crash, no leak, and any
 * failure has a message. */
static void damaged_files_are_survived(void **state)
{
	(void)state;
	const person p = new_person();
	wr_buf text = WR_BUF_INIT(8192);
	expand(&text,
	       "alice,bob namespaces=\"a\\\"b,!c*\",valid-after=\"20260101Z\" ^ comment\n\"eve\" ^\r\n",
	       p.line);
	static const char changes[] = {'\0', '\n', '"', ',', ' ', '\\', '=', '\x80', '#'};
	wr_signers s;
	for (size_t i = 0; i <= text.len; i++) {
		wr_err err = {.msg = ""};
		if (wr_signers_parse(&s, text.data, i, NAME, &err) != 0)
			assert_string_not_equal(err.msg, "");
		wr_signers_free(&s);
		for (size_t c = 0; i < text.len && c < sizeof(changes); c++) {
			const char kept = text.data[i];
			text.data[i] = changes[c];
			if (wr_signers_parse(&s, text.data, text.len, NAME, &err) == 0) wr_signers_free(&s);
			text.data[i] = kept;
		}
	}
	wr_buf_free(&text);
}

static void find_fails(const wr_signers *s, const char *who, const wr_pubkey *key, const char *ns,
                       int64_t when_us, wr_code code, const char *why)
{
	wr_err err = {.msg = ""};
	assert_null(wr_signers_find(s, who, key, ns, when_us, &err));
	if (err.code != code || strstr(err.msg, why) == NULL)
		fail_msg("expected \"%s\" in: %s", why, err.msg);
	assert_null(wr_signers_find(s, who, key, ns, when_us, NULL));
}

static void find_says_which_condition_failed(void **state)
{
	(void)state;
	const person alice = new_person(), bob = new_person();
	wr_buf text = WR_BUF_INIT(8192);
	wr_buf_addf(&text,
	            "alice namespaces=\"warroom-*,!warroom-test\",valid-after=\"20260101Z\","
	            "valid-before=\"20260201Z\" %s\n"
	            "bob %s\n",
	            alice.line, bob.line);
	wr_signers s;
	wr_err err;
	parse_ok(&s, wr_buf_cstr(&text));
	const int64_t now = at("2026-01-25T12:40:15.5Z");
	assert_ptr_equal(wr_signers_find(&s, "alice", &alice.key, NS, now, &err), &s.items[0]);
	assert_ptr_equal(wr_signers_find(&s, "bob", &bob.key, "file", 0, &err), &s.items[1]);

	find_fails(&s, "carol", &bob.key, NS, now, WR_E_NOT_FOUND, "carol is not among");
	find_fails(&s, "c\033[2J", &bob.key, NS, now, WR_E_NOT_FOUND, "is not among");
	find_fails(&s, "", &bob.key, NS, now, WR_E_NOT_FOUND, "is not among");
	find_fails(&s, "Alice", &alice.key, NS, now, WR_E_NOT_FOUND, "is not among");
	find_fails(&s, "alice", &bob.key, NS, now, WR_E_DENIED, "not one of alice's");
	find_fails(&s, "alice", &alice.key, "file", now, WR_E_DENIED, "namespace \"file\"");
	find_fails(&s, "alice", &alice.key, "warroom-test", now, WR_E_DENIED, "namespace");

	const int64_t from = at("2026-01-01T00:00:00Z"), until = at("2026-02-01T00:00:00Z");
	assert_non_null(wr_signers_find(&s, "alice", &alice.key, NS, from, &err));
	assert_non_null(wr_signers_find(&s, "alice", &alice.key, NS, until, &err));
	find_fails(&s, "alice", &alice.key, NS, from - 1, WR_E_DENIED, "not valid before 2026-01-01");
	find_fails(&s, "alice", &alice.key, NS, until + 1, WR_E_DENIED, "expired at 2026-02-01");

	wr_pubkey fido = alice.key;
	fido.sk = true;
	find_fails(&s, "alice", &fido, NS, now, WR_E_DENIED, "not one of alice's");
	wr_signers_free(&s);
	find_fails(&s, "alice", &alice.key, NS, now, WR_E_NOT_FOUND, "is not among");
	wr_buf_free(&text);
}

static void any_entry_of_a_key_may_be_the_valid_one(void **state)
{
	(void)state;
	const person alice = new_person(), spare = new_person();
	wr_buf text = WR_BUF_INIT(8192);
	wr_buf_addf(&text,
	            "alice valid-before=\"20250101Z\" %s\nalice %s\nalice namespaces=\"x\" %s\n"
	            "alice valid-after=\"20260101Z\" %s\n",
	            alice.line, spare.line, alice.line, alice.line);
	wr_signers s;
	wr_err err = {.msg = ""};
	parse_ok(&s, wr_buf_cstr(&text));
	const int64_t now = at("2026-01-25T00:00:00Z");
	assert_ptr_equal(wr_signers_find(&s, "alice", &alice.key, NS, now, &err), &s.items[3]);
	assert_int_equal(err.code, WR_E_OK);
	find_fails(&s, "alice", &alice.key, NS, at("2025-06-01T00:00:00Z"), WR_E_DENIED, "(line 1)");
	wr_signers_free(&s);
	wr_buf_free(&text);
}

static void one_key_under_two_names_is_found(void **state)
{
	(void)state;
	const person alice = new_person(), bob = new_person();
	wr_buf text = WR_BUF_INIT(8192);
	wr_buf_addf(&text, "alice %s\nbob %s\nalice %s\nmallory %s\n", alice.line, bob.line, alice.line,
	            alice.line);
	wr_signers s;
	parse_ok(&s, wr_buf_cstr(&text));
	assert_ptr_equal(wr_signers_same_key(&s, &alice.key, "alice"), &s.items[3]);
	assert_ptr_equal(wr_signers_same_key(&s, &alice.key, "mallory"), &s.items[0]);
	assert_ptr_equal(wr_signers_same_key(&s, &alice.key, NULL), &s.items[0]);
	assert_null(wr_signers_same_key(&s, &bob.key, "bob"));
	wr_pubkey fido = alice.key;
	fido.sk = true;
	assert_non_null(wr_signers_same_key(&s, &fido, "alice"));
	wr_signers_free(&s);
	wr_buf_free(&text);
}

static bool namespace_matches(const person *p, const char *list, const char *ns)
{
	wr_buf text = WR_BUF_INIT(1024);
	wr_buf_addf(&text, "alice namespaces=\"%s\" %s", list, p->line);
	wr_signers s;
	parse_ok(&s, wr_buf_cstr(&text));
	const bool found = wr_signers_find(&s, "alice", &p->key, ns, 0, NULL) != NULL;
	wr_signers_free(&s);
	wr_buf_free(&text);
	return found;
}

/* Stars that would take a naive matcher until the end of time. */
static void many_stars_end(void **state)
{
	(void)state;
	const person p = new_person();
	assert_false(
	    namespace_matches(&p, "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
	                      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
	assert_true(namespace_matches(&p, "****************", "a"));
	assert_true(namespace_matches(&p, "*", ""));
	assert_false(namespace_matches(&p, "?", ""));
}

/* With ssh-keygen -Y verify as the oracle -------------------------------------------------------
 */

static bool ssh_keygen_accepts(const char *signers, const char *ns, const char *when,
                               const char *armour)
{
	char option[64];
	(void)snprintf(option, sizeof(option), "verify-time=%s", when);
	return tool_verify(signers, "alice", ns, option, armour, "m", 1) == 0;
}

/* we_accept does with the same input what the engine does. */
static bool we_accept(const char *signers, const char *ns, const char *when, const char *armour)
{
	wr_signers s;
	wr_sshsig sig;
	wr_err err;
	struct tm tm = {0};
	if (wr_signers_parse(&s, signers, strlen(signers), NAME, &err) != 0) return false;
	assert_non_null(strptime(when, "%Y%m%d%H%M%SZ", &tm));
	assert_int_equal(wr_sshsig_parse(&sig, armour, strlen(armour), &err), 0);
	const bool ok =
	    wr_sshsig_verify(&sig, ns, "m", 1, &err) == 0 &&
	    wr_signers_find(&s, "alice", &sig.key, ns, (int64_t)timegm(&tm) * 1000000, &err) != NULL;
	wr_signers_free(&s);
	return ok;
}

static void the_same_files_are_accepted_as_by_ssh_keygen(void **state)
{
	(void)state;
	static const char *const forms[] = {
	    "alice ^",
	    "bob ^",
	    "# alice ^",
	    "bob,alice,carol ^ comment",
	    "\"bob,alice\" ^",
	    "\talice\t^",
	    "alice namespaces=\"file\" ^",
	    "alice namespaces=\"warroom-*\" ^",
	    "alice namespaces=\"file,warroom-approva?\" ^",
	    "alice namespaces=\"*,!file\" ^",
	    "alice namespaces=\"!file,*\" ^",
	    "alice namespaces=\"!file\" ^",
	    "alice NameSpaces=\"file\" ^",
	    "alice namespaces=\"FILE\" ^",
	    "alice namespaces=\"fi\\\"le\" ^",
	    "alice namespaces=\"file\",namespaces=\"*\" ^",
	    "alice namespaces=file ^",
	    "alice namespaces=\"file\"x ^",
	    "alice valid-after=\"20260101Z\" ^",
	    "alice valid-after=\"20260125124015Z\" ^",
	    "alice valid-after=\"20260125124016Z\" ^",
	    "alice valid-before=\"20260125124014Z\" ^",
	    "alice valid-before=\"20260125124015Z\" ^",
	    "alice valid-before=\"202601251241Z\" ^",
	    "alice valid-before=\"20240229Z\",valid-after=\"20200101Z\" ^",
	    "alice valid-after=\"20240229Z\",valid-before=\"20270101Z\",namespaces=\"file\" ^",
	    "alice valid-after=\"20260201Z\",valid-before=\"20260101Z\" ^",
	    "alice valid-before=\"2026\" ^",
	    "alice nonsense ^",
	    "alice ^\nalice valid-before=\"20200101Z\" ^",
	    "alice valid-before=\"20200101Z\" ^\nalice ^",
	};
	static const char *const namespaces[] = {NS, "file"};
	const person p = new_person();
	wr_buf text = WR_BUF_INIT(8192), armour = WR_BUF_INIT(8192);
	size_t accepted = 0;
	for (size_t i = 0; i < 2 * sizeof(forms) / sizeof(forms[0]); i++) {
		const char *ns = namespaces[i % 2], *when = "20260125124015Z";
		wr_err err;
		wr_buf_reset(&armour);
		assert_int_equal(wr_sshsig_sign(&armour, p.secret, ns, "m", 1, &err), 0);
		expand(&text, forms[i / 2], p.line);
		wr_buf_adds(&text, "\n");
		const char *signers = wr_buf_cstr(&text), *sig = wr_buf_cstr(&armour);
		const bool theirs = ssh_keygen_accepts(signers, ns, when, sig);
		if (we_accept(signers, ns, when, sig) != theirs)
			fail_msg("ssh-keygen says %d for %s: %s", theirs, ns, forms[i / 2]);
		accepted += theirs;
	}
	assert_in_range(accepted, 20, 40);
	wr_buf_free(&text);
	wr_buf_free(&armour);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_whole_file_is_read),
	    cmocka_unit_test(empty_files_have_no_signers),
	    cmocka_unit_test(what_cannot_be_honoured_is_refused_with_its_place),
	    cmocka_unit_test(nul_bytes_are_refused),
	    cmocka_unit_test(size_and_count_are_bounded),
	    cmocka_unit_test(damaged_files_are_survived),
	    cmocka_unit_test(find_says_which_condition_failed),
	    cmocka_unit_test(any_entry_of_a_key_may_be_the_valid_one),
	    cmocka_unit_test(one_key_under_two_names_is_found),
	    cmocka_unit_test(many_stars_end),
	    cmocka_unit_test(the_same_files_are_accepted_as_by_ssh_keygen),
	};
	return cmocka_run_group_tests(tests, tool_setup, tool_teardown);
}
