/* env_fault_disk.h - what env_fault knows about the disk below it: how to take back whatever has
 * not been synced. Used by env_fault.c alone.
 *
 * Invariants
 *  1. The files under the inner env are always what the page cache would show; the durable state is
 *     kept as the way back to it.
 *  2. A file's way back is the old bytes of each write since its last sync, in order of sequence.
 *  3. A directory's way back is the list of creations, renames and removals since its last sync.
 *     New directories are durable at once. */
#ifndef CAIRN_ENV_FAULT_DISK_H
#define CAIRN_ENV_FAULT_DISK_H

#include "env_fault.h"

struct fault_disk;
struct fault_inode; /* what is not durable of one file, whatever its name */
struct fault_entry; /* one change of a directory */

struct fault_disk *fault_disk_new(struct env *inner);
void fault_disk_free(struct fault_disk *disk);

/* The file that has this name now. Valid as long as the disk. */
struct fault_inode *fault_disk_inode(struct fault_disk *disk, const char *path);
/* Before a write or a truncation: keeps what it will replace. */
void fault_inode_will_write(struct fault_inode *inode, struct file *file, uint64_t offset,
                            uint64_t len);
void fault_inode_will_truncate(struct fault_inode *inode, struct file *file, uint64_t size);
/* A sync that covers everything so far; any thread. Ask before the sync, tell after. */
uint64_t fault_inode_sequence(struct fault_inode *inode);
void fault_inode_synced(struct fault_inode *inode, uint64_t sequence);

/* Directory changes. Prepared before they happen, then kept or dropped, as they succeeded. */
struct fault_entry *fault_disk_will_create(struct fault_disk *disk, const char *path);
struct fault_entry *fault_disk_will_rename(struct fault_disk *disk, const char *from,
                                           const char *to);
struct fault_entry *fault_disk_will_remove(struct fault_disk *disk, const char *path);
void fault_disk_changed(struct fault_disk *disk, struct fault_entry *entry, bool succeeded);
/* As for an inode: ask before the sync, tell after; any thread. */
uint64_t fault_disk_sequence(struct fault_disk *disk);
void fault_disk_dir_synced(struct fault_disk *disk, const char *path, uint64_t sequence);

void fault_disk_power_loss(struct fault_disk *disk, enum crash_loss loss, struct prng *prng);

#endif
