/* btree_draw.c - a picture of the B+tree: the two meta pages, branches, leaves with their keys,
 * overflow chains, free pages. What lives here: the newest tree, as Graphviz text. What must not:
 * anything that changes it. */
#include <limits.h>

#include "btree_tree.h"
#include "engine_btree.h"
#include "engine_draw.h"

enum { CHILDREN_SHOWN = 8, KEYS_SHOWN = 6, NUMBERS_SHOWN = 12 };

struct drawing {
    struct btree_tree tree;
    struct buf *out;
    struct error *error;
};

static const char TABLE[] =
    "<TABLE BORDER=\"0\" CELLBORDER=\"1\" CELLSPACING=\"0\" CELLPADDING=\"4\" "
    "COLOR=\"slategray\" BGCOLOR=\"%s\">";

/* Pages that a flush has not reached exist in memory only. */
static bool is_durable(const struct drawing *drawing, const uint8_t *page) {
    return btree_page_generation(page) <= drawing->tree.pager->durable->generation;
}

static void draw_head(struct drawing *drawing, const uint8_t *page, const char *type) {
    size_t percent = btree_page_live_bytes(page) * 100 / BTREE_PAGE_CAPACITY;
    bool durable = is_durable(drawing, page);
    buf_printf(drawing->out, "    p%u [shape=plain, style=\"\", label=<", btree_page_number(page));
    buf_printf(drawing->out, TABLE, durable ? "palegreen" : "lightyellow");
    buf_printf(drawing->out,
               "<TR><TD COLSPAN=\"%d\"><B>page %u</B><BR/>%s, %zu %% full%s</TD></TR>",
               btree_page_level(page) == 0 ? 1 : CHILDREN_SHOWN + 1, btree_page_number(page), type,
               percent, durable ? "" : "<BR/>only in memory");
}

static enum status draw_field(struct drawing *drawing, struct btree_field field) {
    struct buf scratch = BUF_INIT;
    struct slice key;
    enum status status = btree_field_bytes(drawing->tree.pager, drawing->tree.generation, field,
                                           false, &scratch, &key, drawing->error);
    if (status == STATUS_OK) draw_key(drawing->out, key);
    buf_deinit(&scratch);
    return status;
}

/* ---- leaves --------------------------------------------------------------------------------- */

/* A value that has pages of its own: how many, and where the chain begins. */
static void draw_chain(struct drawing *drawing, uint32_t leaf, struct btree_field field) {
    if (!field.overflow) return;
    size_t bytes = btree_reference_length(field);
    size_t pages = (bytes + BTREE_PAGE_CAPACITY - 1) / BTREE_PAGE_CAPACITY;
    uint32_t first = btree_reference_page(field);
    buf_printf(
        drawing->out,
        "    o%u [fillcolor=lightblue, label=\"overflow from page %u\\n%zu page%s, %zu bytes\"]\n"
        "    p%u -> o%u [style=dashed]\n",
        first, first, pages, pages == 1 ? "" : "s", bytes, leaf, first);
}

static enum status draw_leaf(struct drawing *drawing, const uint8_t *page) {
    size_t count = btree_page_count(page), shown = count > KEYS_SHOWN ? KEYS_SHOWN - 1 : count;
    draw_head(drawing, page, "leaf");
    buf_append_string(drawing->out, "<TR><TD>");
    for (size_t i = 0; i < shown; i++) {
        if (i > 0) buf_append_string(drawing->out, "<BR/>");
        TRY(draw_field(drawing, btree_page_cell(page, i).key));
    }
    if (count > shown) buf_printf(drawing->out, "<BR/>and %zu more", count - shown);
    buf_append_string(drawing->out, "</TD></TR></TABLE>>]\n");
    for (size_t i = 0; i < shown; i++) {
        draw_chain(drawing, btree_page_number(page), btree_page_cell(page, i).key);
        draw_chain(drawing, btree_page_number(page), btree_page_cell(page, i).value);
    }
    return STATUS_OK;
}

/* ---- branches ------------------------------------------------------------------------------- */

static enum status draw_node(struct drawing *drawing, uint32_t number, unsigned level);

static enum status draw_separators(struct drawing *drawing, const uint8_t *page, size_t shown) {
    buf_append_string(drawing->out, "<TR>");
    for (size_t i = 0; i < shown; i++) {
        buf_printf(drawing->out, "<TD PORT=\"c%zu\">", i);
        if (i == 0)
            buf_append_string(drawing->out, "less");
        else
            TRY(draw_field(drawing, btree_page_cell(page, i).key));
        buf_append_string(drawing->out, "</TD>");
    }
    if (btree_page_count(page) > shown)
        buf_printf(drawing->out, "<TD>and %zu more</TD>", btree_page_count(page) - shown);
    buf_append_string(drawing->out, "</TR></TABLE>>]\n");
    return STATUS_OK;
}

