/* SPDX-License-Identifier: BSD-2-Clause */
/* Segments of a script: printed, compared with what was sent, and injected. */
#include "script.h"

#include <stdio.h>

uint8_t script_pattern(bool ours, int64_t pos)
{
    uint64_t p = (uint64_t)pos;

    return (uint8_t)(p * 7 + (p >> 8) * 13 + (p >> 16) * 31 + (ours ? 0 : 0x55));
}

/* ---- as text ------------------------------------------------------------------- */

struct text {
    char *buf;
    size_t size, used;
};

static void __attribute__((format(printf, 2, 3))) put(struct text *t, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(t->buf + t->used, t->size - t->used, fmt, ap);
    va_end(ap);
    if (n > 0)
        t->used = MIN(t->used + (size_t)n, t->size - 1);
}

static void put_flags(struct text *t, unsigned flags)
{
    static const char letters[] = "FSRPAUEC";

    for (int i = 0; i < 8; i++)
        if (flags >> i & 1)
            put(t, "%c", letters[i]);
    if (!(flags & 0xff))
        put(t, "-");
}

static void put_field(struct text *t, const char *name, int64_t v)
{
    if (v == NONE)
        put(t, " no-%s", name);
    else if (v != ANY)
        put(t, " %s %lld", name, (long long)v);
}

void script_format_sent(const struct sent *p, char *buf, size_t size)
{
    struct text t = { buf, size, 0 };
    const struct tcp_options *o = &p->seg.opt;

    put(&t, "> ");
    put_flags(&t, p->seg.flags);
    put(&t, " seq %lld len %u ack %lld wnd %u", (long long)p->seq, p->seg.len, (long long)p->ack,
        p->wnd_bytes);
    if (p->tos)
        put(&t, " tos %u", p->tos);
    if (p->seg.flags & TCP_URG)
        put(&t, " up %u", p->seg.up);
    if (o->has_mss)
        put(&t, " mss %u", o->mss);
    if (o->has_wscale)
        put(&t, " wscale %u", o->wscale);
    if (o->has_sack_ok)
        put(&t, " sack_ok");
    if (o->has_ts)
        put(&t, " ts %u %u", o->tsval, o->tsecr);
    for (int i = 0; i < o->sacks; i++)
        put(&t, " sack %d-%d", (int32_t)(o->sack[i].start.v - p->peer->iss),
            (int32_t)(o->sack[i].end.v - p->peer->iss));
    if (p->super)
        put(&t, " gso %u", p->gso_size);
    if (p->peer->rport != SCRIPT_RPORT)
        put(&t, " port %u", p->peer->rport);
}

void script_format_spec(const struct seg_spec *spec, char *buf, size_t size)
{
    struct text t = { buf, size, 0 };

    put_flags(&t, spec->flags);
    put_field(&t, "seq", spec->seq);
    put_field(&t, "len", spec->len);
    put_field(&t, "ack", spec->ack);
    put_field(&t, "wnd", spec->wnd);
    put_field(&t, "up", spec->up);
    put_field(&t, "mss", spec->mss);
    put_field(&t, "wscale", spec->wscale);
    put_field(&t, "sack_ok", spec->sack_ok);
    put_field(&t, "tsval", spec->tsval);
    put_field(&t, "tsecr", spec->tsecr);
    put_field(&t, "tos", spec->tos);
    if (spec->has_sack < 0)
        put(&t, " no-sack");
    for (int i = 0; spec->has_sack > 0 && i < 8 && (spec->sack[i] || spec->sack[i + 1]); i += 2)
        put(&t, " sack %lld-%lld", (long long)spec->sack[i], (long long)spec->sack[i + 1]);
}

/* ---- expected -------------------------------------------------------------------- */

static bool same(int64_t want, int64_t got)
{
    return want == ANY || want == got;
}

static bool same_option(int64_t want, bool there, int64_t got)
{
    return want == ANY || (want == NONE ? !there : there && want == got);
}

static int sack_count(const struct seg_spec *spec)
{
    int n = 0;

    while (n < TCP_MAX_SACKS && (spec->sack[2 * n] || spec->sack[2 * n + 1]))
        n++;
    return n;
}

static bool same_sacks(const struct seg_spec *spec, const struct sent *p)
{
    const struct tcp_options *o = &p->seg.opt;
    int want = spec->has_sack > 0 ? sack_count(spec) : 0;

    if (!spec->has_sack)
        return true;
    if (o->sacks != want)
        return false;
    for (int i = 0; i < want; i++)
        if (spec->sack[2 * i] != (int32_t)(o->sack[i].start.v - p->peer->iss) ||
            spec->sack[2 * i + 1] != (int32_t)(o->sack[i].end.v - p->peer->iss))
            return false;
    return true;
}

static bool same_flags(unsigned want, unsigned got)
{
    if (!(want & (PSH | NO_PSH)))
        got &= ~(unsigned)PSH;
    return (want & 0xff) == got;
}

