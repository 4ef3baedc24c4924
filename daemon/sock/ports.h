/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who holds which local port, at which address.
 *
 * A binding is one holder: a bound or listening socket, or a connection. It owns
 * one claim of its port from the outside world. A connection's binding lasts
 * until the engine says TCP_EV_GONE, whether or not its socket is still there,
 * so a port in TIME-WAIT is still held; an accepted connection has one of its own
 * beside its listener's.
 */
#ifndef TCPD_SOCK_PORTS_H
#define TCPD_SOCK_PORTS_H

#include "sock/handle.h"

struct binding {
    struct list on_port;
    struct sock *sock;     /* NULL: closed by the program, the connection lives on */
    struct tcp_conn *conn; /* NULL: bound or listening */
    uint64_t conn_id;
    struct ip_addr addr; /* may be unspecified */
    uint32_t zone;       /* device of a link-local address */
    uint16_t port;
    bool listening;
    bool v6only; /* of an IPv6 wildcard: takes no IPv4 */
    bool excl, reuseport;
    uid_t uid;
};

/* How far a holder has come, as far as the decision table cares. */
enum port_stage {
    PORT_IDLE,     /* bound or listening */
    PORT_OPEN,     /* SYN-SENT to ESTABLISHED */
    PORT_CLOSING,  /* CLOSE-WAIT and later, TIME-WAIT too */
};

/* One side of the decision table. */
struct port_claimant {
    struct ip_addr addr;
    uint32_t zone;
    bool v6only, excl, reuseport, reuseaddr; /* reuseaddr: looked at in the binder only */
    uid_t uid;
};

/**
 * ports_conflict() - does @holder, at @stage, keep @binder off the same port?
 *
 * The decision table alone: see ports.c.
 */
bool ports_conflict(const struct port_claimant *holder, enum port_stage stage,
                    const struct port_claimant *binder);

int ports_init(struct sock_table *t, const uint8_t seed[32]);

/** ports_deinit() - free the bindings. Claims stay as they are: a later worker wants them. */
void ports_deinit(struct sock_table *t);

/** ports_is_privileged() - below smallest_nonpriv_port, or listed in extra_priv_ports */
bool ports_is_privileged(const struct sock_table *t, uint16_t port);

/**
 * ports_bind() - tie @s to @addr->addr and a port
 * @addr:  as addr_check_bind() leaves it; port 0: any free one, by chance (RFC 6056 3.3.2)
 *
 * Sets s->binding and s->local. Errors: -EADDRINUSE, -EADDRNOTAVAIL (no free
 * port), -ENOMEM, and those of claim.
 */
int ports_bind(struct sock *s, const struct sock_addr *addr);

/**
 * ports_bind_for() - a local port for a connection of an unbound socket
 * @flow:  lport is filled
 *
 * Chooses a 4-tuple rather than a port: claimed ports come first (the pool),
 * then others by RFC 6056 3.3.4. Sets s->binding. Errors: as ports_bind().
 */
int ports_bind_for(struct sock *s, struct flow *flow, usec_t now);

/** ports_bind_accepted() - a binding for a connection that came in, beside its listener's */
int ports_bind_accepted(struct sock *s, struct tcp_conn *conn);

/**
 * ports_link() - the binding of @s is now that of @conn; room in t->links was reserved
 *
 * Sets s->conn, and s->local to what the connection has.
 */
void ports_link(struct sock *s, struct tcp_conn *conn);

/** ports_orphan() - @s, which has a connection, goes; its binding stays */
void ports_orphan(struct sock *s);

/** ports_refresh() - options of @s that the table looks at have changed */
void ports_refresh(struct sock *s);

/** ports_release() - free @b and its claim; its socket, if any, is bound no more */
void ports_release(struct sock_table *t, struct binding *b);

#endif