static enum status draw_branch(struct drawing *drawing, const uint8_t *page) {
    size_t count = btree_page_count(page), shown = count > CHILDREN_SHOWN ? CHILDREN_SHOWN : count;
    draw_head(drawing, page, "branch");
    TRY(draw_separators(drawing, page, shown));
    for (size_t i = 0; i < shown; i++) {
        uint32_t child = btree_page_cell(page, i).child;
        TRY(draw_node(drawing, child, btree_page_level(page) - 1));
        buf_printf(drawing->out, "    p%u:c%zu:s -> p%u:n\n", btree_page_number(page), i, child);
    }
    return STATUS_OK;
}

static enum status draw_node(struct drawing *drawing, uint32_t number, unsigned level) {
    struct btree_ref ref;
    TRY(btree_read_node(&drawing->tree, number, level, &ref, drawing->error));
    enum status status = btree_page_level(ref.page) == 0 ? draw_leaf(drawing, ref.page)
                                                         : draw_branch(drawing, ref.page);
    btree_release(&ref);
    return status;
}

/* ---- what is around the tree ---------------------------------------------------------------- */

static void draw_metas(struct drawing *drawing) {
    const struct btree_pager *pager = drawing->tree.pager;
    unsigned long long turn = pager->meta.turn;
    unsigned newest = turn % 2;
    buf_printf(
        drawing->out,
        "    meta%u [fillcolor=palegreen, label=\"page %u: meta, turn %llu\\nroot: page %u\"]\n"
        "    meta%u [style=\"rounded,dashed\", label=\"page %u: meta,\\nthe turn before\"]\n"
        "    { rank=same; meta0; meta1 }\n",
        newest, newest, turn, pager->meta.root, 1 - newest, 1 - newest);
    if (pager->root == 0) return;
    buf_printf(drawing->out, "    meta%u -> p%u [%s]\n", newest, pager->root,
               pager->root == pager->meta.root
                   ? "label=\"  the durable tree\""
                   : "style=dashed, label=\"  what the next flush\\n  will point to\"");
}

static void draw_number(struct buf *out, uint32_t number, size_t *count) {
    if (*count < NUMBERS_SHOWN)
        buf_printf(out, "%s%u", *count == 0 ? "" : *count % 4 == 0 ? ",\\n" : ", ", number);
    else if (*count == NUMBERS_SHOWN)
        buf_append_string(out, ", ...");
    ++*count;
}

static void draw_numbers(struct buf *out, const struct buf *numbers) {
    size_t count = 0;
    for (size_t at = 0; at < numbers->len; at += sizeof(uint32_t)) {
        uint32_t number;
        memcpy(&number, numbers->data + at, sizeof(number));
        draw_number(out, number, &count);
    }
    if (count == 0) buf_append_string(out, "none");
}

static void draw_waiting(struct buf *out, const struct btree_pager *pager) {
    size_t count = 0;
    for (const struct btree_view *view = pager->newest; view != NULL; view = view->older)
        for (size_t at = 0; at < view->pages.len; at += sizeof(struct btree_freed_page)) {
            struct btree_freed_page freed;
            memcpy(&freed, view->pages.data + at, sizeof(freed));
            draw_number(out, freed.number, &count);
        }
    if (count == 0) buf_append_string(out, "none");
}

static void draw_free(struct drawing *drawing) {
    const struct btree_pager *pager = drawing->tree.pager;
    buf_append_string(drawing->out,
                      "    free [style=\"filled\", fillcolor=lightgray, label=\"free pages: ");
    draw_numbers(drawing->out, &pager->free);
    buf_append_string(drawing->out, "\\nlisted in page: ");
    draw_numbers(drawing->out, &pager->chain);
    buf_append_string(drawing->out, "\\nold copies in use: ");
    draw_waiting(drawing->out, pager);
    buf_append_string(drawing->out, "\"]\n    { rank=same; meta1; free }\n");
}

enum status btree_draw(struct engine *base, struct buf *out, struct error *error) {
    struct engine_btree *engine = (struct engine_btree *)base;
    struct drawing drawing = {.tree = btree_newest(engine->pager), .out = out, .error = error};
    buf_append_string(out, "digraph \"A B+tree\" {\n    nodesep=0.15\n    ranksep=0.65\n");
    draw_metas(&drawing);
    draw_free(&drawing);
    if (engine->pager->root != 0) TRY(draw_node(&drawing, engine->pager->root, UINT_MAX));
    buf_append_string(out, "}\n");
    return STATUS_OK;
}
