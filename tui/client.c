/* client.c: one libcurl handle on a Unix socket, in a multi handle of its own, because that can be
 * woken by another thread at once. */
#include "client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "warroom/json.h"
#include "warroom/limits.h"

#define ANSWER_MAX (32u << 20)
#define CONNECT_MS 2000
#define WAIT_MS    1000 /* between two looks at the clock; what happens is heard at once */
#define URL_MAX    4096

struct client {
	CURL *curl;
	CURLM *multi;
	char *socket;
	atomic_bool interrupt;
};

client *client_new(const char *socket_path, wr_err *err)
{
	size_t most = sizeof((struct sockaddr_un *)0)->sun_path - 1;
	if (!*socket_path || strlen(socket_path) > most) {
		wr_fail(err, WR_E_INVALID, "the socket's path \"%.60s%s\" has %zu bytes: it takes 1 to %zu",
		        socket_path, strlen(socket_path) > 60 ? "..." : "", strlen(socket_path), most);
		return NULL;
	}
	client *c = calloc(1, sizeof *c);
	if (c) c->socket = strdup(socket_path);
	if (c) c->curl = curl_easy_init();
	if (c) c->multi = curl_multi_init();
	if (!c || !c->socket || !c->curl || !c->multi) {
		client_free(c);
		wr_fail(err, WR_E_NOMEM, "out of memory");
		return NULL;
	}
	atomic_init(&c->interrupt, false);
	return c;
}

void client_free(client *c)
{
	if (!c) return;
	if (c->curl) curl_easy_cleanup(c->curl);
	if (c->multi) curl_multi_cleanup(c->multi);
	free(c->socket);
	free(c);
}

const char *client_socket(const client *c)
{
	return c->socket;
}
void client_interrupt(client *c)
{
	atomic_store(&c->interrupt, true);
	(void)curl_multi_wakeup(c->multi);
}
void client_clear_interrupt(client *c)
{
	atomic_store(&c->interrupt, false);
}

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
	wr_buf *b = ctx;
	wr_buf_add(b, data, size * n);
	return wr_buf_ok(b) ? size * n : 0;
}

static void configure(client *c, const char *url, const char *body, size_t len, int64_t timeout_ms,
                      wr_buf *answer, struct curl_slist *headers)
{
	curl_easy_reset(c->curl);
	curl_easy_setopt(c->curl, CURLOPT_UNIX_SOCKET_PATH, c->socket);
	curl_easy_setopt(c->curl, CURLOPT_URL, url);
	curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
	curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, answer);
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
	if (body) {
		curl_easy_setopt(c->curl, CURLOPT_POST, 1L);
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body);
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE, (long)len);
	}
}

/* Carries out what is configured; CURLE_ABORTED_BY_CALLBACK when it was interrupted. */
static CURLcode perform(client *c)
{
	CURLcode rc = CURLE_ABORTED_BY_CALLBACK;
	int running = 1, left;
	if (curl_multi_add_handle(c->multi, c->curl) != CURLM_OK) return CURLE_OUT_OF_MEMORY;
	while (running && !atomic_load(&c->interrupt)) {
		if (curl_multi_perform(c->multi, &running) != CURLM_OK ||
		    (running && curl_multi_poll(c->multi, NULL, 0, WAIT_MS, NULL) != CURLM_OK)) {
			rc = CURLE_OUT_OF_MEMORY;
			break;
		}
	}
	const CURLMsg *m;
	while ((m = curl_multi_info_read(c->multi, &left)))
		if (m->msg == CURLMSG_DONE) rc = m->data.result;
	(void)curl_multi_remove_handle(c->multi, c->curl);
	return rc;
}

static wr_code code_of(const char *name)
{
	for (int i = 0; i <= WR_E_BUG; i++)
		if (!strcmp(name, wr_err_name((wr_code)i))) return (wr_code)i;
	return WR_E_INVALID;
}

static void refuse(const json_t *answer, long status, wr_err *err)
{
	const json_t *e = json_object_get(answer, "error");
	const char *rule = wr_json_str(e, "rule", ""),
	           *text = wr_json_str(e, "message", "the engine refused");
	wr_code code = status == 503 ? WR_E_CONFLICT : code_of(wr_json_str(e, "code", "invalid"));
	/* "unavailable" is kept for an engine that cannot be reached. */
	if (code == WR_E_UNAVAILABLE || code == WR_E_OK) code = WR_E_CONFLICT;
	wr_fail(err, code, "%s%s%s", rule, *rule ? ": " : "", text);
}

