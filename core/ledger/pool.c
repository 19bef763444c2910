/* pool.c: the sources of a restore, read once, line by line.
 *
 * A line counts if it is a receipt and its hash is that of its content; where it stands does not
 * matter, but is judged, for the account of its source. Nothing that a source holds can make this
 * fail or grow without measure: what is no receipt is counted, and passed over. */
#include "ledger/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/files.h"
#include "ledger/fs.h"
#include "warroom/io.h"
#include "warroom/text.h"

#define PROGRESS_EVERY ((int64_t)4 << 20)
#define CHAINS_MAX     1024 /* a partition for each of 16 regions, with room for streams */

/* Makes room for one more in an array that grows by doubling. */
static int room(void **array, size_t count, size_t *cap, size_t size, wr_err *err)
{
	if (count < *cap) return 0;
	size_t more = *cap ? *cap * 2 : 64;
	void *grown = realloc(*array, more * size);
	if (!grown) return wr_fail(err, WR_E_NOMEM, "restore: out of memory");
	*array = grown;
	*cap = more;
	return 0;
}

/* ---- nodes by hash ---- */

static size_t slot_of(const wr_pool *p, const uint8_t hash[static WR_HASH_LEN])
{
	uint64_t key;
	memcpy(&key, hash, sizeof key);
	size_t i = (size_t)((key ^ key >> 32) * UINT64_C(0x9e3779b97f4a7c15) >> 16);
	for (i &= p->index_cap - 1; p->index[i] != WR_NONE; i = (i + 1) & (p->index_cap - 1))
		if (memcmp(p->nodes[p->index[i]].hash, hash, WR_HASH_LEN) == 0) break;
	return i;
}

uint32_t wr_pool_find(const wr_pool *p, const uint8_t hash[static WR_HASH_LEN])
{
	return p->index_cap ? p->index[slot_of(p, hash)] : WR_NONE;
}

static int grow_index(wr_pool *p, wr_err *err)
{
	if (p->node_count * 2 < p->index_cap) return 0;
	size_t cap = p->index_cap ? p->index_cap * 2 : 1024;
	uint32_t *index = malloc(cap * sizeof *index);
	if (!index) return wr_fail(err, WR_E_NOMEM, "restore: out of memory");
	memset(index, 0xff, cap * sizeof *index);
	free(p->index);
	p->index = index;
	p->index_cap = cap;
	for (uint32_t n = 0; n < p->node_count; n++) index[slot_of(p, p->nodes[n].hash)] = n;
	return 0;
}

static int add_node(wr_pool *p, const wr_node *node, wr_err *err)
{
	void *nodes = p->nodes;
	if (p->node_count >= WR_NONE - 1)
		return wr_fail(err, WR_E_LIMIT, "restore: too many receipts at once");
	int rc = room(&nodes, p->node_count, &p->node_cap, sizeof *p->nodes, err);
	p->nodes = nodes;
	if (rc || grow_index(p, err)) return -1;
	size_t slot = slot_of(p, node->hash);
	p->nodes[p->node_count] = *node;
	p->index[slot] = (uint32_t)p->node_count++;
	return 0;
}

/* ---- chains ---- */

/* "partition/stream", as a ledger has them. */
static bool chain_ok(const char *name)
{
	char partition[128];
	const char *slash = strchr(name, '/');
	if (!slash || strlen(name) >= sizeof partition) return false;
	(void)snprintf(partition, sizeof partition, "%.*s", (int)(slash - name), name);
	return wr_name_ok(partition) && wr_name_ok(slash + 1);
}

