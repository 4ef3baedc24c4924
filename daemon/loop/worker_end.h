/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The orderly end: every connection gets its FIN, and two seconds to be done;
 * the rest is reset; the port claims go last, so that the kernel never answers
 * for a connection of ours.
 */
#ifndef TCPD_LOOP_WORKER_END_H
#define TCPD_LOOP_WORKER_END_H

#include "loop/pump.h"

/** worker_end_begin() - close every socket; programs are no longer listened to */
void worker_end_begin(struct daemon *d, usec_t now);

/** worker_end_step() - after each pump(): is it over? Then reset, let go, and stop the loop */
void worker_end_step(struct daemon *d, usec_t now);

#endif
