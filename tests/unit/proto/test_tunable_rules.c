/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules of single tunables: words, lists, rows that bound each other, names of ndd. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/tunables.h"

static const struct tunable_info *row(const char *name)
{
    const struct tunable_info *info = tunable_find(name);

    assert_non_null(info);
    return info;
}

static int set(struct tunables *tun, const char *name, const char *text)
{
    return tunable_set_text(tun, row(name), text);
}

static void assert_text(const struct tunables *tun, const char *name, const char *expected)
{
    char text[TUNABLE_TEXT_MAX];

    assert_int_equal(tunable_get_text(tun, row(name), text, sizeof(text)), 0);
    assert_string_equal(text, expected);
}

static void assert_number(const struct tunables *tun, const char *name, const char *expected)
{
    char text[TUNABLE_TEXT_MAX];

    assert_int_equal(tunable_get_number(tun, row(name), text, sizeof(text)), 0);
    assert_string_equal(text, expected);
}

static void assert_possible(const struct tunables *tun, const char *name, const char *expected)
{
    char text[TUNABLE_TEXT_MAX];

    assert_int_equal(tunable_possible_text(tun, row(name), text, sizeof(text)), 0);
    assert_string_equal(text, expected);
}

static int setup(void **state)
{
    static struct tunables tun;

    tunables_init(&tun);
    *state = &tun;
    return 0;
}

static void enum_is_words_for_ipadm_and_digits_for_ndd(void **state)
{
    struct tunables *tun = *state;

    assert_text(tun, "sack", "active");
    assert_number(tun, "sack", "2");
    assert_int_equal(set(tun, "sack", "passive"), 0);
    assert_int_equal(tun->sack, TUN_PASSIVE);
    assert_int_equal(set(tun, "sack", "1"), -EINVAL);
    assert_int_equal(tunable_set_number(tun, row("sack"), "0"), 0);
    assert_text(tun, "sack", "never");
    assert_int_equal(tunable_set_number(tun, row("sack"), "active"), -EINVAL);
    assert_int_equal(tunable_set_number(tun, row("sack"), "3"), -ERANGE);
    assert_int_equal(set(tun, "sack", "act"), -EINVAL);
    assert_int_equal(set(tun, "sack", "never,passive"), -EINVAL);
    assert_possible(tun, "sack", "never,passive,active");
}

static void congestion_control_takes_aliases_and_shows_its_own_name(void **state)
{
    struct tunables *tun = *state;

    assert_text(tun, "congestion_control", "newreno");
    assert_int_equal(set(tun, "congestion_control", "sunreno"), 0);
    assert_int_equal(set(tun, "congestion_control", "reno"), 0);
    assert_text(tun, "congestion_control", "newreno");
    assert_int_equal(set(tun, "congestion_control", "vegas"), -EINVAL);
}

static void old_spellings_are_accepted(void **state)
{
    assert_ptr_equal(row("_max_buf"), row("max_buf"));
    assert_ptr_equal(row("recv_maxbuf"), row("recv_buf"));
    assert_ptr_equal(row("send_maxbuf"), row("send_buf"));
    assert_null(tunable_find("tcp_max_buf"));
    assert_null(tunable_find(""));
}

static void buffers_are_bounded_by_the_current_max_buf(void **state)
{
    struct tunables *tun = *state;

    assert_possible(tun, "recv_buf", "2048-1048576");
    assert_int_equal(set(tun, "recv_buf", "1048577"), -ERANGE);
    assert_int_equal(set(tun, "max_buf", "2097152"), 0);
    assert_int_equal(set(tun, "recv_buf", "1048577"), 0);
    assert_possible(tun, "send_buf", "4096-2097152");

    /* lowering the bound lowers nothing else, but a default above it cannot come back */
    assert_int_equal(set(tun, "max_buf", "8192"), 0);
    assert_text(tun, "recv_buf", "1048577");
    assert_int_equal(tunable_reset(tun, row("recv_buf")), -ERANGE);
}

static void ephemeral_ports_stay_in_order(void **state)
{
    struct tunables *tun = *state;

    assert_int_equal(set(tun, "largest_anon_port", "32767"), -ERANGE);
    assert_int_equal(set(tun, "largest_anon_port", "32768"), 0);
    assert_int_equal(set(tun, "smallest_anon_port", "32769"), -ERANGE);
    assert_int_equal(set(tun, "smallest_anon_port", "1024"), 0);
    assert_int_equal(set(tun, "largest_anon_port", "1024"), 0);
    assert_int_equal(tunable_reset(tun, row("smallest_anon_port")), -ERANGE);
}

