/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets as a program knows them: handles, addresses, options, queues, errors.
 * As pure as the engine below it: no system call, no clock, no fd. What it needs
 * of the outside world is a struct of functions.
 *
 * Calls return 0 or a negative errno that is meant for the program as it is
 * (-EADDRINUSE, -EINPROGRESS, ...); -ENOMEM is turned into ENOBUFS at the rpc edge.
 *
 * A struct sock is valid until sock_close(). Its id is the engine's kind of id:
 * 64 bits, never used again. An id that is gone finds nothing.
 */
#ifndef TCPD_SOCK_SOCK_H
#define TCPD_SOCK_SOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/engine.h"

struct sock_table;
struct sock;

/* Who asks. From the kernel's word (SCM_CREDENTIALS), never the client's. */
struct cred {
    uid_t uid;
    gid_t gid;
    pid_t pid;
    bool admin;        /* uid 0 or group tcpd-admin: tunables, drop */
    bool net_admin;    /* uid 0 or CAP_NET_ADMIN: TCP_INIT_CWND above RFC 3390 */
    bool bind_service; /* uid 0 or CAP_NET_BIND_SERVICE: privileged ports */
};

/* An address with its port, in host order. scope: device of a link-local address. */
struct sock_addr {
    struct ip_addr addr;
    uint16_t port;
    uint32_t scope;
};

/* The outside world. Every function borrows its arguments for the call. */
struct sock_world {
    void *ctx;
    /* Keep the kernel off @port; 0 = any free one (*port is set). 0, -EADDRINUSE, -EMFILE,
     * -ENFILE, -EACCES, -EADDRNOTAVAIL (no free one). Counted: one release per claim. */
    int (*claim)(void *ctx, uint16_t *port);
    void (*release)(void *ctx, uint16_t port);
    /* A claimed port that may serve another outgoing connection, number @n of the pool
     * (0, 1, ...); 0 when there is no such one. It must be claimed before use. */
    uint16_t (*pool)(void *ctx, unsigned n);
    /* The way to flow->remote. flow->local any: path.src is filled with the kernel's choice.
     * 0, -ENETUNREACH, -EHOSTUNREACH, -EACCES, -EADDRNOTAVAIL. */
    int (*route)(void *ctx, const struct flow *flow, uint32_t bound_ifindex, struct path *ret);
    /* Is this one of the host's own unicast addresses (scope: its device, 0 = any)? */
    bool (*is_local)(void *ctx, const struct ip_addr *addr, uint32_t scope);
    /* SO_BINDTODEVICE: index of a device (> 0) or -ENODEV; its name, ended, or -ENODEV. NULL:
     * there are no devices. */
    int (*ifindex)(void *ctx, const char *name);
    int (*ifname)(void *ctx, uint32_t ifindex, char name[16]);
    /* As claim(), for a number that sock chose itself: when it is released it may be kept for
     * the next one, and pool() offers it meanwhile. NULL: as claim(). */
    int (*claim_anonymous)(void *ctx, uint16_t *port);
};

struct sock_table_init {
    struct tcp_engine *engine; /* borrowed for the table's life */
    const struct tunables *tun;
    struct sock_world world;
    uint8_t seed[32];
};

int sock_table_new(const struct sock_table_init *init, struct sock_table **ret);

/** sock_table_free() - free every handle; claims are not released, engine and world not called */
struct sock_table *sock_table_free(struct sock_table *t);

/* ---- the calls -------------------------------------------------------------------- */

/**
 * sock_new() - socket(2)
 * @family:  AF_INET or AF_INET6
 *
 * Errors: -EAFNOSUPPORT, -ENOMEM, -EMFILE (the uid's quota).
 */
int sock_new(struct sock_table *t, int family, const struct cred *cred, struct sock **ret);

/**
 * sock_bind() - bind(2); who keeps whom off a port: the table in ports.c
 * @addr:  port 0: any free one, claimed at once
 *
 * Errors: -EINVAL (bound already; link-local without a device), -EAFNOSUPPORT,
 * -EADDRNOTAVAIL, -EACCES, -EADDRINUSE, -ENOMEM, and those of claim.
 */
int sock_bind(struct sock *s, const struct sock_addr *addr, const struct cred *cred);

/**
 * sock_listen() - listen(2), also again with another backlog
 *
 * An unbound socket gets any free port on all addresses. Errors: -EINVAL
 * (connecting, connected or dead), -EMFILE (the uid's quota of listeners),
 * -EADDRNOTAVAIL, -ENOMEM, and those of claim.
 */
int sock_listen(struct sock *s, int backlog, const struct cred *cred);

/**
 * sock_connect() - connect(2)
 *
 * Returns -EINPROGRESS when the SYN is on its way. Other errors: -EALREADY,
 * -EISCONN, -EOPNOTSUPP (listening), -EADDRNOTAVAIL, -EADDRINUSE, -ENETUNREACH,
 * -EHOSTUNREACH, -EAFNOSUPPORT, -EINVAL, -ENOMEM, and those of claim; they leave the socket
 * as it was. -ECONNABORTED: SOCK_DEAD, a new connection takes a new socket.
 */
int sock_connect(struct sock *s, const struct sock_addr *addr, const struct cred *cred, usec_t now);

/**
 * sock_accept() - take the oldest completed connection out of a listener's queue
 * @ret:  a socket of its own, connected, owned by the listener's owner
 *
 * It is ready with all that happened to it while it waited. One that was reset
 * meanwhile is not in the queue any more.
 *
 * Errors: -EAGAIN: none waits. -EINVAL: not listening. -EMFILE (the uid's
 * quota): it stays in the queue, and SOCK_READY_ACCEPT comes again when one of
 * the uid's sockets is closed. -ENOMEM.
 */
