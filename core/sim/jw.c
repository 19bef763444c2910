/* jw.c: see jw.h. Pure. */
#include "sim/jw.h"

#include <string.h>

#include "warroom/json.h"

void wr_jw_raw(wr_jw *w, const char *key)
{
	if (w->comma) wr_buf_addc(w->out, ',');
	w->comma = true;
	if (key == NULL) return;
	wr_canon_str(w->out, key, strlen(key));
	wr_buf_addc(w->out, ':');
}

static void open_with(wr_jw *w, const char *key, char bracket)
{
	wr_jw_raw(w, key);
	wr_buf_addc(w->out, bracket);
	w->comma = false;
}

static void close_with(wr_jw *w, char bracket)
{
	wr_buf_addc(w->out, bracket);
	w->comma = true;
}

void wr_jw_begin(wr_jw *w, wr_buf *out)
{
	*w = (wr_jw){.out = out};
	open_with(w, NULL, '{');
}

void wr_jw_end(wr_jw *w)
{
	close_with(w, '}');
}

void wr_jw_object(wr_jw *w, const char *key)
{
	open_with(w, key, '{');
}

void wr_jw_object_end(wr_jw *w)
{
	close_with(w, '}');
}

void wr_jw_array(wr_jw *w, const char *key)
{
	open_with(w, key, '[');
}

void wr_jw_array_end(wr_jw *w)
{
	close_with(w, ']');
}

void wr_jw_str(wr_jw *w, const char *key, const char *value)
{
	wr_jw_raw(w, key);
	wr_canon_str(w->out, value, strlen(value));
}

void wr_jw_int(wr_jw *w, const char *key, int64_t value)
{
	wr_jw_raw(w, key);
	wr_buf_addf(w->out, "%lld", (long long)value);
}

void wr_jw_fixed(wr_jw *w, const char *key, int64_t value, int decimals)
{
	WR_ASSERT(decimals >= 1 && decimals <= 9);
	int64_t unit = 1;
	for (int i = 0; i < decimals; i++) unit *= 10;
	int64_t whole = value / unit, rest = value % unit;
	if (rest < 0) rest = -rest;
	int width = decimals;
	while (rest != 0 && rest % 10 == 0) {
		rest /= 10;
		width--;
	}
	wr_jw_raw(w, key);
	if (value < 0 && whole == 0) wr_buf_addc(w->out, '-');
	wr_buf_addf(w->out, "%lld", (long long)whole);
	if (rest != 0) wr_buf_addf(w->out, ".%0*lld", width, (long long)rest);
}

void wr_jw_bool(wr_jw *w, const char *key, bool value)
{
	wr_jw_raw(w, key);
	wr_buf_adds(w->out, value ? "true" : "false");
}
