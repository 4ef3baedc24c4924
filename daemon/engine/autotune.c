/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Buffers that grow by need, up to max_buf, unless the program has fixed them.
 * Receiving: a program that reads more than half a buffer in one round trip is
 * held back by the window, so the buffer doubles. Sending: room for two windows.
 */
#include "engine/impl.h"

static uint32_t rcv_limit(const struct tcp_conn *conn)
{
    uint32_t scaled = 65535u << (conn->use_wscale ? conn->rcv.wscale : 0);

    return MIN(conn->engine->tun->max_buf, scaled);
}

void autotune_read(struct tcp_conn *conn, uint32_t len, usec_t now)
{
    usec_t round = MAX(conn->rtt.srtt, USEC_PER_MSEC);
    uint64_t read;

    if (conn->config.rcv_buf_fixed || usec_since(conn->tune.round_at, now) < round)
        return;
    read = conn->rcv.released - conn->tune.round_released;
    /* A round that took much longer than a round trip says nothing about the window. */
    if (usec_since(conn->tune.round_at, now) < 4 * round && read * 2 > conn->tune.rcv_buf)
        conn->tune.rcv_buf = MAX(MIN(2 * conn->tune.rcv_buf, rcv_limit(conn)), conn->tune.rcv_buf);
    conn->tune.round_at = now;
    conn->tune.round_released = conn->rcv.released;
}

void autotune_sent(struct tcp_conn *conn)
{
    uint32_t want = MIN(2 * MIN(conn->cc.cwnd, 1u << 30), conn->engine->tun->max_buf);

    if (!conn->config.snd_buf_fixed && want > conn->tune.snd_buf)
        conn->tune.snd_buf = want;
}
