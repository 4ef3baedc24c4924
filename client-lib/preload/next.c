/* SPDX-License-Identifier: BSD-2-Clause */
#include <dlfcn.h>
#include <stdint.h>

#include "next.h"

struct native native_calls;
struct next next_calls;

void native_fill(void)
{
#define FILL(table, name) table.name = (__typeof__(table.name))(uintptr_t)dlsym(RTLD_NEXT, #name);
#define NATIVE_FILL(name) FILL(native_calls, name)
#define NEXT_FILL(name)   FILL(next_calls, name)
    NATIVE_CALLS(NATIVE_FILL)
    NEXT_CALLS(NEXT_FILL)
    __atomic_store_n(&native_calls.ready, true, __ATOMIC_RELEASE);
}

__attribute__((constructor)) static void native_init(void)
{
    (void)native();
}
