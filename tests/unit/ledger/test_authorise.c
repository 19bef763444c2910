/* test_authorise.c: a guarded step is authorised by two people with two keys, and by nothing less;
 * so is a ruling. Each case is a small ledger; the verdict is wr_ledger_verify's. */
#include "fixture.h"

#include <sodium.h>

#include "ledger/authorise.h"
#include "warroom/json.h"
#include "warroom/sshsig.h"

#define PLAN  "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
#define OTHER "7d865e959b2466918c9863afca942d0fb89d7c9ac0c99bafc3749504ded97730"

typedef struct person {
	const char *name;
	uint8_t secret[64], public_key[32];
} person;

static person alice = {.name = "alice"}, bob = {.name = "bob"}, eve = {.name = "eve"};
static wr_ledger *ledger;

static void add_signer(wr_buf *out, const char *name, const person *key, const char *options)
{
	wr_pubkey pub;
	wr_pubkey_from_ed25519(&pub, key->public_key);
	wr_buf_addf(out, "%s %s", name, options);
	wr_pubkey_format(out, &pub);
	wr_buf_addc(out, '\n');
}

static void write_signers(bool bob_too)
{
	wr_buf text = WR_BUF_INIT(8192);
	add_signer(&text, "alice", &alice, "");
	if (bob_too) add_signer(&text, "bob", &bob, "namespaces=\"warroom-approval\" ");
	add_signer(&text, "carol", &alice, ""); /* another name, the same key */
	add_signer(&text, "dave", &eve, "namespaces=\"git\" ");
	spit(in_dir("allowed_signers"), text.data, text.len);
	wr_buf_free(&text);
}

static int setup(void **state)
{
	if (make_test_dir(state) || sodium_init() < 0) return -1;
	person *all[] = {&alice, &bob, &eve};
	for (int i = 0; i < 3; i++) {
		uint8_t seed[32];
		memset(seed, i + 1, sizeof seed);
		(void)crypto_sign_seed_keypair(all[i]->public_key, all[i]->secret, seed);
	}
	wr_ledger_opts opts = test_opts();
	ledger = must_open(&opts, NULL);
	write_signers(true);
	return 0;
}

static int teardown(void **state)
{
	wr_ledger_close(ledger);
	return drop_test_dir(state);
}

static void append(json_t *draft)
{
	wr_err err = {0};
	if (wr_ledger_append(ledger, draft, 1, NULL, &err)) fail_msg("%s", err.msg);
}

/* What an approval says; a case changes what it wants wrong. */
typedef struct said {
	const char *principal, *decision, *operation, *plan, *nonce, *expires;
	const person *key;
	const char *claimed_role; /* in the receipt, when it is not what was signed */
	const char *ns;           /* of the signature */
	const char *fingerprint;  /* NULL: the key's own */
	bool break_signature;
} said;

#define APPROVES(person_, nonce_)                                                                  \
	(said)                                                                                         \
	{                                                                                              \
		.principal = (person_)->name, .decision = "approve", .operation = "op-1", .plan = PLAN,    \
		.nonce = nonce_, .expires = "2026-01-25T12:55:00Z", .key = person_, .ns = WR_NS_APPROVAL   \
	}

static void sign(wr_buf *base64, const said *s, const wr_buf *text)
{
	wr_buf armoured = WR_BUF_INIT(WR_SSHSIG_MAX);
	wr_err err = {0};
	assert_int_equal(wr_sshsig_sign(&armoured, s->key->secret, s->ns, text->data, text->len, &err),
	                 0);
	for (char *line = armoured.data; *line;) {
		size_t len = strcspn(line, "\n");
		if (*line != '-') wr_buf_add(base64, line, len);
		line += len + (line[len] ? 1 : 0);
	}
	wr_buf_free(&armoured);
	/* A character in the middle of the 64 signature bytes. */
	if (s->break_signature)
		base64->data[base64->len - 20] = base64->data[base64->len - 20] == 'A' ? 'B' : 'A';
}

