/* sql_cast.c - conversions between types: PostgreSQL 15's pg_cast, and conversion through text.
 *
 * Rows without a function change the type only: integers share one representation, so widening
 * costs nothing. */
#include <math.h>

#include "sql_registry.h"

/* ---- numbers -------------------------------------------------------------------------------- */

static enum status narrow_integer(struct sql_eval_context *context, const struct sql_datum *from,
                                  struct sql_datum *out, struct sql_error *error) {
    (void)context;
    int64_t low, high;
    sql_integer_range(out->type, &low, &high);
    out->integer = from->integer;
    bool inside = from->integer >= low && from->integer <= high;
    return inside ? STATUS_OK : sql_integer_range_error(out->type, error);
}

static enum status integer_to_float(struct sql_eval_context *context, const struct sql_datum *from,
                                    struct sql_datum *out, struct sql_error *error) {
    (void)context;
    (void)error;
    out->float8 = (double)from->integer;
    return STATUS_OK;
}

static enum status integer_to_numeric(struct sql_eval_context *context,
                                      const struct sql_datum *from, struct sql_datum *out,
                                      struct sql_error *error) {
    (void)error;
    out->numeric = numeric_from_int64(context->arena, from->integer);
    return STATUS_OK;
}

static enum status float_to_integer(struct sql_eval_context *context, const struct sql_datum *from,
                                    struct sql_datum *out, struct sql_error *error) {
    (void)context;
    int64_t low, high;
    sql_integer_range(out->type, &low, &high);
    double rounded = rint(from->float8); /* halves to even */
    /* (double)high + 1 is exact for all three widths; (double)INT64_MAX is that already. */
    bool inside =
        rounded >= (double)low && (high == INT64_MAX ? rounded < 0x1p63 : rounded <= (double)high);
    if (!inside) return sql_integer_range_error(out->type, error);
    out->integer = (int64_t)rounded;
    return STATUS_OK;
}

static enum status float_to_numeric(struct sql_eval_context *context, const struct sql_datum *from,
                                    struct sql_datum *out, struct sql_error *error) {
    (void)error;
    out->numeric = numeric_from_double(context->arena, from->float8);
    return STATUS_OK;
}

static enum status numeric_to_integer(struct sql_eval_context *context,
                                      const struct sql_datum *from, struct sql_datum *out,
                                      struct sql_error *error) {
    if (numeric_is_special(&from->numeric)) {
        return sql_error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "cannot convert %s to %s",
                             numeric_is_nan(&from->numeric) ? "NaN" : "infinity",
                             sql_type_info(out->type)->format_name);
    }
    struct sql_datum wide = {.type = SQL_INT8};
    if (numeric_to_int64(&from->numeric, &wide.integer) != STATUS_OK) {
        return sql_integer_range_error(out->type, error);
    }
    return narrow_integer(context, &wide, out, error);
}

static enum status numeric_to_float(struct sql_eval_context *context, const struct sql_datum *from,
                                    struct sql_datum *out, struct sql_error *error) {
    (void)context;
    if (numeric_to_double(&from->numeric, &out->float8) == STATUS_OK) return STATUS_OK;
    struct buf text = BUF_INIT;
    sql_datum_print(from, &text);
    enum status status = sql_error_set(error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE,
                                       "\"%.*s\" is out of range for type double precision",
                                       (int)text.len, (const char *)text.data);
    buf_deinit(&text);
    return status;
}

static enum status integer_to_bool(struct sql_eval_context *context, const struct sql_datum *from,
                                   struct sql_datum *out, struct sql_error *error) {
    (void)context;
    (void)error;
    out->boolean = from->integer != 0;
    return STATUS_OK;
}

static enum status bool_to_integer(struct sql_eval_context *context, const struct sql_datum *from,
                                   struct sql_datum *out, struct sql_error *error) {
    (void)context;
    (void)error;
    out->integer = from->boolean;
    return STATUS_OK;
}

/* ---- through text --------------------------------------------------------------------------- */

