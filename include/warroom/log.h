/* log.h: the engine's own log: one line an event, to stderr, "2026-01-25T12:40:15.123Z level
 * module: text". Thread-safe. Sanitises; never give it a secret. */
#ifndef WARROOM_LOG_H
#define WARROOM_LOG_H

#include "warroom/err.h"

typedef enum wr_level { WR_LOG_DEBUG, WR_LOG_INFO, WR_LOG_WARN, WR_LOG_ERROR } wr_level;
void wr_log_level(wr_level least);
void wr_log(wr_level level, const char *module, const char *fmt, ...) WR_PRINTF(3, 4);

#endif
