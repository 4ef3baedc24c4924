/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcpctl: one command, a few requests to the daemon, its answer on paper. It
 * keeps no list of its own; what there is to see, the daemon tells.
 */
#ifndef TCPD_CLI_CTL_H
#define TCPD_CLI_CTL_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/rpc.h"

enum { CTL_DONE = 0, CTL_FAILED = 1, CTL_USAGE = 2 };

struct ctl {
    const char *socket_path;
    bool json;
    FILE *in, *out, *err;
    struct ctl_rpc *rpc;
};

/** ctl_main() - run the command line; returns the exit status. Borrows the streams */
int ctl_main(int argc, char *argv[], FILE *in, FILE *out, FILE *err);

/**
 * ctl_call() - ask the daemon; the session is made at the first call
 * @what:   of the line that is printed if the daemon refuses, as "drop 5"
 * @reply:  the caller frees it with ctl_reply_free(), whatever is returned
 *
 * Returns CTL_DONE, or CTL_FAILED after it has printed one line.
 */
int ctl_call(struct ctl *ctl, const char *what, Tcpd__V1__Request *req, struct ctl_reply *reply);

/** ctl_send() - as ctl_call(), but what the daemon answers is left to the caller to judge */
int ctl_send(struct ctl *ctl, Tcpd__V1__Request *req, struct ctl_reply *reply);

/** ctl_usage() - print one line, "tcpctl: " first; returns CTL_USAGE */
__attribute__((format(printf, 2, 3))) int ctl_usage(struct ctl *ctl, const char *format, ...);

/* argv[0] is the command's name. Each returns an exit status. */
int cmd_status(struct ctl *ctl, int argc, char *argv[]);
int cmd_list(struct ctl *ctl, int argc, char *argv[]);
int cmd_show(struct ctl *ctl, int argc, char *argv[]);
int cmd_drop(struct ctl *ctl, int argc, char *argv[]);
int cmd_stats(struct ctl *ctl, int argc, char *argv[]);
int cmd_ndd(struct ctl *ctl, int argc, char *argv[]);

#endif
