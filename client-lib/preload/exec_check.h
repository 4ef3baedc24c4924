/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Will the dynamic linker load the preload library into this program? If not, its
 * TCP would silently be the kernel's.
 */
#ifndef TCPD_PRELOAD_EXEC_CHECK_H
#define TCPD_PRELOAD_EXEC_CHECK_H

#include <limits.h>
#include <stddef.h>

/**
 * exec_find() - the file that execvp() would run
 * @ret:  PATH_MAX bytes
 *
 * 0; -ENOENT: none; -EACCES: there is one, but it may not be run.
 */
int exec_find(const char *file, char ret[PATH_MAX]);

/**
 * exec_obstacle() - why the library will not be loaded, as words that follow a name
 *
 * NULL: it will be, or the file cannot be read and the kernel has to say. Scripts are
 * judged by their interpreter. Needs no memory but the stack.
 */
const char *exec_obstacle(const char *path);
const char *exec_obstacle_fd(int fd);

#endif
