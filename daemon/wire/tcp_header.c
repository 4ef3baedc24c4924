/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/tcp_header.h"

#include <endian.h>
#include <string.h>

#include "wire/checksum.h"
#include "wire/tcp_options.h"

#define IPPROTO_TCP_ 6

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, (uint16_t)(v >> 16));
    put16(p + 2, (uint16_t)v);
}

/*
 * A segment that came over lo, or that GRO merged, may carry only the folded sum
 * of its pseudo-header: the sender left the rest to a device that never saw it.
 */
static bool checksum_good(const struct packet *pkt)
{
    uint32_t pseudo;
    uint16_t field;

    if (pkt->csum == PACKET_CSUM_VERIFIED)
        return true;
    pseudo = checksum_pseudo(&pkt->src, &pkt->dst, IPPROTO_TCP_, (uint32_t)pkt->seg_len);
    memcpy(&field, pkt->seg + 16, sizeof(field));
    if (pkt->csum == PACKET_CSUM_PARTIAL && field == checksum_fold(pseudo))
        return true;
    return checksum_fold(checksum_partial(pseudo, pkt->seg, pkt->seg_len)) == 0xffff;
}

enum tcp_parse tcp_header_parse(const struct packet *pkt, struct segment *ret)
{
    const uint8_t *p = pkt->seg;
    size_t hdr_len;

    if (pkt->seg_len < TCP_HDR_MIN)
        return TCP_PARSE_SHORT;
    hdr_len = (size_t)(p[12] >> 4) * 4;
    if (hdr_len < TCP_HDR_MIN || hdr_len > pkt->seg_len)
        return TCP_PARSE_OFFSET;
    if (!checksum_good(pkt))
        return TCP_PARSE_CHECKSUM;

    ret->sport = get16(p);
    ret->dport = get16(p + 2);
    ret->seq = seq_of(get32(p + 4));
    ret->ack = seq_of(get32(p + 8));
    ret->flags = p[13];
    ret->wnd = get16(p + 14);
    ret->up = get16(p + 18);
    ret->data = p + hdr_len;
    ret->len = (uint32_t)(pkt->seg_len - hdr_len);
    if (!tcp_options_parse(p + TCP_HDR_MIN, hdr_len - TCP_HDR_MIN, ret->flags & TCP_SYN, &ret->opt))
        return TCP_PARSE_OPTIONS;
    return TCP_PARSE_OK;
}

uint8_t tcp_header_build(const struct segment *seg, uint8_t hdr[TCP_HDR_MAX])
{
    uint8_t len = (uint8_t)(TCP_HDR_MIN + tcp_options_build(&seg->opt, hdr + TCP_HDR_MIN));

    put16(hdr, seg->sport);
    put16(hdr + 2, seg->dport);
    put32(hdr + 4, seg->seq.v);
    put32(hdr + 8, seg->flags & TCP_ACK ? seg->ack.v : 0);
    hdr[12] = (uint8_t)(len / 4 << 4);
    hdr[13] = seg->flags;
    put16(hdr + 14, seg->wnd);
    put16(hdr + 16, 0);
    put16(hdr + 18, seg->flags & TCP_URG ? seg->up : 0);
    return len;
}

void tcp_header_set_checksum(struct packet *pkt)
{
    struct iovec all[3] = { { pkt->hdr, pkt->hdr_len }, pkt->iov[0], pkt->iov[1] };
    uint32_t sum = checksum_pseudo(&pkt->src, &pkt->dst, IPPROTO_TCP_,
                                   pkt->hdr_len + pkt->payload_len);
    uint16_t field;

    memset(pkt->hdr + 16, 0, 2);
    field = (uint16_t)~checksum_fold(checksum_iov(sum, all, 1 + pkt->iov_count));
    memcpy(pkt->hdr + 16, &field, sizeof(field));
}
