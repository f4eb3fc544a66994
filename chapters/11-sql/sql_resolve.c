/* sql_resolve.c - which function or operator is meant: PostgreSQL 15, chapter 10.
 *
 * The steps are those of "Operator Type Resolution" (10.2), "Function Type Resolution" (10.3) and
 * "UNION, CASE, and Related Constructs" (10.5), in their order. */
#include <assert.h>

#include "sql_registry.h"

enum { CANDIDATES_MAX = 64 };

struct candidates {
    const struct sql_function *items[CANDIDATES_MAX];
    uint32_t count;
};

/* ---- candidates ----------------------------------------------------------------------------- */

static bool is_operator_name(struct slice name) {
    return name.len > 0 && memchr("+-*/<>=~!@#%^&|`?", name.data[0], 17) != NULL;
}

bool sql_function_exists(struct slice name) {
    for (size_t t = 0; sql_function_tables[t]->functions != NULL; t++) {
        for (size_t i = 0; i < sql_function_tables[t]->count; i++) {
            const char *known = sql_function_tables[t]->functions[i].name;
            if (slice_equal(name, slice_of_string(known))) return true;
        }
    }
    return false;
}

static bool takes(const struct sql_function *function, uint32_t arg_count) {
    if (function->variadic) return arg_count >= function->arg_count;
    return function->arg_count == arg_count;
}

static enum sql_type arg_of(const struct sql_function *function, uint32_t i) {
    uint32_t last = function->arg_count - 1u;
    return function->args[function->variadic && i > last ? last : i];
}

static bool reachable(const struct sql_function *function, const enum sql_type *args,
                      uint32_t arg_count) {
    for (uint32_t i = 0; i < arg_count; i++) {
        if (!sql_can_cast(args[i], arg_of(function, i), SQL_CAST_IMPLICIT)) return false;
    }
    return true;
}

static bool exact(const struct sql_function *function, const enum sql_type *args,
                  uint32_t arg_count) {
    for (uint32_t i = 0; i < arg_count; i++) {
        if (arg_of(function, i) != args[i]) return false;
    }
    return !function->variadic;
}

/* Collects what could be called; returns the exact match alone if there is one. */
static const struct sql_function *collect(const struct sql_function_table *const *tables,
                                          struct slice name, const enum sql_type *args,
                                          uint32_t arg_count, struct candidates *out) {
    out->count = 0;
    for (size_t t = 0; tables[t]->functions != NULL; t++) {
        for (size_t i = 0; i < tables[t]->count; i++) {
            const struct sql_function *function = &tables[t]->functions[i];
            if (!takes(function, arg_count)) continue;
            if (!slice_equal(name, slice_of_string(function->name))) continue;
            if (exact(function, args, arg_count)) return function;
            if (!reachable(function, args, arg_count)) continue;
            assert(out->count < CANDIDATES_MAX);
            out->items[out->count++] = function;
        }
    }
    return NULL;
}

/* ---- choosing ------------------------------------------------------------------------------- */

static bool preferred_in(char category, enum sql_type type) {
    const struct sql_type_info *info = sql_type_info(type);
    return info->category == category && info->preferred;
}

/* 10.3 step 4c and 4d: keep those with the most exact matches; then with the most exact or
 * preferred ones of the input's category. */
static void keep_best_matches(struct candidates *c, const enum sql_type *args, uint32_t arg_count,
                              bool count_preferred) {
    uint32_t best = 0;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        uint32_t matches = 0;
        for (uint32_t a = 0; a < arg_count; a++) {
            if (args[a] == SQL_UNKNOWN) continue;
            enum sql_type type = arg_of(c->items[i], a);
            bool preferred =
                count_preferred && preferred_in(sql_type_info(args[a])->category, type);
            matches += type == args[a] || preferred;
        }
        if (matches > best || kept == 0) {
            best = matches;
            kept = 0;
        }
        if (matches == best) c->items[kept++] = c->items[i];
    }
    c->count = kept;
}

/* Step 4e: the category for an unknown literal. String if any candidate takes it, else the one that
 * all agree on. */
static bool category_of_slot(const struct candidates *c, uint32_t arg, char *category,
                             bool *has_preferred) {
    bool conflict = false;
    *category = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        const struct sql_type_info *info = sql_type_info(arg_of(c->items[i], arg));
        if (*category == 0) {
            *category = info->category;
            *has_preferred = info->preferred;
        } else if (*category == info->category) {
            *has_preferred |= info->preferred;
        } else if (info->category == 'S') {
            *category = 'S';
            *has_preferred = info->preferred;
        } else {
            conflict = true;
        }
    }
    return !conflict || *category == 'S';
}

