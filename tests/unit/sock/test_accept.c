/* SPDX-License-Identifier: BSD-2-Clause */
/* listen() and accept(): the backlog, the queue, and nothing lost on the way through it. */
#include "rig.h"

#include <limits.h>

#include "sock/listener.h"

static void backlog_is_three_halves_plus_one_clamped(void **state)
{
    static const struct { int n; uint32_t min, max, backlog; } rows[] = {
        { 0, 1, 128, 1 },       { 1, 1, 128, 2 },        { 5, 1, 128, 8 },
        { 84, 1, 128, 127 },    { 85, 1, 128, 128 },     { 100, 1, 128, 128 },
        { -1, 1, 128, 1 },      { INT_MIN, 1, 128, 1 },  { INT_MAX, 1, 128, 128 },
        { 0, 10, 128, 10 },     { INT_MAX, 1, UINT32_MAX, 3221225471u },
    };
    struct rig *r = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        r->tun.conn_req_min = rows[i].min;
        r->tun.conn_req_max_q = rows[i].max;
        assert_int_equal(listener_backlog(&r->tun, rows[i].n), rows[i].backlog);
    }
}

static void listener_reaches_the_engine(void **state)
{
    struct rig *r = *state;
    struct sock *s = bound(r, AF_INET6, ANY6, 5000);
    const struct tcp_open *open;

    assert_int_equal(set_int(s, IPPROTO_TCP, 1 /* TCP_NODELAY */, 1), 0);
    assert_int_equal(sock_listen(s, 5, &USER), 0);
    open = &sock_listener(s)->open;
    assert_int_equal(sock_state(s), SOCK_LISTENING);
    assert_true(ip_addr_eq(&open->flow.local, &ANY6));
    assert_int_equal(open->flow.lport, 5000);
    assert_int_equal(open->user, sock_id(s));
    assert_false(open->v6only);
    assert_int_equal(open->config.nodelay, 1);
    assert_int_equal(sock_backlog(s), 8);
    assert_int_equal(sock_listener(s)->backlog, 8);
}

