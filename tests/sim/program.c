/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The programs of the simulator: they write and read pieces of random size, pause,
 * half-close, close or abort. Every byte is a function of connection, direction
 * and position, and is compared when it is read.
 */
#include "world.h"

#include <errno.h>
#include <string.h>

static uint8_t byte_at(unsigned index, int from, uint64_t pos)
{
    return (uint8_t)(pos * 31 + (pos >> 7) * 17 + (pos >> 15) * 7 + index * 41u + from * 97);
}

static unsigned index_of(const struct tcp_conn *conn, int who)
{
    const struct flow *f = tcp_conn_flow(conn);

    return (who == CLIENT ? f->lport : f->rport) - WORLD_FIRST;
}

/* ---- reading -------------------------------------------------------------------------- */

static void check(struct world *w, unsigned index, int who, const struct iovec *iov, uint32_t n)
{
    struct side *s = &w->pair[index].side[who];

    for (int i = 0; i < 2 && n; i++) {
        const uint8_t *p = iov[i].iov_base;

        for (size_t k = 0; k < iov[i].iov_len && n; k++, n--, s->read++)
            if (p[k] != byte_at(index, !who, s->read)) {
                world_fail(w, "connection %u, %s: byte %llu is wrong", index,
                           who == CLIENT ? "client" : "server", (unsigned long long)s->read);
                return;
            }
    }
    if (n)
        world_fail(w, "connection %u: rx_peek() promises more than its iovecs hold", index);
}

/* Out of the ring; read a turn later, as through a socketpair. */
static void read_some(struct world *w, unsigned index, int who, uint32_t limit)
{
    struct side *s = &w->pair[index].side[who];
    struct iovec iov[2];
    uint32_t n;

    if (s->hidden)
        tcp_conn_rx_release(s->conn, s->hidden, w->now);
    s->hidden = 0;
    n = MIN(tcp_conn_rx_peek(s->conn, iov), limit);
    check(w, index, who, iov, n);
    tcp_conn_rx_consume(s->conn, n, w->now);
    if (s->think)
        s->hidden = n;
    else
        tcp_conn_rx_release(s->conn, n, w->now);
    if (tcp_conn_rx_fin(s->conn))
        s->eof = true;
}

/* ---- writing -------------------------------------------------------------------------- */

/* Returns whether it is worth another try before an event says so. */
static bool write_some(struct world *w, unsigned index, int who)
{
    struct side *s = &w->pair[index].side[who];
    uint64_t left = s->to_write - s->written;
    uint32_t want = (uint32_t)MIN(left, (uint64_t)s->write_chunk), n;
    struct iovec iov[2];

    if (!want)
        return false;
    n = MIN(tcp_conn_tx_space(s->conn, want, iov), want);
    for (uint32_t i = 0, k = 0, at = 0; i < n; i++, at++) {
        if (at == iov[k].iov_len)
            k++, at = 0;
        ((uint8_t *)iov[k].iov_base)[at] = byte_at(index, who, s->written + i);
    }
    if (n)
        tcp_conn_tx_commit(s->conn, n, false, w->now);
    s->written += n;
    return n && s->written < s->to_write;
}

/* ---- ending --------------------------------------------------------------------------- */

static void end_if_done(struct world *w, struct side *s)
{
    bool all_written = s->written == s->to_write;

    if (s->ending == ABORT_EARLY && s->written + s->read >= s->abort_after) {
        s->closed = true;
        tcp_conn_abort(s->conn, w->now);
        return;
    }
    if (s->ending != CLOSE_LAST && all_written && !s->shut) {
        s->shut = true;
        tcp_conn_shutdown(s->conn, w->now);
    }
    if (all_written && s->eof && !s->hidden) {
        s->closed = true;
        tcp_conn_close(s->conn, w->now);
    }
}

