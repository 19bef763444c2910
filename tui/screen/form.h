/* form.h: the dialog in which a person decides and signs: who, why, what they see, a value read
 * from the screen, the passphrase. Secrets are typed blind into locked memory and wiped. */
#ifndef TUI_FORM_H
#define TUI_FORM_H

#include "feed.h"
#include "screen/actions.h"

typedef struct form form;

/* form_open starts the dialog of an action on what the scene shows; NULL with *why when it cannot.
 */
form *form_open(const scene *s, action_id a, feed *f, const char **why);
void form_free(form *f); /* wipes */
/* form_key: true while the dialog goes on; when it ends, *message says how (form-owned until
 * form_free). */
bool form_key(form *f, const scene *s, uint32_t ch, const char **message, bool *bad);
/* The engine answered. Same return as form_key. */
bool form_answer(form *f, json_t *answer, const wr_err *err, const char **message, bool *bad);
void form_draw(form *f, grid *g, const scene *s, int *cursor_x, int *cursor_y);

#endif