static enum status bool_to_text(struct sql_eval_context *context, const struct sql_datum *from,
                                struct sql_datum *out, struct sql_error *error) {
    (void)context;
    (void)error;
    out->text = from->boolean ? SLICE_LITERAL("true") : SLICE_LITERAL("false");
    return STATUS_OK;
}

static enum status print_to_text(struct sql_eval_context *context, const struct sql_datum *from,
                                 struct sql_datum *out, struct sql_error *error) {
    struct buf text = BUF_INIT;
    sql_datum_print(from, &text);
    enum status status = sql_text_result(context, buf_slice(&text), out, error);
    buf_deinit(&text);
    return status;
}

static enum status parse_from_text(struct sql_eval_context *context, const struct sql_datum *from,
                                   struct sql_datum *out, struct sql_error *error) {
    return sql_datum_parse(context->arena, SQL_TYPED(out->type), from->text, out, error);
}

/* ---- the table ------------------------------------------------------------------------------ */

#define IMPLICIT SQL_CAST_IMPLICIT
#define ASSIGNMENT SQL_CAST_ASSIGNMENT
#define EXPLICIT SQL_CAST_EXPLICIT

static const struct sql_cast casts[] = {
    {SQL_INT2, SQL_INT4, IMPLICIT, NULL, NULL},
    {SQL_INT2, SQL_INT8, IMPLICIT, NULL, NULL},
    {SQL_INT2, SQL_FLOAT8, IMPLICIT, integer_to_float, NULL},
    {SQL_INT2, SQL_NUMERIC, IMPLICIT, integer_to_numeric, NULL},
    {SQL_INT4, SQL_INT2, ASSIGNMENT, narrow_integer, NULL},
    {SQL_INT4, SQL_INT8, IMPLICIT, NULL, NULL},
    {SQL_INT4, SQL_FLOAT8, IMPLICIT, integer_to_float, NULL},
    {SQL_INT4, SQL_NUMERIC, IMPLICIT, integer_to_numeric, NULL},
    {SQL_INT4, SQL_BOOL, EXPLICIT, integer_to_bool, NULL},
    {SQL_INT8, SQL_INT2, ASSIGNMENT, narrow_integer, NULL},
    {SQL_INT8, SQL_INT4, ASSIGNMENT, narrow_integer, NULL},
    {SQL_INT8, SQL_FLOAT8, IMPLICIT, integer_to_float, NULL},
    {SQL_INT8, SQL_NUMERIC, IMPLICIT, integer_to_numeric, NULL},
    {SQL_FLOAT8, SQL_INT2, ASSIGNMENT, float_to_integer, NULL},
    {SQL_FLOAT8, SQL_INT4, ASSIGNMENT, float_to_integer, NULL},
    {SQL_FLOAT8, SQL_INT8, ASSIGNMENT, float_to_integer, NULL},
    {SQL_FLOAT8, SQL_NUMERIC, ASSIGNMENT, float_to_numeric, NULL},
    {SQL_NUMERIC, SQL_INT2, ASSIGNMENT, numeric_to_integer, NULL},
    {SQL_NUMERIC, SQL_INT4, ASSIGNMENT, numeric_to_integer, NULL},
    {SQL_NUMERIC, SQL_INT8, ASSIGNMENT, numeric_to_integer, NULL},
    {SQL_NUMERIC, SQL_FLOAT8, IMPLICIT, numeric_to_float, NULL},
    {SQL_BOOL, SQL_INT4, EXPLICIT, bool_to_integer, NULL},
    {SQL_BOOL, SQL_TEXT, ASSIGNMENT, bool_to_text, NULL},
    {SQL_BOOL, SQL_VARCHAR, ASSIGNMENT, bool_to_text, NULL},
    {SQL_TEXT, SQL_VARCHAR, IMPLICIT, NULL, NULL},
    {SQL_VARCHAR, SQL_TEXT, IMPLICIT, NULL, NULL},
    /* Everything prints into a string type by assignment, and is parsed from one explicitly. */
    {SQL_INT2, SQL_TEXT, ASSIGNMENT, print_to_text, NULL},
    {SQL_INT4, SQL_TEXT, ASSIGNMENT, print_to_text, NULL},
    {SQL_INT8, SQL_TEXT, ASSIGNMENT, print_to_text, NULL},
    {SQL_FLOAT8, SQL_TEXT, ASSIGNMENT, print_to_text, NULL},
    {SQL_NUMERIC, SQL_TEXT, ASSIGNMENT, print_to_text, NULL},
    {SQL_INT2, SQL_VARCHAR, ASSIGNMENT, print_to_text, NULL},
    {SQL_INT4, SQL_VARCHAR, ASSIGNMENT, print_to_text, NULL},
    {SQL_INT8, SQL_VARCHAR, ASSIGNMENT, print_to_text, NULL},
    {SQL_FLOAT8, SQL_VARCHAR, ASSIGNMENT, print_to_text, NULL},
    {SQL_NUMERIC, SQL_VARCHAR, ASSIGNMENT, print_to_text, NULL},
    {SQL_TEXT, SQL_BOOL, EXPLICIT, parse_from_text, NULL},
    {SQL_TEXT, SQL_INT2, EXPLICIT, parse_from_text, NULL},
    {SQL_TEXT, SQL_INT4, EXPLICIT, parse_from_text, NULL},
    {SQL_TEXT, SQL_INT8, EXPLICIT, parse_from_text, NULL},
    {SQL_TEXT, SQL_FLOAT8, EXPLICIT, parse_from_text, NULL},
    {SQL_TEXT, SQL_NUMERIC, EXPLICIT, parse_from_text, NULL},
    {SQL_VARCHAR, SQL_BOOL, EXPLICIT, parse_from_text, NULL},
    {SQL_VARCHAR, SQL_INT2, EXPLICIT, parse_from_text, NULL},
    {SQL_VARCHAR, SQL_INT4, EXPLICIT, parse_from_text, NULL},
    {SQL_VARCHAR, SQL_INT8, EXPLICIT, parse_from_text, NULL},
    {SQL_VARCHAR, SQL_FLOAT8, EXPLICIT, parse_from_text, NULL},
    {SQL_VARCHAR, SQL_NUMERIC, EXPLICIT, parse_from_text, NULL},
};

