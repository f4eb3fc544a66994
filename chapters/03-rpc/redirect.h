/* redirect.h - "not me, ask there": the address of the leader in a NOT_LEADER error.
 *
 * It stands in the message, in a form that a person reads and a client finds again, as Redis
 * Cluster's "MOVED slot host:port" does; so errors need no field that one status alone would use.
 * Writer and reader are both here. */
#ifndef CAIRN_REDIRECT_H
#define CAIRN_REDIRECT_H

#include "rpc.h"

/* Fills in `error` (may be NULL) and returns NOT_LEADER. `address`: HOST:PORT, or "" if nobody
 * knows who leads. */
enum status redirect_set(struct error *error, uint64_t node_id, const char *address);
/* False if `error` is no NOT_LEADER that names an address. */
bool redirect_address(const struct error *error, char out[RPC_ADDRESS_MAX]);
/* Cuts HOST:PORT, also [::1]:PORT; false if it is neither. The host is at most RPC_ADDRESS_MAX - 1
 * bytes. */
bool address_split(const char *address, char host[RPC_ADDRESS_MAX], uint16_t *port);

#endif
