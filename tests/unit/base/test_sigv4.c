/* SigV4 against what Amazon published: the examples of the S3 API reference, and cases of its
 * signing test suite (those with the path as it is, which is what S3 wants). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "warroom/clock.h"
#include "warroom/hash.h"
#include "warroom/sigv4.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static const wr_sigv4_key s3_key = {"AKIAIOSFODNN7EXAMPLE",
                                    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};
static const wr_sigv4_key suite_key = {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"};

typedef struct vector {
	const char *name;
	bool s3;
	const char *method, *path;
	wr_sigv4_pair query[3];
	wr_sigv4_pair headers[6];
	const char *body_hash;
	const char *names, *signature;
} vector;

static const vector vectors[] = {
    {"GET Object",
     true,
     "GET",
     "/test.txt",
     {{0}},
     {{"Host", "examplebucket.s3.amazonaws.com"},
      {"Range", "bytes=0-9"},
      {"x-amz-content-sha256", EMPTY},
      {"x-amz-date", "20130524T000000Z"}},
     EMPTY,
     "host;range;x-amz-content-sha256;x-amz-date",
     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
    {"PUT Object",
     true,
     "PUT",
     "/test$file.text",
     {{0}},
     {{"Host", "examplebucket.s3.amazonaws.com"},
      {"Date", "Fri, 24 May 2013 00:00:00 GMT"},
      {"x-amz-date", "20130524T000000Z"},
      {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
      {"x-amz-content-sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"}},
     "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
     "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
    {"GET Bucket Lifecycle",
     true,
     "GET",
     "/",
     {{"lifecycle", ""}},
     {{"Host", "examplebucket.s3.amazonaws.com"},
      {"x-amz-date", "20130524T000000Z"},
      {"x-amz-content-sha256", EMPTY}},
     EMPTY,
     "host;x-amz-content-sha256;x-amz-date",
     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
    {"List Objects",
     true,
     "GET",
     "/",
     {{"prefix", "J"}, {"max-keys", "2"}},
     {{"Host", "examplebucket.s3.amazonaws.com"},
      {"x-amz-date", "20130524T000000Z"},
      {"x-amz-content-sha256", EMPTY}},
     EMPTY,
     "host;x-amz-content-sha256;x-amz-date",
     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
    {"get-vanilla",
     false,
     "GET",
     "/",
     {{0}},
     {{"Host", "example.amazonaws.com"}, {"X-Amz-Date", "20150830T123600Z"}},
     EMPTY,
     "host;x-amz-date",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"get-vanilla-with-session-token",
     false,
     "GET",
     "/",
     {{0}},
     {{"Host", "example.amazonaws.com"},
      {"X-Amz-Date", "20150830T123600Z"},
      {"X-Amz-Security-Token", "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"}},
     EMPTY,
     "host;x-amz-date;x-amz-security-token",
     "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
    {"get-utf8",
     false,
     "GET",
     "/\u1234",
     {{0}},
     {{"Host", "example.amazonaws.com"}, {"X-Amz-Date", "20150830T123600Z"}},
     EMPTY,
     "host;x-amz-date",
     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
    {"get-unreserved",
     false,
     "GET",
     "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
     {{0}},
     {{"Host", "example.amazonaws.com"}, {"X-Amz-Date", "20150830T123600Z"}},
     EMPTY,
     "host;x-amz-date",
     "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
    {"get-space-unnormalized",
     false,
     "GET",
     "/example space/",
     {{0}},
     {{"Host", "example.amazonaws.com"}, {"X-Amz-Date", "20150830T123600Z"}},
     EMPTY,
     "host;x-amz-date",
     "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
    {"get-slashes-unnormalized",
     false,
     "GET",
     "//example//",
     {{0}},
     {{"Host", "example.amazonaws.com"}, {"X-Amz-Date", "20150830T123600Z"}},
     EMPTY,
     "host;x-amz-date",
     "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5"},
    {"get-vanilla-query-order-key-case",
     false,
     "GET",
     "/",
     {{"Param2", "value2"}, {"Param1", "value1"}},
     {{"Host", "example.amazonaws.com"}, {"X-Amz-Date", "20150830T123600Z"}},
     EMPTY,
     "host;x-amz-date",
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {"get-vanilla-utf8-query",
     false,
     "GET",
     "/",
     {{"\u1234", "bar"}},
     {{"Host", "example.amazonaws.com"}, {"X-Amz-Date", "20150830T123600Z"}},
     EMPTY,
     "host;x-amz-date",
     "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
    {"get-header-value-trim",
     false,
     "GET",
     "/",
     {{0}},
     {{"Host", "example.amazonaws.com"},
      {"My-Header1", " value1"},
      {"My-Header2", " \"a   b   c\""},
      {"X-Amz-Date", "20150830T123600Z"}},
     EMPTY,
     "host;my-header1;my-header2;x-amz-date",
     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
    {"post-x-www-form-urlencoded",
     false,
     "POST",
     "/",
     {{0}},
     {{"Content-Type", "application/x-www-form-urlencoded"},
      {"Host", "example.amazonaws.com"},
      {"Content-Length", "13"},
      {"x-amz-content-sha256", "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"},
      {"X-Amz-Date", "20150830T123600Z"}},
     "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e",
     "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
     "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"},
};

static size_t pairs(const wr_sigv4_pair *p, size_t most)
{
	size_t n = 0;
	while (n < most && p[n].name) n++;
	return n;
}

static wr_sigv4_request request_of(const vector *v)
{
	wr_sigv4_request rq = {.method = v->method,
	                       .path = v->path,
	                       .query = v->query,
	                       .query_count = pairs(v->query, 3),
	                       .headers = v->headers,
	                       .header_count = pairs(v->headers, 6),
	                       .payload_sha256 = v->body_hash,
	                       .region = "us-east-1",
	                       .service = v->s3 ? "s3" : "service"};
	const char *at = v->s3 ? "2013-05-24T00:00:00Z" : "2015-08-30T12:36:00Z";
	assert_int_equal(wr_time_parse(at, &rq.time_us, NULL), 0);
	return rq;
}

static void published_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		const vector *v = &vectors[i];
		wr_sigv4_request rq = request_of(v);
		wr_buf got = WR_BUF_INIT(4096), want = WR_BUF_INIT(4096);
		wr_err err = {0};
		const wr_sigv4_key *key = v->s3 ? &s3_key : &suite_key;
		if (wr_sigv4_authorization(&got, &rq, key, &err)) fail_msg("%s: %s", v->name, err.msg);
		wr_buf_addf(&want,
		            "AWS4-HMAC-SHA256 Credential=%s/%s/us-east-1/%s/aws4_request, "
		            "SignedHeaders=%s, Signature=%s",
		            key->access, v->s3 ? "20130524" : "20150830", v->s3 ? "s3" : "service",
		            v->names, v->signature);
		if (strcmp(wr_buf_cstr(&got), wr_buf_cstr(&want)))
			fail_msg("%s:\n%s\n%s", v->name, wr_buf_cstr(&got), wr_buf_cstr(&want));
		wr_buf_free(&got);
		wr_buf_free(&want);
	}
}

static void canonical_text(void **state)
{
	(void)state;
	wr_sigv4_request rq = request_of(&vectors[1]);
	wr_buf text = WR_BUF_INIT(WR_SIGV4_TEXT_MAX), names = WR_BUF_INIT(1024);
	assert_int_equal(wr_sigv4_canonical(&text, &names, &rq, NULL), 0);
	assert_string_equal(
	    wr_buf_cstr(&text),
	    "PUT\n/test%24file.text\n\ndate:Fri, 24 May 2013 00:00:00 GMT\n"
	    "host:examplebucket.s3.amazonaws.com\n"
	    "x-amz-content-sha256:44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072\n"
	    "x-amz-date:20130524T000000Z\nx-amz-storage-class:REDUCED_REDUNDANCY\n\n"
	    "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class\n"
	    "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
	wr_buf_free(&text);
	wr_buf_free(&names);
}

static void one_name_twice(void **state)
{
	(void)state;
	static const wr_sigv4_pair headers[] = {
	    {"X-B", "2"}, {"host", "h"}, {"x-b", " 1\t  3 "}, {"X-A", ""}};
	wr_sigv4_request rq = request_of(&vectors[4]);
	rq.headers = headers;
	rq.header_count = 4;
	wr_buf text = WR_BUF_INIT(WR_SIGV4_TEXT_MAX), names = WR_BUF_INIT(1024);
	assert_int_equal(wr_sigv4_canonical(&text, &names, &rq, NULL), 0);
	assert_string_equal(wr_buf_cstr(&names), "host;x-a;x-b");
	assert_non_null(strstr(wr_buf_cstr(&text), "host:h\nx-a:\nx-b:2,1 3\n\nhost;x-a;x-b\n"));
	wr_buf_free(&text);
	wr_buf_free(&names);
}

/* Each makes one thing of a good request bad. */
static void refusals(void **state)
{
	(void)state;
	static const wr_sigv4_pair split[] = {{"host", "h\r\nx-evil: 1"}}, named[] = {{"ho st", "h"}},
	                           none[] = {{"x-a", "1"}},
	                           covered[] = {{"host", "h"}, {"Authorization", "x"}},
	                           empty[] = {{"host", "h"}, {"", "x"}};
	for (int i = 0; i < 14; i++) {
		wr_sigv4_request rq = request_of(&vectors[4]);
		wr_sigv4_key key = suite_key;
		wr_sigv4_pair many[WR_SIGV4_PAIRS_MAX + 1];
		switch (i) {
		case 0:
			rq.method = "get";
			break;
		case 1:
			rq.method = "";
			break;
		case 2:
			rq.path = "no-slash";
			break;
		case 3:
			rq.payload_sha256 = "UNSIGNED-PAYLOAD";
			break;
		case 4:
			rq.region = "us/east";
			break;
		case 5:
			rq.service = "";
			break;
		case 6:
			rq.headers = split, rq.header_count = 1;
			break;
		case 7:
			rq.headers = named, rq.header_count = 1;
			break;
		case 8:
			rq.headers = none, rq.header_count = 1;
			break;
		case 9:
			rq.headers = covered, rq.header_count = 2;
			break;
		case 10:
			rq.headers = empty, rq.header_count = 2;
			break;
		case 11:
			key.secret = "";
			break;
		case 12:
			key.access = "AKID/../x";
			break;
		default:
			for (size_t k = 0; k <= WR_SIGV4_PAIRS_MAX; k++) many[k] = (wr_sigv4_pair){"host", "h"};
			rq.headers = many, rq.header_count = WR_SIGV4_PAIRS_MAX + 1;
		}
		wr_buf out = WR_BUF_INIT(4096);
		wr_err err = {0};
		if (wr_sigv4_authorization(&out, &rq, &key, &err) == 0) fail_msg("case %d was signed", i);
		assert_null(strstr(err.msg, suite_key.secret));
		assert_int_equal(out.len, 0);
		wr_buf_free(&out);
	}
}