#undef IMPLICIT
#undef ASSIGNMENT
#undef EXPLICIT

const struct sql_cast *sql_find_cast(enum sql_type from, enum sql_type to,
                                     enum sql_cast_context context) {
    for (size_t i = 0; i < ARRAY_LEN(casts); i++) {
        if (casts[i].from == from && casts[i].to == to) {
            return casts[i].context <= context ? &casts[i] : NULL;
        }
    }
    return NULL;
}

bool sql_can_cast(enum sql_type from, enum sql_type to, enum sql_cast_context context) {
    if (from == to || from == SQL_UNKNOWN || to >= SQL_TYPE_COUNT) return true;
    return sql_find_cast(from, to, context) != NULL;
}

enum status sql_cast_datum(struct sql_eval_context *context, const struct sql_datum *from,
                           struct sql_typed to, enum sql_cast_context cast_context,
                           struct sql_datum *out, struct sql_error *error) {
    const struct sql_cast *cast = NULL;
    if (from->type != to.type && from->type != SQL_UNKNOWN) {
        cast = sql_find_cast(from->type, to.type, cast_context);
        if (cast == NULL) {
            return sql_error_set(error, SQLSTATE_CANNOT_COERCE, "cannot cast type %s to %s",
                                 sql_type_info(from->type)->format_name,
                                 sql_type_info(to.type)->format_name);
        }
    }
    struct sql_datum source = *from;
    *out = source;
    out->type = to.type;
    if (source.is_null) return STATUS_OK;
    if (source.type == SQL_UNKNOWN && to.type != SQL_UNKNOWN) {
        TRY(sql_datum_parse(context->arena, SQL_TYPED(to.type), source.text, out, error));
    } else if (cast != NULL && cast->function != NULL) {
        TRY(cast->function(context, &source, out, error));
    }
    bool explicit_cast = cast_context == SQL_CAST_EXPLICIT;
    return sql_datum_apply_typmod(context->arena, to.typmod, explicit_cast, out, error);
}
