/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timestamps and SACK blocks are preceded by two NOPs, so that their 32-bit
 * words are aligned (RFC 7323 Appendix A, RFC 2018 4).
 */
#include "wire/tcp_options.h"

#include <string.h>

enum {
    OPT_END = 0,
    OPT_NOP = 1,
    OPT_MSS = 2,
    OPT_WSCALE = 3,
    OPT_SACK_OK = 4,
    OPT_SACK = 5,
    OPT_TS = 8,
};

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
    return p + 4;
}

static void parse_sacks(const uint8_t *p, size_t len, struct tcp_options *ret)
{
    if (len % 8)
        return;
    for (size_t at = 0; at < len && ret->sacks < TCP_MAX_SACKS; at += 8)
        ret->sack[ret->sacks++] =
            (struct seq_range){ seq_of(get32(p + at)), seq_of(get32(p + at + 4)) };
}

/* One option with @len bytes of value. A wrong length of a known kind: as if it were not there. */
static void parse_one(uint8_t kind, const uint8_t *p, size_t len, bool syn, struct tcp_options *ret)
{
    if (kind == OPT_TS && len == 8) {
        ret->has_ts = true;
        ret->tsval = get32(p);
        ret->tsecr = get32(p + 4);
    } else if (kind == OPT_SACK && !syn) {
        parse_sacks(p, len, ret);
    } else if (kind == OPT_MSS && syn && len == 2) {
        ret->has_mss = true;
        ret->mss = (uint16_t)(p[0] << 8 | p[1]);
    } else if (kind == OPT_WSCALE && syn && len == 1) {
        ret->has_wscale = true;
        ret->wscale = p[0] > TCP_MAX_WSCALE ? TCP_MAX_WSCALE : p[0];
    } else if (kind == OPT_SACK_OK && syn && len == 0) {
        ret->has_sack_ok = true;
    }
}

bool tcp_options_parse(const uint8_t *p, size_t len, bool syn, struct tcp_options *ret)
{
    const uint8_t *end = p + len;

    memset(ret, 0, sizeof(*ret));
    while (p < end && *p != OPT_END) {
        size_t size;

        if (*p == OPT_NOP) {
            p++;
            continue;
        }
        if (end - p < 2)
            return false;
        size = p[1];
        if (size < 2 || size > (size_t)(end - p))
            return false;
        parse_one(p[0], p + 2, size - 2, syn, ret);
        p += size;
    }
    return true;
}

static uint8_t len_without_sacks(const struct tcp_options *opt)
{
    unsigned len = 0;

    if (opt->has_mss)
        len += 4;
    if (opt->has_ts)
        len += 12;
    else if (opt->has_sack_ok)
        len += 4;
    if (opt->has_wscale)
        len += 4;
    return (uint8_t)len;
}

uint8_t tcp_options_max_sacks(const struct tcp_options *opt)
{
    unsigned left = TCP_OPTIONS_MAX - len_without_sacks(opt);
    unsigned fit = left >= 12 ? (left - 4) / 8 : 0;

    return (uint8_t)(fit > TCP_MAX_SACKS ? TCP_MAX_SACKS : fit);
}

static uint8_t sacks_that_fit(const struct tcp_options *opt)
{
    uint8_t fit = tcp_options_max_sacks(opt);

    return opt->sacks < fit ? opt->sacks : fit;
}

uint8_t tcp_options_len(const struct tcp_options *opt)
{
    uint8_t sacks = sacks_that_fit(opt);

    return (uint8_t)(len_without_sacks(opt) + (sacks ? 4 + 8 * sacks : 0));
}

static uint8_t *put_sacks(uint8_t *p, const uint8_t *end, const struct tcp_options *opt)
{
    uint8_t sacks = sacks_that_fit(opt);

    if (!sacks || end - p < 4)
        return p;
    *p++ = OPT_NOP;
    *p++ = OPT_NOP;
    *p++ = OPT_SACK;
    *p++ = (uint8_t)(2 + 8 * sacks);
    for (uint8_t i = 0; i < sacks && end - p >= 8; i++) {
        p = put32(p, opt->sack[i].start.v);
        p = put32(p, opt->sack[i].end.v);
    }
    return p;
}

/* Order on the wire: MSS; SACK-permitted in the two bytes before timestamps; scale; SACK. */
uint8_t tcp_options_build(const struct tcp_options *opt, uint8_t buf[TCP_OPTIONS_MAX])
{
    uint8_t *p = buf;

    if (opt->has_mss)
        p = put32(p, (uint32_t)OPT_MSS << 24 | 4u << 16 | opt->mss);
    if (opt->has_ts || opt->has_sack_ok) {
        *p++ = opt->has_sack_ok && opt->has_ts ? OPT_SACK_OK : OPT_NOP;
        *p++ = opt->has_sack_ok && opt->has_ts ? 2 : OPT_NOP;
        *p++ = opt->has_ts ? OPT_TS : OPT_SACK_OK;
        *p++ = opt->has_ts ? 10 : 2;
    }
    if (opt->has_ts) {
        p = put32(p, opt->tsval);
        p = put32(p, opt->tsecr);
    }
    if (opt->has_wscale)
        p = put32(p, (uint32_t)OPT_NOP << 24 | (uint32_t)OPT_WSCALE << 16 | 3u << 8 | opt->wscale);
    p = put_sacks(p, buf + TCP_OPTIONS_MAX, opt);
    return (uint8_t)(p - buf);
}
