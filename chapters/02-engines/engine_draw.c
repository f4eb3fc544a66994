/* engine_draw.c - pictures of stores: the call through the table, and how keys and sizes are
 * written. What lives here: what every kind's picture needs. What must not: any kind. */
#include "engine_draw.h"

#include "engine_impl.h"

enum { KEY_SHOWN = 12 };

enum status engine_draw(struct engine *engine, struct buf *out, struct error *error) {
    if (engine->ops->draw == NULL)
        return error_set(error, STATUS_UNSUPPORTED,
                         "engine \"%s\" has no picture; lsm and btree have", engine->ops->kind);
    return engine->ops->draw(engine, out, error);
}

void draw_key(struct buf *out, struct slice key) {
    char text[KEY_SHOWN + 1];
    slice_print(key, text, sizeof(text));
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '&')
            buf_append_string(out, "&amp;");
        else if (*at == '<')
            buf_append_string(out, "&lt;");
        else if (*at == '>')
            buf_append_string(out, "&gt;");
        else if (*at == '"')
            buf_append_string(out, "&quot;");
        else
            buf_append_byte(out, (uint8_t)*at);
    }
}

void draw_bytes(struct buf *out, uint64_t bytes) {
    if (bytes < 1024)
        buf_printf(out, "%u B", (unsigned)bytes);
    else if (bytes < 1024 * 1024)
        buf_printf(out, "%.1f KiB", (double)bytes / 1024);
    else
        buf_printf(out, "%.1f MiB", (double)bytes / (1024 * 1024));
}
