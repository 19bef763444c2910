/* words.c: a hash as six words, for reading aloud (words.h).
 *
 * Eleven bits name a word, taken from the front of the hash, most significant bit first. */
#include "warroom/words.h"

#include <string.h>

#include "base/wordlist.h"
#include "warroom/err.h"

#define WORDS         6
#define BITS_PER_WORD 11

void wr_words(char out[static WR_WORDS_LEN], const uint8_t hash[static 32])
{
	size_t len = 0;
	for (unsigned w = 0; w < WORDS; w++) {
		unsigned index = 0;
		for (unsigned bit = w * BITS_PER_WORD; bit < (w + 1) * BITS_PER_WORD; bit++)
			index = index << 1 | ((unsigned)hash[bit / 8] >> (7 - bit % 8) & 1u);
		const char *word = wr_wordlist[index];
		const size_t n = strlen(word);
		WR_ASSERT(len + n + 2 <= WR_WORDS_LEN);
		if (w > 0) out[len++] = '-';
		memcpy(out + len, word, n);
		len += n;
	}
	out[len] = '\0';
}
