/* restore.c: the course of a restore: read everything, see what hangs together, choose, build
 * beside the place, verify, rename. Until the rename nothing is there; after it everything is. */
#include "ledger/restore.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger/store.h"
#include "warroom/io.h"
#include "warroom/text.h"
#include "warroom/verify.h"

void wr_restore_note(wr_restoring *r, const char *fmt, ...)
{
	char text[512], clean[512];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	(void)json_array_append_new(r->notes, json_string(wr_sanitise_to(clean, sizeof clean, text)));
}

const wr_source *wr_restore_source(const wr_restoring *r, wr_role role)
{
	for (size_t i = 0; i < r->pool.source_count; i++)
		if (r->pool.sources[i].role == role) return &r->pool.sources[i];
	return NULL;
}

/* ---- before ---- */

static void add_source(wr_pool *p, wr_role role, const char *path, size_t number)
{
	wr_source *s = &p->sources[p->source_count++];
	*s = (wr_source){.role = role, .path = path};
	const char *name = role == WR_SNAPSHOT ? "snapshot" : role == WR_DAMAGED ? "damaged" : NULL;
	if (name)
		(void)snprintf(s->name, sizeof s->name, "%s", name);
	else if (number == 0)
		(void)snprintf(s->name, sizeof s->name, "changelog");
	else
		(void)snprintf(s->name, sizeof s->name, "changelog %zu", number + 1);
}

/* The new directory may be beside a source, not in it: nothing is written there. */
static int must_be_outside(const wr_restore_opts *o, const char *source, wr_err *err)
{
	char inside[PATH_MAX], parent[PATH_MAX], real[PATH_MAX];
	if (!realpath(source, real)) return wr_fs_fail(err, "open", source);
	size_t len = strlen(o->into), n = strlen(real);
	while (len > 1 && o->into[len - 1] == '/') len--;
	(void)snprintf(inside, sizeof inside, "%.*s", (int)len, o->into);
	char *slash = strrchr(inside, '/');
	if (slash == inside) slash[1] = '\0';
	if (slash && slash != inside) *slash = '\0';
	if (!realpath(slash ? inside : ".", parent))
		return wr_fs_fail(err, "find the directory above", o->into);
	bool within = strncmp(parent, real, n) == 0 && (parent[n] == '/' || parent[n] == '\0');
	if (!within) return 0;
	return wr_fail(err, WR_E_INVALID, "--into %.200s is inside %.200s, which is only read", o->into,
	               source);
}

static int take_options(wr_restoring *r, wr_err *err)
{
	const wr_restore_opts *o = r->opts;
	wr_pool *p = &r->pool;
	if (o->changelog_count > WR_RESTORE_CHANGELOGS_MAX)
		return wr_fail(err, WR_E_LIMIT, "at most %d changelogs", WR_RESTORE_CHANGELOGS_MAX);
	p->sources = calloc(o->changelog_count + 2, sizeof *p->sources);
	if (!p->sources) return wr_fail(err, WR_E_NOMEM, "restore: out of memory");
	p->progress = o->progress;
	p->progress_ctx = o->progress_ctx;
	add_source(p, WR_SNAPSHOT, o->snapshot, 0);
	for (size_t i = 0; i < o->changelog_count; i++)
		add_source(p, WR_CHANGELOG, o->changelogs[i], i);
	if (o->damaged) add_source(p, WR_DAMAGED, o->damaged, 0);
	for (size_t i = 0; i < p->source_count; i++)
		if (must_be_outside(o, p->sources[i].path, err)) return -1;
	return 0;
}

/* Whose checkpoints count. */
static int trust(wr_restoring *r, wr_err *err)
{
	const wr_source *snapshot = wr_restore_source(r, WR_SNAPSHOT);
	const wr_source *damaged = wr_restore_source(r, WR_DAMAGED);
	bool differ = damaged && damaged->has_key && snapshot->has_key &&
	              memcmp(damaged->public_key, snapshot->public_key, WR_ED25519_PUBLIC) != 0;
	const wr_source *from = snapshot->has_key             ? snapshot
	                        : damaged && damaged->has_key ? damaged
	                                                      : NULL;
	if (from) memcpy(r->public_key, from->public_key, WR_ED25519_PUBLIC);
	r->has_key = from != NULL;
	if (r->opts->engine_key) {
		wr_engine_key *k = wr_engine_key_load(r->opts->engine_key, false, NULL, err);
		if (!k) return -1;
		bool other = snapshot->has_key &&
		             memcmp(wr_engine_key_public(k), snapshot->public_key, WR_ED25519_PUBLIC) != 0;
		memcpy(r->public_key, wr_engine_key_public(k), WR_ED25519_PUBLIC);
		r->has_key = true;
		wr_engine_key_free(k);
		if (other)
			return wr_fail(err, WR_E_CONFLICT,
			               "%.200s is not the key of the snapshot's engine.pub: give the engine "
			               "key that this ledger began with",
			               r->opts->engine_key);
	}
	if (differ)
		wr_restore_note(r, "The damaged ledger's engine.pub is another than the snapshot's; the "
		                   "snapshot's counts.");
	if (!r->has_key)
		wr_restore_note(r, "No engine key is known, so no checkpoint can be checked and nothing is "
		                   "attested.");
	else if (!r->opts->engine_key && !snapshot->has_key)
		wr_restore_note(r, "The snapshot has no engine.pub; the damaged ledger's is used.");
	return 0;
}

