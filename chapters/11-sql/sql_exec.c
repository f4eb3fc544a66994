/* sql_exec.c - the tree of states: building, running, pausing, memory. The operators are in
 * sql_exec_*.c. */
#include "sql_exec.h"

#include <assert.h>

#include "co.h"
#include "mem.h"
#include "sql_exec_internal.h"

enum { PAUSE_ROWS = 256 };
#define DEFAULT_MEMORY_BYTES (UINT64_C(256) << 20)

static const struct sql_node_ops *ops_of(enum sql_plan_kind kind) {
    switch (kind) {
    case SQL_PLAN_RESULT:
        return &sql_exec_result;
    case SQL_PLAN_VALUES:
        return &sql_exec_values;
    case SQL_PLAN_SCAN:
        return &sql_exec_scan;
    case SQL_PLAN_FILTER:
        return &sql_exec_filter;
    case SQL_PLAN_PROJECT:
        return &sql_exec_project;
    case SQL_PLAN_AGGREGATE:
        return &sql_exec_aggregate;
    case SQL_PLAN_DISTINCT:
        return &sql_exec_distinct;
    case SQL_PLAN_SORT:
        return &sql_exec_sort;
    case SQL_PLAN_LIMIT:
        return &sql_exec_limit;
    case SQL_PLAN_HASH_JOIN:
        return &sql_exec_hash_join;
    case SQL_PLAN_NESTED_LOOP:
        return &sql_exec_nested_loop;
    case SQL_PLAN_INSERT:
    case SQL_PLAN_UPDATE:
    case SQL_PLAN_DELETE:
        break;
    }
    return NULL;
}

/* Inputs first: an operator's init may look at them. */
static enum status make_node(struct sql_exec *exec, const struct sql_exec_options *options,
                             const struct sql_plan *plan, struct sql_node **out,
                             struct sql_error *error) {
    *out = NULL;
    if (plan == NULL) return STATUS_OK;
    const struct sql_node_ops *ops = ops_of(plan->kind);
    if (ops == NULL) {
        return sql_error_set(error, SQLSTATE_INTERNAL_ERROR,
                             "a plan that writes has no place below another");
    }
    struct sql_node *node = ARENA_NEW(&exec->arena, struct sql_node);
    node->plan = plan;
    node->ops = ops;
    node->exec = exec;
    arena_init(&node->memory, exec->memory_limit);
    arena_init(&node->scratch, exec->memory_limit);
    if (options->eval != NULL) node->context = *options->eval;
    node->context.arena = &node->scratch;
    node->next_node = exec->nodes;
    exec->nodes = node;
    TRY(make_node(exec, options, plan->left, &node->left, error));
    TRY(make_node(exec, options, plan->right, &node->right, error));
    *out = node;
    return ops->init(node, error);
}

enum status sql_exec_open(const struct sql_exec_options *options, struct sql_exec **out,
                          struct sql_error *error) {
    struct sql_exec *exec = MEM_NEW(struct sql_exec);
    arena_init(&exec->arena, 0);
    exec->source = options->source;
    exec->memory_limit = options->memory_bytes != 0 ? options->memory_bytes : DEFAULT_MEMORY_BYTES;
    enum status status = make_node(exec, options, options->plan, &exec->root, error);
    if (status != STATUS_OK) {
        sql_exec_close(exec);
        exec = NULL;
    }
    *out = exec;
    return status;
}

enum status sql_exec_next(struct sql_exec *exec, struct sql_batch **out, struct sql_error *error) {
    TRY(exec->root->ops->next(exec->root, out, error));
    assert(*out == NULL || (*out)->selection.count > 0);
    return STATUS_OK;
}

static void rescan_node(struct sql_node *node) {
    if (node == NULL) return;
    rescan_node(node->left);
    rescan_node(node->right);
    node->ops->rescan(node);
}

enum status sql_exec_rescan(struct sql_exec *exec, struct sql_error *error) {
    rescan_node(exec->root);
    return sql_exec_pause(exec->root, PAUSE_ROWS, error);
}

