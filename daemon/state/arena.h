/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The arena: extents for rings, powers of two from 4 KB, in one sparse memfd.
 * The bytes outlive a worker; who owns which extent is in the records, so what
 * the allocator itself knows lies in private memory and is made anew.
 */
#ifndef TCPD_STATE_ARENA_H
#define TCPD_STATE_ARENA_H

#include <stdint.h>

#include "base/ring.h"

#define ARENA_ORDERS 31 /* 4 KB ... 4 TB */

struct arena_unit;

struct arena {
    int fd;                   /* borrowed */
    uint8_t *base;            /* the mapping; borrowed */
    uint64_t bytes;           /* a power of two */
    unsigned top;             /* order of the whole arena */
    struct arena_unit *units; /* one for each 4 KB */
    uint32_t free_head[ARENA_ORDERS];
    uint32_t free_orders; /* bit n: there is a free extent of order n */
    uint32_t pending;     /* freed, but still named by the last commit */
    uint64_t used;        /* bytes handed out, those pending included */
    uint64_t freed;       /* bytes freed since the last look at what could be trimmed */
};

/**
 * arena_init() - an arena without extents
 * @bytes:  size of the mapping; what is above the largest power of two is not used
 *
 * Errors: -ENOMEM, -EINVAL: smaller than one extent, or larger than 4 TB.
 */
int arena_init(struct arena *a, int fd, void *base, uint64_t bytes);
void arena_deinit(struct arena *a);

/** arena_alloc() - @bytes rounded up to a power of two, or NULL; O(log n) */
void *arena_alloc(struct arena *a, size_t bytes, uint64_t *ret_offset);

/** arena_free() - give an extent back at the next commit */
void arena_free(struct arena *a, uint64_t offset, size_t bytes);

/** arena_committed() - nobody names the extents freed before: merge them, trim if it pays */
void arena_committed(struct arena *a);

#endif
