/* history.c - see history.h. The graph is a matrix of bytes: histories are small. */
#include "history.h"

#include <stdio.h>
#include <string.h>

#include "mem.h"

static char reason[256];

/* Everything that a transaction saw must be a beginning of the final list. */
static const char *check_prefixes(const struct history *h) {
    for (size_t t = 0; t < h->count; t++) {
        const struct history_txn *txn = &h->txns[t];
        if (txn->fate != FATE_COMMITTED) continue;
        for (int k = 0; k < HISTORY_KEYS; k++) {
            int seen = txn->seen[k];
            if (seen <= 0) continue;
            if (seen <= h->lengths[k] && h->lists[k][seen - 1] == txn->last_seen[k]) continue;
            snprintf(reason, sizeof reason, "transaction %zu saw a list %d that never was", t, k);
            return reason;
        }
    }
    return NULL;
}

/* Committed: every append is there, once. Aborted: none is. */
static const char *check_appends(const struct history *h) {
    for (size_t t = 0; t < h->count; t++) {
        const struct history_txn *txn = &h->txns[t];
        int found = 0, wanted = 0;
        for (int k = 0; k < HISTORY_KEYS; k++) {
            wanted += txn->appended[k];
            for (int i = 0; i < h->lengths[k]; i++)
                found += h->lists[k][i] == (int)t;
        }
        bool fine = txn->fate == FATE_ABORTED     ? found == 0
                    : txn->fate == FATE_COMMITTED ? found == wanted
                                                  : found == 0 || found == wanted;
        if (fine) continue;
        snprintf(reason, sizeof reason,
                 "of the %d appends of transaction %zu (fate %d) %d are there", wanted, t,
                 (int)txn->fate, found);
        return reason;
    }
    return NULL;
}

static void add_edges(const struct history *h, uint8_t *edges) {
    size_t n = h->count;
    for (int k = 0; k < HISTORY_KEYS; k++) {
        for (int i = 0; i + 1 < h->lengths[k]; i++)
            edges[(size_t)h->lists[k][i] * n + (size_t)h->lists[k][i + 1]] = 1; /* ww */
        for (size_t t = 0; t < n; t++) {
            int seen = h->txns[t].fate == FATE_COMMITTED ? h->txns[t].seen[k] : -1;
            if (seen > 0 && h->lists[k][seen - 1] != (int)t)
                edges[(size_t)h->lists[k][seen - 1] * n + t] = 1; /* wr */
            if (seen >= 0 && seen < h->lengths[k] && h->lists[k][seen] != (int)t)
                edges[t * n + (size_t)h->lists[k][seen]] = 1; /* rw */
        }
    }
    for (size_t a = 0; a < n; a++) {
        for (size_t b = 0; b < n; b++) {
            if (h->txns[a].fate == FATE_COMMITTED && h->txns[b].fate == FATE_COMMITTED &&
                h->txns[a].ended < h->txns[b].began)
                edges[a * n + b] = 1; /* real time */
        }
    }
}

static bool finds_cycle(const uint8_t *edges, size_t n, size_t from, uint8_t *state) {
    state[from] = 1;
    for (size_t to = 0; to < n; to++) {
        if (!edges[from * n + to]) continue;
        if (state[to] == 1) {
            snprintf(reason, sizeof reason, "a cycle through transactions %zu and %zu", from, to);
            return true;
        }
        if (state[to] == 0 && finds_cycle(edges, n, to, state)) return true;
    }
    state[from] = 2;
    return false;
}

const char *history_check(const struct history *h) {
    const char *wrong = check_prefixes(h);
    if (wrong == NULL) wrong = check_appends(h);
    if (wrong != NULL) return wrong;
    uint8_t *edges = mem_zalloc(h->count * h->count), *state = mem_zalloc(h->count);
    add_edges(h, edges);
    for (size_t t = 0; t < h->count && wrong == NULL; t++) {
        if (state[t] == 0 && finds_cycle(edges, h->count, t, state)) wrong = reason;
    }
    mem_free(edges);
    mem_free(state);
    return wrong;
}
