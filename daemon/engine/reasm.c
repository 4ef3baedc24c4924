/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reassembly in the receive ring: every byte goes straight to its final place,
 * in order or not; a short sorted list says which stretches beyond RCV.NXT are
 * there. RFC 9293 3.10.7.4 seventh check, RFC 2018 for what is reported back.
 */
#include <string.h>

#include "engine/impl.h"

static uint64_t rcv_pos(const struct tcp_conn *conn, struct seq seq)
{
    return conn->rx.tail + seq_len(conn->rcv.nxt, seq);
}

static uint64_t stored_end(const struct tcp_conn *conn)
{
    return conn->ooo.count ? rcv_pos(conn, conn->ooo.range[conn->ooo.count - 1].end)
                           : conn->rx.tail;
}

/* Make the ring long enough for position @end; it grows as data come, up to the window. */
static bool make_room(struct tcp_conn *conn, uint64_t end)
{
    uint64_t need = end - conn->rx.head;

    if (need <= conn->rx.size)
        return true;
    return ring_reserve(&conn->rx, &conn->engine->mem, (uint32_t)need, stored_end(conn)) == 0;
}

/* ---- the list of stretches ------------------------------------------------------ */

static void ooo_remove(struct tcp_conn *conn, unsigned i, unsigned n)
{
    memmove(&conn->ooo.range[i], &conn->ooo.range[i + n],
            (conn->ooo.count - i - n) * sizeof(conn->ooo.range[0]));
    conn->ooo.count = (uint8_t)(conn->ooo.count - n);
}

/* RFC 2018 4: the stretch that the newest segment belongs to is reported first. */
static void ooo_note_recent(struct tcp_conn *conn, struct seq in_it)
{
    unsigned n = MIN(conn->ooo.recent_count + 1u, (unsigned)TCP_MAX_SACKS);

    memmove(&conn->ooo.recent[1], &conn->ooo.recent[0], (n - 1) * sizeof(conn->ooo.recent[0]));
    conn->ooo.recent[0] = in_it;
    conn->ooo.recent_count = (uint8_t)n;
}

/* Add [start, end), joining what it touches. Returns false when there are too many holes. */
static bool ooo_add(struct tcp_conn *conn, struct seq start, struct seq end)
{
    struct seq_range *r = conn->ooo.range;
    unsigned i = 0, n = 0;

    while (i < conn->ooo.count && seq_lt(r[i].end, start))
        i++;
    while (i + n < conn->ooo.count && seq_leq(r[i + n].start, end))
        n++;
    if (!n) {
        if (conn->ooo.count == OOO_MAX)
            return false;
        memmove(&r[i + 1], &r[i], (conn->ooo.count - i) * sizeof(*r));
        conn->ooo.count++;
        r[i] = (struct seq_range){ start, end };
    } else {
        r[i].start = seq_min(r[i].start, start);
        r[i].end = seq_max(r[i + n - 1].end, end);
        if (n > 1)
            ooo_remove(conn, i + 1, n - 1);
    }
    ooo_note_recent(conn, start);
    return true;
}

static int ooo_find(const struct tcp_conn *conn, struct seq s)
{
    for (int i = 0; i < conn->ooo.count; i++) {
        if (seq_in(s, conn->ooo.range[i].start, conn->ooo.range[i].end))
            return i;
    }
    return -1;
}

void reasm_note_duplicate(struct tcp_conn *conn, struct seq start, uint32_t len)
{
    if (!conn->use_sack || !len || !conn_synchronized(conn))
        return;
    conn->ooo.dup = (struct seq_range){ start, seq_add(start, len) };
    conn->ooo.dup_due = true;
}

/* Which bytes of [start, end) are in the list: the first stretch of them, for a D-SACK. */
static void note_overlap(struct tcp_conn *conn, struct seq start, struct seq end)
{
    for (unsigned i = 0; i < conn->ooo.count; i++) {
        const struct seq_range *r = &conn->ooo.range[i];
        struct seq from = seq_max(start, r->start), to = seq_min(end, r->end);

        if (seq_lt(from, to)) {
            reasm_note_duplicate(conn, from, seq_len(from, to));
            return;
        }
    }
}

/** reasm_sacks() - the blocks for an ACK: what came twice, the newest, the others (2883 4) */
uint8_t reasm_sacks(const struct tcp_conn *conn, struct seq_range *ret, uint8_t max)
{
    uint64_t told = 0;
    uint8_t n = 0;

    if (conn->ooo.dup_due && max)
        ret[n++] = conn->ooo.dup;
    for (unsigned i = 0; i < conn->ooo.recent_count && n < max; i++) {
        int at = ooo_find(conn, conn->ooo.recent[i]);

        if (at < 0 || told >> at & 1)
            continue;
        told |= 1ULL << at;
        ret[n++] = conn->ooo.range[at];
    }
    for (int i = 0; i < conn->ooo.count && n < max; i++) {
        if (!(told >> i & 1))
            ret[n++] = conn->ooo.range[i];
    }
    return n;
}

