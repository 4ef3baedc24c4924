/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fake_sock.h"
#include "proto/errors.h"
#include "proto/tcpd.pb-c.h"
#include "stream/stream.h"

#define SESSIONS 64
#define LATER    64
#define TICK_MS  3

struct later {
    int64_t due;
    int session;
    size_t len;
    uint8_t buf[512];
};

static int sessions[SESSIONS];
static struct later later[LATER];
static int listen_fd;
static unsigned session_count;
static int hang_ups, garbage_sent;
static bool lose_next;
static uint16_t next_port = 40000;

static void later_send(void)
{
    size_t i;

    for (i = 0; i < LATER; i++)
        if (later[i].len && later[i].due <= fake_now_ms()) {
            send(later[i].session, later[i].buf, later[i].len, MSG_NOSIGNAL);
            later[i].len = 0;
        }
}

/* ---- calls ----------------------------------------------------------------------------- */

struct call {
    Tcpd__V1__Request *req;
    Tcpd__V1__Reply *reply;
    int session;
    int fd; /* shown */
    struct ucred who;
    int64_t delay_ms;
    int give_fd;
    bool silent;
    uint8_t value[64];
    Tcpd__V1__ValueReply value_reply;
    Tcpd__V1__AddrReply addr_reply;
    Tcpd__V1__Addr addr;
    Tcpd__V1__ErrorReply error_reply;
    Tcpd__V1__QueueReply queue_reply;
    Tcpd__V1__SocketReply socket_reply;
};

static void value_set(struct call *c, const void *value, size_t len)
{
    tcpd__v1__value_reply__init(&c->value_reply);
    memcpy(c->value, value, len);
    c->value_reply.value = (ProtobufCBinaryData){ len, c->value };
    c->reply->result_case = TCPD__V1__REPLY__RESULT_VALUE;
    c->reply->value = &c->value_reply;
}

static int misbehave(struct call *c, int name)
{
    uint32_t two = 2, who[3] = { (uint32_t)c->who.pid, c->who.uid, c->who.gid };
    struct fake_sock *s;

    switch (name) {
    case FAKE_HANG_UP:
        if (hang_ups++ == 0) {
            shutdown(c->session, SHUT_RDWR);
            c->silent = true;
        }
        break;
    case FAKE_GARBAGE:
        if (garbage_sent++ == 0) {
            send(c->session, "\xff\xff\xff\xff", 4, MSG_NOSIGNAL);
            c->silent = true;
        }
        break;
    case FAKE_LATE:
        c->delay_ms = 100;
        break;
    case FAKE_SESSIONS:
        value_set(c, &session_count, sizeof(session_count));
        return 0;
    case FAKE_WHO:
        value_set(c, who, sizeof(who));
        return 0;
    case FAKE_BAD_ACCEPT:
        s = fake_find(c->fd);
        fake_accept_push(s, NULL, 0x12345678);
        break;
    default:
        return EINVAL;
    }
    value_set(c, &two, sizeof(two));
    return 0;
}

static int do_getopt(struct call *c)
{
    struct fake_sock *s = fake_find(c->fd);
    Tcpd__V1__GetOptRequest *g = c->req->get_opt;
    int zero = 0, listening = s && s->listening;
    size_t i;

    if (g->level == FAKE_LEVEL)
        return misbehave(c, g->name);
    if (g->level == SOL_SOCKET && g->name == SO_ACCEPTCONN) {
        value_set(c, &listening, sizeof(listening));
        return 0;
    }
    for (i = 0; s && i < FAKE_OPTS; i++)
        if (s->opts[i].len && s->opts[i].level == g->level && s->opts[i].name == g->name) {
            value_set(c, s->opts[i].value, s->opts[i].len);
            return 0;
        }
    if (g->level == IPPROTO_TCP && g->name > 0x100)
        return ENOPROTOOPT;
    value_set(c, &zero, sizeof(zero));
    return 0;
}

static int do_setopt(struct call *c)
{
    Tcpd__V1__SetOptRequest *o = c->req->set_opt;
    struct fake_sock *s;
    size_t i;

    if (o->level == FAKE_LEVEL) {
        lose_next = o->name == FAKE_LOSE_NEXT;
        return 0;
    }
    if (o->value.len > 64)
        return EINVAL;
    s = fake_attach(c->fd);
    for (i = 0; i < FAKE_OPTS - 1; i++)
        if (!s->opts[i].len || (s->opts[i].level == o->level && s->opts[i].name == o->name))
            break;
    s->opts[i].level = o->level;
    s->opts[i].name = o->name;
    s->opts[i].len = o->value.len;
    memcpy(s->opts[i].value, o->value.data, o->value.len);
    return 0;
}

