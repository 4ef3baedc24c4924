/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP itself, without I/O: packets, bytes and the time come in as arguments;
 * packets, events and one deadline come out. The only header of this room that
 * other rooms include. Single-threaded: one engine belongs to one thread; any
 * number of engines may live in a process.
 *
 * One wake-up of the caller:
 *
 *     tcp_engine_receive(), tcp_engine_icmp(), the calls of sock ...   input
 *     tcp_engine_advance()                                             due timers
 *     tcp_engine_next_event() until false                              thinking
 *     tcp_engine_next_dirty(), tcp_engine_committed()                  commit
 *     tcp_engine_next_packet() until false                             speaking
 *
 * A connection is named by its pointer, which is valid until the TCP_EV_GONE of
 * that connection has been fetched *and* tcp_engine_committed() has been called,
 * and by its id, which is never used again. One that was announced by nothing but
 * TCP_EV_PATH, being half open, may go without a word.
 */
#ifndef TCPD_ENGINE_ENGINE_H
#define TCPD_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ring.h"
#include "base/seq.h"
#include "base/usec.h"
#include "engine/config.h"
#include "wire/packet.h"
#include "wire/path.h"

struct tunables;
struct tcp_engine;
struct tcp_conn;
struct tcp_listener;
struct icmp_error;

/* ---- the lists, from their tables ---------------------------------------- */

enum tcp_state {
#define STATE(ident, name, mib, illumos) TCP_##ident,
#include "engine/states.def"
    TCP_STATE_COUNT,
};

/* Why a state was left: the `cause` column of edges.def. */
enum tcp_cause {
#define CAUSE(ident, text) CAUSE_##ident,
#include "engine/edges.def"
    CAUSE_COUNT,
};

enum tcp_drop {
#define DROP(ident, text, rfc) DROP_##ident,
#include "engine/drops.def"
    TCP_DROP_COUNT,
};

struct tcp_counters {
#define COUNTER(field, name, scope, help) uint64_t field;
#include "proto/counters.def"
    uint64_t drop[TCP_DROP_COUNT];
};

enum tcp_cc_id {
    TCP_CC_NEWRENO,
    TCP_CC_CUBIC,
};

const char *tcp_state_name(enum tcp_state s);
const char *tcp_cause_name(enum tcp_cause c);
const char *tcp_drop_name(enum tcp_drop d);
const char *tcp_cc_name(enum tcp_cc_id id);

/* ---- making one ----------------------------------------------------------- */

struct tcp_engine_init {
    uint8_t seed[32];           /* every key and random choice is derived from it */
    const struct tunables *tun; /* borrowed for the engine's life; changed only between wake-ups */
    struct ring_mem mem;        /* where rings live */
    uint32_t memory_mb;         /* of the host: what _listener_limit_conf divides; 0: no limits */
    uint64_t first_id;          /* ids handed out are >= this */
    usec_t now;
};

/**
 * tcp_engine_new() - an engine without connections
 * @init:  borrowed for the call, but see its fields
 * @ret:   the engine; the caller owns it
 *
 * Errors: -ENOMEM.
 */
int tcp_engine_new(const struct tcp_engine_init *init, struct tcp_engine **ret);

/** tcp_engine_free() - drop every connection without a word to the peers; returns NULL */
struct tcp_engine *tcp_engine_free(struct tcp_engine *e);

/* ---- the verbs -------------------------------------------------------------- */

/**
 * tcp_engine_receive() - one segment or super-frame came in
 * @pkt:  seg, seg_len and the IP facts; borrowed for the call
 *
 * Never fails: what is not acceptable is dropped and counted by reason.
 * RFC 9293 3.10.7.
 */
void tcp_engine_receive(struct tcp_engine *e, const struct packet *pkt, usec_t now);

/**
 * tcp_engine_icmp() - an ICMP error came in, its checksum verified
 *
 * The quoted sequence number is checked here (RFC 5927 4); the rest is
 * RFC 9293 3.9.2.2, RFC 1191, RFC 8201.
 */
void tcp_engine_icmp(struct tcp_engine *e, const struct icmp_error *err, usec_t now);

/** tcp_engine_advance() - run every timer that is due at @now */
void tcp_engine_advance(struct tcp_engine *e, usec_t now);

/** tcp_engine_deadline() - when to call tcp_engine_advance() next; USEC_NEVER if idle */
usec_t tcp_engine_deadline(const struct tcp_engine *e);

