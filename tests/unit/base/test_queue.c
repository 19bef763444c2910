/* test_queue.c: the queue between threads; run it under ThreadSanitizer too. */
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "warroom/queue.h"

static bool readable(const wr_queue *q)
{
	struct pollfd p = {.fd = wr_queue_fd(q), .events = POLLIN};
	return poll(&p, 1, 0) == 1 && (p.revents & POLLIN);
}

static void test_first_in_first_out(void **state)
{
	(void)state;
	int items[5];
	wr_queue *q = wr_queue_new(3);
	assert_non_null(q);
	assert_null(wr_queue_pop(q, 0));
	/* Around the ring several times, at every fill. */
	size_t in = 0, out = 0;
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned k = 0; k < 1 + round % 3; k++)
			assert_true(wr_queue_push(q, &items[in++ % 5]));
		assert_int_equal(wr_queue_count(q), 1 + round % 3);
		for (unsigned k = 0; k < 1 + round % 3; k++)
			assert_ptr_equal(wr_queue_pop(q, 0), &items[out++ % 5]);
		assert_null(wr_queue_pop(q, 0));
	}
	assert_int_equal(wr_queue_dropped(q), 0);
	wr_queue_free(q, NULL);
}

static void test_full_refuses_and_counts(void **state)
{
	(void)state;
	int a, b, c;
	wr_queue *q = wr_queue_new(2);
	assert_non_null(q);
	assert_true(wr_queue_push(q, &a));
	assert_true(wr_queue_push(q, &b));
	assert_false(wr_queue_push(q, &c));
	assert_false(wr_queue_push(q, &c));
	assert_int_equal(wr_queue_dropped(q), 2);
	assert_int_equal(wr_queue_count(q), 2);
	assert_ptr_equal(wr_queue_pop(q, 0), &a);
	assert_true(wr_queue_push(q, &c));
	assert_ptr_equal(wr_queue_pop(q, 0), &b);
	assert_ptr_equal(wr_queue_pop(q, 0), &c);
	wr_queue_free(q, NULL);
}

static void test_fd_is_readable_while_not_empty(void **state)
{
	(void)state;
	int a, b;
	wr_queue *q = wr_queue_new(4);
	assert_non_null(q);
	assert_false(readable(q));
	assert_true(wr_queue_push(q, &a));
	assert_true(readable(q));
	assert_true(wr_queue_push(q, &b));
	assert_non_null(wr_queue_pop(q, 0));
	assert_true(readable(q));
	assert_non_null(wr_queue_pop(q, 0));
	assert_false(readable(q));
	assert_true(wr_queue_push(q, &a));
	assert_true(readable(q));
	wr_queue_free(q, NULL);
}

static void test_close_wakes_once_and_drains(void **state)
{
	(void)state;
	int a;
	wr_queue *q = wr_queue_new(4);
	assert_non_null(q);
	assert_true(wr_queue_push(q, &a));
	wr_queue_close(q);
	wr_queue_close(q);
	assert_false(wr_queue_push(q, &a));
	assert_int_equal(wr_queue_dropped(q), 1);
	assert_ptr_equal(wr_queue_pop(q, -1), &a);
	assert_true(readable(q));
	assert_null(wr_queue_pop(q, -1));
	/* A poll loop that has seen the end is not woken for ever. */
	assert_false(readable(q));
	assert_null(wr_queue_pop(q, -1));
	wr_queue_free(q, NULL);
}

static void test_pop_times_out(void **state)
{
	(void)state;
	wr_queue *q = wr_queue_new(1);
	assert_non_null(q);
	assert_null(wr_queue_pop(q, 1));
	assert_null(wr_queue_pop(q, 20));
	wr_queue_free(q, NULL);
}

