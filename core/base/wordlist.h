/* wordlist.h: the words of words.c, in an order that is part of the protocol: two screens agree
 * only if their lists do. Never reorder, replace or remove a word. */
#ifndef BASE_WORDLIST_H
#define BASE_WORDLIST_H

#define WR_WORDLIST_COUNT 2048
#define WR_WORD_MIN       3
#define WR_WORD_MAX       8

extern const char wr_wordlist[WR_WORDLIST_COUNT][WR_WORD_MAX + 1];

#endif
