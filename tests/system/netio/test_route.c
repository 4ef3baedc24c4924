/* SPDX-License-Identifier: BSD-2-Clause */
#include "world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static struct flow flow_to(const char *remote)
{
    struct flow f = { .remote = world_addr(remote), .rport = 80 };

    f.local = ip_addr_is_v4(&f.remote) ? IP_ADDR_ANY4 : IP_ADDR_ANY6;
    return f;
}

static void assert_addr(struct ip_addr a, const char *text)
{
    char buf[IP_ADDR_STRLEN];

    assert_string_equal(ip_addr_format(&a, buf), text);
}

static void neighbours_are_on_link(void **state)
{
    struct world *w = *state;
    const char *const pairs[][2] = { { THERE4, HERE4 }, { THERE6, HERE6 } };

    for (int i = 0; i < 2; i++) {
        struct flow f = flow_to(pairs[i][0]);
        struct path p;

        assert_int_equal(netio_route(w->n, &f, 0, &p), 0);
        assert_addr(p.src, pairs[i][1]);
        assert_int_equal(p.ifindex, world_ifindex("va"));
        assert_int_equal(p.mtu, 1500);
        assert_int_equal(p.gso_max, 65400);
        assert_true(p.on_link);
        assert_false(p.loopback);
    }
}

static void own_addresses_go_by_loopback(void **state)
{
    struct world *w = *state;
    const char *const addrs[] = { "127.0.0.1", "127.3.2.1", "::1", HERE4, HERE6 };

    for (unsigned i = 0; i < ARRAY_LEN(addrs); i++) {
        struct flow f = flow_to(addrs[i]);
        struct path p;

        assert_int_equal(netio_route(w->n, &f, 0, &p), 0);
        assert_true(p.loopback);
        assert_int_equal(p.ifindex, 1);
        assert_int_equal(p.gso_max, 0);
        assert_true(p.mtu >= 65535);
        assert_true(netio_is_local(w->n, &f.remote, 0));
        assert_true(ip_addr_is_v4(&p.src) == ip_addr_is_v4(&f.remote));
    }
}

static void gateway_is_not_on_link(void **state)
{
    struct world *w = *state;
    struct flow f4 = flow_to("192.0.2.1"), f6 = flow_to("2001:db8::1");
    struct path p;

    assert_int_equal(netio_route(w->n, &f4, 0, &p), -ENETUNREACH);
    assert_int_equal(netio_route(w->n, &f6, 0, &p), -ENETUNREACH);
    world_sh(w->here, "ip route add default via %s && ip -6 route add default via %s", THERE4,
             THERE6);
    world_pump_routes(w, 50);
    assert_true(w->route_changes >= 1);
    assert_int_equal(netio_route(w->n, &f4, 0, &p), 0);
    assert_false(p.on_link);
    assert_addr(p.src, HERE4);
    assert_int_equal(netio_route(w->n, &f6, 0, &p), 0);
    assert_false(p.on_link);
    assert_addr(p.src, HERE6);
    world_sh(w->here, "ip route del default && ip -6 route del default");
    world_pump_routes(w, 50);
    assert_int_equal(netio_route(w->n, &f4, 0, &p), -ENETUNREACH);
}

static void forbidden_routes_say_so(void **state)
{
    struct world *w = *state;
    struct flow unreachable = flow_to("192.0.2.1"), prohibited = flow_to("192.0.2.2"),
                hole = flow_to("192.0.2.3"), bcast = flow_to("10.99.0.255"),
                group = flow_to("224.0.0.9"), group6 = flow_to("ff02::1");
    struct flow foreign = flow_to(THERE4);
    struct path p;

    world_sh(w->here, "ip route add unreachable 192.0.2.1 && ip route add prohibit 192.0.2.2 && "
                      "ip route add blackhole 192.0.2.3");
    world_pump_routes(w, 50);
    assert_int_equal(netio_route(w->n, &unreachable, 0, &p), -EHOSTUNREACH);
    assert_int_equal(netio_route(w->n, &prohibited, 0, &p), -EACCES);
    assert_int_equal(netio_route(w->n, &hole, 0, &p), -ENETUNREACH);
    assert_int_equal(netio_route(w->n, &bcast, 0, &p), -ENETUNREACH);
    assert_int_equal(netio_route(w->n, &group, 0, &p), -ENETUNREACH);
    assert_int_equal(netio_route(w->n, &group6, 0, &p), -ENETUNREACH);
    foreign.local = world_addr("192.0.2.77");
    assert_int_equal(netio_route(w->n, &foreign, 0, &p), -EADDRNOTAVAIL);
    assert_false(netio_is_local(w->n, &foreign.local, 0));
    world_sh(w->here, "ip route flush root 192.0.2.0/24");
    world_pump_routes(w, 50);
}

