/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The calls about a socket. They name it by the descriptor that came along. A fresh
 * one becomes a socket at the first call that leaves something behind; the others are
 * answered as the kernel's TCP answers them for a socket that nothing was done to.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "proto/errors.h"
#include "proto/tunables.h"
#include "rpc/session.h"
#include "stream/stream.h"

#define VALUE_MAX 4096u         /* longest option value */
#define OPT_INIT_CWND 0x1015    /* TCP_INIT_CWND */

/* ---- which socket ---------------------------------------------------------------- */

/* 0, or why there is none: @dead if the descriptor was a socket of ours once. */
static int find(struct call *c, int dead, struct sock **ret, int *ret_family)
{
    struct stream *st = c->rpc->init.stream;

    *ret = NULL;
    *ret_family = 0;
    if (c->fd < 0)
        return call_say(c, -EBADF, "the call needs the socket's descriptor");
    *ret = stream_find(st, c->fd);
    *ret_family = *ret ? sock_family(*ret) : stream_fresh_family(st, c->fd);
    if (*ret_family != 0)
        return 0;
    return stream_was_ours(st, c->fd) ? dead : -ENOTSOCK;
}

static int find_or_attach(struct call *c, struct sock **ret)
{
    struct sock *s;
    int family, r;

    *ret = NULL;
    r = find(c, -EINVAL, &s, &family);
    if (r < 0)
        return r;
    if (!s) {
        r = sock_new(c->rpc->init.socks, family, &c->cred, &s);
        if (r < 0)
            return r;
        r = stream_attach(c->rpc->init.stream, s, c->fd);
        if (r < 0) {
            sock_close(s, false, c->now);
            return r;
        }
    }
    *ret = s;
    return 0;
}

/* ---- addresses --------------------------------------------------------------------- */

static int addr_unpack(const Tcpd__V1__Addr *a, int family, struct sock_addr *ret)
{
    if (!a || a->port > 65535)
        return -EINVAL;
    if (a->family != (uint32_t)family)
        return -EAFNOSUPPORT;
    if (a->addr.len != (family == AF_INET ? 4 : 16))
        return -EINVAL;
    *ret = (struct sock_addr){
        .addr = family == AF_INET ? ip_addr_v4(a->addr.data) : ip_addr_v6(a->addr.data),
        .port = (uint16_t)a->port,
        .scope = a->scope,
    };
    return 0;
}

void addr_pack(const struct sock_addr *from, int family, Tcpd__V1__Addr *ret)
{
    size_t skip = family == AF_INET ? 12 : 0;

    tcpd__v1__addr__init(ret);
    ret->family = (uint32_t)family;
    ret->addr.data = (uint8_t *)(uintptr_t)from->addr.b + skip;
    ret->addr.len = sizeof(from->addr.b) - skip;
    ret->port = from->port;
    ret->scope = from->scope;
}

/* ---- the calls ----------------------------------------------------------------------- */

int svc_socket(struct call *c)
{
    Tcpd__V1__SocketReply result = TCPD__V1__SOCKET_REPLY__INIT;
    Tcpd__V1__Reply *reply = c->reply;
    int fd = stream_fresh(c->rpc->init.stream, (int)MIN(c->req->socket->family, 65535u));

    if (fd < 0)
        return fd;
    result.family = c->req->socket->family;
    reply->result_case = TCPD__V1__REPLY__RESULT_SOCKET;
    reply->socket = &result;
    call_reply(c->rpc, c->session, reply, 0, fd);
    return CALL_ANSWERED;
}

static bool needs_privilege(const struct tunables *tun, uint16_t port)
{
    return port != 0 &&
           (port < tun->smallest_nonpriv_port || tun_ports_has(&tun->extra_priv_ports, port));
}

int svc_bind(struct call *c)
{
    struct sock_addr addr;
    struct sock *s;
    int family, r;

    r = find(c, -EINVAL, &s, &family);
    if (r == 0)
        r = addr_unpack(c->req->bind->addr, family, &addr);
    if (r == 0)
        r = find_or_attach(c, &s);
    if (r < 0)
        return r;
    if (needs_privilege(c->rpc->init.tun, addr.port))
        cred_add_caps(c);
    return sock_bind(s, &addr, &c->cred);
}

int svc_listen(struct call *c)
{
    struct sock *s;
    int r = find_or_attach(c, &s);

    return r < 0 ? r : sock_listen(s, c->req->listen->backlog, &c->cred);
}

/* connect() to AF_UNSPEC: nothing to undo is success; what exists cannot be undone. */
static int disconnect(struct call *c)
{
    struct sock *s;
    int family, r = find(c, 0, &s, &family);

    if (r < 0 || !s || sock_state(s) == SOCK_IDLE || sock_state(s) == SOCK_BOUND)
        return r;
    return call_say(c, -EOPNOTSUPP, "a connection cannot be taken back; close it");
}

int svc_connect(struct call *c)
{
    const Tcpd__V1__Addr *a = c->req->connect->addr;
    struct sock_addr addr;
    struct sock *s;
    int family, r;

    if (a && a->family == AF_UNSPEC)
        return disconnect(c);
    r = find(c, -EINVAL, &s, &family);
    if (r == 0)
        r = addr_unpack(a, family, &addr);
    if (r == 0)
        r = find_or_attach(c, &s);
    if (r < 0)
        return r;
    r = sock_connect(s, &addr, &c->cred, c->now);
    if (r == -EINPROGRESS)
        stream_connecting(c->rpc->init.stream, s, c->fd);
    return r;
}

