/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of our ends and the two passes over them: stream_input() before the
 * commit (bytes in, what was read, descriptors that closed) and stream_flush() after
 * it (bytes, descriptors and EOF out).
 *
 * The epoll set is edge triggered, because a sentinel makes our ends readable for
 * ever. So what an edge told is kept in the entry and on a list until it is used up.
 * Events carry the socket's id, not a pointer: one that comes late finds nothing.
 *
 * Closing our end tells the program something, so it is left to the commit
 * (state_fd_close_later()); the handle goes in the same commit. What is found out in
 * the flush and leads to a close is done in the next wake-up, for which an eventfd
 * in the set provides.
 *
 * Who hung up? HUP says that both directions are shut. As long as we have not shut
 * ours that is the close of the program's last descriptor. Once we have, it may be
 * its shutdown(SHUT_WR) as well; but then both sides have said all they will, and
 * our end can go in either case.
 */
#include "stream/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "stream/entry.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

/* ---- making one --------------------------------------------------------------- */

static int epoll_watch(struct stream *st, int fd, uint64_t id)
{
    struct epoll_event ev = {
        .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET,
        .data.u64 = id,
    };

    return epoll_ctl(st->epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

/* A listener that nobody else can connect to: its path is gone, only we hold the inode. */
static int door_open(struct stream *st, const char *dir)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int zero = 0, n;

    n = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/door.%ld", dir, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof(addr.sun_path))
        return -ENAMETOOLONG;
    st->door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (st->door < 0)
        return -errno;
    /* Where the kernel knows it: no descriptors in data. Closing one may block. */
    setsockopt(st->door, SOL_SOCKET, SO_PASSRIGHTS, &zero, sizeof(zero));
    unlink(addr.sun_path);
    if (bind(st->door, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        return -errno;
    st->door_path = open(addr.sun_path, O_PATH | O_CLOEXEC);
    if (st->door_path < 0)
        n = -errno;
    unlink(addr.sun_path);
    if (st->door_path < 0)
        return n;
    snprintf(st->door_name, sizeof(st->door_name), "/proc/self/fd/%d", st->door_path);
    return listen(st->door, 8) < 0 ? -errno : 0;
}

static void adopt_epoll(void *ctx, int fd, enum state_fd_kind kind, uint64_t arg)
{
    struct stream *st = ctx;

    if (kind == STATE_FD_EPOLL && st->epoll < 0)
        st->epoll = fd;
    if (kind == STATE_FD_CLIENT && !sock_find(st->socks, arg))
        state_fd_close_later(st->state, fd); /* of a former worker, and its socket is lost */
}

static int open_all(struct stream *st, const char *private_dir)
{
    state_fd_each(st->state, adopt_epoll, st);
    if (st->epoll < 0) {
        st->epoll = epoll_create1(EPOLL_CLOEXEC);
        if (st->epoll < 0)
            return -errno;
        state_fd_add(st->state, st->epoll, STATE_FD_EPOLL, 0);
    }
    st->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (st->kick < 0)
        return -errno;
    if (epoll_watch(st, st->kick, KICK_ID) < 0)
        return -EIO;
    return door_open(st, private_dir);
}

int stream_new(const struct stream_init *init, struct stream **ret)
{
    struct stream *st = calloc(1, sizeof(*st));
    int r;

    if (!st)
        return -ENOMEM;
    st->state = init->state;
    st->socks = init->socks;
    st->epoll = st->kick = st->door = st->door_path = -1;
    list_init(&st->all);
    list_init(&st->in);
    list_init(&st->out);
    list_init(&st->starved);
    r = hidden_costs_measure(&st->costs);
    if (r == 0)
        r = open_all(st, init->private_dir);
    if (r < 0) {
        stream_free(st);
        return r;
    }
    *ret = st;
    return 0;
}

static void entry_free(struct stream *st, struct entry *e)
{
    idmap_take(&st->by_id, e->id);
    idmap_take(&st->by_cookie, e->cookie);
    list_del(&e->on_all);
    list_del(&e->on_in);
    list_del(&e->on_out);
    list_del(&e->on_starved);
    hidden_deinit(&e->hidden);
    accept_deinit(e);
    free(e);
}

static void fd_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

struct stream *stream_free(struct stream *st)
{
    if (!st)
        return NULL;
    LIST_FOREACH_SAFE(n, &st->all) {
        struct entry *e = LIST_ENTRY(n, struct entry, on_all);

        close(e->fd);
        entry_free(st, e);
    }
    fd_close(st->epoll);
    fd_close(st->kick);
    fd_close(st->door);
    fd_close(st->door_path);
    idmap_deinit(&st->by_id);
    idmap_deinit(&st->by_cookie);
    dead_deinit(&st->dead);
    free(st);
    return NULL;
}

/* ---- entries -------------------------------------------------------------------- */

uint64_t cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);

    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0 ? cookie : 0;
}

uint32_t set_sndbuf(int fd, int effective)
{
    int value = effective / 2; /* the kernel doubles it */
    socklen_t len = sizeof(value);

    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &value, sizeof(value)) < 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, sizeof(value));
    return getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, &len) == 0 ? (uint32_t)value : 0;
}

