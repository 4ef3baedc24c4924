/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two engines, a wire between them, and programs that use both: the simulator's
 * world. One seed makes one world and all that happens in it.
 */
#ifndef TCPD_TESTS_WORLD_H
#define TCPD_TESTS_WORLD_H

#include <stdio.h>

#include "base/cleanup.h"
#include "engine/engine.h"
#include "lib/link.h"
#include "lib/rng.h"
#include "proto/tunables.h"
#include "wire/tcp_header.h"

#define WORLD_CONNS 6
#define WORLD_PORT  80
#define WORLD_FIRST 40000 /* client port of connection 0 */

enum { CLIENT, SERVER };

/* How a program ends its connection. */
enum ending {
    SHUT_FIRST,  /* shutdown after its last byte, close at the end of the stream */
    CLOSE_LAST,  /* waits for the end of the stream before it closes */
    ABORT_EARLY, /* aborts somewhere in the middle */
};

/* One end of one connection, and the program that holds it. */
struct side {
    struct tcp_conn *conn;
    uint64_t id;
    bool opened, established, dead, gone; /* dead: CLOSED was announced */
    int error;
    enum ending ending;
    uint64_t to_write, written, read, abort_after;
    uint32_t write_chunk, read_chunk, hidden;
    usec_t think, next_at; /* between two turns of the program */
    uint64_t sleeps_at; /* a pause in the middle, after so many bytes */
    usec_t sleeps_for, sleeps_until;
    bool shut, closed, eof;
};

/* What has been seen on the wire of one direction of one connection. */
struct watched {
    bool have_iss;
    uint32_t iss;
    int wscale;          /* as its SYN offered, -1: not */
    int64_t edge_sent;   /* right edge that this side has offered, in bytes of the other's stream */
    int64_t ack_sent;
    int64_t edge_given;  /* the largest that the other side's packets gave to this side */
    int64_t highest;     /* one past the highest sequence number sent */
};

struct conn_pair {
    struct side side[2];
    struct watched watch[2];
    usec_t starts_at;
};

struct host {
    struct tcp_engine *e;
    struct tunables tun;
    struct tcp_config config;
    struct tcp_listener *listener;
    struct path path;
    struct link *out;
    struct ip_addr addr;
    usec_t icmp_at; /* an ICMP error on its way to us */
    struct icmp_error icmp;
    uint32_t unsent_ppm; /* how often the device refuses a packet */
};

struct world {
    uint64_t seed;
    struct rng rng;
    bool verbose, v6;
    usec_t now, started;
    struct host host[2];
    struct conn_pair pair[WORLD_CONNS];
    unsigned pairs;
    uint64_t steps, packets;
    unsigned stuck; /* wake-ups at this very moment */
    char failure[300];
};

/** world_random() - everything about the world from its seed */
void world_random(struct world *w, uint64_t seed);

/** world_start() - make the engines and the wire; connections open when their time comes */
void world_start(struct world *w, const struct link_params params[2]);

/** world_step() - go on to the next moment at which something happens; false: it failed */
bool world_step(struct world *w);

/** world_run() - until every connection is over at both ends; false: w->failure says why */
bool world_run(struct world *w);

void world_end(struct world *w);

void world_fail(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void world_say(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* program.c */
void program_event(struct world *w, int who, const struct tcp_event *ev);
void program_turn(struct world *w, unsigned index, int who);
usec_t program_next_at(const struct world *w);
bool programs_over(const struct world *w);

/* watch.c: the rules that every packet must keep */
void watch_sent(struct world *w, int from, const struct packet *pkt);
void watch_received(struct world *w, int to, const struct packet *pkt);
void watch_conn(struct world *w, unsigned index, int who);

/* table.c */
int table_run(const char *compare_with, bool verbose);

#endif
