/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many connections one listener may have at a time, half-open ones and those
 * already taken included: illumos' _listener_limit_conf. An entry port:ratio allows
 * as many as fit with full buffers into one ratio-th of the memory, as things are when
 * the listener is made. The count outlives the listener, for its connections do.
 */
#include <errno.h>
#include <stdlib.h>

#include "engine/impl.h"

#define AT_LEAST 2u

static uint32_t ratio_for(const struct tunables *tun, uint16_t port)
{
    for (uint32_t i = 0; i < tun->listener_limit_conf.count; i++) {
        if (tun->listener_limit_conf.item[i].port == port)
            return tun->listener_limit_conf.item[i].ratio;
    }
    return 0;
}

/* -ENOMEM. *ret is NULL where nothing is limited. */
int quota_new(struct tcp_engine *e, uint16_t port, const struct tcp_config *config,
              struct quota **ret)
{
    uint32_t ratio = ratio_for(e->tun, port);
    uint64_t buffers = MAX((uint64_t)config->snd_buf_bytes + config->rcv_buf_bytes, (uint64_t)1);
    uint64_t max;

    *ret = NULL;
    if (!ratio || !e->memory_mb)
        return 0;
    max = (uint64_t)e->memory_mb * (1 << 20) / ratio / buffers;
    *ret = calloc(1, sizeof(**ret));
    if (!*ret)
        return -ENOMEM;
    (*ret)->refs = 1;
    (*ret)->max = (uint32_t)MIN(MAX(max, (uint64_t)AT_LEAST), (uint64_t)UINT32_MAX);
    return 0;
}

bool quota_full(const struct quota *q)
{
    return q && q->count >= q->max;
}

struct quota *quota_unref(struct quota *q)
{
    if (q && !--q->refs)
        free(q);
    return NULL;
}

/* @conn is one of @q's. */
void quota_charge(struct tcp_conn *conn, struct quota *q)
{
    if (!q)
        return;
    q->refs++;
    q->count++;
    conn->quota = q;
}

/* It is no more, or waits in TIME-WAIT, which costs next to nothing. */
void quota_release(struct tcp_conn *conn)
{
    if (!conn->quota)
        return;
    conn->quota->count--;
    conn->quota = quota_unref(conn->quota);
}
