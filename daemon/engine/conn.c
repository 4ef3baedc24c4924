/* SPDX-License-Identifier: BSD-2-Clause */
/* One connection: its birth and end, and the calls of sock that are not one subject's. */
#include <errno.h>
#include <stdlib.h>

#include "engine/cc.h"
#include "state/records.h"

void tcp_config_init(struct tcp_config *config, const struct tunables *tun)
{
    *config = (struct tcp_config){
        .snd_buf_bytes = tun->send_buf,
        .rcv_buf_bytes = tun->recv_buf,
        .naglim_bytes = tun->naglim_def,
        .nodelay = tun->naglim_def == 1,
        .cwnd_max_bytes = tun->cwnd_max,
        .cc = tun->congestion_control,
        .rto_initial_ms = tun->rexmit_interval_initial,
        .rto_min_ms = tun->rexmit_interval_min,
        .rto_max_ms = tun->rexmit_interval_max,
        .grace_ms = tun->conn_grace_period,
        .conn_notify_ms = tun->ip_notify_cinterval,
        .conn_abort_ms = tun->ip_abort_cinterval,
        .notify_ms = tun->ip_notify_interval,
        .abort_ms = tun->ip_abort_interval,
        .keepalive_ms = tun->keepalive_interval,
        .keepalive_abort_ms = tun->keepalive_abort_interval,
        .fin_wait_2_ms = tun->fin_wait_2_flush_interval,
        .mss_def_v4_bytes = tun->mss_def_ipv4,
        .mss_def_v6_bytes = tun->mss_def_ipv6,
        .ttl = tun->ipv4_ttl,
        .hop_limit = tun->ipv6_hoplimit,
    };
}

static void init_rtt(struct tcp_conn *conn)
{
    const struct tcp_config *c = &conn->config;

    rtt_init(&conn->rtt, usec_from_msec(c->rto_initial_ms), usec_from_msec(c->rto_min_ms),
             usec_from_msec(c->rto_max_ms),
             usec_from_msec(conn->engine->tun->rexmit_interval_extra));
}

int conn_new(struct tcp_engine *e, const struct flow *flow, const struct tcp_config *config,
             usec_t now, struct tcp_conn **ret)
{
    struct tcp_conn *conn = calloc(1, sizeof(*conn));

    if (!conn)
        return -ENOMEM;
    conn->engine = e;
    conn->flow = *flow;
    conn->config = *config;
    if (sentq_reserve(&conn->sentq, 4) || idmap_reserve(&e->by_id) || demux_insert(e, conn)) {
        sentq_free(&conn->sentq);
        free(conn);
        return -ENOMEM;
    }
    conn->id = tcp_engine_take_id(e);
    idmap_put(&e->by_id, conn->id, conn);
    conn->state = TCP_CLOSED;
    conn->wheel_at = USEC_NEVER;
    for (unsigned i = 0; i < TIMER_COUNT; i++)
        conn->timer[i] = USEC_NEVER;
    list_init(&conn->wheel_node);
    list_init(&conn->event_node);
    list_init(&conn->dirty_node);
    list_init(&conn->output_node);
    list_init(&conn->child_node);
    list_append(&e->all, &conn->all_node);

    conn->snd.iss = isn_choose(e, flow, now);
    conn->snd.una = conn->snd.nxt = conn->snd.max = conn->snd.small_end = conn->snd.iss;
    conn->snd.up = conn->snd.iss;
    conn->ts.offset = isn_ts_offset(e, flow);
    conn->snd.peer_mss = conn_is_v4(conn) ? config->mss_def_v4_bytes : config->mss_def_v6_bytes;
    conn->tune.snd_buf = config->snd_buf_bytes;
    conn->tune.rcv_buf = config->rcv_buf_bytes;
    conn->rcv.wscale = window_scale_for(window_scalable_max(conn));
    while (conn->rcv.wscale && conn->tune.rcv_buf >> conn->rcv.wscale < 8)
        conn->rcv.wscale--; /* a unit larger than the buffer could only say 0 */
    cc_choose(conn);
    conn->stat.opened_at = conn->stat.last_recv_at = conn->stat.last_send_at = now;
    init_rtt(conn);
    dest_cache_seed(conn, now);
    mss_update(conn);
    conn_dirty(conn);
    *ret = conn;
    return 0;
}

