/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection that has nothing but a congestion window, for tables of steps. */
#ifndef TCPD_TESTS_CC_RIG_H
#define TCPD_TESTS_CC_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "engine/cc.h"

#define MSS 1000u

struct rig {
    struct tunables tun;
    struct tcp_engine *e;
    struct tcp_conn *conn;
};

static inline struct rig rig_new(enum tcp_cc_id cc, uint32_t cwnd, uint32_t ssthresh)
{
    struct rig r = { .e = calloc(1, sizeof(*r.e)), .conn = calloc(1, sizeof(*r.conn)) };

    assert_true(r.e && r.conn);
    tunables_init(&r.tun);
    r.conn->engine = r.e;
    tcp_config_init(&r.conn->config, &r.tun);
    r.conn->config.cc = cc;
    r.conn->config.cwnd_max_bytes = 1u << 30;
    r.conn->snd.mss = MSS;
    cc_choose(r.conn);
    r.conn->cc.cwnd = cwnd;
    r.conn->cc.ssthresh = ssthresh;
    r.conn->cc.limited = true;
    return r;
}

/* The engine borrows the tunables: they are where @r is now. */
static inline struct tcp_conn *rig_conn(struct rig *r)
{
    r->e->tun = &r->tun;
    return r->conn;
}

static inline void rig_free(struct rig *r)
{
    free(r->conn);
    free(r->e);
}

static inline void assert_near(uint64_t value, uint64_t want, uint64_t off)
{
    assert_in_range(value, want - MIN(off, want), want + off);
}

#endif
