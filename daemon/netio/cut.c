/* SPDX-License-Identifier: BSD-2-Clause */
#include "netio/cut.h"

#include <string.h>

#include "base/cleanup.h"

#define FLAGS_AT    13
#define URGENT_AT   18
#define CHECKSUM_AT 16

#define FLAG_FIN 0x01u
#define FLAG_PSH 0x08u
#define FLAG_URG 0x20u
#define FLAG_CWR 0x80u

static void put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

/* The pieces of @pkt's payload that make up [from, from + len). */
static void slice_iov(const struct packet *pkt, uint32_t from, uint32_t len, struct packet *ret)
{
    size_t skip = from, left = len;

    ret->iov_count = 0;
    for (unsigned i = 0; i < pkt->iov_count && left; i++) {
        size_t have = pkt->iov[i].iov_len, take;

        if (skip >= have) {
            skip -= have;
            continue;
        }
        take = MIN(have - skip, left);
        ret->iov[ret->iov_count++] = (struct iovec){
            .iov_base = (uint8_t *)pkt->iov[i].iov_base + skip,
            .iov_len = take,
        };
        left -= take;
        skip = 0;
    }
}

/* The urgent pointer counts from the segment's own sequence number. */
static void move_urgent(uint8_t *hdr, uint32_t from)
{
    uint32_t up = (uint32_t)hdr[URGENT_AT] << 8 | hdr[URGENT_AT + 1];

    if (!(hdr[FLAGS_AT] & FLAG_URG))
        return;
    up = up > from ? up - from : 0;
    if (!up)
        hdr[FLAGS_AT] &= (uint8_t)~FLAG_URG;
    hdr[URGENT_AT] = (uint8_t)(up >> 8);
    hdr[URGENT_AT + 1] = (uint8_t)up;
}

void cut_slice(const struct packet *pkt, uint32_t from, uint32_t len, struct packet *ret)
{
    bool last;

    from = MIN(from, pkt->payload_len);
    len = MIN(len, pkt->payload_len - from);
    last = from + len == pkt->payload_len;

    *ret = *pkt;
    slice_iov(pkt, from, len, ret);
    ret->payload_len = len;
    ret->seq = seq_add(pkt->seq, from);
    /* What pkt->seq_len has above the payload is the FIN, behind the last byte. */
    ret->seq_len = last ? pkt->seq_len - from : len;
    put32(ret->hdr + 4, ret->seq.v);
    memset(ret->hdr + CHECKSUM_AT, 0, 2);
    if (!last)
        ret->hdr[FLAGS_AT] &= (uint8_t) ~(FLAG_FIN | FLAG_PSH);
    if (from)
        ret->hdr[FLAGS_AT] &= (uint8_t)~FLAG_CWR;
    move_urgent(ret->hdr, from);
    if (len <= pkt->gso_size)
        ret->flags &= (uint8_t)~PACKET_SUPER;
}
