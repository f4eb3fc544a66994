/* id_map.h - finds what is in flight by its request id: an intrusive hash table.
 *
 * Ids are handed out in sequence, so their low bits are the hash. Nodes are embedded in their
 * owner; only the table of buckets is allocated, at the first use. */
#ifndef CAIRN_ID_MAP_H
#define CAIRN_ID_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct id_node {
    uint64_t id;
    struct id_node *next; /* the map's */
};

struct id_map { /* zero-filled is empty */
    struct id_node **buckets;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};

void id_map_deinit(struct id_map *map); /* the nodes are their owners' */
/* False if node->id is there already; the map is then unchanged. */
bool id_map_put(struct id_map *map, struct id_node *node);
/* NULL if it is not there. */
struct id_node *id_map_get(const struct id_map *map, uint64_t id);
/* Takes it out and returns it, or NULL. */
struct id_node *id_map_remove(struct id_map *map, uint64_t id);

#endif
