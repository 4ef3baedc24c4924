/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inside of the room: the structs behind engine.h and what its files call of
 * each other. No other room includes it.
 */
#ifndef TCPD_ENGINE_IMPL_H
#define TCPD_ENGINE_IMPL_H

#include "base/idmap.h"
#include "base/list.h"
#include "base/siphash.h"
#include "engine/engine.h"
#include "engine/record_types.h"
#include "proto/tunables.h"
#include "wire/icmp.h"
#include "wire/tcp_header.h"

struct tcp_cc;

/* quota.c: connections of a listener that has a limit, and of those who hold this struct. */
struct quota {
    uint32_t refs, count, max;
};

/* One connection. Its fields, and what becomes of them at a restart: state/records.def. */
struct tcp_conn {
#define FIELD(tag, type, name, fate, note) type name;
#define RECORDS_CONN
#include "state/records.def"
};

struct tcp_listener {
    struct tcp_engine *engine;
    struct ip_addr addr; /* any or specific */
    uint16_t port;
    uint32_t zone;
    bool v6only;
    uint64_t user;
    struct tcp_config config;
    uint32_t backlog;
    uint32_t queued;    /* completed, not taken: illumos' q */
    uint32_t held;      /* taken on the way to a program that has not accepted them yet */
    uint32_t half_open; /* SYN_RCVD: illumos' q0 */
    struct quota *quota; /* NULL: unlimited */
    struct list children;
    struct list port_node; /* in the engine's bucket for this port */
};

/* ---- timers.c ---- */

#define WHEEL_SHIFT  8 /* a tick is 256 usec */
#define WHEEL_BITS   6
#define WHEEL_SLOTS  (1u << WHEEL_BITS)
#define WHEEL_LEVELS 7 /* 2^(8 + 42) usec: 35 years */

struct wheel {
    uint64_t tick; /* every slot before it has been run */
    uint64_t busy[WHEEL_LEVELS];
    struct list slot[WHEEL_LEVELS][WHEEL_SLOTS];
};

/* ---- limits on what we say without a connection ---- */

struct rate {
    usec_t since;
    uint32_t count, budget;
};

/* An answer that belongs to no connection. */
struct reply {
    struct flow flow;
    uint32_t ifindex;
    struct segment seg;
    uint8_t ttl, tos;
};

#define REPLIES_MAX 1024

/* What is known of a destination. */
struct dest {
    struct ip_addr addr;
    uint32_t zone;
    uint32_t ssthresh; /* bytes; 0: never reduced */
    uint32_t mtu;
    usec_t used_at; /* 0: free */
    usec_t measured_at, mtu_at;
    usec_t srtt, rttvar;
};

#define DEST_CACHE_SIZE 1024

struct conn_table {
    struct tcp_conn **slot; /* open addressing, power of two */
    uint32_t cap, count, deleted;
};

#define PORT_BUCKETS 1024

struct tcp_engine {
    const struct tunables *tun;
    struct ring_mem mem;
    struct siphash_key key_demux, key_isn, key_ts, key_cookie, key_random, key_reuseport,
        key_dest;
    uint64_t random_count;
    uint32_t memory_mb;
    uint64_t next_id;
    struct conn_table conns; /* by 4-tuple */
    struct idmap by_id;
    struct list all; /* every connection, also those out of the table */
    struct list ports[PORT_BUCKETS];
    struct wheel wheel;
    struct list events, dirty, saved, output;
    struct rate rst_rate, challenge_rate;
    struct reply replies[REPLIES_MAX];
    uint32_t reply_first, reply_count;
    usec_t cookies_at; /* when a SYN cookie was last sent; 0 = never */
    usec_t seen_at;   /* the latest time we were told */
    usec_t jumped_at; /* the clock went on without us: what was in flight then measures nothing */
    bool output_blocked;
    usec_t output_blocked_until;
    uint32_t isn_count; /* connections so far: RFC 6528's timer has company (_iss_incr) */
    struct tcp_counters counters;
    struct dest dests[DEST_CACHE_SIZE]; /* pairs */
    void (*trace)(void *ctx, const struct tcp_trace *t);
    void *trace_ctx;
};

