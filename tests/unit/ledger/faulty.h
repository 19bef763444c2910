/* faulty.h: a disk that fails, for the ledger's file operations.
 *
 * The real files (on a tmpfs) hold what a running process sees. Beside each the model keeps what
 * would be left after the power goes: `disk`, the bytes that syncs have brought there, and the
 * directory as of its last sync. Which 4 KiB pages are dirty is kept, as a kernel does: a sync that
 * fails leaves them marked clean and lost, for good unless they are written again, whatever a later
 * sync says. crash() turns what would be left, and a seeded part of what might be, into the real
 * files.
 *
 * It can also be made to lie (`lies`), which is what a store would do that does without an
 * operation: so the tests show that they would find that. One mutex guards all of it. */
#ifndef WR_TEST_LEDGER_FAULTY_H
#define WR_TEST_LEDGER_FAULTY_H

#include "fixture.h"

#include <errno.h>
#include <pthread.h>

#include "ledger/fs.h"

enum { F_WRITE, F_SHORT, F_SYNC, F_SYNC_DIR, F_OPEN, F_TRUNCATE, F_RENAME, F_UNLINK, F_KINDS };

/* What a store with a bug leaves out. */
typedef enum lie {
	LIE_NONE,
	LIE_NO_SYNC,     /* it answers before syncing */
	LIE_RETRY,       /* it syncs again after a failed sync, and believes it */
	LIE_NO_DIR_SYNC, /* it forgets to sync the directory */
	LIE_NO_CUT,      /* it goes on without cutting the failed batch off */
	LIE_FLUSH_LESS,  /* one sync in eight is left out */
	LIE_COUNT
} lie;

#define PAGE      4096u
#define FILE_MAX  (4u << 20)
#define PAGES_MAX (FILE_MAX / PAGE)
#define ENTRIES   512

enum { CLEAN, DIRTY, LOST };

typedef struct inode {
	wr_buf now, disk;
	uint8_t page[PAGES_MAX];
	size_t pages; /* [0, pages) may be other than CLEAN */
	int fds[4];
	unsigned fd_count;
} inode;

typedef struct entry {
	char name[64];
	inode *file;
} entry;

typedef struct faulty {
	pthread_mutex_t mutex;
	uint64_t chance;
	lie lies;
	unsigned percent[F_KINDS]; /* how often each fails */
	int once[F_KINDS];         /* > 0: the next so many fail, whatever the percentage */
	bool full, gone;           /* no space; the process is no more */
	unsigned fuse;             /* > 0: gone after so many operations more */
	unsigned failures;
	entry now[ENTRIES], disk[ENTRIES]; /* the directory: as it is, as it was synced */
	size_t now_count, disk_count;
	inode *inodes[4 * ENTRIES];
	size_t inode_count;
} faulty;

static size_t faulty_below(faulty *f, size_t n)
{
	return n ? (size_t)(test_next(&f->chance) % n) : 0;
}

/* Call with the mutex held: shall this one fail? */
static bool fails(faulty *f, int kind)
{
	if (f->fuse > 0 && --f->fuse == 0) f->gone = true;
	if (f->gone) return true;
	bool yes = f->once[kind] > 0 || (f->percent[kind] && faulty_below(f, 100) < f->percent[kind]);
	if (f->once[kind] > 0) f->once[kind]--;
	f->failures += yes;
	return yes;
}

/* ---- names ---- */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static entry *lookup(entry *list, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].name, name) == 0) return &list[i];
	return NULL;
}

static inode *new_inode(faulty *f)
{
	inode *n = calloc(1, sizeof *n);
	assert_non_null(n);
	wr_buf_init(&n->now, FILE_MAX);
	wr_buf_init(&n->disk, FILE_MAX);
	assert_true(f->inode_count < sizeof f->inodes / sizeof *f->inodes);
	return f->inodes[f->inode_count++] = n;
}

static void set_entry(faulty *f, const char *name, inode *file)
{
	entry *e = lookup(f->now, f->now_count, name);
	if (!e) {
		assert_true(f->now_count < ENTRIES);
		e = &f->now[f->now_count++];
	}
	(void)snprintf(e->name, sizeof e->name, "%s", name);
	e->file = file;
}

