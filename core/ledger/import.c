/* import.c: receipts of an export, appended to a ledger byte by byte.
 *
 * First everything is read and checked, with the ledger locked: the manifest, each hash and link,
 * that the export goes on exactly where the chain ends (or repeats what is there), that no
 * receipt_id comes again, and that the checkpoint is signed and of this history. Only then is
 * anything written. When writing fails, what was written is cut off again; what a crash leaves is
 * the beginning of the same receipts, and doing it again goes on from there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/files.h"
#include "ledger/idset.h"
#include "ledger/store.h"
#include "warroom/export.h"
#include "warroom/io.h"
#include "warroom/json.h"
#include "warroom/text.h"

#define PART ((size_t)1 << 20)

typedef struct import {
	const wr_import_opts *opts;
	wr_import_report *report;
	bool is_dir;
	bool has_key; /* the ledger's, or, if it is new, the export's */
	uint8_t public_key[WR_ED25519_PUBLIC];
} import;

/* One chain of it. */
typedef struct joining {
	import *im;
	wr_imported_chain *x;
	char dir[PATH_MAX]; /* of the chain in the ledger */
	wr_files files;     /* of the export, whole paths */
	wr_idset ids;
	uint8_t *hashes;    /* of the ledger's receipts */
	int64_t count, cap; /* receipts there */
	int64_t end_segment, end_bytes;
	wr_range tree;    /* of all receipts so far, the ledger's and then the export's */
	wr_checkpoint cp; /* size 0: none */
	bool cp_right;
	char *cp_text;
	size_t cp_len;
	int64_t next; /* seq that the export must have next, -1: it begins */
	uint8_t tip[WR_HASH_LEN];
	/* writing */
	wr_buf out;
	int fd;
	int64_t segment, bytes;   /* being written */
	uint8_t put[WR_HASH_LEN]; /* the last one written, or before the first */
} joining;

/* ---- one receipt more, wherever it is from ---- */

static int add_id(joining *j, const wr_receipt *r, wr_err *err)
{
	uint8_t id[16];
	char hex[32];
	size_t n = 0;
	uint64_t value = (uint64_t)r->seq;
	for (const char *p = r->receipt_id; *p && n < sizeof hex; p++)
		if (*p != '-') hex[n++] = *p;
	int bad = wr_unhex(id, sizeof id, hex, n);
	WR_ASSERT(bad == 0);
	int added = wr_idset_add(&j->ids, id, &value);
	if (added < 0) return wr_fail(err, WR_E_NOMEM, "import: out of memory");
	if (added) return 0;
	return wr_fail(err, WR_E_CONFLICT, "seq %lld has the receipt_id %s, which seq %lld has already",
	               (long long)r->seq, r->receipt_id, (long long)value);
}

static int add_leaf(joining *j, const wr_receipt *r, wr_err *err)
{
	uint8_t root[WR_HASH_LEN];
	if (add_id(j, r, err)) return -1;
	wr_range_add(&j->tree, r->hash);
	memcpy(j->tip, r->hash, WR_HASH_LEN);
	if (j->cp.size != j->tree.end) return 0;
	wr_range_root(&j->tree, root);
	j->cp_right = memcmp(root, j->cp.root, WR_HASH_LEN) == 0;
	return 0;
}

static int parse(const joining *j, const wr_line *line, wr_receipt *r, wr_err *err)
{
	wr_err why = {0};
	if (!line->ended || line->overlong)
		return wr_fail(err, WR_E_CORRUPT, "byte %lld: the line does not end", (long long)line->at);
	if (wr_receipt_parse(r, line->text, line->len, true, &why) != WR_RF_OK)
		return wr_fail(err, WR_E_CORRUPT, "byte %lld: %s", (long long)line->at, why.msg);
	return strcmp(r->chain, j->x->chain) == 0 ? 0 : 1;
}

/* ---- what the ledger has ---- */

static int keep_hash(joining *j, const wr_receipt *r, wr_err *err)
{
	if (j->count == j->cap) {
		j->cap = j->cap ? j->cap * 2 : 1024;
		uint8_t *more = realloc(j->hashes, (size_t)j->cap * WR_HASH_LEN);
		if (!more) return wr_fail(err, WR_E_NOMEM, "import: out of memory");
		j->hashes = more;
	}
	memcpy(j->hashes + (size_t)j->count++ * WR_HASH_LEN, r->hash, WR_HASH_LEN);
	return 0;
}