/* IPv4 takes anything for on-link once a device is named; we want a route. */
static void bound_device_needs_a_route(void **state)
{
    struct world *w = *state;
    struct flow f = flow_to("192.0.2.1"), near = flow_to(THERE4);
    struct path p;

    assert_int_equal(netio_route(w->n, &f, world_ifindex("va"), &p), -ENETUNREACH);
    assert_int_equal(netio_route(w->n, &near, world_ifindex("va"), &p), 0);
    assert_int_equal(netio_route(w->n, &near, 1, &p), -ENETUNREACH);
}

static void device_that_comes_late_is_found(void **state)
{
    struct world *w = *state;
    struct flow f = flow_to("10.97.0.2");
    struct ip_addr own = world_addr("10.97.0.1");
    struct path p;

    assert_int_equal(netio_route(w->n, &f, 0, &p), -ENETUNREACH);
    assert_false(netio_is_local(w->n, &own, 0));
    world_sh(w->here, "ip link add late type veth peer name later && ip addr add 10.97.0.1/24 "
                      "dev late && ip link set late up && ip link set later up");
    w->route_changes = 0;
    assert_true(netio_is_local(w->n, &own, 0)); /* before its notification was read */
    world_pump_routes(w, 50);
    assert_true(w->route_changes >= 1);
    assert_int_equal(netio_route(w->n, &f, 0, &p), 0);
    assert_int_equal(p.ifindex, world_ifindex("late"));
    assert_addr(p.src, "10.97.0.1");
    assert_int_equal(p.gso_max, 65400);

    w->route_changes = 0;
    world_sh(w->here, "ip link set late down");
    world_pump_routes(w, 50);
    assert_true(w->route_changes >= 1);
    assert_int_equal(netio_route(w->n, &f, 0, &p), -ENETUNREACH);
    world_sh(w->here, "ip link del late");
    world_pump_routes(w, 50);
    assert_false(netio_is_local(w->n, &own, 0));
}

static void mtu_follows_device_and_route(void **state)
{
    struct world *w = *state;
    struct flow f4 = flow_to(THERE4), f6 = flow_to(THERE6), far = flow_to("192.0.2.9");
    struct path p;

    world_sh(w->here, "ip link set va mtu 1400");
    w->route_changes = 0;
    world_pump_routes(w, 50);
    assert_true(w->route_changes >= 1);
    assert_int_equal(netio_route(w->n, &f4, 0, &p), 0);
    assert_int_equal(p.mtu, 1400);
    assert_int_equal(netio_route(w->n, &f6, 0, &p), 0);
    assert_int_equal(p.mtu, 1400);
    world_sh(w->here, "ip link set va mtu 1500 && ip route add 192.0.2.9 via %s mtu 1300", THERE4);
    world_pump_routes(w, 50);
    assert_int_equal(netio_route(w->n, &far, 0, &p), 0);
    assert_int_equal(p.mtu, 1300);
    world_sh(w->here, "sysctl -q -w net.ipv6.conf.va.mtu=1380 && "
                      "ip -6 route add 2001:db8::/64 dev va");
    world_pump_routes(w, 50);
    assert_int_equal(netio_route(w->n, &f4, 0, &p), 0);
    assert_int_equal(p.mtu, 1500);
    assert_int_equal(netio_route(w->n, &f6, 0, &p), 0);
    assert_int_equal(p.mtu, 1380);
    world_sh(w->here, "sysctl -q -w net.ipv6.conf.va.mtu=1500 && ip route del 192.0.2.9");
    world_pump_routes(w, 50);
}

