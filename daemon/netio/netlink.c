/* SPDX-License-Identifier: BSD-2-Clause */
#include "netio/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <sys/socket.h>

#define REPLY_BYTES 32768

struct answer {
    netlink_cb cb;
    void *ctx;
    uint32_t seq;
    bool dump, done, interrupted;
    int result;
};

static int error_of(const struct nlmsghdr *h)
{
    const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

    return mnl_nlmsg_get_payload_len(h) < sizeof(int) ? -EBADMSG : e->error;
}

static void take_message(const struct nlmsghdr *h, struct answer *a)
{
    int r = 0;

    if (h->nlmsg_seq != a->seq)
        return;
    if (h->nlmsg_flags & NLM_F_DUMP_INTR)
        a->interrupted = true;
    switch (h->nlmsg_type) {
    case NLMSG_NOOP:
        return;
    case NLMSG_ERROR:
        r = error_of(h);
        a->done = true;
        break;
    case NLMSG_DONE:
        a->done = true;
        break;
    default:
        if (a->cb && !a->result)
            r = a->cb(h, a->ctx);
        a->done = !a->dump;
    }
    if (r && !a->result)
        a->result = r;
}

/* Only the kernel (port 0) is listened to: any process can send to our socket's port. */
static int read_some(int fd, struct answer *a)
{
    _Alignas(struct nlmsghdr) uint8_t buf[REPLY_BYTES];
    struct sockaddr_nl from = { 0 };
    struct iovec iov = { buf, sizeof(buf) };
    struct msghdr m = {
        .msg_name = &from,
        .msg_namelen = sizeof(from),
        .msg_iov = &iov,
        .msg_iovlen = 1,
    };
    ssize_t len = recvmsg(fd, &m, MSG_DONTWAIT);
    int left;

    if (len < 0)
        return errno == EINTR ? 0 : -errno;
    if (from.nl_pid != 0)
        return 0;
    if (m.msg_flags & MSG_TRUNC)
        return -EMSGSIZE;
    left = (int)len;
    for (struct nlmsghdr *h = (struct nlmsghdr *)buf; mnl_nlmsg_ok(h, left);
         h = mnl_nlmsg_next(h, &left))
        take_message(h, a);
    return 0;
}

int netlink_talk(int fd, const struct nlmsghdr *req, netlink_cb cb, void *ctx)
{
    const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    struct answer a = {
        .cb = cb,
        .ctx = ctx,
        .seq = req->nlmsg_seq,
        .dump = (req->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP,
    };
    int r;

    if (fd < 0)
        return -EOPNOTSUPP;
    if (sendto(fd, req, req->nlmsg_len, 0, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
        return -errno;
    while (!a.done) {
        r = read_some(fd, &a);
        if (r == -ENOBUFS) /* left over from another question; ours is behind it */
            continue;
        if (r)
            return r;
    }
    if (!a.result && a.interrupted)
        return -EINTR;
    return a.result;
}
