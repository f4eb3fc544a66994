/* sql_planner_join.c - FROM and WHERE: the inputs, the order of joins, where each condition is
 * tested.
 *
 * Greedy: begin with the smallest input, then always add the one that makes the smallest result,
 * those connected by an equality before others. A condition is tested as soon as all it speaks of
 * is there: an equality between what was joined and what is added is a key of a hash join. */

#include "sql_planner_internal.h"

/* ---- inputs --------------------------------------------------------------------------------- */

static enum status plan_subquery(struct planner *planner, uint32_t relation, struct planned *out) {
    const struct bound_relation *bound = &planner->select->relations[relation];
    *out = (struct planned){.relations = (relation_set)1 << relation};
    TRY(planner_select(planner->arena, bound->subquery, &out->plan, planner->error));
    uint32_t count = out->plan->column_count;
    out->layout = ARENA_ARRAY(planner->arena, struct layout_column, count + 1);
    struct sql_plan_column *columns =
        ARENA_ARRAY(planner->arena, struct sql_plan_column, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        out->layout[i] = (struct layout_column){relation, i};
        columns[i] = (struct sql_plan_column){
            .type = bound->columns[i].type, .name = bound->columns[i].name, .origin = bound->name};
    }
    out->plan->columns = columns;
    return STATUS_OK;
}

/* All unused conjuncts that speak of nothing but `relations`, over the columns of `input`. Those
 * that speak of no relation at all are tested once something is there to be filtered. */
static struct sql_expr *take_conditions(struct planner *planner, const struct planned *input) {
    struct sql_expr **list =
        ARENA_ARRAY(planner->arena, struct sql_expr *, planner->conjunct_count + 1);
    uint32_t count = 0;
    for (uint32_t i = 0; i < planner->conjunct_count; i++) {
        struct conjunct *conjunct = &planner->conjuncts[i];
        if (conjunct->used || (conjunct->relations & ~input->relations) != 0) continue;
        list[count++] = planner_remap(planner, conjunct->expr, input);
        conjunct->used = true;
    }
    return planner_conjunction(planner, list, count);
}

/* ---- joins ---------------------------------------------------------------------------------- */

static void concat_columns(struct planner *planner, const struct planned *left,
                           const struct planned *right, struct planned *out) {
    uint32_t count = left->plan->column_count + right->plan->column_count;
    struct sql_plan_column *columns =
        ARENA_ARRAY(planner->arena, struct sql_plan_column, count + 1);
    out->layout = ARENA_ARRAY(planner->arena, struct layout_column, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        bool from_left = i < left->plan->column_count;
        const struct planned *side = from_left ? left : right;
        uint32_t at = from_left ? i : i - left->plan->column_count;
        columns[i] = side->plan->columns[at];
        out->layout[i] = side->layout[at];
    }
    out->plan->columns = columns;
    out->plan->column_count = count;
    out->relations = left->relations | right->relations;
}

/* Is it an equality between the two? Then *a is over `left`, *b over `right`. */
static bool is_join_key(const struct conjunct *conjunct, relation_set left, relation_set right,
                        const struct sql_expr **a, const struct sql_expr **b) {
    const char *op = planner_operator(conjunct->expr);
    if (conjunct->used || op == NULL || strcmp(op, "=") != 0) return false;
    *a = conjunct->expr->args[0];
    *b = conjunct->expr->args[1];
    relation_set of_a = planner_relations(*a);
    relation_set of_b = planner_relations(*b);
    if (of_a == 0 || of_b == 0) return false;
    if ((of_a & ~left) == 0 && (of_b & ~right) == 0) return true;
    if ((of_a & ~right) != 0 || (of_b & ~left) != 0) return false;
    const struct sql_expr *swap = *a;
    *a = *b;
    *b = swap;
    return true;
}

/* Equal values hash equal only within a type: an int2 is widened to meet an int8. NULL if the two
 * have no type in common that the hash join could use. */
static struct sql_expr *as_type(struct planner *planner, struct sql_expr *expr,
                                enum sql_type type) {
    if (expr->type == type) return expr;
    if (!sql_type_is_integer(expr->type) || !sql_type_is_integer(type)) return NULL;
    struct sql_expr *cast = ARENA_NEW(planner->arena, struct sql_expr);
    *cast = (struct sql_expr){.kind = SQL_EXPR_CAST, .type = type, .typmod = -1, .arg_count = 1};
    cast->args = ARENA_ARRAY(planner->arena, struct sql_expr *, 1);
    cast->args[0] = expr;
    cast->cast.cast = sql_find_cast(expr->type, type, SQL_CAST_IMPLICIT);
    cast->cast.context = SQL_CAST_IMPLICIT;
    return cast->cast.cast != NULL ? cast : NULL;
}

