/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests from untrusted clients, turned into calls on sock and stream. Owns
 * the tunables. No protobuf type and no client fd is seen past this room.
 */
#ifndef TCPD_RPC_RPC_H
#define TCPD_RPC_RPC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/usec.h"

struct rpc;
struct rpc_init {
    int listen_fd;             /* SOCK_SEQPACKET, listening; borrowed */
    struct sock_table *socks;
    struct stream *stream;
    struct state *state;
    struct tcp_engine *engine;
    struct tunables *tun;      /* the one copy; engine and sock borrow it as const */
    /* facts for `status`; borrowed */
    void (*netio_pairs)(void *ctx, void (*pair)(void *arg, const char *name, uint64_t value),
                        void *arg);
    void *netio_ctx;
    unsigned (*port_claims)(void *ctx);
    uint32_t supervisor_pid;
    usec_t started_at;
};

int rpc_new(const struct rpc_init *init, struct rpc **ret);
struct rpc *rpc_free(struct rpc *r);

/** rpc_epoll_fd() - one fd that is readable when rpc_input() has something to do */
int rpc_epoll_fd(const struct rpc *r);

/** rpc_input() - accept sessions, read and carry out at most @budget requests; true: more wait */
bool rpc_input(struct rpc *r, unsigned budget, usec_t now);

/** rpc_flush() - after the commit: replies leave, also those to a CloseRequest that is due now */
void rpc_flush(struct rpc *r);

/** rpc_deadline(), rpc_advance() - lingering closes that time out */
usec_t rpc_deadline(const struct rpc *r);
void rpc_advance(struct rpc *r, usec_t now);

#endif
