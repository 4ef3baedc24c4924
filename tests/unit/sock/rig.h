/* SPDX-License-Identifier: BSD-2-Clause */
/* A sock table between a fake engine and a world that is a few arrays. */
#ifndef TEST_SOCK_RIG_H
#define TEST_SOCK_RIG_H

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "fake_engine.h"
#include "proto/tunables.h"
#include "sock/sock.h"

#define NOW         (1000 * USEC_PER_SEC)
#define SO_EXCLBIND 0x1015
#define POOL_MAX    64

struct rig {
    struct tcp_engine *engine;
    struct tunables tun;
    struct sock_table *table;

    unsigned claims[65536];     /* claims of ours */
    bool kernel_has[65536];     /* the kernel's TCP holds it */
    int claim_error;            /* any claim fails so */
    uint16_t pool[POOL_MAX];
    unsigned pool_count;
    int route_error;
    unsigned routes;
    uint32_t route_ifindex;     /* bound_ifindex of the last question */
    struct ip_addr src4, src6;  /* sources that a route gives */
};

int rig_setup(void **state);
int rig_teardown(void **state);

/* Who asks. */
extern const struct cred ROOT, USER, OTHER;

/* The host's addresses and some that are not. */
extern const struct ip_addr ANY4, ANY6, A4, B4, A6, B6, PEER4, PEER6, LO4, LO6, LINK6;

struct sock_addr at(struct ip_addr addr, uint16_t port);

struct sock *new_sock(struct rig *r, int family);
struct sock *new_sock_of(struct rig *r, int family, const struct cred *cred);
/* These assert that it works. */
struct sock *bound(struct rig *r, int family, struct ip_addr addr, uint16_t port);
struct sock *listening(struct rig *r, int family, struct ip_addr addr, uint16_t port);
struct sock *connecting(struct rig *r, struct ip_addr peer, uint16_t port);
struct sock *connected(struct rig *r, struct ip_addr peer, uint16_t port);

int bind_to(struct sock *s, struct ip_addr addr, uint16_t port);
int connect_to(struct sock *s, struct ip_addr addr, uint16_t port);
int set_int(struct sock *s, int level, int name, int value);
int get_int(struct sock *s, int level, int name);

/* Events of the engine. */
void event(struct rig *r, struct tcp_conn *conn, unsigned what, int error);
void gone(struct rig *r, struct tcp_conn *conn); /* TCP_EV_GONE, and the fake is freed */
struct tcp_conn *handshake(struct rig *r, struct sock *listener, struct ip_addr peer,
                           uint16_t port);

/* All readiness that waits, which is for @s and nobody else; 0 if there is none. */
unsigned ready_of(struct rig *r, struct sock *s);
void forget_readiness(struct rig *r);

#define rig_test(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

#endif