int sock_accept(struct sock *listener, struct sock **ret);

/**
 * sock_listener_hold() - @held accepted sockets are on their way to the program
 *
 * Until it has them they take room in the backlog, as those in the queue do.
 */
void sock_listener_hold(struct sock *listener, uint32_t held);

/** sock_shutdown() - shutdown(2), @how SHUT_RD, SHUT_WR, SHUT_RDWR. -ENOTCONN */
int sock_shutdown(struct sock *s, int how, usec_t now);

/**
 * sock_close() - the last descriptor is gone; frees the handle
 * @unread:  the program left received bytes unread (they were in its descriptor)
 *
 * FIN after the data, or RST if bytes are unread or SO_LINGER says so. The
 * connection lives on in the engine until it ends by itself; its port is
 * released then.
 */
void sock_close(struct sock *s, bool unread, usec_t now);

/** sock_abort() - RST now; the handle stays, with so_error @error, until sock_close() */
void sock_abort(struct sock *s, int error, usec_t now);

/* ---- options: dispatch over proto/sockopts.def ---------------------------------------- */

/**
 * sock_setopt(), sock_getopt() - setsockopt(2), getsockopt(2), value in the caller's layout
 *
 * Errors as the row says: -ENOPROTOOPT, -EINVAL, -ENOBUFS, -ENOENT, -EPERM, -EACCES, ...
 */
int sock_setopt(struct sock *s, int level, int name, const void *val, uint32_t len,
                const struct cred *cred, usec_t now);
int sock_getopt(struct sock *s, int level, int name, void *val, uint32_t *len, usec_t now);

/* ---- names and state ------------------------------------------------------------------- */

enum sock_state {
    SOCK_IDLE,
    SOCK_BOUND,
    SOCK_LISTENING,
    SOCK_CONNECTING,
    SOCK_CONNECTED, /* until close, also half-closed, and after an orderly end of both halves */
    SOCK_DEAD,      /* the connection is gone; so_error may say why */
};

/* sock_find(), sock_first() and sock_next() see the connections in accept queues too: they are
 * SOCK_CONNECTED and sock_is_queued(), no descriptor belongs to them yet, and any event may end
 * them: remember an id, not the pointer. */
bool sock_is_queued(const struct sock *s);

uint64_t sock_id(const struct sock *s);
int sock_family(const struct sock *s);
enum sock_state sock_state(const struct sock *s);
const struct cred *sock_owner(const struct sock *s);
struct sock *sock_find(struct sock_table *t, uint64_t id);
struct sock *sock_first(struct sock_table *t);
struct sock *sock_next(struct sock_table *t, struct sock *s);

/** sock_name() - getsockname(2); an unbound socket has the unspecified address and port 0 */
void sock_name(const struct sock *s, struct sock_addr *ret);
/** sock_peer() - getpeername(2). -ENOTCONN */
int sock_peer(const struct sock *s, struct sock_addr *ret);

/** sock_error() - SO_ERROR: the pending error (positive errno), cleared by this call */
int sock_error(struct sock *s);

/** sock_conn() - the engine's connection, NULL if there is none (any more) */
struct tcp_conn *sock_conn(const struct sock *s);
struct tcp_listener *sock_listener(const struct sock *s);
uint32_t sock_queued(const struct sock *s); /* completed connections that wait for accept */
uint32_t sock_backlog(const struct sock *s);

/** sock_linger() - SO_LINGER: returns whether it is on, and its seconds */
bool sock_linger(const struct sock *s, uint32_t *ret_sec);

/** sock_oob_inline() - SO_OOBINLINE: the program's descriptor is to be set so */
bool sock_oob_inline(const struct sock *s);

/* ---- readiness: what stream has to do next ------------------------------------------------ */

enum sock_ready {
    SOCK_READY_CONNECTED = 1 << 0, /* the descriptor may become writable */
    SOCK_READY_READ = 1 << 1,      /* bytes for the program */
    SOCK_READY_WRITE = 1 << 2,     /* the send ring has room again */
    SOCK_READY_EOF = 1 << 3,       /* the peer's FIN, after the bytes */
    SOCK_READY_ACCEPT = 1 << 4,    /* a listener's queue is not empty */
    SOCK_READY_DEAD = 1 << 5,      /* reset or timed out; see sock_error() */
    SOCK_READY_DRAINED = 1 << 6,   /* everything written has been acknowledged */
    SOCK_READY_URGENT = 1 << 7,
};

/** sock_on_event() - feed one event of the engine; called for each, in order */
void sock_on_event(struct sock_table *t, const struct tcp_event *event, usec_t now);

/**
 * sock_next_ready() - the next socket that has something to tell, each once
 * @ret_what:  enum sock_ready, all that was gathered
 *
 * Returns NULL when there is none.
 */
struct sock *sock_next_ready(struct sock_table *t, unsigned *ret_what);

/* ---- commit ---------------------------------------------------------------------------------- */

struct sock_record; /* sock/sock_record.h, made from state/records_sock.def */
/** sock_next_dirty() - the next socket changed since the last commit, or NULL */
struct sock *sock_next_dirty(struct sock_table *t);
/** sock_next_closed() - the id of the next socket closed since the last commit, or 0 */
uint64_t sock_next_closed(struct sock_table *t);
void sock_save(const struct sock *s, struct sock_record *ret);

/* What quotas and `tcpctl status` show. */
struct sock_usage {
    uint32_t sockets, listeners, connections, ports;
};
void sock_usage(const struct sock_table *t, struct sock_usage *ret);

#endif
