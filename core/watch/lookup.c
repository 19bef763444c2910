/* lookup.c: the half-open gate before names that do not resolve. */
#include "watch/lookup.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

static char *host_of(const char *url)
{
	CURLU *u = curl_url();
	char *host = NULL, *copy = NULL;
	if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK)
		copy = strdup(host);
	curl_free(host);
	curl_url_cleanup(u);
	return copy;
}

wr_host *wr_hosts_find(wr_hosts *h, const char *url)
{
	char *name = host_of(url);
	if (!name) return NULL;
	for (size_t i = 0; i < h->count; i++)
		if (strcmp(h->items[i].name, name) == 0) {
			free(name);
			return &h->items[i];
		}
	WR_ASSERT(h->count < h->max);
	h->items[h->count] = (wr_host){.name = name};
	return &h->items[h->count++];
}

void wr_hosts_clear(wr_hosts *h)
{
	for (size_t i = 0; i < h->count; i++) free(h->items[i].name);
	free(h->items);
	*h = (wr_hosts){0};
}

bool wr_host_may_look(wr_host *h, int64_t now_ms)
{
	if (!h || h->hold_until_ms == 0) return true;
	if (now_ms < h->hold_until_ms) return false;
	h->hold_until_ms = now_ms + WR_LOOKUP_HOLD_MS;
	return true;
}

void wr_host_looked(wr_host *h, bool hung, int64_t now_ms)
{
	if (h) h->hold_until_ms = hung ? now_ms + WR_LOOKUP_HOLD_MS : 0;
}