/**
 * tcp_engine_next_packet() - the next packet to send, round robin over connections
 * @ret:  filled; its iov points into a send ring and is valid until the next verb
 *        that takes input (receive, advance, a call of sock)
 *
 * Returns false when there is nothing to send now. Makes no event.
 */
bool tcp_engine_next_packet(struct tcp_engine *e, usec_t now, struct packet *ret);

/**
 * tcp_engine_unsent() - netio could not send @pkt, fetched before
 * @error:  negative errno: -EAGAIN, -ENOBUFS: try again later, without touching
 *          cwnd, SACK or RTT state; -EMSGSIZE: the path's MTU is smaller;
 *          anything else: a soft error that is remembered for the time-out
 *
 * After -EAGAIN no packet of the engine is offered before tcp_engine_resume()
 * or 1 ms has passed.
 */
void tcp_engine_unsent(struct tcp_engine *e, const struct packet *pkt, int error, usec_t now);

/** tcp_engine_resume() - the device takes packets again */
void tcp_engine_resume(struct tcp_engine *e);

enum tcp_event_bit {
    TCP_EV_PATH = 1 << 0,        /* needs tcp_conn_set_path() before it can answer */
    TCP_EV_ESTABLISHED = 1 << 1, /* an active open has completed */
    TCP_EV_ACCEPT = 1 << 2,      /* a passive open has completed; user is the listener's */
    TCP_EV_READABLE = 1 << 3,    /* bytes in order arrived */
    TCP_EV_WRITABLE = 1 << 4,    /* send space was freed (usable after the commit) */
    TCP_EV_FIN = 1 << 5,         /* the peer sends no more; bytes before it may be unread */
    TCP_EV_URGENT = 1 << 6,      /* the urgent mark moved */
    TCP_EV_CLOSED = 1 << 7,      /* dead; `error` says why (0: orderly). Ring bytes may be read */
    TCP_EV_DRAINED = 1 << 8,     /* all that was written is acknowledged, FIN included */
    TCP_EV_GONE = 1 << 9,        /* last event: forget the pointer, release the port */
};

struct tcp_event {
    struct tcp_conn *conn;
    uint64_t conn_id;
    uint64_t user;                 /* as given to tcp_connect(), tcp_conn_set_user() or tcp_listen() */
    struct tcp_listener *listener; /* PATH and ACCEPT of a passive open, else NULL */
    unsigned what;                 /* enum tcp_event_bit, several at once */
    int error;                     /* with CLOSED: positive errno or 0 */
};

/** tcp_engine_next_event() - returns false when there is none left */
bool tcp_engine_next_event(struct tcp_engine *e, struct tcp_event *ret);

/** tcp_engine_has_packets() - would tcp_engine_next_packet() return one? */
bool tcp_engine_has_packets(const struct tcp_engine *e, usec_t now);

/* ---- commit: see ARCHITECTURE.md, "nothing leaves before the commit" --------- */

/**
 * tcp_engine_next_dirty() - the next connection changed since the last commit
 *
 * Returns NULL when all have been seen. A connection whose state is TCP_CLOSED
 * and which has been announced GONE is to be wiped.
 */
struct tcp_conn *tcp_engine_next_dirty(struct tcp_engine *e);

/**
 * tcp_engine_committed() - the state of every dirty connection is safe now
 *
 * Send-ring space freed by ACKs becomes writable, connections that are gone are
 * freed, and the events this makes (WRITABLE) are offered in the next wake-up.
 */
void tcp_engine_committed(struct tcp_engine *e);

/** tcp_conn_gone() - dead and let go: the commit wipes its record, then it is freed */
bool tcp_conn_gone(const struct tcp_conn *conn);

struct conn_record; /* generated from state/records.def */
void tcp_conn_save(const struct tcp_conn *conn, struct conn_record *ret);

/* ---- opening ------------------------------------------------------------------ */

struct tcp_open {
    struct flow flow;         /* listen: lport, local (any or specific), zone; remote ignored */
    struct tcp_config config; /* copied */
    struct path path;         /* connect only */
    uint64_t user;            /* the caller's name for it, given back in events */
    bool v6only;              /* listen: takes no IPv4 peers */
};

/**
 * tcp_connect() - active OPEN (RFC 9293 3.10.1); the SYN is offered by next_packet
 *
 * Errors: -ENOMEM; -EADDRINUSE: the 4-tuple is taken (a TIME-WAIT one that may
 * be reused by RFC 6191 is not).
 */
