/* load_profile.c: a profile of foreign receipts, from its YAML mapping. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/load.h"
#include "warroom/clock.h"
#include "warroom/hash.h"
#include "warroom/io.h"
#include "warroom/profile.h"
#include "warroom/text.h"

static const wr_string_rule LINE = {.form = WR_F_LINE};
static const wr_string_rule RAW = {.form = WR_F_RAW};

bool wr_source_is_url(const char *source)
{
	return strncmp(source, "http://", 7) == 0 || strncmp(source, "https://", 8) == 0;
}

/* ---- paths of fields ---- */

static const char *path_problem(const char *s)
{
	if (s[0] == '\0') return "expected a field: a name, a.b or /a/b";
	if (strlen(s) > 200) return "this path is too long";
	if (s[0] != '/') return s[0] == '.' || strstr(s, "..") ? "expected a.b, with names" : NULL;
	for (; (s = strchr(s, '~')) != NULL; s++)
		if (s[1] != '0' && s[1] != '1') return "in a JSON pointer, ~ is written ~0 and / is ~1";
	return NULL;
}

/* "a.b" to "/a/b"; what begins with a slash is a JSON pointer already. */
static const char *pointer(wr_loader *l, const char *path)
{
	char out[2 * 200 + 4];
	size_t at = 0;
	if (path[0] == '\0' || path[0] == '/') return path;
	out[at++] = '/';
	for (const char *s = path; *s != '\0' && at < sizeof out - 2; s++) {
		if (*s == '~') {
			out[at++] = '~';
			out[at++] = '0';
		} else {
			out[at++] = *s == '.' ? '/' : *s;
		}
	}
	return wr_arena_dup(l->arena, out, at);
}

static const char *get_field(wr_map *m, const char *key, const char *dflt)
{
	static const wr_string_rule rule = {.form = WR_F_LINE, .problem = path_problem};
	return pointer(m->l, wr_get_string(m, key, &rule, dflt));
}

static void load_fields(wr_map *top, wr_profile *p)
{
	static const char *const units[] = {"rfc3339", "s", "ms", "us", "ns"};
	wr_map m;
	wr_ynode *n = wr_map_get(top, "fields");
	p->seq = p->id = p->time = p->prev = p->hash = "";
	if (n == NULL) {
		wr_map_missing(top, "fields", "the names of the fields: prev, hash; seq, id, time");
		return;
	}
	if (!wr_map_open(&m, top->l, n, "prev, hash, seq, id, time")) return;
	p->prev = get_field(&m, "prev", NULL);
	p->hash = get_field(&m, "hash", NULL);
	p->seq = get_field(&m, "seq", "");
	p->id = get_field(&m, "id", "");
	p->time = get_field(&m, "time", "");
	p->time_unit = (wr_time_unit)wr_get_enum(&m, "time_unit", units, 5, WR_TIME_RFC3339);
	if (p->prev[0] != '\0' && strcmp(p->prev, p->hash) == 0)
		wr_ynode_error(top->l->f, n, "prev", "prev and hash are the same field");
	wr_map_close(&m);
}

/* Is the field the one that `path` names, or inside of it? */
static bool covers(const char *path, const char *field)
{
	size_t n = strlen(path);
	return strncmp(path, field, n) == 0 && (field[n] == '\0' || field[n] == '/');
}

static void load_exclude(wr_map *top, wr_profile *p)
{
	static const wr_string_rule rule = {.form = WR_F_LINE, .problem = path_problem};
	size_t n;
	const char *const *names =
	    wr_get_strings(top, "exclude", &rule, WR_PROFILE_EXCLUDE_MAX, false, &n);
	wr_ynode *at = wr_map_get(top, "exclude");
	const char **out = wr_arena_zero(top->l->arena, n + 1, sizeof *out);
	if (out == NULL) return;
	bool hash_is_out = false;
	for (size_t i = 0; i < n; i++) {
		out[i] = pointer(top->l, names[i]);
		hash_is_out = hash_is_out || covers(out[i], p->hash);
	}
	if (at == NULL) {
		out[n++] = p->hash;
		hash_is_out = true;
	}
	if (!hash_is_out && p->hash[0] != '\0')
		wr_ynode_error(top->l->f, at, NULL, "a hash cannot cover itself: exclude %s", p->hash);
	p->exclude = out;
	p->exclude_count = n;
}

/* ---- what is hashed, and how it is written ---- */

static void load_canonical(wr_map *m, wr_profile *p)
{
	static const char *const kinds[] = {"raw", "jcs", "python", "jansson"};
	static const char *const separators[] = {"default", "compact"};
	p->canonical.kind = (wr_canon_kind)wr_get_enum(m, "canonical", kinds, WR_CANON_COUNT, -1);
	p->canonical.compact = wr_get_enum(m, "separators", separators, 2, 0) == 1;
	p->canonical.utf8 = !wr_get_bool(m, "ensure_ascii", true);
	for (int i = 0; i < 2 && p->canonical.kind != WR_CANON_PYTHON; i++) {
		const char *key = i == 0 ? "separators" : "ensure_ascii";
		if (wr_map_get(m, key) != NULL)
			wr_ynode_error(m->l->f, wr_map_get(m, key), NULL,
			               "only canonical: python has this option");
	}
}

