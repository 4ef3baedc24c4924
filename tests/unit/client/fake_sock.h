/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the two halves of the fake daemon: its sockets, and the calls about them. */
#ifndef TCPD_TESTS_FAKE_SOCK_H
#define TCPD_TESTS_FAKE_SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_OPTS 8

struct name {
    uint8_t addr[16];
    uint16_t port;
};

struct fake_sock {
    bool used;
    uint64_t cookie;
    int family;
    int ours; /* -1: fresh, or dead */
    bool listening, connecting, connected, echo;
    int64_t due;  /* when connecting ends, or the made-up peer acts */
    int fate;     /* the port that says how */
    int error;
    size_t filled;
    struct fake_sock *peer;
    struct name local, remote;
    struct {
        int level, name;
        size_t len;
        uint8_t value[64];
    } opts[FAKE_OPTS];
};

int64_t fake_now_ms(void);

/** fake_socks_init() - make the private listener */
void fake_socks_init(void);

/** fake_fresh() - what socket() gives */
int fake_fresh(int family);

/** fake_find() - the socket of a descriptor, NULL if it is fresh or none */
struct fake_sock *fake_find(int fd);

/** fake_attach() - the same; a fresh one is attached */
struct fake_sock *fake_attach(int fd);

/** fake_family() - by its name */
int fake_family(int fd);

/** fake_accept_push() - a connection for @listener; @from: the other end, or NULL */
void fake_accept_push(struct fake_sock *listener, struct fake_sock *from, uint32_t magic);

/** fake_tick() - let time pass: handshakes end, bytes move, what was closed goes */
void fake_tick(void);

#endif
