/* since.c: from where on: a receipt's number, how long ago, or a time. Pure. */
#include <string.h>

#include "warroom/export.h"
#include "warroom/json.h"
#include "warroom/text.h"

int wr_since_parse(const char *text, int64_t now_us, wr_since *out, wr_err *err)
{
	char shown[64];
	wr_err ignored;
	int64_t ms;
	*out = (wr_since){.kind = WR_SINCE_ALL};
	if (!text || !*text) return 0;
	size_t len = strlen(text), digits = strspn(text, "0123456789");
	if (digits == len && len <= 16) {
		for (size_t i = 0; i < len; i++) out->seq = out->seq * 10 + (text[i] - '0');
		out->kind = WR_SINCE_SEQ;
		if (out->seq <= WR_INT_MAX_SAFE) return 0;
	} else if (digits < len && wr_duration_parse(text, &ms, &ignored) == 0) {
		out->kind = WR_SINCE_TIME;
		out->time_us = ms < now_us / 1000 ? now_us - ms * 1000 : 0;
		return 0;
	} else if (wr_time_parse(text, &out->time_us, &ignored) == 0) {
		out->kind = WR_SINCE_TIME;
		return 0;
	}
	return wr_fail(err, WR_E_INVALID,
	               "since \"%s\": give a receipt's number (10240), how long ago (5m, 1h30m) or a "
	               "time (2026-01-25T12:40:00Z)",
	               wr_sanitise_to(shown, sizeof shown, text));
}