static int read_existing(joining *j, int64_t segment, wr_err *err)
{
	char name[WR_SEGMENT_NAME_LEN], path[PATH_MAX];
	wr_lines lines;
	wr_line line;
	wr_receipt r = {0};
	int got, rc = 0;
	wr_segment_name(name, segment);
	if (wr_path_join(path, sizeof path, j->dir, name, err) ||
	    wr_lines_open(&lines, path, 0, -1, err))
		return -1;
	while (rc == 0 && (got = wr_lines_next(&lines, &line, err)) != 0) {
		rc = got < 0 ? -1 : parse(j, &line, &r, err);
		if (rc == 0 && (r.seq != j->count || memcmp(r.prev_hash, j->tip, WR_HASH_LEN) != 0)) rc = 1;
		if (rc > 0)
			rc = wr_fail(err, WR_E_CORRUPT, "byte %lld: not the next receipt of %s",
			             (long long)line.at, j->x->chain);
		if (rc == 0) rc = add_leaf(j, &r, err) || keep_hash(j, &r, err) ? -1 : 0;
		j->end_segment = segment;
		j->end_bytes = line.at + line.bytes;
	}
	wr_lines_close(&lines);
	return rc ? wr_err_wrap(err, "the ledger itself is damaged, restore it first: %s", name) : 0;
}

static int read_ledger(joining *j, wr_err *err)
{
	int64_t *segments;
	size_t count;
	int rc = 0;
	if (wr_segment_list(j->dir, &segments, &count, err)) return -1;
	for (size_t i = 0; i < count && rc == 0; i++) rc = read_existing(j, segments[i], err);
	free(segments);
	return rc;
}

/* ---- what the export has ---- */

static int put_line(joining *j, const wr_receipt *r, wr_err *err);

static int changed(const joining *j, wr_err *err)
{
	return wr_fail(err, WR_E_CONFLICT, "%s: the receipts changed while they were imported",
	               j->x->chain);
}

/* The second reading need not find what the first one did. */
static int put_checked(joining *j, const wr_receipt *r, wr_err *err)
{
	if (memcmp(r->prev_hash, j->put, WR_HASH_LEN) != 0) return changed(j, err);
	memcpy(j->put, r->hash, WR_HASH_LEN);
	return put_line(j, r, err);
}

/* `write`: it was all right before. */
static int take(joining *j, const wr_receipt *r, bool write, wr_err *err)
{
	const char *chain = j->x->chain;
	if (j->next < 0 && r->seq > j->count)
		return wr_fail(
		    err, WR_E_CONFLICT,
		    "%s: the ledger ends before #%lld, the export begins with #%lld: import what "
		    "is between them first",
		    chain, (long long)j->count, (long long)r->seq);
	if (j->next >= 0 && r->seq != j->next)
		return wr_fail(err, WR_E_CORRUPT, "%s: seq %lld is there where %lld must be", chain,
		               (long long)r->seq, (long long)j->next);
	j->next = r->seq + 1;
	if (r->seq < j->count) {
		if (!write) j->x->skipped++;
		if (memcmp(r->hash, j->hashes + (size_t)r->seq * WR_HASH_LEN, WR_HASH_LEN) == 0) return 0;
		return wr_fail(err, WR_E_CONFLICT,
		               "%s: seq %lld is another receipt in the ledger: the two histories have gone "
		               "different ways",
		               chain, (long long)r->seq);
	}
	if (write) return put_checked(j, r, err);
	if (memcmp(r->prev_hash, j->tip, WR_HASH_LEN) != 0)
		return wr_fail(err, r->seq == j->count ? WR_E_CONFLICT : WR_E_CORRUPT,
		               "%s: seq %lld does not follow the receipt before it", chain,
		               (long long)r->seq);
	j->x->added++;
	return add_leaf(j, r, err);
}

/* What grew meanwhile is for the next import. */
static bool has_all(const joining *j, bool write)
{
	return write && j->next == j->tree.end;
}

