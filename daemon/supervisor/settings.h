/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of `NAME=VALUE` lines with # comments: tcpd.conf and inetinit. */
#ifndef TCPD_SUPERVISOR_SETTINGS_H
#define TCPD_SUPERVISOR_SETTINGS_H

/*
 * Called for each setting. Returns NULL, or what is wrong with it (static text).
 */
typedef const char *settings_fn(void *ctx, const char *name, const char *value);

/**
 * settings_read() - call @f for each setting in @path
 *
 * Blanks around name and value, and quotes around a value, are taken off.
 * Errors: -errno of opening or reading; -EINVAL: a line is wrong; one line about
 * either has been logged, but not about -ENOENT.
 */
int settings_read(const char *path, settings_fn *f, void *ctx);

#endif
