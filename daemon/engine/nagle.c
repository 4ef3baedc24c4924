/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a segment shorter than MSS waits: RFC 896, Minshall's variant, TCP_NODELAY, TCP_CORK. */
#include "engine/impl.h"

/**
 * nagle_holds() - should the last @len bytes, less than a full segment, wait?
 *
 * Minshall's variant, as illumos does it: a small segment waits only while an
 * earlier *small* one is unacknowledged, so the odd end of a large write is not
 * kept back by the full segments before it.
 */
bool nagle_holds(const struct tcp_conn *conn, uint32_t len)
{
    uint32_t limit = MIN(conn->config.naglim_bytes, conn->snd.mss);

    if (len >= conn->snd.mss || conn->snd.fin_queued)
        return false;
    if (urgent_unsent(conn))
        return false;
    if (conn->config.cork)
        return true; /* NODELAY does not pull the cork */
    if (conn->config.nodelay || len >= limit)
        return false;
    return seq_gt(conn->snd.small_end, conn->snd.una);
}
