/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Has the kernel's own TCP connections on a local port? They would keep working
 * after a claim, as the kernel looks connections up before listeners, and two
 * TCPs would answer for one port.
 *
 * A connection in TIME_WAIT is none of them: it never resets, and gives way to a
 * new SYN, which then meets the claim's filter.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <unistd.h>

#include "netio/netlink.h"
#include "netio/internal.h"

/* Linux' numbers of the states in which a socket has no peer or none any more. */
enum { STATE_TIME_WAIT = 6, STATE_CLOSE = 7, STATE_LISTEN = 10, STATE_ALL = 0x1fff };

struct search {
    uint16_t port;
    bool found;
};

static int on_socket(const struct nlmsghdr *h, void *ctx)
{
    const struct inet_diag_msg *m = mnl_nlmsg_get_payload(h);
    struct search *s = ctx;

    if (mnl_nlmsg_get_payload_len(h) >= sizeof(*m) && ntohs(m->id.idiag_sport) == s->port)
        s->found = true;
    return 0;
}

/* "source port >= port and <= port"; a jump beyond the end of the program rejects. */
static void put_port_filter(struct nlmsghdr *h, uint16_t port)
{
    const uint16_t op = sizeof(struct inet_diag_bc_op);
    const struct inet_diag_bc_op ops[4] = {
        { .code = INET_DIAG_BC_S_GE, .yes = (unsigned char)(2 * op), .no = 5 * op },
        { .no = port },
        { .code = INET_DIAG_BC_S_LE, .yes = (unsigned char)(2 * op), .no = 3 * op },
        { .no = port },
    };

    mnl_attr_put(h, INET_DIAG_REQ_BYTECODE, sizeof(ops), ops);
}

static int search_family(int fd, uint8_t family, struct search *s)
{
    uint8_t buf[256];
    struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
    struct inet_diag_req_v2 *req;

    h->nlmsg_type = SOCK_DIAG_BY_FAMILY;
    h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    h->nlmsg_seq = family;
    req = mnl_nlmsg_put_extra_header(h, sizeof(*req));
    req->sdiag_family = family;
    req->sdiag_protocol = IPPROTO_TCP;
    req->idiag_states =
        STATE_ALL & ~(1u << STATE_TIME_WAIT | 1u << STATE_CLOSE | 1u << STATE_LISTEN);
    put_port_filter(h, s->port);
    return netlink_talk(fd, h, on_socket, s);
}

int sockdiag_port_in_use(uint16_t port)
{
    struct search s = { .port = port };
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
    int r;

    if (fd < 0)
        return -errno;
    r = search_family(fd, AF_INET, &s);
    if (!r && !s.found) {
        r = search_family(fd, AF_INET6, &s);
        if (r == -ENOENT) /* no IPv6 in this kernel */
            r = 0;
    }
    (void)close(fd);
    return r ? r : s.found;
}
