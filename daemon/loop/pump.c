/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The order is what counts, twice. Nothing leaves before the commit of the state
 * that it tells of; and all input of a wake-up is taken before anything is said,
 * so that one ACK and one commit answer many segments.
 *
 * Speaking makes news: room in a receive ring opens a window, a commit frees
 * send space. So think-commit-speak is repeated until nothing is left, at most
 * PUMP_ROUNDS times; what then remains waits for the next wake-up, which comes
 * at once but takes input first.
 */
#include "loop/pump.h"

#include <errno.h>
#include <poll.h>

#include "base/cleanup.h"

#define INPUT_PACKETS  64u
#define INPUT_REQUESTS 16u
#define OUTPUT_PACKETS 256u /* super-frames a round, so that input gets its turn */
#define FLUSH_PACKETS  32u
#define PUMP_ROUNDS    4u
#define HEARTBEAT_USEC (5 * USEC_PER_SEC)

/* ---- input ------------------------------------------------------------------------- */

void pump_packet(void *ctx, const struct packet *pkt, usec_t now)
{
    tcp_engine_receive(((struct daemon *)ctx)->engine, pkt, now);
}

void pump_icmp(void *ctx, const struct icmp_error *err, usec_t now)
{
    tcp_engine_icmp(((struct daemon *)ctx)->engine, err, now);
}

/*
 * Asked again for each connection: the kernel decides, by rules that we do not
 * know. A flow that has no route keeps its path, and its segments will tell.
 */
void pump_routes_changed(void *ctx, usec_t now)
{
    struct daemon *d = ctx;
    struct tcp_conn *next;
    struct path path;

    for (struct tcp_conn *conn = tcp_engine_first(d->engine); conn; conn = next) {
        next = tcp_engine_next(d->engine, conn);
        if (netio_route(d->netio, tcp_conn_flow(conn), tcp_conn_config(conn)->bound_ifindex,
                        &path) == 0)
            tcp_conn_set_path(conn, &path, now);
    }
}

/* The tunables that netio obeys have no owner there: look whether one was changed. */
static void follow_tunables(struct daemon *d, usec_t now)
{
    const struct tunables *tun = &d->tun;
    const struct netio_settings want = {
        .anon_low = (uint16_t)tun->smallest_anon_port,
        .anon_high = (uint16_t)tun->largest_anon_port,
        .claim_pool = tun->claim_pool,
        .raw_only = tun->link_mode == TUN_LINK_RAW,
    };
    const bool links = want.raw_only != d->net_settings.raw_only;

    if (want.anon_low == d->net_settings.anon_low && want.anon_high == d->net_settings.anon_high &&
        want.claim_pool == d->net_settings.claim_pool && !links)
        return;
    d->net_settings = want;
    netio_set_ports(d->netio, want.anon_low, want.anon_high, want.claim_pool);
    netio_set_raw_only(d->netio, want.raw_only);
    if (links)
        pump_routes_changed(d, now);
}

/* Returns the bits of what is not finished. */
static unsigned take_input(struct daemon *d, unsigned due, usec_t now)
{
    unsigned more = 0;

    if (due & DUE_ROUTE)
        netio_route_input(d->netio, now);
    if (due & DUE_DEVICE)
        tcp_engine_resume(d->engine);
    if (due & DUE_NETIO)
        more |= netio_input(d->netio, (due & DUE_NETIO) >> DUE_NETIO_SHIFT, INPUT_PACKETS, now)
                << DUE_NETIO_SHIFT;
    if (d->ending)
        return more;
    if (due & DUE_RPC) {
        if (rpc_input(d->rpc, INPUT_REQUESTS, now))
            more |= DUE_RPC;
        follow_tunables(d, now);
    }
    if (due & DUE_STREAM && stream_input(d->stream, now))
        more |= DUE_STREAM;
    return more;
}

/* ---- thinking ---------------------------------------------------------------------- */

