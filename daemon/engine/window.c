/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The window that we offer. Its right edge never moves left (RFC 9293 SHLD-14)
 * and moves right in worthwhile steps only (3.8.6.2.2, receiver's silly window
 * avoidance). Bytes that left the ring for the program's descriptor still count
 * until the program has read them.
 */
#include "engine/impl.h"

uint8_t window_scale_for(uint32_t bytes)
{
    uint8_t shift = 0;

    while (shift < TCP_MAX_WSCALE && bytes >> shift > 65535)
        shift++;
    return shift;
}

/** window_scalable_max() - the largest buffer this connection may ever have */
uint32_t window_scalable_max(const struct tcp_conn *conn)
{
    if (conn->config.rcv_buf_fixed)
        return conn->config.rcv_buf_bytes;
    return MAX(conn->engine->tun->max_buf, conn->config.rcv_buf_bytes);
}

static uint32_t max_step(const struct tcp_conn *conn)
{
    uint32_t mss = conn->rcv.mss ? conn->rcv.mss : conn->snd.mss;

    return MIN(conn->tune.rcv_buf / 2, mss);
}

/* Where the buffer ends; before RCV.NXT when it was made smaller than what it holds. */
static struct seq buffer_end(const struct tcp_conn *conn)
{
    return seq_add(conn->rcv.nxt, conn->tune.rcv_buf - ring_used(&conn->rx) - conn->rcv.hidden);
}

/** window_edge() - the right edge that the buffer allows, silly steps left out */
struct seq window_edge(const struct tcp_conn *conn)
{
    uint64_t used = (uint64_t)ring_used(&conn->rx) + conn->rcv.hidden;
    uint32_t space = conn->tune.rcv_buf > used ? (uint32_t)(conn->tune.rcv_buf - used) : 0;
    struct seq edge;

    space = MIN(space, 65535u << conn->rcv.wscale);
    space &= ~((1u << conn->rcv.wscale) - 1); /* what the field can say */
    edge = seq_add(conn->rcv.nxt, space);
    if (seq_diff(edge, conn->rcv.adv) < (int32_t)MAX(max_step(conn), 1u))
        return conn->rcv.adv;
    return edge;
}

/**
 * window_advertise() - the window field for a segment that leaves now
 *
 * Scaled windows are rounded down, but never below the edge offered before.
 */
uint16_t window_advertise(struct tcp_conn *conn)
{
    struct seq edge = window_edge(conn);
    uint32_t unit = 1u << conn->rcv.wscale;
    uint32_t wnd = seq_gt(edge, conn->rcv.nxt) ? seq_len(conn->rcv.nxt, edge) : 0;
    uint32_t field = wnd >> conn->rcv.wscale;

    /*
     * Up, but never a whole unit beyond the buffer, or small segments would push the
     * edge for ever. Else the peer sees it shrink by a fraction: RFC 7323 2.4.
     */
    if (seq_lt(seq_add(conn->rcv.nxt, field * unit), conn->rcv.adv) &&
        seq_lt(seq_add(conn->rcv.nxt, field * unit), buffer_end(conn)))
        field++;
    field = MIN(field, 65535u);
    conn->rcv.adv = seq_max(conn->rcv.adv, seq_add(conn->rcv.nxt, field * unit));
    return (uint16_t)field;
}

/*
 * The program has read: is that worth a segment of its own? When the window that
 * the peer knows of has at least doubled, which from a closed one is the first
 * worthwhile step. What is less goes with the next ACK.
 */
void window_release(struct tcp_conn *conn, usec_t now)
{
    uint32_t offered, step = MAX(max_step(conn), 1u);
    struct seq edge;

    if (conn->state < TCP_ESTABLISHED || conn->rcv.fin_known)
        return;
    edge = window_edge(conn);
    offered = seq_gt(conn->rcv.adv, conn->rcv.nxt) ? seq_len(conn->rcv.nxt, conn->rcv.adv) : 0;
    if (seq_diff(edge, conn->rcv.adv) < (int32_t)MAX(step, MIN(offered, conn->tune.rcv_buf / 2)))
        return;
    conn->engine->counters.out_win_update++;
    ack_now(conn);
}
