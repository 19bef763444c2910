/* form_parts.h: what form.c and form_draw.c share. */
#ifndef TUI_FORM_PARTS_H
#define TUI_FORM_PARTS_H

#include "screen/form.h"
#include "widget/edit.h"

#define FORM_FIELDS 4

typedef enum field_kind { F_CHOICE, F_TEXT, F_CONFIRM, F_SECRET } field_kind;

typedef struct choice {
	char shown[96], value[64], extra[512]; /* extra: the key file */
} choice;

typedef struct field {
	field_kind kind;
	char label[64];
	edit edit;       /* F_TEXT, F_CONFIRM */
	char expect[64]; /* F_CONFIRM */
	choice *choices; /* F_CHOICE; owned */
	int n_choices, chosen;
} field;

typedef enum form_page { P_WHO, P_ASKING, P_CONFIRM, P_SIGNING } form_page;

struct form {
	action_id action;
	form_ops ops;
	form_page page;
	field fields[FORM_FIELDS];
	int n_fields, at;
	char operation_id[64], act[32], from[64], to[64], step[64], title[400];
	char error[512], message[600];
	char principal[64], decision[96], key_file[512], note[256]; /* of the second page */
	char words[64]; /* made here from the hash in the text to be signed */
	json_t *challenge;
	char *secret; /* sodium_malloc, WR_PASSPHRASE_MAX bytes */
	size_t secret_len;
	int scroll;
	bool pasting, leaving;
};

#endif
