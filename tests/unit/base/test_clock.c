/* test_clock.c: times and durations. */
#include "check.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "warroom/clock.h"

#define S INT64_C(1000000)

static int64_t parse(const char *s)
{
	wr_err err;
	int64_t us = -1;
	if (wr_time_parse(s, &us, &err)) fail_msg("%s: %s", s, err.msg);
	return us;
}

static void test_format(void **state)
{
	(void)state;
	static const struct {
		int64_t us;
		const char *text;
	} rows[] = {
	    {0, "1970-01-01T00:00:00.000000Z"},
	    {-1, "1969-12-31T23:59:59.999999Z"},
	    {1769344815123456, "2026-01-25T12:40:15.123456Z"},
	    {951782400 * S, "2000-02-29T00:00:00.000000Z"},
	    {4107542399 * S, "2100-02-28T23:59:59.000000Z"},
	    {4107542400 * S, "2100-03-01T00:00:00.000000Z"},
	    {-62135596800 * S, "0001-01-01T00:00:00.000000Z"},
	    {-62135596800 * S - 1, "?"},
	    {253402300799 * S + 999999, "9999-12-31T23:59:59.999999Z"},
	    {253402300800 * S, "?"},
	    {INT64_MAX, "?"},
	    {INT64_MIN, "?"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[WR_TIME_LEN];
		wr_time_format(text, rows[i].us);
		assert_string_equal(text, rows[i].text);
	}
}

static void test_parse(void **state)
{
	(void)state;
	assert_int_equal(parse("1970-01-01T00:00:00Z"), 0);
	assert_int_equal(parse("2026-01-25T12:40:15.123456Z"), 1769344815123456);
	assert_int_equal(parse("2026-01-25T12:40:15.1Z"), 1769344815100000);
	assert_int_equal(parse("2026-01-25T12:40:15.1234569999999999999999Z"), 1769344815123456);
	assert_int_equal(parse("2026-01-25t12:40:15z"), 1769344815 * S);
	assert_int_equal(parse("2026-01-25T13:40:15+01:00"), 1769344815 * S);
	assert_int_equal(parse("2026-01-25T07:10:15-05:30"), 1769344815 * S);
	assert_int_equal(parse("2026-01-25T12:40:15-00:00"), 1769344815 * S);
	assert_int_equal(parse("2026-01-26T12:39:15+23:59"), 1769344815 * S);
	assert_int_equal(parse("1969-12-31T23:59:59.999999Z"), -1);
	assert_int_equal(parse("0001-01-01T00:00:00Z"), -62135596800 * S);
	assert_int_equal(parse("9999-12-31T23:59:59Z"), 253402300799 * S);
}

static void test_parse_leap_days(void **state)
{
	(void)state;
	wr_err err;
	int64_t us;
	assert_int_equal(parse("2024-02-29T00:00:00Z"), 1709164800 * S);
	assert_int_equal(parse("2000-02-29T00:00:00Z"), 951782400 * S);
	assert_fails(wr_time_parse("2026-02-29T00:00:00Z", &us, &err), WR_E_INVALID, &err);
	assert_fails(wr_time_parse("1900-02-29T00:00:00Z", &us, &err), WR_E_INVALID, &err);
	assert_fails(wr_time_parse("2100-02-29T00:00:00Z", &us, &err), WR_E_INVALID, &err);
	assert_fails(wr_time_parse("2024-02-30T00:00:00Z", &us, &err), WR_E_INVALID, &err);
}

static void test_parse_leap_seconds(void **state)
{
	(void)state;
	wr_err err;
	int64_t us;
	/* RFC 3339 section 5.8: the same leap second, in UTC and in Pacific time. */
	assert_int_equal(parse("1990-12-31T23:59:60Z"), 662688000 * S);
	assert_int_equal(parse("1990-12-31T15:59:60-08:00"), 662688000 * S);
	assert_fails(wr_time_parse("1990-12-31T22:59:60Z", &us, &err), WR_E_INVALID, &err);
	assert_fails(wr_time_parse("1990-12-30T23:59:60Z", &us, &err), WR_E_INVALID, &err);
	assert_fails(wr_time_parse("1990-12-31T23:59:61Z", &us, &err), WR_E_INVALID, &err);
	assert_fails(wr_time_parse("9999-12-31T23:59:60Z", &us, &err), WR_E_INVALID, &err);
}

static void test_parse_refuses(void **state)
{
	(void)state;
	static const char *const bad[] = {
	    "",
	    "now",
	    "2026-01-25",
	    "2026-01-25T12:40Z",
	    "2026-01-25T12:40:15",
	    "2026-01-25 12:40:15Z",
	    "2026-01-25T12:40:15.Z",
	    "2026-01-25T12:40:15,5Z",
	    "2026-01-25T12:40:15Z ",
	    " 2026-01-25T12:40:15Z",
	    "2026-01-25T12:40:15ZZ",
	    "2026-01-25T12:40:15+1:00",
	    "2026-01-25T12:40:15+0100",
	    "2026-01-25T12:40:15+01",
	    "2026-01-25T12:40:15+24:00",
	    "2026-01-25T12:40:15+01:60",
	    "2026-01-25T24:00:00Z",
	    "2026-01-25T12:60:00Z",
	    "2026-13-25T12:40:15Z",
	    "2026-00-25T12:40:15Z",
	    "2026-01-00T12:40:15Z",
	    "2026-01-32T12:40:15Z",
	    "2026-04-31T12:40:15Z",
	    "2026-1-25T12:40:15Z",
	    "26-01-25T12:40:15Z",
	    "+2026-01-25T12:40:15Z",
	    "-026-01-25T12:40:15Z",
	    "20260125T124015Z",
	    "0000-12-31T23:59:59Z",
	    "0001-01-01T00:00:00+00:01",
	    "9999-12-31T23:59:59-00:01",
	    "2026-01-25T12:40:15\xE2\x88\22201:00",
	    "2026-01-25T12:40:1",
	    "2026-01-2",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		wr_err err;
		int64_t us;
		if (wr_time_parse(bad[i], &us, &err) == 0) fail_msg("accepted: %s", bad[i]);
		assert_int_equal(err.code, WR_E_INVALID);
	}
	wr_err err;
	int64_t us;
	assert_fails(wr_time_parse("\x1b[2J\n", &us, &err), WR_E_INVALID, &err);
	for (const char *p = err.msg; *p; p++) assert_true((unsigned char)*p >= 0x20);
}

static void test_every_day_of_nine_centuries(void **state)
{
	(void)state;
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year = 1600, month = 1, day = 1;
	for (int64_t us = parse("1600-01-01T00:00:00Z"); year < 2500; us += 86400 * S) {
		char text[WR_TIME_LEN];
		wr_time_format(text, us);
		int y =
		    (text[0] - '0') * 1000 + (text[1] - '0') * 100 + (text[2] - '0') * 10 + text[3] - '0';
		if (y != year || text[5] - '0' != month / 10 || text[6] - '0' != month % 10 ||
		    text[8] - '0' != day / 10 || text[9] - '0' != day % 10)
			fail_msg("%s is not %04d-%02d-%02d", text, year, month, day);
		assert_int_equal(parse(text), us);
		bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
		if (++day > lengths[month - 1] + (month == 2 && leap)) {
			day = 1;
			if (++month > 12) month = 1, year++;
		}
	}
}

static void test_random_times_against_libc(void **state)
{
	(void)state;
	uint64_t seed = 5;
	for (unsigned i = 0; i < 20000; i++) {
		int64_t us =
		    (int64_t)(next_random(&seed) % (UINT64_C(315537897600) * 1000000)) - 62135596800 * S;
		char text[WR_TIME_LEN], expected[40];
		wr_time_format(text, us);
		assert_int_equal(parse(text), us);
		time_t t = (time_t)((us - (us % S + S) % S) / S);
		struct tm tm;
		assert_non_null(gmtime_r(&t, &tm));
		(void)strftime(expected, sizeof expected, "-%m-%dT%H:%M:%S", &tm);
		assert_memory_equal(text + 4, expected, strlen(expected));
	}
}

static void test_duration_parse(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
	    {"0", 0},           {"0s", 0},        {"250ms", 250},
	    {"5s", 5000},       {"1m30s", 90000}, {"2h", 7200000},
	    {"7d", 604800000},  {"90m", 5400000}, {"1d2h3m4s5ms", 93784005},
	    {"1h5ms", 3600005}, {"007s", 7000},   {"36500d", INT64_C(3153600000000)},
	    {"1m0s", 60000},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		wr_err err;
		int64_t ms = -1;
		if (wr_duration_parse(rows[i].text, &ms, &err)) fail_msg("%s", err.msg);
		assert_int_equal(ms, rows[i].ms);
	}
}

