/* sql_binder_hint.c - "Perhaps you meant": which column a misspelt name may have meant.
 *
 * PostgreSQL's rule (parse_relation.c): the one or two columns nearest in Levenshtein distance, at
 * most 3, counting a misspelt qualifier too, and never more than half of the name. */
#include "sql_ast.h"
#include "sql_binder_internal.h"

enum { HINT_DISTANCE_MAX = 3 };

struct candidate {
    const char *relation, *column;
};

struct search {
    int distance; /* the best so far; one more than allowed if there is none */
    struct candidate found[2];
    int count;
};

static int least(int a, int b, int c) {
    int ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Insertions, deletions and substitutions cost 1 each (Wagner and Fischer 1974). Names are
 * short. */
static int levenshtein(const char *a, const char *b) {
    int row[SQL_NAME_MAX + 2];
    int len_b = (int)strlen(b);
    for (int j = 0; j <= len_b; j++)
        row[j] = j;
    for (int i = 1; a[i - 1] != '\0'; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= len_b; j++) {
            int above = row[j];
            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[len_b];
}

static void consider(struct search *search, const struct ast_expr *name, const char *relation,
                     const char *column) {
    int penalty = name->table != NULL ? levenshtein(name->table, relation) : 0;
    if (penalty > search->distance || strlen(column) > SQL_NAME_MAX) return;
    int distance = levenshtein(column, name->name);
    if (distance > (int)strlen(name->name) / 2) return;
    distance += penalty;
    struct candidate candidate = {relation, column};
    if (distance < search->distance) {
        search->distance = distance;
        search->found[0] = candidate;
        search->count = 1;
    } else if (distance == search->distance && search->count == 2) {
        search->count = 0; /* three alike: none of them is worth a hint */
        search->distance = distance - 1;
    } else if (distance == search->distance && distance <= HINT_DISTANCE_MAX) {
        search->found[search->count++] = candidate;
    }
}

void hint_column(struct binder *binder, const struct ast_expr *name) {
    const struct block *block = binder->block;
    struct search search = {.distance = HINT_DISTANCE_MAX + 1};
    const struct bound_select *select = block->select;
    for (uint32_t i = 0; select != NULL && i < select->relation_count; i++) {
        const struct bound_relation *relation = &select->relations[i];
        for (uint32_t j = 0; j < relation->column_count; j++) {
            bool hidden = relation->kind == BOUND_TABLE && relation->table->columns[j].hidden;
            if (!hidden) consider(&search, name, relation->name, relation->columns[j].name);
        }
    }
    for (uint32_t j = 0; block->target != NULL && j < block->target->column_count; j++) {
        const struct sql_table_column *column = &block->target->columns[j];
        if (!column->hidden) consider(&search, name, block->target->name, column->name);
    }
    const struct candidate *found = search.found;
    if (search.count > 0 && search.distance == 0 && name->table == NULL) {
        sql_error_hint(binder->error,
                       "There is a column named \"%s\" in table \"%s\", but it cannot be "
                       "referenced from this part of the query.",
                       found[0].column, found[0].relation);
    } else if (search.count == 1) {
        sql_error_hint(binder->error, "Perhaps you meant to reference the column \"%s.%s\".",
                       found[0].relation, found[0].column);
    } else if (search.count == 2) {
        sql_error_hint(binder->error,
                       "Perhaps you meant to reference the column \"%s.%s\" or the column "
                       "\"%s.%s\".",
                       found[0].relation, found[0].column, found[1].relation, found[1].column);
    }
}