/* -1 with *err; CHAINS_MAX: no chain of a ledger, or one too many: it is passed over. */
static int chain_index(wr_pool *p, const char *name, wr_err *err)
{
	for (size_t i = 0; i < p->chain_count; i++)
		if (strcmp(p->chains[i], name) == 0) return (int)i;
	if (p->chain_count == CHAINS_MAX || !chain_ok(name)) return CHAINS_MAX;
	if (!p->chains) p->chains = calloc(CHAINS_MAX, sizeof *p->chains);
	if (!p->chains) return wr_fail(err, WR_E_NOMEM, "restore: out of memory");
	for (size_t s = 0; s < p->source_count; s++) {
		wr_held *held =
		    realloc(p->sources[s].held, (p->chain_count + 1) * sizeof *p->sources[s].held);
		if (!held) return wr_fail(err, WR_E_NOMEM, "restore: out of memory");
		held[p->chain_count] = (wr_held){.begins = -1, .consistent = -1};
		p->sources[s].held = held;
	}
	(void)snprintf(p->chains[p->chain_count], sizeof *p->chains, "%s", name);
	return (int)p->chain_count++;
}

/* ---- lines ---- */

/* A file being read. */
typedef struct reading {
	wr_pool *p;
	wr_source *s;
	uint32_t file;
	const char *name;
	int chain;       /* by its place, else of the last receipt; -1: unknown */
	bool placed;     /* the place says the chain */
	bool last;       /* of its chain, or alone: it may end torn */
	int64_t segment; /* by its name, -1 */
} reading;

static void first_bad(const reading *r, wr_held *h, const wr_line *line, int64_t number,
                      const char *text)
{
	h->broken = true;
	if (*h->first_bad.text) return;
	(void)wr_sanitise_to(h->first_bad.file, sizeof h->first_bad.file, r->name);
	(void)wr_sanitise_to(h->first_bad.text, sizeof h->first_bad.text, text);
	h->first_bad.line = number;
	h->first_bad.byte = line->at;
}

static void bad_line(reading *r, const wr_line *line, int64_t number, const char *why)
{
	if (r->chain < 0) {
		r->s->unreadable++;
		return;
	}
	WR_ASSERT(r->s->held);
	wr_held *h = &r->s->held[r->chain];
	h->bad++;
	h->bad_run++;
	first_bad(r, h, line, number, why);
	/* In a ledger each line was a receipt; a changelog may have come from anywhere. */
	if (r->placed && h->expect + h->bad_run > h->should) h->should = h->expect + h->bad_run;
	if (!r->placed || line->overlong || r->p->bad_count == WR_BAD_KEPT) return;
	r->p->bad[r->p->bad_count++] = (wr_bad_line){
	    .at = line->at, .file = r->file, .len = (uint32_t)line->len, .chain = (uint16_t)r->chain};
}

static void judge_place(reading *r, wr_held *h, const wr_node *rec, const wr_line *line,
                        int64_t number)
{
	char text[160];
	bool first = h->begins < 0;
	bool follows = rec->seq == h->expect && memcmp(rec->prev, h->tip, WR_HASH_LEN) == 0;
	h->receipts++;
	if (first) {
		h->begins = rec->seq;
		follows = rec->seq == 0 || !r->placed;
	}
	if (!follows) {
		(void)snprintf(text, sizeof text, "expected seq %lld after %02x%02x…, found seq %lld",
		               (long long)h->expect, h->tip[0], h->tip[1], (long long)rec->seq);
		first_bad(r, h, line, number, text);
	}
	h->bad_run = 0;
	h->expect = rec->seq + 1;
	h->last_time_us = rec->timestamp_us;
	memcpy(h->tip, rec->hash, WR_HASH_LEN);
	if (h->expect > h->should) h->should = h->expect;
	if (h->broken) return;
	h->consistent = rec->seq;
	memcpy(h->consistent_hash, rec->hash, WR_HASH_LEN);
}

static int keep_note(reading *r, const char *text, size_t len, int chain, int64_t seq, wr_err *err)
{
	wr_pool *p = r->p;
	void *notes = p->notes;
	int rc = room(&notes, p->note_count, &p->note_cap, sizeof *p->notes, err);
	p->notes = notes;
	if (rc) return -1;
	wr_note_found *n = &p->notes[p->note_count];
	*n = (wr_note_found){
	    .len = len, .source = (uint32_t)(r->s - p->sources), .chain = (uint16_t)chain, .seq = seq};
	n->text = malloc(len + 1);
	if (!n->text) return wr_fail(err, WR_E_NOMEM, "restore: out of memory");
	memcpy(n->text, text, len);
	n->text[len] = '\0';
	p->note_count++;
	return 0;
}