static void test_duration_parse_refuses(void **state)
{
	(void)state;
	static const char *const bad[] = {
	    "",     "5",    "00", "s",    "ms",     "5 s",  " 5s",  "5s ",   "-5s",
	    "+5s",  "1.5s", "5S", "5sec", "5min",   "1s1m", "1s1s", "1ms1s", "1m1m",
	    "5m30", "0x5s", "5w", "5us",  "1h 30m", "5s\n", "5mss",
	};
	static const char *const long_ones[] = {
	    "36501d",        "36500d1ms", "9223372036854775807ms", "99999999999999999999999999999s",
	    "106751991168d",
	};
	wr_err err;
	int64_t ms = 77;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (wr_duration_parse(bad[i], &ms, &err) == 0) fail_msg("accepted: %s", bad[i]);
		assert_int_equal(err.code, WR_E_INVALID);
	}
	for (size_t i = 0; i < sizeof long_ones / sizeof *long_ones; i++)
		assert_fails(wr_duration_parse(long_ones[i], &ms, &err), WR_E_LIMIT, &err);
	assert_int_equal(ms, 77);
}

static void test_duration_format(void **state)
{
	(void)state;
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
	    {0, "0ms"},
	    {850, "850ms"},
	    {999, "999ms"},
	    {1000, "1.0s"},
	    {2399, "2.3s"},
	    {59999, "59.9s"},
	    {60000, "01:00"},
	    {252000, "04:12"},
	    {3599999, "59:59"},
	    {3852000, "1:04:12"},
	    {86399999, "23:59:59"},
	    {86400000, "1d 0h"},
	    {INT64_C(11) * 86400000 + 3 * 3600000, "11d 3h"},
	    {INT64_C(99999) * 86400000, "99999d 0h"},
	    {INT64_C(100000) * 86400000, "100000d"},
	    {-850, "-850ms"},
	    {-3852000, "-1:04:12"},
	    {INT64_MAX, "106751991167d"},
	    {INT64_MIN, "-106751991167d"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[16];
		wr_duration_format(text, sizeof text, rows[i].ms);
		assert_string_equal(text, rows[i].text);
	}
	char tiny[4];
	wr_duration_format(tiny, sizeof tiny, 252000);
	assert_string_equal(tiny, "04:");
}

