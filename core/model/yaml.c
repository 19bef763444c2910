/* yaml.c: libyaml's events into a tree, with every refusal said in words.
 *
 * The builder is iterative: depth is bounded before memory is spent. Not thread-safe. */
#include "model/yaml.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "model/names.h"
#include "warroom/limits.h"
#include "warroom/text.h"

typedef struct builder {
	struct wr_arena *arena;
	wr_findings *f;
	const char *file;
	size_t *nodes_left;
	wr_ynode *root;
	wr_ynode *at[WR_YAML_DEPTH_MAX]; /* open containers */
	size_t depth;
	const char *key; /* read, waiting for its value */
	yaml_mark_t key_mark;
	bool drop; /* the waiting key is a duplicate: its value goes nowhere */
	bool stop; /* an error after which going on makes no sense */
} builder;

static void report(wr_findings *f, bool is_error, const wr_place *at, const char *fmt, ...)
    WR_PRINTF(4, 5);
static void report(wr_findings *f, bool is_error, const wr_place *at, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	wr_finding_add(f, is_error, at, fmt, ap);
	va_end(ap);
}

static wr_place place(const builder *b, yaml_mark_t m)
{
	return (wr_place){b->file, (unsigned)m.line + 1, (unsigned)m.column + 1, ""};
}

static void fatal(builder *b, yaml_mark_t m, const char *text)
{
	wr_place at = place(b, m);
	report(b->f, true, &at, "%s", text);
	b->stop = true;
}

/* ---- the tree ---- */

wr_ynode *wr_ynode_get(const wr_ynode *map, const char *key)
{
	if (map == NULL || map->kind != WR_Y_MAP) return NULL;
	for (wr_ynode *n = map->first; n != NULL; n = n->next)
		if (strcmp(n->key, key) == 0) return n;
	return NULL;
}

static wr_ynode *new_node(builder *b, wr_ykind kind, yaml_mark_t mark)
{
	if (*b->nodes_left == 0) {
		fatal(b, mark, "too many values in one configuration");
		return NULL;
	}
	--*b->nodes_left;
	wr_ynode *n = wr_arena_zero(b->arena, 1, sizeof *n);
	if (n == NULL) {
		fatal(b, mark, "out of memory");
		return NULL;
	}
	if (b->key != NULL) mark = b->key_mark;
	n->kind = kind;
	n->file = b->file;
	n->line = (unsigned)mark.line + 1;
	n->column = (unsigned)mark.column + 1;
	n->text = "";
	return n;
}

/* Puts a finished scalar, or a container about to be filled, in its place. */
static void attach(builder *b, wr_ynode *n, yaml_mark_t mark)
{
	if (b->depth == 0) {
		b->root = n;
		return;
	}
	wr_ynode *up = b->at[b->depth - 1];
	n->parent = up;
	n->index = up->count;
	n->key = up->kind == WR_Y_MAP ? b->key : NULL;
	bool drop = up->kind == WR_Y_MAP && b->drop;
	b->key = NULL;
	b->drop = false;
	if (drop) return;
	if (up->kind == WR_Y_MAP && up->count == WR_YAML_MAP_MAX) {
		fatal(b, mark, "too many keys in one mapping");
		return;
	}
	*(up->last != NULL ? &up->last->next : &up->first) = n;
	up->last = n;
	up->count++;
}

/* Anchors and tags are refused but do not end the reading. */
static void refuse_props(builder *b, yaml_mark_t mark, const yaml_char_t *anchor,
                         const yaml_char_t *tag)
{
	wr_place at = place(b, mark);
	if (anchor != NULL)
		report(b->f, true, &at,
		       "anchors (&name) and aliases (*name) are not accepted here: "
		       "write the value out");
	if (tag != NULL) report(b->f, true, &at, "tags (!name) are not accepted here");
}

static bool wants_key(const builder *b)
{
	return b->depth > 0 && b->at[b->depth - 1]->kind == WR_Y_MAP && b->key == NULL;
}

