/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A daemon that answers from a list: one session, reply after reply, whatever is
 * asked; what was asked is kept for the test to look at.
 */
#ifndef TCPD_TESTS_FAKE_DAEMON_H
#define TCPD_TESTS_FAKE_DAEMON_H

#include <stddef.h>

#include "proto/tcpd.pb-c.h"

struct fake_daemon;

/**
 * fake_daemon_new() - listen in a directory of its own and answer in a thread
 * @replies:  sent in order; a part with .more is followed at once by the next.
 *            Their ids are filled in. Borrowed until fake_daemon_stop()
 *
 * After the last one the session is closed.
 */
struct fake_daemon *fake_daemon_new(Tcpd__V1__Reply *const *replies, size_t n);
const char *fake_daemon_path(const struct fake_daemon *d);

/** fake_daemon_garbage() - answer with bytes that are no message, instead of replies */
struct fake_daemon *fake_daemon_garbage(void);

/** fake_daemon_request() - number @i of what was asked, after fake_daemon_stop(); NULL: not asked
 */
const Tcpd__V1__Request *fake_daemon_request(const struct fake_daemon *d, size_t i);

void fake_daemon_stop(struct fake_daemon *d);
void fake_daemon_free(struct fake_daemon *d);

#endif
