/* extract.c: what the extractors share: numbers without a locale, and the public forms. Pure. */
#include "watch/extract.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "warroom/text.h"

#define NUMBER_MAX 127 /* characters: far more digits than a double has */

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
	c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static bool special_number(const char *text, double *out)
{
	static const struct {
		const char *text;
		double value;
	} specials[] = {{"nan", NAN},           {"+nan", NAN},           {"-nan", NAN},
	                {"inf", INFINITY},      {"+inf", INFINITY},      {"-inf", -INFINITY},
	                {"infinity", INFINITY}, {"+infinity", INFINITY}, {"-infinity", -INFINITY}};
	for (size_t i = 0; i < sizeof specials / sizeof *specials; i++)
		if (strcasecmp(text, specials[i].text) == 0) {
			*out = specials[i].value;
			return true;
		}
	return false;
}

bool wr_number_parse(const char *s, size_t n, double *out)
{
	char text[NUMBER_MAX + 1];
	if (n == 0 || n > NUMBER_MAX || memchr(s, '\0', n)) return false;
	memcpy(text, s, n);
	text[n] = '\0';
	if (special_number(text, out)) return true;
	if (strspn(text, "0123456789+-.eE") != n) return false;
	(void)pthread_once(&c_locale_once, make_c_locale);
	if (!c_locale) return false;
	char *end;
	*out = strtod_l(text, &end, c_locale);
	return end == text + n;
}

void wr_value_none(wr_value *out, char *why, const char *fmt, ...)
{
	char raw[WR_WHY_LEN * 2];
	va_list ap;
	*out = (wr_value){.type = WR_V_NONE};
	va_start(ap, fmt);
	(void)vsnprintf(raw, sizeof raw, fmt, ap);
	va_end(ap);
	(void)wr_sanitise_to(why, WR_WHY_LEN, raw);
}

void wr_value_number(wr_value *out, double x, char *why)
{
	*out = (wr_value){.type = WR_V_NUM, .num = x};
	if (isnan(x))
		wr_value_none(out, why, "NaN");
	else if (isinf(x))
		wr_value_none(out, why, x > 0 ? "+Inf" : "-Inf");
}

int wr_extract_json(const char *body, size_t len, const char *pointer, wr_value *out, char *names,
                    size_t names_size, wr_err *err)
{
	char why[WR_WHY_LEN] = "";
	return wr_pick_json(body, len, pointer, out, names, names_size, why, err);
}

int wr_extract_prom(const char *body, size_t len, const char *metric, const wr_pair *labels,
                    size_t label_count, wr_value *out, wr_err *err)
{
	char why[WR_WHY_LEN] = "";
	return wr_pick_prom(body, len, metric, labels, label_count, out, why, err);
}

int wr_extract_promql(const char *body, size_t len, wr_value *out, wr_err *err)
{
	char why[WR_WHY_LEN] = "";
	return wr_pick_promql(body, len, out, why, err);
}
