/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two hosts for tests of netio: network namespaces without a name, joined by a
 * veth pair. They go away with the process, whatever happens to it.
 *
 *     here  va  10.99.0.1/24  fd99::1/64      netio runs on this one
 *     there vb  10.99.0.2/24  fd99::2/64      the kernel's TCP is the peer
 */
#ifndef TCPD_TESTS_SYSTEM_NETIO_WORLD_H
#define TCPD_TESTS_SYSTEM_NETIO_WORLD_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "netio/netio.h"
#include "wire/tcp_header.h"

#define HERE4  "10.99.0.1"
#define THERE4 "10.99.0.2"
#define HERE6  "fd99::1"
#define THERE6 "fd99::2"

#define WORLD_PACKETS 256

struct world {
    int home, here, there; /* namespaces */
    struct netio_fds fds;
    struct netio *n;
    struct {
        struct packet pkt; /* seg is NULL: the header is in `seg` below */
        struct segment seg;
        enum tcp_parse verdict;
    } in[WORLD_PACKETS];
    unsigned packets, icmps, route_changes;
    struct icmp_error icmp;
    int unsent_error; /* of the last packet that was refused */
    unsigned unsent;
    struct packet unsent_pkt;
};

/** world_setup(), world_teardown() - for cmocka: *state is a struct world, we are "here" */
int world_setup(void **state);
int world_teardown(void **state);
/** world_netio() - make the netio anew, with other settings than the default ones */
void world_netio(struct world *w, const struct netio_init *like);

/** world_enter() - sockets made from now on belong to that namespace */
void world_enter(int ns);
/** world_sh() - a shell command in a namespace; it must succeed */
void world_sh(int ns, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** world_sh_fails() - a command's exit status is not 0? */
int world_sh_status(int ns, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** world_pump() - feed netio for @msec, or until it has @packets more */
void world_pump(struct world *w, unsigned packets, int msec);
void world_pump_routes(struct world *w, int msec);
/** world_flush() - netio_flush(), refusals counted in the world */
bool world_flush(struct world *w);

struct ip_addr world_addr(const char *text);
uint32_t world_ifindex(const char *name);
/** world_packet() - a segment ready for netio_send(); @payload may be NULL */
struct packet world_packet(const char *src, const char *dst, const struct segment *seg,
                           const void *payload, uint32_t len);

/** world_listen() - a listening socket of the kernel on all addresses; fd */
int world_listen(int ns, int family, uint16_t port, int reuse);
/** world_connect() - begin to connect, without waiting; fd */
int world_connect(int ns, const char *addr, uint16_t port);

usec_t world_now(void);

#define WORLD_ISS 1000u
/** world_open() - SYN, SYN-ACK, ACK by hand; returns the peer's first sequence number */
struct seq world_open(struct world *w, const char *from, const char *to, uint16_t sport,
                      uint16_t dport);

#endif
