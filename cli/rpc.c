/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/rpc.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"

#define ANSWER_WAIT_MS 10000
#define MESSAGE_MAX    (1024 * 1024) /* the daemon's parts are 64 KB: more is not an answer */

struct ctl_rpc {
    int fd;
    uint64_t last_id;
};

DEFINE_CLEANUP(struct ctl_rpc *, ctl_rpc_free)

struct ctl_rpc *ctl_rpc_free(struct ctl_rpc *rpc)
{
    if (rpc) {
        if (rpc->fd >= 0)
            close(rpc->fd);
        free(rpc);
    }
    return NULL;
}

int ctl_rpc_open(const char *path, struct ctl_rpc **ret)
{
    _cleanup_(ctl_rpc_freep) struct ctl_rpc *rpc = NULL;
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(addr.sun_path))
        return -ENAMETOOLONG;
    strcpy(addr.sun_path, path);

    rpc = calloc(1, sizeof(*rpc));
    if (!rpc)
        return -ENOMEM;
    rpc->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (rpc->fd < 0)
        return -errno;
    if (connect(rpc->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        return -errno;
    *ret = TAKE(rpc);
    return 0;
}

/* Credentials are named: the daemon may not have asked for them yet on a session so young. */
static int send_message(int fd, void *buf, size_t len)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(struct ucred))];
    } control = {0};
    struct ucred self = {.pid = getpid(), .uid = geteuid(), .gid = getegid()};
    struct iovec iov = {.iov_base = buf, .iov_len = len};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control)};
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_CREDENTIALS;
    cmsg->cmsg_len = CMSG_LEN(sizeof(self));
    memcpy(CMSG_DATA(cmsg), &self, sizeof(self));

    while (sendmsg(fd, &msg, MSG_NOSIGNAL) < 0)
        if (errno != EINTR)
            return errno == EPIPE ? -ECONNRESET : -errno;
    return 0;
}

static int send_request(struct ctl_rpc *rpc, Tcpd__V1__Request *req)
{
    _cleanup_(freep) uint8_t *buf = NULL;
    size_t len;

    req->id = ++rpc->last_id;
    len = tcpd__v1__request__get_packed_size(req);
    buf = malloc(len + 1);
    if (!buf)
        return -ENOMEM;
    tcpd__v1__request__pack(req, buf);
    return send_message(rpc->fd, buf, len);
}

static int wait_readable(int fd)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    int n;

    do {
        n = poll(&pfd, 1, ANSWER_WAIT_MS);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    return n == 0 ? -ETIMEDOUT : 0;
}

/* One message, its length from the kernel first. */
static int receive_part(int fd, Tcpd__V1__Reply **ret)
{
    _cleanup_(freep) uint8_t *buf = NULL;
    ssize_t len;
    int r;

    r = wait_readable(fd);
    if (r)
        return r;
    len = recv(fd, NULL, 0, MSG_PEEK | MSG_TRUNC);
    if (len < 0)
        return -errno;
    if (len == 0)
        return -ECONNRESET;
    if (len > MESSAGE_MAX)
        return -EBADMSG;

    buf = malloc((size_t)len);
    if (!buf)
        return -ENOMEM;
    len = recv(fd, buf, (size_t)len, 0);
    if (len < 0)
        return -errno;
    *ret = tcpd__v1__reply__unpack(NULL, (size_t)len, buf);
    return *ret ? 0 : -EBADMSG;
}

static int keep_part(struct ctl_reply *reply, Tcpd__V1__Reply *part)
{
    Tcpd__V1__Reply **parts;

    parts = reallocarray(reply->parts, reply->n_parts + 1, sizeof(*parts));
    if (!parts)
        return -ENOMEM;
    reply->parts = parts;
    reply->parts[reply->n_parts++] = part;
    reply->status = part->status;
    reply->message = part->message;
    return 0;
}

int ctl_rpc_call(struct ctl_rpc *rpc, Tcpd__V1__Request *req, struct ctl_reply *ret)
{
    Tcpd__V1__Reply *part = NULL;
    bool more = true;
    int r;

    *ret = (struct ctl_reply){.message = ""};
    r = send_request(rpc, req);
    while (r == 0 && more) {
        r = receive_part(rpc->fd, &part);
        if (r)
            break;
        more = part->more;
        if (part->id != req->id)
            r = -EBADMSG; /* only one request was made */
        else
            r = keep_part(ret, part);
        if (r)
            tcpd__v1__reply__free_unpacked(part, NULL);
    }
    return r;
}

void ctl_reply_free(struct ctl_reply *reply)
{
    for (size_t i = 0; i < reply->n_parts; i++)
        tcpd__v1__reply__free_unpacked(reply->parts[i], NULL);
    free(reply->parts);
    *reply = (struct ctl_reply){.message = ""};
}