int entry_new(struct stream *st, struct sock *s, int fd, uint64_t cookie, struct entry **ret)
{
    struct entry *e;
    int one = 1, zero = 0, r;

    if (idmap_reserve(&st->by_id) < 0 || idmap_reserve(&st->by_cookie) < 0)
        return -ENOMEM;
    e = calloc(1, sizeof(*e));
    if (!e)
        return -ENOMEM;
    e->cookie = cookie;
    e->id = sock_id(s);
    e->sock = s;
    e->fd = fd;
    list_init(&e->on_all);
    list_init(&e->on_in);
    list_init(&e->on_out);
    list_init(&e->on_starved);
    e->truesize_max = set_sndbuf(fd, OUR_SNDBUF) / 4;
    setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one)); /* no byte is skipped */
    setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &zero, sizeof(zero));
    r = epoll_watch(st, fd, e->id);
    if (r < 0) {
        free(e);
        return r;
    }
    idmap_put(&st->by_id, e->id, e);
    idmap_put(&st->by_cookie, cookie, e);
    list_append(&st->all, &e->on_all);
    state_fd_add(st->state, fd, STATE_FD_CLIENT, e->id);
    *ret = e;
    return 0;
}

struct entry *entry_by_id(struct stream *st, uint64_t id)
{
    return idmap_get(&st->by_id, id);
}

void entry_again(struct stream *st, struct entry *e)
{
    uint64_t one = 1;

    list_append_once(&st->in, &e->on_in);
    if (write(st->kick, &one, sizeof(one)) < 0)
        return; /* it is readable already */
}

static void entry_bury(struct stream *st, struct entry *e, bool unread, usec_t now)
{
    struct list *n;

    accept_abort(st, e, now);
    sock_close(e->sock, unread, now);
    state_fd_close_later(st->state, e->fd);
    entry_free(st, e);
    while ((n = list_pop(&st->starved))) /* a number becomes free with the commit */
        entry_again(st, LIST_ENTRY(n, struct entry, on_starved));
}

/* Whatever is hidden will be read from the descriptor or by nobody: not our concern. */
static void release_hidden(struct entry *e, usec_t now)
{
    struct tcp_conn *conn = sock_conn(e->sock);
    uint32_t bytes = hidden_settle(&e->hidden, 0);

    if (conn && bytes > 0)
        tcp_conn_rx_release(conn, bytes, now);
}

void entry_close(struct stream *st, struct entry *e, usec_t now)
{
    if (!e->unread)
        release_hidden(e, now);
    entry_bury(st, e, e->unread, now);
}

void entry_die(struct stream *st, struct entry *e, usec_t now)
{
    if (e->error != 0 && e->error != ECONNRESET)
        dead_put(&st->dead, e->cookie, e->error);
    entry_bury(st, e, false, now);
}

void entry_end(struct stream *st, struct entry *e, usec_t now)
{
    while (recv(e->fd, st->scratch, sizeof(st->scratch), MSG_DONTWAIT) > 0)
        ;
    release_hidden(e, now);
    entry_bury(st, e, false, now);
}

/* ---- input ------------------------------------------------------------------------ */

/* Returns true if there is more than its budget allowed. */
static bool run_open(struct stream *st, struct entry *e, usec_t now)
{
    enum in_result r;

    if (e->unread) {
        entry_close(st, e, now);
        return false;
    }
    out_settle(st, e, now);
    r = in_move(st, e, now);
    if (r != IN_EMPTY)
        return r == IN_MORE;
    if (e->gone) {
        entry_close(st, e, now);
        return false;
    }
    if (!e->no_more)
        return false;
    if (!e->told_no_more) {
        e->told_no_more = true;
        sock_shutdown(e->sock, SHUT_WR, now);
    }
    if (e->eof_sent)
        entry_end(st, e, now);
    return false;
}

static void run_listening(struct stream *st, struct entry *e, usec_t now)
{
    accept_settle(st, e);
    if (e->gone)
        entry_close(st, e, now);
    else
        accept_take(st, e, now);
}

static bool run_entry(struct stream *st, struct entry *e, usec_t now)
{
    switch (e->phase) {
    case ENTRY_HELD:
        if (e->gone)
            entry_close(st, e, now);
        return false;
    case ENTRY_LISTENING:
        run_listening(st, e, now);
        return false;
    case ENTRY_OPEN:
        return run_open(st, e, now);
    case ENTRY_DYING:
        out_settle(st, e, now);
        if (e->gone)
            entry_close(st, e, now);
        else if (out_done(e))
            entry_die(st, e, now);
        return false;
    }
    return false;
}

