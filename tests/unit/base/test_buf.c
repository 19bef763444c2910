/* test_buf.c: the bounded buffer. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "warroom/buf.h"

static void test_empty(void **state)
{
	(void)state;
	wr_buf b = WR_BUF_INIT(10);
	assert_true(wr_buf_ok(&b));
	assert_string_equal(wr_buf_cstr(&b), "");
	wr_buf_reset(&b);
	wr_buf_free(&b);
	wr_buf_wipe(&b);
	wr_buf_add(&b, NULL, 0);
	assert_true(wr_buf_ok(&b));
	assert_string_equal(b.data, "");
	wr_buf_free(&b);
}

static void test_adds(void **state)
{
	(void)state;
	wr_buf b = WR_BUF_INIT(100);
	wr_buf_adds(&b, "one");
	wr_buf_addc(&b, ' ');
	wr_buf_add(&b, "two\0three", 9);
	wr_buf_addf(&b, " %d%s", 4, "!");
	assert_int_equal(b.len, 16);
	assert_memory_equal(b.data, "one two\0three 4!", 17);
	wr_buf_free(&b);
}

static void test_maximum_is_exact(void **state)
{
	(void)state;
	for (size_t max = 0; max < 200; max++) {
		wr_buf b = WR_BUF_INIT(max);
		for (size_t i = 0; i < max; i++) wr_buf_addc(&b, 'x');
		assert_true(wr_buf_ok(&b));
		assert_int_equal(b.len, max);
		assert_true(b.cap <= max + 1);
		wr_buf_addc(&b, 'y');
		assert_false(wr_buf_ok(&b));
		assert_int_equal(b.len, max);
		assert_int_equal(strlen(wr_buf_cstr(&b)), max);
		wr_buf_free(&b);
	}
}

static void test_errors_stick(void **state)
{
	(void)state;
	wr_buf b = WR_BUF_INIT(8);
	wr_buf_adds(&b, "1234");
	wr_buf_adds(&b, "56789");
	assert_false(wr_buf_ok(&b));
	wr_buf_adds(&b, "5");
	wr_buf_addc(&b, '5');
	wr_buf_addf(&b, "%d", 5);
	assert_false(wr_buf_reserve(&b, 1));
	assert_string_equal(wr_buf_cstr(&b), "1234");
	wr_buf_reset(&b);
	assert_true(wr_buf_ok(&b));
	wr_buf_adds(&b, "12345678");
	assert_true(wr_buf_ok(&b));
	assert_string_equal(wr_buf_cstr(&b), "12345678");
	wr_buf_free(&b);
}

static void test_formatting_over_every_boundary(void **state)
{
	(void)state;
	char text[300];
	for (size_t n = 0; n < sizeof text; n++) {
		memset(text, 'a', n);
		text[n] = '\0';
		wr_buf b = WR_BUF_INIT(256);
		wr_buf_adds(&b, "ab");
		wr_buf_addf(&b, "%s", text);
		if (n <= 254) {
			assert_true(wr_buf_ok(&b));
			assert_int_equal(b.len, n + 2);
			assert_string_equal(b.data + 2, text);
		} else {
			assert_false(wr_buf_ok(&b));
			assert_string_equal(b.data, "ab");
		}
		wr_buf_free(&b);
	}
}

static void test_sizes_never_overflow(void **state)
{
	(void)state;
	wr_buf b = WR_BUF_INIT(SIZE_MAX);
	wr_buf_adds(&b, "abc");
	assert_false(wr_buf_reserve(&b, SIZE_MAX - 3));
	assert_false(wr_buf_ok(&b));
	wr_buf_reset(&b);
	wr_buf_adds(&b, "abc");
	assert_false(wr_buf_reserve(&b, SIZE_MAX));
	assert_string_equal(wr_buf_cstr(&b), "abc");
	wr_buf_free(&b);
}

static void test_take(void **state)
{
	(void)state;
	wr_buf b = WR_BUF_INIT(8);
	wr_buf_adds(&b, "mine");
	char *s = wr_buf_take(&b);
	assert_string_equal(s, "mine");
	free(s);
	assert_null(b.data);
	assert_int_equal(b.len, 0);
	wr_buf_adds(&b, "again");
	assert_string_equal(wr_buf_cstr(&b), "again");
	wr_buf_adds(&b, "too long");
	assert_null(wr_buf_take(&b));
	assert_null(b.data);

	wr_buf_init(&b, 3);
	s = wr_buf_take(&b);
	assert_string_equal(s, "");
	free(s);
}

static void test_reserve_keeps_the_memory_in_place(void **state)
{
	(void)state;
	wr_buf b = WR_BUF_INIT(5000);
	assert_true(wr_buf_reserve(&b, 4000));
	const char *before = b.data;
	for (size_t i = 0; i < 4000; i++) wr_buf_addc(&b, 's');
	assert_ptr_equal(b.data, before);
	wr_buf_wipe(&b);
	assert_null(b.data);
	assert_int_equal(b.max, 5000);
}

/* Any sequence of writes gives what plain concatenation gives, or fails and keeps a prefix of it.
 */
static void test_random_writes_against_a_model(void **state)
{
	(void)state;
	uint64_t seed = 1;
	for (unsigned round = 0; round < 500; round++) {
		char model[512];
		size_t len = 0, max = random_below(&seed, 400);
		wr_buf b = WR_BUF_INIT(max);
		while (wr_buf_ok(&b) && len < sizeof model - 64) {
			char piece[64];
			size_t n = random_below(&seed, sizeof piece - 1);
			for (size_t i = 0; i < n; i++) piece[i] = (char)('a' + random_below(&seed, 26));
			piece[n] = '\0';
			if (random_below(&seed, 2))
				wr_buf_adds(&b, piece);
			else
				wr_buf_addf(&b, "%s", piece);
			if (wr_buf_ok(&b)) {
				memcpy(model + len, piece, n);
				len += n;
			}
		}
		assert_int_equal(b.len, len);
		assert_memory_equal(wr_buf_cstr(&b), model, len);
		assert_int_equal(wr_buf_cstr(&b)[len], '\0');
		wr_buf_free(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_adds),
	    cmocka_unit_test(test_maximum_is_exact),
	    cmocka_unit_test(test_errors_stick),
	    cmocka_unit_test(test_formatting_over_every_boundary),
	    cmocka_unit_test(test_sizes_never_overflow),
	    cmocka_unit_test(test_take),
	    cmocka_unit_test(test_reserve_keeps_the_memory_in_place),
	    cmocka_unit_test(test_random_writes_against_a_model),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