static void v6only_listener_takes_no_ipv4(void **state)
{
    struct rig *r = *state;
    struct sock *s = new_sock(r, AF_INET6);

    assert_int_equal(set_int(s, IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
    assert_int_equal(bind_to(s, ANY6, 5000), 0);
    assert_int_equal(sock_listen(s, 5, &USER), 0);
    assert_true(sock_listener(s)->open.v6only);
}

static void listen_again_changes_the_backlog(void **state)
{
    struct rig *r = *state;
    struct sock *s = listening(r, AF_INET, ANY4, 5000);

    assert_int_equal(sock_listen(s, 1, &USER), 0);
    assert_int_equal(sock_listener(s)->backlog, 2);
    assert_int_equal(sock_listener(s)->configured, 1);
    assert_int_equal(r->engine->listens, 1);
    assert_int_equal(r->claims[5000], 1);
}

static void unbound_socket_listens_on_an_anonymous_port(void **state)
{
    struct rig *r = *state;
    struct sock *s = new_sock(r, AF_INET);
    struct sock_addr name;

    assert_int_equal(sock_listen(s, 1, &USER), 0);
    sock_name(s, &name);
    assert_in_range(name.port, 32768, 65535);
    assert_true(ip_addr_eq(&name.addr, &ANY4));
    assert_int_equal(r->claims[name.port], 1);
}

static void listen_that_fails_leaves_the_socket_as_it_was(void **state)
{
    struct rig *r = *state;
    struct sock *s = new_sock(r, AF_INET);
    struct sock_usage usage;
    struct sock_addr name;

    r->engine->listen_error = -ENOMEM;
    assert_int_equal(sock_listen(s, 1, &USER), -ENOMEM);
    sock_name(s, &name);
    sock_usage(r->table, &usage);
    assert_int_equal(name.port, 0);
    assert_int_equal(sock_state(s), SOCK_IDLE);
    assert_int_equal(sock_backlog(s), 0);
    assert_int_equal(usage.ports, 0);
    assert_int_equal(usage.listeners, 0);
}

static void connected_socket_cannot_listen(void **state)
{
    struct rig *r = *state;
    struct sock *s = connecting(r, PEER4, 80);

    assert_int_equal(sock_listen(s, 1, &USER), -EINVAL);
    event(r, sock_conn(s), TCP_EV_ESTABLISHED, 0);
    assert_int_equal(sock_listen(s, 1, &USER), -EINVAL);
    event(r, sock_conn(s), TCP_EV_CLOSED, ECONNRESET);
    assert_int_equal(sock_listen(s, 1, &USER), -EINVAL);
}

/* ---- the queue -------------------------------------------------------------------------- */

static void accept_gives_the_oldest_first(void **state)
{
    struct rig *r = *state;
    struct sock *l = listening(r, AF_INET, ANY4, 5000), *s;
    struct sock_addr peer;

    for (uint16_t port = 1; port <= 3; port++)
        (void)handshake(r, l, PEER4, port);
    assert_int_equal(sock_queued(l), 3);
    assert_int_equal(ready_of(r, l), SOCK_READY_ACCEPT); /* once, and for the listener only */
    for (uint16_t port = 1; port <= 3; port++) {
        assert_int_equal(sock_accept(l, &s), 0);
        assert_int_equal(sock_peer(s, &peer), 0);
        assert_int_equal(peer.port, port);
    }
    assert_int_equal(sock_queued(l), 0);
    assert_int_equal(sock_accept(l, &s), -EAGAIN);
}

static void accepted_socket_is_a_socket_of_its_own(void **state)
{
    struct rig *r = *state;
    struct sock *l = listening(r, AF_INET6, ANY6, 5000), *s;
    struct tcp_conn *conn = handshake(r, l, PEER4, 7);
    struct sock_addr name, peer;

    assert_int_equal(sock_accept(l, &s), 0);
    assert_int_not_equal(sock_id(s), sock_id(l));
    assert_ptr_equal(sock_find(r->table, sock_id(s)), s);
    assert_int_equal(sock_state(s), SOCK_CONNECTED);
    assert_false(sock_is_queued(s));
    assert_int_equal(sock_family(s), AF_INET6);
    assert_int_equal(sock_owner(s)->uid, USER.uid);
    assert_ptr_equal(sock_conn(s), conn);
    assert_null(conn->listener); /* the engine knows that it was taken, */
    assert_int_equal(conn->info.user, sock_id(s)); /* and by whom */
    sock_name(s, &name);
    assert_true(ip_addr_eq(&name.addr, &A4));
    assert_int_equal(name.port, 5000);
    assert_int_equal(sock_peer(s, &peer), 0);
    assert_true(ip_addr_eq(&peer.addr, &PEER4));
    assert_int_equal(r->claims[5000], 2);
}

static void accepted_socket_has_the_listeners_options(void **state)
{
    struct rig *r = *state;
    struct sock *l = new_sock(r, AF_INET), *s;
    struct linger linger = { 1, 5 }, got;
    uint32_t len = sizeof(got);

    assert_int_equal(set_int(l, SOL_SOCKET, SO_REUSEADDR, 1), 0);
    assert_int_equal(sock_setopt(l, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger), &USER, NOW), 0);
    assert_int_equal(bind_to(l, ANY4, 5000), 0);
    assert_int_equal(sock_listen(l, 1, &USER), 0);
    assert_int_equal(set_int(l, SOL_SOCKET, SO_KEEPALIVE, 1), 0); /* after listen() too */
    assert_int_equal(set_int(l, IPPROTO_TCP, 3 /* TCP_CORK */, 1), 0);
    (void)handshake(r, l, PEER4, 7);
    assert_int_equal(sock_accept(l, &s), 0);
    assert_int_equal(get_int(s, SOL_SOCKET, SO_REUSEADDR), 1);
    assert_int_equal(get_int(s, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(get_int(s, IPPROTO_TCP, 3), 0); /* TCP_CORK is not inherited */
    assert_int_equal(sock_getopt(s, SOL_SOCKET, SO_LINGER, &got, &len, NOW), 0);
    assert_int_equal(got.l_linger, 5);
    assert_int_equal(get_int(s, SOL_SOCKET, SO_ACCEPTCONN), 0);
    assert_int_equal(get_int(l, SOL_SOCKET, SO_ACCEPTCONN), 1);
}

/* All that happened between the handshake and accept() is told by the accepted socket. */
static void nothing_is_lost_between_handshake_and_accept(void **state)
{
    struct rig *r = *state;
    struct sock *l = listening(r, AF_INET, ANY4, 5000), *s;
    struct tcp_conn *conn = handshake(r, l, PEER4, 7);
    unsigned what;

    event(r, conn, TCP_EV_READABLE | TCP_EV_URGENT, 0);
    event(r, conn, TCP_EV_FIN, 0);
    assert_int_equal(ready_of(r, l), SOCK_READY_ACCEPT); /* nobody is told of the queued one */
    assert_int_equal(sock_accept(l, &s), 0);
    what = ready_of(r, s);
    assert_int_equal(what, SOCK_READY_CONNECTED | SOCK_READY_WRITE | SOCK_READY_READ |
                               SOCK_READY_URGENT | SOCK_READY_EOF);
}

/* Even if the engine told of the bytes before it told of the connection. */
static void state_of_the_connection_is_replayed_at_accept(void **state)
{
    struct rig *r = *state;
    struct sock *l = listening(r, AF_INET, ANY4, 5000), *s;
    struct tcp_conn *conn = handshake(r, l, PEER4, 7);

    conn->rx_bytes = 10;
    conn->info.state = TCP_CLOSE_WAIT;
    forget_readiness(r);
    assert_int_equal(sock_accept(l, &s), 0);
    assert_int_equal(ready_of(r, s), SOCK_READY_CONNECTED | SOCK_READY_WRITE | SOCK_READY_READ |
                                         SOCK_READY_EOF);
}

static void bits_beside_accept_belong_to_the_new_connection(void **state)
{
    struct rig *r = *state;
    struct sock *l = listening(r, AF_INET, ANY4, 5000), *s;
    struct tcp_listener *tl = sock_listener(l);
    struct flow flow = { A4, PEER4, 5000, 7, 0 };
    struct tcp_conn *conn = fake_passive(r->engine, tl, &flow);

    event(r, conn, TCP_EV_ACCEPT | TCP_EV_READABLE, 0);
    assert_int_equal(ready_of(r, l), SOCK_READY_ACCEPT);
    assert_int_equal(sock_accept(l, &s), 0);
    assert_true(ready_of(r, s) & SOCK_READY_READ);
}

static void connection_reset_in_the_queue_is_never_seen(void **state)
{
    struct rig *r = *state;
    struct sock *l = listening(r, AF_INET, ANY4, 5000), *s;
    struct tcp_conn *first = handshake(r, l, PEER4, 1), *second = handshake(r, l, PEER4, 2);

    event(r, first, TCP_EV_CLOSED, ECONNRESET);
    assert_int_equal(sock_queued(l), 1);
    assert_int_equal(sock_listener(l)->queued, 1); /* the engine's count as well */
    assert_int_equal(first->closed, 1);            /* and it may go */
    assert_int_equal(r->claims[5000], 3);
    gone(r, first);
    assert_int_equal(r->claims[5000], 2);
    assert_int_equal(sock_accept(l, &s), 0);
    assert_ptr_equal(sock_conn(s), second);
}

static void handshake_and_reset_in_one_event_leave_nothing(void **state)
{
    struct rig *r = *state;
    struct sock *l = listening(r, AF_INET, ANY4, 5000);
    struct flow flow = { A4, PEER4, 5000, 7, 0 };
    struct tcp_conn *conn = fake_passive(r->engine, sock_listener(l), &flow);

    event(r, conn, TCP_EV_ACCEPT | TCP_EV_CLOSED | TCP_EV_GONE, ECONNRESET);
    assert_int_equal(sock_queued(l), 0);
    assert_int_equal(r->claims[5000], 1);
    fake_forget(conn);
}

/* An administrator may drop a connection that nobody has accepted yet. */
static void abort_in_the_queue_takes_it_out(void **state)
{
    struct rig *r = *state;
    struct sock *l = listening(r, AF_INET, ANY4, 5000), *queued;
    struct tcp_conn *conn = handshake(r, l, PEER4, 1);

    queued = sock_find(r->table, conn->info.user == sock_id(l) ? 0 : conn->info.user);
    assert_non_null(queued);
    assert_true(sock_is_queued(queued));
    sock_abort(queued, ECONNABORTED, NOW);
    assert_int_equal(conn->aborted, 1);
    gone(r, conn);
    assert_int_equal(sock_queued(l), 0);
    assert_int_equal(r->claims[5000], 1);
}

static void closing_the_listener_resets_the_queue(void **state)
{
    struct rig *r = *state;
    struct sock *l = listening(r, AF_INET, ANY4, 5000), *s;
    struct tcp_conn *taken = handshake(r, l, PEER4, 1), *waits = handshake(r, l, PEER4, 2);
    struct sock_usage usage;

    assert_int_equal(sock_accept(l, &s), 0);
    sock_close(l, false, NOW);
    assert_int_equal(r->engine->listener_closes, 1);
    assert_int_equal(taken->aborted, 0);
    assert_int_equal(waits->aborted, 1);
    event(r, waits, TCP_EV_CLOSED, ECONNABORTED);
    assert_int_equal(r->claims[5000], 2);
    gone(r, waits);
    assert_int_equal(r->claims[5000], 1);
    sock_usage(r->table, &usage);
    assert_int_equal(usage.listeners, 0);
    assert_int_equal(usage.sockets, 1);
}

static void connection_that_cannot_be_queued_is_reset(void **state)
{
    struct rig *r = *state;
    struct sock *l = listening(r, AF_INET, ANY4, 5000);
    struct tcp_conn *conn;

    r->claim_error = -EMFILE;
    conn = handshake(r, l, PEER4, 1);
    assert_int_equal(conn->aborted, 1);
    assert_int_equal(sock_queued(l), 0);
    gone(r, conn);
    assert_int_equal(r->claims[5000], 1);
}

static void only_listeners_accept(void **state)
{
    struct rig *r = *state;
    struct sock *s;

    assert_int_equal(sock_accept(new_sock(r, AF_INET), &s), -EINVAL);
    assert_int_equal(sock_accept(connected(r, PEER4, 80), &s), -EINVAL);
}

/* ---- the way to a peer that calls ------------------------------------------------------ */

static void passive_open_gets_its_route(void **state)
{
    struct rig *r = *state;
    struct sock *l = listening(r, AF_INET, ANY4, 5000);
    struct flow flow = { A4, PEER4, 5000, 7, 0 };
    struct tcp_conn *conn = fake_passive(r->engine, sock_listener(l), &flow);

    conn->config.bound_ifindex = 2;
    event(r, conn, TCP_EV_PATH, 0);
    assert_int_equal(conn->paths, 1);
    assert_int_equal(conn->path.mtu, 1500);
    assert_int_equal(r->route_ifindex, 2);
}

static void passive_open_without_route_is_aborted(void **state)
{
    struct rig *r = *state;
    struct sock *l = listening(r, AF_INET, ANY4, 5000);
    struct flow flow = { A4, PEER4, 5000, 7, 0 };
    struct tcp_conn *conn = fake_passive(r->engine, sock_listener(l), &flow);

    r->route_error = -ENETUNREACH;
    event(r, conn, TCP_EV_PATH, 0);
    assert_int_equal(conn->aborted, 1);
    assert_int_equal(conn->paths, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(backlog_is_three_halves_plus_one_clamped),
        rig_test(listener_reaches_the_engine),
        rig_test(v6only_listener_takes_no_ipv4),
        rig_test(listen_again_changes_the_backlog),
        rig_test(unbound_socket_listens_on_an_anonymous_port),
        rig_test(listen_that_fails_leaves_the_socket_as_it_was),
        rig_test(connected_socket_cannot_listen),
        rig_test(accept_gives_the_oldest_first),
        rig_test(accepted_socket_is_a_socket_of_its_own),
        rig_test(accepted_socket_has_the_listeners_options),
        rig_test(nothing_is_lost_between_handshake_and_accept),
        rig_test(state_of_the_connection_is_replayed_at_accept),
        rig_test(bits_beside_accept_belong_to_the_new_connection),
        rig_test(connection_reset_in_the_queue_is_never_seen),
        rig_test(handshake_and_reset_in_one_event_leave_nothing),
        rig_test(abort_in_the_queue_takes_it_out),
        rig_test(closing_the_listener_resets_the_queue),
        rig_test(connection_that_cannot_be_queued_is_reset),
        rig_test(only_listeners_accept),
        rig_test(passive_open_gets_its_route),
        rig_test(passive_open_without_route_is_aborted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
