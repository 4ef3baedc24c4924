/* SPDX-License-Identifier: BSD-2-Clause */
/* setsockopt() and getsockopt(): what the table promises of every row. */
#include "rig.h"

enum kind { BOOL, INT, UINT, MS, SEC_AS_MS, STRING, LINGER, TIMEVAL, ADDR4, SPECIAL };
enum access { GETSET, GET, SET };
enum states { ANY, BEFORE_BIND, BEFORE_CONNECT };
enum obeyed { OBEYED, PENDING };

struct row {
    const char *symbol;
    int level, number;
    enum kind kind;
    enum access access;
    enum states states;
    int64_t min, max;
    enum obeyed obeyed;
    bool native;
};

static const struct row rows[] = {
#define SOCKOPT(level_, symbol_, number_, kind_, access_, states_, privilege_, inherit_, min_,     \
                max_, obeyed_, target_, help_)                                                     \
    { #symbol_, level_, number_, kind_, access_, states_, min_, max_, obeyed_, target_ },
#define CONFIG(field) false
#define SOCK(field)   false
#define CODE(name)    false
#define NATIVE        true
#define NONE          false
#include "proto/sockopts.def"
};

static bool is_number(const struct row *row)
{
    return row->kind <= SEC_AS_MS;
}

static struct sock *socket_for(struct rig *r, const struct row *row)
{
    return new_sock_of(r, row->level == IPPROTO_IPV6 ? AF_INET6 : AF_INET, &ROOT);
}

static int set64(struct sock *s, const struct row *row, int64_t value)
{
    return set_int(s, row->level, row->number, (int)(uint32_t)value);
}

static int64_t get64(struct sock *s, const struct row *row)
{
    int value = get_int(s, row->level, row->number);

    return row->kind == UINT || row->kind == MS ? (int64_t)(uint32_t)value : value;
}

/* ---- every row ------------------------------------------------------------------------ */

static void what_is_not_obeyed_does_not_exist(void **state)
{
    struct rig *r = *state;
    unsigned checked = 0;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sock *s = socket_for(r, &rows[i]);
        uint32_t len = 4;
        int value;

        if (rows[i].obeyed == OBEYED && !rows[i].native)
            continue;
        checked++;
        assert_int_equal(set64(s, &rows[i], 1), -ENOPROTOOPT);
        assert_int_equal(sock_getopt(s, rows[i].level, rows[i].number, &value, &len, NOW),
                         -ENOPROTOOPT);
    }
    assert_true(checked > 0);
    assert_int_equal(set_int(new_sock(r, AF_INET), SOL_SOCKET, 9999, 1), -ENOPROTOOPT);
    assert_int_equal(set_int(new_sock(r, AF_INET), 9999, 1, 1), -ENOPROTOOPT);
}

static void what_can_only_be_read_cannot_be_set(void **state)
{
    struct rig *r = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].obeyed == OBEYED && rows[i].access == GET)
            assert_int_equal(set64(socket_for(r, &rows[i]), &rows[i], 1), -ENOPROTOOPT);
}

static void numbers_are_exactly_four_bytes(void **state)
{
    static const uint32_t wrong[] = { 0, 1, 2, 3, 5, 8 };
    static const uint8_t bytes[8];
    struct rig *r = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (size_t k = 0; k < ARRAY_LEN(wrong); k++)
            if (rows[i].obeyed == OBEYED && rows[i].access != GET && is_number(&rows[i]))
                assert_int_equal(sock_setopt(socket_for(r, &rows[i]), rows[i].level,
                                             rows[i].number, bytes, wrong[k], &ROOT, NOW),
                                 -EINVAL);
}

static void get_is_cut_to_the_buffer(void **state)
{
    struct rig *r = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sock *s = socket_for(r, &rows[i]);

        if (rows[i].obeyed != OBEYED || rows[i].native || rows[i].access == SET)
            continue;
        for (uint32_t room = 0; room < 3; room++) {
            uint8_t buf[4] = { 0xaa, 0xaa, 0xaa, 0xaa };
            uint32_t len = room;

            assert_int_equal(sock_getopt(s, rows[i].level, rows[i].number, buf, &len, NOW), 0);
            assert_true(len <= room);
            assert_int_equal(buf[room], 0xaa); /* not a byte beyond */
        }
    }
}

static void nothing_at_no_address_is_a_value_like_any_other(void **state)
{
    struct rig *r = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sock *s = socket_for(r, &rows[i]);
        uint32_t len = 0;

        if (rows[i].obeyed != OBEYED || rows[i].native)
            continue;
        assert_int_equal(sock_getopt(s, rows[i].level, rows[i].number, NULL, &len, NOW), 0);
        if (rows[i].access != GET && rows[i].number != SO_BINDTODEVICE)
            assert_int_equal(
                sock_setopt(s, rows[i].level, rows[i].number, NULL, 0, &ROOT, NOW), -EINVAL);
    }
    assert_int_equal(sock_setopt(new_sock(r, AF_INET), SOL_SOCKET, SO_BINDTODEVICE, NULL, 0, &ROOT,
                                 NOW),
                     0);
}

static void booleans_read_back_as_one(void **state)
{
    struct rig *r = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sock *s = socket_for(r, &rows[i]);

        if (rows[i].obeyed != OBEYED || rows[i].kind != BOOL || rows[i].access != GETSET)
            continue;
        assert_int_equal(get64(s, &rows[i]), 0);
        assert_int_equal(set64(s, &rows[i], -7), 0);
        assert_int_equal(get64(s, &rows[i]), 1);
        assert_int_equal(set64(s, &rows[i], 0), 0);
        assert_int_equal(get64(s, &rows[i]), 0);
    }
}

