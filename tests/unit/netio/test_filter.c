/* SPDX-License-Identifier: BSD-2-Clause */
/* The classic filters run in the kernel, on a socket pair: no privilege is needed for that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netio/filter.h"

static uint8_t bits[PORT_MAP_BYTES];

static void set(uint16_t port)
{
    bits[port >> 3] |= (uint8_t)(1u << (port & 7));
}

/* Does @len bytes of @packet pass a filter for @bits? */
static bool passes(bool ipv6, const uint8_t *packet, size_t len)
{
    struct sock_filter insns[FILTER_CLASSIC_INSNS];
    struct sock_fprog prog = { .filter = insns };
    uint8_t got[128];
    bool passed;
    int fd[2];

    prog.len = (unsigned short)filter_classic_build(ipv6, bits, insns);
    assert_true(prog.len <= FILTER_CLASSIC_INSNS);
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fd), 0);
    assert_int_equal(setsockopt(fd[1], SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)), 0);
    (void)send(fd[0], packet, len, MSG_DONTWAIT);
    passed = recv(fd[1], got, sizeof(got), MSG_DONTWAIT) == (ssize_t)len;
    (void)close(fd[0]);
    (void)close(fd[1]);
    return passed;
}

static bool port_passes(bool ipv6, unsigned ihl, uint16_t port)
{
    uint8_t packet[60] = { 0 };
    size_t at = ipv6 ? 0 : 4u * ihl;

    packet[0] = (uint8_t)(ipv6 ? 0 : 0x40 | ihl);
    packet[at + 2] = (uint8_t)(port >> 8);
    packet[at + 3] = (uint8_t)port;
    return passes(ipv6, packet, at + 20);
}

static void only_ports_of_the_list_pass(void **state)
{
    memset(bits, 0, sizeof(bits));
    set(80);
    set(443);
    set(65535);
    for (int v6 = 0; v6 < 2; v6++) {
        assert_true(port_passes(v6, 5, 80));
        assert_true(port_passes(v6, 5, 443));
        assert_true(port_passes(v6, 5, 65535));
        assert_false(port_passes(v6, 5, 0));
        assert_false(port_passes(v6, 5, 81));
        assert_false(port_passes(v6, 5, 65534));
    }
    assert_true(port_passes(false, 8, 443)); /* behind IP options */
    assert_false(port_passes(false, 8, 444));
}

static void no_port_no_packet(void **state)
{
    memset(bits, 0, sizeof(bits));
    assert_false(port_passes(false, 5, 80));
    assert_false(port_passes(true, 5, 80));
}

static void short_packets_do_not_pass(void **state)
{
    const uint8_t packet[24] = { 0x45, [22] = 0, 80 };

    memset(bits, 0, sizeof(bits));
    set(80);
    assert_true(passes(false, packet, 24));
    assert_false(passes(false, packet, 23));
    assert_false(passes(false, packet, 1));
    assert_false(passes(true, packet, 3));
}

/* The longest list: the last jump reaches as far as one can; one more, and all pass. */
static void long_list_works_to_its_end_and_then_opens(void **state)
{
    memset(bits, 0, sizeof(bits));
    for (unsigned i = 0; i < FILTER_CLASSIC_PORTS; i++)
        set((uint16_t)(1000 + i));
    assert_true(port_passes(false, 5, 1000));
    assert_true(port_passes(true, 5, (uint16_t)(1000 + FILTER_CLASSIC_PORTS - 1)));
    assert_false(port_passes(false, 5, 999));
    set(9);
    assert_true(port_passes(false, 5, 999));
}

/* What the verifier says is the system tests' to see; here, that the parts are in place. */
static void ebpf_program_names_its_map_and_ends(void **state)
{
    struct bpf_insn insns[FILTER_EBPF_INSNS];

    for (int v6 = 0; v6 < 2; v6++) {
        unsigned n = filter_ebpf_build(v6, 77, insns), maps = 0;

        assert_in_range(n, 10, FILTER_EBPF_INSNS);
        for (unsigned i = 0; i < n; i++) {
            if (insns[i].code == (BPF_LD | BPF_IMM | BPF_DW)) {
                maps++;
                assert_int_equal(insns[i].src_reg, BPF_PSEUDO_MAP_VALUE);
                assert_int_equal(insns[i].imm, 77);
            }
        }
        assert_int_equal(maps, 1);
        assert_int_equal(insns[n - 1].code, BPF_JMP | BPF_EXIT);
    }
}

static void bitmap_of_our_own_is_set_and_cleared(void **state)
{
    struct port_filter f;

    assert_int_equal(port_filter_init(&f, -1, -1, -1), 0);
    assert_false(port_filter_has(&f, 65535));
    port_filter_set(&f, 65535, true);
    port_filter_set(&f, 65528, true);
    port_filter_set(&f, 65535, true);
    assert_true(port_filter_has(&f, 65535));
    assert_false(port_filter_has(&f, 65534));
    port_filter_set(&f, 65535, false);
    assert_false(port_filter_has(&f, 65535));
    assert_true(port_filter_has(&f, 65528));
    port_filter_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_ports_of_the_list_pass),
        cmocka_unit_test(no_port_no_packet),
        cmocka_unit_test(short_packets_do_not_pass),
        cmocka_unit_test(long_list_works_to_its_end_and_then_opens),
        cmocka_unit_test(ebpf_program_names_its_map_and_ends),
        cmocka_unit_test(bitmap_of_our_own_is_set_and_cleared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
