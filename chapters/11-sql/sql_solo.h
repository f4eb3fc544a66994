/* sql_solo.h - the whole stack on one node, without replication: engine, store, versions,
 * transactions, SQL.
 *
 * For this chapter's prompt and for tests. What the engine promises about crashes is all there is:
 * with its own log (options.own_log), what sql_solo_sync has seen is durable. Loop only. */
#ifndef CAIRN_SQL_SOLO_H
#define CAIRN_SQL_SOLO_H

#include "co.h"
#include "engine.h"
#include "sql_session.h"

struct sql_solo;

/* engine_kind and engine: as engine_open takes them. */
enum status sql_solo_open(struct env *env, const char *engine_kind,
                          const struct engine_options *engine, struct sql_solo **out,
                          struct error *error) MUST_CHECK;
/* Sessions must be freed, coroutines done. NULL is fine. */
void sql_solo_close(struct sql_solo *solo);

struct sql_server *sql_solo_server(struct sql_solo *solo);
/* To run sessions on. */
struct co_pool *sql_solo_coroutines(struct sql_solo *solo);
struct metrics *sql_solo_metrics(struct sql_solo *solo);
/* engine_sync. */
enum status sql_solo_sync(struct sql_solo *solo, struct error *error) MUST_CHECK;

#endif