static void drop_entry(faulty *f, const char *name)
{
	entry *e = lookup(f->now, f->now_count, name);
	if (e) *e = f->now[--f->now_count];
}

static inode *inode_of_fd(faulty *f, int fd)
{
	for (size_t i = f->inode_count; i-- > 0;)
		for (unsigned k = 0; k < f->inodes[i]->fd_count; k++)
			if (f->inodes[i]->fds[k] == fd) return f->inodes[i];
	return NULL;
}

/* ---- bytes ---- */

static void set_len(wr_buf *b, size_t len)
{
	if (len > b->len) {
		size_t old = b->len;
		assert_true(wr_buf_reserve(b, len - old));
		memset(b->data + old, 0, len - old);
	}
	b->len = len;
	if (b->data) b->data[len] = '\0';
}

static void mark_dirty(inode *n, size_t from, size_t to)
{
	if (from >= to) return;
	assert_true(to <= FILE_MAX);
	for (size_t p = from / PAGE; p <= (to - 1) / PAGE; p++) n->page[p] = DIRTY;
	if (n->pages <= (to - 1) / PAGE) n->pages = (to - 1) / PAGE + 1;
}

static void put_bytes(inode *n, const void *data, size_t len, size_t at)
{
	if (n->now.len < at + len) set_len(&n->now, at + len);
	memcpy(n->now.data + at, data, len);
	mark_dirty(n, at, at + len);
}

/* Part of `b`, as far as it goes, to the same place in `out`. */
static void copy_part(wr_buf *out, const wr_buf *b, size_t from, size_t to)
{
	if (to > out->len) to = out->len;
	if (from >= to) return;
	size_t have = b->len < to ? b->len : to;
	memset(out->data + from, 0, to - from);
	if (have > from) memcpy(out->data + from, b->data + from, have - from);
}

static void sync_inode(inode *n)
{
	set_len(&n->disk, n->now.len);
	for (size_t p = 0; p < n->pages; p++) {
		if (n->page[p] != DIRTY) continue;
		copy_part(&n->disk, &n->now, p * PAGE, (p + 1) * PAGE);
		n->page[p] = CLEAN;
	}
	while (n->pages && n->page[n->pages - 1] == CLEAN) n->pages--;
}

/* ---- the operations ---- */

static int faulty_open(void *ctx, const char *path, int flags, mode_t mode)
{
	faulty *f = ctx;
	int fd = -1;
	(void)pthread_mutex_lock(&f->mutex);
	if (fails(f, F_OPEN) || (f->full && (flags & O_CREAT))) {
		errno = f->full ? ENOSPC : EIO;
	} else if ((fd = open(path, flags | O_CLOEXEC, mode)) >= 0) {
		entry *e = lookup(f->now, f->now_count, base_name(path));
		inode *n = e ? e->file : new_inode(f);
		if (!e) set_entry(f, base_name(path), n);
		if (flags & O_TRUNC) n->now.len = 0;
		assert_true(n->fd_count < 4);
		n->fds[n->fd_count++] = fd;
	}
	(void)pthread_mutex_unlock(&f->mutex);
	return fd;
}

/* at < 0: at the end. */
static ssize_t write_some(faulty *f, int fd, const void *data, size_t len, off_t at)
{
	ssize_t n = -1;
	(void)pthread_mutex_lock(&f->mutex);
	bool was_gone = f->gone;
	size_t some = fails(f, F_SHORT) ? faulty_below(f, len) : len;
	if (f->full) some = faulty_below(f, 4) ? 0 : faulty_below(f, len);
	if (was_gone || some == 0 || (!f->gone && fails(f, F_WRITE))) {
		errno = f->full ? ENOSPC : EIO;
	} else {
		inode *file = inode_of_fd(f, fd);
		if (at < 0) at = (off_t)file->now.len;
		n = pwrite(fd, data, some, at);
		assert_int_equal(n, some);
		put_bytes(file, data, some, (size_t)at);
	}
	(void)pthread_mutex_unlock(&f->mutex);
	return n;
}

static ssize_t faulty_write(void *ctx, int fd, const void *data, size_t len)
{
	return write_some(ctx, fd, data, len, -1);
}

