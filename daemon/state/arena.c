/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A binary buddy allocator. Block n of order k covers units [n << k, (n+1) << k)
 * and its buddy differs in bit k of the first unit's number, so that finding,
 * splitting and merging touch one list head a level.
 *
 * A freed extent goes through the pending list first: its bytes must stay
 * readable until a commit that no longer names it. Memory of the memfd is given
 * back only in the large and only when much more lies there than is in use:
 * a hole that is filled again costs a page fault and a cleared page for each 4 KB.
 */
#include "state/arena.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/cleanup.h"

#define UNIT_SHIFT       12
#define NIL              UINT32_MAX
#define TRIM_ORDER       4             /* a hole of less than 64 KB is not worth a call */
#define TRIM_SLACK_BYTES (64ULL << 20) /* free memory that may stay resident */

enum unit_state {
    UNIT_INSIDE, /* not the first unit of a block: says nothing */
    UNIT_FREE,
    UNIT_USED,
    UNIT_PENDING,
};

struct arena_unit {
    uint32_t next, prev;
    uint8_t order;
    uint8_t state;
};

static size_t units_bytes(const struct arena *a)
{
    return (a->bytes >> UNIT_SHIFT) * sizeof(struct arena_unit);
}

static void free_push(struct arena *a, uint32_t unit, unsigned order)
{
    const uint32_t head = a->free_head[order];

    a->units[unit] = (struct arena_unit){ head, NIL, (uint8_t)order, UNIT_FREE };
    if (head != NIL)
        a->units[head].prev = unit;
    a->free_head[order] = unit;
    a->free_orders |= 1u << order;
}

static void free_remove(struct arena *a, uint32_t unit)
{
    struct arena_unit *u = &a->units[unit];

    if (u->prev != NIL)
        a->units[u->prev].next = u->next;
    else
        a->free_head[u->order] = u->next;
    if (u->next != NIL)
        a->units[u->next].prev = u->prev;
    if (a->free_head[u->order] == NIL)
        a->free_orders &= ~(1u << u->order);
    u->state = UNIT_INSIDE;
}

int arena_init(struct arena *a, int fd, void *base, uint64_t bytes)
{
    void *units;

    if (bytes < 1ULL << UNIT_SHIFT || bytes >= 1ULL << (UNIT_SHIFT + ARENA_ORDERS))
        return -EINVAL;
    *a = (struct arena){ .fd = fd, .base = base, .pending = NIL };
    a->top = 63u - (unsigned)__builtin_clzll(bytes) - UNIT_SHIFT;
    a->bytes = 1ULL << (a->top + UNIT_SHIFT);
    units = mmap(NULL, units_bytes(a), PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (units == MAP_FAILED)
        return -ENOMEM;
    a->units = units;
    for (unsigned i = 0; i < ARENA_ORDERS; i++)
        a->free_head[i] = NIL;
    free_push(a, 0, a->top);
    return 0;
}

void arena_deinit(struct arena *a)
{
    if (a->units)
        (void)munmap(a->units, units_bytes(a));
    *a = (struct arena){ .pending = NIL };
}

static unsigned order_of(size_t bytes)
{
    const size_t units = (bytes + (1u << UNIT_SHIFT) - 1) >> UNIT_SHIFT;

    return units <= 1 ? 0 : 64u - (unsigned)__builtin_clzll(units - 1);
}

void *arena_alloc(struct arena *a, size_t bytes, uint64_t *ret_offset)
{
    unsigned order, from;
    uint32_t unit, fitting;

    if (!bytes || bytes > a->bytes)
        return NULL;
    order = order_of(bytes);
    fitting = a->free_orders & ~((1u << order) - 1);
    if (!fitting)
        return NULL;
    from = (unsigned)__builtin_ctz(fitting);
    unit = a->free_head[from];
    free_remove(a, unit);
    while (from > order) {
        from--;
        free_push(a, unit + (1u << from), from);
    }
    a->units[unit] = (struct arena_unit){ NIL, NIL, (uint8_t)order, UNIT_USED };
    a->used += 1ULL << (order + UNIT_SHIFT);
    *ret_offset = (uint64_t)unit << UNIT_SHIFT;
    return a->base + *ret_offset;
}

void arena_free(struct arena *a, uint64_t offset, size_t bytes)
{
    const uint32_t unit = (uint32_t)(offset >> UNIT_SHIFT);
    struct arena_unit *u = &a->units[unit];

    assert(offset < a->bytes && u->state == UNIT_USED && u->order == order_of(bytes));
    u->state = UNIT_PENDING;
    u->next = a->pending;
    a->pending = unit;
}

static void merge(struct arena *a, uint32_t unit, unsigned order)
{
    while (order < a->top) {
        const uint32_t buddy = unit ^ (1u << order);

        if (a->units[buddy].state != UNIT_FREE || a->units[buddy].order != order)
            break;
        free_remove(a, buddy);
        unit &= ~(1u << order);
        order++;
    }
    free_push(a, unit, order);
}

static uint64_t resident_bytes(const struct arena *a)
{
    struct stat st;

    return fstat(a->fd, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

static void trim(struct arena *a)
{
    for (unsigned order = TRIM_ORDER; order <= a->top; order++)
        for (uint32_t unit = a->free_head[order]; unit != NIL; unit = a->units[unit].next)
            (void)fallocate(a->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                            (off_t)unit << UNIT_SHIFT, 1LL << (order + UNIT_SHIFT));
}

void arena_committed(struct arena *a)
{
    while (a->pending != NIL) {
        const uint32_t unit = a->pending;
        const unsigned order = a->units[unit].order;

        a->pending = a->units[unit].next;
        a->units[unit].state = UNIT_INSIDE;
        a->used -= 1ULL << (order + UNIT_SHIFT);
        a->freed += 1ULL << (order + UNIT_SHIFT);
        merge(a, unit, order);
    }
    if (a->freed < TRIM_SLACK_BYTES)
        return;
    a->freed = 0;
    if (resident_bytes(a) > a->used + TRIM_SLACK_BYTES)
        trim(a);
}
