/* lock.c: one writer per ledger directory.
 *
 * An open-file-description lock: it goes with the process however that ends. One process may write
 * several chains of a ledger, each once; they share the lock, which is why a list of what this
 * process holds is kept. The pid in the file is for people only. The directory itself is locked
 * too, because people remove lock files that look stale. Thread-safe. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/store.h"
#include "warroom/io.h"

#define CHAINS_MAX 256 /* a process that writes more has a bug */

struct wr_lock {
	wr_lock *next;
	dev_t dev;
	ino_t ino;
	pid_t pid; /* who took it: a forked child has the list, and not the lock */
	int fd, dir_fd;
	size_t count;
	char chains[CHAINS_MAX][128];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the list and what is in it */
static wr_lock *held;

static const struct flock whole_file = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

static int locked_by_other(int fd, const char *path, wr_err *err)
{
	char pid[16] = "";
	ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
	size_t digits = n > 0 ? strspn(pid, "0123456789") : 0;
	if (digits == 0) return wr_fail(err, WR_E_LOCKED, "%s: another engine writes here", path);
	return wr_fail(err, WR_E_LOCKED, "%s: another engine (pid %.*s) writes here", path, (int)digits,
	               pid);
}

/* The lock holds without it too: a full disk must not keep an engine from starting. */
static void write_pid(int fd)
{
	char pid[16];
	wr_err ignored;
	int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) || wr_write_all(fd, pid, (size_t)n, &ignored)) return;
}

/* Where directories cannot be locked (some network file systems) the file's lock has to do. */
static int lock_dir(const char *dir, int *out, wr_err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) return wr_fs_fail(err, "open directory", dir);
	if (flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) {
		(void)close(fd);
		return wr_fail(err, WR_E_LOCKED, "%s: another engine writes here", dir);
	}
	*out = fd;
	return 0;
}

/* The lock file's descriptor and the directory's, both locked. */
static int lock_files(wr_lock *lock, const char *dir, wr_err *err)
{
	char path[PATH_MAX];
	struct flock whole = whole_file;
	if (wr_path_join(path, sizeof path, dir, "lock", err)) return -1;
	lock->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (lock->fd < 0) return wr_fs_fail(err, "open", path);
	int rc = 0;
	if (fcntl(lock->fd, F_OFD_SETLK, &whole))
		rc = errno == EAGAIN || errno == EACCES ? locked_by_other(lock->fd, path, err)
		                                        : wr_fs_fail(err, "lock", path);
	if (rc == 0) rc = lock_dir(dir, &lock->dir_fd, err);
	if (rc == 0)
		write_pid(lock->fd);
	else
		(void)close(lock->fd);
	return rc;
}

static wr_lock *find(const struct stat *st)
{
	for (wr_lock *k = held; k; k = k->next)
		if (k->dev == st->st_dev && k->ino == st->st_ino && k->pid == getpid()) return k;
	return NULL;
}

static wr_lock *take_new(const char *dir, const struct stat *st, wr_err *err)
{
	wr_lock *lock = calloc(1, sizeof *lock);
	if (!lock) {
		(void)wr_fail(err, WR_E_NOMEM, "ledger: out of memory");
		return NULL;
	}
	*lock = (wr_lock){.dev = st->st_dev, .ino = st->st_ino, .pid = getpid(), .dir_fd = -1};
	if (lock_files(lock, dir, err)) {
		free(lock);
		return NULL;
	}
	lock->next = held;
	held = lock;
	return lock;
}

static int add_chain(wr_lock *lock, const char *dir, const char *chain, wr_err *err)
{
	for (size_t i = 0; i < lock->count; i++)
		if (strcmp(lock->chains[i], chain) == 0)
			return wr_fail(err, WR_E_LOCKED, "%s: another engine (pid %ld) writes to %s here", dir,
			               (long)lock->pid, chain);
	if (lock->count == CHAINS_MAX)
		return wr_fail(err, WR_E_LIMIT, "%s: one process writes at most %d chains", dir,
		               CHAINS_MAX);
	(void)snprintf(lock->chains[lock->count++], sizeof lock->chains[0], "%s", chain);
	return 0;
}

wr_lock *wr_lock_take(const char *dir, const char *chain, wr_err *err)
{
	struct stat st;
	if (stat(dir, &st)) {
		(void)wr_fs_fail(err, "open directory", dir);
		return NULL;
	}
	(void)pthread_mutex_lock(&mutex);
	wr_lock *lock = find(&st);
	if (!lock) lock = take_new(dir, &st, err);
	if (lock && add_chain(lock, dir, chain, err)) lock = NULL;
	(void)pthread_mutex_unlock(&mutex);
	return lock;
}

static void release(wr_lock *lock)
{
	wr_lock **at = &held;
	while (*at != lock) at = &(*at)->next;
	*at = lock->next;
	if (lock->dir_fd >= 0) (void)close(lock->dir_fd);
	(void)close(lock->fd);
	free(lock);
}

void wr_lock_drop(wr_lock *lock, const char *chain)
{
	(void)pthread_mutex_lock(&mutex);
	for (size_t i = 0; i < lock->count; i++) {
		if (strcmp(lock->chains[i], chain) != 0) continue;
		memmove(lock->chains[i], lock->chains[--lock->count], sizeof lock->chains[0]);
		break;
	}
	if (lock->count == 0) release(lock);
	(void)pthread_mutex_unlock(&mutex);
}

bool wr_lock_held(const char *dir)
{
	char path[PATH_MAX];
	struct flock lock = whole_file;
	wr_err err;
	if (wr_path_join(path, sizeof path, dir, "lock", &err)) return false;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0) return false;
	bool there = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
	(void)close(fd);
	return there;
}
