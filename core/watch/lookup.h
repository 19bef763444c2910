/* lookup.h: names whose lookup hangs. Used by the prober's thread alone.
 *
 * A lookup runs in a thread of libcurl's that nobody can end: a dead name server, a thousand probes
 * a second and a resolver that tries for half a minute would make tens of thousands of them. So
 * after a lookup that did not end in time, one probe of that host asks again every
 * WR_LOOKUP_HOLD_MS, and the others fail with what it found. */
#ifndef WARROOM_WATCH_LOOKUP_H
#define WARROOM_WATCH_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "warroom/err.h"

#define WR_LOOKUP_HOLD_MS 5000

typedef struct wr_host {
	char *name;
	int64_t hold_until_ms; /* 0: its name resolves, as far as is known */
} wr_host;

typedef struct wr_hosts {
	wr_host *items;
	size_t count, max;
} wr_hosts;

/* wr_hosts_find gives the host of a URL, added if new; NULL if it cannot be told (a secret in the
 * host part) or memory is out. `max` items must have been allocated. */
wr_host *wr_hosts_find(wr_hosts *h, const char *url);
void wr_hosts_clear(wr_hosts *h);
/* wr_host_may_look: whether a probe may begin now; counts as asking again when the hold is over.
 * NULL: yes. */
bool wr_host_may_look(wr_host *h, int64_t now_ms);
void wr_host_looked(wr_host *h, bool hung, int64_t now_ms);

#endif
