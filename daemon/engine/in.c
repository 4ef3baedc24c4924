/* SPDX-License-Identifier: BSD-2-Clause */
/* SEGMENT ARRIVES, RFC 9293 3.10.7: checks that need no connection, then the way to one. */
#include "engine/impl.h"

static void bad_segment(struct tcp_engine *e, enum tcp_parse why, usec_t now)
{
    static const enum tcp_drop drops[] = {
        [TCP_PARSE_SHORT] = DROP_SHORT,
        [TCP_PARSE_OFFSET] = DROP_OFFSET,
        [TCP_PARSE_OPTIONS] = DROP_OPTIONS,
        [TCP_PARSE_CHECKSUM] = DROP_CHECKSUM,
    };

    e->counters.in_errs++;
    engine_drop(e, NULL, drops[why], now);
}

/* MUST-63, MUST-57: nothing from or to an address that is not one host's. */
static bool addresses_are_sane(const struct packet *pkt)
{
    return ip_addr_is_unicast(&pkt->src) && ip_addr_is_unicast(&pkt->dst) &&
           ip_addr_is_v4(&pkt->src) == ip_addr_is_v4(&pkt->dst);
}

static struct flow flow_of(const struct packet *pkt, const struct segment *seg)
{
    bool scoped = ip_addr_is_linklocal(&pkt->src) || ip_addr_is_linklocal(&pkt->dst);

    return (struct flow){
        .local = pkt->dst,
        .remote = pkt->src,
        .lport = seg->dport,
        .rport = seg->sport,
        .zone = scoped ? pkt->ifindex : 0,
    };
}

/* What the program asked of every packet of its connection: RFC 5082, SO_BINDTODEVICE. */
static bool config_allows(struct tcp_engine *e, const struct tcp_config *c,
                          const struct arrival *a)
{
    if (a->pkt->ttl < c->min_ttl) {
        engine_drop(e, NULL, DROP_MIN_TTL, a->now);
        return false;
    }
    if (c->bound_ifindex && a->pkt->ifindex && a->pkt->ifindex != c->bound_ifindex) {
        engine_drop(e, NULL, DROP_DEVICE, a->now);
        return false;
    }
    return true;
}

static void to_listener(struct tcp_engine *e, const struct arrival *a)
{
    struct tcp_listener *l = demux_listener(e, &a->flow);

    if (!l)
        in_closed(e, a);
    else if (config_allows(e, &l->config, a))
        in_listen(e, l, a);
}

static void to_connection(struct tcp_engine *e, struct tcp_conn *conn, struct arrival *a)
{
    if (!config_allows(e, &conn->config, a))
        return;
    if (conn->state == TCP_TIME_WAIT && time_wait_reusable_by_syn(conn, &a->seg, a->now)) {
        struct tcp_listener *l = demux_listener(e, &a->flow);

        if (l && !listener_full(l)) {
            const struct seq above = conn->snd.nxt;

            e->counters.time_wait_reused++;
            conn_kill(conn, CAUSE_REUSED, 0, a->now);
            in_listen(e, l, a);
            conn = demux_find(e, &a->flow);
            if (conn)
                conn_start_above(conn, above);
            return;
        }
    }
    conn->stat.segs_in++;
    conn_dirty(conn);
    if (conn->state == TCP_SYN_SENT)
        in_syn_sent(conn, a);
    else if (conn->state == TCP_TIME_WAIT)
        time_wait_segment(conn, a);
    else
        in_synchronized(conn, a);
    if (conn->state != TCP_CLOSED)
        output_consider(conn, a->now);
}

void tcp_engine_receive(struct tcp_engine *e, const struct packet *pkt, usec_t now)
{
    struct arrival a = { .pkt = pkt, .now = now };
    enum tcp_parse parsed;
    struct tcp_conn *conn;

    engine_note_time(e, now);
    e->counters.in_segs++;
    if (!addresses_are_sane(pkt)) {
        engine_drop(e, NULL, DROP_ADDRESS, now);
        return;
    }
    parsed = tcp_header_parse(pkt, &a.seg);
    if (parsed != TCP_PARSE_OK) {
        bad_segment(e, parsed, now);
        return;
    }
    if (!a.seg.sport || !a.seg.dport) {
        engine_drop(e, NULL, DROP_PORT_ZERO, now);
        return;
    }
    a.wire_len = a.seg.len;
    a.flow = flow_of(pkt, &a.seg);
    conn = demux_find(e, &a.flow);
    if (conn)
        to_connection(e, conn, &a);
    else
        to_listener(e, &a);
}

/* 3.10.7.1, CLOSED: everything but a RST is answered by one. */
void in_closed(struct tcp_engine *e, const struct arrival *a)
{
    if (a->seg.flags & TCP_RST) {
        engine_drop(e, NULL, DROP_RST_NO_CONN, a->now);
        return;
    }
    engine_drop(e, NULL, DROP_NO_CONN, a->now);
    reply_rst(e, a);
}
