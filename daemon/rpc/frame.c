/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One message of a session, in and out. What comes in is from anybody; the kernel
 * says who sent it and which descriptors are ours now.
 *
 * Closing a descriptor that a client sent can block: a kernel socket with SO_LINGER, a
 * file of a FUSE server that does not answer, an AF_UNIX socket with one of these in
 * its queue. So whatever is not known to be harmless is closed by a child process that
 * shares the descriptor table and nothing else, one for all of a message; and none is
 * ever left to the kernel to drop, neither by a control buffer that is too short nor in
 * the queue of a session. There are few such children. When those of a user are all
 * stuck, the descriptors stay open (parked), and nothing more is read from that user
 * until they are closed: this process itself never closes one.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rpc/session.h"
#include "stream/stream.h"

/* ---- in ------------------------------------------------------------------------- */

#define FDS_MAX 253 /* the kernel's SCM_MAX_FD: as many as a message can carry */

struct fds {
    int fd[FDS_MAX];
    unsigned n;
};

static void take_control(struct msghdr *msg, struct frame *f, struct fds *fds)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        size_t len = c->cmsg_len - CMSG_LEN(0);

        if (c->cmsg_level != SOL_SOCKET)
            continue;
        if (c->cmsg_type == SCM_CREDENTIALS && len == sizeof(struct ucred)) {
            struct ucred u;

            memcpy(&u, CMSG_DATA(c), sizeof(u));
            f->has_sender = true;
            f->uid = u.uid;
            f->gid = u.gid;
            f->pid = u.pid;
        } else if (c->cmsg_type == SCM_RIGHTS) {
            for (size_t i = 0; i < len / sizeof(int) && fds->n < ARRAY_LEN(fds->fd); i++)
                memcpy(&fds->fd[fds->n++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
        }
    }
}

int frame_read(struct rpc *r, const struct session *s, struct frame *ret)
{
    union {
        struct cmsghdr align;
        uint8_t mem[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(FDS_MAX * sizeof(int))];
    } control;
    struct iovec iov = { r->buf, FRAME_MAX };
    struct msghdr msg = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control),
    };
    struct fds fds;
    ssize_t n;

    fds.n = 0;
    *ret = (struct frame){ .fd = -1 };
    n = recvmsg(s->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return -errno;
    take_control(&msg, ret, &fds);
    if (n > 0 && !(msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) && fds.n <= 1) {
        ret->len = (size_t)n;
        ret->fd = fds.n == 1 ? fds.fd[0] : -1;
        return 0;
    }
    frame_discard_fds(r, s->uid, fds.fd, fds.n);
    if (n == 0 && !ret->has_sender)
        return -ECONNRESET; /* the end; an empty message would say who sent it */
    return msg.msg_flags & MSG_TRUNC ? -EMSGSIZE : -EBADMSG;
}

static void closers_reap(struct rpc *r)
{
    for (unsigned i = 0; i < r->closers;) {
        if (waitpid(r->closer[i].pid, NULL, WNOHANG | __WCLONE) == 0)
            i++;
        else
            r->closer[i] = r->closer[--r->closers];
    }
}

static unsigned closers_of(const struct rpc *r, uid_t uid)
{
    unsigned n = 0;

    for (unsigned i = 0; i < r->closers; i++)
        n += r->closer[i].uid == uid;
    return n;
}

static void on_nudge(int sig)
{
}

/* Most of what closing waits for is given up at a signal that is caught. SIGURG does nothing to
 * a closer that is not so far yet; one that died would leave descriptors open. */
static void closers_nudge(struct rpc *r, uid_t uid)
{
    for (unsigned i = 0; i < r->closers; i++)
        if (r->closer[i].uid == uid)
            kill(r->closer[i].pid, SIGURG);
}

/* A process that closes @fd and ends. It has no exit signal: only __WCLONE sees it. It must
 * not outlive us, or the descriptor table would, and with it every port claim. */
