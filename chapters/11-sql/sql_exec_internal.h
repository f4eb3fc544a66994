/* sql_exec_internal.h - what the operators share. Nobody else includes it. */
#ifndef CAIRN_SQL_EXEC_INTERNAL_H
#define CAIRN_SQL_EXEC_INTERNAL_H

#include "sql_exec.h"
#include "sql_row_store.h"

struct sql_node;

/* What an operator does. `next`: *out NULL at the end, else at least one selected row. */
struct sql_node_ops {
    enum status (*init)(struct sql_node *node, struct sql_error *error);
    enum status (*next)(struct sql_node *node, struct sql_batch **out, struct sql_error *error);
    void (*rescan)(struct sql_node *node); /* forget progress; inputs are rescanned before */
    void (*end)(struct sql_node *node);    /* NULL: memory is all there is */
};

/* The state of one plan node. */
struct sql_node {
    const struct sql_plan *plan;
    const struct sql_node_ops *ops;
    struct sql_exec *exec;
    struct sql_node *left, *right;
    struct sql_batch batch;          /* what next gave out */
    uint16_t *rows;                  /* a selection of SQL_BATCH_ROWS, made when first needed */
    struct arena memory;             /* what grows with the data; counted */
    struct arena scratch;            /* results of expressions; reset for each batch */
    struct sql_eval_context context; /* its arena is `scratch` */
    void *state;                     /* the operator's own, in exec's arena */
    struct sql_node *next_node;      /* of the execution */
};

struct sql_exec {
    struct arena arena; /* states */
    const struct sql_row_source *source;
    struct sql_node *root;
    struct sql_node *nodes; /* all, for memory and closing */
    uint64_t memory_limit;
    uint32_t rows_since_pause;
};

/* One table of operations per operator. */
extern const struct sql_node_ops sql_exec_result, sql_exec_values, sql_exec_scan, sql_exec_filter,
    sql_exec_project, sql_exec_aggregate, sql_exec_distinct, sql_exec_sort, sql_exec_limit,
    sql_exec_hash_join, sql_exec_nested_loop;

/* Counts rows of work; every so often lets others run and asks whether to go on. */
enum status sql_exec_pause(struct sql_node *node, uint32_t rows,
                           struct sql_error *error) MUST_CHECK;
/* 53200 when the operators hold more than they may. */
enum status sql_exec_check_memory(struct sql_node *node, struct sql_error *error) MUST_CHECK;
/* The input's next batch; resets the node's scratch arena first, so what it made for the batch
 * before is gone. */
enum status sql_exec_pull(struct sql_node *node, struct sql_node *input, struct sql_batch **out,
                          struct sql_error *error) MUST_CHECK;
/* node->rows, made if need be. */
uint16_t *sql_exec_rows(struct sql_node *node);
/* Types of a plan's output, in exec's arena. */
enum sql_type *sql_exec_types(struct sql_exec *exec, const struct sql_plan *plan);
/* Expression states, in exec's arena. */
struct sql_expr_state **sql_exec_exprs(struct sql_exec *exec, struct sql_expr *const *exprs,
                                       uint32_t count);
/* A BIGINT runtime constant, or `otherwise` if it is NULL in either sense. `what`: "LIMIT", for the
 * error when it is negative. */
enum status sql_exec_count(struct sql_node *node, const struct sql_expr *expr, const char *what,
                           uint64_t otherwise, uint64_t *out, struct sql_error *error) MUST_CHECK;
/* limit + offset; UINT64_MAX if there is no limit. */
enum status sql_exec_rows_wanted(struct sql_node *node, const struct sql_expr *limit,
                                 const struct sql_expr *offset, uint64_t *out,
                                 struct sql_error *error) MUST_CHECK;

#endif
