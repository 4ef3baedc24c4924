/* SPDX-License-Identifier: BSD-2-Clause */
/* A listener's two queues, and SYN cookies: illumos 5.7, RFC 4987 3.6, design.md 6. */
#include "lib/script.h"

static struct script *backlog(void **state, uint32_t backlog_conns, uint32_t q0)
{
    struct script *s = script(state);

    s->tun.conn_req_max_q0 = q0;
    listens(s, backlog_conns);
    s->leave_backlog = true;
    return s;
}

static uint32_t completed(struct script *s)
{
    uint32_t q, q0;

    tcp_listener_queued(s->listener, &q, &q0);
    return q;
}

static uint32_t half_open(struct script *s)
{
    uint32_t q, q0;

    tcp_listener_queued(s->listener, &q, &q0);
    return q0;
}

/* q full: the SYN is dropped, the peer will try again. */
static void a_full_backlog_drops_the_syn(void **state)
{
    struct script *s = backlog(state, 2, 100);

    peer_opens(s, OFFER_PLAIN);
    peer_add(s);
    peer_opens(s, OFFER_PLAIN);
    assert_int_equal(completed(s), 2);
    peer_add(s);
    inject(s, SEG(SYN));
    expect_nothing(s);
    expect_drop(s, DROP_BACKLOG);
}

static void taking_one_makes_room(void **state)
{
    struct script *s = backlog(state, 1, 100);
    struct peer *first = s->p;

    peer_opens(s, OFFER_PLAIN);
    peer_add(s);
    inject(s, SEG(SYN));
    expect_nothing(s);
    tcp_listener_taken(s->listener, first->conn, 9);
    advance(s, SEC(1));
    s->p->snd_nxt = 0;
    peer_opens(s, OFFER_PLAIN);
}

static void a_larger_backlog_makes_room(void **state)
{
    struct script *s = backlog(state, 1, 100);

    peer_opens(s, OFFER_PLAIN);
    tcp_listener_configure(s->listener, &s->config, 2);
    peer_add(s);
    peer_opens(s, OFFER_PLAIN);
    assert_int_equal(completed(s), 2);
}

/* A connection that dies in the queue leaves it. */
static void a_reset_connection_leaves_the_backlog(void **state)
{
    struct script *s = backlog(state, 2, 100);

    peer_opens(s, OFFER_PLAIN);
    inject(s, SEG(RST));
    expect_event(s, TCP_EV_CLOSED);
    expect_nothing(s);
    assert_true(completed(s) <= 1);
}

static void options_to_come_are_the_listeners(void **state)
{
    struct script *s = backlog(state, 5, 100);
    struct tcp_config config = s->config;

    config.nodelay = 1;
    tcp_listener_configure(s->listener, &config, 5);
    peer_opens(s, OFFER_PLAIN);
    assert_int_equal(app_config(s).nodelay, 1);
}

/* q0 full: cookies. */
static void a_full_half_open_queue_answers_with_cookies(void **state)
{
    struct script *s = backlog(state, 10, 4);

    for (int i = 0; i < 60; i++) {
        inject(s, SEG(SYN, .seq = 0));
        expect(s, SEG(SYN | ACK, .ack = 1));
        peer_add(s);
    }
    assert_true(half_open(s) <= 14);
    assert_true(tcp_engine_counters(s->e)->syn_cookies_sent >= 46);
}

static struct script *with_cookie(void **state, struct offer offer)
{
    struct script *s = backlog(state, 10, 0);

    for (int i = 0; i < 100 && !tcp_engine_counters(s->e)->syn_cookies_sent; i++) {
        peer_add(s);
        s->p->offer = offer;
        inject(s, SEG(SYN, .seq = 0));
        expect(s, SEG(SYN | ACK, .ack = 1));
    }
    assert_true(tcp_engine_counters(s->e)->syn_cookies_sent > 0);
    return s;
}

static void the_ack_of_a_cookie_makes_a_connection(void **state)
{
    struct script *s = with_cookie(state, OFFER_PLAIN);

    inject(s, SEG(ACK, .seq = 1, .ack = 1));
    expect_event(s, TCP_EV_ACCEPT);
    expect_state(s, TCP_ESTABLISHED);
    peer_sends(s, 300);
    app_reads(s, 300);
    app_writes(s, 400);
    skip_acks(s);
    expect(s, SEG(ACK | PSH, .seq = 1, .ack = 301, .len = 400));
}

/* The cookie carries the peer's MSS, rounded down. */
static void a_cookie_remembers_the_segment_size(void **state)
{
    struct script *s = with_cookie(state, (struct offer){ .mss = 1000, .wscale = NONE });
    struct sent p;

    inject(s, SEG(ACK, .seq = 1, .ack = 1));
    app_writes(s, 3000);
    p = next_sent(s);
    assert_in_range(p.seg.len, 300, 1000);
}

static void data_with_the_ack_of_a_cookie_are_taken(void **state)
{
    struct script *s = with_cookie(state, OFFER_PLAIN);

    inject(s, SEG(ACK | PSH, .seq = 1, .ack = 1, .len = 50));
    expect_event(s, TCP_EV_ACCEPT);
    app_reads_all(s);
    if (s->p->read == 0) { /* or left to be resent */
        inject(s, SEG(ACK | PSH, .seq = 1, .ack = 1, .len = 50));
        app_reads_all(s);
    }
    assert_int_equal(s->p->read, 50);
}

static void a_guessed_cookie_is_refused(void **state)
{
    struct script *s = with_cookie(state, OFFER_PLAIN);

    for (int i = 1; i <= 15; i++) { /* fewer than the limit on resets */
        inject(s, SEG(ACK, .seq = 1, .ack = 1 + 1000003 * i));
        expect(s, SEG(RST, .seq = 1 + 1000003 * i));
    }
    expect_no_event(s, TCP_EV_ACCEPT);
}

