/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of this room share. No other room includes it. */
#ifndef TCPD_NETIO_INTERNAL_H
#define TCPD_NETIO_INTERNAL_H

#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <linux/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "netio/cut.h"
#include "netio/filter.h"
#include "netio/netio.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

#define ETHER_ADDR_LEN 6u
#define ETHER_HDR_LEN  14u

/* lessons.md: a frame of exactly 65,536 bytes is split badly; this much is safe. */
#define SUPER_FRAME_MAX 65400u

/* A GRO or TSO frame and its headers in one piece. */
#define RECV_BUFFER_BYTES 65600u
#define RECV_BATCH        16u
#define SEND_BATCH        64u

#define ROUTE_CACHE_SLOTS     4096u
#define NEIGHBOUR_SLOTS       256u
#define CONNTRACK_CACHE_SLOTS 4096u

/* ---- port claims ------------------------------------------------------------------------------
 */

/* One local port. fd and cookie are of the listening socket that keeps the kernel off. */
struct claim {
    int fd;
    unsigned refs;
    uint64_t cookie;
    uint16_t pos; /* of an ephemeral one in ports.ephemeral[] */
    bool open;
    bool ephemeral; /* the kernel or our range chose the number, no program did */
    bool closing;   /* given to close_later(); may still be open */
};

/* ephemeral[0, idle) have no user, ephemeral[idle, ephemerals) do. */
struct ports {
    struct claim *claim; /* by port, 65,536 */
    uint16_t *ephemeral;
    unsigned ephemerals, idle, open;
    unsigned pool_max;
    uint16_t low, high;
};

/* ---- routes -----------------------------------------------------------------------------------
 */

struct link {
    uint32_t ifindex;
    uint32_t mtu, mtu6; /* mtu6: IPv6's own, 0 if unknown */
    uint32_t gso_max;
    uint16_t type; /* ARPHRD_ */
    unsigned flags;
    uint8_t hw[ETHER_ADDR_LEN], hw_len;
    bool no_gso; /* a super-frame was refused: never again on this device */
    char name[IFNAMSIZ];
};

struct address {
    struct ip_addr addr;
    uint32_t ifindex;
};

/* An answer of the kernel. Valid while `generation` is the table's. */
struct route {
    struct flow flow;
    uint32_t bound_ifindex;
    uint64_t generation;
    struct path path;
    struct ip_addr next_hop;
    uint8_t hw[ETHER_ADDR_LEN]; /* of the device, where path.gso_max is not 0 */
};

struct routes {
    struct route *cache;
    uint64_t generation; /* from 1; one more on every flush */
    struct link *link;
    unsigned links;
    struct address *address;
    unsigned addresses;
    bool links_stale, addresses_stale, ipsec_stale;
    bool ipsec; /* the host has IPsec policies */
    uint32_t seq;
};

/* The hardware address of a next hop, or for a while the lack of one. */
struct neighbour {
    struct ip_addr addr;
    uint32_t ifindex;
    bool used, resolved;
    uint8_t hw[ETHER_ADDR_LEN];
    usec_t checked_at; /* when an unresolved one may be asked for again */
    usec_t poked_at;   /* when the kernel was last told that it is in use */
};

/* ---- conntrack --------------------------------------------------------------------------------
 */

struct ct_verdict {
    uint64_t conn_id;
    usec_t until;
    bool raw_only;
};

enum ct_presence {
    CT_ABSENT,     /* no connection tracking in this kernel: nothing to mark */
    CT_MARKABLE,   /* entries can be marked */
    CT_UNMARKABLE, /* tracking, but no way to mark: super-frames would be INVALID */
};

/* ---- sending ----------------------------------------------------------------------------------
 */

enum send_kind { SEND_RAW4, SEND_RAW6, SEND_SUPER, SEND_CUT };

