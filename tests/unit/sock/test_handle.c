/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of a handle: events, closing, quotas, what the commit is told. */
#include "rig.h"

#include "base/idmap.h"
#include "sock/sock_record.h"

static void only_internet_families(void **state)
{
    struct rig *r = *state;
    struct sock *s;

    assert_int_equal(sock_new(r->table, AF_UNIX, &USER, &s), -EAFNOSUPPORT);
    assert_int_equal(sock_new(r->table, AF_UNSPEC, &USER, &s), -EAFNOSUPPORT);
}

static void closed_id_finds_nothing_and_never_comes_back(void **state)
{
    struct rig *r = *state;
    struct sock *s = new_sock(r, AF_INET);
    uint64_t id = sock_id(s);

    assert_ptr_equal(sock_find(r->table, id), s);
    sock_close(s, false, NOW);
    assert_null(sock_find(r->table, id));
    for (unsigned i = 0; i < 100; i++)
        assert_int_not_equal(sock_id(new_sock(r, AF_INET)), id);
    assert_null(sock_find(r->table, 0));
}

static void walk_sees_every_socket_once(void **state)
{
    struct rig *r = *state;
    struct sock *made[50];
    unsigned seen = 0;

    for (unsigned i = 0; i < 50; i++)
        made[i] = new_sock(r, AF_INET);
    sock_close(made[0], false, NOW);
    sock_close(made[25], false, NOW);
    sock_close(made[49], false, NOW);
    for (struct sock *s = sock_first(r->table); s; s = sock_next(r->table, s))
        seen++;
    assert_int_equal(seen, 47);
}

/* ---- readiness ------------------------------------------------------------------------- */

static void every_event_has_its_readiness(void **state)
{
    static const struct { unsigned event; unsigned ready; } rows[] = {
        { TCP_EV_READABLE, SOCK_READY_READ }, { TCP_EV_WRITABLE, SOCK_READY_WRITE },
        { TCP_EV_FIN, SOCK_READY_EOF },       { TCP_EV_DRAINED, SOCK_READY_DRAINED },
        { TCP_EV_URGENT, SOCK_READY_URGENT },
    };
    struct rig *r = *state;
    struct sock *s = connected(r, PEER4, 80);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        event(r, sock_conn(s), rows[i].event, 0);
        assert_int_equal(ready_of(r, s), rows[i].ready);
        assert_int_equal(ready_of(r, s), 0); /* told once */
    }
}

static void readiness_gathers(void **state)
{
    struct rig *r = *state;
    struct sock *s = connected(r, PEER4, 80);

    event(r, sock_conn(s), TCP_EV_READABLE, 0);
    event(r, sock_conn(s), TCP_EV_WRITABLE, 0);
    event(r, sock_conn(s), TCP_EV_READABLE | TCP_EV_FIN, 0);
    assert_int_equal(ready_of(r, s), SOCK_READY_READ | SOCK_READY_WRITE | SOCK_READY_EOF);
}

static void reset_is_an_error_and_an_orderly_end_is_none(void **state)
{
    struct rig *r = *state;
    struct sock *bad = connected(r, PEER4, 80), *good = connected(r, PEER4, 81);

    event(r, sock_conn(bad), TCP_EV_READABLE | TCP_EV_CLOSED, ECONNRESET);
    assert_int_equal(ready_of(r, bad), SOCK_READY_READ | SOCK_READY_DEAD);
    assert_int_equal(sock_state(bad), SOCK_DEAD);
    assert_int_equal(sock_error(bad), ECONNRESET);

    event(r, sock_conn(good), TCP_EV_FIN, 0);
    event(r, sock_conn(good), TCP_EV_CLOSED, 0);
    assert_int_equal(ready_of(r, good), SOCK_READY_EOF);
    assert_int_equal(sock_state(good), SOCK_CONNECTED);
    assert_int_equal(sock_error(good), 0);
}

static void established_and_reset_in_one_event_tell_both(void **state)
{
    struct rig *r = *state;
    struct sock *s = connecting(r, PEER4, 80);

    event(r, sock_conn(s), TCP_EV_ESTABLISHED | TCP_EV_CLOSED, ECONNRESET);
    assert_int_equal(ready_of(r, s), SOCK_READY_CONNECTED | SOCK_READY_DEAD);
    assert_int_equal(sock_state(s), SOCK_DEAD);
}

