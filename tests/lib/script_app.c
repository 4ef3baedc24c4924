/* SPDX-License-Identifier: BSD-2-Clause */
/* The program's side of a script, what it is told, and the openings. */
#include "script.h"

#include <stdio.h>

static struct tcp_conn *conn(struct script *s)
{
    if (!s->p->conn)
        script_fail(s, "there is no connection (any more)");
    return s->p->conn;
}

/* ---- writing and reading ---------------------------------------------------------- */

/* One call of tx_space and commit; returns what was taken. */
static int64_t write_once(struct script *s, int64_t n, bool urgent)
{
    struct iovec iov[2] = { { 0 } };
    uint32_t room = tcp_conn_tx_space(conn(s), (uint32_t)n, iov);
    int64_t take = MIN((int64_t)room, n), left = take;

    for (int i = 0; i < 2 && left; i++) {
        uint8_t *p = iov[i].iov_base;

        for (size_t k = 0; k < iov[i].iov_len && left; k++, left--)
            p[k] = script_pattern(true, s->p->written++);
    }
    if (left)
        script_fail(s, "tx_space() said %u bytes, its iovecs hold %lld less", room,
                    (long long)left);
    if (take)
        tcp_conn_tx_commit(conn(s), (uint32_t)take, urgent && take == n, s->now);
    return take;
}

int64_t app_writes_some(struct script *s, int64_t n)
{
    int64_t done = 0, took;

    do {
        took = write_once(s, n - done, false);
        done += took;
    } while (took && done < n);
    script_note(s, "  program writes %lld of %lld", (long long)done, (long long)n);
    settle(s);
    return done;
}

void script_app_writes(struct script *s, int64_t n)
{
    int64_t done = app_writes_some(s, n);

    if (done != n)
        script_fail(s, "the program could write %lld of %lld bytes", (long long)done,
                    (long long)n);
}

void app_writes_urgent(struct script *s, int64_t n)
{
    if (write_once(s, n, true) != n)
        script_fail(s, "no room for %lld urgent bytes", (long long)n);
    settle(s);
}

static void take_out(struct script *s, int64_t n)
{
    struct iovec iov[2] = { { 0 } };
    uint32_t there = tcp_conn_rx_peek(conn(s), iov);
    int64_t left = n;

    if (there < n)
        script_fail(s, "%u bytes are there to be read, not %lld", there, (long long)n);
    for (int i = 0; i < 2 && left > 0; i++) {
        const uint8_t *p = iov[i].iov_base;

        for (size_t k = 0; k < iov[i].iov_len && left > 0; k++, left--) {
            if (p[k] != script_pattern(false, s->p->read))
                script_fail(s, "byte %lld was delivered wrong", (long long)s->p->read);
            s->p->read++;
        }
    }
    if (left > 0)
        script_fail(s, "rx_peek() said %u bytes, its iovecs hold less", there);
    tcp_conn_rx_consume(conn(s), (uint32_t)n, s->now);
}

void app_takes(struct script *s, int64_t n)
{
    take_out(s, n);
    settle(s);
}

void app_releases(struct script *s, int64_t n)
{
    tcp_conn_rx_release(conn(s), (uint32_t)n, s->now);
    settle(s);
}

void script_app_reads(struct script *s, int64_t n)
{
    if (n == 0) {
        struct iovec iov[2];

        if (tcp_conn_rx_peek(conn(s), iov))
            script_fail(s, "bytes are there to be read");
        return;
    }
    take_out(s, n);
    script_note(s, "  program reads %lld", (long long)n);
    app_releases(s, n);
}

int64_t app_reads_all(struct script *s)
{
    struct iovec iov[2];
    int64_t n = tcp_conn_rx_peek(conn(s), iov);

    if (n)
        script_app_reads(s, n);
    return n;
}

/* ---- the other calls ----------------------------------------------------------------- */

void app_shuts(struct script *s)
{
    script_note(s, "  program shuts down writing");
    tcp_conn_shutdown(conn(s), s->now);
    settle(s);
}

void app_closes(struct script *s)
{
    script_note(s, "  program closes");
    tcp_conn_close(conn(s), s->now);
    settle(s);
}

void app_aborts(struct script *s)
{
    script_note(s, "  program aborts");
    tcp_conn_abort(conn(s), s->now);
    settle(s);
}

void app_configures(struct script *s, const struct tcp_config *config)
{
    tcp_conn_configure(conn(s), config, s->now);
    settle(s);
}

struct tcp_config app_config(struct script *s)
{
    return *tcp_conn_config(conn(s));
}

struct tcp_conn_info info(struct script *s)
{
    struct tcp_conn_info i = { 0 };

    tcp_conn_info(conn(s), &i);
    return i;
}

