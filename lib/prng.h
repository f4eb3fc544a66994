/* prng.h - seeded pseudo-random numbers (xoshiro256**, Blackman and Vigna 2018).
 *
 * One stream a component, seeded through env_random, so that adding a draw in one place does not
 * change what another draws. Not for secrets. */
#ifndef CAIRN_PRNG_H
#define CAIRN_PRNG_H

#include <stdint.h>

struct prng {
    uint64_t state[4];
};

void prng_seed(struct prng *prng, uint64_t seed);
uint64_t prng_u64(struct prng *prng);
/* Uniform in [0, bound); bound > 0. */
uint64_t prng_below(struct prng *prng, uint64_t bound);
/* Uniform in [low, high], low <= high. */
uint64_t prng_between(struct prng *prng, uint64_t low, uint64_t high);
/* Uniform in [0, 1). */
double prng_unit(struct prng *prng);

#endif