static void record(said s)
{
	wr_pubkey pub;
	wr_err err = {0};
	wr_buf text = WR_BUF_INIT(8192), signature = WR_BUF_INIT(WR_SSHSIG_MAX);
	json_t *d = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "assurance",
	                      "own_device", "decision", s.decision, "expires", s.expires, "head",
	                      "00ff", "nonce", s.nonce, "operation_id", s.operation, "plan_hash",
	                      s.plan, "principal", s.principal, "role", "sre");
	assert_int_equal(wr_canon_write(&text, d, &err), 0);
	sign(&signature, &s, &text);
	wr_pubkey_from_ed25519(&pub, s.key->public_key);
	json_object_set_new(d, "operation", json_string("approval_recorded"));
	json_object_set_new(d, "actor", json_string(s.principal));
	json_object_set_new(d, "observed_assurance", json_string("own_device"));
	json_object_set_new(d, "key_fingerprint",
	                    json_string(s.fingerprint ? s.fingerprint : pub.fingerprint));
	json_object_set_new(d, "signed", json_string(text.data));
	json_object_set_new(d, "signature", json_string(signature.data));
	json_object_set_new(d, "note", json_string(""));
	if (s.claimed_role) json_object_set_new(d, "role", json_string(s.claimed_role));
	append(d);
	wr_buf_free(&text);
	wr_buf_free(&signature);
}

static json_t *intent(const char *kind, const char *phase, const char *class)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:s, s:s, s:s, s:b, s:b, s:s}", "operation",
	                 "step_intent", "operation_id", "op-1", "plan_hash", PLAN, "step", "promote",
	                 "index", 3, "attempt", 1, "kind", kind, "phase", phase, "class", class,
	                 "guarded", 0, "undo", 0, "idempotency_key", "k");
}

static json_t *promote(void)
{
	return intent("exec", "promote", "opaque");
}

static void expect_text(int64_t unauthorised, const char *text)
{
	wr_verify_report r;
	wr_err err = {0};
	if (wr_ledger_verify(test_dir, &r, NULL, NULL, &err)) fail_msg("%s", err.msg);
	assert_int_equal(r.invalid, 0);
	if (r.unauthorised != unauthorised)
		fail_msg("%lld unauthorised, expected %lld: %s", (long long)r.unauthorised,
		         (long long)unauthorised, r.anomaly_count ? r.anomalies[0].text : "");
	assert_true(r.ok == (unauthorised == 0));
	assert_int_equal(r.anomaly_count, unauthorised);
	if (unauthorised) {
		assert_int_equal(r.anomalies[0].kind, WR_AN_UNAUTHORISED);
		if (!strstr(r.anomalies[0].text, text))
			fail_msg("\"%s\" does not say \"%s\"", r.anomalies[0].text, text);
	}
	wr_verify_free(&r);
}

static void authorised(void)
{
	expect_text(0, "");
}

static void unauthorised(const char *text)
{
	expect_text(1, text);
}

/* ---- cases ---- */

static void two_people(void **state)
{
	(void)state;
	record(APPROVES(&alice, "n1"));
	record(APPROVES(&bob, "n2"));
	append(promote());
	append(promote());
	authorised();
}

static void nobody(void **state)
{
	(void)state;
	append(promote());
	unauthorised("guarded step promote: expected approvals by two people with two keys, found 0");
}

static void one_person(void **state)
{
	(void)state;
	record(APPROVES(&alice, "n1"));
	record(APPROVES(&alice, "n2"));
	append(promote());
	unauthorised("found 1 valid");
}

static void two_names_one_key(void **state)
{
	(void)state;
	said s = APPROVES(&alice, "n2");
	s.principal = "carol";
	record(APPROVES(&alice, "n1"));
	record(s);
	append(promote());
	unauthorised("found 2 valid");
}

static void too_late(void **state)
{
	(void)state;
	record(APPROVES(&alice, "n1"));
	append(promote());
	record(APPROVES(&bob, "n2"));
	unauthorised("found 1 valid");
}

/* Alice approves rightly, then `s` is what the second approval is. */
static void with_second(said s, const char *text)
{
	record(APPROVES(&alice, "n1"));
	record(s);
	append(promote());
	unauthorised(text);
}

static void another_plan(void **state)
{
	(void)state;
	said s = APPROVES(&bob, "n2");
	s.plan = OTHER;
	with_second(s, "found 1 valid");
}

static void another_operation(void **state)
{
	(void)state;
	said s = APPROVES(&bob, "n2");
	s.operation = "op-2";
	with_second(s, "found 1 valid");
}

