/* lsm_describe.c - a manifest in words. What lives here: text. What must not: anything that opens a
 * table or changes a file. */
#include "lsm_describe.h"

#include <inttypes.h>

#include "engine_draw.h"
#include "lsm_manifest.h"

enum { KEY_SHOWN = 40 };

static void describe_key(struct buf *out, struct slice user_key) {
    char shown[KEY_SHOWN];
    buf_append_string(out, slice_print(user_key, shown, sizeof(shown)));
}

static void describe_range(struct buf *out, struct slice first, struct slice last) {
    describe_key(out, first);
    buf_append_string(out, " .. ");
    describe_key(out, last);
}

/* ---- edits ---------------------------------------------------------------------------------- */

struct edits {
    struct buf *out;
    unsigned count;
};

static enum status describe_edit(void *arg, struct lsm_edit *edit, struct error *error) {
    struct edits *edits = arg;
    struct buf *out = edits->out;
    (void)error;
    buf_printf(out,
               "edit %u: writes up to %" PRIu64 ", log from %" PRIu64 ", next file %" PRIu64 "\n",
               ++edits->count, edit->flushed_sequence, edit->log_position, edit->next_number);
    for (size_t i = 0; i < edit->removed_count; i++)
        buf_printf(out, "  - %06" PRIu64 ".sst\n", edit->removed[i]);
    for (size_t i = 0; i < edit->added_count; i++) {
        const struct lsm_table *table = edit->added[i].table;
        buf_printf(out, "  + %06" PRIu64 ".sst  level %u  ", table->meta.number,
                   edit->added[i].level);
        describe_range(out, lsm_table_smallest_user(table), lsm_table_largest_user(table));
        buf_append_string(out, "  ");
        draw_bytes(out, table->meta.size_bytes);
        buf_append_string(out, "\n");
    }
    for (size_t i = 0; i < edit->tombstone_count; i++) {
        buf_append_string(out, "  deleted range ");
        describe_range(out, buf_slice(&edit->tombstones[i]->start),
                       buf_slice(&edit->tombstones[i]->end));
        buf_printf(out, "  @%" PRIu64 "\n", edit->tombstones[i]->sequence);
    }
    return STATUS_OK;
}

enum status lsm_describe_manifest(struct env *env, const char *dir, struct buf *out,
                                  struct error *error) {
    struct edits edits = {.out = out};
    return lsm_manifest_read(env, dir, describe_edit, &edits, error);
}

/* ---- levels --------------------------------------------------------------------------------- */

static enum status apply_edit(void *arg, struct lsm_edit *edit, struct error *error) {
    struct lsm_version **version = arg;
    struct lsm_version *next = lsm_version_apply(*version, edit, error);
    if (next == NULL) return STATUS_CORRUPT;
    lsm_version_unref(*version, NULL, NULL);
    *version = next;
    return STATUS_OK;
}

static void describe_tables(struct buf *out, size_t count, uint64_t bytes) {
    buf_printf(out, "%zu table%s, ", count, count == 1 ? "" : "s");
    draw_bytes(out, bytes);
    buf_append_string(out, "\n");
}

enum status lsm_describe_levels(struct env *env, const char *dir, struct buf *out,
                                struct error *error) {
    struct lsm_version *version = lsm_version_new();
    enum status status = lsm_manifest_read(env, dir, apply_edit, &version, error);
    size_t tables = 0;
    uint64_t bytes = 0;
    for (unsigned level = 0; level < LSM_LEVELS && status == STATUS_OK; level++) {
        if (version->table_count[level] == 0) continue;
        buf_printf(out, "level %u: ", level);
        describe_tables(out, version->table_count[level], lsm_version_level_bytes(version, level));
        tables += version->table_count[level];
        bytes += lsm_version_level_bytes(version, level);
    }
    if (status == STATUS_OK) {
        buf_append_string(out, "together: ");
        describe_tables(out, tables, bytes);
    }
    lsm_version_unref(version, NULL, NULL);
    return status;
}
