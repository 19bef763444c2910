/* clock.h: time as a capability, so that the engine runs under a virtual clock too.
 *
 * Wall time is int64 microseconds since 1970 UTC (`_us`); durations and monotonic time are int64
 * milliseconds (`_ms`). Decisions take `now` values, never a clock. */
#ifndef WARROOM_CLOCK_H
#define WARROOM_CLOCK_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "warroom/err.h"

typedef struct wr_clock {
	int64_t (*mono_ms)(void *ctx);
	int64_t (*wall_us)(void *ctx);
	void *ctx;
} wr_clock;

extern const wr_clock wr_clock_system;
int64_t wr_mono_ms(const wr_clock *c);
int64_t wr_wall_us(const wr_clock *c);

/* wr_steady is a clock whose wall time never goes back, for whoever compares times with those on
 * record: when the clock under it is set back, it goes on from the latest time that it told, a
 * sixteenth slower, until the other has caught up. Time does not stand still meanwhile: what
 * expires expires. Thread-safe; `clock` is what others are given. */
typedef struct wr_steady {
	wr_clock clock;
	const wr_clock *under;
	pthread_mutex_t lock;     /* guards what follows */
	int64_t wall_us, mono_ms; /* as told last */
} wr_steady;
void wr_steady_init(wr_steady *s, const wr_clock *under);
void wr_steady_free(wr_steady *s);
/* wr_steady_floor: no time before wall_us is told from here on. */
void wr_steady_floor(wr_steady *s, int64_t wall_us);

#define WR_TIME_LEN 28 /* "2026-01-25T12:40:15.123456Z" + NUL */
/* wr_time_format writes RFC 3339 UTC with microseconds and `Z`. Years 0001–9999, else "?" . */
void wr_time_format(char out[static WR_TIME_LEN], int64_t wall_us);
/* wr_time_parse reads RFC 3339 with optional fraction and Z or ±hh:mm. */
WR_CHECKED int wr_time_parse(const char *s, int64_t *wall_us, wr_err *err);
/* wr_duration_parse reads "250ms", "5s", "1m30s", "2h", "7d", or "0"; a bare other number is an
 * error. */
WR_CHECKED int wr_duration_parse(const char *s, int64_t *ms, wr_err *err);
/* wr_duration_format: "850ms", "2.3s", "04:12", "1:04:12", "11d 3h"; at most 15 characters + NUL.
 */
void wr_duration_format(char *out, size_t size, int64_t ms);
/* wr_duration_words is for sentences: "850 ms", "2.3 s", "30 s", "4 m 12 s", "5 m", "1 h 4 m",
 * "11 d 3 h": the two largest units, cut, not rounded; at most 15 characters + NUL. */
void wr_duration_words(char *out, size_t size, int64_t ms);

#endif
