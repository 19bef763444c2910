/* yaml.h: a strict subset of YAML as a bounded tree that knows where everything stood.
 *
 * One document of plain mappings, sequences and scalars: no anchors, aliases, tags, merge keys or
 * duplicate keys; UTF-8 only. Everything lives in the arena it is given. */
#ifndef WARROOM_MODEL_YAML_H
#define WARROOM_MODEL_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "model/arena.h"
#include "model/findings.h"

typedef enum wr_ykind {
	WR_Y_SCALAR,
	WR_Y_SEQ,
	WR_Y_MAP,
	WR_Y_BAD /* was refused and reported: to be passed over in silence */
} wr_ykind;

typedef struct wr_ynode wr_ynode;
struct wr_ynode {
	wr_ykind kind;
	bool plain;            /* scalar without quotes: may be a number, a truth or nothing */
	unsigned line, column; /* from 1; of the key for a member of a mapping */
	const char *key;       /* in a mapping; else NULL */
	size_t index;          /* in a sequence */
	const char *text;      /* scalar */
	size_t len;
	const wr_ynode *parent;
	wr_ynode *first, *last, *next;
	size_t count;
	const char *file;
};

/* wr_yaml_parse gives the root, or NULL when the text is not usable (all reasons are in *f).
 * *nodes_left bounds the nodes over several files. */
wr_ynode *wr_yaml_parse(struct wr_arena *a, wr_findings *f, const char *file, const char *text,
                        size_t len, size_t *nodes_left);
wr_ynode *wr_ynode_get(const wr_ynode *map, const char *key); /* NULL: absent, or not a mapping */
/* wr_ynode_path writes "signals[3].interval", and ".member" behind it when given. */
void wr_ynode_path(char *out, size_t size, const wr_ynode *n, const char *member);
/* wr_ynode_error / _warn report at the node (or its missing member). */
void wr_ynode_error(wr_findings *f, const wr_ynode *n, const char *member, const char *fmt, ...)
    WR_PRINTF(4, 5);
void wr_ynode_warn(wr_findings *f, const wr_ynode *n, const char *member, const char *fmt, ...)
    WR_PRINTF(4, 5);

#endif
