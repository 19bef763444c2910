/* Who is at the other end, what is kept of it, and who shares a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/engine.h"

static void our_own_socket(void **state)
{
	(void)state;
	int pair[2];
	peer p;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	peer_of_fd(pair[0], &p);
	assert_int_equal(p.pid, getpid());
	assert_int_equal(p.uid, getuid());
	assert_int_equal(p.session, getsid(0));
	close(pair[0]);
	close(pair[1]);
	peer_of_fd(pair[0], &p); /* not a socket any more */
	assert_int_equal(p.pid, 0);
	assert_int_equal(p.session, 0);
}

static void same_terminal(void **state)
{
	(void)state;
	static const struct {
		int64_t session_a, tty_a, session_b, tty_b;
		bool same;
	} cases[] = {
	    {10, 34816, 10, 34816, true},  {10, 34816, 11, 34816, true}, /* screen -x */
	    {10, 34816, 10, 34817, false}, {10, 34816, 11, 0, false},    {10, 34816, 10, 0, true},
	    {10, 0, 11, 0, false},         {10, 0, 10, 0, true},         {0, 0, 10, 34816, true},
	    {10, 34816, 0, 0, true},       {0, 0, 0, 0, true},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		peer a = {.session = cases[i].session_a, .tty = cases[i].tty_a},
		     b = {.session = cases[i].session_b, .tty = cases[i].tty_b};
		assert_int_equal(peer_same_terminal(&a, &b), cases[i].same);
		assert_int_equal(peer_same_terminal(&b, &a), cases[i].same);
	}
}

static void kept_and_read_again(void **state)
{
	(void)state;
	char text[PEER_TEXT];
	peer p = {.pid = 5, .uid = 1000, .session = 77, .tty = 34816}, q;
	peer_write(&p, text);
	assert_true(strlen(text) > 10);
	assert_true(peer_read(text, &q));
	assert_int_equal(q.uid, 1000);
	assert_int_equal(q.session, 77);
	assert_int_equal(q.tty, 34816);
	/* Another boot of the machine had other sessions. */
	char other[PEER_TEXT];
	memcpy(other, text, sizeof other);
	other[0] = other[0] == 'f' ? '0' : 'f';
	assert_false(peer_read(other, &q));
	assert_int_equal(q.session, 0);
	peer unknown = {.pid = 5, .uid = 1000};
	peer_write(&unknown, text);
	assert_string_equal(text, "");
}

static void what_nobody_wrote(void **state)
{
	(void)state;
	char good[PEER_TEXT], text[PEER_TEXT + 16];
	peer p = {.uid = 1, .session = 2, .tty = 3}, q;
	peer_write(&p, good);
	static const char *const tails[] = {"",        "/",     "/1/2",  "/1/2/",  "/1/2/3/", "/1/2/3x",
	                                    "/-1/2/3", "//2/3", "/1//3", "/0/0/0", " /1/2/3", "/a/b/c"};
	for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
		snprintf(text, sizeof text, "%.8s%s", good, tails[i]);
		assert_false(peer_read(text, &q));
	}
	assert_false(peer_read("", &q));
	assert_false(peer_read("abc", &q));
	/* A number that does not fit is some number, never trouble. */
	snprintf(text, sizeof text, "%.8s/1/99999999999999999999999999/3", good);
	assert_true(peer_read(text, &q));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(our_own_socket),
	    cmocka_unit_test(same_terminal),
	    cmocka_unit_test(kept_and_read_again),
	    cmocka_unit_test(what_nobody_wrote),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
