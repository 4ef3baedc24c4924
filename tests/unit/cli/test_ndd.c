/* SPDX-License-Identifier: BSD-2-Clause */
/* tcpctl ndd: the grammar and the output of illumos. */
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

static Tcpd__V1__Reply *tunable_reply(int i, const char *name, const char *perm, const char *type,
                                      const char *number)
{
    static Tcpd__V1__Tunable tunable[4];
    static Tcpd__V1__Tunable *tunables[4];
    static Tcpd__V1__TunableReply list[4];
    static Tcpd__V1__Reply reply[4];

    tcpd__v1__tunable__init(&tunable[i]);
    tcpd__v1__tunable_reply__init(&list[i]);
    tcpd__v1__reply__init(&reply[i]);
    tunable[i].ndd_name = A(name);
    tunable[i].perm = A(perm);
    tunable[i].type = A(type);
    tunable[i].number = A(number);
    tunable[i].current = A("not for ndd");
    tunables[i] = &tunable[i];
    list[i].n_tunables = 1;
    list[i].tunables = &tunables[i];
    reply[i].result_case = TCPD__V1__REPLY__RESULT_TUNABLE;
    reply[i].tunable = &list[i];
    return &reply[i];
}

static const Tcpd__V1__TunableRequest *asked(const struct run *r, size_t i)
{
    const Tcpd__V1__Request *req = fake_daemon_request(r->daemon, i);

    assert_non_null(req);
    assert_int_equal(req->call_case, TCPD__V1__REQUEST__CALL_TUNABLE);
    assert_true(req->tunable->ndd);
    return req->tunable;
}

static void ndd_prints_the_values_with_a_blank_line_between(void **state)
{
    Tcpd__V1__Reply *replies[] = {
        tunable_reply(0, "tcp_sack_permitted", "rw", "enum", "2"),
        tunable_reply(1, "tcp_extra_priv_ports", "r-", "list", "2049,4045"),
        tunable_reply(2, "tcp_x", "rw", "string", "a,b"),
    };
    struct run r =
        tcpctl(fake_daemon_new(replies, 3), ARGS(A("ndd"), A("/dev/tcp"), A("tcp_sack_permitted"),
                                                 A("tcp_extra_priv_ports"), A("tcp_x")));

    assert_string_equal(r.out, "2\n\n2049\n4045\n\na,b\n");
    assert_int_equal(r.status, 0);
    assert_string_equal(asked(&r, 1)->name, "tcp_extra_priv_ports");
    assert_int_equal(asked(&r, 1)->op, TCPD__V1__TUNABLE_REQUEST__OP__GET);
    done(&r);
}

static void ndd_get_and_any_path_of_tcp_are_the_same(void **state)
{
    static const char *const modules[] = {"/dev/tcp", "/dev/tcp6", "tcp", "/devices/pseudo/tcp"};

    for (size_t i = 0; i < ARRAY_LEN(modules); i++) {
        struct run r = tcpctl(answering(tunable_reply(0, "tcp_abc", "rw", "bool", "1")),
                              ARGS(A("ndd"), A("-get"), A(modules[i]), A("tcp_abc")));

        assert_string_equal(r.out, "1\n");
        done(&r);
    }
}

static void ndd_lists_names_in_30_columns(void **state)
{
    Tcpd__V1__Reply *replies[] = {
        tunable_reply(0, "tcp_abc", "rw", "bool", "1"),
        tunable_reply(1, "tcp_extra_priv_ports_add", "-w", "list", ""),
        tunable_reply(2, "tcp_extra_priv_ports", "r-", "list", ""),
        tunable_reply(3, "", "rw", "enum", "0"), /* congestion_control: not for ndd */
    };
    struct run r;

    replies[0]->more = replies[1]->more = replies[2]->more = true;
    r = tcpctl(fake_daemon_new(replies, 4), ARGS(A("ndd"), A("/dev/tcp"), A("?")));
    assert_string_equal(r.out, "tcp_abc                        (read and write)\n"
                               "tcp_extra_priv_ports_add       (write only)\n"
                               "tcp_extra_priv_ports           (read only)\n");
    assert_int_equal(asked(&r, 0)->op, TCPD__V1__TUNABLE_REQUEST__OP__LIST);
    assert_int_equal(r.status, 0);
    done(&r);
}

