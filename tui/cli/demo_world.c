/* demo_world.c: setting the demo up and taking it down: simulator, keys, configuration, engine.
 *
 * Children get SIGKILL from the kernel if this process dies, so nothing stays behind even after
 * kill -9. */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/demo.h"
#include "warroom/clock.h"
#include "warroom/io.h"
#include "warroom/json.h"
#include "warroom/limits.h"
#include "warroom/seal.h"

#define START_MS 15000

const demo_person demo_people[DEMO_PEOPLE] = {{"alice", "orange harbour", "sre"},
                                              {"bob", "quiet meadow", "on_call"}};

/* The example's waits are those of a real platform; the demo's are short. Addresses are the
 * kernel's choice. */
static const struct {
	const char *from, *to;
} shorter[] = {{"sustained: 5m", "sustained: 8s"},
               {"cooldown: 10m", "cooldown: 3s"},
               {"stale_after: 15s", "stale_after: 6s"},
               {"duration: 45s", "duration: 8s"},
               {"usual: 45s", "usual: 8s"},
               {"usual: 55s", "usual: 12s"},
               {"usual: 35s", "usual: 8s"},
               {"hold: 20s", "hold: 4s"},
               {"usual: 20s", "usual: 5s"},
               {"usual: 15s", "usual: 3s"},
               {"usual: 12s", "usual: 3s"},
               {"hold: 10s", "hold: 2s"},
               {"hold: 5s", "hold: 1s"},
               {"interval: 10s", "interval: 2s"},
               {"interval: 30s", "interval: 2s"},
               {"interval: 5s", "interval: 1s"},
               {"interval: 2s", "interval: 1s"},
               {"timeout: 2s\n", "timeout: 900ms\n"},
               {"timeout: 1s\n", "timeout: 900ms\n"}};

static void replace_all(wr_buf *out, const char *text, const char *from, const char *to)
{
	const char *hit;
	while ((hit = strstr(text, from))) {
		wr_buf_add(out, text, (size_t)(hit - text));
		wr_buf_adds(out, to);
		text = hit + strlen(from);
	}
	wr_buf_adds(out, text);
}

/* Copies a file of the example, with the replacements. */
static int copy_example(const demo *d, const char *name, wr_err *err)
{
	char path[8300], target[4400], port[3][64];
	snprintf(path, sizeof path, "%s/ggen/%s", d->examples, name);
	snprintf(target, sizeof target, "%s/%s", d->dir, name);
	snprintf(port[0], sizeof port[0], "127.0.0.1:%d", d->control);
	snprintf(port[1], sizeof port[1], "127.0.0.1:%d", d->us);
	snprintf(port[2], sizeof port[2], "127.0.0.1:%d", d->eu);
	wr_buf a = WR_BUF_INIT(WR_CONFIG_MAX), b = WR_BUF_INIT(WR_CONFIG_MAX);
	int rc = wr_read_file(&a, path, WR_CONFIG_MAX, WR_ANY, err);
	const char *const ports[3][2] = {
	    {"127.0.0.1:9100", port[0]}, {"127.0.0.1:9101", port[1]}, {"127.0.0.1:9102", port[2]}};
	size_t n_short = sizeof shorter / sizeof *shorter;
	for (size_t i = 0; rc == 0 && i < n_short + 3; i++) {
		wr_buf_reset(&b);
		replace_all(&b, wr_buf_cstr(&a), i < n_short ? shorter[i].from : ports[i - n_short][0],
		            i < n_short ? shorter[i].to : ports[i - n_short][1]);
		wr_buf swap = a;
		a = b;
		b = swap;
	}
	if (rc == 0) rc = wr_write_file(target, wr_buf_cstr(&a), a.len, 0600, err);
	wr_buf_free(&a);
	wr_buf_free(&b);
	return rc;
}

static int find_programs(demo *d, wr_err *err)
{
	ssize_t n = readlink("/proc/self/exe", d->bin, sizeof d->bin - 64);
	if (n <= 0) return wr_fail(err, WR_E_IO, "cannot find my own path");
	d->bin[n] = '\0';
	*strrchr(d->bin, '/') = '\0';
	/* Installed: PREFIX/bin beside PREFIX/share. Built: build/ inside the source tree. */
	static const char *const places[] = {"/../share/warroom/examples", "/../docs/examples"};
	for (size_t i = 0; i < 2; i++) {
		char probe[4200];
		snprintf(d->examples, sizeof d->examples, "%.4000s%s", d->bin, places[i]);
		snprintf(probe, sizeof probe, "%.4150s/ggen/warroom.yaml", d->examples);
		if (access(probe, R_OK) == 0) return 0;
	}
	return wr_fail(
	    err, WR_E_NOT_FOUND,
	    "the example platform is not beside %s: run make install, or make demo in the source tree",
	    d->bin);
}

