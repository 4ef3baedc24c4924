/* SPDX-License-Identifier: BSD-2-Clause */
/* bind(): addresses, privilege, and ports chosen by chance. */
#include "rig.h"

static void name_is_the_bound_address(void **state)
{
    struct rig *r = *state;
    struct sock *s = bound(r, AF_INET, A4, 5000);
    struct sock_addr name;

    sock_name(s, &name);
    assert_true(ip_addr_eq(&name.addr, &A4));
    assert_int_equal(name.port, 5000);
    assert_int_equal(sock_state(s), SOCK_BOUND);
    assert_int_equal(r->claims[5000], 1);
}

static void unbound_name_is_unspecified(void **state)
{
    struct rig *r = *state;
    struct sock_addr name;

    sock_name(new_sock(r, AF_INET), &name);
    assert_true(ip_addr_eq(&name.addr, &ANY4));
    assert_int_equal(name.port, 0);
    sock_name(new_sock(r, AF_INET6), &name);
    assert_true(ip_addr_eq(&name.addr, &ANY6));
}

static void second_bind_is_refused(void **state)
{
    struct rig *r = *state;

    assert_int_equal(bind_to(bound(r, AF_INET, A4, 5000), A4, 5001), -EINVAL);
    assert_int_equal(r->claims[5001], 0);
}

