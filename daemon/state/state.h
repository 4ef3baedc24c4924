/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What outlives the worker: the state memfd (records, move log, fd registry,
 * heartbeat) and the arena memfd (the rings). The supervisor makes both; every
 * worker maps them. The rules are in ARCHITECTURE.md: nothing leaves before the
 * commit, nothing that the last commit names is destroyed before the next.
 */
#ifndef TCPD_STATE_STATE_H
#define TCPD_STATE_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/ring.h"
#include "base/usec.h"

struct state;
struct tcp_engine;
struct sock_table;

/* ---- making and adopting ----------------------------------------------------------- */

struct state_limits {
    uint32_t sockets;     /* slots in the record table */
    uint32_t fds;         /* entries of the registry: RLIMIT_NOFILE */
    uint64_t arena_bytes; /* address space for rings; memory is taken as it is touched */
};

/** state_create() - the supervisor: new memfds, sealed against resizing; -errno */
int state_create(const struct state_limits *limits, struct state **ret);
/** state_attach() - a worker: start on what the supervisor made or a former worker left */
int state_attach(struct state *s);
struct state *state_free(struct state *s);

/* What state_attach() found of a former worker. This version starts empty all the same. */
struct state_inherited {
    uint32_t conns, socks; /* living as of the last commit */
    uint32_t moves;        /* moves that were made and not committed */
};
void state_inherited(const struct state *s, struct state_inherited *ret);

/* Global values that outlive a worker. */
struct state_global {
    uint8_t seed[32];   /* from getrandom, once */
    uint64_t next_id;   /* id allocator: everything below was given out */
    uint64_t workers;   /* how many workers there have been */
};
struct state_global *state_global(struct state *s);

/** state_heartbeat() - the worker lives; state_last_heartbeat(): when, for the supervisor */
void state_heartbeat(struct state *s, usec_t now);
usec_t state_last_heartbeat(const struct state *s);

/* ---- the arena --------------------------------------------------------------------- */

/**
 * state_ring_mem() - extents for rings: powers of two, deferred free
 *
 * A freed extent stays as it is until the next state_commit().
 */
struct ring_mem state_ring_mem(struct state *s);
uint64_t state_arena_used(const struct state *s);

/* ---- the fd registry --------------------------------------------------------------- */

enum state_fd_kind {
    STATE_FD_NONE,
    STATE_FD_SYSTEM,  /* sockets of netio, memfds, signal and listen fds: kept for ever */
    STATE_FD_CLAIM,   /* arg: port */
    STATE_FD_CLIENT,  /* arg: socket id: our end of a client's descriptor */
    STATE_FD_SESSION, /* arg: session number */
    STATE_FD_EPOLL,   /* the client epoll set */
};

/**
 * state_fd_add() - an fd of the shared table has an owner now
 *
 * Its SO_COOKIE (0 if it has none) is stored beside it, so that a later worker
 * knows a number that was reused.
 */
void state_fd_add(struct state *s, int fd, enum state_fd_kind kind, uint64_t arg);

/** state_fd_close_later() - close @fd, but only after the next commit */
void state_fd_close_later(struct state *s, int fd);

/** state_fd_each() - call @f for every registered fd */
void state_fd_each(struct state *s,
                   void (*f)(void *ctx, int fd, enum state_fd_kind kind, uint64_t arg), void *ctx);

/** state_fd_sweep() - close every open fd above 2 that the registry does not name */
void state_fd_sweep(struct state *s);

/* ---- the move log ------------------------------------------------------------------ */

/* One call that moves bytes or fds between a client and us. The kernel stores the
 * length into `msg.msg_len` inside the same call, so the result survives a SIGKILL. */
enum state_move_kind {
    STATE_MOVE_IN,  /* client -> send ring */
    STATE_MOVE_OUT, /* receive ring -> client */
    STATE_MOVE_FD,  /* an accepted connection -> a listener's descriptor */
};

struct state_move {
    struct mmsghdr msg; /* msg_len is ~0 until the call is over */
    struct iovec iov[3];
    uint8_t control[64];
    uint64_t sock_id;
    uint64_t pos; /* absolute position in the ring before the call */
    uint32_t kind;
    uint32_t generation; /* of the commit that will contain it */
};

/**
 * state_move_begin() - an entry to make one recvmmsg/sendmmsg (vlen 1) with
 *
 * Never NULL: when the log is full the caller is told by state_move_full() to
 * end its wake-up and commit.
 *
 * msg_iov is set to `iov`, msg_iovlen is the caller's to set. One call at a time:
 * an entry whose call moved nothing (msg_len is still ~0) is used again by the
 * next state_move_begin().
 */
struct state_move *state_move_begin(struct state *s, enum state_move_kind kind, uint64_t sock_id,
                                    uint64_t pos);
bool state_move_full(const struct state *s);

/* ---- commit ------------------------------------------------------------------------ */

/**
 * state_commit() - make everything that was thought this wake-up safe
 *
 * Writes the touched slots (creations and tombstones too) with the new
 * generation, the global record, then the one 8-byte store that is the commit;
 * tells engine and sock; clears the move log; frees extents and closes fds that
 * waited. O(touched).
 */
void state_commit(struct state *s, struct tcp_engine *e, struct sock_table *t);

uint64_t state_generation(const struct state *s);

#endif