static pid_t spawn(const demo *d, const char *const argv[], const char *log_name, wr_err *err)
{
	char log[300];
	snprintf(log, sizeof log, "%s/%s", d->dir, log_name);
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600),
	    null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid_t parent = getpid(), pid = fd >= 0 && null >= 0 ? fork() : -1;
	if (pid == 0) {
		sigset_t none;
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		setpgid(0, 0); /* Ctrl-C in the terminal is ours alone */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent) _exit(127);
		dup2(null, 0);
		dup2(fd, 1);
		dup2(fd, 2);
		execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	if (fd >= 0) close(fd);
	if (null >= 0) close(null);
	if (pid < 0) wr_fail(err, WR_E_IO, "cannot start %s: %s", argv[0], strerror(errno));
	return pid;
}

static int log_tail(const demo *d, const char *name, wr_err *err, const char *what)
{
	char path[300];
	snprintf(path, sizeof path, "%s/%s", d->dir, name);
	wr_buf text = WR_BUF_INIT(64u << 10);
	const char *tail =
	    wr_read_file(&text, path, 64u << 10, WR_ANY, NULL) == 0 ? wr_buf_cstr(&text) : "";
	if (strlen(tail) > 400) tail += strlen(tail) - 400;
	int rc = wr_fail(err, WR_E_UNAVAILABLE, "%s: %s", what, tail);
	wr_buf_free(&text);
	return rc;
}

static int start_sim(demo *d, wr_err *err)
{
	char program[4200], ports[300], parent[32];
	snprintf(program, sizeof program, "%.4096s/warroom-sim", d->bin);
	snprintf(ports, sizeof ports, "%s/ports.json", d->dir);
	snprintf(parent, sizeof parent, "%d", (int)getpid());
	const char *const argv[] = {
	    program, "--platform", "ggen", "--ports-file", ports, "--parent-pid",
	    parent,  "--seed",     "7",    "--speed",      "4",   "--outage-at",
	    "80s",   NULL};
	d->sim = spawn(d, argv, "warroom-sim.log", err);
	if (d->sim < 0) return -1;
	int64_t end = wr_mono_ms(&wr_clock_system) + START_MS;
	while (wr_mono_ms(&wr_clock_system) < end && !atomic_load(&d->stop)) {
		wr_buf text = WR_BUF_INIT(4096);
		json_t *j = wr_read_file(&text, ports, 4096, WR_ANY, NULL) == 0
		                ? wr_json_parse(wr_buf_cstr(&text), text.len, NULL)
		                : NULL;
		wr_buf_free(&text);
		const json_t *regions = json_object_get(j, "regions");
		d->control = (int)wr_json_int(j, "control", 0);
		d->us = (int)wr_json_int(regions, "us-central1", 0);
		d->eu = (int)wr_json_int(regions, "europe-west1", 0);
		json_decref(j);
		if (d->control && d->us && d->eu) return 0;
		if (waitpid(d->sim, NULL, WNOHANG) == d->sim) break;
		usleep(20000);
	}
	return log_tail(d, "warroom-sim.log", err, "the simulator does not start");
}

static int make_people(demo *d, wr_err *err)
{
	wr_buf signers = WR_BUF_INIT(4096);
	char path[300];
	int rc = 0;
	snprintf(path, sizeof path, "%s/keys", d->dir);
	if (mkdir(path, 0700) != 0) rc = wr_fail(err, WR_E_IO, "%s: %s", path, strerror(errno));
	for (size_t i = 0; rc == 0 && i < DEMO_PEOPLE; i++) {
		const demo_person *p = &demo_people[i];
		wr_buf sealed = WR_BUF_INIT(WR_SECRET_MAX);
		wr_pubkey pub;
		rc = wr_seal_new(&sealed, &pub, p->principal, p->passphrase, strlen(p->passphrase),
		                 WR_SEAL_INTERACTIVE, err);
		snprintf(path, sizeof path, "%s/keys/%s.key", d->dir, p->principal);
		if (rc == 0) rc = wr_write_file(path, sealed.data, sealed.len, 0600, err);
		if (rc == 0) {
			wr_buf_addf(&signers, "%s namespaces=\"" WR_NS_APPROVAL "\" ", p->principal);
			wr_pubkey_format(&signers, &pub);
			wr_buf_addc(&signers, '\n');
		}
		wr_buf_wipe(&sealed);
	}
	snprintf(path, sizeof path, "%s/allowed_signers", d->dir);
	if (rc == 0) rc = wr_write_file(path, signers.data, signers.len, 0600, err);
	wr_buf_free(&signers);
	return rc;
}

