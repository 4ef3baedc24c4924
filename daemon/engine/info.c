/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection as tcpctl and TCP_INFO show it. */
#include "engine/impl.h"

void tcp_conn_info(const struct tcp_conn *conn, struct tcp_conn_info *ret)
{
    struct seq end = snd_end(conn);

    *ret = (struct tcp_conn_info){
        .id = conn->id,
        .user = conn->user,
        .flow = conn->flow,
        .state = conn->state,
        .snd_una = conn->snd.una.v,
        .snd_nxt = conn->snd.nxt.v,
        .snd_wnd = conn->snd.wnd,
        .rcv_nxt = conn->rcv.nxt.v,
        .rcv_wnd = seq_gt(conn->rcv.adv, conn->rcv.nxt) ? seq_len(conn->rcv.nxt, conn->rcv.adv) : 0,
        .mss = conn->snd.mss,
        .peer_mss = conn->snd.peer_mss,
        .cwnd = conn->cc.cwnd,
        .ssthresh = conn->cc.ssthresh,
        .flight = loss_pipe(conn),
        .snd_wscale = conn->snd.wscale,
        .rcv_wscale = conn->rcv.wscale,
        .sack = conn->use_sack,
        .timestamps = conn->use_ts,
        .wscale = conn->use_wscale,
        .ecn = conn->use_ecn,
        .orphan = conn->orphan,
        .in_recovery = conn->loss.phase != LOSS_OPEN,
        .srtt = conn->rtt.srtt,
        .rttvar = conn->rtt.rttvar,
        .rto = rtt_rto(&conn->rtt, conn->backoff),
        .min_rtt = conn->rtt.min_rtt == USEC_NEVER ? 0 : conn->rtt.min_rtt,
        .snd_buf = conn->tune.snd_buf,
        .rcv_buf = conn->tune.rcv_buf,
        .unsent = seq_gt(end, conn->snd.nxt) ? seq_len(conn->snd.nxt, end) : 0,
        .unacked = tcp_conn_tx_unacked(conn),
        .unread = ring_used(&conn->rx),
        .hidden = conn->rcv.hidden,
        .bytes_sent = conn->stat.bytes_sent,
        .bytes_acked = conn->stat.bytes_acked,
        .bytes_received = conn->stat.bytes_received,
        .bytes_retrans = conn->stat.bytes_retrans,
        .segs_out = conn->stat.segs_out,
        .segs_in = conn->stat.segs_in,
        .retrans_segs = conn->stat.retrans_segs,
        .backoff = conn->backoff,
        .opened_at = conn->stat.opened_at,
        .last_recv_at = conn->stat.last_recv_at,
        .last_send_at = conn->stat.last_send_at,
        .cc = conn->config.cc,
        .soft_error = conn->soft_error,
    };
}
