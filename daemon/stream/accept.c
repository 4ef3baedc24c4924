/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accepted connections, handed to a listener's program: one message each, with the
 * program's end of a pair that is ours from the first byte, so that it carries a
 * sentinel. At most ACCEPT_IN_FLIGHT lie in the descriptor, the others wait in
 * sock's queue, where the backlog counts them.
 *
 * Which of them were received is read off SIOCOUTQ: the messages are of one size.
 * When the program closes the listener the kernel empties its queue, which looks the
 * same as reading it; then each connection tells by itself whether it still lives.
 */
#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream/entry.h"

static struct accept_slot *slot_at(struct accept_queue *q, unsigned i)
{
    return &q->slot[(q->first + i) % ACCEPT_IN_FLIGHT];
}

static bool hung_up(int fd)
{
    struct pollfd p = { .fd = fd };

    return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP) != 0;
}

static void begin(struct stream *st, struct entry *l)
{
    l->accept = calloc(1, sizeof(*l->accept));
    if (!l->accept)
        return;
    l->phase = ENTRY_LISTENING;
    /* Each accept() is an event while a quarter of the buffer holds all there may be. */
    set_sndbuf(l->fd, (int)(4 * ACCEPT_IN_FLIGHT *
                            hidden_cost(&st->costs, sizeof(struct stream_accept_msg))));
}

