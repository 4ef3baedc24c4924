/* SPDX-License-Identifier: BSD-2-Clause */
/* A RST that is not at RCV.NXT: RFC 5961 3.2 cases 1 and 3. */
#include "matrix.h"

/* Case 3: in the window: it may be forged, so a challenge ACK asks the peer. */
static void rst_in_window_is_challenged(struct script *s, enum tcp_state st)
{
    int64_t snd_nxt = s->p->rcv_nxt, rcv_nxt = s->p->snd_nxt;

    inject(s, SEG(RST, .seq = rcv_nxt + 100));
    if (st == TCP_SYN_RCVD) {
        struct sent p = next_sent(s);

        assert_true(p.seg.flags & TCP_ACK);
        assert_int_equal(p.ack, rcv_nxt);
    } else {
        expect_plain_ack(s, snd_nxt, rcv_nxt);
    }
    expect_drop(s, DROP_RST_SEQ);
    expect_state(s, st);
}

/* Case 1: outside the window: silence. */
static void rst_outside_the_window_is_dropped(struct script *s, enum tcp_state st)
{
    inject(s, SEG(RST, .seq = s->p->snd_nxt + 10000000));
    inject(s, SEG(RST, .seq = s->p->snd_nxt - 1));
    expect_nothing(s);
    expect_state(s, st);
}

#define X(st) MATRIX_TEST(rst_in_window_is_challenged, st)
X(SYN_RCVD)
EACH_OPEN_STATE(X)
#undef X
#define X(st) MATRIX_TEST(rst_outside_the_window_is_dropped, st)
EACH_STATE_WITH_PEER(X)
#undef X

static const struct CMUnitTest tests[] = {
#define X(st) SCENARIO(rst_in_window_is_challenged_##st),
    X(SYN_RCVD)
    EACH_OPEN_STATE(X)
#undef X
#define X(st) SCENARIO(rst_outside_the_window_is_dropped_##st),
    EACH_STATE_WITH_PEER(X)
#undef X
};

SCRIPT_MAIN("matrix/rcv_rst_elsewhere", tests)
