/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TIME-WAIT: RFC 9293 3.10.7.4 and 3.6.1, RFC 1337 (a RST does not end it), RFC
 * 6191 (a new connection may). And the end of a FIN-WAIT-2 that nobody holds.
 */
#include "engine/impl.h"

static usec_t interval(const struct tcp_conn *conn)
{
    return usec_from_msec(conn->engine->tun->time_wait_interval);
}

void time_wait_enter(struct tcp_conn *conn, usec_t now)
{
    timers_stop_all(conn);
    timer_set(conn, TIMER_LINGER, now + interval(conn));
    timer_set(conn, TIMER_SHRINK, now);
}

void linger_fired(struct tcp_conn *conn, usec_t now)
{
    if (conn->state == TCP_TIME_WAIT) {
        conn_kill(conn, CAUSE_TWO_MSL, 0, now);
    } else if (conn->state == TCP_FIN_WAIT_2 && conn->orphan) {
        conn_kill(conn, CAUSE_FIN_WAIT_2, 0, now);
    }
}

/*
 * RFC 6191 2: a later timestamp proves a later connection, whatever the sequence
 * number; without timestamps on both, the sequence number must be beyond.
 */
bool time_wait_reusable_by_syn(const struct tcp_conn *conn, const struct segment *seg, usec_t now)
{
    if ((seg->flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) != TCP_SYN)
        return false;
    if (conn->use_ts && seg->opt.has_ts) {
        int32_t newer = (int32_t)(seg->opt.tsval - conn->ts.recent);

        if (newer)
            return newer > 0;
    }
    return seq_gt(seg->seq, conn->rcv.nxt);
}

/* Our own clock goes on, so after a second the peer sees a later timestamp from us. */
bool time_wait_reusable_by_connect(const struct tcp_conn *conn, usec_t now)
{
    usec_t since = conn->timer[TIMER_LINGER] - interval(conn);

    return conn->state == TCP_TIME_WAIT && conn->orphan && conn->use_ts &&
           usec_since(since, now) >= USEC_PER_SEC;
}

/* Only a FIN that is sent again has anything to say here; it restarts the 2 MSL. */
void time_wait_segment(struct tcp_conn *conn, const struct arrival *a)
{
    const struct segment *seg = &a->seg;
    struct tcp_engine *e = conn->engine;

    if (seg->flags & TCP_RST) {
        engine_drop(e, conn, DROP_TIME_WAIT_RST, a->now);
        return;
    }
    if (conn->use_ts && seg->opt.has_ts && (int32_t)(seg->opt.tsval - conn->ts.recent) < 0) {
        engine_drop(e, conn, DROP_PAWS, a->now);
        ack_now(conn);
        return;
    }
    engine_drop(e, conn, DROP_TIME_WAIT, a->now);
    if (seg->flags & TCP_SYN) {
        reply_challenge(conn, a->now);
        return;
    }
    if (seg->flags & TCP_FIN && seq_eq(seq_add(seg->seq, seg->len), conn->rcv.fin_seq))
        timer_set(conn, TIMER_LINGER, a->now + interval(conn));
    if (segment_space(seg) || !seq_eq(seg->seq, conn->rcv.nxt))
        ack_again(conn);
}
