/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of tcpctl, up to the command; errors as one line. */
#include "cli/ctl.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "proto/errors.h"

#define DEFAULT_SOCKET "/run/tcpd/tcpd.sock"

static const struct command {
    const char *name;
    int (*run)(struct ctl *ctl, int argc, char *argv[]);
    const char *args;
    const char *help;
} commands[] = {
    {"status", cmd_status, "", "is the daemon up, and how is it doing"},
    {"list", cmd_list, "[-a] [-l] [-4] [-6] [-n]", "connections and listeners"},
    {"show", cmd_show, "ID", "all about one of them"},
    {"drop", cmd_drop, "ID", "end one of them with a reset"},
    {"stats", cmd_stats, "", "counters"},
    {"ndd", cmd_ndd, "[-get] /dev/tcp NAME... | -set /dev/tcp NAME VALUE",
     "tunables; the name '?' lists them"},
};

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int help(struct ctl *ctl)
{
    fprintf(ctl->out, "usage: tcpctl [--socket PATH] [--json] COMMAND\n\n");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(ctl->out, "  %s%s%s\n        %s\n", commands[i].name,
                commands[i].args[0] ? " " : "", commands[i].args, commands[i].help);
    fprintf(ctl->out,
            "\n  --socket PATH  where the daemon listens: else $TCPD_SOCKET, else %s\n"
            "  --json         print JSON\n"
            "  --help, --version\n",
            DEFAULT_SOCKET);
    return CTL_DONE;
}

int ctl_usage(struct ctl *ctl, const char *format, ...)
{
    va_list args;

    fprintf(ctl->err, "tcpctl: ");
    va_start(args, format);
    vfprintf(ctl->err, format, args);
    va_end(args);
    fprintf(ctl->err, "\n");
    return CTL_USAGE;
}

int ctl_send(struct ctl *ctl, Tcpd__V1__Request *req, struct ctl_reply *reply)
{
    int r;

    if (!ctl->rpc) {
        r = ctl_rpc_open(ctl->socket_path, &ctl->rpc);
        if (r) {
            fprintf(ctl->err,
                    "tcpctl: cannot reach tcpd at %s: %s; is it running? (systemctl status tcpd)\n",
                    ctl->socket_path, strerror(-r));
            return CTL_FAILED;
        }
    }

    r = ctl_rpc_call(ctl->rpc, req, reply);
    if (r) {
        fprintf(ctl->err, "tcpctl: tcpd at %s gave no answer: %s\n", ctl->socket_path,
                strerror(-r));
        return CTL_FAILED;
    }
    return CTL_DONE;
}

int ctl_call(struct ctl *ctl, const char *what, Tcpd__V1__Request *req, struct ctl_reply *reply)
{
    int r;

    r = ctl_send(ctl, req, reply);
    if (r)
        return r;
    if (reply->status == ERROR_OK)
        return CTL_DONE;
    fprintf(ctl->err, "tcpctl: %s: %s\n", what,
            reply->message[0] ? reply->message : error_text(reply->status));
    return CTL_FAILED;
}

/* Takes the options that stand before the command. 0, or the exit status that they ask for. */
static bool take_options(struct ctl *ctl, int argc, char *argv[], int *at, int *status)
{
    for (*at = 1; *at < argc && argv[*at][0] == '-'; (*at)++) {
        const char *arg = argv[*at];

        if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            *status = help(ctl);
            return true;
        } else if (strcmp(arg, "--version") == 0) {
            fprintf(ctl->out, "tcpctl %s\n", TCPD_VERSION);
            *status = CTL_DONE;
            return true;
        } else if (strcmp(arg, "--json") == 0) {
            ctl->json = true;
        } else if (strncmp(arg, "--socket=", 9) == 0) {
            ctl->socket_path = arg + 9;
        } else if (strcmp(arg, "--socket") == 0) {
            if (++(*at) == argc) {
                *status = ctl_usage(ctl, "--socket needs a path");
                return true;
            }
            ctl->socket_path = argv[*at];
        } else {
            *status = ctl_usage(ctl, "unknown option '%s' (see tcpctl --help)", arg);
            return true;
        }
    }
    return false;
}

/* --json may stand after the command as well. Takes it out of argv; returns the new argc. */
static int take_json(struct ctl *ctl, int argc, char *argv[])
{
    int n = 0;

    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            ctl->json = true;
        else
            argv[n++] = argv[i];
    }
    return n;
}

static int run(struct ctl *ctl, int argc, char *argv[])
{
    const struct command *command;
    int at, status;

    if (take_options(ctl, argc, argv, &at, &status))
        return status;
    if (at == argc)
        return ctl_usage(ctl, "no command (see tcpctl --help)");

    command = command_find(argv[at]);
    if (!command)
        return ctl_usage(ctl, "unknown command '%s' (see tcpctl --help)", argv[at]);
    argc = take_json(ctl, argc - at, argv + at);
    if (argc > 1 && strcmp(argv[at + 1], "--help") == 0)
        return help(ctl);
    return command->run(ctl, argc, argv + at);
}

int ctl_main(int argc, char *argv[], FILE *in, FILE *out, FILE *err)
{
    struct ctl ctl = {.in = in, .out = out, .err = err};
    int status;

    ctl.socket_path = getenv("TCPD_SOCKET");
    if (!ctl.socket_path || !ctl.socket_path[0])
        ctl.socket_path = DEFAULT_SOCKET;

    status = run(&ctl, argc, argv);
    ctl_rpc_free(ctl.rpc);

    if (fflush(out) != 0 || ferror(out)) {
        fprintf(err, "tcpctl: cannot write the output\n");
        return status ? status : CTL_FAILED;
    }
    return status;
}
