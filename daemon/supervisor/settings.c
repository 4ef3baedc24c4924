/* SPDX-License-Identifier: BSD-2-Clause */
#include "supervisor/settings.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "loop/log.h"

DEFINE_CLEANUP(FILE *, fclose)

static char *trim(char *text)
{
    size_t len;

    while (isspace((unsigned char)*text))
        text++;
    len = strlen(text);
    while (len && isspace((unsigned char)text[len - 1]))
        text[--len] = '\0';
    return text;
}

static char *unquote(char *text)
{
    const size_t len = strlen(text);

    if (len < 2 || (*text != '"' && *text != '\'') || text[len - 1] != *text)
        return text;
    text[len - 1] = '\0';
    return text + 1;
}

static const char *take_line(char *line, settings_fn *f, void *ctx)
{
    char *name = trim(line), *equals;

    if (!*name || *name == '#')
        return NULL;
    equals = strchr(name, '=');
    if (!equals || equals == name)
        return "not of the form NAME=VALUE";
    *equals = '\0';
    return f(ctx, trim(name), unquote(trim(equals + 1)));
}

int settings_read(const char *path, settings_fn *f, void *ctx)
{
    _cleanup_(fclosep) FILE *file = fopen(path, "re");
    _cleanup_(freep) char *line = NULL;
    size_t size = 0;
    unsigned number = 0;

    if (!file) {
        int r = -errno;

        if (r != -ENOENT)
            log_error("cannot read %s: %s", path, strerror(-r));
        return r;
    }
    errno = 0;
    while (getline(&line, &size, file) >= 0) {
        const char *wrong = take_line(line, f, ctx);

        number++;
        if (wrong) {
            log_error("%s, line %u: %s", path, number, wrong);
            return -EINVAL;
        }
    }
    if (ferror(file)) {
        int r = errno ? -errno : -EIO;

        log_error("cannot read %s: %s", path, strerror(-r));
        return r;
    }
    return 0;
}
