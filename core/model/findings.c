/* findings.c: the list of errors and warnings of a load. Not thread-safe. */
#include "model/findings.h"

#include <stdlib.h>
#include <string.h>

#include "warroom/text.h"

static bool same(const wr_finding *a, const wr_finding *b)
{
	return a->line == b->line && a->column == b->column && a->is_error == b->is_error &&
	       strcmp(a->key, b->key) == 0 && strcmp(a->text, b->text) == 0 &&
	       strcmp(a->file, b->file) == 0;
}

/* Grows by doubling; false when it is full or memory is. */
static bool make_room(wr_findings *f)
{
	if (f->count >= WR_FINDINGS_MAX) return false;
	bool full = f->count == 0 || (f->count >= 8 && (f->count & (f->count - 1)) == 0);
	if (!full) return true;
	size_t cap = f->count == 0 ? 8 : f->count * 2;
	wr_finding *items = realloc(f->items, cap * sizeof *items);
	if (items == NULL) return false;
	f->items = items;
	return true;
}

void wr_finding_add(wr_findings *f, bool is_error, const wr_place *at, const char *fmt, va_list ap)
{
	wr_finding x = {.is_error = is_error, .line = at->line, .column = at->column};
	char text[1024];
	vsnprintf(text, sizeof text, fmt, ap);
	wr_sanitise_to(x.text, sizeof x.text, text);
	wr_sanitise_to(x.file, sizeof x.file, at->file);
	wr_sanitise_to(x.key, sizeof x.key, at->key);
	for (size_t i = 0; i < f->count; i++)
		if (same(&f->items[i], &x)) return;
	*(is_error ? &f->errors : &f->warnings) += 1;
	if (make_room(f))
		f->items[f->count++] = x;
	else
		f->more++;
}

void wr_findings_free(wr_findings *f)
{
	free(f->items);
	*f = (wr_findings){0};
}

void wr_findings_print(const wr_findings *f, FILE *out)
{
	for (size_t i = 0; i < f->count; i++) {
		const wr_finding *x = &f->items[i];
		fprintf(out, "%s:", x->file);
		if (x->line > 0) fprintf(out, "%u:", x->line);
		fprintf(out, " %s%s%s%s\n", x->is_error ? "" : "warning: ", x->key,
		        x->key[0] != '\0' ? ": " : "", x->text);
	}
	if (f->more > 0) fprintf(out, "and %zu more\n", f->more);
}