static void keep_by_category(struct candidates *c, const enum sql_type *args, uint32_t arg_count) {
    char category[SQL_FUNCTION_ARGS_MAX];
    bool has_preferred[SQL_FUNCTION_ARGS_MAX];
    for (uint32_t a = 0; a < arg_count; a++) {
        if (args[a] == SQL_UNKNOWN && !category_of_slot(c, a, &category[a], &has_preferred[a])) {
            return;
        }
    }
    struct candidates kept = {.count = 0};
    for (uint32_t i = 0; i < c->count; i++) {
        bool keep = true;
        for (uint32_t a = 0; a < arg_count && keep; a++) {
            if (args[a] != SQL_UNKNOWN) continue;
            const struct sql_type_info *info = sql_type_info(arg_of(c->items[i], a));
            keep = info->category == category[a] && (!has_preferred[a] || info->preferred);
        }
        if (keep) kept.items[kept.count++] = c->items[i];
    }
    if (kept.count > 0) *c = kept;
}

/* Step 4f: if all known types are the same, take the unknown ones as that type too. */
static void keep_by_known_type(struct candidates *c, const enum sql_type *args,
                               uint32_t arg_count) {
    enum sql_type known = SQL_UNKNOWN;
    for (uint32_t a = 0; a < arg_count; a++) {
        if (args[a] == SQL_UNKNOWN) continue;
        if (known != SQL_UNKNOWN && known != args[a]) return;
        known = args[a];
    }
    if (known == SQL_UNKNOWN) return;
    enum sql_type all[SQL_FUNCTION_ARGS_MAX];
    for (uint32_t a = 0; a < arg_count; a++)
        all[a] = known;
    const struct sql_function *found = NULL;
    for (uint32_t i = 0; i < c->count; i++) {
        if (!reachable(c->items[i], all, arg_count)) continue;
        if (found != NULL) return;
        found = c->items[i];
    }
    if (found == NULL) return;
    c->items[0] = found;
    c->count = 1;
}

/* PostgreSQL has these for types that we have not (dates, intervals, money, addresses), so that
 * literals alone decide nothing: '1' + '2' and sum('1') are ambiguous there. */
static bool needs_known_type(struct slice name, const enum sql_type *args, uint32_t arg_count) {
    static const char *const binary[] = {"+", "-", "*", "/"};
    static const char *const unary[] = {"-", "trunc", "sum", "avg"};
    const char *const *names = arg_count == 2 ? binary : unary;
    if (arg_count == 0 || arg_count > 2) return false;
    if (args[0] != SQL_UNKNOWN || args[arg_count - 1] != SQL_UNKNOWN) return false;
    for (size_t i = 0; i < ARRAY_LEN(binary); i++) {
        if (slice_equal(name, slice_of_string(names[i]))) return true;
    }
    return false;
}

static void choose(struct candidates *c, struct slice name, const enum sql_type *args,
                   uint32_t arg_count) {
    if (needs_known_type(name, args, arg_count)) return;
    bool has_unknown = false;
    for (uint32_t a = 0; a < arg_count; a++)
        has_unknown |= args[a] == SQL_UNKNOWN;
    if (c->count > 1) keep_best_matches(c, args, arg_count, false);
    if (c->count > 1) keep_best_matches(c, args, arg_count, true);
    if (c->count > 1 && has_unknown) keep_by_category(c, args, arg_count);
    if (c->count > 1 && has_unknown) keep_by_known_type(c, args, arg_count);
}

/* "any" takes the argument as it is; for the polymorphic type an unknown literal becomes text. */
static enum sql_type actual_type(enum sql_type declared, enum sql_type arg) {
    if (declared < SQL_TYPE_COUNT) return declared;
    return arg == SQL_UNKNOWN && declared != SQL_ANY ? SQL_TEXT : arg;
}

static void fill(const struct sql_function *function, const enum sql_type *args, uint32_t arg_count,
                 struct sql_resolved *out) {
    out->function = function;
    out->result = function->result;
    for (uint32_t i = 0; i < arg_count; i++) {
        out->arg_types[i] = actual_type(arg_of(function, i), args[i]);
    }
}

/* ---- operators ------------------------------------------------------------------------------ */

static enum status operator_error(struct slice name, const enum sql_type *args, uint32_t arg_count,
                                  int position, bool ambiguous, struct sql_error *error) {
    const char *left = arg_count == 2 ? sql_type_info(args[0])->format_name : "";
    const char *right = sql_type_info(args[arg_count - 1])->format_name;
    enum status status = sql_error_set_at(
        error, position, ambiguous ? SQLSTATE_AMBIGUOUS_FUNCTION : SQLSTATE_UNDEFINED_FUNCTION,
        "operator %s: %s%s%.*s %s", ambiguous ? "is not unique" : "does not exist", left,
        arg_count == 2 ? " " : "", (int)name.len, (const char *)name.data, right);
    if (ambiguous) {
        sql_error_hint(error, "Could not choose a best candidate operator. "
                              "You might need to add explicit type casts.");
    } else {
        sql_error_hint(error,
                       "No operator matches the given name and argument type%s. "
                       "You might need to add %s.",
                       arg_count == 2 ? "s" : "",
                       arg_count == 2 ? "explicit type casts" : "an explicit type cast");
    }
    return status;
}

