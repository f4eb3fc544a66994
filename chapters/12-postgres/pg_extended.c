/* pg_extended.c - the extended query protocol (PostgreSQL's manual, 55.2.3): Parse, Bind, Describe,
 * Execute, Close. What statements mean is the session's; when errors are reported is
 * pg_connection.c's. */
#include "mem.h"
#include "pg_connection.h"

/* The message holds the NUL of every string it carries. */
static const char *text(struct slice cstring) { return (const char *)cstring.data; }

static bool malformed(struct sql_error *error) {
    (void)sql_error_set(error, SQLSTATE_PROTOCOL_VIOLATION, "invalid message format");
    return false;
}

/* ---- the formats of portals ----------------------------------------------------------------- */

static struct pg_portal_formats **find_formats(struct pg_connection *connection,
                                               const char *portal) {
    struct pg_portal_formats **at = &connection->portal_formats;
    while (*at && strcmp((*at)->portal, portal) != 0)
        at = &(*at)->next;
    return at;
}

static void drop_formats(struct pg_portal_formats **at) {
    struct pg_portal_formats *formats = *at;
    if (!formats) return;
    *at = formats->next;
    buf_deinit(&formats->codes);
    mem_free(formats->portal);
    mem_free(formats);
}

void pg_forget_formats(struct pg_connection *connection) {
    while (connection->portal_formats)
        drop_formats(&connection->portal_formats);
}

static void remember_formats(struct pg_connection *connection, const struct pg_bind *bind) {
    drop_formats(find_formats(connection, text(bind->portal)));
    if (bind->result_format_count == 0) return;
    struct pg_portal_formats *formats = MEM_NEW(struct pg_portal_formats);
    formats->portal = mem_strdup(text(bind->portal));
    formats->count = bind->result_format_count;
    buf_append_slice(&formats->codes, bind->result_formats);
    formats->next = connection->portal_formats;
    connection->portal_formats = formats;
}

/* ---- Parse ---------------------------------------------------------------------------------- */

static bool on_parse(struct pg_connection *connection, struct slice body, struct sql_error *error) {
    struct pg_parse parse;
    if (!pg_parse_decode(body, &parse)) return malformed(error);
    uint32_t *types = mem_alloc((size_t)parse.type_count * sizeof *types);
    for (uint16_t i = 0; i < parse.type_count; i++)
        types[i] = pg_type_at(&parse, i);
    struct sql_prepared *prepared;
    enum status status =
        sql_session_prepare(connection->session, text(parse.statement), parse.query, types,
                            parse.type_count, &prepared, error);
    mem_free(types);
    if (status != STATUS_OK) return false;
    pg_put_parse_complete(&connection->out);
    return true;
}

/* ---- Bind ----------------------------------------------------------------------------------- */

static struct sql_prepared *find_prepared(struct pg_connection *connection, const char *name,
                                          struct sql_error *error) {
    struct sql_prepared *prepared = sql_session_prepared(connection->session, name);
    if (!prepared && name[0])
        (void)sql_error_set(error, SQLSTATE_INVALID_STATEMENT_NAME,
                            "prepared statement \"%s\" does not exist", name);
    else if (!prepared)
        (void)sql_error_set(error, SQLSTATE_INVALID_STATEMENT_NAME,
                            "unnamed prepared statement does not exist");
    return prepared;
}

/* The counts that a Bind brings must agree with each other and with the statement. */
static bool check_counts(const struct pg_bind *bind, const struct sql_prepared *prepared,
                         struct sql_error *error) {
    size_t parameters = sql_prepared_parameter_count(prepared);
    size_t columns;
    (void)sql_prepared_columns(prepared, &columns);
    if (bind->format_count > 1 && bind->format_count != bind->value_count)
        (void)sql_error_set(error, SQLSTATE_PROTOCOL_VIOLATION,
                            "bind message has %u parameter formats but %u parameters",
                            bind->format_count, bind->value_count);
    else if (bind->value_count != parameters)
        (void)sql_error_set(
            error, SQLSTATE_PROTOCOL_VIOLATION,
            "bind message supplies %u parameters, but prepared statement \"%s\" requires %zu",
            bind->value_count, text(bind->statement), parameters);
    else if (bind->result_format_count > 1 && columns > 0 && bind->result_format_count != columns)
        (void)sql_error_set(error, SQLSTATE_PROTOCOL_VIOLATION,
                            "bind message has %u result formats but query has %zu columns",
                            bind->result_format_count, columns);
    else
        return true;
    return false;
}

static bool check_formats(struct slice formats, uint16_t count, struct sql_error *error) {
    for (uint16_t i = 0; i < count; i++) {
        uint16_t format = pg_format_at(slice_from(formats, (size_t)i * 2), 1, 0);
        if (format == PG_TEXT || format == PG_BINARY) continue;
        (void)sql_error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE, "unsupported format code: %u",
                            format);
        return false;
    }
    return true;
}

static enum status read_value(struct arena *arena, struct sql_typed type, uint16_t format,
                              struct slice bytes, struct sql_datum *out, struct sql_error *error) {
    if (format == PG_BINARY) return sql_datum_recv(arena, type, bytes, out, error);
    return sql_datum_parse(arena, type, bytes, out, error);
}

