/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segments come in by raw IP sockets: after defragmentation, the kernel's source
 * checks and the INPUT rules, and before our claim drops them. What is left to
 * check here is what the kernel delivers to raw sockets and not to TCP: packets
 * to a group or a broadcast address, and IPv6 packets whose addresses are mapped
 * ones, which would pass for IPv4 inside.
 *
 * An IPv4 checksum may be partial without any sign of it (PACKET_CSUM_PARTIAL);
 * an IPv6 one has been verified by the kernel (IPV6_CHECKSUM).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "netio/internal.h"

/* What one message of recvmmsg() points to besides its buffer. */
struct recv_aux {
    struct iovec iov;
    union {
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } from;
    _Alignas(struct cmsghdr) uint8_t control[256];
};

int receiver_init(struct netio *n)
{
    struct receiver *rx = &n->receiver;

    rx->buffer = malloc((size_t)RECV_BATCH * RECV_BUFFER_BYTES);
    rx->msg = calloc(RECV_BATCH, sizeof(*rx->msg));
    rx->aux = calloc(RECV_BATCH, sizeof(*rx->aux));
    return rx->buffer && rx->msg && rx->aux ? 0 : -ENOMEM;
}

void receiver_deinit(struct netio *n)
{
    free(n->receiver.buffer);
    free(n->receiver.msg);
    free(n->receiver.aux);
}

/* recvmmsg() changes the lengths, so they are set before every call. */
static void arm(struct receiver *rx, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct recv_aux *aux = &rx->aux[i];

        aux->iov = (struct iovec){
            .iov_base = rx->buffer + (size_t)i * RECV_BUFFER_BYTES,
            .iov_len = RECV_BUFFER_BYTES,
        };
        rx->msg[i].msg_hdr = (struct msghdr){
            .msg_name = &aux->from,
            .msg_namelen = sizeof(aux->from),
            .msg_iov = &aux->iov,
            .msg_iovlen = 1,
            .msg_control = aux->control,
            .msg_controllen = sizeof(aux->control),
        };
    }
}

/* Device and destination as the kernel routed it. False: not for one host, or unknown. */
static bool read_control4(struct msghdr *h, struct packet *pkt)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        struct in_pktinfo info;

        if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_PKTINFO ||
            c->cmsg_len < CMSG_LEN(sizeof(info)))
            continue;
        memcpy(&info, CMSG_DATA(c), sizeof(info));
        pkt->ifindex = (uint32_t)info.ipi_ifindex;
        /* For a broadcast the two differ: spec_dst is what we would answer from. */
        return info.ipi_addr.s_addr == info.ipi_spec_dst.s_addr;
    }
    return false;
}

static bool read_control6(struct msghdr *h, struct packet *pkt)
{
    bool found = false;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        struct in6_pktinfo info;
        int value;

        if (c->cmsg_level != IPPROTO_IPV6)
            continue;
        if (c->cmsg_type == IPV6_PKTINFO && c->cmsg_len >= CMSG_LEN(sizeof(info))) {
            memcpy(&info, CMSG_DATA(c), sizeof(info));
            pkt->ifindex = (uint32_t)info.ipi6_ifindex;
            pkt->dst = ip_addr_v6(&info.ipi6_addr);
            found = true;
        } else if (c->cmsg_len >= CMSG_LEN(sizeof(value))) {
            memcpy(&value, CMSG_DATA(c), sizeof(value));
            if (c->cmsg_type == IPV6_TCLASS)
                pkt->tos = (uint8_t)value;
            else if (c->cmsg_type == IPV6_HOPLIMIT)
                pkt->ttl = (uint8_t)value;
        }
    }
    return found;
}

/* IPv4: the buffer begins with the IP header. */
static bool read_packet4(struct mmsghdr *msg, const struct recv_aux *aux, struct packet *pkt)
{
    const uint8_t *data = aux->iov.iov_base;
    struct ip4_header ip;

    if (ip4_parse(data, msg->msg_len, &ip) || ip.total_len > msg->msg_len)
        return false;
    *pkt = (struct packet){
        .src = ip.src,
        .dst = ip.dst,
        .ttl = ip.ttl,
        .tos = ip.tos,
        .csum = PACKET_CSUM_PARTIAL,
        .seg = data + ip.hdr_len,
        .seg_len = (size_t)ip.total_len - ip.hdr_len,
        .ip_options = ip.options,
        .ip_options_len = ip.options_len,
    };
    return read_control4(&msg->msg_hdr, pkt);
}

/* IPv6: the buffer begins with the TCP header, the rest is ancillary data. */
static bool read_packet6(struct mmsghdr *msg, const struct recv_aux *aux, struct packet *pkt)
{
    if (msg->msg_hdr.msg_namelen < sizeof(aux->from.in6))
        return false;
    *pkt = (struct packet){
        .src = ip_addr_v6(&aux->from.in6.sin6_addr),
        .csum = PACKET_CSUM_VERIFIED,
        .seg = aux->iov.iov_base,
        .seg_len = msg->msg_len,
    };
    return read_control6(&msg->msg_hdr, pkt) && !ip_addr_is_v4(&pkt->src) &&
           !ip_addr_is_v4(&pkt->dst);
}

static void deliver(struct netio *n, int family, struct mmsghdr *msg, const struct recv_aux *aux)
{
    struct packet pkt;
    bool ok;

    if (msg->msg_hdr.msg_flags & MSG_TRUNC) {
        n->stats.short_in++;
        return;
    }
    ok = family == AF_INET ? read_packet4(msg, aux, &pkt) : read_packet6(msg, aux, &pkt);
    if (!ok || pkt.seg_len < TCP_HDR_MIN) {
        n->stats.short_in++;
        return;
    }
    if (!ip_addr_is_unicast(&pkt.dst) || !ip_addr_is_unicast(&pkt.src) ||
        !port_filter_has(&n->filter, (uint16_t)(pkt.seg[2] << 8 | pkt.seg[3]))) {
        n->stats.not_ours++;
        return;
    }
    n->stats.packets_in++;
    n->handler.packet(n->handler.ctx, &pkt, n->now);
}

/*
 * Reads at most *packets (and one batch) from @fd; what was read is taken off
 * *packets and *bytes. True: the batch was full, there may be more.
 */
bool receiver_batch(struct netio *n, int fd, int family, unsigned *packets, size_t *bytes)
{
    struct receiver *rx = &n->receiver;
    unsigned want = MIN(*packets, RECV_BATCH);
    int got;

    if (fd < 0 || !want)
        return false;
    arm(rx, want);
    got = recvmmsg(fd, rx->msg, want, MSG_DONTWAIT, NULL);
    /* An error of the socket (a device went down) is reported once and then gone. */
    if (got < 0)
        return errno == EINTR;
    for (int i = 0; i < got; i++) {
        *bytes -= MIN(*bytes, (size_t)rx->msg[i].msg_len);
        deliver(n, family, &rx->msg[i], &rx->aux[i]);
    }
    *packets -= (unsigned)got;
    return (unsigned)got == want;
}
