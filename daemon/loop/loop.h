/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event loop: waits, then calls one function with what there is to do. fds
 * do not have callbacks of their own, so that nothing runs between two of them:
 * all input of one wake-up is taken together (loop/pump.h).
 */
#ifndef TCPD_LOOP_LOOP_H
#define TCPD_LOOP_LOOP_H

#include <stdbool.h>

#include "base/usec.h"

struct loop;

enum loop_for { LOOP_READ, LOOP_WRITE_ONCE };

struct loop_handler {
    void *ctx;
    /* Once a wake-up. @due: bits of what became ready, gathered since the last call. */
    void (*wake)(void *ctx, unsigned due, usec_t now);
};

/** loop_new() - errors: -ENOMEM (or no way to poll) */
int loop_new(const struct loop_handler *handler, struct loop **ret);
struct loop *loop_free(struct loop *l);

/**
 * loop_watch() - report @bit when @fd is ready; @fd is borrowed until loop_free()
 *
 * LOOP_READ: each time while it is readable. LOOP_WRITE_ONCE: at the next time
 * it is writable, and then no more until asked again.
 * Errors: -ENOMEM.
 */
int loop_watch(struct loop *l, int fd, enum loop_for what, unsigned bit);

/** loop_wake_now() - do not sleep; report @bits in the next wake-up */
void loop_wake_now(struct loop *l, unsigned bits);

/** loop_wake_at() - wake up not later than @deadline; USEC_NEVER: no time limit */
void loop_wake_at(struct loop *l, usec_t now, usec_t deadline);

/** loop_run() - until loop_stop() */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/** loop_now() - CLOCK_BOOTTIME */
usec_t loop_now(void);

#endif
