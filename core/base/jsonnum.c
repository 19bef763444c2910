/* jsonnum.c: a double as ECMAScript and as Python write it: the shortest digits that read back as
 * the same double. Thread-safe; independent of the process's locale. */
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "warroom/jsontext.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static locale_t c_locale;

static void make_locale(void)
{
	c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	WR_ASSERT(c_locale != (locale_t)0);
}

typedef struct decimal {
	bool negative;
	char digits[24]; /* without trailing zeros */
	int count;
	int point; /* the value is 0.DIGITS × 10^point */
} decimal;

static bool reads_back(const decimal *d, double v)
{
	char text[48];
	(void)snprintf(text, sizeof text, "0.%se%d", d->digits, d->point);
	return strtod_l(text, NULL, c_locale) == v;
}

/* v with `precision` digits, correctly rounded. */
static void round_to(double v, int precision, decimal *d)
{
	char text[48];
	(void)snprintf(text, sizeof text, "%.*e", precision - 1, v);
	d->count = 0;
	const char *s = text;
	for (; *s != 'e'; s++)
		if (*s >= '0' && *s <= '9') d->digits[d->count++] = *s;
	d->digits[d->count] = '\0';
	d->point = (int)strtol(s + 1, NULL, 10) + 1;
}

/* The next decimal of as many digits: at a power of two the doubles below are closer than those
 * above, and the shortest that reads back may lie above the closest. */
static void step_up(decimal *d)
{
	int i = d->count - 1;
	while (i >= 0 && d->digits[i] == '9') d->digits[i--] = '0';
	if (i >= 0) {
		d->digits[i]++;
		return;
	}
	d->digits[0] = '1'; /* 999 became 000: 100, ten times as large */
	d->point++;
}

static void trim(decimal *d)
{
	while (d->count > 1 && d->digits[d->count - 1] == '0') d->digits[--d->count] = '\0';
}

/* v is finite, positive and not zero. */
static void shortest(double v, decimal *d)
{
	/* 15 digits are exact for what has no more of them, but not among the subnormals. */
	for (int precision = v < 2.3e-308 ? 1 : 15; precision <= 17; precision++) {
		round_to(v, precision, d);
		if (reads_back(d, v)) break;
		decimal up = *d;
		step_up(&up);
		if (!reads_back(&up, v)) continue;
		*d = up;
		break;
	}
	trim(d);
}

static double to_double(const char *text, size_t n)
{
	char copy[WR_JT_NUMBER_MAX + 1];
	WR_ASSERT(n < sizeof copy);
	memcpy(copy, text, n);
	copy[n] = '\0';
	return strtod_l(copy, NULL, c_locale);
}

static void find_digits(double v, decimal *d)
{
	locale_t before = uselocale(c_locale);
	shortest(fabs(v), d);
	(void)uselocale(before);
	d->negative = v < 0;
}

/* DIGITS with the point after `point` of them, filled up with zeros on either side. */
static void put_plain(const decimal *d, char out[static WR_NUMBER_LEN])
{
	const char *sign = d->negative ? "-" : "";
	if (d->point <= 0)
		(void)snprintf(out, WR_NUMBER_LEN, "%s0.%.*s%s", sign, -d->point, "00000000", d->digits);
	else if (d->point >= d->count)
		(void)snprintf(out, WR_NUMBER_LEN, "%s%s%.*s", sign, d->digits, d->point - d->count,
		               "000000000000000000000");
	else
		(void)snprintf(out, WR_NUMBER_LEN, "%s%.*s.%s", sign, d->point, d->digits,
		               d->digits + d->point);
}

static void put_scientific(const decimal *d, int least_digits, char out[static WR_NUMBER_LEN])
{
	int e = d->point - 1;
	(void)snprintf(out, WR_NUMBER_LEN, "%s%c%s%se%c%0*d", d->negative ? "-" : "", d->digits[0],
	               d->count > 1 ? "." : "", d->digits + 1, e < 0 ? '-' : '+', least_digits, abs(e));
}

bool wr_number_es6(const char *text, size_t n, char out[static WR_NUMBER_LEN])
{
	decimal d = {0};
	(void)pthread_once(&once, make_locale);
	double v = to_double(text, n);
	if (!isfinite(v)) return false;
	if (v == 0) {
		memcpy(out, "0", 2);
		return true;
	}
	find_digits(v, &d);
	if (d.point > -6 && d.point <= 21)
		put_plain(&d, out);
	else
		put_scientific(&d, 1, out);
	return true;
}

bool wr_number_python(const char *text, size_t n, char out[static WR_NUMBER_LEN])
{
	decimal d = {0};
	(void)pthread_once(&once, make_locale);
	double v = to_double(text, n);
	if (!isfinite(v) || v == 0) {
		(void)snprintf(out, WR_NUMBER_LEN, "%s%s", signbit(v) ? "-" : "",
		               v == 0 ? "0.0" : "Infinity");
		return true;
	}
	find_digits(v, &d);
	if (d.point <= -4 || d.point > 16) {
		put_scientific(&d, 2, out);
		return true;
	}
	put_plain(&d, out);
	if (d.point >= d.count) memcpy(out + strlen(out), ".0", 3);
	return true;
}
