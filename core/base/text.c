/* text.c: UTF-8, and text from outside made harmless.
 *
 * What is replaced is every code point that can act on a terminal, reorder or hide text, or take no
 * room: the reader must see that something was there. Pure. */
#include "warroom/text.h"

#include <string.h>

#include "base/utf8.h"
#include "warroom/limits.h"

#define REPLACEMENT 0xFFFDu
/* More combining marks than this on one character climb over the lines above (no script needs it).
 */
#define MARKS_MAX 4

uint32_t wr_utf8_next(const char **s, const char *end)
{
	uint32_t cp;
	bool ok;
	WR_ASSERT(*s < end);
	*s += wr_utf8_step(*s, end, &cp, &ok);
	return cp;
}

size_t wr_utf8_put(char out[static 4], uint32_t cp)
{
	if (cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF)) cp = REPLACEMENT;
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
	for (size_t i = n - 1; i > 0; i--, cp >>= 6) out[i] = (char)(0x80 | (cp & 0x3F));
	out[0] = (char)(0xF00u >> n | cp);
	return n;
}

/* Unicode's Default_Ignorable_Code_Point, bidi controls included, and what else never has a shape:
 * separators, interlinear marks, noncharacters of the BMP. The variation selectors 15 and 16 are
 * not here, see sanitised(). */
static const struct {
	uint32_t first, last;
} unsafe[] = {
    {0x0000, 0x001F},   {0x007F, 0x009F}, {0x00AD, 0x00AD}, {0x034F, 0x034F},   {0x061C, 0x061C},
    {0x115F, 0x1160},   {0x17B4, 0x17B5}, {0x180B, 0x180F}, {0x200B, 0x200F},   {0x2028, 0x202E},
    {0x2060, 0x206F},   {0x3164, 0x3164}, {0xFDD0, 0xFDEF}, {0xFE00, 0xFE0D},   {0xFEFF, 0xFEFF},
    {0xFFA0, 0xFFA0},   {0xFFF0, 0xFFFB}, {0xFFFE, 0xFFFF}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A},
    {0xE0000, 0xE0FFF},
};

bool wr_cp_unsafe(uint32_t cp)
{
	if (cp < 0x7F) return cp < 0x20;
	if ((cp & 0xFFFE) == 0xFFFE) return true;
	for (size_t i = 1; i < sizeof unsafe / sizeof *unsafe; i++)
		if (cp <= unsafe[i].last) return cp >= unsafe[i].first;
	return false;
}

/* sanitised gives what stands for cp, or 0 for nothing; *marks counts the combining marks that the
 * last character carries, and starts at MARKS_MAX because a mark needs a character to sit on. */
static uint32_t sanitised(uint32_t cp, bool lines, unsigned *marks)
{
	/* They only choose between two drawings of the character before, and terminals disagree about
	 * the width of the result: leaving them out keeps the columns straight and loses nothing. */
	if (cp == 0xFE0E || cp == 0xFE0F) return 0;
	if (cp == '\n' && lines) {
		*marks = MARKS_MAX;
		return '\n';
	}
	if (cp == '\t') cp = ' ';
	if (wr_cp_unsafe(cp)) cp = REPLACEMENT;
	if (wr_cp_width(cp) > 0) {
		*marks = 0;
		return cp;
	}
	if (*marks < MARKS_MAX) {
		++*marks;
		return cp;
	}
	*marks = 0;
	return REPLACEMENT;
}

void wr_sanitise(wr_buf *out, const char *s, size_t n, bool lines)
{
	const char *end = s + n;
	unsigned marks = MARKS_MAX;
	while (s < end && wr_buf_ok(out)) {
		const char *run = s;
		while (s < end && *s >= 0x20 && *s < 0x7F) s++;
		if (s > run) {
			size_t room = out->max > out->len ? out->max - out->len : 0, len = (size_t)(s - run);
			wr_buf_add(out, run, len < room ? len : room);
			if (len > room) out->failed = true;
			marks = 0;
			continue;
		}
		char utf8[4];
		uint32_t cp = sanitised(wr_utf8_next(&s, end), lines, &marks);
		if (cp) wr_buf_add(out, utf8, wr_utf8_put(utf8, cp));
	}
}

char *wr_sanitise_to(char *out, size_t size, const char *s)
{
	WR_ASSERT(size > 0);
	const char *end = s + strlen(s);
	unsigned marks = MARKS_MAX;
	size_t len = 0;
	while (s < end) {
		char utf8[4];
		uint32_t cp = sanitised(wr_utf8_next(&s, end), false, &marks);
		if (!cp) continue;
		size_t n = wr_utf8_put(utf8, cp);
		if (n > size - 1 - len) break;
		memcpy(out + len, utf8, n);
		len += n;
	}
	out[len] = '\0';
	return out;
}

size_t wr_text_width(const char *s)
{
	size_t columns = 0;
	for (const char *end = s + strlen(s); s < end;)
		columns += (size_t)wr_cp_width(wr_utf8_next(&s, end));
	return columns;
}

static bool alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool wr_name_ok(const char *s)
{
	if (!alnum(s[0])) return false;
	size_t n = 1;
	while (alnum(s[n]) || (s[n] && strchr("._@-", s[n])))
		if (++n > WR_NAME_MAX) return false;
	return s[n] == '\0';
}
