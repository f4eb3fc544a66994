/* bloom.h - "is this key surely not here?" in ten bits a key (Bloom, "Space/Time Trade-offs in Hash
 * Coding with Allowable Errors", CACM 1970).
 *
 * A key sets k bits of an array; a key one of whose bits is clear was never added. The k positions
 * come from two halves of one hash, h1 + i * h2, which costs nothing in accuracy (Kirsch and
 * Mitzenmacher, "Less Hashing, Same Performance", 2006).
 *
 * Invariants
 *  1. A key that was added is never denied.
 *  2. With BLOOM_BITS_PER_KEY = 10 and k = 7 about one in a hundred other keys is not denied.
 *  3. Bytes that are no filter deny nothing: a reader that cannot tell looks into the table. */
#ifndef CAIRN_BLOOM_H
#define CAIRN_BLOOM_H

#include "buf.h"

enum { BLOOM_BITS_PER_KEY = 10, BLOOM_PROBES = 7 /* ten times ln 2 */ };

uint64_t bloom_hash(struct slice key);
/* Appends a filter of `count` keys, given by their hashes: the bits, then k in one byte. */
void bloom_build(const uint64_t *hashes, size_t count, struct buf *out);
/* False: surely none of the keys that the filter was built of. */
bool bloom_may_contain(struct slice filter, uint64_t hash);

#endif