struct tcp_conn *conn_free(struct tcp_conn *conn)
{
    if (!conn)
        return NULL;
    listener_forget(conn);
    quota_release(conn);
    demux_remove(conn->engine, conn);
    (void)idmap_take(&conn->engine->by_id, conn->id);
    list_del(&conn->wheel_node);
    list_del(&conn->event_node);
    list_del(&conn->dirty_node);
    list_del(&conn->output_node);
    list_del(&conn->all_node);
    ring_release(&conn->tx, &conn->engine->mem);
    ring_release(&conn->rx, &conn->engine->mem);
    sentq_free(&conn->sentq);
    free(conn);
    return NULL;
}

void conn_dirty(struct tcp_conn *conn)
{
    list_append_once(&conn->engine->dirty, &conn->dirty_node);
}

void conn_event(struct tcp_conn *conn, unsigned what)
{
    if (conn->orphan)
        what &= TCP_EV_PATH | TCP_EV_DRAINED | TCP_EV_GONE;
    if (!what)
        return;
    conn->events |= what;
    list_append_once(&conn->engine->events, &conn->event_node);
    conn_dirty(conn);
}

void conn_wants_output(struct tcp_conn *conn)
{
    list_append_once(&conn->engine->output, &conn->output_node);
}

/* Nobody holds it and it is dead: announce that, and let the commit free it. */
static void try_gone(struct tcp_conn *conn)
{
    if (conn->state != TCP_CLOSED || conn->gone || (!conn->orphan && conn->announced))
        return;
    conn->orphan = true;
    conn->gone = true;
    conn_dirty(conn);
    if (conn->announced) {
        conn_event(conn, TCP_EV_GONE);
        return;
    }
    conn->events = 0; /* nobody has heard of it: it goes without a word */
    list_del(&conn->event_node);
}

void conn_release(struct tcp_conn *conn)
{
    conn->orphan = true;
    conn_dirty(conn);
    try_gone(conn);
}

void conn_kill(struct tcp_conn *conn, enum tcp_cause cause, int error, usec_t now)
{
    tcp_conn_set_state(conn, TCP_CLOSED, cause, now);
    demux_remove(conn->engine, conn);
    timers_stop_all(conn);
    list_del(&conn->output_node);
    sentq_free(&conn->sentq);
    conn->error = error;
    if (conn->listener && !conn->queued)
        listener_forget(conn);
    conn_event(conn, TCP_EV_CLOSED);
    try_gone(conn);
}

/* ---- opening ---------------------------------------------------------------------- */

bool tcp_flow_free(const struct tcp_engine *e, const struct flow *flow, usec_t now)
{
    const struct tcp_conn *old = demux_find(e, flow);

    return !old || time_wait_reusable_by_connect(old, now);
}

/* RFC 6191 2, RFC 9293 3.6.1: no number of the old connection comes again. */
void conn_start_above(struct tcp_conn *conn, struct seq above)
{
    if (seq_gt(conn->snd.iss, above))
        return;
    conn->snd.iss = seq_add(above, 1 + ((uint32_t)engine_random(conn->engine) & 0xffff));
    conn->snd.una = conn->snd.nxt = conn->snd.max = conn->snd.small_end = conn->snd.iss;
    conn->snd.up = conn->snd.wl2 = conn->snd.iss;
}

int tcp_connect(struct tcp_engine *e, const struct tcp_open *open, usec_t now,
                struct tcp_conn **ret)
{
    struct tcp_conn *old = demux_find(e, &open->flow), *conn;
    struct seq above = { 0 };
    int r;

    if (old) {
        if (!time_wait_reusable_by_connect(old, now))
            return -EADDRINUSE;
        above = old->snd.nxt;
        e->counters.time_wait_reused++;
        conn_kill(old, CAUSE_REUSED, 0, now);
    }
    r = conn_new(e, &open->flow, &open->config, now, &conn);
    if (r)
        return r;
    if (old)
        conn_start_above(conn, above);
    conn->user = open->user;
    conn->announced = true;
    conn->path = open->path;
    conn->path_known = true;
    conn->path.mtu = pmtu_known(conn, now);
    segmentize_offers(conn);
    mss_update(conn);
    e->counters.active_opens++;
    tcp_conn_set_state(conn, TCP_SYN_SENT, CAUSE_ACTIVE_OPEN, now);
    conn->syn_now = true;
    conn_wants_output(conn);
    *ret = conn;
    return 0;
}

/* ---- closing ---------------------------------------------------------------------- */

