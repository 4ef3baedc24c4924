/* SPDX-License-Identifier: BSD-2-Clause */
/* Claims about every row of errors.def. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/errors.h"

static const struct {
    const char *ident;
    uint32_t wire;
    int err;
} rows[] = {
#define ERROR(ident, number, err, text) {#ident, (number), (err)},
#include "proto/errors.def"
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void every_number_and_every_errno_is_unique(void **state)
{
    for (size_t a = 0; a < ROWS; a++) {
        for (size_t b = a + 1; b < ROWS; b++) {
            assert_int_not_equal(rows[a].wire, rows[b].wire);
            assert_int_not_equal(rows[a].err, rows[b].err);
        }
    }
}

static void every_row_maps_both_ways(void **state)
{
    for (size_t i = 0; i < ROWS; i++) {
        assert_int_equal(error_to_wire(rows[i].err), rows[i].wire);
        assert_int_equal(error_to_errno(rows[i].wire), rows[i].err);
        assert_true(error_text(rows[i].wire)[0] != '\0');
    }
}

static void done_is_zero(void **state)
{
    assert_int_equal(ERROR_OK, 0);
    assert_int_equal(error_to_wire(0), ERROR_OK);
    assert_int_equal(error_to_errno(ERROR_OK), 0);
}

/* The numbers are the contract: a change here breaks programs that run today. */
static void numbers_in_use_stay_what_they_are(void **state)
{
    assert_int_equal(ERROR_UNKNOWN_CALL, 1);
    assert_int_equal(ERROR_UNKNOWN, 2);
    assert_int_equal(ERROR_NOT_PERMITTED, 10);
    assert_int_equal(ERROR_INVALID, 20);
    assert_int_equal(ERROR_NO_MEMORY, 40);
    assert_int_equal(ERROR_IN_PROGRESS, 61);
    assert_int_equal(ERROR_ADDRESS_IN_USE, 71);
    assert_int_equal(ERROR_REFUSED, 95);
    assert_int_equal(ERROR_KEY_REJECTED, 100);
}

static void every_errno_of_the_documents_has_a_number(void **state)
{
    static const int named[] = {
        EPERM,       ENOENT,       ESRCH,           EINTR,        ENXIO,      EBADF,
        EAGAIN,      ENOMEM,       EACCES,          EEXIST,       ENODEV,     EINVAL,
        ENFILE,      EMFILE,       ENOSPC,          EPIPE,        ERANGE,     ENOSYS,
        EOVERFLOW,   EPROTO,       ENOTSOCK,        EDESTADDRREQ, EMSGSIZE,   EPROTOTYPE,
        ENOPROTOOPT, EOPNOTSUPP,   EPROTONOSUPPORT, EAFNOSUPPORT, EADDRINUSE, EADDRNOTAVAIL,
        ENETDOWN,    ENETUNREACH,  ECONNABORTED,    ECONNRESET,   ENOBUFS,    EISCONN,
        ENOTCONN,    ETIMEDOUT,    ECONNREFUSED,    EHOSTUNREACH, EALREADY,   EINPROGRESS,
        ECANCELED,   ENAMETOOLONG,
    };

    for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
        assert_int_equal(error_to_errno(error_to_wire(named[i])), named[i]);
}

static void what_has_no_row_is_an_io_error(void **state)
{
    assert_int_equal(error_to_wire(EXDEV), ERROR_UNKNOWN);
    assert_int_equal(error_to_wire(-1), ERROR_UNKNOWN);
    assert_int_equal(error_to_errno(4000000000u), EIO);
    assert_true(error_text(4000000000u)[0] != '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_and_every_errno_is_unique),
        cmocka_unit_test(every_row_maps_both_ways),
        cmocka_unit_test(done_is_zero),
        cmocka_unit_test(numbers_in_use_stay_what_they_are),
        cmocka_unit_test(every_errno_of_the_documents_has_a_number),
        cmocka_unit_test(what_has_no_row_is_an_io_error),
    };

    return cmocka_run_group_tests_name("proto/errors", tests, NULL, NULL);
}