static void hand_over_ready(struct daemon *d, usec_t now)
{
    struct sock *s;
    unsigned what;

    while ((s = sock_next_ready(d->socks, &what))) {
        if (d->ending)
            continue;
        stream_ready(d->stream, s, what, now);
        /* Bytes that waited in the descriptor announce themselves only once. */
        if (what & (SOCK_READY_WRITE | SOCK_READY_CONNECTED))
            loop_wake_now(d->loop, DUE_STREAM);
    }
}

static bool think(struct daemon *d, usec_t now)
{
    struct tcp_event event;
    bool any = false;

    while (tcp_engine_next_event(d->engine, &event)) {
        sock_on_event(d->socks, &event, now);
        any = true;
    }
    hand_over_ready(d, now);
    return any;
}

/* ---- speaking ---------------------------------------------------------------------- */

struct outgoing {
    struct daemon *d;
    usec_t now;
};

static void on_unsent(void *ctx, const struct packet *pkt, int error)
{
    const struct outgoing *out = ctx;

    tcp_engine_unsent(out->d->engine, pkt, error, out->now);
}

/* The devices are full: wake up when the full one of our sockets has room. */
static void await_device(struct daemon *d)
{
    struct pollfd fds[] = {
        { .fd = d->net_fds.raw4_out, .events = POLLOUT },
        { .fd = d->net_fds.raw6_out, .events = POLLOUT },
        { .fd = d->net_fds.packet_out, .events = POLLOUT },
    };

    if (poll(fds, ARRAY_LEN(fds), 0) < 0)
        return; /* the engine tries again by itself, after 1 ms */
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        if (fds[i].fd >= 0 && !fds[i].revents)
            (void)loop_watch(d->loop, fds[i].fd, LOOP_WRITE_ONCE, DUE_DEVICE);
}

static void flush_packets(struct daemon *d, usec_t now)
{
    struct outgoing out = { d, now };

    if (netio_flush(d->netio, on_unsent, &out))
        await_device(d);
}

static void send_packets(struct daemon *d, usec_t now)
{
    struct packet pkt;
    unsigned n = 0;

    while (n < OUTPUT_PACKETS && tcp_engine_next_packet(d->engine, now, &pkt)) {
        int r = netio_send(d->netio, &pkt);

        if (r == -EAGAIN) {
            flush_packets(d, now);
            r = netio_send(d->netio, &pkt);
        }
        if (r)
            tcp_engine_unsent(d->engine, &pkt, r, now);
        if (++n % FLUSH_PACKETS == 0)
            flush_packets(d, now);
    }
    if (n % FLUSH_PACKETS)
        flush_packets(d, now);
}

static void speak(struct daemon *d, usec_t now)
{
    send_packets(d, now);
    if (d->ending)
        return;
    (void)stream_flush(d->stream, now); /* what waits for its descriptor is woken by it */
    rpc_flush(d->rpc);
}

/* ---- all together ------------------------------------------------------------------ */

/* Returns true if there is still something to do now. */
static bool rounds(struct daemon *d, usec_t now)
{
    for (unsigned i = 0; i < PUMP_ROUNDS; i++) {
        const bool news = think(d, now);

        if (i && !news && !tcp_engine_has_packets(d->engine, now) && !state_move_full(d->state))
            return false;
        state_commit(d->state, d->engine, d->socks);
        speak(d, now);
    }
    return true;
}

static usec_t next_deadline(const struct daemon *d, usec_t now)
{
    const usec_t beat = (now / HEARTBEAT_USEC + 1) * HEARTBEAT_USEC;
    const usec_t at = usec_min(tcp_engine_deadline(d->engine), beat);

    if (d->ending)
        return usec_min(at, now + 50 * USEC_PER_MSEC);
    return usec_min(at, rpc_deadline(d->rpc));
}

void pump(struct daemon *d, unsigned due, usec_t now)
{
    const unsigned more = take_input(d, due, now);

    tcp_engine_advance(d->engine, now);
    if (!d->ending)
        rpc_advance(d->rpc, now);
    if (rounds(d, now) || more)
        loop_wake_now(d->loop, more);
    loop_wake_at(d->loop, now, next_deadline(d, now));
    state_heartbeat(d->state, now);
}
