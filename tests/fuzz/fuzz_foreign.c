/* fuzz_foreign.c: any bytes as other people's receipts, through every canonicaliser; what is
 * written must be JSON again and the same when it is written once more. As a file, lines and arrays
 * are read as they are. The first byte chooses the profile. */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ledger/foreign.h"
#include "warroom/io.h"

static void write_twice(const char *s, size_t n, wr_canon_style style)
{
	wr_err err;
	wr_buf once = WR_BUF_INIT(8u << 20), twice = WR_BUF_INIT(8u << 20);
	wr_jt *j = wr_jt_new();
	if (wr_jt_parse(j, s, n, &err) == 0) {
		uint32_t node = wr_jt_at(j, "/h");
		if (node != WR_JT_NONE && wr_jt_kind_of(j, 0) == WR_JT_OBJECT) wr_jt_exclude(j, node);
		bool infinite = false;
		if (wr_jt_write(j, &style, &once, &err) == 0) {
			infinite = style.kind == WR_CANON_PYTHON && memmem(once.data, once.len, "Infinity", 8);
			if (!infinite) {
				WR_ASSERT(wr_jt_parse(j, once.data, once.len, &err) == 0);
				WR_ASSERT(wr_jt_write(j, &style, &twice, &err) == 0);
				WR_ASSERT(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
			}
		}
	}
	wr_jt_free(j);
	wr_buf_free(&once);
	wr_buf_free(&twice);
}

static void read_file(const uint8_t *data, size_t size, unsigned choice)
{
	static const char *const exclude[] = {"/h", "/m/s"};
	static wr_foreign_report r;
	char path[64];
	wr_err err;
	wr_profile p = {.seq = choice & 4 ? "/n" : "",
	                .id = choice & 8 ? "/i" : "",
	                .time = "/t",
	                .prev = "/p",
	                .hash = "/h",
	                .exclude = exclude,
	                .exclude_count = 2,
	                .canonical = {.kind = (wr_canon_kind)(choice & 3)},
	                .prefix = "",
	                .separator = "",
	                .over = choice & 16 ? WR_OVER_PREV_CONTENT : WR_OVER_CONTENT,
	                .genesis = choice & 32 ? WR_GENESIS_ANY : WR_GENESIS_ZEROS,
	                .genesis_text = "",
	                .encoding = choice & 64 ? WR_ENC_BASE64URL : WR_ENC_HEX};
	int fd = memfd_create("foreign", MFD_CLOEXEC);
	if (fd < 0) return;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	wr_foreign *f = wr_foreign_open(&p, path, &err);
	if (f && wr_write_all(fd, data, size, NULL) == 0 && wr_foreign_audit(f, &r, NULL, &err) == 0) {
		WR_ASSERT(r.valid <= r.checked && r.anomaly_count <= WR_FOREIGN_KEPT);
		WR_ASSERT(r.ok == (r.anomaly_total == r.kinds[WR_AN_TORN]));
		bool ok = r.ok;
		WR_ASSERT(wr_foreign_poll(f, &r, NULL, &err) == 0 && r.ok == ok);
		json_decref(wr_foreign_json(&r));
	}
	wr_foreign_close(f);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 200000) return 0;
	const char *s = (const char *)data + 1;
	for (int kind = 0; kind < WR_CANON_COUNT; kind++)
		write_twice(s, size - 1, (wr_canon_style){.kind = (wr_canon_kind)kind});
	write_twice(s, size - 1,
	            (wr_canon_style){.kind = WR_CANON_PYTHON, .compact = true, .utf8 = true});
	read_file(data + 1, size - 1, data[0]);
	return 0;
}