static void header_room_is_rounded_up_to_8(void **state)
{
    struct tunables *tun = *state;

    assert_int_equal(set(tun, "_wroff_xtra", "33"), 0);
    assert_text(tun, "_wroff_xtra", "40");
    assert_int_equal(set(tun, "_wroff_xtra", "256"), 0);
    assert_text(tun, "_wroff_xtra", "256");
    assert_int_equal(set(tun, "_wroff_xtra", "0"), 0);
    assert_text(tun, "_wroff_xtra", "0");
}

static void keepalive_starts_at_ten_seconds(void **state)
{
    assert_int_equal(tunable_info_at(TUNABLE_keepalive_interval)->min, 10000);
}

static void port_list_is_edited_one_by_one(void **state)
{
    struct tunables *tun = *state;
    const struct tunable_info *ports = row("extra_priv_ports");

    assert_text(tun, "extra_priv_ports", "2049,4045");
    assert_possible(tun, "extra_priv_ports", "1-65535");
    assert_int_equal(tunable_add_text(tun, ports, "3000"), 0);
    assert_int_equal(tunable_add_text(tun, ports, "3000"), -EEXIST);
    assert_text(tun, "extra_priv_ports", "2049,4045,3000");
    assert_int_equal(tunable_remove_text(tun, ports, "2049"), 0);
    assert_int_equal(tunable_remove_text(tun, ports, "2049"), -ESRCH);
    assert_text(tun, "extra_priv_ports", "4045,3000");
    assert_true(tun_ports_has(&tun->extra_priv_ports, 3000));
    assert_false(tun_ports_has(&tun->extra_priv_ports, 2049));

    assert_int_equal(tunable_add_text(tun, ports, "0"), -ERANGE);
    assert_int_equal(tunable_add_text(tun, ports, "65536"), -ERANGE);
    assert_int_equal(tunable_add_text(tun, ports, "http"), -EINVAL);
    assert_int_equal(tunable_set_text(tun, ports, "3000,3001"), -EINVAL);
    assert_int_equal(tunable_set_text(tun, ports, "5000"), 0);
    assert_text(tun, "extra_priv_ports", "5000");
    assert_int_equal(tunable_reset(tun, ports), 0);
    assert_text(tun, "extra_priv_ports", "2049,4045");
}

static void port_list_holds_64(void **state)
{
    struct tunables *tun = *state;
    const struct tunable_info *ports = row("extra_priv_ports");
    char text[16];

    for (int i = 2; i < TUN_LIST_MAX; i++) {
        snprintf(text, sizeof(text), "%d", 5000 + i);
        assert_int_equal(tunable_add_text(tun, ports, text), 0);
    }
    assert_int_equal(tunable_add_text(tun, ports, "6000"), -EOVERFLOW);
    assert_int_equal(tun->extra_priv_ports.count, TUN_LIST_MAX);
}

static void port_list_is_loaded_whole_or_not_at_all(void **state)
{
    struct tunables *tun = *state;
    const struct tunable_info *ports = row("extra_priv_ports");

    assert_int_equal(tunable_load_text(tun, ports, "3000,3001,3002"), 0);
    assert_text(tun, "extra_priv_ports", "3000,3001,3002");
    assert_int_equal(tunable_load_text(tun, ports, "1,2,"), -EINVAL);
    assert_int_equal(tunable_load_text(tun, ports, "1,,2"), -EINVAL);
    assert_int_equal(tunable_load_text(tun, ports, "1,1"), -EEXIST);
    assert_int_equal(tunable_load_text(tun, ports, "1,70000"), -ERANGE);
    assert_text(tun, "extra_priv_ports", "3000,3001,3002");
    assert_int_equal(tunable_load_text(tun, ports, ""), 0);
    assert_text(tun, "extra_priv_ports", "");
}

static void only_a_list_is_added_to(void **state)
{
    assert_int_equal(tunable_add_text(*state, row("max_buf"), "8192"), -EINVAL);
    assert_int_equal(tunable_remove_text(*state, row("_1948_phrase"), "x"), -EINVAL);
}