static bool close_by_child(struct rpc *r, uid_t uid, const int *fd, unsigned n)
{
    const struct sigaction nudge = { .sa_handler = on_nudge };
    long pid;

    closers_reap(r);
    if (r->closers >= CLOSERS_MAX || closers_of(r, uid) >= CLOSERS_PER_UID)
        return false;
    pid = syscall(SYS_clone, CLONE_FILES, NULL, NULL, NULL, NULL);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sigaction(SIGURG, &nudge, NULL);
        for (unsigned i = 0; i < n; i++)
            close(fd[i]);
        _exit(0);
    }
    if (pid > 0)
        r->closer[r->closers++] = (struct closer){ (pid_t)pid, uid };
    return pid > 0;
}

void frame_discard_fds(struct rpc *r, uid_t uid, const int *fd, unsigned n)
{
    int doubtful[FDS_MAX];
    unsigned count = 0;
    struct parked *p;

    for (unsigned i = 0; i < n && i < FDS_MAX; i++) {
        if (fd[i] < 0)
            continue;
        if (stream_harmless(r->init.stream, fd[i]))
            close(fd[i]);
        else
            doubtful[count++] = fd[i];
    }
    if (count == 0 || close_by_child(r, uid, doubtful, count))
        return;
    p = malloc(sizeof(*p) + count * sizeof(int));
    if (!p)
        return; /* they stay open: better than to wait for them */
    list_init(&p->on_all);
    p->uid = uid;
    p->n = count;
    memcpy(p->fd, doubtful, count * sizeof(int));
    list_append(&r->parked, &p->on_all);
    closers_nudge(r, uid);
    r->retry_at = 0;
}

bool frame_is_held(const struct rpc *r, uid_t uid)
{
    LIST_FOREACH(n, &r->parked)
        if (LIST_ENTRY(n, struct parked, on_all)->uid == uid)
            return true;
    return false;
}

void frame_retry(struct rpc *r)
{
    LIST_FOREACH_SAFE(n, &r->parked) {
        struct parked *p = LIST_ENTRY(n, struct parked, on_all);

        if (close_by_child(r, p->uid, p->fd, p->n)) {
            list_del(&p->on_all);
            free(p);
        } else {
            closers_nudge(r, p->uid);
        }
    }
}

/* ---- out ------------------------------------------------------------------------ */

static struct reply_frame *reply_frame_free(struct reply_frame *f)
{
    if (f && f->fd >= 0)
        close(f->fd);
    free(f);
    return NULL;
}

int frame_queue(struct rpc *r, struct session *s, const Tcpd__V1__Reply *reply, int fd)
{
    size_t len = tcpd__v1__reply__get_packed_size(reply);
    struct uid_use *use = session_uid_use(r, s->uid);
    struct reply_frame *f = NULL;

    if (len <= FRAME_MAX && s->queued + len <= QUEUE_MAX && use->queued + len <= QUEUE_UID_MAX &&
        r->queued + len <= QUEUE_ALL_MAX)
        f = malloc(sizeof(*f) + len);
    if (!f) {
        if (fd >= 0)
            close(fd);
        return len > FRAME_MAX ? -EMSGSIZE : -ENOBUFS;
    }
    f->len = tcpd__v1__reply__pack(reply, f->bytes);
    f->fd = fd;
    list_init(&f->on_session);
    list_append(&s->replies, &f->on_session);
    s->queued += f->len;
    use->queued += f->len;
    r->queued += f->len;
    list_append_once(&r->out, &s->on_out);
    return 0;
}

static int frame_write(int fd, const struct reply_frame *f)
{
    union {
        struct cmsghdr align;
        uint8_t mem[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct iovec iov = { (void *)(uintptr_t)f->bytes, f->len };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (f->fd >= 0) {
        struct cmsghdr *c = &control.align;

        msg.msg_control = &control;
        msg.msg_controllen = sizeof(control);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &f->fd, sizeof(int));
    }
    return sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int frame_flush(struct rpc *r, struct session *s)
{
    while (!list_empty(&s->replies)) {
        struct reply_frame *f = LIST_ENTRY(s->replies.next, struct reply_frame, on_session);
        int e = frame_write(s->fd, f);

        if (e < 0)
            return e;
        frame_drop(r, s);
    }
    return 0;
}

void frame_drop(struct rpc *r, struct session *s)
{
    struct reply_frame *f = LIST_ENTRY(list_pop(&s->replies), struct reply_frame, on_session);

    s->queued -= f->len;
    session_uid_use(r, s->uid)->queued -= f->len;
    r->queued -= f->len;
    reply_frame_free(f);
}
