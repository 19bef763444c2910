/* test_memory.c: every allocation of a load fails once: each time there is an error and no leak
 * of the failure into a crash. The sanitizers bring their own allocator: nothing to do there. */
#include "fixture.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OWN_ALLOCATOR 0
#else
#define OWN_ALLOCATOR 1
#endif

#if OWN_ALLOCATOR
#include <openssl/crypto.h>

/* The C library's own allocator under its other names: defining malloc here replaces it for all. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

static long countdown = -1; /* -1: never fail */

static bool fails(void)
{
	return countdown >= 0 && countdown-- == 0;
}

void *malloc(size_t n)
{
	return fails() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return fails() ? NULL : __libc_realloc(p, n);
}

/* A hash that cannot start ends the process, by design: libcrypto's memory does not fail here. */
static void *crypto_malloc(size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return __libc_malloc(n);
}

static void *crypto_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return __libc_realloc(p, n);
}

static void crypto_free(void *p, const char *file, int line)
{
	(void)file, (void)line;
	free(p);
}
#endif

static void read_seed(fixture *x)
{
	static char text[1 << 16];
	FILE *f = fopen("tests/fuzz/corpus/fuzz_config/every-key", "r");
	if (f == NULL) fail_msg("run this from the top of the tree");
	size_t n = fread(text, 1, sizeof text, f);
	fclose(f);
	fx_put_bytes(x, "warroom.yaml", text, n, 0600);
}

static void test_every_allocation_may_fail(void **state)
{
	fixture *x = *state;
	read_seed(x);
	fx_load(x);
	fx_expect_loaded(x);
#if OWN_ALLOCATOR
	long failed = 0;
	for (long n = 0;; n++) {
		fx_unload(x);
		countdown = n;
		x->c = wr_config_load(x->path, &x->f);
		bool reached = countdown < 0;
		countdown = -1;
		if (!reached) break;
		/* What can do without (a shrinking realloc, a warning's line) may still load. */
		if (x->c == NULL) assert_true(x->f.errors > 0);
		failed += x->c == NULL;
	}
	fx_expect_loaded(x);
	assert_true(failed > 100);
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_every_allocation_may_fail, fx_setup, fx_teardown),
	};
#if OWN_ALLOCATOR
	if (!CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free)) return 1;
#endif
	return cmocka_run_group_tests(tests, NULL, NULL);
}
