/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proportional Rate Reduction, RFC 6937: during fast recovery cwnd goes from what
 * was in flight down to ssthresh in step with what the ACKs say was delivered,
 * neither at once with a silence before, nor with a burst behind. When more was
 * lost than the reduction asks for, it is slow start back up to ssthresh, but
 * only while the recovery makes progress; else as much is sent as arrived.
 */
#include "engine/cc.h"

/** prr_start() - recovery begins: ssthresh is set; @flight: SND.NXT - SND.UNA */
void prr_start(struct tcp_conn *conn, uint32_t flight)
{
    conn->prr.delivered = 0;
    conn->prr.out = 0;
    conn->prr.flight = MAX(flight, conn->snd.mss);
}

/** prr_send_count() - section 3: how many bytes may go in answer to @delivered bytes */
uint32_t prr_send_count(const struct tcp_conn *conn, uint32_t pipe, uint32_t delivered,
                        bool progress)
{
    uint32_t ssthresh = conn->cc.ssthresh, out = conn->prr.out, limit;
    uint64_t share;

    if (pipe > ssthresh) {
        share = ((uint64_t)conn->prr.delivered * ssthresh + conn->prr.flight - 1) /
                conn->prr.flight;
        return share > out ? (uint32_t)(share - out) : 0;
    }
    limit = MAX(conn->prr.delivered > out ? conn->prr.delivered - out : 0, delivered);
    if (progress)
        limit += conn->snd.mss;
    return MIN(ssthresh - pipe, limit);
}

/**
 * prr_on_ack() - an ACK of the recovery delivered @delivered bytes; sets cwnd
 * @progress:  SND.UNA moved and nothing more was found lost
 */
void prr_on_ack(struct tcp_conn *conn, uint32_t delivered, bool progress, usec_t now)
{
    uint32_t pipe = loss_pipe(conn);

    conn->prr.delivered += delivered;
    cc_set_cwnd(conn, (uint64_t)pipe + prr_send_count(conn, pipe, delivered, progress), now);
}

/** prr_sent() - @len bytes left, or with a negative @len did not leave after all */
void prr_sent(struct tcp_conn *conn, int64_t len)
{
    if (conn->loss.phase == LOSS_RECOVERY)
        conn->prr.out = (uint32_t)MAX((int64_t)conn->prr.out + len, (int64_t)0);
}
