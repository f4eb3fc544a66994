/* lsm_fixture.c - parsing runs, writing them to memtables and tables, putting a view together. */
#include "lsm_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "env_uv.h"
#include "mem.h"
#include "sstable_writer.h"

void lsm_setup(struct lsm_fixture *f) {
    memset(f, 0, sizeof(*f));
    struct log log;
    log_init_null(&log);
    f->env = env_uv_new(&log);
    f->dir = harness_memory_tmpdir();
    f->version = lsm_version_new();
}

void lsm_teardown(struct lsm_fixture *f) {
    if (f->snapshot.view != NULL) lsm_view_unref(f->snapshot.view, f->env, NULL);
    lsm_version_unref(f->version, f->env, NULL);
    for (size_t i = 0; i < f->table_count; i++)
        if (--f->tables[i]->refs == 0) lsm_table_free(f->tables[i]);
    env_uv_free(f->env);
    buf_deinit(&f->key);
    buf_deinit(&f->value);
}

bool lsm_parse(struct lsm_fixture *f, const char **run) {
    const char *at = *run;
    while (*at == ' ')
        at++;
    if (*at == '\0') return false;
    size_t len = strcspn(at, "0123456789");
    struct slice user = slice_of(at, len);
    char *end;
    uint64_t sequence = strtoull(at + len, &end, 10);
    enum write_kind kind = *end == '=' ? WRITE_PUT : WRITE_DELETE;
    internal_key_make(&f->key, user, sequence, kind);
    at = end + 1;
    len = strcspn(at, " ");
    buf_clear(&f->value);
    buf_append(&f->value, at, len);
    *run = at + len;
    return true;
}

void lsm_fill(struct lsm_fixture *f, struct memtable *table, const char *run) {
    while (lsm_parse(f, &run))
        assert_ok(memtable_put(table, buf_slice(&f->key), buf_slice(&f->value)), NULL);
}

static char *path_of(const struct lsm_fixture *f, uint64_t number) {
    return lsm_table_path(f->dir, number);
}

struct lsm_table *lsm_table_of(struct lsm_fixture *f, const char *run) {
    assert_true(f->table_count < LSM_FIXTURE_TABLES_MAX);
    struct lsm_table *table = lsm_table_new(f->table_count + 1);
    struct sstable_writer writer;
    sstable_writer_init(&writer);
    while (lsm_parse(f, &run))
        sstable_writer_add(&writer, buf_slice(&f->key), buf_slice(&f->value));
    sstable_writer_finish(&writer);
    buf_append_slice(&table->meta.smallest, buf_slice(&writer.smallest));
    buf_append_slice(&table->meta.largest, buf_slice(&writer.largest));
    char *path = path_of(f, table->meta.number);
    struct file *file;
    assert_ok(env_file_open(f->env, path, FILE_READ_WRITE, &file, &f->error), &f->error);
    assert_ok(file_write_at(file, 0, buf_slice(&writer.out), &f->error), &f->error);
    assert_ok(sstable_open(file, table->meta.number, &table->reader, &f->error), &f->error);
    sstable_writer_deinit(&writer);
    mem_free(path);
    table->refs = 1;
    f->tables[f->table_count++] = table;
    return table;
}

struct lsm_memtable *lsm_add_memtable(struct lsm_fixture *f, const char *run) {
    assert_true(f->memtable_count < LSM_FIXTURE_MEMTABLES_MAX);
    struct lsm_memtable *memtable = lsm_memtable_new(f->memtable_count + 1);
    lsm_fill(f, memtable->table, run);
    f->memtables[f->memtable_count++] = memtable;
    return memtable;
}

struct lsm_table *lsm_add_table(struct lsm_fixture *f, unsigned level, const char *run) {
    struct lsm_table *table = lsm_table_of(f, run);
    lsm_version_add_table(f->version, level, table);
    return table;
}

struct engine_snapshot *lsm_view_at(struct lsm_fixture *f, uint64_t sequence) {
    assert_null(f->snapshot.view);
    if (f->memtable_count == 0) lsm_add_memtable(f, "");
    f->snapshot.view = lsm_view_new(f->version, f->memtables, f->memtable_count);
    f->snapshot.sequence = sequence;
    return &f->snapshot;
}

void lsm_damage(struct lsm_fixture *f, const struct lsm_table *table) {
    char *path = path_of(f, table->meta.number);
    struct file *file;
    uint8_t byte;
    size_t read;
    assert_ok(env_file_open(f->env, path, FILE_READ_WRITE, &file, &f->error), &f->error);
    assert_ok(file_read_at(file, 4, &byte, 1, &read, &f->error), &f->error);
    byte ^= 1;
    assert_ok(file_write_at(file, 4, slice_of(&byte, 1), &f->error), &f->error);
    file_close(file);
    mem_free(path);
}

void lsm_note_internal(char *out, size_t size, struct slice internal) {
    size_t used = strlen(out);
    struct slice user = internal_key_user(internal);
    snprintf(out + used, size - used, "%.*s%llu ", (int)user.len, (const char *)user.data,
             (unsigned long long)internal_key_sequence(internal));
}

void lsm_note_user(char *out, size_t size, struct slice user) {
    size_t used = strlen(out);
    snprintf(out + used, size - used, "%.*s ", (int)user.len, (const char *)user.data);
}
