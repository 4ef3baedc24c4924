/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An engine that does nothing but remember what it was told, so that each rule of
 * sock is seen by itself. A test changes its structs freely and feeds events.
 */
#ifndef TEST_SOCK_FAKE_ENGINE_H
#define TEST_SOCK_FAKE_ENGINE_H

#include "base/list.h"
#include "engine/engine.h"

struct tcp_conn {
    struct list node;
    struct tcp_engine *engine;
    struct tcp_listener *listener; /* waits in its queue */
    struct tcp_config config;
    struct tcp_conn_info info; /* id, user, flow, state are the truth */
    struct path path;
    uint32_t rx_bytes; /* what tcp_conn_rx_peek() says */
    unsigned paths, configured, shut, closed, aborted;
};

struct tcp_listener {
    uint32_t held;
    struct list node;
    struct tcp_open open;
    struct tcp_config config;
    uint32_t backlog;
    uint32_t queued;
    unsigned configured;
};

struct tcp_engine {
    uint64_t next_id;
    struct list conns, listeners;
    int connect_error, listen_error;
    unsigned listens, listener_closes;
};

struct tcp_engine *fake_engine_new(void);
void fake_engine_free(struct tcp_engine *e);

/** fake_passive() - a connection that @l has completed the handshake of */
struct tcp_conn *fake_passive(struct tcp_engine *e, struct tcp_listener *l,
                              const struct flow *flow);

/** fake_forget() - what the commit after TCP_EV_GONE does */
void fake_forget(struct tcp_conn *conn);

#endif