/* A changelog alone does not bring new chains into a ledger. */
static void find_taken(wr_restoring *r)
{
	const wr_pool *p = &r->pool;
	for (size_t c = 0; c < p->chain_count; c++) {
		for (size_t s = 0; s < p->source_count; s++) {
			const wr_held *h = &p->sources[s].held[c];
			if (p->sources[s].role != WR_CHANGELOG && (h->receipts || h->bad || h->mark.count))
				r->taken[c] = true;
		}
		int64_t n = 0;
		for (size_t i = 0; i < p->node_count; i++) n += p->nodes[i].chain == c;
		if (!r->taken[c] && n)
			wr_restore_note(r,
			                "%lld receipts of chain %s are left out: neither the snapshot nor the "
			                "damaged ledger has that chain.",
			                (long long)n, p->chains[c]);
	}
}

/* ---- refusals ---- */

static void refuse(wr_restoring *r, const char *fmt, ...) WR_PRINTF(2, 3);
static void refuse(wr_restoring *r, const char *fmt, ...)
{
	char text[512], clean[512];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	(void)json_object_set_new(r->report->doc, "refused",
	                          json_string(wr_sanitise_to(clean, sizeof clean, text)));
}

/* The first chain for which the sources do not say enough. */
static bool must_refuse(wr_restoring *r)
{
	size_t whole = 0;
	for (size_t c = 0; c < r->pool.chain_count; c++) {
		const wr_history *h = &r->histories[c];
		const char *name = r->pool.chains[c];
		if (!r->taken[c]) continue;
		whole += h->decided && h->count > 0;
		if (h->decided || h->branches == 0) continue;
		if (h->branches > 1)
			refuse(r,
			       "%s has %lld branches, and no checkpoint decides between them: look at them, "
			       "then choose one with --branch",
			       name, (long long)h->branches);
		else
			refuse(r,
			       "%s: a signed checkpoint of %lld receipts is of another history than the one "
			       "that is here, so these are not the receipts that the engine signed. Find a "
			       "source that has them; to restore this one nevertheless, give --branch A",
			       name, (long long)h->contradicted);
		return true;
	}
	if (whole > 0) return false;
	refuse(r, "no source has the beginning (seq 0) of any chain: give a snapshot that has");
	return true;
}

/* ---- the result ---- */

static void on_verify(void *ctx, int64_t bytes, int64_t total)
{
	const wr_restore_opts *o = ((const wr_restoring *)ctx)->opts;
	o->progress(o->progress_ctx, "verifying", bytes, total);
}

static int verify(wr_restoring *r, wr_err *err)
{
	wr_verify_report v;
	if (wr_ledger_verify(r->build.dir, &v, r->opts->progress ? on_verify : NULL, r, err)) return -1;
	r->report->receipts = v.checked;
	r->report->unauthorised = v.unauthorised;
	int rc = 0;
	if (v.anomaly_total > v.unauthorised) {
		const wr_anomaly *a = v.anomalies;
		while (a < v.anomalies + v.anomaly_count - 1 && a->kind == WR_AN_UNAUTHORISED) a++;
		rc = wr_fail(err, WR_E_CORRUPT,
		             "what was restored does not verify, so it was taken back (did a source change "
		             "meanwhile?): %s seq %lld: %.200s",
		             wr_anomaly_name(a->kind), (long long)a->seq, a->text);
	}
	(void)json_object_set_new(r->report->doc, "verified", wr_verify_json(&v));
	if (v.unauthorised)
		wr_restore_note(
		    r,
		    "%lld steps in it are unauthorised: they were so before, or allowed_signers "
		    "is another one. warroom ledger verify names them.",
		    (long long)v.unauthorised);
	wr_verify_free(&v);
	return rc;
}

static int build(wr_restoring *r, wr_err *err)
{
	if (wr_build_begin(&r->build, r->opts->into, r->fs, err)) return -1;
	r->building = true;
	if (wr_restore_write(r, err)) return -1;
	/* The account goes into the ledger too, so it must be there first. */
	if (wr_restore_account(r, err)) return -1;
	wr_build_unlock(&r->build);
	for (size_t c = 0; c < r->pool.chain_count; c++)
		if (r->histories[c].count > 0 && wr_restore_say(r, (uint16_t)c, err)) return -1;
	char lock[PATH_MAX];
	if (wr_path_join(lock, sizeof lock, r->build.dir, "lock", err)) return -1;
	(void)r->fs->unlink(r->fs->ctx, lock);
	if (verify(r, err)) return -1;
	return wr_build_commit(&r->build, err);
}

