/* SPDX-License-Identifier: BSD-2-Clause */
/* What is in flight: totals stay true whatever is done, checked against a byte map. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "engine/sentq.h"

static struct seq at(uint32_t n)
{
    return seq_of(0xffffff00u + n); /* wraps in the middle */
}

/* Five entries of 100 bytes: [0,100) ... [400,500). */
static struct sentq five(void)
{
    struct sentq q = { 0 };

    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(sentq_reserve(&q, 1), 0);
        sentq_append(&q, at(100 * i), at(100 * i + 100), 1000 + i);
    }
    return q;
}

static void check(const struct sentq *q)
{
    uint32_t total = 0, sacked = 0, lost = 0, retrans = 0;

    for (uint32_t i = 0; i < q->count; i++) {
        const struct sent *s = sentq_at(q, i);
        uint32_t len = seq_len(s->start, s->end);

        assert_true(seq_lt(s->start, s->end));
        if (i)
            assert_true(seq_eq(sentq_at(q, i - 1)->end, s->start));
        total += len;
        sacked += s->flags & SENT_SACKED ? len : 0;
        lost += s->flags & SENT_LOST ? len : 0;
        retrans += s->flags & SENT_RETRANS ? len : 0;
    }
    assert_int_equal(total, q->total);
    assert_int_equal(sacked, q->sacked);
    assert_int_equal(lost, q->lost);
    assert_int_equal(retrans, q->retrans);
}

static void an_ack_cuts_the_oldest(void **state)
{
    struct sentq q = five();
    struct sent_acked acked = { 0 };

    sentq_ack(&q, at(150), &acked);
    check(&q);
    assert_int_equal(q.total, 350);
    assert_true(seq_eq(sentq_at(&q, 0)->start, at(150)));
    assert_int_equal(acked.newest_at, 1001);
    assert_false(acked.again);
    sentq_free(&q);
}

/* RFC 6675: bytes SACKed leave the pipe; neighbours are joined. */
static void sacks_are_marked_and_joined(void **state)
{
    struct sentq q = five();
    struct sent_acked acked = { 0 };
    struct seq high;

    assert_int_equal(sentq_reserve(&q, 8), 0);
    assert_int_equal(sentq_sack(&q, at(150), at(250), &acked), 100);
    check(&q);
    assert_int_equal(sentq_pipe(&q), 400);
    assert_int_equal(sentq_sack(&q, at(200), at(400), &acked), 150);
    check(&q);
    assert_int_equal(sentq_sack(&q, at(150), at(400), &acked), 0);
    assert_int_equal(q.count, 4); /* [0,100) [100,150) [150,400) [400,500) */
    assert_true(sentq_highest_sacked(&q, &high));
    assert_true(seq_eq(high, at(400)));
    sentq_free(&q);
}

static void what_is_lost_is_sent_again_in_order(void **state)
{
    struct sentq q = five();

    assert_int_equal(sentq_reserve(&q, 8), 0);
    sentq_mark_lost(&q, 1);
    sentq_mark_lost(&q, 2);
    assert_int_equal(sentq_pipe(&q), 300);
    assert_int_equal(sentq_next_lost(&q), 1);
    assert_true(seq_eq(sentq_retransmitted(&q, 1, 60, 5000), at(160)));
    check(&q);
    assert_int_equal(sentq_pipe(&q), 360);
    assert_int_equal(sentq_lost_waiting(&q), 140);
    assert_int_equal(sentq_next_lost(&q), 2);
    sentq_retransmit_failed(&q, at(100), 60);
    check(&q);
    assert_int_equal(sentq_next_lost(&q), 1);
    sentq_free(&q);
}

/* Karn: what was sent twice gives no RTT sample. */
static void a_retransmission_is_remembered(void **state)
{
    struct sentq q = five();
    struct sent_acked acked = { 0 };

    assert_int_equal(sentq_reserve(&q, 1), 0);
    sentq_mark_lost(&q, 0);
    (void)sentq_retransmitted(&q, 0, 100, 9000);
    sentq_ack(&q, at(100), &acked);
    assert_int_equal(acked.newest_at, 9000);
    assert_true(acked.again);
    check(&q);
    sentq_free(&q);
}

static void a_timeout_forgets_sacks(void **state)
{
    struct sentq q = five();
    struct sent_acked acked = { 0 };

    assert_int_equal(sentq_reserve(&q, 2), 0);
    (void)sentq_sack(&q, at(200), at(300), &acked);
    sentq_mark_all_lost(&q, true);
    check(&q);
    assert_int_equal(q.lost, 500);
    assert_int_equal(sentq_pipe(&q), 0);
    sentq_free(&q);
}

static void what_never_left_is_taken_back(void **state)
{
    struct sentq q = five();

    sentq_pop_tail(&q, at(350));
    check(&q);
    assert_int_equal(q.total, 350);
    sentq_pop_tail(&q, at(0));
    assert_int_equal(q.count, 0);
    assert_int_equal(q.total, 0);
    sentq_free(&q);
}

