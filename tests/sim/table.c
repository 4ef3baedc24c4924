/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How fast one bulk transfer is over networks of several kinds, in virtual time:
 * the same on every machine. The checked-in file holds a floor and a ceiling for
 * each row, so that a change of speed is seen when it is made.
 */
#include "world.h"

#include <string.h>

#define BULK_BYTES 8000000u

struct row {
    const char *name;
    uint64_t mbit;     /* bottleneck, 0: none */
    uint32_t rtt_ms, loss_ppm, reorder_ppm, queue_kb, gso;
    uint32_t sack, recv_buf; /* recv_buf 0: as by default */
    enum tcp_cc_id cc;
};

static const struct row rows[] = {
    /* name                  Mbit/s  rtt  loss   reorder queue gso    sack recv_buf */
    { "lan",                 100,    1,   0,     0,      100,  0,     2,   0 },
    { "lan-gso",             100,    1,   0,     0,      200,  65400, 2,   0 },
    { "wan",                 20,     40,  0,     0,      100,  0,     2,   0 },
    { "wan-long",            50,     120, 0,     0,      800,  65400, 2,   0 },
    { "wan-short-queue",     20,     40,  0,     0,      15,   0,     2,   0 },
    { "loss-0.1%",           100,    20,  1000,  0,      300,  0,     2,   0 },
    { "loss-1%",             100,    20,  10000, 0,      300,  0,     2,   0 },
    { "loss-1%-no-sack",     100,    20,  10000, 0,      300,  0,     0,   0 },
    { "loss-5%",             100,    20,  50000, 0,      300,  0,     2,   0 },
    { "reorder-1%",          100,    20,  0,     10000,  300,  0,     2,   0 },
    { "small-window",        100,    20,  0,     0,      300,  0,     2,   16000 },
    { "dial-up",             0,      300, 0,     0,      0,    0,     2,   0 },
    { "cubic-wan",           20,     40,  0,     0,      100,  0,     2,   0, TCP_CC_CUBIC },
    { "cubic-wan-long",      50,     120, 0,     0,      800,  65400, 2,   0, TCP_CC_CUBIC },
    { "cubic-loss-0.1%",     100,    20,  1000,  0,      300,  0,     2,   0, TCP_CC_CUBIC },
    { "cubic-loss-1%",       100,    20,  10000, 0,      300,  0,     2,   0, TCP_CC_CUBIC },
    { "cubic-loss-5%",       100,    20,  50000, 0,      300,  0,     2,   0, TCP_CC_CUBIC },
};

static void make(struct world *w, const struct row *row)
{
    struct link_params p = { .mtu = 1500, .delay = usec_from_msec(row->rtt_ms) / 2,
                             .loss_ppm = row->loss_ppm, .reorder_ppm = row->reorder_ppm,
                             .reorder_delay = usec_from_msec(row->rtt_ms) / 4,
                             .bytes_per_sec = row->mbit * 125000,
                             .queue_bytes = row->queue_kb * 1000 };
    struct link_params params[2] = { p, p };

    params[SERVER].loss_ppm = params[SERVER].reorder_ppm = 0; /* only data are lost */
    w->rng.s = 42;
    w->pairs = 1;
    for (int who = 0; who < 2; who++) {
        struct host *h = &w->host[who];

        tunables_init(&h->tun);
        h->tun.sack = row->sack;
        h->tun.congestion_control = row->cc;
        if (row->recv_buf)
            h->tun.recv_buf = row->recv_buf;
        tcp_config_init(&h->config, &h->tun);
        h->config.rcv_buf_fixed = row->recv_buf != 0;
        h->path.gso_max = row->gso;
        w->pair[0].side[who].write_chunk = w->pair[0].side[who].read_chunk = 65536;
    }
    w->pair[0].side[CLIENT].to_write = BULK_BYTES;
    w->pair[0].side[SERVER].ending = CLOSE_LAST;
    world_start(w, params);
}

/* Until the last byte is read; Mbit/s of payload, or -1. */
static double measure(const struct row *row, bool verbose)
{
    struct world w = { .verbose = verbose };
    double rate = -1;

    make(&w, row);
    while (!w.failure[0] && w.pair[0].side[SERVER].read < BULK_BYTES) {
        if (!world_step(&w))
            break;
    }
    if (w.failure[0])
        printf("%s: %s\n", row->name, w.failure);
    else
        rate = (double)BULK_BYTES * 8 / (double)(w.now - w.started);
    world_end(&w);
    return rate;
}

static bool bounds_of(const char *file, const char *name, double *lo, double *hi)
{
    char line[200], found[64];
    FILE *f = fopen(file, "r");
    bool ok = false;

    if (!f)
        return false;
    while (!ok && fgets(line, sizeof(line), f))
        ok = line[0] != '#' && sscanf(line, "%63s %lf %lf", found, lo, hi) == 3 &&
             strcmp(found, name) == 0;
    (void)fclose(f);
    return ok;
}

int table_run(const char *compare_with, bool verbose)
{
    int bad = 0;

    printf("%-20s %8s\n", "# network", "Mbit/s");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        double rate = measure(&rows[i], verbose), lo = 0, hi = 0;

        printf("%-20s %8.2f", rows[i].name, rate);
        if (compare_with && !bounds_of(compare_with, rows[i].name, &lo, &hi)) {
            printf("  not in %s", compare_with);
            bad++;
        } else if (compare_with && (rate < lo || rate > hi)) {
            printf("  OUT OF BOUNDS %.2f ... %.2f", lo, hi);
            bad++;
        }
        putchar('\n');
    }
    return bad ? 1 : 0;
}