static bool matches(const struct seg_spec *spec, const struct sent *p)
{
    const struct tcp_options *o = &p->seg.opt;

    return same_flags(spec->flags, p->seg.flags) && same(spec->seq, p->seq) &&
           same(spec->ack, p->ack) && same(spec->len, p->seg.len) &&
           same(spec->wnd, p->wnd_bytes) && same(spec->up, p->seg.up) &&
           same_option(spec->mss, o->has_mss, o->mss) &&
           same_option(spec->wscale, o->has_wscale, o->wscale) &&
           same_option(spec->sack_ok, o->has_sack_ok, 1) &&
           same_option(spec->tsval, o->has_ts, o->tsval) &&
           same_option(spec->tsecr, o->has_ts, o->tsecr) && same(spec->ttl, p->ttl) &&
           same(spec->tos, p->tos) && same_sacks(spec, p);
}

void script_expect(struct script *s, const struct seg_spec *spec)
{
    char want[200], got[200];
    struct sent *p;

    script_format_spec(spec, want, sizeof(want));
    if (s->taken == s->queued) {
        script_fail(s, "expected: %s\n     got: nothing", want);
        return;
    }
    p = &s->queue[s->taken++];
    script_format_sent(p, got, sizeof(got));
    if (p->peer != s->p)
        script_fail(s, "expected: %s\n     got: to another peer: %s", want, got);
    if (!matches(spec, p))
        script_fail(s, "expected: %s\n     got: %s", want, got + 2);
    if (!p->good_payload && !spec->garbage)
        script_fail(s, "wrong bytes in: %s", got);
    if (s->taken == s->queued)
        s->taken = s->queued = 0;
}

struct sent next_sent(struct script *s)
{
    struct sent p = { 0 };

    if (s->taken == s->queued)
        script_fail(s, "nothing was sent");
    else
        p = s->queue[s->taken++];
    if (s->taken == s->queued)
        s->taken = s->queued = 0;
    return p;
}

bool is_pure_ack(const struct sent *p)
{
    return p->seg.flags == TCP_ACK && p->seg.len == 0;
}

void skip_acks(struct script *s)
{
    while (packets_waiting(s) && is_pure_ack(&s->queue[s->taken]))
        (void)next_sent(s);
}

void script_expect_nothing(struct script *s)
{
    char got[200];

    if (s->taken == s->queued)
        return;
    script_format_sent(&s->queue[s->taken], got, sizeof(got));
    script_fail(s, "expected: nothing\n     got: %s", got + 2);
}

unsigned packets_waiting(const struct script *s)
{
    return s->queued - s->taken;
}

unsigned forget_output(struct script *s)
{
    unsigned n = packets_waiting(s);

    s->taken = s->queued = 0;
    return n;
}

/* ---- injected ----------------------------------------------------------------------- */

static int64_t or_else(int64_t v, int64_t otherwise)
{
    return v == ANY ? otherwise : v;
}

static void fill_syn_options(const struct peer *p, const struct seg_spec *spec,
                             struct tcp_options *o)
{
    int64_t mss = or_else(spec->mss, p->offer.mss);
    int64_t wscale = or_else(spec->wscale, p->offer.wscale);

    o->has_mss = mss != NONE;
    o->mss = o->has_mss ? (uint16_t)mss : 0;
    o->has_wscale = wscale != NONE;
    o->wscale = o->has_wscale ? (uint8_t)wscale : 0;
    o->has_sack_ok = or_else(spec->sack_ok, p->offer.sack) == 1;
}

static void fill_timestamps(const struct script *s, const struct seg_spec *spec,
                            struct tcp_options *o)
{
    const struct peer *p = s->p;
    bool usual = p->offer.ts && (p->our_ts || ((spec->flags & SYN) && !(spec->flags & ACK)));

    if (spec->tsval == NONE || (spec->tsval == ANY && !usual))
        return;
    o->has_ts = true;
    o->tsval = (uint32_t)or_else(spec->tsval, (int64_t)(p->ts_offset + usec_to_msec(s->now)));
    o->tsecr = (uint32_t)or_else(spec->tsecr, spec->flags & ACK ? p->ts_last : 0);
}

static void fill_window(const struct peer *p, const struct seg_spec *spec, struct segment *seg)
{
    int64_t bytes = or_else(spec->wnd, p->wnd_bytes);
    int shift = spec->flags & SYN ? 0 : script_shift_peer(p);

    seg->wnd = (uint16_t)MIN(bytes >> shift, (int64_t)65535);
}

static void fill(const struct script *s, const struct seg_spec *spec, struct segment *seg)
{
    const struct peer *p = s->p;
    int64_t seq = or_else(spec->seq, spec->flags & SYN ? 0 : p->snd_nxt);
    int64_t ack = or_else(spec->ack, p->rcv_nxt);

    *seg = (struct segment){ .sport = p->rport,
                             .dport = (uint16_t)or_else(spec->lport, SCRIPT_LPORT),
                             .seq = seq_of(p->iss + (uint32_t)seq),
                             .flags = (uint8_t)spec->flags,
                             .up = (uint16_t)or_else(spec->up, 0),
                             .len = (uint32_t)or_else(spec->len, 0) };
    if (spec->flags & ACK)
        seg->ack = seq_of(p->iss_ours + (uint32_t)ack);
    fill_window(p, spec, seg);
    if (spec->flags & SYN)
        fill_syn_options(p, spec, &seg->opt);
    fill_timestamps(s, spec, &seg->opt);
    for (int i = 0; spec->has_sack > 0 && i < sack_count(spec); i++)
        seg->opt.sack[seg->opt.sacks++] =
            (struct seq_range){ seq_of(p->iss_ours + (uint32_t)spec->sack[2 * i]),
                                seq_of(p->iss_ours + (uint32_t)spec->sack[2 * i + 1]) };
}

