/* pg_startup.c - from the first byte of a client to the first ReadyForQuery (PostgreSQL's manual,
 * 55.2.1 and 55.2.10): encryption refused, cancel requests, version, who and where, settings. */

#include "mem.h"
#include "pg_connection.h"

#define SQLSTATE_INVALID_AUTHORIZATION "28000"

enum { MAX_UNKNOWN_OPTIONS = 32, MAX_SETTING_NAME = 64 };

/* What the client asked for; strings borrow from the message in hand, which stays until the next
 * read. */
struct introduction {
    const char *user;
    const char *database;
    const char *replication;
    const char *options;
    struct slice unknown[MAX_UNKNOWN_OPTIONS]; /* protocol options, _pq_.* */
    uint32_t unknown_count;
};

static const char *text(struct slice cstring) {
    return (const char *)cstring.data; /* the message has the NUL */
}

static void read_introduction(const struct pg_startup *startup, struct introduction *out) {
    struct slice rest = startup->parameters;
    struct slice name, value;
    *out = (struct introduction){0};
    while (pg_startup_next(&rest, &name, &value)) {
        if (slice_equal(name, SLICE_LITERAL("user")))
            out->user = text(value);
        else if (slice_equal(name, SLICE_LITERAL("database")))
            out->database = text(value);
        else if (slice_equal(name, SLICE_LITERAL("replication")))
            out->replication = text(value);
        else if (slice_equal(name, SLICE_LITERAL("options")))
            out->options = text(value);
        else if (slice_has_prefix(name, SLICE_LITERAL("_pq_.")) &&
                 out->unknown_count < MAX_UNKNOWN_OPTIONS)
            out->unknown[out->unknown_count++] = name;
    }
    if (!out->database || !out->database[0]) out->database = out->user;
}

/* ---- settings ------------------------------------------------------------------------------- */

/* Parameters of the startup packet that are settings of the session. */
static enum status apply_parameters(struct pg_connection *connection,
                                    const struct pg_startup *startup, struct sql_error *error) {
    struct slice rest = startup->parameters;
    struct slice name, value;
    while (pg_startup_next(&rest, &name, &value)) {
        if (slice_equal(name, SLICE_LITERAL("user")) ||
            slice_equal(name, SLICE_LITERAL("database")) ||
            slice_equal(name, SLICE_LITERAL("replication")) ||
            slice_equal(name, SLICE_LITERAL("options")) ||
            slice_has_prefix(name, SLICE_LITERAL("_pq_.")))
            continue;
        TRY(sql_session_set(connection->session, text(name), text(value), error));
    }
    return STATUS_OK;
}

/* One word of `options`: "name=value", which followed a -c or a --. */
static enum status apply_option(struct pg_connection *connection, const char *word,
                                struct sql_error *error) {
    char name[MAX_SETTING_NAME];
    const char *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) : strlen(word);
    if (!equals || len == 0 || len >= sizeof name)
        return sql_error_set(error, SQLSTATE_SYNTAX_ERROR,
                             "invalid command-line argument for server process: %s", word);
    memcpy(name, word, len);
    name[len] = 0;
    for (char *c = name; *c; c++)
        if (*c == '-') *c = '_';
    return sql_session_set(connection->session, name, equals + 1, error);
}

/* "-c name=value --name=value": words parted by blanks, a backslash takes the next character as it
 * is. */
static enum status apply_options(struct pg_connection *connection, const char *options,
                                 struct sql_error *error) {
    struct buf word = BUF_INIT;
    enum status status = STATUS_OK;
    bool after_c = false;
    while (status == STATUS_OK && *options) {
        while (*options == ' ')
            options++;
        buf_clear(&word);
        for (; *options && *options != ' '; options++) {
            if (*options == '\\' && options[1]) options++;
            buf_append_byte(&word, (uint8_t)*options);
        }
        if (word.len == 0) break;
        buf_append_byte(&word, 0);
        const char *argument = (const char *)word.data;
        if (after_c) {
            status = apply_option(connection, argument, error);
            after_c = false;
        } else if (strcmp(argument, "-c") == 0) {
            after_c = true;
        } else if (strncmp(argument, "-c", 2) == 0 || strncmp(argument, "--", 2) == 0) {
            status = apply_option(connection, argument + 2, error);
        } else {
            status =
                sql_error_set(error, SQLSTATE_SYNTAX_ERROR,
                              "invalid command-line argument for server process: %s", argument);
        }
    }
    buf_deinit(&word);
    return status;
}

