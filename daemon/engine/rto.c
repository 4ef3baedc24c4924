/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The retransmission timer, RFC 6298 5, and giving up: RFC 9293 3.8.3 R1 and R2
 * as illumos' notify and abort thresholds.
 */
#include <errno.h>

#include "engine/impl.h"

static usec_t wait_time(const struct tcp_conn *conn)
{
    usec_t wait = rtt_rto(&conn->rtt, conn->backoff);

    if (conn->state == TCP_SYN_SENT && conn->syn_tries <= 1)
        wait += usec_from_msec(conn->config.grace_ms);
    return wait;
}

void rto_arm(struct tcp_conn *conn, usec_t now)
{
    if (conn->sentq.count)
        timer_set(conn, TIMER_REXMT, now + wait_time(conn));
}

/* 5.2 and 5.3: new data acknowledged; all of it, or some. */
void rto_restart(struct tcp_conn *conn, usec_t now)
{
    timer_stop(conn, TIMER_REXMT);
    rto_arm(conn, now);
}

/* 5.7: a SYN was lost, so the RTO was too short to know: 3 s until there is a sample. */
void rto_after_syn(struct tcp_conn *conn)
{
    if (conn->syn_tries > 1 && !conn->rtt.srtt)
        conn->rtt.rto = CLAMP(3 * USEC_PER_SEC, conn->rtt.rto_min, conn->rtt.rto_max);
}

static bool opening(const struct tcp_conn *conn)
{
    return conn->state == TCP_SYN_SENT || conn->state == TCP_SYN_RCVD;
}

#define FULL_ABORT_MS 30000u

/* When to give up; USEC_NEVER: not at all. An orphan has nobody who would wait for ever. */
static usec_t abort_after(const struct tcp_conn *conn)
{
    uint32_t msec = opening(conn) ? conn->config.conn_abort_ms : conn->config.abort_ms;

    if (conn->state == TCP_SYN_RCVD && conn->passive)
        msec = conn->engine->tun->ip_abort_linterval;
    if (!msec && conn->orphan)
        msec = conn->engine->tun->ip_abort_linterval;
    /* illumos: a listener at its limit has no room for those that seem to be dead. */
    if (quota_full(conn->quota))
        msec = MIN(msec ? msec : UINT32_MAX, FULL_ABORT_MS);
    return msec ? usec_from_msec(msec) : USEC_NEVER;
}

static void give_up(struct tcp_conn *conn, usec_t now)
{
    conn->engine->counters.tim_retrans_drop++;
    conn->engine->counters.half_open_drop += conn->state == TCP_SYN_RCVD && conn->passive;
    if (conn->state != TCP_SYN_SENT)
        reply_rst_conn(conn, now);
    conn_kill(conn, CAUSE_TIMEOUT, conn->soft_error ? conn->soft_error : ETIMEDOUT, now);
}

/* R1: the path may have changed. Forget what was measured on it and ask for it again. */
static void suspect_path(struct tcp_conn *conn, usec_t waited)
{
    uint32_t msec = opening(conn) ? conn->config.conn_notify_ms : conn->config.notify_ms;

    if (!msec || waited < usec_from_msec(msec))
        return;
    rtt_forget(&conn->rtt);
    if (conn->announced)
        conn_event(conn, TCP_EV_PATH);
}

/* 5.4 to 5.6. */
void rto_fired(struct tcp_conn *conn, usec_t now)
{
    usec_t waited;

    if (!conn->sentq.count)
        return;
    if (timer_running(conn, TIMER_TLP)) { /* RFC 8985 7.2: due now too, and it goes first */
        timer_stop(conn, TIMER_TLP);
        tlp_fired(conn, now);
        if (conn->tlp.out)
            return;
    }
    if (!conn->rexmt_since)
        conn->rexmt_since = now - MIN(now - 1, wait_time(conn));
    waited = usec_since(conn->rexmt_since, now);
    /* MUST-37: beyond a closed window, only silence ends it. */
    if (!opening(conn) && seq_geq(sentq_at(&conn->sentq, 0)->start,
                                  seq_add(conn->snd.una, conn->snd.wnd)))
        waited = MIN(waited, usec_since(conn->stat.last_recv_at, now));
    if (waited >= abort_after(conn)) {
        give_up(conn, now);
        return;
    }
    conn->engine->counters.tim_retrans++;
    suspect_path(conn, waited);
    if (opening(conn)) {
        conn->syn_now = true;
    } else {
        pmtu_timeout(conn, now);
        loss_on_timeout(conn, now);
        ecn_note_reduction(conn);
    }
    if (conn->backoff < 32)
        conn->backoff++;
    rto_arm(conn, now);
    conn_wants_output(conn);
}
