/* SPDX-License-Identifier: BSD-2-Clause */
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "ours.h"
#include "sys.h"

uint8_t ours_hints[HINT_FDS];

int ours_family(int fd)
{
    static const char prefix[] = "\0tcpd/";
    struct sockaddr_un un;
    socklen_t len = sizeof(un);
    int family = 0;

    if (sys_getsockname(fd, &un, &len) == 0 && un.sun_family == AF_UNIX &&
        len > offsetof(struct sockaddr_un, sun_path) + 8 &&
        memcmp(un.sun_path, prefix, sizeof(prefix) - 1) == 0 && un.sun_path[7] == '/') {
        if (un.sun_path[6] == '4')
            family = AF_INET;
        else if (un.sun_path[6] == '6')
            family = AF_INET6;
    }
    if (!family)
        ours_hint_set(fd, HINT_OTHER);
    else if (!(ours_hint(fd) & HINT_OURS))
        ours_hint_set(fd, HINT_OURS);
    return family;
}

void ours_forget_range(unsigned first, unsigned last)
{
    unsigned i;

    for (i = first; i <= last && i < HINT_FDS; i++)
        ours_forget((int)i);
}
