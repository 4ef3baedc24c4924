/* SPDX-License-Identifier: BSD-2-Clause */
/* RFC 5681 and RFC 3465, step by step, worked out by hand. MSS 1000. */
#include "cc_rig.h"

#define NOW (1000 * USEC_PER_SEC)

enum input { ACKED, LOSS, TIMEOUT, TIMEOUT_AGAIN, IDLE };

struct step {
    enum input input;
    uint32_t bytes; /* acknowledged, or in flight */
    uint32_t cwnd, ssthresh;
};

static void goes(struct tcp_conn *conn, const struct step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct step *s = &steps[i];

        if (s->input == ACKED)
            conn->cc.ops->on_ack(conn, s->bytes, NOW);
        else if (s->input == LOSS)
            conn->cc.ops->on_loss(conn, s->bytes, NOW);
        else if (s->input == IDLE)
            conn->cc.ops->on_idle(conn, NOW);
        else
            conn->cc.ops->on_timeout(conn, s->bytes, s->input == TIMEOUT, NOW);
        assert_int_equal(conn->cc.cwnd, s->cwnd);
        assert_int_equal(conn->cc.ssthresh, s->ssthresh);
    }
}

static void one_life_of_a_window(void **state)
{
    static const struct step steps[] = {
        { ACKED, 1000, 5000, 8000 },   /* slow start: N bytes, */
        { ACKED, 2000, 7000, 8000 },
        { ACKED, 3000, 9000, 8000 },   /* at most L = 2 segments */
        { ACKED, 4000, 9000, 8000 },   /* avoidance: not yet a window's worth */
        { ACKED, 4999, 9000, 8000 },
        { ACKED, 1, 10000, 8000 },     /* 9,000 bytes: one segment */
        { ACKED, 10000, 11000, 8000 },
        { LOSS, 11000, 5500, 5500 },   /* FlightSize / 2, not cwnd / 2: */
        { LOSS, 4400, 2200, 2200 },
        { LOSS, 1000, 2000, 2000 },    /* never below two segments */
        { ACKED, 2000, 3000, 2000 },
        { TIMEOUT, 3000, 1000, 2000 },
        { TIMEOUT_AGAIN, 1000, 1000, 2000 },
        { ACKED, 1000, 2000, 2000 },
        { ACKED, 2000, 3000, 2000 },
    };
    struct rig r = rig_new(TCP_CC_NEWRENO, 4 * MSS, 8 * MSS);

    goes(rig_conn(&r), steps, ARRAY_LEN(steps));
    rig_free(&r);
}

/* RFC 3465 2.3: after a timeout L is 1, and a cumulative ACK of the whole window is one step. */
static void after_a_timeout_each_ack_counts_one_segment(void **state)
{
    static const struct step steps[] = {
        { TIMEOUT, 20000, 1000, 10000 },
        { ACKED, 9000, 2000, 10000 },
        { ACKED, 2000, 3000, 10000 },
    };
    struct rig r = rig_new(TCP_CC_NEWRENO, 20 * MSS, 40 * MSS);
    struct tcp_conn *conn = rig_conn(&r);

    conn->loss.phase = LOSS_TIMEOUT;
    goes(conn, steps, ARRAY_LEN(steps));
    rig_free(&r);
}

/* _abc = 0: each ACK counts one segment, whatever it acknowledges. */
static void without_byte_counting(void **state)
{
    static const struct step steps[] = {
        { ACKED, 4000, 5000, 6000 }, { ACKED, 1, 5001, 6000 },    { ACKED, 4000, 6001, 6000 },
        { ACKED, 2000, 6001, 6000 }, { ACKED, 5000, 6001, 6000 },
    };
    struct rig r = rig_new(TCP_CC_NEWRENO, 4 * MSS, 6 * MSS);

    rig_conn(&r);
    r.tun.abc = 0;
    goes(r.conn, steps, ARRAY_LEN(steps));
    rig_free(&r);
}

/* RFC 5681 4.1 and RFC 3390: min(4 MSS, max(2 MSS, 4380)) = 4 segments; never up. */
static void idling_goes_to_the_initial_window(void **state)
{
    static const struct step steps[] = {
        { IDLE, 0, 4000, 8000 }, { TIMEOUT, 4000, 1000, 2000 }, { IDLE, 0, 1000, 2000 },
    };
    struct rig r = rig_new(TCP_CC_NEWRENO, 12 * MSS, 8 * MSS);

    goes(rig_conn(&r), steps, ARRAY_LEN(steps));
    rig_free(&r);
}

/* RFC 5681 4.3, RFC 7661 */
static void a_window_that_is_not_the_limit_stays(void **state)
{
    static const struct step steps[] = { { ACKED, 4000, 4000, 8000 }, { ACKED, 9000, 4000, 8000 } };
    struct rig r = rig_new(TCP_CC_NEWRENO, 4 * MSS, 8 * MSS);

    rig_conn(&r)->cc.limited = false;
    goes(r.conn, steps, ARRAY_LEN(steps));
    rig_free(&r);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_life_of_a_window),
        cmocka_unit_test(after_a_timeout_each_ack_counts_one_segment),
        cmocka_unit_test(without_byte_counting),
        cmocka_unit_test(idling_goes_to_the_initial_window),
        cmocka_unit_test(a_window_that_is_not_the_limit_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
