/* SPDX-License-Identifier: BSD-2-Clause */
/* Claims about every row of counters.def. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *field, *name, *help;
} rows[] = {
#define COUNTER(field, name, scope, help) {#field, name, help},
#include "proto/counters.def"
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static bool has(const char *name)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].name, name) == 0)
            return true;
    return false;
}

static void every_name_is_unique_and_begins_with_tcp(void **state)
{
    for (size_t a = 0; a < ROWS; a++) {
        assert_memory_equal(rows[a].name, "tcp", 3);
        assert_true(isupper((unsigned char)rows[a].name[3]));
        assert_true(rows[a].help[0] != '\0');
        for (size_t b = a + 1; b < ROWS; b++)
            assert_string_not_equal(rows[a].name, rows[b].name);
    }
}

/* in_data_dup_segs is tcpInDataDupSegs. */
static void every_field_is_its_name_in_lower_case(void **state)
{
    for (size_t i = 0; i < ROWS; i++) {
        char name[64] = "tcp";
        size_t n = 3;
        bool up = true;

        for (const char *p = rows[i].field; *p; p++) {
            if (*p == '_')
                up = true;
            else
                name[n++] = up ? (char)toupper((unsigned char)*p) : *p;
            if (*p != '_')
                up = false;
        }
        if (strcmp(rows[i].field, "out_sack_retrans") == 0)
            assert_string_equal(rows[i].name, "tcpOutSackRetransSegs"); /* illumos' own spelling */
        else
            assert_string_equal(rows[i].name, name);
    }
}

/* RFC 4022: the counters of the tcp group. */
static void the_counters_of_rfc_4022_are_there(void **state)
{
    static const char *const names[] = {
        "tcpActiveOpens", "tcpPassiveOpens", "tcpAttemptFails", "tcpEstabResets", "tcpCurrEstab",
        "tcpInSegs",      "tcpOutSegs",      "tcpRetransSegs",  "tcpInErrs",      "tcpOutRsts"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_true(has(names[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_is_unique_and_begins_with_tcp),
        cmocka_unit_test(every_field_is_its_name_in_lower_case),
        cmocka_unit_test(the_counters_of_rfc_4022_are_there),
    };

    return cmocka_run_group_tests_name("proto/counters", tests, NULL, NULL);
}
