/* ledger_verify.c: ledger verify. It needs no engine: it reads the files. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/ledger.h"
#include "cli/lines.h"
#include "warroom/clock.h"
#include "warroom/export.h"
#include "warroom/io.h"
#include "warroom/proof.h"
#include "warroom/verify.h"

#define THREADS_MAX 16
#define BAR_MAX     40
#define REDRAW_MS   100
#define KEY_FILE    (64u << 10)

const cli_option ledger_verify_options[] = {
    {"since", "WHEN", "only from there on: a receipt's number, how long ago (1h30m), or a time"},
    {"threads", "N", "1 to 16 (default: one for each processor)"},
    {"key", "FILE",
     "the key that must have signed the checkpoints (default: engine.pub beside them)"},
    {NULL, NULL, NULL}};

/* ---- progress ---- */

typedef struct bar {
	bool show, ascii;
	int64_t began_ms, drawn_ms;
	size_t width; /* of what is on the line now */
} bar;

static size_t columns(void)
{
	struct winsize w;
	return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
}

static void clear_bar(bar *b)
{
	if (b->width > 0) fprintf(stderr, "\r%*s\r", (int)b->width, "");
	b->width = 0;
}

/* " 42 % ████░░░░  1.4 GB/s  00:12 left" */
static void draw_bar(void *ctx, int64_t bytes, int64_t total)
{
	bar *b = ctx;
	int64_t now_ms = wr_mono_ms(&wr_clock_system), took_ms = now_ms - b->began_ms;
	char text[80];
	if (bytes >= total) {
		clear_bar(b);
		return;
	}
	if (now_ms - b->drawn_ms < REDRAW_MS) return;
	b->drawn_ms = now_ms;
	double rate = took_ms > 0 ? (double)bytes * 1000 / (double)took_ms : 0;
	int64_t left_s = rate > 0 ? (int64_t)((double)(total - bytes) / rate) + 1 : 0;
	int n = snprintf(text, sizeof text, "  %.0f MB/s  %02lld:%02lld left", rate / 1e6,
	                 (long long)(left_s / 60), (long long)(left_s % 60));
	size_t room = columns(), used = (size_t)n + sizeof "100 % ";
	size_t cells = room > used ? room - used : 0;
	if (cells > BAR_MAX) cells = BAR_MAX;
	size_t full = (size_t)((double)cells * (double)bytes / (double)total);
	fprintf(stderr, "\r%3lld %% ", (long long)(bytes * 100 / total));
	for (size_t i = 0; i < cells; i++)
		fputs(i < full ? (b->ascii ? "#" : "\xe2\x96\x88") : (b->ascii ? "." : "\xe2\x96\x91"),
		      stderr);
	fputs(text, stderr);
	size_t width = sizeof "100 %" + cells + (size_t)n;
	for (size_t i = width; i < b->width; i++) fputc(' ', stderr);
	b->width = width;
}

/* ---- the verb ---- */

static int read_key(const char *path, uint8_t out[static WR_ED25519_PUBLIC], wr_err *err)
{
	wr_trusted keys[WR_TRUSTED_MAX];
	size_t count = 0;
	wr_buf text = WR_BUF_INIT(KEY_FILE);
	int rc = wr_read_file(&text, path, KEY_FILE, WR_ANY, err);
	if (rc == 0 && memchr(wr_buf_cstr(&text), '\0', text.len))
		rc = wr_fail(err, WR_E_INVALID, "%s: no public key: a NUL byte is in it", path);
	if (rc == 0) rc = wr_trusted_parse(keys, &count, wr_buf_cstr(&text), err);
	if (rc == 0 && count != 1)
		rc = wr_fail(err, WR_E_INVALID, "%s: expected one public key, found %zu", path, count);
	if (rc == 0) memcpy(out, keys[0].public_key, WR_ED25519_PUBLIC);
	wr_buf_free(&text);
	return rc ? wr_err_wrap(err, "--key") : 0;
}

static int read_options(const cli *c, wr_verify_opts *o, uint8_t *key, wr_err *err)
{
	const char *since = cli_opt(c, "since"), *file = cli_opt(c, "key");
	wr_since from;
	if (wr_since_parse(since ? since : "", wr_wall_us(&wr_clock_system), &from, err)) return -1;
	if (from.kind == WR_SINCE_SEQ) o->since_seq = from.seq;
	if (from.kind == WR_SINCE_TIME) o->since_us = from.time_us > 0 ? from.time_us : 1;
	if (!file) return 0;
	o->engine_pub = key;
	return read_key(file, key, err);
}

static void print_report(const cli *c, const wr_verify_report *r)
{
	if (c->json) {
		json_t *j = wr_verify_json(r);
		cli_print_json(j);
		json_decref(j);
		return;
	}
	wr_buf out = WR_BUF_INIT(4u << 20);
	wr_verify_print(r, cli_unicode(c), &out);
	fputs(wr_buf_cstr(&out), stdout);
	wr_buf_free(&out);
}

int ledger_verify(cli *c)
{
	if (c->argc != 1) return cli_usage(c, "ledger verify needs one PATH");
	bar b = {.show = isatty(STDERR_FILENO) && !c->json,
	         .ascii = !cli_unicode(c),
	         .began_ms = wr_mono_ms(&wr_clock_system)};
	wr_verify_opts opts = {.progress = b.show ? draw_bar : NULL, .ctx = &b};
	wr_verify_report rep = {0};
	uint8_t key[WR_ED25519_PUBLIC];
	wr_err err = {0};
	int64_t threads = 0;
	if (cli_number(c, "threads", 1, THREADS_MAX, &threads) != EXIT_OK) return EXIT_USAGE;
	opts.threads = (unsigned)threads;
	int rc = read_options(c, &opts, key, &err);
	if (rc == 0) rc = wr_ledger_verify_with(c->argv[0], &opts, &rep, &err);
	clear_bar(&b);
	if (rc) {
		(void)cli_error(c, &err);
		return EXIT_USAGE;
	}
	print_report(c, &rep);
	bool ok = rep.ok;
	wr_verify_free(&rep);
	return ok ? EXIT_OK : EXIT_NO;
}