/* Ten thousand random operations: the totals are those of the entries, the entries have no gap. */
static void totals_survive_anything(void **state)
{
    struct sentq q = { 0 };
    struct sent_acked acked = { 0 };
    uint32_t rnd = 12345, una = 0, nxt = 0;

    for (int i = 0; i < 10000; i++) {
        uint32_t a, b;

        rnd = rnd * 1664525 + 1013904223;
        a = una + (rnd >> 8) % (nxt - una + 1);
        b = a + 1 + (rnd >> 4) % 300;
        assert_int_equal(sentq_reserve(&q, 8), 0);
        switch (rnd >> 29) {
        case 0:
        case 1:
            sentq_append(&q, at(nxt), at(nxt + 1 + (rnd >> 5) % 5000), (usec_t)i + 1);
            nxt += 1 + (rnd >> 5) % 5000;
            break;
        case 2:
        case 3:
            (void)sentq_sack(&q, at(a), at(b < nxt ? b : nxt), &acked);
            break;
        case 4:
            if (q.count && !(sentq_at(&q, (rnd >> 7) % q.count)->flags & SENT_SACKED))
                sentq_mark_lost(&q, (rnd >> 7) % q.count);
            break;
        case 5:
            if (sentq_next_lost(&q) >= 0)
                (void)sentq_retransmitted(&q, (uint32_t)sentq_next_lost(&q), 1000, (usec_t)i);
            break;
        case 6:
            sentq_ack(&q, at(a), &acked);
            una = a;
            break;
        default:
            if (i % 10 == 0)
                sentq_mark_all_lost(&q, i % 20 == 0);
            break;
        }
        check(&q);
        assert_int_equal(q.total, nxt - una);
    }
    sentq_free(&q);
}

/* RFC 8985 6.2: of all that was delivered the last sent, unless it cannot be believed. */
static void the_last_sent_of_what_was_delivered_is_found(void **state)
{
    struct sentq q = five(); /* sent at 1000 ... 1004 */
    struct sent_acked acked = { .believe_by = 1900 };

    sentq_sack(&q, at(100), at(200), &acked);
    sentq_sack(&q, at(300), at(400), &acked);
    assert_int_equal(acked.rack_at, 1003);
    assert_true(seq_eq(acked.rack_end, at(400)));
    assert_int_equal(acked.delivered, 200);
    assert_true(acked.once);
    assert_true(seq_eq(acked.once_at, at(100)));
    check(&q);

    sentq_mark_lost(&q, 0);
    (void)sentq_retransmitted(&q, 0, 100, 2000);
    acked = (struct sent_acked){ .believe_by = 1900 };
    sentq_ack(&q, at(100), &acked);
    assert_int_equal(acked.rack_at, 0); /* too early for the second transmission */
    assert_false(acked.once);
    assert_int_equal(acked.delivered, 100);

    sentq_mark_lost(&q, 1);
    (void)sentq_retransmitted(&q, 1, 100, 2100);
    acked = (struct sent_acked){ .believe_by = 2100 };
    sentq_ack(&q, at(300), &acked);
    assert_int_equal(acked.rack_at, 2100);
    assert_int_equal(acked.sacked, 100);
    assert_int_equal(acked.delivered, 100);
    sentq_free(&q);
}

/* What was sent once and is delivered below the highest delivered came out of order. */
static void reordering_is_seen_by_first_transmissions_only(void **state)
{
    struct sentq q = five();
    struct sent_acked acked = { .fack_set = true, .fack = at(300) };

    sentq_mark_lost(&q, 0);
    (void)sentq_retransmitted(&q, 0, 100, 2000);
    sentq_ack(&q, at(100), &acked);
    assert_false(acked.reordered);
    sentq_sack(&q, at(300), at(400), &acked);
    assert_false(acked.reordered);
    sentq_sack(&q, at(100), at(200), &acked);
    assert_true(acked.reordered);
    sentq_free(&q);
}

static void what_waits_to_be_sent_again_can_be_unmarked(void **state)
{
    struct sentq q = five();

    sentq_mark_all_lost(&q, false);
    (void)sentq_retransmitted(&q, 0, 100, 2000);
    assert_int_equal(sentq_lost_waiting(&q), 400);
    sentq_unmark_lost(&q);
    check(&q);
    assert_int_equal(sentq_lost_waiting(&q), 0);
    assert_int_equal(sentq_pipe(&q), 500);
    sentq_free(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ack_cuts_the_oldest),
        cmocka_unit_test(sacks_are_marked_and_joined),
        cmocka_unit_test(what_is_lost_is_sent_again_in_order),
        cmocka_unit_test(a_retransmission_is_remembered),
        cmocka_unit_test(a_timeout_forgets_sacks),
        cmocka_unit_test(what_never_left_is_taken_back),
        cmocka_unit_test(totals_survive_anything),
        cmocka_unit_test(the_last_sent_of_what_was_delivered_is_found),
        cmocka_unit_test(reordering_is_seen_by_first_transmissions_only),
        cmocka_unit_test(what_waits_to_be_sent_again_can_be_unmarked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
