/* SPDX-License-Identifier: BSD-2-Clause */
/* What a socket has to tell: bits gather until somebody asks. */
#ifndef TCPD_SOCK_READINESS_H
#define TCPD_SOCK_READINESS_H

#include "sock/handle.h"

/** readiness_add() - @what (enum sock_ready) is to be told; a queued connection tells nobody yet */
void readiness_add(struct sock *s, unsigned what);

/** readiness_of_conn() - what a connection has to tell whatever was told before */
unsigned readiness_of_conn(struct tcp_conn *conn);

#endif
