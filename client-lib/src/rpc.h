/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The calls of proto/tcpd.proto about sockets, as functions. 0, or the -errno that
 * tcpd answered; -ENETDOWN if it did not. @fd is shown to tcpd and stays the caller's.
 */
#ifndef TCPD_CLIENT_RPC_H
#define TCPD_CLIENT_RPC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/** rpc_socket() - a fresh descriptor, close-on-exec, blocking. -EMFILE */
int rpc_socket(int family, int *ret_fd);
int rpc_bind(int fd, const struct sockaddr_storage *addr);
int rpc_listen(int fd, int backlog);
/** rpc_connect() - -EINPROGRESS when it has begun */
int rpc_connect(int fd, const struct sockaddr_storage *addr);
int rpc_shutdown(int fd, int how);
/** rpc_name() - @family, of the descriptor, tells which kind of sockaddr to make */
int rpc_name(int fd, bool peer, int family, struct sockaddr_storage *ret);
int rpc_setopt(int fd, int level, int name, const void *value, socklen_t len);
/** rpc_getopt() - *len: the room, then what is in @value */
int rpc_getopt(int fd, int level, int name, void *value, socklen_t *len);
/** rpc_error() - why did this descriptor break? A positive errno, 0: tcpd does not know */
int rpc_error(int fd);
/** rpc_queue() - bytes written: not yet sent, and not yet acknowledged (the former included) */
int rpc_queue(int fd, uint32_t *ret_unsent, uint32_t *ret_unacked);
/** rpc_drain() - until all is acknowledged, at most @limit_ms. -EINTR, -ETIMEDOUT */
int rpc_drain(int fd, int limit_ms);

#endif
