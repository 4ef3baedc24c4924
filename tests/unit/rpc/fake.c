/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"

/* ---- sock ---------------------------------------------------------------------- */

uint64_t sock_id(const struct sock *s)
{
    return s->id;
}

int sock_family(const struct sock *s)
{
    return s->family;
}

enum sock_state sock_state(const struct sock *s)
{
    return s->state;
}

const struct cred *sock_owner(const struct sock *s)
{
    return &s->owner;
}

struct tcp_conn *sock_conn(const struct sock *s)
{
    return s->conn;
}

uint32_t sock_queued(const struct sock *s)
{
    return 3;
}

uint32_t sock_backlog(const struct sock *s)
{
    return (uint32_t)s->backlog;
}

void sock_name(const struct sock *s, struct sock_addr *ret)
{
    *ret = s->local;
}

struct tcp_listener *sock_listener(const struct sock *s)
{
    return NULL;
}

static struct sock *next_from(struct sock_table *t, unsigned i)
{
    for (; i < t->n; i++)
        if (!t->all[i]->closed)
            return t->all[i];
    return NULL;
}

struct sock *sock_first(struct sock_table *t)
{
    return next_from(t, 0);
}

struct sock *sock_next(struct sock_table *t, struct sock *s)
{
    return next_from(t, (unsigned)s->id - 1000 + 1);
}

struct sock *sock_find(struct sock_table *t, uint64_t id)
{
    for (struct sock *s = sock_first(t); s; s = sock_next(t, s))
        if (s->id == id)
            return s;
    return NULL;
}

int sock_peer(const struct sock *s, struct sock_addr *ret)
{
    if (s->state != SOCK_CONNECTED)
        return -ENOTCONN;
    *ret = s->peer;
    return 0;
}

int sock_error(struct sock *s)
{
    int error = s->so_error;

    s->so_error = 0;
    return error;
}

bool sock_linger(const struct sock *s, uint32_t *ret_sec)
{
    *ret_sec = s->linger_sec;
    return s->linger_sec > 0;
}

void sock_usage(const struct sock_table *t, struct sock_usage *ret)
{
    *ret = (struct sock_usage){ .sockets = t->n };
}

static struct sock *sock_make(struct sock_table *t)
{
    struct sock *s = calloc(1, sizeof(*s));

    assert_non_null(s);
    assert_true(t->n < FAKE_SOCKS);
    s->id = 1000 + t->n;
    s->family = AF_INET;
    s->local.addr = s->peer.addr = IP_ADDR_ANY4;
    s->shut_how = -1;
    t->all[t->n++] = s;
    return s;
}

int sock_new(struct sock_table *t, int family, const struct cred *cred, struct sock **ret)
{
    if (t->new_result < 0)
        return t->new_result;
    *ret = sock_make(t);
    (*ret)->family = family;
    (*ret)->owner = *cred;
    return 0;
}

int sock_bind(struct sock *s, const struct sock_addr *addr, const struct cred *cred)
{
    s->local = *addr;
    s->last_cred = *cred;
    return s->result;
}

int sock_listen(struct sock *s, int backlog, const struct cred *cred)
{
    s->backlog = backlog;
    return s->result;
}

int sock_connect(struct sock *s, const struct sock_addr *addr, const struct cred *cred, usec_t now)
{
    s->peer = *addr;
    return s->result ? s->result : -EINPROGRESS;
}

int sock_shutdown(struct sock *s, int how, usec_t now)
{
    s->shut_how = how;
    return 0;
}

void sock_close(struct sock *s, bool unread, usec_t now)
{
    s->closed = true;
}

void sock_abort(struct sock *s, int error, usec_t now)
{
    s->aborted = true;
}

int sock_setopt(struct sock *s, int level, int name, const void *val, uint32_t len,
                const struct cred *cred, usec_t now)
{
    s->last_level = level;
    s->last_name = name;
    s->last_len = len;
    memcpy(s->last_value, val, MIN(len, (uint32_t)sizeof(s->last_value)));
    s->last_cred = *cred;
    return s->result;
}

int sock_getopt(struct sock *s, int level, int name, void *val, uint32_t *len, usec_t now)
{
    int value = 42;

    *len = MIN(*len, (uint32_t)sizeof(value));
    memcpy(val, &value, *len);
    return s->result;
}

/* ---- engine --------------------------------------------------------------------- */

const char *tcp_cc_name(enum tcp_cc_id id)
{
    return "newreno";
}

const char *tcp_state_name(enum tcp_state s)
{
    return "ESTABLISHED";
}

uint64_t tcp_conn_id(const struct tcp_conn *conn)
{
    return conn->id;
}

const struct flow *tcp_conn_flow(const struct tcp_conn *conn)
{
    return &conn->flow;
}

uint32_t tcp_conn_tx_unacked(const struct tcp_conn *conn)
{
    return conn->unacked;
}

