/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What fits the MTU leaves by raw sockets: the kernel routes it, resolves the
 * neighbour and applies OUTPUT rules and connection tracking. The routing lookup
 * would not look at the header's source address, so it goes along as ancillary
 * data for the sake of policy rules. Super-frames are super.c's.
 *
 * The queue keeps the order of packets: it is flushed in runs of one kind, each a
 * sendmmsg(). That call stops at the packet which is refused; it is reported and
 * the rest goes on, except when the kernel's buffers are full.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "netio/internal.h"
#include "wire/checksum.h"

#define CHECKSUM_AT 16
#define TTL_DEFAULT 64

/* How a flush goes on after a run. */
enum outcome { OUT_ALL, OUT_REFUSED, OUT_FULL };

struct unsent {
    void (*report)(void *ctx, const struct packet *pkt, int error);
    void *ctx;
};

struct flow send_flow(const struct packet *pkt)
{
    struct flow f = {
        .local = pkt->src,
        .remote = pkt->dst,
        .lport = (uint16_t)(pkt->hdr[0] << 8 | pkt->hdr[1]),
        .rport = (uint16_t)(pkt->hdr[2] << 8 | pkt->hdr[3]),
    };

    if (ip_addr_is_linklocal(&pkt->dst))
        f.zone = pkt->ifindex;
    return f;
}

/* ---- one raw packet
 * ------------------------------------------------------------------------------- */

static uint16_t full_checksum(const struct packet *pkt, const uint8_t *tcp)
{
    struct iovec iov[3] = { { (uint8_t *)tcp, pkt->hdr_len } };
    uint32_t sum =
        checksum_pseudo(&pkt->src, &pkt->dst, IPPROTO_TCP, pkt->hdr_len + pkt->payload_len);

    for (int i = 0; i < pkt->iov_count; i++)
        iov[1 + i] = pkt->iov[i];
    return (uint16_t)~checksum_fold(checksum_iov(sum, iov, 1 + pkt->iov_count));
}

static size_t put_ip_header(const struct packet *pkt, uint8_t *ret)
{
    uint8_t ttl = pkt->ttl ? pkt->ttl : TTL_DEFAULT;
    uint32_t len = pkt->hdr_len + pkt->payload_len;

    if (ip_addr_is_v4(&pkt->dst)) {
        struct ip4_header h = {
            .src = pkt->src,
            .dst = pkt->dst,
            .tos = pkt->tos,
            .ttl = ttl,
            .proto = IPPROTO_TCP,
            .df = true,
            .total_len = (uint16_t)(IP4_HDR_MIN + len),
        };

        ip4_build(&h, ret);
        return IP4_HDR_MIN;
    } else {
        struct ip6_header h = {
            .src = pkt->src,
            .dst = pkt->dst,
            .tclass = pkt->tos,
            .hop_limit = ttl,
            .next_header = IPPROTO_TCP,
            .payload_len = (uint16_t)len,
        };

        ip6_build(&h, ret);
        return IP6_HDR_LEN;
    }
}

size_t send_put_headers(const struct packet *pkt, uint8_t *ret, uint8_t **ret_tcp)
{
    size_t ip_len = put_ip_header(pkt, ret);

    memcpy(ret + ip_len, pkt->hdr, pkt->hdr_len);
    memset(ret + ip_len + CHECKSUM_AT, 0, 2);
    *ret_tcp = ret + ip_len;
    return ip_len + pkt->hdr_len;
}

static void address4(struct send_slot *slot, struct msghdr *h)
{
    const struct packet *pkt = &slot->pkt;
    struct in_pktinfo info = { .ipi_ifindex = (int)pkt->ifindex };
    struct cmsghdr *c;

    slot->to.in = (struct sockaddr_in){ .sin_family = AF_INET };
    memcpy(&slot->to.in.sin_addr, pkt->dst.b + 12, 4);
    h->msg_namelen = sizeof(slot->to.in);

    memcpy(&info.ipi_spec_dst, pkt->src.b + 12, 4);
    h->msg_controllen = CMSG_SPACE(sizeof(info));
    c = CMSG_FIRSTHDR(h);
    *c = (struct cmsghdr){ CMSG_LEN(sizeof(info)), IPPROTO_IP, IP_PKTINFO };
    memcpy(CMSG_DATA(c), &info, sizeof(info));
}

