/* fuzz.h: what every fuzz target shares.
 *
 * A target is a libFuzzer entry point; with -DWR_FUZZ_MAIN it is a plain program instead that runs
 * each file named on its command line, to replay a corpus where libFuzzer is missing. */
#ifndef WARROOM_FUZZ_H
#define WARROOM_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifdef WR_FUZZ_MAIN
#include <stdio.h>
#include <stdlib.h>

#define WR_FUZZ_FILE_MAX (1u << 20)

int main(int argc, char **argv)
{
	uint8_t *data = malloc(WR_FUZZ_FILE_MAX);
	if (!data) return 1;
	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "rb");
		if (!f) {
			perror(argv[i]);
			free(data);
			return 1;
		}
		size_t n = fread(data, 1, WR_FUZZ_FILE_MAX, f);
		(void)fclose(f);
		(void)LLVMFuzzerTestOneInput(data, n);
	}
	free(data);
	printf("%d inputs\n", argc - 1);
	return 0;
}
#endif

#endif
