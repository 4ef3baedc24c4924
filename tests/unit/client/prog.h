/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Small unmodified programs: they know nothing of tcpd, and each says one thing that
 * must hold for a program under tcprun. prog NAME runs one and exits 0, or tells on
 * stderr what did not hold. Also for use against a real daemon.
 */
#ifndef TCPD_TESTS_PROG_H
#define TCPD_TESTS_PROG_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "%s:%d: not so: %s (errno: %s)\n", __FILE__, __LINE__, #cond,          \
                    strerror(errno));                                                              \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define CHECK_FAILS(call, err) CHECK((call) < 0 && errno == (err))

struct prog {
    const char *name;
    void (*run)(char **args);
};

extern const struct prog progs_net[], progs_error[], progs_process[];

/** prog_connect() - a blocking IPv4 connection to 127.0.0.1, or exit */
int prog_connect(int port);
/** prog_try() - as prog_connect(), but returns what connect() did; the fd in *ret */
int prog_try(int port, int *ret);
/** prog_listen() - a listening IPv4 socket of any port, told in *ret_port */
int prog_listen(int *ret_port);
/** prog_is_ours() - does the kernel say that this is one of tcpd's descriptors? */
int prog_is_ours(int fd);
/** prog_session_fd() - the number of the library's session in this process; -1 */
int prog_session_fd(void);
/** prog_self() - the path of this program */
const char *prog_self(void);

#endif