static void no_room(void **state)
{
	(void)state;
	char *path = test_malloc(WR_SIGV4_TEXT_MAX + 2);
	memset(path, '/', WR_SIGV4_TEXT_MAX + 1);
	path[WR_SIGV4_TEXT_MAX + 1] = '\0';
	wr_sigv4_request rq = request_of(&vectors[0]);
	rq.path = path;
	wr_buf out = WR_BUF_INIT(4096), tiny = WR_BUF_INIT(16);
	wr_err err = {0};
	assert_int_equal(wr_sigv4_authorization(&out, &rq, &s3_key, &err), -1);
	assert_int_equal(err.code, WR_E_LIMIT);
	rq = request_of(&vectors[0]);
	assert_int_equal(wr_sigv4_authorization(&tiny, &rq, &s3_key, &err), -1);
	test_free(path);
	wr_buf_free(&out);
	wr_buf_free(&tiny);
}

static void times(void **state)
{
	(void)state;
	char t[WR_SIGV4_TIME_LEN];
	wr_sigv4_time(t, INT64_C(1369353600000000));
	assert_string_equal(t, "20130524T000000Z");
	wr_sigv4_time(t, INT64_C(1440938160999999));
	assert_string_equal(t, "20150830T123600Z");
	wr_sigv4_time(t, INT64_MAX);
	assert_string_equal(t, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(published_vectors), cmocka_unit_test(canonical_text),
	    cmocka_unit_test(one_name_twice),    cmocka_unit_test(refusals),
	    cmocka_unit_test(no_room),           cmocka_unit_test(times),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
