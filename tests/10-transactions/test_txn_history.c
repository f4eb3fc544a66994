/* test_txn_history.c - random concurrent transactions, under changes of the leader, and a
 * checker. */
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"
#include "history.h"
#include "mem.h"
#include "prng.h"
#include "txn_fixture.h"

enum { CLIENTS = 12, TXNS_PER_CLIENT = 40, TXNS = CLIENTS * TXNS_PER_CLIENT };

struct world {
    struct node node;
    struct history history;
    struct history_txn txns[TXNS];
    size_t next;
    uint64_t clock;
    int clients_left;
    int outcomes[3];
    struct prng prng; /* of the nemesis */
    bool faults;
};

struct client {
    struct world *world;
    struct prng prng;
};

/* ---- the checker itself --------------------------------------------------------------------- */

static struct history_txn plain(uint64_t began, uint64_t ended) {
    struct history_txn txn = {.fate = FATE_COMMITTED, .began = began, .ended = ended};
    for (int k = 0; k < HISTORY_KEYS; k++)
        txn.seen[k] = txn.last_seen[k] = -1;
    return txn;
}

TEST("9", 0, the_checker_accepts_a_serial_history) {
    struct history_txn txns[2] = {plain(1, 2), plain(3, 4)};
    txns[0].seen[0] = 0;
    txns[0].appended[0] = true;
    txns[1].seen[0] = 1;
    txns[1].last_seen[0] = 0;
    struct history history = {.txns = txns, .count = 2, .lists = {{0}}, .lengths = {1}};
    assert_null(history_check(&history));
}

TEST("9", 0, the_checker_finds_write_skew) {
    struct history_txn txns[2] = {plain(1, 4), plain(2, 3)};
    for (int t = 0; t < 2; t++)
        txns[t].seen[0] = txns[t].seen[1] = 0;
    txns[0].appended[0] = txns[1].appended[1] = true;
    struct history history = {.txns = txns, .count = 2, .lists = {{0}, {1}}, .lengths = {1, 1}};
    assert_non_null(history_check(&history));
}

TEST("9", 0, the_checker_finds_a_stale_read) {
    struct history_txn txns[2] = {plain(1, 2), plain(3, 4)};
    txns[0].appended[0] = true;
    txns[1].seen[0] = 0;
    struct history history = {.txns = txns, .count = 2, .lists = {{0}}, .lengths = {1}};
    assert_non_null(history_check(&history));
}

TEST("9", 0, the_checker_finds_a_lost_append) {
    struct history_txn txns[1] = {plain(1, 2)};
    txns[0].appended[0] = true;
    struct history history = {.txns = txns, .count = 1};
    assert_non_null(history_check(&history));
}

/* ---- random transactions -------------------------------------------------------------------- */

static void pause_a_little(struct client *client) {
    for (uint64_t i = prng_below(&client->prng, 3); i > 0; i--)
        assert_status(STATUS_OK, co_yield());
}

/* "3,17,4," -> length and last number. */
static void note_list(struct history_txn *record, int key, struct slice list) {
    if (record->seen[key] >= 0 || record->appended[key]) return;
    int length = 0, last = -1, number = 0;
    for (size_t i = 0; i < list.len; i++) {
        if (list.data[i] == ',') {
            length++;
            last = number;
            number = 0;
        } else {
            number = number * 10 + (list.data[i] - '0');
        }
    }
    record->seen[key] = length;
    record->last_seen[key] = last;
}

static void name_key(int key, char out[4]) { snprintf(out, 4, "k%c", 'a' + key); }

static enum status read_list(struct client *client, struct txn *txn, struct history_txn *record,
                             int key, struct buf *list) {
    char name[4];
    name_key(key, name);
    unsigned flags = prng_below(&client->prng, 3) == 0 ? TXN_FOR_UPDATE : 0;
    enum status status = txn_get(txn, slice_of_string(name), flags, list, NULL);
    if (status == STATUS_NOT_FOUND) {
        buf_clear(list);
        status = STATUS_OK;
    }
    if (status == STATUS_OK) note_list(record, key, buf_slice(list));
    return status;
}

