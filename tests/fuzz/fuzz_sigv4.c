/* fuzz_sigv4.c: whatever path, query and headers are, the canonical request has the form that the
 * signature depends on: no value makes another line, and what goes into the URL is decodable to
 * what was meant.
 *
 * Input: texts separated by NUL: path, then names and values, the first byte of a name choosing
 * query or header. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "warroom/hash.h"
#include "warroom/sigv4.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The encoding has one form, and leads back. */
static void check_encoding(const char *text, bool slashes)
{
	wr_buf enc = WR_BUF_INIT(4u << 20);
	wr_sigv4_encode(&enc, text, slashes);
	WR_ASSERT(wr_buf_ok(&enc));
	const char *c = wr_buf_cstr(&enc), *t = text;
	for (; *c; c++, t++) {
		if (*c != '%') {
			WR_ASSERT(*c == *t && (unsigned char)*c > 0x20 && *c != '+' && *c != '&' && *c != '=');
			continue;
		}
		int high = digit(c[1]), low = digit(c[2]);
		WR_ASSERT(high >= 0 && low >= 0 && (unsigned char)*t == high * 16 + low);
		c += 2;
	}
	WR_ASSERT(*t == '\0');
	wr_buf_free(&enc);
}

static size_t lines(const char *s)
{
	size_t n = 1;
	while ((s = strchr(s, '\n'))) s++, n++;
	return n;
}

static void check_request(const wr_sigv4_request *rq)
{
	static const wr_sigv4_key key = {"AKIDEXAMPLE", "secret"};
	wr_buf text = WR_BUF_INIT(WR_SIGV4_TEXT_MAX), names = WR_BUF_INIT(4096),
	       value = WR_BUF_INIT(8192);
	wr_err err = {.code = WR_E_OK};
	int rc = wr_sigv4_canonical(&text, &names, rq, &err);
	WR_ASSERT(rc == 0 || (err.code != WR_E_OK && err.msg[0]));
	if (rc == 0) {
		/* method, path, query, a line for each name, an empty one, the names, the hash */
		size_t count = 1;
		for (const char *c = wr_buf_cstr(&names); *c; c++) count += *c == ';';
		WR_ASSERT(lines(wr_buf_cstr(&text)) == count + 6);
		WR_ASSERT(text.len > 64 && !strcmp(text.data + text.len - 64, EMPTY));
		WR_ASSERT(strstr(wr_buf_cstr(&names), "host"));
	}
	WR_ASSERT((wr_sigv4_authorization(&value, rq, &key, &err) == 0) == (rc == 0));
	WR_ASSERT(rc != 0 || !strpbrk(wr_buf_cstr(&value), "\r\n"));
	wr_buf_free(&text);
	wr_buf_free(&names);
	wr_buf_free(&value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	wr_sigv4_pair query[WR_SIGV4_PAIRS_MAX + 2], headers[WR_SIGV4_PAIRS_MAX + 2];
	size_t query_count = 0, header_count = 0;
	if (size == 0 || size > 100000) return 0;
	char *all = malloc(size + 1);
	if (!all) return 0;
	memcpy(all, data, size);
	all[size] = '\0';
	const char *path = all, *end = all + size;
	check_encoding(path, true);
	check_encoding(path, false);
	headers[header_count++] = (wr_sigv4_pair){"Host", "example.test"};
	for (const char *name = path + strlen(path) + 1; name < end;) {
		const char *text = name + strlen(name) + 1;
		const char *next = text < end ? text + strlen(text) + 1 : end;
		wr_sigv4_pair pair = {*name == '?' ? name + 1 : name, text < end ? text : ""};
		if (*name == '?' && query_count < WR_SIGV4_PAIRS_MAX + 1)
			query[query_count++] = pair;
		else if (*name != '?' && header_count < WR_SIGV4_PAIRS_MAX + 1)
			headers[header_count++] = pair;
		name = next;
	}
	wr_sigv4_request rq = {.method = "PUT",
	                       .path = path,
	                       .query = query,
	                       .query_count = query_count,
	                       .headers = headers,
	                       .header_count = header_count,
	                       .payload_sha256 = EMPTY,
	                       .region = "us-east-1",
	                       .service = "s3",
	                       .time_us = INT64_C(1369353600000000)};
	check_request(&rq);
	free(all);
	return 0;
}