void sql_exec_close(struct sql_exec *exec) {
    if (exec == NULL) return;
    for (struct sql_node *node = exec->nodes; node != NULL; node = node->next_node) {
        if (node->ops->end != NULL) node->ops->end(node);
        arena_deinit(&node->memory);
        arena_deinit(&node->scratch);
    }
    arena_deinit(&exec->arena);
    mem_free(exec);
}

/* ---- what operators share -------------------------------------------------------------------- */

enum status sql_exec_pause(struct sql_node *node, uint32_t rows, struct sql_error *error) {
    struct sql_exec *exec = node->exec;
    exec->rows_since_pause += rows;
    if (exec->rows_since_pause < PAUSE_ROWS) return STATUS_OK;
    exec->rows_since_pause = 0;
    enum status status = co_self() != NULL ? co_yield() : STATUS_OK;
    if (exec->source != NULL && exec->source->check != NULL) {
        TRY(exec->source->check(exec->source->context, error)); /* knows why */
    }
    if (status == STATUS_OK) return STATUS_OK;
    (void)sql_error_set(error, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    return status;
}

enum status sql_exec_check_memory(struct sql_node *node, struct sql_error *error) {
    struct sql_exec *exec = node->exec;
    uint64_t used = 0;
    for (const struct sql_node *n = exec->nodes; n != NULL; n = n->next_node) {
        used += n->memory.used_bytes + n->scratch.used_bytes;
    }
    if (used <= exec->memory_limit) return STATUS_OK;
    (void)sql_error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    sql_error_detail(error, "The statement needs more than its limit of %llu bytes.",
                     (unsigned long long)exec->memory_limit);
    return STATUS_INVALID;
}

enum status sql_exec_pull(struct sql_node *node, struct sql_node *input, struct sql_batch **out,
                          struct sql_error *error) {
    arena_reset(&node->scratch);
    TRY(input->ops->next(input, out, error));
    return *out != NULL ? sql_exec_pause(node, (*out)->selection.count, error) : STATUS_OK;
}

uint16_t *sql_exec_rows(struct sql_node *node) {
    if (node->rows == NULL) node->rows = ARENA_ARRAY(&node->exec->arena, uint16_t, SQL_BATCH_ROWS);
    return node->rows;
}

enum sql_type *sql_exec_types(struct sql_exec *exec, const struct sql_plan *plan) {
    enum sql_type *types = ARENA_ARRAY(&exec->arena, enum sql_type, plan->column_count + 1);
    for (uint32_t i = 0; i < plan->column_count; i++)
        types[i] = plan->columns[i].type.type;
    return types;
}

struct sql_expr_state **sql_exec_exprs(struct sql_exec *exec, struct sql_expr *const *exprs,
                                       uint32_t count) {
    struct sql_expr_state **states = ARENA_ARRAY(&exec->arena, struct sql_expr_state *, count + 1);
    for (uint32_t i = 0; i < count; i++)
        states[i] = sql_expr_state_new(&exec->arena, exprs[i]);
    return states;
}

enum status sql_exec_count(struct sql_node *node, const struct sql_expr *expr, const char *what,
                           uint64_t otherwise, uint64_t *out, struct sql_error *error) {
    *out = otherwise;
    if (expr == NULL) return STATUS_OK;
    struct sql_datum value;
    TRY(sql_expr_eval_datum(expr, &node->context, &value, error));
    if (value.is_null) return STATUS_OK;
    if (value.integer < 0) {
        bool limit = strcmp(what, "LIMIT") == 0;
        return sql_error_set(error,
                             limit ? SQLSTATE_INVALID_ROW_COUNT_IN_LIMIT
                                   : SQLSTATE_INVALID_ROW_COUNT_IN_OFFSET,
                             "%s must not be negative", what);
    }
    *out = (uint64_t)value.integer;
    return STATUS_OK;
}

enum status sql_exec_rows_wanted(struct sql_node *node, const struct sql_expr *limit,
                                 const struct sql_expr *offset, uint64_t *out,
                                 struct sql_error *error) {
    uint64_t skip;
    TRY(sql_exec_count(node, limit, "LIMIT", UINT64_MAX, out, error));
    TRY(sql_exec_count(node, offset, "OFFSET", 0, &skip, error));
    *out = *out > UINT64_MAX - skip ? UINT64_MAX : *out + skip;
    return STATUS_OK;
}