/* What a receipt says beyond itself: a checkpoint, or a blob. */
static int keep_words(reading *r, const wr_receipt *rec, int chain, wr_err *err)
{
	wr_pool *p = r->p;
	if (strcmp(rec->operation, "checkpoint_signed") == 0) {
		static char note[WR_RECEIPT_MAX + 1];
		if (!wr_receipt_str(rec, "checkpoint", note, sizeof note)) return 0;
		return keep_note(r, note, strlen(note), chain, rec->seq, err);
	}
	if (strcmp(rec->operation, "operation_proposed") != 0) return 0;
	wr_blob_ref ref = {.node = (uint32_t)p->node_count - 1};
	if (!wr_receipt_str(rec, "plan_hash", ref.hex, sizeof ref.hex)) return 0;
	void *refs = p->refs;
	int rc = room(&refs, p->ref_count, &p->ref_cap, sizeof *p->refs, err);
	p->refs = refs;
	if (rc == 0) p->refs[p->ref_count++] = ref;
	return rc;
}

static void read_id(const wr_receipt *rec, uint8_t out[static 16])
{
	char hex[32];
	size_t n = 0;
	for (const char *c = rec->receipt_id; *c && n < sizeof hex; c++)
		if (*c != '-') hex[n++] = *c;
	int bad = wr_unhex(out, 16, hex, n);
	WR_ASSERT(bad == 0);
}

/* A receipt as it stands in this source, whether it is known or not. */
static void stand(reading *r, const wr_node *n, const wr_line *line, int64_t number)
{
	if (r->placed && n->chain != r->chain) {
		bad_line(r, line, number, "a receipt of another chain");
		return;
	}
	r->chain = n->chain;
	judge_place(r, &r->s->held[n->chain], n, line, number);
}

/* Is it, byte by byte, one that another source had? Its hash says so, and spares the reading. */
static bool take_known(reading *r, const wr_line *line, size_t len, int64_t number)
{
	static const char tail[] = ",\"hash\":\"";
	uint8_t stored[WR_HASH_LEN], hash[WR_HASH_LEN];
	wr_pool *p = r->p;
	if (p->node_count == 0 || len <= WR_HASH_TAIL + 1 || len > WR_LINE_MAX) return false;
	const char *end = line->text + len - 1 - WR_HASH_TAIL;
	if (memcmp(end, tail, sizeof tail - 1) != 0 || memcmp(line->text + len - 2, "\"}", 2) != 0 ||
	    wr_unhex(stored, WR_HASH_LEN, end + sizeof tail - 1, WR_HEX_LEN - 1))
		return false;
	uint32_t known = wr_pool_find(p, stored);
	if (known == WR_NONE || p->nodes[known].len != len) return false;
	wr_scan_leaf(hash, line->text, len);
	if (memcmp(hash, stored, WR_HASH_LEN) != 0) return false;
	p->nodes[known].flags |= (uint8_t)r->s->role;
	stand(r, &p->nodes[known], line, number);
	return true;
}

static wr_node node_of(const wr_receipt *rec, uint32_t file, int64_t at, uint16_t chain)
{
	wr_node node = {.seq = rec->seq,
	                .timestamp_us = rec->timestamp_us,
	                .at = at,
	                .file = file,
	                .len = (uint32_t)rec->len,
	                .parent = WR_NONE,
	                .child = WR_NONE,
	                .sibling = WR_NONE,
	                .chain = chain};
	memcpy(node.hash, rec->hash, WR_HASH_LEN);
	memcpy(node.prev, rec->prev_hash, WR_HASH_LEN);
	read_id(rec, node.id);
	return node;
}

