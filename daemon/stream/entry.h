/* SPDX-License-Identifier: BSD-2-Clause */
/* One descriptor of a program, seen from our end: for the files of this room only. */
#ifndef TCPD_STREAM_ENTRY_H
#define TCPD_STREAM_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/usec.h"
#include "engine/engine.h"
#include "base/idmap.h"
#include "sock/sock.h"
#include "state/state.h"
#include "stream/dead.h"
#include "stream/hidden.h"
#include "stream/stream.h"

/* Effective SO_SNDBUFs (the kernel's doubled numbers). A sentinel pins the skb it is
 * in: the program's end needs four times the largest skb to be writable beside it,
 * so 160 KB at the least once connected. */
#define PROGRAM_SNDBUF_HELD 4608       /* the kernel's minimum: cheap to fill */
#define PROGRAM_SNDBUF_CONNECT 212992  /* filled while connecting, so not as large as it could be */
#define PROGRAM_SNDBUF_ACCEPTED 524288 /* the knee of the throughput curve */
#define OUR_SNDBUF 1310720             /* 4 x what HIDDEN_MAX costs: each read is an event */

#define HIDDEN_MAX 262144u /* rides out one late wake-up across cores */
#define IN_BUDGET 262144u      /* bytes of one descriptor in one wake-up: half of what it may hold */
#define ACCEPT_IN_FLIGHT 16u  /* messages in a listening descriptor */
#define EVENTS_MAX 128        /* epoll events in one wake-up */
#define KICK_ID 0u            /* epoll user data of our own eventfd; others carry a socket's id */
#define FILLER_POS UINT64_MAX /* state_move.pos of bytes that are filler */

enum entry_phase {
    ENTRY_HELD,      /* filled: bound, connecting, or about to listen */
    ENTRY_OPEN,      /* connected: bytes move both ways */
    ENTRY_LISTENING, /* stays filled; messages with descriptors go out */
    ENTRY_DYING,     /* the connection is dead; what it left is still going out */
};

struct entry {
    uint64_t cookie; /* SO_COOKIE of the program's end */
    uint64_t id;     /* of the socket */
    struct sock *sock;
    int fd; /* our end */
    enum entry_phase phase;

    uint32_t filler;   /* filler bytes in our queue */
    bool sentinel;     /* the first unread byte has been processed already */
    bool no_more;      /* RDHUP: the program writes no more */
    bool gone;         /* HUP: the last descriptor of the program is closed */
    bool unread;       /* ... with bytes in it that it never read */
    bool deaf;         /* the program shut down its reading side */
    bool told_no_more; /* sock knows of no_more */
    bool open_due;     /* connected: the filler is to be drained */
    bool eof_due;      /* the peer's FIN is to be shown after the bytes */
    bool eof_sent;
    int error; /* DYING: why */

    uint64_t in_bytes, out_bytes; /* moved since the stream began: ring positions */
    uint32_t truesize_max;        /* what may be hidden so that every read is an event */
    struct hidden hidden;

    struct list on_all, on_in, on_out;

    uint64_t parent_id;          /* the listener, until the program took this from it; else 0 */
    struct accept_queue *accept; /* of a listener */
    struct list on_starved;      /* a listener that found no fd for the next one */
};

/* Connections on their way to a listener's program: first those sent and not
 * received yet, then those to be sent after the commit. */
struct accept_queue {
    struct accept_slot {
        uint64_t id; /* the connection's socket; it may be gone already */
        int fd;      /* the program's end until it is sent, then -1 */
        struct stream_accept_msg msg;
    } slot[ACCEPT_IN_FLIGHT];
    unsigned first, sent, count;
};

struct stream {
    struct state *state;
    struct sock_table *socks;
    int epoll, kick;
    int door, door_path; /* the private listener, and its O_PATH descriptor */
    char door_name[32];  /* "/proc/self/fd/<door_path>" */

    struct idmap by_cookie, by_id; /* struct entry */
    struct list all;
    struct list in;      /* something to do in stream_input() */
    struct list out;     /* something to do in stream_flush() */
    struct list starved; /* listeners that wait for a free fd */
    struct hidden_costs costs;
    struct dead dead;
    uint8_t scratch[65536]; /* where filler comes from and goes to */
};

/* stream.c */
int entry_new(struct stream *st, struct sock *s, int fd, uint64_t cookie, struct entry **ret);
/** entry_close() - the program is gone (e->unread: without reading all); frees @e */
void entry_close(struct stream *st, struct entry *e, usec_t now);
/** entry_die() - our end closes with a byte unread: a reset for the program; frees @e */
void entry_die(struct stream *st, struct entry *e, usec_t now);
/** entry_end() - both sides have said all: our end closes without a byte unread; frees @e */
void entry_end(struct stream *st, struct entry *e, usec_t now);
struct entry *entry_by_id(struct stream *st, uint64_t id);
/** entry_again() - @e has something to do before the next commit, whoever wakes us or not */
void entry_again(struct stream *st, struct entry *e);
/** cookie_of() - SO_COOKIE, 0 if @fd is no socket */
uint64_t cookie_of(int fd);
/** set_sndbuf() - SO_SNDBUF so that getsockopt() says @effective; returns what it became */
uint32_t set_sndbuf(int fd, int effective);

/* in.c */
/** in_queued() - bytes unread in our end, a sentinel too */
uint32_t in_queued(const struct entry *e);

enum in_result {
    IN_EMPTY, /* the descriptor has no more: an edge will tell */
    IN_FULL,  /* the send ring has no room: SOCK_READY_WRITE will tell */
    IN_MORE,  /* the budget is used up */
};
enum in_result in_move(struct stream *st, struct entry *e, usec_t now);

/* out.c */
/** out_settle() - release what the program has read */
void out_settle(struct stream *st, struct entry *e, usec_t now);
/** out_run() - filler, bytes, EOF; true if something waits for the program to read */
bool out_run(struct stream *st, struct entry *e, usec_t now);
/** out_done() - is nothing left that this program could still be given? */
bool out_done(const struct entry *e);

/* accept.c */
/** accept_take() - make a pair for each waiting connection, as many as may be in flight */
void accept_take(struct stream *st, struct entry *listener, usec_t now);
/** accept_settle() - find out which of them the program has received */
void accept_settle(struct stream *st, struct entry *listener);
/** accept_never_received() - @child's program end is closed, and no trace of use is left */
bool accept_never_received(const struct entry *child);
/** accept_abort() - the listener is gone: reset what its program never received */
void accept_abort(struct stream *st, struct entry *listener, usec_t now);
/** accept_send() - after the commit; true if some wait for the program to accept */
bool accept_send(struct stream *st, struct entry *listener);
void accept_deinit(struct entry *listener);

/* fresh.c */
int fresh_bind(int fd, int family);

#endif
