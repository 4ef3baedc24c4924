/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"

/* ---- sock --------------------------------------------------------------------- */

uint64_t sock_id(const struct sock *s)
{
    return s->id;
}

int sock_family(const struct sock *s)
{
    return s->family;
}

struct tcp_conn *sock_conn(const struct sock *s)
{
    return s->has_conn ? (struct tcp_conn *)&s->conn : NULL;
}

struct tcp_listener *sock_listener(const struct sock *s)
{
    return s->state == SOCK_LISTENING ? (struct tcp_listener *)(uintptr_t)s : NULL;
}

struct sock *sock_find(struct sock_table *t, uint64_t id)
{
    for (unsigned i = 0; i < t->n; i++)
        if (t->all[i]->id == id && !t->all[i]->closed)
            return t->all[i];
    return NULL;
}

void sock_close(struct sock *s, bool unread, usec_t now)
{
    assert_false(s->closed);
    s->closed = true;
    s->closed_unread = unread;
}

int sock_shutdown(struct sock *s, int how, usec_t now)
{
    assert_false(s->closed);
    s->shut_wr |= how != SHUT_RD;
    return 0;
}

int sock_error(struct sock *s)
{
    int error = s->error;

    s->error = 0;
    return error;
}

bool sock_oob_inline(const struct sock *s)
{
    return s->oob_inline;
}

uint32_t sock_queued(const struct sock *s)
{
    return s->queued;
}

void sock_listener_hold(struct sock *listener, uint32_t held)
{
    listener->held = held;
}

int sock_accept(struct sock *listener, struct sock **ret)
{
    if (listener->queued == 0)
        return -EAGAIN;
    *ret = listener->queue[0];
    memmove(listener->queue, listener->queue + 1, --listener->queued * sizeof(*ret));
    return 0;
}

int sock_peer(const struct sock *s, struct sock_addr *ret)
{
    *ret = (struct sock_addr){ .addr = ip_addr_v4("\x0a\x00\x00\x01"), .port = s->peer_port };
    return 0;
}

/* ---- engine --------------------------------------------------------------------- */

uint32_t tcp_conn_tx_space(struct tcp_conn *conn, uint32_t want, struct iovec iov[2])
{
    uint32_t n = conn->tx_limit - ring_used(&conn->tx);

    n = MIN(n, ring_free_bytes(&conn->tx));
    ring_span(&conn->tx, conn->tx.tail, n, iov);
    return n;
}

void tcp_conn_tx_commit(struct tcp_conn *conn, uint32_t len, bool urgent, usec_t now)
{
    assert_true(len <= ring_free_bytes(&conn->tx));
    conn->tx.tail += len;
    if (urgent) {
        conn->tx_urgent = conn->tx.tail;
        conn->tx_marks++;
    }
}

bool tcp_conn_rx_urgent(const struct tcp_conn *conn, uint32_t *ret_offset)
{
    if (!conn->rx_urgent || conn->rx_mark < conn->rx.head)
        return false;
    *ret_offset = (uint32_t)(conn->rx_mark - conn->rx.head);
    return true;
}

uint32_t tcp_conn_rx_peek(struct tcp_conn *conn, struct iovec iov[2])
{
    ring_span(&conn->rx, conn->rx.head, ring_used(&conn->rx), iov);
    return ring_used(&conn->rx);
}

void tcp_conn_rx_consume(struct tcp_conn *conn, uint32_t len, usec_t now)
{
    assert_true(len <= ring_used(&conn->rx));
    conn->rx.head += len;
    conn->hidden += len;
    conn->hidden_peak = MAX(conn->hidden_peak, conn->hidden);
}

void tcp_conn_rx_release(struct tcp_conn *conn, uint32_t len, usec_t now)
{
    assert_true(len <= conn->hidden);
    conn->hidden -= len;
    conn->released += len;
}

void tcp_conn_info(const struct tcp_conn *conn, struct tcp_conn_info *ret)
{
    *ret = (struct tcp_conn_info){ .rcv_buf = conn->rcv_buf, .hidden = conn->hidden };
}

/* ---- state ---------------------------------------------------------------------- */

struct state_move *state_move_begin(struct state *s, enum state_move_kind kind, uint64_t sock_id,
                                    uint64_t pos)
{
    struct state_move *mv = &s->moves[s->used++];

    assert_true(s->used <= ARRAY_LEN(s->moves));
    *mv = (struct state_move){ .kind = kind, .sock_id = sock_id, .pos = pos };
    mv->msg.msg_len = ~0u;
    s->moves_seen[kind]++;
    return mv;
}

