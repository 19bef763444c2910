/* clock.c: the system's clock, RFC 3339 times and durations as people write them.
 *
 * Calendar arithmetic is our own (proleptic Gregorian, days counted from 1970): timegm and strptime
 * accept far too much. Everything but wr_clock_system and wr_steady is pure. */
#include "warroom/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "warroom/text.h"

#define US_PER_S   INT64_C(1000000)
#define S_PER_DAY  INT64_C(86400)
#define MS_PER_DAY (S_PER_DAY * 1000)
/* A century: no deadline is further away, and now + duration can never overflow. */
#define DURATION_MAX_MS (36500 * MS_PER_DAY)

static int64_t read_clock(clockid_t id, int64_t per_second)
{
	struct timespec ts;
	if (clock_gettime(id, &ts)) wr_die("the system clock cannot be read");
	return (int64_t)ts.tv_sec * per_second + ts.tv_nsec / (1000000000 / per_second);
}

static int64_t system_mono_ms(void *ctx)
{
	(void)ctx;
	return read_clock(CLOCK_MONOTONIC, 1000);
}

static int64_t system_wall_us(void *ctx)
{
	(void)ctx;
	return read_clock(CLOCK_REALTIME, US_PER_S);
}

const wr_clock wr_clock_system = {.mono_ms = system_mono_ms, .wall_us = system_wall_us};

int64_t wr_mono_ms(const wr_clock *c)
{
	return c->mono_ms(c->ctx);
}
int64_t wr_wall_us(const wr_clock *c)
{
	return c->wall_us(c->ctx);
}

static int64_t steady_mono_ms(void *ctx)
{
	const wr_steady *s = ctx;
	return wr_mono_ms(s->under);
}

static int64_t steady_wall_us(void *ctx)
{
	wr_steady *s = ctx;
	if (pthread_mutex_lock(&s->lock)) wr_die("clock: lock failed");
	int64_t mono_ms = wr_mono_ms(s->under), wall_us = wr_wall_us(s->under);
	int64_t passed_us = mono_ms > s->mono_ms ? (mono_ms - s->mono_ms) * 1000 : 0;
	int64_t least_us = s->wall_us + passed_us - passed_us / 16;
	s->wall_us = wall_us > least_us ? wall_us : least_us;
	s->mono_ms = mono_ms;
	wall_us = s->wall_us;
	if (pthread_mutex_unlock(&s->lock)) wr_die("clock: unlock failed");
	return wall_us;
}

void wr_steady_init(wr_steady *s, const wr_clock *under)
{
	s->clock = (wr_clock){.mono_ms = steady_mono_ms, .wall_us = steady_wall_us, .ctx = s};
	s->under = under;
	if (pthread_mutex_init(&s->lock, NULL)) wr_die("clock: no lock");
	s->wall_us = wr_wall_us(under);
	s->mono_ms = wr_mono_ms(under);
}

void wr_steady_free(wr_steady *s)
{
	(void)pthread_mutex_destroy(&s->lock);
}

void wr_steady_floor(wr_steady *s, int64_t wall_us)
{
	int64_t now_us = wr_wall_us(&s->clock);
	if (pthread_mutex_lock(&s->lock)) wr_die("clock: lock failed");
	if (wall_us > now_us && wall_us > s->wall_us) s->wall_us = wall_us;
	if (pthread_mutex_unlock(&s->lock)) wr_die("clock: unlock failed");
}

/* days_from_civil: days since 1970-01-01, by counting years from March so that the leap day is the
 * last of its year (Hinnant, "chrono-compatible low-level date algorithms"). */
static int64_t days_from_civil(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return era * 146097 + day_of_era - 719468;
}

static void civil_from_days(int64_t days, int *year, int *month, int *day)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	int64_t day_of_era = days - era * 146097;
	int64_t year_of_era =
	    (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t march_month = (5 * day_of_year + 2) / 153;
	*day = (int)(day_of_year - (153 * march_month + 2) / 5 + 1);
	*month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);
	*year = (int)(year_of_era + era * 400 + (*month <= 2));
}

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return days[month - 1] + (month == 2 && leap);
}

/* 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z in seconds since 1970. */
#define FIRST_S INT64_C(-62135596800)
#define LAST_S  INT64_C(253402300799)

