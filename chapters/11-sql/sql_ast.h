/* sql_ast.h - what a statement says, as the grammar sees it: names not looked up, nothing typed.
 *
 * The parser builds it, the binder reads it, nobody changes it. Everything lives in the arena that
 * was given to the parser and dies with it. Plain data, no pointers back up.
 *
 *  1. `position` is the 1-based *character* (not byte) at which the construct's token starts in
 *     the text given to the parser, as PostgreSQL reports it; 0 means none.
 *  2. Identifiers are NUL-terminated, already folded to lower case unless they were quoted, and
 *     cut to SQL_NAME_MAX bytes as PostgreSQL does.
 *  3. No tree is deeper than SQL_DEPTH_MAX, whatever the text: whoever walks it may recurse.
 *     AND, OR, IN and VALUES are lists, so that their length costs no depth.
 *  4. Operators are named as PostgreSQL names them: LIKE is "~~", NOT ILIKE "!~~*", != "<>". */
#ifndef CAIRN_SQL_AST_H
#define CAIRN_SQL_AST_H

#include "slice.h"

enum {
    SQL_NAME_MAX = 63,   /* bytes, without the NUL: NAMEDATALEN - 1 */
    SQL_DEPTH_MAX = 128, /* nesting of expressions: what fits a coroutine's stack under ASan */
    SQL_PARAM_MAX = 65535
};

enum ast_expr_kind {
    AST_INTEGER, /* integer: fits int8; text: its digits */
    AST_NUMERIC, /* text: decimal digits, point, exponent; perhaps a leading '-' */
    AST_STRING,  /* text: after unescaping; its type is unknown until the context says */
    AST_BOOLEAN, /* truth */
    AST_NULL,
    AST_PARAM,         /* param_number */
    AST_COLUMN,        /* name, with table if written; `schema` if written too */
    AST_STAR,          /* `*`, or `table.*`; the only thing in a target list that is no value */
    AST_DEFAULT,       /* the word DEFAULT in VALUES or SET */
    AST_UNARY,         /* op, args[0] */
    AST_BINARY,        /* op, args[0], args[1]; LIKE and ILIKE too */
    AST_AND,           /* args, 2 or more */
    AST_OR,            /* args, 2 or more */
    AST_NOT,           /* args[0] */
    AST_IS_NULL,       /* args[0]; negated: IS NOT NULL */
    AST_IS_TRUE,       /* args[0]; negated: IS NOT TRUE */
    AST_IS_FALSE,      /* args[0] */
    AST_IS_UNKNOWN,    /* args[0] */
    AST_DISTINCT_FROM, /* args[0], args[1]; negated: IS NOT DISTINCT FROM */
    AST_BETWEEN,       /* args[0] BETWEEN args[1] AND args[2]; symmetric */
    AST_IN,            /* args[0] IN (args[1]...) */
    AST_CASE,          /* operand or NULL; args: when, then, when, then...; else_result or NULL */
    AST_COALESCE,      /* args */
    AST_NULLIF,        /* args[0], args[1] */
    AST_GREATEST,      /* args */
    AST_LEAST,         /* args */
    AST_CAST,          /* args[0], type; all three spellings */
    AST_ROW,           /* args, 2 or more: (a, b); only to be compared */
    AST_CALL           /* name (schema), args, star, distinct, filter */
};

/* A type as written, except that the grammar's own words are resolved to catalog names: INTEGER
 * is "int4", CHARACTER VARYING "varchar", FLOAT(24) "float4". */
struct ast_type {
    const char *schema; /* NULL if not written */
    const char *name;
    const int64_t *modifiers; /* the numbers in parentheses */
    size_t modifier_count;
    bool array;
    int position;
};

struct ast_exprs {
    struct ast_expr **items;
    size_t count;
};

/* Which members count follows from `kind`; the list above says. Kept small: a long INSERT is made
 * of hundreds of thousands of these. */
struct ast_expr {
    enum ast_expr_kind kind;
    int position;   /* of the operator for operators, else of the first token */
    uint32_t depth; /* 1 for a leaf */
    bool negated;   /* IS NOT ..., NOT IN, NOT BETWEEN */
    bool symmetric; /* BETWEEN SYMMETRIC */
    bool star;      /* count(*) */
    bool distinct;  /* count(DISTINCT x) */
    struct ast_exprs args;
    union {
        struct {
            struct slice text;
            int64_t integer;
        };
        bool truth;
        uint32_t param_number; /* from 1 */
        const char *op;
        struct {
            const char *schema;
            const char *table;       /* the qualifier of a column or a star; NULL if not written */
            const char *name;        /* of a column or function */
            struct ast_expr *filter; /* FILTER (WHERE ...) */
        };
        struct {
            struct ast_expr *operand;
            struct ast_expr *else_result;
        };
        const struct ast_type *type;
    };
};

/* A table's name where one is used. */
struct ast_relation {
    const char *schema; /* NULL if not written */
    const char *name;
    int position;
};

struct ast_names {
    const char **items;
    int *positions;
    size_t count;
};

enum ast_from_kind {
    AST_FROM_TABLE,    /* relation */
    AST_FROM_SUBQUERY, /* subquery */
    AST_FROM_JOIN      /* left, right; at most one of on, using_columns; neither: cross join */
};

struct ast_from {
    enum ast_from_kind kind;
    int position;
    uint32_t depth;
    const char *alias;              /* NULL if none */
    struct ast_names alias_columns; /* AS a(x, y) */
    struct ast_relation relation;
    struct ast_select *subquery;
    struct ast_from *left, *right;
    struct ast_expr *on;
    struct ast_names using_columns;
};

