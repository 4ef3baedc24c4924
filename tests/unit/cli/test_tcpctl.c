/* SPDX-License-Identifier: BSD-2-Clause */
/* tcpctl against a daemon of canned answers: what it asks, prints and exits with. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "proto/errors.h"
#include "run.h"

/* ---- status --------------------------------------------------------------------------- */

static Tcpd__V1__Reply *status_reply(void)
{
    static Tcpd__V1__Pair pair = TCPD__V1__PAIR__INIT;
    static Tcpd__V1__Pair *pairs[] = {&pair};
    static Tcpd__V1__StatusReply status = TCPD__V1__STATUS_REPLY__INIT;
    static Tcpd__V1__Reply reply = TCPD__V1__REPLY__INIT;

    pair.name = A("rx_packets");
    pair.value = 18446744073709551615u;
    status.version = A("0.1.0");
    status.supervisor_pid = 10;
    status.worker_pid = 11;
    status.worker_starts = 2;
    status.uptime_usec = 93784 * 1000000ull;
    status.sockets = 3;
    status.listeners = 1;
    status.connections = 2;
    status.port_claims = 1;
    status.fds_used = 20;
    status.fds_limit = 1024;
    status.arena_bytes = 4096;
    status.sessions = 1;
    status.generation = 7;
    status.n_netio = 1;
    status.netio = pairs;
    reply.result_case = TCPD__V1__REPLY__RESULT_STATUS_INFO;
    reply.status_info = &status;
    return &reply;
}

static void status_prints_what_a_person_asks_first(void **state)
{
    struct run r = tcpctl(answering(status_reply()), ARGS(A("status")));

    assert_string_equal(r.err, "");
    assert_string_equal(r.out, "tcpd 0.1.0, up 1 d 2 h 3 min 4 s\n"
                               "supervisor   pid 10\n"
                               "worker       pid 11, start 2, generation 7\n"
                               "sockets      3: 1 listeners, 2 connections, 1 sessions\n"
                               "descriptors  20 of 1024, 1 of them port claims\n"
                               "buffers      4096 bytes\n"
                               "\n"
                               "rx_packets 18446744073709551615\n");
    assert_int_equal(r.status, 0);
    assert_int_equal(fake_daemon_request(r.daemon, 0)->call_case, TCPD__V1__REQUEST__CALL_STATUS);
    done(&r);
}

static void status_in_json_has_the_names_of_the_protocol(void **state)
{
    struct run r = tcpctl(answering(status_reply()), ARGS(A("status"), A("--json")));

    assert_string_equal(r.out, "{\n"
                               "  \"version\": \"0.1.0\",\n"
                               "  \"supervisor_pid\": 10,\n"
                               "  \"worker_pid\": 11,\n"
                               "  \"worker_starts\": 2,\n"
                               "  \"uptime_usec\": 93784000000,\n"
                               "  \"sockets\": 3,\n"
                               "  \"listeners\": 1,\n"
                               "  \"connections\": 2,\n"
                               "  \"port_claims\": 1,\n"
                               "  \"fds_used\": 20,\n"
                               "  \"fds_limit\": 1024,\n"
                               "  \"arena_bytes\": 4096,\n"
                               "  \"sessions\": 1,\n"
                               "  \"generation\": 7,\n"
                               "  \"netio\": {\n"
                               "    \"rx_packets\": 18446744073709551615\n"
                               "  }\n"
                               "}\n");
    assert_int_equal(r.status, 0);
    done(&r);
}

/* ---- list ------------------------------------------------------------------------------- */

static void addr_init(Tcpd__V1__Addr *addr, int family, const char *text, uint32_t port)
{
    static uint8_t bytes[16][16];
    static size_t used;
    uint8_t *raw = bytes[used++ % 16];

    tcpd__v1__addr__init(addr);
    assert_int_equal(inet_pton(family, text, raw), 1);
    addr->family = (uint32_t)family;
    addr->addr = (ProtobufCBinaryData){.data = raw, .len = family == AF_INET ? 4 : 16};
    addr->port = port;
}

/* A listener and a bound socket in one part, two connections in the next. */
static struct fake_daemon *listing(void)
{
    static Tcpd__V1__Addr addr[8];
    static Tcpd__V1__Connection conn[4];
    static Tcpd__V1__Connection *const first[] = {&conn[0], &conn[1]};
    static Tcpd__V1__Connection *const second[] = {&conn[2], &conn[3]};
    static Tcpd__V1__ListReply list[2];
    static Tcpd__V1__Reply part[2];
    static Tcpd__V1__Reply *const parts[] = {&part[0], &part[1]};

