/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pacing: a window of many segments is spread over its round trip instead of
 * leaving in one burst that a short queue on the way would drop the end of. The
 * rate is a little more than cwnd in a round trip, so that pacing itself is never
 * what limits the connection. Small windows and short round trips go unpaced.
 */
#include "engine/cc.h"

#define FREE_SEGMENTS 10u                /* never held back */
#define SHORT_RTT     USEC_PER_MSEC      /* below it timers are too coarse to help */
#define SLACK         USEC_PER_MSEC      /* how much may go ahead of its time */

static bool paced(const struct tcp_conn *conn)
{
    return conn->engine->tun->pacing && conn->rtt.srtt >= SHORT_RTT &&
           conn->cc.cwnd > FREE_SEGMENTS * conn->snd.mss &&
           conn->stat.bytes_sent >= FREE_SEGMENTS * conn->snd.mss;
}

/* The rate in tenths of cwnd for each round trip. */
static uint32_t tenths(const struct tcp_conn *conn)
{
    return conn->cc.cwnd < conn->cc.ssthresh ? 20 : 12;
}

/** pace_rate() - bytes in a second; 0: as fast as the window allows */
uint64_t pace_rate(const struct tcp_conn *conn)
{
    if (!paced(conn))
        return 0;
    return (uint64_t)conn->cc.cwnd * tenths(conn) * (USEC_PER_SEC / 10) / conn->rtt.srtt;
}

/** pace_allows() - may a segment go now? If not, the timer that will let it is set */
bool pace_allows(struct tcp_conn *conn, usec_t now)
{
    if (!paced(conn) || conn->pace_at <= now + SLACK)
        return true;
    timer_set(conn, TIMER_PACE, conn->pace_at - SLACK);
    return false;
}

/** pace_sent() - @len bytes left */
void pace_sent(struct tcp_conn *conn, uint32_t len, usec_t now)
{
    uint64_t per_rtt = (uint64_t)conn->cc.cwnd * tenths(conn) / 10;

    if (paced(conn))
        conn->pace_at = MAX(conn->pace_at, now) + len * conn->rtt.srtt / per_rtt;
}

/** pace_quantum() - the longest super-frame: a millisecond's worth, at least two segments */
uint32_t pace_quantum(const struct tcp_conn *conn)
{
    uint64_t rate = pace_rate(conn);

    if (!rate)
        return UINT32_MAX;
    return (uint32_t)MIN(MAX(rate / (USEC_PER_SEC / SLACK), 2ull * conn->snd.mss),
                         (uint64_t)UINT32_MAX);
}
