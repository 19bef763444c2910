/* manifest.c: SHA256SUMS: every file of a directory with its hash, in sha256sum's own form. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/files.h"
#include "ledger/fs.h"
#include "warroom/export.h"
#include "warroom/io.h"
#include "warroom/text.h"

#define MANIFEST_MAX ((size_t)64 << 20) /* half a million blobs */

static int hash_fd(EVP_MD_CTX *ctx, int fd, const char *path, wr_err *err)
{
	char part[65536];
	ssize_t n;
	while ((n = read(fd, part, sizeof part)) != 0) {
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) return wr_fs_fail(err, "read", path);
		if (!EVP_DigestUpdate(ctx, part, (size_t)n))
			return wr_fail(err, WR_E_BUG, "SHA-256 failed");
	}
	return 0;
}

int wr_sha256_file(const char *path, uint8_t out[static WR_HASH_LEN], wr_err *err)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0) return wr_fs_fail(err, "open", path);
	int rc = fstat(fd, &st) ? wr_fs_fail(err, "examine", path) : 0;
	if (rc == 0 && !S_ISREG(st.st_mode))
		rc = wr_fail(err, WR_E_INVALID, "%s: not a regular file", path);
	EVP_MD_CTX *ctx = rc == 0 ? EVP_MD_CTX_new() : NULL;
	if (rc == 0 && (!ctx || !EVP_DigestInit_ex(ctx, EVP_sha256(), NULL)))
		rc = wr_fail(err, WR_E_NOMEM, "%s: out of memory", path);
	if (rc == 0) rc = hash_fd(ctx, fd, path, err);
	if (rc == 0 && !EVP_DigestFinal_ex(ctx, out, NULL))
		rc = wr_fail(err, WR_E_BUG, "SHA-256 failed");
	EVP_MD_CTX_free(ctx);
	(void)close(fd);
	return rc;
}

/* A name that sha256sum would have to escape could not be told apart by everybody. */
static bool plain_name(const char *name)
{
	char shown[PATH_MAX];
	return !strchr(name, '\\') && strcmp(wr_sanitise_to(shown, sizeof shown, name), name) == 0;
}

int wr_manifest_line(wr_buf *out, const char *dir, const char *name, wr_err *err)
{
	char path[PATH_MAX], hex[WR_HEX_LEN], shown[128];
	uint8_t hash[WR_HASH_LEN];
	if (!plain_name(name))
		return wr_fail(err, WR_E_INVALID, "manifest: \"%s\" is not a plain name",
		               wr_sanitise_to(shown, sizeof shown, name));
	if (wr_path_join(path, sizeof path, dir, name, err) || wr_sha256_file(path, hash, err))
		return -1;
	wr_hex(hex, hash, WR_HASH_LEN);
	wr_buf_addf(out, "%s  %s\n", hex, name);
	return wr_buf_ok(out) ? 0 : wr_fail(err, WR_E_LIMIT, "manifest: too many files");
}

int wr_manifest_write(const char *dir, wr_err *err)
{
	wr_files files;
	wr_buf out = WR_BUF_INIT(MANIFEST_MAX);
	if (wr_files_list(&files, dir, "", true, err)) return -1;
	int rc = 0;
	for (size_t i = 0; i < files.count && rc == 0; i++)
		if (strcmp(files.names[i], WR_MANIFEST_NAME) != 0)
			rc = wr_manifest_line(&out, dir, files.names[i], err);
	if (rc == 0)
		rc = wr_fs_put(&wr_fs_system, dir, WR_MANIFEST_NAME, wr_buf_cstr(&out), out.len, err);
	wr_buf_free(&out);
	wr_files_free(&files);
	return rc;
}

/* ---- checked ---- */

typedef struct listed {
	const char *name; /* into the manifest's text, terminated there */
	uint8_t hash[WR_HASH_LEN];
} listed;

