/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rooms are fakes that write one letter each time they are called:
 *
 *   n packets in   t route news   r requests   b bytes in     A timers
 *   e an event     C commit     p packet out   F packets flushed
 *   S bytes out    R replies      d device     u packet unsent
 *
 * so a wake-up is a word, and what the order has to be can be read off.
 */
#include "cm.h"

#include <errno.h>
#include <string.h>

#include "loop/pump.h"

struct world {
    char log[4096];
    unsigned events, events_after_commit; /* that wait, and that the commit makes */
    unsigned packets, packets_per_commit; /* that wait, and that each commit makes */
    unsigned committed_packets;
    int send_error; /* of the next netio_send() */
    unsigned claim_pool;
    bool congested, more_input;
    bool moves_fill; /* the next stream_flush() fills the move log */
    bool move_full;
    unsigned ready, ready_what;
    unsigned awake;
    usec_t engine_deadline, rpc_deadline, wake_at;
};

static struct world w;

static void note(char c)
{
    const size_t len = strlen(w.log);

    assert_true(len + 1 < sizeof(w.log));
    w.log[len] = c;
}

/* ---- the rooms --------------------------------------------------------------------- */

unsigned netio_input(struct netio *n, unsigned sources, unsigned budget, usec_t now)
{
    note('n');
    assert_int_equal(budget, 64);
    assert_int_equal(sources, NETIO_ALL);
    return w.more_input ? sources : 0;
}

void netio_set_ports(struct netio *n, uint16_t anon_low, uint16_t anon_high, unsigned claim_pool)
{
    w.claim_pool = claim_pool;
}

void netio_set_raw_only(struct netio *n, bool raw_only)
{
}

void netio_route_input(struct netio *n, usec_t now)
{
    note('t');
}

bool rpc_input(struct rpc *r, unsigned budget, usec_t now)
{
    note('r');
    return false;
}

bool stream_input(struct stream *st, usec_t now)
{
    note('b');
    return false;
}

void tcp_engine_advance(struct tcp_engine *e, usec_t now)
{
    note('A');
}

void tcp_engine_resume(struct tcp_engine *e)
{
    note('d');
}

bool tcp_engine_next_event(struct tcp_engine *e, struct tcp_event *ret)
{
    if (!w.events)
        return false;
    w.events--;
    note('e');
    *ret = (struct tcp_event){ .conn_id = 7, .what = TCP_EV_READABLE };
    return true;
}

void sock_on_event(struct sock_table *t, const struct tcp_event *event, usec_t now)
{
}

struct sock *sock_next_ready(struct sock_table *t, unsigned *ret_what)
{
    if (!w.ready)
        return NULL;
    w.ready--;
    *ret_what = w.ready_what;
    return (struct sock *)&w;
}

void stream_ready(struct stream *st, struct sock *s, unsigned what, usec_t now)
{
}

void state_commit(struct state *s, struct tcp_engine *e, struct sock_table *t)
{
    note('C');
    w.events += w.events_after_commit;
    w.events_after_commit = 0;
    w.packets += w.packets_per_commit;
    w.committed_packets = w.packets;
    w.move_full = false;
}

bool state_move_full(const struct state *s)
{
    return w.move_full;
}

bool tcp_engine_next_packet(struct tcp_engine *e, usec_t now, struct packet *ret)
{
    if (!w.packets)
        return false;
    assert_int_not_equal(w.committed_packets, 0); /* nothing leaves before its commit */
    w.packets--;
    w.committed_packets--;
    return true;
}

bool tcp_engine_has_packets(const struct tcp_engine *e, usec_t now)
{
    return w.packets;
}

int netio_send(struct netio *n, const struct packet *pkt)
{
    const int r = w.send_error;

    w.send_error = 0;
    if (!r)
        note('p');
    return r;
}

bool netio_flush(struct netio *n, void (*unsent)(void *ctx, const struct packet *pkt, int error),
                 void *ctx)
{
    struct packet pkt = { 0 };

    note('F');
    if (w.congested)
        unsent(ctx, &pkt, -EAGAIN);
    return false;
}

void tcp_engine_unsent(struct tcp_engine *e, const struct packet *pkt, int error, usec_t now)
{
    note('u');
    assert_int_equal(error, -EAGAIN);
}

