/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An ICMP error quotes the beginning of the packet it is about: our IP header
 * and at least 8 bytes of what follows (RFC 792, RFC 4443 3), which for TCP are
 * the ports and the sequence number. Everything else in it is ignored.
 *
 * Source quench is deprecated (RFC 6633) and counts as no error here.
 */
#include "wire/icmp.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include "wire/checksum.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

#define ICMP_HDR   8u /* type, code, checksum, four bytes by type */
#define TCP_QUOTED 8u /* ports and sequence number */

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

/* RFC 1122 3.2.2.1 and 4.2.3.9; the errnos are those that Linux' sockets report. */
static int unreach4_errno(uint8_t code)
{
    switch (code) {
    case ICMP_NET_UNREACH:
    case ICMP_NET_UNKNOWN:
    case ICMP_NET_ANO:
    case ICMP_NET_UNR_TOS:
        return ENETUNREACH;
    case ICMP_PROT_UNREACH:
        return ENOPROTOOPT;
    case ICMP_PORT_UNREACH:
        return ECONNREFUSED;
    case ICMP_FRAG_NEEDED:
        return EMSGSIZE;
    case ICMP_SR_FAILED:
        return EOPNOTSUPP;
    case ICMP_HOST_UNKNOWN:
        return EHOSTDOWN;
    default:
        return EHOSTUNREACH;
    }
}

static int unreach6_errno(uint8_t code)
{
    switch (code) {
    case ICMP6_DST_UNREACH_NOROUTE:
        return ENETUNREACH;
    case ICMP6_DST_UNREACH_NOPORT:
        return ECONNREFUSED;
    case ICMP6_DST_UNREACH_ADMIN:
    case 5: /* source address failed policy */
    case 6: /* reject route */
        return EACCES;
    default:
        return EHOSTUNREACH;
    }
}

/* Type and code of an ICMPv4 error to errno and friends; false: it is none. */
static bool classify4(const uint8_t *data, struct icmp_error *ret)
{
    uint8_t code = data[1];

    switch (data[0]) {
    case ICMP_DEST_UNREACH:
        ret->error = unreach4_errno(code);
        ret->hard = code == ICMP_PROT_UNREACH || code == ICMP_PORT_UNREACH;
        if (code == ICMP_FRAG_NEEDED)
            ret->mtu = get16(data + 6); /* RFC 1191 4 */
        return code <= NR_ICMP_UNREACH;
    case ICMP_TIME_EXCEEDED:
        ret->error = EHOSTUNREACH;
        return true;
    case ICMP_PARAMETERPROB:
        ret->error = EPROTO;
        return true;
    default:
        return false;
    }
}

static bool classify6(const uint8_t *data, struct icmp_error *ret)
{
    switch (data[0]) {
    case ICMP6_DST_UNREACH:
        ret->error = unreach6_errno(data[1]);
        ret->hard = data[1] == ICMP6_DST_UNREACH_NOPORT;
        return true;
    case ICMP6_PACKET_TOO_BIG:
        ret->error = EMSGSIZE;
        ret->mtu = get32(data + 4);
        return true;
    case ICMP6_TIME_EXCEEDED:
        ret->error = EHOSTUNREACH;
        return true;
    case ICMP6_PARAM_PROB:
        /* "Unrecognized next header" is how IPv6 says "protocol unreachable". */
        ret->error = data[1] == ICMP6_PARAMPROB_NEXTHEADER ? ENOPROTOOPT : EPROTO;
        ret->hard = data[1] == ICMP6_PARAMPROB_NEXTHEADER;
        return true;
    default:
        return false;
    }
}

/* The quoted segment was ours: its source is our side of the flow. */
static void fill_flow(const struct ip_addr *src, const struct ip_addr *dst, const uint8_t *tcp,
                      struct icmp_error *ret)
{
    ret->flow = (struct flow){
        .local = *src,
        .remote = *dst,
        .lport = get16(tcp),
        .rport = get16(tcp + 2),
    };
    ret->seq = seq_of(get32(tcp + 4));
}

int icmp4_parse(const uint8_t *data, size_t len, struct icmp_error *ret)
{
    struct icmp_error err = { 0 };
    struct ip4_header ip;

    if (len < ICMP_HDR + IP4_HDR_MIN + TCP_QUOTED || len > UINT16_MAX)
        return -EBADMSG;
    if (checksum_fold(checksum_partial(0, data, len)) != 0xffff)
        return -EBADMSG;
    err.type = data[0];
    err.code = data[1];
    if (!classify4(data, &err))
        return -EBADMSG;
    if (ip4_parse(data + ICMP_HDR, len - ICMP_HDR, &ip))
        return -EBADMSG;
    if (ip.proto != IPPROTO_TCP || ip.frag_offset || len - ICMP_HDR - ip.hdr_len < TCP_QUOTED)
        return -EBADMSG;

    fill_flow(&ip.src, &ip.dst, data + ICMP_HDR + ip.hdr_len, &err);
    *ret = err;
    return 0;
}

int icmp6_parse(const uint8_t *data, size_t len, struct icmp_error *ret)
{
    struct icmp_error err = { .ipv6 = true };
    struct ip6_header ip;
    const uint8_t *quote;
    size_t offset, quoted;
    uint8_t proto;

    if (len < ICMP_HDR + IP6_HDR_LEN + TCP_QUOTED)
        return -EBADMSG;
    err.type = data[0];
    err.code = data[1];
    if (!classify6(data, &err))
        return -EBADMSG;
    quote = data + ICMP_HDR;
    quoted = len - ICMP_HDR;
    if (ip6_parse(quote, quoted, &ip) || ip6_find_upper(quote, quoted, &proto, &offset))
        return -EBADMSG;
    if (proto != IPPROTO_TCP || quoted - offset < TCP_QUOTED)
        return -EBADMSG;
    /* A mapped address in an IPv6 header would pass for a flow of IPv4. */
    if (ip_addr_is_v4(&ip.src) || ip_addr_is_v4(&ip.dst))
        return -EBADMSG;

    fill_flow(&ip.src, &ip.dst, quote + offset, &err);
    *ret = err;
    return 0;
}