static int read_export(joining *j, bool write, wr_err *err)
{
	int rc = 0;
	j->next = -1;
	for (size_t i = 0; i < j->files.count && rc == 0 && !has_all(j, write); i++) {
		wr_lines lines;
		wr_line line;
		wr_receipt r;
		int got;
		if (wr_lines_open(&lines, j->files.names[i], 0, -1, err)) return -1;
		while (rc == 0 && !has_all(j, write) && (got = wr_lines_next(&lines, &line, err)) != 0) {
			rc = got < 0 ? -1 : parse(j, &line, &r, err);
			if (rc == 0)
				rc = take(j, &r, write, err);
			else if (rc > 0) /* a file of several chains is read once for each */
				rc = j->im->is_dir ? wr_fail(err, WR_E_CORRUPT, "a receipt of chain %s", r.chain)
				                   : 0;
		}
		wr_lines_close(&lines);
		if (rc) return wr_err_wrap(err, "%s", j->files.names[i]);
	}
	return rc;
}

static int read_checkpoint(joining *j, wr_err *err)
{
	char path[PATH_MAX], name[192];
	wr_buf text = WR_BUF_INIT(WR_NOTE_MAX);
	int rc = 0;
	(void)snprintf(name, sizeof name, "%s/" WR_CHECKPOINT_NAME, j->x->chain);
	if (!j->im->is_dir || !j->im->has_key) return 0;
	if (wr_path_join(path, sizeof path, j->im->opts->from, name, err)) return -1;
	if (access(path, F_OK) != 0) return 0;
	rc = wr_read_file(&text, path, WR_NOTE_MAX, WR_ANY, err);
	if (rc == 0 && wr_checkpoint_open(&j->cp, text.data, text.len, NULL, j->im->public_key, err)) {
		if (err) err->code = WR_E_CORRUPT;
		rc = wr_err_wrap(err, "the checkpoint of %s does not hold", j->x->chain);
	}
	j->cp_len = text.len;
	j->cp_text = wr_buf_take(&text);
	return rc;
}

static int check_checkpoint(const joining *j, wr_err *err)
{
	if (j->cp.size == 0 || j->cp_right) return 0;
	return wr_fail(
	    err, WR_E_CORRUPT, "%s: the checkpoint of %lld receipts is signed, and is not of these: %s",
	    j->x->chain, (long long)j->cp.size,
	    j->cp.size > j->tree.end ? "it covers more than there are" : "they are another history");
}

/* ---- writing ---- */

static int fail(const joining *j, const char *what, wr_err *err)
{
	char name[WR_SEGMENT_NAME_LEN];
	wr_segment_name(name, j->segment);
	return wr_fs_fail(err, what, name);
}

static int flush(joining *j, wr_err *err)
{
	if (!wr_buf_ok(&j->out)) return wr_fail(err, WR_E_NOMEM, "import: out of memory");
	if (wr_fs_write_all(&wr_fs_system, j->fd, wr_buf_cstr(&j->out), j->out.len))
		return fail(j, "write", err);
	j->bytes += (int64_t)j->out.len;
	wr_buf_reset(&j->out);
	return 0;
}

static int close_segment(joining *j, wr_err *err)
{
	if (j->fd < 0) return 0;
	int rc = flush(j, err);
	if (rc == 0 && fsync(j->fd)) rc = fail(j, "fsync", err);
	(void)close(j->fd);
	j->fd = -1;
	return rc;
}

static int open_segment(joining *j, int64_t first, wr_err *err)
{
	char name[WR_SEGMENT_NAME_LEN], path[PATH_MAX];
	bool go_on = j->end_segment >= 0 && j->segment < 0 && j->end_bytes < (int64_t)WR_SEGMENT_MAX;
	j->segment = go_on ? j->end_segment : first;
	j->bytes = go_on ? j->end_bytes : 0;
	wr_segment_name(name, j->segment);
	if (wr_path_join(path, sizeof path, j->dir, name, err)) return -1;
	j->fd = open(
	    path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | (go_on ? 0 : O_CREAT | O_EXCL), 0640);
	if (j->fd < 0) return fail(j, "open", err);
	return go_on ? 0 : wr_fsync_dir(j->dir, err);
}

