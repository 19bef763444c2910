/* secret.c: ${env:NAME} and ${file:PATH}, read at the moment of use and not before.
 *
 * Thread-safe as far as getenv is: nothing here sets the environment. */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "model/template.h"
#include "warroom/io.h"
#include "warroom/text.h"

/* A secret's value goes into one line of a header or an environment: no control characters. */
static int put_value(wr_buf *out, const char *value, size_t len, const char *name, wr_err *err)
{
	if (len == 0) return wr_fail(err, WR_E_NOT_FOUND, "secret %s is empty", name);
	if (len > WR_SECRET_MAX)
		return wr_fail(err, WR_E_LIMIT, "secret %s is longer than %d bytes", name, WR_SECRET_MAX);
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f)
			return wr_fail(err, WR_E_INVALID, "secret %s holds a control character", name);
	}
	wr_buf_add(out, value, len);
	return 0;
}

static int put_env(wr_buf *out, const char *name, const char *shown, wr_err *err)
{
	const char *value = getenv(name);
	if (value == NULL)
		return wr_fail(err, WR_E_NOT_FOUND, "secret %s is not set in the environment", shown);
	return put_value(out, value, strlen(value), shown, err);
}

static int put_file(wr_buf *out, const char *path, const char *shown, wr_err *err)
{
	wr_buf file;
	wr_buf_init(&file, WR_SECRET_MAX + 2);
	int rc = wr_read_file(&file, path, WR_SECRET_MAX + 1, WR_PRIVATE, err);
	if (rc == 0) {
		size_t len = file.len;
		if (len > 0 && file.data[len - 1] == '\n') len--;
		rc = put_value(out, wr_buf_cstr(&file), len, shown, err);
	} else {
		wr_err_wrap(err, "secret");
	}
	wr_buf_wipe(&file);
	return rc;
}

int wr_secret_expand(wr_buf *out, const char *text, wr_err *err)
{
	size_t done = 0, at = 0, len;
	for (; wr_secret_find(text, &at, &len); at += len, done = at) {
		char name[WR_STR_MAX + 1], shown[96];
		wr_buf_add(out, text + done, at - done);
		bool is_env = text[at + 2] == 'e';
		size_t skip = is_env ? sizeof "${env:" - 1 : sizeof "${file:" - 1;
		size_t n = len - skip - 1;
		if (n >= sizeof name) return wr_fail(err, WR_E_LIMIT, "a secret's name is too long");
		memcpy(name, text + at + skip, n);
		name[n] = '\0';
		wr_sanitise_to(shown, sizeof shown, name);
		int rc = is_env ? put_env(out, name, shown, err) : put_file(out, name, shown, err);
		if (rc != 0) return -1;
	}
	wr_buf_adds(out, text + done);
	if (!wr_buf_ok(out)) return wr_fail(err, WR_E_LIMIT, "too long with its secrets filled in");
	return 0;
}
