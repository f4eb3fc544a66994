/* lsm_draw.c - a picture of the LSM tree: memtables, levels, tables in order of key. What lives
 * here: the newest view, as Graphviz text. What must not: anything that changes it. */
#include <inttypes.h>

#include "engine_draw.h"
#include "engine_lsm.h"
#include "internal_key.h"

enum { TABLES_A_ROW = 5, TABLES_SHOWN = 20 }; /* of a level */

/* Its versions, not its bytes, which depend on how tall chance made the skip list's nodes. */
static void draw_memtable(struct buf *out, const struct lsm_memtable *memtable, size_t i) {
    size_t count = memtable_count(memtable->table);
    buf_printf(out, "        m%zu [fillcolor=lightyellow, label=\"%s\\n%zu version%s\"]\n", i,
               i == 0 ? "memtable, takes writes" : "memtable, sealed", count,
               count == 1 ? "" : "s");
}

static void draw_memory(struct buf *out, const struct lsm_view *view) {
    buf_append_string(out, "    subgraph cluster_memory {\n"
                           "        label=\"in memory\"; style=\"rounded,dashed\"\n");
    for (size_t i = 0; i < view->memtable_count; i++)
        draw_memtable(out, view->memtables[i], i);
    buf_append_string(out, "    }\n");
}

static void draw_table(struct buf *out, const struct lsm_table *table) {
    buf_printf(out, "<TD BGCOLOR=\"palegreen\">%06" PRIu64 ".sst<BR/>", table->meta.number);
    draw_key(out, internal_key_user(buf_slice(&table->meta.smallest)));
    buf_append_string(out, " .. ");
    draw_key(out, internal_key_user(buf_slice(&table->meta.largest)));
    uint64_t entries = sstable_entries(table->reader);
    buf_printf(out, "<BR/>%" PRIu64 " version%s, ", entries, entries == 1 ? "" : "s");
    draw_bytes(out, table->meta.size_bytes);
    buf_append_string(out, "</TD>");
}

static void draw_tables(struct buf *out, struct lsm_table *const *tables, size_t count) {
    size_t shown = count > TABLES_SHOWN ? TABLES_SHOWN : count;
    for (size_t i = 0; i < shown; i++) {
        if (i > 0 && i % TABLES_A_ROW == 0) buf_append_string(out, "</TR><TR>");
        draw_table(out, tables[i]);
    }
    if (count > shown) buf_printf(out, "</TR><TR><TD>and %zu more</TD>", count - shown);
}

static uint64_t share_of(const struct lsm_shape *shape, unsigned level) {
    uint64_t share = shape->level1_bytes;
    for (unsigned i = 1; i < level; i++)
        share *= 10;
    return share;
}

static void draw_level(struct buf *out, const struct engine_lsm *engine, unsigned level) {
    const struct lsm_version *version = engine->view->version;
    size_t count = version->table_count[level];
    buf_printf(out,
               "    l%u [shape=plain, style=\"\", label=<<TABLE BORDER=\"0\" CELLBORDER=\"1\" "
               "CELLSPACING=\"3\" CELLPADDING=\"4\" COLOR=\"slategray\">"
               "<TR><TD BORDER=\"0\" ALIGN=\"LEFT\" COLSPAN=\"%d\"><B>level %u</B>: ",
               level, TABLES_A_ROW, level);
    draw_bytes(out, lsm_version_level_bytes(version, level));
    if (level == 0)
        buf_printf(out, "; tables overlap, oldest first; %zu start a compaction",
                   engine->shape.l0_tables);
    else {
        buf_append_string(out, " of ");
        draw_bytes(out, share_of(&engine->shape, level));
        buf_append_string(out, "; tables in order of key, none overlap");
    }
    buf_append_string(out, "</TD></TR><TR>");
    if (count == 0) buf_append_string(out, "<TD>empty</TD>");
    draw_tables(out, version->tables[level], count);
    buf_append_string(out, "</TR></TABLE>>]\n");
}

static void draw_tombstones(struct buf *out, const struct lsm_version *version) {
    for (size_t i = 0; i < version->tombstone_count; i++) {
        buf_printf(out, "    t%zu [style=dashed, label=<deleted range<BR/>", i);
        draw_key(out, buf_slice(&version->tombstones[i]->start));
        buf_append_string(out, " .. ");
        draw_key(out, buf_slice(&version->tombstones[i]->end));
        buf_append_string(out, ">]\n");
    }
}

enum status lsm_draw(struct engine *base, struct buf *out, struct error *error) {
    const struct engine_lsm *engine = lsm_of(base);
    const struct lsm_version *version = engine->view->version;
    unsigned deepest = 1;
    (void)error;
    for (unsigned level = 2; level < LSM_LEVELS; level++)
        if (version->table_count[level] > 0) deepest = level;
    buf_append_string(out, "digraph \"An LSM tree\" {\n    ranksep=0.3\n");
    draw_memory(out, engine->view);
    for (unsigned level = 0; level <= deepest; level++)
        draw_level(out, engine, level);
    draw_tombstones(out, version);
    buf_append_string(out, "    m0 -> l0 [label=\"  flush\"]\n");
    for (unsigned level = 0; level < deepest; level++)
        buf_printf(out, "    l%u -> l%u [label=\"  compaction\"]\n", level, level + 1);
    buf_append_string(out, "}\n");
    return STATUS_OK;
}
