/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets on their way wait in a binary heap, ordered by arrival and then by departure. */
#include "lib/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "wire/tcp_header.h"

#define IP_HEADER(v4) ((v4) ? 20u : 40u)

struct flying {
    usec_t at;
    uint64_t order;
    struct ip_addr src, dst;
    uint8_t ttl, tos;
    bool corrupt;
    size_t len;
    uint8_t *bytes;
};

struct link {
    struct link_params p;
    struct rng rng;
    struct flying *heap;
    size_t count, cap;
    uint64_t order;
    usec_t busy_until; /* the rate: when all that is queued has left */
    usec_t last_at;    /* jitter does not reorder */
    uint8_t *current;  /* given out by link_receive() */
    unsigned oversized;
};

struct link *link_new(const struct link_params *params, uint64_t seed)
{
    struct link *l = calloc(1, sizeof(*l));

    if (!l)
        abort();
    l->p = *params;
    l->rng.s = seed;
    return l;
}

struct link *link_free(struct link *l)
{
    if (!l)
        return NULL;
    for (size_t i = 0; i < l->count; i++)
        free(l->heap[i].bytes);
    free(l->heap);
    free(l->current);
    free(l);
    return NULL;
}

unsigned link_oversized(const struct link *l)
{
    return l->oversized;
}

/* ---- the heap ------------------------------------------------------------------- */

