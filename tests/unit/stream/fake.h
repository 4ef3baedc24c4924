/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Neighbours of the stream room, as small as their headers allow: a socket with two
 * rings that the test reads and writes, and a state room that remembers what it was
 * told. Bytes and descriptors are real.
 */
#ifndef TESTS_UNIT_STREAM_FAKE_H
#define TESTS_UNIT_STREAM_FAKE_H

#include "base/ring.h"
#include "engine/engine.h"
#include "sock/sock.h"
#include "state/state.h"
#include "stream/stream.h"

struct tcp_conn {
    struct ring tx, rx;
    uint32_t tx_limit;  /* bytes the send ring takes */
    uint32_t rcv_buf;
    uint32_t hidden, hidden_peak;
    uint64_t released;
    uint64_t tx_urgent; /* stream position behind the last urgent byte of the program; 0: none */
    unsigned tx_marks;  /* how many were told */
    bool rx_urgent;     /* a byte of the peer's is urgent */
    uint64_t rx_mark;   /* its position */
};

struct sock {
    uint32_t held; /* what sock_listener_hold() said */
    uint64_t id;
    int family;
    struct tcp_conn conn;
    bool has_conn;
    bool closed, closed_unread;
    bool shut_wr;
    int error;
    enum sock_state state;
    struct sock *queue[64]; /* of a listener */
    unsigned queued;
    uint16_t peer_port;
    bool oob_inline;
};

#define FAKE_SOCKS 128
struct sock_table {
    struct sock *all[FAKE_SOCKS];
    unsigned n;
};

struct state {
    struct state_move moves[256];
    unsigned used;
    unsigned capacity;
    int later[256];
    unsigned later_n;
    unsigned moves_seen[3];
};

struct world {
    struct sock_table socks;
    struct state state;
    struct stream *st;
    char dir[64];
    usec_t now;
};

struct world *world_new(void);
void world_free(struct world *w);
struct sock *fake_sock(struct world *w, bool conn);

/** turn() - one wake-up without events of sock: input, commit, flush; until nothing moves */
void turn(struct world *w);
void tell(struct world *w, struct sock *s, unsigned what);

/** peer_sends() - bytes arrive in the receive ring; returns how many fitted the window */
uint32_t peer_sends(struct sock *s, const void *data, uint32_t len);
/** peer_takes() - the send ring is emptied into @buf; returns the number of bytes */
uint32_t peer_takes(struct sock *s, void *buf, uint32_t size);

/** peer_marks() - the byte @ahead of what has arrived so far is urgent; 0: the next */
void peer_marks(struct sock *s, uint32_t ahead);

/** program_poll() - what poll() says of a descriptor, POLLRDHUP included */
unsigned program_poll(int fd);

/* A descriptor in its stages. */
int fresh(struct world *w);
int connecting(struct world *w, struct sock *s);
int connected(struct world *w, struct sock *s);

#endif
