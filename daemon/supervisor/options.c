/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A setting of the configuration file has the name of its long option, and the
 * command line wins. A file that is named by the user must be there; one in its
 * default place need not.
 */
#include "supervisor/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "loop/log.h"
#include "supervisor/settings.h"

static const char help_text[] =
    "Usage: tcpd [OPTION]...\n"
    "TCP as a service for the programs of this host.\n"
    "\n"
    "  --socket PATH      where clients reach it (default /run/tcpd/tcpd.sock)\n"
    "  --config FILE      settings, as NAME=VALUE with the names of these options\n"
    "                     (default /etc/tcpd/tcpd.conf)\n"
    "  --state-dir DIR    where properties are kept (default /var/lib/tcpd)\n"
    "  --inetinit FILE    initial sequence number set-up (default /etc/default/inetinit)\n"
    "  --log-level LEVEL  error, warning, info or debug (default info)\n"
    "  --help             print this and exit\n"
    "  --version          print the version and exit\n"
    "\n"
    "It stays in the foreground, and ends on SIGTERM.\n";

static const struct option long_options[] = {
    { "socket", required_argument, NULL, 's' },    { "config", required_argument, NULL, 'c' },
    { "state-dir", required_argument, NULL, 'd' }, { "inetinit", required_argument, NULL, 'i' },
    { "log-level", required_argument, NULL, 'l' }, { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'v' },         { NULL, 0, NULL, 0 },
};

static const char *set_path(char *to, const char *path, size_t max)
{
    const size_t len = strlen(path);

    if (!len)
        return "an empty path";
    if (len >= max)
        return "the path is too long";
    memcpy(to, path, len + 1);
    return NULL;
}

/* Returns NULL, or what is wrong with @value. */
static const char *set_option(struct options *o, int which, const char *value)
{
    switch (which) {
    case 's':
        return set_path(o->socket, value, sizeof(o->socket));
    case 'c':
        return set_path(o->config, value, PATH_MAX);
    case 'd':
        return set_path(o->state_dir, value, PATH_MAX);
    case 'i':
        return set_path(o->inetinit, value, PATH_MAX);
    case 'l':
        if (log_level_parse(value) < 0)
            return "the level is one of error, warning, info, debug";
        o->log_level = log_level_parse(value);
        return NULL;
    default:
        return "not an option";
    }
}

static bool *given(struct options *o, int which)
{
    return which == 's'   ? &o->socket_given
           : which == 'c' ? &o->config_given
           : which == 'd' ? &o->state_dir_given
           : which == 'i' ? &o->inetinit_given
                          : &o->log_level_given;
}

static enum options_verdict usage(const char *what, const char *about)
{
    (void)fprintf(stderr, "tcpd: %s%s%s; try --help\n", what, *about ? ": " : "", about);
    return OPTIONS_USAGE;
}

static enum options_verdict parse_arguments(int argc, char **argv, struct options *o)
{
    const char *wrong;
    int c;

    opterr = 0;
    optind = 1;
    while ((c = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
        switch (c) {
        case 'h':
            return fputs(help_text, stdout) < 0 ? OPTIONS_FAIL : OPTIONS_DONE;
        case 'v':
            return puts("tcpd " TCPD_VERSION) < 0 ? OPTIONS_FAIL : OPTIONS_DONE;
        case ':':
            return usage("an argument is missing", argv[optind - 1]);
        case '?':
            return usage("unknown option", argv[optind - 1]);
        default:
            wrong = set_option(o, c, optarg);
            if (wrong)
                return usage(wrong, optarg);
            *given(o, c) = true;
        }
    }
    if (optind < argc)
        return usage("unexpected argument", argv[optind]);
    return OPTIONS_RUN;
}

static const char *take_setting(void *ctx, const char *name, const char *value)
{
    struct options *o = ctx;

    for (const struct option *opt = long_options; opt->name; opt++) {
        if (opt->has_arg != required_argument || opt->val == 'c' || strcmp(opt->name, name) != 0)
            continue;
        return *given(o, opt->val) ? NULL : set_option(o, opt->val, value);
    }
    return "no such setting";
}

static const char *take_reloaded(void *ctx, const char *name, const char *value)
{
    return strcmp(name, "log-level") == 0 ? take_setting(ctx, name, value) : NULL;
}

static const char *take_inetinit(void *ctx, const char *name, const char *value)
{
    struct options *o = ctx;

    if (strcmp(name, "TCP_STRONG_ISS") != 0)
        return NULL; /* other settings of that file are not ours */
    if (strlen(value) != 1 || *value < '0' || *value > '2')
        return "TCP_STRONG_ISS is one of 0, 1, 2";
    o->strong_iss = *value - '0';
    return NULL;
}

static enum options_verdict read_file(const char *path, bool must, settings_fn *f,
                                      struct options *o)
{
    const int r = settings_read(path, f, o);

    if (r == -ENOENT && must)
        log_error("cannot read %s: %s", path, strerror(-r));
    return !r || (r == -ENOENT && !must) ? OPTIONS_RUN : OPTIONS_FAIL;
}

enum options_verdict options_parse(int argc, char **argv, struct options *ret)
{
    enum options_verdict v;

    *ret = (struct options){
        .socket = "/run/tcpd/tcpd.sock",
        .config = "/etc/tcpd/tcpd.conf",
        .state_dir = "/var/lib/tcpd",
        .inetinit = "/etc/default/inetinit",
        .log_level = LOG_INFO,
        .strong_iss = -1,
    };
    v = parse_arguments(argc, argv, ret);
    if (v == OPTIONS_RUN)
        v = read_file(ret->config, ret->config_given, take_setting, ret);
    if (v == OPTIONS_RUN)
        v = read_file(ret->inetinit, ret->inetinit_given, take_inetinit, ret);
    return v;
}

int options_reload(struct options *o)
{
    struct options new = *o;
    const int r = settings_read(o->config, take_reloaded, &new);

    if (r == -ENOENT && o->config_given)
        log_error("cannot read %s: %s", o->config, strerror(-r));
    if (r && (r != -ENOENT || o->config_given))
        return r;
    *o = new;
    log_set_level(o->log_level);
    return 0;
}
