/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A super-frame: one TCP segment of up to 64 KB with its link header, which the
 * device or the kernel cuts at gso_size. Its TCP checksum field holds the folded
 * sum of the pseudo-header with the whole length; the rest is the cutter's.
 *
 * Whatever makes one impossible at this moment (the next hop is not resolved, the
 * conntrack entry cannot be marked, the route is another one by now) is no error:
 * it leaves in pieces.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <string.h>

#include "netio/internal.h"
#include "wire/checksum.h"
#include "wire/tcp_header.h"

#define CHECKSUM_AT 16

/* Route and device allow it, and the segments fit the device. */
static bool super_fits(const struct packet *pkt, const struct route *route)
{
    size_t ip_len = ip_addr_is_v4(&pkt->dst) ? IP4_HDR_MIN : IP6_HDR_LEN;
    size_t headers = ip_len + pkt->hdr_len;

    return pkt->conn_id && headers + pkt->gso_size <= route->path.mtu &&
           ETHER_HDR_LEN + headers + pkt->payload_len <= route->path.gso_max;
}

static void put_frame(struct send_slot *slot, const struct route *route, const uint8_t *hw)
{
    const struct packet *pkt = &slot->pkt;
    bool v4 = ip_addr_is_v4(&pkt->dst);
    uint16_t proto = htons(v4 ? ETH_P_IP : ETH_P_IPV6), sum;
    uint8_t *tcp;
    size_t len;
    uint8_t gso = v4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;

    memcpy(slot->head, hw, ETHER_ADDR_LEN);
    memcpy(slot->head + ETHER_ADDR_LEN, route->hw, ETHER_ADDR_LEN);
    memcpy(slot->head + 2 * ETHER_ADDR_LEN, &proto, sizeof(proto));
    len = ETHER_HDR_LEN + send_put_headers(pkt, slot->head + ETHER_HDR_LEN, &tcp);
    sum = checksum_fold(
        checksum_pseudo(&pkt->src, &pkt->dst, IPPROTO_TCP, pkt->hdr_len + pkt->payload_len));
    memcpy(tcp + CHECKSUM_AT, &sum, sizeof(sum));

    if (pkt->hdr[TCP_HDR_FLAGS_AT] & TCP_CWR)
        gso |= VIRTIO_NET_HDR_GSO_ECN; /* CWR is for the first segment alone */
    /* Fields are in the host's byte order (virtio 1.0 5.1.6.1: legacy interface). */
    slot->vnet = (struct virtio_net_hdr){
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .gso_type = gso,
        .hdr_len = (uint16_t)len,
        .gso_size = pkt->gso_size,
        .csum_start = (uint16_t)(tcp - slot->head),
        .csum_offset = CHECKSUM_AT,
    };
    slot->iov[0] = (struct iovec){ &slot->vnet, sizeof(slot->vnet) };
    slot->iov[1] = (struct iovec){ slot->head, len };
    for (int i = 0; i < pkt->iov_count; i++)
        slot->iov[2 + i] = pkt->iov[i];

    slot->to.ll = (struct sockaddr_ll){
        .sll_family = AF_PACKET,
        .sll_protocol = proto,
        .sll_ifindex = (int)route->path.ifindex,
        .sll_halen = ETHER_ADDR_LEN,
    };
    memcpy(slot->to.ll.sll_addr, hw, ETHER_ADDR_LEN);
}

bool super_prepare(struct netio *n, struct send_slot *slot)
{
    const struct packet *pkt = &slot->pkt;
    struct flow flow = send_flow(pkt);
    const struct route *route;
    const uint8_t *hw;

    if (route_lookup(n, &flow, pkt->ifindex, &route) || !super_fits(pkt, route))
        return false;
    hw = neighbour_find(n, &route->next_hop, route->path.ifindex);
    if (!hw || !conntrack_allows_super(n, pkt->conn_id, &flow))
        return false;
    neighbour_in_use(n, &route->next_hop, route->path.ifindex, pkt->flags & PACKET_PROGRESS);
    put_frame(slot, route, hw);
    return true;
}

void super_fill_msg(struct send_slot *slot, struct mmsghdr *msg)
{
    *msg = (struct mmsghdr){
        .msg_hdr = {
            .msg_name = &slot->to,
            .msg_namelen = sizeof(slot->to.ll),
            .msg_iov = slot->iov,
            .msg_iovlen = 2u + slot->pkt.iov_count,
        },
    };
}

void super_refused(struct netio *n, uint32_t ifindex, bool for_good)
{
    struct link *l = link_find(n, ifindex);

    if (l && for_good)
        l->no_gso = true;
    route_flush(n);
    n->routes_lost = true;
}
