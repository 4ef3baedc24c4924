/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state lives in a page of its own that the kernel wipes in a forked child
 * (MADV_WIPEONFORK). All zero is its initial state, so a child, however it was made
 * and whatever another thread held at that moment, starts without a session and
 * without held locks: no fork handlers, and _Fork() or a raw clone() are as good as
 * fork(). A child of vfork() sees the page as it is, under another pid: it takes a
 * connection of its own for each call and changes nothing (s->pid is compared).
 *
 * Replies are matched by id. The lock is held to write a request and to take replies
 * off the socket, not to wait: one of the waiting threads polls, and hands to the
 * others what is theirs.
 */
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "report.h"
#include "session.h"
#include "sys.h"

/* A poll on a number that a program replaced at this moment ends by itself. */
#define POLL_SLICE_MS 250

struct waiter {
    struct waiter *next;
    uint64_t id;
    uint64_t epoch; /* of the session that the request was written to */
    bool done;
    struct answer *answer;
};

struct session {
    pthread_mutex_t lock;  /* zero is PTHREAD_MUTEX_INITIALIZER, */
    pthread_cond_t change; /* and PTHREAD_COND_INITIALIZER */
    pid_t pid;             /* whose it is; 0: nobody's yet */
    int fd_plus_1;         /* 0: none; atomic, close() looks at it without the lock */
    uint64_t cookie;       /* of fd */
    uint64_t epoch;        /* counts the connections */
    uint64_t last_id;
    bool polled;           /* a thread waits in poll() for all */
    struct waiter *waiters;
    /* what is being read, under the lock; not on somebody's small stack */
    struct answer incoming;
    struct wire_arena arena;
};

static struct session *the_session;
static char path[PATH_MAX];
static bool path_is_default;
/* What a forked child inherits and has to close, once its own page is wiped. */
static int left_fd = -1;
static uint64_t left_cookie;

static void path_init(void)
{
    const char *env = secure_getenv("TCPD_SOCKET");
    char cwd[PATH_MAX];

    path_is_default = !env || !*env;
    if (path_is_default)
        env = SESSION_PATH_DEFAULT;
    /* The program may change its directory, and its environment, before it asks. */
    if (*env != '/' && getcwd(cwd, sizeof(cwd)) && strlen(cwd) + strlen(env) + 2 < sizeof(path)) {
        size_t n = strlen(cwd);

        memcpy(path, cwd, n);
        path[n] = '/';
        memcpy(path + n + 1, env, strlen(env) + 1);
    } else {
        snprintf(path, sizeof(path), "%s", env);
    }
}

/* At load; or earlier, if another library's constructor wants a socket. */
__attribute__((constructor)) static void session_init(void)
{
    struct session *s, *none = NULL;

    if (__atomic_load_n(&the_session, __ATOMIC_ACQUIRE))
        return;
    path_init();
    s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (s == MAP_FAILED)
        return;
    if (madvise(s, sizeof(*s), MADV_WIPEONFORK) < 0 ||
        !__atomic_compare_exchange_n(&the_session, &none, s, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE))
        munmap(s, sizeof(*s));
}

/* NULL: no shared state to be had here; every call goes alone. */
static struct session *session_get(void)
{
    struct session *s = __atomic_load_n(&the_session, __ATOMIC_ACQUIRE);
    pid_t me = (pid_t)SYS_CALL(SYS_getpid);
    pid_t nobody = 0;

