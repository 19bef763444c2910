/* test_cli.c: warroom-sim as a process: what it prints, writes, and how it ends. */
#include "simtest.h"

#include <curl/curl.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/cli.h"
#include "warroom/io.h"

#define PATIENCE_MS 20000

static char dir[64];

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/sim-test-XXXXXX");
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int remove_dir(void **state)
{
	(void)state;
	DIR *d = opendir(dir);
	const struct dirent *e;
	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.') unlinkat(dirfd(d), e->d_name, 0);
	if (d != NULL) closedir(d);
	return rmdir(dir);
}

typedef struct child {
	pid_t pid;
	int out; /* its stdout and stderr */
	char text[4096];
	size_t len;
} child;

/* spawn runs wr_sim_main in a process of its own; the arguments end with NULL. */
static void spawn(child *c, ...)
{
	char *argv[16] = {(char[]){"warroom-sim"}};
	char copies[16][256];
	int argc = 1, fds[2];
	va_list ap;
	va_start(ap, c);
	for (const char *a; (a = va_arg(ap, const char *)) != NULL; argc++) {
		snprintf(copies[argc], sizeof copies[0], "%s", a);
		argv[argc] = copies[argc];
	}
	va_end(ap);
	memset(c, 0, sizeof *c);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	fflush(NULL);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (c->pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		dup2(fds[1], STDERR_FILENO);
		int rc = wr_sim_main(argc, argv);
		fflush(NULL);
		_exit(rc);
	}
	close(fds[1]);
	c->out = fds[0];
}

/* read_until reads what the child prints until `word` is there or it has ended. */
static void read_until(child *c, const char *word)
{
	while (strstr(c->text, word) == NULL) {
		struct pollfd f = {.fd = c->out, .events = POLLIN};
		if (poll(&f, 1, PATIENCE_MS) <= 0) fail_msg("nothing printed; so far: %s", c->text);
		ssize_t n = read(c->out, c->text + c->len, sizeof c->text - 1 - c->len);
		if (n <= 0) return;
		c->len += (size_t)n;
		c->text[c->len] = '\0';
	}
}

