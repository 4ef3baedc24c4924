/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes from the receive ring into a program's descriptor, after the commit.
 *
 * What is in the descriptor is hidden: not in the ring any more, not read either.
 * It stays counted against the receive window, and there is never more of it than
 * HIDDEN_MAX or half of the receive buffer. Nor more truesize than a quarter of our
 * send buffer: below that the kernel wakes us for every read of the program, so the
 * window opens as the program reads and not later.
 *
 * The peer's urgent byte goes out by MSG_OOB, so SIGURG, POLLPRI, SIOCATMARK and
 * SO_OOBINLINE are the kernel's own. A mark whose byte has not come yet cannot be said.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "stream/entry.h"

void out_settle(struct stream *st, struct entry *e, usec_t now)
{
    struct tcp_conn *conn = sock_conn(e->sock);
    int outq = 0;
    uint32_t read;

    if (e->hidden.count == 0 || ioctl(e->fd, SIOCOUTQ, &outq) < 0)
        return;
    read = hidden_settle(&e->hidden, outq > 0 ? (uint32_t)outq : 0);
    if (read > 0 && conn)
        tcp_conn_rx_release(conn, read, now);
    if (read > 0)
        list_append_once(&st->out, &e->on_out);
}

/* The filler leaves but for one byte: writable for the program from here on. */
static bool drain_filler(struct stream *st, struct entry *e)
{
    while (e->filler > 1 && !state_move_full(st->state)) {
        struct state_move *mv = state_move_begin(st->state, STATE_MOVE_IN, e->id, FILLER_POS);
        uint32_t left = e->filler - 1, n = 0;

        for (; n < ARRAY_LEN(mv->iov) && left > 0; n++) {
            mv->iov[n] = (struct iovec){ st->scratch, MIN(left, (uint32_t)sizeof(st->scratch)) };
            left -= (uint32_t)mv->iov[n].iov_len;
        }
        mv->msg.msg_hdr = (struct msghdr){ .msg_iov = mv->iov, .msg_iovlen = n };
        if (recvmmsg(e->fd, &mv->msg, 1, MSG_DONTWAIT, NULL) != 1 || mv->msg.msg_len == 0)
            break;
        e->filler -= mv->msg.msg_len;
    }
    if (e->filler > 1 && state_move_full(st->state))
        return false;
    e->sentinel = e->filler == 1;
    e->filler = 0;
    return true;
}

static void open_up(struct stream *st, struct entry *e)
{
    if (!drain_filler(st, e)) { /* the rest after the next commit */
        entry_again(st, e);
        list_append_once(&st->out, &e->on_out);
        return;
    }
    e->open_due = false;
    if (e->phase == ENTRY_HELD)
        e->phase = ENTRY_OPEN;
    if (e->phase == ENTRY_OPEN)
        entry_again(st, e); /* it may have written and closed before we looked */
}

/* What may be sent now in one piece, 0 if the program has to read first. */
static uint32_t piece(const struct stream *st, const struct entry *e, uint32_t ready,
                      uint32_t limit)
{
    uint32_t n = MIN(ready, HIDDEN_CHUNK_MAX);

    if (e->hidden.bytes >= limit)
        return 0;
    n = MIN(n, limit - e->hidden.bytes);
    if (n > 0 && e->hidden.truesize + hidden_cost(&st->costs, n) > e->truesize_max)
        return 0;
    return n;
}

/* One logged write of @n bytes of the ring; returns them, or -errno. */
static int give(struct stream *st, struct entry *e, const struct iovec ring[2], uint32_t n,
                bool urgent)
{
    struct state_move *mv = state_move_begin(st->state, STATE_MOVE_OUT, e->id, e->out_bytes);
    uint32_t first = MIN((uint32_t)ring[0].iov_len, n);
    int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (urgent ? MSG_OOB : 0);

    mv->iov[0] = (struct iovec){ ring[0].iov_base, first };
    mv->iov[1] = (struct iovec){ ring[1].iov_base, n - first };
    mv->msg.msg_hdr = (struct msghdr){ .msg_iov = mv->iov, .msg_iovlen = n > first ? 2 : 1 };
    if (sendmmsg(e->fd, &mv->msg, 1, flags) != 1)
        return -errno;
    return (int)mv->msg.msg_len;
}

