/* snapshot_file.h - a whole ordered map in one checksummed file, that replaces its predecessor or
 * leaves it alone.
 *
 * Written under a temporary name, synced, renamed, the directory synced: at every moment there is
 * one complete file. `mark` is a number of the owner's, for instance the log position from which to
 * replay.
 *
 *   header: "CAIRNMAP", version, mark, checksum
 *   block:  kind, length, checksum | entries: length and bytes of the key, of the value
 *   end:    kind, length, checksum | number of entries */
#ifndef CAIRN_SNAPSHOT_FILE_H
#define CAIRN_SNAPSHOT_FILE_H

#include "env.h"

struct snapshot_writer;

/* Starts `path` anew, under the name path.tmp. */
enum status snapshot_writer_open(struct env *env, const char *path, uint64_t mark,
                                 struct snapshot_writer **out, struct error *error) MUST_CHECK;
/* Keys come in ascending order (not checked). Blocks are written as they fill. */
enum status snapshot_writer_add(struct snapshot_writer *writer, struct slice key,
                                struct slice value, struct error *error) MUST_CHECK;
/* Completes the file, waiting for the disk. Frees the writer, also on failure. */
enum status snapshot_writer_commit(struct snapshot_writer *writer, struct error *error) MUST_CHECK;
/* The same on the background lane; `done` runs on the loop, in a later step. */
void snapshot_writer_commit_start(struct snapshot_writer *writer,
                                  void (*done)(void *arg, enum status status,
                                               const struct error *error),
                                  void *arg);
/* After snapshot_writer_commit_start: the owner goes away. `done` is not called, the file keeps its
 * old content unless the new one has its name already, and the writer frees itself. */
void snapshot_writer_cancel(struct snapshot_writer *writer);
/* Removes what was written and frees the writer. */
void snapshot_writer_abandon(struct snapshot_writer *writer);

/* Calls `entry` for each pair, in order; slices are valid during the call. NOT_FOUND if there is no
 * file (the message is set all the same); CORRUPT with file and offset; what `entry` returned. */
enum status snapshot_file_read(struct env *env, const char *path,
                               enum status (*entry)(void *arg, struct slice key, struct slice value,
                                                    struct error *error),
                               void *arg, uint64_t *mark, struct error *error) MUST_CHECK;

#endif
