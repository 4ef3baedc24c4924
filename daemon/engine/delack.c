/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Delayed acknowledgements: RFC 9293 3.8.6.3, RFC 5681 4.2, by illumos' tunables.
 * How many full segments may wait depends on whether the peer is on an attached
 * network; the count grows from one, so that a young connection's sender is not
 * kept waiting.
 */
#include "engine/impl.h"

#define MAX_DUPS 64

void ack_now(struct tcp_conn *conn)
{
    conn->ack.now = true;
    conn_dirty(conn);
    conn_wants_output(conn);
}

/*
 * An ACK for each segment that asks for one, even if several come in one
 * wake-up: the peer counts duplicates (RFC 5681 4.2).
 */
void ack_again(struct tcp_conn *conn)
{
    if (conn->ack.dups < MAX_DUPS)
        conn->ack.dups++;
    ack_now(conn);
}

static uint32_t limit_segments(const struct tcp_conn *conn)
{
    const struct tunables *tun = conn->engine->tun;
    uint32_t limit = conn->path.on_link ? tun->local_dacks_max : tun->deferred_acks_max;
    uint32_t by_window = conn->tune.rcv_buf / MAX(conn->rcv.mss, 1u) / 2;

    return MAX(MIN(limit, by_window), 1u);
}

static usec_t interval(const struct tcp_conn *conn)
{
    const struct tunables *tun = conn->engine->tun;

    return usec_from_msec(conn->path.on_link ? tun->local_dack_interval
                                             : tun->deferred_ack_interval);
}

/* What the peer's full segments are: the largest seen that was not several merged into one. */
static void note_segment_size(struct tcp_conn *conn, uint32_t len)
{
    uint32_t most = mss_advertise(conn);

    if (len <= most)
        conn->rcv.mss = MAX(conn->rcv.mss, len);
    else if (!conn->rcv.mss)
        conn->rcv.mss = most - (conn->use_ts ? 12 : 0);
}

/**
 * delack_received() - data came; when is it acknowledged?
 * @len:       bytes, maybe many segments merged into one
 * @in_order:  false if it left, filled or touched a hole
 */
void delack_received(struct tcp_conn *conn, uint32_t len, bool in_order, usec_t now)
{
    bool is_short;

    note_segment_size(conn, len);
    conn->ack.bytes += len;
    is_short = len < conn->rcv.mss;
    if (!in_order) {
        ack_again(conn);
        return;
    }
    if (conn->config.quickack || conn->orphan || (is_short && conn->ack.odd)) {
        ack_now(conn);
        return;
    }
    conn->ack.odd |= is_short;
    if (conn->ack.bytes >= MAX(conn->ack.limit, 1u) * conn->rcv.mss) {
        if (conn->ack.limit < limit_segments(conn))
            conn->ack.limit++;
        ack_now(conn);
        return;
    }
    if (!timer_running(conn, TIMER_DELACK))
        timer_set(conn, TIMER_DELACK, now + interval(conn));
}

/** delack_sent() - a segment with our ACK leaves: nothing is owed any more */
void delack_sent(struct tcp_conn *conn)
{
    if (conn->ack.dups)
        conn->ack.dups--;
    conn->ack.now = conn->ack.dups > 0;
    conn->ack.bytes = 0;
    conn->ack.odd = false;
    conn->ack.limit = (uint8_t)MIN((uint32_t)conn->ack.limit, limit_segments(conn));
    conn->rcv.last_ack = conn->rcv.nxt;
    timer_stop(conn, TIMER_DELACK);
}

void delack_timeout(struct tcp_conn *conn, usec_t now)
{
    /* The peer sends less than we waited for: do not wait as long again. */
    if (conn->ack.bytes > conn->rcv.mss && conn->ack.limit > 2)
        conn->ack.limit = 2;
    conn->engine->counters.out_ack_delayed++;
    ack_now(conn);
}
