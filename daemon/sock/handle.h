/* SPDX-License-Identifier: BSD-2-Clause */
/* struct sock and the table that holds them: for the files of this room only. */
#ifndef TCPD_SOCK_HANDLE_H
#define TCPD_SOCK_HANDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/idmap.h"
#include "base/list.h"
#include "base/siphash.h"
#include "proto/tunables.h"
#include "sock/sock.h"
#include "sock/sock_record.h"

struct binding;
struct port;

struct sock {
#define FIELD(tag, type, name, fate, note) type name;
#include "state/records_sock.def"
};

#define SOCK_ANON_COUNTERS 64u /* RFC 6056 3.3.4: TABLE_LENGTH */

struct sock_table {
    struct tcp_engine *engine;
    const struct tunables *tun;
    struct sock_world world;

    struct idmap socks; /* id -> struct sock */
    struct idmap links; /* id of a connection -> its struct binding, until TCP_EV_GONE */
    struct idmap users; /* uid + 1 -> struct quota */
    struct list all;    /* struct sock.on_all, oldest first */
    struct list ready;  /* struct sock.on_ready */
    struct list dirty;  /* struct sock.on_dirty */
    struct list closed; /* struct sock.on_all, of those that only wait to be told closed */
    uint64_t queue_seq; /* last place given out in any accept queue */

    struct port **ports; /* 65,536, NULL where nobody is bound */
    uint32_t ports_used;
    struct siphash_key anon_key[3]; /* RFC 6056's F and G, and the dice for bind() */
    uint32_t anon_counter[SOCK_ANON_COUNTERS];

    struct sock_usage usage;
};

/** sock_touch() - @s differs from what the last commit has of it */
static inline void sock_touch(struct sock *s)
{
    list_append_once(&s->table->dirty, &s->on_dirty);
}

/** sock_alloc() - a handle in the table, IDLE, without any settings. -ENOMEM */
int sock_alloc(struct sock_table *t, int family, const struct cred *owner, struct sock **ret);

/** sock_discard() - take @s off every list and tell of its end; what it held is gone already */
void sock_discard(struct sock *s);

/** sock_set_dead() - the connection is gone; @error (0: none) is told once */
void sock_set_dead(struct sock *s, int error);

#endif