static int take_receipt(reading *r, const wr_receipt *rec, const wr_line *line, int64_t number,
                        wr_err *err)
{
	int chain = chain_index(r->p, rec->chain, err);
	if (chain < 0) return -1;
	if (chain == CHAINS_MAX) {
		r->s->unreadable++;
		return 0;
	}
	wr_node node = node_of(rec, r->file, line->at, (uint16_t)chain);
	node.flags = (uint8_t)r->s->role;
	stand(r, &node, line, number);
	if (add_node(r->p, &node, err)) return -1;
	return keep_words(r, rec, chain, err);
}

int wr_pool_add(wr_pool *p, const wr_receipt *r, uint32_t file, int64_t at, uint16_t chain,
                wr_err *err)
{
	if (strcmp(r->chain, p->chains[chain]) != 0) return 0;
	const wr_node node = node_of(r, file, at, chain);
	reading where = {.p = p, .s = &p->sources[p->files[file].source]};
	if (add_node(p, &node, err)) return -1;
	return keep_words(&where, r, chain, err);
}

/* 1: the rest of the file is an unfinished write. */
static int take_line(reading *r, const wr_line *line, int64_t number, wr_err *err)
{
	wr_receipt rec;
	wr_err why = {0};
	size_t len = line->len;
	wr_held *h = r->chain >= 0 ? &r->s->held[r->chain] : NULL;
	bool past_mark = !h || h->mark.count == 0 || h->mark.segment < r->segment ||
	                 (h->mark.segment == r->segment && line->at >= h->mark.bytes);
	if (r->last && past_mark && wr_tail_torn(line)) {
		if (h) h->torn += line->bytes;
		return 1;
	}
	if (line->overlong) {
		bad_line(r, line, number, "a line longer than a receipt may be");
		return 0;
	}
	/* Files that went through other systems may have come back with their line ends changed. */
	if (len > 0 && line->text[len - 1] == '\r') len--;
	if (take_known(r, line, len, number)) return 0;
	if (wr_receipt_parse(&rec, line->text, len, true, &why) == WR_RF_OK)
		return take_receipt(r, &rec, line, number, err);
	if (len == 0 && !r->placed) return 0;
	bad_line(r, line, number, why.msg);
	return 0;
}

static void tell(wr_pool *p, int64_t bytes)
{
	p->bytes += bytes;
	if (!p->progress || p->bytes - p->told < PROGRESS_EVERY) return;
	p->told = p->bytes;
	p->progress(p->progress_ctx, "reading", p->bytes, 0);
}

static int read_file(reading *r, const char *path, wr_err *err)
{
	wr_pool *p = r->p;
	wr_lines lines;
	wr_line line;
	int rc;
	wr_pool_file *files = realloc(p->files, (p->file_count + 1) * sizeof *files);
	if (!files) return wr_fail(err, WR_E_NOMEM, "restore: out of memory");
	p->files = files;
	r->file = (uint32_t)p->file_count;
	files[p->file_count] =
	    (wr_pool_file){.path = strdup(path), .source = (uint32_t)(r->s - p->sources), .fd = -1};
	if (!files[p->file_count++].path) return wr_fail(err, WR_E_NOMEM, "restore: out of memory");
	if (wr_lines_open(&lines, path, 0, -1, err)) return -1;
	while ((rc = wr_lines_next(&lines, &line, err)) > 0) {
		tell(p, line.bytes);
		rc = take_line(r, &line, lines.number, err);
		if (rc) break;
	}
	wr_lines_close(&lines);
	return rc < 0 ? wr_err_wrap(err, "%s: %s", r->s->name, path) : 0;
}

/* ---- sources ---- */

/* "us-central1/ops" of "us-central1/ops/<file>"; false: another place. */
static bool chain_of(const char *name, char out[static 128])
{
	const char *first = strchr(name, '/'), *last = strrchr(name, '/');
	if (!first || first == last || strchr(first + 1, '/') != last || last - name >= 128)
		return false;
	(void)snprintf(out, 128, "%.*s", (int)(last - name), name);
	return true;
}

