/* lsm_describe.h - what the manifest of an LSM tree says, in words for people: `node --manifest`,
 * and the prompt's `levels`. Reads files only; a store that is open may be described, too. */
#ifndef CAIRN_LSM_DESCRIBE_H
#define CAIRN_LSM_DESCRIBE_H

#include "env.h"

/* Appends a line for each edit of the current manifest, and one for each table that it names.
 * NOT_FOUND: no CURRENT; IO, CORRUPT. */
enum status lsm_describe_manifest(struct env *env, const char *dir, struct buf *out,
                                  struct error *error) MUST_CHECK;
/* Appends a line for each level that has tables, and one for all together. Likewise. */
enum status lsm_describe_levels(struct env *env, const char *dir, struct buf *out,
                                struct error *error) MUST_CHECK;

#endif