static void address6(struct send_slot *slot, struct msghdr *h)
{
    const struct packet *pkt = &slot->pkt;
    struct in6_pktinfo info = { .ipi6_ifindex = pkt->ifindex };
    struct cmsghdr *c;

    slot->to.in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6 };
    memcpy(&slot->to.in6.sin6_addr, pkt->dst.b, 16);
    if (ip_addr_is_linklocal(&pkt->dst))
        slot->to.in6.sin6_scope_id = pkt->ifindex;
    h->msg_namelen = sizeof(slot->to.in6);

    memcpy(&info.ipi6_addr, pkt->src.b, 16);
    h->msg_controllen = CMSG_SPACE(sizeof(info));
    c = CMSG_FIRSTHDR(h);
    *c = (struct cmsghdr){ CMSG_LEN(sizeof(info)), IPPROTO_IPV6, IPV6_PKTINFO };
    memcpy(CMSG_DATA(c), &info, sizeof(info));
}

void send_raw_prepare(struct send_slot *slot, struct mmsghdr *msg)
{
    const struct packet *pkt = &slot->pkt;
    uint8_t *tcp;
    uint16_t sum;

    slot->iov[0].iov_base = slot->head;
    slot->iov[0].iov_len = send_put_headers(pkt, slot->head, &tcp);
    sum = full_checksum(pkt, tcp);
    memcpy(tcp + CHECKSUM_AT, &sum, sizeof(sum));
    for (int i = 0; i < pkt->iov_count; i++)
        slot->iov[1 + i] = pkt->iov[i];

    *msg = (struct mmsghdr){
        .msg_hdr = {
            .msg_name = &slot->to,
            .msg_iov = slot->iov,
            .msg_iovlen = 1u + pkt->iov_count,
            .msg_control = slot->control,
        },
    };
    memset(slot->control, 0, sizeof(slot->control));
    if (ip_addr_is_v4(&pkt->dst))
        address4(slot, &msg->msg_hdr);
    else
        address6(slot, &msg->msg_hdr);
}

/* ---- runs
 * ------------------------------------------------------------------------------------------- */

static int run_socket(const struct netio *n, const struct send_slot *slot)
{
    if (slot->kind == SEND_SUPER)
        return n->fds.packet_out;
    return ip_addr_is_v4(&slot->pkt.dst) ? n->fds.raw4_out : n->fds.raw6_out;
}

/* MSG_CONFIRM is said of a whole call, so packets with and without it are runs apart. */
static int run_flags(const struct send_slot *slot)
{
    bool confirm = slot->kind != SEND_SUPER && slot->pkt.flags & PACKET_PROGRESS;

    return MSG_DONTWAIT | (confirm ? MSG_CONFIRM : 0);
}

static bool same_run(const struct send_slot *a, const struct send_slot *b)
{
    return a->kind == b->kind && run_flags(a) == run_flags(b);
}

/* Sends @count messages of one run; *ret_sent of them went. 0 or -errno of the next one. */
static int send_run(struct netio *n, const struct send_slot *slot, struct mmsghdr *msg,
                    unsigned count, unsigned *ret_sent)
{
    int fd = run_socket(n, slot), r;

    *ret_sent = 0;
    if (fd < 0)
        return -EAFNOSUPPORT;
    r = sendmmsg(fd, msg, count, run_flags(slot));
    if (r < 0)
        return -errno;
    *ret_sent = (unsigned)r;
    return 0;
}

static void give_back(struct netio *n, const struct unsent *u, const struct packet *pkt, int error)
{
    n->stats.send_errors++;
    u->report(u->ctx, pkt, error == -ENOMEM ? -ENOBUFS : error);
}

/* No room in our socket, in the device's queue, or in memory: later is better than never. */
static bool is_full(int error)
{
    return error == -EAGAIN || error == -ENOBUFS || error == -ENOMEM;
}

/*
 * A super-frame in pieces, by raw socket. What is left of it when a piece is
 * refused is given back as one packet: the pieces behind would fare the same.
 */
static enum outcome send_cut(struct netio *n, const struct packet *super, const struct unsent *u)
{
    uint32_t step = super->gso_size, from = 0;
    struct packet rest;