bool stream_flush(struct stream *st, usec_t now)
{
    note('S');
    w.move_full = w.moves_fill;
    w.moves_fill = false;
    return false;
}

void rpc_flush(struct rpc *r)
{
    note('R');
}

void rpc_advance(struct rpc *r, usec_t now)
{
}

usec_t rpc_deadline(const struct rpc *r)
{
    return w.rpc_deadline;
}

usec_t tcp_engine_deadline(const struct tcp_engine *e)
{
    return w.engine_deadline;
}

void state_heartbeat(struct state *s, usec_t now)
{
}

void tcp_engine_receive(struct tcp_engine *e, const struct packet *pkt, usec_t now)
{
}

void tcp_engine_icmp(struct tcp_engine *e, const struct icmp_error *err, usec_t now)
{
}

/* Three connections: the second one has no route. */
static int routes_asked, paths_set;

struct tcp_conn *tcp_engine_first(struct tcp_engine *e)
{
    return (struct tcp_conn *)1;
}

struct tcp_conn *tcp_engine_next(struct tcp_engine *e, struct tcp_conn *conn)
{
    const uintptr_t n = (uintptr_t)conn;

    return n < 3 ? (struct tcp_conn *)(n + 1) : NULL;
}

const struct flow *tcp_conn_flow(const struct tcp_conn *conn)
{
    return NULL;
}

const struct tcp_config *tcp_conn_config(const struct tcp_conn *conn)
{
    static const struct tcp_config config = { .bound_ifindex = 4 };

    return &config;
}

int netio_route(struct netio *n, const struct flow *flow, uint32_t bound_ifindex, struct path *ret)
{
    assert_int_equal(bound_ifindex, 4);
    return ++routes_asked == 2 ? -ENETUNREACH : 0;
}

void tcp_conn_set_path(struct tcp_conn *conn, const struct path *path, usec_t now)
{
    assert_int_not_equal((uintptr_t)conn, 2);
    paths_set++;
}

int loop_watch(struct loop *l, int fd, enum loop_for what, unsigned bit)
{
    return 0;
}

void loop_wake_now(struct loop *l, unsigned bits)
{
    w.awake |= bits | 1u << 31;
}

void loop_wake_at(struct loop *l, usec_t now, usec_t deadline)
{
    w.wake_at = deadline;
}

/* ---- the tests --------------------------------------------------------------------- */

#define NOW (1000 * USEC_PER_SEC)

static struct daemon d;

static int setup(void **state)
{
    memset(&w, 0, sizeof(w));
    w.engine_deadline = w.rpc_deadline = USEC_NEVER;
    d = (struct daemon){ .net_fds = { .raw4_out = -1, .raw6_out = -1, .packet_out = -1 } };
    return 0;
}

static void a_quiet_wake_up_takes_no_input_and_commits_once(void **state)
{
    pump(&d, 0, NOW);
    assert_string_equal(w.log, "ACSR");
    assert_int_equal(w.awake, 0);
}

static void all_input_comes_before_one_commit_and_all_output_after_it(void **state)
{
    w.events = 3;
    w.packets_per_commit = 0;
    w.packets = 2;
    pump(&d, DUE_NETIO | DUE_ROUTE | DUE_RPC | DUE_STREAM | DUE_DEVICE, NOW);
    assert_string_equal(w.log, "tdnrbAeeeCppFSR");
}

static void only_what_is_due_is_read(void **state)
{
    pump(&d, DUE_STREAM, NOW);
    assert_string_equal(w.log, "bACSR");
}

static void news_made_by_a_commit_gets_a_commit_of_its_own(void **state)
{
    w.events_after_commit = 1;
    pump(&d, 0, NOW);
    assert_string_equal(w.log, "ACSReCSR");
    assert_int_equal(w.awake, 0);
}

static void rounds_are_bounded_and_the_rest_comes_at_once(void **state)
{
    w.packets_per_commit = 300; /* more than may leave in a round */
    pump(&d, 0, NOW);
    assert_int_not_equal(w.awake, 0);
    assert_int_equal(w.packets, 4 * (300 - 256));
}

static void a_full_move_log_gets_its_commit_in_the_same_wake_up(void **state)
{
    w.moves_fill = true;
    pump(&d, 0, NOW);
    assert_string_equal(w.log, "ACSRCSR");
}

