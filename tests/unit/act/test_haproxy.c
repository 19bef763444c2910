/* Weights in a real haproxy: what it is told, what it does with the traffic, what is refused. */
#include "act_haproxy.h"

static scratch dir;
static haproxy h;
static server *us, *eu;
static int refused_fd, refused_port;

static int start(void **state)
{
	(void)state;
	char backends[2048];
	us = server_start();
	eu = server_start();
	refused_fd = listen_on_loopback(-1, &refused_port);
	scratch_make(&dir);
	snprintf(backends, sizeof backends,
	         "backend be\n server a 127.0.0.1:%d weight 100\n server b 127.0.0.1:%d weight 100\n"
	         " server sorry 127.0.0.1:%d backup\n"
	         "backend fresh\n server a 127.0.0.1:%d weight 1\n server b 127.0.0.1:%d weight 2\n"
	         " server c 127.0.0.1:%d weight 1 disabled\n"
	         "backend static\n balance static-rr\n"
	         " server a 127.0.0.1:%d weight 100\n server b 127.0.0.1:%d weight 1\n"
	         "backend other\n server a 127.0.0.1:%d weight 100\n server b 127.0.0.1:%d weight 0\n"
	         " server x 127.0.0.1:%d weight 1\n"
	         "backend down\n server a 127.0.0.1:%d weight 100\n"
	         " server b 127.0.0.1:%d weight 0 check inter 50ms fall 1\n"
	         "backend spare\n server a 127.0.0.1:%d weight 100\n server b 127.0.0.1:%d weight 0 "
	         "backup\n",
	         us->port, eu->port, eu->port, us->port, eu->port, eu->port, us->port, eu->port,
	         us->port, eu->port, eu->port, us->port, refused_port, us->port, eu->port);
	haproxy_start(&h, &dir, backends);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	haproxy_stop(&h);
	server_stop(us);
	server_stop(eu);
	close(refused_fd);
	scratch_remove(&dir, (const char *const[]){"admin.sock", "front.sock", "haproxy.cfg", NULL});
	return 0;
}

static wr_step_report shift(const char *backend, const char *weights)
{
	char step[1024];
	snprintf(step, sizeof step,
	         "{'kind':'traffic','timeout_ms':20000,'traffic':{'provider':'edge','kind':'haproxy',"
	         "'address':'unix:%s','backend':'%s','servers':{'us':'a','eu':'b'},'weights':%s,"
	         "'timeout_ms':10000}}",
	         h.socket, backend, weights);
	return run_step(step, 0);
}

static void request_once(void)
{
	char reply[256];
	int fd = unix_connect(h.front);
	assert_true(fd >= 0);
	put(fd, "GET /ok HTTP/1.0\r\n\r\n");
	while (recv(fd, reply, sizeof reply, 0) > 0) {
	}
	close(fd);
}

static void shares_follow_the_weights(void **state)
{
	(void)state;
	static const int percents[] = {0, 10, 50, 90, 100};
	for (size_t i = 0; i < sizeof percents / sizeof *percents; i++) {
		char weights[64];
		snprintf(weights, sizeof weights, "{'us':%d,'eu':%d}", 100 - percents[i], percents[i]);
		wr_step_report r = shift("be", weights);
		assert_outcome(&r, WR_OUT_DONE);
		assert_int_equal(haproxy_weight(&h, "be/a"), 100 - percents[i]);
		assert_int_equal(haproxy_weight(&h, "be/b"), percents[i]);
		int before_us = atomic_load(&us->requests), before_eu = atomic_load(&eu->requests);
		for (int k = 0; k < 40; k++) request_once();
		int went_us = atomic_load(&us->requests) - before_us,
		    went_eu = atomic_load(&eu->requests) - before_eu;
		assert_int_equal(went_us + went_eu, 40);
		assert_in_range(went_eu + 2, percents[i] * 40 / 100, percents[i] * 40 / 100 + 4);
		if (percents[i] == 0) assert_int_equal(went_eu, 0);
		if (percents[i] == 100) assert_int_equal(went_us, 0);
	}
}

static void those_that_grow_go_first(void **state)
{
	(void)state;
	wr_step_report r = shift("be", "{'us':100}");
	assert_outcome(&r, WR_OUT_DONE);
	r = shift("be", "{'us':25,'eu':75}");
	assert_outcome(&r, WR_OUT_DONE);
	assert_contains(r.output, "set weight be/b 75;set weight be/a 25\n");
	r = shift("be", "{'us':75,'eu':25}");
	assert_outcome(&r, WR_OUT_DONE);
	assert_contains(r.output, "set weight be/a 75;set weight be/b 25\n");
	/* The same again changes nothing. */
	r = shift("be", "{'us':75,'eu':25}");
	assert_outcome(&r, WR_OUT_DONE);
	assert_lacks(r.output, "set weight");
}

