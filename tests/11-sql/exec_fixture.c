/* exec_fixture.c - plans made by hand, and the model of a sort. */
#include "exec_fixture.h"

/* ---- plans by hand --------------------------------------------------------------------------- */

void exec_fixture_init(struct exec_fixture *f, uint64_t seed, uint32_t count) {
    struct prng prng;
    prng_seed(&prng, seed);
    *f = (struct exec_fixture){.count = count};
    arena_init(&f->arena, 0);
    f->build.arena = &f->arena;
    f->rows = ARENA_ARRAY(&f->arena, struct hand_row, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        struct hand_row *row = &f->rows[i];
        row->a_null = prng_below(&prng, 10) == 0;
        row->b_null = prng_below(&prng, 10) == 0;
        row->a = (int)prng_below(&prng, 50) - 25;
        row->b[0] = (char)('a' + prng_below(&prng, 5));
        row->b[1] = (char)('a' + prng_below(&prng, 5));
    }
}

void exec_fixture_deinit(struct exec_fixture *f) { arena_deinit(&f->arena); }

struct sql_plan *hand_plan_new(struct exec_fixture *f, enum sql_plan_kind kind,
                               struct sql_plan *left, const enum sql_type *types, uint32_t count) {
    struct sql_plan *plan = ARENA_NEW(&f->arena, struct sql_plan);
    struct sql_plan_column *columns = ARENA_ARRAY(&f->arena, struct sql_plan_column, count + 1);
    for (uint32_t i = 0; i < count; i++)
        columns[i].type = SQL_TYPED(types[i]);
    plan->kind = kind;
    plan->left = left;
    plan->columns = columns;
    plan->column_count = count;
    return plan;
}

/* A node whose output is shaped like its input's. */
struct sql_plan *hand_plan_like(struct exec_fixture *f, enum sql_plan_kind kind,
                                struct sql_plan *left) {
    struct sql_plan *plan = ARENA_NEW(&f->arena, struct sql_plan);
    plan->kind = kind;
    plan->left = left;
    plan->columns = left->columns;
    plan->column_count = left->column_count;
    return plan;
}

const enum sql_type hand_row_types[] = {SQL_INT4, SQL_TEXT};

struct sql_expr *hand_constant(struct exec_fixture *f, struct sql_datum value) {
    return sql_build_const(&f->build, value, 0);
}
struct sql_expr *hand_integer(struct exec_fixture *f, enum sql_type type, int64_t value) {
    return hand_constant(f, sql_datum_int(type, value));
}
struct sql_expr *hand_column(struct exec_fixture *f, uint32_t index, enum sql_type type) {
    return sql_build_column(&f->build, 0, index, SQL_TYPED(type), "c", 0);
}
struct sql_expr *hand_operator(struct exec_fixture *f, const char *name, struct sql_expr *left,
                               struct sql_expr *right) {
    struct sql_expr *out;
    assert_ok(sql_build_operator(&f->build, slice_of_string(name), left, right, 0, &out, &f->error),
              NULL);
    return out;
}

struct sql_plan *hand_plan_values(struct exec_fixture *f) {
    struct sql_plan *plan = hand_plan_new(f, SQL_PLAN_VALUES, NULL, hand_row_types, 2);
    plan->values.row_count = f->count;
    plan->values.rows = ARENA_ARRAY(&f->arena, struct sql_expr **, f->count + 1);
    for (uint32_t i = 0; i < f->count; i++) {
        const struct hand_row *row = &f->rows[i];
        struct sql_expr **exprs = ARENA_ARRAY(&f->arena, struct sql_expr *, 2);
        /* The test sorts its rows later: the text must stay. */
        struct sql_datum b =
            sql_datum_text(SQL_TEXT, slice_of_string(arena_strdup(&f->arena, row->b)));
        exprs[0] = row->a_null ? hand_constant(f, sql_datum_null(SQL_INT4))
                               : hand_integer(f, SQL_INT4, row->a);
        exprs[1] = hand_constant(f, row->b_null ? sql_datum_null(SQL_TEXT) : b);
        plan->values.rows[i] = exprs;
    }
    return plan;
}

/* ---- running --------------------------------------------------------------------------------- */

/* Appends "a|b\n" for each row; NULL is "~". */
enum status hand_run_with(struct exec_fixture *f, const struct sql_exec_options *options,
                          struct buf *out) {
    struct sql_exec *exec;
    TRY(sql_exec_open(options, &exec, &f->error));
    for (;;) {
        struct sql_batch *batch;
        enum status status = sql_exec_next(exec, &batch, &f->error);
        if (status != STATUS_OK || batch == NULL) {
            sql_exec_close(exec);
            return status;
        }
        for (uint32_t i = 0; i < batch->selection.count; i++) {
            for (uint32_t c = 0; c < batch->column_count; c++) {
                struct sql_datum value =
                    sql_column_get(&batch->columns[c], sql_selected(batch->selection, i));
                if (c > 0) buf_append_byte(out, '|');
                if (value.is_null)
                    buf_append_byte(out, '~');
                else
                    sql_datum_print(&value, out);
            }
            buf_append_byte(out, '\n');
        }
    }
}

void hand_run(struct exec_fixture *f, const struct sql_plan *plan, struct buf *out) {
    struct sql_exec_options options = {.plan = plan};
    assert_ok(hand_run_with(f, &options, out), NULL);
}

void hand_expect(struct exec_fixture *f, const struct sql_plan *plan, const struct buf *expected) {
    struct buf out = BUF_INIT;
    hand_run(f, plan, &out);
    assert_slice_equal(buf_slice(expected), buf_slice(&out));
    buf_deinit(&out);
}

void hand_print_row(struct buf *out, const struct hand_row *row) {
    if (row->a_null)
        buf_append_string(out, "~|");
    else
        buf_printf(out, "%d|", row->a);
    buf_append_string(out, row->b_null ? "~" : row->b);
    buf_append_byte(out, '\n');
}

/* ---- sorting --------------------------------------------------------------------------------- */

static int compare_nullable(bool a_null, bool b_null, int order, bool descending,
                            bool nulls_first) {
    if (a_null || b_null) return nulls_first ? b_null - a_null : a_null - b_null;
    return descending ? -order : order;
}

/* By a descending with NULLs first, then b ascending. */
static int compare_rows(const struct hand_row *a, const struct hand_row *b) {
    int order = compare_nullable(a->a_null, b->a_null, (a->a > b->a) - (a->a < b->a), true, true);
    if (order != 0) return order;
    return compare_nullable(a->b_null, b->b_null, strcmp(a->b, b->b), false, false);
}

void hand_sort_model(struct hand_row *rows, uint32_t count) {
    for (uint32_t i = 1; i < count; i++) { /* by insertion: stable */
        struct hand_row row = rows[i];
        uint32_t at = i;
        for (; at > 0 && compare_rows(&rows[at - 1], &row) > 0; at--)
            rows[at] = rows[at - 1];
        rows[at] = row;
    }
}

struct sql_plan *hand_plan_sort(struct exec_fixture *f) {
    static const struct sql_sort_key keys[] = {{0, true, true}, {1, false, false}};
    struct sql_plan *plan = hand_plan_like(f, SQL_PLAN_SORT, hand_plan_values(f));
    plan->sort.keys = keys;
    plan->sort.key_count = 2;
    return plan;
}
