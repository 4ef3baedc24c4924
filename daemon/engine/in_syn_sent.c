/* SPDX-License-Identifier: BSD-2-Clause */
/* RFC 9293 3.10.7.3: the five checks of SYN-SENT, in the order the RFC gives them. */
#include <errno.h>

#include "engine/impl.h"

/* First: is the ACK, if there is one, for our SYN? */
static bool ack_is_good(struct tcp_conn *conn, const struct arrival *a, bool *ret_has_ack)
{
    const struct segment *seg = &a->seg;

    *ret_has_ack = seg->flags & TCP_ACK;
    if (!*ret_has_ack)
        return true;
    if (seq_gt(seg->ack, conn->snd.iss) && seq_leq(seg->ack, conn->snd.max))
        return true;
    if (seg->flags & TCP_RST) {
        engine_drop(conn->engine, conn, DROP_RST_ACK, a->now);
        return false;
    }
    engine_drop(conn->engine, conn, DROP_SYN_SENT_ACK, a->now);
    reply_rst(conn->engine, a);
    return false;
}

/* What both sides sent is in force: RFC 7323 2.2 and 3.2, RFC 2018 2. */
static void negotiate(struct tcp_conn *conn, const struct tcp_options *opt)
{
    conn->use_wscale = conn->use_wscale && opt->has_wscale;
    conn->snd.wscale = conn->use_wscale ? opt->wscale : 0;
    if (!conn->use_wscale)
        conn->rcv.wscale = 0;
    conn->use_ts = conn->use_ts && opt->has_ts;
    conn->use_sack = conn->use_sack && opt->has_sack_ok;
    mss_update(conn);
}

/* Our SYN is acknowledged: the connection is established. */
static void establish(struct tcp_conn *conn, const struct arrival *a)
{
    struct sent_acked acked = { 0 };

    sentq_ack(&conn->sentq, a->seg.ack, &acked);
    conn->snd.una = a->seg.ack;
    conn->snd.small_end = a->seg.ack;
    if (acked.newest_at && !acked.again) {
        rtt_sample(&conn->rtt, usec_since(acked.newest_at, a->now));
        conn->engine->counters.rtt_update++;
    }
    tcp_conn_set_state(conn, TCP_ESTABLISHED, CAUSE_SYN_ACK, a->now);
    conn_event(conn, TCP_EV_ESTABLISHED | TCP_EV_WRITABLE);
    ack_now(conn);
    if (conn->snd.fin_queued) /* half-closed while it was opening */
        tcp_conn_set_state(conn, TCP_FIN_WAIT_1, CAUSE_CLOSE, a->now);
}

/* Data or a FIN in the SYN-ACK: taken by the steps of a synchronized state. */
static void take_rest(struct tcp_conn *conn, const struct arrival *a)
{
    struct arrival rest = *a;

    if (!a->seg.len && !(a->seg.flags & TCP_FIN))
        return;
    rest.seg.flags &= (uint8_t)~(TCP_SYN | TCP_ECE);
    rest.seg.seq = seq_add(a->seg.seq, 1);
    in_synchronized(conn, &rest);
}

void in_syn_sent(struct tcp_conn *conn, const struct arrival *a)
{
    const struct segment *seg = &a->seg;
    bool has_ack;

    if (!ack_is_good(conn, a, &has_ack))
        return;
    if (seg->flags & TCP_RST) {
        if (has_ack && ecn_syn_refused(conn))
            return;
        if (has_ack)
            conn_kill(conn, CAUSE_RST, ECONNREFUSED, a->now);
        else
            engine_drop(conn->engine, conn, DROP_RST_ACK, a->now);
        return;
    }
    if (!(seg->flags & TCP_SYN)) {
        engine_drop(conn->engine, conn, DROP_SYN_SENT_OTHER, a->now);
        return;
    }

    conn->stat.last_recv_at = a->now;
    in_take_syn(conn, seg, a->now);
    negotiate(conn, &seg->opt);
    if (has_ack) {
        establish(conn, a);
        take_rest(conn, a);
        return;
    }
    /* Both ends opened at once: our SYN goes out again, with the ACK of theirs (figure 8). */
    tcp_conn_set_state(conn, TCP_SYN_RCVD, CAUSE_SIMULTANEOUS, a->now);
    conn->syn_now = true;
    conn_wants_output(conn);
}