/* A cookie belongs to its tuple. */
static void a_cookie_of_another_peer_is_refused(void **state)
{
    struct script *s = with_cookie(state, OFFER_PLAIN);
    struct peer *owner = s->p, *thief;

    thief = peer_add(s);
    thief->iss = owner->iss;
    thief->iss_ours = owner->iss_ours;
    thief->have_iss_ours = true;
    inject(s, SEG(ACK, .seq = 1, .ack = 1));
    expect(s, SEG(RST, .seq = 1));
    expect_no_event(s, TCP_EV_ACCEPT);
}

static void an_old_cookie_is_refused(void **state)
{
    struct script *s = with_cookie(state, OFFER_PLAIN);
    struct peer *p = s->p;

    advance(s, SEC(900));
    forget_output(s);
    peer_use(s, p);
    inject(s, SEG(ACK, .seq = 1, .ack = 1));
    expect_no_event(s, TCP_EV_ACCEPT);
}

static void without_cookies_the_syn_is_dropped(void **state)
{
    struct script *s = script(state);
    unsigned answered = 0;

    s->tun.syn_cookies = 0;
    s->tun.conn_req_max_q0 = 4;
    listens(s, 2);
    for (int i = 0; i < 60; i++) {
        inject(s, SEG(SYN, .seq = 0));
        answered += forget_output(s);
        peer_add(s);
    }
    assert_in_range(answered, 4, 6);
    expect_drop(s, DROP_HALF_OPEN);
}

/* SO_REUSEPORT: a keyed hash spreads the SYNs, and the same peer meets the same listener. */
static void two_listeners_share_the_syns(void **state)
{
    struct script *s = backlog(state, 100, 100);
    struct tcp_listener *first = s->listener;
    uint32_t q[2], q0[2];

    listens(s, 100);
    s->leave_backlog = true;
    for (int i = 0; i < 60; i++) {
        peer_add(s);
        inject(s, SEG(SYN, .seq = 0));
        inject(s, SEG(SYN, .seq = 0));
    }
    tcp_listener_queued(first, &q[0], &q0[0]);
    tcp_listener_queued(s->listener, &q[1], &q0[1]);
    assert_int_equal(q0[0] + q0[1], 60);
    assert_in_range(q0[0], 10, 50);
}

/* The more specific address wins. */
static void a_listener_on_the_address_comes_before_the_wildcard(void **state)
{
    struct script *s = backlog(state, 5, 100);
    struct tcp_listener *wild = s->listener;
    struct tcp_open open = { .flow = script_flow(s, s->p), .config = s->config, .user = 2 };
    uint32_t q, q0;

    if (tcp_listen(s->e, &open, 5, &s->listener))
        fail_msg("tcp_listen()");
    inject(s, SEG(SYN));
    assert_int_equal(half_open(s), 1);
    tcp_listener_queued(wild, &q, &q0);
    assert_int_equal(q0, 0);
}

/* [::] takes IPv4 as well, unless V6ONLY. */
static void the_ipv6_wildcard_takes_both_families_unless_v6only(void **state)
{
    struct script *s = script(state);
    struct tcp_open open;

    script_start(s);
    open = (struct tcp_open){ .config = s->config };
    open.flow.lport = SCRIPT_LPORT;
    assert_int_equal(tcp_listen(s->e, &open, 5, &s->listener), 0);
    inject(s, SEG(SYN));
    expect(s, SEG(SYN | ACK));
    tcp_listener_close(s->e, s->listener, s->now);
    settle(s);
    forget_output(s);
    open.v6only = true;
    assert_int_equal(tcp_listen(s->e, &open, 5, &s->listener), 0);
    peer_add(s);
    inject(s, SEG(SYN));
    if (s->v6)
        expect(s, SEG(SYN | ACK));
    else
        expect(s, SEG(RST | ACK));
}

/* design.md 3: a passive open waits for its route without losing the SYN's facts. */
static void a_syn_waits_for_its_path(void **state)
{
    struct script *s = script(state);

    listens(s, 5);
    s->withhold_path = true;
    inject(s, SEG(SYN));
    expect_nothing(s);
    expect_event(s, TCP_EV_PATH);
    tcp_conn_set_path(s->p->conn, &s->path, s->now);
    settle(s);
    expect(s, SEG(SYN | ACK, .seq = 0, .ack = 1, .mss = OUR_MSS(s)));
}

static const struct CMUnitTest tests[] = {
    SCENARIO(a_full_backlog_drops_the_syn),
    SCENARIO(taking_one_makes_room),
    SCENARIO(a_larger_backlog_makes_room),
    SCENARIO(a_reset_connection_leaves_the_backlog),
    SCENARIO(options_to_come_are_the_listeners),
    SCENARIO(a_full_half_open_queue_answers_with_cookies),
    SCENARIO(the_ack_of_a_cookie_makes_a_connection),
    SCENARIO(a_cookie_remembers_the_segment_size),
    SCENARIO(data_with_the_ack_of_a_cookie_are_taken),
    SCENARIO(a_guessed_cookie_is_refused),
    SCENARIO(a_cookie_of_another_peer_is_refused),
    SCENARIO(an_old_cookie_is_refused),
    SCENARIO(without_cookies_the_syn_is_dropped),
    SCENARIO(two_listeners_share_the_syns),
    SCENARIO(a_listener_on_the_address_comes_before_the_wildcard),
    SCENARIO(the_ipv6_wildcard_takes_both_families_unless_v6only),
    SCENARIO(a_syn_waits_for_its_path),
};

SCRIPT_MAIN("listener_queue", tests)
