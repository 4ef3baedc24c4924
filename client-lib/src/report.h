/* SPDX-License-Identifier: BSD-2-Clause */
/* What a person must see: one line on stderr, without stdio. */
#ifndef TCPD_CLIENT_REPORT_H
#define TCPD_CLIENT_REPORT_H

/**
 * report_unreachable() - "tcpd: cannot reach tcpd at PATH: why", once per process
 *
 * Says nothing where descriptor 2 is a network connection: it would go to a peer.
 */
void report_unreachable(const char *path, int error);

/** report_line() - the parts, joined; the last one is NULL. Same caution, every time */
void report_line(const char *first, ...) __attribute__((sentinel));

#endif
