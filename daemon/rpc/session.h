/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions, requests and replies: for the files of this room only. */
#ifndef TCPD_RPC_SESSION_H
#define TCPD_RPC_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/idmap.h"
#include "base/list.h"
#include "base/usec.h"
#include "proto/tcpd.pb-c.h"
#include "rpc/rpc.h"
#include "sock/sock.h"

#define FRAME_MAX 65536u             /* one message, either way */
#define QUEUE_MAX (8u << 20)         /* unread replies of one session, bytes */
#define QUEUE_UID_MAX (8u << 20)     /* ... of one user's */
#define QUEUE_ALL_MAX (32u << 20)    /* ... of all sessions */
#define CLOSERS_MAX 256u             /* processes that close what may block */
#define CLOSERS_PER_UID 32u          /* ... of what one user sent */
#define LINGERING_MAX 64u            /* unanswered CloseRequests of one session */
#define MESSAGE_MAX 256              /* text of an error */

struct rpc_stats {
    uint64_t requests, garbage, refused, slow;
};

/* What one user has of everybody's. */
struct uid_use {
    unsigned sessions;
    size_t queued; /* bytes of replies that wait */
};

/* Descriptors of one message that no closer is free for; its user's sessions are not read. */
struct parked {
    struct list on_all;
    uid_t uid;
    unsigned n;
    int fd[];
};

struct closer {
    pid_t pid;
    uid_t uid;
};

struct rpc {
    struct rpc_init init;
    int epoll;
    int spare;              /* a number to refuse a session with when there is no other */
    struct list sessions;   /* struct session.on_all */
    struct list out;        /* struct session.on_out: replies to send */
    struct list lingering;  /* struct lingering */
    struct idmap by_id;     /* session number -> struct session */
    struct idmap by_uid;    /* uid + 1 -> struct uid_use */
    unsigned count;
    unsigned max, max_per_uid;
    uint64_t next_id;
    struct closer closer[CLOSERS_MAX]; /* see frame_discard_fds() */
    unsigned closers;
    struct list parked;     /* struct parked */
    usec_t retry_at;
    size_t queued;          /* bytes of all replies that wait */
    bool has_admin_group;
    gid_t admin_group;
    struct rpc_stats stats;
    uint8_t buf[FRAME_MAX + 1];
};

struct reply_frame {
    struct list on_session;
    size_t len;
    int fd; /* goes with it, or -1 */
    uint8_t bytes[];
};

struct session {
    uint64_t id;
    int fd;
    uid_t uid; /* of who made it */
    pid_t pid;
    usec_t since;
    struct list on_all, on_out;
    struct list replies; /* struct reply_frame, oldest first */
    size_t queued;       /* their bytes */
    unsigned lingering;  /* CloseRequests without an answer */
    bool blocked;        /* waits for EPOLLOUT, and is not read from */
    bool held;           /* not read from, because of what its user sent: frame_is_held() */
    bool dying;          /* freed as soon as it is not held any more */
};

/* One request being carried out. */
struct call {
    struct rpc *rpc;
    struct session *session;
    const Tcpd__V1__Request *req;
    int fd; /* that came with it, or -1; closed by dispatch */
    struct cred cred;
    usec_t now;
    Tcpd__V1__Reply *reply; /* result and message are the handler's to set */
    char message[MESSAGE_MAX];
};

/* A handler answers 0 or -errno, or this: the reply was sent, or comes later. */
#define CALL_ANSWERED 1

/* listener.c */
void session_accept(struct rpc *r, usec_t now);

/* session.c */
int session_new(struct rpc *r, int fd, usec_t now);
struct session *session_free(struct rpc *r, struct session *s);
/** session_read() - one request; false if the session is gone */
bool session_read(struct rpc *r, struct session *s, usec_t now);
/** session_send() - send what is queued; frees the session if it has to */
void session_send(struct rpc *r, struct session *s);
struct session *session_find(struct rpc *r, uint64_t id);
/** session_hold() - watch it no more; session_unhold_all(): watch those again that may be read */
void session_hold(struct rpc *r, struct session *s);
void session_unhold_all(struct rpc *r);
struct uid_use *session_uid_use(struct rpc *r, uid_t uid);

/* frame.c */
struct frame {
    size_t len;
    int fd; /* the one that came with it, or -1; the caller owns it */
    bool has_sender;
    uid_t uid;
    gid_t gid;
    pid_t pid;
};

/**
 * frame_read() - one message into rpc.buf
 *
 * Errors: -EAGAIN; -ECONNRESET: closed; -EMSGSIZE, -EBADMSG (more than one fd,
 * or control data cut off): garbage.
 */
int frame_read(struct rpc *r, const struct session *s, struct frame *ret);

/** frame_queue() - pack @reply and queue it; takes @fd (or -1). -EMSGSIZE, -ENOBUFS */
int frame_queue(struct rpc *r, struct session *s, const Tcpd__V1__Reply *reply, int fd);

/** frame_flush() - send what is queued, oldest first. -EAGAIN: not all; else the session is dead */
int frame_flush(struct rpc *r, struct session *s);
/** frame_drop() - forget the oldest reply that is queued */
void frame_drop(struct rpc *r, struct session *s);

/** frame_discard_fds() - close fds that @uid sent, whatever they are, without waiting for it */
void frame_discard_fds(struct rpc *r, uid_t uid, const int *fd, unsigned n);
/** frame_is_held() - does something that @uid sent still wait to be closed? Then read no more */
bool frame_is_held(const struct rpc *r, uid_t uid);
/** frame_retry() - close what waits, as far as closers are free now */
void frame_retry(struct rpc *r);

/* dispatch.c */
void dispatch(struct rpc *r, struct session *s, struct frame *f, usec_t now);
/** call_reply() - answer now; @status 0 or -errno */
void call_reply(struct rpc *r, struct session *s, Tcpd__V1__Reply *reply, int status, int fd);
/** call_say() - the text that goes with an error; returns @error */
int call_say(struct call *c, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** call_need_admin() - 0, or -EPERM and who may */
int call_need_admin(struct call *c);

/* cred.c */
void cred_init(struct rpc *r);
void cred_of(struct rpc *r, const struct session *s, const struct frame *f, struct cred *ret);
/** cred_add_caps() - look at the caller's capabilities too: slow, only where they matter */
void cred_add_caps(struct call *c);

/* svc_socket.c */
/** addr_pack() - borrows @from as long as @ret is used */
void addr_pack(const struct sock_addr *from, int family, Tcpd__V1__Addr *ret);
int svc_socket(struct call *c);
int svc_bind(struct call *c);
int svc_listen(struct call *c);
int svc_connect(struct call *c);
int svc_shutdown(struct call *c);
int svc_name(struct call *c);
int svc_set_opt(struct call *c);
int svc_get_opt(struct call *c);
int svc_error(struct call *c);
int svc_queue(struct call *c);

/* linger.c */
struct lingering {
    struct list on_all;
    uint64_t session_id, request_id;
    uint64_t sock_id, conn_id;
    usec_t deadline;
};
int svc_close(struct call *c);
/** linger_check() - answer those whose bytes are acknowledged, or whose time is over */
void linger_check(struct rpc *r, usec_t now);
void linger_free_all(struct rpc *r);

/* svc_admin.c, svc_list.c, svc_tunable.c */
int svc_hello(struct call *c);
int svc_status(struct call *c);
int svc_stats(struct call *c);
int svc_list(struct call *c);
int svc_drop(struct call *c);
int svc_show(struct call *c);
int svc_tunable(struct call *c);

#endif
