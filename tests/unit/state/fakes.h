/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An engine and a sock table that consist of lists of ids, for the state room to
 * ask. A record's one field that matters here holds the value it was saved with.
 */
#ifndef TCPD_TESTS_STATE_FAKES_H
#define TCPD_TESTS_STATE_FAKES_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"
#include "sock/sock.h"

#define FAKE_MAX 16

struct tcp_conn {
    uint64_t id;
    uint64_t value; /* saved as `user` */
    bool gone;
};

struct sock {
    uint64_t id;
    int value; /* saved as so_error */
};

struct tcp_engine {
    struct tcp_conn dirty[FAKE_MAX];
    unsigned dirty_count, next;
    unsigned committed;    /* how often it was told */
    void (*at)(void *ctx); /* called while the engine is asked for dirty ones */
    void (*at_committed)(void *ctx);
    void *ctx;
};

struct sock_table {
    struct sock dirty[FAKE_MAX];
    uint64_t closed[FAKE_MAX];
    unsigned dirty_count, closed_count;
};

void fake_conn_dirty(struct tcp_engine *e, uint64_t id, uint64_t value);
void fake_conn_gone(struct tcp_engine *e, uint64_t id);
void fake_sock_dirty(struct sock_table *t, uint64_t id, int value);
void fake_sock_closed(struct sock_table *t, uint64_t id);

#endif