static void a_region_that_is_not_named_gets_nothing(void **state)
{
	(void)state;
	wr_step_report r = shift("be", "{'eu':100}");
	assert_outcome(&r, WR_OUT_DONE);
	assert_int_equal(haproxy_weight(&h, "be/a"), 0);
}

static void undo_sets_the_weights_back(void **state)
{
	(void)state;
	char step[1024];
	snprintf(
	    step, sizeof step,
	    "{'kind':'traffic','traffic':{},'rollback':{'kind':'traffic','traffic':{'kind':'haproxy',"
	    "'address':'unix:%s','backend':'be','servers':{'us':'a','eu':'b'},"
	    "'weights':{'us':100,'eu':0}}}}",
	    h.socket);
	wr_step_report r = shift("be", "{'us':0,'eu':100}");
	assert_outcome(&r, WR_OUT_DONE);
	wr_job *job = make_job(step, 0);
	job->undo = true;
	wr_step_run(job, &wr_clock_system, NULL, NULL, NULL, &r);
	free_job(job);
	assert_outcome(&r, WR_OUT_DONE);
	assert_int_equal(haproxy_weight(&h, "be/a"), 100);
	assert_int_equal(haproxy_weight(&h, "be/b"), 0);
}

static void a_target_that_cannot_take_traffic(void **state)
{
	(void)state;
	static const struct {
		const char *command, *said;
	} table[] = {{"disable server be/b", "in maintenance"},
	             {"set server be/b state drain", "draining"}};
	wr_step_report r = shift("be", "{'us':100}");
	assert_outcome(&r, WR_OUT_DONE);
	for (size_t i = 0; i < 2; i++) {
		char reply[256];
		haproxy_says(&h, table[i].command, reply, sizeof reply);
		r = shift("be", "{'us':50,'eu':50}");
		assert_outcome(&r, WR_OUT_FAILED);
		assert_contains(r.error, table[i].said);
		assert_int_equal(haproxy_weight(&h, "be/a"), 100); /* nothing was touched */
		r = shift("be", "{'us':100}");                     /* away from it is always possible */
		assert_outcome(&r, WR_OUT_DONE);
		haproxy_says(&h, "set server be/b state ready", reply, sizeof reply);
	}
}

static void a_target_that_is_down(void **state)
{
	(void)state;
	char reply[4096] = "";
	for (int i = 0; i < 3000 && !strstr(reply, " b 127.0.0.1 0 "); i++) {
		haproxy_says(&h, "show servers state down", reply, sizeof reply);
		nap_ms(10);
	}
	wr_step_report r = shift("down", "{'us':0,'eu':100}");
	assert_outcome(&r, WR_OUT_FAILED);
	assert_contains(r.error, "is down");
	assert_int_equal(haproxy_weight(&h, "down/a"), 100);
	/* What is left of a server's share may shrink while it is down: that is the way away from it.
	 */
	haproxy_says(&h, "set weight down/b 100", reply, sizeof reply);
	r = shift("down", "{'us':90,'eu':10}");
	assert_contains(r.output, "note: down/b is down and keeps 10%");
}

static void what_would_spoil_the_shares(void **state)
{
	(void)state;
	wr_step_report r = shift("other", "{'us':50,'eu':50}");
	assert_outcome(&r, WR_OUT_FAILED);
	assert_contains(r.error, "other/x is no region's");
	r = shift("spare", "{'us':50,'eu':50}");
	assert_outcome(&r, WR_OUT_FAILED);
	assert_contains(r.error, "backup");
}

/* A static algorithm takes 0 and the configured weight only: half of the line is refused, and what
 * would be left is a backend in which nobody takes traffic. */
static void half_a_line_is_put_back(void **state)
{
	(void)state;
	wr_step_report r = shift("static", "{'us':0,'eu':100}");
	assert_outcome(&r, WR_OUT_FAILED);
	assert_contains(r.error, "static LB algorithm");
	assert_contains(r.error, "former weights are back");
	assert_int_equal(haproxy_weight(&h, "static/a"), 100);
	assert_int_equal(haproxy_weight(&h, "static/b"), 1);
	r = shift("static", "{'us':40,'eu':60}"); /* all of it is refused */
	assert_outcome(&r, WR_OUT_FAILED);
	assert_contains(r.error, "nothing changed");
}