bool state_move_full(const struct state *s)
{
    return s->used >= s->capacity;
}

void state_fd_add(struct state *s, int fd, enum state_fd_kind kind, uint64_t arg)
{
}

void state_fd_close_later(struct state *s, int fd)
{
    assert_true(s->later_n < ARRAY_LEN(s->later));
    s->later[s->later_n++] = fd;
}

void state_fd_each(struct state *s,
                   void (*f)(void *ctx, int fd, enum state_fd_kind kind, uint64_t arg), void *ctx)
{
}

static void commit(struct state *s)
{
    for (unsigned i = 0; i < s->later_n; i++)
        close(s->later[i]);
    s->later_n = 0;
    s->used = 0;
}

/* ---- the test's hand ------------------------------------------------------------ */

struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof(*w));
    struct stream_init init;

    assert_non_null(w);
    strcpy(w->dir, "/tmp/tcpd-stream-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    w->state.capacity = 200;
    init = (struct stream_init){ .state = &w->state, .socks = &w->socks, .private_dir = w->dir };
    assert_int_equal(stream_new(&init, &w->st), 0);
    return w;
}

void world_free(struct world *w)
{
    stream_free(w->st);
    commit(&w->state);
    for (unsigned i = 0; i < w->socks.n; i++) {
        ring_release(&w->socks.all[i]->conn.tx, ring_mem_heap());
        ring_release(&w->socks.all[i]->conn.rx, ring_mem_heap());
        free(w->socks.all[i]);
    }
    assert_int_equal(rmdir(w->dir), 0); /* nothing was left in it */
    free(w);
}

struct sock *fake_sock(struct world *w, bool conn)
{
    struct sock *s = calloc(1, sizeof(*s));

    assert_non_null(s);
    assert_true(w->socks.n < FAKE_SOCKS);
    s->id = 1000 + w->socks.n;
    s->family = AF_INET;
    s->has_conn = conn;
    s->conn.tx_limit = 65536;
    s->conn.rcv_buf = 1 << 20;
    assert_int_equal(ring_reserve(&s->conn.tx, ring_mem_heap(), 65536, 0), 0);
    assert_int_equal(ring_reserve(&s->conn.rx, ring_mem_heap(), 1 << 20, 0), 0);
    w->socks.all[w->socks.n++] = s;
    return s;
}

void tell(struct world *w, struct sock *s, unsigned what)
{
    stream_ready(w->st, s, what, w->now);
    commit(&w->state);
    stream_flush(w->st, w->now);
    commit(&w->state);
}

static bool readable(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    return poll(&p, 1, 0) == 1;
}

void turn(struct world *w)
{
    bool more = true;

    for (int i = 0; i < 100 && (more || readable(stream_epoll_fd(w->st))); i++) {
        more = stream_input(w->st, w->now);
        commit(&w->state);
        stream_flush(w->st, w->now);
        w->state.used = 0;
    }
}

uint32_t peer_sends(struct sock *s, const void *data, uint32_t len)
{
    struct tcp_conn *c = &s->conn;
    uint32_t held = ring_used(&c->rx) + c->hidden;
    uint32_t n = held >= c->rcv_buf ? 0 : MIN(len, c->rcv_buf - held);

    ring_write(&c->rx, c->rx.tail, data, n);
    c->rx.tail += n;
    return n;
}

uint32_t peer_takes(struct sock *s, void *buf, uint32_t size)
{
    uint32_t n = MIN(ring_used(&s->conn.tx), size);

    ring_read(&s->conn.tx, s->conn.tx.head, buf, n);
    s->conn.tx.head += n;
    return n;
}

void peer_marks(struct sock *s, uint32_t ahead)
{
    s->conn.rx_urgent = true;
    s->conn.rx_mark = s->conn.rx.tail + ahead;
}

unsigned program_poll(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP };

    assert_true(poll(&p, 1, 0) >= 0);
    return (unsigned)p.revents;
}

int fresh(struct world *w)
{
    int fd = stream_fresh(w->st, AF_INET);

    assert_true(fd >= 0);
    return fd;
}

int connecting(struct world *w, struct sock *s)
{
    int fd = fresh(w);

    assert_int_equal(stream_attach(w->st, s, fd), 0);
    stream_connecting(w->st, s, fd);
    turn(w);
    return fd;
}

int connected(struct world *w, struct sock *s)
{
    int fd = connecting(w, s);

    tell(w, s, SOCK_READY_CONNECTED);
    turn(w);
    return fd;
}
