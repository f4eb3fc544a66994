/* sql_client.h - a small client of PostgreSQL's protocol, for `cairn sql`: chapter 12's messages
 * over a stream.
 *
 * Simple queries only, results as text. Each call runs the loop of its own env until the answer is
 * complete, so it suits a program that does one thing at a time; servers use chapter 12. */
#ifndef CAIRN_SQL_CLIENT_H
#define CAIRN_SQL_CLIENT_H

#include "env.h"
#include "slice.h"
#include "status.h"

struct sql_client;

/* What a query yields; any may be NULL. Slices are valid during the call; a NULL value has data ==
 * NULL. */
struct sql_client_handler {
    void (*columns)(void *arg, const struct slice *names, const uint32_t *type_oids, size_t count);
    void (*row)(void *arg, const struct slice *values, size_t count);
    void (*complete)(void *arg, struct slice tag);
    /* The body of an ErrorResponse or NoticeResponse: read it by pg_answer_field
     * (pg_frontend.h). */
    void (*message)(void *arg, bool is_error, struct slice body);
};

/* UNAVAILABLE: nobody answers there; the message says who was asked. */
enum status sql_client_connect(struct env *env, const char *host, uint16_t port, const char *user,
                               const char *database, uint64_t timeout_ns, struct sql_client **out,
                               struct error *error) MUST_CHECK;
void sql_client_close(struct sql_client *client);
/* OK when the server is ready again, also after an error in the query (the handler heard of it, and
 * *failed is set if it is not NULL). CLOSED: the connection is gone. DEADLINE. timeout_ns 0:
 * none. */
enum status sql_client_query(struct sql_client *client, struct slice sql,
                             const struct sql_client_handler *handler, void *arg,
                             uint64_t timeout_ns, bool *failed, struct error *error) MUST_CHECK;
/* 'I', 'T' or 'E', as of the last answer. */
char sql_client_transaction_status(const struct sql_client *client);
/* From a signal's flag checked by the caller's timer: asks the server to cancel what is running. */
void sql_client_cancel(struct sql_client *client);
/* Checked every 100 ms while a query runs: *flag != 0 cancels it once and resets the flag. */
void sql_client_cancel_on(struct sql_client *client, volatile int *flag);

#endif
