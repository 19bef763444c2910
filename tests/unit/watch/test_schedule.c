/* test_schedule.c: due times, their heap, and names that do not resolve. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "watch/lookup.h"
#include "watch/schedule.h"

#define NOW INT64_C(1000000)

static void grid(void **state)
{
	(void)state;
	wr_slot s;
	wr_slot_init(&s, "signal", "us-api", 5000, NOW);
	assert_in_range(s.due_ms, NOW, NOW + 4999);
	int64_t first = s.due_ms;
	wr_slot_next(&s, first);
	assert_int_equal(s.due_ms, first + 5000);
	wr_slot_next(&s, s.due_ms + 1);
	assert_int_equal(s.due_ms, first + 10000);
	wr_slot_next(&s, first + 999999); /* what was missed is skipped, and the grid kept */
	assert_true(s.due_ms > first + 999999 && s.due_ms <= first + 1004999);
	assert_int_equal((s.due_ms - first) % 5000, 0);
	wr_slot again;
	wr_slot_init(&again, "signal", "us-api", 5000, NOW);
	assert_int_equal(again.due_ms, first);
	wr_slot_init(&again, "fact", "us-api", 5000, NOW);
	assert_int_not_equal(again.due_ms, first);
}

static void first_look_is_soon(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		char name[32];
		wr_slot s;
		(void)snprintf(name, sizeof name, "backup-%d", i);
		wr_slot_init(&s, "fact", name, 3600000, NOW);
		assert_in_range(s.due_ms, NOW, NOW + 4999);
		int64_t first = s.due_ms;
		wr_slot_next(&s, first);
		assert_in_range(s.due_ms, first, first + 3600000);
	}
}

static void starts_are_spread(void **state)
{
	(void)state;
	unsigned buckets[10] = {0};
	for (int i = 0; i < 1000; i++) {
		char name[32];
		wr_slot s;
		(void)snprintf(name, sizeof name, "signal-%d", i);
		wr_slot_init(&s, "signal", name, 1000, NOW);
		buckets[(s.due_ms - NOW) / 100]++;
	}
	for (int i = 0; i < 10; i++) assert_in_range(buckets[i], 60, 140);
}

static void heap_gives_the_earliest(void **state)
{
	(void)state;
	enum { N = 500 };
	static wr_slot slots[N];
	static wr_slot *items[N];
	wr_heap h = {.items = items};
	unsigned random = 1;
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < N; i++) {
			random = random * 1664525u + 1013904223u;
			slots[i].due_ms = random >> 22;
			wr_heap_push(&h, &slots[i]);
		}
		int64_t last = -1;
		for (int i = 0; i < N; i++) {
			wr_slot *s = wr_heap_pop(&h);
			assert_true(s->due_ms >= last);
			last = s->due_ms;
			s->due_ms = -1; /* each once */
		}
		assert_null(wr_heap_pop(&h));
	}
}

static void hosts_of_urls(void **state)
{
	(void)state;
	wr_hosts h = {.items = calloc(4, sizeof(wr_host)), .max = 4};
	wr_host *a = wr_hosts_find(&h, "http://api.example:8080/x");
	assert_string_equal(a->name, "api.example");
	assert_ptr_equal(wr_hosts_find(&h, "https://user:pw@api.example/y?z"), a);
	assert_ptr_not_equal(wr_hosts_find(&h, "http://other.example/"), a);
	assert_null(wr_hosts_find(&h, "not a url"));
	assert_int_equal(h.count, 2);
	wr_hosts_clear(&h);
}

static void one_asks_again_for_all(void **state)
{
	(void)state;
	wr_host h = {0};
	assert_true(wr_host_may_look(NULL, NOW));
	assert_true(wr_host_may_look(&h, NOW));
	wr_host_looked(&h, true, NOW);
	assert_false(wr_host_may_look(&h, NOW + WR_LOOKUP_HOLD_MS - 1));
	assert_true(wr_host_may_look(&h, NOW + WR_LOOKUP_HOLD_MS));
	assert_false(wr_host_may_look(&h, NOW + WR_LOOKUP_HOLD_MS)); /* it is being asked */
	wr_host_looked(&h, false, NOW + WR_LOOKUP_HOLD_MS + 10);
	assert_true(wr_host_may_look(&h, NOW + WR_LOOKUP_HOLD_MS + 10));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(grid),
	    cmocka_unit_test(first_look_is_soon),
	    cmocka_unit_test(starts_are_spread),
	    cmocka_unit_test(heap_gives_the_earliest),
	    cmocka_unit_test(hosts_of_urls),
	    cmocka_unit_test(one_asks_again_for_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
