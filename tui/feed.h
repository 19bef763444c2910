/* feed.h: the engine's state, fetched by a thread of its own that long-polls, and what the person
 * asks for, done by another, so that a slow engine never stops the screen. The UI thread takes what
 * is new; poll on feed_fd. */
#ifndef TUI_FEED_H
#define TUI_FEED_H

#include "operator.h"

typedef struct feed feed;

WR_CHECKED feed *feed_start(const char *socket_path, wr_err *err);
/* feed_stop ends calls that are under way; true when one of them was a signature on its way, whose
 * end is therefore not known. */
bool feed_stop(feed *f);
int feed_fd(const feed *f);

/* What came since the last look. json_t members are the taker's. */
typedef struct news {
	json_t *state;      /* a newer state, or NULL */
	bool connected;     /* the last call reached the engine, and what it said could be read */
	int64_t contact_ms; /* monotonic time of the last contact; 0 never */
	wr_err err;         /* why not connected */
	bool answered;      /* the decision under way ended: answer, or why not */
	json_t *answer;
	wr_err answer_err;
	bool fetched; /* the newest feed_get ended: page, or why not */
	json_t *page;
	wr_err page_err;
} news;
void feed_take(feed *f, news *out);

/* One decision at a time; the strings are copied, the passphrase is wiped after use. false: one is
 * under way. */
WR_CHECKED bool feed_challenge(feed *f, const intent *in);
WR_CHECKED bool feed_sign(feed *f, const json_t *challenge, const char *key_file,
                          const char *passphrase, size_t len, const char *note);
/* feed_get fetches something to read; a newer one takes the place of one that has not ended. */
void feed_get(feed *f, const char *path);

#endif
