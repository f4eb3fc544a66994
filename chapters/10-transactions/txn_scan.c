/* txn_scan.c - cursors: pages from the leader, merged with this transaction's own writes.
 *
 * A page from the leader covers a piece of the range: up to the resume key, or to the end. Own
 * writes are merged within that piece only, so that order is kept without holding more than one
 * page. */
#include <assert.h>

#include "mem.h"
#include "mvcc.h"
#include "rpc.h"
#include "txn_commands.h"
#include "txn_coordinator.h"

enum { DEFAULT_PAGE_ROWS = 256, DEFAULT_PAGE_BYTES = 1024 * 1024 };

struct txn_cursor {
    struct txn *txn;
    bool reverse, lock;
    uint64_t remaining; /* rows that may still be returned; UINT64_MAX: no limit */
    uint32_t page_rows, page_bytes;
    uint64_t upto; /* own writes numbered above are not seen */

    /* What is not yet asked of the leader. */
    struct buf start, end; /* end empty: no bound */
    bool exhausted;        /* nothing is left to ask */

    /* The current piece of the range: the leader's rows in it, and where it ends. */
    struct arena arena;
    Cairn__KvScanReply *page; /* in the arena; NULL: none */
    size_t page_next;
    struct buf piece_start, piece_end;
    struct write_iterator own;

    struct txn_row *rows; /* what was returned last */
    size_t row_capacity;
};

struct txn_cursor *txn_scan_open(struct txn *txn, const struct txn_scan *scan) {
    struct txn_cursor *cursor = MEM_NEW(struct txn_cursor);
    cursor->txn = txn;
    cursor->reverse = scan->reverse;
    cursor->lock = (scan->flags & TXN_FOR_UPDATE) != 0;
    cursor->remaining = scan->limit != 0 ? scan->limit : UINT64_MAX;
    cursor->page_rows = scan->page_rows != 0 ? scan->page_rows : DEFAULT_PAGE_ROWS;
    if (cursor->page_rows > MVCC_MAX_PAGE_ROWS) cursor->page_rows = MVCC_MAX_PAGE_ROWS;
    cursor->page_bytes = scan->page_bytes != 0 ? scan->page_bytes : DEFAULT_PAGE_BYTES;
    cursor->upto = write_set_mark(&txn->writes);
    buf_append_slice(&cursor->start, scan->start);
    buf_append_slice(&cursor->end, scan->end);
    cursor->exhausted = scan->end.len > 0 && slice_compare(scan->start, scan->end) >= 0;
    arena_init(&cursor->arena, 0);
    txn->cursors++;
    return cursor;
}

void txn_scan_close(struct txn_cursor *cursor) {
    if (cursor == NULL) return;
    assert(cursor->txn->cursors > 0);
    cursor->txn->cursors--;
    buf_deinit(&cursor->start);
    buf_deinit(&cursor->end);
    buf_deinit(&cursor->piece_start);
    buf_deinit(&cursor->piece_end);
    arena_deinit(&cursor->arena);
    mem_free(cursor->rows);
    mem_free(cursor);
}

/* ---- the next piece ------------------------------------------------------------------------- */

static enum status call_scan(struct txn_cursor *cursor, Cairn__KvScanReply **reply,
                             struct error *error) {
    struct txn *txn = cursor->txn;
    const ProtobufCMessageDescriptor *type = &cairn__kv_scan_reply__descriptor;
    Cairn__KvScan scan = CAIRN__KV_SCAN__INIT;
    scan.start = rpc_bytes(buf_slice(&cursor->start));
    scan.end = rpc_bytes(buf_slice(&cursor->end));
    scan.reverse = cursor->reverse;
    scan.limit_rows =
        cursor->remaining < cursor->page_rows ? (uint32_t)cursor->remaining : cursor->page_rows;
    scan.limit_bytes = cursor->page_bytes;
    scan.unchanged = txn_pack_expectations(txn, &scan.n_unchanged);
    ProtobufCMessage *message = NULL;
    scan.read_timestamp = txn->read_timestamp;
    if (!cursor->lock) {
        TRY(txn_call(txn, MVCC_SCAN, &scan.base, type, &cursor->arena, &message, error));
    } else {
        Cairn__TxnId id;
        txn_fill_id(&id, txn->id);
        Cairn__TxnLockScan request = CAIRN__TXN_LOCK_SCAN__INIT;
        request.id = &id;
        request.scan = &scan;
        request.linearizable = txn->read_timestamp == 0;
        txn->has_locks = true;
        txn_start_heartbeat(txn->manager);
        enum status status =
            txn_call(txn, TXN_LOCK_SCAN, &request.base, type, &cursor->arena, &message, error);
        if (status == STATUS_DEADLOCK) return txn_die(txn, error, status, "deadlock detected");
        if (status != STATUS_OK) return status;
    }
    *reply = (Cairn__KvScanReply *)message;
    return STATUS_OK;
}