static void policy_rules_see_source_and_ports(void **state)
{
    struct world *w = *state;
    struct flow f = flow_to("192.0.2.1");
    struct path p;

    world_sh(w->here,
             "ip addr add 10.99.0.9/24 dev va && ip rule add from 10.99.0.9 table 77 && "
             "ip route add 192.0.2.0/24 via %s table 77",
             THERE4);
    world_pump_routes(w, 50);
    assert_int_equal(netio_route(w->n, &f, 0, &p), -ENETUNREACH);
    f.local = world_addr("10.99.0.9");
    assert_int_equal(netio_route(w->n, &f, 0, &p), 0);
    assert_addr(p.src, "10.99.0.9");

    f.local = IP_ADDR_ANY4;
    world_sh(w->here, "ip rule add ipproto tcp dport 80 table 77");
    world_pump_routes(w, 50);
    assert_int_equal(netio_route(w->n, &f, 0, &p), 0);
    f.rport = 81;
    assert_int_equal(netio_route(w->n, &f, 0, &p), -ENETUNREACH);
    world_sh(w->here, "ip rule del ipproto tcp dport 80 table 77 && ip rule del from 10.99.0.9 "
                      "table 77 && ip route flush table 77 && ip addr del 10.99.0.9/24 dev va");
    world_pump_routes(w, 50);
}

/*
 * Neighbours fill the socket's buffer, then a route changes and its event is lost:
 * the answer to a loss is to ask for everything anew.
 */
static void lost_events_are_made_up_for(void **state)
{
    struct world *w = *state;
    struct flow f = flow_to("192.0.2.250");
    struct path p;
    int tiny = 0, big = 2 << 20;

    world_sh(w->here, "ip route add 192.0.2.250 via %s", THERE4);
    world_pump_routes(w, 50);
    assert_int_equal(netio_route(w->n, &f, 0, &p), 0);
    assert_int_equal(p.mtu, 1500);

    assert_int_equal(setsockopt(w->fds.route_events, SOL_SOCKET, SO_RCVBUF, &tiny, 4), 0);
    world_sh(w->here,
             "for i in $(seq 100 150); do "
             "echo neigh add 10.99.0.$i lladdr 02:00:00:00:00:01 dev va; done | "
             "ip -batch - && ip route replace 192.0.2.250 via %s mtu 1200",
             THERE4);
    w->route_changes = 0;
    world_pump_routes(w, 50);
    assert_int_equal(w->route_changes, 1);
    assert_int_equal(netio_route(w->n, &f, 0, &p), 0);
    assert_int_equal(p.mtu, 1200);

    assert_int_equal(setsockopt(w->fds.route_events, SOL_SOCKET, SO_RCVBUFFORCE, &big, 4), 0);
    world_sh(w->here, "ip neigh flush dev va nud permanent && ip route del 192.0.2.250");
    world_pump_routes(w, 50);
}

/* The rule is obeyed not only by the question but by the packet itself. */
static void raw_packets_obey_policy_rules(void **state)
{
    struct world *w = *state;
    struct segment seg = { .sport = 7100, .dport = 80, .flags = TCP_SYN };
    struct packet pkt = world_packet("10.99.0.9", "192.0.2.1", &seg, NULL, 0);

    world_sh(w->here,
             "ip addr add 10.99.0.9/24 dev va && ip rule add from 10.99.0.9 table 77 && "
             "ip route add 192.0.2.0/24 via %s table 77",
             THERE4);
    w->unsent = 0;
    assert_int_equal(netio_send(w->n, &pkt), 0);
    world_flush(w);
    assert_int_equal(w->unsent, 0);
    pkt.src = world_addr(HERE4);
    assert_int_equal(netio_send(w->n, &pkt), 0);
    world_flush(w);
    assert_int_equal(w->unsent, 1);
    assert_int_equal(w->unsent_error, -ENETUNREACH);
    world_sh(w->here, "ip rule del from 10.99.0.9 table 77 && "
                      "ip route flush table 77 && ip addr del 10.99.0.9/24 dev va");
    world_pump_routes(w, 50);
}

