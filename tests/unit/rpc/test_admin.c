/* SPDX-License-Identifier: BSD-2-Clause */
/* What tcpctl asks for, and who may. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake.h"
#include "proto/errors.h"

#define OP(op) TCPD__V1__TUNABLE_REQUEST__OP__##op

/* The request of a user without any privilege, over a session of its own. */
static Tcpd__V1__Reply *ask_as_nobody(struct world *w, Tcpd__V1__Request *req)
{
    int c = client(w);
    Tcpd__V1__Reply *reply;
    pid_t pid = fork();

    if (pid == 0)
        _exit((getuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0)) ||
              client_request(c, req, -1) < 0);
    waitpid(pid, NULL, 0);
    turn(w);
    reply = client_recv(c, NULL);
    assert_non_null(reply);
    close(c);
    return reply;
}

static Tcpd__V1__Reply *tunable(struct world *w, bool admin, Tcpd__V1__TunableRequest__Op op,
                                const char *name, const char *value, bool ndd)
{
    REQ(req, tunable, TUNABLE, TunableRequest, TUNABLE_REQUEST);
    Tcpd__V1__Reply *reply;
    int c;

    tunable_.op = op;
    tunable_.name = (char *)(uintptr_t)name;
    tunable_.value = (char *)(uintptr_t)value;
    tunable_.ndd = ndd;
    tunable_.temporary = true;
    if (!admin)
        return ask_as_nobody(w, &req);
    c = client(w);
    reply = ask(w, c, &req, -1, NULL);
    close(c);
    return reply;
}

static void anybody_may_read_a_property(void **state)
{
    Tcpd__V1__Reply *reply = tunable(*state, false, OP(GET), "tcp_rexmit_interval_min", "", true);

    assert_int_equal(reply->status, ERROR_OK);
    assert_int_equal(reply->tunable->n_tunables, 1);
    assert_string_equal(reply->tunable->tunables[0]->ndd_name, "tcp_rexmit_interval_min");
    assert_string_equal(reply->tunable->tunables[0]->number, "400");
    assert_string_equal(reply->tunable->tunables[0]->perm, "rw");
    reply_free(reply);
}

static void only_administrators_change_one_and_the_others_are_told_who_may(void **state)
{
    struct world *w = *state;
    uint32_t before = w->tun.time_wait_interval;
    Tcpd__V1__Reply *reply;

    reply = tunable(w, false, OP(SET), "tcp_time_wait_interval", "2000", true);
    assert_int_equal(reply->status, ERROR_NOT_PERMITTED);
    assert_non_null(strstr(reply->message, "tcpd-admin"));
    reply_free(reply);
    assert_int_equal(w->tun.time_wait_interval, before);
    if (getuid() != 0)
        return;
    reply = tunable(w, true, OP(SET), "tcp_time_wait_interval", "2000", true);
    assert_int_equal(reply->status, ERROR_OK);
    reply_free(reply);
    assert_int_equal(w->tun.time_wait_interval, 2000);
    reply = tunable(w, true, OP(RESET), "_time_wait_interval", "", false);
    assert_int_equal(reply->status, ERROR_OK);
    reply_free(reply);
    assert_int_equal(w->tun.time_wait_interval, before);
}

static void a_value_out_of_range_changes_nothing(void **state)
{
    struct world *w = *state;
    uint32_t before = w->tun.time_wait_interval;
    Tcpd__V1__Reply *reply;

    if (getuid() != 0)
        return;
    reply = tunable(w, true, OP(SET), "tcp_time_wait_interval", "1", true);
    assert_int_equal(reply->status, ERROR_RANGE);
    assert_non_null(strstr(reply->message, "tcp_time_wait_interval"));
    reply_free(reply);
    assert_int_equal(w->tun.time_wait_interval, before);
}

static const struct tunable_info *first_pending(void)
{
    const struct tunable_info *info;

    for (size_t i = 0; (info = tunable_info_at(i)); i++)
        if (info->obeyed == TUNABLE_PENDING)
            return info;
    return NULL;
}

static void a_property_that_is_not_obeyed_yet_is_refused_by_name(void **state)
{
    const struct tunable_info *info = first_pending();
    Tcpd__V1__Reply *reply;

    if (!info)
        return; /* all are obeyed */
    reply = tunable(*state, true, OP(GET), info->name, "", false);
    assert_int_equal(reply->status, ERROR_NO_ENTRY);
    assert_non_null(strstr(reply->message, "does not obey it yet"));
    reply_free(reply);
    reply = tunable(*state, true, OP(GET), "no_such_thing", "", false);
    assert_int_equal(reply->status, ERROR_NO_ENTRY);
    assert_non_null(strstr(reply->message, "no such property"));
    reply_free(reply);
}

