/* check.h: what the tests of the base layer share: cmocka, and seeded random numbers. */
#ifndef WARROOM_TESTS_BASE_CHECK_H
#define WARROOM_TESTS_BASE_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "warroom/err.h"

/* SplitMix64: the same seed gives the same test everywhere. */
static inline uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));
	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

static inline size_t random_below(uint64_t *state, size_t n)
{
	return (size_t)(next_random(state) % n);
}

#define assert_fails(call, expected, err)                                                          \
	do {                                                                                           \
		assert_int_equal((call), -1);                                                              \
		assert_int_equal((err)->code, (expected));                                                 \
		assert_true((err)->msg[0] != '\0');                                                        \
	} while (0)

#endif