static void link_local_needs_its_device(void **state)
{
    struct world *w = *state;
    struct flow f = flow_to("fe80::1234");
    struct path p;

    assert_int_equal(netio_route(w->n, &f, 0, &p), -ENETUNREACH);
    f.zone = world_ifindex("va");
    assert_int_equal(netio_route(w->n, &f, 0, &p), 0);
    assert_int_equal(p.ifindex, f.zone);
    assert_true(ip_addr_is_linklocal(&p.src));
    assert_true(netio_is_local(w->n, &p.src, f.zone));
    assert_false(netio_is_local(w->n, &p.src, 1));
}

static void raw_only_mode_and_ipsec_forbid_super_frames(void **state)
{
    struct world *w = *state;
    const struct netio_init raw = { .raw_only = true };
    struct flow f = flow_to(THERE4);
    struct path p;

    world_netio(w, &raw);
    assert_int_equal(netio_route(w->n, &f, 0, &p), 0);
    assert_int_equal(p.gso_max, 0);
    world_netio(w, NULL);
    assert_int_equal(netio_route(w->n, &f, 0, &p), 0);
    assert_int_equal(p.gso_max, 65400);

    world_sh(w->here,
             "ip xfrm policy add src 10.99.0.0/24 dst 172.16.0.0/24 dir out tmpl src %s "
             "dst %s proto esp mode tunnel",
             HERE4, THERE4);
    world_netio(w, NULL);
    assert_int_equal(netio_route(w->n, &f, 0, &p), 0);
    assert_int_equal(p.gso_max, 0);
    world_sh(w->here, "ip xfrm policy flush");
    world_netio(w, NULL);
    assert_int_equal(netio_route(w->n, &f, 0, &p), 0);
    assert_int_equal(p.gso_max, 65400);
}

static void encapsulated_routes_carry_no_super_frames(void **state)
{
    struct world *w = *state;
    struct flow f = flow_to("192.0.2.200");
    struct path p;

    world_sh(w->here, "ip route add 192.0.2.200/32 encap ip id 7 dst 10.99.0.77 via %s dev va",
             THERE4);
    world_pump_routes(w, 50);
    assert_int_equal(netio_route(w->n, &f, 0, &p), 0);
    assert_int_equal(p.gso_max, 0);
}

/* Ethernet by type, but nobody is asked for hardware addresses there. */
static void devices_without_arp_carry_no_super_frames(void **state)
{
    struct world *w = *state;
    struct flow f = flow_to("10.96.0.2");
    struct path p;

    world_sh(w->here, "ip link add dm type veth peer name dmp && ip addr add 10.96.0.1/24 dev dm "
                      "&& ip link set dmp up && ip link set dm up");
    world_pump_routes(w, 50);
    assert_int_equal(netio_route(w->n, &f, 0, &p), 0);
    assert_int_equal(p.gso_max, 65400);
    world_sh(w->here, "ip link set dm arp off");
    world_pump_routes(w, 50);
    assert_int_equal(netio_route(w->n, &f, 0, &p), 0);
    assert_int_equal(p.gso_max, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbours_are_on_link),
        cmocka_unit_test(own_addresses_go_by_loopback),
        cmocka_unit_test(gateway_is_not_on_link),
        cmocka_unit_test(forbidden_routes_say_so),
        cmocka_unit_test(bound_device_needs_a_route),
        cmocka_unit_test(device_that_comes_late_is_found),
        cmocka_unit_test(mtu_follows_device_and_route),
        cmocka_unit_test(policy_rules_see_source_and_ports),
        cmocka_unit_test(lost_events_are_made_up_for),
        cmocka_unit_test(raw_packets_obey_policy_rules),
        cmocka_unit_test(link_local_needs_its_device),
        cmocka_unit_test(raw_only_mode_and_ipsec_forbid_super_frames),
        cmocka_unit_test(encapsulated_routes_carry_no_super_frames),
        cmocka_unit_test(devices_without_arp_carry_no_super_frames),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