void tcp_conn_abort(struct tcp_conn *conn, usec_t now)
{
    conn->aborted = true;
}

void tcp_conn_info(const struct tcp_conn *conn, struct tcp_conn_info *ret)
{
    *ret = (struct tcp_conn_info){ .id = conn->id, .flow = conn->flow, .unsent = 5,
                                   .sack = true, .wscale = true, .snd_wscale = 7, .rcv_wscale = 7,
                                   .unread = 10, .hidden = 20, .mss = 1448 };
}

struct tcp_conn *tcp_engine_find(struct tcp_engine *e, uint64_t id)
{
    for (unsigned i = 0; i < e->n; i++)
        if (e->all[i]->id == id)
            return e->all[i];
    return NULL;
}

struct tcp_conn *tcp_engine_first(struct tcp_engine *e)
{
    return e->n > 0 ? e->all[0] : NULL;
}

struct tcp_conn *tcp_engine_next(struct tcp_engine *e, struct tcp_conn *conn)
{
    for (unsigned i = 0; i + 1 < e->n; i++)
        if (e->all[i] == conn)
            return e->all[i + 1];
    return NULL;
}

const struct tcp_counters *tcp_engine_counters(const struct tcp_engine *e)
{
    return &e->counters;
}

/* ---- state ------------------------------------------------------------------------ */

struct state_global *state_global(struct state *s)
{
    return &s->global;
}

uint64_t state_arena_used(const struct state *s)
{
    return 4096;
}

uint64_t state_generation(const struct state *s)
{
    return 9;
}

void state_fd_add(struct state *s, int fd, enum state_fd_kind kind, uint64_t arg)
{
}

void state_fd_close_later(struct state *s, int fd)
{
    assert_true(s->later_n < 256);
    s->later[s->later_n++] = fd;
}

void state_fd_each(struct state *s,
                   void (*f)(void *ctx, int fd, enum state_fd_kind kind, uint64_t arg), void *ctx)
{
}

static void commit(struct state *s)
{
    while (s->later_n > 0)
        close(s->later[--s->later_n]);
}

/* ---- stream -------------------------------------------------------------------------- */

static uint64_t cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);

    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0 ? cookie : 0;
}

static int place(const struct stream *st, int fd)
{
    uint64_t cookie = cookie_of(fd);

    for (unsigned i = 0; cookie && i < st->n; i++)
        if (st->fd[i].cookie == cookie)
            return (int)i;
    return -1;
}

int stream_fresh(struct stream *st, int family)
{
    int fd;

    if (family != AF_INET && family != AF_INET6)
        return -EAFNOSUPPORT;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(st->n < FAKE_FDS);
    st->fd[st->n].cookie = cookie_of(fd);
    st->fd[st->n++].family = family;
    return fd;
}

struct sock *stream_find(struct stream *st, int fd)
{
    int i = place(st, fd);

    return i < 0 || st->fd[i].dead ? NULL : st->fd[i].s;
}

int stream_fresh_family(struct stream *st, int fd)
{
    int i = place(st, fd);

    return i < 0 || st->fd[i].s ? 0 : st->fd[i].family;
}

int stream_attach(struct stream *st, struct sock *s, int fd)
{
    if (st->attach_result < 0)
        return st->attach_result;
    st->fd[place(st, fd)].s = s;
    return 0;
}

void stream_connecting(struct stream *st, struct sock *s, int fd)
{
    st->connecting++;
}

int stream_last_error(struct stream *st, int fd)
{
    int i = place(st, fd), error = i < 0 ? 0 : st->fd[i].error;

    if (i >= 0)
        st->fd[i].error = 0;
    return error;
}

void stream_shutdown(struct stream *st, struct sock *s, int fd, int how)
{
    st->shut_how = how;
}

bool stream_was_ours(struct stream *st, int fd)
{
    int i = place(st, fd);

    return i >= 0 && st->fd[i].dead;
}

bool stream_harmless(struct stream *st, int fd)
{
    return place(st, fd) >= 0;
}

uint32_t stream_untaken(struct stream *st, const struct sock *s)
{
    return s->untaken;
}

/* ---- the test's hand -------------------------------------------------------------------- */

static unsigned claims(void *ctx)
{
    return 3;
}

static void pairs(void *ctx, void (*pair)(void *arg, const char *name, uint64_t value), void *arg)
{
    pair(arg, "packets_in", 11);
}