    while (from < super->payload_len) {
        unsigned count = 0, sent = 0;
        int r;

        for (uint32_t at = from; count < SEND_BATCH && at < super->payload_len; at += step) {
            struct send_slot *part = &n->sendq.part[count];

            cut_slice(super, at, step, &part->pkt);
            part->kind = ip_addr_is_v4(&super->dst) ? SEND_RAW4 : SEND_RAW6;
            send_raw_prepare(part, &n->sendq.cut_msg[count++]);
        }
        r = send_run(n, n->sendq.part, n->sendq.cut_msg, count, &sent);
        n->stats.packets_out += sent;
        from += sent * step;
        if (r == -EINTR)
            continue;
        if (r) {
            cut_slice(super, from, UINT32_MAX, &rest);
            give_back(n, u, &rest, r);
            return is_full(r) ? OUT_FULL : OUT_REFUSED;
        }
    }
    return OUT_ALL;
}

/* The kernel does not take this frame as one: it goes in pieces. */
static bool super_is_refused(int error)
{
    return error != 0 && !is_full(error) && error != -ENETDOWN;
}

/* Not now, because devices change at any time, or never? */
static bool refused_for_good(int error)
{
    return error == -EINVAL || error == -EOPNOTSUPP || error == -EPERM || error == -EACCES;
}

/* One run from slot @i on; returns how many slots are done with. */
static unsigned flush_run(struct netio *n, unsigned i, const struct unsent *u, enum outcome *ret)
{
    struct sendq *q = &n->sendq;
    struct send_slot *slot = &q->slot[i];
    unsigned end = i + 1, sent;
    int r;

    *ret = OUT_ALL;
    if (slot->kind == SEND_CUT) {
        *ret = send_cut(n, &slot->pkt, u);
        return 1;
    }
    while (end < q->count && same_run(slot, &q->slot[end]))
        end++;
    r = send_run(n, slot, &q->msg[i], end - i, &sent);
    n->stats.packets_out += sent;
    if (slot->kind == SEND_SUPER)
        n->stats.supers_out += sent;
    if (!r || r == -EINTR)
        return sent;
    if (slot->kind == SEND_SUPER && super_is_refused(r)) {
        super_refused(n, (uint32_t)slot->to.ll.sll_ifindex, refused_for_good(r));
        slot->kind = SEND_CUT;
        n->stats.supers_cut++;
        return 0;
    }
    give_back(n, u, &slot->pkt, r);
    *ret = is_full(r) ? OUT_FULL : OUT_REFUSED;
    return 1;
}

static void ignore(void *ctx, const struct packet *pkt, int error)
{
}

bool netio_flush(struct netio *n, void (*unsent)(void *ctx, const struct packet *pkt, int error),
                 void *ctx)
{
    struct unsent u = { unsent ? unsent : ignore, ctx };
    struct sendq *q = &n->sendq;
    enum outcome out = OUT_ALL;
    unsigned i = 0;

    while (i < q->count && out != OUT_FULL)
        i += flush_run(n, i, &u, &out);
    for (; i < q->count; i++)
        give_back(n, &u, &q->slot[i].pkt, -EAGAIN);
    q->count = 0;
    return out == OUT_FULL;
}

/* What the length fields of an IP header can say. */
static bool is_packet(const struct packet *pkt)
{
    uint32_t max = ip_addr_is_v4(&pkt->dst) ? UINT16_MAX - IP4_HDR_MIN : UINT16_MAX;

    return pkt->hdr_len >= TCP_HDR_MIN && pkt->hdr_len <= TCP_HDR_MAX && pkt->iov_count <= 2 &&
           pkt->payload_len <= max - pkt->hdr_len;
}

int netio_send(struct netio *n, const struct packet *pkt)
{
    struct sendq *q = &n->sendq;
    struct send_slot *slot = &q->slot[q->count];
    struct mmsghdr *msg = &q->msg[q->count];

    if (q->count == SEND_BATCH)
        return -EAGAIN;
    if (!is_packet(pkt))
        return -EINVAL;
    slot->pkt = *pkt;
    if (pkt->flags & PACKET_SUPER && pkt->gso_size && pkt->payload_len > pkt->gso_size) {
        if (super_prepare(n, slot)) {
            slot->kind = SEND_SUPER;
            super_fill_msg(slot, msg);
        } else {
            slot->kind = SEND_CUT;
            n->stats.supers_cut++;
        }
    } else {
        slot->kind = ip_addr_is_v4(&pkt->dst) ? SEND_RAW4 : SEND_RAW6;
        send_raw_prepare(slot, msg);
    }
    q->count++;
    return 0;
}
