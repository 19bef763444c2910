/* template.h: ${…} in configured strings. */
#ifndef WARROOM_MODEL_TEMPLATE_H
#define WARROOM_MODEL_TEMPLATE_H

#include "warroom/model.h"

typedef struct wr_scope {
	const wr_region *from, *to; /* ${from}, ${from.X}; NULL: not meant here */
	const wr_region *region;    /* ${region}, ${region.X}: of the signal or fact itself */
} wr_scope;

/* wr_template_run appends `text` with every ${…} of the scope replaced; ${env:} and ${file:}
 * stay. */
WR_CHECKED int wr_template_run(wr_buf *out, const char *text, const wr_config *c,
                               const wr_scope *scope, wr_err *err);
/* wr_next_pair steps through the pairs of regions that an operation may have (a platform of one
 * region has itself): for (size_t i = 0; wr_next_pair(c, &i, &scope);) … */
bool wr_next_pair(const wr_config *c, size_t *i, wr_scope *out);

#endif