/* ---- what the program is told ---------------------------------------------------------- */

void script_expect_event(struct script *s, unsigned what)
{
    if ((s->p->events & what) != what)
        script_fail(s, "expected event %#x, announced were %#x", what, s->p->events);
    s->p->events &= ~what;
}

void script_expect_no_event(struct script *s, unsigned what)
{
    if (s->p->events & what)
        script_fail(s, "event %#x should not have come", s->p->events & what);
}

void script_expect_state(struct script *s, enum tcp_state state)
{
    enum tcp_state is = s->p->conn ? tcp_conn_state(s->p->conn) : TCP_CLOSED;

    if (is != state)
        script_fail(s, "expected state %s, it is %s", tcp_state_name(state), tcp_state_name(is));
}

void script_expect_closed(struct script *s, int error)
{
    script_expect_event(s, TCP_EV_CLOSED);
    if (s->p->error != error)
        script_fail(s, "expected error %d (%s), the program is told %d (%s)", error,
                    strerror(error), s->p->error, strerror(s->p->error));
}

void script_expect_gone(struct script *s)
{
    if (s->p->conn && tcp_conn_state(s->p->conn) == TCP_CLOSED && s->p->error >= 0) {
        tcp_conn_close(s->p->conn, s->now);
        settle(s);
    }
    if (!s->p->gone)
        script_fail(s, "the connection is not gone, but %s",
                    s->p->conn ? tcp_state_name(tcp_conn_state(s->p->conn)) : "never was");
}

void script_expect_alive(struct script *s)
{
    if (s->p->gone || (s->p->events & TCP_EV_CLOSED))
        script_fail(s, "the connection is dead (error %d)", s->p->error);
}

void script_expect_drop(struct script *s, enum tcp_drop why)
{
    const struct tcp_counters *c = tcp_engine_counters(s->e);
    char others[200] = "";
    bool risen = c->drop[why] > s->drops_seen[why];

    for (int i = 0; !risen && i < TCP_DROP_COUNT; i++)
        if (c->drop[i] > s->drops_seen[i])
            (void)snprintf(others, sizeof(others), " (but: %s)", tcp_drop_name(i));
    if (!risen)
        script_fail(s, "no drop was counted as: %s%s", tcp_drop_name(why), others);
    memcpy(s->drops_seen, c->drop, sizeof(s->drops_seen));
}

/* ---- longer stretches ------------------------------------------------------------------ */

void peer_fills_window(struct script *s)
{
    while (s->p->snd_nxt < s->p->right_edge)
        peer_sends(s, MIN((int64_t)1000, s->p->right_edge - s->p->snd_nxt));
    advance(s, MS(200));
    forget_output(s);
}

void grow_cwnd(struct script *s, uint32_t segs)
{
    for (int i = 0; i < 1000 && info(s).cwnd < segs * 1000; i++) {
        app_writes_some(s, (int64_t)segs * 1000);
        forget_output(s);
        peer_acks(s, s->p->rcv_nxt);
    }
    if (info(s).cwnd < segs * 1000)
        script_fail(s, "the congestion window stays at %u bytes", info(s).cwnd);
    while (packets_waiting(s)) {
        forget_output(s);
        peer_acks(s, s->p->rcv_nxt);
    }
}

void expect_ack_by(struct script *s, usec_t delay, int64_t ack)
{
    if (packets_waiting(s))
        script_expect(s, SEG(ACK, .ack = ack, .len = 0));
    else
        script_expect_within(s, 0, delay, SEG(ACK, .ack = ack, .len = 0));
}

/* ---- openings ----------------------------------------------------------------------------- */

static void ready(struct script *s)
{
    if (!s->e)
        script_start(s);
}

void offers_gso(struct script *s, uint32_t bytes)
{
    ready(s);
    s->path.gso_max = bytes;
}

int connects(struct script *s)
{
    struct tcp_open open = { 0 };
    struct tcp_conn *c = NULL;
    int r;

    ready(s);
    open = (struct tcp_open){ .flow = script_flow(s, s->p), .config = s->config, .path = s->path };
    r = tcp_connect(s->e, &open, s->now, &c);
    if (r)
        return r;
    s->p->conn = c;
    s->p->conn_id = tcp_conn_id(c);
    s->p->announced = true;
    s->p->gone = false;
    s->p->events = 0;
    s->p->error = -1;
    s->p->written = s->p->read = 0;
    script_note(s, "  program connects");
    settle(s);
    return 0;
}

