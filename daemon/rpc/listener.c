/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The room itself: one epoll set with the listening socket and the sessions, level
 * triggered, so that what was not read in one wake-up is there in the next, and the
 * kernel's own order makes it round robin. Events carry a session's number.
 */
#include "rpc/rpc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpc/session.h"
#include "state/state.h"

#define LISTENER_ID 0u

/* Sessions may take a quarter of the descriptors, one user a quarter of that. */
static void set_limits(struct rpc *r)
{
    struct rlimit lim = { .rlim_cur = 1024 };

    getrlimit(RLIMIT_NOFILE, &lim);
    r->max = (unsigned)CLAMP(lim.rlim_cur / 4, (rlim_t)16, (rlim_t)100000);
    r->max_per_uid = MAX(r->max / 4, 8u);
}

static void close_old(void *ctx, int fd, enum state_fd_kind kind, uint64_t arg)
{
    struct rpc *r = ctx;

    if (kind == STATE_FD_SESSION) /* of a former worker: its client makes a new one */
        state_fd_close_later(r->init.state, fd);
}

int rpc_new(const struct rpc_init *init, struct rpc **ret)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.u64 = LISTENER_ID };
    struct rpc *r = calloc(1, sizeof(*r));

    if (!r)
        return -ENOMEM;
    r->init = *init;
    r->next_id = LISTENER_ID + 1;
    list_init(&r->sessions);
    list_init(&r->out);
    list_init(&r->lingering);
    list_init(&r->parked);
    set_limits(r);
    cred_init(r);
    r->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (r->epoll < 0 || epoll_ctl(r->epoll, EPOLL_CTL_ADD, init->listen_fd, &ev) < 0) {
        int e = -errno;

        rpc_free(r);
        return e;
    }
    state_fd_each(init->state, close_old, r);
    *ret = r;
    return 0;
}

static void free_counts(struct rpc *r)
{
    for (uint32_t i = 0; i < r->by_uid.size; i++)
        free(r->by_uid.slots[i].value);
    idmap_deinit(&r->by_uid);
}

struct rpc *rpc_free(struct rpc *r)
{
    if (!r)
        return NULL;
    linger_free_all(r);
    LIST_FOREACH_SAFE(n, &r->parked) /* the end of the process closes them */
        free(LIST_ENTRY(n, struct parked, on_all));
    list_init(&r->parked);
    LIST_FOREACH_SAFE(n, &r->sessions)
        session_free(r, LIST_ENTRY(n, struct session, on_all));
    idmap_deinit(&r->by_id);
    free_counts(r);
    if (r->epoll >= 0)
        close(r->epoll);
    if (r->spare >= 0)
        close(r->spare);
    free(r);
    return NULL;
}

int rpc_epoll_fd(const struct rpc *r)
{
    return r->epoll;
}

/* Without a free number the client would wait, and we would be woken for it for ever. */
static void refuse_one(struct rpc *r)
{
    int fd;

    if (r->spare >= 0)
        close(r->spare);
    fd = accept4(r->init.listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
        close(fd);
    r->stats.refused++;
    r->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void session_accept(struct rpc *r, usec_t now)
{
    for (int i = 0; i < 16; i++) {
        int fd = accept4(r->init.listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0)
            session_new(r, fd, now);
        else if (errno == EMFILE || errno == ENFILE)
            refuse_one(r);
        else
            return;
    }
}

static void on_event(struct rpc *r, const struct epoll_event *ev, usec_t now)
{
    struct session *s;

    if (ev->data.u64 == LISTENER_ID) {
        session_accept(r, now);
        return;
    }
    s = session_find(r, ev->data.u64);
    if (!s)
        return;
    if (frame_is_held(r, s->uid))
        session_hold(r, s);
    else if (!s->blocked)
        session_read(r, s, now);
    else if (ev->events & (EPOLLHUP | EPOLLERR))
        session_free(r, s);
    else
        list_append_once(&r->out, &s->on_out);
}

bool rpc_input(struct rpc *r, unsigned budget, usec_t now)
{
    struct epoll_event ev[16];

    while (budget > 0) {
        int want = (int)MIN(budget, (unsigned)ARRAY_LEN(ev));
        int n = epoll_wait(r->epoll, ev, want, 0);

        for (int i = 0; i < n; i++)
            on_event(r, &ev[i], now);
        if (n < want)
            return false;
        budget -= (unsigned)n;
    }
    return true;
}

void rpc_flush(struct rpc *r)
{
    struct list *n;

    if (!list_empty(&r->lingering))
        linger_check(r, 0);
    while ((n = list_pop(&r->out)))
        session_send(r, LIST_ENTRY(n, struct session, on_out));
}

usec_t rpc_deadline(const struct rpc *r)
{
    usec_t first = list_empty(&r->parked) ? USEC_NEVER : r->retry_at;

    LIST_FOREACH(n, &r->lingering)
        first = usec_min(first, LIST_ENTRY(n, struct lingering, on_all)->deadline);
    return first;
}

void rpc_advance(struct rpc *r, usec_t now)
{
    linger_check(r, now);
    if (list_empty(&r->parked) || now < r->retry_at)
        return;
    r->retry_at = now + 100 * USEC_PER_MSEC;
    frame_retry(r);
    session_unhold_all(r);
}
