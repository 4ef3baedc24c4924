/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcprun: start a program whose TCP is tcpd's. It execs, so that the process, its
 * status and its signals are the program's own.
 */
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "exec_check.h"

#define PRELOAD_NAME "libtcpd-preload.so"

enum {
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_CANNOT_RUN = 126,
    EXIT_NOT_FOUND = 127,
};

static const char usage[] =
    "Usage: tcprun [--socket PATH] [--mode=auto|preload|seccomp] [--] PROGRAM [ARG...]\n"
    "Run PROGRAM with the TCP of tcpd instead of the kernel's.\n"
    "\n"
    "  --socket PATH  where tcpd listens (default: $TCPD_SOCKET, else /run/tcpd/tcpd.sock)\n"
    "  --mode=MODE    how the program's calls are caught: auto, preload\n"
    "                 (seccomp: not available yet)\n"
    "  --help         print this\n"
    "  --version      print the version\n"
    "\n"
    "Exit status: PROGRAM's own; 2 wrong use, 126 PROGRAM cannot be run, 127 not found.\n";

static int fail(int status, const char *text, const char *arg)
{
    fprintf(stderr, "tcprun: %s%s%s\n", arg ? arg : "", arg ? ": " : "", text);
    return status;
}

/* Beside us in the build tree, else where it was installed. */
static bool preload_find(char ret[PATH_MAX])
{
    char self[PATH_MAX], beside[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (n > 0) {
        self[n] = '\0';
        if (snprintf(beside, sizeof(beside), "%s/../client-lib/%s", dirname(self), PRELOAD_NAME) <
                (int)sizeof(beside) && realpath(beside, ret))
            return true;
    }
    return realpath(TCPD_LIBDIR "/" PRELOAD_NAME, ret) != NULL;
}

/* The library goes in front of what is preloaded anyway (a debugger of memory, say). */
static bool preload_set(const char *lib)
{
    const char *others = getenv("LD_PRELOAD");
    char *list;
    bool done;

    if (asprintf(&list, "%s%s%s", lib, others && *others ? ":" : "", others ? others : "") < 0)
        return false;
    done = setenv("LD_PRELOAD", list, 1) == 0;
    free(list);
    return done;
}

/* PROGRAM may change its directory: the path is made absolute. 0, or an exit status. */
static int socket_set(const char *path)
{
    char cwd[PATH_MAX] = "";
    char *whole;
    int status = 0;

    if (!path)
        path = getenv("TCPD_SOCKET");
    if (!path || !*path)
        return 0;
    if (*path != '/' && !getcwd(cwd, sizeof(cwd)))
        return fail(EXIT_FAILED, strerror(errno), "current directory");
    if (asprintf(&whole, "%s%s%s", cwd, *cwd ? "/" : "", path) < 0)
        return fail(EXIT_FAILED, strerror(ENOMEM), NULL);
    if (strlen(whole) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
        status = fail(EXIT_FAILED, "too long for the path of a socket", whole);
    else if (setenv("TCPD_SOCKET", whole, 1) < 0)
        status = fail(EXIT_FAILED, strerror(errno), NULL);
    free(whole);
    return status;
}

static int run(char **argv)
{
    char program[PATH_MAX], lib[PATH_MAX];
    const char *why;
    int r = exec_find(argv[0], program);

    if (r == -ENOENT)
        return fail(EXIT_NOT_FOUND, "not found", argv[0]);
    if (r < 0)
        return fail(EXIT_CANNOT_RUN, strerror(-r), argv[0]);
    if (!preload_find(lib))
        return fail(EXIT_FAILED, PRELOAD_NAME " not found", NULL);
    if (strpbrk(lib, ": \t\n"))
        return fail(EXIT_FAILED, "the dynamic linker cannot preload a library from such a path",
                    lib);
    why = exec_obstacle(program);
    if (why) {
        fprintf(stderr, "tcprun: %s %s: the preload library cannot serve it\n", argv[0], why);
        return EXIT_CANNOT_RUN;
    }
    if (!preload_set(lib))
        return fail(EXIT_FAILED, strerror(errno), NULL);
    execvp(argv[0], argv);
    return fail(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN, strerror(errno), argv[0]);
}

/* 0, or an exit status. */
static int mode_check(const char *mode)
{
    if (strcmp(mode, "auto") == 0 || strcmp(mode, "preload") == 0)
        return 0;
    if (strcmp(mode, "seccomp") == 0)
        return fail(EXIT_USAGE, "the mode seccomp is not available in this version", NULL);
    return fail(EXIT_USAGE, "no such mode (auto, preload)", mode);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "socket", required_argument, NULL, 's' },
        { "mode", required_argument, NULL, 'm' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { NULL, 0, NULL, 0 },
    };
    const char *path = NULL;
    int c, status;

    opterr = 0;
    /* "+": the options end at PROGRAM; ":": a missing argument is told apart. */
    while ((c = getopt_long(argc, argv, "+:", options, NULL)) != -1) {
        switch (c) {
        case 's':
            path = optarg;
            if (!*path)
                return fail(EXIT_USAGE, "--socket needs a path", NULL);
            break;
        case 'm':
            status = mode_check(optarg);
            if (status)
                return status;
            break;
        case 'h':
            fputs(usage, stdout);
            return fflush(stdout) ? EXIT_FAILED : 0;
        case 'V':
            puts("tcprun " TCPD_VERSION);
            return fflush(stdout) ? EXIT_FAILED : 0;
        case ':':
            return fail(EXIT_USAGE, "needs an argument (see tcprun --help)", argv[optind - 1]);
        default:
            return fail(EXIT_USAGE, "unknown option (see tcprun --help)", argv[optind - 1]);
        }
    }
    if (!argv[optind])
        return fail(EXIT_USAGE, "which program? (see tcprun --help)", NULL);
    status = socket_set(path);
    return status ? status : run(argv + optind);
}
