/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/ip4.h"

#include <errno.h>
#include <string.h>

#include "wire/checksum.h"

#define FLAG_DF     0x4000u
#define FLAG_MF     0x2000u
#define OFFSET_MASK 0x1fffu

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

int ip4_parse(const uint8_t *data, size_t len, struct ip4_header *ret)
{
    uint16_t frag, total;
    uint8_t hdr_len;

    if (len < IP4_HDR_MIN || data[0] >> 4 != 4)
        return -EBADMSG;
    hdr_len = (uint8_t)((data[0] & 0x0f) * 4);
    total = get16(data + 2);
    if (hdr_len < IP4_HDR_MIN || hdr_len > len || total < hdr_len)
        return -EBADMSG;

    frag = get16(data + 6);
    *ret = (struct ip4_header){
        .src = ip_addr_v4(data + 12),
        .dst = ip_addr_v4(data + 16),
        .tos = data[1],
        .ttl = data[8],
        .proto = data[9],
        .df = frag & FLAG_DF,
        .mf = frag & FLAG_MF,
        .frag_offset = frag & OFFSET_MASK,
        .total_len = total,
        .hdr_len = hdr_len,
        .options_len = (uint8_t)(hdr_len - IP4_HDR_MIN),
    };
    if (ret->options_len)
        ret->options = data + IP4_HDR_MIN;
    return 0;
}

void ip4_build(const struct ip4_header *h, uint8_t ret[IP4_HDR_MIN])
{
    uint16_t sum;

    memset(ret, 0, IP4_HDR_MIN);
    ret[0] = 0x45;
    ret[1] = h->tos;
    put16(ret + 2, h->total_len);
    put16(ret + 6, h->df ? FLAG_DF : 0);
    ret[8] = h->ttl;
    ret[9] = h->proto;
    memcpy(ret + 12, h->src.b + 12, 4);
    memcpy(ret + 16, h->dst.b + 12, 4);
    sum = (uint16_t)~checksum_fold(checksum_partial(0, ret, IP4_HDR_MIN));
    memcpy(ret + 10, &sum, sizeof(sum));
}
