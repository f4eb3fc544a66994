/* test_txn.c - what one transaction sees and does, and what two may not do to each other. */

#include "harness.h"
#include "txn_fixture.h"

/* Runs the body of a test as one coroutine on a fresh node. */
#define TXN_TEST(step, invariant, name)                                                            \
    static void body_##name(void *arg);                                                            \
    TEST(step, invariant, name) {                                                                  \
        struct node node;                                                                          \
        node_start(&node, NULL);                                                                   \
        node_spawn(&node, body_##name, &node);                                                     \
        node_run(&node);                                                                           \
        node_stop(&node);                                                                          \
    }                                                                                              \
    static void body_##name(void *arg)

TXN_TEST("1", 0, a_transaction_reads_what_an_earlier_one_committed) {
    struct node *node = arg;
    char value[16];
    put_alone(node, "k", "v");
    assert_string_equal("v", get_alone(node, "k", value));
    assert_string_equal("", get_alone(node, "other", value));
}

TXN_TEST("1", 0, a_transaction_reads_its_own_writes) {
    struct node *node = arg;
    char value[16];
    put_alone(node, "a", "1");
    put_alone(node, "b", "1");
    struct txn *txn = node_begin(node);
    assert_status(STATUS_OK, put(txn, "a", "2"));
    assert_status(STATUS_OK, txn_delete(txn, SLICE_LITERAL("b"), NULL));
    assert_status(STATUS_OK, put(txn, "c", "3"));
    assert_status(STATUS_OK, get(txn, "a", 0, value));
    assert_string_equal("2", value);
    assert_status(STATUS_NOT_FOUND, get(txn, "b", 0, value));
    char rows[SCAN_TEXT_MAX];
    assert_status(STATUS_OK, scan(txn, &(struct txn_scan){0}, rows));
    assert_string_equal("a=2 c=3 ", rows);
    txn_free(txn);
    assert_string_equal("1", get_alone(node, "a", value));
    assert_string_equal("", get_alone(node, "c", value));
}

TXN_TEST("1", 0, reads_stay_at_the_moment_of_the_first) {
    struct node *node = arg;
    char value[16];
    put_alone(node, "a", "1");
    put_alone(node, "b", "1");
    struct txn *txn = node_begin(node);
    assert_status(STATUS_OK, get(txn, "a", 0, value));
    put_alone(node, "b", "2");
    assert_status(STATUS_OK, get(txn, "b", 0, value));
    assert_string_equal("1", value);
    assert_status(STATUS_OK, txn_commit(txn, NULL));
    txn_free(txn);
}

TXN_TEST("1", 0, get_many_answers_in_the_order_of_its_keys) {
    struct node *node = arg;
    put_alone(node, "a", "1");
    put_alone(node, "c", "3");
    struct txn *txn = node_begin(node);
    assert_status(STATUS_OK, put(txn, "b", "2"));
    struct arena arena;
    arena_init(&arena, 0);
    struct slice keys[] = {SLICE_LITERAL("c"), SLICE_LITERAL("b"), SLICE_LITERAL("x"),
                           SLICE_LITERAL("a"), SLICE_LITERAL("c")};
    struct txn_value values[5];
    assert_status(STATUS_OK, txn_get_many(txn, keys, 5, 0, &arena, values, NULL));
    assert_slice_equal(SLICE_LITERAL("3"), values[0].value);
    assert_slice_equal(SLICE_LITERAL("2"), values[1].value);
    assert_false(values[2].found);
    assert_slice_equal(SLICE_LITERAL("1"), values[3].value);
    assert_slice_equal(SLICE_LITERAL("3"), values[4].value);
    arena_deinit(&arena);
    txn_free(txn);
}

/* ---- validation ----------------------------------------------------------------------------- */

TXN_TEST("2", 0, a_lost_update_is_refused) {
    struct node *node = arg;
    put_alone(node, "n", "1");
    struct txn *a = node_begin(node), *b = node_begin(node);
    assert_status(STATUS_OK, get(a, "n", 0, NULL));
    assert_status(STATUS_OK, get(b, "n", 0, NULL));
    assert_status(STATUS_OK, put(a, "n", "2"));
    assert_status(STATUS_OK, put(b, "n", "2"));
    assert_status(STATUS_OK, txn_commit(a, NULL));
    assert_status(STATUS_CONFLICT, txn_commit(b, NULL));
    txn_free(a);
    txn_free(b);
}

TXN_TEST("2", 0, write_skew_is_refused) {
    struct node *node = arg;
    put_alone(node, "x", "1");
    put_alone(node, "y", "1");
    struct txn *a = node_begin(node), *b = node_begin(node);
    assert_status(STATUS_OK, get(a, "x", 0, NULL));
    assert_status(STATUS_OK, get(a, "y", 0, NULL));
    assert_status(STATUS_OK, get(b, "x", 0, NULL));
    assert_status(STATUS_OK, get(b, "y", 0, NULL));
    assert_status(STATUS_OK, put(a, "x", "0"));
    assert_status(STATUS_OK, put(b, "y", "0"));
    assert_status(STATUS_OK, txn_commit(a, NULL));
    assert_status(STATUS_CONFLICT, txn_commit(b, NULL));
    txn_free(a);
    txn_free(b);
}

TXN_TEST("2", 0, a_phantom_is_refused) {
    struct node *node = arg;
    put_alone(node, "k1", "1");
    struct txn *a = node_begin(node);
    char rows[SCAN_TEXT_MAX];
    struct txn_scan range = {.start = SLICE_LITERAL("k"), .end = SLICE_LITERAL("l")};
    assert_status(STATUS_OK, scan(a, &range, rows));
    put_alone(node, "k2", "new");
    assert_status(STATUS_OK, put(a, "count", "1"));
    assert_status(STATUS_CONFLICT, txn_commit(a, NULL));
    txn_free(a);
}

TXN_TEST("2", 0, a_write_beside_the_span_that_was_read_is_no_conflict) {
    struct node *node = arg;
    put_alone(node, "k1", "1");
    struct txn *a = node_begin(node);
    char rows[SCAN_TEXT_MAX];
    struct txn_scan range = {.start = SLICE_LITERAL("k"), .end = SLICE_LITERAL("l")};
    assert_status(STATUS_OK, scan(a, &range, rows));
    put_alone(node, "l", "beside");
    put_alone(node, "j", "beside");
    assert_status(STATUS_OK, put(a, "count", "1"));
    assert_status(STATUS_OK, txn_commit(a, NULL));
    txn_free(a);
}

TXN_TEST("2", 0, a_limited_scan_has_read_no_further_than_it_returned) {
    struct node *node = arg;
    put_alone(node, "k1", "1");
    put_alone(node, "k3", "3");
    struct txn *a = node_begin(node);
    char rows[SCAN_TEXT_MAX];
    struct txn_scan range = {.start = SLICE_LITERAL("k"), .end = SLICE_LITERAL("l"), .limit = 1};
    assert_status(STATUS_OK, scan(a, &range, rows));
    assert_string_equal("k1=1 ", rows);
    put_alone(node, "k2", "beyond");
    assert_status(STATUS_OK, put(a, "x", "1"));
    assert_status(STATUS_OK, txn_commit(a, NULL));
    txn_free(a);
}

TXN_TEST("2", 0, a_blind_write_never_conflicts) {
    struct node *node = arg;
    struct txn *a = node_begin(node);
    assert_status(STATUS_OK, put(a, "k", "a"));
    put_alone(node, "k", "b");
    assert_status(STATUS_OK, txn_commit(a, NULL));
    char value[16];
    assert_string_equal("a", get_alone(node, "k", value));
    txn_free(a);
}

TXN_TEST("2", 1, a_dead_transaction_says_why_until_it_is_freed) {
    struct node *node = arg;
    put_alone(node, "n", "1");
    struct txn *a = node_begin(node);
    assert_status(STATUS_OK, get(a, "n", 0, NULL));
    put_alone(node, "n", "2");
    assert_status(STATUS_OK, put(a, "n", "3"));
    assert_status(STATUS_CONFLICT, txn_commit(a, NULL));
    assert_status(STATUS_CONFLICT, get(a, "n", 0, NULL));
    assert_status(STATUS_CONFLICT, put(a, "n", "4"));
    assert_status(STATUS_CONFLICT, txn_state(a));
    txn_free(a);
}

/* ---- keys that must be absent --------------------------------------------------------------- */

TXN_TEST("3", 0, an_insert_of_an_existing_key_names_it_at_commit) {
    struct node *node = arg;
    put_alone(node, "b", "1");
    struct txn *txn = node_begin(node);
    assert_status(STATUS_OK, txn_put_absent(txn, SLICE_LITERAL("a"), SLICE_LITERAL("1"), 0, NULL));
    assert_status(STATUS_OK, txn_put_absent(txn, SLICE_LITERAL("b"), SLICE_LITERAL("1"), 0, NULL));
    assert_status(STATUS_EXISTS, txn_commit(txn, NULL));
    assert_slice_equal(SLICE_LITERAL("b"), txn_failed_key(txn));
    txn_free(txn);
    char value[16];
    assert_string_equal("", get_alone(node, "a", value));
}

TXN_TEST("3", 0, an_insert_of_ones_own_key_fails_at_once) {
    struct node *node = arg;
    struct txn *txn = node_begin(node);
    struct slice key = SLICE_LITERAL("a"), value = SLICE_LITERAL("1");
    assert_status(STATUS_OK, txn_put_absent(txn, key, value, 0, NULL));
    assert_status(STATUS_EXISTS, txn_put_absent(txn, key, value, 0, NULL));
    assert_status(STATUS_OK, txn_commit(txn, NULL));
    txn_free(txn);
}

TXN_TEST("3", 0, an_immediate_insert_finds_out_and_lives) {
    struct node *node = arg;
    put_alone(node, "a", "1");
    struct txn *txn = node_begin(node);
    struct slice value = SLICE_LITERAL("2");
    assert_status(STATUS_EXISTS,
                  txn_put_absent(txn, SLICE_LITERAL("a"), value, TXN_IMMEDIATE, NULL));
    assert_status(STATUS_OK, txn_put_absent(txn, SLICE_LITERAL("b"), value, TXN_IMMEDIATE, NULL));
    assert_status(STATUS_OK, txn_commit(txn, NULL));
    txn_free(txn);
    char out[16];
    assert_string_equal("2", get_alone(node, "b", out));
    assert_string_equal("1", get_alone(node, "a", out));
}

TXN_TEST("3", 0, insert_then_delete_still_asks_whether_the_key_was_there) {
    struct node *node = arg;
    put_alone(node, "a", "1");
    for (int i = 0; i < 2; i++) {
        struct slice key = i == 0 ? SLICE_LITERAL("a") : SLICE_LITERAL("b");
        struct txn *txn = node_begin(node);
        assert_status(STATUS_OK, txn_put_absent(txn, key, SLICE_LITERAL("2"), 0, NULL));
        assert_status(STATUS_OK, txn_delete(txn, key, NULL));
        assert_status(i == 0 ? STATUS_EXISTS : STATUS_OK, txn_commit(txn, NULL));
        txn_free(txn);
    }
    char out[16];
    assert_string_equal("1", get_alone(node, "a", out));
    assert_string_equal("", get_alone(node, "b", out));
}

TXN_TEST("3", 0, a_deleted_key_may_be_inserted_again) {
    struct node *node = arg;
    put_alone(node, "a", "1");
    struct txn *txn = node_begin(node);
    assert_status(STATUS_OK, txn_delete(txn, SLICE_LITERAL("a"), NULL));
    assert_status(STATUS_OK, txn_put_absent(txn, SLICE_LITERAL("a"), SLICE_LITERAL("2"), 0, NULL));
    assert_status(STATUS_OK, txn_commit(txn, NULL));
    txn_free(txn);
    char out[16];
    assert_string_equal("2", get_alone(node, "a", out));
}

/* ---- expectations --------------------------------------------------------------------------- */

static hlc_timestamp timestamp_of_now(struct node *node) {
    struct txn *txn = node_begin(node);
    assert_status(STATUS_NOT_FOUND, get(txn, "nothing", 0, NULL));
    hlc_timestamp now = txn_read_timestamp(txn);
    txn_free(txn);
    return now;
}

TXN_TEST("4", 0, an_expectation_that_holds_lets_a_blind_commit_through) {
    struct node *node = arg;
    put_alone(node, "version", "1");
    hlc_timestamp since = timestamp_of_now(node);
    struct txn *txn = node_begin(node);
    txn_expect_unchanged(txn, SLICE_LITERAL("version"), since);
    assert_status(STATUS_OK, put(txn, "k", "v"));
    assert_status(STATUS_OK, txn_commit(txn, NULL));
    txn_free(txn);
}

TXN_TEST("4", 0, a_broken_expectation_refuses_a_blind_commit) {
    struct node *node = arg;
    put_alone(node, "version", "1");
    hlc_timestamp since = timestamp_of_now(node);
    put_alone(node, "version", "2");
    struct txn *txn = node_begin(node);
    txn_expect_unchanged(txn, SLICE_LITERAL("version"), since);
    assert_status(STATUS_OK, put(txn, "k", "v"));
    assert_status(STATUS_CONFLICT, txn_commit(txn, NULL));
    txn_free(txn);
}

TXN_TEST("4", 0, a_broken_expectation_shows_at_the_first_read) {
    struct node *node = arg;
    put_alone(node, "version", "1");
    hlc_timestamp since = timestamp_of_now(node);
    put_alone(node, "version", "2");
    for (int i = 0; i < 3; i++) {
        struct txn *txn = node_begin(node);
        txn_expect_unchanged(txn, SLICE_LITERAL("version"), since);
        char rows[SCAN_TEXT_MAX];
        struct txn_scan range = {.flags = i == 2 ? TXN_FOR_UPDATE : 0};
        assert_status(STATUS_CONFLICT, i == 0 ? get(txn, "k", 0, NULL) : scan(txn, &range, rows));
        txn_free(txn);
    }
}

TXN_TEST("4", 0, an_expectation_holds_until_commit) {
    struct node *node = arg;
    put_alone(node, "version", "1");
    hlc_timestamp since = timestamp_of_now(node);
    struct txn *txn = node_begin(node);
    txn_expect_unchanged(txn, SLICE_LITERAL("version"), since);
    assert_status(STATUS_NOT_FOUND, get(txn, "k", 0, NULL));
    put_alone(node, "version", "2");
    assert_status(STATUS_OK, put(txn, "k", "v"));
    assert_status(STATUS_CONFLICT, txn_commit(txn, NULL));
    txn_free(txn);
}

/* ---- savepoints and cursors ----------------------------------------------------------------- */

TXN_TEST("5", 0, rolling_back_to_a_savepoint_undoes_what_came_after) {
    struct node *node = arg;
    struct txn *txn = node_begin(node);
    char value[16];
    assert_status(STATUS_OK, put(txn, "a", "1"));
    txn_savepoint_id savepoint = txn_savepoint(txn);
    assert_status(STATUS_OK, put(txn, "a", "2"));
    assert_status(STATUS_OK, put(txn, "a", "3"));
    assert_status(STATUS_OK, put(txn, "b", "2"));
    txn_rollback_to(txn, savepoint);
    assert_status(STATUS_OK, get(txn, "a", 0, value));
    assert_string_equal("1", value);
    assert_status(STATUS_NOT_FOUND, get(txn, "b", 0, value));
    assert_status(STATUS_OK, put(txn, "c", "4"));
    assert_status(STATUS_OK, txn_commit(txn, NULL));
    txn_free(txn);
    assert_string_equal("1", get_alone(node, "a", value));
    assert_string_equal("", get_alone(node, "b", value));
    assert_string_equal("4", get_alone(node, "c", value));
}

TXN_TEST("5", 0, a_cursor_does_not_meet_rows_written_after_it_was_opened) {
    struct node *node = arg;
    for (char c = 'a'; c <= 'e'; c++)
        put_alone(node, (char[]){c, 0}, "old");
    struct txn *txn = node_begin(node);
    struct txn_cursor *cursor = txn_scan_open(txn, &(struct txn_scan){.page_rows = 2});
    const struct txn_row *rows;
    size_t count, total = 0;
    for (;;) {
        assert_status(STATUS_OK, txn_scan_next(cursor, &rows, &count, NULL));
        if (count == 0) break;
        for (size_t i = 0; i < count; i++, total++) {
            assert_slice_equal(SLICE_LITERAL("old"), rows[i].value);
            char key[4] = {(char)(rows[i].key.data[0] + 1), '\0'};
            assert_status(STATUS_OK, put(txn, key, "new"));
            key[1] = 'x';
            assert_status(STATUS_OK, put(txn, key, "new"));
        }
    }
    assert_int_equal(total, 5);
    txn_scan_close(cursor);
    txn_free(txn);
}

TXN_TEST("5", 0, scans_merge_own_writes_in_both_directions_and_all_page_sizes) {
    struct node *node = arg;
    for (char c = 'b'; c <= 'k'; c++)
        put_alone(node, (char[]){c, 0}, "r");
    struct txn *txn = node_begin(node);
    assert_status(STATUS_OK, put(txn, "a", "w"));
    assert_status(STATUS_OK, put(txn, "c", "w"));
    assert_status(STATUS_OK, put(txn, "cc", "w"));
    assert_status(STATUS_OK, txn_delete(txn, SLICE_LITERAL("d"), NULL));
    assert_status(STATUS_OK, txn_delete(txn, SLICE_LITERAL("k"), NULL));
    assert_status(STATUS_OK, put(txn, "z", "w"));
    for (uint32_t page = 1; page <= 12; page++) {
        char rows[SCAN_TEXT_MAX];
        struct txn_scan range = {.page_rows = page};
        assert_status(STATUS_OK, scan(txn, &range, rows));
        assert_string_equal("a=w b=r c=w cc=w e=r f=r g=r h=r i=r j=r z=w ", rows);
        range = (struct txn_scan){.start = SLICE_LITERAL("b"),
                                  .end = SLICE_LITERAL("i"),
                                  .reverse = true,
                                  .page_rows = page};
        assert_status(STATUS_OK, scan(txn, &range, rows));
        assert_string_equal("h=r g=r f=r e=r cc=w c=w b=r ", rows);
        range.limit = 3;
        assert_status(STATUS_OK, scan(txn, &range, rows));
        assert_string_equal("h=r g=r f=r ", rows);
    }
    txn_free(txn);
}

/* ---- limits --------------------------------------------------------------------------------- */

TXN_TEST("6", 0, keys_and_values_have_limits) {
    struct node *node = arg;
    static uint8_t large[TXN_MAX_VALUE_BYTES + 1];
    struct txn *txn = node_begin(node);
    assert_status(STATUS_INVALID, txn_put(txn, SLICE_EMPTY, SLICE_LITERAL("v"), NULL));
    assert_status(STATUS_TOO_LARGE,
                  txn_put(txn, slice_of(large, TXN_MAX_KEY_BYTES + 1), SLICE_EMPTY, NULL));
    assert_status(STATUS_TOO_LARGE,
                  txn_put(txn, SLICE_LITERAL("k"), slice_of(large, sizeof large), NULL));
    assert_false(txn_has_writes(txn));
    txn_free(txn);
}

TXN_TEST("6", 0, the_write_buffer_has_a_limit) {
    struct node *node = arg;
    static uint8_t large[TXN_MAX_VALUE_BYTES];
    struct txn *txn = node_begin(node);
    enum status status = STATUS_OK;
    char key[2] = "a";
    int writes = 0;
    for (; status == STATUS_OK && writes < 10; key[0]++, writes++)
        status = txn_put(txn, slice_of(key, 1), slice_of(large, sizeof large), NULL);
    assert_status(STATUS_TOO_LARGE, status);
    assert_int_equal(4, writes); /* the fourth would be over 64 MiB with its key */
    txn_free(txn);
}
