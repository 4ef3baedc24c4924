/* SPDX-License-Identifier: BSD-2-Clause */
/* The functions that the preload library shadows, beyond those of src/native.h. */
#ifndef TCPD_PRELOAD_NEXT_H
#define TCPD_PRELOAD_NEXT_H

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "native.h"

#define NEXT_CALLS(X)                                                                              \
    X(dup) X(dup2) X(dup3) X(fcntl) X(close_range) X(closefrom)                                    \
    X(execve) X(execvpe) X(fexecve) X(execveat) X(posix_spawn) X(posix_spawnp) X(system) X(popen)

struct next {
#define NEXT_FIELD(name) __typeof__(name) *name;
    NEXT_CALLS(NEXT_FIELD)
#undef NEXT_FIELD
};

extern struct next next_calls;

static inline const struct next *next(void)
{
    (void)native(); /* fills both */
    return &next_calls;
}

#endif