    if (!s) {
        session_init();
        s = __atomic_load_n(&the_session, __ATOMIC_ACQUIRE);
        if (!s)
            return NULL;
    }
    if (__atomic_compare_exchange_n(&s->pid, &nobody, me, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        return s;
    return nobody == me ? s : NULL;
}

const char *session_path(void)
{
    if (!path[0])
        session_init();
    return path;
}

const char *session_path_given(void)
{
    const char *p = session_path();

    return path_is_default ? NULL : p;
}

int session_fd(void)
{
    struct session *s = __atomic_load_n(&the_session, __ATOMIC_ACQUIRE);

    return s ? __atomic_load_n(&s->fd_plus_1, __ATOMIC_ACQUIRE) - 1 : -1;
}

bool session_owns(int fd)
{
    struct session *s = __atomic_load_n(&the_session, __ATOMIC_ACQUIRE);

    return fd >= 0 && session_fd() == fd && s->pid == (pid_t)SYS_CALL(SYS_getpid) &&
           sys_cookie(fd) == s->cookie;
}

static void fd_set_number(struct session *s, int fd)
{
    left_cookie = s->cookie;
    left_fd = fd;
    __atomic_store_n(&s->fd_plus_1, fd + 1, __ATOMIC_RELEASE);
}

/* ---- under the lock ------------------------------------------------------------- */

static bool is_intact(struct session *s)
{
    int fd = s->fd_plus_1 - 1;

    return fd >= 0 && sys_cookie(fd) == s->cookie;
}

static void session_drop(struct session *s)
{
    if (is_intact(s))
        sys_close(s->fd_plus_1 - 1);
    s->cookie = 0;
    fd_set_number(s, -1);
    s->epoch++; /* whoever waits for an answer of the old one learns that it is lost */
    pthread_cond_broadcast(&s->change);
}

static int session_ensure(struct session *s)
{
    int fd;

    if (is_intact(s))
        return 0;
    if (s->fd_plus_1)
        session_drop(s);
    if (left_fd >= 0 && left_cookie && sys_cookie(left_fd) == left_cookie)
        sys_close(left_fd); /* our parent's */
    left_fd = -1;
    fd = wire_open(session_path());
    if (fd < 0)
        return fd;
    s->cookie = sys_cookie(fd);
    fd_set_number(s, fd);
    return 0;
}

static void answer_deliver(struct session *s, const struct answer *a, uint64_t id)
{
    struct waiter *w;

    for (w = s->waiters; w; w = w->next)
        if (w->id == id && !w->done)
            break;
    if (!w) { /* it waited too long */
        if (a->fd >= 0)
            sys_close(a->fd);
        return;
    }
    w->answer->len = a->len;
    w->answer->fd = a->fd;
    w->answer->fd_lost = a->fd_lost;
    memcpy(w->answer->buf, a->buf, a->len);
    w->done = true;
}

/* Takes what is there. */
static void session_drain(struct session *s)
{
    struct answer *a = &s->incoming;

    while (is_intact(s)) {
        Tcpd__V1__Reply *reply;
        int r = wire_recv(s->fd_plus_1 - 1, a);

        if (r == -EAGAIN)
            break;
        if (r <= 0) {
            session_drop(s);
            break;
        }
        reply = wire_unpack(a, &s->arena);
        if (!reply) {
            if (a->fd >= 0)
                sys_close(a->fd);
            session_drop(s);
            break;
        }
        answer_deliver(s, a, reply->id);
    }
    pthread_cond_broadcast(&s->change);
}

static void poll_for_all(struct session *s, int64_t left_ms)
{
    struct pollfd pfd = { .fd = s->fd_plus_1 - 1, .events = POLLIN };

    s->polled = true;
    pthread_mutex_unlock(&s->lock);
    sys_poll(&pfd, (int)MIN(left_ms, (int64_t)POLL_SLICE_MS));
    pthread_mutex_lock(&s->lock);
    s->polled = false;
    session_drain(s);
}

static void wait_for_poller(struct session *s, int64_t deadline)
{
    struct timespec ts = { deadline / 1000, deadline % 1000 * 1000000L };

    pthread_cond_clockwait(&s->change, &s->lock, CLOCK_MONOTONIC, &ts);
}

/* 0; -ETIMEDOUT; -ECONNRESET: the session ended first. */
static int answer_await(struct session *s, struct waiter *w, int64_t deadline)
{
    while (!w->done) {
        int64_t left = deadline - sys_now_ms();

        if (w->epoch != s->epoch)
            return -ECONNRESET;
        if (left <= 0)
            return -ETIMEDOUT;
        if (s->polled)
            wait_for_poller(s, deadline);
        else
            poll_for_all(s, left);
    }
    return 0;
}

static void waiter_remove(struct session *s, struct waiter *w)
{
    struct waiter **p = &s->waiters;

    while (*p && *p != w)
        p = &(*p)->next;
    if (*p)
        *p = w->next;
    pthread_cond_broadcast(&s->change); /* if we polled, another one has to */
}

/* Writes the request; a session that turns out to be dead is replaced once. */
static int request_write(struct session *s, const Tcpd__V1__Request *req, int shown,
                         int64_t deadline)
{
    bool fresh = false;
    int r;

    for (;;) {
        if (!is_intact(s)) {
            if (fresh)
                return -ECONNRESET;
            fresh = true;
            r = session_ensure(s);
            if (r < 0)
                return r;
        }
        r = wire_send(s->fd_plus_1 - 1, req, shown);
        if (r == 0 || r == -EBADF || r == -EMSGSIZE)
            return r; /* EBADF: the shown descriptor; the session's was looked at */
        if (r == -EAGAIN || r == -ETOOMANYREFS) {
            struct pollfd pfd = { .fd = s->fd_plus_1 - 1, .events = POLLOUT };

            if (sys_now_ms() >= deadline)
                return -ETIMEDOUT;
            pthread_mutex_unlock(&s->lock);
            if (r == -ETOOMANYREFS) /* descriptors in flight, of this user; tcpd takes them */
                pfd.events = 0;
            sys_poll(&pfd, r == -ETOOMANYREFS ? 5 : POLL_SLICE_MS);
            pthread_mutex_lock(&s->lock);
        } else {
            session_drop(s); /* nothing was sent: asking again is safe for every call */
        }
    }
}

static int call_once(struct session *s, Tcpd__V1__Request *req, int shown, struct answer *ret)
{
    int64_t deadline = sys_now_ms() + SESSION_LIMIT_MS;
    struct waiter w = { .answer = ret };
    int r;

    pthread_mutex_lock(&s->lock);
    req->id = ++s->last_id;
    r = request_write(s, req, shown, deadline);
    if (r == 0) {
        w.id = req->id;
        w.epoch = s->epoch;
        w.next = s->waiters;
        s->waiters = &w;
        r = answer_await(s, &w, deadline);
        waiter_remove(s, &w);
    }
    pthread_mutex_unlock(&s->lock);
    return r;
}

/* ---- calls --------------------------------------------------------------------------- */

/* Whatever stands between us and tcpd is one error to the program, and a line to a person. */
static int as_caller_sees(int r)
{
    switch (r) {
    case 0:
    case -EBADF:    /* the shown descriptor */
    case -EMFILE:   /* no number left for a session */
    case -ENFILE:
    case -EMSGSIZE:
        return r;
    case -ECONNRESET: /* the answer was lost; the next call tells whether tcpd is back */
        return -ENETDOWN;
    default:
        report_unreachable(session_path(), -r);
        return -ENETDOWN;
    }
}

/* Over a connection of its own. 0 or -errno, also -EINTR and -ETIMEDOUT. */
static int call_alone(Tcpd__V1__Request *req, int shown, int limit_ms, struct answer *ret);

int session_call(Tcpd__V1__Request *req, int shown, bool repeatable, struct answer *ret)
{
    struct session *s = session_get();
    sigset_t all, kept;
    int cancel, r;

    /* A handler that made a call of its own would wait for us to poll. */
    sigfillset(&all);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    pthread_sigmask(SIG_BLOCK, &all, &kept);
    if (s) {
        r = call_once(s, req, shown, ret);
        if (r == -ECONNRESET && repeatable)
            r = call_once(s, req, shown, ret);
    } else {
        r = call_alone(req, shown, SESSION_LIMIT_MS, ret);
    }
    pthread_sigmask(SIG_SETMASK, &kept, NULL);
    pthread_setcancelstate(cancel, NULL);
    return as_caller_sees(r);
}

static int call_alone(Tcpd__V1__Request *req, int shown, int limit_ms, struct answer *ret)
{
    int64_t deadline = sys_now_ms() + limit_ms;
    struct pollfd pfd = { .fd = wire_open(session_path()), .events = POLLIN };
    int r;

    if (pfd.fd < 0)
        return pfd.fd;
    req->id = 1;
    r = wire_send(pfd.fd, req, shown);
    while (r == 0) {
        int64_t left = deadline - sys_now_ms();

        r = left > 0 ? sys_poll(&pfd, (int)left) : -ETIMEDOUT;
        if (r <= 0)
            continue;
        r = wire_recv(pfd.fd, ret);
        if (r > 0)
            break;
        r = r == -EAGAIN ? 0 : -ECONNRESET;
    }
    sys_close(pfd.fd);
    return MIN(r, 0);
}

int session_call_alone(Tcpd__V1__Request *req, int shown, int limit_ms, struct answer *ret)
{
    int r = call_alone(req, shown, limit_ms, ret);

    return r == -EINTR || r == -ETIMEDOUT ? r : as_caller_sees(r);
}

void session_make_way(int fd)
{
    struct session *s = __atomic_load_n(&the_session, __ATOMIC_ACQUIRE);
    sigset_t all, kept;
    int moved;

    if (!session_owns(fd))
        return;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &kept);
    pthread_mutex_lock(&s->lock);
    if (s->fd_plus_1 == fd + 1 && is_intact(s)) {
        moved = sys_fcntl(fd, F_DUPFD_CLOEXEC, fd + 1);
        if (moved < 0)
            moved = sys_fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (moved >= 0) {
            fd_set_number(s, moved);
            sys_close(fd);
        } else {
            session_drop(s);
        }
    }
    pthread_mutex_unlock(&s->lock);
    pthread_sigmask(SIG_SETMASK, &kept, NULL);
}
