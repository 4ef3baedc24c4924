/* SPDX-License-Identifier: BSD-2-Clause */
/* The client library: the calls of the C library, whoever defines them. */
#include "native.h"

struct native native_calls;

void native_fill(void)
{
#define NATIVE_TAKE(name) native_calls.name = name;
    NATIVE_CALLS(NATIVE_TAKE)
#undef NATIVE_TAKE
    __atomic_store_n(&native_calls.ready, true, __ATOMIC_RELEASE);
}