static void set(struct buf *buf, struct slice slice) {
    buf_clear(buf);
    buf_append_slice(buf, slice);
}

/* The piece that the reply covers becomes the current one, the rest is what remains to be asked. */
static void divide(struct txn_cursor *cursor, const Cairn__KvScanReply *reply) {
    struct slice resume = rpc_slice(reply->resume_key);
    set(&cursor->piece_start, buf_slice(&cursor->start));
    set(&cursor->piece_end, buf_slice(&cursor->end));
    if (!reply->more) {
        cursor->exhausted = true;
    } else if (cursor->reverse) {
        set(&cursor->piece_start, resume);
        set(&cursor->end, resume);
    } else {
        set(&cursor->piece_end, resume);
        set(&cursor->start, resume);
    }
}

static enum status fetch(struct txn_cursor *cursor, struct error *error) {
    struct txn *txn = cursor->txn;
    arena_reset(&txn->call_arena);
    arena_reset(&cursor->arena);
    cursor->page = NULL;
    Cairn__KvScanReply *reply = NULL;
    TRY(call_scan(cursor, &reply, error));
    if (reply->more && reply->resume_key.len == 0)
        return error_set(error, STATUS_INVALID, "the leader's page does not say where it ends");
    TRY(txn_adopt_timestamp(txn, reply->read_timestamp, reply->changed, error));
    if (cursor->lock && reply->newest > txn->read_timestamp)
        TRY(txn_refresh(txn, reply->read_timestamp, error));
    divide(cursor, reply);
    read_set_add_range(&txn->reads, buf_slice(&cursor->piece_start), buf_slice(&cursor->piece_end));
    cursor->page = reply;
    cursor->page_next = 0;
    struct slice from = buf_slice(cursor->reverse ? &cursor->piece_end : &cursor->piece_start);
    cursor->own = write_set_seek(&txn->writes, from, cursor->reverse, cursor->upto);
    return STATUS_OK;
}

/* ---- merging -------------------------------------------------------------------------------- */

/* The next own write in the piece, or none. */
static bool peek_own(const struct txn_cursor *cursor, struct slice *key) {
    if (!write_iterator_valid(&cursor->own)) return false;
    *key = write_iterator_key(&cursor->own);
    if (cursor->reverse) return slice_compare(*key, buf_slice(&cursor->piece_start)) >= 0;
    return cursor->piece_end.len == 0 || slice_compare(*key, buf_slice(&cursor->piece_end)) < 0;
}

static void emit(struct txn_cursor *cursor, size_t *count, struct slice key, struct slice value) {
    if (*count == cursor->row_capacity) {
        cursor->row_capacity = cursor->row_capacity > 0 ? cursor->row_capacity * 2 : 16;
        cursor->rows = mem_realloc(cursor->rows, cursor->row_capacity * sizeof *cursor->rows);
    }
    cursor->rows[(*count)++] = (struct txn_row){key, value};
    if (cursor->remaining != UINT64_MAX) cursor->remaining--;
}

/* Takes the smaller (reverse: larger) of both heads; where they are equal, the own write counts.
 * False: the piece is used up. */
static bool merge_one(struct txn_cursor *cursor, size_t *count) {
    struct slice own_key;
    bool own = peek_own(cursor, &own_key);
    bool remote = cursor->page_next < cursor->page->n_rows;
    if (!own && !remote) return false;
    int order = own ? -1 : 1;
    const Cairn__KvRow *row = remote ? cursor->page->rows[cursor->page_next] : NULL;
    if (own && remote) {
        order = slice_compare(own_key, rpc_slice(row->key));
        if (cursor->reverse) order = -order;
    }
    if (order >= 0) cursor->page_next++;
    if (order > 0) {
        emit(cursor, count, rpc_slice(row->key), rpc_slice(row->value));
        return true;
    }
    const struct write_version *version = write_iterator_version(&cursor->own);
    if (!version->deleted) emit(cursor, count, own_key, write_version_value(version));
    write_iterator_next(&cursor->own, cursor->reverse);
    return true;
}

static enum status next_page(struct txn_cursor *cursor, size_t *count, struct error *error) {
    *count = 0;
    while (cursor->remaining > 0) {
        while (cursor->page != NULL && *count < cursor->page_rows && cursor->remaining > 0) {
            if (!merge_one(cursor, count)) cursor->page = NULL;
        }
        if (*count > 0 || cursor->remaining == 0) return STATUS_OK;
        if (cursor->exhausted) return STATUS_OK;
        TRY(fetch(cursor, error));
    }
    return STATUS_OK;
}

enum status txn_scan_next(struct txn_cursor *cursor, const struct txn_row **rows, size_t *count,
                          struct error *error) {
    *count = 0;
    TRY(txn_enter(cursor->txn, error));
    enum status status = next_page(cursor, count, error);
    *rows = cursor->rows;
    if (status != STATUS_OK) *count = 0;
    return txn_leave(cursor->txn, status);
}