/* ---- engine.c ---- */
uint64_t engine_random(struct tcp_engine *e);
void engine_drop(struct tcp_engine *e, const struct tcp_conn *conn, enum tcp_drop why, usec_t now);
void engine_note_time(struct tcp_engine *e, usec_t now);
bool rate_allows(struct tcp_engine *e, struct rate *rate, uint32_t per_second, usec_t now);

/* ---- demux.c ---- */
int demux_init(struct tcp_engine *e);
void demux_free(struct tcp_engine *e);
int demux_insert(struct tcp_engine *e, struct tcp_conn *conn);
void demux_remove(struct tcp_engine *e, struct tcp_conn *conn);
struct tcp_conn *demux_find(const struct tcp_engine *e, const struct flow *flow);
/* The listener that a SYN to flow->local belongs to: specific before wildcard. */
struct tcp_listener *demux_listener(struct tcp_engine *e, const struct flow *flow);
void demux_listener_add(struct tcp_engine *e, struct tcp_listener *l);

/* ---- conn.c ---- */
int conn_new(struct tcp_engine *e, const struct flow *flow, const struct tcp_config *config,
             usec_t now, struct tcp_conn **ret);
void conn_start_above(struct tcp_conn *conn, struct seq above);
struct tcp_conn *conn_free(struct tcp_conn *conn);
void conn_dirty(struct tcp_conn *conn);
void conn_event(struct tcp_conn *conn, unsigned what);
void conn_wants_output(struct tcp_conn *conn);
void shrink_later(struct tcp_conn *conn, usec_t now); /* timers.c */
/* Dead: out of the table, no timer, no packet; gone as soon as nobody holds it. */
void conn_kill(struct tcp_conn *conn, enum tcp_cause cause, int error, usec_t now);
void conn_release(struct tcp_conn *conn); /* its owner let go; announce GONE if it is dead */
static inline bool conn_is_v4(const struct tcp_conn *conn)
{
    return ip_addr_is_v4(&conn->flow.remote);
}
static inline bool conn_synchronized(const struct tcp_conn *conn)
{
    return conn->state >= TCP_ESTABLISHED;
}

/* ---- state.c ---- */
void tcp_conn_set_state(struct tcp_conn *conn, enum tcp_state to, enum tcp_cause cause, usec_t now);

/* ---- in.c, in_listen.c, in_syn_sent.c, in_synchronized.c: RFC 9293 3.10.7 ---- */
struct arrival {
    struct segment seg;
    struct flow flow;
    const struct packet *pkt;
    uint32_t wire_len; /* payload before anything was cut off: a duplicate ACK carries none */
    usec_t now;
};
void in_closed(struct tcp_engine *e, const struct arrival *a);
void in_listen(struct tcp_engine *e, struct tcp_listener *l, const struct arrival *a);
void in_syn_sent(struct tcp_conn *conn, const struct arrival *a);
void in_synchronized(struct tcp_conn *conn, struct arrival *a);
/* What a SYN says about the peer: options and window, taken at any of the three doors. */
void in_take_syn(struct tcp_conn *conn, const struct segment *seg, usec_t now);

/* ---- reply.c ---- */
void reply_rst(struct tcp_engine *e, const struct arrival *a);
void reply_rst_conn(struct tcp_conn *conn, usec_t now);
void reply_push(struct tcp_engine *e, const struct reply *r);
bool reply_next(struct tcp_engine *e, struct packet *ret);
/* RFC 5961 3.2, 4.2, 5.2: ask for confirmation, within the rate limit. */
void reply_challenge(struct tcp_conn *conn, usec_t now);

/* ---- accept_ack.c ---- */
/* Returns false when the segment is to be dropped. */
bool ack_accept(struct tcp_conn *conn, const struct arrival *a);
void ack_update_window(struct tcp_conn *conn, const struct segment *seg, usec_t now);

