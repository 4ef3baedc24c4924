/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine behind a script, its clock and its wake-ups. settle() is the daemon's
 * pump: what the engine would send before the commit cannot be seen by a test.
 */
#include "script.h"

#include <stdio.h>

#define ROUNDS_MAX 10000 /* more events, packets or timers at one moment: a busy loop */

/* ---- failing readably ----------------------------------------------------------- */

void script_note(struct script *s, const char *fmt, ...)
{
    char *line = s->lines[s->line_count++ % SCRIPT_LINES];
    size_t used = (size_t)snprintf(line, sizeof(s->lines[0]), "%10.6f ",
                                   (double)(s->now % SEC(100000)) / 1e6);
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(line + used, sizeof(s->lines[0]) - used, fmt, ap);
    va_end(ap);
}

void script_fail(struct script *s, const char *fmt, ...)
{
    unsigned first = s->line_count > SCRIPT_LINES ? s->line_count - SCRIPT_LINES : 0;
    char text[600];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    print_error("the conversation (%s):\n", s->v6 ? "IPv6" : "IPv4");
    for (unsigned i = first; i < s->line_count; i++)
        print_error("  %s\n", s->lines[i % SCRIPT_LINES]);
    for (int i = 0; s->e && i < TCP_DROP_COUNT; i++)
        if (tcp_engine_counters(s->e)->drop[i])
            print_error("  dropped %llu: %s\n",
                        (unsigned long long)tcp_engine_counters(s->e)->drop[i], tcp_drop_name(i));
    print_error("%s\n", text);
    _fail(s->file ? s->file : __FILE__, s->line);
}

/* ---- memory that can run out, and is counted ------------------------------------- */

static void *counted_alloc(void *ctx, size_t bytes, uint64_t *ret_offset)
{
    struct script *s = ctx;
    void *data = s->out_of_memory ? NULL : malloc(bytes);

    *ret_offset = 0;
    if (data) {
        memset(data, 0xdb, bytes);
        s->mem_balance++;
    }
    return data;
}

static void counted_free(void *ctx, void *data, size_t bytes, uint64_t offset)
{
    struct script *s = ctx;

    memset(data, 0xdc, bytes);
    free(data);
    s->mem_balance--;
}

/* ---- making and ending ------------------------------------------------------------- */

static int setup(void **state)
{
    struct script *s = calloc(1, sizeof(*s));

    if (!s)
        return -1;
    s->v6 = *state != NULL;
    s->queue = calloc(SCRIPT_QUEUE, sizeof(*s->queue));
    tunables_init(&s->tun);
    s->tun.tlp = 0; /* a probe would come before each timeout: who wants it says so */
    s->now = SEC(1000);
    *state = s;
    return s->queue ? 0 : -1;
}

static int teardown(void **state)
{
    struct script *s = *state;
    long leaked;

    s->e = tcp_engine_free(s->e);
    leaked = s->mem_balance;
    free(s->queue);
    free(s);
    if (leaked)
        print_error("%ld rings were not given back\n", leaked);
    return leaked ? -1 : 0;
}

int script_run(const char *name, const struct CMUnitTest *tests, size_t count)
{
    static int v6;
    struct CMUnitTest *both = calloc(2 * count, sizeof(*both));
    char *names = calloc(2 * count, 128);
    int failures;

    if (!both || !names)
        abort();
    for (size_t i = 0; i < 2 * count; i++) {
        bool second = i >= count;
        char *text = names + i * 128;

        (void)snprintf(text, 128, "%s %s", tests[i % count].name, second ? "(IPv6)" : "(IPv4)");
        both[i] = (struct CMUnitTest){ text, tests[i % count].test_func, setup, teardown,
                                       second ? &v6 : NULL };
    }
    failures = _cmocka_run_group_tests(name, both, 2 * count, NULL, NULL);
    free(both);
    free(names);
    return failures;
}

struct script *script(void **state)
{
    return *state;
}

