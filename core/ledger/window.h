/* window.h: the answers of suspects.h in bounded memory, for a chain that has too many of them.
 *
 * One reading counts all ids and parents in a table of two-bit counters, by a seeded hash: what has
 * a counter that stays at one occurs once. The others are kept for one window of the chain at a
 * time, which ends where they fill the memory; what of them the receipts before the window have is
 * found by reading these once more. So the windows are as many as it takes, and each costs a
 * reading of what is before it. Not thread-safe. */
#ifndef WR_LEDGER_WINDOW_H
#define WR_LEDGER_WINDOW_H

#include "ledger/pass.h"

typedef struct wr_window wr_window;

/* wr_window_open counts. `max` of each kind are kept; `total` (may be NULL) grows by what is read
 * besides, which opts->progress is told. */
WR_CHECKED int wr_window_open(wr_window **out, const wr_parts *parts, size_t max,
                              const wr_pass_opts *opts, int64_t *total, wr_err *err);
void wr_window_close(wr_window *w);
/* wr_window_reach comes before the checker takes the line at byte `at` of a part: its suspects and
 * parents are then those of the window that the line is in. */
WR_CHECKED int wr_window_reach(wr_window *w, wr_check *c, size_t part, int64_t at, wr_err *err);

#endif