static void another_decision(void **state)
{
	(void)state;
	said s = APPROVES(&bob, "n2");
	s.decision = "propose";
	with_second(s, "found 1 valid");
}

static void a_broken_signature(void **state)
{
	(void)state;
	said s = APPROVES(&bob, "n2");
	s.break_signature = true;
	with_second(s, "bob: the signature does not verify");
}

static void a_key_not_theirs(void **state)
{
	(void)state;
	said s = APPROVES(&eve, "n2");
	s.principal = "bob";
	with_second(s, "bob: the key is not allowed for this person");
}

static void a_stranger(void **state)
{
	(void)state;
	with_second(APPROVES(&eve, "n2"), "eve: the key is not allowed");
}

static void a_key_for_something_else(void **state)
{
	(void)state;
	said s = APPROVES(&eve, "n2");
	s.principal = "dave";
	with_second(s, "dave: the key is not allowed");
}

static void another_namespace(void **state)
{
	(void)state;
	said s = APPROVES(&bob, "n2");
	s.ns = "git";
	with_second(s, "bob: the signature does not verify");
}

static void a_nonce_again(void **state)
{
	(void)state;
	with_second(APPROVES(&bob, "n1"), "bob: its nonce is missing or was used before");
}

static void a_nonce_used_for_another_decision(void **state)
{
	(void)state;
	said s = APPROVES(&bob, "n2");
	s.decision = "hold";
	record(s);
	with_second(APPROVES(&bob, "n2"), "used before");
}

static void other_words_than_signed(void **state)
{
	(void)state;
	said s = APPROVES(&bob, "n2");
	s.claimed_role = "on_call";
	with_second(s, "bob: the signed text is not what the receipt says");
}

static void another_fingerprint(void **state)
{
	(void)state;
	said s = APPROVES(&bob, "n2");
	s.fingerprint = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	with_second(s, "bob: key_fingerprint is not that");
}

static void denied(void **state)
{
	(void)state;
	said s = APPROVES(&bob, "n3");
	s.decision = "deny";
	record(APPROVES(&bob, "n2"));
	with_second(s, "a plan that was denied");
}

static void denied_another_plan(void **state)
{
	(void)state;
	said s = APPROVES(&bob, "n3");
	s.decision = "deny";
	s.plan = OTHER;
	record(s);
	record(APPROVES(&alice, "n1"));
	record(APPROVES(&bob, "n2"));
	append(promote());
	authorised();
}

static void expired(void **state)
{
	(void)state;
	said s = APPROVES(&bob, "n2");
	s.expires = "2026-01-25T12:40:00Z"; /* before the clock of the tests begins */
	with_second(s, "found 1 valid");
	/* … but going back is part of what was approved. */
	json_t *undo = promote();
	json_object_set_new(undo, "undo", json_true());
	append(undo);
	unauthorised("found 1 valid");
}

static void undo_without_approval(void **state)
{
	(void)state;
	json_t *undo = promote();
	json_object_set_new(undo, "undo", json_true());
	record(APPROVES(&alice, "n1"));
	append(undo);
	unauthorised("found 1 valid");
}

/* Only what was begun can be gone back from: the word "undo" alone extends no approval. */
static void undo_of_what_never_was(void **state)
{
	(void)state;
	said a = APPROVES(&alice, "n1"), b = APPROVES(&bob, "n2");
	a.expires = b.expires = "2026-01-25T12:40:16Z";
	record(a);
	record(b);
	append(promote());
	test_now += 60000000;
	json_t *undo = promote(), *other = promote();
	json_object_set_new(undo, "undo", json_true());
	append(undo);
	authorised();
	json_object_set_new(other, "undo", json_true());
	json_object_set_new(other, "index", json_integer(4));
	append(other);
	unauthorised("guarded step promote: expected approvals by two people with two keys, found 0");
}

/* ---- rulings ---- */

static said rules(const person *who, const char *nonce, const char *decision)
{
	said s = APPROVES(who, nonce);
	s.decision = decision;
	return s;
}

