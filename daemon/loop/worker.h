/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worker: the process that does everything. It shares the fd table with the
 * supervisor that started it, and owns none of the fds it is given: whatever
 * becomes of it, they are there for the next worker.
 */
#ifndef TCPD_LOOP_WORKER_H
#define TCPD_LOOP_WORKER_H

#include <sys/types.h>

#include "base/usec.h"
#include "netio/netio.h"

struct state;

struct worker_init {
    struct state *state;
    struct netio_fds netio;
    int rpc_listen_fd;
    int ready_fd;            /* eventfd: 1 is written when the worker serves */
    const char *private_dir; /* 0700, for the private listener of the stream room */
    pid_t supervisor;
    usec_t started_at; /* of the supervisor */
    int strong_iss;    /* from inetinit; -1: not said there */
    /* SIGHUP: read the configuration again. */
    void (*reload)(void *ctx);
    void *reload_ctx;
};

/**
 * worker_run() - until SIGTERM or SIGINT
 *
 * Returns the exit status of the process: 0 after an orderly end, 1 when it
 * could not start (it has said why).
 */
int worker_run(const struct worker_init *init);

#endif
