/* request.c - cancel tokens and the check that every layer makes before it goes on.
 *
 * The waiters of a token form a ring in order of registration; the token points at the oldest. */
#include "request.h"

#include <assert.h>
#include <stddef.h>

void cancel_token_init(struct cancel_token *token) {
    token->cancelled = false;
    token->waiters = NULL;
}

void cancel_token_cancel(struct cancel_token *token) {
    if (token->cancelled) return;
    token->cancelled = true;
    while (token->waiters != NULL) {
        /* Taken out first: the callback may free it, or take out others. */
        struct cancel_waiter *waiter = token->waiters;
        cancel_token_unwait(token, waiter);
        waiter->on_cancel(waiter);
    }
}

void cancel_token_wait(struct cancel_token *token, struct cancel_waiter *waiter) {
    waiter->next = NULL;
    waiter->prev = NULL;
    if (token == NULL) return;
    if (token->cancelled) {
        waiter->on_cancel(waiter);
        return;
    }
    struct cancel_waiter *oldest = token->waiters;
    if (oldest == NULL) {
        waiter->next = waiter;
        waiter->prev = waiter;
        token->waiters = waiter;
    } else {
        waiter->next = oldest;
        waiter->prev = oldest->prev;
        oldest->prev->next = waiter;
        oldest->prev = waiter;
    }
}

void cancel_token_unwait(struct cancel_token *token, struct cancel_waiter *waiter) {
    if (waiter->next == NULL) return;
    assert(token != NULL);
    if (waiter->next == waiter) {
        token->waiters = NULL;
    } else {
        waiter->next->prev = waiter->prev;
        waiter->prev->next = waiter->next;
        if (token->waiters == waiter) token->waiters = waiter->next;
    }
    waiter->next = NULL;
    waiter->prev = NULL;
}

struct request request_init(uint64_t deadline_ns) {
    return (struct request){
        .deadline_ns = deadline_ns, .principal = "", .priority = PRIORITY_NORMAL};
}

enum status request_check(const struct request *request, uint64_t now_ns) {
    if (request->cancel != NULL && request->cancel->cancelled) return STATUS_CANCELLED;
    if (now_ns >= request->deadline_ns) return STATUS_DEADLINE;
    return STATUS_OK;
}