/* A turn of the program. It is woken by events, or by its own pauses. */
void program_turn(struct world *w, unsigned index, int who)
{
    struct side *s = &w->pair[index].side[who];
    struct iovec iov[2];
    bool again = false;

    s->next_at = USEC_NEVER;
    if (!s->conn || s->closed || !s->established)
        return;
    if (s->sleeps_for && s->read + s->written >= s->sleeps_at) {
        s->next_at = s->sleeps_until = w->now + s->sleeps_for;
        s->sleeps_for = 0;
        return;
    }
    read_some(w, index, who, s->read_chunk);
    if (!s->dead)
        again = write_some(w, index, who);
    if (s->dead) { /* read what is left, then let go */
        while (tcp_conn_rx_peek(s->conn, iov) && !w->failure[0])
            read_some(w, index, who, UINT32_MAX);
        s->closed = true;
        tcp_conn_close(s->conn, w->now);
        return;
    }
    end_if_done(w, s);
    if (s->closed)
        return;
    if (again || s->hidden || tcp_conn_rx_peek(s->conn, iov)) /* else an event will come */
        s->next_at = w->now + MAX(s->think, (usec_t)1);
}

/* ---- events ----------------------------------------------------------------------------- */

static void accept_one(struct world *w, int who, const struct tcp_event *ev)
{
    struct side *s = &w->pair[index_of(ev->conn, who)].side[who];

    if (s->opened && !s->gone)
        world_fail(w, "connection %u was accepted twice", index_of(ev->conn, who));
    s->opened = s->established = true;
    s->conn = ev->conn;
    s->id = ev->conn_id;
    tcp_listener_taken(ev->listener, ev->conn, ev->conn_id);
}

static void on_closed(struct world *w, unsigned index, int who, int error)
{
    struct conn_pair *p = &w->pair[index];
    struct side *s = &p->side[who];
    bool somebody_aborts = p->side[0].ending == ABORT_EARLY || p->side[1].ending == ABORT_EARLY;

    s->dead = true;
    s->established = true; /* so that its turn lets go of it */
    s->error = error;
    if (error && !somebody_aborts)
        world_fail(w, "connection %u, %s: ended with %s after %llu of %llu bytes out, %llu in",
                   index, who == CLIENT ? "client" : "server", strerror(error),
                   (unsigned long long)s->written, (unsigned long long)s->to_write,
                   (unsigned long long)s->read);
}

void program_event(struct world *w, int who, const struct tcp_event *ev)
{
    unsigned index = index_of(ev->conn, who);
    struct side *s;

    if (index >= w->pairs) {
        world_fail(w, "an event of a connection that nobody opened");
        return;
    }
    s = &w->pair[index].side[who];
    world_say(w, "    %s %u: event %#x error %d", who == CLIENT ? "client" : "server", index,
              ev->what, ev->error);
    if (ev->what & TCP_EV_PATH)
        tcp_conn_set_path(ev->conn, &w->host[who].path, w->now);
    if (ev->what & TCP_EV_ACCEPT)
        accept_one(w, who, ev);
    if (s->id != ev->conn_id)
        return;
    if (ev->what & TCP_EV_ESTABLISHED)
        s->established = true;
    if (ev->what & TCP_EV_CLOSED)
        on_closed(w, index, who, ev->error);
    if (ev->what & TCP_EV_GONE) {
        s->gone = true;
        s->conn = NULL;
        s->next_at = USEC_NEVER;
        return;
    }
    s->next_at = usec_min(s->next_at, usec_max(w->now + s->think, s->sleeps_until));
}

/* ---- the end ------------------------------------------------------------------------------ */

usec_t program_next_at(const struct world *w)
{
    usec_t at = USEC_NEVER;

    for (unsigned i = 0; i < w->pairs; i++) {
        if (!w->pair[i].side[CLIENT].opened)
            at = usec_min(at, w->pair[i].starts_at);
        for (int who = 0; who < 2; who++)
            at = usec_min(at, w->pair[i].side[who].next_at);
    }
    return at;
}

/* Over: each end that was ever opened is gone. */
bool programs_over(const struct world *w)
{
    for (unsigned i = 0; i < w->pairs; i++) {
        const struct side *c = &w->pair[i].side[CLIENT], *s = &w->pair[i].side[SERVER];

        if (!c->opened || !c->gone || (s->opened && !s->gone))
            return false;
    }
    return tcp_engine_first(w->host[CLIENT].e) == NULL &&
           tcp_engine_first(w->host[SERVER].e) == NULL;
}