static void take_key(builder *b, const yaml_event_t *ev)
{
	const char *s = (const char *)ev->data.scalar.value;
	size_t len = ev->data.scalar.length;
	b->key = wr_arena_dup(b->arena, s, len);
	b->key_mark = ev->start_mark;
	if (strlen(b->key) != len || len > WR_STR_MAX) {
		fatal(b, ev->start_mark, "this key is not usable text");
		return;
	}
	const wr_ynode *old = wr_ynode_get(b->at[b->depth - 1], b->key);
	b->drop = old != NULL;
	if (old == NULL) return;
	char path[128];
	wr_ynode_path(path, sizeof path, old, NULL);
	wr_place at = place(b, ev->start_mark);
	at.key = path;
	report(b->f, true, &at, "this key is already given in line %u", old->line);
}

static void on_scalar(builder *b, const yaml_event_t *ev)
{
	refuse_props(b, ev->start_mark, ev->data.scalar.anchor, ev->data.scalar.tag);
	if (wants_key(b)) {
		take_key(b, ev);
		return;
	}
	wr_ynode *n = new_node(b, WR_Y_SCALAR, ev->start_mark);
	if (n == NULL) return;
	n->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	n->len = ev->data.scalar.length;
	n->text = wr_arena_dup(b->arena, (const char *)ev->data.scalar.value, n->len);
	attach(b, n, ev->start_mark);
}

static void on_alias(builder *b, const yaml_event_t *ev)
{
	refuse_props(b, ev->start_mark, ev->data.alias.anchor, NULL);
	if (wants_key(b)) {
		b->stop = true;
		return;
	}
	wr_ynode *n = new_node(b, WR_Y_BAD, ev->start_mark);
	if (n != NULL) attach(b, n, ev->start_mark);
}

static void on_open(builder *b, const yaml_event_t *ev, wr_ykind kind)
{
	if (kind == WR_Y_MAP)
		refuse_props(b, ev->start_mark, ev->data.mapping_start.anchor, ev->data.mapping_start.tag);
	else
		refuse_props(b, ev->start_mark, ev->data.sequence_start.anchor,
		             ev->data.sequence_start.tag);
	if (wants_key(b)) {
		fatal(b, ev->start_mark, "a key must be plain text, not a list or a mapping");
		return;
	}
	if (b->depth == WR_YAML_DEPTH_MAX) {
		fatal(b, ev->start_mark, "nested too deeply");
		return;
	}
	wr_ynode *n = new_node(b, kind, ev->start_mark);
	if (n == NULL) return;
	attach(b, n, ev->start_mark);
	b->at[b->depth++] = n;
}

/* on_event takes one event; false at the end of the stream or after a fatal error. */
static bool on_event(builder *b, const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (b->root != NULL) fatal(b, ev->start_mark, "only one YAML document per file");
		break;
	case YAML_SCALAR_EVENT:
		on_scalar(b, ev);
		break;
	case YAML_ALIAS_EVENT:
		on_alias(b, ev);
		break;
	case YAML_SEQUENCE_START_EVENT:
		on_open(b, ev, WR_Y_SEQ);
		break;
	case YAML_MAPPING_START_EVENT:
		on_open(b, ev, WR_Y_MAP);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		b->depth--;
		break;
	case YAML_STREAM_END_EVENT:
		return false;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		break;
	}
	return !b->stop;
}

/* ---- the text ---- */

/* Is the text UTF-8 without NUL? Else says where it is not. */
static bool check_text(builder *b, const char *text, size_t len)
{
	const char *s = text, *end = text + len;
	wr_place at = {b->file, 1, 1, ""};
	while (s < end) {
		const char *start = s;
		uint32_t cp = wr_utf8_next(&s, end);
		bool genuine = s - start == 3 && memcmp(start, "\xEF\xBF\xBD", 3) == 0;
		if (cp == 0 || (cp == 0xFFFD && !genuine)) {
			report(b->f, true, &at, "not a UTF-8 text file (byte 0x%02x here)",
			       (unsigned)(unsigned char)*start);
			return false;
		}
		at.column++;
		if (cp == '\n') {
			at.line++;
			at.column = 1;
		}
	}
	return true;
}

