/* foreign_map.c: two generations of an open-addressing map: when the young one is full it becomes
 * the old one, and the old one is forgotten. So the last WR_FOREIGN_WINDOW keys are always known.
 */
#include <stdlib.h>

#include "ledger/foreign.h"

#define CAP_FIRST 256

static foreign_slot *slot(foreign_slot *slots, size_t cap, uint64_t key)
{
	size_t i = (size_t)key & (cap - 1);
	while (slots[i].key && slots[i].key != key) i = (i + 1) & (cap - 1);
	return &slots[i];
}

static const foreign_slot *find(const foreign_map *m, uint64_t key)
{
	const foreign_slot *s = m->young ? slot(m->young, m->cap, key) : NULL;
	if (s && s->key) return s;
	s = m->old ? slot(m->old, m->old_cap, key) : NULL;
	return s && s->key ? s : NULL;
}

static int make_room(foreign_map *m)
{
	if (m->count >= WR_FOREIGN_WINDOW) {
		free(m->old);
		m->old = m->young;
		m->old_cap = m->cap;
		m->young = NULL;
		m->cap = m->count = 0;
	}
	if (m->young && m->count < m->cap / 2) return 0;
	size_t cap = m->cap ? 2 * m->cap : CAP_FIRST;
	foreign_slot *more = calloc(cap, sizeof *more);
	if (!more) return -1;
	for (size_t i = 0; i < m->cap; i++)
		if (m->young[i].key) *slot(more, cap, m->young[i].key) = m->young[i];
	free(m->young);
	m->young = more;
	m->cap = cap;
	return 0;
}

int foreign_map_add(foreign_map *m, uint64_t key, uint64_t *value)
{
	if (!key) key = 1;
	const foreign_slot *there = find(m, key);
	if (there) {
		*value = there->value;
		return 0;
	}
	if (make_room(m) != 0) return -1;
	*slot(m->young, m->cap, key) = (foreign_slot){.key = key, .value = *value};
	m->count++;
	return 1;
}

bool foreign_map_has(const foreign_map *m, uint64_t key)
{
	return find(m, key ? key : 1) != NULL;
}

void foreign_map_free(foreign_map *m)
{
	free(m->young);
	free(m->old);
	*m = (foreign_map){0};
}