/* ---- window.c ---- */
struct seq window_edge(const struct tcp_conn *conn); /* the right edge that we would offer now */
uint16_t window_advertise(struct tcp_conn *conn);
void window_release(struct tcp_conn *conn, usec_t now); /* is an update due? */
uint8_t window_scale_for(uint32_t bytes);
uint32_t window_scalable_max(const struct tcp_conn *conn);

/* ---- reasm.c ---- */
/* Store [seq, seq + len) of the stream; what was in order becomes readable. */
void reasm_store(struct tcp_conn *conn, struct seq seq, const uint8_t *data, uint32_t len,
                 usec_t now);
void reasm_fin(struct tcp_conn *conn, struct seq fin_seq, usec_t now);
/* RFC 2883: [start, start + len) was here before; the next ACK says so. */
void reasm_note_duplicate(struct tcp_conn *conn, struct seq start, uint32_t len);
void reasm_timeout(struct tcp_conn *conn, usec_t now);
uint8_t reasm_sacks(const struct tcp_conn *conn, struct seq_range *ret, uint8_t max);

/* ---- delack.c ---- */
void delack_received(struct tcp_conn *conn, uint32_t len, bool in_order, usec_t now);
void delack_sent(struct tcp_conn *conn);
void delack_timeout(struct tcp_conn *conn, usec_t now);
void ack_now(struct tcp_conn *conn);
void ack_again(struct tcp_conn *conn);

/* ---- output.c, segmentize.c, nagle.c ---- */
void output_consider(struct tcp_conn *conn, usec_t now); /* put it on the list if it may send */
bool output_next(struct tcp_conn *conn, usec_t now, struct packet *ret);
bool output_has_new(const struct tcp_conn *conn); /* a segment that was never sent could go */
void output_unsent(struct tcp_conn *conn, const struct packet *pkt, usec_t now);
bool nagle_holds(const struct tcp_conn *conn, uint32_t len);
struct seq snd_end(const struct tcp_conn *conn); /* one past the last byte written */
/* Which offers our SYN makes: conn->use_* until the answer comes. */
void segmentize_offers(struct tcp_conn *conn);
/* Build the packet for [start, end) of what was or will be sent, FIN included. */
void segmentize(struct tcp_conn *conn, struct seq start, struct seq end, usec_t now,
                struct packet *ret);
void segmentize_syn(struct tcp_conn *conn, usec_t now, struct packet *ret);
void segmentize_ack(struct tcp_conn *conn, struct seq seq, usec_t now, struct packet *ret);
uint32_t ts_clock(const struct tcp_conn *conn, usec_t now);

/* ---- loss.c, scoreboard.c ---- */
/* What one acceptable ACK tells. */
struct ack_news {
    const struct segment *seg;
    uint32_t acked;   /* bytes newly acknowledged */
    uint32_t sacked;  /* bytes newly SACKed */
    bool duplicate;   /* a duplicate ACK as RFC 5681 2 defines it */
    bool dsack;       /* its first SACK block is a D-SACK (RFC 2883) */
    bool bare;        /* no data, no change of the window */
    struct sent_acked sent;
    usec_t now;
};
enum loss_phase {
    LOSS_OPEN,     /* nothing is missing */
    LOSS_RECOVERY, /* fast recovery, RFC 6675 or 6582 */
    LOSS_TIMEOUT,  /* after a retransmission timeout */
};
void loss_on_ack(struct tcp_conn *conn, const struct ack_news *news);
void loss_reorder_fired(struct tcp_conn *conn, usec_t now);
void loss_reopen(struct tcp_conn *conn); /* nothing is missing any more, or ever was */
void loss_on_timeout(struct tcp_conn *conn, usec_t now);
uint32_t loss_pipe(const struct tcp_conn *conn);
bool loss_rescue(struct tcp_conn *conn, usec_t now);
uint32_t scoreboard_take(struct tcp_conn *conn, const struct segment *seg, struct sent_acked *acked);
bool scoreboard_is_dsack(const struct tcp_conn *conn, const struct segment *seg);
void scoreboard_find_lost(struct tcp_conn *conn);

