/* feed.h: the engine's state, fetched by a thread of its own that long-polls, and the person's
 * actions, done by another, so that a slow engine never stops the screen. The UI thread takes what
 * is new; poll on feed_fd. */
#ifndef TUI_FEED_H
#define TUI_FEED_H

#include "operator.h"

typedef struct feed feed;

WR_CHECKED feed *feed_start(const char *socket_path, wr_err *err);
void feed_stop(feed *f);
int feed_fd(const feed *f);

/* What came since the last look. */
typedef struct news {
	json_t *state;      /* a newer state, or NULL; owned by the taker */
	bool connected;     /* the last call reached the engine */
	int64_t contact_ms; /* monotonic time of the last contact; 0 never */
	wr_err err;         /* why not connected */
	json_t *answer;     /* of the action under way, or NULL */
	bool answered;      /* it ended (answer, or err below) */
	wr_err action_err;
} news;
void feed_take(feed *f, news *out);

/* One action at a time; the strings are copied, the passphrase wiped after use. false: one is under
 * way. */
typedef enum action_kind { ACT_CHALLENGE, ACT_SIGN, ACT_GET } action_kind;
WR_CHECKED bool feed_challenge(feed *f, const intent *in);
WR_CHECKED bool feed_sign(feed *f, const json_t *challenge, const char *key_file,
                          const char *passphrase, size_t len, const char *note);
WR_CHECKED bool feed_get(feed *f, const char *path);
bool feed_busy(feed *f);

#endif