static enum status append(struct client *client, struct txn *txn, struct history_txn *record,
                          int key, size_t number) {
    if (record->appended[key]) return STATUS_OK;
    struct buf list = BUF_INIT;
    enum status status = read_list(client, txn, record, key, &list);
    if (status == STATUS_OK) {
        char name[4];
        name_key(key, name);
        buf_printf(&list, "%zu,", number);
        bool first = record->seen[key] == 0 && prng_below(&client->prng, 2) == 0;
        struct slice text = slice_of_string(name);
        status = first ? txn_put_absent(txn, text, buf_slice(&list), 0, NULL)
                       : txn_put(txn, text, buf_slice(&list), NULL);
        record->appended[key] = status == STATUS_OK;
    }
    buf_deinit(&list);
    return status;
}

/* Every list of a range, those that are not there included: phantoms would show. */
static enum status scan_lists(struct client *client, struct txn *txn, struct history_txn *record) {
    int from = (int)prng_below(&client->prng, HISTORY_KEYS);
    int to = from + (int)prng_below(&client->prng, 5);
    if (to >= HISTORY_KEYS) to = HISTORY_KEYS - 1;
    char start[4], end[4];
    name_key(from, start);
    name_key(to, end);
    struct txn_scan options = {.start = slice_of_string(start),
                               .end = slice_of_string(end),
                               .reverse = prng_below(&client->prng, 2) == 0,
                               .flags = prng_below(&client->prng, 4) == 0 ? TXN_FOR_UPDATE : 0,
                               .page_rows = 1 + (uint32_t)prng_below(&client->prng, 4)};
    struct txn_cursor *cursor = txn_scan_open(txn, &options);
    enum status status;
    size_t count;
    bool met[HISTORY_KEYS] = {false};
    do {
        const struct txn_row *rows;
        status = txn_scan_next(cursor, &rows, &count, NULL);
        for (size_t i = 0; i < count; i++) {
            int key = rows[i].key.data[1] - 'a';
            met[key] = true;
            note_list(record, key, rows[i].value);
        }
    } while (status == STATUS_OK && count > 0);
    for (int key = from; key < to && status == STATUS_OK; key++) {
        if (!met[key]) note_list(record, key, SLICE_EMPTY);
    }
    txn_scan_close(cursor);
    return status;
}

static enum status run_operations(struct client *client, struct txn *txn,
                                  struct history_txn *record, size_t number) {
    struct buf list = BUF_INIT;
    enum status status = STATUS_OK;
    size_t operations = 1 + prng_below(&client->prng, 5);
    for (size_t i = 0; i < operations && status == STATUS_OK; i++) {
        int key = (int)prng_below(&client->prng, HISTORY_KEYS);
        pause_a_little(client);
        switch (prng_below(&client->prng, 4)) {
        case 0:
            status = read_list(client, txn, record, key, &list);
            break;
        case 1:
            status = scan_lists(client, txn, record);
            break;
        default:
            status = append(client, txn, record, key, number);
        }
    }
    buf_deinit(&list);
    pause_a_little(client);
    return status;
}

static void run_one(struct client *client) {
    struct world *world = client->world;
    size_t number = world->next++;
    struct history_txn *record = &world->txns[number];
    *record = plain(++world->clock, 0);
    struct txn *txn = node_begin(&world->node);
    enum status status = run_operations(client, txn, record, number);
    if (status == STATUS_OK && prng_below(&client->prng, 10) > 0)
        status = txn_commit(txn, NULL);
    else if (status == STATUS_OK)
        status = STATUS_CANCELLED; /* changed its mind */
    record->fate = status == STATUS_OK                ? FATE_COMMITTED
                   : status == STATUS_UNKNOWN_OUTCOME ? FATE_UNKNOWN
                                                      : FATE_ABORTED;
    record->ended = ++world->clock;
    world->outcomes[record->fate]++;
    txn_free(txn);
}