/* Nobody reads any more: received, and read by nobody. */
static void discard(struct entry *e, struct tcp_conn *conn, usec_t now)
{
    struct iovec ring[2];
    uint32_t n = tcp_conn_rx_peek(conn, ring);

    if (n == 0)
        return;
    tcp_conn_rx_consume(conn, n, now);
    tcp_conn_rx_release(conn, n, now);
    e->out_bytes += n;
}

static uint32_t hidden_limit(const struct tcp_conn *conn)
{
    struct tcp_conn_info info;

    tcp_conn_info(conn, &info);
    return CLAMP(info.rcv_buf / 2, 1u, HIDDEN_MAX);
}

/* The urgent byte goes alone; what is before it goes before. Returns true if it is its turn. */
static bool cut_at_mark(const struct tcp_conn *conn, uint32_t *n)
{
    uint32_t before;

    if (!tcp_conn_rx_urgent(conn, &before))
        return false;
    *n = MIN(*n, MAX(before, 1u));
    return before == 0;
}

/* Returns true if bytes are left that wait for the program. */
static bool move_bytes(struct stream *st, struct entry *e, struct tcp_conn *conn, usec_t now)
{
    struct iovec ring[2] = { 0 };
    uint32_t ready = tcp_conn_rx_peek(conn, ring), limit;

    if (ready == 0)
        return false;
    limit = hidden_limit(conn);
    for (; ready > 0; ready = tcp_conn_rx_peek(conn, ring)) {
        uint32_t n = piece(st, e, ready, limit);
        bool urgent = cut_at_mark(conn, &n);
        int sent;

        if (state_move_full(st->state)) {
            entry_again(st, e);
            return true;
        }
        if (e->deaf) {
            discard(e, conn, now);
            return false;
        }
        if (n == 0 || hidden_reserve(&e->hidden) < 0)
            return true;
        sent = give(st, e, ring, n, urgent);
        if (sent == -EPIPE)
            e->deaf = true;
        else if (sent <= 0)
            return true;
        else {
            hidden_push(&e->hidden, (uint32_t)sent, hidden_cost(&st->costs, (uint32_t)sent));
            tcp_conn_rx_consume(conn, (uint32_t)sent, now);
            e->out_bytes += (uint32_t)sent;
        }
    }
    return false;
}

bool out_done(const struct entry *e)
{
    struct tcp_conn *conn = sock_conn(e->sock);
    struct iovec ring[2];

    return !e->open_due && (!conn || tcp_conn_rx_peek(conn, ring) == 0);
}

/* Dead, and bytes are left: a writer must not wait for a reader that never comes. */
static void refuse_writes(struct entry *e)
{
    shutdown(e->fd, SHUT_RD);
}

bool out_run(struct stream *st, struct entry *e, usec_t now)
{
    struct tcp_conn *conn = sock_conn(e->sock);
    bool waits = false;

    if (state_move_full(st->state)) {
        entry_again(st, e);
        list_append_once(&st->out, &e->on_out);
        return true;
    }
    if (e->open_due)
        open_up(st, e);
    if (e->gone || (e->phase != ENTRY_OPEN && e->phase != ENTRY_DYING))
        return false; /* what nobody will read stays in the ring: sock_close() sees it there */
    if (conn)
        waits = move_bytes(st, e, conn, now);
    if (e->phase == ENTRY_DYING) {
        if (waits)
            refuse_writes(e);
        else
            entry_again(st, e); /* now it can be closed, with the next commit */
        return waits;
    }
    if (e->eof_due && !e->eof_sent && !waits) {
        e->eof_sent = true;
        if (e->no_more)
            entry_again(st, e); /* both sides are done: in_run() ends it */
        else
            shutdown(e->fd, SHUT_WR);
    }
    return waits;
}
