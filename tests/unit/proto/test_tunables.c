/* SPDX-License-Identifier: BSD-2-Clause */
/* Claims about every row of tunables.def. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/tunables.h"

#define FOR_EACH_ROW(i) for (const struct tunable_info *i = tunable_info_at(0); i; i = next(i))

static const struct tunable_info *next(const struct tunable_info *info)
{
    return tunable_info_at((size_t)info->id + 1);
}

static bool settable(const struct tunable_info *info)
{
    return info->obeyed != TUNABLE_PENDING && info->perm != TUNABLE_RO;
}

static bool is_number(const struct tunable_info *info)
{
    return info->type == TUNABLE_INT || info->type == TUNABLE_BOOL || info->type == TUNABLE_ENUM;
}

static uint32_t number_of(const struct tunables *tun, const struct tunable_info *info)
{
    uint32_t number;

    memcpy(&number, (const char *)tun + info->offset, sizeof(number));
    return number;
}

/* Set to a number by ndd's rules. */
static int set(struct tunables *tun, const struct tunable_info *info, uint64_t number)
{
    char text[32];

    snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
    return tunable_set_number(tun, info, text);
}

/* Bounds that stand in the way of another tunable's are moved away first. */
static void make_room(struct tunables *tun)
{
    tunables_init(tun);
    tun->max_buf = 1073741824;
    tun->smallest_anon_port = 1024;
    tun->largest_anon_port = 65535;
}

static void table_has_the_rows_of_illumos_and_ours(void **state)
{
    assert_int_equal(TUNABLE_COUNT, 69 + 10);
    assert_string_equal(tunable_info_at(0)->name, "_time_wait_interval");
    assert_string_equal(tunable_info_at(14)->name, "_keepalive_interval");
    assert_string_equal(tunable_info_at(34)->name, "max_buf");
    assert_string_equal(tunable_info_at(51)->name, "ecn");
    assert_string_equal(tunable_info_at(61)->name, "_1948_phrase");
    assert_string_equal(tunable_info_at(68)->name, "_abc_l_var");
    assert_string_equal(tunable_info_at(69)->name, "_claim_pool");
    assert_null(tunable_info_at(TUNABLE_COUNT));
}

static void every_row_is_complete(void **state)
{
    FOR_EACH_ROW(info)
    {
        assert_true(info->name && info->name[0]);
        assert_non_null(info->unit);
        assert_true(info->help && info->help[0]);
        assert_true(info->offset < sizeof(struct tunables));
        if (info->obeyed == TUNABLE_NO_EFFECT)
            assert_non_null(strstr(info->help, "stored only:"));
    }
}

static void every_name_is_unique(void **state)
{
    FOR_EACH_ROW(a)
    {
        FOR_EACH_ROW(b)
        {
            if (a == b)
                continue;
            assert_string_not_equal(a->name, b->name);
            if (a->ndd_name && b->ndd_name)
                assert_string_not_equal(a->ndd_name, b->ndd_name);
        }
    }
}

static void every_default_is_within_its_range(void **state)
{
    struct tunables tun;

    tunables_init(&tun);
    FOR_EACH_ROW(info)
    {
        if (!is_number(info))
            continue;
        assert_in_range(info->number, info->min, info->max);
        assert_int_equal(number_of(&tun, info), info->number);
    }
}

static void every_bound_is_accepted_and_beyond_it_refused(void **state)
{
    struct tunables tun;

    FOR_EACH_ROW(info)
    {
        if (!settable(info) || info->type != TUNABLE_INT)
            continue;
        make_room(&tun);
        assert_int_equal(set(&tun, info, info->min), 0);
        make_room(&tun);
        assert_int_equal(set(&tun, info, info->max), 0);
        assert_int_equal(number_of(&tun, info), info->max);
        assert_int_equal(set(&tun, info, (uint64_t)info->max + 1), -ERANGE);
        if (info->min > 0)
            assert_int_equal(set(&tun, info, info->min - 1), -ERANGE);
        assert_int_equal(number_of(&tun, info), info->max);
    }
}

static void every_number_refuses_junk(void **state)
{
    static const char *const junk[] = {"", " 1", "1 ", "-1", "+1", "0x10", "1.5", "ten", "1,2"};
    struct tunables tun, before;

    tunables_init(&tun);
    before = tun;
    FOR_EACH_ROW(info)
    {
        if (!settable(info) || !is_number(info))
            continue;
        for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
            assert_int_equal(tunable_set_text(&tun, info, junk[i]), -EINVAL);
            assert_int_equal(tunable_set_number(&tun, info, junk[i]), -EINVAL);
        }
        assert_memory_equal(&tun, &before, sizeof(tun));
    }
}

static void every_bool_takes_0_and_1_only(void **state)
{
    struct tunables tun;

    tunables_init(&tun);
    FOR_EACH_ROW(info)
    {
        if (!settable(info) || info->type != TUNABLE_BOOL)
            continue;
        assert_int_equal(tunable_set_text(&tun, info, "0"), 0);
        assert_int_equal(number_of(&tun, info), 0);
        assert_int_equal(tunable_set_text(&tun, info, "1"), 0);
        assert_int_equal(number_of(&tun, info), 1);
        assert_int_equal(tunable_set_text(&tun, info, "2"), -EINVAL);
        assert_int_equal(tunable_set_text(&tun, info, "01"), -EINVAL);
    }
}

