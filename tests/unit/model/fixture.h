/* fixture.h: configurations in a directory of their own, and looking for findings. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "warroom/model.h"

typedef struct fixture {
	char dir[64], path[128];
	wr_findings f;
	wr_config *c;
} fixture;

static inline int fx_setup(void **state)
{
	fixture *x = calloc(1, sizeof *x);
	assert_non_null(x);
	snprintf(x->dir, sizeof x->dir, "/tmp/wr-model-XXXXXX");
	assert_non_null(mkdtemp(x->dir));
	snprintf(x->path, sizeof x->path, "%s/warroom.yaml", x->dir);
	*state = x;
	return 0;
}

static inline int fx_remove(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static inline void fx_unload(fixture *x)
{
	wr_config_free(x->c);
	wr_findings_free(&x->f);
	x->c = NULL;
}

static inline int fx_teardown(void **state)
{
	fixture *x = *state;
	fx_unload(x);
	nftw(x->dir, fx_remove, 8, FTW_DEPTH | FTW_PHYS);
	free(x);
	return 0;
}

static inline void fx_put_bytes(fixture *x, const char *name, const void *data, size_t len,
                                mode_t mode)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", x->dir, name);
	unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static inline void fx_put(fixture *x, const char *name, const char *text)
{
	fx_put_bytes(x, name, text, strlen(text), 0600);
}

/* fx_load loads what is in the directory; fx_load_text writes warroom.yaml first. */
static inline wr_config *fx_load(fixture *x)
{
	fx_unload(x);
	x->c = wr_config_load(x->path, &x->f);
	return x->c;
}

static inline wr_config *fx_load_text(fixture *x, const char *text)
{
	fx_put(x, "warroom.yaml", text);
	return fx_load(x);
}

/* The finding whose key and text hold these; NULL when there is none. */
static inline const wr_finding *fx_find(const fixture *x, bool is_error, const char *key,
                                        const char *text)
{
	for (size_t i = 0; i < x->f.count; i++) {
		const wr_finding *y = &x->f.items[i];
		if (y->is_error == is_error && strcmp(y->key, key) == 0 && strstr(y->text, text) != NULL)
			return y;
	}
	return NULL;
}

static inline void fx_expect(const fixture *x, bool is_error, const char *key, const char *text)
{
	if (fx_find(x, is_error, key, text) != NULL) return;
	wr_findings_print(&x->f, stderr);
	fail_msg("no %s at \"%s\" with \"%s\"", is_error ? "error" : "warning", key, text);
}

static inline void fx_expect_error(const fixture *x, const char *key, const char *text)
{
	fx_expect(x, true, key, text);
}

static inline void fx_expect_warning(const fixture *x, const char *key, const char *text)
{
	fx_expect(x, false, key, text);
}

static inline void fx_expect_clean(const fixture *x)
{
	if (x->f.count == 0 && x->c != NULL) return;
	wr_findings_print(&x->f, stderr);
	fail_msg("expected no finding");
}

static inline void fx_expect_loaded(const fixture *x)
{
	if (x->c != NULL) return;
	wr_findings_print(&x->f, stderr);
	fail_msg("did not load");
}

/* Two regions, two classes each, a reference: nothing to complain about. */
#define FX_BASE                                                                                    \
	"platform: test\n"                                                                             \
	"observer: here\n"                                                                             \
	"vars: {control: \"http://127.0.0.1:9\"}\n"                                                    \
	"regions:\n"                                                                                   \
	"  - {name: us, role: primary, residency: us, vars: {api: \"http://us.test\"}}\n"              \
	"  - {name: eu, role: standby, residency: eu, vars: {api: \"http://eu.test\"}}\n"              \
	"signals:\n"                                                                                   \
	"  - {name: \"${region}-a\", regions: all, class: synthetic, http: \"${region.api}/a\"}\n"     \
	"  - {name: \"${region}-b\", regions: all, class: mesh, http: \"${region.api}/b\"}\n"          \
	"references:\n"                                                                                \
	"  - {name: world, http: \"http://127.0.0.1:8/\"}\n"
#define FX_TRAFFIC "traffic:\n  - {name: edge, provider: http, url: \"http://127.0.0.1:7/\"}\n"
#define FX_PEOPLE                                                                                  \
	"operators:\n"                                                                                 \
	"  people:\n"                                                                                  \
	"    - {principal: alice, roles: [sre]}\n"                                                     \
	"    - {principal: bob, roles: [on_call]}\n"

#endif
