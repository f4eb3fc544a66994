/* guestbook.h - who has said hello, and how often: the module of the warm-up.
 *
 * Small on purpose, and made like every module of Cairn: names are slices, the book owns a copy,
 * what can fail returns a status, and whatever grows has a bound.
 *
 * Invariants
 *  1. A name is in the book at most once.
 *  2. The book owns its names: the bytes that a caller passed may change after the call.
 *  3. A call that fails changes nothing.
 *  4. There are never more guests than the bound that guestbook_new was given. */
#ifndef CAIRN_GUESTBOOK_H
#define CAIRN_GUESTBOOK_H

#include "buf.h"
#include "slice.h"
#include "status.h"

struct guestbook;

enum { GUESTBOOK_NAME_MAX = 64 };

struct guestbook *guestbook_new(size_t guests_max);
/* NULL is fine. */
void guestbook_free(struct guestbook *book);

/* Counts a visit: 1 for a name that is new, which enters the book, one more each time after that.
 * `visits` receives the number. INVALID for an empty name, TOO_LARGE above GUESTBOOK_NAME_MAX
 * bytes, BUSY if the name is new and the book is full. */
enum status guestbook_greet(struct guestbook *book, struct slice name, uint64_t *visits,
                            struct error *error) MUST_CHECK;

size_t guestbook_count(const struct guestbook *book);
/* Calls `visit` for each guest, in the order of arrival; the name is valid during the call. */
void guestbook_each(const struct guestbook *book,
                    void (*visit)(void *arg, struct slice name, uint64_t visits), void *arg);

/* Appends the book as bytes: for each guest the name (length, bytes) and the visits (varint), then
 * the checksum of all that (8 bytes, little-endian). */
void guestbook_encode(const struct guestbook *book, struct buf *out);

#endif