static int pair_make(int family, int pair[2])
{
    int r;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    set_sndbuf(pair[1], PROGRAM_SNDBUF_ACCEPTED);
    r = fresh_bind(pair[1], family);
    if (r == 0 && send(pair[1], "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1)
        r = -EIO;
    if (r < 0) {
        close(pair[0]);
        close(pair[1]);
    }
    return r;
}

static void describe(const struct sock *listener, const struct sock *s,
                     struct stream_accept_msg *ret)
{
    struct sock_addr peer = { .addr = IP_ADDR_ANY6 };

    sock_peer(s, &peer); /* dead already: an address of zeros, and its errno follows */
    *ret = (struct stream_accept_msg){
        .magic = STREAM_ACCEPT_MAGIC,
        .family = (uint16_t)sock_family(listener),
        .port = peer.port,
        .scope = peer.scope,
    };
    memcpy(ret->addr, peer.addr.b, sizeof(ret->addr));
}

static int take_one(struct stream *st, struct entry *l, usec_t now)
{
    struct accept_queue *q = l->accept;
    struct accept_slot *slot = slot_at(q, q->count);
    struct entry *child;
    struct sock *s;
    int pair[2], one = 1, r;

    r = pair_make(sock_family(l->sock), pair);
    if (r < 0)
        return r;
    r = sock_accept(l->sock, &s);
    if (r == 0) {
        r = entry_new(st, s, pair[0], cookie_of(pair[1]), &child);
        if (r < 0)
            sock_close(s, true, now);
    }
    if (r < 0) {
        close(pair[0]);
        close(pair[1]);
        return r;
    }
    if (sock_oob_inline(l->sock))
        setsockopt(pair[1], SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one));
    child->phase = ENTRY_OPEN;
    child->sentinel = true;
    child->parent_id = l->id;
    list_append_once(&st->out, &child->on_out);
    slot->id = child->id;
    slot->fd = pair[1];
    describe(l->sock, s, &slot->msg);
    q->count++;
    return 0;
}

void accept_take(struct stream *st, struct entry *l, usec_t now)
{
    int r = 0;

    if (!l->accept)
        begin(st, l);
    if (!l->accept || l->gone)
        return;
    while (r == 0 && l->accept->count < ACCEPT_IN_FLIGHT && sock_queued(l->sock) > 0)
        r = take_one(st, l, now);
    if (r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -ENOBUFS)
        list_append_once(&st->starved, &l->on_starved);
    sock_listener_hold(l->sock, l->accept->count);
    if (l->accept->count > l->accept->sent)
        list_append_once(&st->out, &l->on_out);
}

/* The program received the oldest one, or is known to have. */
static void pop(struct stream *st, struct accept_queue *q)
{
    struct entry *child = entry_by_id(st, slot_at(q, 0)->id);

    if (child)
        child->parent_id = 0;
    q->first = (q->first + 1) % ACCEPT_IN_FLIGHT;
    q->sent--;
    q->count--;
}

void accept_settle(struct stream *st, struct entry *l)
{
    struct accept_queue *q = l->accept;
    uint32_t cost = hidden_cost(&st->costs, sizeof(struct stream_accept_msg));
    int outq = 0;

    if (!q || q->sent == 0 || ioctl(l->fd, SIOCOUTQ, &outq) < 0)
        return;
    if (hung_up(l->fd)) { /* after the ioctl: what it said may be of an emptied queue */
        l->gone = true;
        entry_again(st, l);
        return;
    }
    while (q->sent * cost > (uint32_t)outq)
        pop(st, q);
    sock_listener_hold(l->sock, q->count);
}

bool accept_never_received(const struct entry *child)
{
    return hung_up(child->fd) && in_queued(child) <= 1 && child->hidden.bytes == 0;
}

void accept_abort(struct stream *st, struct entry *l, usec_t now)
{
    struct accept_queue *q = l->accept;

    while (q && q->count > 0) {
        struct accept_slot *slot = slot_at(q, 0);
        struct entry *child = entry_by_id(st, slot->id);
        bool unsent = slot->fd >= 0;

        if (unsent)
            close(slot->fd);
        else
            q->sent--;
        q->first = (q->first + 1) % ACCEPT_IN_FLIGHT;
        q->count--;
        if (!child)
            continue;
        child->parent_id = 0;
        if (unsent || accept_never_received(child)) {
            child->unread = true;
            entry_close(st, child, now);
        }
    }
}

/* One logged message; its 32 bytes lie behind the descriptor in the log's entry. */
static int send_one(struct stream *st, struct entry *l, struct accept_slot *slot)
{
    struct state_move *mv = state_move_begin(st->state, STATE_MOVE_FD, l->id, slot->id);
    struct msghdr *hdr = &mv->msg.msg_hdr;
    uint8_t *bytes = mv->control + CMSG_SPACE(sizeof(int));
    struct cmsghdr *c;

    static_assert(CMSG_SPACE(sizeof(int)) + sizeof(slot->msg) <= sizeof(mv->control), "fits");
    memset(mv->control, 0, sizeof(mv->control));
    memcpy(bytes, &slot->msg, sizeof(slot->msg));
    mv->iov[0] = (struct iovec){ bytes, sizeof(slot->msg) };
    *hdr = (struct msghdr){
        .msg_iov = mv->iov,
        .msg_iovlen = 1,
        .msg_control = mv->control,
        .msg_controllen = CMSG_SPACE(sizeof(int)),
    };
    c = CMSG_FIRSTHDR(hdr);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &slot->fd, sizeof(int));
    return sendmmsg(l->fd, &mv->msg, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

bool accept_send(struct stream *st, struct entry *l)
{
    struct accept_queue *q = l->accept;

    while (q && q->sent < q->count) {
        struct accept_slot *slot = slot_at(q, q->sent);
        int r;

        if (state_move_full(st->state)) {
            entry_again(st, l);
            list_append_once(&st->out, &l->on_out);
            return true;
        }
        r = send_one(st, l, slot);
        if (r == -ETOOMANYREFS) /* of all listeners together; one that closes makes room */
            list_append_once(&st->starved, &l->on_starved);
        if (r < 0)
            return true; /* or full, or the listener is gone and its HUP is on the way */
        close(slot->fd);
        slot->fd = -1;
        q->sent++;
    }
    return q && q->count > 0;
}

void accept_deinit(struct entry *l)
{
    struct accept_queue *q = l->accept;

    for (unsigned i = 0; q && i < q->count; i++)
        if (slot_at(q, i)->fd >= 0)
            close(slot_at(q, i)->fd);
    free(q);
    l->accept = NULL;
}