static const char *no_connection(const char *path)
{
	struct stat st;
	if (stat(path, &st) == 0 && !S_ISSOCK(st.st_mode)) return "that is no socket";
	if (access(path, W_OK) == 0) return "nobody answers; is warroomd running?";
	if (errno == EACCES) return "permission denied; it is for its owner and group (socket_group)";
	if (errno == ENOENT) return "there is no such socket; is warroomd running?";
	return strerror(errno);
}

/* libcurl says "Couldn't connect" whatever it was. */
static const char *why_not(const char *path, CURLcode rc)
{
	switch (rc) {
	case CURLE_COULDNT_CONNECT:
		return no_connection(path);
	case CURLE_OPERATION_TIMEDOUT:
		return "it takes the call and does not answer; is warroomd stopped or very busy?";
	case CURLE_GOT_NOTHING:
		return "it hung up without an answer; is warroomd stopping, or is that another program?";
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
		return "what answers there is not warroomd";
	default:
		return curl_easy_strerror(rc);
	}
}

static json_t *read_answer(const client *c, CURLcode rc, const wr_buf *answer, wr_err *err)
{
	long status = 0;
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	if (rc == CURLE_ABORTED_BY_CALLBACK) {
		wr_fail(err, WR_E_CANCELLED, "cancelled");
		return NULL;
	}
	if (rc == CURLE_WRITE_ERROR) {
		wr_fail(err, WR_E_LIMIT, "the answer of %s is over %u bytes: is that an engine?", c->socket,
		        ANSWER_MAX);
		return NULL;
	}
	if (rc != CURLE_OK) {
		wr_fail(err, WR_E_UNAVAILABLE, "cannot reach the engine at %s: %s", c->socket,
		        why_not(c->socket, rc));
		return NULL;
	}
	json_t *result = wr_json_parse(wr_buf_cstr(answer), answer->len, err);
	if (result && !json_is_object(result)) {
		json_decref(result);
		result = NULL;
		(void)wr_fail(err, WR_E_INVALID, "it is not a JSON object");
	}
	if (!result) {
		(void)wr_err_wrap(err, "the answer of %s cannot be read (is that an engine?)", c->socket);
	} else if (status != 200) {
		refuse(result, status, err);
		json_decref(result);
		result = NULL;
	}
	return result;
}

json_t *client_call(client *c, const char *path, const json_t *body, int64_t timeout_ms,
                    wr_err *err)
{
	wr_buf answer = WR_BUF_INIT(ANSWER_MAX), text = WR_BUF_INIT(WR_API_BODY_MAX),
	       url = WR_BUF_INIT(URL_MAX);
	json_t *result = NULL;
	if (body) wr_json_dump(&text, body);
	wr_buf_addf(&url, "http://warroom%s", path);
	if (wr_buf_ok(&text) && wr_buf_ok(&url)) {
		struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
		struct curl_slist *all = curl_slist_append(headers, "Expect:");
		configure(c, url.data, body ? wr_buf_cstr(&text) : NULL, text.len, timeout_ms, &answer,
		          all ? all : headers);
		result = read_answer(c, perform(c), &answer, err);
		curl_slist_free_all(all ? all : headers);
	} else {
		wr_fail(err, WR_E_LIMIT, "the request is larger than the engine takes");
	}
	wr_buf_free(&answer);
	wr_buf_free(&text);
	wr_buf_free(&url);
	return result;
}

void client_query(wr_buf *path, const char *key, const char *value)
{
	if (!value) return;
	wr_buf_addf(path, "%c%s=", path->data && strchr(path->data, '?') ? '&' : '?', key);
	for (const unsigned char *p = (const unsigned char *)value; *p; p++) {
		bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		             (*p >= '0' && *p <= '9') || (*p && strchr("-._~", *p));
		if (plain)
			wr_buf_addc(path, (char)*p);
		else
			wr_buf_addf(path, "%%%02X", *p);
	}
}