static void input_that_remains_keeps_the_loop_awake(void **state)
{
    w.more_input = true;
    pump(&d, DUE_NETIO, NOW);
    assert_int_equal(w.awake & ~(1u << 31), DUE_NETIO);
}

static void a_changed_tunable_reaches_the_network_edge(void **state)
{
    d.tun.claim_pool = 17;
    pump(&d, 0, NOW);
    assert_int_equal(w.claim_pool, 0);
    pump(&d, DUE_RPC, NOW); /* only a request can have changed it */
    assert_int_equal(w.claim_pool, 17);
}

static void a_full_queue_is_flushed_and_the_packet_offered_again(void **state)
{
    w.packets = 1;
    w.send_error = -EAGAIN;
    pump(&d, 0, NOW);
    assert_string_equal(w.log, "ACFpFSR");
}

static void packets_leave_in_batches(void **state)
{
    w.packets = 33;
    pump(&d, 0, NOW);
    assert_string_equal(w.log, "AC"
                               "pppppppppppppppppppppppppppppppp"
                               "F"
                               "pF"
                               "SR");
}

static void what_the_device_refused_goes_back_to_the_engine(void **state)
{
    w.packets = 1;
    w.congested = true;
    pump(&d, 0, NOW);
    assert_string_equal(w.log, "ACpFuSR");
}

static void room_in_a_send_ring_makes_the_descriptors_be_read_again(void **state)
{
    w.ready = 1;
    w.ready_what = SOCK_READY_WRITE;
    pump(&d, 0, NOW);
    assert_true(w.awake & DUE_STREAM);
    w.awake = 0;
    w.ready = 1;
    w.ready_what = SOCK_READY_READ;
    pump(&d, 0, NOW);
    assert_int_equal(w.awake, 0);
}

static void at_the_end_programs_are_not_listened_to_any_more(void **state)
{
    d.ending = true;
    w.packets = 1;
    w.ready = 1;
    w.ready_what = SOCK_READY_WRITE;
    pump(&d, DUE_NETIO | DUE_RPC | DUE_STREAM, NOW);
    assert_string_equal(w.log, "nACpF");
    assert_int_equal(w.awake, 0);
    assert_int_equal(w.wake_at, NOW + 50 * USEC_PER_MSEC);
}

static void the_nearest_deadline_wakes_and_a_heartbeat_within_five_seconds(void **state)
{
    w.engine_deadline = NOW + 3;
    w.rpc_deadline = NOW + 2;
    pump(&d, 0, NOW);
    assert_int_equal(w.wake_at, NOW + 2);
    w.rpc_deadline = USEC_NEVER;
    pump(&d, 0, NOW);
    assert_int_equal(w.wake_at, NOW + 3);
    w.engine_deadline = USEC_NEVER;
    pump(&d, 0, NOW + 1);
    assert_int_equal(w.wake_at, NOW + 5 * USEC_PER_SEC);
}

static void a_change_of_routes_is_told_to_each_connection_that_has_one(void **state)
{
    pump_routes_changed(&d, NOW);
    assert_int_equal(routes_asked, 3);
    assert_int_equal(paths_set, 2);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_quiet_wake_up_takes_no_input_and_commits_once),
        TEST(all_input_comes_before_one_commit_and_all_output_after_it),
        TEST(only_what_is_due_is_read),
        TEST(news_made_by_a_commit_gets_a_commit_of_its_own),
        TEST(rounds_are_bounded_and_the_rest_comes_at_once),
        TEST(a_full_move_log_gets_its_commit_in_the_same_wake_up),
        TEST(input_that_remains_keeps_the_loop_awake),
        TEST(a_changed_tunable_reaches_the_network_edge),
        TEST(a_full_queue_is_flushed_and_the_packet_offered_again),
        TEST(packets_leave_in_batches),
        TEST(what_the_device_refused_goes_back_to_the_engine),
        TEST(room_in_a_send_ring_makes_the_descriptors_be_read_again),
        TEST(at_the_end_programs_are_not_listened_to_any_more),
        TEST(the_nearest_deadline_wakes_and_a_heartbeat_within_five_seconds),
        TEST(a_change_of_routes_is_told_to_each_connection_that_has_one),
    };

    return cmocka_run_group_tests_name("loop/pump", tests, NULL, NULL);
}
