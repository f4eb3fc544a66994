/* mvcc_internal.h - the stored form of versions. For the sources of this chapter only. */
#ifndef CAIRN_MVCC_INTERNAL_H
#define CAIRN_MVCC_INTERNAL_H

#include "mvcc.h"

/* First byte of a stored value. On disk: never renumbered. */
enum mvcc_kind { MVCC_TOMBSTONE = 0, MVCC_VALUE = 1 };

/* Takes an engine key apart without copying; *prefix is what all versions of the key share. */
bool mvcc_split(struct slice encoded, struct slice *prefix, hlc_timestamp *timestamp) MUST_CHECK;

#endif
