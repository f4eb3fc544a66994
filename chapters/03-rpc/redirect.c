/* redirect.c - writes and finds the address in a NOT_LEADER's message (redirect.h). Must not know
 * who asks, or whether he follows. */
#include "redirect.h"

#include <inttypes.h>
#include <stdlib.h>

static const char before_address[] = " at ";
static const char behind_address[] = " leads: ask there";

enum status redirect_set(struct error *error, uint64_t node_id, const char *address) {
    if (*address == 0) return error_set(error, STATUS_NOT_LEADER, "%s", "nobody leads, or not yet");
    return error_set(error, STATUS_NOT_LEADER, "node %" PRIu64 "%s%s%s", node_id, before_address,
                     address, behind_address);
}

bool redirect_address(const struct error *error, char out[RPC_ADDRESS_MAX]) {
    if (error->status != STATUS_NOT_LEADER) return false;
    const char *start = strstr(error->message, before_address);
    if (!start) return false;
    start += strlen(before_address);
    const char *end = strstr(start, behind_address);
    if (!end || end == start || end - start >= RPC_ADDRESS_MAX) return false;
    memcpy(out, start, (size_t)(end - start));
    out[end - start] = 0;
    return true;
}

bool address_split(const char *address, char host[RPC_ADDRESS_MAX], uint16_t *port) {
    const char *colon = strrchr(address, ':');
    if (!colon || colon == address || colon[1] < '0' || colon[1] > '9') return false;
    const char *start = address;
    size_t len = (size_t)(colon - address);
    if (*start == '[' && colon[-1] == ']') {
        start++;
        len -= 2;
    }
    char *end;
    unsigned long number = strtoul(colon + 1, &end, 10);
    if (len == 0 || len >= RPC_ADDRESS_MAX || *end != 0 || number == 0 || number > UINT16_MAX)
        return false;
    memcpy(host, start, len);
    host[len] = 0;
    *port = (uint16_t)number;
    return true;
}
