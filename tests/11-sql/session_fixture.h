/* session_fixture.h - SQL on one node in this process, with sessions whose answers are text. */
#ifndef CAIRN_SESSION_FIXTURE_H
#define CAIRN_SESSION_FIXTURE_H

#include "sql_printer.h"
#include "sql_solo.h"

struct fixture {
    struct env *env;
    struct sql_solo *solo;
    size_t running; /* coroutines; the loop stops at none */
};

struct client {
    struct fixture *fixture;
    struct sql_session *session;
    struct sql_printer printer;
};

void fixture_start(struct fixture *fixture);
void fixture_stop(struct fixture *fixture);
/* Runs `body(arg)` on a coroutine, with others that were spawned, until all have returned. */
void fixture_spawn(struct fixture *fixture, void (*body)(void *arg), void *arg);
void fixture_run(struct fixture *fixture);
uint64_t fixture_retries(struct fixture *fixture);

/* The body of a test as a coroutine on a fresh node; it gets a client. */
void fixture_test(void (*body)(struct client *client));
#define SQL_TEST(step, invariant, name)                                                            \
    static void body_##name(struct client *client);                                                \
    TEST(step, invariant, name) { fixture_test(body_##name); }                                     \
    static void body_##name(struct client *client)

void client_open(struct client *client, struct fixture *fixture);
void client_close(struct client *client);
/* What the session answered (sql_printer.h); valid until the next call. On a coroutine. */
const char *run(struct client *client, const char *script);

/* Asserts that the answer to `script` is `expected`. */
#define assert_answer(expected, client, script)                                                    \
    assert_string_equal((expected), run((client), (script)))
/* Asserts the SQLSTATE that the answer begins with. */
#define assert_fails(sqlstate, client, script) client_assert_fails((client), (sqlstate), (script))
void client_assert_fails(struct client *client, const char *sqlstate, const char *script);

#endif
