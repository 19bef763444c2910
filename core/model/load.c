/* load.c: wr_config_load: files in, a validated configuration or a list of findings out.
 *
 * Two arenas: the configuration's, and the YAML trees', which live until the warnings are written
 * because these want line numbers. Not thread-safe; the result is immutable. */
#include "model/load.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "warroom/hash.h"
#include "warroom/io.h"
#include "warroom/text.h"

#define DAY_MS INT64_C(86400000)

static void report(wr_loader *l, const char *file, const char *fmt, ...) WR_PRINTF(3, 4);
static void report(wr_loader *l, const char *file, const char *fmt, ...)
{
	wr_place at = {.file = file, .key = ""};
	va_list ap;
	va_start(ap, fmt);
	wr_finding_add(l->f, true, &at, fmt, ap);
	va_end(ap);
}

/* ---- files ---- */

static void hash_in(wr_loader *l, const wr_buf *file)
{
	uint8_t len[8];
	for (int i = 0; i < 8; i++) len[i] = (uint8_t)((uint64_t)file->len >> (56 - 8 * i));
	wr_buf_add(&l->hashed, len, sizeof len);
	wr_buf_add(&l->hashed, wr_buf_cstr(file), file->len);
}

/* `named` is where the file was named, or NULL for the configuration itself. */
static wr_ynode *read_tree(wr_loader *l, const char *path, const char *shown, const wr_ynode *named)
{
	wr_err err;
	wr_buf file;
	wr_ynode *root = NULL;
	wr_buf_init(&file, WR_CONFIG_MAX);
	if (wr_read_file(&file, path, WR_CONFIG_MAX, WR_NOT_WRITABLE, &err) != 0) {
		if (named != NULL)
			wr_ynode_error(l->f, named, NULL, "%s", err.msg);
		else
			report(l, shown, "%s", err.msg);
	} else {
		hash_in(l, &file);
		root = wr_yaml_parse(l->tree, l->f, shown, wr_buf_cstr(&file), file.len, &l->nodes_left);
	}
	wr_buf_free(&file);
	return root;
}

wr_ynode *wr_load_file(wr_loader *l, wr_ynode *named, const char **path)
{
	static const wr_string_rule line = {.form = WR_F_LINE};
	char full[PATH_MAX];
	const char *name = wr_node_string(l, named, &line);
	if (name == NULL) return NULL;
	if (name[0] == '\0' || wr_path_join(full, sizeof full, l->c->dir, name, NULL) != 0) {
		wr_ynode_error(l->f, named, NULL, "expected the path of a file");
		return NULL;
	}
	*path = wr_arena_dup(l->arena, full, strlen(full));
	/* Findings name it beside the configuration as that was given, so that an editor finds it. */
	const char *slash = strrchr(l->shown_path, '/');
	char shown[PATH_MAX];
	int dir = slash != NULL && name[0] != '/' ? (int)(slash - l->shown_path) + 1 : 0;
	snprintf(shown, sizeof shown, "%.*s%s", dir, l->shown_path, name);
	return read_tree(l, full, wr_arena_dup(l->tree, shown, strlen(shown)), named);
}

void wr_check_file(wr_loader *l, const wr_ynode *at, const char *member, const char *path,
                   bool is_private)
{
	wr_err err;
	wr_buf file;
	if (access(path, F_OK) != 0) {
		wr_ynode_warn(l->f, at, member, "%s does not exist (yet)%s", path,
		              is_private ? "" : ": warroomd will not start without it");
		return;
	}
	wr_buf_init(&file, WR_SIGNERS_MAX);
	if (wr_read_file(&file, path, WR_SIGNERS_MAX, is_private ? WR_PRIVATE : WR_NOT_WRITABLE,
	                 &err) != 0)
		wr_ynode_error(l->f, at, member, "%s", err.msg);
	wr_buf_wipe(&file);
}

