/* form.h: the dialog in which a person decides and signs: who, why, what they see, a value read
 * from the screen, the passphrase.
 *
 * Two pages: who and why; then the engine's challenge. What is signed is what the second page
 * shows: the words, the decision and the person are taken from the text to be signed itself.
 * Secrets are typed blind into locked memory and wiped on every way out. Pasted text never signs
 * anything. */
#ifndef TUI_FORM_H
#define TUI_FORM_H

#include "operator.h"
#include "screen/actions.h"

typedef struct form form;

/* What a form asks of the world: feed.c does it; tests do it themselves. Both return false when an
 * earlier one is still under way, and answer through form_answer. */
typedef struct form_ops {
	void *ctx;
	bool (*challenge)(void *ctx, const intent *in);
	bool (*sign)(void *ctx, const json_t *challenge, const char *key_file, const char *passphrase,
	             size_t len, const char *note);
} form_ops;

typedef enum form_end {
	FORM_ON,   /* it goes on */
	FORM_OVER, /* it ended: *message says how */
	FORM_QUIT  /* the person leaves the screen, though a signature is on its way */
} form_end;

/* form_open starts the dialog of an action on what the scene shows; NULL with *why when it cannot.
 */
form *form_open(const scene *s, action_id a, const form_ops *ops, const char **why);
void form_free(form *f); /* wipes */
/* form_key: `quick` says that the key came with the one before it, faster than anybody types.
 * *message is the form's, until form_free. */
form_end form_key(form *f, uint32_t key, bool quick, const char **message, bool *bad);
/* The engine answered; takes `answer`. */
form_end form_answer(form *f, json_t *answer, const wr_err *err, const char **message, bool *bad);
/* Draws between row `top` and the last one. The cursor is -1 when there is none. */
void form_draw(form *f, grid *g, int top, int *cursor_x, int *cursor_y);

#endif
