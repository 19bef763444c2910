/* words.h: six words that stand for a hash, for reading aloud (DESIGN.md section 7).
 * 2048 English words of 3 to 8 letters, chosen apart in sound; 6 x 11 = 66 bits of the hash. Pure.
 */
#ifndef WARROOM_WORDS_H
#define WARROOM_WORDS_H

#include <stddef.h>
#include <stdint.h>

#define WR_WORDS_LEN 64
/* wr_words writes "word-word-word-word-word-word" for the first 66 bits of `hash`. */
void wr_words(char out[static WR_WORDS_LEN], const uint8_t hash[static 32]);

#endif