void script_checksum(struct script *s, uint8_t *seg, size_t len)
{
    struct flow f = script_flow(s, s->p);
    struct packet pkt = { .src = f.remote, .dst = f.local, .hdr_len = TCP_HDR_MIN, .iov_count = 1,
                          .iov = { { seg + TCP_HDR_MIN, len - TCP_HDR_MIN } },
                          .payload_len = (uint32_t)(len - TCP_HDR_MIN) };

    memcpy(pkt.hdr, seg, TCP_HDR_MIN);
    tcp_header_set_checksum(&pkt);
    memcpy(seg, pkt.hdr, TCP_HDR_MIN);
}

size_t script_build(struct script *s, const struct seg_spec *spec, uint8_t *buf, size_t size)
{
    struct segment seg;
    uint8_t hdr[TCP_HDR_MAX];
    uint8_t hdr_len;
    int64_t first;

    fill(s, spec, &seg);
    hdr_len = tcp_header_build(&seg, hdr);
    if (hdr_len + seg.len > size)
        script_fail(s, "the test's segment is too long");
    memcpy(buf, hdr, hdr_len);
    first = (int32_t)(seg.seq.v - s->p->iss) + !!(spec->flags & SYN) - 1;
    for (uint32_t i = 0; i < seg.len; i++)
        buf[hdr_len + i] = spec->garbage ? 0xee : script_pattern(false, first + i);
    script_checksum(s, buf, hdr_len + seg.len);
    if (spec->bad_csum)
        buf[16] ^= 0x40;
    return hdr_len + seg.len;
}

void script_receive(struct script *s, const uint8_t *seg, size_t len, enum packet_csum csum)
{
    struct flow f = script_flow(s, s->p);
    struct packet pkt = { .src = f.remote, .dst = f.local, .ifindex = 2, .ttl = 64,
                          .tos = s->inject_tos, .csum = (uint8_t)csum, .seg_len = len };
    uint8_t *exact = malloc(len ? len : 1); /* so that a read beyond the end is seen */

    if (!exact)
        abort();
    memcpy(exact, seg, len);
    pkt.seg = exact;
    tcp_engine_receive(s->e, &pkt, s->now);
    free(exact);
    settle(s);
}

static void note_injected(struct script *s, const struct seg_spec *spec, size_t len)
{
    char text[160];

    script_format_spec(spec, text, sizeof(text));
    script_note(s, "< %s (%zu bytes)", text, len);
}

void script_inject(struct script *s, const struct seg_spec *spec)
{
    static uint8_t buf[70000];
    struct peer *p = s->p;
    size_t len = script_build(s, spec, buf, sizeof(buf));
    int64_t seq = or_else(spec->seq, spec->flags & SYN ? 0 : p->snd_nxt);
    int64_t space = or_else(spec->len, 0) + !!(spec->flags & SYN) + !!(spec->flags & FIN);

    if (spec->flags & SYN) {
        p->offer.wscale = or_else(spec->wscale, p->offer.wscale);
        p->offer.ts = spec->tsval == NONE ? false : p->offer.ts || spec->tsval != ANY;
    }
    if (space && !(spec->flags & RST) && !spec->garbage &&
        seq <= (spec->flags & SYN ? p->snd_nxt : p->right_edge))
        p->snd_nxt = MAX(p->snd_nxt, seq + space);
    note_injected(s, spec, len);
    s->inject_tos = (uint8_t)or_else(spec->tos, 0);
    script_receive(s, buf, len, PACKET_CSUM_VERIFY);
    s->inject_tos = 0;
}

void peer_sends(struct script *s, int64_t n)
{
    script_inject(s, SEG(ACK | PSH, .len = n));
}

void peer_acks(struct script *s, int64_t ack)
{
    script_inject(s, SEG(ACK, .ack = ack));
}

void icmp_says(struct script *s, int64_t seq, uint8_t type, uint8_t code, uint32_t mtu, int error,
               bool hard)
{
    struct icmp_error err = { .flow = script_flow(s, s->p), .ipv6 = s->v6, .type = type,
                              .code = code, .mtu = mtu, .error = error, .hard = hard };

    err.seq = seq_of(s->p->iss_ours + (uint32_t)seq);
    script_note(s, "< ICMP %u/%u about seq %lld, mtu %u", type, code, (long long)seq, mtu);
    tcp_engine_icmp(s->e, &err, s->now);
    settle(s);
}
