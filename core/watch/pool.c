/* pool.c: the threads that run programs, so that one that hangs stalls no HTTP probe. */
#include "watch/prober.h"

#include <errno.h>
#include <unistd.h>

static void append(wr_target_list *l, wr_probe_target *t)
{
	t->next = NULL;
	if (l->tail)
		l->tail->next = t;
	else
		l->head = t;
	l->tail = t;
}

void wr_prober_queue(wr_prober *p, wr_probe_target *t)
{
	(void)pthread_mutex_lock(&p->lock);
	append(&p->queued, t);
	(void)pthread_cond_signal(&p->work);
	(void)pthread_mutex_unlock(&p->lock);
}

wr_probe_target *wr_prober_take_back(wr_prober *p)
{
	(void)pthread_mutex_lock(&p->lock);
	wr_probe_target *all = p->handed_back.head;
	p->handed_back = (wr_target_list){0};
	(void)pthread_mutex_unlock(&p->lock);
	return all;
}

static wr_probe_target *next_queued(wr_prober *p)
{
	(void)pthread_mutex_lock(&p->lock);
	while (!p->queued.head && !atomic_load(&p->stopping))
		(void)pthread_cond_wait(&p->work, &p->lock);
	wr_probe_target *t = atomic_load(&p->stopping) ? NULL : p->queued.head;
	if (t) {
		p->queued.head = t->next;
		if (!t->next) p->queued.tail = NULL;
	}
	(void)pthread_mutex_unlock(&p->lock);
	return t;
}

static void hand_back(wr_prober *p, wr_probe_target *t)
{
	(void)pthread_mutex_lock(&p->lock);
	append(&p->handed_back, t);
	(void)pthread_mutex_unlock(&p->lock);
	uint64_t one = 1;
	ssize_t put = write(p->wake_fd, &one, sizeof one);
	WR_ASSERT(put == (ssize_t)sizeof one || errno == EAGAIN);
}

void *wr_prober_worker(void *prober)
{
	wr_prober *p = prober;
	for (wr_probe_target *t; (t = next_queued(p)) != NULL; hand_back(p, t)) {
		wr_sample s = {0};
		wr_prober_began(p, t);
		if (wr_exec_probe(t->probe, t->timeout_ms, &p->stopping, &s)) wr_prober_deliver(p, t, &s);
	}
	return NULL;
}