static void name_take(struct name *n, const Tcpd__V1__Addr *a)
{
    memset(n, 0, sizeof(*n));
    if (a->addr.len == 4) {
        memset(n->addr + 10, 0xff, 2);
        memcpy(n->addr + 12, a->addr.data, 4);
    } else {
        memcpy(n->addr, a->addr.data, MIN(a->addr.len, (size_t)16));
    }
    n->port = (uint16_t)a->port;
}

static int do_bind(struct call *c)
{
    struct fake_sock *s = fake_attach(c->fd);

    if (s->local.port)
        return EINVAL;
    name_take(&s->local, c->req->bind->addr);
    if (!s->local.port)
        s->local.port = next_port++;
    if (lose_next) {
        lose_next = false;
        c->silent = true;
        shutdown(c->session, SHUT_RDWR);
    }
    return 0;
}

static int do_connect(struct call *c)
{
    struct fake_sock *s = fake_find(c->fd);

    if (s && s->ours < 0)
        return EINVAL;
    if (c->req->connect->addr->port == FAKE_UNREACHABLE)
        return ENETUNREACH;
    s = fake_attach(c->fd);
    if (s->connected)
        return EISCONN;
    if (s->connecting)
        return EALREADY;
    name_take(&s->remote, c->req->connect->addr);
    if (!s->local.port)
        s->local.port = next_port++;
    s->fate = s->remote.port;
    s->connecting = true;
    s->due = fake_now_ms() + (s->fate == FAKE_SLOW ? 300 : 20);
    return EINPROGRESS;
}

static int do_name(struct call *c)
{
    struct fake_sock *s = fake_find(c->fd), none = { .family = fake_family(c->fd) };
    struct name *n;

    if (c->req->name->peer && (!s || !s->connected))
        return ENOTCONN;
    s = s ? s : &none;
    n = c->req->name->peer ? &s->remote : &s->local;
    tcpd__v1__addr__init(&c->addr);
    tcpd__v1__addr_reply__init(&c->addr_reply);
    c->addr.family = (uint32_t)s->family;
    c->addr.addr = s->family == AF_INET ? (ProtobufCBinaryData){ 4, n->addr + 12 }
                                        : (ProtobufCBinaryData){ 16, n->addr };
    memcpy(c->value, c->addr.addr.data, c->addr.addr.len); /* it may be on our stack */
    c->addr.addr.data = c->value;
    c->addr.port = n->port;
    c->addr_reply.addr = &c->addr;
    c->reply->result_case = TCPD__V1__REPLY__RESULT_ADDR;
    c->reply->addr = &c->addr_reply;
    return 0;
}

static int do_error(struct call *c)
{
    struct fake_sock *s = fake_find(c->fd);

    tcpd__v1__error_reply__init(&c->error_reply);
    c->error_reply.error = s ? error_to_wire(s->error) : 0;
    if (s)
        s->error = 0;
    c->reply->result_case = TCPD__V1__REPLY__RESULT_ERROR;
    c->reply->error = &c->error_reply;
    return 0;
}

/* It has a peer, but that is none of ours: of a daemon that was here before. */
static bool is_left_over(int fd)
{
    struct sockaddr_un un;
    socklen_t len = sizeof(un);

    return getpeername(fd, (struct sockaddr *)&un, &len) == 0;
}

static int call_do(struct call *c)
{
    struct fake_sock *s = c->fd >= 0 ? fake_find(c->fd) : NULL;

    if (c->fd < 0 && c->req->call_case != TCPD__V1__REQUEST__CALL_SOCKET)
        return EBADF;
    if (c->fd >= 0 && !s && is_left_over(c->fd))
        return ENOTSOCK;
    switch (c->req->call_case) {
    case TCPD__V1__REQUEST__CALL_SOCKET:
        c->give_fd = fake_fresh((int)c->req->socket->family);
        return 0;
    case TCPD__V1__REQUEST__CALL_BIND:
        return do_bind(c);
    case TCPD__V1__REQUEST__CALL_LISTEN:
        fake_attach(c->fd)->listening = true;
        return 0;
    case TCPD__V1__REQUEST__CALL_CONNECT:
        return do_connect(c);
    case TCPD__V1__REQUEST__CALL_SHUTDOWN:
        return s && (s->connected || s->listening) ? 0 : ENOTCONN;
    case TCPD__V1__REQUEST__CALL_NAME:
        return do_name(c);
    case TCPD__V1__REQUEST__CALL_SET_OPT:
        return do_setopt(c);
    case TCPD__V1__REQUEST__CALL_GET_OPT:
        return do_getopt(c);
    case TCPD__V1__REQUEST__CALL_ERROR:
        return do_error(c);
    case TCPD__V1__REQUEST__CALL_CLOSE:
        c->delay_ms = 200;
        return 0;
    case TCPD__V1__REQUEST__CALL_QUEUE:
        tcpd__v1__queue_reply__init(&c->queue_reply);
        c->queue_reply.unsent_bytes = 11;
        c->queue_reply.unacked_bytes = 22;
        c->reply->result_case = TCPD__V1__REPLY__RESULT_QUEUE;
        c->reply->queue = &c->queue_reply;
        return 0;
    default:
        return ENOSYS;
    }
}