/* What libpq and drivers learn without asking; the session's own value wins. NULL: the user. */
static void report_parameters(struct pg_connection *connection, const char *user) {
    static const char *const parameters[][2] = {
        {"application_name", ""},
        {"client_encoding", "UTF8"},
        {"DateStyle", "ISO, MDY"},
        {"default_transaction_read_only", "off"},
        {"in_hot_standby", "off"},
        {"integer_datetimes", "on"},
        {"IntervalStyle", "postgres"},
        {"is_superuser", "on"},
        {"server_encoding", "UTF8"},
        {"server_version", "15.0 (Cairn)"},
        {"session_authorization", NULL},
        {"standard_conforming_strings", "on"},
        {"TimeZone", "UTC"},
    };
    for (size_t i = 0; i < ARRAY_LEN(parameters); i++) {
        const char *value = sql_session_show(connection->session, parameters[i][0]);
        if (!value) value = parameters[i][1] ? parameters[i][1] : user;
        pg_put_parameter_status(&connection->out, parameters[i][0], value);
    }
}

/* ---- the conversation ----------------------------------------------------------------------- */

/* 'N': no encryption; the client may go on in clear text. What it sent behind the request, before
 * our answer, was meant for an encrypted channel (CVE-2021-23214). */
static bool refuse_encryption(struct pg_connection *connection, struct sql_error *error) {
    if (pg_unread(connection) > 0) {
        (void)sql_error_set(error, SQLSTATE_PROTOCOL_VIOLATION,
                            "received unencrypted data after encryption request");
        return false;
    }
    buf_append_byte(&connection->out, 'N');
    return true;
}

/* False: the startup packet is one that we cannot serve. */
static bool check_startup(struct pg_connection *connection, const struct pg_startup *startup,
                          const struct introduction *who, struct sql_error *error) {
    if (startup->major != 3) {
        (void)sql_error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                            "unsupported frontend protocol %u.%u: server supports 3.0 to 3.0",
                            startup->major, startup->minor);
    } else if (!who->user || !who->user[0]) {
        (void)sql_error_set(error, SQLSTATE_INVALID_AUTHORIZATION,
                            "no PostgreSQL user name specified in startup packet");
    } else if (who->replication && strcmp(who->replication, "false") != 0 &&
               strcmp(who->replication, "0") != 0) {
        (void)sql_error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                            "replication connections are not supported");
    } else if (!pg_server_sql(connection->server)) {
        (void)sql_error_set(error, SQLSTATE_CANNOT_CONNECT_NOW,
                            "the database system is starting up");
    } else if (pg_server_full(connection->server)) {
        (void)sql_error_set(error, SQLSTATE_TOO_MANY_CONNECTIONS,
                            "sorry, too many clients already");
    } else {
        return true;
    }
    return false;
}

static bool open_session(struct pg_connection *connection, const struct pg_startup *startup,
                         struct sql_error *error) {
    struct introduction who;
    read_introduction(startup, &who);
    if (!check_startup(connection, startup, &who, error)) return false;
    if (startup->minor > 0 || who.unknown_count > 0)
        pg_put_negotiate_version(&connection->out, who.unknown, who.unknown_count);
    pg_put_authentication_ok(&connection->out);
    connection->session = sql_session_new(pg_server_sql(connection->server), who.user, who.database,
                                          &pg_sink, connection);
    if (apply_parameters(connection, startup, error) != STATUS_OK) return false;
    if (who.options && apply_options(connection, who.options, error) != STATUS_OK) return false;
    report_parameters(connection, who.user);
    pg_put_backend_key(&connection->out, connection->pid, connection->cancel_key);
    pg_put_ready(&connection->out, sql_session_transaction_status(connection->session));
    connection->started = true;
    return true;
}

bool pg_start(struct pg_connection *connection) {
    bool asked_ssl = false;
    bool asked_gssenc = false;
    struct sql_error error;
    sql_error_clear(&error);
    for (;;) {
        struct pg_startup startup;
        enum status status = pg_read_startup(connection, &startup, &error);
        if (status == STATUS_CLOSED) return false;
        if (status != STATUS_OK) break;
        if (startup.kind == PG_CANCEL_REQUEST) {
            pg_server_cancel(connection->server, startup.cancel_pid, startup.cancel_key);
            return false;
        }
        if (startup.kind == PG_STARTUP) {
            if (open_session(connection, &startup, &error)) return true;
            break;
        }
        bool *asked = startup.kind == PG_SSL_REQUEST ? &asked_ssl : &asked_gssenc;
        if (*asked) {
            (void)sql_error_set(&error, SQLSTATE_PROTOCOL_VIOLATION,
                                "encryption was refused already");
            break;
        }
        *asked = true;
        if (!refuse_encryption(connection, &error)) break;
    }
    pg_report_fatal(connection, &error);
    return false;
}