    addr_init(&addr[0], AF_INET6, "::", 80);
    addr_init(&addr[1], AF_INET6, "::", 0);
    addr_init(&addr[2], AF_INET, "0.0.0.0", 7);
    addr_init(&addr[3], AF_INET, "0.0.0.0", 0);
    addr_init(&addr[4], AF_INET, "10.0.0.1", 40000);
    addr_init(&addr[5], AF_INET, "10.0.0.2", 443);
    addr_init(&addr[6], AF_INET6, "fe80::1", 80);
    addr_init(&addr[7], AF_INET6, "fe80::2", 50000);
    addr[6].scope = 2;
    for (size_t i = 0; i < 4; i++) {
        tcpd__v1__connection__init(&conn[i]);
        conn[i].id = i + 1;
        conn[i].local = &addr[2 * i];
        conn[i].remote = &addr[2 * i + 1];
        conn[i].uid = 4000000 + (uint32_t)i;
        conn[i].pid = 100;
    }
    conn[0].state = A("LISTEN");
    conn[0].backlog = 128;
    conn[1].state = A("CLOSED");
    conn[2].state = A("ESTABLISHED");
    conn[2].recv_queue = 5;
    conn[2].send_queue = 1460;
    conn[3].state = A("TIME_WAIT");
    for (size_t i = 0; i < 2; i++) {
        tcpd__v1__list_reply__init(&list[i]);
        tcpd__v1__reply__init(&part[i]);
        list[i].n_connections = 2;
        list[i].connections = (Tcpd__V1__Connection **)(i ? second : first);
        part[i].result_case = TCPD__V1__REPLY__RESULT_LIST;
        part[i].list = &list[i];
    }
    part[0].more = true;
    return fake_daemon_new(parts, 2);
}

static void list_shows_listeners_and_connections(void **state)
{
    struct run r = tcpctl(listing(), ARGS(A("list")));

    assert_string_equal(
        r.out, "Id  State        Recv-Q  Send-Q  Local           Remote           User     Pid\n"
               " 1  LISTEN            0     128  *:80            *:*              4000000  100\n"
               " 3  ESTABLISHED       5    1460  10.0.0.1:40000  10.0.0.2:443     4000002  100\n"
               " 4  TIME_WAIT         0       0  [fe80::1%2]:80  [fe80::2]:50000  4000003  100\n");
    assert_int_equal(r.status, 0);
    assert_true(fake_daemon_request(r.daemon, 0)->list->listeners);
    assert_true(fake_daemon_request(r.daemon, 0)->list->connections);
    done(&r);
}

static void list_a_shows_sockets_that_do_nothing_as_well(void **state)
{
    struct run r = tcpctl(listing(), ARGS(A("list"), A("-an")));

    assert_non_null(strstr(r.out, " 2  CLOSED"));
    assert_non_null(strstr(r.out, "*:7"));
    done(&r);
}

static void list_filters_by_family_and_kind(void **state)
{
    struct run v4 = tcpctl(listing(), ARGS(A("list"), A("-4")));
    struct run v6 = tcpctl(listing(), ARGS(A("list"), A("-6"), A("-n")));
    struct run l = tcpctl(listing(), ARGS(A("list"), A("-l")));

    assert_non_null(strstr(v4.out, "ESTABLISHED"));
    assert_null(strstr(v4.out, "LISTEN"));
    assert_null(strstr(v6.out, "ESTABLISHED"));
    assert_non_null(strstr(v6.out, "LISTEN"));
    assert_null(strstr(l.out, "ESTABLISHED"));
    assert_non_null(strstr(l.out, "LISTEN"));
    assert_false(fake_daemon_request(l.daemon, 0)->list->connections);
    done(&v4);
    done(&v6);
    done(&l);
}

static void list_in_json_joins_the_parts(void **state)
{
    struct run r = tcpctl(listing(), ARGS(A("--json"), A("list"), A("-4")));

    assert_string_equal(r.out, "{\n"
                               "  \"connections\": [\n"
                               "    {\n"
                               "      \"id\": 3,\n"
                               "      \"local\": {\n"
                               "        \"family\": 2,\n"
                               "        \"addr\": \"10.0.0.1\",\n"
                               "        \"port\": 40000,\n"
                               "        \"scope\": 0,\n"
                               "        \"flowinfo\": 0\n"
                               "      },\n"
                               "      \"remote\": {\n"
                               "        \"family\": 2,\n"
                               "        \"addr\": \"10.0.0.2\",\n"
                               "        \"port\": 443,\n"
                               "        \"scope\": 0,\n"
                               "        \"flowinfo\": 0\n"
                               "      },\n"
                               "      \"state\": \"ESTABLISHED\",\n"
                               "      \"uid\": 4000002,\n"
                               "      \"pid\": 100,\n"
                               "      \"recv_queue\": 5,\n"
                               "      \"send_queue\": 1460,\n"
                               "      \"backlog\": 0,\n"
                               "      \"mss\": 0,\n"
                               "      \"cwnd\": 0,\n"
                               "      \"ssthresh\": 0,\n"
                               "      \"srtt_usec\": 0,\n"
                               "      \"rto_usec\": 0,\n"
                               "      \"bytes_sent\": 0,\n"
                               "      \"bytes_received\": 0,\n"
                               "      \"retrans_segs\": 0,\n"
                               "      \"congestion\": \"\",\n"
                               "      \"snd_wnd\": 0,\n"
                               "      \"rcv_wnd\": 0,\n"
                               "      \"options\": \"\",\n"
                               "      \"socket_state\": 0\n"
                               "    }\n"
                               "  ]\n"
                               "}\n");
    done(&r);
}

