/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A conversation with one engine, written like the packet trace a person would
 * draw. The test plays the peer, the program and the clock.
 *
 *  - Sequence numbers are relative: `.seq` counts from the sender's ISN, `.ack`
 *    from the receiver's. The SYN is 0, the first byte of data 1.
 *  - `.wnd` is in bytes, scaled as negotiated.
 *  - What a test leaves out of SEG() is not compared by expect(); inject() fills
 *    in what an ordinary peer would send next.
 *  - Payload is a function of the stream position; every byte that comes out of
 *    the engine, to the wire or to the program, is checked against it.
 *  - Each call ends like a wake-up of the daemon: events, commit, packets.
 *
 * Every list of scenarios runs twice, over IPv4 and over IPv6.
 */
#ifndef TCPD_TESTS_SCRIPT_H
#define TCPD_TESTS_SCRIPT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "engine/engine.h"
#include "proto/tunables.h"
#include "wire/icmp.h"
#include "wire/tcp_header.h"

/* SEG() sets every field to ANY first, and the test's own values override that. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#else
#pragma GCC diagnostic ignored "-Woverride-init"
#endif

enum {
    FIN = TCP_FIN,
    SYN = TCP_SYN,
    RST = TCP_RST,
    PSH = TCP_PSH,
    ACK = TCP_ACK,
    URG = TCP_URG,
    ECE = TCP_ECE,
    CWR = TCP_CWR,
    NO_PSH = 0x100, /* expect(): PSH must not be set; else a PSH not asked for is let pass */
};

#define ANY  INT64_MIN       /* not compared; inject(): what an ordinary peer sends */
#define NONE (INT64_MIN + 1) /* an option that is not there */

#define MS(n)  ((usec_t)(n) * USEC_PER_MSEC)
#define SEC(n) ((usec_t)(n) * USEC_PER_SEC)

#define SCRIPT_LPORT 80
#define SCRIPT_RPORT 5000
#define SCRIPT_MTU   1500
#define OUR_MSS(s)   ((s)->v6 ? 1440 : 1460) /* by the MTU */

struct seg_spec {
    unsigned flags;
    int64_t seq, ack, len, wnd, up;
    int64_t mss, wscale, sack_ok, tsval, tsecr;
    int64_t ttl, tos;
    int has_sack;     /* 0: not compared; 1: exactly these; -1: none */
    int64_t sack[8];  /* start, end, start, end ...; a pair of zeros ends them */
    bool garbage;     /* the payload is not checked (expect) or not the pattern (inject) */
    bool bad_csum;    /* inject: with a wrong checksum */
    int64_t lport;    /* inject: to another port than the connection's */
};

