/* SPDX-License-Identifier: BSD-2-Clause */
/* What the service manager is told. Without one (no NOTIFY_SOCKET) nothing happens. */
#ifndef TCPD_PRIV_NOTIFY_H
#define TCPD_PRIV_NOTIFY_H

#include "base/usec.h"

/** notify_ready() - READY=1, with a line for `systemctl status` */
void notify_ready(const char *status);
void notify_status(const char *status);
void notify_stopping(void);

/** notify_watchdog_interval() - how often notify_watchdog() is expected; 0: never */
usec_t notify_watchdog_interval(void);
void notify_watchdog(void);

#endif
