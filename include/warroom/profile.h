/* profile.h: how other software chains its receipts (docs/foreign-chains.md).
 *
 * Read from YAML: a file of its own, or inside warroom.yaml. Immutable after loading; strings
 * belong to the profile, or to the configuration that it is part of. */
#ifndef WARROOM_PROFILE_H
#define WARROOM_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "warroom/jsontext.h"

struct wr_arena;
struct wr_pair;
struct wr_findings;

typedef enum wr_hash_algorithm { WR_ALG_SHA256, WR_ALG_SHA384, WR_ALG_SHA512 } wr_hash_algorithm;
typedef enum wr_hash_encoding {
	WR_ENC_HEX, /* lower case, and only that */
	WR_ENC_BASE64,
	WR_ENC_BASE64URL, /* with or without padding */
	WR_ENC_HEX_UPPER
} wr_hash_encoding;
/* What is hashed: the canonical content alone, or with the previous hash in front or behind. */
typedef enum wr_hash_over {
	WR_OVER_CONTENT,
	WR_OVER_PREV_CONTENT,
	WR_OVER_CONTENT_PREV
} wr_hash_over;
/* What stands for the previous hash in the first record. */
typedef enum wr_genesis {
	WR_GENESIS_TEXT,   /* exactly this string; "" too */
	WR_GENESIS_NULL,   /* a JSON null */
	WR_GENESIS_ABSENT, /* no such member */
	WR_GENESIS_ZEROS,  /* a hash of zero bytes, encoded like any other */
	WR_GENESIS_ANY     /* not looked at */
} wr_genesis;
typedef enum wr_time_unit {
	WR_TIME_RFC3339,
	WR_TIME_S,
	WR_TIME_MS,
	WR_TIME_US,
	WR_TIME_NS
} wr_time_unit;
/* How the next page of an HTTP source is asked for. */
typedef enum wr_page_style {
	WR_PAGE_NONE,   /* there is one page, with everything */
	WR_PAGE_SINCE,  /* ?since=SEQ: that record and those after it */
	WR_PAGE_AFTER,  /* ?after=SEQ: those after it */
	WR_PAGE_OFFSET, /* ?offset=N: how many to leave out */
	WR_PAGE_CURSOR, /* ?cursor=TEXT, found in the page before */
	WR_PAGE_NEXT,   /* the page has the URL of the next one */
	WR_PAGE_LINK    /* as NEXT, in the header Link: <…>; rel="next" */
} wr_page_style;

#define WR_PROFILE_EXCLUDE_MAX 16
#define WR_PROFILE_LEADING_MAX 16

typedef struct wr_profile {
	const char *seq, *id, *time; /* JSON pointers; "" if there is none */
	const char *prev, *hash;     /* JSON pointers */
	wr_time_unit time_unit;      /* a number's; text is always RFC 3339 */
	const char *const *exclude;  /* JSON pointers of what does not enter the hash */
	size_t exclude_count;
	wr_canon_style canonical;
	wr_hash_algorithm algorithm;
	wr_hash_encoding encoding;
	const char *prefix; /* of the stored hash: "sha256:" */
	wr_hash_over over;
	const char *separator; /* between the previous hash and the content */
	bool prev_bytes;       /* the previous hash goes in decoded, not as its text */
	uint8_t leading[WR_PROFILE_LEADING_MAX]; /* bytes in front of all that is hashed */
	size_t leading_len;
	wr_genesis genesis;
	const char *genesis_text;
	int64_t first_seq;
	bool pruned; /* the oldest records may be gone */
	/* HTTP */
	wr_page_style style;
	const char *param, *limit_param; /* names of query parameters; limit_param "" none */
	int limit;
	bool lines;                   /* a page is JSON lines, not JSON */
	const char *records, *cursor; /* pointers in a page: the list; the cursor or URL of the next */
	const struct wr_pair *headers;
	size_t header_count;
	const char *ca_file;
	int64_t timeout_ms;     /* of one page */
	struct wr_arena *arena; /* of a profile read by itself; NULL inside a configuration */
} wr_profile;

/* wr_profile_load reads a file; all that is wrong with it is in *f (never NULL, to be freed). Paths
 * in it start at its own directory. NULL when there is any error. */
wr_profile *wr_profile_load(const char *path, struct wr_findings *f);
void wr_profile_free(wr_profile *p); /* only what wr_profile_load gave; NULL is fine */
bool wr_source_is_url(const char *source);

#endif
