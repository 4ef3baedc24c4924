/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An engine with a listener and connections, driven by the input: segments near
 * what a peer would send, noise, ICMP errors, time, calls of the program, refusals
 * of the device, lack of memory. It must survive everything, end every connection
 * and give back all memory.
 */
#include "fuzz.h"

#include <errno.h>

#include "base/cleanup.h"
#include "engine/engine.h"
#include "proto/tunables.h"
#include "wire/icmp.h"
#include "wire/tcp_header.h"

#define HELD_MAX 8
#define OPS_MAX  600
#define PUMP_MAX 20000

struct held {
    struct tcp_conn *conn;
    uint64_t id;
    bool closed;
};

struct fuzz {
    struct bytes in;
    struct tunables tun;
    struct tcp_engine *e;
    struct tcp_listener *listener;
    struct tcp_config config;
    struct path path;
    struct ip_addr us, peer;
    usec_t now;
    struct held held[HELD_MAX];
    long memory;
    bool no_memory;
    bool refuse;
};

static void *fuzz_alloc(void *ctx, size_t bytes, uint64_t *ret_offset)
{
    struct fuzz *f = ctx;
    void *p = f->no_memory ? NULL : malloc(bytes);

    *ret_offset = 0;
    f->memory += p != NULL;
    return p;
}

static void fuzz_free(void *ctx, void *data, size_t bytes, uint64_t offset)
{
    struct fuzz *f = ctx;

    f->memory--;
    free(data);
}

/* ---- the wake-up ------------------------------------------------------------------- */

static struct held *slot_of(struct fuzz *f, uint64_t id)
{
    for (int i = 0; i < HELD_MAX; i++)
        if (f->held[i].conn && f->held[i].id == id)
            return &f->held[i];
    return NULL;
}

static void hold(struct fuzz *f, struct tcp_conn *conn)
{
    for (int i = 0; i < HELD_MAX; i++)
        if (!f->held[i].conn) {
            f->held[i] = (struct held){ conn, tcp_conn_id(conn), false };
            return;
        }
    tcp_conn_abort(conn, f->now);
}

static void on_event(struct fuzz *f, const struct tcp_event *ev)
{
    struct held *h;

    if (ev->what & TCP_EV_PATH)
        tcp_conn_set_path(ev->conn, &f->path, f->now);
    if (ev->what & TCP_EV_ACCEPT) {
        tcp_listener_taken(ev->listener, ev->conn, ev->conn_id);
        hold(f, ev->conn);
    }
    h = slot_of(f, ev->conn_id);
    if (h && (ev->what & TCP_EV_CLOSED) && !h->closed) {
        h->closed = true;
        tcp_conn_close(ev->conn, f->now);
    }
    if (h && (ev->what & TCP_EV_GONE))
        h->conn = NULL;
}

static void check(struct fuzz *f)
{
    struct tcp_conn_info i;

    for (struct tcp_conn *c = tcp_engine_first(f->e); c; c = tcp_engine_next(f->e, c)) {
        tcp_conn_info(c, &i);
        MUST(i.state < TCP_STATE_COUNT);
        MUST((int32_t)(i.snd_nxt - i.snd_una) >= 0);
        MUST(i.mss > 0);
        MUST(i.snd_wscale <= TCP_MAX_WSCALE && i.rcv_wscale <= TCP_MAX_WSCALE);
    }
}

static void pump(struct fuzz *f)
{
    struct tcp_event ev;
    struct packet pkt;
    int rounds = 0;

    for (int twice = 0; twice < 2; twice++) {
        while (tcp_engine_next_event(f->e, &ev)) {
            MUST(rounds++ < PUMP_MAX);
            on_event(f, &ev);
        }
        while (tcp_engine_next_dirty(f->e))
            MUST(rounds++ < PUMP_MAX);
        tcp_engine_committed(f->e);
        while (tcp_engine_next_packet(f->e, f->now, &pkt)) {
            MUST(rounds++ < PUMP_MAX);
            MUST(pkt.hdr_len >= TCP_HDR_MIN && pkt.hdr_len <= TCP_HDR_MAX);
            for (int i = 0; i < pkt.iov_count; i++)
                (void)*(volatile uint8_t *)pkt.iov[i].iov_base;
            if (f->refuse)
                tcp_engine_unsent(f->e, &pkt, -EAGAIN, f->now);
            f->refuse = false;
        }
    }
    check(f);
}