static void load_leading(wr_map *m, wr_profile *p)
{
	wr_ynode *n = wr_map_get(m, "leading");
	const char *hex = wr_get_string(m, "leading", &LINE, "");
	size_t len = strlen(hex);
	p->leading_len = len / 2;
	if (len % 2 != 0 || p->leading_len > sizeof p->leading ||
	    wr_unhex(p->leading, p->leading_len, hex, len) != 0) {
		wr_ynode_error(m->l->f, n, NULL,
		               "expected at most %d bytes in lower-case hex, such as \"00\"",
		               WR_PROFILE_LEADING_MAX);
		p->leading_len = 0;
	}
}

static void load_hash(wr_map *m, wr_profile *p)
{
	static const char *const algorithms[] = {"sha256", "sha384", "sha512"};
	static const char *const encodings[] = {"hex", "base64", "base64url", "hex-upper"};
	static const char *const overs[] = {"content", "prev+content", "content+prev"};
	static const char *const prevs[] = {"text", "bytes"};
	p->algorithm = (wr_hash_algorithm)wr_get_enum(m, "algorithm", algorithms, 3, WR_ALG_SHA256);
	p->encoding = (wr_hash_encoding)wr_get_enum(m, "encoding", encodings, 4, WR_ENC_HEX);
	p->prefix = wr_get_string(m, "prefix", &LINE, "");
	p->over = (wr_hash_over)wr_get_enum(m, "over", overs, 3, WR_OVER_CONTENT);
	p->separator = wr_get_string(m, "separator", &RAW, "");
	p->prev_bytes = wr_get_enum(m, "prev_as", prevs, 2, 0) == 1;
	for (int i = 0; i < 2 && p->over == WR_OVER_CONTENT; i++) {
		const char *key = i == 0 ? "separator" : "prev_as";
		if (wr_map_get(m, key) != NULL)
			wr_ynode_error(m->l->f, wr_map_get(m, key), NULL,
			               "means nothing where over is content: the previous hash is not hashed "
			               "beside it");
	}
	if (strlen(p->prefix) > 32)
		wr_ynode_error(m->l->f, m->node, "prefix", "expected at most 32 characters");
	load_leading(m, p);
}

/* Plain words have a meaning; anything in quotes is the text itself. */
static void load_genesis(wr_map *m, wr_profile *p)
{
	static const struct {
		const char *word;
		wr_genesis genesis;
	} words[] = {{"null", WR_GENESIS_NULL}, {"~", WR_GENESIS_NULL},
	             {"", WR_GENESIS_NULL},     {"absent", WR_GENESIS_ABSENT},
	             {"any", WR_GENESIS_ANY},   {"zeros", WR_GENESIS_ZEROS}};
	wr_ynode *n = wr_map_get(m, "genesis");
	p->genesis = WR_GENESIS_TEXT;
	p->genesis_text = "";
	if (n == NULL) {
		wr_map_missing(m, "genesis",
		               "what the first record has for prev: zeros, null, absent, any or \"text\"");
		return;
	}
	for (size_t i = 0; n->kind == WR_Y_SCALAR && n->plain && i < sizeof words / sizeof *words; i++)
		if (strcmp(n->text, words[i].word) == 0) {
			p->genesis = words[i].genesis;
			return;
		}
	const char *text = wr_node_string(m->l, n, &LINE);
	p->genesis_text = text != NULL ? text : "";
}

/* ---- pages ---- */