static void run_client(void *arg) {
    struct client *client = arg;
    for (int i = 0; i < TXNS_PER_CLIENT; i++)
        run_one(client);
    client->world->clients_left--;
}

/* Deposes the leader now and then, with proposals under way that are or are not committed later. */
static void run_nemesis(void *arg) {
    struct world *world = arg;
    struct node *node = &world->node;
    while (world->clients_left > 0) {
        for (uint64_t i = prng_below(&world->prng, 60); i > 0; i--)
            assert_status(STATUS_OK, co_yield());
        solo_replicator_hold(node->solo, true);
        for (uint64_t i = prng_below(&world->prng, 4); i > 0; i--)
            assert_status(STATUS_OK, co_yield());
        if (world->faults) {
            solo_replicator_depose(node->solo, prng_below(&world->prng, 2) == 0);
            assert_status(STATUS_OK, co_yield());
            node_lead(node);
        }
        solo_replicator_hold(node->solo, false);
    }
}

static void read_final_lists(void *arg) {
    struct world *world = arg;
    struct txn *txn = node_begin(&world->node);
    struct buf list = BUF_INIT;
    for (int key = 0; key < HISTORY_KEYS; key++) {
        char name[4];
        name_key(key, name);
        enum status status = txn_get(txn, slice_of_string(name), 0, &list, NULL);
        if (status == STATUS_NOT_FOUND) continue;
        assert_status(STATUS_OK, status);
        buf_append_byte(&list, '\0');
        for (char *at = (char *)list.data; *at != '\0'; at++)
            world->history.lists[key][world->history.lengths[key]++] = (int)strtol(at, &at, 10);
    }
    buf_deinit(&list);
    txn_free(txn);
}

static void run_world(uint64_t seed, bool faults, const struct node_options *options) {
    struct world *world = MEM_NEW(struct world);
    node_start(&world->node, options);
    world->faults = faults;
    world->clients_left = CLIENTS;
    prng_seed(&world->prng, seed);
    struct client clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        clients[i].world = world;
        prng_seed(&clients[i].prng, seed * 1000 + (uint64_t)i);
        node_spawn(&world->node, run_client, &clients[i]);
    }
    node_spawn(&world->node, run_nemesis, world);
    node_run(&world->node);
    node_spawn(&world->node, read_final_lists, world);
    node_run(&world->node);
    world->history.txns = world->txns;
    world->history.count = world->next;
    const char *wrong = history_check(&world->history);
    if (wrong != NULL) fail_msg("seed %d: %s", (int)seed, wrong);
    printf("seed %d: committed %d, aborted %d, unknown %d\n", (int)seed,
           world->outcomes[FATE_COMMITTED], world->outcomes[FATE_ABORTED],
           world->outcomes[FATE_UNKNOWN]);
    assert_true(world->outcomes[FATE_COMMITTED] > TXNS / 10);
    assert_true(world->outcomes[FATE_ABORTED] > 10);
    node_stop(&world->node);
    mem_free(world);
}

TEST("9", 2, random_transactions_are_strictly_serializable) {
    TEST_LIMIT(60000);
    for (uint64_t seed = 1; seed <= 6; seed++)
        run_world(seed, false, NULL);
}

TEST("9", 2, random_transactions_are_strictly_serializable_while_leaders_change) {
    TEST_LIMIT(60000);
    for (uint64_t seed = 101; seed <= 106; seed++)
        run_world(seed, true, NULL);
}

TEST("9", 2, random_transactions_are_strictly_serializable_while_commits_are_applied_slowly) {
    TEST_LIMIT(60000);
    struct node_options options = {.pace = 1};
    for (uint64_t seed = 301; seed <= 306; seed++)
        run_world(seed, seed % 2 == 0, &options);
}

