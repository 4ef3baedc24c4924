/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The supervisor: opens what needs privilege, holds every fd, starts the worker
 * and starts another one when it dies. It never looks at a packet or a request.
 */
#ifndef TCPD_SUPERVISOR_SUPERVISOR_H
#define TCPD_SUPERVISOR_SUPERVISOR_H

#include "loop/worker.h"
#include "supervisor/options.h"

/* Runs in a process of its own and returns its exit status: worker_run(). */
typedef int supervisor_worker(const struct worker_init *init);

/**
 * supervisor_run() - until SIGTERM or SIGINT
 * @o:  borrowed; changed by a reload
 *
 * Returns the exit status: 0 after an orderly end, 1 when something was missing
 * at start or workers die one after the other. It has said what.
 */
int supervisor_run(struct options *o, supervisor_worker *worker);

#endif
