/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session is one client's SOCK_SEQPACKET connection. It carries requests, not
 * rights: whose request it is, is asked of the kernel for each. One that sends
 * garbage is closed and counted. One that does not read its replies is not read
 * from either, and closed when they have grown too many.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpc/session.h"
#include "state/state.h"

struct uid_use *session_uid_use(struct rpc *r, uid_t uid)
{
    return idmap_get(&r->by_uid, (uint64_t)uid + 1);
}

static int uid_charge(struct rpc *r, uid_t uid)
{
    struct uid_use *n = session_uid_use(r, uid);

    if (!n) {
        if (idmap_reserve(&r->by_uid) < 0)
            return -ENOMEM;
        n = calloc(1, sizeof(*n));
        if (!n)
            return -ENOMEM;
        idmap_put(&r->by_uid, (uint64_t)uid + 1, n);
    }
    if (r->count >= r->max || (uid != 0 && n->sessions >= r->max_per_uid)) {
        if (n->sessions == 0)
            free(idmap_take(&r->by_uid, (uint64_t)uid + 1));
        return -EMFILE;
    }
    n->sessions++;
    r->count++;
    return 0;
}

static void uid_release(struct rpc *r, uid_t uid)
{
    struct uid_use *n = session_uid_use(r, uid);

    r->count--;
    if (--n->sessions == 0)
        free(idmap_take(&r->by_uid, (uint64_t)uid + 1));
}

static int watch(struct rpc *r, struct session *s, int op)
{
    struct epoll_event ev = {
        .events = s->blocked ? EPOLLOUT : EPOLLIN,
        .data.u64 = s->id,
    };

    return epoll_ctl(r->epoll, op, s->fd, &ev) < 0 ? -errno : 0;
}

/* Takes @fd, also on error. */
int session_new(struct rpc *r, int fd, usec_t now)
{
    struct session *s = NULL;
    struct ucred peer = { .uid = (uid_t)-1 };
    socklen_t len = sizeof(peer);
    int one = 1;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) < 0)
        goto refuse;
    if (uid_charge(r, peer.uid) < 0)
        goto refuse;
    s = idmap_reserve(&r->by_id) == 0 ? calloc(1, sizeof(*s)) : NULL;
    if (!s)
        goto release;
    s->id = r->next_id++;
    s->fd = fd;
    s->uid = peer.uid;
    s->pid = peer.pid;
    s->since = now;
    list_init(&s->on_all);
    list_init(&s->on_out);
    list_init(&s->replies);
    if (watch(r, s, EPOLL_CTL_ADD) < 0)
        goto release;
    idmap_put(&r->by_id, s->id, s);
    list_append(&r->sessions, &s->on_all);
    state_fd_add(r->init.state, fd, STATE_FD_SESSION, s->id);
    return 0;

release:
    free(s);
    uid_release(r, peer.uid);
refuse:
    r->stats.refused++;
    close(fd);
    return -EMFILE;
}

void session_hold(struct rpc *r, struct session *s)
{
    if (!s->held)
        epoll_ctl(r->epoll, EPOLL_CTL_DEL, s->fd, NULL);
    s->held = true;
}

void session_unhold_all(struct rpc *r)
{
    LIST_FOREACH_SAFE(n, &r->sessions) {
        struct session *s = LIST_ENTRY(n, struct session, on_all);

        if (!s->held || frame_is_held(r, s->uid))
            continue;
        if (!s->dying)
            s->held = false;
        if (s->dying || watch(r, s, EPOLL_CTL_ADD) < 0)
            session_free(r, s);
    }
}

/* What lies unread in it may carry descriptors: see frame.c. Nothing can be added any more.
 * False: there is more, and it must wait. */
static bool empty(struct rpc *r, struct session *s)
{
    struct frame f;
    int e;

    shutdown(s->fd, SHUT_RDWR);
    do {
        if (frame_is_held(r, s->uid))
            return false;
        e = frame_read(r, s, &f);
        if (e == 0)
            frame_discard_fds(r, s->uid, &f.fd, 1);
    } while (e == 0 || e == -EMSGSIZE || e == -EBADMSG);
    return true;
}

struct session *session_free(struct rpc *r, struct session *s)
{
    while (!list_empty(&s->replies))
        frame_drop(r, s);
    list_del(&s->on_out);
    idmap_take(&r->by_id, s->id);
    session_hold(r, s); /* nothing more is read from it */
    s->dying = true;
    if (!empty(r, s))
        return NULL;
    list_del(&s->on_all);
    uid_release(r, s->uid);
    state_fd_close_later(r->init.state, s->fd); /* not at once: the last commit may name it */
    free(s);
    return NULL;
}

struct session *session_find(struct rpc *r, uint64_t id)
{
    return idmap_get(&r->by_id, id);
}

bool session_read(struct rpc *r, struct session *s, usec_t now)
{
    struct frame f;
    int e = frame_read(r, s, &f);

    if (e == -EAGAIN || e == -EINTR)
        return true;
    if (e < 0) {
        if (e == -EMSGSIZE || e == -EBADMSG)
            r->stats.garbage++;
        session_free(r, s);
        return false;
    }
    r->stats.requests++;
    dispatch(r, s, &f, now);
    return true;
}

void session_send(struct rpc *r, struct session *s)
{
    int e = frame_flush(r, s);
    bool blocked = e == -EAGAIN;

    if (e < 0 && !blocked) {
        session_free(r, s);
        return;
    }
    if (blocked == s->blocked)
        return;
    s->blocked = blocked;
    if (!s->held)
        watch(r, s, EPOLL_CTL_MOD);
}
