/* foreign_audit.c: a chain of other software's receipts, read and checked; what foreign.h promises.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/foreign.h"

struct wr_foreign {
	foreign_source source;
	wr_foreign_head known;
	bool resumable; /* source.head is of `known` */
};

wr_foreign *wr_foreign_open(const wr_profile *profile, const char *source, wr_err *err)
{
	wr_foreign *f = calloc(1, sizeof *f);
	if (!f) {
		(void)wr_fail(err, WR_E_NOMEM, "out of memory");
		return NULL;
	}
	f->source.p = profile;
	f->source.where = source;
	return f;
}

void wr_foreign_close(wr_foreign *f)
{
	free(f);
}

void wr_foreign_expect(wr_foreign *f, const wr_foreign_head *known)
{
	f->known = known ? *known : (wr_foreign_head){0};
	f->resumable = false;
}

const wr_foreign_head *wr_foreign_known(const wr_foreign *f)
{
	return &f->known;
}

static int read_source(wr_foreign *f, bool resume, wr_err *err)
{
	return wr_source_is_url(f->source.where) ? foreign_read_http(&f->source, resume, err)
	                                         : foreign_read_file(&f->source, resume, err);
}

/* One reading; *found: it went on from the last record seen. */
static int run(wr_foreign *f, bool resume, wr_foreign_report *out, bool *found,
               const wr_foreign_hooks *hooks, wr_err *err)
{
	foreign_check c;
	if (foreign_check_init(&c, f->source.p, out, &f->known, resume, err) != 0) return -1;
	f->source.c = &c;
	f->source.hooks = hooks;
	int rc = read_source(f, resume, err);
	if (rc == 0) foreign_check_end(&c);
	*found = c.found;
	if (rc == 0 && out->ok && (!resume || c.found)) {
		if (out->head.known) f->known = out->head;
		f->source.head = f->source.last;
		f->resumable = out->head.known;
	}
	foreign_check_free(&c);
	f->source.c = NULL;
	return rc;
}

int wr_foreign_audit(wr_foreign *f, wr_foreign_report *out, const wr_foreign_hooks *hooks,
                     wr_err *err)
{
	bool found;
	return run(f, false, out, &found, hooks, err);
}

int wr_foreign_poll(wr_foreign *f, wr_foreign_report *out, const wr_foreign_hooks *hooks,
                    wr_err *err)
{
	bool found = false;
	if (f->resumable) {
		int rc = run(f, true, out, &found, hooks, err);
		/* A cursor may have run out: that is no reason not to begin anew. */
		bool token = f->source.head.page[0] != '\0';
		if (rc != 0 && (!token || err->code == WR_E_CANCELLED)) return -1;
		if (rc == 0 && found && out->ok) return 0;
	}
	return wr_foreign_audit(f, out, hooks, err);
}
