/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HyStart++ (RFC 9406). Only the first slow start of a connection is watched: a
 * later one knows its ssthresh from a loss. Growth is limited by _abc_l_var, as
 * in any slow start.
 */
#include "engine/cc.h"

#define MIN_RTT_THRESH     (4 * USEC_PER_MSEC)
#define MAX_RTT_THRESH     (16 * USEC_PER_MSEC)
#define MIN_RTT_DIVISOR    8
#define N_RTT_SAMPLE       8
#define CSS_GROWTH_DIVISOR 4
#define CSS_ROUNDS         5

static bool applies(const struct tcp_conn *conn)
{
    return conn->engine->tun->hystart && conn->cc.ssthresh == CC_SSTHRESH_UNKNOWN;
}

static void begin_round(struct tcp_conn *conn)
{
    struct hystart *h = &conn->hystart;

    h->in_round = true;
    h->round_end = conn->snd.nxt;
    h->last_min = h->now_min;
    h->now_min = 0;
    h->samples = 0;
}

static void end_round(struct tcp_conn *conn)
{
    struct hystart *h = &conn->hystart;

    if (h->css && h->css_rounds++ >= CSS_ROUNDS) {
        conn->cc.ssthresh = conn->cc.cwnd;
        conn->engine->counters.hystart_exits++;
        *h = (struct hystart){ 0 };
    }
    h->in_round = false; /* the next begins with the next ACK, when what this one lets out is out */
}

/* Enough samples of this round: is the queue building up, or was that an error? */
static void judge(struct hystart *h)
{
    usec_t thresh = CLAMP(h->last_min / MIN_RTT_DIVISOR, MIN_RTT_THRESH, MAX_RTT_THRESH);

    if (h->css) {
        if (h->now_min < h->baseline)
            h->css = false;
        return;
    }
    if (h->last_min && h->now_min >= h->last_min + thresh) {
        h->css = true;
        h->css_rounds = 1;
        h->baseline = h->now_min;
    }
}

/**
 * hystart_on_ack() - SND.UNA moved; may end slow start
 * @rtt:  what this ACK measured, 0 if nothing
 */
void hystart_on_ack(struct tcp_conn *conn, usec_t rtt)
{
    struct hystart *h = &conn->hystart;

    if (!applies(conn))
        return;
    if (!h->in_round)
        begin_round(conn);
    if (rtt) {
        h->now_min = h->now_min ? MIN(h->now_min, rtt) : rtt;
        h->samples++;
        if (h->samples >= N_RTT_SAMPLE)
            judge(h);
    }
    if (seq_geq(conn->snd.una, h->round_end))
        end_round(conn);
}

/** hystart_divisor() - slow start grows by this much less */
uint32_t hystart_divisor(const struct tcp_conn *conn)
{
    return conn->hystart.css && applies(conn) ? CSS_GROWTH_DIVISOR : 1;
}