/* RFC 9293 3.9.2.2: what may be gone for a moment only is no reason to end a connection. */
static void lost_route_is_waited_for(void **state)
{
    struct rig *r = *state;
    struct sock *s = connecting(r, PEER4, 80);

    r->route_error = -EHOSTUNREACH;
    event(r, sock_conn(s), TCP_EV_PATH, 0);
    assert_int_equal(sock_conn(s)->aborted, 0);
    assert_int_equal(sock_error(s), 0);
}

static void events_of_strangers_are_harmless(void **state)
{
    struct rig *r = *state;
    struct tcp_event e = { .conn_id = 12345, .user = 12345, .what = TCP_EV_READABLE | TCP_EV_GONE };

    sock_on_event(r->table, &e, NOW);
    forget_readiness(r);
}

/* ---- ending ----------------------------------------------------------------------------- */

static void close_is_a_fin_or_a_reset(void **state)
{
    static const struct {
        bool linger_on;
        int linger_sec;
        bool unread, reset;
    } rows[] = {
        { false, 0, false, false }, { false, 0, true, true }, { true, 0, false, true },
        { true, 5, false, false },  { true, 5, true, true },  { false, 5, false, false },
    };
    struct rig *r = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct linger linger = { rows[i].linger_on, rows[i].linger_sec };
        struct sock *s = connected(r, PEER4, 80);
        struct tcp_conn *conn = sock_conn(s);

        assert_int_equal(sock_setopt(s, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger), &USER, NOW),
                         0);
        sock_close(s, rows[i].unread, NOW);
        assert_int_equal(conn->aborted, rows[i].reset);
        assert_int_equal(conn->closed, !rows[i].reset);
    }
}

static void close_while_connecting_aborts(void **state)
{
    struct rig *r = *state;
    struct sock *s = connecting(r, PEER4, 80);
    struct tcp_conn *conn = sock_conn(s);

    sock_close(s, false, NOW);
    assert_int_equal(conn->aborted, 1);
    gone(r, conn);
}

static void close_of_a_dead_socket_lets_the_connection_go(void **state)
{
    struct rig *r = *state;
    struct sock *s = connected(r, PEER4, 80);
    struct tcp_conn *conn = sock_conn(s);
    uint16_t port = conn->info.flow.lport;

    event(r, conn, TCP_EV_CLOSED, ECONNRESET);
    sock_close(s, false, NOW);
    assert_int_equal(conn->closed, 1);
    gone(r, conn);
    assert_int_equal(r->claims[port], 0);
}

static void close_releases_a_bound_port(void **state)
{
    struct rig *r = *state;

    sock_close(bound(r, AF_INET, ANY4, 5000), false, NOW);
    assert_int_equal(r->claims[5000], 0);
    sock_close(listening(r, AF_INET, ANY4, 5000), false, NOW);
    assert_int_equal(r->claims[5000], 0);
}

static void nothing_is_told_of_a_closed_socket(void **state)
{
    struct rig *r = *state;
    struct sock *s = connected(r, PEER4, 80);
    struct tcp_conn *conn = sock_conn(s);
    unsigned what;

    event(r, conn, TCP_EV_READABLE, 0);
    sock_close(s, false, NOW);
    event(r, conn, TCP_EV_DRAINED, 0);
    assert_null(sock_next_ready(r->table, &what));
}

static void abort_keeps_the_handle_and_the_error(void **state)
{
    struct rig *r = *state;
    struct sock *s = connected(r, PEER4, 80);
    struct tcp_conn *conn = sock_conn(s);

    sock_abort(s, ECONNABORTED, NOW);
    assert_int_equal(conn->aborted, 1);
    assert_int_equal(ready_of(r, s), SOCK_READY_DEAD);
    event(r, conn, TCP_EV_CLOSED, 0);
    gone(r, conn);
    assert_null(sock_conn(s));
    assert_int_equal(sock_state(s), SOCK_DEAD);
    assert_int_equal(sock_error(s), ECONNABORTED);
}

static void abort_of_a_listener_closes_it(void **state)
{
    struct rig *r = *state;
    struct sock *l = listening(r, AF_INET, ANY4, 5000), *s;
    struct tcp_conn *conn = handshake(r, l, PEER4, 1);

    sock_abort(l, ECONNABORTED, NOW);
    assert_int_equal(conn->aborted, 1);
    assert_int_equal(r->engine->listener_closes, 1);
    assert_int_equal(sock_state(l), SOCK_DEAD);
    assert_int_equal(sock_accept(l, &s), -EINVAL);
    gone(r, conn);
    assert_int_equal(r->claims[5000], 0);
    sock_close(l, false, NOW);
}