static void pass_time(struct fuzz *f, usec_t t)
{
    usec_t end = f->now + t;
    int stuck = 0;

    while (tcp_engine_deadline(f->e) <= end) {
        usec_t due = usec_max(tcp_engine_deadline(f->e), f->now);

        stuck = due > f->now ? 0 : stuck + 1;
        MUST(stuck < 1000);
        f->now = due;
        tcp_engine_advance(f->e, f->now);
        pump(f);
    }
    f->now = end;
    tcp_engine_advance(f->e, f->now);
}

/* ---- what comes in -------------------------------------------------------------------- */

/* Any connection, also one that nobody has heard of yet. */
static struct tcp_conn *pick_any(struct fuzz *f)
{
    struct tcp_conn *c = tcp_engine_first(f->e);

    for (int n = take8(&f->in) % HELD_MAX; c && n; n--)
        c = tcp_engine_next(f->e, c);
    return c;
}

static struct held *pick(struct fuzz *f)
{
    struct held *h = &f->held[take8(&f->in) % HELD_MAX];

    return h->conn ? h : NULL;
}

static void receive(struct fuzz *f, const uint8_t *bytes, size_t len)
{
    struct packet pkt = { .src = f->peer, .dst = f->us, .ifindex = 2, .ttl = 64,
                          .csum = PACKET_CSUM_VERIFIED, .seg_len = len };
    uint8_t *exact = malloc(len ? len : 1);

    MUST(exact);
    if (len)
        memcpy(exact, bytes, len);
    pkt.seg = exact;
    tcp_engine_receive(f->e, &pkt, f->now);
    free(exact);
}

/* Near what the connection expects: the deltas are small numbers of either sign. */
static void segment_in(struct fuzz *f)
{
    struct tcp_conn *c = pick_any(f);
    struct segment seg = { .sport = (uint16_t)(5000 + take8(&f->in) % 4), .dport = 80 };
    int16_t dseq = (int16_t)take16(&f->in), dack = (int16_t)take16(&f->in);
    static const uint8_t zeros[16 * 255];
    uint8_t buf[TCP_HDR_MAX + 64 + sizeof(zeros)], bits;
    size_t hdr, len;

    seg.flags = take8(&f->in);
    seg.wnd = take16(&f->in);
    len = (size_t)take8(&f->in) * (seg.flags & TCP_URG ? 1 : 16);
    bits = take8(&f->in);
    seg.seq = seq_of((uint32_t)dseq);
    seg.ack = seq_of((uint32_t)dack);
    if (c) {
        struct tcp_conn_info i;

        tcp_conn_info(c, &i);
        seg.sport = i.flow.rport;
        seg.dport = i.flow.lport;
        seg.seq = seq_of(i.rcv_nxt + (uint32_t)dseq);
        seg.ack = seq_of(i.snd_nxt + (uint32_t)dack);
        if (i.timestamps && !(bits & 1)) {
            seg.opt.has_ts = true;
            seg.opt.tsval = (uint32_t)(f->now / 1000) + (bits >> 4);
            seg.opt.tsecr = bits & 2 ? 0 : take16(&f->in);
        }
        if (bits & 4)
            for (; seg.opt.sacks < (bits >> 4) % 5 && seg.opt.sacks < TCP_MAX_SACKS;
                 seg.opt.sacks++) {
                seg.opt.sack[seg.opt.sacks].start = seq_of(i.snd_una + take16(&f->in));
                seg.opt.sack[seg.opt.sacks].end = seq_of(i.snd_una + take16(&f->in));
            }
    }
    if (seg.flags & TCP_SYN) {
        seg.opt.has_mss = bits & 8;
        seg.opt.mss = take16(&f->in);
        seg.opt.has_wscale = bits & 16;
        seg.opt.wscale = take8(&f->in);
        seg.opt.has_sack_ok = bits & 32;
        seg.opt.has_ts |= (bits & 64) != 0;
    }
    seg.up = bits;
    hdr = tcp_header_build(&seg, buf);
    memcpy(buf + hdr, zeros, len);
    receive(f, buf, hdr + len);
}