void wr_time_format(char out[static WR_TIME_LEN], int64_t wall_us)
{
	int64_t us = wall_us % US_PER_S, s = wall_us / US_PER_S;
	if (us < 0) {
		us += US_PER_S;
		s--;
	}
	if (s < FIRST_S || s > LAST_S) {
		memcpy(out, "?", 2);
		return;
	}
	int64_t in_day = s % S_PER_DAY, days = s / S_PER_DAY;
	if (in_day < 0) {
		in_day += S_PER_DAY;
		days--;
	}
	int year, month, day;
	civil_from_days(days, &year, &month, &day);
	(void)snprintf(out, WR_TIME_LEN, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ", (unsigned)year % 10000,
	               (unsigned)month % 100, (unsigned)day % 100, (unsigned)(in_day / 3600) % 100,
	               (unsigned)(in_day / 60 % 60), (unsigned)(in_day % 60), (unsigned)us % 1000000);
}

/* digits reads exactly n digits at *s into *value, and advances. */
static bool digits(const char **s, int n, int *value)
{
	*value = 0;
	for (; n > 0; n--, (*s)++) {
		if (**s < '0' || **s > '9') return false;
		*value = *value * 10 + (**s - '0');
	}
	return true;
}

static bool expect(const char **s, char c)
{
	if (**s != c) return false;
	(*s)++;
	return true;
}

/* fraction reads ".ddd…" if there is one; digits past the microsecond are dropped. */
static bool fraction(const char **s, int64_t *us)
{
	*us = 0;
	if (!expect(s, '.')) return true;
	if (**s < '0' || **s > '9') return false;
	for (int64_t unit = US_PER_S / 10; **s >= '0' && **s <= '9'; (*s)++, unit /= 10)
		*us += unit * (**s - '0');
	return true;
}

static bool offset(const char **s, int64_t *seconds)
{
	*seconds = 0;
	if (expect(s, 'Z') || expect(s, 'z')) return true;
	int sign = **s == '-' ? -1 : 1, hours, minutes;
	if (!expect(s, '+') && !expect(s, '-')) return false;
	if (!digits(s, 2, &hours) || !expect(s, ':') || !digits(s, 2, &minutes)) return false;
	if (hours > 23 || minutes > 59) return false;
	*seconds = INT64_C(60) * sign * (hours * 60 + minutes);
	return true;
}

/* leap_second_ok: seconds are inserted only at the end of a UTC month. */
static bool leap_second_ok(int64_t next_s)
{
	int year, month, day;
	if (next_s % S_PER_DAY != 0) return false;
	civil_from_days(next_s / S_PER_DAY, &year, &month, &day);
	return day == 1;
}

static bool parse_time(const char *s, int64_t *wall_us)
{
	int year, month, day, hour, minute, second;
	int64_t us, offset_s;
	if (!digits(&s, 4, &year) || !expect(&s, '-') || !digits(&s, 2, &month) || !expect(&s, '-') ||
	    !digits(&s, 2, &day) || (!expect(&s, 'T') && !expect(&s, 't')))
		return false;
	if (!digits(&s, 2, &hour) || !expect(&s, ':') || !digits(&s, 2, &minute) || !expect(&s, ':') ||
	    !digits(&s, 2, &second) || !fraction(&s, &us) || !offset(&s, &offset_s) || *s)
		return false;
	if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) return false;
	if (hour > 23 || minute > 59 || second > 60) return false;
	int64_t t = days_from_civil(year, month, day) * S_PER_DAY + (hour * INT64_C(60) + minute) * 60 +
	            second - offset_s;
	if (second == 60 && !leap_second_ok(t)) return false;
	if (t < FIRST_S || t > LAST_S) return false;
	*wall_us = t * US_PER_S + us;
	return true;
}

int wr_time_parse(const char *s, int64_t *wall_us, wr_err *err)
{
	if (parse_time(s, wall_us)) return 0;
	char shown[48];
	return wr_fail(err, WR_E_INVALID,
	               "\"%s\" is not a time: write it as 2026-01-25T12:40:15Z (RFC 3339)",
	               wr_sanitise_to(shown, sizeof shown, s));
}