#define SEG(flags_, ...)                                                                           \
    (&(const struct seg_spec){ .flags = (flags_), .seq = ANY, .ack = ANY, .len = ANY, .wnd = ANY,  \
                               .up = ANY, .mss = ANY, .wscale = ANY, .sack_ok = ANY,               \
                               .tsval = ANY, .tsecr = ANY, .ttl = ANY, .tos = ANY, .lport = ANY,   \
                               ##__VA_ARGS__ })
#define SACKED(...) .has_sack = 1, .sack = { __VA_ARGS__ }
#define NOT_SACKED  .has_sack = -1

/* What the peer's SYN offers. */
struct offer {
    int64_t mss, wscale; /* NONE: not offered */
    bool sack, ts;
};

/* One remote end of the script. Most have one only. */
struct peer {
    uint16_t rport;
    uint32_t iss_ours, iss; /* iss: the peer's own */
    bool have_iss_ours;
    struct offer offer;    /* of the peer */
    int64_t our_wscale;    /* as our SYN offered, NONE before */
    bool our_ts, our_sack; /* our SYN offered them */
    int64_t snd_nxt;       /* the next that inject() sends, relative */
    int64_t rcv_nxt;       /* one past the highest that we have sent, relative */
    int64_t wnd_bytes;
    int64_t right_edge;          /* the farthest that we have offered to receive, relative */
    uint32_t ts_offset, ts_last; /* the peer's clock; our last TSval */
    struct tcp_conn *conn;       /* NULL before it exists and once it is gone */
    uint64_t conn_id;
    unsigned events; /* announced and not yet asked for */
    int error;       /* of the CLOSED event, -1 before */
    bool announced, gone; /* the program knows it; it is no more */
    int64_t written, read; /* by the program */
};

/* A packet that the engine has sent. */
struct sent {
    usec_t at;
    struct peer *peer;
    struct segment seg;
    int64_t seq, ack; /* relative */
    uint32_t wnd_bytes;
    uint8_t ttl, tos;
    uint16_t gso_size;
    bool super, good_payload;
};

#define SCRIPT_PEERS 256
#define SCRIPT_QUEUE 4096
#define SCRIPT_LINES 30

struct script {
    bool v6;
    struct tunables tun;
    struct tcp_config config;
    struct path path;
    struct tcp_engine *e;
    struct tcp_listener *listener; /* the latest */
    uint64_t listeners;
    usec_t now;
    struct peer peers[SCRIPT_PEERS];
    unsigned peer_count;
    struct peer *p; /* the peer that the calls below mean */
    struct packet last_packet; /* as it was fetched, for tcp_engine_unsent() */
    struct sent *queue;
    unsigned queued, taken;
    uint8_t inject_tos;  /* of the next injected segment */
    uint32_t memory_mb;  /* what the engine is told of the host, before script_start() */
    bool leave_backlog;  /* accepted connections stay in the listener's queue */
    bool withhold_path;  /* PATH events are not answered */
    bool out_of_memory;  /* rings cannot be had */
    long mem_balance;
    uint64_t drops_seen[TCP_DROP_COUNT];
    char lines[SCRIPT_LINES][200]; /* the conversation so far, for the failure report */
    unsigned line_count;
    const char *file; /* where the running call stands in the test */
    int line;
};

/* ---- running ------------------------------------------------------------------ */

/** script_run() - a main(): run @tests over IPv4 and over IPv6; returns the failures */
int script_run(const char *name, const struct CMUnitTest *tests, size_t count);

#define SCRIPT_MAIN(name, tests)                                                                   \
    int main(void)                                                                                 \
    {                                                                                              \
        return script_run(name, tests, ARRAY_LEN(tests));                                          \
    }
#define SCENARIO(f) cmocka_unit_test(f)

/** script() - the script of a test, not started: `s->tun` may be changed */
struct script *script(void **state);

/** script_start() - make the engine; from here on `s->config`, `s->path` may be changed */
void script_start(struct script *s);

/** peer_add() - another peer, with a port of its own; becomes the current one */
struct peer *peer_add(struct script *s);

/** peer_use() - the calls below mean this one now */
void peer_use(struct script *s, struct peer *p);

/* ---- the conversation ----------------------------------------------------------- */

#define HERE(s) ((s)->file = __FILE__, (s)->line = __LINE__, (s))

#define expect(s, spec)             script_expect(HERE(s), spec)
#define expect_nothing(s)           script_expect_nothing(HERE(s))
#define expect_after(s, delay, seg) script_expect_after(HERE(s), delay, seg)
#define expect_within(s, lo, hi, g) script_expect_within(HERE(s), lo, hi, g)
#define expect_event(s, what)       script_expect_event(HERE(s), what)
#define expect_no_event(s, what)    script_expect_no_event(HERE(s), what)
#define expect_state(s, state)      script_expect_state(HERE(s), state)
#define expect_closed(s, error)     script_expect_closed(HERE(s), error)
#define expect_gone(s)              script_expect_gone(HERE(s))
#define expect_alive(s)             script_expect_alive(HERE(s))
#define expect_drop(s, why)         script_expect_drop(HERE(s), why)
#define inject(s, spec)             script_inject(HERE(s), spec)
#define app_writes(s, n)            script_app_writes(HERE(s), n)
#define app_reads(s, n)             script_app_reads(HERE(s), n)

/* The next packet is this one, and was sent at the current moment or before. */
void script_expect(struct script *s, const struct seg_spec *spec);
/* No packet is waiting to be looked at. */
void script_expect_nothing(struct script *s);
/* Nothing now; after @delay (a little late is fine, early is not) this packet. */
void script_expect_after(struct script *s, usec_t delay, const struct seg_spec *spec);
void script_expect_within(struct script *s, usec_t lo, usec_t hi, const struct seg_spec *spec);
/* All of these bits have been announced since they were last asked for. */
void script_expect_event(struct script *s, unsigned what);
void script_expect_no_event(struct script *s, unsigned what);
/* CLOSED once the connection is gone. */
void script_expect_state(struct script *s, enum tcp_state state);
void script_expect_closed(struct script *s, int error);
/* It is gone, at the latest when the program lets go of what has been announced CLOSED. */
void script_expect_gone(struct script *s);
void script_expect_alive(struct script *s);
/* The counter of this drop reason has risen since the last look. */
void script_expect_drop(struct script *s, enum tcp_drop why);

void script_inject(struct script *s, const struct seg_spec *spec);
/* The same segment as bytes, for tests that mangle it; and such bytes to the engine. */
size_t script_build(struct script *s, const struct seg_spec *spec, uint8_t *buf, size_t size);
void script_receive(struct script *s, const uint8_t *seg, size_t len, enum packet_csum csum);
/* Put a right checksum into mangled bytes. */
void script_checksum(struct script *s, uint8_t *seg, size_t len);

/** peer_sends() - @n bytes in order; acknowledges all we sent */
void peer_sends(struct script *s, int64_t n);
/** peer_acks() - a bare ACK up to @ack */
void peer_acks(struct script *s, int64_t ack);
/** peer_fills_window() - data up to our right edge; the ACKs are forgotten */
void peer_fills_window(struct script *s);
/** grow_cwnd() - full segments, written and acknowledged, until cwnd is @segs of 1,000 bytes */
void grow_cwnd(struct script *s, uint32_t segs);
/** expect_ack_by() - an ACK of @ack now, or by a timer before @delay has passed */
void expect_ack_by(struct script *s, usec_t delay, int64_t ack);
/** icmp_says() - an error about the segment of ours at relative @seq */
void icmp_says(struct script *s, int64_t seq, uint8_t type, uint8_t code, uint32_t mtu, int error,
               bool hard);

/** advance() - let @t pass, running every timer on its way */
void advance(struct script *s, usec_t t);
/** advance_to_deadline() - let the time pass that the engine asks for; returns it */
usec_t advance_to_deadline(struct script *s);
/** forget_output() - what was sent so far is of no interest; returns how many packets */
unsigned forget_output(struct script *s);
/** next_sent() - the next packet, whatever it is, for a closer look */
struct sent next_sent(struct script *s);
bool is_pure_ack(const struct sent *p);
/** skip_acks() - pass over bare ACKs up to the next packet that is none */
void skip_acks(struct script *s);
/** packets_waiting() - sent and not looked at */
unsigned packets_waiting(const struct script *s);
/** settle() - the end of a wake-up: events, commit, packets; the calls here do it themselves */
void settle(struct script *s);

/* ---- the program ----------------------------------------------------------------- */

void script_app_writes(struct script *s, int64_t n);        /* all of it fits */
int64_t app_writes_some(struct script *s, int64_t n);       /* as much as fits */
void app_writes_urgent(struct script *s, int64_t n);        /* the last byte is urgent */
void script_app_reads(struct script *s, int64_t n);         /* exactly n are there, and read */
int64_t app_reads_all(struct script *s);
void app_takes(struct script *s, int64_t n);                /* out of the ring, but unread */
void app_releases(struct script *s, int64_t n);             /* and read */
void app_shuts(struct script *s);
void app_closes(struct script *s);
void app_aborts(struct script *s);
void app_configures(struct script *s, const struct tcp_config *config);
struct tcp_config app_config(struct script *s);
struct tcp_conn_info info(struct script *s);

/* ---- openings ---------------------------------------------------------------------- */

/* The peer's offers, and what the default opening negotiates with the daemon's defaults. */
extern const struct offer OFFER_PLAIN;  /* MSS 1000, SACK: the default */
extern const struct offer OFFER_BARE;   /* no option at all */
extern const struct offer OFFER_MSS;    /* MSS 1000 only: no SACK */
extern const struct offer OFFER_TS;     /* MSS 1012, SACK, timestamps: 1,000 bytes a segment */
extern const struct offer OFFER_SCALED; /* MSS 1000, SACK, window scale 7 */

/** connects() - the program connects; returns 0 or the error; nothing is looked at */
int connects(struct script *s);
/** listens() - the program listens with this backlog */
void listens(struct script *s, uint32_t backlog);
/** peer_opens() - SYN, SYN-ACK, ACK with the current peer, who offers @offer */
void peer_opens(struct script *s, struct offer offer);
/** opens() - an active open, complete, of a started or fresh script */
struct script *opens(struct script *s, struct offer offer);

/** opens_far() - the same, with a peer at @rtt; what follows is up to advance() */
struct script *opens_far(struct script *s, struct offer offer, usec_t rtt);

struct script *established(void **state);         /* active open, OFFER_PLAIN */
struct script *established_with(void **state, struct offer offer);
struct script *listening(void **state);           /* backlog 5 */
struct script *syn_sent(void **state);            /* the SYN was looked at */
struct script *syn_rcvd(void **state);            /* passive; the SYN-ACK was looked at */
struct script *accepted(void **state);            /* passive open, complete, OFFER_PLAIN */
struct script *in_state(void **state, enum tcp_state st); /* any state by an active open */

/** offers_gso() - super-frames of up to @bytes of payload from now on (before opening) */
void offers_gso(struct script *s, uint32_t bytes);

/** script_pattern() - byte of the stream at @pos; @ours: of what we send */
uint8_t script_pattern(bool ours, int64_t pos);

/* internal to tests/lib */
void script_note(struct script *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void script_fail(struct script *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct peer *script_peer_find(struct script *s, uint16_t rport);
void script_format_sent(const struct sent *p, char *buf, size_t size);
void script_format_spec(const struct seg_spec *spec, char *buf, size_t size);
struct flow script_flow(const struct script *s, const struct peer *p);
const struct ring_mem *script_mem(struct script *s);
int script_shift_ours(const struct peer *p);
int script_shift_peer(const struct peer *p);

#endif
