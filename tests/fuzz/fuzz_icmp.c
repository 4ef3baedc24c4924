/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as an ICMP or ICMPv6 message; the checksum is made right so that it goes deeper. */
#include "fuzz.h"

#include "wire/checksum.h"
#include "wire/icmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct icmp_error err = { 0 };
    uint8_t *copy;
    uint16_t sum;

    (void)icmp6_parse(data, size, &err);
    (void)icmp4_parse(data, size, &err);
    if (size < 4)
        return 0;
    copy = malloc(size);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    memset(copy + 2, 0, 2);
    sum = (uint16_t)~checksum_fold(checksum_partial(0, copy, size));
    memcpy(copy + 2, &sum, 2);
    if (icmp4_parse(copy, size, &err) == 0) {
        MUST(!err.ipv6 && ip_addr_is_v4(&err.flow.local) && ip_addr_is_v4(&err.flow.remote));
        MUST(err.error >= 0);
    }
    free(copy);
    return 0;
}