int tcp_connect(struct tcp_engine *e, const struct tcp_open *open, usec_t now,
                struct tcp_conn **ret);

/** tcp_flow_free() - could tcp_connect() use this 4-tuple now? */
bool tcp_flow_free(const struct tcp_engine *e, const struct flow *flow, usec_t now);

/**
 * tcp_listen() - passive OPEN for a port, on one address or on all
 * @backlog:  completed connections that may wait to be taken; >= 1
 *
 * Several listeners of one (address, port) share its SYNs by a keyed hash
 * (SO_REUSEPORT); whether they may is the caller's to check.
 * Errors: -ENOMEM.
 */
int tcp_listen(struct tcp_engine *e, const struct tcp_open *open, uint32_t backlog,
               struct tcp_listener **ret);

/** tcp_listener_configure() - new backlog and options for connections to come */
void tcp_listener_configure(struct tcp_listener *l, const struct tcp_config *config,
                            uint32_t backlog);

/** tcp_listener_taken() - @conn, announced by TCP_EV_ACCEPT, was taken out of the backlog */
void tcp_listener_taken(struct tcp_listener *l, struct tcp_conn *conn, uint64_t new_user);

/** tcp_listener_hold() - @held connections were taken, but by no program yet: they count as queued */
void tcp_listener_hold(struct tcp_listener *l, uint32_t held);

/** tcp_listener_close() - stop listening; connections not taken are reset. Frees @l. */
void tcp_listener_close(struct tcp_engine *e, struct tcp_listener *l, usec_t now);

/** tcp_listener_queued() - completed connections that wait, and half-open ones */
void tcp_listener_queued(const struct tcp_listener *l, uint32_t *ret_q, uint32_t *ret_q0);

/* ---- a connection --------------------------------------------------------------- */

uint64_t tcp_conn_id(const struct tcp_conn *conn);
enum tcp_state tcp_conn_state(const struct tcp_conn *conn);
const struct flow *tcp_conn_flow(const struct tcp_conn *conn);
void tcp_conn_set_user(struct tcp_conn *conn, uint64_t user);

/** tcp_conn_set_path() - the route is known, or has changed */
void tcp_conn_set_path(struct tcp_conn *conn, const struct path *path, usec_t now);
const struct path *tcp_conn_path(const struct tcp_conn *conn);

const struct tcp_config *tcp_conn_config(const struct tcp_conn *conn);

/**
 * tcp_conn_configure() - replace the settings of a living connection
 * @config:  complete and in range; the caller starts from tcp_conn_config()
 *
 * Takes effect at once: uncorking sends, keep-alive re-arms, a smaller receive
 * buffer never takes back offered window.
 */
void tcp_conn_configure(struct tcp_conn *conn, const struct tcp_config *config, usec_t now);

/**
 * tcp_conn_tx_space() - where the next bytes to send may be put
 * @iov:  two entries, filled with the free space of the send ring
 * @want: how much the caller would like (the ring grows for it, up to the limit)
 *
 * Returns the number of free bytes, 0 if the buffer is full, no memory is left,
 * or nothing may be written any more. Space freed by ACKs since the last commit
 * is not offered yet.
 */
uint32_t tcp_conn_tx_space(struct tcp_conn *conn, uint32_t want, struct iovec iov[2]);

/**
 * tcp_conn_tx_commit() - @len bytes were put where tcp_conn_tx_space() said
 * @urgent:  the last of them is urgent (RFC 9293 3.8.5)
 */
void tcp_conn_tx_commit(struct tcp_conn *conn, uint32_t len, bool urgent, usec_t now);

/** tcp_conn_tx_unacked() - bytes written and not acknowledged yet (SIOCOUTQ) */
uint32_t tcp_conn_tx_unacked(const struct tcp_conn *conn);

/**
 * tcp_conn_rx_peek() - bytes in order, ready for the program
 *
 * Returns their number; iov (two entries) points into the receive ring.
 */
uint32_t tcp_conn_rx_peek(struct tcp_conn *conn, struct iovec iov[2]);

/**
 * tcp_conn_rx_urgent() - is a byte not taken yet urgent (RFC 9293 3.8.5)?
 * @ret_offset:  bytes before it, from the first that tcp_conn_rx_peek() shows
 *
 * It may be announced before it arrives: then the offset is that of a byte to come.
 */
bool tcp_conn_rx_urgent(const struct tcp_conn *conn, uint32_t *ret_offset);

