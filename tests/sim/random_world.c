/* SPDX-License-Identifier: BSD-2-Clause */
/* What a seed decides: the network, the tunables, the programs. */
#include "world.h"

static void random_link(struct rng *r, struct link_params *p, uint32_t mtu)
{
    static const uint32_t losses[] = { 0, 0, 1000, 10000, 50000, 100000 };

    *p = (struct link_params){ .mtu = mtu, .delay = rng_between(r, 10, 80000) };
    p->loss_ppm = losses[rng_upto(r, ARRAY_LEN(losses) - 1)];
    if (rng_chance(r, 300000))
        p->jitter = rng_upto(r, 20000);
    if (rng_chance(r, 300000)) {
        p->reorder_ppm = (uint32_t)rng_upto(r, 100000);
        p->reorder_delay = rng_upto(r, 60000);
    }
    if (rng_chance(r, 250000))
        p->duplicate_ppm = (uint32_t)rng_upto(r, 50000);
    if (rng_chance(r, 250000))
        p->corrupt_ppm = (uint32_t)rng_upto(r, 30000);
    if (rng_chance(r, 400000)) {
        p->bytes_per_sec = rng_between(r, 20000, 20000000);
        p->queue_bytes = (uint32_t)rng_between(r, 3 * mtu, 200000 + 3 * mtu);
    }
    if (rng_chance(r, 150000))
        p->path_mtu = (uint32_t)rng_between(r, 1280, mtu > 1280 ? mtu : 1280);
}

static void random_tunables(struct rng *r, struct tunables *t)
{
    tunables_init(t);
    t->sack = (uint32_t)rng_upto(r, 2);
    t->wscale_always = (uint32_t)rng_upto(r, 1);
    t->tstamp_always = (uint32_t)rng_upto(r, 1);
    t->tstamp_if_wscale = (uint32_t)rng_upto(r, 1);
    t->abc = (uint32_t)rng_upto(r, 1);
    t->deferred_acks_max = (uint32_t)rng_upto(r, 4);
    if (rng_chance(r, 300000))
        t->recv_buf = (uint32_t)rng_between(r, 2048, 20000);
    if (rng_chance(r, 300000))
        t->send_buf = (uint32_t)rng_between(r, 4096, 20000);
    if (rng_chance(r, 200000))
        t->cwnd_max = (uint32_t)rng_between(r, 3000, 60000);
    if (rng_chance(r, 200000))
        t->conn_req_max_q0 = 0;
    t->congestion_control = (uint32_t)rng_upto(r, 1);
    t->rack = rng_chance(r, 800000);
    t->tlp = rng_chance(r, 800000);
    t->hystart = rng_chance(r, 800000);
    t->pacing = rng_chance(r, 800000);
    t->ip_abort_cinterval = t->ip_abort_linterval = 1200000;
    t->ip_abort_interval = 1200000;
}

static void random_config(struct rng *r, struct host *h)
{
    tcp_config_init(&h->config, &h->tun);
    h->config.nodelay = (uint32_t)rng_upto(r, 1);
    h->config.quickack = rng_chance(r, 200000);
    h->config.rcv_buf_fixed = (uint32_t)rng_upto(r, 1);
    h->config.snd_buf_fixed = (uint32_t)rng_upto(r, 1);
    h->config.keepalive = 1;
    h->config.keepalive_ms = 30000;
    h->config.keepalive_abort_ms = 600000;
    if (rng_chance(r, 300000))
        h->config.maxseg_bytes = (uint32_t)rng_between(r, 200, 1400);
}

static void random_program(struct rng *r, struct side *s)
{
    static const uint32_t sizes[] = { 0, 1, 500, 5000, 50000, 300000, 1000000 };

    s->to_write = rng_upto(r, sizes[rng_upto(r, ARRAY_LEN(sizes) - 1)]);
    s->write_chunk = (uint32_t)rng_between(r, 1, rng_chance(r, 500000) ? 3000 : 60000);
    s->read_chunk = (uint32_t)rng_between(r, 1, rng_chance(r, 300000) ? 3000 : 200000);
    /* Tiny pieces make many turns: only for little data. */
    if (s->to_write > 20000)
        s->write_chunk = MAX(s->write_chunk, 500u);
    s->read_chunk = MAX(s->read_chunk, 200u);
    s->think = rng_chance(r, 500000) ? 0 : rng_between(r, 1, 20000);
    s->ending = rng_chance(r, 500000) ? CLOSE_LAST : SHUT_FIRST;
    if (rng_chance(r, 100000)) {
        s->sleeps_at = rng_upto(r, 60000);
        s->sleeps_for = rng_between(r, 1, 30) * USEC_PER_SEC;
    }
    if (rng_chance(r, 50000)) {
        s->ending = ABORT_EARLY;
        s->abort_after = rng_upto(r, 20000);
    }
}

/* Two that wait for each other's end would wait for ever. */
static void agree(struct side *client, struct side *server)
{
    if (client->ending == CLOSE_LAST && server->ending == CLOSE_LAST)
        server->ending = SHUT_FIRST;
}

void world_random(struct world *w, uint64_t seed)
{
    static const uint32_t mtus[] = { 1500, 1500, 1500, 1280, 9000, 1400, 2000 };
    struct link_params params[2];
    struct rng *r = &w->rng;

    w->seed = seed;
    r->s = seed * 0x9e3779b97f4a7c15ULL + 1;
    w->v6 = rng_upto(r, 1);
    w->pairs = (unsigned)rng_between(r, 1, WORLD_CONNS);
    for (int who = 0; who < 2; who++) {
        struct host *h = &w->host[who];

        random_link(r, &params[who], mtus[rng_upto(r, ARRAY_LEN(mtus) - 1)]);
        random_tunables(r, &h->tun);
        random_config(r, h);
        h->path.gso_max = rng_chance(r, 500000) ? (uint32_t)rng_between(r, 3000, 65400) : 0;
        h->path.on_link = rng_upto(r, 1);
        params[who].whole_supers = rng_chance(r, 300000);
        if (rng_chance(r, 200000))
            h->unsent_ppm = (uint32_t)rng_upto(r, 100000);
    }
    for (unsigned i = 0; i < w->pairs; i++) {
        random_program(r, &w->pair[i].side[CLIENT]);
        random_program(r, &w->pair[i].side[SERVER]);
        agree(&w->pair[i].side[CLIENT], &w->pair[i].side[SERVER]);
        w->pair[i].starts_at = rng_chance(r, 500000) ? 0 : 1000 * USEC_PER_SEC +
                                                               rng_upto(r, 2000000);
    }
    world_start(w, params);
}
