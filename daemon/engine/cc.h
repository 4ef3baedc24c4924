/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Congestion control behind one struct of functions. Each reads and writes
 * conn->cc.cwnd and conn->cc.ssthresh; when a loss is one, and what is sent
 * again, is decided elsewhere (loss.c).
 */
#ifndef TCPD_ENGINE_CC_H
#define TCPD_ENGINE_CC_H

#include "engine/impl.h"

struct tcp_cc {
    const char *name;
    /* @bytes were newly acknowledged outside of fast recovery. */
    void (*on_ack)(struct tcp_conn *conn, uint32_t bytes, usec_t now);
    /* Loss seen by duplicate ACKs or SACK: ssthresh and cwnd for the recovery. */
    void (*on_loss)(struct tcp_conn *conn, uint32_t flight, usec_t now);
    /* Retransmission timeout; @first of a series. */
    void (*on_timeout)(struct tcp_conn *conn, uint32_t flight, bool first, usec_t now);
    /* An ECN-Echo, once in a window of data; @flight bytes were in flight: RFC 3168 6.1.2. */
    void (*on_ecn)(struct tcp_conn *conn, uint32_t flight, usec_t now);
    /* Nothing was sent for a whole RTO: RFC 5681 4.1. */
    void (*on_idle)(struct tcp_conn *conn, usec_t now);
};

/* ssthresh before the first loss: RFC 5681 3.1, as high as a window can be */
#define CC_SSTHRESH_UNKNOWN (65535u << TCP_MAX_WSCALE)

const struct tcp_cc *cc_get(enum tcp_cc_id id);

/** cc_choose() - from now on config.cc decides; what the other one remembered is forgotten */
void cc_choose(struct tcp_conn *conn);

/** cc_initial_window() - RFC 3390, or what the options and tunables say; bytes */
uint32_t cc_initial_window(const struct tcp_conn *conn);

/** cc_start() - the connection is established: set cwnd and ssthresh */
void cc_start(struct tcp_conn *conn);

/** cc_set_cwnd() - write cwnd, clamped to [1 MSS, cwnd_max], and tell the tracer */
void cc_set_cwnd(struct tcp_conn *conn, uint64_t bytes, usec_t now);

/** cc_slow_start() - @bytes were acknowledged while cwnd < ssthresh: the same for all */
void cc_slow_start(struct tcp_conn *conn, uint32_t bytes, usec_t now);

/** cc_restart_window() - RFC 5681 4.1: down to the restart window, never up */
void cc_restart_window(struct tcp_conn *conn, usec_t now);

/* ---- hystart.c ---- */
void hystart_on_ack(struct tcp_conn *conn, usec_t rtt);
uint32_t hystart_divisor(const struct tcp_conn *conn);

#endif