static json_t *ruled(const char *ruling)
{
	return json_pack("{s:s, s:s, s:s, s:i, s:b, s:s, s:s}", "operation", "step_ruled",
	                 "operation_id", "op-1", "step", "fence", "index", 1, "undo", 0, "ruling",
	                 ruling, "by", "alice,bob");
}

static void ruled_by_two(void **state)
{
	(void)state;
	record(rules(&alice, "n1", "rule:fence:skip"));
	record(rules(&bob, "n2", "rule:fence:skip"));
	append(ruled("skip"));
	authorised();
	/* … which uses up what they said. */
	append(ruled("skip"));
	unauthorised("ruling on step fence: expected rulings by two people with two keys, found 0");
}

static void ruled_by_nobody(void **state)
{
	(void)state;
	append(ruled("skip"));
	unauthorised("ruling on step fence");
}

static void ruled_by_one(void **state)
{
	(void)state;
	said s = rules(&alice, "n2", "rule:fence:skip");
	s.principal = "carol"; /* alice's key */
	record(rules(&alice, "n1", "rule:fence:skip"));
	record(s);
	append(ruled("skip"));
	unauthorised("found 2 valid");
}

static void ruled_otherwise(void **state)
{
	(void)state;
	said late = rules(&bob, "n5", "rule:fence:done"), other = rules(&bob, "n6", "rule:fence:done");
	record(rules(&alice, "n1", "rule:fence:skip"));
	record(rules(&bob, "n2", "rule:fence:skip"));
	record(rules(&bob, "n3", "rule:drain:done"));
	record(rules(&alice, "n4", "rule:fence:done"));
	late.expires = "2026-01-25T12:40:00Z";
	record(late);
	other.plan = OTHER;
	record(other);
	append(ruled("done"));
	unauthorised("found 2 valid"); /* alice and bob, but not of one plan */
	record(rules(&bob, "n7", "rule:fence:done"));
	append(ruled("done"));
	unauthorised("");
}

/* ---- epochs ---- */

typedef struct replay {
	wr_authorise *a;
	int64_t stale_seq; /* this receipt is of an epoch that was over */
	int refused;
	char why[256];
} replay;

static int replay_one(void *ctx, const wr_receipt *r)
{
	replay *p = ctx;
	wr_receipt as = *r;
	wr_err err;
	as.epoch = r->seq == p->stale_seq ? 6 : 7;
	int rc = wr_authorise_see(p->a, &as, p->why, sizeof p->why, &err);
	assert_true(rc >= 0);
	p->refused += rc == 0;
	return 0;
}

/* The file store never writes a lower epoch after a higher one; another hand can. */
static void a_stale_epoch(void **state)
{
	(void)state;
	wr_err err;
	record(rules(&alice, "n0", "hold")); /* epoch 7 begins */
	record(APPROVES(&alice, "n1"));
	record(APPROVES(&bob, "n2"));
	record(rules(&alice, "n3", "rule:fence:skip"));
	record(rules(&bob, "n4", "rule:fence:skip"));
	append(ruled("skip"));
	append(promote());
	for (int64_t seq = 1; seq < 7; seq++) {
		replay p = {.a = wr_authorise_new(test_dir), .stale_seq = seq};
		assert_int_equal(wr_ledger_read(ledger, 0, replay_one, &p, &err), 0);
		assert_int_equal(p.refused, 1);
		if (!strstr(p.why, seq == 6 ? "epoch 6" : "epoch")) fail_msg("%s", p.why);
		wr_authorise_free(p.a);
	}
}

/* ---- one approval by itself ---- */

typedef struct check {
	wr_signers signers;
	int good, bad;
	wr_err why;
} check;

static int check_one(void *ctx, const wr_receipt *r)
{
	check *c = ctx;
	if (wr_approval_check(r, &c->signers, &c->why) == 0)
		c->good++;
	else
		c->bad++;
	return 0;
}

static void one_by_itself(void **state)
{
	(void)state;
	check c = {0};
	wr_err err;
	wr_buf text;
	said broken = APPROVES(&bob, "n2");
	broken.break_signature = true;
	record(APPROVES(&alice, "n1"));
	record(rules(&bob, "n3", "rule:fence:skip"));
	record(broken);
	record(APPROVES(&eve, "n4"));
	append(promote()); /* no approval at all */
	slurp(&text, in_dir("allowed_signers"));
	assert_int_equal(wr_signers_parse(&c.signers, text.data, text.len, "signers", &err), 0);
	assert_int_equal(wr_ledger_read(ledger, 0, check_one, &c, &err), 0);
	assert_int_equal(c.good, 2);
	assert_int_equal(c.bad, 3);
	assert_int_equal(c.why.code, WR_E_DENIED);
	wr_signers_free(&c.signers);
	wr_buf_free(&text);
}