void tcp_conn_shutdown(struct tcp_conn *conn, usec_t now)
{
    if (conn->snd.fin_queued || conn->state == TCP_CLOSED)
        return;
    conn_dirty(conn);
    conn->snd.fin_queued = true; /* before ESTABLISHED it waits: 3.10.4 */
    if (conn->state == TCP_ESTABLISHED)
        tcp_conn_set_state(conn, TCP_FIN_WAIT_1, CAUSE_CLOSE, now);
    else if (conn->state == TCP_CLOSE_WAIT)
        tcp_conn_set_state(conn, TCP_LAST_ACK, CAUSE_CLOSE, now);
    output_consider(conn, now);
}

void tcp_conn_close(struct tcp_conn *conn, usec_t now)
{
    bool unread = ring_used(&conn->rx) > 0;

    if (conn->state == TCP_SYN_SENT) {
        conn->orphan = true;
        conn_kill(conn, CAUSE_CLOSE, 0, now);
        return;
    }
    if (unread && conn_synchronized(conn) && conn->state != TCP_TIME_WAIT) {
        tcp_conn_abort(conn, now);
        return;
    }
    conn->orphan = true;
    conn->snd.blocked = false;
    conn_dirty(conn);
    tcp_conn_shutdown(conn, now);
    if (conn->state == TCP_FIN_WAIT_2)
        timer_set(conn, TIMER_LINGER, now + usec_from_msec(conn->config.fin_wait_2_ms));
    if (conn->config.cork) /* close sends what was held back */
        conn->config.cork = 0;
    output_consider(conn, now);
    try_gone(conn);
}

void tcp_conn_abort(struct tcp_conn *conn, usec_t now)
{
    bool tell_peer = conn->state != TCP_SYN_SENT && conn->state != TCP_TIME_WAIT;

    conn->orphan = true;
    if (conn->state != TCP_CLOSED) {
        if (tell_peer)
            reply_rst_conn(conn, now);
        conn_kill(conn, CAUSE_ABORT, 0, now);
    }
    conn_release(conn);
}

/* ---- bytes ------------------------------------------------------------------------ */

uint32_t tcp_conn_tx_space(struct tcp_conn *conn, uint32_t want, struct iovec iov[2])
{
    uint32_t used = ring_used(&conn->tx), limit = conn->tune.snd_buf, room;

    iov[0] = iov[1] = (struct iovec){ 0 };
    if (conn->snd.fin_queued || conn->state == TCP_CLOSED || conn->orphan)
        return 0;
    if (used >= limit) {
        conn->snd.blocked = true;
        return 0;
    }
    room = MIN(want, limit - used);
    if (used + room > conn->tx.size &&
        ring_reserve(&conn->tx, &conn->engine->mem, used + room, conn->tx.tail) &&
        used >= conn->tx.size) {
        conn->snd.starved = true; /* asked again when the timer comes, not at each commit */
        if (!timer_running(conn, TIMER_SHRINK))
            shrink_later(conn, conn->stat.last_recv_at);
        return 0;
    }
    room = MIN(limit - used, ring_free_bytes(&conn->tx));
    (void)ring_span(&conn->tx, conn->tx.tail, room, iov);
    return room;
}

void tcp_conn_tx_commit(struct tcp_conn *conn, uint32_t len, bool urgent, usec_t now)
{
    conn->tx.tail += len;
    shrink_later(conn, now);
    if (urgent)
        urgent_written(conn);
    conn_dirty(conn);
    output_consider(conn, now);
}

uint32_t tcp_conn_tx_unacked(const struct tcp_conn *conn)
{
    return (uint32_t)(conn->tx.tail - conn->snd.una_pos);
}

uint32_t tcp_conn_rx_peek(struct tcp_conn *conn, struct iovec iov[2])
{
    uint32_t used = ring_used(&conn->rx);

    iov[0] = iov[1] = (struct iovec){ 0 };
    (void)ring_span(&conn->rx, conn->rx.head, used, iov);
    return used;
}

void tcp_conn_rx_consume(struct tcp_conn *conn, uint32_t len, usec_t now)
{
    urgent_consumed(conn, len);
    conn->rx.head += len;
    conn->rcv.hidden += len;
    shrink_later(conn, now);
    conn_dirty(conn);
}

void tcp_conn_rx_release(struct tcp_conn *conn, uint32_t len, usec_t now)
{
    conn->rcv.hidden -= MIN(len, conn->rcv.hidden);
    conn->rcv.released += len;
    conn_dirty(conn);
    autotune_read(conn, len, now);
    window_release(conn, now);
}