static void noise_in(struct fuzz *f)
{
    size_t len;
    const uint8_t *p = take(&f->in, take8(&f->in), &len);

    receive(f, p, len);
}

static void icmp_in(struct fuzz *f)
{
    struct tcp_conn *c = pick_any(f);
    uint8_t bits = take8(&f->in);
    struct icmp_error err = { .type = take8(&f->in) % 5, .code = take8(&f->in) % 8,
                              .mtu = take16(&f->in), .error = EHOSTUNREACH, .hard = bits & 1,
                              .ipv6 = !ip_addr_is_v4(&f->us) };
    struct tcp_conn_info i;

    if (!c)
        return;
    tcp_conn_info(c, &i);
    err.flow = i.flow;
    err.seq = seq_of((bits & 2 ? i.snd_una : i.snd_nxt) + (uint32_t)(int8_t)take8(&f->in));
    if (bits & 4)
        err.error = EMSGSIZE;
    tcp_engine_icmp(f->e, &err, f->now);
}

/* ---- what the program does ---------------------------------------------------------------- */

static void connect_out(struct fuzz *f)
{
    struct tcp_open open = { .config = f->config, .path = f->path };
    struct tcp_conn *conn;

    open.flow = (struct flow){ .local = f->us, .remote = f->peer, .lport = 81,
                               .rport = (uint16_t)(6000 + take8(&f->in) % 4) };
    if (tcp_connect(f->e, &open, f->now, &conn) == 0)
        hold(f, conn);
}

static void write_out(struct fuzz *f, struct held *h)
{
    struct iovec iov[2];
    uint32_t want = take16(&f->in), n = tcp_conn_tx_space(h->conn, want, iov);

    n = MIN(n, want);
    for (uint32_t i = 0, left = n; i < 2 && left; i++) {
        uint32_t k = MIN((uint32_t)iov[i].iov_len, left);

        memset(iov[i].iov_base, 'x', k);
        left -= k;
    }
    if (n)
        tcp_conn_tx_commit(h->conn, n, want & 1, f->now);
}

static void read_in(struct fuzz *f, struct held *h)
{
    struct iovec iov[2];
    uint32_t there = tcp_conn_rx_peek(h->conn, iov), want = take16(&f->in);

    for (int i = 0; i < 2; i++)
        for (size_t k = 0; k < iov[i].iov_len; k += 1000)
            (void)*((volatile uint8_t *)iov[i].iov_base + k);
    tcp_conn_rx_consume(h->conn, MIN(there, want), f->now);
}

static void configure(struct fuzz *f, struct held *h)
{
    struct tcp_config c = *tcp_conn_config(h->conn);
    uint8_t bits = take8(&f->in);

    c.nodelay = bits & 1;
    c.cork = bits >> 1 & 1;
    c.quickack = bits >> 2 & 1;
    c.keepalive = bits >> 3 & 1;
    c.keepalive_ms = 10000;
    if (bits & 16)
        c.rcv_buf_bytes = 2048 + take16(&f->in);
    if (bits & 32)
        c.snd_buf_bytes = 4096 + take16(&f->in);
    if (bits & 64)
        c.abort_ms = 500u + take16(&f->in);
    tcp_conn_configure(h->conn, &c, f->now);
}

static void relisten(struct fuzz *f)
{
    struct tcp_open open = { .config = f->config, .user = 1 };

    if (f->listener)
        tcp_listener_close(f->e, f->listener, f->now);
    f->listener = NULL;
    open.flow.lport = 80;
    open.flow.local = ip_addr_is_v4(&f->us) ? IP_ADDR_ANY4 : IP_ADDR_ANY6;
    MUST(tcp_listen(f->e, &open, 1 + take8(&f->in) % 4, &f->listener) == 0);
}

