/* SPDX-License-Identifier: BSD-2-Clause */
/* Build the rooms in the order of their arrows, run the loop, take them down. */
#include "loop/worker.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/siphash.h"
#include "loop/log.h"
#include "loop/pump.h"
#include "loop/worker_end.h"
#include "loop/world.h"
#include "priv/caps.h"

struct worker {
    struct daemon d;
    const struct worker_init *init;
    int signal_fd;
};

/* ---- signals and wake-ups ---------------------------------------------------------- */

static int signals_open(void)
{
    sigset_t set;
    int fd;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

static void take_signals(struct worker *w, usec_t now)
{
    struct signalfd_siginfo info;

    while (read(w->signal_fd, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGHUP)
            w->init->reload(w->init->reload_ctx);
        else
            worker_end_begin(&w->d, now);
    }
}

static void on_wake(void *ctx, unsigned due, usec_t now)
{
    struct worker *w = ctx;

    if (due & DUE_SIGNAL)
        take_signals(w, now);
    pump(&w->d, due, now);
    worker_end_step(&w->d, now);
}

/* ---- building ---------------------------------------------------------------------- */

/* A seed of its own for each room, from the one that outlives the worker. */
static void seed_derive(const uint8_t seed[32], uint64_t room, uint8_t ret[32])
{
    struct siphash_key key[2] = { siphash_expand(seed, 2 * room),
                                  siphash_expand(seed, 2 * room + 1) };

    memcpy(ret, key, 32);
}

enum seed_room { SEED_ENGINE = 0x1000, SEED_SOCK };

static uint32_t memory_mb(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

    return pages > 0 && size > 0 ? (uint32_t)MIN((uint64_t)pages * (uint64_t)size >> 20, UINT32_MAX)
                                 : 0;
}

static int build_engine(struct daemon *d, usec_t now)
{
    const struct state_global *global = state_global(d->state);
    struct tcp_engine_init init = {
        .tun = &d->tun,
        .mem = state_ring_mem(d->state),
        .memory_mb = memory_mb(),
        .first_id = global->next_id,
        .now = now,
    };

    seed_derive(global->seed, SEED_ENGINE, init.seed);
    return tcp_engine_new(&init, &d->engine);
}

static int build_netio(struct daemon *d)
{
    const struct netio_init init = {
        .fds = d->net_fds,
        .handler = { d, pump_packet, pump_icmp, pump_routes_changed },
        .registry = world_registry(d->state),
        .raw_only = d->tun.link_mode == TUN_LINK_RAW,
        .claim_pool = d->tun.claim_pool,
        .anon_low = (uint16_t)d->tun.smallest_anon_port,
        .anon_high = (uint16_t)d->tun.largest_anon_port,
    };

    return netio_new(&init, &d->netio);
}

static int build_sock(struct daemon *d)
{
    struct sock_table_init init = {
        .engine = d->engine,
        .tun = &d->tun,
        .world = world_of_netio(d->netio),
    };

    seed_derive(state_global(d->state)->seed, SEED_SOCK, init.seed);
    return sock_table_new(&init, &d->socks);
}

static int build_stream(struct daemon *d, const char *private_dir)
{
    const struct stream_init init = {
        .state = d->state,
        .socks = d->socks,
        .private_dir = private_dir,
    };

    return stream_new(&init, &d->stream);
}

static int build_rpc(struct daemon *d, const struct worker_init *w)
{
    const struct rpc_init init = {
        .listen_fd = w->rpc_listen_fd,
        .socks = d->socks,
        .stream = d->stream,
        .state = d->state,
        .engine = d->engine,
        .tun = &d->tun,
        .netio_pairs = world_netio_pairs,
        .netio_ctx = d->netio,
        .port_claims = world_port_claims,
        .supervisor_pid = (uint32_t)w->supervisor,
        .started_at = w->started_at,
    };

    return rpc_new(&init, &d->rpc);
}

static int build_watches(struct worker *w)
{
    struct daemon *d = &w->d;
    struct netio_watch net;
    int r = 0;

    netio_watch(d->netio, &net);
    for (size_t i = 0; i < ARRAY_LEN(net.input); i++)
        if (net.input[i] >= 0 && !r)
            r = loop_watch(d->loop, net.input[i], LOOP_READ, 1u << i << DUE_NETIO_SHIFT);
    if (!r && net.route_events >= 0)
        r = loop_watch(d->loop, net.route_events, LOOP_READ, DUE_ROUTE);
    if (!r)
        r = loop_watch(d->loop, stream_epoll_fd(d->stream), LOOP_READ, DUE_STREAM);
    if (!r)
        r = loop_watch(d->loop, rpc_epoll_fd(d->rpc), LOOP_READ, DUE_RPC);
    if (!r)
        r = loop_watch(d->loop, w->signal_fd, LOOP_READ, DUE_SIGNAL);
    return r;
}

static void adopt_claim(void *ctx, int fd, enum state_fd_kind kind, uint64_t arg)
{
    if (kind == STATE_FD_CLAIM)
        netio_adopt_claim(ctx, fd, (uint16_t)arg);
}

static int inherit(struct state *s)
{
    struct state_inherited old;
    int r = state_attach(s);

    if (r) {
        log_error("the state left by the former worker cannot be used: %s", strerror(-r));
        return r;
    }
    state_inherited(s, &old);
    if (old.conns || old.socks)
        log_warning("lost with the former worker: %u connections, %u sockets", old.conns,
                    old.socks);
    /* What the registry names belongs to netio, stream and rpc, which find theirs in it. */
    state_fd_sweep(s);
    return 0;
}

/* One step of building, with its name for the message when it fails. */
static int step(const char *what, int r)
{
    if (r)
        log_error("the worker cannot start: %s: %s", what, strerror(-r));
    return r;
}

static int build(struct worker *w, usec_t now)
{
    const struct loop_handler handler = { w, on_wake };
    struct daemon *d = &w->d;
    int r;

    w->signal_fd = signals_open();
    r = step("signals", MIN(w->signal_fd, 0));
    r = r ? r : step("event loop", loop_new(&handler, &d->loop));
    r = r ? r : step("engine", build_engine(d, now));
    r = r ? r : step("network sockets", build_netio(d));
    r = r ? r : step("sockets", build_sock(d));
    r = r ? r : step("descriptors of programs", build_stream(d, w->init->private_dir));
    r = r ? r : step("requests", build_rpc(d, w->init));
    r = r ? r : step("event loop", build_watches(w));
    if (r)
        return r;
    state_fd_each(d->state, adopt_claim, d->netio);
    netio_adopt_done(d->netio); /* nothing is restored yet that would need one */
    state_commit(d->state, d->engine, d->socks);
    return 0;
}

static void take_down(struct worker *w)
{
    struct daemon *d = &w->d;

    d->rpc = rpc_free(d->rpc);
    d->stream = stream_free(d->stream);
    d->socks = sock_table_free(d->socks);
    d->netio = netio_free(d->netio);
    d->engine = tcp_engine_free(d->engine);
    d->loop = loop_free(d->loop);
    if (w->signal_fd >= 0)
        (void)close(w->signal_fd);
}

int worker_run(const struct worker_init *init)
{
    const uint64_t one = 1;
    struct worker w = { .init = init, .signal_fd = -1 };
    int r;

    (void)prctl(PR_SET_NAME, "tcpd-worker");
    w.d.state = init->state;
    w.d.net_fds = init->netio;
    tunables_init(&w.d.tun);
    if (init->strong_iss >= 0)
        w.d.tun.strong_iss = (uint32_t)init->strong_iss;

    if (inherit(init->state))
        return 1;
    r = step("dropping capabilities", caps_drop());
    r = r ? r : build(&w, loop_now());
    if (!r) {
        state_heartbeat(init->state, loop_now());
        /* Input may wait since before this worker was there. */
        loop_wake_now(w.d.loop, DUE_NETIO | DUE_ROUTE | DUE_STREAM | DUE_RPC);
        if (write(init->ready_fd, &one, sizeof(one)) < 0)
            log_warning("cannot tell the supervisor that the worker is ready: %s", strerror(errno));
        loop_run(w.d.loop);
    }
    take_down(&w);
    return r ? 1 : 0;
}