void listens(struct script *s, uint32_t backlog)
{
    struct tcp_open open = { 0 };

    ready(s);
    open = (struct tcp_open){ .flow = script_flow(s, s->p), .config = s->config,
                              .user = ++s->listeners };
    open.flow.local = s->v6 ? IP_ADDR_ANY6 : IP_ADDR_ANY4;
    if (tcp_listen(s->e, &open, backlog, &s->listener))
        script_fail(s, "tcp_listen() failed");
    settle(s);
}

void peer_opens(struct script *s, struct offer offer)
{
    s->p->offer = offer;
    inject(s, SEG(SYN));
    expect(s, SEG(SYN | ACK, .seq = 0, .ack = 1));
    inject(s, SEG(ACK, .seq = 1, .ack = 1));
    expect_nothing(s);
    expect_event(s, TCP_EV_ACCEPT);
    expect_state(s, TCP_ESTABLISHED);
}

struct script *opens(struct script *s, struct offer offer)
{
    return opens_far(s, offer, 0);
}

struct script *opens_far(struct script *s, struct offer offer, usec_t rtt)
{
    ready(s);
    s->p->offer = offer;
    assert_int_equal(connects(s), 0);
    expect(s, SEG(SYN, .seq = 0));
    if (rtt)
        advance(s, rtt);
    inject(s, SEG(SYN | ACK, .seq = 0, .ack = 1));
    expect(s, SEG(ACK, .seq = 1, .ack = 1, .len = 0));
    expect_nothing(s);
    expect_event(s, TCP_EV_ESTABLISHED);
    expect_state(s, TCP_ESTABLISHED);
    return s;
}

struct script *established_with(void **state, struct offer offer)
{
    return opens(script(state), offer);
}

struct script *established(void **state)
{
    return established_with(state, OFFER_PLAIN);
}

struct script *listening(void **state)
{
    struct script *s = script(state);

    listens(s, 5);
    return s;
}

struct script *syn_sent(void **state)
{
    struct script *s = script(state);

    ready(s);
    assert_int_equal(connects(s), 0);
    expect(s, SEG(SYN, .seq = 0));
    expect_nothing(s);
    expect_state(s, TCP_SYN_SENT);
    return s;
}

struct script *syn_rcvd(void **state)
{
    struct script *s = listening(state);

    inject(s, SEG(SYN));
    expect(s, SEG(SYN | ACK, .seq = 0, .ack = 1));
    expect_nothing(s);
    return s;
}

struct script *accepted(void **state)
{
    struct script *s = listening(state);

    peer_opens(s, OFFER_PLAIN);
    return s;
}

static struct script *fin_wait_1(void **state)
{
    struct script *s = established(state);

    app_shuts(s);
    expect(s, SEG(FIN | ACK, .seq = 1, .ack = 1, .len = 0));
    expect_nothing(s);
    return s;
}

static struct script *close_wait(void **state)
{
    struct script *s = established(state);

    inject(s, SEG(FIN | ACK, .seq = 1, .ack = 1));
    expect(s, SEG(ACK, .seq = 1, .ack = 2));
    expect_nothing(s);
    return s;
}

static struct script *half_open(void **state)
{
    struct script *s = syn_sent(state);

    inject(s, SEG(SYN));
    expect(s, SEG(SYN | ACK, .seq = 0, .ack = 1));
    expect_nothing(s);
    return s;
}

/* SYN-RECEIVED is the one of a simultaneous open, so that its connection is known. */
struct script *in_state(void **state, enum tcp_state st)
{
    struct script *s = NULL;

    switch (st) {
    case TCP_SYN_SENT:
        return syn_sent(state);
    case TCP_SYN_RCVD:
        s = half_open(state);
        break;
    case TCP_ESTABLISHED:
        return established(state);
    case TCP_FIN_WAIT_1:
        s = fin_wait_1(state);
        break;
    case TCP_FIN_WAIT_2:
        s = fin_wait_1(state);
        inject(s, SEG(ACK, .seq = 1, .ack = 2));
        break;
    case TCP_CLOSE_WAIT:
        s = close_wait(state);
        break;
    case TCP_LAST_ACK:
        s = close_wait(state);
        app_closes(s);
        expect(s, SEG(FIN | ACK, .seq = 1, .ack = 2));
        break;
    case TCP_CLOSING:
        s = fin_wait_1(state);
        inject(s, SEG(FIN | ACK, .seq = 1, .ack = 1));
        expect(s, SEG(ACK, .seq = 2, .ack = 2));
        break;
    case TCP_TIME_WAIT:
        s = fin_wait_1(state);
        inject(s, SEG(FIN | ACK, .seq = 1, .ack = 2));
        expect(s, SEG(ACK, .seq = 2, .ack = 2));
        break;
    default:
        fail_msg("no way to state %d", st);
    }
    expect_nothing(s);
    expect_state(s, st);
    return s;
}
