/* SPDX-License-Identifier: BSD-2-Clause */
/* A fuzz target is one function; libFuzzer calls it, or replay.c does with files. */
#ifndef TCPD_TESTS_FUZZ_H
#define TCPD_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Unlike assert() never compiled away. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

/* The input, taken from its front; zeros when it is used up. */
struct bytes {
    const uint8_t *p;
    size_t left;
};

static inline uint8_t take8(struct bytes *in)
{
    if (!in->left)
        return 0;
    in->left--;
    return *in->p++;
}

static inline uint16_t take16(struct bytes *in)
{
    uint16_t hi = take8(in);

    return (uint16_t)(hi << 8 | take8(in));
}

static inline const uint8_t *take(struct bytes *in, size_t want, size_t *ret_len)
{
    const uint8_t *p = in->p;

    *ret_len = want < in->left ? want : in->left;
    in->p += *ret_len;
    in->left -= *ret_len;
    return p;
}

#endif
