/* faulty.h: a disk that fails, for the ledger's file operations.
 *
 * The real files (on a tmpfs) hold what a running process sees. Beside each the model keeps what
 * would be left after the power goes: `disk`, the bytes of the last successful sync, and the
 * directory as of its last sync. After a failed sync the bytes of that time are lost for good even
 * if a later sync says yes: the kernel has marked the pages clean. crash() turns what would be
 * left, and a seeded part of what might be, into the real files. One mutex guards all of it. */
#ifndef WR_TEST_LEDGER_FAULTY_H
#define WR_TEST_LEDGER_FAULTY_H

#include "fixture.h"

#include <errno.h>
#include <pthread.h>

#include "ledger/fs.h"

enum { F_WRITE, F_SHORT, F_SYNC, F_SYNC_DIR, F_OPEN, F_TRUNCATE, F_RENAME, F_UNLINK, F_KINDS };

typedef struct inode {
	wr_buf now, disk;
	wr_buf cut;                /* what it was before it was truncated, until that is synced */
	size_t lost_from, lost_to; /* of now; equal: nothing was lost */
	int fds[4];
	unsigned fd_count;
} inode;

typedef struct entry {
	char name[64];
	inode *file;
} entry;

#define ENTRIES 512
typedef struct faulty {
	pthread_mutex_t mutex;
	uint64_t chance;
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
	bool yes = f->once[kind] > 0 || faulty_below(f, 100) < f->percent[kind];
	if (f->once[kind] > 0) f->once[kind]--;
	f->failures += yes;
	return yes;
}

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
	wr_buf_init(&n->now, 8u << 20);
	wr_buf_init(&n->disk, 8u << 20);
	wr_buf_init(&n->cut, 8u << 20);
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
	for (size_t i = 0; i < f->inode_count; i++)
		for (unsigned k = 0; k < f->inodes[i]->fd_count; k++)
			if (f->inodes[i]->fds[k] == fd) return f->inodes[i];
	return NULL;
}

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
		if (flags & O_TRUNC) {
			n->now.len = 0;
			n->lost_from = n->lost_to = 0;
		}
		assert_true(n->fd_count < 4);
		n->fds[n->fd_count++] = fd;
	}
	(void)pthread_mutex_unlock(&f->mutex);
	return fd;
}

static ssize_t faulty_write(void *ctx, int fd, const void *data, size_t len)
{
	faulty *f = ctx;
	ssize_t n = -1;
	(void)pthread_mutex_lock(&f->mutex);
	bool was_gone = f->gone;
	size_t some = fails(f, F_SHORT) ? faulty_below(f, len) : len;
	if (f->full) some = faulty_below(f, 4) ? 0 : faulty_below(f, len);
	if (was_gone || some == 0 || (!f->gone && fails(f, F_WRITE))) {
		errno = f->full ? ENOSPC : EIO;
	} else {
		n = write(fd, data, some);
		assert_int_equal(n, some);
		wr_buf_add(&inode_of_fd(f, fd)->now, data, some);
	}
	(void)pthread_mutex_unlock(&f->mutex);
	return n;
}

static void sync_inode(inode *n)
{
	wr_buf_reset(&n->cut);
	wr_buf_reset(&n->disk);
	wr_buf_add(&n->disk, n->now.data, n->now.len);
	if (n->lost_to > n->now.len) n->lost_to = n->now.len;
	if (n->lost_from < n->lost_to)
		memset(n->disk.data + n->lost_from, 0, n->lost_to - n->lost_from);
}

static int faulty_sync(void *ctx, int fd, bool data_only)
{
	faulty *f = ctx;
	int rc = 0;
	(void)data_only;
	(void)pthread_mutex_lock(&f->mutex);
	inode *n = inode_of_fd(f, fd);
	if (fails(f, F_SYNC)) {
		if (!f->gone && n->now.len > n->disk.len) {
			if (n->lost_from == n->lost_to) n->lost_from = n->disk.len;
			n->lost_to = n->now.len;
		}
		errno = f->full ? ENOSPC : EIO;
		rc = -1;
	} else {
		sync_inode(n);
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
	} else {
		inode *n = inode_of_fd(f, fd);
		rc = ftruncate(fd, len);
		if (n->now.len > n->cut.len) {
			wr_buf_reset(&n->cut);
			wr_buf_add(&n->cut, n->now.data, n->now.len);
		}
		if (n->now.len > (size_t)len) n->now.len = (size_t)len;
		if (n->lost_to > n->now.len) n->lost_to = n->now.len;
		if (n->lost_from > n->lost_to) n->lost_from = n->lost_to;
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
	} else if (strstr(dir, CHAIN_NAME)) {
		memcpy(f->disk, f->now, sizeof f->now);
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
	               .sync = faulty_sync,
	               .truncate = faulty_truncate,
	               .rename = faulty_rename,
	               .unlink = faulty_unlink,
	               .sync_dir = faulty_sync_dir,
	               .close = faulty_close,
	               .ctx = f};
}

/* What may be left of a file: the synced bytes, some of the rest, some sectors of that unwritten.
 */
static void leftover(faulty *f, inode *n, wr_buf *out)
{
	const wr_buf *rest = n->cut.len > n->now.len && faulty_below(f, 2) ? &n->cut : &n->now;
	wr_buf_add(out, n->disk.data, n->disk.len);
	if (rest->len <= n->disk.len) {
		if (rest->len < n->disk.len && faulty_below(f, 2)) out->len = rest->len;
		return;
	}
	wr_buf_add(out, rest->data + n->disk.len, faulty_below(f, rest->len - n->disk.len + 1));
	for (size_t at = n->disk.len / 512 * 512; at < out->len; at += 512) {
		size_t from = at < n->disk.len ? n->disk.len : at;
		size_t to = at + 512 < out->len ? at + 512 : out->len;
		bool lost = from < n->lost_to && to > n->lost_from && n->lost_from < n->lost_to;
		if (from < to && (lost || faulty_below(f, 4) == 0)) memset(out->data + from, 0, to - from);
	}
}

/* The power goes (or only the process, which loses nothing but what the kernel had dropped); then
 * everything that is left is on the disk. The ledger must be closed, with `gone` set. */
static void crash(faulty *f, bool power)
{
	entry left[2 * ENTRIES];
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
	for (size_t i = 0; i < f->now_count; i++) (void)unlink(in_chain(f->now[i].name));
	for (size_t i = 0; i < count; i++) {
		inode *n = left[i].file;
		wr_buf bytes = WR_BUF_INIT(8u << 20);
		if (power) {
			leftover(f, n, &bytes);
		} else {
			wr_buf_add(&bytes, n->now.data, n->now.len);
			if (n->lost_from < n->lost_to)
				memset(bytes.data + n->lost_from, 0, n->lost_to - n->lost_from);
		}
		spit(in_chain(left[i].name), wr_buf_cstr(&bytes), bytes.len);
		wr_buf_free(&n->now);
		wr_buf_free(&n->disk);
		wr_buf_reset(&n->cut);
		n->now = bytes;
		wr_buf_init(&n->disk, 8u << 20);
		n->lost_from = n->lost_to = 0;
		sync_inode(n);
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
		wr_buf_free(&f->inodes[i]->cut);
		free(f->inodes[i]);
	}
	(void)pthread_mutex_destroy(&f->mutex);
}

#endif