static void addresses(const struct script *s, struct ip_addr *local, struct ip_addr *remote)
{
    static const uint8_t v4[2][4] = { { 10, 0, 0, 1 }, { 10, 0, 0, 2 } };
    static const uint8_t v6[2][16] = { { 0xfd, [15] = 1 }, { 0xfd, [15] = 2 } };

    *local = s->v6 ? ip_addr_v6(v6[0]) : ip_addr_v4(v4[0]);
    *remote = s->v6 ? ip_addr_v6(v6[1]) : ip_addr_v4(v4[1]);
}

struct flow script_flow(const struct script *s, const struct peer *p)
{
    struct flow f = { .lport = SCRIPT_LPORT, .rport = p->rport };

    addresses(s, &f.local, &f.remote);
    return f;
}

void script_start(struct script *s)
{
    struct tcp_engine_init init = {
        .tun = &s->tun,
        .mem = { counted_alloc, counted_free, s },
        .memory_mb = s->memory_mb,
        .first_id = 1,
        .now = s->now,
    };
    struct ip_addr remote;

    for (size_t i = 0; i < sizeof(init.seed); i++)
        init.seed[i] = (uint8_t)(i * 37 + s->v6);
    tcp_config_init(&s->config, &s->tun);
    s->path.mtu = SCRIPT_MTU;
    s->path.ifindex = 2;
    addresses(s, &s->path.src, &remote);
    if (tcp_engine_new(&init, &s->e))
        script_fail(s, "tcp_engine_new() failed");
    peer_add(s);
}

/* ---- peers -------------------------------------------------------------------------- */

const struct offer OFFER_PLAIN = { .mss = 1000, .wscale = NONE, .sack = true };
const struct offer OFFER_BARE = { .mss = NONE, .wscale = NONE };
const struct offer OFFER_MSS = { .mss = 1000, .wscale = NONE };
const struct offer OFFER_TS = { .mss = 1012, .wscale = NONE, .sack = true, .ts = true };
const struct offer OFFER_SCALED = { .mss = 1000, .wscale = 7, .sack = true };

/* The peers' ISNs lie just below the wrap, so that every scenario crosses it. */
struct peer *peer_add(struct script *s)
{
    struct peer *p = &s->peers[s->peer_count];

    if (s->peer_count == SCRIPT_PEERS)
        script_fail(s, "too many peers");
    *p = (struct peer){ .rport = (uint16_t)(SCRIPT_RPORT + s->peer_count),
                        .iss = 0xfffffe00u + 7 * s->peer_count,
                        .offer = OFFER_PLAIN,
                        .our_wscale = NONE,
                        .wnd_bytes = 65535,
                        .ts_offset = 0xffffff00u,
                        .error = -1 };
    s->peer_count++;
    s->p = p;
    return p;
}

void peer_use(struct script *s, struct peer *p)
{
    s->p = p;
}

struct peer *script_peer_find(struct script *s, uint16_t rport)
{
    for (unsigned i = 0; i < s->peer_count; i++)
        if (s->peers[i].rport == rport)
            return &s->peers[i];
    return NULL;
}

static bool scaled(const struct peer *p)
{
    return p->our_wscale != NONE && p->offer.wscale != NONE;
}

int script_shift_ours(const struct peer *p)
{
    return scaled(p) ? (int)p->our_wscale : 0;
}

int script_shift_peer(const struct peer *p)
{
    return scaled(p) ? (int)MIN(p->offer.wscale, (int64_t)TCP_MAX_WSCALE) : 0;
}

/* ---- one wake-up -------------------------------------------------------------------- */

