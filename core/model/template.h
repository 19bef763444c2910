/* template.h: ${…} in configured strings. */
#ifndef WARROOM_MODEL_TEMPLATE_H
#define WARROOM_MODEL_TEMPLATE_H

#include "warroom/model.h"

typedef struct wr_scope {
	const wr_region *from, *to; /* ${from}, ${from.X}; NULL: not meant here */
	const wr_region *region;    /* ${region}, ${region.X}: of the signal or fact itself */
} wr_scope;

/* wr_template_run appends `text` with every ${…} of the scope replaced; ${env:} and ${file:} stay.
 */
WR_CHECKED int wr_template_run(wr_buf *out, const char *text, const wr_config *c,
                               const wr_scope *scope, wr_err *err);
/* The next reference to a secret in `text`: its offset of "${" and length up to and with "}", or
 * false. `*at` is where to look from. */
bool wr_secret_find(const char *text, size_t *at, size_t *len);

#endif
