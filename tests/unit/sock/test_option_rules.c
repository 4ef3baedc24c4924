/* SPDX-License-Identifier: BSD-2-Clause */
/* setsockopt() and getsockopt(): where a setting goes, and rows with a rule of their own. */
#include "rig.h"

#include <linux/tcp.h>

/* ---- where a setting goes ---------------------------------------------------------------- */

#define NODELAY    1
#define MAXSEG     2
#define KEEPIDLE   4
#define KEEPINTVL  5
#define KEEPCNT    6
#define CONGESTION 13
#define INIT_CWND  0x1015
#define KEEPALIVE_ABORT 0x1017
#define RTO_INITIAL 0x1019
#define RTO_MIN    0x101a
#define RTO_MAX    0x101b

#define BOUND_IF 0x1041 /* of IPPROTO_IP and IPPROTO_IPV6 */

static void settings_reach_a_living_connection_at_once(void **state)
{
    struct rig *r = *state;
    struct sock *s = connected(r, PEER4, 80);

    sock_conn(s)->config.snd_buf_bytes = 77777; /* the engine's word counts */
    assert_int_equal(set_int(s, IPPROTO_TCP, NODELAY, 1), 0);
    assert_int_equal(sock_conn(s)->configured, 1);
    assert_int_equal(sock_conn(s)->config.nodelay, 1);
    assert_int_equal(sock_conn(s)->config.snd_buf_bytes, 77777);
    assert_int_equal(get_int(s, SOL_SOCKET, SO_SNDBUF), 77777);
    assert_int_equal(set_int(s, SOL_SOCKET, SO_REUSEADDR, 1), 0);
    assert_int_equal(sock_conn(s)->configured, 1); /* none of its business */
}

static void failed_set_changes_nothing(void **state)
{
    struct rig *r = *state;
    struct sock *s = connected(r, PEER4, 80);

    assert_int_equal(set_int(s, IPPROTO_TCP, RTO_MIN, 100000), -EINVAL);
    assert_int_equal(sock_conn(s)->configured, 0);
}

static void settings_survive_the_connection(void **state)
{
    struct rig *r = *state;
    struct sock *s = connected(r, PEER4, 80);

    assert_int_equal(set_int(s, IPPROTO_TCP, NODELAY, 1), 0);
    event(r, sock_conn(s), TCP_EV_CLOSED, ECONNRESET);
    gone(r, sock_conn(s));
    assert_int_equal(get_int(s, IPPROTO_TCP, NODELAY), 1);
}

/* ---- SOL_SOCKET ------------------------------------------------------------------------------ */

static void buffers_above_max_buf_are_enobufs(void **state)
{
    static const int names[] = { SO_SNDBUF, SO_RCVBUF };
    struct rig *r = *state;
    struct sock *s = new_sock(r, AF_INET);
    const struct tcp_config *config;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_int_equal(set_int(s, SOL_SOCKET, names[i], 1048577), -ENOBUFS);
        assert_int_equal(set_int(s, SOL_SOCKET, names[i], -1), -ENOBUFS);
        assert_int_equal(set_int(s, SOL_SOCKET, names[i], 1048576), 0);
        assert_int_equal(get_int(s, SOL_SOCKET, names[i]), 1048576);
    }
    r->tun.max_buf = 2000000; /* read live */
    assert_int_equal(set_int(s, SOL_SOCKET, SO_SNDBUF, 2000000), 0);
    assert_int_equal(connect_to(s, PEER4, 80), -EINPROGRESS);
    config = tcp_conn_config(sock_conn(s));
    assert_int_equal(config->snd_buf_fixed, 1); /* no auto-tuning from here on */
    assert_int_equal(config->rcv_buf_fixed, 1);
}