/* One queued packet with everything its mmsghdr points to. */
struct send_slot {
    struct packet pkt;
    enum send_kind kind;
    struct virtio_net_hdr vnet;
    uint8_t head[ETHER_HDR_LEN + IP6_HDR_LEN + TCP_HDR_MAX];
    struct iovec iov[4];
    union {
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_ll ll;
    } to;
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

struct sendq {
    struct send_slot *slot; /* each array has SEND_BATCH entries */
    struct send_slot *part; /* the segments of a super-frame cut in software */
    struct mmsghdr *msg, *cut_msg;
    unsigned count;
};

struct receiver {
    uint8_t *buffer; /* RECV_BATCH * RECV_BUFFER_BYTES */
    struct mmsghdr *msg;
    struct recv_aux *aux;
};

struct netio {
    struct netio_fds fds;
    struct netio_handler handler;
    struct netio_registry registry;
    bool raw_only;
    bool routes_lost; /* tell routes_changed() at the next input */
    usec_t now;       /* of the last input */
    struct port_filter filter;
    struct ports ports;
    struct routes routes;
    struct neighbour *neighbour;
    struct ct_verdict *ct;
    enum ct_presence ct_presence;
    struct sendq sendq;
    struct receiver receiver;
    struct netio_stats stats;
};

/* ---- between the files ------------------------------------------------------------------------
 */

int receiver_init(struct netio *n);
void receiver_deinit(struct netio *n);
/** receiver_batch() - see receive.c; returns bytes and packets read, true if @fd may have more */
bool receiver_batch(struct netio *n, int fd, int family, unsigned *packets, size_t *bytes);

/** icmp_in_receive() - read ICMP errors of one family, a bounded number */
bool icmp_in_receive(struct netio *n, int fd, int family);

int claims_init(struct netio *n, const struct netio_init *init);
void claims_deinit(struct netio *n);

/** sockdiag_port_in_use() - 1: the kernel's TCP has connections on local @port; 0; -errno */
int sockdiag_port_in_use(uint16_t port);

int routes_init(struct netio *n);
void routes_deinit(struct netio *n);
/** route_flush() - forget every answer */
void route_flush(struct netio *n);
/** route_lookup() - netio_route() with the next hop; *ret is borrowed until the next lookup */
int route_lookup(struct netio *n, const struct flow *flow, uint32_t bound_ifindex,
                 const struct route **ret);
/** link_find() - NULL if there is none; borrowed until the next call */
struct link *link_find(struct netio *n, uint32_t ifindex);
/** address_is_local() - in the table of the host's addresses? */
bool address_is_local(struct netio *n, const struct ip_addr *addr, uint32_t ifindex);
/** ipsec_active() - would the kernel encrypt anything on this host? */
bool ipsec_active(struct netio *n);

/** neighbour_find() - hardware address of a next hop; NULL while the kernel has none */
const uint8_t *neighbour_find(struct netio *n, const struct ip_addr *addr, uint32_t ifindex);
/** neighbour_in_use() - super-frames go there: keep the kernel's entry alive */
void neighbour_in_use(struct netio *n, const struct ip_addr *addr, uint32_t ifindex, bool progress);
void neighbour_forget(struct netio *n, const struct ip_addr *addr, uint32_t ifindex);
void neighbour_forget_all(struct netio *n);

void conntrack_init(struct netio *n);
/** conntrack_allows_super() - mark the connection's entry liberal; may super-frames be sent? */
bool conntrack_allows_super(struct netio *n, uint64_t conn_id, const struct flow *flow);

/** send_flow() - the flow of a packet that goes out */
struct flow send_flow(const struct packet *pkt);
/** send_raw_prepare() - headers, checksum and message of a packet for a raw socket */
void send_raw_prepare(struct send_slot *slot, struct mmsghdr *msg);
/** send_put_headers() - IP and TCP header, checksum 0; returns their length, *ret_tcp is the latter
 */
size_t send_put_headers(const struct packet *pkt, uint8_t *ret, uint8_t **ret_tcp);
/** super_prepare() - the same for one super-frame; false if it must be cut */
bool super_prepare(struct netio *n, struct send_slot *slot);
void super_fill_msg(struct send_slot *slot, struct mmsghdr *msg);
/** super_refused() - the device did not take one; for good: no more of them there */
void super_refused(struct netio *n, uint32_t ifindex, bool for_good);

#endif
