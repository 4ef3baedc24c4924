/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Explicit congestion notification, RFC 3168.
 *
 * The SYNs agree on it. From then on new data leave as ECT(0); a router that is
 * congested turns that into CE. The receiver echoes CE by ECE in everything it
 * sends until it sees CWR; the sender halves its window once in a window of data
 * and says so by CWR in the next new data.
 *
 * Two promises are kept apart. Whoever sent the setup flags answers CE for as long
 * as the connection lives (6.1.1): that is use_ecn. Whoever sent or saw a SYN
 * without them after that (6.1.1.1) sends no ECT any more: that is ecn.plain.
 */
#include "engine/cc.h"

#define SETUP (TCP_ECE | TCP_CWR)

/* ---- the SYNs: 6.1.1 -------------------------------------------------------------- */

/* Once and once only: what does not get through with the flags may without them. */
uint8_t ecn_syn_flags(struct tcp_conn *conn)
{
    if (conn->state == TCP_SYN_RCVD)
        return conn->use_ecn && !conn->ecn.plain ? TCP_ECE : 0;
    if (conn->use_ecn && conn->syn_tries <= 1)
        return SETUP;
    conn->ecn.plain = true;
    return 0;
}

/* A SYN came. Ours, if it was the first, had the flags or had not; a SYN-ACK answers that. */
void ecn_take_syn(struct tcp_conn *conn, uint8_t flags)
{
    bool setup = (flags & SETUP) == (flags & TCP_ACK ? TCP_ECE : SETUP);

    if (conn->state != TCP_SYN_SENT)
        conn->use_ecn = setup && conn->engine->tun->ecn != TUN_NEVER;
    else
        conn->use_ecn &= setup;
}

/* 6.1.1.1: the peer tries it without. */
void ecn_take_syn_again(struct tcp_conn *conn, uint8_t flags)
{
    if ((flags & SETUP) != SETUP)
        conn->ecn.plain = true;
}

/* 6.1.1.1: a RST to the setup flags is no refusal yet. Returns true if the SYN is to be sent again. */
bool ecn_syn_refused(struct tcp_conn *conn)
{
    if (!conn->use_ecn || conn->syn_tries != 1)
        return false;
    conn->use_ecn = false;
    conn->syn_now = true;
    conn_dirty(conn);
    conn_wants_output(conn);
    return true;
}

/* ---- the receiver: 6.1.3 ------------------------------------------------------------ */

/* Not for what lies outside of the window (6.1.5), nor for a bare ACK, which is never ECT. */
void ecn_received(struct tcp_conn *conn, const struct arrival *a)
{
    if (!conn->use_ecn)
        return;
    if (a->seg.flags & TCP_CWR)
        conn->ecn.echo = false;
    if ((a->pkt->tos & ECN_MASK) != ECN_CE || !a->seg.len)
        return;
    conn->engine->counters.in_ecn_ce++;
    if (!conn->ecn.echo)
        ack_now(conn);
    conn->ecn.echo = true;
}

uint8_t ecn_ack_flags(const struct tcp_conn *conn)
{
    return conn->ecn.echo ? TCP_ECE : 0;
}

/* ---- the sender: 6.1.2 -------------------------------------------------------------- */

/* @pkt carries bytes that were never sent before: 6.1.5 forbids ECT on all others. */
void ecn_mark_new_data(struct tcp_conn *conn, struct packet *pkt)
{
    if (!conn->use_ecn || conn->ecn.plain)
        return;
    pkt->tos |= ECN_ECT0;
    if (!conn->ecn.cwr_due)
        return;
    conn->ecn.cwr_due = false;
    conn->engine->counters.out_ecn_cwr++;
    pkt->hdr[TCP_HDR_FLAGS_AT] |= TCP_CWR;
}

/* @pkt never left: what it was to tell the peer is told by the next. */
void ecn_unsent(struct tcp_conn *conn, const struct packet *pkt)
{
    if (conn->use_ecn && pkt->hdr[TCP_HDR_FLAGS_AT] & TCP_CWR)
        conn->ecn.cwr_due = true;
}

/* The window of data in which cwnd was reduced for a mark is not acknowledged yet. */
bool ecn_reduced(const struct tcp_conn *conn)
{
    return conn->ecn.reduced && seq_lt(conn->snd.una, conn->ecn.recover);
}

/* cwnd was made smaller, for a loss or a mark: the peer hears of it, and once a window is enough. */
void ecn_note_reduction(struct tcp_conn *conn)
{
    if (!conn->use_ecn)
        return;
    conn->ecn.reduced = true;
    conn->ecn.recover = conn->snd.max;
    conn->ecn.cwr_due = true;
}

/* Is the ACK an ECN-Echo? It opens no window (6.1.2). */
bool ecn_is_echo(const struct tcp_conn *conn, const struct segment *seg)
{
    return conn->use_ecn && (seg->flags & (TCP_ECE | TCP_SYN)) == TCP_ECE;
}

/**
 * ecn_echoed() - an ECN-Echo came
 * @flight:  bytes in flight before the ACK
 */
void ecn_echoed(struct tcp_conn *conn, uint32_t flight, usec_t now)
{
    if (ecn_reduced(conn) || conn->loss.phase != LOSS_OPEN)
        return;
    conn->ecn.reduced = false; /* in 2 GB it would seem to lie ahead */
    if (!flight)
        return;
    conn->engine->counters.ecn_reductions++;
    conn->cc.ops->on_ecn(conn, flight, now);
    ecn_note_reduction(conn);
}
