/* port.h - one TCP port, several protocols, told apart by the first bytes a client sends.
 *
 * Protocols register; this module knows none of them. A stream is handed over with its bytes
 * unread. The caller of the recognizers keeps them cheap and pure.
 *
 * Invariants
 *  1. A stream is handed over once, or closed.
 *  2. A client that has not shown its protocol when the time is up is closed.
 *  3. At most max_connections are open: streams still undecided plus what each protocol reports. */
#ifndef CAIRN_PORT_H
#define CAIRN_PORT_H

#include "env.h"

struct port;

enum port_match {
    PORT_NO,       /* not this protocol, whatever follows */
    PORT_YES,      /* this one */
    PORT_NEED_MORE /* cannot tell from so few bytes */
};

enum {
    PORT_MAX_PROTOCOLS = 8,
    PORT_MAX_FIRST_BYTES = 64, /* undecided after so many bytes: closed */
    PORT_MAX_CONNECTIONS_DEFAULT = 1000
};

struct port_protocol {
    const char *name; /* static */
    /* Pure. `first` holds at least one byte and at most PORT_MAX_FIRST_BYTES. */
    enum port_match (*recognize)(struct slice first);
    /* Takes over the stream; must set its handler before it returns. */
    void (*accept)(void *arg, struct stream *stream);
    /* How many streams it holds. NULL: not counted. */
    size_t (*connections)(void *arg);
    void *arg;
};

struct port_options {
    const char *host; /* as env_listen; NULL: all interfaces */
    uint16_t port;    /* 0: any free one */
    size_t max_connections;
    uint64_t first_bytes_timeout_ns; /* 10 s */
};

struct port_options port_options_default(void);

/* IN_USE and the other errors of env_listen. Register the protocols before the loop runs. */
enum status port_listen(struct env *env, const struct port_options *options, struct port **out,
                        struct error *error) MUST_CHECK;
/* Stops listening and closes the undecided streams; those handed over are their owners'. */
void port_free(struct port *port);

/* Copied. Asked in the order in which they were added. More than PORT_MAX_PROTOCOLS is an assert.
 */
void port_add(struct port *port, const struct port_protocol *protocol);
/* The number that was bound. */
uint16_t port_number(const struct port *port);
size_t port_connections(const struct port *port);

#endif