static int make_config(demo *d, wr_err *err)
{
	static const char *const files[] = {"warroom.yaml", "runbooks/regional-failover.yaml",
	                                    "runbooks/failback.yaml"};
	char path[300], hook[96];
	snprintf(path, sizeof path, "%s/runbooks", d->dir);
	if (mkdir(path, 0700) != 0) return wr_fail(err, WR_E_IO, "%s: %s", path, strerror(errno));
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		if (copy_example(d, files[i], err) != 0) return -1;
	snprintf(hook, sizeof hook, "http://127.0.0.1:%d/v1/inbox", d->control);
	setenv("WARROOM_WEBHOOK_URL", hook, 1);
	snprintf(d->config, sizeof d->config, "%s/warroom.yaml", d->dir);
	snprintf(d->socket, sizeof d->socket, "%s/run/warroom.sock", d->dir);
	return 0;
}

static int start_engine(demo *d, wr_err *err)
{
	char program[4200];
	snprintf(program, sizeof program, "%.4096s/warroomd", d->bin);
	const char *const argv[] = {program, "--config", d->config, NULL};
	d->engine = spawn(d, argv, "warroomd.log", err);
	if (d->engine < 0) return -1;
	int64_t end = wr_mono_ms(&wr_clock_system) + START_MS;
	while (wr_mono_ms(&wr_clock_system) < end && !atomic_load(&d->stop)) {
		client *c = client_new(d->socket, err);
		json_t *v = c ? client_call(c, "/v1/version", NULL, 2000, NULL) : NULL;
		client_free(c);
		json_decref(v);
		if (v) return 0;
		if (waitpid(d->engine, NULL, WNOHANG) == d->engine) {
			d->engine = 0;
			break;
		}
		usleep(20000);
	}
	return log_tail(d, "warroomd.log", err, "the engine does not start");
}

int demo_up(demo *d, wr_err *err)
{
	const char *tmp = getenv("TMPDIR");
	snprintf(d->dir, sizeof d->dir, "%.64s/warroom-demo.XXXXXX",
	         tmp && *tmp && strlen(tmp) <= 64 ? tmp : "/tmp");
	if (!mkdtemp(d->dir)) {
		d->dir[0] = '\0';
		return wr_fail(err, WR_E_IO, "cannot make a temporary directory: %s", strerror(errno));
	}
	if (find_programs(d, err) != 0 || make_people(d, err) != 0 || start_sim(d, err) != 0) return -1;
	return make_config(d, err) != 0 || start_engine(d, err) != 0 ? -1 : 0;
}

static void stop_child(pid_t *pid)
{
	if (*pid <= 0) return;
	kill(*pid, SIGTERM);
	for (int i = 0; i < 250; i++) {
		if (waitpid(*pid, NULL, WNOHANG) != 0) {
			*pid = 0;
			return;
		}
		usleep(20000);
	}
	kill(*pid, SIGKILL);
	(void)waitpid(*pid, NULL, 0);
	*pid = 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void demo_down(demo *d)
{
	atomic_store(&d->stop, true);
	if (d->conducting) pthread_join(d->conductor, NULL);
	d->conducting = false;
	stop_child(&d->engine);
	stop_child(&d->sim);
	if (d->dir[0]) (void)nftw(d->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	d->dir[0] = '\0';
}

static size_t discard(char *data, size_t size, size_t n, void *ctx)
{
	(void)data;
	(void)ctx;
	return size * n;
}

static int post(int port, const char *path, const char *body, wr_err *err)
{
	char url[128];
	long status = 0;
	CURL *c = curl_easy_init();
	if (!c) return wr_fail(err, WR_E_NOMEM, "out of memory");
	snprintf(url, sizeof url, "http://127.0.0.1:%d%s", port, path);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, 5000L);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, discard);
	CURLcode rc = curl_easy_perform(c);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(c);
	if (rc != CURLE_OK)
		return wr_fail(err, WR_E_UNAVAILABLE, "%s: %s", url, curl_easy_strerror(rc));
	return status / 100 == 2 ? 0 : wr_fail(err, WR_E_CONFLICT, "%s: status %ld", url, status);
}

int demo_repair(demo *d, wr_err *err)
{
	if (post(d->control, "/v1/fault", "{\"kind\":\"heal\",\"region\":\"us-central1\"}", err) != 0)
		return -1;
	int64_t end = wr_mono_ms(&wr_clock_system) + START_MS;
	while (post(d->us, "/resync", "{\"from\":\"europe-west1\"}", err) != 0) {
		if (wr_mono_ms(&wr_clock_system) > end || atomic_load(&d->stop)) return -1;
		usleep(200000);
	}
	return 0;
}
