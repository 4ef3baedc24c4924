/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/ip6.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

int ip6_parse(const uint8_t *data, size_t len, struct ip6_header *ret)
{
    if (len < IP6_HDR_LEN || data[0] >> 4 != 6)
        return -EBADMSG;
    *ret = (struct ip6_header){
        .src = ip_addr_v6(data + 8),
        .dst = ip_addr_v6(data + 24),
        .tclass = (uint8_t)(data[0] << 4 | data[1] >> 4),
        .flow_label = (uint32_t)(data[1] & 0x0f) << 16 | (uint32_t)data[2] << 8 | data[3],
        .payload_len = (uint16_t)(data[4] << 8 | data[5]),
        .next_header = data[6],
        .hop_limit = data[7],
    };
    return 0;
}

void ip6_build(const struct ip6_header *h, uint8_t ret[IP6_HDR_LEN])
{
    ret[0] = (uint8_t)(0x60 | h->tclass >> 4);
    ret[1] = (uint8_t)(h->tclass << 4 | (h->flow_label >> 16 & 0x0f));
    ret[2] = (uint8_t)(h->flow_label >> 8);
    ret[3] = (uint8_t)h->flow_label;
    ret[4] = (uint8_t)(h->payload_len >> 8);
    ret[5] = (uint8_t)h->payload_len;
    ret[6] = h->next_header;
    ret[7] = h->hop_limit;
    memcpy(ret + 8, h->src.b, 16);
    memcpy(ret + 24, h->dst.b, 16);
}

/* Bytes of an extension header that begins at @p, 0 if @proto is none that can be stepped over. */
static size_t extension_len(uint8_t proto, const uint8_t *p)
{
    switch (proto) {
    case IPPROTO_HOPOPTS:
    case IPPROTO_ROUTING:
    case IPPROTO_DSTOPTS:
        return ((size_t)p[1] + 1) * 8;
    case IPPROTO_FRAGMENT:
        return 8;
    default:
        return 0;
    }
}

int ip6_find_upper(const uint8_t *data, size_t len, uint8_t *ret_proto, size_t *ret_offset)
{
    struct ip6_header h;
    size_t offset = IP6_HDR_LEN;
    uint8_t proto;
    int r;

    r = ip6_parse(data, len, &h);
    if (r)
        return r;

    proto = h.next_header;
    for (;;) {
        static const uint8_t nothing[8];
        const uint8_t *p = len - offset >= 8 ? data + offset : nothing;
        size_t step = extension_len(proto, p);

        if (!step)
            break;
        if (p == nothing || step > len - offset)
            return -EBADMSG;
        /* What follows the header of a later fragment is no TCP header. */
        if (proto == IPPROTO_FRAGMENT && (p[2] || p[3] & 0xf8))
            return -EBADMSG;
        proto = p[0];
        offset += step;
    }
    *ret_proto = proto;
    *ret_offset = offset;
    return 0;
}
