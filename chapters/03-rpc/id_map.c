/* id_map.c - the hash table of id_map.h: chains, doubled when there are as many nodes as buckets.
 * Must not be iterated: its order means nothing. */
#include "id_map.h"

#include "mem.h"

enum { INITIAL_CAPACITY = 64 };

void id_map_deinit(struct id_map *map) {
    mem_free(map->buckets);
    *map = (struct id_map){0};
}

static struct id_node **bucket_of(const struct id_map *map, uint64_t id) {
    return &map->buckets[id & (map->capacity - 1)];
}

static void grow(struct id_map *map) {
    struct id_map wider = {.capacity = map->capacity ? map->capacity * 2 : INITIAL_CAPACITY,
                           .count = map->count};
    wider.buckets = mem_zalloc(wider.capacity * sizeof *wider.buckets);
    for (size_t i = 0; i < map->capacity; i++) {
        struct id_node *next;
        for (struct id_node *node = map->buckets[i]; node; node = next) {
            next = node->next;
            struct id_node **bucket = bucket_of(&wider, node->id);
            node->next = *bucket;
            *bucket = node;
        }
    }
    mem_free(map->buckets);
    *map = wider;
}

bool id_map_put(struct id_map *map, struct id_node *node) {
    if (id_map_get(map, node->id)) return false;
    if (map->count == map->capacity) grow(map);
    struct id_node **bucket = bucket_of(map, node->id);
    node->next = *bucket;
    *bucket = node;
    map->count++;
    return true;
}

struct id_node *id_map_get(const struct id_map *map, uint64_t id) {
    if (map->count == 0) return NULL;
    struct id_node *node = *bucket_of(map, id);
    while (node && node->id != id)
        node = node->next;
    return node;
}

struct id_node *id_map_remove(struct id_map *map, uint64_t id) {
    if (map->count == 0) return NULL;
    struct id_node **link = bucket_of(map, id);
    while (*link && (*link)->id != id)
        link = &(*link)->next;
    struct id_node *node = *link;
    if (node) {
        *link = node->next;
        node->next = NULL;
        map->count--;
    }
    return node;
}
