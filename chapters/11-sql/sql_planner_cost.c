/* sql_planner_cost.c - every number that a choice of the planner rests on.
 *
 * There are no statistics: tables are taken to be alike, and conditions to let through the
 * fractions that Selinger et al. (1979) proposed for that case. A row handled by an operator costs
 * 1, a row fetched by its own key costs a visit to the range's leader. */
#include "sql_planner_internal.h"

static const double TABLE_ROWS = 1000;
static const double EQUAL_FRACTION = 0.005;
static const double RANGE_FRACTION = 1.0 / 3.0;
static const double FILTER_FRACTION = 1.0 / 3.0;
static const double GROUP_FRACTION = 0.2;
static const double ROW_COST = 0.01;
static const double FETCH_COST = 1.0;  /* one more key or range to ask for */
static const double BUILD_COST = 0.02; /* a row put into a hash table */

static const size_t POINTS_MAX = 16384;

bool planner_worth_points(size_t points, size_t count) { return points * count <= POINTS_MAX; }

static double at_least_one(double rows) { return rows < 1 ? 1 : rows; }

static void estimate_scan(struct sql_plan *plan) {
    const struct sql_plan_scan *scan = &plan->scan;
    double spans = 1;
    double rows = TABLE_ROWS;
    for (uint32_t i = 0; i < scan->bounds.equal_count; i++) {
        spans *= (double)scan->bounds.equal[i].count;
        rows *= EQUAL_FRACTION;
    }
    rows = scan->points ? spans : at_least_one(rows) * spans;
    if (scan->bounds.low != NULL) rows *= RANGE_FRACTION;
    if (scan->bounds.high != NULL) rows *= RANGE_FRACTION;
    rows = at_least_one(rows);
    plan->cost = FETCH_COST * spans + ROW_COST * rows;
    plan->rows = scan->filter != NULL ? at_least_one(rows * FILTER_FRACTION) : rows;
}

double planner_join_rows(const struct sql_plan *left, const struct sql_plan *right,
                         uint32_t key_count) {
    double larger = left->rows > right->rows ? left->rows : right->rows;
    double rows = left->rows * right->rows;
    return at_least_one(key_count > 0 ? rows / larger : rows);
}

static void estimate_join(struct sql_plan *plan) {
    double pairs = planner_join_rows(plan->left, plan->right, plan->join.key_count);
    plan->cost = plan->left->cost + plan->right->cost + BUILD_COST * plan->right->rows;
    plan->cost += ROW_COST * (plan->join.key_count > 0 ? plan->left->rows : 0) + ROW_COST * pairs;
    plan->rows = plan->join.condition != NULL ? at_least_one(pairs * FILTER_FRACTION) : pairs;
}

/* The value of a LIMIT if it is known now. */
static double limit_rows(const struct sql_expr *limit, double rows) {
    if (limit == NULL || limit->kind != SQL_EXPR_CONST || limit->constant.is_null) return rows;
    double count = (double)limit->constant.integer;
    return count < rows ? count : rows;
}

void planner_estimate(struct sql_plan *plan) {
    const struct sql_plan *input = plan->left;
    if (input != NULL) {
        plan->rows = input->rows;
        plan->cost = input->cost + ROW_COST * input->rows;
    }
    switch (plan->kind) {
    case SQL_PLAN_RESULT:
        plan->rows = 1;
        break;
    case SQL_PLAN_VALUES:
        plan->rows = (double)plan->values.row_count;
        plan->cost = ROW_COST * plan->rows;
        break;
    case SQL_PLAN_SCAN:
        estimate_scan(plan);
        break;
    case SQL_PLAN_FILTER:
        plan->rows = at_least_one(input->rows * FILTER_FRACTION);
        break;
    case SQL_PLAN_AGGREGATE:
        plan->rows =
            plan->aggregate.group_count == 0 ? 1 : at_least_one(input->rows * GROUP_FRACTION);
        break;
    case SQL_PLAN_DISTINCT:
        plan->rows = at_least_one(input->rows * GROUP_FRACTION);
        break;
    case SQL_PLAN_LIMIT:
        plan->rows = limit_rows(plan->limit.limit, input->rows);
        plan->cost = input->cost;
        break;
    case SQL_PLAN_HASH_JOIN:
    case SQL_PLAN_NESTED_LOOP:
        estimate_join(plan);
        break;
    default:
        break;
    }
}
