/* bloom.c - building and asking Bloom filters. What lives here: bits. What must not: where filters
 * are stored. */
#include "bloom.h"

#include "codec.h"

enum { BITS_MIN = 64, PROBES_MAX = 30 };
#define HASH_SEED UINT64_C(0xb1003)

uint64_t bloom_hash(struct slice key) { return checksum64(key, HASH_SEED); }

/* The i-th position of Kirsch and Mitzenmacher. */
static size_t bit_of(uint64_t hash, unsigned probe, size_t bits) {
    uint64_t first = hash & UINT32_MAX, second = hash >> 32;
    return (size_t)((first + probe * second) % bits);
}

void bloom_build(const uint64_t *hashes, size_t count, struct buf *out) {
    size_t bits = count * BLOOM_BITS_PER_KEY;
    if (bits < BITS_MIN) bits = BITS_MIN;
    size_t bytes = (bits + 7) / 8;
    bits = bytes * 8;
    size_t start = out->len;
    buf_append_zeros(out, bytes);
    for (size_t i = 0; i < count; i++) {
        for (unsigned probe = 0; probe < BLOOM_PROBES; probe++) {
            size_t bit = bit_of(hashes[i], probe, bits);
            out->data[start + bit / 8] |= (uint8_t)(1u << bit % 8);
        }
    }
    buf_append_byte(out, BLOOM_PROBES);
}

bool bloom_may_contain(struct slice filter, uint64_t hash) {
    if (filter.len < 2) return true;
    unsigned probes = filter.data[filter.len - 1];
    if (probes == 0 || probes > PROBES_MAX) return true;
    size_t bits = (filter.len - 1) * 8;
    for (unsigned probe = 0; probe < probes; probe++) {
        size_t bit = bit_of(hash, probe, bits);
        if ((filter.data[bit / 8] & 1u << bit % 8) == 0) return false;
    }
    return true;
}