static void every_text_that_is_read_can_be_loaded_again(void **state)
{
    char text[TUNABLE_TEXT_MAX], again[TUNABLE_TEXT_MAX];
    struct tunables tun;

    tunables_init(&tun);
    FOR_EACH_ROW(info)
    {
        if (!settable(info) || info->perm != TUNABLE_RW)
            continue;
        assert_int_equal(tunable_get_text(&tun, info, text, sizeof(text)), 0);
        assert_int_equal(tunable_default_text(info, again, sizeof(again)), 0);
        assert_string_equal(text, again);
        assert_int_equal(tunable_load_text(&tun, info, text), 0);
        assert_int_equal(tunable_get_text(&tun, info, again, sizeof(again)), 0);
        assert_string_equal(text, again);
    }
}

static void every_reset_brings_back_the_default(void **state)
{
    struct tunables tun, fresh;

    tunables_init(&fresh);
    FOR_EACH_ROW(info)
    {
        if (!settable(info))
            continue;
        make_room(&tun);
        if (info->perm != TUNABLE_RW) {
            assert_int_equal(tunable_reset(&tun, info), -EOPNOTSUPP);
            continue;
        }
        tunables_init(&tun);
        if (is_number(info)) {
            uint32_t other = info->number == info->min ? info->min + 1 : info->min;

            memcpy((char *)&tun + info->offset, &other, sizeof(other));
            if (info->id == TUNABLE_largest_anon_port || info->id == TUNABLE_max_buf)
                tun.smallest_anon_port = 1024;
        }
        assert_int_equal(tunable_reset(&tun, info), 0);
        tun.smallest_anon_port = fresh.smallest_anon_port;
        assert_memory_equal(&tun, &fresh, sizeof(tun));
    }
}

static void a_row_that_is_pending_is_unknown(void **state)
{
    char text[TUNABLE_TEXT_MAX];
    struct tunable_ndd ndd;
    struct tunables tun;

    tunables_init(&tun);
    FOR_EACH_ROW(info)
    {
        if (info->obeyed != TUNABLE_PENDING)
            continue;
        assert_null(tunable_find(info->name));
        assert_int_equal(tunable_ndd_find(info->ndd_name, &ndd), -ENOENT);
        assert_int_equal(tunable_get_text(&tun, info, text, sizeof(text)), -ENOENT);
        assert_int_equal(tunable_set_text(&tun, info, "1"), -ENOENT);
        assert_int_equal(tunable_load_text(&tun, info, "1"), -ENOENT);
        assert_int_equal(tunable_reset(&tun, info), -ENOENT);
    }
}

static void every_name_finds_its_row(void **state)
{
    struct tunable_ndd ndd;

    FOR_EACH_ROW(info)
    {
        if (info->obeyed == TUNABLE_PENDING)
            continue;
        assert_ptr_equal(tunable_find(info->name), info);
        if (info->ndd_name) {
            assert_int_equal(tunable_ndd_find(info->ndd_name, &ndd), 0);
            assert_ptr_equal(ndd.info, info);
        }
    }
}

static void every_private_name_is_tcp_and_itself_for_ndd(void **state)
{
    struct tunable_ndd ndd;
    char name[64];

    FOR_EACH_ROW(info)
    {
        if (info->name[0] != '_')
            continue;
        snprintf(name, sizeof(name), "tcp%s", info->name);
        assert_string_equal(info->ndd_name, name);
        if (info->obeyed == TUNABLE_PENDING)
            continue;
        assert_int_equal(tunable_ndd_find(info->name, &ndd), 0);
        assert_ptr_equal(ndd.info, info);
    }
}

static void every_text_fits_and_a_small_buffer_is_refused(void **state)
{
    char text[TUNABLE_TEXT_MAX];
    struct tunables tun;

    tunables_init(&tun);
    for (uint32_t i = 0; i < TUN_LIST_MAX; i++)
        tun.extra_priv_ports.item[i] = (uint16_t)(65535 - i);
    tun.extra_priv_ports.count = TUN_LIST_MAX;

    FOR_EACH_ROW(info)
    {
        assert_int_equal(tunable_possible_text(&tun, info, text, sizeof(text)), 0);
        if (info->obeyed == TUNABLE_PENDING || info->perm == TUNABLE_WO)
            continue;
        assert_int_equal(tunable_get_text(&tun, info, text, sizeof(text)), 0);
        assert_int_equal(tunable_get_text(&tun, info, text, strlen(text)), -ENOBUFS);
        assert_int_equal(tunable_get_text(&tun, info, text, 0), -ENOBUFS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_has_the_rows_of_illumos_and_ours),
        cmocka_unit_test(every_row_is_complete),
        cmocka_unit_test(every_name_is_unique),
        cmocka_unit_test(every_default_is_within_its_range),
        cmocka_unit_test(every_bound_is_accepted_and_beyond_it_refused),
        cmocka_unit_test(every_number_refuses_junk),
        cmocka_unit_test(every_bool_takes_0_and_1_only),
        cmocka_unit_test(every_text_that_is_read_can_be_loaded_again),
        cmocka_unit_test(every_reset_brings_back_the_default),
        cmocka_unit_test(a_row_that_is_pending_is_unknown),
        cmocka_unit_test(every_name_finds_its_row),
        cmocka_unit_test(every_private_name_is_tcp_and_itself_for_ndd),
        cmocka_unit_test(every_text_fits_and_a_small_buffer_is_refused),
    };

    return cmocka_run_group_tests_name("proto/tunables", tests, NULL, NULL);
}
