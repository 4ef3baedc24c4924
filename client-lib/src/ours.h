/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Is this descriptor one of tcpd's? The descriptor says so itself: it is an AF_UNIX
 * socket with the name "\0tcpd/4/..." or "\0tcpd/6/...". That holds after dup(),
 * fork(), exec and passing, and needs no table.
 *
 * Beside it, a byte per number remembers what was seen last. It is a hint, never
 * the truth: it may say that asking is worth the call, and whatever is done because
 * of it is verified by ours_family(). A stale OTHER (a number re-used behind our back,
 * by a system call made directly) costs an exact errno or a SIGPIPE, nothing else.
 * UNKNOWN is always right: close() and dup2() store nothing else, because they run
 * between vfork() and exec, in the parent's memory.
 */
#ifndef TCPD_CLIENT_OURS_H
#define TCPD_CLIENT_OURS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    HINT_UNKNOWN = 0,
    HINT_OTHER = 1 << 0,  /* not tcpd's */
    HINT_OURS = 1 << 1,
    HINT_LISTEN = 1 << 2, /* and it listens */
    HINT_LINGER = 1 << 3, /* and SO_LINGER was set, with a time */
};

#define HINT_FDS 65536 /* higher numbers are UNKNOWN */

extern uint8_t ours_hints[HINT_FDS];

/** ours_family() - AF_INET or AF_INET6 if @fd is tcpd's, else 0; errno is kept */
int ours_family(int fd);

static inline uint8_t ours_hint(int fd)
{
    if ((unsigned)fd >= HINT_FDS)
        return HINT_UNKNOWN;
    return __atomic_load_n(&ours_hints[fd], __ATOMIC_RELAXED);
}

static inline void ours_hint_set(int fd, uint8_t hint)
{
    if ((unsigned)fd < HINT_FDS && ours_hint(fd) != hint)
        __atomic_store_n(&ours_hints[fd], hint, __ATOMIC_RELAXED);
}

/** ours_forget() - the number is about to mean something else */
static inline void ours_forget(int fd)
{
    ours_hint_set(fd, HINT_UNKNOWN);
}

/** ours_forget_range() - both ends included */
void ours_forget_range(unsigned first, unsigned last);

/** ours_maybe() - false: surely not tcpd's, as far as this process can know */
static inline bool ours_maybe(int fd)
{
    uint8_t hint = ours_hint(fd);

    return hint == HINT_UNKNOWN ? ours_family(fd) != 0 : (hint & HINT_OURS) != 0;
}

#endif