/* ---- stats, show, drop ---------------------------------------------------------------------- */

static void stats_are_names_and_numbers(void **state)
{
    Tcpd__V1__Pair pair[2] = {TCPD__V1__PAIR__INIT, TCPD__V1__PAIR__INIT};
    Tcpd__V1__Pair *pairs[2] = {&pair[0], &pair[1]};
    Tcpd__V1__StatsReply stats = TCPD__V1__STATS_REPLY__INIT;
    Tcpd__V1__Reply reply = TCPD__V1__REPLY__INIT;
    struct run text, json;

    pair[0].name = A("tcpActiveOpens");
    pair[0].value = 1;
    pair[1].name = A("odd \"\\\n\xff\xc3\xa9");
    pair[1].value = 22;
    stats.n_counters = 2;
    stats.counters = pairs;
    reply.result_case = TCPD__V1__REPLY__RESULT_STATS;
    reply.stats = &stats;

    json = tcpctl(answering(&reply), ARGS(A("stats"), A("--json")));
    assert_string_equal(json.out, "{\n"
                                  "  \"counters\": {\n"
                                  "    \"tcpActiveOpens\": 1,\n"
                                  "    \"odd \\\"\\\\\\u000a\\ufffd\xc3\xa9\": 22\n"
                                  "  }\n"
                                  "}\n");
    pair[1].name = A("tcpPassiveOpens");
    text = tcpctl(answering(&reply), ARGS(A("stats")));
    assert_string_equal(text.out, "tcpActiveOpens             1\n"
                                  "tcpPassiveOpens           22\n");
    done(&text);
    done(&json);
}

static void show_prints_every_field_by_its_name(void **state)
{
    Tcpd__V1__Connection conn = TCPD__V1__CONNECTION__INIT;
    Tcpd__V1__Reply reply = TCPD__V1__REPLY__INIT;
    struct run r;

    conn.id = 9;
    conn.state = A("SYN_SENT");
    conn.rto_usec = 1000000;
    reply.result_case = TCPD__V1__REPLY__RESULT_SHOW;
    reply.show = &conn;
    r = tcpctl(answering(&reply), ARGS(A("show"), A("9")));
    assert_non_null(strstr(r.out, "id              9\n"));
    assert_non_null(strstr(r.out, "local           *:*\n"));
    assert_non_null(strstr(r.out, "state           SYN_SENT\n"));
    assert_non_null(strstr(r.out, "rto_usec        1000000\n"));
    assert_int_equal(fake_daemon_request(r.daemon, 0)->show->id, 9);
    done(&r);
}

static void drop_is_silent_when_done(void **state)
{
    Tcpd__V1__Reply reply = TCPD__V1__REPLY__INIT;
    struct run r = tcpctl(answering(&reply), ARGS(A("drop"), A("18446744073709551615")));

    assert_string_equal(r.out, "");
    assert_string_equal(r.err, "");
    assert_int_equal(r.status, 0);
    assert_int_equal(fake_daemon_request(r.daemon, 0)->drop->id, UINT64_MAX);
    done(&r);
}

static void a_refusal_is_one_line_and_exit_1(void **state)
{
    Tcpd__V1__Reply reply = TCPD__V1__REPLY__INIT;
    struct run r;

    reply.status = ERROR_NO_ENTRY;
    r = tcpctl(answering(&reply), ARGS(A("drop"), A("5")));
    assert_string_equal(r.err, "tcpctl: drop 5: no such thing\n");
    assert_int_equal(r.status, 1);
    done(&r);

    reply.message = A("you are not in group tcpd-admin");
    r = tcpctl(answering(&reply), ARGS(A("drop"), A("5")));
    assert_string_equal(r.err, "tcpctl: drop 5: you are not in group tcpd-admin\n");
    done(&r);
}

/* ---- command lines and broken daemons ------------------------------------------------ */

