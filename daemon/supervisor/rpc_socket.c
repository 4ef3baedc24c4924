/* SPDX-License-Identifier: BSD-2-Clause */
#include "supervisor/rpc_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "loop/log.h"

static void closep(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };

    (void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
    return sa;
}

static int socket_new(void)
{
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd < 0 ? -errno : fd;
}

/* Nobody listens at a socket file exactly if connecting is refused. */
static bool is_stale(const char *path)
{
    const struct sockaddr_un sa = address_of(path);
    _cleanup_(closep) int fd = socket_new();
    struct stat st;

    if (fd < 0 || lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return false;
    return connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 && errno == ECONNREFUSED;
}

static void directory_of(const char *path, char ret[PATH_MAX])
{
    char copy[PATH_MAX];

    (void)snprintf(copy, sizeof(copy), "%s", path);
    (void)snprintf(ret, PATH_MAX, "%s", dirname(copy));
}

static int bind_at(int fd, const char *path)
{
    const struct sockaddr_un sa = address_of(path);

    if (bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0)
        return 0;
    if (errno != EADDRINUSE)
        return -errno;
    if (!is_stale(path))
        return -EADDRINUSE;
    if (unlink(path) < 0 || bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
        return -errno;
    return 0;
}

static int listen_at(const char *path)
{
    _cleanup_(closep) int fd = socket_new();
    char dir[PATH_MAX];
    int r;

    if (fd < 0)
        return fd;
    directory_of(path, dir);
    if (mkdir(dir, 0755) < 0 && errno != EEXIST)
        return -errno;
    r = bind_at(fd, path);
    if (r)
        return r;
    /* Everybody may ask; what a caller may do is decided for each request. */
    if (chmod(path, 0666) < 0 || listen(fd, SOMAXCONN) < 0) {
        r = -errno;
        (void)unlink(path);
        return r;
    }
    return TAKE_FD(fd);
}

/* Returns the fd that the service manager passed, 0 if none, -EINVAL if it is not one of ours. */
static int activated_fd(void)
{
    const int count = sd_listen_fds(1), fd = SD_LISTEN_FDS_START;
    int flags;

    if (count <= 0)
        return 0;
    flags = fcntl(fd, F_GETFL);
    if (count > 1 || sd_is_socket(fd, AF_UNIX, SOCK_SEQPACKET, 1) <= 0 || flags < 0 ||
        fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -EINVAL;
    return fd;
}

static int private_dir_new(struct rpc_socket *rs)
{
    char dir[PATH_MAX];
    int n;

    directory_of(rs->path, dir);
    n = snprintf(rs->private_dir, sizeof(rs->private_dir), "%s/.XXXXXX", dir);
    if (n < 0 || (size_t)n >= sizeof(rs->private_dir))
        return -ENAMETOOLONG;
    if (mkdtemp(rs->private_dir))
        return 0;
    rs->private_dir[0] = '\0';
    return -errno;
}

static void complain(const char *path, int error)
{
    if (error == -EADDRINUSE)
        log_error("%s is in use: another tcpd answers there, or it is not a socket; stop that "
                  "one, or choose another path with --socket",
                  path);
    else
        log_error("cannot listen at %s: %s; is its directory there and writable?", path,
                  strerror(-error));
}

int rpc_socket_open(struct rpc_socket *ret, const char *path)
{
    struct rpc_socket rs = { .fd = -1 };
    int r;

    (void)snprintf(rs.path, sizeof(rs.path), "%s", path);
    rs.fd = activated_fd();
    if (rs.fd < 0) {
        log_error("the service manager passed something else than one listening seqpacket "
                  "socket; see tcpd.socket");
        return rs.fd;
    }
    rs.activated = rs.fd > 0;
    if (!rs.activated)
        rs.fd = listen_at(path);
    if (rs.fd < 0) {
        complain(path, rs.fd);
        return rs.fd;
    }
    r = private_dir_new(&rs);
    if (r) {
        log_error("cannot make a private directory beside %s: %s", path, strerror(-r));
        rpc_socket_close(&rs);
        return r;
    }
    *ret = rs;
    return 0;
}

void rpc_socket_close(struct rpc_socket *rs)
{
    if (rs->fd < 0)
        return;
    (void)close(rs->fd);
    rs->fd = -1;
    if (!rs->activated)
        (void)unlink(rs->path);
    if (*rs->private_dir)
        (void)rmdir(rs->private_dir);
}
