/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages for the administrator; only the edges log (main, supervisor, loop).
 * One line a message, without its newline, beginning with a small letter.
 */
#ifndef TCPD_LOOP_LOG_H
#define TCPD_LOOP_LOG_H

#include <syslog.h>

#include "base/usec.h"

/** log_open() - find out whether stderr is the journal; before the first message */
void log_open(void);

/** log_level_parse() - "error", "warning", "info", "debug" to LOG_...; -EINVAL */
int log_level_parse(const char *name);
void log_set_level(int level);

void log_write(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_write(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_DEBUG, __VA_ARGS__)

/*
 * For what a peer or a client can cause: at most `burst` messages a minute, and
 * then one that says how many were left out. One struct for each kind of message.
 */
struct log_limit {
    unsigned burst;
    unsigned said, left_out;
    usec_t since;
};

void log_limited(struct log_limit *limit, usec_t now, int level, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
