/* findings.h: collecting what a load found. */
#ifndef WARROOM_MODEL_FINDINGS_H
#define WARROOM_MODEL_FINDINGS_H

#include <stdarg.h>

#include "warroom/model.h"

typedef struct wr_place {
	const char *file;
	unsigned line, column;
	const char *key; /* "signals[3].interval", or "" */
} wr_place;

/* wr_finding_add appends one; the text is sanitised as a whole. The same finding at the same place
 * is kept once. Never fails: what cannot be kept is counted. */
void wr_finding_add(wr_findings *f, bool is_error, const wr_place *at, const char *fmt, va_list ap)
    __attribute__((format(printf, 4, 0)));

#endif