static void smallest_buffers(void **state)
{
    struct rig *r = *state;
    struct sock *s = new_sock(r, AF_INET);

    assert_int_equal(get_int(s, SOL_SOCKET, SO_SNDBUF), 49152);
    assert_int_equal(get_int(s, SOL_SOCKET, SO_RCVBUF), 128000);
    assert_int_equal(set_int(s, SOL_SOCKET, SO_RCVBUF, 0), -EINVAL);
    assert_int_equal(set_int(s, SOL_SOCKET, SO_RCVBUF, 1), 0);
    assert_int_equal(get_int(s, SOL_SOCKET, SO_RCVBUF), 1);
    assert_int_equal(set_int(s, SOL_SOCKET, SO_SNDBUF, 0), 0);
    assert_int_equal(get_int(s, SOL_SOCKET, SO_SNDBUF), 1);
}

static void receive_buffer_grows_no_further_than_the_scale_allows(void **state)
{
    struct rig *r = *state;
    struct sock *s = connected(r, PEER4, 80);

    assert_int_equal(set_int(s, SOL_SOCKET, SO_RCVBUF, 1000000), 0);
    assert_int_equal(get_int(s, SOL_SOCKET, SO_RCVBUF), 65535); /* no scaling was negotiated */
    sock_conn(s)->info.wscale = true;
    sock_conn(s)->info.rcv_wscale = 3;
    assert_int_equal(set_int(s, SOL_SOCKET, SO_RCVBUF, 1000000), 0);
    assert_int_equal(get_int(s, SOL_SOCKET, SO_RCVBUF), 65535 << 3);
}

static void linger_is_a_struct(void **state)
{
    struct rig *r = *state;
    struct sock *s = new_sock(r, AF_INET);
    struct linger in = { 77, 30 }, out;
    uint32_t len = sizeof(out), sec;

    assert_false(sock_linger(s, &sec));
    assert_int_equal(sock_setopt(s, SOL_SOCKET, SO_LINGER, &in, 4, &USER, NOW), -EINVAL);
    assert_int_equal(sock_setopt(s, SOL_SOCKET, SO_LINGER, &in, sizeof(in), &USER, NOW), 0);
    assert_int_equal(sock_getopt(s, SOL_SOCKET, SO_LINGER, &out, &len, NOW), 0);
    assert_int_equal(out.l_onoff, 1);
    assert_int_equal(out.l_linger, 30);
    assert_true(sock_linger(s, &sec));
    assert_int_equal(sec, 30);
}