static void test_duration_words(void **state)
{
	(void)state;
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
	    {0, "0 ms"},
	    {999, "999 ms"},
	    {1000, "1 s"},
	    {2399, "2.3 s"},
	    {30000, "30 s"},
	    {59999, "59.9 s"},
	    {60000, "1 m"},
	    {252000, "4 m 12 s"},
	    {3599999, "59 m 59 s"},
	    {3600000, "1 h"},
	    {3852000, "1 h 4 m"},
	    {86399999, "23 h 59 m"},
	    {86400000, "1 d"},
	    {INT64_C(11) * 86400000 + 3 * 3600000, "11 d 3 h"},
	    {INT64_C(99999) * 86400000 + 82800000, "99999 d 23 h"},
	    {INT64_C(100000) * 86400000 + 3600000, "100000 d"},
	    {-850, "-850 ms"},
	    {-INT64_C(99999) * 86400000 - 82800000, "-99999 d 23 h"},
	    {INT64_MAX, "106751991167 d"},
	    {INT64_MIN, "-106751991167 d"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[16];
		wr_duration_words(text, sizeof text, rows[i].ms);
		assert_string_equal(text, rows[i].text);
	}
	char tiny[4];
	wr_duration_words(tiny, sizeof tiny, -252000);
	assert_string_equal(tiny, "-4 ");
}

static int64_t fake_mono(void *ctx)
{
	return *(int64_t *)ctx;
}
static int64_t fake_wall(void *ctx)
{
	return *(int64_t *)ctx * 1000;
}

static void test_clocks(void **state)
{
	(void)state;
	int64_t t = 41;
	const wr_clock fake = {fake_mono, fake_wall, &t};
	assert_int_equal(wr_mono_ms(&fake), 41);
	assert_int_equal(wr_wall_us(&fake), 41000);

	int64_t before = wr_mono_ms(&wr_clock_system);
	assert_true(wr_mono_ms(&wr_clock_system) >= before);
	struct timespec a, b;
	assert_int_equal(clock_gettime(CLOCK_REALTIME, &a), 0);
	int64_t us = wr_wall_us(&wr_clock_system);
	assert_int_equal(clock_gettime(CLOCK_REALTIME, &b), 0);
	assert_true(us >= (int64_t)a.tv_sec * S + a.tv_nsec / 1000);
	assert_true(us <= (int64_t)b.tv_sec * S + b.tv_nsec / 1000);
}