/**
 * tcp_conn_rx_consume() - the first @len of them were moved out of the ring
 *
 * They count as hidden (in a socketpair, unread by the program) until
 * tcp_conn_rx_release(): moving bytes never opens the window.
 */
void tcp_conn_rx_consume(struct tcp_conn *conn, uint32_t len, usec_t now);

/** tcp_conn_rx_release() - the program has read @len hidden bytes: the window may open */
void tcp_conn_rx_release(struct tcp_conn *conn, uint32_t len, usec_t now);

/** tcp_conn_rx_hidden() - bytes consumed and not released */
uint32_t tcp_conn_rx_hidden(const struct tcp_conn *conn);

/** tcp_conn_rx_fin() - has the program been given all and will there be no more? */
bool tcp_conn_rx_fin(const struct tcp_conn *conn);

/** tcp_conn_shutdown() - no more bytes to send: FIN after what is in the ring (3.10.4) */
void tcp_conn_shutdown(struct tcp_conn *conn, usec_t now);

/**
 * tcp_conn_close() - the program is gone: FIN after the data, and nothing is read any more
 *
 * Bytes that were received and not read, or that arrive later, reset the
 * connection (RFC 9293 3.6.1). From now on only TCP_EV_DRAINED and TCP_EV_GONE
 * are announced.
 */
void tcp_conn_close(struct tcp_conn *conn, usec_t now);

/** tcp_conn_abort() - ABORT (3.10.5): RST to a synchronized peer, then gone */
void tcp_conn_abort(struct tcp_conn *conn, usec_t now);

/* ---- looking ---------------------------------------------------------------------- */

/* A snapshot for tcpctl and TCP_INFO. Times in usec, sizes in bytes. */
struct tcp_conn_info {
    uint64_t id, user;
    struct flow flow;
    enum tcp_state state;
    uint32_t snd_una, snd_nxt, snd_wnd, rcv_nxt, rcv_wnd;
    uint32_t mss, peer_mss, cwnd, ssthresh, flight;
    uint8_t snd_wscale, rcv_wscale;
    bool sack, timestamps, wscale, ecn, orphan, in_recovery;
    usec_t srtt, rttvar, rto, min_rtt;
    uint32_t snd_buf, rcv_buf, unsent, unacked, unread, hidden;
    uint64_t bytes_sent, bytes_acked, bytes_received, bytes_retrans;
    uint64_t segs_out, segs_in, retrans_segs;
    uint32_t sacked, lost, retrans; /* of what is in flight: RFC 6675's three */
    uint64_t pacing_rate;           /* bytes a second, 0: not paced */
    uint32_t dsacks;                /* duplicates that the peer has told of */
    bool reordered;                 /* the path was seen to reorder */
    bool after_timeout;             /* in_recovery is because of a timeout */
    uint32_t backoff;
    usec_t opened_at, last_recv_at, last_send_at;
    enum tcp_cc_id cc;
    int soft_error;
};

void tcp_conn_info(const struct tcp_conn *conn, struct tcp_conn_info *ret);

/** tcp_engine_first(), tcp_engine_next() - walk all connections; no call that changes one between */
struct tcp_conn *tcp_engine_first(struct tcp_engine *e);
struct tcp_conn *tcp_engine_next(struct tcp_engine *e, struct tcp_conn *conn);

/** tcp_engine_find() - the connection with this id, or NULL */
struct tcp_conn *tcp_engine_find(struct tcp_engine *e, uint64_t id);

const struct tcp_counters *tcp_engine_counters(const struct tcp_engine *e);

/** tcp_engine_take_id() - take an id from the one allocator (sock uses it too) */
uint64_t tcp_engine_take_id(struct tcp_engine *e);

/* What the engine tells a tracer, as it happens. The hook must not call back. */
enum tcp_trace_what {
    TCP_TRACE_STATE, /* from, to: enum tcp_state; cause */
    TCP_TRACE_DROP,  /* to: enum tcp_drop */
    TCP_TRACE_CWND,  /* from, to: bytes; cause: 0 */
    TCP_TRACE_TIMER, /* to: which */
};

struct tcp_trace {
    usec_t now;
    uint64_t conn_id;
    enum tcp_trace_what what;
    uint32_t from, to, cause;
};

void tcp_engine_set_trace(struct tcp_engine *e, void (*hook)(void *ctx, const struct tcp_trace *t),
                          void *ctx);

#endif
