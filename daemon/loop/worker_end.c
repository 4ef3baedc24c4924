/* SPDX-License-Identifier: BSD-2-Clause */
#include "loop/worker_end.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "loop/log.h"

#define GRACE_USEC (2 * USEC_PER_SEC)
#define LAST_PUMPS 64u /* each sends up to 1,000 resets */

void worker_end_begin(struct daemon *d, usec_t now)
{
    struct sock *s;

    if (d->ending)
        return;
    d->ending = true;
    d->end_deadline = now + GRACE_USEC;
    while ((s = sock_first(d->socks)))
        sock_close(s, false, now);
    loop_wake_now(d->loop, 0);
}

/* Does the peer still wait for something? TIME-WAIT is only our own patience. */
static bool is_open(const struct tcp_conn *conn)
{
    const enum tcp_state state = tcp_conn_state(conn);

    return state != TCP_CLOSED && state != TCP_TIME_WAIT;
}

static size_t open_conns(struct daemon *d, uint64_t *ids, size_t max)
{
    size_t n = 0;

    for (struct tcp_conn *c = tcp_engine_first(d->engine); c; c = tcp_engine_next(d->engine, c)) {
        if (!is_open(c))
            continue;
        if (n < max)
            ids[n] = tcp_conn_id(c);
        n++;
    }
    return n;
}

static void reset_rest(struct daemon *d, usec_t now)
{
    const size_t count = open_conns(d, NULL, 0);
    _cleanup_(freep) uint64_t *ids = calloc(count, sizeof(*ids));

    if (!count || !ids)
        return;
    log_info("resetting %zu connections that did not end in time", count);
    (void)open_conns(d, ids, count);
    for (size_t i = 0; i < count; i++) {
        struct tcp_conn *conn = tcp_engine_find(d->engine, ids[i]);

        if (conn)
            tcp_conn_abort(conn, now);
    }
    for (unsigned i = 0; i < LAST_PUMPS; i++) {
        pump(d, 0, now);
        if (!tcp_engine_has_packets(d->engine, now))
            break;
    }
}

void worker_end_step(struct daemon *d, usec_t now)
{
    if (!d->ending || (now < d->end_deadline && open_conns(d, NULL, 0)))
        return;
    reset_rest(d, now);
    netio_close_claims(d->netio);
    state_commit(d->state, d->engine, d->socks); /* closes them */
    loop_stop(d->loop);
}