static int put_line(joining *j, const wr_receipt *r, wr_err *err)
{
	int64_t with = j->bytes + (int64_t)j->out.len + (int64_t)r->len + 1;
	if (j->fd >= 0 && with > (int64_t)WR_SEGMENT_MAX && close_segment(j, err)) return -1;
	if (j->fd < 0 && open_segment(j, r->seq, err)) return -1;
	wr_buf_add(&j->out, r->line, r->len);
	wr_buf_addc(&j->out, '\n');
	return j->out.len >= PART ? flush(j, err) : 0;
}

/* Back to what was there: segments that are beyond it go, the last one is cut. */
static void undo(joining *j)
{
	int64_t *segments;
	size_t count;
	wr_err ignored;
	char name[WR_SEGMENT_NAME_LEN], path[PATH_MAX];
	if (j->fd >= 0) (void)close(j->fd);
	j->fd = -1;
	if (j->segment < 0 || wr_segment_list(j->dir, &segments, &count, &ignored)) return;
	for (size_t i = count; i-- > 0;) {
		wr_segment_name(name, segments[i]);
		if (wr_path_join(path, sizeof path, j->dir, name, &ignored)) continue;
		if (segments[i] > j->end_segment)
			(void)unlink(path);
		else if (segments[i] == j->end_segment && truncate(path, (off_t)j->end_bytes))
			break; /* the next opening sees a valid chain, or a torn end */
	}
	free(segments);
	if (wr_fsync_dir(j->dir, &ignored)) return; /* what a crash brings back is valid as well */
}

static int put_mark(joining *j, wr_err *err)
{
	wr_buf text = WR_BUF_INIT(WR_MARK_MAX);
	wr_mark mark = {.count = j->tree.end, .segment = j->segment, .bytes = j->bytes};
	memcpy(mark.hash, j->tip, WR_HASH_LEN);
	wr_mark_format(&text, &mark);
	int rc = wr_fs_put(&wr_fs_system, j->dir, WR_MARK_NAME, wr_buf_cstr(&text), text.len, err);
	wr_buf_free(&text);
	return rc;
}

static int write_chain(joining *j, wr_err *err)
{
	if (j->x->added == 0) return 0;
	if (j->count > 0) memcpy(j->put, j->hashes + (size_t)(j->count - 1) * WR_HASH_LEN, WR_HASH_LEN);
	int rc = read_export(j, true, err);
	if (rc == 0 && memcmp(j->put, j->tip, WR_HASH_LEN) != 0) rc = changed(j, err);
	if (rc == 0) rc = close_segment(j, err);
	if (rc) {
		undo(j);
		return -1;
	}
	if (put_mark(j, err)) return -1;
	if (j->cp.size <= j->count) return 0; /* what is there may cover more */
	return wr_fs_put(&wr_fs_system, j->dir, WR_CHECKPOINT_NAME, j->cp_text, j->cp_len, err);
}

/* ---- one chain ---- */

/* Opening mends an unfinished end, and makes the directories. */
static int open_once(const joining *j, wr_err *err)
{
	char name[128];
	(void)snprintf(name, sizeof name, "%s", j->x->chain);
	char *slash = strchr(name, '/');
	if (!slash) return wr_fail(err, WR_E_INVALID, "%s: no chain of a ledger", name);
	*slash = '\0';
	const wr_ledger_opts opts = {.dir = j->im->opts->into,
	                             .partition = name,
	                             .stream = slash + 1,
	                             .actor = "engine:import",
	                             .clock = j->im->opts->clock};
	wr_ledger *l = wr_ledger_open_dir(&opts, NULL, err);
	if (!l) return -1;
	wr_ledger_close(l);
	return 0;
}

static int join_chain(joining *j, wr_err *err)
{
	if (open_once(j, err)) return -1;
	wr_lock *lock = wr_lock_take(j->im->opts->into, j->x->chain, err);
	if (!lock) return -1;
	int rc = read_checkpoint(j, err);
	if (rc == 0) rc = read_ledger(j, err);
	if (rc == 0) rc = read_export(j, false, err);
	if (rc == 0) rc = check_checkpoint(j, err);
	if (rc == 0) rc = write_chain(j, err);
	wr_lock_drop(lock, j->x->chain);
	j->x->count = j->tree.end;
	j->x->attested = j->cp_right ? j->cp.size : 0;
	return rc;
}

