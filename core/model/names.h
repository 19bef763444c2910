/* names.h: the words of the configuration, and near-misses, for messages that say what was meant.
 * Pure. */
#ifndef WARROOM_MODEL_NAMES_H
#define WARROOM_MODEL_NAMES_H

#include <stddef.h>

#include "warroom/model.h"

#define WR_RUNBOOK_KIND_COUNT (WR_RB_OTHER + 1)
#define WR_ASSURANCE_COUNT    (WR_OWN_DEVICE + 1)

extern const char *const wr_class_names[WR_CLASS_COUNT];
extern const char *const wr_fact_kind_names[WR_FACT_COUNT];
extern const char *const wr_step_kind_names[WR_STEP_KIND_COUNT];
extern const char *const wr_phase_names[WR_PHASE_COUNT];
extern const char *const wr_runbook_kind_names[WR_RUNBOOK_KIND_COUNT];
extern const char *const wr_assurance_names[WR_ASSURANCE_COUNT];

/* wr_nearest gives the entry of `list` closest to `word` by edit distance, or NULL when none is
 * close enough to be a slip of the fingers. */
const char *wr_nearest(const char *word, const char *const *list, size_t count);

#endif
