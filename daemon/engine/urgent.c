/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Urgent data: RFC 9293 3.8.5, with the pointer that RFC 6093 describes as the one
 * in use: it names the byte *behind* the urgent one. SND.UP and RCV.UP are that
 * number. There is one mark in each direction, and it moves forward only.
 */
#include "engine/impl.h"

/* ---- sending ------------------------------------------------------------------------- */

/* The last byte written is urgent. It is told at once, even if the window is closed. */
void urgent_written(struct tcp_conn *conn)
{
    conn->snd.up = snd_end(conn);
    conn->snd.urgent_due = true;
}

/* Urgent bytes are unacknowledged: what goes out is one segment each, for its own pointer. */
bool urgent_mode(const struct tcp_conn *conn)
{
    return seq_gt(conn->snd.up, conn->snd.una);
}

/* The mark is in what was not sent yet: Nagle and the cork let it pass. */
bool urgent_unsent(const struct tcp_conn *conn)
{
    return urgent_mode(conn) && seq_gt(conn->snd.up, conn->snd.nxt);
}

/* Nothing else will tell it now: a bare ACK does. */
bool urgent_due(const struct tcp_conn *conn)
{
    return conn->snd.urgent_due && urgent_unsent(conn) &&
           seq_len(conn->snd.nxt, conn->snd.up) <= UINT16_MAX;
}

/* Every segment before the mark points to it, from where 16 bits reach. */
void urgent_put(struct tcp_conn *conn, struct segment *seg)
{
    uint32_t ahead;

    if (!urgent_mode(conn) || !seq_gt(conn->snd.up, seg->seq))
        return;
    ahead = seq_len(seg->seq, conn->snd.up);
    if (ahead > UINT16_MAX)
        return;
    conn->snd.urgent_due = false;
    seg->flags |= TCP_URG;
    seg->up = (uint16_t)ahead;
    conn->engine->counters.out_urg++;
}

/* ---- receiving ----------------------------------------------------------------------- */

static bool takes_urgent(enum tcp_state s)
{
    return s == TCP_ESTABLISHED || s == TCP_FIN_WAIT_1 || s == TCP_FIN_WAIT_2;
}

/* A pointer that says nothing new, or points to what has been received before, is let pass. */
void urgent_received(struct tcp_conn *conn, const struct segment *seg)
{
    struct seq up = seq_add(seg->seq, seg->up);

    if (!(seg->flags & TCP_URG) || !seg->up || !takes_urgent(conn->state))
        return;
    if (!seq_gt(up, conn->rcv.nxt) || (conn->rcv.urgent && !seq_gt(up, conn->rcv.up)))
        return;
    conn->rcv.up = up;
    conn->rcv.urgent = true;
    conn_dirty(conn);
    conn_event(conn, TCP_EV_URGENT);
}

bool tcp_conn_rx_urgent(const struct tcp_conn *conn, uint32_t *ret_offset)
{
    struct seq end = seq_dec(conn->rcv.nxt, conn->rcv.fin_taken); /* of what is in the ring */

    if (!conn->rcv.urgent)
        return false;
    *ret_offset = ring_used(&conn->rx) + seq_len(end, conn->rcv.up) - 1;
    return true;
}

/* @len bytes leave the ring. */
void urgent_consumed(struct tcp_conn *conn, uint32_t len)
{
    uint32_t offset;

    if (tcp_conn_rx_urgent(conn, &offset) && len > offset)
        conn->rcv.urgent = false;
}
