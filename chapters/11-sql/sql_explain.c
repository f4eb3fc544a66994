/* sql_explain.c - a plan as lines of text, laid out as PostgreSQL's EXPLAIN does.
 *
 * Node names are PostgreSQL's where the operator is the same: a scan that reads a part of the
 * primary key is an "Index Scan using t_pkey", one that reads it all a "Seq Scan". */
#include "sql_explain_internal.h"
#include "sql_planner.h"

struct explain {
    struct arena *arena;
    struct sql_explain_options options;
    bool qualify;
    struct slice *lines;
    size_t count, capacity;
};

static void add_line(struct explain *explain, uint32_t indent, const struct buf *text) {
    if (explain->count == explain->capacity) {
        size_t capacity = explain->capacity * 2 + 8;
        struct slice *larger = ARENA_ARRAY(explain->arena, struct slice, capacity);
        if (explain->count > 0) {
            memcpy(larger, explain->lines, sizeof(*larger) * explain->count);
        }
        explain->lines = larger;
        explain->capacity = capacity;
    }
    char *line = arena_printf(explain->arena, "%*s%.*s", (int)indent, "", (int)text->len,
                              (const char *)text->data);
    explain->lines[explain->count++] = slice_of_string(line);
}

/* ---- what a node is called ------------------------------------------------------------------ */

static bool reads_part(const struct sql_plan_scan *scan) {
    return scan->bounds.equal_count > 0 || scan->bounds.low != NULL || scan->bounds.high != NULL;
}

static void print_scan_name(const struct sql_plan_scan *scan, struct buf *out) {
    const char *key = scan->table->key_name;
    if (reads_part(scan) || scan->reverse) {
        buf_printf(out, "Index Scan%s using %s", scan->reverse ? " Backward" : "",
                   key != NULL ? key : scan->table->name);
    } else {
        buf_append_string(out, "Seq Scan");
    }
    buf_printf(out, " on %s", scan->table->name);
    if (strcmp(scan->name, scan->table->name) != 0) buf_printf(out, " %s", scan->name);
}

static void print_node_name(const struct sql_plan *plan, struct buf *out) {
    switch (plan->kind) {
    case SQL_PLAN_RESULT:
        buf_append_string(out, "Result");
        break;
    case SQL_PLAN_VALUES:
        buf_append_string(out, plan->values.row_count > 0 ? "Values Scan" : "Result");
        break;
    case SQL_PLAN_SCAN:
        print_scan_name(&plan->scan, out);
        break;
    case SQL_PLAN_FILTER:
        buf_append_string(out, "Filter");
        break;
    case SQL_PLAN_PROJECT:
        buf_append_string(out, "Project");
        break;
    case SQL_PLAN_AGGREGATE:
        buf_append_string(out, plan->aggregate.group_count > 0 ? "HashAggregate" : "Aggregate");
        break;
    case SQL_PLAN_DISTINCT:
        buf_append_string(out, "Unique");
        break;
    case SQL_PLAN_SORT:
        buf_append_string(out, plan->sort.limit != NULL ? "Top-N Sort" : "Sort");
        break;
    case SQL_PLAN_LIMIT:
        buf_append_string(out, "Limit");
        break;
    case SQL_PLAN_HASH_JOIN:
        buf_append_string(out, "Hash Join");
        break;
    case SQL_PLAN_NESTED_LOOP:
        buf_append_string(out, "Nested Loop");
        break;
    case SQL_PLAN_INSERT:
        buf_printf(out, "Insert on %s", plan->insert.table->name);
        break;
    case SQL_PLAN_UPDATE:
        buf_printf(out, "Update on %s", plan->update.table->name);
        break;
    case SQL_PLAN_DELETE:
        buf_printf(out, "Delete on %s", plan->delete_.table->name);
        break;
    }
}

/* ---- what is said below the name ------------------------------------------------------------ */

static void add_detail(struct explain *explain, uint32_t indent, const char *label,
                       const struct sql_expr *expr, const struct explain_scope *scope) {
    if (expr == NULL) return;
    struct buf text = BUF_INIT;
    buf_printf(&text, "%s: ", label);
    explain_expr(expr, scope, &text);
    add_line(explain, indent, &text);
    buf_deinit(&text);
}

static void print_key_name(const struct explain *explain, const struct sql_plan_scan *scan,
                           uint32_t i, struct buf *out) {
    if (explain->qualify) buf_printf(out, "%s.", scan->name);
    buf_append_string(out, scan->table->columns[scan->table->key[i]].name);
}