TEST("9", 2, validation_against_the_engine_is_as_good_as_against_the_ring) {
    TEST_LIMIT(60000);
    struct node_options options = {.would_block_percent = 10, .remembered_writes = 1};
    for (uint64_t seed = 201; seed <= 204; seed++)
        run_world(seed, seed % 2 == 0, &options);
}

/* ---- the bank ------------------------------------------------------------------------------- */

enum { ACCOUNTS = 8, OPENING = 100 };

struct bank {
    struct node node;
    int clients_left, transfers, audits;
};

struct teller {
    struct bank *bank;
    struct prng prng;
};

static int balance(struct txn *txn, int account, unsigned flags, enum status *status) {
    char name[4], value[16] = "";
    name_key(account, name);
    if (*status == STATUS_OK) *status = get(txn, name, flags, value);
    return to_int(value);
}

static void set_balance(struct txn *txn, int account, int amount, enum status *status) {
    char name[4], value[16];
    name_key(account, name);
    snprintf(value, sizeof value, "%d", amount);
    if (*status == STATUS_OK) *status = put(txn, name, value);
}

static void open_accounts(void *arg) {
    struct bank *bank = arg;
    struct txn *txn = node_begin(&bank->node);
    enum status status = STATUS_OK;
    for (int i = 0; i < ACCOUNTS; i++)
        set_balance(txn, i, OPENING, &status);
    assert_status(STATUS_OK, status);
    assert_status(STATUS_OK, txn_commit(txn, NULL));
    txn_free(txn);
}

static void transfer(struct teller *teller) {
    struct txn *txn = node_begin(&teller->bank->node);
    int from = (int)prng_below(&teller->prng, ACCOUNTS);
    int to = (int)prng_below(&teller->prng, ACCOUNTS);
    int amount = (int)prng_below(&teller->prng, 30);
    unsigned flags = prng_below(&teller->prng, 2) == 0 ? TXN_FOR_UPDATE : 0;
    enum status status = STATUS_OK;
    int source = balance(txn, from, flags, &status);
    int target = balance(txn, to, flags, &status);
    if (status == STATUS_OK && from != to && source >= amount) {
        set_balance(txn, from, source - amount, &status);
        set_balance(txn, to, target + amount, &status);
        if (status == STATUS_OK) status = txn_commit(txn, NULL);
        teller->bank->transfers += status == STATUS_OK;
    }
    txn_free(txn);
}

static void audit(struct bank *bank) {
    struct txn *txn = node_begin(&bank->node);
    enum status status = STATUS_OK;
    int sum = 0;
    for (int i = 0; i < ACCOUNTS; i++) {
        int amount = balance(txn, i, 0, &status);
        assert_true(amount >= 0);
        sum += amount;
    }
    if (status == STATUS_OK) {
        assert_int_equal(ACCOUNTS * OPENING, sum);
        bank->audits++;
    }
    txn_free(txn);
}

static void run_teller(void *arg) {
    struct teller *teller = arg;
    for (int i = 0; i < 60; i++) {
        if (prng_below(&teller->prng, 5) == 0)
            audit(teller->bank);
        else
            transfer(teller);
    }
    teller->bank->clients_left--;
}

TEST("9", 2, transfers_between_accounts_keep_the_sum) {
    TEST_LIMIT(60000);
    struct bank bank = {.clients_left = 10};
    node_start(&bank.node, NULL);
    node_spawn(&bank.node, open_accounts, &bank);
    node_run(&bank.node);
    struct teller tellers[10];
    for (int i = 0; i < 10; i++) {
        tellers[i].bank = &bank;
        prng_seed(&tellers[i].prng, (uint64_t)i);
        node_spawn(&bank.node, run_teller, &tellers[i]);
    }
    node_run(&bank.node);
    assert_true(bank.transfers > 50);
    assert_true(bank.audits > 10);
    node_stop(&bank.node);
}
