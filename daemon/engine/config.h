/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a program or the administrator may set for one connection. Every field
 * is a uint32_t, so that a row of sockopts.def reaches it by its offset alone.
 * A listener holds one; what it accepts starts with a copy (except `cork`).
 */
#ifndef TCPD_ENGINE_CONFIG_H
#define TCPD_ENGINE_CONFIG_H

#include <stdint.h>

struct tunables;

struct tcp_config {
    uint32_t snd_buf_bytes;       /* SO_SNDBUF */
    uint32_t rcv_buf_bytes;       /* SO_RCVBUF */
    uint32_t snd_buf_fixed;       /* asked for by the program: no auto-tuning */
    uint32_t rcv_buf_fixed;
    uint32_t nodelay;             /* TCP_NODELAY */
    uint32_t naglim_bytes;        /* _naglim_def */
    uint32_t cork;                /* TCP_CORK */
    uint32_t quickack;            /* TCP_QUICKACK, sticky */
    uint32_t maxseg_bytes;        /* TCP_MAXSEG before connect; 0 = none */
    uint32_t init_cwnd_segs;      /* TCP_INIT_CWND; 0 = RFC 3390 */
    uint32_t cwnd_max_bytes;      /* _cwnd_max */
    uint32_t cc;                  /* TCP_CONGESTION: enum tcp_cc_id */
    uint32_t rto_initial_ms;      /* TCP_RTO_INITIAL */
    uint32_t rto_min_ms;          /* TCP_RTO_MIN */
    uint32_t rto_max_ms;          /* TCP_RTO_MAX */
    uint32_t grace_ms;            /* _conn_grace_period, added to the first SYN's RTO */
    uint32_t conn_notify_ms;      /* TCP_CONN_NOTIFY_THRESHOLD */
    uint32_t conn_abort_ms;       /* TCP_CONN_ABORT_THRESHOLD; 0 = never */
    uint32_t notify_ms;           /* TCP_NOTIFY_THRESHOLD */
    uint32_t abort_ms;            /* TCP_ABORT_THRESHOLD; 0 = never while open */
    uint32_t keepalive;           /* SO_KEEPALIVE */
    uint32_t keepalive_ms;        /* TCP_KEEPALIVE_THRESHOLD, TCP_KEEPIDLE */
    uint32_t keepalive_abort_ms;  /* TCP_KEEPALIVE_ABORT_THRESHOLD; 0 = never */
    uint32_t keepalive_count;     /* TCP_KEEPCNT; 0 = not set */
    uint32_t keepalive_intvl_ms;  /* TCP_KEEPINTVL; 0 = not set */
    uint32_t fin_wait_2_ms;       /* TCP_LINGER2 */
    uint32_t mss_def_v4_bytes;    /* _mss_def_ipv4 */
    uint32_t mss_def_v6_bytes;    /* _mss_def_ipv6 */
    uint32_t ttl;                 /* IP_TTL */
    uint32_t hop_limit;           /* IPV6_UNICAST_HOPS */
    uint32_t min_ttl;             /* IP_MINTTL, IPV6_MINHOPCOUNT */
    uint32_t tos;                 /* IP_TOS, IPV6_TCLASS; the ECN bits are TCP's */
    uint32_t bound_ifindex;       /* SO_BINDTODEVICE, IP_BOUND_IF */
};

/** tcp_config_init() - the defaults of a new endpoint: the tunables whose rows say COPY */
void tcp_config_init(struct tcp_config *config, const struct tunables *tun);

#endif
