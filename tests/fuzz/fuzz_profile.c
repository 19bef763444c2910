/* fuzz_profile.c: any bytes as a profile: never a crash or a leak, always a reason; and what loads
 * can be used on a record. */
#include "fuzz.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/foreign.h"
#include "warroom/io.h"
#include "warroom/model.h"

static void use(const wr_profile *p)
{
	static const char record[] = "{\"a\":1,\"hash\":\"00\",\"h\":\"aa\",\"prev\":null,\"p\":\"\","
	                             "\"seq\":0,\"m\":{\"sig\":[1]}}";
	static wr_foreign_report r;
	static foreign_check c;
	const foreign_place at = {.line = 1};
	wr_err err;
	if (foreign_check_init(&c, p, &r, NULL, false, &err) != 0) return;
	for (int i = 0; i < 2; i++)
		WR_ASSERT(foreign_check_record(&c, record, sizeof record - 1, &at, &err) == 0);
	foreign_check_end(&c);
	WR_ASSERT(r.checked == 2 && r.valid + r.invalid >= 2);
	foreign_check_free(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64];
	wr_findings f;
	int fd = memfd_create("profile", MFD_CLOEXEC);
	if (fd < 0) return 0;
	if (fchmod(fd, 0600) == 0 && wr_write_all(fd, data, size, NULL) == 0) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		wr_profile *p = wr_profile_load(path, &f);
		WR_ASSERT((p == NULL) == (f.errors > 0));
		if (p != NULL) use(p);
		wr_profile_free(p);
		wr_findings_free(&f);
	}
	close(fd);
	return 0;
}
