/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One account per uid that has a socket. A connection in an accept queue is not
 * charged: the backlog bounds it, and a peer must not be able to use up the
 * sockets of a user. It is charged when it is accepted.
 */
#include "sock/quota.h"

#include <errno.h>
#include <stdlib.h>

#include "sock/readiness.h"

struct quota {
    uint32_t sockets, listeners;
    struct list starved; /* listeners whose queue waits for room */
};

/* uid 0 is a user too, and the map's keys are not 0. */
static uint64_t key_of(const struct sock *s)
{
    return (uint64_t)s->owner.uid + 1;
}

static struct quota *account(const struct sock *s)
{
    return idmap_get(&s->table->users, key_of(s));
}

static int account_open(struct sock *s, struct quota **ret)
{
    struct quota *q = account(s);

    if (!q) {
        if (idmap_reserve(&s->table->users) < 0)
            return -ENOMEM;
        q = calloc(1, sizeof(*q));
        if (!q)
            return -ENOMEM;
        list_init(&q->starved);
        idmap_put(&s->table->users, key_of(s), q);
    }
    *ret = q;
    return 0;
}

int quota_charge_socket(struct sock *s)
{
    struct quota *q;
    int r;

    r = account_open(s, &q);
    if (r < 0)
        return r;
    if (q->sockets >= s->table->tun->uid_sockets)
        return -EMFILE;
    q->sockets++;
    s->charged = true;
    s->table->usage.sockets++;
    return 0;
}

/* There is room for one: the first that has a use for it. */
static void wake_starved(struct quota *q)
{
    for (struct list *n = list_pop(&q->starved); n; n = list_pop(&q->starved)) {
        struct sock *listener = LIST_ENTRY(n, struct sock, on_starved);

        if (listener->queued > 0) {
            readiness_add(listener, SOCK_READY_ACCEPT);
            return;
        }
    }
}

void quota_release_socket(struct sock *s)
{
    struct quota *q = account(s);

    s->charged = false;
    s->table->usage.sockets--;
    q->sockets--;
    wake_starved(q);
    if (q->sockets == 0) /* a starved listener is a socket: none is left on the list */
        free(idmap_take(&s->table->users, key_of(s)));
}

int quota_charge_listener(struct sock *s)
{
    struct quota *q = account(s); /* @s itself is charged */

    if (q->listeners >= s->table->tun->uid_listeners)
        return -EMFILE;
    q->listeners++;
    s->table->usage.listeners++;
    return 0;
}

void quota_release_listener(struct sock *s)
{
    account(s)->listeners--;
    s->table->usage.listeners--;
}

void quota_starved(struct sock *listener)
{
    list_append_once(&account(listener)->starved, &listener->on_starved);
}

void quota_deinit(struct sock_table *t)
{
    for (uint32_t i = 0; i < t->users.size; i++)
        free(t->users.slots[i].value);
    idmap_deinit(&t->users);
}
