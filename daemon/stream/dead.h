/* SPDX-License-Identifier: BSD-2-Clause */
/* Why descriptors died, by SO_COOKIE, for programs that ask later. The oldest are forgotten. */
#ifndef TCPD_STREAM_DEAD_H
#define TCPD_STREAM_DEAD_H

#include <stdint.h>

#include "base/idmap.h"

#define DEAD_MAX 4096u

struct dead_stone {
    uint64_t cookie; /* 0: nobody's */
    int error;
};

struct dead {
    struct dead_stone stones[DEAD_MAX];
    struct idmap by_cookie;
    uint32_t next; /* the place of the next one: the oldest's */
};

/** dead_put() - @cookie died of @error (positive errno); forgotten if there is no memory for it */
void dead_put(struct dead *d, uint64_t cookie, int error);

/** dead_take() - the error of @cookie, told once: 0 if it is not known (any more) */
int dead_take(struct dead *d, uint64_t cookie);

void dead_deinit(struct dead *d);

#endif