static void what_a_socket_is(void **state)
{
    struct rig *r = *state;
    struct sock *s = new_sock(r, AF_INET6);

    assert_int_equal(get_int(s, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
    assert_int_equal(get_int(s, SOL_SOCKET, SO_DOMAIN), AF_INET6);
    assert_int_equal(get_int(s, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
    assert_int_equal(get_int(s, SOL_SOCKET, SO_ACCEPTCONN), 0);
    assert_int_equal(get_int(s, SOL_SOCKET, SO_ERROR), 0);
}

static int bind_device(struct sock *s, const char *name, uint32_t len)
{
    return sock_setopt(s, SOL_SOCKET, SO_BINDTODEVICE, name, len, &USER, NOW);
}

static void device_is_set_read_and_cleared(void **state)
{
    struct rig *r = *state;
    struct sock *s = new_sock(r, AF_INET);
    char name[20] = "";
    uint32_t len = sizeof(name);

    assert_int_equal(sock_getopt(s, SOL_SOCKET, SO_BINDTODEVICE, name, &len, NOW), 0);
    assert_int_equal(len, 0);
    assert_int_equal(bind_device(s, "nope0", 6), -ENODEV);
    assert_int_equal(bind_device(s, "0123456789abcdef", 16), -EINVAL); /* no end in it */
    assert_int_equal(bind_device(s, "0123456789abcdefg", 17), -EINVAL);
    assert_int_equal(bind_device(s, "eth0", 4), 0);
    len = sizeof(name);
    assert_int_equal(sock_getopt(s, SOL_SOCKET, SO_BINDTODEVICE, name, &len, NOW), 0);
    assert_string_equal(name, "eth0");
    assert_int_equal(len, 5);
    assert_int_equal(bind_device(s, "", 0), 0);
    assert_int_equal(connect_to(s, PEER4, 80), -EINPROGRESS);
    assert_int_equal(r->route_ifindex, 0);
}

static void connection_that_changes_its_device_changes_its_way(void **state)
{
    struct rig *r = *state;
    struct sock *s = connected(r, PEER4, 80);

    r->route_error = -ENETUNREACH;
    assert_int_equal(bind_device(s, "eth0", 5), -ENETUNREACH);
    assert_int_equal(sock_conn(s)->config.bound_ifindex, 0);
    r->route_error = 0;
    assert_int_equal(bind_device(s, "eth0", 5), 0);
    assert_int_equal(sock_conn(s)->config.bound_ifindex, 2);
    assert_int_equal(sock_conn(s)->paths, 1);
}

/* illumos: by its number, and the two names are of one thing. */
static void device_is_bound_by_its_number_too(void **state)
{
    struct rig *r = *state;
    struct sock *s = new_sock(r, AF_INET);
    char name[20] = "";
    uint32_t len = sizeof(name);

    assert_int_equal(get_int(s, IPPROTO_IP, BOUND_IF), 0);
    assert_int_equal(set_int(s, IPPROTO_IP, BOUND_IF, 77), -ENXIO);
    assert_int_equal(set_int(s, IPPROTO_IP, BOUND_IF, -1), -EINVAL);
    assert_int_equal(set_int(s, IPPROTO_IP, BOUND_IF, 2), 0);
    assert_int_equal(get_int(s, IPPROTO_IP, BOUND_IF), 2);
    assert_int_equal(sock_getopt(s, SOL_SOCKET, SO_BINDTODEVICE, name, &len, NOW), 0);
    assert_string_equal(name, "eth0");
    assert_int_equal(connect_to(s, PEER4, 80), -EINPROGRESS);
    assert_int_equal(r->route_ifindex, 2);
    assert_int_equal(set_int(s, IPPROTO_IP, BOUND_IF, 0), 0);
    assert_int_equal(sock_conn(s)->config.bound_ifindex, 0);

    s = new_sock(r, AF_INET6);
    assert_int_equal(set_int(s, IPPROTO_IPV6, BOUND_IF, 2), 0);
    assert_int_equal(get_int(s, IPPROTO_IPV6, BOUND_IF), 2);
}

/* ---- IPPROTO_TCP ----------------------------------------------------------------- */

/* design: both set make the abort threshold, their product; setting that clears both. */
static void keepcnt_and_keepintvl_are_coupled(void **state)
{
    struct rig *r = *state;
    struct sock *s = new_sock(r, AF_INET);

    assert_int_equal(set_int(s, IPPROTO_TCP, KEEPCNT, 5), 0);
    assert_int_equal(get_int(s, IPPROTO_TCP, KEEPALIVE_ABORT), 480000);
    assert_int_equal(set_int(s, IPPROTO_TCP, KEEPINTVL, 10), 0);
    assert_int_equal(get_int(s, IPPROTO_TCP, KEEPALIVE_ABORT), 50000);
    assert_int_equal(set_int(s, IPPROTO_TCP, KEEPCNT, 7), 0);
    assert_int_equal(get_int(s, IPPROTO_TCP, KEEPALIVE_ABORT), 70000);
    assert_int_equal(set_int(s, IPPROTO_TCP, KEEPALIVE_ABORT, 1234), 0);
    assert_int_equal(get_int(s, IPPROTO_TCP, KEEPCNT), 0);
    assert_int_equal(get_int(s, IPPROTO_TCP, KEEPINTVL), 0);
    assert_int_equal(set_int(s, IPPROTO_TCP, KEEPINTVL, 864000), 0);
    assert_int_equal(set_int(s, IPPROTO_TCP, KEEPCNT, 127), 0); /* more than 32 bits hold */
    assert_int_equal((uint32_t)get_int(s, IPPROTO_TCP, KEEPALIVE_ABORT), UINT32_MAX);
}

static void keepidle_is_the_threshold_in_seconds(void **state)
{
    struct rig *r = *state;
    struct sock *s = new_sock(r, AF_INET);

    assert_int_equal(get_int(s, IPPROTO_TCP, KEEPIDLE), 7200);
    assert_int_equal(set_int(s, IPPROTO_TCP, KEEPIDLE, 60), 0);
    assert_int_equal(get_int(s, IPPROTO_TCP, 0x1016), 60000);
}

static void rto_bounds_keep_their_order(void **state)
{
    struct rig *r = *state;
    struct sock *s = new_sock(r, AF_INET);

    assert_int_equal(set_int(s, IPPROTO_TCP, RTO_INITIAL, 399), -EINVAL); /* below rto_min */
    assert_int_equal(set_int(s, IPPROTO_TCP, RTO_INITIAL, 400), 0);
    assert_int_equal(set_int(s, IPPROTO_TCP, RTO_MAX, 399), -EINVAL);
    assert_int_equal(set_int(s, IPPROTO_TCP, RTO_MAX, 300001), -EINVAL); /* abort threshold */
    assert_int_equal(set_int(s, IPPROTO_TCP, RTO_MAX, 500), 0);
    assert_int_equal(set_int(s, IPPROTO_TCP, RTO_MIN, 501), -EINVAL);
    assert_int_equal(set_int(s, IPPROTO_TCP, RTO_MIN, 500), 0);
    assert_int_equal(set_int(s, IPPROTO_TCP, RTO_INITIAL, 501), -EINVAL);
    assert_int_equal(set_int(s, IPPROTO_TCP, RTO_INITIAL, 500), 0);
}

static void fin_wait_2_can_only_be_shortened(void **state)
{
    struct rig *r = *state;
    struct sock *s = new_sock(r, AF_INET);

    assert_int_equal(set_int(s, IPPROTO_TCP, 8 /* TCP_LINGER2 */, 61), -EINVAL);
    assert_int_equal(set_int(s, IPPROTO_TCP, 8, 60), 0);
    assert_int_equal(set_int(s, IPPROTO_TCP, 8, 1), 0);
    assert_int_equal(get_int(s, IPPROTO_TCP, 8), 1);
}

/* tcp.4p: more than RFC 3390 allows takes a privilege. */
static void large_initial_window_takes_a_privilege(void **state)
{
    struct rig *r = *state;
    struct sock *user = new_sock_of(r, AF_INET, &USER), *root = new_sock_of(r, AF_INET, &ROOT);
    struct sock *user6 = new_sock_of(r, AF_INET6, &USER), *open = connected(r, PEER4, 80);

    assert_int_equal(set_int(user, IPPROTO_TCP, INIT_CWND, 4), 0); /* MSS 536 */
    assert_int_equal(set_int(user, IPPROTO_TCP, INIT_CWND, 5), -EPERM);
    assert_int_equal(set_int(user6, IPPROTO_TCP, INIT_CWND, 3), 0); /* MSS 1220 */
    assert_int_equal(set_int(user6, IPPROTO_TCP, INIT_CWND, 4), -EPERM);
    sock_conn(open)->info.mss = 4000;
    assert_int_equal(set_int(open, IPPROTO_TCP, INIT_CWND, 2), 0);
    assert_int_equal(set_int(open, IPPROTO_TCP, INIT_CWND, 3), -EPERM);
    assert_int_equal(set_int(root, IPPROTO_TCP, INIT_CWND, 16), 0);
    assert_int_equal(set_int(root, IPPROTO_TCP, INIT_CWND, 17), -EINVAL);
    assert_int_equal(get_int(root, IPPROTO_TCP, INIT_CWND), 16);
}

static int set_cc(struct sock *s, const char *name, size_t len)
{
    return sock_setopt(s, IPPROTO_TCP, CONGESTION, name, (uint32_t)len, &USER, NOW);
}

static void congestion_control_goes_by_its_name(void **state)
{
    static const char *const newreno[] = { "newreno", "sunreno", "reno" };
    struct rig *r = *state;
    struct sock *s = new_sock(r, AF_INET);
    char name[16];
    uint32_t len;

    for (size_t i = 0; i < ARRAY_LEN(newreno); i++) {
        assert_int_equal(set_cc(s, "cubic", 5), 0); /* without its end */
        len = sizeof(name);
        assert_int_equal(sock_getopt(s, IPPROTO_TCP, CONGESTION, name, &len, NOW), 0);
        assert_string_equal(name, "cubic");
        assert_int_equal(set_cc(s, newreno[i], strlen(newreno[i]) + 1), 0); /* and with it */
        len = sizeof(name);
        assert_int_equal(sock_getopt(s, IPPROTO_TCP, CONGESTION, name, &len, NOW), 0);
        assert_string_equal(name, "newreno");
    }
    assert_int_equal(set_cc(s, "bbr", 3), -ENOENT);
    assert_int_equal(set_cc(s, "", 1), -ENOENT);
    assert_int_equal(set_cc(s, "", 0), -EINVAL);
    assert_int_equal(set_cc(s, "0123456789abcdefg", 17), -EINVAL);
}

static void maxseg_reads_what_is_in_use(void **state)
{
    struct rig *r = *state;
    struct sock *s = new_sock(r, AF_INET);

    assert_int_equal(get_int(s, IPPROTO_TCP, MAXSEG), 536);
    assert_int_equal(get_int(new_sock(r, AF_INET6), IPPROTO_TCP, MAXSEG), 1220);
    assert_int_equal(set_int(s, IPPROTO_TCP, MAXSEG, 1000), 0);
    assert_int_equal(get_int(s, IPPROTO_TCP, MAXSEG), 1000);
    assert_int_equal(connect_to(s, PEER4, 80), -EINPROGRESS);
    assert_int_equal(tcp_conn_config(sock_conn(s))->maxseg_bytes, 1000);
    sock_conn(s)->info.mss = 988;
    assert_int_equal(get_int(s, IPPROTO_TCP, MAXSEG), 988);
}

/* _naglim_def=1 turns Nagle off; TCP_NODELAY 0 turns it on again. */
static void naglim_of_one_is_nodelay(void **state)
{
    struct rig *r = *state;
    struct sock *s;

    r->tun.naglim_def = 1;
    s = new_sock(r, AF_INET);
    assert_int_equal(get_int(s, IPPROTO_TCP, NODELAY), 1);
    assert_int_equal(set_int(s, IPPROTO_TCP, NODELAY, 0), 0);
    assert_int_equal(get_int(s, IPPROTO_TCP, NODELAY), 0);
}

static struct tcp_info info_of(struct sock *s)
{
    struct tcp_info info;
    uint32_t len = sizeof(info);

    memset(&info, 0xff, sizeof(info));
    assert_int_equal(sock_getopt(s, IPPROTO_TCP, 11, &info, &len, NOW), 0);
    assert_int_equal(len, sizeof(info));
    return info;
}

static void tcp_info_tells_what_the_engine_knows(void **state)
{
    struct rig *r = *state;
    struct sock *s = connected(r, PEER4, 80);
    struct tcp_conn_info *c = &sock_conn(s)->info;
    struct tcp_info info;

    c->mss = 1000;
    c->cwnd = 10000;
    c->ssthresh = 20000;
    c->flight = 2500;
    c->srtt = 12345;
    c->rttvar = 678;
    c->rto = 400000;
    c->min_rtt = 11111;
    c->sack = c->wscale = true;
    c->snd_wscale = 7;
    c->rcv_wscale = 2;
    c->retrans_segs = 9;
    c->bytes_acked = 1ull << 40;
    c->unsent = 55;
    c->backoff = 2;
    c->last_send_at = NOW - usec_from_msec(300);
    info = info_of(s);
    assert_int_equal(info.tcpi_state, 1);
    assert_int_equal(info.tcpi_snd_mss, 1000);
    assert_int_equal(info.tcpi_snd_cwnd, 10);
    assert_int_equal(info.tcpi_snd_ssthresh, 20);
    assert_int_equal(info.tcpi_unacked, 3);
    assert_int_equal(info.tcpi_rtt, 12345);
    assert_int_equal(info.tcpi_rttvar, 678);
    assert_int_equal(info.tcpi_rto, 400000);
    assert_int_equal(info.tcpi_min_rtt, 11111);
    assert_int_equal(info.tcpi_options, TCPI_OPT_SACK | TCPI_OPT_WSCALE);
    assert_int_equal(info.tcpi_snd_wscale, 7);
    assert_int_equal(info.tcpi_rcv_wscale, 2);
    assert_int_equal(info.tcpi_total_retrans, 9);
    assert_int_equal(info.tcpi_bytes_acked, 1ull << 40);
    assert_int_equal(info.tcpi_notsent_bytes, 55);
    assert_int_equal(info.tcpi_backoff, 2);
    assert_int_equal(info.tcpi_ca_state, TCP_CA_Loss);
    assert_int_equal(info.tcpi_last_data_sent, 300);
    assert_int_equal(info.tcpi_pmtu, 1500);
    assert_int_equal(info.tcpi_rcv_space, 0); /* not known: no made-up value */
}

static void tcp_info_of_sockets_without_connection(void **state)
{
    struct rig *r = *state;
    struct sock *l = listening(r, AF_INET, ANY4, 5000);
    struct tcp_info info;

    assert_int_equal(info_of(new_sock(r, AF_INET)).tcpi_state, 7);
    (void)handshake(r, l, PEER4, 1);
    info = info_of(l);
    assert_int_equal(info.tcpi_state, 10);
    assert_int_equal(info.tcpi_unacked, 1);
    assert_int_equal(info.tcpi_sacked, 16);
}

/* ---- the levels of IP ------------------------------------------------------------- */

static void hops_of_zero_are_refused(void **state)
{
    struct rig *r = *state;

    assert_int_equal(set_int(new_sock(r, AF_INET), IPPROTO_IP, IP_TTL, 0), -EINVAL);
    assert_int_equal(set_int(new_sock(r, AF_INET6), IPPROTO_IPV6, IPV6_UNICAST_HOPS, 0), -EINVAL);
    assert_int_equal(set_int(new_sock(r, AF_INET), IPPROTO_IP, IP_TTL, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(settings_reach_a_living_connection_at_once),
        rig_test(failed_set_changes_nothing),
        rig_test(settings_survive_the_connection),
        rig_test(buffers_above_max_buf_are_enobufs),
        rig_test(smallest_buffers),
        rig_test(receive_buffer_grows_no_further_than_the_scale_allows),
        rig_test(linger_is_a_struct),
        rig_test(what_a_socket_is),
        rig_test(device_is_set_read_and_cleared),
        rig_test(connection_that_changes_its_device_changes_its_way),
        rig_test(device_is_bound_by_its_number_too),
        rig_test(keepcnt_and_keepintvl_are_coupled),
        rig_test(keepidle_is_the_threshold_in_seconds),
        rig_test(rto_bounds_keep_their_order),
        rig_test(fin_wait_2_can_only_be_shortened),
        rig_test(large_initial_window_takes_a_privilege),
        rig_test(congestion_control_goes_by_its_name),
        rig_test(maxseg_reads_what_is_in_use),
        rig_test(naglim_of_one_is_nodelay),
        rig_test(tcp_info_tells_what_the_engine_knows),
        rig_test(tcp_info_of_sockets_without_connection),
        rig_test(hops_of_zero_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