static void a_wrong_command_line_is_one_line_and_exit_2(void **state)
{
    char **lines[] = {
        ARGS(NULL),
        ARGS(A("frobnicate")),
        ARGS(A("--frob"), A("status")),
        ARGS(A("--socket")),
        ARGS(A("status"), A("now")),
        ARGS(A("stats"), A("now")),
        ARGS(A("list"), A("-z")),
        ARGS(A("list"), A("all")),
        ARGS(A("drop")),
        ARGS(A("drop"), A("1"), A("2")),
        ARGS(A("drop"), A("-1")),
        ARGS(A("drop"), A("1x")),
        ARGS(A("drop"), A("18446744073709551616")),
        ARGS(A("show"), A("")),
    };

    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct run r = tcpctl(NULL, lines[i]);

        assert_int_equal(r.status, 2);
        assert_string_equal(r.out, "");
        assert_memory_equal(r.err, "tcpctl: ", 8);
        assert_ptr_equal(strchr(r.err, '\n'), r.err + strlen(r.err) - 1);
        done(&r);
    }
}

static void a_daemon_that_is_not_there_is_one_line(void **state)
{
    struct run r = tcpctl(NULL, ARGS(A("status")));

    assert_int_equal(r.status, 1);
    assert_string_equal(r.err, "tcpctl: cannot reach tcpd at /nonexistent/tcpd.sock: No such file "
                               "or directory; is it running? (systemctl status tcpd)\n");
    done(&r);
}

static void the_option_names_the_socket_before_the_environment(void **state)
{
    struct run r = tcpctl(NULL, ARGS(A("--socket"), A("/nonexistent/other"), A("status")));

    assert_non_null(strstr(r.err, "/nonexistent/other"));
    done(&r);
    r = tcpctl(NULL, ARGS(A("--socket=/nonexistent/third"), A("status")));
    assert_non_null(strstr(r.err, "/nonexistent/third"));
    done(&r);
}

static void a_daemon_that_hangs_up_or_talks_nonsense_is_one_line(void **state)
{
    Tcpd__V1__Reply part = TCPD__V1__REPLY__INIT;
    struct run r;

    part.more = true; /* and then nothing */
    r = tcpctl(answering(&part), ARGS(A("status")));
    assert_int_equal(r.status, 1);
    assert_non_null(strstr(r.err, "gave no answer: Connection reset by peer\n"));
    done(&r);

    r = tcpctl(fake_daemon_garbage(), ARGS(A("status")));
    assert_int_equal(r.status, 1);
    assert_non_null(strstr(r.err, "gave no answer: Bad message\n"));
    done(&r);
}

static void an_answer_to_something_else_is_an_error(void **state)
{
    static const char *const commands[] = {"status", "list", "stats"};

    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        Tcpd__V1__Reply reply = TCPD__V1__REPLY__INIT;
        struct run r = tcpctl(answering(&reply), ARGS(A(commands[i])));

        assert_int_equal(r.status, 1);
        assert_non_null(strstr(r.err, "the daemon answered something else\n"));
        done(&r);
    }
}

static void help_and_version_need_no_daemon(void **state)
{
    struct run r = tcpctl(NULL, ARGS(A("--help")));

    assert_int_equal(r.status, 0);
    assert_memory_equal(r.out, "usage: tcpctl ", 14);
    done(&r);
    r = tcpctl(NULL, ARGS(A("--version")));
    assert_int_equal(r.status, 0);
    assert_string_equal(r.out, "tcpctl " TCPD_VERSION "\n");
    done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_prints_what_a_person_asks_first),
        cmocka_unit_test(status_in_json_has_the_names_of_the_protocol),
        cmocka_unit_test(list_shows_listeners_and_connections),
        cmocka_unit_test(list_a_shows_sockets_that_do_nothing_as_well),
        cmocka_unit_test(list_filters_by_family_and_kind),
        cmocka_unit_test(list_in_json_joins_the_parts),
        cmocka_unit_test(stats_are_names_and_numbers),
        cmocka_unit_test(show_prints_every_field_by_its_name),
        cmocka_unit_test(drop_is_silent_when_done),
        cmocka_unit_test(a_refusal_is_one_line_and_exit_1),
        cmocka_unit_test(a_wrong_command_line_is_one_line_and_exit_2),
        cmocka_unit_test(a_daemon_that_is_not_there_is_one_line),
        cmocka_unit_test(the_option_names_the_socket_before_the_environment),
        cmocka_unit_test(a_daemon_that_hangs_up_or_talks_nonsense_is_one_line),
        cmocka_unit_test(an_answer_to_something_else_is_an_error),
        cmocka_unit_test(help_and_version_need_no_daemon),
    };

    return cmocka_run_group_tests_name("cli/tcpctl", tests, NULL, NULL);
}