static void what_is_not_there(void **state)
{
	(void)state;
	wr_step_report r = shift("nowhere", "{'us':0,'eu':100}");
	assert_outcome(&r, WR_OUT_FAILED);
	assert_contains(r.error, "Can't find backend");
	r = shift("be;disable server be/a", "{'us':0,'eu':100}");
	assert_outcome(&r, WR_OUT_FAILED);
	r = shift("be", "{'us':0,'asia':100}");
	assert_outcome(&r, WR_OUT_FAILED);
	assert_contains(r.error, "no server here");
}

/* ---- wr_traffic_get ---- */

static wr_traffic provider(const char *backend, char *address, size_t size)
{
	static const wr_pair servers[] = {{"us", "a"}, {"eu", "b"}};
	static const char *const regions[] = {"us", "eu"};
	snprintf(address, size, "unix:%s", h.socket);
	return (wr_traffic){.name = "edge",
	                    .kind = WR_TRAFFIC_HAPROXY,
	                    .address = address,
	                    .backend = backend,
	                    .servers = servers,
	                    .server_count = 2,
	                    .regions = regions,
	                    .region_count = 2,
	                    .timeout_ms = 10000};
}

static const wr_region regions[] = {{.name = "eu"}, {.name = "witness"}, {.name = "us"}};

static void weights_as_shares(void **state)
{
	(void)state;
	char address[160], reply[256];
	wr_traffic t = provider("fresh", address, sizeof address);
	wr_config cfg = {.regions = regions, .region_count = 3, .traffic = &t, .traffic_count = 1};
	int weights[WR_MAX_REGIONS];
	wr_err err = {0};
	assert_int_equal(wr_traffic_get(&cfg, 0, weights, &err), 0);
	assert_int_equal(weights[0], 67); /* 2 of 3 */
	assert_int_equal(weights[1], -1);
	assert_int_equal(weights[2], 33);
	assert_int_equal(weights[3], -1);
	haproxy_says(&h, "disable server fresh/b", reply, sizeof reply);
	assert_int_equal(wr_traffic_get(&cfg, 0, weights, &err), 0);
	assert_int_equal(weights[0], 0);
	assert_int_equal(weights[2], 100);
	haproxy_says(&h, "disable server fresh/a", reply, sizeof reply);
	assert_int_equal(wr_traffic_get(&cfg, 0, weights, &err), 0);
	assert_int_equal(weights[0], 0);
	assert_int_equal(weights[2], 0);
}

static void weights_that_cannot_be_read(void **state)
{
	(void)state;
	char address[160];
	wr_traffic t = provider("nowhere", address, sizeof address);
	wr_config cfg = {.regions = regions, .region_count = 3, .traffic = &t, .traffic_count = 1};
	int weights[WR_MAX_REGIONS];
	wr_err err = {0};
	assert_int_equal(wr_traffic_get(&cfg, 0, weights, &err), -1);
	assert_contains(err.msg, "traffic edge");
	static const char *const addresses[] = {"unix:/no/such/socket",
	                                        "unix:",
	                                        "tcp:",
	                                        "tcp:127.0.0.1",
	                                        "tcp:127.0.0.1:",
	                                        "tcp:name:80",
	                                        "tcp:127.0.0.1:http",
	                                        "udp:127.0.0.1:80",
	                                        "/no/scheme",
	                                        "",
	                                        "tcp:[::1:80",
	                                        "tcp:127.0.0.1:1"};
	t.backend = "be";
	for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
		t.address = addresses[i];
		assert_int_equal(wr_traffic_get(&cfg, 0, weights, &err), -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(shares_follow_the_weights),
	    cmocka_unit_test(those_that_grow_go_first),
	    cmocka_unit_test(a_region_that_is_not_named_gets_nothing),
	    cmocka_unit_test(undo_sets_the_weights_back),
	    cmocka_unit_test(a_target_that_cannot_take_traffic),
	    cmocka_unit_test(a_target_that_is_down),
	    cmocka_unit_test(what_would_spoil_the_shares),
	    cmocka_unit_test(half_a_line_is_put_back),
	    cmocka_unit_test(what_is_not_there),
	    cmocka_unit_test(weights_as_shares),
	    cmocka_unit_test(weights_that_cannot_be_read),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
