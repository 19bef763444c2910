/* utf8.h: the one strict UTF-8 decoder of the base layer (Unicode table 3-7). Pure. */
#ifndef WARROOM_BASE_UTF8_H
#define WARROOM_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* wr_utf8_step looks at [s, end), which is not empty, and returns how many bytes the next unit
 * takes: a well-formed sequence (*ok, its code point in *cp), or the longest part of an ill-formed
 * one that is to be replaced by a single U+FFFD (at least 1). */
static inline size_t wr_utf8_step(const char *s, const char *end, uint32_t *cp, bool *ok)
{
	unsigned char lead = (unsigned char)s[0];
	*ok = true;
	*cp = lead;
	if (lead < 0x80) return 1;

	*ok = false;
	*cp = 0xFFFD;
	if (lead < 0xC2 || lead > 0xF4) return 1;
	size_t need = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
	/* Only the second byte has a narrower range: it excludes overlongs, surrogates, > U+10FFFF. */
	unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
	unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
	uint32_t value = lead & (0x7Fu >> need);
	for (size_t i = 1; i < need; i++) {
		if (s + i == end) return i;
		unsigned char c = (unsigned char)s[i];
		if (c < low || c > high) return i;
		value = value << 6 | (c & 0x3F);
		low = 0x80;
		high = 0xBF;
	}
	*cp = value;
	*ok = true;
	return need;
}

#endif
