/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests to the daemon, one at a time, each waiting for its whole answer. */
#ifndef TCPD_CLI_RPC_H
#define TCPD_CLI_RPC_H

#include <stddef.h>
#include <stdint.h>

#include "proto/tcpd.pb-c.h"

struct ctl_rpc;

/* An answer, which may have come in parts. All of it belongs to the reply. */
struct ctl_reply {
    uint32_t status;     /* errors.def, of the last part */
    const char *message; /* never NULL */
    Tcpd__V1__Reply **parts;
    size_t n_parts;
};

/**
 * ctl_rpc_open() - connect to the daemon's socket at @path
 *
 * Errors: -ENAMETOOLONG, and those of socket(2) and connect(2).
 */
int ctl_rpc_open(const char *path, struct ctl_rpc **ret);
struct ctl_rpc *ctl_rpc_free(struct ctl_rpc *rpc);

/**
 * ctl_rpc_call() - send @req, its id is filled in here, and wait for the answer
 * @ret:  free it with ctl_reply_free(), also after an error
 *
 * Errors: -ETIMEDOUT (10 s without a word), -ECONNRESET (session closed), -EBADMSG
 * (not a reply of this protocol), -ENOMEM, and those of send(2) and recv(2).
 */
int ctl_rpc_call(struct ctl_rpc *rpc, Tcpd__V1__Request *req, struct ctl_reply *ret);
void ctl_reply_free(struct ctl_reply *reply);

#endif
