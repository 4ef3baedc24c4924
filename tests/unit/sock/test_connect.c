/* SPDX-License-Identifier: BSD-2-Clause */
/* connect(): addresses, the choice of a 4-tuple, and how it ends. */
#include "rig.h"

static void syn_goes_out_for_a_chosen_tuple(void **state)
{
    struct rig *r = *state;
    struct sock *s = connecting(r, PEER4, 80);
    const struct flow *flow = tcp_conn_flow(sock_conn(s));
    struct sock_addr name;

    assert_int_equal(sock_state(s), SOCK_CONNECTING);
    assert_true(ip_addr_eq(&flow->local, &A4)); /* the route's source */
    assert_true(ip_addr_eq(&flow->remote, &PEER4));
    assert_int_equal(flow->rport, 80);
    assert_in_range(flow->lport, 32768, 65535);
    assert_int_equal(r->claims[flow->lport], 1);
    assert_int_equal(sock_conn(s)->info.user, sock_id(s));
    assert_int_equal(sock_conn(s)->path.mtu, 1500);
    sock_name(s, &name);
    assert_true(ip_addr_eq(&name.addr, &A4));
    assert_int_equal(name.port, flow->lport);
}

static void peer_has_a_name_once_connected(void **state)
{
    struct rig *r = *state;
    struct sock *s = connecting(r, PEER6, 80);
    struct sock_addr peer;

    assert_int_equal(sock_peer(s, &peer), -ENOTCONN);
    event(r, sock_conn(s), TCP_EV_ESTABLISHED, 0);
    assert_int_equal(ready_of(r, s), SOCK_READY_CONNECTED);
    assert_int_equal(sock_peer(s, &peer), 0);
    assert_true(ip_addr_eq(&peer.addr, &PEER6));
    assert_int_equal(peer.port, 80);
}

/* tcp.4p, illumos: the unspecified address is this host, and getpeername() says which. */
static void unspecified_address_becomes_loopback(void **state)
{
    const struct { int family; struct ip_addr any, loopback; } rows[] = {
        { AF_INET, ANY4, LO4 }, { AF_INET6, ANY6, LO6 }, { AF_INET6, ANY4, LO4 },
    };
    struct rig *r = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sock *s = new_sock(r, rows[i].family);
        struct sock_addr peer;

        assert_int_equal(connect_to(s, rows[i].any, 80), -EINPROGRESS);
        event(r, sock_conn(s), TCP_EV_ESTABLISHED, 0);
        assert_int_equal(sock_peer(s, &peer), 0);
        assert_true(ip_addr_eq(&peer.addr, &rows[i].loopback));
    }
}