static void addresses_that_cannot_be_bound(void **state)
{
    static const struct ip_addr multicast = { { [10] = 0xff, [11] = 0xff, [12] = 224, [15] = 1 } };
    struct rig *r = *state;
    struct sock *s4 = new_sock(r, AF_INET), *s6 = new_sock(r, AF_INET6);

    assert_int_equal(bind_to(s4, PEER4, 5000), -EADDRNOTAVAIL); /* not ours */
    assert_int_equal(bind_to(s4, multicast, 5000), -EADDRNOTAVAIL);
    assert_int_equal(bind_to(s4, A6, 5000), -EAFNOSUPPORT);
    assert_int_equal(bind_to(s4, ANY6, 5000), -EAFNOSUPPORT);
    assert_int_equal(bind_to(s6, PEER6, 5000), -EADDRNOTAVAIL);
    assert_int_equal(bind_to(s6, LINK6, 5000), -EINVAL); /* of which device? */
    assert_int_equal(set_int(s6, IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
    assert_int_equal(bind_to(s6, A4, 5000), -EADDRNOTAVAIL);
    assert_int_equal(bind_to(s6, ANY4, 5000), -EADDRNOTAVAIL);
    assert_int_equal(sock_state(s4), SOCK_IDLE);
    assert_int_equal(r->claims[5000], 0);
}

static void linklocal_takes_the_device_the_socket_is_bound_to(void **state)
{
    struct rig *r = *state;
    struct sock *s = new_sock(r, AF_INET6);
    struct sock_addr name, elsewhere = { LINK6, 5000, 3 };

    assert_int_equal(sock_setopt(s, SOL_SOCKET, SO_BINDTODEVICE, "eth0", 4, &USER, NOW), 0);
    assert_int_equal(sock_bind(s, &elsewhere, &USER), -EINVAL);
    assert_int_equal(bind_to(s, LINK6, 5000), 0);
    sock_name(s, &name);
    assert_int_equal(name.scope, 2);
}

static void privileged_ports_need_the_privilege(void **state)
{
    static const uint16_t privileged[] = { 1, 80, 1023, 2049, 4045 };
    struct rig *r = *state;

    for (size_t i = 0; i < ARRAY_LEN(privileged); i++) {
        assert_int_equal(bind_to(new_sock_of(r, AF_INET, &USER), ANY4, privileged[i]), -EACCES);
        assert_int_equal(r->claims[privileged[i]], 0);
        assert_int_equal(bind_to(new_sock_of(r, AF_INET, &ROOT), ANY4, privileged[i]), 0);
    }
    assert_int_equal(bind_to(new_sock_of(r, AF_INET, &USER), ANY4, 1024), 0);
    r->tun.smallest_nonpriv_port = 6000; /* read live */
    assert_int_equal(bind_to(new_sock_of(r, AF_INET, &USER), ANY4, 5999), -EACCES);
}

/* The privilege is the caller's, not that of whoever made the socket. */
static void privilege_is_asked_of_the_caller(void **state)
{
    struct rig *r = *state;
    struct sock_addr a = at(ANY4, 80);

    assert_int_equal(sock_bind(new_sock_of(r, AF_INET, &USER), &a, &ROOT), 0);
}

static void port_of_the_kernel_is_in_use(void **state)
{
    struct rig *r = *state;

    r->kernel_has[5000] = true;
    assert_int_equal(bind_to(new_sock(r, AF_INET), ANY4, 5000), -EADDRINUSE);
}

static void errors_of_the_claim_pass_and_leave_nothing(void **state)
{
    struct rig *r = *state;
    struct sock *s = new_sock(r, AF_INET);
    struct sock_usage usage;

    r->claim_error = -EMFILE;
    assert_int_equal(bind_to(s, ANY4, 5000), -EMFILE);
    assert_int_equal(bind_to(s, ANY4, 0), -EMFILE);
    sock_usage(r->table, &usage);
    assert_int_equal(usage.ports, 0);
    r->claim_error = 0;
    assert_int_equal(bind_to(s, ANY4, 5000), 0);
}

/* ---- port 0 ------------------------------------------------------------------------ */

static uint16_t any_port(struct rig *r)
{
    struct sock_addr name;

    sock_name(bound(r, AF_INET, ANY4, 0), &name);
    return name.port;
}

static void anonymous_ports_are_in_the_range_and_claimed(void **state)
{
    struct rig *r = *state;

    r->tun.smallest_anon_port = 40000;
    r->tun.largest_anon_port = 40099;
    for (unsigned i = 0; i < 50; i++) {
        uint16_t port = any_port(r);

        assert_in_range(port, 40000, 40099);
        assert_int_equal(r->claims[port], 1);
    }
}

static void all_anonymous_ports_can_be_had_and_then_no_more(void **state)
{
    struct rig *r = *state;

    r->tun.smallest_anon_port = 40000;
    r->tun.largest_anon_port = 40049;
    r->kernel_has[40007] = true; /* skipped */
    for (unsigned i = 0; i < 49; i++)
        (void)any_port(r);
    assert_int_equal(bind_to(new_sock(r, AF_INET), ANY4, 0), -EADDRNOTAVAIL);
}

static void privileged_ports_are_never_anonymous(void **state)
{
    struct rig *r = *state;

    r->tun.smallest_anon_port = 2048;
    r->tun.largest_anon_port = 2050;
    assert_int_not_equal(any_port(r), 2049);
    assert_int_not_equal(any_port(r), 2049);
    assert_int_equal(bind_to(new_sock_of(r, AF_INET, &ROOT), ANY4, 0), -EADDRNOTAVAIL);
    r->tun.smallest_nonpriv_port = 3000; /* above the range: there is none left */
    assert_int_equal(bind_to(new_sock(r, AF_INET), ANY4, 0), -EADDRNOTAVAIL);
}

/* When every port is held, one that the decision table lets the binder share will do. */
static void anonymous_port_is_shared_only_when_all_are_held(void **state)
{
    struct rig *r = *state;

    r->tun.smallest_anon_port = 40000;
    r->tun.largest_anon_port = 40001;
    (void)bound(r, AF_INET, A4, 0);
    (void)bound(r, AF_INET, A4, 0);
    assert_int_equal(r->claims[40000], 1);
    assert_int_equal(r->claims[40001], 1);
    assert_int_equal(bind_to(new_sock(r, AF_INET), B4, 0), 0);
    assert_int_equal(bind_to(new_sock(r, AF_INET), ANY4, 0), -EADDRNOTAVAIL);
}

/* RFC 6056: ports chosen one after the other say nothing of each other. */
static void anonymous_ports_are_scattered(void **state)
{
    struct rig *r = *state;
    unsigned eighth[8] = { 0 }, neighbours = 0;
    uint16_t last = 0;

    for (unsigned i = 0; i < 800; i++) {
        uint16_t port = any_port(r);

        eighth[(port - 32768) / 4096]++;
        neighbours += port == last + 1;
        last = port;
    }
    for (unsigned i = 0; i < 8; i++)
        assert_in_range(eighth[i], 60, 140); /* 100 expected, sigma 9.4 */
    assert_true(neighbours < 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(name_is_the_bound_address),
        rig_test(unbound_name_is_unspecified),
        rig_test(second_bind_is_refused),
        rig_test(addresses_that_cannot_be_bound),
        rig_test(linklocal_takes_the_device_the_socket_is_bound_to),
        rig_test(privileged_ports_need_the_privilege),
        rig_test(privilege_is_asked_of_the_caller),
        rig_test(port_of_the_kernel_is_in_use),
        rig_test(errors_of_the_claim_pass_and_leave_nothing),
        rig_test(anonymous_ports_are_in_the_range_and_claimed),
        rig_test(all_anonymous_ports_can_be_had_and_then_no_more),
        rig_test(privileged_ports_are_never_anonymous),
        rig_test(anonymous_port_is_shared_only_when_all_are_held),
        rig_test(anonymous_ports_are_scattered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
