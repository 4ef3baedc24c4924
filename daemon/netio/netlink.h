/* SPDX-License-Identifier: BSD-2-Clause */
/* One question to the kernel and its answer, on a netlink socket of our own. */
#ifndef TCPD_NETIO_NETLINK_H
#define TCPD_NETIO_NETLINK_H

#include <libmnl/libmnl.h>
#include <linux/netlink.h>

/* For each message of the answer. 0, or a negative errno that becomes the result. */
typedef int (*netlink_cb)(const struct nlmsghdr *h, void *ctx);

/**
 * netlink_talk() - send @req and read all of its answer
 * @fd:   non-blocking; what a former user left unread on it is skipped
 * @req:  nlmsg_seq is the caller's, different from that of the last one
 * @cb:   called for each message of the answer; may be NULL
 *
 * The kernel answers within the call that asks, so nothing here waits.
 * Errors: the kernel's, -EAGAIN: no answer, -EINTR: a dump changed under us.
 */
int netlink_talk(int fd, const struct nlmsghdr *req, netlink_cb cb, void *ctx);

/* libmnl's own loops, without their silent narrowing of lengths. */
#define NETLINK_EACH_ATTR(a, h, offset)                                                            \
    for ((a) = mnl_nlmsg_get_payload_offset((h), (offset));                                        \
         mnl_attr_ok((a), (int)((const char *)mnl_nlmsg_get_payload_tail(h) - (const char *)(a))); \
         (a) = mnl_attr_next(a))
#define NETLINK_EACH_NESTED(a, nest)                                                               \
    for ((a) = mnl_attr_get_payload(nest);                                                         \
         mnl_attr_ok((a), (int)((const char *)mnl_attr_get_payload(nest) +                         \
                                mnl_attr_get_payload_len(nest) - (const char *)(a)));              \
         (a) = mnl_attr_next(a))

#endif
