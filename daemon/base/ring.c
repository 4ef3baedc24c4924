/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static uint32_t round_up_pow2(uint32_t bytes)
{
    uint32_t size = RING_MIN_BYTES;

    while (size < bytes)
        size <<= 1;
    return size;
}

int ring_reserve(struct ring *r, const struct ring_mem *mem, uint32_t bytes, uint64_t keep_end)
{
    struct ring bigger = *r;
    struct iovec old[2];
    int pieces;

    if (bytes > 1u << 31)
        return -ENOMEM;
    if (bytes <= r->size)
        return 0;
    bigger.size = round_up_pow2(bytes);
    bigger.data = mem->alloc(mem->ctx, bigger.size, &bigger.extent);
    if (!bigger.data)
        return -ENOMEM;

    if (r->data && keep_end > r->head) {
        uint64_t pos = r->head;

        pieces = ring_span(r, pos, (uint32_t)(keep_end - r->head), old);
        for (int i = 0; i < pieces; i++) {
            ring_write(&bigger, pos, old[i].iov_base, (uint32_t)old[i].iov_len);
            pos += old[i].iov_len;
        }
    }
    ring_release(r, mem);
    *r = bigger;
    return 0;
}

void ring_release(struct ring *r, const struct ring_mem *mem)
{
    if (r->data)
        mem->free(mem->ctx, r->data, r->size, r->extent);
    r->data = NULL;
    r->size = 0;
    r->extent = 0;
}

int ring_span(const struct ring *r, uint64_t pos, uint32_t len, struct iovec iov[2])
{
    uint32_t at, first;

    if (!len)
        return 0;
    at = (uint32_t)(pos & (r->size - 1));
    first = MIN(len, r->size - at);
    iov[0] = (struct iovec){ r->data + at, first };
    if (first == len)
        return 1;
    iov[1] = (struct iovec){ r->data, len - first };
    return 2;
}

void ring_write(struct ring *r, uint64_t pos, const void *data, uint32_t len)
{
    const uint8_t *from = data;
    struct iovec iov[2];
    int pieces = ring_span(r, pos, len, iov);

    for (int i = 0; i < pieces; i++) {
        memcpy(iov[i].iov_base, from, iov[i].iov_len);
        from += iov[i].iov_len;
    }
}

void ring_read(const struct ring *r, uint64_t pos, void *data, uint32_t len)
{
    uint8_t *to = data;
    struct iovec iov[2];
    int pieces = ring_span(r, pos, len, iov);

    for (int i = 0; i < pieces; i++) {
        memcpy(to, iov[i].iov_base, iov[i].iov_len);
        to += iov[i].iov_len;
    }
}

static void *heap_alloc(void *ctx, size_t bytes, uint64_t *ret_offset)
{
    *ret_offset = 0;
    return malloc(bytes);
}

static void heap_free(void *ctx, void *data, size_t bytes, uint64_t offset)
{
    free(data);
}

const struct ring_mem *ring_mem_heap(void)
{
    static const struct ring_mem heap = { heap_alloc, heap_free, NULL };

    return &heap;
}
