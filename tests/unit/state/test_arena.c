/* SPDX-License-Identifier: BSD-2-Clause */
#include "cm.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state/arena.h"

#define KB 1024ULL
#define MB (1024 * KB)

static int setup_sized(void **state, uint64_t bytes)
{
    static struct arena a;
    int fd = memfd_create("arena", MFD_CLOEXEC);
    void *base;

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
    base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    assert_ptr_not_equal(base, MAP_FAILED);
    assert_int_equal(arena_init(&a, fd, base, bytes), 0);
    *state = &a;
    return 0;
}

static int setup_small(void **state)
{
    return setup_sized(state, MB);
}

static int setup_large(void **state)
{
    return setup_sized(state, 1024 * MB);
}

static int teardown(void **state)
{
    struct arena *a = *state;

    (void)munmap(a->base, a->bytes);
    (void)close(a->fd);
    arena_deinit(a);
    return 0;
}

static void an_extent_is_a_power_of_two_at_its_own_alignment(void **state)
{
    static const struct {
        size_t asked, got;
    } rows[] = {
        { 1, 4 * KB }, { 4 * KB, 4 * KB }, { 4 * KB + 1, 8 * KB }, { 100 * KB, 128 * KB }
    };
    struct arena *a = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const uint64_t before = a->used;
        uint64_t offset = 1;
        uint8_t *p = arena_alloc(a, rows[i].asked, &offset);

        assert_non_null(p);
        assert_ptr_equal(p, a->base + offset);
        assert_int_equal(offset % rows[i].got, 0);
        assert_int_equal(a->used - before, rows[i].got);
    }
}

static void extents_do_not_overlap(void **state)
{
    struct arena *a = *state;
    uint64_t offset;
    unsigned n = 0;
    uint8_t *p;

    while ((p = arena_alloc(a, 4 * KB, &offset))) {
        assert_int_equal(p[0], 0); /* nobody has been here */
        memset(p, 1, 4 * KB);
        n++;
    }
    assert_int_equal(n, MB / (4 * KB));
}

static void a_freed_extent_is_not_given_out_before_the_commit(void **state)
{
    struct arena *a = *state;
    uint64_t offset;
    uint8_t *p = arena_alloc(a, MB, &offset);

    assert_non_null(p);
    p[77] = 42;
    arena_free(a, offset, MB);
    assert_null(arena_alloc(a, 4 * KB, &offset));
    assert_int_equal(p[77], 42);

    arena_committed(a);
    assert_non_null(arena_alloc(a, MB, &offset));
}

static void buddies_merge_until_the_arena_is_whole_again(void **state)
{
    struct arena *a = *state;
    uint64_t offsets[256];

    for (unsigned i = 0; i < 256; i++)
        assert_non_null(arena_alloc(a, 4 * KB, &offsets[i]));
    /* Every other one first: no two buddies are free, so nothing can merge. */
    for (unsigned i = 0; i < 256; i += 2)
        arena_free(a, offsets[i], 4 * KB);
    arena_committed(a);
    assert_int_equal(a->free_orders, 1);
    for (unsigned i = 1; i < 256; i += 2)
        arena_free(a, offsets[i], 4 * KB);
    arena_committed(a);
    assert_int_equal(a->free_orders, 1u << a->top);
    assert_int_equal(a->used, 0);
    assert_non_null(arena_alloc(a, MB, &offsets[0]));
}

static void a_full_or_too_small_arena_says_no_and_lives_on(void **state)
{
    struct arena *a = *state;
    uint64_t offset = 0;

    assert_null(arena_alloc(a, MB + 1, &offset));
    assert_null(arena_alloc(a, SIZE_MAX, &offset));
    assert_null(arena_alloc(a, 0, &offset));
    assert_non_null(arena_alloc(a, 512 * KB, &offset));
    assert_null(arena_alloc(a, MB, &offset));
    assert_non_null(arena_alloc(a, 512 * KB, &offset));
    assert_null(arena_alloc(a, 1, &offset));
}

static void random_traffic_keeps_every_byte_and_leaks_none(void **state)
{
    struct arena *a = *state;
    struct {
        uint8_t *p;
        size_t bytes;
        uint64_t offset;
        uint8_t mark;
    } held[64] = { { 0 } };
    uint32_t seed = 12345;

    for (unsigned i = 0; i < 20000; i++) {
        unsigned at;

        seed = seed * 1664525 + 1013904223;
        at = seed >> 26;
        if (held[at].p) {
            assert_int_equal(held[at].p[0], held[at].mark);
            assert_int_equal(held[at].p[held[at].bytes - 1], held[at].mark);
            arena_free(a, held[at].offset, held[at].bytes);
            held[at].p = NULL;
        } else {
            held[at].bytes = (4 * KB) << (seed >> 8 & 3);
            held[at].mark = (uint8_t)i;
            held[at].p = arena_alloc(a, held[at].bytes, &held[at].offset);
            if (held[at].p)
                held[at].p[0] = held[at].p[held[at].bytes - 1] = held[at].mark;
        }
        if (i % 7 == 0)
            arena_committed(a);
    }
    for (unsigned at = 0; at < 64; at++)
        if (held[at].p)
            arena_free(a, held[at].offset, held[at].bytes);
    arena_committed(a);
    assert_int_equal(a->used, 0);
    assert_int_equal(a->free_orders, 1u << a->top);
}

static uint64_t resident(const struct arena *a)
{
    struct stat st;

    assert_int_equal(fstat(a->fd, &st), 0);
    return (uint64_t)st.st_blocks * 512;
}

static void much_freed_memory_goes_back_to_the_kernel(void **state)
{
    struct arena *a = *state;
    uint64_t kept_offset, offset;
    uint8_t *kept = arena_alloc(a, 64 * KB, &kept_offset);
    uint8_t *p = arena_alloc(a, 128 * MB, &offset);

    memset(kept, 7, 64 * KB);
    memset(p, 7, 128 * MB);
    assert_true(resident(a) >= 128 * MB);
    arena_free(a, offset, 128 * MB);
    assert_true(resident(a) >= 128 * MB); /* the last commit still names it */
    arena_committed(a);
    assert_true(resident(a) < MB);
    assert_int_equal(kept[64 * KB - 1], 7);
}

static void a_size_that_cannot_be_is_refused(void **state)
{
    struct arena a;

    assert_int_equal(arena_init(&a, -1, NULL, 4095), -22);
    assert_int_equal(arena_init(&a, -1, NULL, 1ULL << 43), -22);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_extent_is_a_power_of_two_at_its_own_alignment,
                                        setup_small, teardown),
        cmocka_unit_test_setup_teardown(extents_do_not_overlap, setup_small, teardown),
        cmocka_unit_test_setup_teardown(a_freed_extent_is_not_given_out_before_the_commit,
                                        setup_small, teardown),
        cmocka_unit_test_setup_teardown(buddies_merge_until_the_arena_is_whole_again, setup_small,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_full_or_too_small_arena_says_no_and_lives_on, setup_small,
                                        teardown),
        cmocka_unit_test_setup_teardown(random_traffic_keeps_every_byte_and_leaks_none, setup_small,
                                        teardown),
        cmocka_unit_test_setup_teardown(much_freed_memory_goes_back_to_the_kernel, setup_large,
                                        teardown),
        cmocka_unit_test(a_size_that_cannot_be_is_refused),
    };

    return cmocka_run_group_tests_name("state/arena", tests, NULL, NULL);
}
