/* SPDX-License-Identifier: BSD-2-Clause */
/* SipHash-2-4: the keyed hash behind demux, ISNs, timestamp offsets, ports and cookies. */
#ifndef TCPD_BASE_SIPHASH_H
#define TCPD_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
    uint64_t k[2];
};

/**
 * siphash() - keyed hash of @len bytes at @data
 *
 * Unpredictable without @key; equal inputs give equal outputs on every machine.
 */
uint64_t siphash(const struct siphash_key *key, const void *data, size_t len);

/**
 * siphash_expand() - derive key number @index from a 32-byte seed
 *
 * One seed comes in when a room is made; each use gets a key of its own, so that
 * what one hash shows tells nothing about another.
 */
struct siphash_key siphash_expand(const uint8_t seed[32], uint64_t index);

#endif
