/* sql_catalog_store.c - descriptors to rows and back, and the node's cache of them.
 *
 * What a table means (types, defaults, keys) is the binder's business; here it is only kept. */
#include "sql_catalog_store.h"

#include <string.h>

#include "codec.h"
#include "mem.h"
#include "sql_catalog.pb-c.h"

enum { KEY_VERSION = 1, KEY_LAST_ID = 2, KEY_TABLE = 3, KEY_DROPPED = 4, FIRST_TABLE_ID = 100 };

/* A descriptor in memory; lives while somebody has pinned it or the cache holds it. */
struct sql_catalog_entry {
    struct sql_catalog_entry *next;
    unsigned references;
    struct arena arena;
    struct sql_table table;
};

struct sql_catalog_cache {
    uint64_t version;    /* 0: nothing cached */
    hlc_timestamp as_of; /* the version was the current one at this time */
    struct sql_catalog_entry *entries;
};

/* ---- keys ------------------------------------------------------------------------------------ */

static void put_catalog_key(struct buf *out, uint64_t kind) {
    put_ordered_u64(out, SQL_CATALOG_TABLE_ID);
    put_ordered_u64(out, kind);
}

static void put_table_key(struct buf *out, const char *name) {
    put_catalog_key(out, KEY_TABLE);
    put_ordered_bytes(out, slice_of_string(name));
}

static void put_dropped_key(struct buf *out, uint64_t id) {
    put_catalog_key(out, KEY_DROPPED);
    put_ordered_u64(out, id);
}

/* ---- entries --------------------------------------------------------------------------------- */

static void entry_release(struct sql_catalog_entry *entry) {
    if (--entry->references > 0) return;
    arena_deinit(&entry->arena);
    mem_free(entry);
}

static void pin(struct sql_catalog_pins *pins, struct sql_catalog_entry *entry) {
    for (size_t i = 0; i < pins->count; i++) {
        if (pins->entries[i] == entry) return;
    }
    if (pins->count == pins->capacity) {
        pins->capacity = pins->capacity == 0 ? 4 : pins->capacity * 2;
        pins->entries =
            mem_realloc(pins->entries, pins->capacity * sizeof(struct sql_catalog_entry *));
    }
    pins->entries[pins->count++] = entry;
    entry->references++;
}

void sql_catalog_pins_release(struct sql_catalog_pins *pins) {
    for (size_t i = 0; i < pins->count; i++)
        entry_release(pins->entries[i]);
    mem_free(pins->entries);
    *pins = (struct sql_catalog_pins){0};
}

static bool copy_columns(const TableDescriptor *wire, struct arena *arena,
                         struct sql_table *table) {
    struct sql_table_column *columns = ARENA_ARRAY(arena, struct sql_table_column, wire->n_columns);
    for (size_t i = 0; i < wire->n_columns; i++) {
        const ColumnDescriptor *from = wire->columns[i];
        struct sql_table_column *to = &columns[i];
        if (!sql_type_by_oid(from->type_oid, &to->type.type)) return false;
        to->id = from->id;
        to->name = arena_strdup(arena, from->name);
        to->type.typmod = from->typmod;
        to->not_null = from->not_null;
        to->hidden = from->hidden;
        to->default_text = from->has_default ? arena_strdup(arena, from->default_text) : NULL;
    }
    table->columns = columns;
    table->column_count = (uint32_t)wire->n_columns;
    return true;
}

static bool copy_table(const TableDescriptor *wire, struct arena *arena, struct sql_table *table) {
    uint32_t *key = ARENA_ARRAY(arena, uint32_t, wire->n_key);
    if (wire->n_columns == 0 || wire->n_key == 0 || !copy_columns(wire, arena, table)) return false;
    for (size_t i = 0; i < wire->n_key; i++) {
        if (wire->key[i] >= wire->n_columns) return false;
        key[i] = wire->key[i];
    }
    table->id = wire->id;
    table->version = wire->version;
    table->schema = "public";
    table->name = arena_strdup(arena, wire->name);
    table->key = key;
    table->key_count = (uint32_t)wire->n_key;
    table->key_name = wire->key_name[0] == '\0' ? NULL : arena_strdup(arena, wire->key_name);
    return true;
}

