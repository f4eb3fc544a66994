/* request.h - the context that every call from RPC up carries.
 *
 * Plain data, copied into what must outlive the caller. Cancellation is a token that the owner
 * sets; whoever waits registers a callback. One thread: the loop's. */
#ifndef CAIRN_REQUEST_H
#define CAIRN_REQUEST_H

#include "status.h"

enum request_priority { PRIORITY_LOW, PRIORITY_NORMAL, PRIORITY_HIGH };

struct cancel_waiter {
    void (*on_cancel)(struct cancel_waiter *waiter);
    struct cancel_waiter *next, *prev; /* NULL when not registered */
};

struct cancel_token {
    bool cancelled;
    struct cancel_waiter *waiters;
};

void cancel_token_init(struct cancel_token *token);
/* Calls every waiter once, in order of registration, and drops them. Idempotent. */
void cancel_token_cancel(struct cancel_token *token);
/* token may be NULL (never cancelled). Calls back at once if it is cancelled already. */
void cancel_token_wait(struct cancel_token *token, struct cancel_waiter *waiter);
/* No-op if not registered. */
void cancel_token_unwait(struct cancel_token *token, struct cancel_waiter *waiter);

#define REQUEST_NO_DEADLINE UINT64_MAX

struct request {
    uint64_t deadline_ns;         /* env_now_ns clock; REQUEST_NO_DEADLINE */
    struct cancel_token *cancel;  /* may be NULL */
    const char *principal;        /* who asks; static or outliving the request; "" is nobody */
    uint64_t trace_id;            /* 0: not traced */
    uint64_t memory_budget_bytes; /* 0: the default of whoever allocates */
    enum request_priority priority;
};

/* Normal priority, no cancel token, nobody. */
struct request request_init(uint64_t deadline_ns);
/* OK, CANCELLED or DEADLINE. */
enum status request_check(const struct request *request, uint64_t now_ns) MUST_CHECK;

#endif
