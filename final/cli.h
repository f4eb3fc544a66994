/* cli.h - the parts of `cairn`, the command line: flags, tables, and a function for each
 * command. */
#ifndef CAIRN_CLI_H
#define CAIRN_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "env.h"

enum { CLI_NODES_MAX = 15, CLI_CELL_MAX = 64 * 1024 };

/* What the flags said; commands use what concerns them. */
struct cli_options {
    const char *host;    /* --host, 127.0.0.1 */
    uint16_t port;       /* --port, 9001 */
    unsigned nodes;      /* --nodes, 3 */
    const char *dir;     /* --dir, data */
    const char *engine;  /* --engine, NULL: the node's default */
    const char *sql;     /* -c, NULL: a prompt */
    const char *program; /* argv[0], to find cairnd beside it */
};

/* Each returns the exit status of the process: 0, or 1 after a line on stderr that says why. */
int cli_cluster_start(const struct cli_options *options);
int cli_cluster_stop(const struct cli_options *options);
int cli_cluster_status(const struct cli_options *options);
int cli_status(const struct cli_options *options);
int cli_sql(const struct cli_options *options);

/* ---- tables ---------------------------------------------------------------------------------- */

/* Cells of text, printed in aligned columns as psql does. */
struct cli_table {
    struct buf cells; /* each: u32 length (UINT32_MAX: NULL), bytes */
    size_t columns;
    size_t rows;         /* without the header */
    bool *right_aligned; /* columns of them */
};

/* The first `columns` cells added are the header. */
void cli_table_init(struct cli_table *table, size_t columns);
void cli_table_deinit(struct cli_table *table);
void cli_table_add(struct cli_table *table, struct slice cell);
void cli_table_add_null(struct cli_table *table);
void cli_table_printf(struct cli_table *table, const char *format, ...) PRINTF_LIKE(2, 3);
/* Appends " a | b\n---+---\n 1 | 2\n"; footer adds "(1 row)\n". */
void cli_table_render(const struct cli_table *table, bool footer, struct buf *out);
/* Columns on a terminal: code points, wide ones counted twice. */
size_t cli_text_width(struct slice text);

#endif