enum status sql_resolve_operator(struct slice name, const enum sql_type *left, enum sql_type right,
                                 int position, struct sql_resolved *out, struct sql_error *error) {
    enum sql_type args[2] = {left != NULL ? *left : right, right};
    uint32_t arg_count = left != NULL ? 2 : 1;
    struct candidates c = {.count = 0};
    if (is_operator_name(name)) {
        /* 10.2 step 2a: an unknown side is first taken to be of the other side's type. */
        enum sql_type same[2] = {args[0] == SQL_UNKNOWN ? right : args[0],
                                 right == SQL_UNKNOWN ? args[0] : right};
        const struct sql_function *found = collect(sql_function_tables, name, same, arg_count, &c);
        if (found == NULL) found = collect(sql_function_tables, name, args, arg_count, &c);
        if (found != NULL) {
            fill(found, args, arg_count, out);
            return STATUS_OK;
        }
    }
    bool any = c.count > 0;
    choose(&c, name, args, arg_count);
    if (c.count != 1) return operator_error(name, args, arg_count, position, any, error);
    fill(c.items[0], args, arg_count, out);
    return STATUS_OK;
}

/* ---- functions ------------------------------------------------------------------------------ */

static void print_types(const enum sql_type *args, uint32_t arg_count, char *out, size_t size) {
    size_t len = 0;
    out[0] = 0;
    for (uint32_t i = 0; i < arg_count && len + 24 < size; i++) {
        const char *name = sql_type_info(args[i])->format_name;
        if (i > 0) {
            memcpy(out + len, ", ", 3);
            len += 2;
        }
        memcpy(out + len, name, strlen(name) + 1);
        len += strlen(name);
    }
}

enum status sql_resolve_among(const struct sql_function_table *const *tables, struct slice name,
                              const enum sql_type *args, uint32_t arg_count, int position,
                              struct sql_resolved *out, struct sql_error *error) {
    struct candidates c = {.count = 0};
    if (arg_count > SQL_FUNCTION_ARGS_MAX) {
        return sql_error_set_at(error, position, "54023",
                                "cannot pass more than %d arguments to a function",
                                SQL_FUNCTION_ARGS_MAX);
    }
    const struct sql_function *found = NULL;
    if (!is_operator_name(name)) found = collect(tables, name, args, arg_count, &c);
    bool any = c.count > 0;
    if (found == NULL) {
        choose(&c, name, args, arg_count);
        if (c.count == 1) found = c.items[0];
    }
    if (found != NULL) {
        fill(found, args, arg_count, out);
        return STATUS_OK;
    }
    char types[256];
    print_types(args, arg_count, types, sizeof types);
    enum status status = sql_error_set_at(
        error, position, any ? SQLSTATE_AMBIGUOUS_FUNCTION : SQLSTATE_UNDEFINED_FUNCTION,
        "function %.*s(%s) %s", (int)name.len, (const char *)name.data, types,
        any ? "is not unique" : "does not exist");
    sql_error_hint(error, "%s You might need to add explicit type casts.",
                   any ? "Could not choose a best candidate function."
                       : "No function matches the given name and argument types.");
    return status;
}

enum status sql_resolve_function(struct slice name, const enum sql_type *args, uint32_t arg_count,
                                 int position, struct sql_resolved *out, struct sql_error *error) {
    return sql_resolve_among(sql_function_tables, name, args, arg_count, position, out, error);
}

/* ---- common type ---------------------------------------------------------------------------- */

enum status sql_resolve_common_type(const enum sql_type *types, uint32_t count, const char *what,
                                    enum sql_type *out, uint32_t *which, struct sql_error *error) {
    assert(count > 0);
    enum sql_type common = types[0];
    for (uint32_t i = 1; i < count; i++) {
        enum sql_type next = types[i];
        if (next == SQL_UNKNOWN || next == common) continue;
        if (common == SQL_UNKNOWN) {
            common = next;
            continue;
        }
        if (sql_type_info(next)->category != sql_type_info(common)->category) {
            if (which != NULL) *which = i;
            return sql_error_set(
                error, SQLSTATE_DATATYPE_MISMATCH, "%s types %s and %s cannot be matched", what,
                sql_type_info(common)->format_name, sql_type_info(next)->format_name);
        }
        if (!sql_type_info(common)->preferred && sql_can_cast(common, next, SQL_CAST_IMPLICIT) &&
            !sql_can_cast(next, common, SQL_CAST_IMPLICIT)) {
            common = next;
        }
    }
    *out = common == SQL_UNKNOWN ? SQL_TEXT : common;
    return STATUS_OK;
}