uint32_t tcp_conn_rx_hidden(const struct tcp_conn *conn)
{
    return conn->rcv.hidden;
}

bool tcp_conn_rx_fin(const struct tcp_conn *conn)
{
    return !ring_used(&conn->rx) && (conn->rcv.fin_taken || conn->state == TCP_CLOSED);
}

/* ---- settings --------------------------------------------------------------------- */

const struct tcp_config *tcp_conn_config(const struct tcp_conn *conn)
{
    return &conn->config;
}

static void apply_buffers(struct tcp_conn *conn, const struct tcp_config *new)
{
    if (new->snd_buf_bytes != conn->config.snd_buf_bytes || new->snd_buf_fixed)
        conn->tune.snd_buf = new->snd_buf_bytes;
    if (new->rcv_buf_bytes != conn->config.rcv_buf_bytes || new->rcv_buf_fixed)
        conn->tune.rcv_buf = new->rcv_buf_bytes;
    if (conn->state == TCP_CLOSED || conn->state == TCP_SYN_SENT)
        return;
    conn->tune.rcv_buf = MIN(conn->tune.rcv_buf,
                             65535u << (conn->use_wscale ? conn->rcv.wscale : 0));
}

void tcp_conn_configure(struct tcp_conn *conn, const struct tcp_config *config, usec_t now)
{
    struct tcp_config old = conn->config;

    apply_buffers(conn, config);
    conn->config = *config;
    cc_choose(conn);
    rtt_limits(&conn->rtt, usec_from_msec(config->rto_min_ms), usec_from_msec(config->rto_max_ms));
    if (conn->state == TCP_SYN_SENT && !conn->syn_tries && !conn->rtt.srtt)
        init_rtt(conn);
    if (old.keepalive != config->keepalive || old.keepalive_ms != config->keepalive_ms)
        keepalive_arm(conn, now);
    if (old.init_cwnd_segs != config->init_cwnd_segs && conn->state == TCP_ESTABLISHED &&
        !conn->stat.bytes_sent)
        conn->cc.cwnd = cc_initial_window(conn);
    conn_dirty(conn);
    if (conn->state != TCP_CLOSED) {
        window_release(conn, now);
        output_consider(conn, now);
    }
}

void tcp_conn_set_path(struct tcp_conn *conn, const struct path *path, usec_t now)
{
    bool first = !conn->path_known;
    uint32_t device = conn->path.ifindex;

    conn->path = *path;
    conn->path_known = true;
    if (conn->state == TCP_CLOSED)
        return;
    if (device && device != path->ifindex)
        conn->learned_mtu = 0;
    if (first) {
        conn->path.mtu = pmtu_known(conn, now);
        mss_update(conn);
    } else {
        pmtu_set(conn, pmtu_known(conn, now), now);
    }
    conn_dirty(conn);
    output_consider(conn, now);
}

uint64_t tcp_conn_id(const struct tcp_conn *conn)
{
    return conn->id;
}

bool tcp_conn_gone(const struct tcp_conn *conn)
{
    return conn->gone;
}

enum tcp_state tcp_conn_state(const struct tcp_conn *conn)
{
    return conn->state;
}

const struct flow *tcp_conn_flow(const struct tcp_conn *conn)
{
    return &conn->flow;
}

const struct path *tcp_conn_path(const struct tcp_conn *conn)
{
    return &conn->path;
}

void tcp_conn_set_user(struct tcp_conn *conn, uint64_t user)
{
    conn->user = user;
    conn_dirty(conn);
}

/* The saved rows of records.def, copied field by field. */
void tcp_conn_save(const struct tcp_conn *conn, struct conn_record *ret)
{
    const struct tcp_conn *from = conn;
    struct conn_record *to = ret;

#define SAVE_SAVED(name)   __builtin_memcpy(&to->name, &from->name, sizeof(to->name));
#define SAVE_REBUILT(name)
#define SAVE_DROPPED(name)
#define FIELD(tag, type, name, fate, note) SAVE_##fate(name)
#define ARRAY(tag, type, name, count, fate, note) SAVE_##fate(name)
#define GROUP(name)                                                                                \
    {                                                                                              \
        const __typeof__(conn->name) *from = &conn->name;                                          \
        __typeof__(ret->name) *to = &ret->name;                                                    \
        (void)from;                                                                                \
        (void)to;
#define GROUP_END(name) }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#define RECORDS_CONN
#include "state/records.def"
#pragma GCC diagnostic pop
}