static ssize_t faulty_pwrite(void *ctx, int fd, const void *data, size_t len, off_t at)
{
	return write_some(ctx, fd, data, len, at);
}

/* The pages that were to be synced are clean now, and any of them may not have reached the disk. */
static void lose_pages(faulty *f, inode *n)
{
	if (faulty_below(f, 2)) set_len(&n->disk, n->now.len);
	for (size_t p = 0; p < n->pages; p++) {
		if (n->page[p] != DIRTY) continue;
		n->page[p] = LOST;
		if (faulty_below(f, 2)) copy_part(&n->disk, &n->now, p * PAGE, (p + 1) * PAGE);
	}
}

static int faulty_sync(void *ctx, int fd, bool data_only)
{
	faulty *f = ctx;
	int rc = 0;
	(void)pthread_mutex_lock(&f->mutex);
	inode *n = inode_of_fd(f, fd);
	bool fail = fails(f, F_SYNC);
	bool skip = f->lies == LIE_NO_SYNC || (f->lies == LIE_FLUSH_LESS && faulty_below(f, 8) == 0);
	if (fail && !f->gone) lose_pages(f, n);
	if (fail && !f->gone && f->lies == LIE_RETRY) fail = false;
	if (!fail && !(skip && data_only)) sync_inode(n);
	if (fail) {
		errno = f->full ? ENOSPC : EIO;
		rc = -1;
	}
	(void)pthread_mutex_unlock(&f->mutex);
	return rc;
}

static int faulty_truncate(void *ctx, int fd, off_t len)
{
	faulty *f = ctx;
	int rc = -1;
	(void)pthread_mutex_lock(&f->mutex);
	if (fails(f, F_TRUNCATE)) {
		errno = EIO;
	} else if (f->lies == LIE_NO_CUT) {
		rc = 0;
	} else {
		inode *n = inode_of_fd(f, fd);
		rc = ftruncate(fd, len);
		set_len(&n->now, (size_t)len);
		if (len % PAGE) mark_dirty(n, (size_t)len - 1, (size_t)len);
	}
	(void)pthread_mutex_unlock(&f->mutex);
	return rc;
}

static int faulty_rename(void *ctx, const char *from, const char *to)
{
	faulty *f = ctx;
	int rc = -1;
	(void)pthread_mutex_lock(&f->mutex);
	if (fails(f, F_RENAME)) {
		errno = EIO;
	} else {
		rc = rename(from, to);
		entry *e = lookup(f->now, f->now_count, base_name(from));
		inode *n = e->file;
		drop_entry(f, base_name(from));
		set_entry(f, base_name(to), n);
	}
	(void)pthread_mutex_unlock(&f->mutex);
	return rc;
}

static int faulty_unlink(void *ctx, const char *path)
{
	faulty *f = ctx;
	int rc = -1;
	(void)pthread_mutex_lock(&f->mutex);
	if (fails(f, F_UNLINK)) {
		errno = EIO;
	} else {
		rc = unlink(path);
		drop_entry(f, base_name(path));
	}
	(void)pthread_mutex_unlock(&f->mutex);
	return rc;
}

static int faulty_sync_dir(void *ctx, const char *dir)
{
	faulty *f = ctx;
	int rc = 0;
	(void)pthread_mutex_lock(&f->mutex);
	if (fails(f, F_SYNC_DIR)) {
		errno = EIO;
		rc = -1;
	} else if (strstr(dir, CHAIN_NAME) && f->lies != LIE_NO_DIR_SYNC) {
		memcpy(f->disk, f->now, f->now_count * sizeof *f->now);
		f->disk_count = f->now_count;
	}
	(void)pthread_mutex_unlock(&f->mutex);
	return rc;
}

static int faulty_close(void *ctx, int fd)
{
	faulty *f = ctx;
	(void)pthread_mutex_lock(&f->mutex);
	inode *n = inode_of_fd(f, fd);
	for (unsigned k = 0; k < n->fd_count; k++)
		if (n->fds[k] == fd) n->fds[k] = n->fds[--n->fd_count];
	(void)pthread_mutex_unlock(&f->mutex);
	return close(fd);
}

