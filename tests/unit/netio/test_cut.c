/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "netio/cut.h"
#include "wire/tcp_header.h"

#define MSS 1000u

static uint8_t payload[10000];

/* 3,500 bytes in two pieces that meet inside the second segment. */
static struct packet super(uint8_t flags, uint16_t up)
{
    struct segment seg = {
        .sport = 1,
        .dport = 2,
        .seq = seq_of(UINT32_MAX - 1499), /* wraps inside */
        .ack = seq_of(77),
        .flags = flags,
        .wnd = 500,
        .up = up,
        .opt = { .has_ts = true, .tsval = 5, .tsecr = 6 },
    };
    struct packet pkt = {
        .flags = PACKET_SUPER | PACKET_PROGRESS,
        .gso_size = MSS,
        .iov_count = 2,
        .iov = { { payload, 1234 }, { payload + 5000, 3500 - 1234 } },
        .payload_len = 3500,
        .seq = seg.seq,
        .seq_len = 3500 + !!(flags & TCP_FIN),
        .conn_id = 9,
    };

    for (unsigned i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)(i * 31 + i / 256);
    pkt.hdr_len = tcp_header_build(&seg, pkt.hdr);
    return pkt;
}

static uint8_t flags_of(const struct packet *pkt)
{
    return pkt->hdr[13];
}

static uint32_t seq_field(const struct packet *pkt)
{
    return (uint32_t)pkt->hdr[4] << 24 | (uint32_t)pkt->hdr[5] << 16 | (uint32_t)pkt->hdr[6] << 8 |
           pkt->hdr[7];
}

static uint32_t copy_out(const struct packet *pkt, uint8_t *ret)
{
    uint32_t len = 0;

    for (int i = 0; i < pkt->iov_count; i++) {
        memcpy(ret + len, pkt->iov[i].iov_base, pkt->iov[i].iov_len);
        len += (uint32_t)pkt->iov[i].iov_len;
    }
    return len;
}

static void pieces_add_up_to_the_whole(void **state)
{
    struct packet whole = super(TCP_ACK, 0), part;
    uint8_t want[3500], got[3500];
    uint32_t at = 0, pieces = 0;

    assert_int_equal(copy_out(&whole, want), 3500);
    for (; at < 3500; at += MSS, pieces++) {
        cut_slice(&whole, at, MSS, &part);
        assert_int_equal(copy_out(&part, got + at), part.payload_len);
        assert_int_equal(part.payload_len, at < 3000 ? MSS : 500);
        assert_int_equal(part.seq.v, whole.seq.v + at);
        assert_int_equal(seq_field(&part), part.seq.v);
        assert_int_equal(part.seq_len, part.payload_len);
        assert_int_equal(part.flags, PACKET_PROGRESS);
        assert_int_equal(part.conn_id, 9);
        assert_int_equal(part.hdr_len, whole.hdr_len);
        assert_memory_equal(part.hdr + 20, whole.hdr + 20, whole.hdr_len - 20);
    }
    assert_int_equal(pieces, 4);
    assert_memory_equal(want, got, 3500);
}

static void only_the_piece_across_the_seam_has_two_iovecs(void **state)
{
    struct packet whole = super(TCP_ACK, 0), part;
    const int want[] = { 1, 2, 1, 1 };

    for (uint32_t i = 0; i < 4; i++) {
        cut_slice(&whole, i * MSS, MSS, &part);
        assert_int_equal(part.iov_count, want[i]);
    }
}

static void fin_and_push_stay_with_the_last_byte(void **state)
{
    struct packet whole = super(TCP_ACK | TCP_PSH | TCP_FIN, 0), part;

    for (uint32_t at = 0; at < 3000; at += MSS) {
        cut_slice(&whole, at, MSS, &part);
        assert_int_equal(flags_of(&part), TCP_ACK);
        assert_int_equal(part.seq_len, MSS);
    }
    cut_slice(&whole, 3000, MSS, &part);
    assert_int_equal(flags_of(&part), TCP_ACK | TCP_PSH | TCP_FIN);
    assert_int_equal(part.seq_len, 501);
}

static void cwr_stays_with_the_first_byte(void **state)
{
    struct packet whole = super(TCP_ACK | TCP_CWR | TCP_ECE, 0), part;

    cut_slice(&whole, 0, MSS, &part);
    assert_int_equal(flags_of(&part), TCP_ACK | TCP_CWR | TCP_ECE);
    cut_slice(&whole, MSS, MSS, &part);
    assert_int_equal(flags_of(&part), TCP_ACK | TCP_ECE);
}

static void urgent_pointer_keeps_its_place(void **state)
{
    struct packet whole = super(TCP_ACK | TCP_URG, 1500), part;

    cut_slice(&whole, 0, MSS, &part);
    assert_int_equal(part.hdr[18] << 8 | part.hdr[19], 1500);
    cut_slice(&whole, MSS, MSS, &part);
    assert_int_equal(part.hdr[18] << 8 | part.hdr[19], 500);
    assert_int_equal(flags_of(&part), TCP_ACK | TCP_URG);
    cut_slice(&whole, 2 * MSS, MSS, &part);
    assert_int_equal(part.hdr[18] << 8 | part.hdr[19], 0);
    assert_int_equal(flags_of(&part), TCP_ACK);
}

static void rest_of_a_super_frame_is_one(void **state)
{
    struct packet whole = super(TCP_ACK | TCP_FIN, 0), part;

    cut_slice(&whole, MSS, UINT32_MAX, &part);
    assert_int_equal(part.payload_len, 2500);
    assert_int_equal(part.seq_len, 2501);
    assert_true(part.flags & PACKET_SUPER);
    cut_slice(&whole, 3000, UINT32_MAX, &part);
    assert_false(part.flags & PACKET_SUPER);
}

static void slice_beyond_the_end_is_empty(void **state)
{
    struct packet whole = super(TCP_ACK, 0), part;

    cut_slice(&whole, 9999, MSS, &part);
    assert_int_equal(part.payload_len, 0);
    assert_int_equal(part.iov_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_add_up_to_the_whole),
        cmocka_unit_test(only_the_piece_across_the_seam_has_two_iovecs),
        cmocka_unit_test(fin_and_push_stay_with_the_last_byte),
        cmocka_unit_test(cwr_stays_with_the_first_byte),
        cmocka_unit_test(urgent_pointer_keeps_its_place),
        cmocka_unit_test(rest_of_a_super_frame_is_one),
        cmocka_unit_test(slice_beyond_the_end_is_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
