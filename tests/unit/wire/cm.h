/* SPDX-License-Identifier: BSD-2-Clause */
/* cmocka with what it needs, in its order. */
#ifndef TCPD_TESTS_WIRE_CM_H
#define TCPD_TESTS_WIRE_CM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#endif