/* ---- rack.c, tlp.c, prr.c, frto.c, undo.c: the parts of loss recovery ---- */
bool rack_in_use(const struct tcp_conn *conn);
void rack_prepare(const struct tcp_conn *conn, struct sent_acked *acked, usec_t now);
void rack_on_ack(struct tcp_conn *conn, const struct ack_news *news);
bool rack_find_lost(struct tcp_conn *conn, usec_t now);
void rack_recovered(struct tcp_conn *conn);
void rack_forget_sacks(struct tcp_conn *conn);
void tlp_arm(struct tcp_conn *conn, usec_t now);
void tlp_fired(struct tcp_conn *conn, usec_t now);
void tlp_on_ack(struct tcp_conn *conn, const struct ack_news *news);
void prr_start(struct tcp_conn *conn, uint32_t flight);
uint32_t prr_send_count(const struct tcp_conn *conn, uint32_t pipe, uint32_t delivered,
                        bool progress);
void prr_on_ack(struct tcp_conn *conn, uint32_t delivered, bool progress, usec_t now);
void prr_sent(struct tcp_conn *conn, int64_t len);
enum frto {
    FRTO_OFF,
    FRTO_ASKED,    /* the first segment went out again */
    FRTO_ANSWERED, /* and two new ones, after the first ACK */
};
void frto_begin(struct tcp_conn *conn, bool first);
bool frto_on_ack(struct tcp_conn *conn, const struct ack_news *news);
void undo_remember(struct tcp_conn *conn, bool timeout);
void undo_sent_again(struct tcp_conn *conn, uint32_t len, usec_t now);
void undo_closed(struct tcp_conn *conn);
void undo_now(struct tcp_conn *conn, usec_t now);
bool undo_on_ack(struct tcp_conn *conn, const struct ack_news *news);

/* ---- pace.c ---- */
bool pace_allows(struct tcp_conn *conn, usec_t now);
void pace_sent(struct tcp_conn *conn, uint32_t len, usec_t now);
uint32_t pace_quantum(const struct tcp_conn *conn);
uint64_t pace_rate(const struct tcp_conn *conn);
/* ---- urgent.c ---- */
void urgent_written(struct tcp_conn *conn);
bool urgent_mode(const struct tcp_conn *conn);
bool urgent_unsent(const struct tcp_conn *conn);
bool urgent_due(const struct tcp_conn *conn);
void urgent_put(struct tcp_conn *conn, struct segment *seg);
void urgent_received(struct tcp_conn *conn, const struct segment *seg);
void urgent_consumed(struct tcp_conn *conn, uint32_t len);

/* ---- ecn.c: RFC 3168 ---- */
uint8_t ecn_syn_flags(struct tcp_conn *conn);
void ecn_take_syn(struct tcp_conn *conn, uint8_t flags);
void ecn_take_syn_again(struct tcp_conn *conn, uint8_t flags);
bool ecn_syn_refused(struct tcp_conn *conn);
void ecn_received(struct tcp_conn *conn, const struct arrival *a);
uint8_t ecn_ack_flags(const struct tcp_conn *conn);
void ecn_mark_new_data(struct tcp_conn *conn, struct packet *pkt);
void ecn_unsent(struct tcp_conn *conn, const struct packet *pkt);
bool ecn_reduced(const struct tcp_conn *conn);
void ecn_note_reduction(struct tcp_conn *conn);
bool ecn_is_echo(const struct tcp_conn *conn, const struct segment *seg);
void ecn_echoed(struct tcp_conn *conn, uint32_t flight, usec_t now);