static unsigned line_of(const char *text, size_t len, size_t offset)
{
	unsigned line = 1;
	for (size_t i = 0; i < len && i < offset; i++) line += text[i] == '\n';
	return line;
}

static void report_syntax(builder *b, const yaml_parser_t *p, const char *text, size_t len)
{
	wr_place at = place(b, p->problem_mark);
	const char *problem = p->problem != NULL ? p->problem : "cannot be read";
	if (p->error == YAML_MEMORY_ERROR) {
		problem = "out of memory";
	} else if (p->error == YAML_READER_ERROR) {
		at.line = line_of(text, len, p->problem_offset);
		at.column = 1;
	}
	if (p->context != NULL)
		report(b->f, true, &at, "not valid YAML: %s, %s (line %zu)", problem, p->context,
		       p->context_mark.line + 1);
	else
		report(b->f, true, &at, "not valid YAML: %s", problem);
	b->stop = true;
}

wr_ynode *wr_yaml_parse(struct wr_arena *a, wr_findings *f, const char *file, const char *text,
                        size_t len, size_t *nodes_left)
{
	builder b = {.arena = a, .f = f, .file = file, .nodes_left = nodes_left};
	if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) text += 3, len -= 3;
	if (!check_text(&b, text, len)) return NULL;
	yaml_parser_t parser;
	if (!yaml_parser_initialize(&parser)) {
		fatal(&b, (yaml_mark_t){0}, "out of memory");
		return NULL;
	}
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	bool more = true;
	while (more) {
		yaml_event_t ev;
		if (!yaml_parser_parse(&parser, &ev)) {
			report_syntax(&b, &parser, text, len);
			break;
		}
		more = on_event(&b, &ev);
		yaml_event_delete(&ev);
	}
	yaml_parser_delete(&parser);
	if (b.stop) return NULL;
	if (b.root == NULL) fatal(&b, (yaml_mark_t){0}, "the file is empty");
	return b.root;
}

/* ---- saying where ---- */

/* From the root down, so that a cut path loses its end; depth bounds the recursion. */
static size_t write_path(char *out, size_t size, const wr_ynode *n)
{
	if (n->parent == NULL) return 0;
	size_t at = write_path(out, size, n->parent);
	if (at >= size) return at;
	int w = n->key != NULL ? snprintf(out + at, size - at, "%s%s", at > 0 ? "." : "", n->key)
	                       : snprintf(out + at, size - at, "[%zu]", n->index);
	return w < 0 ? at : at + (size_t)w;
}

void wr_ynode_path(char *out, size_t size, const wr_ynode *n, const char *member)
{
	out[0] = '\0';
	size_t at = write_path(out, size, n);
	if (member != NULL && at < size)
		snprintf(out + at, size - at, "%s%s", at > 0 ? "." : "", member);
}

static void say(wr_findings *f, bool is_error, const wr_ynode *n, const char *member,
                const char *fmt, va_list ap) __attribute__((format(printf, 5, 0)));
static void say(wr_findings *f, bool is_error, const wr_ynode *n, const char *member,
                const char *fmt, va_list ap)
{
	char path[128];
	wr_ynode_path(path, sizeof path, n, member);
	wr_place at = {n->file, n->line, n->column, path};
	wr_finding_add(f, is_error, &at, fmt, ap);
}

void wr_ynode_error(wr_findings *f, const wr_ynode *n, const char *member, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(f, true, n, member, fmt, ap);
	va_end(ap);
}

void wr_ynode_warn(wr_findings *f, const wr_ynode *n, const char *member, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(f, false, n, member, fmt, ap);
	va_end(ap);
}