static void shutdown_sends_one_fin(void **state)
{
    struct rig *r = *state;
    struct sock *s = connected(r, PEER4, 80);

    assert_int_equal(sock_shutdown(s, SHUT_RD, NOW), 0);
    assert_int_equal(sock_conn(s)->shut, 0);
    assert_int_equal(sock_shutdown(s, SHUT_WR, NOW), 0);
    assert_int_equal(sock_shutdown(s, SHUT_RDWR, NOW), 0);
    assert_int_equal(sock_conn(s)->shut, 1);
    assert_int_equal(sock_shutdown(s, 3, NOW), -EINVAL);
    assert_int_equal(sock_shutdown(new_sock(r, AF_INET), SHUT_WR, NOW), -ENOTCONN);
    assert_int_equal(sock_shutdown(listening(r, AF_INET, ANY4, 5000), SHUT_WR, NOW), -ENOTCONN);
    event(r, sock_conn(s), TCP_EV_CLOSED, ECONNRESET);
    assert_int_equal(sock_shutdown(s, SHUT_WR, NOW), -ENOTCONN);
}

/* ---- quotas ------------------------------------------------------------------------------- */

static void sockets_are_counted_per_uid(void **state)
{
    struct rig *r = *state;
    struct sock *first, *s;

    r->tun.uid_sockets = 3;
    first = new_sock_of(r, AF_INET, &USER);
    (void)new_sock_of(r, AF_INET, &USER);
    (void)new_sock_of(r, AF_INET, &USER);
    assert_int_equal(sock_new(r->table, AF_INET, &USER, &s), -EMFILE);
    (void)new_sock_of(r, AF_INET, &OTHER);
    (void)new_sock_of(r, AF_INET, &ROOT);
    sock_close(first, false, NOW);
    (void)new_sock_of(r, AF_INET, &USER);
    assert_int_equal(sock_new(r->table, AF_INET, &USER, &s), -EMFILE);
    r->tun.uid_sockets = 4; /* read live */
    (void)new_sock_of(r, AF_INET, &USER);
}

static void listeners_are_counted_per_uid(void **state)
{
    struct rig *r = *state;
    struct sock *l, *s;
    struct sock_usage usage;

    r->tun.uid_listeners = 1;
    l = listening(r, AF_INET, ANY4, 5000);
    s = bound(r, AF_INET, ANY4, 5001);
    assert_int_equal(sock_listen(s, 1, &USER), -EMFILE);
    assert_int_equal(sock_state(s), SOCK_BOUND);
    sock_usage(r->table, &usage);
    assert_int_equal(usage.listeners, 1);
    sock_close(l, false, NOW);
    assert_int_equal(sock_listen(s, 1, &USER), 0);
}

/* Over quota the connection waits in its queue, and accept is asked for when there is room. */
static void accept_over_quota_waits_for_room(void **state)
{
    struct rig *r = *state;
    struct sock *l = listening(r, AF_INET, ANY4, 5000), *other = new_sock(r, AF_INET), *s;

    r->tun.uid_sockets = 2;
    (void)handshake(r, l, PEER4, 1);
    assert_int_equal(ready_of(r, l), SOCK_READY_ACCEPT);
    assert_int_equal(sock_accept(l, &s), -EMFILE);
    assert_int_equal(sock_queued(l), 1);
    assert_int_equal(ready_of(r, l), 0);
    sock_close(other, false, NOW);
    assert_int_equal(ready_of(r, l), SOCK_READY_ACCEPT);
    assert_int_equal(sock_accept(l, &s), 0);
}

/* Peers cannot use up a user's sockets: what waits in a queue is not charged. */
static void queued_connections_are_not_charged(void **state)
{
    struct rig *r = *state;
    struct sock *l = listening(r, AF_INET, ANY4, 5000);
    struct sock_usage usage;

    for (uint16_t i = 1; i <= 5; i++)
        (void)handshake(r, l, PEER4, i);
    sock_usage(r->table, &usage);
    assert_int_equal(usage.sockets, 1);
    assert_int_equal(usage.connections, 5);
}

/* ---- commit -------------------------------------------------------------------------------- */

