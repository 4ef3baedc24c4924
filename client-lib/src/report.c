/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "ours.h"
#include "report.h"
#include "sys.h"

#define PARTS_MAX 10

static bool stderr_is_for_people(void)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof(ss);

    /* A journal's stderr is a socket too, but a local one. */
    if (sys_getsockname(STDERR_FILENO, &ss, &len) < 0)
        return true;
    return ss.ss_family == AF_UNIX && !ours_family(STDERR_FILENO);
}

void report_line(const char *first, ...)
{
    struct iovec iov[PARTS_MAX + 1];
    const char *part;
    int n = 0;
    va_list ap;

    if (!stderr_is_for_people())
        return;
    va_start(ap, first);
    for (part = first; part && n < PARTS_MAX; part = va_arg(ap, const char *))
        iov[n++] = (struct iovec){ (void *)(uintptr_t)part, strlen(part) };
    va_end(ap);
    iov[n++] = (struct iovec){ (void *)(uintptr_t)"\n", 1 };
    (void)SYS_CALL(SYS_writev, STDERR_FILENO, iov, n);
}

void report_unreachable(const char *path, int error)
{
    static bool said;
    const char *why = strerrordesc_np(error);

    if (__atomic_exchange_n(&said, true, __ATOMIC_RELAXED))
        return;
    report_line("tcpd: cannot reach tcpd at ", path, ": ", why ? why : "unknown error", NULL);
}