static void test_free_gives_back_what_is_left(void **state)
{
	(void)state;
	wr_queue *q = wr_queue_new(3);
	assert_non_null(q);
	for (unsigned i = 0; i < 2; i++) assert_true(wr_queue_push(q, malloc(10)));
	free(wr_queue_pop(q, 0));
	for (unsigned i = 0; i < 2; i++) assert_true(wr_queue_push(q, malloc(10)));
	wr_queue_free(q, free);
	wr_queue_free(NULL, free);
}

static void test_absurd_capacity(void **state)
{
	(void)state;
	assert_null(wr_queue_new(SIZE_MAX));
	assert_null(wr_queue_new(SIZE_MAX / sizeof(void *)));
}

#define PRODUCERS    4
#define PER_PRODUCER 5000

typedef struct message {
	unsigned producer, number;
} message;

typedef struct producer {
	wr_queue *q;
	unsigned id;
	uint64_t refused;
} producer;

static void *produce(void *arg)
{
	producer *p = arg;
	for (unsigned i = 0; i < PER_PRODUCER; i++) {
		message *m = malloc(sizeof *m);
		if (!m) return NULL;
		*m = (message){p->id, i};
		while (!wr_queue_push(p->q, m)) {
			p->refused++;
			sched_yield();
		}
	}
	return NULL;
}

static void consume_from(unsigned producers, size_t capacity, bool by_poll)
{
	wr_queue *q = wr_queue_new(capacity);
	assert_non_null(q);
	producer p[PRODUCERS];
	pthread_t threads[PRODUCERS];
	for (unsigned i = 0; i < producers; i++) {
		p[i] = (producer){.q = q, .id = i};
		assert_int_equal(pthread_create(&threads[i], NULL, produce, &p[i]), 0);
	}
	unsigned next[PRODUCERS] = {0};
	for (unsigned got = 0; got < producers * PER_PRODUCER;) {
		struct pollfd fd = {.fd = wr_queue_fd(q), .events = POLLIN};
		if (by_poll) assert_int_equal(poll(&fd, 1, 60000), 1);
		message *m = wr_queue_pop(q, by_poll ? 0 : -1);
		/* fd may say readable only when there is something: one consumer, no false alarms. */
		assert_non_null(m);
		assert_int_equal(m->number, next[m->producer]);
		next[m->producer]++;
		free(m);
		got++;
	}
	uint64_t refused = 0;
	for (unsigned i = 0; i < producers; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		refused += p[i].refused;
	}
	assert_int_equal(wr_queue_count(q), 0);
	assert_int_equal(wr_queue_dropped(q), refused);
	assert_false(readable(q));
	wr_queue_free(q, NULL);
}

static void test_producers_keep_their_order(void **state)
{
	(void)state;
	consume_from(PRODUCERS, 64, false);
	consume_from(PRODUCERS, 1, false);
	consume_from(1, 7, false);
}

static void test_producers_with_a_poll_loop(void **state)
{
	(void)state;
	consume_from(PRODUCERS, 64, true);
	consume_from(2, 1, true);
}

static void *close_queue(void *arg)
{
	wr_queue_close(arg);
	return NULL;
}

static void test_close_wakes_a_waiting_consumer(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 50; round++) {
		wr_queue *q = wr_queue_new(1);
		assert_non_null(q);
		pthread_t thread;
		assert_int_equal(pthread_create(&thread, NULL, close_queue, q), 0);
		assert_null(wr_queue_pop(q, -1));
		assert_int_equal(pthread_join(thread, NULL), 0);
		wr_queue_free(q, NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_first_in_first_out),
	    cmocka_unit_test(test_full_refuses_and_counts),
	    cmocka_unit_test(test_fd_is_readable_while_not_empty),
	    cmocka_unit_test(test_close_wakes_once_and_drains),
	    cmocka_unit_test(test_pop_times_out),
	    cmocka_unit_test(test_free_gives_back_what_is_left),
	    cmocka_unit_test(test_absurd_capacity),
	    cmocka_unit_test(test_producers_keep_their_order),
	    cmocka_unit_test(test_producers_with_a_poll_loop),
	    cmocka_unit_test(test_close_wakes_a_waiting_consumer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
