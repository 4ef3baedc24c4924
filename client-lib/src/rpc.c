/* SPDX-License-Identifier: BSD-2-Clause */
#include "rpc.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "addr.h"
#include "base/cleanup.h"
#include "proto/errors.h"
#include "session.h"
#include "sys.h"

/* An answer and what it says. Large; lives on the stack of the call. */
struct reply {
    struct answer answer;
    struct wire_arena arena;
    Tcpd__V1__Reply *msg;
};

#define REQUEST(var, kind, KIND)                                                                   \
    Tcpd__V1__Request req = TCPD__V1__REQUEST__INIT;                                               \
    Tcpd__V1__##var kind##_ = TCPD__V1__##KIND##__INIT;                                            \
    req.call_case = TCPD__V1__REQUEST__CALL_##kind##_CASE;                                         \
    req.kind = &kind##_

/* protoc-c writes the cases in capitals. */
#define TCPD__V1__REQUEST__CALL_socket_CASE   TCPD__V1__REQUEST__CALL_SOCKET
#define TCPD__V1__REQUEST__CALL_bind_CASE     TCPD__V1__REQUEST__CALL_BIND
#define TCPD__V1__REQUEST__CALL_listen_CASE   TCPD__V1__REQUEST__CALL_LISTEN
#define TCPD__V1__REQUEST__CALL_connect_CASE  TCPD__V1__REQUEST__CALL_CONNECT
#define TCPD__V1__REQUEST__CALL_shutdown_CASE TCPD__V1__REQUEST__CALL_SHUTDOWN
#define TCPD__V1__REQUEST__CALL_name_CASE     TCPD__V1__REQUEST__CALL_NAME
#define TCPD__V1__REQUEST__CALL_set_opt_CASE  TCPD__V1__REQUEST__CALL_SET_OPT
#define TCPD__V1__REQUEST__CALL_get_opt_CASE  TCPD__V1__REQUEST__CALL_GET_OPT
#define TCPD__V1__REQUEST__CALL_error_CASE    TCPD__V1__REQUEST__CALL_ERROR
#define TCPD__V1__REQUEST__CALL_close_CASE    TCPD__V1__REQUEST__CALL_CLOSE
#define TCPD__V1__REQUEST__CALL_queue_CASE    TCPD__V1__REQUEST__CALL_QUEUE

static int answer_read(struct reply *reply, bool wants_fd)
{
    struct answer *a = &reply->answer;

    if (!wants_fd && a->fd >= 0) {
        sys_close(a->fd);
        a->fd = -1;
    }
    reply->msg = wire_unpack(a, &reply->arena);
    if (!reply->msg)
        return -ENETDOWN;
    return -error_to_errno(reply->msg->status);
}

static int ask(Tcpd__V1__Request *req, int fd, bool repeatable, struct reply *reply)
{
    int r = session_call(req, fd, repeatable, &reply->answer);

    return r < 0 ? r : answer_read(reply, false);
}

/* A socket of a tcpd that has gone is still a socket to the program: just not connected. */
static int gone(int r, int err)
{
    return r == -ENOTSOCK ? -err : r;
}

static void addr_pack(const struct sockaddr_storage *ss, Tcpd__V1__Addr *ret)
{
    ret->family = ss->ss_family;
    if (ss->ss_family == AF_INET) {
        const struct sockaddr_in *sin = (const struct sockaddr_in *)ss;

        ret->addr.data = (uint8_t *)(uintptr_t)&sin->sin_addr;
        ret->addr.len = 4;
        ret->port = ntohs(sin->sin_port);
    } else if (ss->ss_family == AF_INET6) {
        const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)ss;

        ret->addr.data = (uint8_t *)(uintptr_t)&sin6->sin6_addr;
        ret->addr.len = 16;
        ret->port = ntohs(sin6->sin6_port);
        ret->scope = sin6->sin6_scope_id;
        ret->flowinfo = ntohl(sin6->sin6_flowinfo);
    }
}

int rpc_socket(int family, int *ret_fd)
{
    REQUEST(SocketRequest, socket, SOCKET_REQUEST);
    struct reply reply;
    int r;

    socket_.family = (uint32_t)family;
    r = session_call(&req, -1, true, &reply.answer);
    if (r < 0)
        return r;
    r = answer_read(&reply, true);
    if (r == 0 && reply.answer.fd < 0)
        r = reply.answer.fd_lost ? -EMFILE : -ENETDOWN;
    if (r == 0)
        *ret_fd = TAKE_FD(reply.answer.fd);
    else if (reply.answer.fd >= 0)
        sys_close(reply.answer.fd);
    return r;
}

