/* SPDX-License-Identifier: BSD-2-Clause */
/* One wake-up, and the rooms that take part in it. */
#ifndef TCPD_LOOP_PUMP_H
#define TCPD_LOOP_PUMP_H

#include <stdbool.h>

#include "engine/engine.h"
#include "loop/loop.h"
#include "netio/netio.h"
#include "proto/tunables.h"
#include "rpc/rpc.h"
#include "sock/sock.h"
#include "state/state.h"
#include "stream/stream.h"

#define DUE_NETIO_SHIFT 8

/* What a wake-up finds to do. */
enum due {
    DUE_NETIO = NETIO_ALL << DUE_NETIO_SHIFT, /* packets or ICMP errors wait: by which socket */
    DUE_ROUTE = 1 << 1,  /* rtnetlink has news */
    DUE_RPC = 1 << 2,    /* requests, or clients who come and go */
    DUE_STREAM = 1 << 3, /* bytes from programs */
    DUE_DEVICE = 1 << 4, /* a device takes packets again */
    DUE_SIGNAL = 1 << 5,
};

/* The tunables that netio was last told of. */
struct netio_settings {
    uint16_t anon_low, anon_high;
    unsigned claim_pool;
    bool raw_only;
};

struct daemon {
    struct tunables tun;
    struct netio_settings net_settings;
    struct netio_fds net_fds;
    struct state *state; /* borrowed */
    struct loop *loop;
    struct netio *netio;
    struct tcp_engine *engine;
    struct sock_table *socks;
    struct stream *stream;
    struct rpc *rpc;
    bool ending; /* programs are no longer listened to: see worker_end.c */
    usec_t end_deadline;
};

/**
 * pump() - one wake-up: input, thinking, commit, output
 * @due:  bits of enum due
 *
 * Asks the loop for the next wake-up.
 */
void pump(struct daemon *d, unsigned due, usec_t now);

/** pump_packet(), pump_icmp(), pump_routes_changed() - struct netio_handler, ctx: struct daemon */
void pump_packet(void *ctx, const struct packet *pkt, usec_t now);
void pump_icmp(void *ctx, const struct icmp_error *err, usec_t now);
void pump_routes_changed(void *ctx, usec_t now);

#endif
