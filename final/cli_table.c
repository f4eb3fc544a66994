/* cli_table.c - aligned tables in the manner of psql. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "codec.h"
#include "mem.h"

void cli_table_init(struct cli_table *table, size_t columns) {
    *table = (struct cli_table){.columns = columns};
    table->right_aligned = mem_zalloc(columns * sizeof(bool));
}

void cli_table_deinit(struct cli_table *table) {
    buf_deinit(&table->cells);
    mem_free(table->right_aligned);
}

void cli_table_add(struct cli_table *table, struct slice cell) {
    put_u32le(&table->cells, (uint32_t)cell.len);
    buf_append_slice(&table->cells, cell);
}

void cli_table_add_null(struct cli_table *table) { put_u32le(&table->cells, UINT32_MAX); }

void cli_table_printf(struct cli_table *table, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cli_table_add(table, slice_of(text, len < (int)sizeof text ? (size_t)len : sizeof text - 1));
}

/* East Asian wide and fullwidth blocks, roughly as wcwidth has them. */
static bool is_wide(uint32_t c) {
    return (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) ||
           (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) ||
           (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
           (c >= 0x1f300 && c <= 0x1faff) || (c >= 0x20000 && c <= 0x3fffd);
}

size_t cli_text_width(struct slice text) {
    size_t width = 0;
    for (size_t i = 0; i < text.len;) {
        uint8_t lead = text.data[i];
        size_t len = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
        uint32_t point = len == 1 ? lead : lead & (0x7fU >> len);
        for (size_t k = 1; k < len && i + k < text.len; k++)
            point = point << 6 | (text.data[i + k] & 0x3f);
        bool combining = point >= 0x300 && point <= 0x36f;
        width += combining ? 0 : is_wide(point) ? 2 : 1;
        i += len;
    }
    return width;
}

static struct slice next_cell(struct reader *in) {
    uint32_t len = get_u32le(in);
    return len == UINT32_MAX ? SLICE_EMPTY : get_raw(in, len);
}

static void pad(struct buf *out, size_t count, char with) {
    for (size_t i = 0; i < count; i++)
        buf_append_byte(out, (uint8_t)with);
}

static void render_cell(struct buf *out, struct slice cell, size_t width, bool right, bool centre,
                        bool last) {
    size_t space = width - cli_text_width(cell);
    size_t before = right ? space : centre ? space / 2 : 0;
    buf_append_byte(out, ' ');
    pad(out, before, ' ');
    buf_append_slice(out, cell);
    if (!last || centre) pad(out, space - before, ' ');
    if (last) {
        if (centre) buf_append_byte(out, ' ');
        buf_append_byte(out, '\n');
    } else {
        buf_append_string(out, " |");
    }
}

static void render_rule(struct buf *out, const size_t *widths, size_t columns) {
    for (size_t c = 0; c < columns; c++) {
        pad(out, widths[c] + 2, '-');
        if (c + 1 < columns) buf_append_byte(out, '+');
    }
    buf_append_byte(out, '\n');
}

void cli_table_render(const struct cli_table *table, bool footer, struct buf *out) {
    size_t *widths = mem_zalloc(table->columns * sizeof *widths);
    size_t count = 0;
    for (struct reader in = reader_of(buf_slice(&table->cells)); in.len > 0; count++) {
        size_t width = cli_text_width(next_cell(&in));
        if (width > widths[count % table->columns]) widths[count % table->columns] = width;
    }
    size_t c = 0;
    for (struct reader in = reader_of(buf_slice(&table->cells)); in.len > 0; c++) {
        size_t column = c % table->columns;
        bool header = c < table->columns;
        render_cell(out, next_cell(&in), widths[column], !header && table->right_aligned[column],
                    header, column + 1 == table->columns);
        if (c + 1 == table->columns) render_rule(out, widths, table->columns);
    }
    size_t rows = table->columns == 0 ? table->rows : count / table->columns - 1;
    if (footer) buf_printf(out, "(%zu row%s)\n", rows, rows == 1 ? "" : "s");
    mem_free(widths);
}