int world_setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    struct rpc_init init;

    assert_non_null(w);
    strcpy(w->path, "/tmp/tcpd-rpc-XXXXXX");
    assert_non_null(mkdtemp(w->path));
    assert_int_equal(chmod(w->path, 0755), 0);
    strcat(w->path, "/sock");
    strcpy(addr.sun_path, w->path);
    w->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(w->listen_fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(chmod(w->path, 0666), 0);
    assert_int_equal(listen(w->listen_fd, 128), 0);
    tunables_init(&w->tun);
    w->now = 100 * USEC_PER_SEC;
    init = (struct rpc_init){ .listen_fd = w->listen_fd, .socks = &w->socks,
                              .stream = &w->stream, .state = &w->state, .engine = &w->engine,
                              .tun = &w->tun, .netio_pairs = pairs, .port_claims = claims,
                              .supervisor_pid = 77, .started_at = 90 * USEC_PER_SEC };
    assert_int_equal(rpc_new(&init, &w->rpc), 0);
    *state = w;
    return 0;
}

int world_teardown(void **state)
{
    struct world *w = *state;

    rpc_free(w->rpc);
    commit(&w->state);
    close(w->listen_fd);
    unlink(w->path);
    *strrchr(w->path, '/') = '\0';
    rmdir(w->path);
    for (unsigned i = 0; i < w->socks.n; i++)
        free(w->socks.all[i]);
    for (unsigned i = 0; i < w->engine.n; i++)
        free(w->engine.all[i]);
    free(w);
    return 0;
}

struct sock *fake_sock(struct world *w, enum sock_state state)
{
    struct sock *s = sock_make(&w->socks);

    s->state = state;
    return s;
}

struct tcp_conn *fake_conn(struct world *w)
{
    struct tcp_conn *c = calloc(1, sizeof(*c));

    assert_non_null(c);
    c->id = 5000 + w->engine.n;
    c->flow.local = c->flow.remote = ip_addr_v4("\x0a\0\0\1");
    w->engine.all[w->engine.n++] = c;
    return c;
}

void turn(struct world *w)
{
    bool more = true;

    for (int i = 0; i < 20 || more; i++) {
        more = rpc_input(w->rpc, 16, w->now);
        commit(&w->state);
        rpc_flush(w->rpc);
        commit(&w->state);
    }
}

int client(struct world *w)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int c = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    strcpy(addr.sun_path, w->path);
    assert_int_equal(connect(c, (struct sockaddr *)&addr, sizeof(addr)), 0);
    return c;
}

int client_send(int c, const void *data, size_t len, const int *fds, unsigned n)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(16 * sizeof(int))];
    } control = { 0 };
    struct iovec iov = { (void *)(uintptr_t)data, len };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (n > 0) {
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(n * sizeof(int));
        control.align.cmsg_level = SOL_SOCKET;
        control.align.cmsg_type = SCM_RIGHTS;
        control.align.cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(&control.align), fds, n * sizeof(int));
    }
    return sendmsg(c, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

int client_request(int c, Tcpd__V1__Request *req, int fd)
{
    uint8_t buf[66000];

    assert_true(tcpd__v1__request__get_packed_size(req) <= sizeof(buf));
    return client_send(c, buf, tcpd__v1__request__pack(req, buf), &fd, fd >= 0);
}

Tcpd__V1__Reply *client_recv(int c, int *ret_fd)
{
    static uint8_t buf[66000];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = { buf, sizeof(buf) };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
                        .msg_controllen = sizeof(control) };
    ssize_t n = recvmsg(c, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct cmsghdr *cmsg;
    Tcpd__V1__Reply *reply;
    int fd = -1;

    if (n <= 0)
        return NULL;
    assert_true(n <= 65536);
    cmsg = CMSG_FIRSTHDR(&m);
    if (cmsg && cmsg->cmsg_type == SCM_RIGHTS)
        memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
    if (ret_fd)
        *ret_fd = fd;
    else
        assert_int_equal(fd, -1);
    reply = tcpd__v1__reply__unpack(NULL, (size_t)n, buf);
    assert_non_null(reply);
    return reply;
}

Tcpd__V1__Reply *ask(struct world *w, int c, Tcpd__V1__Request *req, int fd, int *ret_fd)
{
    Tcpd__V1__Reply *reply;

    assert_int_equal(client_request(c, req, fd), 0);
    turn(w);
    reply = client_recv(c, ret_fd);
    assert_non_null(reply);
    assert_int_equal(reply->id, req->id);
    return reply;
}

void reply_free(Tcpd__V1__Reply *reply)
{
    tcpd__v1__reply__free_unpacked(reply, NULL);
}

bool is_closed(int c)
{
    char b;
    ssize_t n = recv(c, &b, 1, MSG_DONTWAIT | MSG_PEEK);

    return n == 0 || (n < 0 && errno != EAGAIN);
}

int fresh(struct world *w, int c, int family)
{
    REQ(req, socket, SOCKET, SocketRequest, SOCKET_REQUEST);
    int fd = -1;

    socket_.family = (uint32_t)family;
    reply_free(ask(w, c, &req, -1, &fd));
    assert_true(fd >= 0);
    return fd;
}

struct sock *sock_behind(struct world *w, int fd)
{
    return stream_find(&w->stream, fd);
}

unsigned open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;

    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}
