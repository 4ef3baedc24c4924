/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RFC 1071 2(B): the sum does not depend on the byte order as long as it is
 * stored in the order in which it was loaded. So nothing is swapped here, except
 * for a piece that starts at an odd offset (2(A) and 2(C)).
 */
#include "wire/checksum.h"

#include <arpa/inet.h>
#include <string.h>

static inline uint64_t add64(uint64_t sum, uint64_t word)
{
    sum += word;
    return sum + (sum < word);
}

static uint32_t fold64(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    return (uint32_t)((sum & 0xffffffff) + (sum >> 32));
}

uint32_t checksum_partial(uint32_t sum, const void *data, size_t len)
{
    const uint8_t *p = data;
    uint64_t lanes[4] = { sum, 0, 0, 0 };
    uint64_t total, word;

    for (; len >= 32; len -= 32, p += 32) {
        for (int i = 0; i < 4; i++) {
            memcpy(&word, p + 8 * i, 8);
            lanes[i] = add64(lanes[i], word);
        }
    }
    total = add64(add64(lanes[0], lanes[1]), add64(lanes[2], lanes[3]));
    for (; len >= 8; len -= 8, p += 8) {
        memcpy(&word, p, 8);
        total = add64(total, word);
    }
    if (len) {
        word = 0;
        memcpy(&word, p, len);
        total = add64(total, word);
    }
    return fold64(total);
}

uint32_t checksum_iov(uint32_t sum, const struct iovec *iov, int count)
{
    uint64_t total = sum;
    int odd = 0;

    for (int i = 0; i < count; i++) {
        uint16_t part = checksum_fold(checksum_partial(0, iov[i].iov_base, iov[i].iov_len));

        total += odd ? (uint16_t)(part << 8 | part >> 8) : part;
        odd ^= (int)(iov[i].iov_len & 1);
    }
    return fold64(total);
}

uint32_t checksum_pseudo(const struct ip_addr *src, const struct ip_addr *dst, uint8_t proto,
                         uint32_t len)
{
    uint32_t tail[2] = { htonl(len), htonl(proto) };
    uint32_t sum = checksum_partial(0, tail, sizeof(tail));

    if (ip_addr_is_v4(src)) {
        sum = checksum_partial(sum, src->b + 12, 4);
        return checksum_partial(sum, dst->b + 12, 4);
    }
    sum = checksum_partial(sum, src->b, sizeof(src->b));
    return checksum_partial(sum, dst->b, sizeof(dst->b));
}

uint16_t checksum_fold(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)((sum & 0xffff) + (sum >> 16));
}