static void on_event(struct script *s, const struct tcp_event *ev)
{
    struct peer *p = script_peer_find(s, tcp_conn_flow(ev->conn)->rport);

    if (!p)
        script_fail(s, "event %#x of a connection that no peer has", ev->what);
    script_note(s, "  event %#x error %d (%s)", ev->what, ev->error,
                tcp_state_name(tcp_conn_state(ev->conn)));
    if (p->conn_id > ev->conn_id) /* an earlier incarnation, in TIME-WAIT until now */
        return;
    p->conn = ev->conn;
    p->conn_id = ev->conn_id;
    p->gone = false;
    p->events |= ev->what;
    if ((ev->what & TCP_EV_PATH) && !s->withhold_path)
        tcp_conn_set_path(ev->conn, &s->path, s->now);
    if ((ev->what & TCP_EV_ACCEPT) && !s->leave_backlog)
        tcp_listener_taken(ev->listener, ev->conn, ev->conn_id);
    if (ev->what & TCP_EV_CLOSED)
        p->error = ev->error;
    if (ev->what & TCP_EV_GONE) {
        p->conn = NULL;
        p->gone = true;
    }
    if (ev->what & TCP_EV_ACCEPT)
        p->announced = true;
}

/* Half-open connections that were never announced end without a word. */
static void forget_embryos(struct script *s)
{
    for (unsigned i = 0; i < s->peer_count; i++) {
        struct peer *p = &s->peers[i];

        if (!p->conn || tcp_engine_find(s->e, p->conn_id))
            continue;
        if (p->announced)
            script_fail(s, "a connection was freed without TCP_EV_GONE");
        p->conn = NULL;
        p->gone = true;
    }
}

static void note_options(struct peer *p, const struct segment *seg)
{
    p->our_wscale = seg->opt.has_wscale ? seg->opt.wscale : NONE;
    p->our_ts = seg->opt.has_ts;
    p->our_sack = seg->opt.has_sack_ok;
}

static bool payload_is_pattern(const struct sent *out)
{
    for (uint32_t i = 0; i < out->seg.len; i++)
        if (out->seg.data[i] != script_pattern(true, out->seq + i - 1))
            return false;
    return true;
}

static size_t flatten(struct script *s, struct packet *pkt, uint8_t *flat, size_t size)
{
    size_t at = pkt->hdr_len;

    tcp_header_set_checksum(pkt);
    memcpy(flat, pkt->hdr, at);
    for (int i = 0; i < pkt->iov_count; i++) {
        if (at + pkt->iov[i].iov_len > size)
            script_fail(s, "a packet longer than any packet can be");
        memcpy(flat + at, pkt->iov[i].iov_base, pkt->iov[i].iov_len);
        at += pkt->iov[i].iov_len;
    }
    return at;
}

static void track(struct peer *p, struct sent *out)
{
    int64_t end;

    if ((out->seg.flags & TCP_SYN) &&
        (!p->have_iss_ours || p->iss_ours != out->seg.seq.v)) {
        p->iss_ours = out->seg.seq.v;
        p->have_iss_ours = true;
        p->rcv_nxt = 0;
    }
    if (out->seg.flags & TCP_SYN)
        note_options(p, &out->seg);
    if (out->seg.opt.has_ts)
        p->ts_last = out->seg.opt.tsval;
    out->seq = out->seg.seq.v;
    if (p->have_iss_ours)
        out->seq = (int32_t)(out->seg.seq.v - p->iss_ours);
    out->ack = (int32_t)(out->seg.ack.v - p->iss);
    end = out->seq + segment_space(&out->seg);
    if (!(out->seg.flags & TCP_RST))
        p->rcv_nxt = MAX(p->rcv_nxt, end);
    out->wnd_bytes = (uint32_t)out->seg.wnd
                     << (out->seg.flags & TCP_SYN ? 0 : script_shift_ours(p));
    if ((out->seg.flags & TCP_ACK) && !(out->seg.flags & TCP_RST))
        p->right_edge = MAX(p->right_edge, out->ack + out->wnd_bytes);
}

