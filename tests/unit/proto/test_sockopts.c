/* SPDX-License-Identifier: BSD-2-Clause */
/* Claims about every row of sockopts.def. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "engine/config.h"

enum kind { BOOL, INT, UINT, MS, SEC_AS_MS, STRING, LINGER, TIMEVAL, ADDR4, SPECIAL };
enum access { GETSET, GET, SET };
enum states { ANY, BEFORE_BIND, BEFORE_CONNECT };
enum privilege { NONE, NET_ADMIN, BIND_SERVICE };
enum inherit { INHERIT, OWN };
enum obeyed { OBEYED, PENDING };
enum target { TARGET_NONE, TARGET_CONFIG, TARGET_SOCK, TARGET_CODE, TARGET_NATIVE };

/* What a target expands to once pasted. A CONFIG that names no field does not compile. */
#define ROW_CONFIG(field) TARGET_CONFIG, offsetof(struct tcp_config, field)
#define ROW_SOCK(field)   TARGET_SOCK, 0
#define ROW_CODE(name)    TARGET_CODE, 0
#define ROW_NATIVE        TARGET_NATIVE, 0
#define ROW_NONE          TARGET_NONE, 0

static const struct row {
    int level;
    const char *symbol;
    int number;
    enum kind kind;
    enum access access;
    enum states states;
    enum privilege privilege;
    enum inherit inherit;
    int64_t min, max;
    enum obeyed obeyed;
    const char *help;
    enum target target;
    size_t offset;
} rows[] = {
#define SOCKOPT(level, symbol, number, kind, access, states, privilege, inherit, min, max, obeyed, \
                target, help)                                                                      \
    {level,   #symbol, number, kind,   access, states,      privilege,                             \
     inherit, min,     max,    obeyed, help,   ROW_##target},
#include "proto/sockopts.def"
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const struct row *find(const char *symbol)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].symbol, symbol) == 0)
            return &rows[i];
    fail_msg("no row %s", symbol);
    return NULL;
}

static void every_option_is_unique_in_its_level(void **state)
{
    for (size_t a = 0; a < ROWS; a++) {
        assert_true(rows[a].help[0] != '\0');
        for (size_t b = a + 1; b < ROWS; b++) {
            assert_string_not_equal(rows[a].symbol, rows[b].symbol);
            assert_false(rows[a].level == rows[b].level && rows[a].number == rows[b].number);
        }
    }
}

static void every_range_is_a_range_of_its_kind(void **state)
{
    for (size_t i = 0; i < ROWS; i++) {
        const struct row *r = &rows[i];

        assert_true(r->min <= r->max);
        if (r->kind == BOOL || r->kind == LINGER || r->kind == TIMEVAL || r->kind == SPECIAL)
            assert_true(r->min == INT64_MIN && r->max == INT64_MAX);
        if (r->kind == MS && r->obeyed == OBEYED)
            assert_true(r->min >= 0 && r->max <= UINT32_MAX);
        if (r->kind == SEC_AS_MS)
            assert_true(r->min >= 0 && r->max <= UINT32_MAX / 1000);
        if (r->kind == STRING)
            assert_true(r->min >= 0 && r->max <= 16);
    }
}

static void every_row_that_is_obeyed_has_a_target_and_no_other(void **state)
{
    for (size_t i = 0; i < ROWS; i++)
        assert_int_equal(rows[i].obeyed == OBEYED, rows[i].target != TARGET_NONE);
}

static void every_config_target_is_a_number_that_is_written_as_it_is(void **state)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].target != TARGET_CONFIG)
            continue;
        assert_true(rows[i].offset + sizeof(uint32_t) <= sizeof(struct tcp_config));
        assert_true(rows[i].kind == BOOL || rows[i].kind == INT || rows[i].kind == UINT ||
                    rows[i].kind == MS);
        assert_int_equal(rows[i].privilege, NONE);
        assert_int_equal(rows[i].access, GETSET);
    }
}

