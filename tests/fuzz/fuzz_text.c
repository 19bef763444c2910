/* fuzz_text.c: whatever goes in, what comes out is harmless, and stays so. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "warroom/clock.h"
#include "warroom/text.h"

#define OUTPUT_MAX (4u << 20)

/* harmless: no byte of C0 but newline, no DEL, no C1, no bidi control, and valid UTF-8. */
static bool harmless(const char *s, size_t n, bool lines)
{
	for (const char *end = s + n; s < end;) {
		const char *start = s;
		uint32_t cp = wr_utf8_next(&s, end);
		char utf8[4];
		size_t len = wr_utf8_put(utf8, cp);
		if (len != (size_t)(s - start) || memcmp(utf8, start, len) != 0) return false;
		if (cp < 0x20 && !(lines && cp == '\n')) return false;
		if (cp >= 0x7F && cp <= 0x9F) return false;
		if ((cp >= 0x200B && cp <= 0x200F) || (cp >= 0x2028 && cp <= 0x202E) ||
		    (cp >= 0x2066 && cp <= 0x2069))
			return false;
	}
	return true;
}

static void sanitise(const char *text, size_t size, bool lines)
{
	wr_buf once = WR_BUF_INIT(OUTPUT_MAX), twice = WR_BUF_INIT(OUTPUT_MAX);
	wr_sanitise(&once, text, size, lines);
	WR_ASSERT(wr_buf_ok(&once) && harmless(wr_buf_cstr(&once), once.len, lines));
	wr_sanitise(&twice, wr_buf_cstr(&once), once.len, lines);
	WR_ASSERT(once.len == twice.len && strcmp(wr_buf_cstr(&once), wr_buf_cstr(&twice)) == 0);
	wr_buf_free(&once);
	wr_buf_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	sanitise(text, size, false);
	sanitise(text, size, true);

	char *s = malloc(size + 1);
	if (!s) return 0;
	if (size) memcpy(s, data, size);
	s[size] = '\0';
	char small[17];
	wr_sanitise_to(small, sizeof small, s);
	WR_ASSERT(harmless(small, strlen(small), false));
	WR_ASSERT(wr_text_width(small) <= 16);
	(void)wr_name_ok(s);

	int64_t t, again;
	wr_err err;
	if (wr_time_parse(s, &t, &err) == 0) {
		char formatted[WR_TIME_LEN];
		wr_time_format(formatted, t);
		WR_ASSERT(wr_time_parse(formatted, &again, &err) == 0 && again == t);
	}
	if (wr_duration_parse(s, &t, &err) == 0) {
		char formatted[16];
		wr_duration_format(formatted, sizeof formatted, t);
		WR_ASSERT(t >= 0);
	}
	free(s);
	return 0;
}