static enum status decode_entry(struct slice bytes, struct sql_catalog_entry **out,
                                struct sql_error *error) {
    TableDescriptor *wire = table_descriptor__unpack(NULL, bytes.len, bytes.data);
    struct sql_catalog_entry *entry = MEM_NEW(struct sql_catalog_entry);
    entry->references = 1;
    arena_init(&entry->arena, 0);
    bool valid = wire != NULL && copy_table(wire, &entry->arena, &entry->table);
    if (wire != NULL) table_descriptor__free_unpacked(wire, NULL);
    if (!valid) {
        entry_release(entry);
        sql_error_set(error, SQLSTATE_DATA_CORRUPTED, "a table's descriptor is damaged");
        return STATUS_CORRUPT;
    }
    *out = entry;
    return STATUS_OK;
}

static void encode_table(const struct sql_table *table, uint64_t id, struct buf *out) {
    ColumnDescriptor *columns = mem_zalloc(table->column_count * sizeof *columns);
    ColumnDescriptor **pointers = mem_zalloc(table->column_count * sizeof(ColumnDescriptor *));
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct sql_table_column *from = &table->columns[i];
        column_descriptor__init(&columns[i]);
        columns[i].id = i + 1;
        columns[i].name = (char *)(uintptr_t)from->name;
        columns[i].type_oid = sql_type_info(from->type.type)->oid;
        columns[i].typmod = from->type.typmod;
        columns[i].not_null = from->not_null;
        columns[i].hidden = from->hidden;
        columns[i].has_default = from->default_text != NULL;
        if (from->default_text != NULL)
            columns[i].default_text = (char *)(uintptr_t)from->default_text;
        pointers[i] = &columns[i];
    }
    TableDescriptor wire = TABLE_DESCRIPTOR__INIT;
    wire.id = id;
    wire.version = 1;
    wire.name = (char *)(uintptr_t)table->name;
    wire.n_columns = table->column_count;
    wire.columns = pointers;
    wire.n_key = table->key_count;
    wire.key = (uint32_t *)(uintptr_t)table->key;
    if (table->key_name != NULL) wire.key_name = (char *)(uintptr_t)table->key_name;
    wire.next_column_id = table->column_count + 1;
    table_descriptor__pack(&wire, buf_extend(out, table_descriptor__get_packed_size(&wire)));
    mem_free(columns);
    mem_free(pointers);
}

/* ---- the cache ------------------------------------------------------------------------------- */

struct sql_catalog_cache *sql_catalog_cache_new(void) {
    return MEM_NEW(struct sql_catalog_cache);
}

void sql_catalog_cache_invalidate(struct sql_catalog_cache *cache) {
    while (cache->entries != NULL) {
        struct sql_catalog_entry *entry = cache->entries;
        cache->entries = entry->next;
        entry_release(entry);
    }
    cache->version = 0;
    cache->as_of = 0;
}

void sql_catalog_cache_free(struct sql_catalog_cache *cache) {
    if (cache == NULL) return;
    sql_catalog_cache_invalidate(cache);
    mem_free(cache);
}

static struct sql_catalog_entry *cache_find(const struct sql_catalog_cache *cache,
                                            const char *name) {
    struct sql_catalog_entry *entry = cache->entries;
    while (entry != NULL && strcmp(entry->table.name, name) != 0)
        entry = entry->next;
    return entry;
}

/* A transaction saw `version` at its read timestamp. Older news than ours changes nothing. */
static void cache_learn(struct sql_catalog_cache *cache, uint64_t version, hlc_timestamp as_of) {
    if (as_of <= cache->as_of) return;
    if (cache->version != version) sql_catalog_cache_invalidate(cache);
    cache->version = version;
    cache->as_of = as_of;
}

void sql_catalog_view_committed(struct sql_catalog_view *view, hlc_timestamp commit_timestamp) {
    struct sql_catalog_cache *cache = view->cache;
    if (view->changed || view->version == 0 || view->version != cache->version) return;
    if (commit_timestamp > cache->as_of) cache->as_of = commit_timestamp;
}

/* ---- views ----------------------------------------------------------------------------------- */

void sql_catalog_view_init(struct sql_catalog_view *view, struct sql_catalog_cache *cache) {
    *view = (struct sql_catalog_view){.cache = cache};
}

static enum status read_number(struct txn *txn, uint64_t kind, unsigned flags, uint64_t absent,
                               uint64_t *out, struct sql_error *error) {
    struct buf key = BUF_INIT;
    struct buf value = BUF_INIT;
    struct error lower;
    put_catalog_key(&key, kind);
    enum status status = txn_get(txn, buf_slice(&key), flags, &value, &lower);
    *out = absent;
    if (status == STATUS_OK) {
        struct reader reader = reader_of(buf_slice(&value));
        *out = get_u64le(&reader);
    } else if (status == STATUS_NOT_FOUND) {
        status = STATUS_OK;
    } else {
        sql_error_from(error, &lower);
    }
    buf_deinit(&key);
    buf_deinit(&value);
    return status;
}

