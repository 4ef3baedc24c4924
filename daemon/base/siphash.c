/* SPDX-License-Identifier: BSD-2-Clause */
/* Aumasson and Bernstein, "SipHash: a fast short-input PRF"; c = 2, d = 4. */
#include "base/siphash.h"

#include <endian.h>
#include <string.h>

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v2 = rotl(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t m)
{
    s->v3 ^= m;
    sip_round(s);
    sip_round(s);
    s->v0 ^= m;
}

uint64_t siphash(const struct siphash_key *key, const void *data, size_t len)
{
    struct sip s = {
        key->k[0] ^ 0x736f6d6570736575ULL,
        key->k[1] ^ 0x646f72616e646f6dULL,
        key->k[0] ^ 0x6c7967656e657261ULL,
        key->k[1] ^ 0x7465646279746573ULL,
    };
    const uint8_t *p = data;
    uint64_t last = (uint64_t)len << 56, word;

    for (size_t left = len; left >= 8; left -= 8, p += 8) {
        memcpy(&word, p, 8);
        sip_word(&s, le64toh(word));
    }
    for (size_t i = 0; i < len % 8; i++)
        last |= (uint64_t)p[i] << (8 * i);
    sip_word(&s, last);

    s.v2 ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

struct siphash_key siphash_expand(const uint8_t seed[32], uint64_t index)
{
    struct siphash_key seed_key[2], key;

    memcpy(seed_key, seed, sizeof(seed_key));
    for (size_t i = 0; i < 2; i++) {
        uint64_t in[2] = { htole64(index), htole64(i) };

        key.k[i] = siphash(&seed_key[0], in, sizeof(in)) ^ siphash(&seed_key[1], in, sizeof(in));
    }
    return key;
}
