/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything goes to stderr. Under systemd stderr is a stream to the journal,
 * which takes the level from a "<3>" in front of a line (sd-daemon.h). So a
 * message needs no fd of its own: one that a logging library kept open would be
 * in the fd table that supervisor and worker share, known to neither.
 */
#include "loop/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LINE_MAX_BYTES 1024

static struct {
    int level;
    bool journal;
} the_log = { .level = LOG_INFO };

void log_open(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;

    the_log.journal = stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
                      fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

int log_level_parse(const char *name)
{
    static const struct {
        const char *name;
        int level;
    } levels[] = { { "error", LOG_ERR },
                   { "warning", LOG_WARNING },
                   { "info", LOG_INFO },
                   { "debug", LOG_DEBUG } };

    for (size_t i = 0; i < ARRAY_LEN(levels); i++)
        if (strcmp(levels[i].name, name) == 0)
            return levels[i].level;
    return -EINVAL;
}

void log_set_level(int level)
{
    the_log.level = level;
}

static void log_vwrite(int level, const char *format, va_list args)
{
    char line[LINE_MAX_BYTES];
    int at, n;

    if (level > the_log.level)
        return;
    at = the_log.journal ? snprintf(line, sizeof(line), "<%d>", level)
                         : snprintf(line, sizeof(line), "tcpd: ");
    n = vsnprintf(line + at, sizeof(line) - 1 - (size_t)at, format, args);
    if (n < 0)
        return;
    at = MIN(at + n, (int)sizeof(line) - 2);
    line[at++] = '\n';
    /* One write a line, so that the lines of two processes do not mix. */
    if (write(STDERR_FILENO, line, (size_t)at) < 0)
        return; /* nobody reads it: there is nowhere to say so */
}

void log_write(int level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_vwrite(level, format, args);
    va_end(args);
}

void log_limited(struct log_limit *limit, usec_t now, int level, const char *format, ...)
{
    va_list args;

    if (!limit->since || usec_since(limit->since, now) >= 60 * USEC_PER_SEC) {
        if (limit->left_out)
            log_write(level, "%u more messages like the last one were left out", limit->left_out);
        limit->since = now;
        limit->said = limit->left_out = 0;
    }
    if (limit->said >= limit->burst) {
        limit->left_out++;
        return;
    }
    limit->said++;
    va_start(args, format);
    log_vwrite(level, format, args);
    va_end(args);
}