static void take_packet(struct script *s, struct packet *pkt)
{
    static uint8_t flat[70000];
    struct sent *out = &s->queue[s->queued];
    struct packet in = { .src = pkt->src, .dst = pkt->dst, .seg = flat };
    char text[200];

    if (s->queued == SCRIPT_QUEUE)
        script_fail(s, "the engine sends without end");
    s->last_packet = *pkt;
    in.seg_len = flatten(s, pkt, flat, sizeof(flat));
    *out = (struct sent){ .at = s->now, .ttl = pkt->ttl, .tos = pkt->tos,
                          .gso_size = pkt->gso_size, .super = pkt->flags & PACKET_SUPER };
    if (tcp_header_parse(&in, &out->seg) != TCP_PARSE_OK)
        script_fail(s, "the engine made a packet that does not parse");
    if (out->seg.len != pkt->payload_len)
        script_fail(s, "payload_len %u is not the %u bytes of its iovecs", pkt->payload_len,
                    out->seg.len);
    out->peer = script_peer_find(s, out->seg.dport);
    if (!out->peer)
        script_fail(s, "a packet to port %u, where no peer is", out->seg.dport);
    track(out->peer, out);
    out->good_payload = payload_is_pattern(out);
    out->seg.data = NULL;
    s->queued++;
    script_format_sent(out, text, sizeof(text));
    script_note(s, "%s", text);
}

void settle(struct script *s)
{
    struct tcp_event ev;
    struct packet pkt;
    int rounds = 0, quiet = 0;

    /* A commit may make events: they belong to the next wake-up, which comes at once. */
    while (quiet < 2) {
        quiet++;
        for (; tcp_engine_next_event(s->e, &ev); quiet = 0) {
            on_event(s, &ev);
            if (rounds++ > ROUNDS_MAX)
                script_fail(s, "events without end");
        }
        while (tcp_engine_next_dirty(s->e))
            if (rounds++ > ROUNDS_MAX)
                script_fail(s, "dirty connections without end");
        tcp_engine_committed(s->e);
        forget_embryos(s);
        while (tcp_engine_next_packet(s->e, s->now, &pkt))
            take_packet(s, &pkt);
    }
}

/* ---- time ------------------------------------------------------------------------------ */

static void run_until(struct script *s, usec_t end, bool stop_at_packet)
{
    int stuck = 0;

    for (;;) {
        usec_t due = tcp_engine_deadline(s->e);

        if (due > end)
            break;
        stuck = due > s->now ? 0 : stuck + 1;
        if (stuck > ROUNDS_MAX)
            script_fail(s, "the deadline stays in the past: a busy loop");
        s->now = usec_max(s->now, due);
        tcp_engine_advance(s->e, s->now);
        settle(s);
        if (stop_at_packet && packets_waiting(s))
            return;
    }
    if (end > s->now && end != USEC_NEVER)
        s->now = end;
}

void advance(struct script *s, usec_t t)
{
    run_until(s, s->now + t, false);
    tcp_engine_advance(s->e, s->now);
    settle(s);
}

usec_t advance_to_deadline(struct script *s)
{
    usec_t due = tcp_engine_deadline(s->e);
    usec_t from = s->now;

    if (due == USEC_NEVER)
        script_fail(s, "no timer is running");
    run_until(s, usec_max(due, s->now), false);
    return s->now - from;
}

void script_expect_after(struct script *s, usec_t delay, const struct seg_spec *spec)
{
    script_expect_within(s, delay, delay + delay / 50 + MS(20), spec);
}

void script_expect_within(struct script *s, usec_t lo, usec_t hi, const struct seg_spec *spec)
{
    usec_t from = s->now;

    script_expect_nothing(s);
    run_until(s, from + hi, true);
    if (!packets_waiting(s)) {
        char text[200];

        script_format_spec(spec, text, sizeof(text));
        script_fail(s, "not sent within %.3f s: %s", (double)hi / 1e6, text);
    }
    if (s->now + MS(1) < from + lo)
        script_fail(s, "sent after %.3f s, which is before %.3f s",
                    (double)(s->now - from) / 1e6, (double)lo / 1e6);
    script_expect(s, spec);
}