struct ast_target {
    struct ast_expr *value;
    const char *name; /* AS name, or NULL */
    int position;
};

enum ast_nulls { AST_NULLS_DEFAULT, AST_NULLS_FIRST, AST_NULLS_LAST };

struct ast_order {
    struct ast_expr *value;
    bool descending;
    enum ast_nulls nulls;
};

/* SELECT, or VALUES (rows != NULL; then only order_by, limit and offset may be there too). */
struct ast_select {
    int position;
    bool distinct;
    struct ast_target *targets; /* may be none: SELECT FROM t is valid */
    size_t target_count;
    struct ast_from **from; /* separated by commas */
    size_t from_count;
    struct ast_expr *where;
    struct ast_exprs group_by;
    struct ast_expr *having;
    struct ast_exprs *rows;
    size_t row_count;
    struct ast_order *order_by;
    size_t order_count;
    struct ast_expr *limit; /* NULL: all */
    struct ast_expr *offset;
};

struct ast_insert {
    struct ast_relation relation;
    const char *alias;
    struct ast_names columns;  /* count 0: not written */
    struct ast_select *source; /* NULL: DEFAULT VALUES */
    struct ast_target *returning;
    size_t returning_count;
};

struct ast_assignment {
    const char *column;
    int position;
    struct ast_expr *value;
};

struct ast_update {
    struct ast_relation relation;
    const char *alias;
    struct ast_assignment *assignments;
    size_t assignment_count;
    struct ast_expr *where;
    struct ast_target *returning;
    size_t returning_count;
};

struct ast_delete {
    struct ast_relation relation;
    const char *alias;
    struct ast_expr *where;
    struct ast_target *returning;
    size_t returning_count;
};

struct ast_column_def {
    const char *name;
    int position;
    const struct ast_type *type;
    bool not_null; /* NOT NULL written */
    bool null;     /* NULL written */
    bool primary_key;
    bool primary_key_twice;
    const char *primary_key_name; /* CONSTRAINT name, or NULL */
    int primary_key_position;
    struct ast_expr *default_value; /* NULL if none */
    struct slice default_text;      /* its source text */
};

struct ast_create_table {
    struct ast_relation relation;
    bool if_not_exists;
    struct ast_column_def *columns;
    size_t column_count;
    struct ast_names primary_key; /* of the table constraint; count 0 if none */
    const char *primary_key_name; /* CONSTRAINT name, or NULL */
    int primary_key_position;
    int primary_key_twice_position; /* of a second such constraint; 0 if there is none */
};

struct ast_drop_table {
    bool if_exists;
    struct ast_relation *relations;
    size_t relation_count;
};

enum ast_isolation {
    AST_ISOLATION_DEFAULT,
    AST_READ_UNCOMMITTED,
    AST_READ_COMMITTED,
    AST_REPEATABLE_READ,
    AST_SERIALIZABLE
};

enum ast_access { AST_ACCESS_DEFAULT, AST_READ_WRITE, AST_READ_ONLY };

/* BEGIN, COMMIT, ROLLBACK, SET TRANSACTION, SET SESSION CHARACTERISTICS. */
struct ast_transaction {
    enum ast_isolation isolation;
    enum ast_access access;
    bool start; /* START TRANSACTION rather than BEGIN: another command tag */
    bool chain; /* AND CHAIN */
};

/* SET, SHOW, RESET. The value of SET as text; a list is joined by ", " as PostgreSQL shows it. */
struct ast_variable {
    const char *name;  /* lower case; "all" for SHOW ALL and RESET ALL */
    const char *value; /* NULL: to the default */
    bool local;        /* SET LOCAL */
    int position;
};

struct ast_explain {
    bool analyze;
    bool verbose;
    bool costs; /* true unless COSTS OFF */
    const struct ast_statement *statement;
};

enum ast_statement_kind {
    AST_SELECT,
    AST_INSERT,
    AST_UPDATE,
    AST_DELETE,
    AST_CREATE_TABLE,
    AST_DROP_TABLE,
    AST_BEGIN,
    AST_COMMIT,
    AST_ROLLBACK,
    AST_SET_TRANSACTION,
    AST_SET_SESSION_CHARACTERISTICS,
    AST_SET,
    AST_RESET,
    AST_SHOW,
    AST_SHOW_TABLES,  /* Cairn's own: what our prompt's \dt asks for */
    AST_SHOW_COLUMNS, /* Cairn's own: SHOW COLUMNS FROM t, for \d t */
    AST_DISCARD,
    AST_EXPLAIN
};

struct ast_statement {
    enum ast_statement_kind kind;
    struct slice text;    /* its source, without the semicolon; borrows from the parser's input */
    uint32_t param_count; /* the highest $n in it */
    union {
        struct ast_select *select;
        struct ast_insert *insert;
        struct ast_update *update;
        struct ast_delete *delete_;
        struct ast_create_table *create_table;
        struct ast_drop_table *drop_table;
        struct ast_transaction *transaction;
        struct ast_variable *variable;
        struct ast_relation *relation; /* SHOW COLUMNS */
        struct ast_explain *explain;
        bool discard_all; /* else PLANS, SEQUENCES or TEMP, of which there is nothing to discard */
    };
};

/* The statements of one query string, in order; empty ones between semicolons are left out. */
struct ast_script {
    struct ast_statement **statements;
    size_t count;
};

#endif
