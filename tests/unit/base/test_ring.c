/* SPDX-License-Identifier: BSD-2-Clause */
#include "cm.h"

#include <errno.h>

#include "base/ring.h"

/* Memory that can run out and is counted. */
struct pool {
    long out;
    bool empty;
};

static void *pool_alloc(void *ctx, size_t bytes, uint64_t *ret_offset)
{
    struct pool *p = ctx;

    if (p->empty)
        return NULL;
    p->out++;
    *ret_offset = 4711;
    return malloc(bytes);
}

static void pool_free(void *ctx, void *data, size_t bytes, uint64_t offset)
{
    struct pool *p = ctx;

    assert_int_equal(offset, 4711);
    p->out--;
    free(data);
}

static uint8_t byte_at(uint64_t pos)
{
    return (uint8_t)(pos * 13 + (pos >> 8));
}

static void fill(struct ring *r, uint64_t pos, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        uint8_t b = byte_at(pos + i);

        ring_write(r, pos + i, &b, 1);
    }
}

static void expect_bytes(const struct ring *r, uint64_t pos, uint32_t len)
{
    uint8_t *buf = malloc(len + 1);

    ring_read(r, pos, buf, len);
    for (uint32_t i = 0; i < len; i++)
        assert_int_equal(buf[i], byte_at(pos + i));
    free(buf);
}

static void sizes_are_powers_of_two_of_at_least_the_minimum(void **state)
{
    struct pool pool = { 0 };
    const struct ring_mem mem = { pool_alloc, pool_free, &pool };
    struct ring r = { 0 };

    assert_int_equal(ring_reserve(&r, &mem, 1, 0), 0);
    assert_int_equal(r.size, RING_MIN_BYTES);
    assert_int_equal(ring_reserve(&r, &mem, RING_MIN_BYTES + 1, 0), 0);
    assert_int_equal(r.size, 2 * RING_MIN_BYTES);
    assert_int_equal(ring_reserve(&r, &mem, 100000, 0), 0);
    assert_int_equal(r.size, 131072);
    assert_int_equal(ring_reserve(&r, &mem, 10, 0), 0); /* never smaller */
    assert_int_equal(r.size, 131072);
    ring_release(&r, &mem);
    assert_int_equal(pool.out, 0);
    assert_int_equal(r.size, 0);
}

static void a_span_wraps_into_two_pieces(void **state)
{
    struct ring r = { 0 };
    struct iovec iov[2];

    assert_int_equal(ring_reserve(&r, ring_mem_heap(), 4096, 0), 0);
    assert_int_equal(ring_span(&r, 4096 * 7 + 4000, 200, iov), 2);
    assert_ptr_equal(iov[0].iov_base, r.data + 4000);
    assert_int_equal(iov[0].iov_len, 96);
    assert_ptr_equal(iov[1].iov_base, r.data);
    assert_int_equal(iov[1].iov_len, 104);
    assert_int_equal(ring_span(&r, 4000, 96, iov), 1);
    assert_int_equal(ring_span(&r, 0, 4096, iov), 1);
    assert_int_equal(ring_span(&r, 5, 0, iov), 0);
    ring_release(&r, ring_mem_heap());
}

static void what_is_written_anywhere_is_read_there(void **state)
{
    struct ring r = { 0 };

    assert_int_equal(ring_reserve(&r, ring_mem_heap(), 4096, 0), 0);
    for (uint64_t pos = 0xfffffff000ULL; pos < 0xfffffff000ULL + 20000; pos += 777) {
        uint8_t buf[1500];

        for (size_t i = 0; i < sizeof(buf); i++)
            buf[i] = byte_at(pos + i);
        ring_write(&r, pos, buf, sizeof(buf));
        expect_bytes(&r, pos, sizeof(buf));
    }
    ring_release(&r, ring_mem_heap());
}

/* Growing keeps [head, keep_end), wherever in the old ring it wrapped. */
static void growing_keeps_bytes_at_their_positions(void **state)
{
    for (uint64_t head = 0; head < 4096 * 3; head += 511) {
        struct ring r = { 0 };

        assert_int_equal(ring_reserve(&r, ring_mem_heap(), 4096, 0), 0);
        r.head = head;
        r.tail = head + 1000; /* and out of order up to 4,096 */
        fill(&r, head, 4096);
        assert_int_equal(ring_reserve(&r, ring_mem_heap(), 30000, head + 4096), 0);
        assert_int_equal(ring_used(&r), 1000);
        assert_int_equal(ring_free_bytes(&r), r.size - 1000);
        expect_bytes(&r, head, 4096);
        ring_release(&r, ring_mem_heap());
    }
}

static void without_memory_the_ring_is_as_before(void **state)
{
    struct pool pool = { 0 };
    const struct ring_mem mem = { pool_alloc, pool_free, &pool };
    struct ring r = { 0 }, before;

    assert_int_equal(ring_reserve(&r, &mem, 4096, 0), 0);
    r.tail = 4096;
    fill(&r, 0, 4096);
    before = r;
    pool.empty = true;
    assert_int_equal(ring_reserve(&r, &mem, 8192, 4096), -ENOMEM);
    assert_memory_equal(&r, &before, sizeof(r));
    expect_bytes(&r, 0, 4096);
    assert_int_equal(ring_reserve(&r, &mem, UINT32_MAX, 4096), -ENOMEM);
    ring_release(&r, &mem);
    assert_int_equal(pool.out, 0);
}

static void an_empty_ring_grows_again_at_its_position(void **state)
{
    struct ring r = { 0 };

    assert_int_equal(ring_reserve(&r, ring_mem_heap(), 4096, 0), 0);
    r.head = r.tail = 123456789;
    ring_release(&r, ring_mem_heap());
    ring_release(&r, ring_mem_heap());
    assert_int_equal(r.head, 123456789);
    assert_int_equal(ring_reserve(&r, ring_mem_heap(), 4096, r.tail), 0);
    fill(&r, r.tail, 4096);
    expect_bytes(&r, r.tail, 4096);
    ring_release(&r, ring_mem_heap());
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_powers_of_two_of_at_least_the_minimum),
        cmocka_unit_test(a_span_wraps_into_two_pieces),
        cmocka_unit_test(what_is_written_anywhere_is_read_there),
        cmocka_unit_test(growing_keeps_bytes_at_their_positions),
        cmocka_unit_test(without_memory_the_ring_is_as_before),
        cmocka_unit_test(an_empty_ring_grows_again_at_its_position),
    };

    return cmocka_run_group_tests_name("base/ring", tests, NULL, NULL);
}
