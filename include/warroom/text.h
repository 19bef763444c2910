/* text.h: text from outside, made harmless (law 12), and its width on a terminal. Pure. */
#ifndef WARROOM_TEXT_H
#define WARROOM_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "warroom/buf.h"

/* wr_utf8_next decodes one code point at *s (end exclusive), advances *s by at least 1; invalid
 * sequences, overlongs and surrogates give U+FFFD. */
uint32_t wr_utf8_next(const char **s, const char *end);
size_t wr_utf8_put(char out[static 4], uint32_t cp); /* bytes written */
/* wr_cp_unsafe: may it move the cursor, reorder or hide text, or take no room? What wr_sanitise
 * replaces, but for invalid bytes and too many marks. */
bool wr_cp_unsafe(uint32_t cp);
/* wr_sanitise appends [s, s+n): C0, C1, DEL, bidi and zero-width controls, U+2028/2029, unassigned
 * tags and invalid UTF-8 become visible replacements (U+FFFD); tab becomes one space; newline is
 * kept only if `lines`. Variation selectors 15 and 16 vanish; more than 4 combining marks on one
 * character, or marks on none, are replaced. The output is valid UTF-8 and never longer than the
 * buffer's maximum: what fits is kept, whole characters, and the buffer is marked failed. */
void wr_sanitise(wr_buf *out, const char *s, size_t n, bool lines);
/* Same into a fixed array, truncated at a code point. Returns out. */
char *wr_sanitise_to(char *out, size_t size, const char *s);
/* Columns: 0 for combining marks, 2 for wide, own table-free wcwidth wrapper that does not depend
 * on the locale; -1 never returned. */
int wr_cp_width(uint32_t cp);
size_t wr_text_width(const char *s); /* columns of a UTF-8 string */
bool wr_name_ok(const char *s);      /* [A-Za-z0-9][A-Za-z0-9._@-]{0,62}: names of things */

#endif
