/* SPDX-License-Identifier: BSD-2-Clause */
/* Who keeps whom off a port: the decision table, walked whole, through the real calls. */
#include "rig.h"

#define PORT 5000

/* How the two addresses relate. */
enum { W_W, W_A, A_W, A_A, A_C, RELATIONS };

/* What is set. Columns: nothing, B REUSEADDR, one EXCLBIND, EXCLBIND and B REUSEADDR,
 * both REUSEPORT of one uid. x: busy. */
static const char *const expected[3][RELATIONS] = {
    /* E is bound or listening */
    { [W_W] = "xxxx.", [W_A] = "x.xx.", [A_W] = "x.xx.", [A_A] = "xxxx.", [A_C] = "....." },
    /* E is connecting or ESTABLISHED */
    { [W_W] = "x.xx.", [W_A] = "x.xx.", [A_W] = "x.xx.", [A_A] = "x.xx.", [A_C] = "....." },
    /* E is past ESTABLISHED, TIME-WAIT of a closed socket too: EXCLBIND matters no more */
    { [W_W] = "x.x..", [W_A] = "x.x..", [A_W] = "x.x..", [A_A] = "x.x..", [A_C] = "....." },
};

struct end {
    const char *name;
    int family;
    const struct ip_addr *addr;
    bool v6only;
};

static const struct end ends[] = {
    { "0.0.0.0", AF_INET, &ANY4, false },       { "A4", AF_INET, &A4, false },
    { "B4", AF_INET, &B4, false },              { "::", AF_INET6, &ANY6, false },
    { "A6", AF_INET6, &A6, false },             { "B6", AF_INET6, &B6, false },
    { ":: only", AF_INET6, &ANY6, true },       { "A6 only", AF_INET6, &A6, true },
    { "::ffff:0.0.0.0", AF_INET6, &ANY4, false }, { "::ffff:A4", AF_INET6, &A4, false },
};

static const struct {
    const char *name;
    int stage; /* row of expected[] */
    enum tcp_state state; /* of a connection */
} holders[] = {
    { "bound", 0, TCP_CLOSED },        { "listening", 0, TCP_LISTEN },
    { "SYN-SENT", 1, TCP_SYN_SENT },   { "ESTABLISHED", 1, TCP_ESTABLISHED },
    { "CLOSE-WAIT", 2, TCP_CLOSE_WAIT }, { "FIN-WAIT-2", 2, TCP_FIN_WAIT_2 },
    { "TIME-WAIT", 2, TCP_TIME_WAIT }, /* its socket is closed */
};

static bool is_v4(const struct ip_addr *a)
{
    return ip_addr_is_v4(a);
}

static int relation(const struct ip_addr *e, const struct ip_addr *b)
{
    bool e_any = ip_addr_is_any(e), b_any = ip_addr_is_any(b);

    if (e_any || b_any)
        return e_any && b_any ? W_W : e_any ? W_A : A_W;
    return ip_addr_eq(e, b) ? A_A : A_C;
}

static struct sock *make_end(struct rig *r, const struct end *end, bool excl, bool reuseport)
{
    struct sock *s = new_sock(r, end->family);

