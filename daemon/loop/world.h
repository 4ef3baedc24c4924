/* SPDX-License-Identifier: BSD-2-Clause */
/* The wires between rooms that do not know each other: netio behind sock, state behind netio. */
#ifndef TCPD_LOOP_WORLD_H
#define TCPD_LOOP_WORLD_H

#include "netio/netio.h"
#include "rpc/rpc.h"
#include "sock/sock.h"
#include "state/state.h"

/** world_of_netio() - what sock needs of the outside */
struct sock_world world_of_netio(struct netio *n);

/** world_registry() - claims are entered, and closed after a commit */
struct netio_registry world_registry(struct state *s);

/** world_netio_pairs() - netio's counts for `tcpctl status`, ctx: struct netio */
void world_netio_pairs(void *ctx, void (*pair)(void *arg, const char *name, uint64_t value),
                       void *arg);

/** world_port_claims() - ctx: struct netio */
unsigned world_port_claims(void *ctx);

#endif
