/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A circular byte buffer addressed by absolute positions.
 *
 * Byte number p of the stream lies at data[p % size] as long as it is in
 * [head, head + size). The ring knows nothing of sequence numbers: the engine
 * keeps position = bytes since the stream began, 64 bits, so it never wraps.
 *
 * The memory is an extent from a struct ring_mem: malloc in tests, a
 * crash-surviving arena in the daemon. size is a power of two, or 0 while
 * nothing has been stored (an idle connection costs no buffer).
 */
#ifndef TCPD_BASE_RING_H
#define TCPD_BASE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define RING_MIN_BYTES 4096u

/*
 * Where ring memory comes from. alloc() returns @bytes (a power of two) or NULL;
 * *ret_offset names the extent for a later life of the process. free() may keep
 * the bytes readable until the next commit: whoever committed them still can read.
 */
struct ring_mem {
    void *(*alloc)(void *ctx, size_t bytes, uint64_t *ret_offset);
    void (*free)(void *ctx, void *data, size_t bytes, uint64_t offset);
    void *ctx;
};

struct ring {
    uint8_t *data;
    uint64_t extent; /* offset of data in its arena */
    uint64_t head;   /* first byte still needed */
    uint64_t tail;   /* one past the last byte stored in order */
    uint32_t size;   /* power of two, or 0 */
};

/** ring_used() - bytes in order in the ring */
static inline uint32_t ring_used(const struct ring *r)
{
    return (uint32_t)(r->tail - r->head);
}

/** ring_free_bytes() - what fits behind tail */
static inline uint32_t ring_free_bytes(const struct ring *r)
{
    return r->size - ring_used(r);
}

/**
 * ring_reserve() - make the ring at least @bytes long, keeping [head, keep_end)
 * @r:         ring, changed
 * @mem:       where extents come from
 * @bytes:     wanted size; rounded up to a power of two, at least RING_MIN_BYTES
 * @keep_end:  absolute position up to which bytes (also out of order) are kept
 *
 * Errors: -ENOMEM, the ring is as before.
 */
int ring_reserve(struct ring *r, const struct ring_mem *mem, uint32_t bytes, uint64_t keep_end);

/** ring_release() - give the memory back; positions stay, so an empty ring can grow again */
void ring_release(struct ring *r, const struct ring_mem *mem);

/**
 * ring_span() - the bytes [pos, pos + len) as one or two pieces
 * @iov:  filled, 2 entries
 *
 * Returns the number of pieces, 0 to 2. The caller knows the span to be inside
 * the ring. Borrowed until the ring is resized.
 */
int ring_span(const struct ring *r, uint64_t pos, uint32_t len, struct iovec iov[2]);

/** ring_write() - copy @len bytes to position @pos, which fits the ring */
void ring_write(struct ring *r, uint64_t pos, const void *data, uint32_t len);

/** ring_read() - copy @len bytes from position @pos */
void ring_read(const struct ring *r, uint64_t pos, void *data, uint32_t len);

/** ring_mem_heap() - extents from malloc, for tests and tools */
const struct ring_mem *ring_mem_heap(void);

#endif