_Static_assert(OOO_MAX <= 64, "reasm_sacks() keeps one bit for each");

/* ---- patience ------------------------------------------------------------------- */

/* _reass_timeout, of the hole in front: counted anew when one is filled. */
static void rearm(struct tcp_conn *conn, bool progress, usec_t now)
{
    uint32_t patience = conn->engine->tun->reass_timeout;

    if (!conn->ooo.count || !patience)
        timer_stop(conn, TIMER_REASM);
    else if (progress || !timer_running(conn, TIMER_REASM))
        timer_set(conn, TIMER_REASM, now + usec_from_msec(patience));
}

/* The SACKs that were sent are taken back by saying so no more: RFC 2018 8 allows it. */
void reasm_timeout(struct tcp_conn *conn, usec_t now)
{
    if (!conn->ooo.count)
        return;
    conn->engine->counters.reass_timeouts++;
    conn->ooo.count = 0;
    conn->ooo.recent_count = 0;
    conn_dirty(conn);
}

/* ---- in order --------------------------------------------------------------------- */

static void fin_in_order(struct tcp_conn *conn, usec_t now)
{
    conn->rcv.nxt = seq_add(conn->rcv.fin_seq, 1);
    conn->rcv.adv = seq_max(conn->rcv.adv, conn->rcv.nxt);
    conn->rcv.fin_taken = true;
    ack_now(conn);
    conn_event(conn, TCP_EV_FIN);
    if (conn->state == TCP_ESTABLISHED)
        tcp_conn_set_state(conn, TCP_CLOSE_WAIT, CAUSE_FIN, now);
    else if (conn->state == TCP_FIN_WAIT_1)
        tcp_conn_set_state(conn, TCP_CLOSING, CAUSE_FIN, now);
    else if (conn->state == TCP_FIN_WAIT_2)
        tcp_conn_set_state(conn, TCP_TIME_WAIT, CAUSE_FIN, now);
}

static void advance_nxt(struct tcp_conn *conn, uint32_t len, usec_t now)
{
    conn->rcv.nxt = seq_add(conn->rcv.nxt, len);
    conn->rx.tail += len;
    conn->stat.bytes_received += len;
    /* Stretches that it reached or covers are in order too. */
    while (conn->ooo.count && seq_leq(conn->ooo.range[0].start, conn->rcv.nxt)) {
        struct seq end = conn->ooo.range[0].end;

        ooo_remove(conn, 0, 1);
        if (seq_gt(end, conn->rcv.nxt)) {
            len = seq_len(conn->rcv.nxt, end);
            conn->rcv.nxt = end;
            conn->rx.tail += len;
            conn->stat.bytes_received += len;
        }
    }
    if (!conn->ooo.count)
        conn->ooo.recent_count = 0;
    conn_event(conn, TCP_EV_READABLE);
    if (conn->rcv.fin_known && !conn->rcv.fin_taken && seq_eq(conn->rcv.nxt, conn->rcv.fin_seq))
        fin_in_order(conn, now);
}

/**
 * reasm_store() - take [seq, seq + len), which lies within the window
 * @data:  borrowed
 *
 * No memory, or too many holes: dropped, the peer sends it again.
 */
void reasm_store(struct tcp_conn *conn, struct seq seq, const uint8_t *data, uint32_t len,
                 usec_t now)
{
    struct tcp_counters *c = &conn->engine->counters;
    bool in_order = seq_eq(seq, conn->rcv.nxt), had_holes = conn->ooo.count;
    uint64_t pos = rcv_pos(conn, seq);

    if (!make_room(conn, pos + len)) {
        engine_drop(conn->engine, conn, DROP_NO_MEMORY, now);
        ack_now(conn);
        return;
    }
    note_overlap(conn, seq, seq_add(seq, len));
    if (!in_order && !ooo_add(conn, seq, seq_add(seq, len))) {
        engine_drop(conn->engine, conn, DROP_REASM_FULL, now);
        ack_now(conn);
        return;
    }
    ring_write(&conn->rx, pos, data, len);
    conn_dirty(conn);
    if (in_order) {
        c->in_data_inorder_segs++;
        c->in_data_inorder_bytes += len;
        advance_nxt(conn, len, now);
    } else {
        c->in_data_unorder_segs++;
        c->in_data_unorder_bytes += len;
    }
    rearm(conn, in_order, now);
    /* RFC 5681 4.2: out of order, or filling a hole: acknowledge at once. */
    delack_received(conn, len, in_order && !had_holes, now);
}

void reasm_fin(struct tcp_conn *conn, struct seq fin_seq, usec_t now)
{
    if (conn->rcv.fin_known)
        return;
    conn->rcv.fin_known = true;
    conn->rcv.fin_seq = fin_seq;
    conn_dirty(conn);
    if (seq_eq(conn->rcv.nxt, fin_seq))
        fin_in_order(conn, now);
    else
        ack_now(conn);
}
