/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One message to tcpd and one back, with their descriptors. Uses only the stack:
 * socket calls may be made in signal handlers, where malloc() may not.
 */
#ifndef TCPD_CLIENT_WIRE_H
#define TCPD_CLIENT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/tcpd.pb-c.h"

/* Small, because all of it is on the stack, which may be that of a thread with 16 KB. */
#define WIRE_VALUE_MAX   2048 /* of an option; the longest are IPv6 extension headers (2040) */
#define WIRE_REQUEST_MAX 2304
#define WIRE_REPLY_MAX   3072

/* A reply as it came. @fd is owned by who holds the answer. */
struct answer {
    size_t len;
    int fd;        /* -1: none */
    bool fd_lost;  /* one was sent, but there was no free number for it */
    uint8_t buf[WIRE_REPLY_MAX];
};

/* Memory for one unpacked message. */
struct wire_arena {
    size_t used;
    ProtobufCAllocator alloc;
    _Alignas(16) uint8_t mem[WIRE_REPLY_MAX + 512];
};

/** wire_open() - connect to tcpd at @path. An fd at a high number, close-on-exec; -errno */
int wire_open(const char *path);

/**
 * wire_send() - one request, with our credentials and, if @shown >= 0, a descriptor
 *
 * Does not block. -EAGAIN: no room now. Other -errno: nothing was sent, and the
 * session is of no use any more.
 */
int wire_send(int fd, const Tcpd__V1__Request *req, int shown);

/**
 * wire_recv() - one reply, not blocking
 *
 * Returns 1; 0 at the end of the session; -EAGAIN; -errno. @ret->fd is close-on-exec.
 */
int wire_recv(int fd, struct answer *ret);

/** wire_unpack() - the reply in @a, living in @arena; NULL if it is garbage */
Tcpd__V1__Reply *wire_unpack(const struct answer *a, struct wire_arena *arena);

#endif
