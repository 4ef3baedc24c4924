/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RFC 9293 3.10.7.2, a segment for a listener: RST, ACK and SYN, in this order.
 *
 * The queues are illumos': q holds completed connections, q0 half-open ones. A
 * SYN that finds q full is dropped, the peer will try again; one that finds q0
 * full is answered by a cookie (RFC 4987 3.6), so a flood of SYNs takes no memory.
 */
#include "engine/impl.h"

void in_take_syn(struct tcp_conn *conn, const struct segment *seg, usec_t now)
{
    const struct tcp_options *opt = &seg->opt;

    conn->rcv.irs = seg->seq;
    conn->rcv.nxt = conn->rcv.adv = conn->rcv.last_ack = seq_add(seg->seq, 1);
    if (conn->state == TCP_SYN_SENT) /* what our own SYN offered */
        conn->rcv.adv = seq_add(conn->rcv.nxt, MIN(conn->tune.rcv_buf, 65535u));
    conn->rcv.up = seg->seq;
    if (opt->has_mss)
        conn->snd.peer_mss = MAX((uint32_t)opt->mss, conn->engine->tun->mss_min);
    if (opt->has_ts) {
        conn->ts.recent = opt->tsval;
        conn->ts.recent_at = now;
    }
    conn->snd.wnd = conn->snd.wnd_max = seg->wnd; /* RFC 7323 2.2: never scaled in a SYN */
    conn->snd.wl1 = seg->seq;
    conn->snd.wl2 = seg->flags & TCP_ACK ? seg->ack : conn->snd.iss;
    ecn_take_syn(conn, seg->flags);
}

/* A passive opener answers in kind: tcp.4p, RFC 7323 2.2 and 3.2, RFC 2018 2. */
static void negotiate(struct tcp_conn *conn, const struct tcp_options *opt)
{
    conn->use_wscale = opt->has_wscale;
    conn->snd.wscale = opt->has_wscale ? opt->wscale : 0;
    if (!opt->has_wscale)
        conn->rcv.wscale = 0;
    conn->use_ts = opt->has_ts;
    conn->use_sack = opt->has_sack_ok && conn->engine->tun->sack != TUN_NEVER;
    mss_update(conn);
}

static void open_passively(struct tcp_engine *e, struct tcp_listener *l, const struct arrival *a)
{
    struct tcp_config config = l->config;
    struct tcp_conn *conn;

    config.cork = 0;
    if (conn_new(e, &a->flow, &config, a->now, &conn)) {
        engine_drop(e, NULL, DROP_NO_MEMORY, a->now);
        return;
    }
    conn->passive = true;
    conn->listener = l;
    list_append(&l->children, &conn->child_node);
    l->half_open++;
    quota_charge(conn, l->quota);
    conn->stat.segs_in++;
    in_take_syn(conn, &a->seg, a->now);
    negotiate(conn, &a->seg.opt);
    tcp_conn_set_state(conn, TCP_SYN_RCVD, CAUSE_SYN, a->now);
    e->counters.passive_opens++;
    conn->syn_now = true;
    conn_event(conn, TCP_EV_PATH);
    conn_wants_output(conn);
}

static void take_syn(struct tcp_engine *e, struct tcp_listener *l, const struct arrival *a)
{
    if (listener_full(l)) {
        e->counters.listen_drop++;
        engine_drop(e, NULL, DROP_BACKLOG, a->now);
    } else if (quota_full(l->quota)) {
        e->counters.listen_limit_drop++;
        engine_drop(e, NULL, DROP_LISTENER_LIMIT, a->now);
    } else if (l->half_open < (uint64_t)l->backlog + e->tun->conn_req_max_q0) {
        open_passively(e, l, a);
    } else if (e->tun->syn_cookies) {
        syncookie_send(e, a);
    } else {
        e->counters.listen_drop_q0++;
        engine_drop(e, NULL, DROP_HALF_OPEN, a->now);
    }
}

/* An ACK that proves that its sender saw our cookie: the connection is made from it alone. */
static void open_by_cookie(struct tcp_engine *e, struct tcp_listener *l, const struct arrival *a,
                           uint16_t mss)
{
    struct tcp_config config = l->config;
    struct tcp_conn *conn;

    config.cork = 0;
    if (listener_full(l) || quota_full(l->quota) ||
        conn_new(e, &a->flow, &config, a->now, &conn)) {
        e->counters.listen_drop++;
        engine_drop(e, NULL, DROP_BACKLOG, a->now);
        return;
    }
    conn->passive = true;
    conn->listener = l;
    list_append(&l->children, &conn->child_node);
    l->half_open++;
    quota_charge(conn, l->quota);
    conn->rcv.irs = seq_dec(a->seg.seq, 1);
    conn->rcv.nxt = conn->rcv.adv = conn->rcv.last_ack = a->seg.seq;
    conn->rcv.up = conn->rcv.irs;
    conn->rcv.adv = seq_add(conn->rcv.nxt, SYNCOOKIE_WINDOW); /* what the cookie offered */
    conn->rcv.wscale = 0;
    conn->snd.peer_mss = mss;
    conn->snd.iss = seq_dec(a->seg.ack, 1);
    conn->snd.una = conn->snd.nxt = conn->snd.max = conn->snd.small_end = a->seg.ack;
    conn->snd.up = conn->snd.iss;
    conn->snd.wnd = conn->snd.wnd_max = a->seg.wnd;
    conn->snd.wl1 = a->seg.seq;
    conn->snd.wl2 = a->seg.ack;
    mss_update(conn);
    e->counters.syn_cookies_ok++;
    e->counters.passive_opens++;
    tcp_conn_set_state(conn, TCP_ESTABLISHED, CAUSE_COOKIE, a->now);
    conn_event(conn, TCP_EV_PATH);
    listener_completed(conn);
    if (a->seg.len || a->seg.flags & TCP_FIN) {
        struct arrival again = *a;

        in_synchronized(conn, &again);
    }
}

void in_listen(struct tcp_engine *e, struct tcp_listener *l, const struct arrival *a)
{
    uint8_t flags = a->seg.flags;
    uint16_t mss;

    if (flags & TCP_RST) {
        engine_drop(e, NULL, DROP_LISTEN_RST, a->now);
    } else if (flags & TCP_ACK) {
        if (!(flags & TCP_SYN) && syncookie_check(e, a, &mss)) {
            open_by_cookie(e, l, a, mss);
            return;
        }
        engine_drop(e, NULL, DROP_LISTEN_ACK, a->now);
        reply_rst(e, a);
    } else if (!(flags & TCP_SYN)) {
        engine_drop(e, NULL, DROP_LISTEN_NO_SYN, a->now);
    } else if (flags & TCP_FIN) {
        engine_drop(e, NULL, DROP_LISTEN_SYN_FIN, a->now);
    } else {
        take_syn(e, l, a);
    }
}