/* What becomes of a bound is not always the bound. The rest reads back as it was set. */
static const struct {
    const char *symbol;
    int64_t set;
    int result;
    int64_t get;
} exceptions[] = {
    { "IP_BOUND_IF", INT32_MAX, -ENXIO, 0 }, /* there is no such device */
    { "IPV6_BOUND_IF", INT32_MAX, -ENXIO, 0 },
    { "TCP_MAXSEG", 0, 0, 536 },         { "IP_TTL", -1, 0, 64 },
    { "IPV6_UNICAST_HOPS", -1, 0, 60 },  { "IP_TOS", -1, 0, 0 },
    { "IP_TOS", 255, 0, 252 },           { "IPV6_TCLASS", -1, 0, 0 },
    { "IPV6_TCLASS", 255, 0, 252 },      { "TCP_LINGER2", 0, 0, 60 },
    { "TCP_LINGER2", 7200, -EINVAL, 60 }, { "TCP_RTO_INITIAL", 0, 0, 1000 },
    { "TCP_RTO_MIN", 0, 0, 400 },        { "TCP_RTO_MIN", 7200000, -EINVAL, 400 },
    { "TCP_RTO_MAX", 0, 0, 60000 },      { "TCP_RTO_MAX", 7200000, -EINVAL, 60000 },
};

static void one_bound(struct rig *r, const struct row *row, int64_t bound)
{
    struct sock *s = socket_for(r, row);
    int64_t get = bound;
    int result = 0;

    for (size_t i = 0; i < ARRAY_LEN(exceptions); i++) {
        if (strcmp(exceptions[i].symbol, row->symbol) == 0 && exceptions[i].set == bound) {
            result = exceptions[i].result;
            get = exceptions[i].get;
        }
    }
    if (set64(s, row, bound) != result || get64(s, row) != get)
        fail_msg("%s = %ld: set %d, get %ld", row->symbol, (long)bound, set64(s, row, bound),
                 (long)get64(s, row));
    sock_close(s, false, NOW);
}

static void bounds_are_in_and_beyond_is_out(void **state)
{
    struct rig *r = *state;
    unsigned checked = 0;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        int64_t lowest = row->kind == UINT || row->kind == MS ? 0 : INT32_MIN;
        int64_t highest = row->kind == UINT || row->kind == MS ? UINT32_MAX : INT32_MAX;

        if (row->obeyed != OBEYED || row->access != GETSET || !is_number(row))
            continue;
        if (row->min == INT64_MIN || row->max == INT64_MAX)
            continue;
        checked++;
        one_bound(r, row, row->min);
        one_bound(r, row, row->max);
        if (row->min > lowest)
            assert_int_equal(set64(socket_for(r, row), row, row->min - 1), -EINVAL);
        if (row->max < highest)
            assert_int_equal(set64(socket_for(r, row), row, row->max + 1), -EINVAL);
    }
    assert_true(checked >= 20);
}

static void options_of_the_other_family_are_refused(void **state)
{
    struct rig *r = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int wrong = rows[i].level == IPPROTO_IP ? AF_INET6 : AF_INET;
        uint32_t len = 4;
        int value = 1;

        if (rows[i].obeyed != OBEYED ||
            (rows[i].level != IPPROTO_IP && rows[i].level != IPPROTO_IPV6))
            continue;
        assert_int_equal(set64(new_sock(r, wrong), &rows[i], 1), -EINVAL);
        assert_int_equal(sock_getopt(new_sock(r, wrong), rows[i].level, rows[i].number, &value,
                                     &len, NOW),
                         -EINVAL);
    }
}

static void some_options_have_their_time(void **state)
{
    struct rig *r = *state;
    unsigned checked = 0;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sock *s = socket_for(r, &rows[i]);
        bool v6 = rows[i].level == IPPROTO_IPV6;
        int64_t value = MAX(rows[i].min, 1);

        if (rows[i].obeyed != OBEYED || rows[i].states == ANY || !is_number(&rows[i]))
            continue;
        checked++;
        assert_int_equal(set64(s, &rows[i], value), 0);
        assert_int_equal(bind_to(s, v6 ? ANY6 : ANY4, 0), 0);
        assert_int_equal(set64(s, &rows[i], value), rows[i].states == BEFORE_BIND ? -EINVAL : 0);
        assert_int_equal(connect_to(s, v6 ? PEER6 : PEER4, 80), -EINPROGRESS);
        assert_int_equal(set64(s, &rows[i], value), -EINVAL);
        s = socket_for(r, &rows[i]);
        assert_int_equal(sock_listen(s, 1, &ROOT), 0);
        assert_int_equal(set64(s, &rows[i], value), -EINVAL);
    }
    assert_true(checked >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(what_is_not_obeyed_does_not_exist),
        rig_test(what_can_only_be_read_cannot_be_set),
        rig_test(numbers_are_exactly_four_bytes),
        rig_test(get_is_cut_to_the_buffer),
        rig_test(nothing_at_no_address_is_a_value_like_any_other),
        rig_test(booleans_read_back_as_one),
        rig_test(bounds_are_in_and_beyond_is_out),
        rig_test(options_of_the_other_family_are_refused),
        rig_test(some_options_have_their_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