static const char *param_problem(const char *s)
{
	size_t n = strlen(s);
	if (n > 0 && n <= WR_NAME_MAX &&
	    strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-[]$") == n)
		return NULL;
	return "expected the name of a query parameter";
}

static void load_pages(wr_map *top, wr_profile *p)
{
	static const char *const styles[] = {"none",   "since", "after", "offset",
	                                     "cursor", "next",  "link"};
	static const char *const params[] = {"", "since", "after", "offset", "cursor", "", ""};
	static const char *const formats[] = {"json", "lines"};
	static const wr_string_rule name = {.form = WR_F_LINE, .problem = param_problem};
	wr_map m;
	wr_ynode *n = wr_map_get(top, "pages");
	p->param = p->limit_param = p->records = p->cursor = "";
	if (n == NULL || !wr_map_open(&m, top->l, n, "style, param, limit, records, cursor")) return;
	p->style = (wr_page_style)wr_get_enum(&m, "style", styles, 7, 0);
	const char *param = params[p->style];
	p->param = wr_get_string(&m, "param", &name, param);
	p->limit = wr_get_int(&m, "limit", 1, 100000, 1000);
	p->limit_param = wr_map_get(&m, "limit") == NULL && wr_map_get(&m, "limit_param") == NULL
	                     ? ""
	                     : wr_get_string(&m, "limit_param", &name, "limit");
	p->lines = wr_get_enum(&m, "format", formats, 2, 0) == 1;
	p->records = get_field(&m, "records", "");
	p->cursor = get_field(&m, "cursor", "");
	if (param[0] == '\0' && wr_map_get(&m, "param") != NULL)
		wr_ynode_error(top->l->f, n, "param", "style %s has no parameter", styles[p->style]);
	bool wants_cursor = p->style == WR_PAGE_CURSOR || p->style == WR_PAGE_NEXT;
	if (wants_cursor && p->cursor[0] == '\0')
		wr_ynode_error(top->l->f, n, "cursor", "missing: expected where in a page the next %s is",
		               p->style == WR_PAGE_NEXT ? "URL" : "cursor");
	if (!wants_cursor && wr_map_get(&m, "cursor") != NULL)
		wr_ynode_error(top->l->f, n, "cursor", "only styles cursor and next have this");
	if (p->lines && (wants_cursor || p->records[0] != '\0'))
		wr_ynode_error(top->l->f, n, "format", "lines have no room for records or a cursor");
	if ((p->style == WR_PAGE_SINCE || p->style == WR_PAGE_AFTER) && p->seq[0] == '\0')
		wr_ynode_error(top->l->f, n, "style", "asks by number: name fields.seq");
	wr_map_close(&m);
}

void wr_read_profile(wr_loader *l, wr_ynode *n, wr_profile *p)
{
	static const wr_string_rule header = {.form = WR_F_LINE, .templates = true, .secrets = true};
	wr_map m;
	if (!wr_map_open(&m, l, n, "a profile of receipts")) return;
	load_fields(&m, p);
	load_exclude(&m, p);
	load_canonical(&m, p);
	load_hash(&m, p);
	load_genesis(&m, p);
	p->first_seq = wr_get_int(&m, "first_seq", 0, 1000000000, 0);
	p->pruned = wr_get_bool(&m, "pruned", false);
	if (p->seq[0] == '\0' && (p->pruned || wr_map_get(&m, "first_seq") != NULL))
		wr_ynode_error(l->f, n, p->pruned ? "pruned" : "first_seq",
		               "means nothing without fields.seq");
	load_pages(&m, p);
	p->headers = wr_load_headers(&m, &header, &p->header_count);
	p->ca_file = wr_get_path(&m, "ca_file", "");
	p->timeout_ms = wr_get_duration(&m, "timeout", 100, 600000, 10000);
	wr_map_close(&m);
}

/* ---- by itself ---- */

static void report(wr_findings *f, const char *file, const char *fmt, ...) WR_PRINTF(3, 4);
static void report(wr_findings *f, const char *file, const char *fmt, ...)
{
	wr_place at = {.file = file, .key = ""};
	va_list ap;
	va_start(ap, fmt);
	wr_finding_add(f, true, &at, fmt, ap);
	va_end(ap);
}

static const char *dir_of(wr_loader *l, const char *path)
{
	char dir[PATH_MAX], real[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t n = slash != NULL ? (size_t)(slash - path) : 0;
	if (n >= sizeof dir) return "/";
	memcpy(dir, path, n);
	dir[n] = '\0';
	if (realpath(slash == NULL ? "." : n == 0 ? "/" : dir, real) == NULL) return "/";
	return wr_arena_dup(l->arena, real, strlen(real));
}

static wr_profile *read_alone(wr_loader *l, const char *path)
{
	wr_err err;
	wr_buf file = WR_BUF_INIT(WR_CONFIG_MAX);
	wr_profile *p = wr_arena_zero(l->arena, 1, sizeof *p);
	l->c->dir = dir_of(l, path);
	if (wr_read_file(&file, path, WR_CONFIG_MAX, WR_NOT_WRITABLE, &err) != 0)
		report(l->f, path, "%s", err.msg);
	else
		l->root = wr_yaml_parse(l->tree, l->f, path, wr_buf_cstr(&file), file.len, &l->nodes_left);
	if (l->root != NULL && p != NULL) wr_read_profile(l, l->root, p);
	if (wr_arena_failed(l->arena) || wr_arena_failed(l->tree)) report(l->f, path, "out of memory");
	wr_buf_free(&file);
	return l->root != NULL && l->f->errors == 0 ? p : NULL;
}

wr_profile *wr_profile_load(const char *path, wr_findings *f)
{
	wr_config c = {.dir = "/"};
	wr_loader l = {.f = f, .c = &c, .shown_path = path, .nodes_left = WR_YAML_NODES_MAX};
	*f = (wr_findings){0};
	l.arena = wr_arena_new(WR_MODEL_BYTES_MAX);
	l.tree = wr_arena_new(WR_MODEL_BYTES_MAX);
	wr_buf_init(&l.scratch, 4 * WR_STR_MAX);
	wr_profile *p = NULL;
	if (l.arena == NULL || l.tree == NULL)
		report(f, path, "out of memory");
	else
		p = read_alone(&l, path);
	wr_buf_free(&l.scratch);
	wr_arena_free(l.tree);
	if (p == NULL)
		wr_arena_free(l.arena);
	else
		p->arena = l.arena;
	return p;
}

void wr_profile_free(wr_profile *p)
{
	struct wr_arena *arena = p != NULL ? p->arena : NULL;
	wr_arena_free(arena);
}