static void print_bound(const struct explain *explain, const struct sql_plan_scan *scan, uint32_t i,
                        const char *op, const struct sql_expr *value, bool *first,
                        struct buf *out) {
    struct explain_scope none = {.qualify = false};
    if (value == NULL) return;
    if (!*first) buf_append_string(out, " AND ");
    *first = false;
    buf_append_byte(out, '(');
    print_key_name(explain, scan, i, out);
    buf_printf(out, " %s ", op);
    explain_expr(value, &none, out);
    buf_append_byte(out, ')');
}

static void print_values(const struct explain *explain, const struct sql_plan_scan *scan,
                         uint32_t i, bool *first, struct buf *out) {
    enum { SHOWN_MAX = 10 };
    const struct sql_key_values *list = &scan->bounds.equal[i];
    struct explain_scope none = {.qualify = false};
    if (list->count == 1) {
        print_bound(explain, scan, i, "=", list->values[0], first, out);
        return;
    }
    if (!*first) buf_append_string(out, " AND ");
    *first = false;
    buf_append_byte(out, '(');
    print_key_name(explain, scan, i, out);
    buf_append_string(out, " IN (");
    for (uint32_t j = 0; j < list->count && j < SHOWN_MAX; j++) {
        if (j > 0) buf_append_string(out, ", ");
        explain_expr(list->values[j], &none, out);
    }
    if (list->count > SHOWN_MAX) buf_printf(out, ", ... %u more", list->count - SHOWN_MAX);
    buf_append_string(out, "))");
}

static void add_scan_details(struct explain *explain, uint32_t indent,
                             const struct sql_plan *plan) {
    const struct sql_plan_scan *scan = &plan->scan;
    const struct sql_scan_bounds *bounds = &scan->bounds;
    if (reads_part(scan)) {
        struct buf text = BUF_INIT;
        bool first = true;
        uint32_t terms = bounds->equal_count + (bounds->low != NULL) + (bounds->high != NULL);
        buf_printf(&text, "Index Cond: %s", terms > 1 ? "(" : "");
        for (uint32_t i = 0; i < bounds->equal_count; i++) {
            print_values(explain, scan, i, &first, &text);
        }
        print_bound(explain, scan, bounds->equal_count, bounds->low_inclusive ? ">=" : ">",
                    bounds->low, &first, &text);
        print_bound(explain, scan, bounds->equal_count, bounds->high_inclusive ? "<=" : "<",
                    bounds->high, &first, &text);
        if (terms > 1) buf_append_byte(&text, ')');
        add_line(explain, indent, &text);
        buf_deinit(&text);
    }
    struct explain_scope own = {.left = plan, .qualify = explain->qualify};
    add_detail(explain, indent, "Filter", scan->filter, &own);
}

static void add_join_details(struct explain *explain, uint32_t indent,
                             const struct sql_plan *plan) {
    const struct sql_plan_join *join = &plan->join;
    struct explain_scope left = {.left = plan->left, .qualify = explain->qualify};
    struct explain_scope right = {.left = plan->right, .qualify = explain->qualify};
    struct explain_scope both = {plan->left, plan->right, explain->qualify};
    if (join->key_count > 0) {
        struct buf text = BUF_INIT;
        buf_printf(&text, "Hash Cond: %s", join->key_count > 1 ? "(" : "");
        for (uint32_t i = 0; i < join->key_count; i++) {
            buf_append_string(&text, i > 0 ? " AND (" : "(");
            explain_expr(join->left_keys[i], &left, &text);
            buf_append_string(&text, " = ");
            explain_expr(join->right_keys[i], &right, &text);
            buf_append_byte(&text, ')');
        }
        if (join->key_count > 1) buf_append_byte(&text, ')');
        add_line(explain, indent, &text);
        buf_deinit(&text);
    }
    add_detail(explain, indent, "Join Filter", join->condition, &both);
}

static void add_sort_details(struct explain *explain, uint32_t indent,
                             const struct sql_plan *plan) {
    struct buf text = BUF_INIT;
    buf_append_string(&text, "Sort Key: ");
    for (uint32_t i = 0; i < plan->sort.key_count; i++) {
        const struct sql_sort_key *key = &plan->sort.keys[i];
        if (i > 0) buf_append_string(&text, ", ");
        explain_column(plan->left, key->column, explain->qualify, &text);
        if (key->descending) buf_append_string(&text, " DESC");
        if (key->descending && !key->nulls_first) buf_append_string(&text, " NULLS LAST");
        if (!key->descending && key->nulls_first) buf_append_string(&text, " NULLS FIRST");
    }
    add_line(explain, indent, &text);
    buf_deinit(&text);
}