static int list_files(joining *j, wr_err *err)
{
	char dir[PATH_MAX], path[PATH_MAX];
	int64_t *segments;
	size_t count;
	int rc = 0;
	if (!j->im->is_dir) return wr_files_add(&j->files, j->im->opts->from, err);
	if (wr_path_join(dir, sizeof dir, j->im->opts->from, j->x->chain, err) ||
	    wr_segment_list(dir, &segments, &count, err))
		return -1;
	for (size_t i = 0; i < count && rc == 0; i++) {
		char name[WR_SEGMENT_NAME_LEN];
		wr_segment_name(name, segments[i]);
		rc = wr_path_join(path, sizeof path, dir, name, err);
		if (rc == 0) rc = wr_files_add(&j->files, path, err);
	}
	free(segments);
	return rc;
}

static int import_chain(import *im, const char *chain, wr_err *err)
{
	joining j = {.im = im, .fd = -1, .segment = -1, .end_segment = -1, .next = -1};
	j.x = &im->report->chains[im->report->chain_count++];
	(void)snprintf(j.x->chain, sizeof j.x->chain, "%s", chain);
	wr_buf_init(&j.out, PART + WR_LINE_MAX + 1);
	wr_range_init(&j.tree, 0);
	int rc = wr_path_join(j.dir, sizeof j.dir, im->opts->into, chain, err);
	if (rc == 0) rc = list_files(&j, err);
	if (rc == 0) rc = join_chain(&j, err);
	im->report->added += j.x->added;
	im->report->skipped += j.x->skipped;
	wr_files_free(&j.files);
	wr_idset_free(&j.ids);
	wr_buf_free(&j.out);
	free(j.hashes);
	free(j.cp_text);
	return rc;
}

/* ---- all of it ---- */

/* The chains that a file of lines is of. */
static int chains_of_file(const char *path, wr_files *out, wr_err *err)
{
	wr_lines lines;
	wr_line line;
	wr_receipt r;
	int got, rc = 0;
	*out = (wr_files){0};
	if (wr_lines_open(&lines, path, 0, -1, err)) return -1;
	while (rc == 0 && (got = wr_lines_next(&lines, &line, err)) != 0) {
		wr_err why = {0};
		bool seen = false;
		if (got < 0 || wr_receipt_parse(&r, line.text, line.len, false, &why) != WR_RF_OK) {
			rc = got < 0 ? -1
			             : wr_fail(err, WR_E_CORRUPT, "%.200s:%lld: %s", path,
			                       (long long)lines.number, why.msg);
			break;
		}
		for (size_t i = 0; i < out->count; i++) seen |= strcmp(out->names[i], r.chain) == 0;
		if (!seen) rc = wr_files_add(out, r.chain, err);
	}
	wr_lines_close(&lines);
	if (rc) wr_files_free(out);
	return rc;
}

static int copy_beside(import *im, const char *name, size_t max, wr_err *err)
{
	char from[PATH_MAX], to[PATH_MAX];
	struct stat st, there;
	wr_buf text = WR_BUF_INIT(max);
	if (wr_path_join(from, sizeof from, im->opts->from, name, err) ||
	    wr_path_join(to, sizeof to, im->opts->into, name, err))
		return -1;
	if (!im->is_dir || lstat(from, &st) != 0 || lstat(to, &there) == 0) return 0;
	/* Where a link leads need not be the export's to give. */
	if (!S_ISREG(st.st_mode)) return wr_fail(err, WR_E_INVALID, "%.300s: not a regular file", from);
	int rc = wr_read_file(&text, from, max, WR_ANY, err);
	if (rc == 0) rc = wr_write_file(to, wr_buf_cstr(&text), text.len, 0640, err);
	wr_buf_free(&text);
	return rc;
}

static int copy_blobs(import *im, wr_err *err)
{
	char from[PATH_MAX], to[PATH_MAX];
	wr_files blobs;
	wr_buf data = WR_BUF_INIT(WR_BLOB_MAX);
	if (wr_path_join(from, sizeof from, im->opts->from, "blobs/sha256", err) ||
	    wr_path_join(to, sizeof to, im->opts->into, "blobs/sha256", err))
		return -1;
	if (!im->is_dir || access(from, F_OK) != 0) return 0;
	if (wr_files_list(&blobs, from, "", false, err)) return -1;
	int rc = wr_mkdirs(to, 0750, err);
	for (size_t i = 0; i < blobs.count && rc == 0; i++) {
		char path[PATH_MAX];
		rc = wr_path_join(path, sizeof path, to, blobs.names[i], err);
		if (rc || access(path, F_OK) == 0) continue;
		rc = wr_blob_get(im->opts->from, blobs.names[i], &data, err);
		if (rc == 0) rc = wr_write_file(path, wr_buf_cstr(&data), data.len, 0640, err);
		im->report->blobs++;
	}
	wr_files_free(&blobs);
	wr_buf_free(&data);
	return rc;
}