/* ---- the steady clock ---- */

static int64_t hand_wall_us, hand_mono_ms;

static int64_t hand_wall(void *ctx)
{
	(void)ctx;
	return hand_wall_us;
}

static int64_t hand_mono(void *ctx)
{
	(void)ctx;
	return hand_mono_ms;
}

static const wr_clock hand = {.mono_ms = hand_mono, .wall_us = hand_wall};

static void pass(int64_t ms)
{
	hand_wall_us += ms * 1000;
	hand_mono_ms += ms;
}

static void steady_follows(void **state)
{
	(void)state;
	wr_steady s;
	hand_wall_us = INT64_C(1769342400000000);
	hand_mono_ms = 77;
	wr_steady_init(&s, &hand);
	for (int i = 0; i < 1000; i++) {
		pass(i % 7);
		hand_wall_us += i % 3;
		assert_int_equal(wr_wall_us(&s.clock), hand_wall_us);
		assert_int_equal(wr_mono_ms(&s.clock), hand_mono_ms);
	}
	hand_wall_us += INT64_C(3600000000); /* set forward */
	assert_int_equal(wr_wall_us(&s.clock), hand_wall_us);
	wr_steady_free(&s);
}

static void steady_set_back(void **state)
{
	(void)state;
	wr_steady s;
	hand_wall_us = INT64_C(1769342400000000);
	wr_steady_init(&s, &hand);
	int64_t before = wr_wall_us(&s.clock), last = before;
	hand_wall_us -= INT64_C(16000000);
	for (int i = 0; i < 16 * 16 - 1; i++) { /* a sixteenth slower: 16 s are made up for in 256 s */
		pass(1000);
		int64_t now = wr_wall_us(&s.clock);
		assert_true(now > last && now > hand_wall_us);
		assert_int_equal(now - last, 937500);
		last = now;
	}
	pass(1000);
	assert_int_equal(wr_wall_us(&s.clock), hand_wall_us);
	pass(1000);
	assert_int_equal(wr_wall_us(&s.clock), hand_wall_us);
	/* Asked again and again it neither stands still nor runs away. */
	hand_wall_us -= INT64_C(3600000000);
	before = wr_wall_us(&s.clock);
	for (int i = 0; i < 60000; i++) {
		pass(1);
		(void)wr_wall_us(&s.clock);
	}
	assert_in_range(wr_wall_us(&s.clock) - before, 56250000, 56290000);
	wr_steady_free(&s);
}

static void steady_floor(void **state)
{
	(void)state;
	wr_steady s;
	hand_wall_us = INT64_C(1769342400000000);
	wr_steady_init(&s, &hand);
	wr_steady_floor(&s, hand_wall_us - 5);
	assert_int_equal(wr_wall_us(&s.clock), hand_wall_us);
	int64_t floor = hand_wall_us + INT64_C(86400000000);
	wr_steady_floor(&s, floor);
	assert_int_equal(wr_wall_us(&s.clock), floor);
	wr_steady_floor(&s, floor - 1);
	assert_int_equal(wr_wall_us(&s.clock), floor);
	pass(16);
	assert_int_equal(wr_wall_us(&s.clock), floor + 15000);
	hand_mono_ms -= 16; /* cannot be, but must not matter */
	assert_int_equal(wr_wall_us(&s.clock), floor + 15000);
	wr_steady_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(steady_follows),
	    cmocka_unit_test(steady_set_back),
	    cmocka_unit_test(steady_floor),
	    cmocka_unit_test(test_format),
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_parse_leap_days),
	    cmocka_unit_test(test_parse_leap_seconds),
	    cmocka_unit_test(test_parse_refuses),
	    cmocka_unit_test(test_every_day_of_nine_centuries),
	    cmocka_unit_test(test_random_times_against_libc),
	    cmocka_unit_test(test_duration_parse),
	    cmocka_unit_test(test_duration_parse_refuses),
	    cmocka_unit_test(test_duration_format),
	    cmocka_unit_test(test_duration_words),
	    cmocka_unit_test(test_clocks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