static const struct {
	const char *name;
	int64_t ms;
} units[] = {{"d", MS_PER_DAY}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
#define UNITS (sizeof units / sizeof *units)

/* unit_at finds the unit whose letters are the whole run at s: "ms" is not "m" and a rest. */
static size_t unit_at(const char *s, size_t *len)
{
	*len = 0;
	while ((s[*len] >= 'a' && s[*len] <= 'z') || (s[*len] >= 'A' && s[*len] <= 'Z')) ++*len;
	for (size_t u = 0; u < UNITS; u++)
		if (strlen(units[u].name) == *len && memcmp(units[u].name, s, *len) == 0) return u;
	return UNITS;
}

static bool parse_duration(const char *s, int64_t *ms, bool *too_long)
{
	*ms = 0;
	*too_long = false;
	if (strcmp(s, "0") == 0) return true;
	for (size_t least = 0; *s;) {
		int64_t n = 0;
		if (*s < '0' || *s > '9') return false;
		for (; *s >= '0' && *s <= '9'; s++)
			if (n <= DURATION_MAX_MS) n = n * 10 + (*s - '0');
		size_t len, u = unit_at(s, &len);
		/* Units go down and come once: "30s1m" or "1s1s" is more likely a slip than a wish. */
		if (u == UNITS || u < least) return false;
		least = u + 1;
		s += len;
		if (n > DURATION_MAX_MS / units[u].ms || *ms + n * units[u].ms > DURATION_MAX_MS) {
			*too_long = true;
			return false;
		}
		*ms += n * units[u].ms;
		if (!*s) return true;
	}
	return false;
}

int wr_duration_parse(const char *s, int64_t *ms, wr_err *err)
{
	int64_t value;
	bool too_long;
	if (parse_duration(s, &value, &too_long)) {
		*ms = value;
		return 0;
	}
	char shown[48];
	wr_sanitise_to(shown, sizeof shown, s);
	if (too_long) return wr_fail(err, WR_E_LIMIT, "\"%s\" is longer than a century", shown);
	return wr_fail(err, WR_E_INVALID,
	               "\"%s\" is not a duration: write it as 250ms, 5s, 1m30s, 2h or 7d", shown);
}

void wr_duration_format(char *out, size_t size, int64_t ms)
{
	const char *sign = ms < 0 ? "-" : "";
	uint64_t n = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
	unsigned s = (unsigned)(n / 1000 % 60), m = (unsigned)(n / 60000 % 60);
	unsigned h = (unsigned)(n / 3600000 % 24);
	unsigned long long d = n / (uint64_t)MS_PER_DAY;
	if (n < 1000)
		(void)snprintf(out, size, "%s%ums", sign, (unsigned)n);
	else if (n < 60000)
		(void)snprintf(out, size, "%s%u.%us", sign, s, (unsigned)(n / 100 % 10));
	else if (n < 3600000)
		(void)snprintf(out, size, "%s%02u:%02u", sign, m, s);
	else if (d == 0)
		(void)snprintf(out, size, "%s%u:%02u:%02u", sign, h, m, s);
	else if (d < 100000)
		(void)snprintf(out, size, "%s%llud %uh", sign, d, h);
	else
		(void)snprintf(out, size, "%s%llud", sign, d);
}

/* "1 h 4 m", or "1 h" when there is nothing of the smaller unit. */
static void two_units(char *out, size_t size, unsigned long long large, const char *large_unit,
                      unsigned small, const char *small_unit)
{
	if (small)
		(void)snprintf(out, size, "%llu %s %u %s", large, large_unit, small, small_unit);
	else
		(void)snprintf(out, size, "%llu %s", large, large_unit);
}

void wr_duration_words(char *out, size_t size, int64_t ms)
{
	uint64_t n = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
	if (ms < 0 && size > 1) {
		*out++ = '-';
		size--;
	}
	unsigned s = (unsigned)(n / 1000 % 60), m = (unsigned)(n / 60000 % 60);
	unsigned h = (unsigned)(n / 3600000 % 24), tenth = (unsigned)(n / 100 % 10);
	unsigned long long d = n / (uint64_t)MS_PER_DAY;
	if (n < 1000)
		(void)snprintf(out, size, "%u ms", (unsigned)n);
	else if (n < 60000 && tenth)
		(void)snprintf(out, size, "%u.%u s", s, tenth);
	else if (n < 60000)
		(void)snprintf(out, size, "%u s", s);
	else if (n < 3600000)
		two_units(out, size, m, "m", s, "s");
	else if (d == 0)
		two_units(out, size, h, "h", m, "m");
	else
		two_units(out, size, d, "d", d < 100000 ? h : 0, "h");
}