static void reply_send(struct call *c)
{
    union {
        struct cmsghdr align;
        uint8_t mem[CMSG_SPACE(sizeof(int))];
    } control = { .mem = { 0 } };
    uint8_t buf[512];
    size_t len = tcpd__v1__reply__pack(c->reply, buf);
    struct iovec iov = { buf, len };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    size_t i;

    if (c->delay_ms) {
        for (i = 0; i < LATER && later[i].len; i++)
            ;
        assert(i < LATER);
        later[i].due = fake_now_ms() + c->delay_ms;
        later[i].session = c->session;
        later[i].len = len;
        memcpy(later[i].buf, buf, len);
        return;
    }
    if (c->give_fd >= 0) {
        struct cmsghdr *cm;

        msg.msg_control = control.mem;
        msg.msg_controllen = sizeof(control.mem);
        cm = CMSG_FIRSTHDR(&msg);
        cm->cmsg_level = SOL_SOCKET;
        cm->cmsg_type = SCM_RIGHTS;
        cm->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(cm), &c->give_fd, sizeof(int));
    }
    sendmsg(c->session, &msg, MSG_NOSIGNAL);
}

/* One request. false: the session has ended. */
static bool serve(int session)
{
    union {
        struct cmsghdr align;
        uint8_t mem[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))];
    } control;
    uint8_t buf[8192];
    struct iovec iov = { buf, sizeof(buf) };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.mem,
                          .msg_controllen = sizeof(control.mem) };
    Tcpd__V1__Reply reply = TCPD__V1__REPLY__INIT;
    struct call c = { .reply = &reply, .session = session, .fd = -1, .give_fd = -1 };
    ssize_t n = recvmsg(session, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct cmsghdr *cm;

    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    for (cm = CMSG_FIRSTHDR(&msg); cm; cm = CMSG_NXTHDR(&msg, cm)) {
        if (cm->cmsg_type == SCM_RIGHTS)
            memcpy(&c.fd, CMSG_DATA(cm), sizeof(int));
        else
            memcpy(&c.who, CMSG_DATA(cm), sizeof(c.who));
    }
    c.req = tcpd__v1__request__unpack(NULL, (size_t)n, buf);
    if (!c.req)
        return false;
    reply.id = c.req->id;
    reply.status = error_to_wire(call_do(&c));
    if (!c.silent)
        reply_send(&c);
    tcpd__v1__request__free_unpacked(c.req, NULL);
    if (c.fd >= 0)
        close(c.fd);
    if (c.give_fd >= 0)
        close(c.give_fd);
    return true;
}

static void session_accept(void)
{
    int one = 1;
    size_t i;
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);

    for (i = 0; i < SESSIONS && sessions[i] >= 0; i++)
        ;
    assert(fd >= 0 && i < SESSIONS);
    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
    sessions[i] = fd;
    session_count++;
}

static void sessions_poll(void)
{
    struct pollfd pfd[SESSIONS + 1];
    size_t i;

    for (i = 0; i < SESSIONS; i++)
        pfd[i] = (struct pollfd){ .fd = sessions[i], .events = POLLIN };
    pfd[SESSIONS] = (struct pollfd){ .fd = listen_fd, .events = POLLIN };
    poll(pfd, SESSIONS + 1, TICK_MS);
    for (i = 0; i < SESSIONS; i++)
        if (pfd[i].revents && !serve(sessions[i])) {
            close(sessions[i]);
            sessions[i] = -1;
        }
    if (pfd[SESSIONS].revents)
        session_accept();
}

pid_t fake_start(const char *path)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int one = 1;
    pid_t pid;
    size_t i;

    snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
    unlink(path);
    listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert(bind(listen_fd, (struct sockaddr *)&un, sizeof(un)) == 0);
    setsockopt(listen_fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
    assert(listen(listen_fd, 64) == 0);
    pid = fork();
    assert(pid >= 0);
    if (pid > 0) {
        close(listen_fd);
        return pid;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    fake_socks_init();
    for (i = 0; i < SESSIONS; i++)
        sessions[i] = -1;
    for (;;) {
        sessions_poll();
        fake_tick();
        later_send();
    }
}

void fake_stop(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}
