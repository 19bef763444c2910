/* isolation.c: could it be us? The references are the observer's proof that it can see. Pure.
 *
 * One reference that answers is enough to be seeing; a reference without any sample yet says
 * nothing, one that went silent is as bad as one that fails. */
#include "watch/track.h"

#include <string.h>

#include "warroom/text.h"

typedef struct reference_count {
	unsigned configured, sampled, fresh, clear, answering;
	int64_t newest_us;
} reference_count;

static reference_count count_references(const wr_tracked_world *tw)
{
	reference_count n = {0};
	const wr_world *w = &tw->w;
	for (size_t i = 0; i < w->cfg->signal_count; i++) {
		const wr_signal_view *v = &w->signals[i];
		const wr_signal_track *t = &tw->signals[i];
		if (w->cfg->signals[i].signal_class != WR_CLASS_REFERENCE) continue;
		n.configured++;
		if (v->samples == 0) continue;
		n.sampled++;
		if (v->last_us > n.newest_us) n.newest_us = v->last_us;
		if (wr_age_us(w->now_us, v->last_us, t->fresh_us) <= t->fresh_us) n.fresh++;
		if (v->status != WR_CLEAR) continue;
		n.clear++;
		if (t->last_good) n.answering++;
	}
	return n;
}

/* failing_text says of each reference what was seen last: "dns: timed out after 2.0s". */
static void failing_text(const wr_world *w, char *out, size_t size)
{
	bool first = true;
	for (size_t i = 0; i < w->cfg->signal_count; i++) {
		const wr_signal_view *v = &w->signals[i];
		if (w->cfg->signals[i].signal_class != WR_CLASS_REFERENCE || v->samples == 0) continue;
		wr_say(out, size, "%s%s", first ? ": " : "; ", w->cfg->signals[i].name);
		if (v->last.detail[0]) wr_say(out, size, " (%s)", v->last.detail);
		first = false;
	}
}

static void isolation_text(wr_world *w, const reference_count *n)
{
	char text[1024] = "";
	if (n->configured == 0) {
		wr_say(text, sizeof text, "no references are configured: cannot tell our own blindness");
	} else if (n->sampled == 0) {
		wr_say(text, sizeof text, "no reference has answered yet");
	} else if (n->fresh == 0) {
		char age[16];
		wr_duration_format(age, sizeof age, (w->now_us - n->newest_us) / 1000);
		wr_say(text, sizeof text, "no sample of any reference for %s", age);
	} else if (w->isolated) {
		wr_say(text, sizeof text, "none of %u references answers", n->sampled);
		failing_text(w, text, sizeof text);
	} else {
		wr_say(text, sizeof text, "%u of %u references answer", n->clear, n->configured);
	}
	(void)wr_sanitise_to(w->isolated_reason, sizeof w->isolated_reason, text);
}

bool wr_isolation_judge(wr_tracked_world *tw)
{
	wr_world *w = &tw->w;
	bool was = w->isolated;
	reference_count n = count_references(tw);
	w->isolated = n.sampled > 0 && n.clear == 0;
	w->isolation_known = n.fresh > 0;
	isolation_text(w, &n);
	if (was && !w->isolated)
		for (size_t i = 0; i < w->cfg->signal_count; i++) {
			if (tw->signals[i].region == WR_NO_REGION) continue;
			wr_signal_forget(&w->signals[i], &tw->signals[i]);
			wr_signal_refresh(&w->signals[i], &tw->signals[i], w->now_us);
		}
	return n.configured == 0 || n.answering > 0;
}