/* One line at *p, moved behind it. */
static int read_line(char **p, char *end, int number, listed *out, wr_err *err)
{
	char *newline = memchr(*p, '\n', (size_t)(end - *p));
	const char *line = *p;
	if (newline) *newline = '\0';
	if (!newline || strlen(line) != (size_t)(newline - line) || newline - line < WR_HEX_LEN + 2 ||
	    wr_unhex(out->hash, WR_HASH_LEN, line, WR_HEX_LEN - 1) || line[64] != ' ' ||
	    (line[65] != ' ' && line[65] != '*'))
		return wr_fail(err, WR_E_CORRUPT,
		               WR_MANIFEST_NAME ":%d: expected 64 hex digits, two spaces and a name",
		               number);
	out->name = line + 66;
	bool outside = out->name[0] == '/' || strncmp(out->name, "../", 3) == 0 ||
	               strstr(out->name, "/../") != NULL || !plain_name(out->name);
	if (outside)
		return wr_fail(err, WR_E_CORRUPT, WR_MANIFEST_NAME ":%d: not a plain name within it",
		               number);
	*p = newline + 1;
	return 0;
}

static int check_file(const char *dir, const listed *l, wr_err *err)
{
	char path[PATH_MAX];
	uint8_t hash[WR_HASH_LEN];
	wr_err why = {0};
	if (wr_path_join(path, sizeof path, dir, l->name, err)) return -1;
	if (wr_sha256_file(path, hash, &why))
		return wr_fail(err, why.code == WR_E_NOT_FOUND ? WR_E_CORRUPT : why.code,
		               "in " WR_MANIFEST_NAME ": %s", why.msg);
	if (memcmp(hash, l->hash, WR_HASH_LEN) == 0) return 0;
	return wr_fail(err, WR_E_CORRUPT, "%.300s: its content is not what " WR_MANIFEST_NAME " lists",
	               path);
}

static int by_listed_name(const void *a, const void *b)
{
	return strcmp(((const listed *)a)->name, ((const listed *)b)->name);
}

static int all_are_listed(const char *dir, const listed *list, size_t count, wr_err *err)
{
	wr_files files;
	int rc = 0;
	if (wr_files_list(&files, dir, "", true, err)) return -1;
	for (size_t i = 0; i < files.count && rc == 0; i++) {
		char shown[200];
		const listed key = {.name = files.names[i]};
		if (strcmp(key.name, WR_MANIFEST_NAME) == 0 ||
		    (count && bsearch(&key, list, count, sizeof *list, by_listed_name)))
			continue;
		rc = wr_fail(err, WR_E_CORRUPT, "%s is not in " WR_MANIFEST_NAME,
		             wr_sanitise_to(shown, sizeof shown, key.name));
	}
	wr_files_free(&files);
	return rc;
}

/* A link or a device has no content of its own that could be listed. */
static int none_is_strange(const char *dir, wr_err *err)
{
	wr_files files;
	char shown[200];
	if (wr_files_strange(&files, dir, err)) return -1;
	int rc = files.count == 0
	             ? 0
	             : wr_fail(err, WR_E_CORRUPT, "%s is no regular file and not in " WR_MANIFEST_NAME,
	                       wr_sanitise_to(shown, sizeof shown, files.names[0]));
	wr_files_free(&files);
	return rc;
}

static int check_text(const char *dir, wr_buf *text, wr_err *err)
{
	size_t lines = 0, count = 0;
	for (size_t i = 0; i < text->len; i++) lines += text->data[i] == '\n';
	listed *list = calloc(lines + 1, sizeof *list);
	if (!list) return wr_fail(err, WR_E_NOMEM, "manifest: out of memory");
	char *p = text->data, *end = text->data + text->len;
	int rc = 0;
	while (rc == 0 && p < end) {
		rc = read_line(&p, end, (int)count + 1, &list[count], err);
		if (rc == 0) rc = check_file(dir, &list[count++], err);
	}
	if (count) qsort(list, count, sizeof *list, by_listed_name);
	if (rc == 0) rc = all_are_listed(dir, list, count, err);
	if (rc == 0) rc = none_is_strange(dir, err);
	free(list);
	return rc;
}

int wr_manifest_check(const char *dir, wr_err *err)
{
	char path[PATH_MAX];
	wr_buf text = WR_BUF_INIT(MANIFEST_MAX);
	if (wr_path_join(path, sizeof path, dir, WR_MANIFEST_NAME, err)) return -1;
	int rc = wr_read_file(&text, path, MANIFEST_MAX, WR_ANY, err);
	if (rc == 0 && text.len == 0) rc = wr_fail(err, WR_E_CORRUPT, "%.300s: empty", path);
	if (rc == 0) rc = check_text(dir, &text, err);
	wr_buf_free(&text);
	return rc;
}