/* ---- rto.c, persist.c, keepalive.c, time_wait.c ---- */
void rto_arm(struct tcp_conn *conn, usec_t now);   /* start, if something is in flight */
void rto_restart(struct tcp_conn *conn, usec_t now);
void rto_after_syn(struct tcp_conn *conn); /* RFC 6298 5.7 */
void rto_fired(struct tcp_conn *conn, usec_t now);
/* Nothing can be sent and nothing is in flight that an ACK would answer: ask by the timer. */
void persist_arm(struct tcp_conn *conn, usec_t now);
void persist_stop(struct tcp_conn *conn);
void persist_fired(struct tcp_conn *conn, usec_t now);
void keepalive_arm(struct tcp_conn *conn, usec_t now);
void keepalive_fired(struct tcp_conn *conn, usec_t now);
void time_wait_enter(struct tcp_conn *conn, usec_t now);
void linger_fired(struct tcp_conn *conn, usec_t now);
/* RFC 6191: may this SYN take over a TIME-WAIT tuple? */
bool time_wait_reusable_by_syn(const struct tcp_conn *conn, const struct segment *seg, usec_t now);
bool time_wait_reusable_by_connect(const struct tcp_conn *conn, usec_t now);
void time_wait_segment(struct tcp_conn *conn, const struct arrival *a);

/* ---- timers.c ---- */
void timers_init(struct wheel *w, usec_t now);
void timer_set(struct tcp_conn *conn, enum tcp_timer which, usec_t at);
void timer_stop(struct tcp_conn *conn, enum tcp_timer which);
void timers_stop_all(struct tcp_conn *conn);
static inline bool timer_running(const struct tcp_conn *conn, enum tcp_timer which)
{
    return conn->timer[which] != USEC_NEVER;
}
void timers_run(struct tcp_engine *e, usec_t now);
usec_t timers_next(const struct wheel *w);

/* ---- isn.c, syncookie.c ---- */
struct seq isn_choose(struct tcp_engine *e, const struct flow *flow, usec_t now);
uint32_t isn_ts_offset(const struct tcp_engine *e, const struct flow *flow);
#define SYNCOOKIE_WINDOW 65535u
void syncookie_send(struct tcp_engine *e, const struct arrival *a);
bool syncookie_check(struct tcp_engine *e, const struct arrival *a, uint16_t *ret_mss);

/* ---- pmtu.c ---- */
void mss_update(struct tcp_conn *conn);             /* snd.mss from path, peer and options */
uint16_t mss_advertise(const struct tcp_conn *conn);
uint32_t mss_now(const struct tcp_conn *conn);      /* what fits beside the options due now */
uint32_t pmtu_known(const struct tcp_conn *conn, usec_t now); /* the device's, or ICMP's */
void pmtu_timeout(struct tcp_conn *conn, usec_t now);
void pmtu_progress(struct tcp_conn *conn, usec_t now);
void pmtu_set(struct tcp_conn *conn, uint32_t mtu, usec_t now);

/* ---- dest_cache.c ---- */
void dest_cache_seed(struct tcp_conn *conn, usec_t now);
void dest_cache_ssthresh(struct tcp_conn *conn, usec_t now);
void dest_cache_store(struct tcp_conn *conn, usec_t now);
void dest_cache_mtu(struct tcp_conn *conn, uint32_t mtu, usec_t now);

/* ---- autotune.c ---- */
void autotune_read(struct tcp_conn *conn, uint32_t len, usec_t now);
void autotune_sent(struct tcp_conn *conn);

/* ---- quota.c ---- */
int quota_new(struct tcp_engine *e, uint16_t port, const struct tcp_config *config,
              struct quota **ret);
bool quota_full(const struct quota *q);
struct quota *quota_unref(struct quota *q);
void quota_charge(struct tcp_conn *conn, struct quota *q);
void quota_release(struct tcp_conn *conn);

/* ---- listener.c ---- */
struct tcp_listener *listener_free(struct tcp_listener *l);
void listener_forget(struct tcp_conn *conn); /* leave the listener's list and counts */
void listener_completed(struct tcp_conn *conn);
bool listener_full(const struct tcp_listener *l);

#endif
