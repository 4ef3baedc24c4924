/* SPDX-License-Identifier: BSD-2-Clause */
/* SipHash-2-4 against the vector of its paper, and the keys derived from a seed. */
#include "cm.h"

#include "base/siphash.h"

static const struct siphash_key paper_key = { { 0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL } };

/* Appendix A of the paper: key 00..0f, message 00..0e. */
static void the_vector_of_the_paper(void **state)
{
    uint8_t in[15];

    for (uint8_t i = 0; i < sizeof(in); i++)
        in[i] = i;
    assert_true(siphash(&paper_key, in, sizeof(in)) == 0xa129ca6149be45e5ULL);
}

/* The authors' table for the same key: messages of 0, 1, 7, 8 bytes. */
static void messages_of_other_lengths(void **state)
{
    uint8_t in[8];

    for (uint8_t i = 0; i < sizeof(in); i++)
        in[i] = i;
    assert_true(siphash(&paper_key, in, 0) == 0x726fdb47dd0e0e31ULL);
    assert_true(siphash(&paper_key, in, 1) == 0x74f839c593dc67fdULL);
    assert_true(siphash(&paper_key, in, 7) == 0xab0200f58b01d137ULL);
    assert_true(siphash(&paper_key, in, 8) == 0x93f5f5799a932462ULL);
}

static void alignment_does_not_matter(void **state)
{
    uint8_t buf[64 + 8];

    for (size_t shift = 0; shift < 8; shift++) {
        for (uint8_t i = 0; i < 15; i++)
            buf[shift + i] = i;
        assert_true(siphash(&paper_key, buf + shift, 15) == 0xa129ca6149be45e5ULL);
    }
}

static void derived_keys_differ_by_index_and_by_seed(void **state)
{
    uint8_t seed[32] = { 1 }, other[32] = { 1, [31] = 1 };
    struct siphash_key first = siphash_expand(seed, 0);

    for (uint64_t i = 1; i < 100; i++) {
        struct siphash_key k = siphash_expand(seed, i);

        assert_memory_not_equal(&k, &first, sizeof(k));
        assert_true(k.k[0] != k.k[1]);
    }
    first = siphash_expand(seed, 5);
    assert_memory_equal(&first, &(struct siphash_key[]){ siphash_expand(seed, 5) }[0],
                        sizeof(first));
    assert_memory_not_equal(&first, &(struct siphash_key[]){ siphash_expand(other, 5) }[0],
                            sizeof(first));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vector_of_the_paper),
        cmocka_unit_test(messages_of_other_lengths),
        cmocka_unit_test(alignment_does_not_matter),
        cmocka_unit_test(derived_keys_differ_by_index_and_by_seed),
    };

    return cmocka_run_group_tests_name("base/siphash", tests, NULL, NULL);
}
