/* fetch.h: one probe over HTTP: a curl easy handle, kept so that its connection is reused.
 *
 * wr_fetch_begin arms the handle, somebody drives it (a multi handle or curl_easy_perform), then
 * wr_fetch_end turns the outcome into a sample. Between begin and end the handle holds expanded
 * secrets, outside of it none. Not thread-safe: one thread at a time. */
#ifndef WARROOM_WATCH_FETCH_H
#define WARROOM_WATCH_FETCH_H

#include <curl/curl.h>
#include <stdatomic.h>

#include "warroom/watch.h"

typedef struct wr_fetch wr_fetch;

WR_CHECKED int wr_fetch_setup(wr_err *err); /* curl's global state, once for the process */
/* wr_fetch_new: `probe` is borrowed and must not be WR_PROBE_EXEC. */
WR_CHECKED wr_fetch *wr_fetch_new(const wr_probe *probe, int64_t timeout_ms, void *owner,
                                  wr_err *err);
void wr_fetch_free(wr_fetch *f); /* not while a multi handle holds it */
CURL *wr_fetch_easy(wr_fetch *f);
void *wr_fetch_owner(CURL *easy); /* as given to wr_fetch_new */
WR_CHECKED int wr_fetch_begin(wr_fetch *f, wr_err *err);

typedef enum wr_fetch_outcome {
	WR_FETCH_DONE,   /* *out is a sample */
	WR_FETCH_LOOKUP, /* *out is a sample: the lookup of the name did not end in time */
	WR_FETCH_OURS /* it failed for want of our own descriptors or memory: no sample, only detail */
} wr_fetch_outcome;
wr_fetch_outcome wr_fetch_end(wr_fetch *f, CURLcode code, wr_sample *out);

/* wr_sample_failed makes *out the sample of a probe that failed with this detail. */
void wr_sample_failed(wr_sample *out, const char *detail);

/* wr_exec_probe runs an exec probe, blocking. false: cancelled, no sample. */
WR_CHECKED bool wr_exec_probe(const wr_probe *probe, int64_t timeout_ms, const atomic_bool *cancel,
                              wr_sample *out);

#endif