static void changed_sockets_are_dirty_once(void **state)
{
    struct rig *r = *state;
    struct sock *s = new_sock(r, AF_INET);

    assert_ptr_equal(sock_next_dirty(r->table), s);
    assert_null(sock_next_dirty(r->table));
    assert_int_equal(set_int(s, SOL_SOCKET, SO_REUSEADDR, 1), 0);
    assert_int_equal(bind_to(s, ANY4, 5000), 0);
    assert_ptr_equal(sock_next_dirty(r->table), s);
    assert_null(sock_next_dirty(r->table));
    assert_int_equal(sock_error(s), 0); /* looking changes nothing */
    assert_null(sock_next_dirty(r->table));
}

static void closed_sockets_are_told_once_and_not_dirty(void **state)
{
    struct rig *r = *state;
    struct sock *s = connected(r, PEER4, 80);
    uint64_t id = sock_id(s);

    sock_close(s, false, NOW);
    assert_null(sock_next_dirty(r->table));
    assert_int_equal(sock_next_closed(r->table), id);
    assert_int_equal(sock_next_closed(r->table), 0);
}

static void record_has_what_a_later_life_needs(void **state)
{
    struct rig *r = *state;
    struct sock *l = listening(r, AF_INET, ANY4, 5000), *s;
    struct tcp_conn *conn = handshake(r, l, PEER4, 7);
    struct sock_record rec;

    sock_save(sock_find(r->table, conn->info.user), &rec);
    assert_int_equal(rec.listener_id, sock_id(l));
    assert_int_equal(rec.queue_seq, 1);
    assert_int_equal(rec.conn_id, conn->info.id);
    assert_int_equal(sock_accept(l, &s), 0);
    sock_save(s, &rec);
    assert_int_equal(rec.id, sock_id(s));
    assert_int_equal(rec.listener_id, 0);
    assert_int_equal(rec.state, SOCK_CONNECTED);
    assert_int_equal(rec.remote.port, 7);
    assert_int_equal(rec.owner.uid, USER.uid);
    sock_save(l, &rec);
    assert_int_equal(rec.state, SOCK_LISTENING);
    assert_int_equal(rec.backlog_arg, 10);
    assert_int_equal(rec.local.port, 5000);
}

/* ---- the map of ids -------------------------------------------------------------------------- */

static void idmap_keeps_what_was_put_and_loses_what_was_taken(void **state)
{
    enum { N = 3000 };
    static int values[N];
    struct idmap m = { 0 };

    assert_null(idmap_get(&m, 1));
    assert_null(idmap_take(&m, 1));
    for (uint64_t i = 0; i < N; i++) {
        assert_int_equal(idmap_reserve(&m), 0);
        idmap_put(&m, (i + 1) * (i % 2 ? 1 : 0x10000001ull), &values[i]);
    }
    for (uint64_t i = 0; i < N; i += 3)
        assert_ptr_equal(idmap_take(&m, (i + 1) * (i % 2 ? 1 : 0x10000001ull)), &values[i]);
    for (uint64_t i = 0; i < N; i++)
        assert_ptr_equal(idmap_get(&m, (i + 1) * (i % 2 ? 1 : 0x10000001ull)),
                         i % 3 ? &values[i] : NULL);
    assert_int_equal(m.used, N - N / 3);
    idmap_deinit(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(only_internet_families),
        rig_test(closed_id_finds_nothing_and_never_comes_back),
        rig_test(walk_sees_every_socket_once),
        rig_test(every_event_has_its_readiness),
        rig_test(readiness_gathers),
        rig_test(reset_is_an_error_and_an_orderly_end_is_none),
        rig_test(established_and_reset_in_one_event_tell_both),
        rig_test(lost_route_is_waited_for),
        rig_test(events_of_strangers_are_harmless),
        rig_test(close_is_a_fin_or_a_reset),
        rig_test(close_while_connecting_aborts),
        rig_test(close_of_a_dead_socket_lets_the_connection_go),
        rig_test(close_releases_a_bound_port),
        rig_test(nothing_is_told_of_a_closed_socket),
        rig_test(abort_keeps_the_handle_and_the_error),
        rig_test(abort_of_a_listener_closes_it),
        rig_test(shutdown_sends_one_fin),
        rig_test(sockets_are_counted_per_uid),
        rig_test(listeners_are_counted_per_uid),
        rig_test(accept_over_quota_waits_for_room),
        rig_test(queued_connections_are_not_charged),
        rig_test(changed_sockets_are_dirty_once),
        rig_test(closed_sockets_are_told_once_and_not_dirty),
        rig_test(record_has_what_a_later_life_needs),
        cmocka_unit_test(idmap_keeps_what_was_put_and_loses_what_was_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