static void add_expr_list(struct explain *explain, uint32_t indent, const char *label,
                          struct sql_expr *const *exprs, uint32_t count,
                          const struct sql_plan *input) {
    if (count == 0) return;
    struct explain_scope scope = {.left = input, .qualify = explain->qualify};
    struct buf text = BUF_INIT;
    buf_printf(&text, "%s: ", label);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) buf_append_string(&text, ", ");
        explain_expr(exprs[i], &scope, &text);
    }
    add_line(explain, indent, &text);
    buf_deinit(&text);
}

static void add_details(struct explain *explain, uint32_t indent, const struct sql_plan *plan) {
    struct explain_scope below = {.left = plan->left, .qualify = explain->qualify};
    switch (plan->kind) {
    case SQL_PLAN_SCAN:
        add_scan_details(explain, indent, plan);
        break;
    case SQL_PLAN_FILTER:
        add_detail(explain, indent, "Filter", plan->filter, &below);
        break;
    case SQL_PLAN_PROJECT:
        if (!explain->options.verbose) break;
        add_expr_list(explain, indent, "Output", plan->project.exprs, plan->column_count,
                      plan->left);
        break;
    case SQL_PLAN_AGGREGATE:
        add_expr_list(explain, indent, "Group Key", plan->aggregate.groups,
                      plan->aggregate.group_count, plan->left);
        if (!explain->options.verbose) break;
        add_expr_list(explain, indent, "Aggregates", plan->aggregate.aggregates,
                      plan->aggregate.aggregate_count, plan->left);
        break;
    case SQL_PLAN_SORT:
        add_sort_details(explain, indent, plan);
        break;
    case SQL_PLAN_HASH_JOIN:
    case SQL_PLAN_NESTED_LOOP:
        add_join_details(explain, indent, plan);
        break;
    case SQL_PLAN_VALUES:
        if (plan->values.row_count == 0) {
            struct buf text = BUF_INIT;
            buf_append_string(&text, "One-Time Filter: false");
            add_line(explain, indent, &text);
            buf_deinit(&text);
        }
        break;
    default:
        break;
    }
}

/* ---- the tree ------------------------------------------------------------------------------- */

/* Bytes of a row, as a guess: what a reader of PostgreSQL's plans expects to see. */
static unsigned row_width(const struct sql_plan *plan) {
    unsigned width = 0;
    for (uint32_t i = 0; i < plan->column_count; i++) {
        int16_t length = sql_type_info(plan->columns[i].type.type)->length_bytes;
        width += length > 0 ? (unsigned)length : 32;
    }
    return width;
}

static void add_plan(struct explain *explain, uint32_t level, const struct sql_plan *plan) {
    /* A projection that only computes is not worth a line: PostgreSQL has no such node. */
    if (plan->kind == SQL_PLAN_PROJECT && !explain->options.verbose) {
        add_plan(explain, level, plan->left);
        return;
    }
    struct buf text = BUF_INIT;
    if (level > 0) buf_append_string(&text, "->  ");
    print_node_name(plan, &text);
    if (explain->options.costs) {
        buf_printf(&text, "  (cost=0.00..%.2f rows=%.0f width=%u)", plan->cost, plan->rows,
                   row_width(plan));
    }
    uint32_t indent = level == 0 ? 0 : level * 6 - 4;
    add_line(explain, indent, &text);
    buf_deinit(&text);
    add_details(explain, level * 6 + 2, plan);
    if (plan->left != NULL) add_plan(explain, level + 1, plan->left);
    if (plan->right != NULL) add_plan(explain, level + 1, plan->right);
}

static uint32_t count_scans(const struct sql_plan *plan) {
    if (plan == NULL) return 0;
    return (plan->kind == SQL_PLAN_SCAN) + count_scans(plan->left) + count_scans(plan->right);
}

void sql_explain(struct arena *arena, const struct sql_plan *plan,
                 struct sql_explain_options options, struct slice **lines, size_t *count) {
    struct explain explain = {.arena = arena, .options = options};
    explain.qualify = options.verbose || count_scans(plan) > 1;
    add_plan(&explain, 0, plan);
    *lines = explain.lines;
    *count = explain.count;
}