static enum status read_values(const struct pg_bind *bind, const struct sql_prepared *prepared,
                               struct arena *arena, struct sql_datum *values,
                               struct sql_error *error) {
    struct slice rest = bind->values;
    struct slice bytes;
    bool is_null;
    for (uint16_t i = 0; pg_value_next(&rest, &is_null, &bytes); i++) {
        struct sql_typed type = sql_prepared_parameter(prepared, i);
        uint16_t format = pg_format_at(bind->formats, bind->format_count, i);
        if (is_null)
            values[i] = sql_datum_null(type.type);
        else
            TRY(read_value(arena, type, format, bytes, &values[i], error));
    }
    return STATUS_OK;
}

static bool on_bind(struct pg_connection *connection, struct slice body, struct sql_error *error) {
    struct pg_bind bind;
    if (!pg_bind_decode(body, &bind)) return malformed(error);
    struct sql_prepared *prepared = find_prepared(connection, text(bind.statement), error);
    if (!prepared || !check_counts(&bind, prepared, error) ||
        !check_formats(bind.formats, bind.format_count, error) ||
        !check_formats(bind.result_formats, bind.result_format_count, error))
        return false;
    struct arena arena;
    arena_init(&arena, 0); /* bounded by the message that is in hand */
    struct sql_datum *values = ARENA_ARRAY(&arena, struct sql_datum, (size_t)bind.value_count + 1);
    struct sql_portal *portal;
    enum status status = read_values(&bind, prepared, &arena, values, error);
    if (status == STATUS_OK)
        status = sql_session_bind(connection->session, text(bind.portal), prepared, values, &portal,
                                  error);
    arena_deinit(&arena);
    if (status != STATUS_OK) return false;
    remember_formats(connection, &bind);
    pg_put_bind_complete(&connection->out);
    return true;
}

/* ---- Describe, Execute, Close --------------------------------------------------------------- */

static struct sql_portal *find_portal(struct pg_connection *connection, const char *name,
                                      struct sql_error *error) {
    struct sql_portal *portal = sql_session_portal(connection->session, name);
    if (!portal)
        (void)sql_error_set(error, SQLSTATE_INVALID_CURSOR_NAME, "portal \"%s\" does not exist",
                            name);
    return portal;
}

static void describe_parameters(struct pg_connection *connection,
                                const struct sql_prepared *prepared) {
    size_t count = sql_prepared_parameter_count(prepared);
    uint32_t *oids = mem_alloc(count * sizeof *oids);
    for (size_t i = 0; i < count; i++)
        oids[i] = sql_type_info(sql_prepared_parameter(prepared, i).type)->oid;
    pg_put_parameter_description(&connection->out, oids, (uint16_t)count);
    mem_free(oids);
}

static bool on_describe(struct pg_connection *connection, struct slice body,
                        struct sql_error *error) {
    struct pg_target target;
    if (!pg_target_decode(body, &target)) return malformed(error);
    const struct sql_prepared *prepared;
    const struct pg_portal_formats *formats = NULL;
    if (target.kind == 'S') {
        prepared = find_prepared(connection, text(target.name), error);
        if (!prepared) return false;
        describe_parameters(connection, prepared);
    } else {
        struct sql_portal *portal = find_portal(connection, text(target.name), error);
        if (!portal) return false;
        prepared = sql_portal_prepared(portal);
        formats = *find_formats(connection, text(target.name));
    }
    size_t count;
    const struct sql_result_column *columns = sql_prepared_columns(prepared, &count);
    pg_describe_columns(connection, columns, count, formats);
    return true;
}

static bool on_execute(struct pg_connection *connection, struct slice body,
                       struct sql_error *error) {
    struct pg_execute execute;
    if (!pg_execute_decode(body, &execute)) return malformed(error);
    struct sql_portal *portal = find_portal(connection, text(execute.portal), error);
    if (!portal) return false;
    uint64_t max_rows = execute.max_rows > 0 ? (uint64_t)execute.max_rows : 0;
    bool suspended = false;
    char tag[SQL_TAG_MAX] = "";
    connection->formats = *find_formats(connection, text(execute.portal));
    bool last = pg_sync_is_next(connection);
    enum status status = sql_portal_execute(portal, max_rows, last, &suspended, tag, error);
    connection->formats = NULL;
    if (status != STATUS_OK) return false;
    if (suspended)
        pg_put_portal_suspended(&connection->out);
    else
        (void)pg_sink.tag(connection, tag);
    return true;
}

static bool on_close(struct pg_connection *connection, struct slice body, struct sql_error *error) {
    struct pg_target target;
    if (!pg_target_decode(body, &target)) return malformed(error);
    if (target.kind == 'S') {
        sql_session_close_prepared(connection->session, text(target.name));
    } else {
        sql_session_close_portal(connection->session, text(target.name));
        drop_formats(find_formats(connection, text(target.name)));
    }
    pg_put_close_complete(&connection->out);
    return true;
}

bool pg_extended_message(struct pg_connection *connection, const struct pg_message *message,
                         struct sql_error *error) {
    switch (message->type) {
    case PG_PARSE:
        return on_parse(connection, message->body, error);
    case PG_BIND:
        return on_bind(connection, message->body, error);
    case PG_DESCRIBE:
        return on_describe(connection, message->body, error);
    case PG_EXECUTE:
        return on_execute(connection, message->body, error);
    case PG_CLOSE:
        return on_close(connection, message->body, error);
    default:
        return malformed(error);
    }
}