static void phrase_is_written_and_never_read(void **state)
{
    struct tunables *tun = *state;
    const struct tunable_info *phrase = row("_1948_phrase");
    char text[600];

    assert_int_equal(tunable_set_text(tun, phrase, "correct horse"), 0);
    assert_string_equal(tun->iss_phrase, "correct horse");
    assert_int_equal(tunable_get_text(tun, phrase, text, sizeof(text)), -EPERM);
    assert_int_equal(tunable_get_number(tun, phrase, text, sizeof(text)), -EPERM);
    assert_int_equal(tunable_reset(tun, phrase), -EOPNOTSUPP);

    memset(text, 'a', sizeof(text));
    text[512] = '\0';
    assert_int_equal(tunable_set_text(tun, phrase, text), -EINVAL);
    text[511] = '\0';
    assert_int_equal(tunable_set_text(tun, phrase, text), 0);
    assert_int_equal(tunable_set_text(tun, phrase, "short"), 0);
    assert_int_equal(tun->iss_phrase[510], 0); /* nothing of the longer one is left */
}

static void ndd_knows_the_ports_by_three_names(void **state)
{
    struct tunables *tun = *state;
    struct tunable_ndd ndd;

    assert_int_equal(tunable_ndd_find("tcp_extra_priv_ports", &ndd), 0);
    assert_int_equal(ndd.perm, TUNABLE_RO);
    assert_int_equal(tunable_edit_number(tun, &ndd, "1"), -EPERM);

    assert_int_equal(tunable_ndd_find("tcp_extra_priv_ports_add", &ndd), 0);
    assert_int_equal(ndd.perm, TUNABLE_WO);
    assert_int_equal(tunable_edit_number(tun, &ndd, "3000"), 0);
    assert_text(tun, "extra_priv_ports", "2049,4045,3000");

    assert_int_equal(tunable_ndd_find("tcp_extra_priv_ports_del", &ndd), 0);
    assert_int_equal(ndd.perm, TUNABLE_WO);
    assert_int_equal(tunable_edit_number(tun, &ndd, "4045"), 0);
    assert_text(tun, "extra_priv_ports", "2049,3000");
}

static void ndd_maps_the_public_names(void **state)
{
    static const char *const map[][2] = {
        {"tcp_sack_permitted", "sack"},
        {"tcp_recv_hiwat", "recv_buf"},
        {"tcp_xmit_hiwat", "send_buf"},
        {"tcp_max_buf", "max_buf"},
        {"tcp_smallest_anon_port", "smallest_anon_port"},
        {"tcp_largest_anon_port", "largest_anon_port"},
        {"tcp_smallest_nonpriv_port", "smallest_nonpriv_port"},
        {"tcp_1948_phrase", "_1948_phrase"},
        {"_strong_iss", "_strong_iss"},
        {"tcp_claim_pool", "_claim_pool"},
    };
    struct tunable_ndd ndd;

    for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++) {
        assert_int_equal(tunable_ndd_find(map[i][0], &ndd), 0);
        assert_ptr_equal(ndd.info, row(map[i][1]));
    }
}

static void ndd_refuses_the_public_names_of_ipadm(void **state)
{
    static const char *const names[] = {"recv_buf",
                                        "max_buf",
                                        "sack",
                                        "extra_priv_ports",
                                        "_max_buf",
                                        "send_maxbuf",
                                        "",
                                        "congestion_control",
                                        "tcp_congestion_control"};
    struct tunable_ndd ndd;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(tunable_ndd_find(names[i], &ndd), -ENOENT);
}

static void ndd_lists_the_three_names_in_their_order(void **state)
{
    static const char *const order[] = {"tcp_extra_priv_ports_add",
                                        "tcp_extra_priv_ports_del",
                                        "tcp_extra_priv_ports",
                                        "tcp_1948_phrase",
                                        "tcp_listener_limit_conf",
                                        "tcp_listener_limit_conf_add",
                                        "tcp_listener_limit_conf_del",
                                        "tcp_iss_incr",
                                        "tcp_abc"};
    struct tunable_ndd ndd;
    size_t i = 0;

    assert_int_equal(tunable_ndd_at(0, &ndd), 0);
    assert_string_equal(ndd.name, "tcp_time_wait_interval");
    while (tunable_ndd_at(i, &ndd) == 0 && strcmp(ndd.name, order[0]) != 0)
        i++;
    for (size_t n = 0; n < sizeof(order) / sizeof(order[0]); n++) {
        assert_int_equal(tunable_ndd_at(i + n, &ndd), 0);
        assert_string_equal(ndd.name, order[n]);
    }
    assert_int_equal(tunable_ndd_at(1000, &ndd), -ENOENT);
}

