/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as an IP header and a TCP segment; what parses is built again and means the same. */
#include "fuzz.h"

#include "wire/ip4.h"
#include "wire/ip6.h"
#include "wire/tcp_header.h"
#include "wire/tcp_options.h"

static void check_round_trip(const struct segment *seg)
{
    uint8_t hdr[TCP_HDR_MAX];
    struct packet pkt = { .csum = PACKET_CSUM_VERIFIED, .seg = hdr };
    struct segment again;

    pkt.seg_len = tcp_header_build(seg, hdr);
    MUST(pkt.seg_len >= TCP_HDR_MIN && pkt.seg_len <= TCP_HDR_MAX && pkt.seg_len % 4 == 0);
    MUST(tcp_header_parse(&pkt, &again) == TCP_PARSE_OK);
    MUST(again.seq.v == seg->seq.v && again.wnd == seg->wnd && again.flags == seg->flags);
    MUST(again.opt.has_ts == seg->opt.has_ts && again.opt.tsval == seg->opt.tsval);
    MUST(again.opt.has_mss == seg->opt.has_mss && again.opt.mss == seg->opt.mss);
    MUST(again.opt.sacks <= seg->opt.sacks);
}

static void check_ip(const uint8_t *p, size_t len)
{
    struct ip4_header v4;
    struct ip6_header v6;
    uint8_t proto;
    size_t at;

    if (ip4_parse(p, len, &v4) == 0)
        MUST(v4.hdr_len >= IP4_HDR_MIN && v4.hdr_len <= len);
    if (ip6_parse(p, len, &v6) == 0 && ip6_find_upper(p, len, &proto, &at) == 0)
        MUST(at <= len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = { data, size };
    uint8_t how = take8(&in);
    struct packet pkt = { .src = ip_addr_v4("\x0a\x00\x00\x01"),
                          .dst = ip_addr_v4("\x0a\x00\x00\x02"), .csum = how % 3 };
    struct tcp_options opt;
    struct segment seg;

    check_ip(in.p, in.left);
    (void)tcp_options_parse(in.p, in.left, how & 4, &opt);
    MUST(opt.sacks <= TCP_MAX_SACKS);
    MUST(tcp_options_max_sacks(&opt) <= TCP_MAX_SACKS);
    if (how & 8)
        pkt.src = pkt.dst = IP_ADDR_ANY6;
    pkt.seg = in.p;
    pkt.seg_len = in.left;
    if (tcp_header_parse(&pkt, &seg) != TCP_PARSE_OK)
        return 0;
    MUST(seg.data >= in.p && seg.data + seg.len == in.p + in.left);
    MUST(seg.opt.wscale <= TCP_MAX_WSCALE);
    check_round_trip(&seg);
    return 0;
}
