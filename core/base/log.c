/* log.c: the engine's own log on stderr.
 *
 * A line is built on the stack and written at once under a lock, so that lines never mix. Whoever
 * reads stderr may have gone or be slow: what cannot be written is lost, never waited for by more
 * than the write itself, and errno is left as it was. Thread-safe. */
#include "warroom/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "warroom/clock.h"
#include "warroom/text.h"

#define LINE_MAX_BYTES 2048

static atomic_int least_level = WR_LOG_INFO;
static pthread_mutex_t write_lock = PTHREAD_MUTEX_INITIALIZER; /* guards the order on stderr */

void wr_log_level(wr_level least)
{
	atomic_store(&least_level, (int)least);
}

static void write_line(const char *line, size_t len)
{
	(void)pthread_mutex_lock(&write_lock);
	while (len > 0) {
		ssize_t n = write(STDERR_FILENO, line, len);
		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) break;
		line += n;
		len -= (size_t)n;
	}
	(void)pthread_mutex_unlock(&write_lock);
}

void wr_log(wr_level level, const char *module, const char *fmt, ...)
{
	static const char *const names[] = {"debug", "info", "warn", "error"};
	if ((int)level < atomic_load(&least_level)) return;
	WR_ASSERT((size_t)level < sizeof names / sizeof *names);

	int saved = errno;
	char raw[LINE_MAX_BYTES], clean[LINE_MAX_BYTES], line[LINE_MAX_BYTES + 128];
	char now[WR_TIME_LEN], name[32];
	va_list ap;
	va_start(ap, fmt);
	if (vsnprintf(raw, sizeof raw, fmt, ap) < 0) raw[0] = '\0';
	va_end(ap);
	wr_sanitise_to(clean, sizeof clean, raw);
	wr_sanitise_to(name, sizeof name, module);
	wr_time_format(now, wr_wall_us(&wr_clock_system));
	/* Milliseconds are enough to read: "….123456Z" becomes "….123Z". */
	int n = snprintf(line, sizeof line, "%.23sZ %s %s: %s\n", now, names[level], name, clean);
	if (n > 0 && (size_t)n < sizeof line) write_line(line, (size_t)n);
	errno = saved;
}