static int read_mark(wr_pool *p, wr_source *s, const char *chain, wr_err *err)
{
	char dir[PATH_MAX];
	wr_err why = {0};
	int i = chain_index(p, chain, err);
	if (i < 0 || i == CHAINS_MAX) return i < 0 ? -1 : 0;
	if (wr_path_join(dir, sizeof dir, s->path, chain, err)) return -1;
	wr_held *h = &s->held[i];
	wr_mark mark;
	if (wr_mark_read(dir, &mark, &why)) {
		(void)wr_sanitise_to(h->mark_bad, sizeof h->mark_bad, why.msg);
		return 0;
	}
	h->mark = (wr_mark_seen){.count = mark.count, .segment = mark.segment, .bytes = mark.bytes};
	memcpy(h->mark.hash, mark.hash, WR_HASH_LEN);
	if (mark.count > h->should) h->should = mark.count;
	return 0;
}

static int read_checkpoint(wr_pool *p, wr_source *s, const char *name, const char *chain,
                           wr_err *err)
{
	char path[PATH_MAX];
	wr_err ignored;
	wr_buf text = WR_BUF_INIT(WR_NOTE_MAX);
	reading r = {.p = p, .s = s};
	int i = chain_index(p, chain, err);
	if (i < 0 || i == CHAINS_MAX) return i < 0 ? -1 : 0;
	if (wr_path_join(path, sizeof path, s->path, name, err)) return -1;
	int rc = 0;
	if (wr_read_file(&text, path, WR_NOTE_MAX, WR_ANY, &ignored) == 0 && text.len)
		rc = keep_note(&r, text.data, text.len, i, -1, err);
	wr_buf_free(&text);
	return rc;
}

static int read_beside(wr_pool *p, wr_source *s, wr_err *err)
{
	wr_files marks, notes;
	char chain[128];
	int rc = 0;
	if (wr_files_list(&marks, s->path, "/" WR_MARK_NAME, false, err)) return -1;
	for (size_t i = 0; i < marks.count && rc == 0; i++)
		if (chain_of(marks.names[i], chain)) rc = read_mark(p, s, chain, err);
	wr_files_free(&marks);
	if (rc || wr_files_list(&notes, s->path, "/checkpoint", false, err)) return -1;
	for (size_t i = 0; i < notes.count && rc == 0; i++)
		if (chain_of(notes.names[i], chain)) rc = read_checkpoint(p, s, notes.names[i], chain, err);
	wr_files_free(&notes);
	s->has_key = wr_engine_pub_read(s->path, s->public_key, NULL) == 0;
	return rc;
}

static bool same_place(const char *a, const char *b)
{
	const char *slash = strrchr(a, '/');
	size_t n = slash ? (size_t)(slash - a) + 1 : 0;
	return strncmp(a, b, n) == 0 && !strchr(b + n, '/');
}

/* A link is not followed; if receipts may be behind it, they are not left out silently either. */
static int none_is_strange(const wr_source *s, wr_err *err)
{
	wr_files files;
	char path[PATH_MAX], shown[300];
	struct stat st;
	int rc = 0;
	if (wr_files_strange(&files, s->path, err)) return -1;
	for (size_t i = 0; i < files.count && rc == 0; i++) {
		const char *name = files.names[i];
		size_t len = strlen(name);
		if (*name == '.' || strstr(name, "/.")) continue;
		rc = wr_path_join(path, sizeof path, s->path, name, err);
		bool matters = rc == 0 && ((len > 6 && strcmp(name + len - 6, ".jsonl") == 0) ||
		                           (stat(path, &st) == 0 && S_ISDIR(st.st_mode)));
		if (matters)
			rc = wr_fail(err, WR_E_INVALID,
			             "%s of the %s is neither a file nor a directory and was not read: put "
			             "what it leads to there, or take it away",
			             wr_sanitise_to(shown, sizeof shown, name), s->name);
	}
	wr_files_free(&files);
	return rc;
}