static void what_cannot_be_kept_is_not_half_done(void **state)
{
    struct world *w = *state;
    int c = client(w);
    Tcpd__V1__Reply *reply;
    char name[] = "_time_wait_interval", value[] = "2000";
    REQ(req, tunable, TUNABLE, TunableRequest, TUNABLE_REQUEST);

    tunable_.op = OP(SET);
    tunable_.name = name;
    tunable_.value = value;
    if (getuid() == 0) {
        reply = ask(w, c, &req, -1, NULL);
        assert_int_equal(reply->status, ERROR_NOT_SUPPORTED);
        assert_true(w->tun.time_wait_interval != 2000);
        reply_free(reply);
    }
    close(c);
}

static void the_list_of_properties_comes_in_parts_and_is_complete(void **state)
{
    struct world *w = *state;
    int c = client(w);
    size_t n = 0, want = 0;
    bool more = true;
    REQ(req, tunable, TUNABLE, TunableRequest, TUNABLE_REQUEST);

    for (size_t i = 0; tunable_info_at(i); i++)
        want += tunable_info_at(i)->obeyed != TUNABLE_PENDING;
    tunable_.op = OP(LIST);
    client_request(c, &req, -1);
    turn(w);
    while (more) {
        Tcpd__V1__Reply *reply = client_recv(c, NULL);

        assert_non_null(reply);
        assert_int_equal(reply->id, 7);
        n += reply->tunable->n_tunables;
        more = reply->more;
        reply_free(reply);
    }
    assert_null(client_recv(c, NULL));
    assert_int_equal(n, want);
    close(c);
}

static void status_tells_what_the_rooms_know(void **state)
{
    struct world *w = *state;
    int c = client(w);
    REQ(req, status, STATUS, StatusRequest, STATUS_REQUEST);
    Tcpd__V1__Reply *reply;

    w->state.global.workers = 2;
    reply = ask(w, c, &req, -1, NULL);
    assert_int_equal(reply->status_info->supervisor_pid, 77);
    assert_int_equal(reply->status_info->worker_pid, getpid());
    assert_int_equal(reply->status_info->worker_starts, 2);
    assert_int_equal(reply->status_info->uptime_usec, 10 * USEC_PER_SEC);
    assert_int_equal(reply->status_info->port_claims, 3);
    assert_int_equal(reply->status_info->sessions, 1);
    assert_int_equal(reply->status_info->generation, 9);
    assert_int_equal(reply->status_info->n_netio, 1);
    assert_string_equal(reply->status_info->netio[0]->name, "packets_in");
    reply_free(reply);
    close(c);
}

static void stats_have_every_counter_and_every_reason_for_a_drop(void **state)
{
    struct world *w = *state;
    int c = client(w), found = 0;
    REQ(req, stats, STATS, StatsRequest, STATS_REQUEST);
    Tcpd__V1__Reply *reply;

    w->engine.counters.in_segs = 123;
    w->engine.counters.drop[DROP_PAWS] = 45;
    reply = ask(w, c, &req, -1, NULL);
    for (size_t i = 0; i < reply->stats->n_counters; i++) {
        const Tcpd__V1__Pair *p = reply->stats->counters[i];

        found += strcmp(p->name, "tcpInSegs") == 0 && p->value == 123;
        found += strcmp(p->name, "drop_paws") == 0 && p->value == 45;
    }
    assert_int_equal(found, 2);
    assert_true(reply->stats->n_counters > TCP_DROP_COUNT + 40);
    reply_free(reply);
    close(c);
}

static size_t list(struct world *w, bool listeners, bool connections,
                   void (*look)(const Tcpd__V1__Connection *, void *), void *arg)
{
    int c = client(w);
    size_t n = 0;
    bool more = true;
    REQ(req, list, LIST, ListRequest, LIST_REQUEST);

    list_.listeners = listeners;
    list_.connections = connections;
    client_request(c, &req, -1);
    while (more) {
        Tcpd__V1__Reply *reply;

        turn(w);
        reply = client_recv(c, NULL);
        assert_non_null(reply);
        assert_int_equal(reply->status, ERROR_OK);
        for (size_t i = 0; i < reply->list->n_connections; i++)
            look(reply->list->connections[i], arg);
        n += reply->list->n_connections;
        more = reply->more;
        reply_free(reply);
    }
    close(c);
    return n;
}

struct seen {
    unsigned established, listening, orphan;
};

