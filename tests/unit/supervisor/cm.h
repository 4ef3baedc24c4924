/* SPDX-License-Identifier: BSD-2-Clause */
/* cmocka wants these before it. */
#ifndef TCPD_TESTS_SUPERVISOR_CM_H
#define TCPD_TESTS_SUPERVISOR_CM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