static void on_conn(struct fuzz *f, uint8_t op)
{
    struct held *h = pick(f);

    if (!h || h->closed)
        return;
    switch (op) {
    case 0:
        write_out(f, h);
        break;
    case 1:
        read_in(f, h);
        break;
    case 2:
        tcp_conn_rx_release(h->conn, take16(&f->in), f->now);
        break;
    case 3:
        tcp_conn_shutdown(h->conn, f->now);
        break;
    case 4:
        h->closed = true;
        tcp_conn_close(h->conn, f->now);
        break;
    case 5:
        h->closed = true;
        tcp_conn_abort(h->conn, f->now);
        break;
    case 6:
        configure(f, h);
        break;
    default:
        f->path.mtu = 576u + take16(&f->in) % 9000;
        tcp_conn_set_path(h->conn, &f->path, f->now);
        break;
    }
}

static void one_op(struct fuzz *f)
{
    uint8_t op = take8(&f->in);

    if (op < 110) {
        segment_in(f);
    } else if (op < 120) {
        noise_in(f);
    } else if (op < 130) {
        icmp_in(f);
    } else if (op < 150) {
        pass_time(f, usec_from_msec(take8(&f->in)));
    } else if (op < 160) {
        usec_t due = tcp_engine_deadline(f->e);

        if (due != USEC_NEVER)
            pass_time(f, usec_since(f->now, due));
    } else if (op < 165) {
        connect_out(f);
    } else if (op < 168) {
        relisten(f);
    } else if (op < 172) {
        f->no_memory = !f->no_memory;
    } else if (op < 176) {
        f->refuse = true;
    } else {
        on_conn(f, op % 8);
    }
    pump(f);
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static void begin(struct fuzz *f)
{
    struct tcp_engine_init init = { .tun = &f->tun, .mem = { fuzz_alloc, fuzz_free, f },
                                    .first_id = 1, .now = f->now };
    uint8_t bits = take8(&f->in);

    tunables_init(&f->tun);
    f->tun.sack = bits % 3;
    f->tun.conn_req_max_q0 = bits & 4 ? 0 : 100;
    f->tun.time_wait_interval = 1000;
    f->us = bits & 8 ? ip_addr_v4("\x0a\x00\x00\x01") : ip_addr_v6("\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1");
    f->peer = bits & 8 ? ip_addr_v4("\x0a\x00\x00\x02")
                       : ip_addr_v6("\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2");
    f->path = (struct path){ .src = f->us, .ifindex = 2, .mtu = 1500,
                             .gso_max = bits & 16 ? 65400 : 0 };
    MUST(tcp_engine_new(&init, &f->e) == 0);
    tcp_config_init(&f->config, &f->tun);
    f->config.rcv_buf_bytes = bits & 32 ? 4096 : 128000;
    relisten(f);
    connect_out(f);
    pump(f);
}

/* Everything is let go; whatever a silent peer leaves behind ends by itself. */
static void end(struct fuzz *f)
{
    f->no_memory = false;
    for (int i = 0; i < HELD_MAX; i++)
        if (f->held[i].conn && !f->held[i].closed) {
            f->held[i].closed = true;
            tcp_conn_close(f->held[i].conn, f->now);
        }
    tcp_listener_close(f->e, f->listener, f->now);
    pump(f);
    for (int i = 0; i < 200 && tcp_engine_first(f->e); i++)
        pass_time(f, 100 * USEC_PER_SEC);
    MUST(tcp_engine_first(f->e) == NULL);
    f->e = tcp_engine_free(f->e);
    MUST(f->memory == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = { .in = { data, size }, .now = 1000 * USEC_PER_SEC };

    begin(&f);
    for (int i = 0; i < OPS_MAX && f.in.left; i++)
        one_op(&f);
    end(&f);
    return 0;
}