/* illumos: an entry is replaced or appended; what is no entry is EINVAL. */
static void listener_limits_are_edited_by_two_other_names(void **state)
{
    static const char *const junk[] = { "", ":", "80", "80:", "0:1", "80:0", "65536:1", ":3",
                                        "80:1:2", "80:-1", "80:x", "80: 1", "80:4294967296" };
    const struct tunable_info *conf = tunable_find("_listener_limit_conf");
    const struct tunable_info *add = tunable_find("_listener_limit_conf_add");
    const struct tunable_info *del = tunable_find("_listener_limit_conf_del");
    struct tunables *tun = *state;
    char text[TUNABLE_TEXT_MAX];

    assert_int_equal(tunable_get_text(tun, conf, text, sizeof(text)), 0);
    assert_string_equal(text, "");
    assert_int_equal(tunable_set_text(tun, add, "80:4"), 0);
    assert_int_equal(tunable_set_text(tun, add, "25:8"), 0);
    assert_int_equal(tunable_set_text(tun, add, "80:2"), 0);
    assert_int_equal(tunable_get_text(tun, conf, text, sizeof(text)), 0);
    assert_string_equal(text, "80:2,25:8");
    assert_int_equal(tunable_set_text(tun, del, "443"), -ESRCH);
    assert_int_equal(tunable_set_text(tun, del, "80"), 0);
    assert_int_equal(tunable_get_text(tun, conf, text, sizeof(text)), 0);
    assert_string_equal(text, "25:8");

    for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++)
        assert_int_equal(tunable_set_text(tun, add, junk[i]), -EINVAL);
    assert_int_equal(tunable_set_text(tun, del, "0"), -EINVAL);
    assert_int_equal(tunable_set_text(tun, del, "25:8"), -EINVAL);
    assert_int_equal(tunable_set_text(tun, conf, "80:1"), -EPERM);
    assert_int_equal(tunable_get_text(tun, add, text, sizeof(text)), -EPERM);
    assert_int_equal(tunable_reset(tun, conf), -EOPNOTSUPP);
    for (uint32_t port = 10000; tun->listener_limit_conf.count < TUN_LIST_MAX; port++) {
        snprintf(text, sizeof(text), "%u:4294967295", port);
        assert_int_equal(tunable_set_text(tun, add, text), 0);
    }
    assert_int_equal(tunable_set_text(tun, add, "999:1"), -EOVERFLOW);
    assert_int_equal(tunable_get_text(tun, conf, text, sizeof(text)), 0); /* there is room for all */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(listener_limits_are_edited_by_two_other_names, setup),
        cmocka_unit_test_setup(enum_is_words_for_ipadm_and_digits_for_ndd, setup),
        cmocka_unit_test_setup(congestion_control_takes_aliases_and_shows_its_own_name, setup),
        cmocka_unit_test_setup(old_spellings_are_accepted, setup),
        cmocka_unit_test_setup(buffers_are_bounded_by_the_current_max_buf, setup),
        cmocka_unit_test_setup(ephemeral_ports_stay_in_order, setup),
        cmocka_unit_test_setup(header_room_is_rounded_up_to_8, setup),
        cmocka_unit_test_setup(keepalive_starts_at_ten_seconds, setup),
        cmocka_unit_test_setup(port_list_is_edited_one_by_one, setup),
        cmocka_unit_test_setup(port_list_holds_64, setup),
        cmocka_unit_test_setup(port_list_is_loaded_whole_or_not_at_all, setup),
        cmocka_unit_test_setup(only_a_list_is_added_to, setup),
        cmocka_unit_test_setup(phrase_is_written_and_never_read, setup),
        cmocka_unit_test_setup(ndd_knows_the_ports_by_three_names, setup),
        cmocka_unit_test_setup(ndd_maps_the_public_names, setup),
        cmocka_unit_test_setup(ndd_refuses_the_public_names_of_ipadm, setup),
        cmocka_unit_test_setup(ndd_lists_the_three_names_in_their_order, setup),
    };

    return cmocka_run_group_tests_name("proto/tunable_rules", tests, NULL, NULL);
}