/* design.md section 2. */
static void an_option_of_linux_keeps_its_number(void **state)
{
#define IS(symbol_) assert_int_equal(find(#symbol_)->number, symbol_)
    IS(SO_REUSEADDR);
    IS(SO_TYPE);
    IS(SO_ERROR);
    IS(SO_DEBUG);
    IS(SO_DONTROUTE);
    IS(SO_BROADCAST);
    IS(SO_SNDBUF);
    IS(SO_RCVBUF);
    IS(SO_KEEPALIVE);
    IS(SO_OOBINLINE);
    IS(SO_LINGER);
    IS(SO_REUSEPORT);
    IS(SO_RCVLOWAT);
    IS(SO_SNDLOWAT);
    IS(SO_RCVTIMEO);
    IS(SO_SNDTIMEO);
    IS(SO_BINDTODEVICE);
    IS(SO_ACCEPTCONN);
    IS(SO_PROTOCOL);
    IS(SO_DOMAIN);
    IS(TCP_NODELAY);
    IS(TCP_MAXSEG);
    IS(TCP_CORK);
    IS(TCP_KEEPIDLE);
    IS(TCP_KEEPINTVL);
    IS(TCP_KEEPCNT);
    IS(TCP_LINGER2);
    IS(TCP_INFO);
    IS(TCP_QUICKACK);
    IS(TCP_CONGESTION);
    IS(TCP_MD5SIG);
    IS(TCP_USER_TIMEOUT);
    IS(IP_TOS);
    IS(IP_TTL);
    IS(IP_OPTIONS);
    IS(IP_RECVTOS);
    IS(IP_MINTTL);
    IS(IPV6_NEXTHOP);
    IS(IPV6_UNICAST_HOPS);
    IS(IPV6_V6ONLY);
    IS(IPV6_RECVPKTINFO);
    IS(IPV6_PKTINFO);
    IS(IPV6_RECVHOPLIMIT);
    IS(IPV6_RECVHOPOPTS);
    IS(IPV6_HOPOPTS);
    IS(IPV6_RTHDRDSTOPTS);
    IS(IPV6_RECVRTHDR);
    IS(IPV6_RTHDR);
    IS(IPV6_RECVDSTOPTS);
    IS(IPV6_DSTOPTS);
    IS(IPV6_PATHMTU);
    IS(IPV6_DONTFRAG);
    IS(IPV6_RECVTCLASS);
    IS(IPV6_TCLASS);
#undef IS
    assert_int_equal(find("IPV6_MINHOPCOUNT")->number, 73); /* not in glibc's headers */
}

static void an_option_of_illumos_alone_is_its_number_and_0x1000(void **state)
{
    static const struct {
        const char *symbol;
        int number;
    } fixed[] = {
        {"TCP_NOTIFY_THRESHOLD", 0x1010},
        {"TCP_ABORT_THRESHOLD", 0x1011},
        {"TCP_CONN_NOTIFY_THRESHOLD", 0x1012},
        {"TCP_CONN_ABORT_THRESHOLD", 0x1013},
        {"TCP_RECVDSTADDR", 0x1014},
        {"TCP_INIT_CWND", 0x1015},
        {"TCP_KEEPALIVE_THRESHOLD", 0x1016},
        {"TCP_KEEPALIVE_ABORT_THRESHOLD", 0x1017},
        {"TCP_RTO_INITIAL", 0x1019},
        {"TCP_RTO_MIN", 0x101a},
        {"TCP_RTO_MAX", 0x101b},
        {"TCP_ANONPRIVBIND", 0x1020},
        {"TCP_EXCLBIND", 0x1021},
        {"SO_EXCLBIND", 0x1015}, /* illumos' own number as it is */
    };

    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        assert_int_equal(find(fixed[i].symbol)->number, fixed[i].number);
}

/* design.md section 6. */
static void keepalive_limits_are_those_decided(void **state)
{
    assert_int_equal(find("TCP_KEEPIDLE")->min, 10);
    assert_int_equal(find("TCP_KEEPALIVE_THRESHOLD")->min, 10000);
    assert_int_equal(find("TCP_KEEPINTVL")->min, 1);
    assert_int_equal(find("TCP_KEEPINTVL")->max, 10 * 24 * 60 * 60);
    assert_int_equal(find("TCP_KEEPCNT")->min, 1);
    assert_int_equal(find("TCP_KEEPCNT")->max, 127);
}

static void cork_is_not_inherited(void **state)
{
    assert_int_equal(find("TCP_CORK")->inherit, OWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_is_unique_in_its_level),
        cmocka_unit_test(every_range_is_a_range_of_its_kind),
        cmocka_unit_test(every_row_that_is_obeyed_has_a_target_and_no_other),
        cmocka_unit_test(every_config_target_is_a_number_that_is_written_as_it_is),
        cmocka_unit_test(an_option_of_linux_keeps_its_number),
        cmocka_unit_test(an_option_of_illumos_alone_is_its_number_and_0x1000),
        cmocka_unit_test(keepalive_limits_are_those_decided),
        cmocka_unit_test(cork_is_not_inherited),
    };

    return cmocka_run_group_tests_name("proto/sockopts", tests, NULL, NULL);
}
