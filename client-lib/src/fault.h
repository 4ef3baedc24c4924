/* SPDX-License-Identifier: BSD-2-Clause */
/* What an error of the AF_UNIX descriptor means for the TCP connection behind it. */
#ifndef TCPD_CLIENT_FAULT_H
#define TCPD_CLIENT_FAULT_H

/**
 * fault_take() - SO_ERROR: the pending error of one of tcpd's descriptors, and clear it
 *
 * That there is one is the kernel's word (tcpd breaks a descriptor so that it says
 * ECONNRESET, once); which one it is, tcpd's. A positive errno, 0: none is pending.
 */
int fault_take(int fd);

/** fault_of_read() - what a failed read of any descriptor tells the program; positive errno */
int fault_of_read(int fd, int err, int flags);

/**
 * fault_of_write() - the same for a write that was made with MSG_NOSIGNAL
 *
 * Raises SIGPIPE where TCP does, unless MSG_NOSIGNAL is in @flags.
 */
int fault_of_write(int fd, int err, int flags);

#endif
