/* canon.h: what json.c borrows from canon.c. */
#ifndef WARROOM_BASE_CANON_H
#define WARROOM_BASE_CANON_H

#include <jansson.h>

/* wr_canon_keys gives the keys of an object in byte order, NULL-terminated: free() the array, the
 * keys stay the object's. NULL when out of memory. */
const char **wr_canon_keys(const json_t *object);

#endif
