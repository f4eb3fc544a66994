/* sql_client.c - start-up, simple queries and cancel, over an env's stream.
 *
 * What messages look like is chapter 12's pg_frontend.h; here is only who waits for what. */
#include "sql_client.h"

#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "pg_frontend.h"

enum { MESSAGE_LIMIT = 256 * 1024 * 1024, COLUMNS_MAX = 1664, CANCEL_POLL_MS = 100 };

struct sql_client {
    struct env *env;
    struct stream *stream; /* NULL: closed */
    char host[256];
    uint16_t port;
    struct env_timer timeout, poll;
    volatile int *cancel_flag;
    struct stream *cancel_stream;
    uint32_t backend_pid, backend_key;

    char transaction_status;
    bool waiting; /* the loop runs for an answer */
    bool ready, failed, timed_out;
    struct error broken; /* why the stream is gone */
    const struct sql_client_handler *handler;
    void *handler_arg;
};

/* ---- incoming messages ----------------------------------------------------------------------- */

static void on_row_description(struct sql_client *client, struct slice body) {
    struct slice names[COLUMNS_MAX];
    uint32_t oids[COLUMNS_MAX];
    uint16_t count;
    struct slice rest;
    struct pg_column column;
    size_t n = 0;
    if (client->handler->columns == NULL || !pg_answer_count(body, &count, &rest)) return;
    for (; n < COLUMNS_MAX && n < count && pg_answer_next_column(&rest, &column); n++) {
        names[n] = column.name;
        oids[n] = column.type_oid;
    }
    client->handler->columns(client->handler_arg, names, oids, n);
}

static void on_data_row(struct sql_client *client, struct slice body) {
    struct slice values[COLUMNS_MAX];
    uint16_t count;
    struct slice rest;
    struct slice value;
    bool is_null;
    size_t n = 0;
    if (client->handler->row == NULL || !pg_answer_count(body, &count, &rest)) return;
    for (; n < COLUMNS_MAX && n < count && pg_answer_next_value(&rest, &is_null, &value); n++) {
        values[n] = is_null ? SLICE_EMPTY : value.len == 0 ? SLICE_LITERAL("") : value;
    }
    client->handler->row(client->handler_arg, values, n);
}

static void on_complete(struct sql_client *client, struct slice body) {
    struct slice tag;
    struct slice none;
    if (client->handler->complete == NULL || !pg_answer_strings(body, &tag, &none)) return;
    client->handler->complete(client->handler_arg, tag);
}

static void on_error_or_notice(struct sql_client *client, const struct pg_answer *answer) {
    bool is_error = answer->type == 'E';
    if (is_error) {
        struct slice text = pg_answer_field(answer->body, 'M');
        client->failed = true;
        error_set(&client->broken, STATUS_CLOSED, "%.*s", (int)text.len, (const char *)text.data);
    }
    if (client->handler != NULL && client->handler->message != NULL) {
        client->handler->message(client->handler_arg, is_error, answer->body);
    }
}

static void on_answer(struct sql_client *client, const struct pg_answer *answer) {
    static const struct sql_client_handler nobody = {0};
    if (client->handler == NULL) client->handler = &nobody;
    switch (answer->type) {
    case 'K':
        (void)!pg_answer_key(answer->body, &client->backend_pid, &client->backend_key);
        break;
    case 'Z':
        client->transaction_status = answer->body.len > 0 ? (char)answer->body.data[0] : 'I';
        client->ready = true;
        if (client->waiting) env_stop(client->env);
        break;
    case 'T':
        on_row_description(client, answer->body);
        break;
    case 'D':
        on_data_row(client, answer->body);
        break;
    case 'C':
        on_complete(client, answer->body);
        break;
    case 'E':
    case 'N':
        on_error_or_notice(client, answer);
        break;
    default:
        break; /* authentication, parameters: nothing to do */
    }
}

static void give_up(struct sql_client *client) {
    error_set(&client->broken, STATUS_INVALID, "%s:%u does not speak PostgreSQL's protocol",
              client->host, client->port);
    stream_abort(client->stream);
    client->stream = NULL;
    if (client->waiting) env_stop(client->env);
}

static void on_input(void *arg, struct stream *stream) {
    struct sql_client *client = arg;
    struct slice input = stream_input(stream);
    size_t used = 0;
    struct pg_answer answer;
    size_t size = 0;
    enum status status;
    while ((status = pg_answer_decode(slice_from(input, used), MESSAGE_LIMIT, &answer, &size,
                                      NULL)) == STATUS_OK) {
        on_answer(client, &answer);
        used += size;
    }
    stream_consume(stream, used);
    if (status == STATUS_WOULD_BLOCK) {
        stream_set_read_limit(stream, size + STREAM_READ_LIMIT_DEFAULT);
    } else {
        give_up(client);
    }
}