static enum status write_number(struct txn *txn, uint64_t kind, uint64_t value,
                                struct sql_error *error) {
    struct buf key = BUF_INIT;
    struct buf bytes = BUF_INIT;
    struct error lower;
    put_catalog_key(&key, kind);
    put_u64le(&bytes, value);
    enum status status = txn_put(txn, buf_slice(&key), buf_slice(&bytes), &lower);
    if (status != STATUS_OK) sql_error_from(error, &lower);
    buf_deinit(&key);
    buf_deinit(&bytes);
    return status;
}

static enum status read_version(struct sql_catalog_view *view, struct sql_error *error) {
    TRY(read_number(view->txn, KEY_VERSION, 0, 1, &view->version, error));
    view->trusted = false;
    if (!view->changed) cache_learn(view->cache, view->version, txn_read_timestamp(view->txn));
    return STATUS_OK;
}

void sql_catalog_view_begin(struct sql_catalog_view *view, struct txn *txn, bool trust) {
    view->txn = txn;
    view->version = 0;
    view->changed = false;
    view->trusted = trust && view->cache->version != 0;
    if (!view->trusted) return;
    struct buf key = BUF_INIT;
    put_catalog_key(&key, KEY_VERSION);
    txn_expect_unchanged(txn, buf_slice(&key), view->cache->as_of);
    buf_deinit(&key);
    view->version = view->cache->version;
}

enum status sql_catalog_view_version(struct sql_catalog_view *view, uint64_t *version,
                                     struct sql_error *error) {
    if (view->version == 0) TRY(read_version(view, error));
    *version = view->version;
    return STATUS_OK;
}

enum status sql_catalog_view_confirm(struct sql_catalog_view *view, struct sql_error *error) {
    uint64_t trusted = view->version;
    if (!view->trusted) return STATUS_OK;
    TRY(read_version(view, error));
    if (view->version == trusted) return STATUS_OK;
    (void)sql_error_set(error, SQLSTATE_SERIALIZATION_FAILURE, "the catalog has changed");
    return STATUS_CONFLICT;
}

/* From the table's own row. NOT_FOUND leaves `error` alone. */
static enum status read_entry(struct sql_catalog_view *view, const char *name,
                              struct sql_catalog_entry **out, struct sql_error *error) {
    struct buf key = BUF_INIT;
    struct buf value = BUF_INIT;
    struct error lower;
    put_table_key(&key, name);
    enum status status = txn_get(view->txn, buf_slice(&key), 0, &value, &lower);
    if (status == STATUS_OK) {
        status = decode_entry(buf_slice(&value), out, error);
    } else if (status != STATUS_NOT_FOUND) {
        sql_error_from(error, &lower);
    }
    buf_deinit(&key);
    buf_deinit(&value);
    return status;
}

static bool cache_serves(const struct sql_catalog_view *view) {
    return !view->changed && view->version != 0 && view->version == view->cache->version;
}

enum status sql_catalog_view_find(void *context, const char *schema, const char *name,
                                  const struct sql_table **out, struct sql_error *error) {
    struct sql_catalog_view *view = context;
    uint64_t version;
    if (schema != NULL && strcmp(schema, "public") != 0) return STATUS_NOT_FOUND;
    TRY(sql_catalog_view_version(view, &version, error));
    struct sql_catalog_entry *entry = cache_serves(view) ? cache_find(view->cache, name) : NULL;
    if (entry == NULL) {
        /* What is not cached is read, and then the version must be what this transaction reads,
         * too. */
        if (view->trusted) TRY(read_version(view, error));
        TRY(read_entry(view, name, &entry, error));
        if (cache_serves(view)) {
            entry->next = view->cache->entries;
            view->cache->entries = entry;
            entry->references++;
        }
        pin(view->pins, entry);
        entry_release(entry);
    } else {
        pin(view->pins, entry);
    }
    *out = &entry->table;
    return STATUS_OK;
}

/* ---- changes --------------------------------------------------------------------------------- */

/* The version is read, not trusted: two DDL statements must see each other. */
static enum status raise_version(struct sql_catalog_view *view, struct sql_error *error) {
    TRY(read_version(view, error));
    view->changed = true;
    return write_number(view->txn, KEY_VERSION, ++view->version, error);
}

