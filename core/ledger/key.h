/* key.h: what a loaded engine key does, for note.c and whoever else signs in its name. */
#ifndef WR_LEDGER_KEY_H
#define WR_LEDGER_KEY_H

#include "warroom/note.h"

#define WR_ED25519_SIGNATURE 64

void wr_engine_key_sign(const wr_engine_key *k, uint8_t out[static WR_ED25519_SIGNATURE],
                        const void *message, size_t len);

#endif
