/* fuzz_config.c: any bytes as a configuration: never a crash or a leak, always a reason; and what
 * loads can be planned with, whatever pair of regions is asked for. */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "warroom/io.h"
#include "warroom/model.h"

static void expand(const wr_config *c, const char *text, const wr_region *from, const wr_region *to)
{
	wr_err err;
	wr_buf b = WR_BUF_INIT(8192);
	WR_ASSERT(wr_template_expand(&b, text, c, from, to, &err) == 0);
	wr_buf_free(&b);
}

static void expand_action(const wr_config *c, const wr_action *a, const wr_region *from,
                          const wr_region *to)
{
	expand(c, a->http.url, from, to);
	expand(c, a->http.body, from, to);
	expand(c, a->ask, from, to);
	expand(c, a->text, from, to);
	for (size_t i = 0; i < a->http.argc; i++) expand(c, a->http.argv[i], from, to);
	for (size_t i = 0; i < a->http.header_count; i++) expand(c, a->http.headers[i].value, from, to);
	int sum = 0;
	for (size_t i = 0; i < a->weight_count; i++) sum += a->weights[i].percent;
	WR_ASSERT(a->kind != WR_STEP_TRAFFIC || sum == 100);
}

static void use(const wr_config *c)
{
	WR_ASSERT(c->region_count > 0 && c->platform[0] != '\0');
	for (size_t r = 0; r < c->runbook_count; r++) {
		for (size_t i = 0; i < c->runbooks[r].step_count; i++) {
			const wr_step *s = &c->runbooks[r].steps[i];
			for (size_t p = 0; c->region_count > 1 && p < c->region_count; p++) {
				const wr_region *from = &c->regions[p];
				const wr_region *to = &c->regions[(p + 1) % c->region_count];
				if (from->role == WR_WITNESS || to->role == WR_WITNESS) continue;
				expand_action(c, &s->action, from, to);
				if (s->has_rollback) expand_action(c, &s->rollback, from, to);
				if (s->has_probe) expand_action(c, &s->probe, from, to);
			}
			WR_ASSERT(s->timeout_ms > 0 && s->name[0] != '\0');
		}
	}
	for (size_t i = 0; i < c->signal_count; i++)
		WR_ASSERT(c->signals[i].breach_when != NULL && c->signals[i].interval_ms >= 100);
}

static void check_findings(const wr_findings *f)
{
	WR_ASSERT(f->count <= WR_FINDINGS_MAX && f->count + f->more == f->errors + f->warnings);
	for (size_t i = 0; i < f->count; i++) {
		WR_ASSERT(f->items[i].text[0] != '\0');
		for (const char *s = f->items[i].text; *s != '\0'; s++)
			WR_ASSERT((unsigned char)*s >= 0x20 && *s != 0x7f);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64];
	wr_findings f;
	int fd = memfd_create("config", MFD_CLOEXEC);
	if (fd < 0) return 0;
	if (fchmod(fd, 0600) == 0 && wr_write_all(fd, data, size, NULL) == 0) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		wr_config *c = wr_config_load(path, &f);
		WR_ASSERT((c == NULL) == (f.errors > 0));
		check_findings(&f);
		if (c != NULL) use(c);
		wr_config_free(c);
		wr_findings_free(&f);
	}
	close(fd);
	return 0;
}
