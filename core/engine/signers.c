/* signers.c: the ledger's own allowed_signers.
 *
 * The ledger must verify by itself, years later, after people left and keys changed: an approval of
 * today is held against the entries that stood today. So the copy beside the ledger is what stands
 * now, word for word, followed by every entry that stood once, ended when it was seen to be gone.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/engine.h"
#include "warroom/io.h"
#include "warroom/log.h"

#define HEADING "# entries that stood here before, for the approvals of their time"

/* When an entry that is not in force any more ended; 0: it never could be used. */
static int64_t end_of(const wr_signer *s, int64_t now_us)
{
	int64_t end = s->valid_before_us && s->valid_before_us < now_us ? s->valid_before_us : now_us;
	end = (end + 999999) / 1000000 * 1000000; /* the file counts in seconds */
	return s->valid_after_us < end ? end : 0;
}

/* Does an entry of the list allow all that `s` allowed until `end_us`? */
static bool covered(const wr_signers *list, const wr_signer *s, int64_t end_us)
{
	for (size_t i = 0; i < list->count; i++) {
		const wr_signer *o = &list->items[i];
		if (!strcmp(o->principal, s->principal) && o->key.sk == s->key.sk &&
		    !memcmp(o->key.ed25519, s->key.ed25519, sizeof o->key.ed25519) &&
		    !strcmp(o->key.application, s->key.application) &&
		    o->any_namespace == s->any_namespace && !strcmp(o->namespaces, s->namespaces) &&
		    o->valid_after_us <= s->valid_after_us &&
		    (!o->valid_before_us || o->valid_before_us >= end_us))
			return true;
	}
	return false;
}

/* option="20260125124015Z" */
static void put_time(wr_buf *out, const char *before, const char *option, int64_t us)
{
	char t[WR_TIME_LEN];
	wr_time_format(t, us);
	wr_buf_addf(out, "%s%s=\"%.4s%.2s%.2s%.2s%.2s%.2sZ\"", before, option, t, t + 5, t + 8, t + 11,
	            t + 14, t + 17);
}

static void put_retired(wr_buf *out, const wr_signer *s, int64_t end_us)
{
	const char *comma = "";
	wr_buf_addf(out, "%s ", s->principal);
	if (!s->any_namespace) {
		wr_buf_adds(out, "namespaces=\"");
		for (const char *p = s->namespaces; *p; p++)
			wr_buf_addf(out, "%s%c", *p == '"' ? "\\" : "", *p);
		wr_buf_addc(out, '"');
		comma = ",";
	}
	if (s->valid_after_us) {
		put_time(out, comma, "valid-after", s->valid_after_us);
		comma = ",";
	}
	put_time(out, comma, "valid-before", end_us);
	wr_buf_addc(out, ' ');
	wr_pubkey_format(out, &s->key);
	wr_buf_addc(out, '\n');
}

int signers_merge(wr_buf *out, const char *text, size_t len, const char *old, size_t old_len,
                  int64_t now_us, wr_err *err)
{
	wr_signers now = {0}, before = {0};
	bool heading = false;
	int rc = wr_signers_parse(&now, text, len, "allowed_signers", err);
	if (rc == 0) rc = wr_signers_parse(&before, old, old_len, "the ledger's allowed_signers", err);
	if (rc == 0) wr_buf_add(out, text, len);
	if (rc == 0 && len && text[len - 1] != '\n') wr_buf_addc(out, '\n');
	for (size_t i = 0; rc == 0 && i < before.count; i++) {
		int64_t end_us = end_of(&before.items[i], now_us);
		if (!end_us || covered(&now, &before.items[i], end_us)) continue;
		if (!heading) wr_buf_adds(out, HEADING "\n");
		heading = true;
		put_retired(out, &before.items[i], end_us);
	}
	wr_signers_free(&now);
	wr_signers_free(&before);
	if (rc == 0 && !wr_buf_ok(out))
		rc = wr_fail(err, WR_E_LIMIT,
		             "allowed_signers and the entries that the ledger keeps are over %u bytes",
		             WR_SIGNERS_MAX);
	return rc;
}

/* What cannot be read is not thrown away: someone may still make sense of it. */
static void set_aside(const char *path, const wr_err *why)
{
	char aside[4200];
	snprintf(aside, sizeof aside, "%s.damaged", path);
	if (rename(path, aside) == 0)
		wr_log(WR_LOG_ERROR, "ledger", "%s; moved to %s: entries that stood once are lost to us",
		       why->msg, aside);
}

int engine_keep_signers(engine *e, const char *text, size_t len, wr_err *err)
{
	char path[4096];
	struct stat st;
	wr_buf old = WR_BUF_INIT(WR_SIGNERS_MAX), merged = WR_BUF_INIT(WR_SIGNERS_MAX);
	wr_err why = {0};
	if (wr_path_join(path, sizeof path, e->cfg->ledger_dir, "allowed_signers", err) != 0) return -1;
	bool there = lstat(path, &st) == 0;
	bool readable = there && wr_read_file(&old, path, WR_SIGNERS_MAX, WR_ANY, &why) == 0;
	int rc = 0;
	if (readable)
		readable = signers_merge(&merged, text, len, wr_buf_cstr(&old), old.len,
		                         wr_wall_us(e->clock), &why) == 0;
	if (there && !readable && why.code == WR_E_LIMIT) {
		rc = wr_fail(err, WR_E_LIMIT, "%s", why.msg);
	} else if (!readable) {
		if (there) set_aside(path, &why);
		wr_buf_reset(&merged);
		wr_buf_add(&merged, text, len);
	}
	bool same = readable && merged.len == old.len &&
	            memcmp(wr_buf_cstr(&merged), wr_buf_cstr(&old), old.len) == 0;
	if (rc == 0 && !same) rc = wr_write_file(path, wr_buf_cstr(&merged), merged.len, 0640, err);
	wr_buf_free(&old);
	wr_buf_free(&merged);
	return rc;
}
