/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CUBIC against numbers worked out from the equations of RFC 9438 in floating
 * point, in segments and seconds, one ACK after the other.
 */
#include "cc_rig.h"

#define START (1000 * USEC_PER_SEC)

struct step {
    uint32_t at_ms, cwnd;
};

/* One ACK of @bytes each @every_ms; cwnd is compared at the marks, within a thousandth. */
static void grows_like(struct tcp_conn *conn, uint32_t every_ms, uint32_t bytes,
                       const struct step *steps, size_t count)
{
    size_t next = 0;

    for (uint32_t ms = 0; next < count; ms += every_ms) {
        conn->cc.ops->on_ack(conn, bytes, START + usec_from_msec(ms));
        if (steps[next].at_ms > ms)
            continue;
        assert_near(conn->cc.cwnd, steps[next].cwnd, steps[next].cwnd / 1000 + 2);
        next++;
    }
}

/* 4.6: from 100 segments to 70; RTT 100 ms. */
static struct rig after_loss(uint32_t cwnd, usec_t rtt)
{
    struct rig r = rig_new(TCP_CC_CUBIC, cwnd, cwnd);
    struct tcp_conn *conn = rig_conn(&r);

    conn->rtt.srtt = rtt;
    conn->cc.ops->on_loss(conn, cwnd, START);
    return r;
}

