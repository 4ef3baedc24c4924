/* SPDX-License-Identifier: BSD-2-Clause */
/* Capabilities: what the worker keeps, and that it can gain nothing more. */
#ifndef TCPD_PRIV_CAPS_H
#define TCPD_PRIV_CAPS_H

/** caps_names() - the capabilities that tcpd needs, for a message to the administrator */
const char *caps_names(void);

/**
 * caps_drop() - keep these and no others, for good; execve gains nothing either
 *
 * Errors: -EPERM: one of them is not there to keep. -errno of prctl().
 */
int caps_drop(void);

#endif
