/* sql_printer.c - rows, tags, notices and errors as lines of text. */
#include "sql_printer.h"

static enum status print_columns(void *arg, const struct sql_result_column *columns, size_t count) {
    struct sql_printer *printer = arg;
    if (printer->quiet) return STATUS_OK;
    for (size_t i = 0; i < count; i++)
        buf_printf(&printer->out, "%s%s", i > 0 ? "|" : "", columns[i].name);
    buf_append_byte(&printer->out, '\n');
    return STATUS_OK;
}

static enum status print_rows(void *arg, const struct sql_batch *batch) {
    struct sql_printer *printer = arg;
    for (uint32_t i = 0; i < batch->selection.count; i++) {
        uint32_t row = sql_selected(batch->selection, i);
        for (uint32_t c = 0; c < batch->column_count; c++) {
            struct sql_datum value = sql_column_get(&batch->columns[c], row);
            if (c > 0) buf_append_byte(&printer->out, '|');
            if (value.is_null) {
                buf_append_string(&printer->out, "null");
            } else {
                sql_datum_print(&value, &printer->out);
            }
        }
        buf_append_byte(&printer->out, '\n');
    }
    return STATUS_OK;
}

static enum status print_tag(void *arg, const char *tag) {
    struct sql_printer *printer = arg;
    buf_printf(&printer->out, "%s\n", tag);
    return STATUS_OK;
}

static void print_message(struct sql_printer *printer, const char *severity,
                          const struct sql_error *message) {
    buf_printf(&printer->out, "%s:  %s: %s", severity, message->sqlstate, message->message);
    if (message->position > 0) buf_printf(&printer->out, " at character %d", message->position);
    if (message->detail[0] != '\0') buf_printf(&printer->out, "\nDETAIL:  %s", message->detail);
    if (message->hint[0] != '\0') buf_printf(&printer->out, "\nHINT:  %s", message->hint);
    buf_append_byte(&printer->out, '\n');
}

static void print_notice(void *arg, enum sql_notice_severity severity,
                         const struct sql_error *notice) {
    print_message(arg, severity == SQL_WARNING ? "WARNING" : "NOTICE", notice);
}

void sql_printer_error(struct sql_printer *printer, const struct sql_error *error) {
    print_message(printer, "ERROR", error);
}

const struct sql_sink_ops sql_printer_sink = {
    .columns = print_columns, .rows = print_rows, .tag = print_tag, .notice = print_notice};