static bool unify_keys(struct planner *planner, struct sql_expr **a, struct sql_expr **b) {
    bool a_wider =
        sql_type_info((*a)->type)->length_bytes >= sql_type_info((*b)->type)->length_bytes;
    struct sql_expr *left = as_type(planner, *a, a_wider ? (*a)->type : (*b)->type);
    struct sql_expr *right = as_type(planner, *b, a_wider ? (*a)->type : (*b)->type);
    if (left == NULL || right == NULL) return false;
    *a = left;
    *b = right;
    return true;
}

static void take_keys(struct planner *planner, const struct planned *left,
                      const struct planned *right, struct sql_plan_join *join) {
    join->left_keys = ARENA_ARRAY(planner->arena, struct sql_expr *, planner->conjunct_count + 1);
    join->right_keys = ARENA_ARRAY(planner->arena, struct sql_expr *, planner->conjunct_count + 1);
    for (uint32_t i = 0; i < planner->conjunct_count; i++) {
        const struct sql_expr *a = NULL;
        const struct sql_expr *b = NULL;
        struct conjunct *conjunct = &planner->conjuncts[i];
        if (!is_join_key(conjunct, left->relations, right->relations, &a, &b)) continue;
        struct sql_expr *left_key = planner_remap(planner, a, left);
        struct sql_expr *right_key = planner_remap(planner, b, right);
        if (!unify_keys(planner, &left_key, &right_key)) continue;
        join->left_keys[join->key_count] = left_key;
        join->right_keys[join->key_count++] = right_key;
        conjunct->used = true;
    }
}

/* The smaller side is the right one, which is kept in memory. */
static struct planned join(struct planner *planner, struct planned a, struct planned b) {
    struct planned left = a.plan->rows >= b.plan->rows ? a : b;
    struct planned right = a.plan->rows >= b.plan->rows ? b : a;
    struct planned out = {0};
    out.plan = planner_node(planner, SQL_PLAN_NESTED_LOOP, left.plan, right.plan);
    concat_columns(planner, &left, &right, &out);
    take_keys(planner, &left, &right, &out.plan->join);
    if (out.plan->join.key_count > 0) out.plan->kind = SQL_PLAN_HASH_JOIN;
    out.plan->join.condition = take_conditions(planner, &out);
    planner_estimate(out.plan);
    return out;
}

static uint32_t count_keys(const struct planner *planner, relation_set left, relation_set right) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < planner->conjunct_count; i++) {
        const struct sql_expr *a = NULL;
        const struct sql_expr *b = NULL;
        if (is_join_key(&planner->conjuncts[i], left, right, &a, &b)) count++;
    }
    return count;
}

/* Which of the inputs to add next. */
static uint32_t choose(const struct planner *planner, const struct planned *joined,
                       const struct planned *inputs, uint32_t count) {
    uint32_t best = 0;
    uint32_t best_keys = 0;
    double best_rows = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t keys = count_keys(planner, joined->relations, inputs[i].relations);
        double rows = planner_join_rows(joined->plan, inputs[i].plan, keys);
        bool connects = keys > 0 && best_keys == 0;
        bool alike = (keys > 0) == (best_keys > 0);
        if (i > 0 && !connects && !(alike && rows < best_rows)) continue;
        best = i;
        best_keys = keys;
        best_rows = rows;
    }
    return best;
}

static struct planned take(struct planned *inputs, uint32_t *count, uint32_t i) {
    struct planned taken = inputs[i];
    for (uint32_t j = i + 1; j < *count; j++)
        inputs[j - 1] = inputs[j];
    (*count)--;
    return taken;
}

/* ---- everything in FROM --------------------------------------------------------------------- */

enum status planner_joins(struct planner *planner, bool for_write, struct planned *out) {
    const struct bound_select *select = planner->select;
    uint32_t count = select->relation_count;
    struct planned *inputs = ARENA_ARRAY(planner->arena, struct planned, count + 1);
    uint32_t smallest = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (select->relations[i].kind == BOUND_TABLE) {
            inputs[i] = planner_scan(planner, i, for_write);
        } else {
            TRY(plan_subquery(planner, i, &inputs[i]));
        }
        struct sql_expr *condition = take_conditions(planner, &inputs[i]);
        inputs[i].plan = planner_filter(planner, inputs[i].plan, condition);
        if (inputs[i].plan->rows < inputs[smallest].plan->rows) smallest = i;
    }
    if (count == 0) {
        *out = (struct planned){.plan = planner_node(planner, SQL_PLAN_RESULT, NULL, NULL)};
        planner_estimate(out->plan);
        out->plan = planner_filter(planner, out->plan, take_conditions(planner, out));
        return STATUS_OK;
    }
    *out = take(inputs, &count, smallest);
    while (count > 0) {
        uint32_t next = choose(planner, out, inputs, count);
        *out = join(planner, *out, take(inputs, &count, next));
    }
    return STATUS_OK;
}
