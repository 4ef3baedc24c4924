/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The C library's own calls, as seen from below the interposers.
 *
 * The client library takes them as they are; the preload library, which defines
 * functions of the same names, takes the next ones in the search order. What the
 * library does for itself (its session) uses system calls directly, see sys.h:
 * those are no cancellation points and nobody interposes them.
 */
#ifndef TCPD_CLIENT_NATIVE_H
#define TCPD_CLIENT_NATIVE_H

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define NATIVE_CALLS(X)                                                                            \
    X(socket) X(bind) X(listen) X(connect) X(accept) X(accept4) X(shutdown) X(close)               \
    X(getsockname) X(getpeername) X(getsockopt) X(setsockopt) X(ioctl) X(poll)                     \
    X(read) X(readv) X(recv) X(recvfrom) X(recvmsg) X(recvmmsg)                                    \
    X(write) X(writev) X(send) X(sendto) X(sendmsg) X(sendmmsg) X(sendfile)

struct native {
    bool ready;
#define NATIVE_FIELD(name) __typeof__(name) *name;
    NATIVE_CALLS(NATIVE_FIELD)
#undef NATIVE_FIELD
};

extern struct native native_calls;

/** native_fill() - look the calls up; harmless when two threads do it at once */
void native_fill(void);

static inline const struct native *native(void)
{
    if (__builtin_expect(!__atomic_load_n(&native_calls.ready, __ATOMIC_ACQUIRE), 0))
        native_fill();
    return &native_calls;
}

#endif
