/* SPDX-License-Identifier: BSD-2-Clause */
/* A TCP segment as a struct: host order, options decoded. RFC 9293 3.1. */
#ifndef TCPD_WIRE_TCP_HEADER_H
#define TCPD_WIRE_TCP_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/seq.h"
#include "wire/packet.h"

enum tcp_flag {
    TCP_FIN = 0x01,
    TCP_SYN = 0x02,
    TCP_RST = 0x04,
    TCP_PSH = 0x08,
    TCP_ACK = 0x10,
    TCP_URG = 0x20,
    TCP_ECE = 0x40,
    TCP_CWR = 0x80,
};

#define TCP_HDR_FLAGS_AT 13 /* octet of the flags */
#define TCP_MAX_SACKS  4
#define TCP_MAX_WSCALE 14 /* RFC 7323 2.3 */

struct seq_range {
    struct seq start, end; /* [start, end) */
};

struct tcp_options {
    bool has_mss, has_wscale, has_sack_ok, has_ts;
    uint8_t wscale;
    uint8_t sacks;
    uint16_t mss;
    uint32_t tsval, tsecr;
    struct seq_range sack[TCP_MAX_SACKS];
};

struct segment {
    uint16_t sport, dport;
    struct seq seq, ack;
    uint8_t flags; /* enum tcp_flag */
    uint16_t wnd;  /* as on the wire, not scaled */
    uint16_t up;
    const uint8_t *data;
    uint32_t len; /* payload bytes */
    struct tcp_options opt;
};

/** segment_space() - SEG.LEN: sequence space occupied, SYN and FIN included */
static inline uint32_t segment_space(const struct segment *seg)
{
    return seg->len + !!(seg->flags & TCP_SYN) + !!(seg->flags & TCP_FIN);
}

/* How far tcp_header_parse() got. */
enum tcp_parse {
    TCP_PARSE_OK,
    TCP_PARSE_SHORT,    /* less than a header */
    TCP_PARSE_OFFSET,   /* data offset below 5 words or beyond the end */
    TCP_PARSE_OPTIONS,  /* an option runs over the header's end or has an impossible length */
    TCP_PARSE_CHECKSUM,
};

/**
 * tcp_header_parse() - check and decode the segment of a received packet
 * @pkt:  seg, seg_len, src, dst and csum are used; borrowed, and pkt->seg stays
 *        borrowed by ret->data
 *
 * The checksum is verified as pkt->csum says. Unknown options are skipped
 * (RFC 9293 MUST-6); one of a known kind with a wrong length is skipped as well.
 */
enum tcp_parse tcp_header_parse(const struct packet *pkt, struct segment *ret);

/**
 * tcp_header_build() - encode header and options into @hdr, checksum 0
 *
 * Returns the header's length, a multiple of 4. Options that do not fit any
 * more are left out, SACK blocks first.
 */
uint8_t tcp_header_build(const struct segment *seg, uint8_t hdr[TCP_HDR_MAX]);

/** tcp_options_len() - bytes that tcp_header_build() would need for these options, padded */
uint8_t tcp_options_len(const struct tcp_options *opt);

/** tcp_header_set_checksum() - compute and store the checksum of hdr + iov in @pkt (tests, raw) */
void tcp_header_set_checksum(struct packet *pkt);

#endif