int svc_shutdown(struct call *c)
{
    uint32_t how = c->req->shutdown->how;
    struct sock *s;
    int family, r = find(c, -ENOTCONN, &s, &family);

    if (r < 0)
        return r;
    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
        return -EINVAL;
    if (!s || (sock_state(s) != SOCK_CONNECTED && sock_state(s) != SOCK_LISTENING))
        return -ENOTCONN;
    /* The writing side ends when the bytes before it have been taken: stream tells sock. */
    if (sock_state(s) == SOCK_CONNECTED && how != SHUT_WR)
        sock_shutdown(s, SHUT_RD, c->now);
    stream_shutdown(c->rpc->init.stream, s, c->fd, (int)how);
    return 0;
}

int svc_name(struct call *c)
{
    bool peer = c->req->name->peer;
    Tcpd__V1__AddrReply result = TCPD__V1__ADDR_REPLY__INIT;
    Tcpd__V1__Addr a;
    struct sock_addr addr;
    struct sock *s;
    int family, r;

    r = find(c, peer ? -ENOTCONN : -EINVAL, &s, &family);
    if (r < 0)
        return r;
    addr = (struct sock_addr){ .addr = family == AF_INET ? IP_ADDR_ANY4 : IP_ADDR_ANY6 };
    if (peer)
        r = s ? sock_peer(s, &addr) : -ENOTCONN;
    else if (s)
        sock_name(s, &addr);
    if (r < 0)
        return r;
    addr_pack(&addr, family, &a);
    result.addr = &a;
    c->reply->result_case = TCPD__V1__REPLY__RESULT_ADDR;
    c->reply->addr = &result;
    call_reply(c->rpc, c->session, c->reply, 0, -1);
    return CALL_ANSWERED;
}

int svc_set_opt(struct call *c)
{
    const Tcpd__V1__SetOptRequest *req = c->req->set_opt;
    struct sock *s;
    int r;

    if (req->value.len > VALUE_MAX)
        return -EINVAL;
    r = find_or_attach(c, &s);
    if (r < 0)
        return r;
    if (req->level == IPPROTO_TCP && req->name == OPT_INIT_CWND)
        cred_add_caps(c);
    return sock_setopt(s, req->level, req->name, req->value.data, (uint32_t)req->value.len,
                       &c->cred, c->now);
}

/* SO_ERROR of one that is dying, or dead, is not in its socket any more. */
static bool is_so_error(const Tcpd__V1__GetOptRequest *req)
{
    return req->level == SOL_SOCKET && req->name == SO_ERROR;
}

static int get_so_error(struct call *c, struct sock *s, void *value, uint32_t *len)
{
    int error = s ? sock_error(s) : 0;

    if (error == 0)
        error = stream_last_error(c->rpc->init.stream, c->fd);
    *len = MIN(*len, (uint32_t)sizeof(error));
    memcpy(value, &error, *len);
    return 0;
}

int svc_get_opt(struct call *c)
{
    const Tcpd__V1__GetOptRequest *req = c->req->get_opt;
    Tcpd__V1__ValueReply result = TCPD__V1__VALUE_REPLY__INIT;
    uint32_t len = MIN(req->length, VALUE_MAX);
    uint8_t value[VALUE_MAX] = { 0 };
    struct sock *s;
    int family, r;

    if (is_so_error(req)) {
        r = find(c, 0, &s, &family);
        if (r == 0)
            r = get_so_error(c, s, value, &len);
    } else {
        r = find_or_attach(c, &s);
        if (r == 0)
            r = sock_getopt(s, req->level, req->name, value, &len, c->now);
    }
    if (r < 0)
        return r;
    result.value.data = value;
    result.value.len = MIN(len, VALUE_MAX);
    c->reply->result_case = TCPD__V1__REPLY__RESULT_VALUE;
    c->reply->value = &result;
    call_reply(c->rpc, c->session, c->reply, 0, -1);
    return CALL_ANSWERED;
}

int svc_error(struct call *c)
{
    Tcpd__V1__ErrorReply result = TCPD__V1__ERROR_REPLY__INIT;
    uint32_t len = sizeof(int);
    struct sock *s;
    int error, family, r = find(c, 0, &s, &family);

    if (r < 0)
        return r;
    get_so_error(c, s, &error, &len);
    result.error = error_to_wire(error);
    c->reply->result_case = TCPD__V1__REPLY__RESULT_ERROR;
    c->reply->error = &result;
    call_reply(c->rpc, c->session, c->reply, 0, -1);
    return CALL_ANSWERED;
}

int svc_queue(struct call *c)
{
    Tcpd__V1__QueueReply result = TCPD__V1__QUEUE_REPLY__INIT;
    struct tcp_conn *conn;
    struct sock *s;
    int family, r = find(c, -EINVAL, &s, &family);

    if (r < 0)
        return r;
    conn = s ? sock_conn(s) : NULL;
    if (conn) {
        uint32_t untaken = stream_untaken(c->rpc->init.stream, s);
        struct tcp_conn_info info;

        tcp_conn_info(conn, &info);
        result.unsent_bytes = info.unsent + untaken;
        result.unacked_bytes = tcp_conn_tx_unacked(conn) + untaken;
    }
    c->reply->result_case = TCPD__V1__REPLY__RESULT_QUEUE;
    c->reply->queue = &result;
    call_reply(c->rpc, c->session, c->reply, 0, -1);
    return CALL_ANSWERED;
}