static int read_dir(wr_pool *p, wr_source *s, wr_err *err)
{
	wr_files files;
	int rc = none_is_strange(s, err);
	if (rc == 0) rc = read_beside(p, s, err);
	if (rc || wr_files_list(&files, s->path, ".jsonl", false, err)) return -1;
	for (size_t i = 0; i < files.count && rc == 0; i++) {
		char path[PATH_MAX], chain[128];
		const char *name = files.names[i], *slash = strrchr(name, '/');
		reading r = {.p = p, .s = s, .name = name, .chain = -1};
		r.segment = wr_segment_seq(slash ? slash + 1 : name);
		r.last = i + 1 == files.count || !same_place(name, files.names[i + 1]);
		r.placed = r.segment >= 0 && chain_of(name, chain);
		if (r.placed) r.chain = chain_index(p, chain, err);
		if (r.placed && r.chain < 0) rc = -1;
		if (r.chain == CHAINS_MAX && p->chain_count == CHAINS_MAX && chain_ok(chain))
			rc = wr_fail(err, WR_E_LIMIT,
			             "more than %d chains, and %s of the %s is one more: which changelog has "
			             "so many?",
			             CHAINS_MAX, chain, s->name);
		if (r.chain == CHAINS_MAX && rc == 0) continue;
		if (rc == 0) rc = wr_path_join(path, sizeof path, s->path, name, err);
		if (rc == 0) rc = read_file(&r, path, err);
	}
	wr_files_free(&files);
	return rc;
}

static int read_source(wr_pool *p, wr_source *s, wr_err *err)
{
	struct stat st;
	if (stat(s->path, &st))
		return wr_fs_fail(err, s->role == WR_DAMAGED ? "open --damaged" : "open", s->path);
	s->is_dir = S_ISDIR(st.st_mode);
	if (s->is_dir) return read_dir(p, s, err);
	if (!S_ISREG(st.st_mode))
		return wr_fail(err, WR_E_INVALID, "%.300s: neither a file nor a directory", s->path);
	reading r = {.p = p, .s = s, .name = s->path, .chain = -1, .last = true, .segment = -1};
	return read_file(&r, s->path, err);
}

int wr_pool_load(wr_pool *p, wr_err *err)
{
	for (size_t i = 0; i < p->source_count; i++)
		if (read_source(p, &p->sources[i], err)) return -1;
	return 0;
}

int wr_pool_read(wr_pool *p, uint32_t file, int64_t at, size_t len, char *out, wr_err *err)
{
	wr_pool_file *f = &p->files[file];
	size_t got = 0;
	if (f->fd < 0) f->fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (f->fd < 0) return wr_fs_fail(err, "open", f->path);
	while (got < len) {
		ssize_t part = pread(f->fd, out + got, len - got, (off_t)(at + (int64_t)got));
		if (part < 0 && errno == EINTR) continue;
		if (part < 0) return wr_fs_fail(err, "read", f->path);
		if (part == 0) return wr_fail(err, WR_E_IO, "%.300s: shorter than before", f->path);
		got += (size_t)part;
	}
	return 0;
}

int wr_pool_line(wr_pool *p, uint32_t node, char *out, wr_err *err)
{
	const wr_node *n = &p->nodes[node];
	return wr_pool_read(p, n->file, n->at, n->len, out, err);
}

void wr_pool_free(wr_pool *p)
{
	for (size_t i = 0; i < p->source_count; i++) free(p->sources[i].held);
	for (size_t i = 0; i < p->file_count; i++) {
		if (p->files[i].fd >= 0) (void)close(p->files[i].fd);
		free(p->files[i].path);
	}
	for (size_t i = 0; i < p->note_count; i++) free(p->notes[i].text);
	free(p->sources);
	free(p->chains);
	free(p->files);
	free(p->nodes);
	free(p->index);
	free(p->notes);
	free(p->refs);
	*p = (wr_pool){0};
}
