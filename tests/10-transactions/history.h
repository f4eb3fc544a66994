/* history.h - the checker of list-append histories.
 *
 * Every transaction reads lists and appends its own number to some. The final lists give the
 * order of the writes; with what each transaction saw, that gives who must come before whom
 * (Adya's graph: ww, wr, rw; Kingsbury and Alvaro, "Elle", VLDB 2020). The history is strictly
 * serializable if the graph, with an edge from each transaction to those that began after it had
 * ended, has no cycle. */
#ifndef CAIRN_HISTORY_H
#define CAIRN_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HISTORY_KEYS = 12, HISTORY_OPS = 16, HISTORY_LIST = 512 };

enum history_fate { FATE_ABORTED, FATE_COMMITTED, FATE_UNKNOWN };

struct history_txn {
    enum history_fate fate;
    uint64_t began, ended;  /* a common counter */
    int seen[HISTORY_KEYS]; /* length of the list that it read; -1: not read */
    bool appended[HISTORY_KEYS];
    int last_seen[HISTORY_KEYS]; /* last number in that list; -1: empty */
};

struct history {
    struct history_txn *txns;
    size_t count;
    int lists[HISTORY_KEYS][HISTORY_LIST]; /* final: numbers of transactions */
    int lengths[HISTORY_KEYS];
};

/* NULL if it is strictly serializable, else a sentence that says why not (static memory). */
const char *history_check(const struct history *history);

#endif