int rpc_bind(int fd, const struct sockaddr_storage *addr)
{
    REQUEST(BindRequest, bind, BIND_REQUEST);
    Tcpd__V1__Addr a = TCPD__V1__ADDR__INIT;
    struct reply reply;

    addr_pack(addr, &a);
    bind_.addr = &a;
    return gone(ask(&req, fd, false, &reply), EINVAL);
}

int rpc_listen(int fd, int backlog)
{
    REQUEST(ListenRequest, listen, LISTEN_REQUEST);
    struct reply reply;

    listen_.backlog = backlog;
    return gone(ask(&req, fd, true, &reply), EINVAL);
}

int rpc_connect(int fd, const struct sockaddr_storage *addr)
{
    REQUEST(ConnectRequest, connect, CONNECT_REQUEST);
    Tcpd__V1__Addr a = TCPD__V1__ADDR__INIT;
    struct reply reply;

    addr_pack(addr, &a);
    connect_.addr = &a;
    return ask(&req, fd, false, &reply);
}

int rpc_shutdown(int fd, int how)
{
    REQUEST(ShutdownRequest, shutdown, SHUTDOWN_REQUEST);
    struct reply reply;

    shutdown_.how = (uint32_t)how;
    return gone(ask(&req, fd, true, &reply), ENOTCONN);
}

int rpc_name(int fd, bool peer, int family, struct sockaddr_storage *ret)
{
    REQUEST(NameRequest, name, NAME_REQUEST);
    uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff };
    const Tcpd__V1__Addr *a;
    struct reply reply;
    int r;

    name_.peer = peer;
    r = gone(ask(&req, fd, true, &reply), peer ? ENOTCONN : EINVAL);
    if (r < 0)
        return r;
    if (reply.msg->result_case != TCPD__V1__REPLY__RESULT_ADDR || !reply.msg->addr->addr)
        return -ENETDOWN;
    a = reply.msg->addr->addr;
    if (a->addr.len == 16)
        memcpy(mapped, a->addr.data, 16);
    else if (a->addr.len == 4)
        memcpy(mapped + 12, a->addr.data, 4);
    else
        return -ENETDOWN;
    addr_make(family, mapped, (uint16_t)a->port, a->scope, ret);
    return 0;
}

int rpc_setopt(int fd, int level, int name, const void *value, socklen_t len)
{
    REQUEST(SetOptRequest, set_opt, SET_OPT_REQUEST);
    struct reply reply;

    if (len > WIRE_VALUE_MAX)
        return -EINVAL;
    set_opt_.level = level;
    set_opt_.name = name;
    set_opt_.value.data = (uint8_t *)(uintptr_t)value;
    set_opt_.value.len = len;
    return gone(ask(&req, fd, true, &reply), EINVAL);
}

int rpc_getopt(int fd, int level, int name, void *value, socklen_t *len)
{
    REQUEST(GetOptRequest, get_opt, GET_OPT_REQUEST);
    const ProtobufCBinaryData *got;
    struct reply reply;
    int r;

    get_opt_.level = level;
    get_opt_.name = name;
    get_opt_.length = MIN(*len, (socklen_t)WIRE_VALUE_MAX);
    r = gone(ask(&req, fd, true, &reply), EINVAL);
    if (r < 0)
        return r;
    if (reply.msg->result_case != TCPD__V1__REPLY__RESULT_VALUE)
        return -ENETDOWN;
    got = &reply.msg->value->value;
    *len = (socklen_t)MIN((size_t)*len, got->len);
    if (*len)
        memcpy(value, got->data, *len);
    return 0;
}

int rpc_error(int fd)
{
    REQUEST(ErrorRequest, error, ERROR_REQUEST);
    struct reply reply;

    if (ask(&req, fd, true, &reply) < 0 ||
        reply.msg->result_case != TCPD__V1__REPLY__RESULT_ERROR)
        return 0;
    return error_to_errno(reply.msg->error->error);
}

int rpc_queue(int fd, uint32_t *ret_unsent, uint32_t *ret_unacked)
{
    REQUEST(QueueRequest, queue, QUEUE_REQUEST);
    struct reply reply;
    int r = gone(ask(&req, fd, true, &reply), EINVAL);

    if (r < 0)
        return r;
    if (reply.msg->result_case != TCPD__V1__REPLY__RESULT_QUEUE)
        return -ENETDOWN;
    *ret_unsent = reply.msg->queue->unsent_bytes;
    *ret_unacked = reply.msg->queue->unacked_bytes;
    return 0;
}

int rpc_drain(int fd, int limit_ms)
{
    REQUEST(CloseRequest, close, CLOSE_REQUEST);
    struct reply reply;
    int r = session_call_alone(&req, fd, limit_ms, &reply.answer);

    return r < 0 ? r : answer_read(&reply, false);
}