/* Sets c->path and c->dir, absolute, so that a process that changes its directory finds them. */
static int settle_paths(wr_loader *l, const char *path)
{
	char dir[PATH_MAX], real[PATH_MAX], full[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t n = slash != NULL ? (size_t)(slash - path) : 0;
	if (n >= sizeof dir) {
		report(l, path, "this path is too long");
		return -1;
	}
	memcpy(dir, path, n);
	dir[n] = '\0';
	const char *want = slash == NULL ? "." : n == 0 ? "/" : dir;
	if (realpath(want, real) == NULL ||
	    wr_path_join(full, sizeof full, real, slash != NULL ? slash + 1 : path, NULL) != 0) {
		report(l, path, "cannot be found: is the directory right?");
		return -1;
	}
	l->c->dir = wr_arena_dup(l->arena, real, strlen(real));
	l->c->path = wr_arena_dup(l->arena, full, strlen(full));
	return 0;
}

/* ---- the top ---- */

static const char *default_observer(wr_loader *l)
{
	char host[HOST_NAME_MAX + 1];
	if (gethostname(host, sizeof host) != 0) return "local";
	host[sizeof host - 1] = '\0';
	return wr_name_ok(host) ? wr_arena_dup(l->arena, host, strlen(host)) : "local";
}

static const char *resolved(wr_loader *l, const char *name)
{
	char path[PATH_MAX];
	if (wr_path_join(path, sizeof path, l->c->dir, name, NULL) != 0) return "";
	return wr_arena_dup(l->arena, path, strlen(path));
}

static void load_engine(wr_loader *l, wr_map *top)
{
	wr_map m;
	wr_config *c = l->c;
	wr_ynode *n = wr_map_get(top, "engine");
	c->socket = resolved(l, "run/warroom.sock");
	c->socket_group = "";
	c->tick_ms = 250;
	bool open = n != NULL && wr_map_open(&m, l, n, "socket, socket_group, tick");
	if (open) {
		c->socket = wr_get_path(&m, "socket", "run/warroom.sock");
		c->socket_group = wr_get_name(&m, "socket_group", "");
		c->tick_ms = wr_get_duration(&m, "tick", 10, 10000, 250);
		wr_map_close(&m);
	}
	if (strlen(c->socket) > 107)
		wr_ynode_error(l->f, open ? n : top->node, open ? "socket" : "engine.socket",
		               "a socket's path has at most 107 bytes, this has %zu: give a shorter one",
		               strlen(c->socket));
}

static const char *default_partition(const wr_config *c)
{
	for (size_t i = 0; i < c->region_count; i++)
		if (c->regions[i].role == WR_PRIMARY && c->regions[i].name[0] != '\0')
			return c->regions[i].name;
	return "main";
}

static void load_ledger(wr_loader *l, wr_map *top)
{
	wr_map m;
	wr_config *c = l->c;
	wr_ynode *n = wr_map_get(top, "ledger");
	c->ledger_dir = resolved(l, "ledger");
	c->partition = default_partition(c);
	c->stream = "ops";
	c->engine_key = resolved(l, "engine.key");
	if (n != NULL &&
	    wr_map_open(&m, l, n, "dir, partition, stream, engine_key, foreign, export, anchor")) {
		c->ledger_dir = wr_get_path(&m, "dir", "ledger");
		c->partition = wr_get_name(&m, "partition", c->partition);
		c->stream = wr_get_name(&m, "stream", "ops");
		c->engine_key = wr_get_path(&m, "engine_key", "engine.key");
		wr_load_foreign(l, &m);
		wr_load_archive(l, &m);
		wr_map_close(&m);
	}
	if (c->engine_key[0] != '\0' && access(c->engine_key, F_OK) == 0)
		wr_check_file(l, n != NULL ? n : top->node, n != NULL ? "engine_key" : "ledger.engine_key",
		              c->engine_key, true);
}

static void load_verdict(wr_loader *l, wr_map *top)
{
	wr_map m;
	wr_config *c = l->c;
	wr_ynode *n = wr_map_get(top, "verdict");
	c->min_classes = 2;
	c->sustained_ms = 300000;
	c->stale_after_ms = 0;
	c->cooldown_ms = 600000;
	if (n == NULL || !wr_map_open(&m, l, n, "min_classes, sustained, stale_after, cooldown"))
		return;
	c->min_classes = wr_get_int(&m, "min_classes", 1, WR_CLASS_REFERENCE, 2);
	c->sustained_ms = wr_get_duration(&m, "sustained", 0, DAY_MS, 300000);
	c->stale_after_ms = wr_get_duration(&m, "stale_after", 100, DAY_MS, 0);
	c->cooldown_ms = wr_get_duration(&m, "cooldown", 0, 7 * DAY_MS, 600000);
	wr_map_close(&m);
}

static void load_top(wr_loader *l)
{
	static const wr_string_rule var = {.form = WR_F_LINE};
	wr_map top;
	wr_config *c = l->c;
	if (!wr_map_open(&top, l, l->root, "a configuration")) return;
	c->platform = wr_get_name(&top, "platform", NULL);
	c->observer = wr_get_name(&top, "observer", default_observer(l));
	c->vars = wr_get_pairs(&top, "vars", &var, WR_MAX_VARS, &c->var_count);
	load_engine(l, &top);
	load_verdict(l, &top);
	wr_load_regions(l, &top);
	load_ledger(l, &top);
	wr_load_services(l, &top);
	wr_load_signals(l, &top);
	wr_load_links(l, &top);
	wr_load_facts(l, &top);
	wr_load_quotas(l, &top);
	wr_load_traffic(l, &top);
	wr_load_notify(l, &top);
	wr_load_policy(l, &top);
	wr_load_runbooks(l, &top);
	wr_load_people(l, &top);
	wr_map_close(&top);
}

/* ---- the public face ---- */

static bool load_all(wr_loader *l, const char *path)
{
	if (settle_paths(l, path) != 0) return false;
	l->root = read_tree(l, l->c->path, path, NULL);
	if (l->root == NULL) return false;
	load_top(l);
	if (wr_arena_failed(l->arena) || wr_arena_failed(l->tree) || !wr_buf_ok(&l->hashed))
		report(l, path, "too large: not enough memory for this configuration");
	if (l->f->errors > 0) return false;
	wr_sha256(l->c->hash, l->hashed.data, l->hashed.len);
	wr_check_warnings(l);
	return true;
}

wr_config *wr_config_load(const char *path, wr_findings *f)
{
	wr_loader l = {.f = f, .shown_path = path, .nodes_left = WR_YAML_NODES_MAX};
	wr_config *c = calloc(1, sizeof *c);
	*f = (wr_findings){0};
	l.c = c;
	l.arena = wr_arena_new(WR_MODEL_BYTES_MAX);
	l.tree = wr_arena_new(WR_MODEL_BYTES_MAX);
	wr_buf_init(&l.scratch, 4 * WR_STR_MAX);
	wr_buf_init(&l.hashed, (size_t)(WR_MAX_RUNBOOKS + 1) * (WR_CONFIG_MAX + 8));
	bool ok = false;
	if (c == NULL || l.arena == NULL || l.tree == NULL) {
		report(&l, path, "out of memory");
	} else {
		c->arena = l.arena;
		ok = load_all(&l, path);
	}
	wr_buf_free(&l.hashed);
	wr_buf_free(&l.scratch);
	wr_arena_free(l.tree);
	if (ok) return c;
	wr_arena_free(l.arena);
	free(c);
	return NULL;
}

void wr_config_free(wr_config *c)
{
	if (c == NULL) return;
	wr_arena_free(c->arena);
	free(c);
}
