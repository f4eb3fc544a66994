/* engine_draw.h - a store's shape as a picture, in Graphviz's language: `node --dot`.
 *
 * For people who want to see what their writes became: levels with tables, or pages with keys. Keys
 * are shown, cut when they are long; values never are. The same store gives the same text. */
#ifndef CAIRN_ENGINE_DRAW_H
#define CAIRN_ENGINE_DRAW_H

#include "engine.h"

/* Appends the picture to `out`. On the loop; reads what it needs, waiting. UNSUPPORTED for a kind
 * that has nothing to show; IO, CORRUPT. */
enum status engine_draw(struct engine *engine, struct buf *out, struct error *error) MUST_CHECK;

/* ---- for those who draw --------------------------------------------------------------------- */

/* The key as text of an HTML-like label: printable, escaped, at most about 12 characters. */
void draw_key(struct buf *out, struct slice key);
/* "812 B", "4.0 KiB", "31.5 MiB" */
void draw_bytes(struct buf *out, uint64_t bytes);

#endif