static bool before(const struct flying *a, const struct flying *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void swap(struct link *l, size_t a, size_t b)
{
    struct flying t = l->heap[a];

    l->heap[a] = l->heap[b];
    l->heap[b] = t;
}

static void push(struct link *l, const struct flying *f)
{
    size_t i = l->count;

    if (l->count == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 64;
        l->heap = realloc(l->heap, l->cap * sizeof(*l->heap));
        if (!l->heap)
            abort();
    }
    l->heap[l->count++] = *f;
    for (; i && before(&l->heap[i], &l->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(l, i, (i - 1) / 2);
}

static struct flying pop(struct link *l)
{
    struct flying top = l->heap[0];
    size_t i = 0;

    l->heap[0] = l->heap[--l->count];
    for (;;) {
        size_t least = i, left = 2 * i + 1;

        if (left < l->count && before(&l->heap[left], &l->heap[least]))
            least = left;
        if (left + 1 < l->count && before(&l->heap[left + 1], &l->heap[least]))
            least = left + 1;
        if (least == i)
            return top;
        swap(l, i, least);
        i = least;
    }
}

/* ---- sending -------------------------------------------------------------------- */

/* Does it fit the queue before the rate? If so: when has it left? */
static bool leaves_at(struct link *l, size_t len, usec_t now, usec_t *ret)
{
    usec_t start = usec_max(now, l->busy_until);

    if (!l->p.bytes_per_sec) {
        *ret = now;
        return true;
    }
    if ((start - now) * l->p.bytes_per_sec / USEC_PER_SEC + len > l->p.queue_bytes)
        return false;
    l->busy_until = start + len * USEC_PER_SEC / l->p.bytes_per_sec;
    *ret = l->busy_until;
    return true;
}

static usec_t arrives_at(struct link *l, usec_t left)
{
    usec_t at = left + l->p.delay + (l->p.jitter ? rng_upto(&l->rng, l->p.jitter) : 0);

    if (rng_chance(&l->rng, l->p.reorder_ppm))
        return at + rng_upto(&l->rng, l->p.reorder_delay);
    at = usec_max(at, l->last_at);
    l->last_at = at;
    return at;
}

/* One flipped byte is always seen by the checksum: a 16-bit word changes by less than 2^16-1. */
static void corrupt(struct link *l, struct flying *f)
{
    f->bytes[rng_upto(&l->rng, f->len - 1)] ^= (uint8_t)rng_between(&l->rng, 1, 255);
    f->corrupt = true;
}

static void fly(struct link *l, const struct packet *pkt, const uint8_t *bytes, size_t len,
                usec_t at)
{
    struct flying f = { .at = at, .order = l->order++, .src = pkt->src, .dst = pkt->dst,
                        .ttl = pkt->ttl, .tos = pkt->tos, .len = len };

    f.bytes = malloc(len);
    if (!f.bytes)
        abort();
    memcpy(f.bytes, bytes, len);
    if (rng_chance(&l->rng, l->p.corrupt_ppm))
        corrupt(l, &f);
    push(l, &f);
}

static void send_one(struct link *l, const struct packet *pkt, const uint8_t *bytes, size_t len,
                     usec_t now)
{
    usec_t left;

    if (!leaves_at(l, len + IP_HEADER(ip_addr_is_v4(&pkt->src)), now, &left) ||
        rng_chance(&l->rng, l->p.loss_ppm))
        return;
    fly(l, pkt, bytes, len, arrives_at(l, left));
    if (rng_chance(&l->rng, l->p.duplicate_ppm))
        fly(l, pkt, bytes, len, arrives_at(l, left));
}

static size_t flatten(struct packet *pkt, uint8_t *flat)
{
    size_t at = pkt->hdr_len;

    tcp_header_set_checksum(pkt);
    memcpy(flat, pkt->hdr, at);
    for (int i = 0; i < pkt->iov_count; i++) {
        memcpy(flat + at, pkt->iov[i].iov_base, pkt->iov[i].iov_len);
        at += pkt->iov[i].iov_len;
    }
    return at;
}

static void add_seq(uint8_t *field, uint32_t n)
{
    uint32_t v = ((uint32_t)field[0] << 24 | (uint32_t)field[1] << 16 | (uint32_t)field[2] << 8 |
                  field[3]) + n;

    field[0] = (uint8_t)(v >> 24);
    field[1] = (uint8_t)(v >> 16);
    field[2] = (uint8_t)(v >> 8);
    field[3] = (uint8_t)v;
}

/* What a device does with a super-frame: PSH and FIN on the last piece only. */
static void send_pieces(struct link *l, const struct packet *pkt, uint8_t *payload, usec_t now)
{
    uint8_t flat[70000];

    for (uint32_t at = 0; at < pkt->payload_len; at += pkt->gso_size) {
        struct packet piece = *pkt;
        uint32_t len = MIN((uint32_t)pkt->gso_size, pkt->payload_len - at);

        add_seq(piece.hdr + 4, at);
        if (at + len < pkt->payload_len)
            piece.hdr[13] &= (uint8_t)~(TCP_FIN | TCP_PSH);
        if (at)
            piece.hdr[13] &= (uint8_t)~TCP_CWR;
        piece.iov[0] = (struct iovec){ payload + at, len };
        piece.iov_count = 1;
        piece.payload_len = len;
        send_one(l, &piece, flat, flatten(&piece, flat), now);
    }
}

static bool too_long(const struct packet *pkt, size_t payload, uint32_t mtu)
{
    return IP_HEADER(ip_addr_is_v4(&pkt->src)) + pkt->hdr_len + payload > mtu;
}

bool link_send(struct link *l, struct packet *pkt, usec_t now, struct icmp_error *ret)
{
    bool super = pkt->flags & PACKET_SUPER;
    size_t piece = super ? pkt->gso_size : pkt->payload_len;
    uint8_t flat[70000];
    size_t len = flatten(pkt, flat);

    if (too_long(pkt, piece, l->p.mtu))
        l->oversized++;
    if (l->p.path_mtu && too_long(pkt, piece, l->p.path_mtu)) {
        bool v4 = ip_addr_is_v4(&pkt->src);

        *ret = (struct icmp_error){ .ipv6 = !v4, .type = v4 ? 3 : 2, .code = v4 ? 4 : 0,
                                    .mtu = l->p.path_mtu, .error = EMSGSIZE, .seq = pkt->seq };
        ret->flow = (struct flow){ .local = pkt->src, .remote = pkt->dst };
        ret->flow.lport = (uint16_t)(pkt->hdr[0] << 8 | pkt->hdr[1]);
        ret->flow.rport = (uint16_t)(pkt->hdr[2] << 8 | pkt->hdr[3]);
        return true;
    }
    if (super && !l->p.whole_supers)
        send_pieces(l, pkt, flat + pkt->hdr_len, now);
    else
        send_one(l, pkt, flat, len, now);
    return false;
}

/* ---- receiving ------------------------------------------------------------------- */

usec_t link_next_at(const struct link *l)
{
    return l->count ? l->heap[0].at : USEC_NEVER;
}

bool link_receive(struct link *l, usec_t now, struct packet *ret, bool *ret_corrupt)
{
    struct flying f;

    if (link_next_at(l) > now)
        return false;
    f = pop(l);
    free(l->current);
    l->current = f.bytes;
    *ret = (struct packet){ .src = f.src, .dst = f.dst, .ttl = f.ttl, .tos = f.tos, .ifindex = 2,
                            .csum = PACKET_CSUM_VERIFY, .seg = f.bytes, .seg_len = f.len };
    *ret_corrupt = f.corrupt;
    return true;
}