    if (end->v6only)
        assert_int_equal(set_int(s, IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
    if (excl)
        assert_int_equal(set_int(s, SOL_SOCKET, SO_EXCLBIND, 1), 0);
    if (reuseport)
        assert_int_equal(set_int(s, SOL_SOCKET, SO_REUSEPORT, 1), 0);
    return s;
}

/* Bring @s to holders[h]; returns its connection, and the address it holds by then. */
static struct tcp_conn *bring(struct rig *r, struct sock **s, const struct end *end, size_t h,
                              struct ip_addr *ret_addr)
{
    struct tcp_conn *conn;
    struct sock_addr name;

    *ret_addr = *end->addr;
    assert_int_equal(bind_to(*s, *end->addr, PORT), 0);
    if (holders[h].state == TCP_LISTEN)
        assert_int_equal(sock_listen(*s, 1, &USER), 0);
    if (holders[h].state <= TCP_LISTEN)
        return NULL;
    assert_int_equal(connect_to(*s, end->v6only || !is_v4(end->addr) ? PEER6 : PEER4, 80),
                     -EINPROGRESS);
    conn = sock_conn(*s);
    conn->info.state = holders[h].state;
    sock_name(*s, &name);
    *ret_addr = name.addr;
    if (holders[h].state == TCP_TIME_WAIT) {
        sock_close(*s, false, NOW);
        conn->info.state = TCP_TIME_WAIT;
        *s = NULL;
    }
    return conn;
}

static void one_case(struct rig *r, size_t h, const struct end *e, const struct end *b,
                     unsigned how, bool excl_of_binder)
{
    bool excl = how == 2 || how == 3, reuse = how == 1 || how == 3, rp = how == 4;
    struct sock *holder = make_end(r, e, excl && !excl_of_binder, rp);
    struct sock *binder = make_end(r, b, excl && excl_of_binder, rp);
    struct ip_addr held;
    struct tcp_conn *conn = bring(r, &holder, e, h, &held);
    bool never = (e->v6only && is_v4(b->addr)) || (b->v6only && is_v4(&held));
    char want = never ? '.' : expected[holders[h].stage][relation(&held, b->addr)][how];
    int got;

    if (reuse)
        assert_int_equal(set_int(binder, SOL_SOCKET, SO_REUSEADDR, 1), 0);
    got = bind_to(binder, *b->addr, PORT);
    if (got != (want == 'x' ? -EADDRINUSE : 0))
        fail_msg("E %s %s, B %s, column %u%s: %d", e->name, holders[h].name, b->name, how,
                 excl_of_binder ? " (B)" : "", got);
    sock_close(binder, false, NOW);
    if (holder)
        sock_close(holder, false, NOW);
    if (conn)
        gone(r, conn);
    assert_int_equal(r->claims[PORT], 0);
    while (sock_next_closed(r->table))
        ;
    forget_readiness(r);
}

static void decision_table_holds_for_every_pair(void **state)
{
    struct rig *r = *state;

    for (size_t h = 0; h < ARRAY_LEN(holders); h++)
        for (size_t e = 0; e < ARRAY_LEN(ends); e++)
            for (size_t b = 0; b < ARRAY_LEN(ends); b++)
                for (unsigned how = 0; how < 5; how++)
                    for (int whose = 0; whose < (how == 2 || how == 3 ? 2 : 1); whose++)
                        one_case(r, h, &ends[e], &ends[b], how, whose);
}

/* Only the binder's flag counts: a holder that allows reuse allows nothing. */
static void reuseaddr_of_the_holder_counts_for_nothing(void **state)
{
    struct rig *r = *state;
    struct sock *holder = new_sock(r, AF_INET);

    assert_int_equal(set_int(holder, SOL_SOCKET, SO_REUSEADDR, 1), 0);
    assert_int_equal(bind_to(holder, ANY4, PORT), 0);
    assert_int_equal(bind_to(new_sock(r, AF_INET), A4, PORT), -EADDRINUSE);
}

static void reuseport_is_for_sockets_of_one_uid(void **state)
{
    struct rig *r = *state;
    struct sock *mine = new_sock_of(r, AF_INET, &USER);
    struct sock *theirs = new_sock_of(r, AF_INET, &OTHER);

    assert_int_equal(set_int(mine, SOL_SOCKET, SO_REUSEPORT, 1), 0);
    assert_int_equal(set_int(theirs, SOL_SOCKET, SO_REUSEPORT, 1), 0);
    assert_int_equal(bind_to(mine, ANY4, PORT), 0);
    assert_int_equal(bind_to(theirs, ANY4, PORT), -EADDRINUSE);
}

static void reuseport_group_listens_on_one_port(void **state)
{
    struct rig *r = *state;

    for (unsigned i = 0; i < 4; i++) {
        struct sock *s = new_sock(r, AF_INET);

        assert_int_equal(set_int(s, SOL_SOCKET, SO_REUSEPORT, 1), 0);
        assert_int_equal(bind_to(s, ANY4, PORT), 0);
        assert_int_equal(sock_listen(s, 1, &USER), 0);
    }
    assert_int_equal(r->engine->listens, 4);
    assert_int_equal(r->claims[PORT], 4);
}

/* What a listener of a group has accepted belongs to the group. */
static void reuseport_server_restarts_while_its_connections_remain(void **state)
{
    struct rig *r = *state;
    struct sock *l = new_sock(r, AF_INET), *again = new_sock(r, AF_INET), *s;

    assert_int_equal(set_int(l, SOL_SOCKET, SO_REUSEPORT, 1), 0);
    assert_int_equal(bind_to(l, ANY4, PORT), 0);
    assert_int_equal(sock_listen(l, 1, &USER), 0);
    (void)handshake(r, l, PEER4, 7);
    assert_int_equal(sock_accept(l, &s), 0);
    sock_close(l, false, NOW);
    assert_int_equal(set_int(again, SOL_SOCKET, SO_REUSEPORT, 1), 0);
    assert_int_equal(bind_to(again, ANY4, PORT), 0);
}

/* EXCLBIND that is set after bind() counts from then on. */
static void exclbind_may_be_set_later(void **state)
{
    struct rig *r = *state;
    struct sock *holder = bound(r, AF_INET, ANY4, PORT), *s = new_sock(r, AF_INET);

    assert_int_equal(set_int(s, SOL_SOCKET, SO_REUSEADDR, 1), 0);
    assert_int_equal(set_int(holder, SOL_SOCKET, SO_EXCLBIND, 1), 0);
    assert_int_equal(bind_to(s, A4, PORT), -EADDRINUSE);
    assert_int_equal(set_int(holder, SOL_SOCKET, SO_EXCLBIND, 0), 0);
    assert_int_equal(bind_to(s, A4, PORT), 0);
}

/* A connection that a listener has accepted holds the listener's port. */
static void accepted_connection_holds_its_port_without_the_listener(void **state)
{
    struct rig *r = *state;
    struct sock *l = listening(r, AF_INET, ANY4, PORT), *s, *again = new_sock(r, AF_INET);
    struct tcp_conn *conn = handshake(r, l, PEER4, 7);

    assert_int_equal(sock_accept(l, &s), 0);
    sock_close(l, false, NOW);
    assert_int_equal(r->claims[PORT], 1);
    assert_int_equal(bind_to(again, ANY4, PORT), -EADDRINUSE);
    assert_int_equal(set_int(again, SOL_SOCKET, SO_REUSEADDR, 1), 0);
    assert_int_equal(bind_to(again, ANY4, PORT), 0);
    sock_close(s, false, NOW);
    conn->info.state = TCP_TIME_WAIT;
    assert_int_equal(r->claims[PORT], 2);
    gone(r, conn);
    assert_int_equal(r->claims[PORT], 1);
}

static void linklocal_addresses_are_equal_on_one_device_only(void **state)
{
    struct rig *r = *state;
    struct sock_addr on2 = { LINK6, PORT, 2 }, on3 = { LINK6, PORT, 3 };

    assert_int_equal(sock_bind(new_sock(r, AF_INET6), &on2, &USER), 0);
    assert_int_equal(sock_bind(new_sock(r, AF_INET6), &on3, &USER), 0);
    assert_int_equal(sock_bind(new_sock(r, AF_INET6), &on2, &USER), -EADDRINUSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(decision_table_holds_for_every_pair),
        rig_test(reuseaddr_of_the_holder_counts_for_nothing),
        rig_test(reuseport_is_for_sockets_of_one_uid),
        rig_test(reuseport_group_listens_on_one_port),
        rig_test(reuseport_server_restarts_while_its_connections_remain),
        rig_test(exclbind_may_be_set_later),
        rig_test(accepted_connection_holds_its_port_without_the_listener),
        rig_test(linklocal_addresses_are_equal_on_one_device_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
