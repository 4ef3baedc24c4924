/* SPDX-License-Identifier: BSD-2-Clause */
/* One test for each table of the engine: states, edges, drops, and the records made of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "engine/impl.h"

struct edge {
    enum tcp_state from, to;
    enum tcp_cause cause;
};

static const struct edge edges[] = {
#define EDGE(from, to, cause, rfc) { TCP_##from, TCP_##to, CAUSE_##cause },
#include "engine/edges.def"
};

static const struct {
    const char *name;
    int mib, illumos;
} states[] = {
#define STATE(ident, name, mib, illumos) { name, mib, illumos },
#include "engine/states.def"
};

/* RFC 4022 tcpConnState: closed(1) ... timeWait(11), each once. */
static void every_state_has_its_numbers_and_name(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        assert_int_equal(states[i].mib, i + 1);
        assert_string_equal(tcp_state_name((enum tcp_state)i), states[i].name);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(states[i].illumos, states[j].illumos);
    }
    assert_string_equal(tcp_state_name(TCP_STATE_COUNT), "?");
}

/* RFC 9293 figure 5: every state but LISTEN is entered and left. */
static void every_state_can_be_entered_and_left(void **state)
{
    for (int s = 0; s < TCP_STATE_COUNT; s++) {
        bool in = s == TCP_CLOSED, out = false;

        if (s == TCP_LISTEN)
            continue; /* a listener is no connection here */
        for (size_t i = 0; i < ARRAY_LEN(edges); i++) {
            in |= (int)edges[i].to == s;
            out |= (int)edges[i].from == s;
        }
        assert_true(in && out);
    }
}

static void no_edge_stands_twice(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(edges); i++) {
        assert_int_not_equal(edges[i].from, edges[i].to);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(memcmp(&edges[i], &edges[j], sizeof(edges[i])), 0);
    }
}

static void every_cause_is_used_and_named(void **state)
{
    for (int c = 0; c < CAUSE_COUNT; c++) {
        bool used = false;

        for (size_t i = 0; i < ARRAY_LEN(edges); i++)
            used |= (int)edges[i].cause == c;
        assert_true(used);
        assert_true(strlen(tcp_cause_name(c)) > 0);
    }
}

static void every_drop_has_a_text_of_its_own(void **state)
{
    for (int d = 0; d < TCP_DROP_COUNT; d++) {
        assert_true(strlen(tcp_drop_name(d)) > 5);
        for (int e = 0; e < d; e++)
            assert_string_not_equal(tcp_drop_name(d), tcp_drop_name(e));
    }
}

/* Tags are what a newer version reads an older record by: none may stand twice. */
static void every_record_tag_is_unique(void **state)
{
    static const int tags[] = {
#define GROUP(name)
#define GROUP_END(name)
#define FIELD(tag, type, name, fate, note) tag,
#include "state/records.def"
    };

    for (size_t i = 0; i < ARRAY_LEN(tags); i++)
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(tags[i], tags[j]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_has_its_numbers_and_name),
        cmocka_unit_test(every_state_can_be_entered_and_left),
        cmocka_unit_test(no_edge_stands_twice),
        cmocka_unit_test(every_cause_is_used_and_named),
        cmocka_unit_test(every_drop_has_a_text_of_its_own),
        cmocka_unit_test(every_record_tag_is_unique),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