static void no_signers(void **state)
{
	(void)state;
	record(APPROVES(&alice, "n1"));
	record(APPROVES(&bob, "n2"));
	append(intent("wait", "verify", "idempotent"));
	assert_int_equal(unlink(in_dir("allowed_signers")), 0);
	authorised(); /* nothing guarded yet */
	append(promote());
	unauthorised("allowed_signers");
	write_signers(false);
	unauthorised("found 1 valid");
	spit(in_dir("allowed_signers"), "nonsense\n", 9);
	unauthorised("allowed_signers:1");
}

static void what_is_guarded(void **state)
{
	(void)state;
	static const struct {
		const char *kind, *phase, *class;
		bool guarded;
	} cases[] = {
	    {"http", "promote", "idempotent", true},   {"exec", "drain", "probeable", true},
	    {"traffic", "shift", "idempotent", true},  {"http", "verify", "opaque", true},
	    {"http", "verify", "idempotent", false},   {"exec", "prove", "idempotent", false},
	    {"http", "announce", "idempotent", false}, {"http", "announce", "probeable", true},
	    {"wait", "promote", "opaque", false},      {"manual", "fence", "opaque", false},
	    {"notify", "announce", "opaque", false},   {"soak", "shift", "idempotent", false},
	};
	int64_t expected = 0;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		append(intent(cases[i].kind, cases[i].phase, cases[i].class));
		expected += cases[i].guarded;
		expect_text(expected, "");
	}
	/* The receipt's own word can add to that, never take away. */
	json_t *d = intent("wait", "promote", "opaque");
	json_object_set_new(d, "guarded", json_true());
	append(d);
	expect_text(expected + 1, "");
	d = promote();
	json_object_del(d, "plan_hash");
	append(d);
	expect_text(expected + 2, "");
}

static void hostile_fields(void **state)
{
	(void)state;
	char *big = malloc(20001);
	memset(big, 'a', 20000);
	big[20000] = '\0';
	static const char *const fields[] = {"signed",    "signature", "principal", "operation_id",
	                                     "plan_hash", "nonce",     "expires",   "key_fingerprint"};
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		json_t *d =
		    json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "operation", "approval_recorded",
		              "decision", "approve", "operation_id", "op-1", "plan_hash", PLAN, "nonce",
		              fields[i], "signed", "{}", "signature", "AAAA");
		json_t *without = json_copy(d);
		json_object_set_new(d, fields[i], json_string(big));
		append(d);
		json_object_set_new(without, fields[i], json_integer(5));
		append(without);
	}
	free(big);
	append(json_pack("{s:s, s:s}", "operation", "approval_recorded", "decision", "approve"));
	append(promote());
	unauthorised("found 0 valid");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(two_people),
	    CASE(nobody),
	    CASE(one_person),
	    CASE(two_names_one_key),
	    CASE(too_late),
	    CASE(another_plan),
	    CASE(another_operation),
	    CASE(another_decision),
	    CASE(a_broken_signature),
	    CASE(a_key_not_theirs),
	    CASE(a_stranger),
	    CASE(a_key_for_something_else),
	    CASE(another_namespace),
	    CASE(a_nonce_again),
	    CASE(a_nonce_used_for_another_decision),
	    CASE(other_words_than_signed),
	    CASE(another_fingerprint),
	    CASE(denied),
	    CASE(denied_another_plan),
	    CASE(expired),
	    CASE(undo_without_approval),
	    CASE(undo_of_what_never_was),
	    CASE(ruled_by_two),
	    CASE(ruled_by_nobody),
	    CASE(ruled_by_one),
	    CASE(ruled_otherwise),
	    CASE(a_stale_epoch),
	    CASE(one_by_itself),
	    CASE(no_signers),
	    CASE(what_is_guarded),
	    CASE(hostile_fields),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
