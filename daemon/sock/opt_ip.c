/* SPDX-License-Identifier: BSD-2-Clause */
/* The rows of IPPROTO_IP and IPPROTO_IPV6 that need code. -1 asks for the default. */
#include <errno.h>

#include "sock/opt.h"

#define ECN_BITS 3 /* RFC 3168 5: the low two of the traffic class are TCP's own */

static int set_hops(uint32_t *field, int64_t hops, uint32_t by_default)
{
    if (hops == 0)
        return -EINVAL;
    *field = hops < 0 ? by_default : (uint32_t)hops;
    return 0;
}

static int set_ttl(struct opt_call *call, int64_t hops)
{
    return set_hops(&call->config->ttl, hops, call->s->table->tun->ipv4_ttl);
}

static int get_ttl(struct opt_call *call, int64_t *ret)
{
    *ret = call->config->ttl;
    return 0;
}

static int set_unicast_hops(struct opt_call *call, int64_t hops)
{
    return set_hops(&call->config->hop_limit, hops, call->s->table->tun->ipv6_hoplimit);
}

static int get_unicast_hops(struct opt_call *call, int64_t *ret)
{
    *ret = call->config->hop_limit;
    return 0;
}

static int set_tos(struct opt_call *call, int64_t tos)
{
    call->config->tos = tos < 0 ? 0 : (uint32_t)tos & ~(uint32_t)ECN_BITS;
    return 0;
}

static int get_tos(struct opt_call *call, int64_t *ret)
{
    *ret = call->config->tos;
    return 0;
}

const struct opt_code opt_code_ttl = { .set = set_ttl, .get = get_ttl };
const struct opt_code opt_code_unicast_hops = { .set = set_unicast_hops, .get = get_unicast_hops };
const struct opt_code opt_code_tos = { .set = set_tos, .get = get_tos };
const struct opt_code opt_code_tclass = { .set = set_tos, .get = get_tos };
