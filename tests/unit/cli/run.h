/* SPDX-License-Identifier: BSD-2-Clause */
/* One run of tcpctl in this process, and what came of it. */
#ifndef TCPD_TESTS_CLI_RUN_H
#define TCPD_TESTS_CLI_RUN_H

#include "cli/ctl.h"
#include "fake_daemon.h"

struct run {
    int status;
    char *out, *err;
    struct fake_daemon *daemon; /* stopped: what it was asked can be looked at */
};

/* Words of a command line; none is changed, whatever its type says. */
#define A(text)   ((char *)(text))
#define ARGS(...) ((char *[]){A("tcpctl"), __VA_ARGS__, NULL})

/** tcpctl() - run the words with $TCPD_SOCKET naming @d; NULL: a path where nobody is */
struct run tcpctl(struct fake_daemon *d, char *args[]);
struct run tcpctl_with_input(struct fake_daemon *d, const char *input, char *args[]);

/** done() - free what it printed, and the daemon */
void done(struct run *r);

/** answering() - a daemon with this one answer. One at a time: @reply is borrowed */
struct fake_daemon *answering(Tcpd__V1__Reply *reply);

#endif
