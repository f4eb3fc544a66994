/* exec_fixture.h - plans made by hand over random rows, and running them, for the executor. */
#ifndef CAIRN_EXEC_FIXTURE_H
#define CAIRN_EXEC_FIXTURE_H

#include "harness.h"
#include "mem.h"
#include "prng.h"
#include "sql_build.h"
#include "sql_exec.h"

/* Rows (a int4, b text), either may be NULL, in the order given. */
struct hand_row {
    bool a_null, b_null;
    int a;
    char b[8];
};

struct exec_fixture {
    struct arena arena;
    struct sql_build build;
    struct sql_error error;
    struct hand_row *rows;
    uint32_t count;
};

extern const enum sql_type hand_row_types[2];

void exec_fixture_init(struct exec_fixture *f, uint64_t seed, uint32_t count);
void exec_fixture_deinit(struct exec_fixture *f);
struct sql_plan *hand_plan_new(struct exec_fixture *f, enum sql_plan_kind kind,
                               struct sql_plan *left, const enum sql_type *types, uint32_t count);
struct sql_plan *hand_plan_like(struct exec_fixture *f, enum sql_plan_kind kind,
                                struct sql_plan *left);
struct sql_plan *hand_plan_values(struct exec_fixture *f);
struct sql_plan *hand_plan_sort(struct exec_fixture *f);
void hand_sort_model(struct hand_row *rows, uint32_t count);
struct sql_expr *hand_constant(struct exec_fixture *f, struct sql_datum value);
struct sql_expr *hand_integer(struct exec_fixture *f, enum sql_type type, int64_t value);
struct sql_expr *hand_column(struct exec_fixture *f, uint32_t index, enum sql_type type);
struct sql_expr *hand_operator(struct exec_fixture *f, const char *name, struct sql_expr *left,
                               struct sql_expr *right);
enum status hand_run_with(struct exec_fixture *f, const struct sql_exec_options *options,
                          struct buf *out);
void hand_run(struct exec_fixture *f, const struct sql_plan *plan, struct buf *out);
void hand_expect(struct exec_fixture *f, const struct sql_plan *plan, const struct buf *expected);
void hand_print_row(struct buf *out, const struct hand_row *row);

#endif
