/* engine_fixture.h: a whole engine in this process, on a directory of its own, whose loop the test
 * turns by hand. Nobody answers its probes unless the test feeds the world itself. */
#ifndef ENGINE_FIXTURE_H
#define ENGINE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/engine.h"
#include "warroom/io.h"

typedef struct rig {
	char dir[64], config[96];
	engine *e;
} rig;

static inline void rig_write(const rig *r, const char *name, const char *text)
{
	char path[200];
	wr_err err = {0};
	snprintf(path, sizeof path, "%s/%s", r->dir, name);
	if (wr_write_file(path, text, strlen(text), 0600, &err) != 0) fail_msg("%s", err.msg);
}

/* Person 0 is alice, 1 is bob. */
static inline void rig_key(uint8_t person, wr_pubkey *key, uint8_t secret[64])
{
	uint8_t seed[32], pub[32];
	memset(seed, person + 1, sizeof seed);
	assert_int_equal(crypto_sign_seed_keypair(pub, secret, seed), 0);
	wr_pubkey_from_ed25519(key, pub);
}

/* The directory, with people alice (sre) and bob (on_call) in allowed_signers. */
static inline rig *rig_new(const char *config)
{
	rig *r = calloc(1, sizeof *r);
	wr_buf signers = WR_BUF_INIT(4096);
	static const char *const people[] = {"alice", "bob"};
	assert_non_null(r);
	snprintf(r->dir, sizeof r->dir, "/tmp/warroom-rig.XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	for (uint8_t i = 0; i < 2; i++) {
		uint8_t secret[64];
		wr_pubkey key;
		rig_key(i, &key, secret);
		wr_buf_addf(&signers, "%s ", people[i]);
		wr_pubkey_format(&signers, &key);
		wr_buf_addc(&signers, '\n');
	}
	rig_write(r, "allowed_signers", wr_buf_cstr(&signers));
	wr_buf_free(&signers);
	rig_write(r, "warroom.yaml", config);
	snprintf(r->config, sizeof r->config, "%s/warroom.yaml", r->dir);
	return r;
}

static inline void rig_start(rig *r)
{
	wr_err err = {0};
	r->e = calloc(1, sizeof *r->e);
	assert_non_null(r->e);
	if (engine_boot(r->e, r->config, &err) != 0) {
		engine_shutdown(r->e, "start failed");
		fail_msg("%s", err.msg);
	}
	r->e->start_due = true;
}

static inline void rig_stop(rig *r)
{
	engine_shutdown(r->e, "test");
	free(r->e);
	r->e = NULL;
}

/* Turns the loop until nothing waits for the disk. */
static inline void rig_settle(rig *r)
{
	do {
		engine_drain(r->e);
		engine_decide_waiting(r->e);
	} while (r->e->in_flight || r->e->start_due || r->e->tick_due || r->e->reports.first);
}

static inline int rig_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void rig_free(rig *r)
{
	if (r->e) rig_stop(r);
	assert_int_equal(nftw(r->dir, rig_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(r);
}

static const char rig_empty[] = "platform: empty\n"
                                "observer: tester\n"
                                "engine: {socket: s, tick: 50ms}\n"
                                "ledger: {dir: ledger, partition: p, stream: ops, engine_key: k}\n"
                                "regions:\n"
                                "  - {name: a, role: primary}\n"
                                "  - {name: b, role: standby}\n"
                                "operators: {allowed_signers: allowed_signers, people: []}\n";

/* One of everything; the probes go to a closed port. */
static const char rig_full[] =
    "platform: full\n"
    "observer: tester\n"
    "engine: {socket: s, tick: 50ms}\n"
    "ledger: {dir: ledger, partition: p, stream: ops, engine_key: k, foreign: [{name: theirs,\n"
    "  region: a, source: nowhere.jsonl, profile: {fields: {seq: seq, prev: prev, hash: hash},\n"
    "  canonical: jcs, genesis: zeros}}]}\n"
    "verdict: {min_classes: 2, sustained: 200ms, stale_after: 5s, cooldown: 0}\n"
    "regions:\n"
    "  - {name: a, role: primary, residency: eu}\n"
    "  - {name: b, role: standby, residency: eu}\n"
    "  - {name: c, role: witness}\n"
    "services:\n"
    "  - {name: core, tier: 1, group: main, rto: 5m, rpo: 1m, regions: [a, b]}\n"
    "  - {name: rest, tier: 2, group: main, rto: 9m, rpo: 1m, regions: [a, b]}\n"
    "signals:\n"
    "  - {name: a-syn, region: a, class: synthetic, http: {url: 'http://127.0.0.1:1'},\n"
    "     interval: 100ms, timeout: 50ms}\n"
    "  - {name: a-mesh, region: a, class: mesh, http: {url: 'http://127.0.0.1:1'},\n"
    "     interval: 100ms, timeout: 50ms}\n"
    "  - {name: b-syn, region: b, class: synthetic, http: {url: 'http://127.0.0.1:1'},\n"
    "     interval: 100ms, timeout: 50ms}\n"
    "references:\n"
    "  - {name: outside, http: {url: 'http://127.0.0.1:1'}, interval: 100ms, timeout: 50ms}\n"
    "links:\n"
    "  - {name: db, kind: postgres, from: a, to: b, service: core, rpo: 1m, sync: true,\n"
    "     seconds: {http: {url: 'http://127.0.0.1:1', pointer: /s}},\n"
    "     receipts: {http: {url: 'http://127.0.0.1:1', pointer: /r}},\n"
    "     interval: 1h, timeout: 1s}\n"
    "facts:\n"
    "  - {name: cap, region: b, kind: capacity, http: {url: 'http://127.0.0.1:1', pointer: /c},\n"
    "     interval: 1h, timeout: 1s}\n"
    "quotas:\n"
    "  - {name: cpu, layer: region, region: b,\n"
    "     percent: {http: {url: 'http://127.0.0.1:1', pointer: /p}},\n"
    "     after_shift: {http: {url: 'http://127.0.0.1:1', pointer: /q}},\n"
    "     interval: 1h, timeout: 1s}\n"
    "traffic:\n"
    "  - {name: edge, provider: http, url: 'http://127.0.0.1:1/t', ttl: 1s, interval: 1h,\n"
    "     timeout: 1s}\n"
    "runbooks:\n"
    "  - name: move\n"
    "    kind: failover\n"
    "    title: Move it\n"
    "    owner: test\n"
    "    reviewed: '2026-11-01'\n"
    "    steps:\n"
    "      - {name: fence, phase: fence, http: {method: POST, url: 'http://127.0.0.1:1/f'},\n"
    "         class: idempotent, timeout: 1s, why: because, look_at: there, danger: none,\n"
    "         go_back: so}\n"
    "      - {name: tick, phase: verify, manual: {ask: 'Is it well?'}, timeout: 1m}\n"
    "      - {name: watch, phase: soak, soak: {duration: 1s, gates: [b-syn]}, timeout: 1m}\n"
    "operators:\n"
    "  allowed_signers: allowed_signers\n"
    "  people:\n"
    "    - {principal: alice, name: Alice, roles: [sre], key: alice.key}\n"
    "    - {principal: bob, name: Bob, roles: [on_call]}\n";

#endif
