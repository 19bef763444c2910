/* fuzz_anchor.c: no response crashes what judges time stamps, and none that still holds after it
 * was changed says anything else than the one that was signed.
 *
 * Input: two bytes, the length of the request; the request; the response. The key of the CA whose
 * certificate is here was thrown away. */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "warroom/anchor.h"

#define STAMPED_US INT64_C(1795226320000000) /* 2026-11-21T01:58:40Z, as the seed says */

static const char note[] = "acme/us-central1/ops\n7\nroot\n";
static const char ca_pem[] = "-----BEGIN CERTIFICATE-----\n"
                             "MIIBTjCB9qADAgECAhQGax1F/g8i5gRgOT+ry+vM05WzRTAKBggqhkjOPQQDAjAN\n"
                             "MQswCQYDVQQDDAJDQTAgFw0yNjExMjEwMTU4NDBaGA8yMTI2MTAyODAxNTg0MFow\n"
                             "DTELMAkGA1UEAwwCQ0EwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATF2fZxP50+\n"
                             "d9runnow/uTzHpyXSkr/t+FbvIuYH3czqeKjDXy9bbwXEPFI5O2xOwTkf3Q9BuE1\n"
                             "mjqBcUqoSe7sozIwMDAPBgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBSqV1EcRrCF\n"
                             "h7WPF2BdwScTUJOCFDAKBggqhkjOPQQDAgNHADBEAiBi03qAlryT8flySrI9CiRj\n"
                             "PIWOu5JhEfmUzSzXmSv4mgIgK+RHC0Ycw7T4qatcjBGFMo6w8LW87NCZuAn1TdEO\n"
                             "Wyo=\n"
                             "-----END CERTIFICATE-----\n";

/* A file that nobody else sees, for libcrypto to read. */
static const char *ca_file(void)
{
	static char path[64];
	if (path[0]) return path;
	int fd = memfd_create("ca.pem", 0);
	WR_ASSERT(fd >= 0 && write(fd, ca_pem, sizeof ca_pem - 1) == (ssize_t)sizeof ca_pem - 1);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > WR_ANCHOR_MAX) return 0;
	size_t n = (size_t)data[0] << 8 | data[1];
	if (n > size - 2) n = size - 2;
	wr_bytes text = {note, sizeof note - 1}, request = {data + 2, n},
	         response = {data + 2 + n, size - 2 - n};
	wr_anchor_proof p;
	wr_err err = {.code = WR_E_OK};
	if (wr_anchor_check(&p, text, request, response, ca_file(), &err) != 0) {
		WR_ASSERT(err.code != WR_E_OK && err.msg[0] && p.time_us == 0 && !p.digest[0]);
		for (const char *c = err.msg; *c; c++) WR_ASSERT((unsigned char)*c >= 0x20 && *c != 0x7f);
		return 0;
	}
	WR_ASSERT(p.time_us == STAMPED_US && strcmp(p.tsa, "CN=TSA") == 0 &&
	          strcmp(p.policy, "1.2.3.4.1") == 0 && p.accuracy_us == 1002003);
	return 0;
}
