/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line, the configuration file, and /etc/default/inetinit. */
#ifndef TCPD_SUPERVISOR_OPTIONS_H
#define TCPD_SUPERVISOR_OPTIONS_H

#include <limits.h>
#include <stdbool.h>

struct options {
    char socket[108]; /* what fits sun_path */
    char config[PATH_MAX];
    char state_dir[PATH_MAX];
    char inetinit[PATH_MAX];
    int log_level;  /* LOG_... */
    int strong_iss; /* TCP_STRONG_ISS, -1: not said */
    /* Given on the command line, so the configuration file does not change it. */
    bool socket_given, config_given, state_dir_given, inetinit_given, log_level_given;
};

enum options_verdict {
    OPTIONS_RUN,   /* start */
    OPTIONS_DONE,  /* --help, --version: exit 0 */
    OPTIONS_USAGE, /* exit 2; one line was written to stderr */
    OPTIONS_FAIL,  /* a file is missing or wrong: exit 1; one line was written to stderr */
};

/** options_parse() - everything that is to be known before anything is opened */
enum options_verdict options_parse(int argc, char **argv, struct options *ret);

/**
 * options_reload() - read the configuration file again; only log-level takes effect
 *
 * Errors: as settings_read(); one line has been logged and nothing changed.
 */
int options_reload(struct options *o);

#endif
