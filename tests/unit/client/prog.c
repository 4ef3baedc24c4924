/* SPDX-License-Identifier: BSD-2-Clause */
#include "prog.h"

#include <arpa/inet.h>
#include <limits.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_in local(int port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

int prog_try(int port, int *ret)
{
    struct sockaddr_in sin = local(port);

    *ret = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(*ret >= 0);
    return connect(*ret, (struct sockaddr *)&sin, sizeof(sin));
}

int prog_connect(int port)
{
    int fd;

    CHECK(prog_try(port, &fd) == 0);
    return fd;
}

int prog_listen(int *ret_port)
{
    struct sockaddr_in sin = local(0);
    socklen_t len = sizeof(sin);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(fd >= 0);
    CHECK(bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0);
    CHECK(listen(fd, 8) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&sin, &len) == 0 && len == sizeof(sin));
    *ret_port = ntohs(sin.sin_port);
    CHECK(*ret_port > 0);
    return fd;
}

int prog_is_ours(int fd)
{
    struct sockaddr_un un;
    socklen_t len = sizeof(un);

    return syscall(SYS_getsockname, fd, &un, &len) == 0 && un.sun_family == AF_UNIX &&
           memcmp(un.sun_path, "\0tcpd/", 6) == 0;
}

int prog_session_fd(void)
{
    int fd;

    for (fd = 3; fd < 1024; fd++) {
        int type = 0;
        socklen_t len = sizeof(type);

        if (syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
            type == SOCK_SEQPACKET)
            return fd;
    }
    return -1;
}

const char *prog_self(void)
{
    static char path[PATH_MAX];

    CHECK(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
    return path;
}

static void run(const struct prog *p, char **argv)
{
    for (; p->name; p++)
        if (strcmp(p->name, argv[1]) == 0) {
            p->run(argv + 2);
            exit(0);
        }
}

int main(int argc, char **argv)
{
    alarm(20); /* whatever hangs has failed */
    if (argc > 1) {
        run(progs_net, argv);
        run(progs_error, argv);
        run(progs_process, argv);
    }
    fprintf(stderr, "no such program\n");
    return 2;
}
