/* SPDX-License-Identifier: BSD-2-Clause */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/un.h>

#include "fault.h"
#include "ours.h"
#include "rpc.h"
#include "sys.h"

static int fault_name(int fd, int native)
{
    int err = rpc_error(fd);

    return err ? err : native;
}

int fault_take(int fd)
{
    int native = 0;
    socklen_t len = sizeof(native);

    if (sys_getsockopt(fd, SOL_SOCKET, SO_ERROR, &native, &len) < 0 || !native)
        return 0;
    return fault_name(fd, native);
}

static bool is_unconnected(int fd)
{
    struct sockaddr_un un;
    socklen_t len = sizeof(un);

    return sys_getpeername(fd, &un, &len) == -ENOTCONN;
}

int fault_of_read(int fd, int err, int flags)
{
    switch (err) {
    case ECONNRESET:
        return ours_family(fd) ? fault_name(fd, err) : err;
    case EINVAL:
        return ours_family(fd) && is_unconnected(fd) ? ENOTCONN : err;
    default:
        return err;
    }
}

static int pipe_fault(int fd, int flags)
{
    if (!(flags & MSG_NOSIGNAL))
        pthread_kill(pthread_self(), SIGPIPE);
    return EPIPE;
}

int fault_of_write(int fd, int err, int flags)
{
    int pending;

    switch (err) {
    case EPIPE:
        /* TCP tells once why the connection broke, without a signal; then EPIPE. */
        pending = ours_family(fd) ? fault_take(fd) : 0;
        return pending ? pending : pipe_fault(fd, flags);
    case ECONNRESET:
        return ours_family(fd) ? fault_name(fd, err) : err;
    case ENOTCONN:
        if (!ours_family(fd))
            return err;
        return flags & MSG_FASTOPEN ? EOPNOTSUPP : pipe_fault(fd, flags);
    default:
        return err;
    }
}
