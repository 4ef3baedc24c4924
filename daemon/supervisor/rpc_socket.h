/* SPDX-License-Identifier: BSD-2-Clause */
/* The socket at which clients reach tcpd, and the directory beside it. */
#ifndef TCPD_SUPERVISOR_RPC_SOCKET_H
#define TCPD_SUPERVISOR_RPC_SOCKET_H

#include <stdbool.h>

struct rpc_socket {
    int fd;
    bool activated; /* the service manager made it and keeps it */
    char path[108];
    char private_dir[108]; /* 0700 */
};

/**
 * rpc_socket_open() - listen at @path, or take over what the service manager passed
 *
 * A socket file that nobody answers at is removed. Errors: -errno; one line has
 * been logged.
 */
int rpc_socket_open(struct rpc_socket *ret, const char *path);

/** rpc_socket_close() - close and remove what rpc_socket_open() made */
void rpc_socket_close(struct rpc_socket *rs);

#endif
