/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Initial sequence numbers: RFC 6528 by default (_strong_iss 2), illumos' weaker
 * methods 0 and 1 on demand. And the starting points of the timestamp clocks.
 */
#include <string.h>

#include "engine/impl.h"

/* The administrator's phrase changes the key (RFC 6528 3: the secret may be changed). */
static struct siphash_key isn_key(const struct tcp_engine *e)
{
    struct siphash_key key = e->key_isn;
    size_t len = strnlen(e->tun->iss_phrase, sizeof(e->tun->iss_phrase));

    if (len)
        key.k[0] ^= siphash(&e->key_isn, e->tun->iss_phrase, len);
    return key;
}

struct seq isn_choose(struct tcp_engine *e, const struct flow *flow, usec_t now)
{
    uint32_t base = e->isn_count++ * (e->tun->iss_incr / 2);
    struct siphash_key key;

    switch (e->tun->strong_iss) {
    case 0:
        return seq_of(base + (uint32_t)(now / USEC_PER_SEC) * e->tun->iss_incr);
    case 1:
        return seq_of(base + (uint32_t)(now >> 2) + 1 + ((uint32_t)engine_random(e) & 0x1ffff));
    default:
        /* ISN = M + F(localip, localport, remoteip, remoteport, secretkey); M ticks each 4 usec */
        key = isn_key(e);
        return seq_of(base + (uint32_t)(now >> 2) + (uint32_t)siphash(&key, flow, sizeof(*flow)));
    }
}

/* The same for every incarnation of a 4-tuple, so that PAWS and RFC 6191 work across them. */
uint32_t isn_ts_offset(const struct tcp_engine *e, const struct flow *flow)
{
    return (uint32_t)siphash(&e->key_ts, flow, sizeof(*flow));
}
