/* SPDX-License-Identifier: BSD-2-Clause */
/* <tcpd/tcp.h> gives every option of the table its number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tcpd/tcp.h"
/* together with the system's own, in this order or the other */
#include <netinet/tcp.h>
#include "tcpd/client.h"

struct row {
    const char *symbol;
    long header, table;
};

static const struct row rows[] = {
#define SOCKOPT(level, symbol, number, ...) { #symbol, symbol, number },
#include "proto/sockopts.def"
};

static void every_option_has_the_tables_number(void **state)
{
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].header != rows[i].table)
            print_error("%s: %#lx, not %#lx\n", rows[i].symbol, rows[i].header, rows[i].table);
        assert_int_equal(rows[i].header, rows[i].table);
    }
    assert_true(i > 70);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_has_the_tables_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