static void the_root_is_exact(void **state)
{
    static const struct {
        uint64_t n;
        uint32_t root;
    } rows[] = {
        { 0, 0 }, { 1, 1 }, { 7, 1 }, { 8, 2 }, { 26, 2 }, { 27, 3 }, { 999999999, 999 },
        { 1000000000, 1000 }, { 8000000000000000000ull, 2000000 },
        { UINT64_MAX, 2642245 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(cubic_root(rows[i].n), rows[i].root);
}

/* 4.2, equation 2: K = cbrt((W_max - cwnd_epoch) / 0.4). */
static void k_is_the_time_to_come_back(void **state)
{
    static const struct {
        uint32_t w_max, cwnd, k_ms;
    } rows[] = {
        { 100, 70, 4217 }, { 1000, 700, 9085 }, { 20, 14, 2466 }, { 500, 499, 1357 },
        { 70, 70, 0 },     { 50, 70, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rig r = rig_new(TCP_CC_CUBIC, rows[i].cwnd * MSS, 1 * MSS);
        struct tcp_conn *conn = rig_conn(&r);

        conn->cubic.w_max = rows[i].w_max * MSS;
        conn->cc.ops->on_ack(conn, MSS, START);
        assert_near(conn->cubic.k_msec, rows[i].k_ms, 1);
        rig_free(&r);
    }
}

/* 4.4, 4.5: concave up to W_max, a plateau, convex beyond. An ACK of one segment each ms. */
static void the_window_follows_the_cubic(void **state)
{
    static const struct step steps[] = {
        { 0, 70008 },    { 500, 79799 },  { 1000, 86842 }, { 2000, 95651 },  { 4000, 99993 },
        { 4217, 99999 }, { 5000, 100201 }, { 6000, 106891 }, { 8000, 124201 }, { 10000, 174845 },
    };
    struct rig r = after_loss(100 * MSS, 100 * USEC_PER_MSEC);

    assert_int_equal(rig_conn(&r)->cc.cwnd, 70 * MSS);
    grows_like(r.conn, 1, MSS, steps, ARRAY_LEN(steps));
    rig_free(&r);
}

/* Delayed ACKs grow it as fast. */
static void two_segments_in_one_ack_count_twice(void **state)
{
    static const struct step steps[] = {
        { 0, 70015 }, { 1000, 86854 }, { 4000, 99993 }, { 8000, 124211 },
    };
    struct rig r = after_loss(100 * MSS, 100 * USEC_PER_MSEC);

    rig_conn(&r);
    grows_like(r.conn, 2, 2 * MSS, steps, ARRAY_LEN(steps));
    rig_free(&r);
}

/* 4.3: small windows and short round trips: as Reno would, alpha 9/17, then 1. */
static void the_reno_friendly_region_follows_w_est(void **state)
{
    static const struct step steps[] = {
        { 0, 7076 },     { 10, 7791 },    { 50, 10298 },   { 100, 14366 },
        { 200, 20167 },  { 400, 28409 },  { 600, 34746 },  { 1000, 44805 },
    };
    struct rig r = after_loss(10 * MSS, 10 * USEC_PER_MSEC);

    assert_int_equal(rig_conn(&r)->cc.cwnd, 7 * MSS);
    grows_like(r.conn, 1, MSS, steps, ARRAY_LEN(steps));
    rig_free(&r);
}

/* 4.6, 4.7: {cwnd, W_max} before and {W_max, ssthresh} after. */
static void a_loss_reduces_and_converges_fast(void **state)
{
    static const struct {
        uint32_t cwnd, w_max, flight, new_w_max, ssthresh;
    } rows[] = {
        { 100000, 0, 100000, 100000, 70000 },
        { 100000, 100000, 100000, 100000, 70000 }, /* not below: as it was */
        { 80000, 100000, 80000, 68000, 56000 },    /* below: 0.85 of it */
        { 100000, 50000, 40000, 100000, 28000 },   /* by what was in flight */
        { 2000, 0, 2000, 2000, 2000 },             /* at least two segments */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rig r = rig_new(TCP_CC_CUBIC, rows[i].cwnd, rows[i].cwnd);
        struct tcp_conn *conn = rig_conn(&r);

        conn->cubic.w_max = rows[i].w_max;
        conn->cc.ops->on_loss(conn, rows[i].flight, START);
        assert_int_equal(conn->cubic.w_max, rows[i].new_w_max);
        assert_int_equal(conn->cubic.cwnd_prior, rows[i].cwnd);
        assert_int_equal(conn->cc.ssthresh, rows[i].ssthresh);
        assert_int_equal(conn->cc.cwnd, rows[i].ssthresh);
        rig_free(&r);
    }
}

/* 4.8: after a timeout, cwnd 1, ssthresh 0.7; then K = 0 and W_max is where avoidance began. */
static void a_timeout_begins_with_k_zero(void **state)
{
    static const struct step steps[] = {
        { 0, 50011 },    { 1000, 59666 }, { 2000, 67962 },
        { 3000, 75351 }, { 4000, 82077 }, { 5000, 100160 },
    };
    struct rig r = rig_new(TCP_CC_CUBIC, 100 * MSS, 200 * MSS);
    struct tcp_conn *conn = rig_conn(&r);

    conn->rtt.srtt = 100 * USEC_PER_MSEC;
    conn->cc.ops->on_timeout(conn, 71429, true, START);
    assert_int_equal(conn->cc.cwnd, MSS);
    assert_near(conn->cc.ssthresh, 50 * MSS, 1);
    conn->cc.ops->on_timeout(conn, MSS, false, START); /* the next of the series */
    assert_near(conn->cc.ssthresh, 50 * MSS, 1);
    conn->cc.cwnd = 50 * MSS; /* slow start is over */
    grows_like(conn, 1, MSS, steps, ARRAY_LEN(steps));
    rig_free(&r);
}

/* 5.8: time in which the window is not used does not count. */
static void an_unused_window_stops_the_clock(void **state)
{
    struct rig r = after_loss(100 * MSS, 100 * USEC_PER_MSEC);
    struct tcp_conn *conn = rig_conn(&r);
    usec_t now = START;
    uint32_t before;

    conn->cc.ops->on_ack(conn, MSS, now);
    before = conn->cc.cwnd;
    conn->cc.limited = false;
    for (int i = 0; i < 60; i++)
        conn->cc.ops->on_ack(conn, MSS, now += USEC_PER_SEC);
    assert_int_equal(conn->cc.cwnd, before);
    conn->cc.limited = true;
    conn->cc.ops->on_ack(conn, MSS, now += USEC_PER_MSEC);
    assert_in_range(conn->cc.cwnd, before, before + 50);
    rig_free(&r);
}

/* 4.10 is slow start, the same for all; switching forgets what the other one knew. */
static void slow_start_is_by_bytes_and_a_switch_forgets(void **state)
{
    struct rig r = rig_new(TCP_CC_CUBIC, 10 * MSS, 100 * MSS);
    struct tcp_conn *conn = rig_conn(&r);

    conn->cc.ops->on_ack(conn, 2 * MSS, START);
    assert_int_equal(conn->cc.cwnd, 12 * MSS);
    conn->cc.ops->on_loss(conn, 12 * MSS, START);
    conn->config.cc = TCP_CC_NEWRENO;
    cc_choose(conn);
    assert_int_equal(conn->cubic.w_max, 0);
    assert_string_equal(conn->cc.ops->name, "newreno");
    rig_free(&r);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_root_is_exact),
        cmocka_unit_test(k_is_the_time_to_come_back),
        cmocka_unit_test(the_window_follows_the_cubic),
        cmocka_unit_test(two_segments_in_one_ack_count_twice),
        cmocka_unit_test(the_reno_friendly_region_follows_w_est),
        cmocka_unit_test(a_loss_reduces_and_converges_fast),
        cmocka_unit_test(a_timeout_begins_with_k_zero),
        cmocka_unit_test(an_unused_window_stops_the_clock),
        cmocka_unit_test(slow_start_is_by_bytes_and_a_switch_forgets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
