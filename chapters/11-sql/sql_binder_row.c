/* sql_binder_row.c - comparisons of rows, taken apart into comparisons of their values.
 *
 *   (a, b) = (c, d)     a = c AND b = d
 *   (a, b) <> (c, d)    a <> c OR b <> d
 *   (a, b) < (c, d)     a <= c AND (a < c OR (a = c AND b < d))
 *   (a, b) IN (r, s)    a IN (...) AND b IN (...) AND ((a, b) = r OR (a, b) = s)
 *
 * The first conjunct of < and those before the last of IN say nothing new, in SQL's three-valued
 * logic too; they are what a scan can be bounded by (paging by key: WHERE (a, b) > ($1, $2)). */
#include "sql_binder_internal.h"

/* Two rows of bound values. */
struct row_pair {
    struct sql_expr **left, **right;
    uint32_t count;
    int position; /* of the operator */
};

static bool is_row_operator(const char *op) {
    static const char *const ops[] = {"=", "<>", "<", "<=", ">", ">="};
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        if (strcmp(op, ops[i]) == 0) return true;
    }
    return false;
}

bool is_row_comparison(const struct ast_expr *expr) {
    if (expr->kind != AST_BINARY && expr->kind != AST_IN) return false;
    if (expr->kind == AST_BINARY && !is_row_operator(expr->op)) return false;
    for (size_t i = 0; i < expr->args.count; i++) {
        if (expr->args.items[i]->kind != AST_ROW) return false;
    }
    return true;
}

static enum status check_width(struct binder *binder, const struct ast_expr *left,
                               const struct ast_expr *right, int position) {
    if (left->args.count == right->args.count) return STATUS_OK;
    return sql_error_set_at(binder->error, position, SQLSTATE_SYNTAX_ERROR,
                            "unequal number of entries in row expressions");
}

static enum status compare(struct binder *binder, const struct row_pair *pair, uint32_t i,
                           const char *op, struct sql_expr **out) {
    return sql_build_operator(binder->build, slice_of_string(op), pair->left[i], pair->right[i],
                              pair->position, out, binder->error);
}

/* l1 op r1 AND (OR) l2 op r2 ... */
static enum status compare_each(struct binder *binder, const struct row_pair *pair, const char *op,
                                bool all, struct sql_expr **out) {
    struct sql_expr **parts = ARENA_ARRAY(binder->arena, struct sql_expr *, pair->count);
    for (uint32_t i = 0; i < pair->count; i++)
        TRY(compare(binder, pair, i, op, &parts[i]));
    if (pair->count == 1) {
        *out = parts[0];
        return STATUS_OK;
    }
    return all ? sql_build_and(binder->build, parts, pair->count, pair->position, out,
                               binder->error)
               : sql_build_or(binder->build, parts, pair->count, pair->position, out,
                              binder->error);
}

/* Lexicographic, built from the last value to the first. */
static enum status compare_order(struct binder *binder, const struct row_pair *pair, const char *op,
                                 struct sql_expr **out) {
    struct sql_build *build = binder->build;
    const char *strict = op[0] == '<' ? "<" : ">";
    const char *weak = op[0] == '<' ? "<=" : ">=";
    uint32_t last = pair->count - 1;
    TRY(compare(binder, pair, last, op, out));
    for (uint32_t i = last; i > 0; i--) {
        struct sql_expr *equal_and[2] = {NULL, *out};
        struct sql_expr *either[2];
        TRY(compare(binder, pair, i - 1, "=", &equal_and[0]));
        TRY(compare(binder, pair, i - 1, strict, &either[0]));
        TRY(sql_build_and(build, equal_and, 2, pair->position, &either[1], binder->error));
        TRY(sql_build_or(build, either, 2, pair->position, out, binder->error));
    }
    struct sql_expr *both[2] = {NULL, *out};
    if (pair->count == 1) return STATUS_OK;
    TRY(compare(binder, pair, 0, weak, &both[0]));
    return sql_build_and(build, both, 2, pair->position, out, binder->error);
}

static enum status bind_binary(struct binder *binder, const struct ast_expr *expr,
                               struct sql_expr **out) {
    const struct ast_expr *left = expr->args.items[0];
    const struct ast_expr *right = expr->args.items[1];
    struct row_pair pair = {.count = (uint32_t)left->args.count, .position = expr->position};
    TRY(check_width(binder, left, right, expr->position));
    TRY(bind_args(binder, left, &pair.left));
    TRY(bind_args(binder, right, &pair.right));
    if (strcmp(expr->op, "=") == 0) return compare_each(binder, &pair, "=", true, out);
    if (strcmp(expr->op, "<>") == 0) return compare_each(binder, &pair, "<>", false, out);
    return compare_order(binder, &pair, expr->op, out);
}

static enum status bind_in(struct binder *binder, const struct ast_expr *expr,
                           struct sql_expr **out) {
    const struct ast_expr *value = expr->args.items[0];
    uint32_t width = (uint32_t)value->args.count;
    uint32_t rows = (uint32_t)expr->args.count - 1;
    struct row_pair pair = {.count = width, .position = expr->position};
    struct sql_expr **equal = ARENA_ARRAY(binder->arena, struct sql_expr *, rows);
    struct sql_expr **parts = ARENA_ARRAY(binder->arena, struct sql_expr *, width + 1);
    struct sql_expr **lists = ARENA_ARRAY(binder->arena, struct sql_expr *, (size_t)width * rows);
    TRY(bind_args(binder, value, &pair.left));
    for (uint32_t i = 0; i < rows; i++) {
        const struct ast_expr *row = expr->args.items[i + 1];
        TRY(check_width(binder, value, row, expr->position));
        TRY(bind_args(binder, row, &pair.right));
        TRY(compare_each(binder, &pair, "=", true, &equal[i]));
        for (uint32_t j = 0; j < width; j++)
            lists[j * rows + i] = pair.right[j];
    }
    for (uint32_t j = 0; j < width; j++) {
        TRY(sql_build_in(binder->build, pair.left[j], lists + (size_t)j * rows, rows, false,
                         expr->position, &parts[j], binder->error));
    }
    parts[width] = equal[0];
    if (rows > 1) {
        TRY(sql_build_or(binder->build, equal, rows, expr->position, &parts[width], binder->error));
    }
    TRY(sql_build_and(binder->build, parts, width + 1, expr->position, out, binder->error));
    if (!expr->negated) return STATUS_OK;
    return sql_build_not(binder->build, *out, expr->position, out, binder->error);
}

enum status bind_row_comparison(struct binder *binder, const struct ast_expr *expr,
                                struct sql_expr **out) {
    return expr->kind == AST_IN ? bind_in(binder, expr, out) : bind_binary(binder, expr, out);
}