static void on_close(void *arg, struct stream *stream, enum status reason) {
    struct sql_client *client = arg;
    (void)stream;
    client->stream = NULL;
    if (!client->failed) {
        error_set(&client->broken, reason, "%s:%u: %s", client->host, client->port,
                  reason == STATUS_CLOSED        ? "the server closed the connection"
                  : reason == STATUS_UNAVAILABLE ? "no node answers there"
                                                 : status_text(reason));
    }
    if (client->waiting) env_stop(client->env);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void on_timeout(void *arg) {
    struct sql_client *client = arg;
    client->timed_out = true;
    env_stop(client->env);
}

static void on_poll(void *arg) {
    struct sql_client *client = arg;
    if (*client->cancel_flag != 0) {
        *client->cancel_flag = 0;
        sql_client_cancel(client);
    }
    env_timer_start(client->env, &client->poll,
                    env_deadline_ns(client->env, CANCEL_POLL_MS * NS_PER_MS));
}

static enum status wait_ready(struct sql_client *client, uint64_t timeout_ns, struct error *error) {
    client->ready = false;
    client->timed_out = false;
    if (timeout_ns > 0)
        env_timer_start(client->env, &client->timeout, env_deadline_ns(client->env, timeout_ns));
    if (client->cancel_flag != NULL)
        env_timer_start(client->env, &client->poll, env_now_ns(client->env));
    client->waiting = true;
    while (!client->ready && client->stream != NULL && !client->timed_out)
        env_run(client->env);
    client->waiting = false;
    env_timer_stop(&client->timeout);
    env_timer_stop(&client->poll);
    if (client->ready) return STATUS_OK;
    if (client->timed_out) {
        return error_set(error, STATUS_DEADLINE, "%s:%u: no answer in time", client->host,
                         client->port);
    }
    if (error != NULL) *error = client->broken;
    return client->broken.status;
}

/* ---- asking ---------------------------------------------------------------------------------- */

enum status sql_client_connect(struct env *env, const char *host, uint16_t port, const char *user,
                               const char *database, uint64_t timeout_ns, struct sql_client **out,
                               struct error *error) {
    static const struct stream_handler handler = {.on_input = on_input, .on_close = on_close};
    static const char *const settings[] = {"application_name", "cairn", NULL};
    struct sql_client *client = MEM_NEW(struct sql_client);
    client->env = env;
    client->port = port;
    snprintf(client->host, sizeof client->host, "%s", host);
    env_timer_init(&client->timeout, on_timeout, client);
    env_timer_init(&client->poll, on_poll, client);
    client->stream = env_dial(env, host, port, timeout_ns, &handler, client);
    struct buf packet = BUF_INIT;
    pg_send_startup(&packet, user, database, settings);
    stream_write(client->stream, buf_slice(&packet));
    buf_deinit(&packet);
    enum status status = wait_ready(client, timeout_ns, error);
    if (status == STATUS_OK) {
        *out = client;
        return STATUS_OK;
    }
    sql_client_close(client);
    return status;
}

void sql_client_close(struct sql_client *client) {
    if (client == NULL) return;
    if (client->stream != NULL) {
        struct buf packet = BUF_INIT;
        pg_send_terminate(&packet);
        stream_write(client->stream, buf_slice(&packet));
        stream_close(client->stream);
        buf_deinit(&packet);
    }
    if (client->cancel_stream != NULL) stream_abort(client->cancel_stream);
    env_timer_stop(&client->timeout);
    env_timer_stop(&client->poll);
    mem_free(client);
}

enum status sql_client_query(struct sql_client *client, struct slice sql,
                             const struct sql_client_handler *handler, void *arg,
                             uint64_t timeout_ns, bool *failed, struct error *error) {
    if (client->stream == NULL) return error_set(error, STATUS_CLOSED, "the connection is closed");
    struct buf packet = BUF_INIT;
    pg_send_query(&packet, sql);
    stream_write(client->stream, buf_slice(&packet));
    buf_deinit(&packet);
    client->handler = handler;
    client->handler_arg = arg;
    client->failed = false;
    enum status status = wait_ready(client, timeout_ns, error);
    if (failed != NULL) *failed = client->failed;
    client->handler = NULL;
    return status;
}

char sql_client_transaction_status(const struct sql_client *client) {
    return client->transaction_status;
}

/* ---- cancel ---------------------------------------------------------------------------------- */

static void cancel_input(void *arg, struct stream *stream) {
    (void)arg;
    stream_consume(stream, stream_input(stream).len);
}

static void cancel_closed(void *arg, struct stream *stream, enum status reason) {
    struct sql_client *client = arg;
    (void)stream;
    (void)reason;
    client->cancel_stream = NULL;
}

void sql_client_cancel(struct sql_client *client) {
    static const struct stream_handler handler = {.on_input = cancel_input,
                                                  .on_close = cancel_closed};
    if (client->cancel_stream != NULL) return;
    struct buf packet = BUF_INIT;
    pg_send_cancel(&packet, client->backend_pid, client->backend_key);
    client->cancel_stream =
        env_dial(client->env, client->host, client->port, NS_PER_S, &handler, client);
    stream_write(client->cancel_stream, buf_slice(&packet));
    buf_deinit(&packet);
}

void sql_client_cancel_on(struct sql_client *client, volatile int *flag) {
    client->cancel_flag = flag;
}
