/* prng.h: splitmix64: a small generator that lives in the state, and the same mixing function for
 * values that must be the same whenever they are asked for. Pure. Not for secrets. */
#ifndef WR_SIM_PRNG_H
#define WR_SIM_PRNG_H

#include <stdint.h>

typedef struct wr_sim_prng {
	uint64_t state;
} wr_sim_prng;

static inline uint64_t wr_sim_mix(uint64_t z)
{
	z += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline uint64_t wr_sim_mix2(uint64_t a, uint64_t b)
{
	return wr_sim_mix(wr_sim_mix(a) ^ b);
}

static inline uint64_t wr_sim_next(wr_sim_prng *p)
{
	uint64_t out = wr_sim_mix(p->state);
	p->state += UINT64_C(0x9e3779b97f4a7c15);
	return out;
}

/* wr_sim_below: 0 … n-1; the bias is below 2^-40 for the small n used here. */
static inline int64_t wr_sim_below(wr_sim_prng *p, int64_t n)
{
	return (int64_t)(wr_sim_next(p) % (uint64_t)n);
}

#endif