static int finish(child *c)
{
	int status;
	read_until(c, "\xff"); /* that is: to the end */
	close(c->out);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void it_says_its_ports_and_stops_on_a_signal(void **state)
{
	(void)state;
	static const int signals[] = {SIGTERM, SIGINT};
	char path[128];
	snprintf(path, sizeof path, "%s/ports.json", dir);
	for (size_t i = 0; i < 2; i++) {
		child c;
		spawn(&c, "--ports-file", path, "--regions", "a,b,c", "--speed", "50", NULL);
		read_until(&c, "\n");
		int control, a, b, third;
		assert_int_equal(
		    sscanf(c.text, "ready control=%d a=%d b=%d c=%d\n", &control, &a, &b, &third), 4);
		wr_buf text = WR_BUF_INIT(4096);
		wr_err err = {0};
		assert_int_equal(wr_read_file(&text, path, 4096, WR_ANY, &err), 0);
		json_t *j = wr_json_parse(text.data, text.len, &err);
		assert_int_equal(wr_json_int(j, "control", 0), control);
		assert_int_equal(wr_json_int(wr_json_get(j, "/regions"), "c", 0), third);
		assert_int_equal(wr_json_int(j, "pid", 0), c.pid);
		json_decref(j);
		wr_buf_free(&text);
		assert_int_equal(kill(c.pid, signals[i]), 0);
		assert_int_equal(finish(&c), 0);
	}
}

static void it_goes_when_its_parent_has_gone(void **state)
{
	(void)state;
	char pid[24];
	fflush(NULL);
	pid_t parent = fork();
	if (parent == 0)
		for (;;) pause();
	snprintf(pid, sizeof pid, "%d", (int)parent);
	child c;
	spawn(&c, "--parent-pid", pid, NULL);
	read_until(&c, "\n");
	assert_int_equal(strncmp(c.text, "ready ", 6), 0);
	struct pollfd f = {.fd = c.out, .events = POLLIN};
	assert_int_equal(poll(&f, 1, 100), 0); /* it stays while the parent does */
	kill(parent, SIGKILL);
	assert_int_equal(finish(&c), 0);
	assert_int_equal(waitpid(parent, NULL, 0), parent);
	spawn(&c, "--parent-pid", pid, NULL); /* gone before it begins */
	assert_int_equal(finish(&c), 0);
}

static void mistakes_end_with_2_and_a_reason(void **state)
{
	(void)state;
	char path[128];
	snprintf(path, sizeof path, "%s/s.yaml", dir);
	wr_err err = {0};
	const char *text = "events:\n  - {at: 5s, fault: region_down, region: mars}\n";
	assert_int_equal(wr_write_file(path, text, strlen(text), 0644, &err), 0);
	static const struct {
		const char *a, *b, *says;
	} cases[] = {{"--platform", "nasa", "choose one of ggen"},
	             {"--regions", "one", "at least 2"},
	             {"--links", "a,,b", "is not a name"},
	             {"--speed", "fast", "--speed"},
	             {"--scenario", "/nonexistent.yaml", "/nonexistent.yaml"},
	             {"--scenario", NULL, "s.yaml:2: the platform has no region \"mars\""},
	             {"--ports-file", "/nonexistent/p.json", "--ports-file"},
	             {"--frobnicate", "1", "see --help"}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		child c;
		spawn(&c, cases[i].a, cases[i].b != NULL ? cases[i].b : path, NULL);
		assert_int_equal(finish(&c), 2);
		assert_int_equal(strncmp(c.text, "warroom-sim: ", 13), 0);
		if (strstr(c.text, cases[i].says) == NULL) fail_msg("%s", c.text);
		assert_null(strstr(c.text, "ready"));
	}
}

static void a_full_standard_output_is_told(void **state)
{
	(void)state;
	int status;
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char *argv[] = {(char[]){"warroom-sim"}, NULL};
		int full = open("/dev/full", O_WRONLY), null = open("/dev/null", O_WRONLY);
		dup2(full, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		_exit(wr_sim_main(1, argv));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 2);
}

static void help_and_version_end_with_0(void **state)
{
	(void)state;
	child c;
	spawn(&c, "--help", NULL);
	assert_int_equal(finish(&c), 0);
	assert_non_null(strstr(c.text, "--outage-at"));
	assert_non_null(strstr(c.text, "ggen, mesh"));
	spawn(&c, "--version", NULL);
	assert_int_equal(finish(&c), 0);
	assert_string_equal(c.text, "warroom-sim " WR_VERSION "\n");
}

static size_t collect(char *data, size_t size, size_t n, void *ctx)
{
	wr_buf_add(ctx, data, size * n);
	return size * n;
}

static void a_scenario_sets_seed_and_speed_unless_told_otherwise(void **state)
{
	(void)state;
	char path[128];
	snprintf(path, sizeof path, "%s/s.yaml", dir);
	wr_err err = {0};
	const char *text = "seed: 42\nspeed: 0\nevents: []\n";
	assert_int_equal(wr_write_file(path, text, strlen(text), 0644, &err), 0);
	child c;
	spawn(&c, "--scenario", path, "--seed", "7", NULL);
	read_until(&c, "\n");
	char url[64];
	int control = 0;
	assert_int_equal(sscanf(c.text, "ready control=%d", &control), 1);
	snprintf(url, sizeof url, "http://127.0.0.1:%d/v1/platform", control);
	wr_buf body = WR_BUF_INIT(65536);
	CURL *curl = curl_easy_init();
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
	assert_int_equal(curl_easy_perform(curl), CURLE_OK);
	curl_easy_cleanup(curl);
	json_t *j = wr_json_parse(body.data, body.len, &err);
	assert_non_null(j);
	assert_int_equal(wr_json_int(j, "seed", -1), 7);
	assert_int_equal(wr_json_int(j, "speed", -1), 0);
	assert_int_equal(wr_json_int(j, "virtual_ms", -1), 0);
	json_decref(j);
	wr_buf_free(&body);
	kill(c.pid, SIGTERM);
	assert_int_equal(finish(&c), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_says_its_ports_and_stops_on_a_signal),
	    cmocka_unit_test(it_goes_when_its_parent_has_gone),
	    cmocka_unit_test(mistakes_end_with_2_and_a_reason),
	    cmocka_unit_test(a_full_standard_output_is_told),
	    cmocka_unit_test(help_and_version_end_with_0),
	    cmocka_unit_test(a_scenario_sets_seed_and_speed_unless_told_otherwise),
	};
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
