/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes from a program's descriptor into the send ring.
 *
 * One byte always stays unread in our end, so that closing it is an ECONNRESET for
 * the program. It is the newest byte taken so far: it was looked at by MSG_PEEK and
 * is in the ring already. The next read drops it and leaves another one behind.
 *
 * In numbers: n bytes are queued, the first of them known. recv(n - 1) drops the
 * known one and takes n - 2 new ones; MSG_PEEK takes the last, which is then the
 * known one. The recv is an entry of the move log, the peek needs none: a worker
 * that comes after looks at the same byte again.
 *
 * Urgent bytes: SO_OOBINLINE is on at our end, a recv stops before the mark, and a
 * peek leaves it where it is. So the byte at the mark is always the one peeked at, and
 * SIOCATMARK says so: asked afterwards, it is about the very byte that was seen.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "stream/entry.h"

uint32_t in_queued(const struct entry *e)
{
    int n = 0;

    return ioctl(e->fd, FIONREAD, &n) == 0 && n > 0 ? (uint32_t)n : 0;
}

/* @len bytes of @from, beginning at @off, as entries of @to; returns their number. */
static unsigned iov_cut(const struct iovec from[2], uint32_t off, uint32_t len, struct iovec *to)
{
    unsigned n = 0;

    for (int i = 0; i < 2 && len > 0; i++) {
        size_t skip = MIN(from[i].iov_len, (size_t)off);
        size_t take = MIN(from[i].iov_len - skip, (size_t)len);

        off -= (uint32_t)skip;
        len -= (uint32_t)take;
        if (take > 0)
            to[n++] = (struct iovec){ (uint8_t *)from[i].iov_base + skip, take };
    }
    return n;
}

/* One logged read of the old sentinel and @len bytes; returns the new bytes, or -errno. */
static int take(struct stream *st, struct entry *e, const struct iovec space[2], uint32_t len)
{
    struct state_move *mv = state_move_begin(st->state, STATE_MOVE_IN, e->id, e->in_bytes);
    struct msghdr *hdr = &mv->msg.msg_hdr;
    unsigned n = 0;

    if (e->sentinel)
        mv->iov[n++] = (struct iovec){ mv->control, 1 };
    n += iov_cut(space, 0, len, mv->iov + n);
    *hdr = (struct msghdr){ .msg_iov = mv->iov, .msg_iovlen = n };
    if (recvmmsg(e->fd, &mv->msg, 1, MSG_DONTWAIT, NULL) != 1)
        return -errno;
    if (mv->msg.msg_len == 0)
        return -EPIPE;
    n = mv->msg.msg_len - (e->sentinel ? 1 : 0);
    e->sentinel = false;
    return (int)n;
}

/* The byte after the @got ones, left where it is: the next sentinel. */
static bool peek(struct entry *e, const struct iovec space[2], uint32_t got)
{
    struct iovec iov[2];

    if (iov_cut(space, got, 1, iov) == 0)
        return false;
    return recv(e->fd, iov[0].iov_base, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

static bool at_mark(const struct entry *e)
{
    int mark = 0;

    return ioctl(e->fd, SIOCATMARK, &mark) == 0 && mark;
}

/* At most @want new bytes, of which one stays unread. Returns them; 0: no room; -errno. */
static int take_and_peek(struct stream *st, struct entry *e, struct tcp_conn *conn, uint32_t want,
                         usec_t now)
{
    struct iovec space[2] = { 0 };
    uint32_t m = MIN(tcp_conn_tx_space(conn, want, space), want);
    int got = 0;

    if (m == 0)
        return 0;
    if (e->sentinel) {
        got = take(st, e, space, m - 1);
        if (got < 0)
            return got;
    }
    if (peek(e, space, (uint32_t)got)) {
        e->sentinel = true;
        got++;
    }
    if (got == 0)
        return -EAGAIN;
    tcp_conn_tx_commit(conn, (uint32_t)got, e->sentinel && at_mark(e), now);
    e->in_bytes += (uint32_t)got;
    return got;
}

enum in_result in_move(struct stream *st, struct entry *e, usec_t now)
{
    struct tcp_conn *conn = sock_conn(e->sock);
    uint32_t budget = IN_BUDGET;

    if (!conn)
        return IN_EMPTY; /* nowhere to put them */
    while (budget > 0) {
        uint32_t n = in_queued(e), known = e->sentinel ? 1 : 0;
        int got;

        if (n <= known)
            return IN_EMPTY;
        if (state_move_full(st->state))
            return IN_MORE;
        got = take_and_peek(st, e, conn, MIN(n - known, budget), now);
        if (got == 0)
            return IN_FULL;
        if (got < 0)
            return IN_EMPTY;
        budget -= MIN((uint32_t)got, budget);
    }
    return IN_MORE;
}

uint32_t stream_untaken(struct stream *st, const struct sock *s)
{
    const struct entry *e = entry_by_id(st, sock_id(s));
    uint32_t n;

    if (!e || e->phase != ENTRY_OPEN)
        return 0;
    n = in_queued(e);
    return n > 0 && e->sentinel ? n - 1 : n;
}
