/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An environment in which the next program finds the preload library and tcpd,
 * whatever the program made of its own: LD_PRELOAD has our library in it, and
 * TCPD_SOCKET is there if it was given to us.
 */
#ifndef TCPD_PRELOAD_EXEC_ENV_H
#define TCPD_PRELOAD_EXEC_ENV_H

#include <stdbool.h>
#include <stddef.h>

/** exec_env_size() - bytes that exec_env_make() needs; 0: @envp is good as it is */
size_t exec_env_size(char *const envp[]);

/** exec_env_make() - @envp (borrowed, also its strings) with what was missing, in @mem */
char **exec_env_make(char *const envp[], void *mem);

/** exec_env_restore() - put what is missing into this process's own environment */
void exec_env_restore(void);

#endif