static void addresses_that_cannot_be_connected_to(void **state)
{
    static const struct ip_addr multicast4 = { { [10] = 0xff, [11] = 0xff, [12] = 224, [15] = 1 } };
    static const struct ip_addr broadcast4 = { { [10] = 0xff, [11] = 0xff, 255, 255, 255, 255 } };
    static const struct ip_addr multicast6 = { { 0xff, 2, [15] = 1 } };
    struct rig *r = *state;
    struct sock *s4 = new_sock(r, AF_INET), *s6 = new_sock(r, AF_INET6);
    struct sock *only6 = new_sock(r, AF_INET6);

    assert_int_equal(set_int(only6, IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
    assert_int_equal(connect_to(s4, PEER4, 0), -EADDRNOTAVAIL);
    assert_int_equal(connect_to(s4, PEER6, 80), -EAFNOSUPPORT);
    assert_int_equal(connect_to(s4, multicast4, 80), -ENETUNREACH);
    assert_int_equal(connect_to(s4, broadcast4, 80), -ENETUNREACH);
    assert_int_equal(connect_to(s6, multicast6, 80), -ENETUNREACH);
    assert_int_equal(connect_to(s6, LINK6, 80), -EINVAL);
    assert_int_equal(connect_to(only6, PEER4, 80), -EADDRNOTAVAIL);
    assert_true(list_empty(&r->engine->conns));
    assert_int_equal(sock_state(s4), SOCK_IDLE);
    assert_int_equal(connect_to(s6, PEER4, 80), -EINPROGRESS); /* mapped: fine without V6ONLY */
}

static void bound_family_and_target_family_must_agree(void **state)
{
    struct rig *r = *state;

    assert_int_equal(connect_to(bound(r, AF_INET6, A6, 5000), PEER4, 80), -EADDRNOTAVAIL);
    assert_int_equal(connect_to(bound(r, AF_INET6, A4, 5001), PEER6, 80), -EADDRNOTAVAIL);
    assert_int_equal(connect_to(bound(r, AF_INET6, ANY4, 5002), PEER6, 80), -EADDRNOTAVAIL);
    assert_int_equal(connect_to(bound(r, AF_INET6, ANY6, 5003), PEER4, 80), -EINPROGRESS);
    assert_int_equal(connect_to(bound(r, AF_INET6, ANY6, 5004), PEER6, 80), -EINPROGRESS);
}

static void linklocal_goes_by_its_device(void **state)
{
    struct rig *r = *state;
    struct sock *s = new_sock(r, AF_INET6);
    struct sock_addr a = { LINK6, 80, 2 }, name;

    r->src6 = A6;
    assert_int_equal(sock_connect(s, &a, &USER, NOW), -EINPROGRESS);
    assert_int_equal(tcp_conn_flow(sock_conn(s))->zone, 2);
    sock_name(s, &name);
    assert_int_equal(name.scope, 0); /* the source is a global address */
}

static void nobody_connects_to_himself(void **state)
{
    struct rig *r = *state;

    assert_int_equal(connect_to(bound(r, AF_INET, A4, 5000), A4, 5000), -EADDRNOTAVAIL);
    assert_int_equal(connect_to(bound(r, AF_INET, LO4, 5001), ANY4, 5001), -EADDRNOTAVAIL);
    /* Nor by chance: the only port is the target's. */
    r->tun.smallest_anon_port = r->tun.largest_anon_port = 40000;
    assert_int_equal(connect_to(new_sock(r, AF_INET), LO4, 40000), -EADDRNOTAVAIL);
}

static void every_state_has_its_error(void **state)
{
    struct rig *r = *state;
    struct sock *s = connecting(r, PEER4, 80);

    assert_int_equal(connect_to(s, PEER4, 80), -EALREADY);
    event(r, sock_conn(s), TCP_EV_ESTABLISHED, 0);
    assert_int_equal(connect_to(s, PEER4, 80), -EISCONN);
    event(r, sock_conn(s), TCP_EV_CLOSED, ECONNRESET);
    assert_int_equal(connect_to(s, PEER4, 80), -ECONNABORTED);
    assert_int_equal(connect_to(listening(r, AF_INET, ANY4, 5000), PEER4, 80), -EOPNOTSUPP);
}

static void no_route_leaves_the_socket_as_it_was(void **state)
{
    struct rig *r = *state;
    struct sock *fresh = new_sock(r, AF_INET), *held = bound(r, AF_INET, ANY4, 5000);
    struct sock_addr name;

    r->route_error = -EHOSTUNREACH;
    assert_int_equal(connect_to(fresh, PEER4, 80), -EHOSTUNREACH);
    assert_int_equal(connect_to(held, PEER4, 80), -EHOSTUNREACH);
    assert_int_equal(sock_state(fresh), SOCK_IDLE);
    assert_int_equal(sock_state(held), SOCK_BOUND);
    r->route_error = 0;
    r->engine->connect_error = -ENOMEM;
    assert_int_equal(connect_to(fresh, PEER4, 80), -ENOMEM);
    sock_name(fresh, &name);
    assert_int_equal(name.port, 0);
    r->engine->connect_error = 0;
    assert_int_equal(connect_to(fresh, PEER4, 80), -EINPROGRESS);
    assert_int_equal(connect_to(held, PEER4, 80), -EINPROGRESS);
}

static void route_is_asked_for_the_bound_device_and_address(void **state)
{
    struct rig *r = *state;
    struct sock *s = bound(r, AF_INET, B4, 5000);

    assert_int_equal(sock_setopt(s, SOL_SOCKET, SO_BINDTODEVICE, "eth0", 5, &USER, NOW), 0);
    assert_int_equal(connect_to(s, PEER4, 80), -EINPROGRESS);
    assert_int_equal(r->route_ifindex, 2);
    assert_true(ip_addr_eq(&tcp_conn_flow(sock_conn(s))->local, &B4));
    assert_int_equal(tcp_conn_flow(sock_conn(s))->lport, 5000);
    assert_int_equal(r->claims[5000], 1); /* the bind's claim goes to the connection */
}

static void same_tuple_twice_is_in_use(void **state)
{
    struct rig *r = *state;
    struct sock *first = bound(r, AF_INET, A4, 5000), *second = new_sock(r, AF_INET);

    assert_int_equal(connect_to(first, PEER4, 80), -EINPROGRESS);
    assert_int_equal(set_int(second, SOL_SOCKET, SO_REUSEADDR, 1), 0);
    assert_int_equal(bind_to(second, A4, 5000), 0);
    assert_int_equal(connect_to(second, PEER4, 80), -EADDRINUSE);
    assert_int_equal(connect_to(second, PEER4, 81), -EINPROGRESS);
}

/* ---- the choice of a port ------------------------------------------------------------- */

static uint16_t lport(const struct sock *s)
{
    return tcp_conn_flow(sock_conn(s))->lport;
}

/* RFC 9293 3.6.1: a 4-tuple comes again only when the pool has been gone through. */
static void pool_that_is_not_full_yet_grows(void **state)
{
    struct rig *r = *state;

    r->pool[0] = 50000;
    r->pool_count = 1;
    r->tun.claim_pool = 2;
    assert_int_not_equal(lport(connecting(r, PEER4, 80)), 50000);
}

static void pool_of_claimed_ports_comes_first(void **state)
{
    struct rig *r = *state;
    unsigned used[3] = { 0 };

    for (unsigned i = 0; i < 3; i++)
        r->pool[i] = (uint16_t)(50000 + i);
    r->pool_count = r->tun.claim_pool = 3;
    for (unsigned i = 0; i < 3; i++)
        used[lport(connecting(r, PEER4, 80)) - 50000]++;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(used[i], 1);
    /* All three are taken towards this peer, but not towards another one. */
    assert_false(lport(connecting(r, PEER4, 80)) - 50000u < 3);
    assert_true(lport(connecting(r, PEER4, 81)) - 50000u < 3);
}

static void every_size_of_pool_is_used_whole(void **state)
{
    struct rig *r = *state;

    for (unsigned size = 1; size <= 20; size++) {
        r->pool_count = r->tun.claim_pool = size;
        for (unsigned i = 0; i < size; i++)
            r->pool[i] = (uint16_t)(50000 + i);
        for (unsigned i = 0; i < size; i++)
            assert_true(lport(connecting(r, PEER4, (uint16_t)(100 + size))) - 50000u < size);
        assert_false(lport(connecting(r, PEER4, (uint16_t)(100 + size))) - 50000u < size);
    }
}

static void port_of_the_pool_that_somebody_listens_on_is_left_alone(void **state)
{
    struct rig *r = *state;

    r->pool[0] = 50000;
    r->pool_count = r->tun.claim_pool = 1;
    (void)listening(r, AF_INET, ANY4, 50000);
    assert_int_not_equal(lport(connecting(r, PEER4, 80)), 50000);
}

static void exclusive_connection_does_not_share_its_port(void **state)
{
    struct rig *r = *state;
    struct sock *s = new_sock(r, AF_INET);

    r->pool[0] = 50000;
    r->pool_count = r->tun.claim_pool = 1;
    assert_int_equal(set_int(s, SOL_SOCKET, SO_EXCLBIND, 1), 0);
    assert_int_equal(connect_to(s, PEER4, 80), -EINPROGRESS);
    assert_int_equal(lport(s), 50000);
    assert_int_not_equal(lport(connecting(r, PEER4, 81)), 50000);
    assert_int_equal(set_int(s, SOL_SOCKET, SO_EXCLBIND, 0), 0);
    assert_int_equal(lport(connecting(r, PEER4, 82)), 50000);
}

static void tuples_run_out_for_one_peer_only(void **state)
{
    struct rig *r = *state;

    r->tun.smallest_anon_port = 40000;
    r->tun.largest_anon_port = 40009;
    r->kernel_has[40003] = true;
    for (unsigned i = 0; i < 9; i++)
        (void)connecting(r, PEER4, 80);
    assert_int_equal(connect_to(new_sock(r, AF_INET), PEER4, 80), -EADDRNOTAVAIL);
    assert_int_equal(connect_to(new_sock(r, AF_INET), PEER4, 81), -EINPROGRESS);
}

/* RFC 6056 3.3.4: another destination, another sequence of ports. */
static void destinations_have_their_own_starting_points(void **state)
{
    struct rig *r = *state;
    unsigned half[2] = { 0 }, same = 0;
    uint16_t last = 0;

    for (uint16_t port = 1; port <= 200; port++) {
        uint16_t chosen = lport(connecting(r, PEER4, port));

        half[chosen >= 49152]++;
        same += chosen == last || chosen == last + 1;
        last = chosen;
    }
    assert_in_range(half[0], 65, 135); /* 100 expected, sigma 7 */
    assert_true(same < 5);
}

static void failed_claim_ends_the_search(void **state)
{
    struct rig *r = *state;

    r->claim_error = -EMFILE;
    assert_int_equal(connect_to(new_sock(r, AF_INET), PEER4, 80), -EMFILE);
}

/* ---- how it ends ------------------------------------------------------------------------ */

static void refused_connection_tells_why_once(void **state)
{
    struct rig *r = *state;
    struct sock *s = connecting(r, PEER4, 80);

    event(r, sock_conn(s), TCP_EV_CLOSED, ECONNREFUSED);
    assert_int_equal(ready_of(r, s), SOCK_READY_DEAD);
    assert_int_equal(sock_state(s), SOCK_DEAD);
    assert_int_equal(get_int(s, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
    assert_int_equal(sock_error(s), 0);
}

static void port_is_held_until_the_connection_is_gone(void **state)
{
    struct rig *r = *state;
    struct sock *s = connected(r, PEER4, 80);
    struct tcp_conn *conn = sock_conn(s);
    uint16_t port = lport(s);
    struct sock_usage usage;

    sock_close(s, false, NOW);
    assert_int_equal(conn->closed, 1);
    assert_int_equal(conn->info.user, 0);
    conn->info.state = TCP_TIME_WAIT;
    sock_usage(r->table, &usage);
    assert_int_equal(usage.sockets, 0);
    assert_int_equal(usage.connections, 1);
    assert_int_equal(usage.ports, 1);
    assert_int_equal(r->claims[port], 1);
    gone(r, conn);
    assert_int_equal(r->claims[port], 0);
    sock_usage(r->table, &usage);
    assert_int_equal(usage.connections, 0);
    assert_int_equal(usage.ports, 0);
}

static void gone_connection_is_forgotten_by_its_socket(void **state)
{
    struct rig *r = *state;
    struct sock *s = connected(r, PEER4, 80);
    uint16_t port = lport(s);

    event(r, sock_conn(s), TCP_EV_CLOSED, ECONNRESET);
    gone(r, sock_conn(s));
    assert_null(sock_conn(s));
    assert_int_equal(r->claims[port], 0);
    assert_int_equal(sock_error(s), ECONNRESET);
    sock_close(s, false, NOW); /* touches no connection */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(syn_goes_out_for_a_chosen_tuple),
        rig_test(peer_has_a_name_once_connected),
        rig_test(unspecified_address_becomes_loopback),
        rig_test(addresses_that_cannot_be_connected_to),
        rig_test(bound_family_and_target_family_must_agree),
        rig_test(linklocal_goes_by_its_device),
        rig_test(nobody_connects_to_himself),
        rig_test(every_state_has_its_error),
        rig_test(no_route_leaves_the_socket_as_it_was),
        rig_test(route_is_asked_for_the_bound_device_and_address),
        rig_test(same_tuple_twice_is_in_use),
        rig_test(pool_that_is_not_full_yet_grows),
        rig_test(pool_of_claimed_ports_comes_first),
        rig_test(every_size_of_pool_is_used_whole),
        rig_test(port_of_the_pool_that_somebody_listens_on_is_left_alone),
        rig_test(exclusive_connection_does_not_share_its_port),
        rig_test(tuples_run_out_for_one_peer_only),
        rig_test(destinations_have_their_own_starting_points),
        rig_test(failed_claim_ends_the_search),
        rig_test(refused_connection_tells_why_once),
        rig_test(port_is_held_until_the_connection_is_gone),
        rig_test(gone_connection_is_forgotten_by_its_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