/* Closed, or never received because its listener was closed? That one is reset. */
static void ask_parent(struct stream *st, struct entry *e)
{
    struct entry *parent = e->parent_id ? entry_by_id(st, e->parent_id) : NULL;

    if (!parent)
        return;
    accept_settle(st, parent);
    if (parent->gone && e->parent_id && accept_never_received(e))
        e->unread = true;
}

static void note_event(struct stream *st, struct entry *e, uint32_t events)
{
    if (events & EPOLLRDHUP)
        e->no_more = true;
    if ((events & EPOLLHUP) && !e->eof_sent)
        e->gone = true;
    if (events & EPOLLERR)
        e->gone = e->unread = true; /* ECONNRESET: closed with bytes in it */
    if (e->gone)
        ask_parent(st, e);
    list_append_once(&st->in, &e->on_in);
}

static bool fetch_events(struct stream *st)
{
    struct epoll_event ev[EVENTS_MAX];
    int n = epoll_wait(st->epoll, ev, EVENTS_MAX, 0);
    uint64_t count;

    for (int i = 0; i < n; i++) {
        struct entry *e = entry_by_id(st, ev[i].data.u64);

        if (ev[i].data.u64 == KICK_ID) {
            if (read(st->kick, &count, sizeof(count)) < 0)
                continue;
        } else if (e) {
            note_event(st, e, ev[i].events);
        }
    }
    return n == EVENTS_MAX;
}

bool stream_input(struct stream *st, usec_t now)
{
    bool more = fetch_events(st);
    struct list todo, *n;

    /* What runs may put others, or itself, on the list again: for the next round. */
    list_init(&todo);
    while ((n = list_pop(&st->in)))
        list_append(&todo, n);
    while ((n = list_pop(&todo))) {
        struct entry *e = LIST_ENTRY(n, struct entry, on_in);

        if (run_entry(st, e, now))
            list_append_once(&st->in, &e->on_in);
    }
    return more || !list_empty(&st->in);
}

/* ---- what sock tells ---------------------------------------------------------------- */

static void on_dead(struct stream *st, struct entry *e, usec_t now)
{
    int error = sock_error(e->sock);

    if (error == 0) { /* both sides ended in order */
        e->eof_due = true;
        list_append_once(&st->out, &e->on_out);
        return;
    }
    e->error = error;
    if (e->gone)
        entry_close(st, e, now);
    else if (out_done(e))
        entry_die(st, e, now);
    else {
        e->phase = ENTRY_DYING;
        list_append_once(&st->out, &e->on_out);
    }
}

void stream_ready(struct stream *st, struct sock *s, unsigned what, usec_t now)
{
    struct entry *e = entry_by_id(st, sock_id(s));

    if (!e)
        return;
    if ((what & SOCK_READY_CONNECTED) && e->phase == ENTRY_HELD)
        e->open_due = true;
    if (what & SOCK_READY_EOF)
        e->eof_due = true;
    if (what & (SOCK_READY_CONNECTED | SOCK_READY_READ | SOCK_READY_EOF))
        list_append_once(&st->out, &e->on_out);
    if (what & SOCK_READY_WRITE)
        entry_again(st, e);
    if (what & SOCK_READY_ACCEPT)
        accept_take(st, e, now);
    if (what & SOCK_READY_DEAD)
        on_dead(st, e, now);
}

/* ---- flush ---------------------------------------------------------------------------- */

bool stream_flush(struct stream *st, usec_t now)
{
    struct list todo, *n;
    bool waits = false;

    list_init(&todo);
    while ((n = list_pop(&st->out)))
        list_append(&todo, n);
    while ((n = list_pop(&todo))) {
        struct entry *e = LIST_ENTRY(n, struct entry, on_out);

        if (e->phase == ENTRY_LISTENING)
            waits |= accept_send(st, e);
        else
            waits |= out_run(st, e, now);
    }
    return waits;
}

/* ---- questions of rpc ------------------------------------------------------------------- */

int stream_epoll_fd(const struct stream *st)
{
    return st->epoll;
}

static struct entry *entry_by_fd(struct stream *st, int fd)
{
    uint64_t cookie = cookie_of(fd);

    return cookie ? idmap_get(&st->by_cookie, cookie) : NULL;
}

struct sock *stream_find(struct stream *st, int fd)
{
    struct entry *e = entry_by_fd(st, fd);

    return e ? e->sock : NULL;
}

void stream_shutdown(struct stream *st, struct sock *s, int fd, int how)
{
    struct entry *e = entry_by_id(st, sock_id(s));

    shutdown(fd, how);
    if (!e || !sock_listener(s) || how == SHUT_WR)
        return;
    e->gone = true;
    if (e->phase == ENTRY_HELD)
        e->phase = ENTRY_LISTENING;
    entry_again(st, e);
}

int stream_last_error(struct stream *st, int fd)
{
    uint64_t cookie = cookie_of(fd);
    struct entry *e = cookie ? idmap_get(&st->by_cookie, cookie) : NULL;
    int error;

    if (!e)
        return cookie ? dead_take(&st->dead, cookie) : 0;
    error = e->error;
    e->error = 0;
    return error;
}