static int allocate(wr_restoring *r, wr_err *err)
{
	size_t n = r->pool.chain_count + 1;
	r->histories = calloc(n, sizeof *r->histories);
	r->losses = calloc(n, sizeof *r->losses);
	r->taken = calloc(n, sizeof *r->taken);
	if (r->histories && r->losses && r->taken) return 0;
	return wr_fail(err, WR_E_NOMEM, "restore: out of memory");
}

/* What no signature covers anybody could have appended; a key given signs it from now on. */
static void note_unsigned(wr_restoring *r, uint16_t chain)
{
	const wr_history *h = &r->histories[chain];
	int64_t open = (int64_t)h->count - h->attested;
	/* A signed checkpoint stands in the receipt behind those that it covers. */
	for (size_t i = 0; open == 1 && i < r->pool.note_count; i++)
		if (r->pool.notes[i].chain == chain && r->pool.notes[i].seq == h->attested) open = 0;
	if (!r->has_key || open <= 0) return;
	unsigned roles = 0;
	for (size_t i = (size_t)h->attested; i < h->count; i++)
		roles |= r->pool.nodes[h->path[i]].flags & (WR_SNAPSHOT | WR_CHANGELOG | WR_DAMAGED);
	wr_restore_note(
	    r,
	    "%s: no signed checkpoint covers the last %lld receipts, #%lld to #%lld (in%s%s%s)."
	    " A minute's worth is usual; look at more before you trust it.",
	    r->pool.chains[chain], (long long)open, (long long)h->attested, (long long)h->count - 1,
	    roles & WR_SNAPSHOT ? " snapshot" : "", roles & WR_CHANGELOG ? " changelog" : "",
	    roles & WR_DAMAGED ? " damaged" : "");
}

static int choose(wr_restoring *r, wr_err *err)
{
	wr_pool *p = &r->pool;
	if (wr_pool_mend(p, err)) return -1;
	if (p->mended)
		wr_restore_note(
		    r,
		    "Mended: %lld receipts of which one bit had changed. Their hashes prove that "
		    "they are again what they were.",
		    (long long)p->mended);
	if (wr_branch_link(p, err)) return -1;
	if (r->has_key && wr_branch_attest(p, r->public_key, err)) return -1;
	for (size_t c = 0; c < p->chain_count; c++) {
		if (!r->taken[c]) continue;
		if (wr_branch_choose(p, (uint16_t)c, r->opts->branch, &r->histories[c], err)) return -1;
		if (wr_restore_losses(r, (uint16_t)c, err)) return -1;
		note_unsigned(r, (uint16_t)c);
		r->report->lost += r->losses[c].lost + r->losses[c].missing_count;
	}
	return 0;
}

static int run(wr_restoring *r, wr_err *err)
{
	if (take_options(r, err) || wr_pool_load(&r->pool, err) || allocate(r, err)) return -1;
	if (trust(r, err)) return -1;
	find_taken(r);
	if (choose(r, err)) return -1;
	if (must_refuse(r)) {
		r->report->lost = 0; /* it is not lost by this */
		return wr_restore_account(r, err) ? -1 : 1;
	}
	if (build(r, err)) return -1;
	r->report->restored = true;
	return 0;
}

static void finish(wr_restoring *r)
{
	json_t *doc = r->report->doc;
	(void)json_object_set_new(doc, "restored", json_boolean(r->report->restored));
	(void)json_object_set_new(doc, "mended", json_integer((json_int_t)r->pool.mended));
	(void)json_object_set_new(doc, "receipts", json_integer((json_int_t)r->report->receipts));
	(void)json_object_set_new(doc, "lost", json_integer((json_int_t)r->report->lost));
	(void)json_object_set(doc, "notes", r->notes);
	for (size_t c = 0; c < r->pool.chain_count && r->histories && r->losses; c++) {
		wr_history_free(&r->histories[c]);
		json_decref(r->losses[c].receipts);
		json_decref(r->losses[c].missing);
	}
	if (r->building) wr_build_abort(&r->build);
	free(r->histories);
	free(r->losses);
	free(r->taken);
	json_decref(r->notes);
	wr_pool_free(&r->pool);
}

int wr_restore_with(const wr_restore_opts *opts, const wr_fs *fs, wr_restore_report *out,
                    wr_err *err)
{
	wr_restoring r = {.opts = opts, .report = out, .fs = fs, .notes = json_array()};
	*out = (wr_restore_report){.doc = json_object()};
	if (!r.notes || !out->doc) {
		json_decref(r.notes);
		wr_restore_free(out);
		return wr_fail(err, WR_E_NOMEM, "restore: out of memory");
	}
	int rc = run(&r, err);
	finish(&r);
	if (rc < 0) wr_restore_free(out);
	return rc;
}

int wr_restore(const wr_restore_opts *opts, wr_restore_report *out, wr_err *err)
{
	return wr_restore_with(opts, &wr_fs_system, out, err);
}

void wr_restore_free(wr_restore_report *r)
{
	json_decref(r->doc);
	*r = (wr_restore_report){0};
}