static void note(const Tcpd__V1__Connection *c, void *arg)
{
    struct seen *seen = arg;

    if (strcmp(c->state, "LISTEN") == 0) {
        seen->listening++;
        assert_int_equal(c->backlog, 9);
        assert_int_equal(c->recv_queue, 3);
    } else if (c->uid == UINT32_MAX) {
        seen->orphan++;
    } else if (strcmp(c->state, "ESTABLISHED") == 0) {
        seen->established++;
        assert_int_equal(c->recv_queue, 30);
        assert_string_equal(c->options, "sack wscale=7,7");
        assert_int_equal(c->remote->addr.len, 4);
    }
}

static void the_list_has_sockets_once_and_connections_without_one(void **state)
{
    struct world *w = *state;
    struct sock *s = fake_sock(w, SOCK_CONNECTED);
    struct seen seen = { 0 };

    s->conn = fake_conn(w);
    fake_conn(w); /* its program is gone */
    fake_sock(w, SOCK_LISTENING)->backlog = 9;
    assert_int_equal(list(w, true, true, note, &seen), 3);
    assert_int_equal(seen.established, 1);
    assert_int_equal(seen.orphan, 1);
    assert_int_equal(seen.listening, 1);
    assert_int_equal(list(w, true, false, note, &seen), 1);
    assert_int_equal(list(w, false, true, note, &seen), 2);
}

static void count(const Tcpd__V1__Connection *c, void *arg)
{
    (*(unsigned *)arg)++;
}

static void a_long_list_comes_in_parts_below_64_kilobytes(void **state)
{
    struct world *w = *state;
    unsigned n = 0;

    for (int i = 0; i < 1500; i++)
        fake_sock(w, SOCK_BOUND)->owner.pid = 1 << 22;
    assert_int_equal(list(w, true, true, count, &n), 1500); /* client_recv() checks the length */
    assert_int_equal(n, 1500);
}

static uint32_t by_id(struct world *w, bool admin, bool drop, uint64_t id)
{
    REQ(show, show, SHOW, ShowRequest, SHOW_REQUEST);
    REQ(dropping, drop, DROP, DropRequest, DROP_REQUEST);
    Tcpd__V1__Request *req = drop ? &dropping : &show;
    Tcpd__V1__Reply *reply;
    uint32_t status;
    int c;

    show_.id = drop_.id = id;
    if (admin) {
        c = client(w);
        reply = ask(w, c, req, -1, NULL);
        close(c);
    } else {
        reply = ask_as_nobody(w, req);
    }
    status = reply->status;
    reply_free(reply);
    return status;
}

static void showing_and_dropping_what_is_anothers_needs_an_administrator(void **state)
{
    struct world *w = *state;
    struct sock *roots = fake_sock(w, SOCK_CONNECTED), *own = fake_sock(w, SOCK_CONNECTED);
    struct tcp_conn *orphan = fake_conn(w);

    own->owner.uid = getuid() == 0 ? 65534 : getuid();
    roots->owner.uid = 1;
    assert_int_equal(by_id(w, false, false, roots->id), ERROR_NOT_PERMITTED);
    assert_int_equal(by_id(w, false, false, own->id), ERROR_OK);
    assert_int_equal(by_id(w, false, false, orphan->id), ERROR_NOT_PERMITTED);
    assert_int_equal(by_id(w, false, true, own->id), ERROR_NOT_PERMITTED);
    assert_false(own->aborted);
    assert_int_equal(by_id(w, false, false, 1), ERROR_NO_ENTRY);
    if (getuid() != 0)
        return;
    assert_int_equal(by_id(w, true, false, orphan->id), ERROR_OK);
    assert_int_equal(by_id(w, true, true, own->id), ERROR_OK);
    assert_true(own->aborted);
    assert_int_equal(by_id(w, true, true, orphan->id), ERROR_OK);
    assert_true(orphan->aborted);
    assert_int_equal(by_id(w, true, true, 1), ERROR_NO_ENTRY);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(anybody_may_read_a_property),
        TEST(only_administrators_change_one_and_the_others_are_told_who_may),
        TEST(a_value_out_of_range_changes_nothing),
        TEST(a_property_that_is_not_obeyed_yet_is_refused_by_name),
        TEST(what_cannot_be_kept_is_not_half_done),
        TEST(the_list_of_properties_comes_in_parts_and_is_complete),
        TEST(status_tells_what_the_rooms_know),
        TEST(stats_have_every_counter_and_every_reason_for_a_drop),
        TEST(the_list_has_sockets_once_and_connections_without_one),
        TEST(a_long_list_comes_in_parts_below_64_kilobytes),
        TEST(showing_and_dropping_what_is_anothers_needs_an_administrator),
    };

    return cmocka_run_group_tests_name("rpc: administration", tests, NULL, NULL);
}
