/* SPDX-License-Identifier: BSD-2-Clause */
/* Ownership helpers: own it the moment you get it, give it away once (TAKE). */
#ifndef TCPD_BASE_CLEANUP_H
#define TCPD_BASE_CLEANUP_H

#include <stdlib.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

#define TAKE(p)                                                                                    \
    ({                                                                                             \
        __typeof__(p) take_ = (p);                                                                 \
        (p) = NULL;                                                                                \
        take_;                                                                                     \
    })

/** TAKE_FD() - hand an fd over; the variable no longer owns it */
#define TAKE_FD(fd)                                                                                \
    ({                                                                                             \
        int take_ = (fd);                                                                          \
        (fd) = -1;                                                                                 \
        take_;                                                                                     \
    })

#define DEFINE_CLEANUP(type, func)                                                                 \
    static inline void func##p(type *p)                                                            \
    {                                                                                              \
        if (*p)                                                                                    \
            (void)func(*p);                                                                        \
    }

static inline void freep(void *p)
{
    free(*(void **)p);
}

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

/* Names made unique, so that one may stand inside the other. */
#define UNIQUE_2(name, n) name##n
#define UNIQUE_1(name, n) UNIQUE_2(name, n)
#define PICK(op, a, b, n)                                                                          \
    ({                                                                                             \
        __typeof__(a) UNIQUE_1(a_, n) = (a);                                                       \
        __typeof__(b) UNIQUE_1(b_, n) = (b);                                                       \
        UNIQUE_1(a_, n) op UNIQUE_1(b_, n) ? UNIQUE_1(a_, n) : UNIQUE_1(b_, n);                    \
    })
#define MIN(a, b)        PICK(<, a, b, __COUNTER__)
#define MAX(a, b)        PICK(>, a, b, __COUNTER__)
#define CLAMP(v, lo, hi) MAX(MIN(v, hi), lo)

#endif
