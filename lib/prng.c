/* prng.c - xoshiro256** 1.0 (Blackman and Vigna, "Scrambled Linear Pseudorandom Number Generators",
 * 2018), seeded by splitmix64 as its authors advise. Deterministic: a function of the seed alone.
 */
#include "prng.h"

#include <assert.h>

static uint64_t rotate_left(uint64_t x, int bits) { return (x << bits) | (x >> (64 - bits)); }

static uint64_t splitmix64(uint64_t *state) {
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void prng_seed(struct prng *prng, uint64_t seed) {
    for (int i = 0; i < 4; i++) {
        prng->state[i] = splitmix64(&seed);
    }
}

uint64_t prng_u64(struct prng *prng) {
    uint64_t *s = prng->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t prng_below(struct prng *prng, uint64_t bound) {
    assert(bound > 0);
    /* 2^64 mod bound: below it, the first numbers would come up once too often. */
    uint64_t biased = (UINT64_MAX - bound + 1) % bound;
    for (;;) {
        uint64_t x = prng_u64(prng);
        if (x >= biased) return x % bound;
    }
}

uint64_t prng_between(struct prng *prng, uint64_t low, uint64_t high) {
    assert(low <= high);
    if (low == 0 && high == UINT64_MAX) return prng_u64(prng);
    return low + prng_below(prng, high - low + 1);
}

double prng_unit(struct prng *prng) { return (double)(prng_u64(prng) >> 11) * 0x1.0p-53; }