/* The ledger's key counts; a new ledger takes the export's. */
static int find_key(import *im, wr_err *err)
{
	uint8_t theirs[WR_ED25519_PUBLIC];
	bool ours = wr_engine_pub_read(im->opts->into, im->public_key, NULL) == 0;
	bool export_has = im->is_dir && wr_engine_pub_read(im->opts->from, theirs, NULL) == 0;
	im->has_key = ours || export_has;
	if (!ours && export_has) memcpy(im->public_key, theirs, sizeof theirs);
	if (ours && export_has && memcmp(im->public_key, theirs, sizeof theirs) != 0)
		return wr_fail(err, WR_E_CONFLICT,
		               "the export is of another engine: its engine.pub is not the ledger's");
	return 0;
}

static int check_manifest(import *im, wr_err *err)
{
	wr_err why = {0};
	if (!im->is_dir) return 0;
	if (wr_manifest_check(im->opts->from, &why) == 0) {
		im->report->manifest = true;
		return 0;
	}
	if (why.code == WR_E_NOT_FOUND) return 0;
	if (err) *err = why;
	return -1;
}

static int run(import *im, wr_err *err)
{
	struct stat st;
	wr_files chains;
	if (stat(im->opts->from, &st)) return wr_fs_fail(err, "open", im->opts->from);
	im->is_dir = S_ISDIR(st.st_mode);
	if (!im->is_dir && !S_ISREG(st.st_mode))
		return wr_fail(err, WR_E_INVALID, "%.300s: neither a file nor a directory", im->opts->from);
	if (check_manifest(im, err) || find_key(im, err)) return -1;
	if (im->is_dir ? wr_files_chains(&chains, im->opts->from, err)
	               : chains_of_file(im->opts->from, &chains, err))
		return -1;
	im->report->chains = calloc(chains.count + 1, sizeof *im->report->chains);
	int rc = im->report->chains ? 0 : wr_fail(err, WR_E_NOMEM, "import: out of memory");
	if (rc == 0 && chains.count == 0)
		rc = wr_fail(err, WR_E_NOT_FOUND, "%.300s: no receipts here", im->opts->from);
	for (size_t i = 0; i < chains.count && rc == 0; i++)
		rc = import_chain(im, chains.names[i], err);
	wr_files_free(&chains);
	if (rc == 0) rc = copy_beside(im, "engine.pub", 1024, err);
	if (rc == 0) rc = copy_beside(im, "allowed_signers", WR_SIGNERS_MAX, err);
	return rc == 0 ? copy_blobs(im, err) : -1;
}

int wr_import(const wr_import_opts *opts, wr_import_report *out, wr_err *err)
{
import im = {.opts = opts, .report = out };
	*out = (wr_import_report){0};
	int rc = run(&im, err);
	if (rc) wr_import_free(out);
	return rc;
}

void wr_import_free(wr_import_report *r)
{
	free(r->chains);
	*r = (wr_import_report){0};
}

json_t *wr_import_json(const wr_import_report *r)
{
	json_t *chains = json_array();
	for (size_t i = 0; i < r->chain_count; i++) {
		const wr_imported_chain *x = &r->chains[i];
		(void)json_array_append_new(
		    chains, json_pack("{s:s, s:I, s:I, s:I, s:I}", "chain", x->chain, "added",
		                      (json_int_t)x->added, "skipped", (json_int_t)x->skipped, "count",
		                      (json_int_t)x->count, "attested", (json_int_t)x->attested));
	}
	return json_pack("{s:o, s:I, s:I, s:I, s:b}", "chains", chains, "added", (json_int_t)r->added,
	                 "skipped", (json_int_t)r->skipped, "blobs", (json_int_t)r->blobs, "manifest",
	                 r->manifest);
}
