/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a message to the call it asks for, and back. Whatever descriptor came with it
 * is closed at the end: a program's descriptor that we held would never hang up.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "proto/errors.h"
#include "rpc/session.h"

static int (*const handlers[])(struct call *c) = {
    [TCPD__V1__REQUEST__CALL_HELLO] = svc_hello,
    [TCPD__V1__REQUEST__CALL_SOCKET] = svc_socket,
    [TCPD__V1__REQUEST__CALL_BIND] = svc_bind,
    [TCPD__V1__REQUEST__CALL_LISTEN] = svc_listen,
    [TCPD__V1__REQUEST__CALL_CONNECT] = svc_connect,
    [TCPD__V1__REQUEST__CALL_SHUTDOWN] = svc_shutdown,
    [TCPD__V1__REQUEST__CALL_NAME] = svc_name,
    [TCPD__V1__REQUEST__CALL_SET_OPT] = svc_set_opt,
    [TCPD__V1__REQUEST__CALL_GET_OPT] = svc_get_opt,
    [TCPD__V1__REQUEST__CALL_ERROR] = svc_error,
    [TCPD__V1__REQUEST__CALL_CLOSE] = svc_close,
    [TCPD__V1__REQUEST__CALL_QUEUE] = svc_queue,
    [TCPD__V1__REQUEST__CALL_TUNABLE] = svc_tunable,
    [TCPD__V1__REQUEST__CALL_STATUS] = svc_status,
    [TCPD__V1__REQUEST__CALL_LIST] = svc_list,
    [TCPD__V1__REQUEST__CALL_STATS] = svc_stats,
    [TCPD__V1__REQUEST__CALL_DROP] = svc_drop,
    [TCPD__V1__REQUEST__CALL_SHOW] = svc_show,
};

/* What a program is told: the kernel's TCP says ENOBUFS where memory is short. */
static uint32_t wire_status(int status)
{
    return error_to_wire(status == -ENOMEM ? ENOBUFS : -status);
}

void call_reply(struct rpc *r, struct session *s, Tcpd__V1__Reply *reply, int status, int fd)
{
    Tcpd__V1__Reply bare = TCPD__V1__REPLY__INIT;

    reply->status = wire_status(status);
    if (frame_queue(r, s, reply, fd) == 0)
        return;
    bare.id = reply->id;
    bare.status = wire_status(-ENOBUFS);
    if (frame_queue(r, s, &bare, -1) == 0)
        return;
    r->stats.slow++; /* it does not read: its next event is the hang-up */
    shutdown(s->fd, SHUT_RDWR);
}

int call_say(struct call *c, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(c->message, sizeof(c->message), format, args);
    va_end(args);
    return error;
}

int call_need_admin(struct call *c)
{
    if (c->cred.admin)
        return 0;
    return call_say(c, -EPERM, "only root and members of the group tcpd-admin may do this");
}

static int carry_out(struct call *c)
{
    unsigned which = (unsigned)c->req->call_case;

    if (which >= ARRAY_LEN(handlers) || !handlers[which])
        return -ENOSYS;
    return handlers[which](c);
}

static void answer(struct call *c)
{
    int status = carry_out(c);

    if (status == CALL_ANSWERED)
        return;
    if (c->message[0])
        c->reply->message = c->message;
    call_reply(c->rpc, c->session, c->reply, status, -1);
}

void dispatch(struct rpc *r, struct session *s, struct frame *f, usec_t now)
{
    const uid_t uid = s->uid; /* @s may be gone at the end */
    Tcpd__V1__Request *req = tcpd__v1__request__unpack(NULL, f->len, r->buf);
    Tcpd__V1__Reply reply = TCPD__V1__REPLY__INIT;
    struct call c = {
        .rpc = r,
        .session = s,
        .req = req,
        .fd = f->fd,
        .now = now,
        .reply = &reply,
    };

    if (req) {
        reply.id = req->id;
        cred_of(r, s, f, &c.cred);
        answer(&c);
        tcpd__v1__request__free_unpacked(req, NULL);
    } else {
        r->stats.garbage++;
        session_free(r, s);
    }
    frame_discard_fds(r, uid, &f->fd, 1);
}
