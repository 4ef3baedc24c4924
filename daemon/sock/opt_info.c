/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP_INFO: Linux' struct, filled with what the engine knows. A field that it
 * does not know stays 0: no value is better than a made-up one.
 */
#include <linux/tcp.h>
#include <string.h>

#include "sock/opt.h"

/* Linux' numbers of the states. */
static const uint8_t linux_state[TCP_STATE_COUNT] = {
    [TCP_ESTABLISHED] = 1, [TCP_SYN_SENT] = 2,   [TCP_SYN_RCVD] = 3, [TCP_FIN_WAIT_1] = 4,
    [TCP_FIN_WAIT_2] = 5,  [TCP_TIME_WAIT] = 6,  [TCP_CLOSED] = 7,   [TCP_CLOSE_WAIT] = 8,
    [TCP_LAST_ACK] = 9,    [TCP_LISTEN] = 10,    [TCP_CLOSING] = 11,
};

static uint32_t clamp32(uint64_t v)
{
    return (uint32_t)MIN(v, (uint64_t)UINT32_MAX);
}

static uint32_t to_segs(uint32_t bytes, uint32_t mss)
{
    return mss ? bytes / mss + (bytes % mss != 0) : 0;
}

static uint8_t options_of(const struct tcp_conn_info *from)
{
    return (uint8_t)((from->timestamps ? TCPI_OPT_TIMESTAMPS : 0) |
                     (from->sack ? TCPI_OPT_SACK : 0) | (from->wscale ? TCPI_OPT_WSCALE : 0) |
                     (from->ecn ? TCPI_OPT_ECN : 0));
}

static void fill_from_conn(struct tcp_info *info, const struct tcp_conn *conn, usec_t now)
{
    struct tcp_conn_info from;

    tcp_conn_info(conn, &from);
    info->tcpi_state = linux_state[from.state];
    if (from.after_timeout || from.backoff > 0)
        info->tcpi_ca_state = TCP_CA_Loss;
    else if (from.in_recovery)
        info->tcpi_ca_state = TCP_CA_Recovery;
    else if (from.sacked)
        info->tcpi_ca_state = TCP_CA_Disorder;
    info->tcpi_retransmits = info->tcpi_backoff = (uint8_t)MIN(from.backoff, 255u);
    info->tcpi_options = options_of(&from);
    if (from.wscale) {
        info->tcpi_snd_wscale = from.snd_wscale & 0xfu;
        info->tcpi_rcv_wscale = from.rcv_wscale & 0xfu;
    }
    info->tcpi_rto = clamp32(from.rto);
    info->tcpi_snd_mss = from.mss;
    info->tcpi_unacked = to_segs(from.flight, from.mss);
    info->tcpi_sacked = to_segs(from.sacked, from.mss);
    info->tcpi_lost = to_segs(from.lost, from.mss);
    info->tcpi_retrans = to_segs(from.retrans, from.mss);
    info->tcpi_pacing_rate = from.pacing_rate;
    info->tcpi_max_pacing_rate = UINT64_MAX; /* Linux' word for: no limit was set */
    info->tcpi_dsack_dups = from.dsacks;
    info->tcpi_reord_seen = from.reordered;
    info->tcpi_last_data_sent = clamp32(usec_to_msec(usec_since(from.last_send_at, now)));
    info->tcpi_last_data_recv = clamp32(usec_to_msec(usec_since(from.last_recv_at, now)));
    info->tcpi_pmtu = tcp_conn_path(conn)->mtu;
    info->tcpi_rtt = clamp32(from.srtt);
    info->tcpi_rttvar = clamp32(from.rttvar);
    info->tcpi_min_rtt = clamp32(from.min_rtt);
    info->tcpi_snd_ssthresh = to_segs(from.ssthresh, from.mss);
    info->tcpi_snd_cwnd = to_segs(from.cwnd, from.mss);
    info->tcpi_total_retrans = clamp32(from.retrans_segs);
    info->tcpi_bytes_acked = from.bytes_acked;
    info->tcpi_bytes_received = from.bytes_received;
    info->tcpi_bytes_sent = from.bytes_sent;
    info->tcpi_bytes_retrans = from.bytes_retrans;
    info->tcpi_segs_out = clamp32(from.segs_out);
    info->tcpi_segs_in = clamp32(from.segs_in);
    info->tcpi_notsent_bytes = from.unsent;
    info->tcpi_snd_wnd = from.snd_wnd;
}

static int get_info(struct opt_call *call, void *ret, uint32_t *len)
{
    const struct sock *s = call->s;
    struct tcp_info info;

    memset(&info, 0, sizeof(info));
    info.tcpi_state = linux_state[TCP_CLOSED];
    if (s->conn) {
        fill_from_conn(&info, s->conn, call->now);
    } else if (s->listener) { /* as Linux: how many wait for accept, and how many may */
        info.tcpi_state = linux_state[TCP_LISTEN];
        info.tcpi_unacked = s->queued;
        info.tcpi_sacked = s->backlog;
    }
    opt_copy_out(ret, len, &info, sizeof(info));
    return 0;
}

const struct opt_code opt_code_info = { .get_bytes = get_info };
