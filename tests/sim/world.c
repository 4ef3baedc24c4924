/* SPDX-License-Identifier: BSD-2-Clause */
#include "world.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define TIME_LIMIT  (6 * 3600 * USEC_PER_SEC)
#define STEP_LIMIT  3000000u
#define STUCK_LIMIT 2000u /* wake-ups at one moment */
#define PUMP_LIMIT  100000u

void world_fail(struct world *w, const char *fmt, ...)
{
    va_list ap;

    if (w->failure[0])
        return;
    va_start(ap, fmt);
    (void)vsnprintf(w->failure, sizeof(w->failure), fmt, ap);
    va_end(ap);
}

void world_say(struct world *w, const char *fmt, ...)
{
    va_list ap;

    if (!w->verbose)
        return;
    printf("%12.6f ", (double)(w->now - w->started) / 1e6);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

/* ---- making it -------------------------------------------------------------------- */

static void say_trace(void *ctx, const struct tcp_trace *t)
{
    struct world *w = ctx;

    if (t->what == TCP_TRACE_STATE)
        world_say(w, "    #%llu %s -> %s (%s)", (unsigned long long)t->conn_id,
                  tcp_state_name(t->from), tcp_state_name(t->to), tcp_cause_name(t->cause));
    else if (t->what == TCP_TRACE_DROP)
        world_say(w, "    #%llu drop: %s", (unsigned long long)t->conn_id, tcp_drop_name(t->to));
}

static void start_host(struct world *w, int who, const struct link_params *params)
{
    static const uint8_t v4[2][4] = { { 10, 0, 0, 1 }, { 10, 0, 0, 2 } };
    static const uint8_t v6[2][16] = { { 0xfd, [15] = 1 }, { 0xfd, [15] = 2 } };
    struct host *h = &w->host[who];
    struct tcp_engine_init init = { .tun = &h->tun, .mem = *ring_mem_heap(), .first_id = 1,
                                    .now = w->now };

    for (size_t i = 0; i < sizeof(init.seed); i++)
        init.seed[i] = (uint8_t)rng_next(&w->rng);
    if (tcp_engine_new(&init, &h->e))
        abort();
    if (w->verbose)
        tcp_engine_set_trace(h->e, say_trace, w);
    h->addr = w->v6 ? ip_addr_v6(v6[who]) : ip_addr_v4(v4[who]);
    h->out = link_new(params, rng_next(&w->rng));
    h->icmp_at = USEC_NEVER;
    h->path.src = h->addr;
    h->path.ifindex = 2;
    h->path.mtu = params->mtu;
}

static void start_listener(struct world *w)
{
    struct host *h = &w->host[SERVER];
    struct tcp_open open = { .config = h->config, .user = 1 };

    open.flow.local = w->v6 ? IP_ADDR_ANY6 : IP_ADDR_ANY4;
    open.flow.lport = WORLD_PORT;
    if (tcp_listen(h->e, &open, 64, &h->listener))
        abort();
}

void world_start(struct world *w, const struct link_params params[2])
{
    w->now = w->started = 1000 * USEC_PER_SEC;
    for (int who = 0; who < 2; who++)
        start_host(w, who, &params[who]);
    start_listener(w);
    for (unsigned i = 0; i < w->pairs; i++)
        for (int who = 0; who < 2; who++) {
            w->pair[i].side[who].next_at = USEC_NEVER;
            w->pair[i].watch[who].wscale = -1;
        }
}

void world_end(struct world *w)
{
    for (int who = 0; who < 2; who++) {
        w->host[who].e = tcp_engine_free(w->host[who].e);
        w->host[who].out = link_free(w->host[who].out);
    }
}

/* ---- one wake-up -------------------------------------------------------------------- */

static void connect_due(struct world *w)
{
    struct host *h = &w->host[CLIENT];

    for (unsigned i = 0; i < w->pairs; i++) {
        struct side *s = &w->pair[i].side[CLIENT];
        struct tcp_open open = { .config = h->config, .path = h->path };
        int r;

        if (s->opened || w->pair[i].starts_at > w->now)
            continue;
        open.flow = (struct flow){ .local = h->addr, .remote = w->host[SERVER].addr,
                                   .lport = (uint16_t)(WORLD_FIRST + i), .rport = WORLD_PORT };
        r = tcp_connect(h->e, &open, w->now, &s->conn);
        if (r)
            world_fail(w, "connection %u: tcp_connect() failed: %d", i, r);
        s->opened = true;
        s->id = r ? 0 : tcp_conn_id(s->conn);
        s->next_at = w->now;
    }
}

static void send_packet(struct world *w, int who, struct packet *pkt)
{
    struct host *h = &w->host[who];
    struct icmp_error icmp;

    if (rng_chance(&w->rng, h->unsent_ppm)) {
        world_say(w, "    the device refuses the next one");
        tcp_engine_unsent(h->e, pkt, -EAGAIN, w->now);
        return;
    }
    w->packets++;
    watch_sent(w, who, pkt);
    if (link_send(h->out, pkt, w->now, &icmp) && h->icmp_at == USEC_NEVER) {
        h->icmp = icmp;
        h->icmp_at = w->now + USEC_PER_MSEC;
    }
    if (link_oversized(h->out))
        world_fail(w, "a packet longer than the MTU was sent");
}

static void pump(struct world *w, int who)
{
    struct host *h = &w->host[who];
    struct tcp_event ev;
    struct packet pkt;
    unsigned rounds = 0;

    while (tcp_engine_next_event(h->e, &ev)) {
        if (rounds++ > PUMP_LIMIT) {
            world_fail(w, "events without end");
            return;
        }
        program_event(w, who, &ev);
    }
    while (tcp_engine_next_dirty(h->e))
        rounds++;
    tcp_engine_committed(h->e);
    while (tcp_engine_next_packet(h->e, w->now, &pkt)) {
        if (rounds++ > PUMP_LIMIT) {
            world_fail(w, "packets without end");
            return;
        }
        send_packet(w, who, &pkt);
    }
}

static void receive(struct world *w, int who)
{
    struct host *h = &w->host[who];
    struct packet pkt;
    bool corrupt;

    for (int i = 0; i < 64 && link_receive(w->host[!who].out, w->now, &pkt, &corrupt); i++) {
        if (!corrupt)
            watch_received(w, who, &pkt);
        tcp_engine_receive(h->e, &pkt, w->now);
    }
    if (h->icmp_at <= w->now) {
        h->icmp_at = USEC_NEVER;
        world_say(w, "    ICMP: too big, mtu %u", h->icmp.mtu);
        tcp_engine_icmp(h->e, &h->icmp, w->now);
    }
}

static void wake(struct world *w)
{
    connect_due(w);
    for (int who = 0; who < 2; who++) {
        receive(w, who);
        tcp_engine_advance(w->host[who].e, w->now);
        for (unsigned i = 0; i < w->pairs; i++)
            if (w->pair[i].side[who].next_at <= w->now)
                program_turn(w, i, who);
        pump(w, who);
        pump(w, who); /* what the commit has freed is told in the next wake-up */
        for (unsigned i = 0; i < w->pairs; i++)
            watch_conn(w, i, who);
    }
}

static usec_t next_at(const struct world *w)
{
    usec_t at = program_next_at(w);

    for (int who = 0; who < 2; who++) {
        at = usec_min(at, tcp_engine_deadline(w->host[who].e));
        at = usec_min(at, link_next_at(w->host[who].out));
        at = usec_min(at, w->host[who].icmp_at);
    }
    return at;
}

bool world_step(struct world *w)
{
    usec_t at = next_at(w);

    if (at == USEC_NEVER)
        world_fail(w, "nothing will ever happen again");
    if (at <= w->now && ++w->stuck > STUCK_LIMIT)
        world_fail(w, "a busy loop: the deadline stays in the past");
    if (at > w->now)
        w->stuck = 0;
    if (!w->failure[0])
        w->now = usec_max(w->now, at);
    if (w->now - w->started > TIME_LIMIT || ++w->steps > STEP_LIMIT)
        world_fail(w, "no end after %llu s and %llu wake-ups",
                   (unsigned long long)((w->now - w->started) / USEC_PER_SEC),
                   (unsigned long long)w->steps);
    if (w->failure[0])
        return false;
    wake(w);
    return !w->failure[0];
}

bool world_run(struct world *w)
{
    while (!programs_over(w))
        if (!world_step(w))
            return false;
    return true;
}
