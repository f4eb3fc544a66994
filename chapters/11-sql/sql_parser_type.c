/* sql_parser_type.c - names of types. The grammar's own words (INTEGER, DOUBLE PRECISION, CHARACTER
 * VARYING...) are turned into the catalog's names here; whether a type exists is the binder's
 * question. */
#include "mem.h"
#include "sql_parser_internal.h"

static const struct {
    enum sql_keyword keyword;
    const char *name;
} words[] = {
    {KW_INT, "int4"},        {KW_INTEGER, "int4"},      {KW_SMALLINT, "int2"},
    {KW_BIGINT, "int8"},     {KW_REAL, "float4"},       {KW_FLOAT, "float8"},
    {KW_DOUBLE, "float8"},   {KW_DECIMAL, "numeric"},   {KW_DEC, "numeric"},
    {KW_NUMERIC, "numeric"}, {KW_BOOLEAN, "bool"},      {KW_CHARACTER, "bpchar"},
    {KW_CHAR, "bpchar"},     {KW_NATIONAL, "bpchar"},   {KW_NCHAR, "bpchar"},
    {KW_VARCHAR, "varchar"}, {KW_BIT, "bit"},           {KW_TIMESTAMP, "timestamp"},
    {KW_TIME, "time"},       {KW_INTERVAL, "interval"},
};

static const char *word_type(enum sql_keyword keyword) {
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (words[i].keyword == keyword) return words[i].name;
    }
    return NULL;
}

bool parser_at_type_keyword(struct parser *parser) {
    const struct sql_token *token = parser_peek(parser, 0);
    if (token->kind != TOKEN_KEYWORD) return false;
    if (token->keyword == KW_DOUBLE) return parser_at_ahead(parser, 1, KW_PRECISION);
    return word_type(token->keyword) != NULL;
}

/* (10), (8, 2): integers, perhaps negative where PostgreSQL takes expressions. */
static void modifiers(struct parser *parser, struct ast_type *type, bool is_signed) {
    if (!parser_accept_self(parser, '(')) return;
    int64_t *values = NULL;
    do {
        bool minus = is_signed && parser_accept_operator(parser, "-");
        const struct sql_token *token = parser_peek(parser, 0);
        if (token->kind != TOKEN_INTEGER || token->integer > INT32_MAX) {
            parser_syntax_error(parser);
            return;
        }
        values = parser_grow(parser, values, type->modifier_count, sizeof(*values));
        values[type->modifier_count++] = minus ? -token->integer : token->integer;
        parser_advance(parser);
    } while (is_signed && parser_accept_self(parser, ','));
    type->modifiers = values;
    parser_expect_self(parser, ')');
}

/* FLOAT(p): single or double precision by the bits asked for. */
static void float_precision(struct parser *parser, struct ast_type *type) {
    int position = parser_position(parser) + 1;
    modifiers(parser, type, false);
    if (parser_failed(parser) || type->modifier_count == 0) return;
    int64_t bits = type->modifiers[0];
    type->modifier_count = 0;
    if (bits < 1) {
        parser_error(parser, position, SQLSTATE_INVALID_PARAMETER_VALUE,
                     "precision for type float must be at least 1 bit");
    } else if (bits > 53) {
        parser_error(parser, position, SQLSTATE_INVALID_PARAMETER_VALUE,
                     "precision for type float must be less than 54 bits");
    } else if (bits <= 24) {
        type->name = "float4";
    }
}

/* [NATIONAL] CHARACTER [VARYING] [(n)]; without a length CHARACTER is of length 1. */
static void character(struct parser *parser, struct ast_type *type, enum sql_keyword keyword) {
    static const int64_t one = 1;
    if (keyword == KW_NATIONAL && !parser_accept(parser, KW_CHAR)) {
        parser_expect(parser, KW_CHARACTER);
    }
    if (keyword != KW_VARCHAR && parser_accept(parser, KW_VARYING)) type->name = "varchar";
    modifiers(parser, type, false);
    if (type->modifier_count == 0 && strcmp(type->name, "bpchar") == 0) {
        type->modifiers = &one;
        type->modifier_count = 1;
    }
}

static void time_zone(struct parser *parser, struct ast_type *type, enum sql_keyword keyword) {
    modifiers(parser, type, false);
    bool with = parser_at(parser, KW_WITH);
    if (!with && !parser_at(parser, KW_WITHOUT)) return;
    if (!parser_at_ahead(parser, 1, KW_TIME)) return;
    parser_advance(parser);
    parser_advance(parser);
    parser_expect(parser, KW_ZONE);
    if (with) type->name = keyword == KW_TIME ? "timetz" : "timestamptz";
}

static void word_type_suffix(struct parser *parser, struct ast_type *type,
                             enum sql_keyword keyword) {
    switch (keyword) {
    case KW_DOUBLE:
        parser_expect(parser, KW_PRECISION);
        break;
    case KW_FLOAT:
        float_precision(parser, type);
        break;
    case KW_DECIMAL:
    case KW_DEC:
    case KW_NUMERIC:
        modifiers(parser, type, true);
        break;
    case KW_CHARACTER:
    case KW_CHAR:
    case KW_NATIONAL:
    case KW_NCHAR:
    case KW_VARCHAR:
        character(parser, type, keyword);
        break;
    case KW_BIT:
        if (parser_accept(parser, KW_VARYING)) type->name = "varbit";
        modifiers(parser, type, true);
        break;
    case KW_TIMESTAMP:
    case KW_TIME:
        time_zone(parser, type, keyword);
        break;
    default:
        break;
    }
}

const struct ast_type *parser_type(struct parser *parser) {
    struct ast_type *type = ARENA_NEW(parser->arena, struct ast_type);
    if (parser_at(parser, KW_SETOF)) parser_refuse(parser, parser_position(parser), "SETOF is");
    const struct sql_token *token = parser_peek(parser, 0);
    type->position = token->position;
    if (parser_at_type_keyword(parser)) {
        enum sql_keyword keyword = token->keyword;
        type->name = word_type(keyword);
        parser_advance(parser);
        word_type_suffix(parser, type, keyword);
    } else {
        if (!parser_at_function_name(parser)) parser_syntax_error(parser);
        type->name = parser_label(parser);
        if (parser_accept_self(parser, '.')) {
            type->schema = type->name;
            type->name = parser_label(parser);
        }
        modifiers(parser, type, true);
    }
    if (parser_at_self(parser, '[') || parser_at(parser, KW_ARRAY)) type->array = true;
    while (parser_accept_self(parser, '[')) {
        if (parser_peek(parser, 0)->kind == TOKEN_INTEGER) parser_advance(parser);
        parser_expect_self(parser, ']');
    }
    (void)parser_accept(parser, KW_ARRAY);
    return type;
}
