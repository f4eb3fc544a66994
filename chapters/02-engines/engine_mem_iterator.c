/* engine_mem_iterator.c - reading the in-memory engine at a sequence number. What lives here:
 * finding, among the versions of a key, the one that a reader sees. What must not: writing; all of
 * this may run on any thread, beside the writer. */
#include "engine_mem.h"

#include "mem.h"

struct mem_iterator {
    struct engine_iterator base;
    struct engine_mem *engine;
    struct engine_snapshot *own; /* made for this iterator, if none was given */
    uint64_t sequence;
    unsigned flags;
    bool valid;
    bool blocked;
    struct memtable_iterator at; /* on the visible version, when valid */
    struct buf scratch;
    struct buf key; /* of the version that a backward search is about */
};

static struct mem_iterator *iterator_of(struct engine_iterator *base) {
    return CONTAINER_OF(base, struct mem_iterator, base);
}

static const struct mem_iterator *iterator_of_const(const struct engine_iterator *base) {
    return (const struct mem_iterator *)(const void *)base;
}

bool mem_get_at(const struct engine_mem *engine, struct slice key, uint64_t sequence,
                struct buf *scratch, struct slice *value) {
    struct memtable_iterator it = memtable_iterator_of(engine->table);
    memtable_seek(&it, internal_key_make(scratch, key, sequence, WRITE_PUT));
    if (!memtable_valid(&it)) return false;
    struct slice internal = memtable_key(&it);
    if (!slice_equal(internal_key_user(internal), key) || internal_key_kind(internal) != WRITE_PUT)
        return false;
    *value = memtable_value(&it);
    return true;
}

static void seek_internal(struct mem_iterator *it, struct slice key, uint64_t sequence) {
    memtable_seek(&it->at, internal_key_make(&it->scratch, key, sequence, WRITE_PUT));
}

/* From any node on, forward to the first visible version of a key inside the bounds. */
static void settle_forward(struct mem_iterator *it) {
    struct slice upper = buf_slice(&it->base.upper);
    it->valid = false;
    while (memtable_valid(&it->at)) {
        struct slice internal = memtable_key(&it->at);
        struct slice key = internal_key_user(internal);
        if (upper.len > 0 && slice_compare(key, upper) >= 0) return;
        if (internal_key_sequence(internal) > it->sequence) {
            seek_internal(it, key,
                          it->sequence); /* written after us: an older version, or the next key */
        } else if (internal_key_kind(internal) == WRITE_PUT) {
            it->valid = true;
            return;
        } else {
            seek_internal(it, key, 0); /* deleted: the next key */
        }
    }
}

/* From any version of a key on, backward to the first key in bounds with a visible version. */
static void settle_backward(struct mem_iterator *it) {
    struct slice lower = buf_slice(&it->base.lower);
    it->valid = false;
    while (memtable_valid(&it->at)) {
        buf_clear(&it->key);
        buf_append_slice(&it->key, internal_key_user(memtable_key(&it->at)));
        struct slice key = buf_slice(&it->key);
        if (slice_compare(key, lower) < 0) return;
        seek_internal(it, key, it->sequence);
        if (memtable_valid(&it->at)) {
            struct slice internal = memtable_key(&it->at);
            if (slice_equal(internal_key_user(internal), key) &&
                internal_key_kind(internal) == WRITE_PUT) {
                it->valid = true;
                return;
            }
        }
        memtable_seek_before(&it->at, internal_key_make(&it->scratch, key, UINT64_MAX, WRITE_PUT));
    }
}

/* Asked before each seek. */
static bool blocked(struct mem_iterator *it) {
    struct engine_mem *engine = it->engine;
    it->blocked = (it->flags & ENGINE_NO_WAIT) != 0 && engine->would_block_percent > 0 &&
                  prng_below(&engine->prng, 100) < engine->would_block_percent;
    if (it->blocked) it->valid = false;
    return it->blocked;
}

static void mem_seek(struct engine_iterator *base, struct slice key) {
    struct mem_iterator *it = iterator_of(base);
    if (blocked(it)) return;
    seek_internal(it, key, it->sequence);
    settle_forward(it);
}

static void mem_seek_first(struct engine_iterator *base) {
    mem_seek(base, buf_slice(&base->lower));
}

static void mem_seek_for_prev(struct engine_iterator *base, struct slice key) {
    struct mem_iterator *it = iterator_of(base);
    if (blocked(it)) return;
    memtable_seek_for_prev(&it->at, internal_key_make(&it->scratch, key, 0, WRITE_PUT));
    settle_backward(it);
}

static void mem_seek_last(struct engine_iterator *base) {
    struct mem_iterator *it = iterator_of(base);
    if (blocked(it)) return;
    if (base->upper.len > 0)
        memtable_seek_before(&it->at, internal_key_make(&it->scratch, buf_slice(&base->upper),
                                                        UINT64_MAX, WRITE_PUT));
    else
        memtable_seek_last(&it->at);
    settle_backward(it);
}

static void mem_next(struct engine_iterator *base) {
    struct mem_iterator *it = iterator_of(base);
    struct slice key = internal_key_user(memtable_key(&it->at));
    /* Old versions are few; a search would cost more. */
    do
        memtable_next(&it->at);
    while (memtable_valid(&it->at) && slice_equal(internal_key_user(memtable_key(&it->at)), key));
    settle_forward(it);
}

static void mem_prev(struct engine_iterator *base) {
    struct mem_iterator *it = iterator_of(base);
    struct slice key = internal_key_user(memtable_key(&it->at));
    memtable_seek_before(&it->at, internal_key_make(&it->scratch, key, UINT64_MAX, WRITE_PUT));
    settle_backward(it);
}

static bool mem_valid(const struct engine_iterator *base) { return iterator_of_const(base)->valid; }

static struct slice mem_key(const struct engine_iterator *base) {
    return internal_key_user(memtable_key(&iterator_of_const(base)->at));
}

static struct slice mem_value(const struct engine_iterator *base) {
    return memtable_value(&iterator_of_const(base)->at);
}

static enum status mem_status(const struct engine_iterator *base, struct error *error) {
    (void)error;
    return iterator_of_const(base)->blocked ? STATUS_WOULD_BLOCK : STATUS_OK;
}

static void mem_iterator_free(struct engine_iterator *base) {
    struct mem_iterator *it = iterator_of(base);
    if (it->own != NULL) mem_snapshot_release(&it->engine->base, it->own);
    engine_iterator_deinit(base);
    buf_deinit(&it->scratch);
    buf_deinit(&it->key);
    mem_free(it);
}

static const struct engine_iterator_ops iterator_ops = {
    .free = mem_iterator_free,
    .seek_first = mem_seek_first,
    .seek_last = mem_seek_last,
    .seek = mem_seek,
    .seek_for_prev = mem_seek_for_prev,
    .next = mem_next,
    .prev = mem_prev,
    .valid = mem_valid,
    .key = mem_key,
    .value = mem_value,
    .status = mem_status,
};

struct engine_iterator *mem_iterator_new(struct engine *base,
                                         const struct engine_iterator_options *options) {
    struct mem_iterator *it = MEM_NEW(struct mem_iterator);
    engine_iterator_init(&it->base, &iterator_ops, options);
    it->engine = CONTAINER_OF(base, struct engine_mem, base);
    it->flags = options->flags;
    it->at = memtable_iterator_of(it->engine->table);
    if (options->snapshot == NULL) it->own = mem_snapshot_new(base);
    it->sequence = it->own != NULL ? it->own->sequence : options->snapshot->sequence;
    return &it->base;
}