static void ndd_set_is_silent_and_never_persistent(void **state)
{
    Tcpd__V1__Reply reply = TCPD__V1__REPLY__INIT;
    struct run r = tcpctl(answering(&reply), ARGS(A("ndd"), A("-set"), A("/dev/tcp"), A("tcp_abc"),
                                                  A("0"), A("ignored")));

    assert_string_equal(r.out, "");
    assert_string_equal(r.err, "");
    assert_int_equal(r.status, 0);
    assert_int_equal(asked(&r, 0)->op, TCPD__V1__TUNABLE_REQUEST__OP__SET);
    assert_string_equal(asked(&r, 0)->name, "tcp_abc");
    assert_string_equal(asked(&r, 0)->value, "0");
    assert_true(asked(&r, 0)->temporary);
    done(&r);
}

static void ndd_fails_with_the_words_of_ipadm(void **state)
{
    static const struct {
        uint32_t status;
        const char *line;
    } table[] = {
        {ERROR_NO_ENTRY, "operation failed: Unknown property\n"},
        {ERROR_NOT_PERMITTED, "operation failed: Permission denied\n"},
        {ERROR_INVALID, "operation failed: Invalid argument provided\n"},
        {ERROR_RANGE, "operation failed: Value is outside the allowed range\n"},
        {ERROR_NO_PROCESS, "operation failed: Value does not exist\n"},
        {ERROR_EXISTS, "operation failed: Already exists\n"},
        {ERROR_OVERFLOW, "operation failed: Number of values exceeds the allowed limit\n"},
        {ERROR_ACCESS, "operation failed: Insufficient user authorizations\n"},
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        Tcpd__V1__Reply reply = TCPD__V1__REPLY__INIT;
        struct run r;

        reply.status = table[i].status;
        r = tcpctl(answering(&reply),
                   ARGS(A("ndd"), A("-set"), A("/dev/tcp"), A("tcp_abc"), A("7")));
        assert_string_equal(r.err, table[i].line);
        assert_int_equal(r.status, 1);
        done(&r);
    }
}

static void ndd_without_a_name_asks_until_an_empty_line(void **state)
{
    Tcpd__V1__Reply done_reply = TCPD__V1__REPLY__INIT;
    Tcpd__V1__Reply *replies[] = {tunable_reply(0, "tcp_abc", "rw", "bool", "1"), &done_reply};
    struct run r = tcpctl_with_input(fake_daemon_new(replies, 2), "tcp_abc\n\n\ntcp_abc\n0\n\nq\n",
                                     ARGS(A("ndd"), A("/dev/tcp")));

    assert_string_equal(r.out, "name to get/set ? value ? length ? 1\n"
                               "name to get/set ? value ? length ? name to get/set ? ");
    assert_int_equal(asked(&r, 1)->op, TCPD__V1__TUNABLE_REQUEST__OP__SET);
    assert_int_equal(r.status, 0);
    done(&r);
}

static void ndd_tells_its_usage_as_illumos_does(void **state)
{
    char **lines[] = {
        ARGS(A("ndd"), A("-x"), A("/dev/tcp")),
        ARGS(A("ndd"), A("-set"), A("/dev/tcp"), A("tcp_abc")),
        ARGS(A("ndd"), A("-set")),
    };

    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct run r = tcpctl(NULL, lines[i]);

        assert_int_equal(r.status, 2);
        assert_string_equal(r.err, "usage: ndd -set device_name name value | "
                                   "ndd [-get] device_name name [name ...]\n");
        done(&r);
    }
}

static void ndd_of_another_module_fails(void **state)
{
    struct run r = tcpctl(NULL, ARGS(A("ndd"), A("/dev/ip"), A("ip_forwarding")));

    assert_int_equal(r.status, 1);
    assert_string_equal(r.err, "tcpctl: ndd: /dev/ip: only tcp and tcp6 are tcpd's\n");
    done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ndd_prints_the_values_with_a_blank_line_between),
        cmocka_unit_test(ndd_get_and_any_path_of_tcp_are_the_same),
        cmocka_unit_test(ndd_lists_names_in_30_columns),
        cmocka_unit_test(ndd_set_is_silent_and_never_persistent),
        cmocka_unit_test(ndd_fails_with_the_words_of_ipadm),
        cmocka_unit_test(ndd_without_a_name_asks_until_an_empty_line),
        cmocka_unit_test(ndd_tells_its_usage_as_illumos_does),
        cmocka_unit_test(ndd_of_another_module_fails),
    };

    return cmocka_run_group_tests_name("cli/ndd", tests, NULL, NULL);
}
