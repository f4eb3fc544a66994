/* guestbook.c - the guests, in an array that grows, their names in an arena. What lives here: the
 * list and its bytes. What must not: lines, clocks, files.
 *
 * A guest is found by looking at one after the other. That is slow when there are many, and chapter
 * 01 begins with what to do about it. */
#include "guestbook.h"

#include "arena.h"
#include "codec.h"
#include "mem.h"

enum { CAPACITY_FIRST = 8 };

struct guest {
    struct slice name; /* in the book's arena */
    uint64_t visits;
};

struct guestbook {
    size_t guests_max;
    struct guest *guests;
    size_t count;
    size_t capacity;
    struct arena names; /* they die together, with the book */
};

struct guestbook *guestbook_new(size_t guests_max) {
    struct guestbook *book = MEM_NEW(struct guestbook);
    book->guests_max = guests_max;
    arena_init(&book->names, 0);
    return book;
}

void guestbook_free(struct guestbook *book) {
    if (book == NULL) return;
    arena_deinit(&book->names);
    mem_free(book->guests);
    mem_free(book);
}

static enum status check_name(struct slice name, struct error *error) {
    if (name.len == 0) return error_set(error, STATUS_INVALID, "a guest needs a name");
    if (name.len > GUESTBOOK_NAME_MAX)
        return error_set(error, STATUS_TOO_LARGE, "a name of %zu bytes is over the limit of %d",
                         name.len, GUESTBOOK_NAME_MAX);
    return STATUS_OK;
}

/* NULL: not in the book. */
static struct guest *find_guest(const struct guestbook *book, struct slice name) {
    for (size_t i = 0; i < book->count; i++)
        if (slice_equal(book->guests[i].name, name)) return &book->guests[i];
    return NULL;
}

static void make_room(struct guestbook *book) {
    if (book->count < book->capacity) return;
    book->capacity = book->capacity > 0 ? 2 * book->capacity : CAPACITY_FIRST;
    book->guests = mem_realloc(book->guests, book->capacity * sizeof(*book->guests));
}

/* Enters a name that is not there, with no visit yet. BUSY, and nothing changed, if it is full. */
static enum status add_guest(struct guestbook *book, struct slice name, struct guest **out,
                             struct error *error) {
    if (book->count >= book->guests_max)
        return error_set(error, STATUS_BUSY, "the book is full: %zu guests", book->count);
    make_room(book);
    *out = &book->guests[book->count++];
    **out = (struct guest){.name = arena_dup_slice(&book->names, name)};
    return STATUS_OK;
}

enum status guestbook_greet(struct guestbook *book, struct slice name, uint64_t *visits,
                            struct error *error) {
    TRY(check_name(name, error));
    struct guest *guest = find_guest(book, name);
    if (guest == NULL) TRY(add_guest(book, name, &guest, error));
    *visits = ++guest->visits;
    return STATUS_OK;
}

size_t guestbook_count(const struct guestbook *book) { return book->count; }

void guestbook_each(const struct guestbook *book,
                    void (*visit)(void *arg, struct slice name, uint64_t visits), void *arg) {
    for (size_t i = 0; i < book->count; i++)
        visit(arg, book->guests[i].name, book->guests[i].visits);
}

void guestbook_encode(const struct guestbook *book, struct buf *out) {
    size_t start = out->len;
    for (size_t i = 0; i < book->count; i++) {
        put_bytes(out, book->guests[i].name);
        put_varint(out, book->guests[i].visits);
    }
    put_u64le(out, checksum64(slice_from(buf_slice(out), start), 0));
}