static wr_fs faulty_fs(faulty *f)
{
	return (wr_fs){.open = faulty_open,
	               .write = faulty_write,
	               .pwrite = faulty_pwrite,
	               .sync = faulty_sync,
	               .truncate = faulty_truncate,
	               .rename = faulty_rename,
	               .unlink = faulty_unlink,
	               .sync_dir = faulty_sync_dir,
	               .close = faulty_close,
	               .ctx = f};
}

/* ---- the end ---- */

/* What may be left of a file when the power goes: the synced bytes, and of each dirty page (or each
 * sector of it) the new or the old. */
static void leftover(faulty *f, const inode *n, wr_buf *out)
{
	size_t low = n->disk.len < n->now.len ? n->disk.len : n->now.len;
	size_t high = n->disk.len < n->now.len ? n->now.len : n->disk.len;
	size_t step = faulty_below(f, 2) ? PAGE : 512;
	size_t len = faulty_below(f, 3) == 0 ? high : low + faulty_below(f, high - low + 1);
	set_len(out, len);
	copy_part(out, &n->disk, 0, len);
	for (size_t at = 0; at < n->pages * PAGE && at < len; at += step)
		if (n->page[at / PAGE] == DIRTY && faulty_below(f, 4))
			copy_part(out, &n->now, at, at + step);
}

/* What is left when only the process is gone: everything but what the kernel had dropped. */
static void survivors(const inode *n, wr_buf *out)
{
	set_len(out, n->now.len);
	copy_part(out, &n->now, 0, n->now.len);
	for (size_t p = 0; p < n->pages; p++)
		if (n->page[p] == LOST) copy_part(out, &n->disk, p * PAGE, (p + 1) * PAGE);
}

static size_t directory_left(faulty *f, bool power, entry left[static 2 * ENTRIES])
{
	size_t count = 0;
	for (size_t i = 0; i < f->now_count; i++) {
		const entry *was = lookup(f->disk, f->disk_count, f->now[i].name);
		bool old = power && (!was || was->file != f->now[i].file) && faulty_below(f, 2);
		if (!old) left[count++] = f->now[i];
		if (old && was) left[count++] = *was;
	}
	for (size_t i = 0; i < f->disk_count; i++) /* removed, or not yet */
		if (!lookup(f->now, f->now_count, f->disk[i].name) && power && faulty_below(f, 2))
			left[count++] = f->disk[i];
	return count;
}

/* The power goes (or only the process, which loses nothing but what the kernel had dropped); then
 * everything that is left is on the disk. The ledger must be closed, with `gone` set. */
static void crash(faulty *f, bool power)
{
	entry left[2 * ENTRIES];
	size_t count = directory_left(f, power, left);
	for (size_t i = 0; i < f->now_count; i++)
		if (!lookup(left, count, f->now[i].name)) (void)unlink(in_chain(f->now[i].name));
	for (size_t i = 0; i < count; i++) {
		inode *n = left[i].file;
		const entry *e = lookup(f->now, f->now_count, left[i].name);
		bool same = e && e->file == n && n->pages == 0 && n->now.len == n->disk.len;
		wr_buf bytes = WR_BUF_INIT(FILE_MAX);
		if (same) continue;
		if (power)
			leftover(f, n, &bytes);
		else
			survivors(n, &bytes);
		spit(in_chain(left[i].name), wr_buf_cstr(&bytes), bytes.len);
		wr_buf_free(&n->now);
		n->now = bytes;
		set_len(&n->disk, bytes.len);
		copy_part(&n->disk, &n->now, 0, bytes.len);
		memset(n->page, CLEAN, n->pages);
		n->pages = 0;
	}
	memcpy(f->now, left, count * sizeof *left);
	memcpy(f->disk, left, count * sizeof *left);
	f->now_count = f->disk_count = count;
	f->gone = f->full = false;
	f->fuse = 0;
}

static void faulty_init(faulty *f, uint64_t seed)
{
	memset(f, 0, sizeof *f);
	(void)pthread_mutex_init(&f->mutex, NULL);
	f->chance = seed;
}

static void faulty_free(faulty *f)
{
	for (size_t i = 0; i < f->inode_count; i++) {
		wr_buf_free(&f->inodes[i]->now);
		wr_buf_free(&f->inodes[i]->disk);
		free(f->inodes[i]);
	}
	(void)pthread_mutex_destroy(&f->mutex);
}

#endif