enum status sql_catalog_create_table(struct sql_catalog_view *view, const struct sql_table *table,
                                     struct sql_error *error) {
    uint64_t id;
    struct error lower;
    TRY(raise_version(view, error));
    TRY(read_number(view->txn, KEY_LAST_ID, 0, FIRST_TABLE_ID, &id, error));
    TRY(write_number(view->txn, KEY_LAST_ID, ++id, error));
    struct buf key = BUF_INIT;
    struct buf value = BUF_INIT;
    put_table_key(&key, table->name);
    encode_table(table, id, &value);
    enum status status = txn_put(view->txn, buf_slice(&key), buf_slice(&value), &lower);
    if (status != STATUS_OK) sql_error_from(error, &lower);
    buf_deinit(&key);
    buf_deinit(&value);
    return status;
}

enum status sql_catalog_drop_table(struct sql_catalog_view *view, const struct sql_table *table,
                                   struct sql_error *error) {
    struct error lower;
    TRY(raise_version(view, error));
    struct buf key = BUF_INIT;
    put_table_key(&key, table->name);
    enum status status = txn_delete(view->txn, buf_slice(&key), &lower);
    buf_clear(&key);
    put_dropped_key(&key, table->id);
    if (status == STATUS_OK) status = txn_put(view->txn, buf_slice(&key), SLICE_EMPTY, &lower);
    if (status != STATUS_OK) sql_error_from(error, &lower);
    buf_deinit(&key);
    return status;
}

enum status sql_catalog_first_dropped(struct txn *txn, uint64_t *id, struct error *error) {
    struct buf start = BUF_INIT;
    struct buf end = BUF_INIT;
    put_catalog_key(&start, KEY_DROPPED);
    put_catalog_key(&end, KEY_DROPPED + 1);
    struct txn_scan scan = {.start = buf_slice(&start), .end = buf_slice(&end), .limit = 1};
    struct txn_cursor *cursor = txn_scan_open(txn, &scan);
    const struct txn_row *rows;
    size_t count = 0;
    enum status status = txn_scan_next(cursor, &rows, &count, error);
    if (status == STATUS_OK && count == 0) status = STATUS_NOT_FOUND;
    if (status == STATUS_OK) {
        struct reader reader = reader_of(slice_from(rows[0].key, start.len));
        *id = get_ordered_u64(&reader);
        if (!reader_done(&reader)) {
            status = error_set(error, STATUS_CORRUPT, "the list of dropped tables is damaged");
        }
    }
    txn_scan_close(cursor);
    buf_deinit(&start);
    buf_deinit(&end);
    return status;
}

enum status sql_catalog_forget_dropped(struct txn *txn, uint64_t id, struct error *error) {
    struct buf key = BUF_INIT;
    put_dropped_key(&key, id);
    enum status status = txn_delete(txn, buf_slice(&key), error);
    buf_deinit(&key);
    return status;
}

/* The names of one page of descriptors' keys. */
static void take_names(const struct txn_row *rows, size_t count, size_t prefix_len,
                       struct arena *arena, struct buf *out, size_t *total) {
    for (size_t i = 0; i < count; i++) {
        struct buf name = BUF_INIT;
        struct reader reader = reader_of(slice_from(rows[i].key, prefix_len));
        get_ordered_bytes(&reader, &name);
        const char *text = arena_string(arena, buf_slice(&name));
        buf_append(out, &text, sizeof text);
        buf_deinit(&name);
        (*total)++;
    }
}

enum status sql_catalog_list_tables(struct sql_catalog_view *view, struct arena *arena,
                                    const char ***names, size_t *count, struct sql_error *error) {
    struct buf start = BUF_INIT;
    struct buf end = BUF_INIT;
    struct buf pointers = BUF_INIT;
    struct error lower;
    put_catalog_key(&start, KEY_TABLE);
    put_catalog_key(&end, KEY_TABLE + 1);
    struct txn_scan scan = {.start = buf_slice(&start), .end = buf_slice(&end)};
    struct txn_cursor *cursor = txn_scan_open(view->txn, &scan);
    const struct txn_row *rows;
    size_t page = 0;
    enum status status;
    *count = 0;
    do {
        status = txn_scan_next(cursor, &rows, &page, &lower);
        if (status == STATUS_OK) take_names(rows, page, start.len, arena, &pointers, count);
    } while (status == STATUS_OK && page > 0);
    if (status != STATUS_OK) sql_error_from(error, &lower);
    txn_scan_close(cursor);
    *names = arena_dup(arena, pointers.data, pointers.len);
    buf_deinit(&start);
    buf_deinit(&end);
    buf_deinit(&pointers);
    return status;
}
