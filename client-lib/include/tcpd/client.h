/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP sockets served by tcpd: the socket calls, one to one, with a prefix.
 *
 * Every function does what the call of the same name does for a TCP socket of the
 * kernel, returns what it returns and sets errno as it does. A descriptor that is
 * not one of tcpd's is handed to the kernel's own call, so the functions can be
 * used for all descriptors of a program.
 *
 * A socket is a plain descriptor: poll(), select(), epoll, read(), write(), dup(),
 * fork(), exec and passing it to another process work as for any other. The data
 * calls below only make errors exact: which errno a broken connection gives, and
 * whether SIGPIPE is raised.
 *
 * tcpd is found through $TCPD_SOCKET, else at /run/tcpd/tcpd.sock. If it cannot be
 * reached, or takes more than ten seconds to answer, a call fails with ENETDOWN;
 * nothing ever falls back to the kernel's TCP.
 *
 * All functions may be called from any thread, from a signal handler if the call of
 * the same name may, and in a child after fork() or vfork().
 */
#ifndef TCPD_CLIENT_H
#define TCPD_CLIENT_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mmsghdr;

/**
 * tcpd_socket() - socket(2)
 *
 * SOCK_STREAM of AF_INET or AF_INET6 with protocol 0 or IPPROTO_TCP is tcpd's;
 * IPPROTO_MPTCP is EPROTONOSUPPORT; all else is the kernel's.
 */
int tcpd_socket(int domain, int type, int protocol);
int tcpd_bind(int fd, const struct sockaddr *addr, socklen_t len);
int tcpd_listen(int fd, int backlog);
int tcpd_connect(int fd, const struct sockaddr *addr, socklen_t len);
int tcpd_accept(int fd, struct sockaddr *addr, socklen_t *len);
int tcpd_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags);
int tcpd_shutdown(int fd, int how);
/** tcpd_close() - close(2); waits for the data to be acknowledged if SO_LINGER says so */
int tcpd_close(int fd);

int tcpd_getsockname(int fd, struct sockaddr *addr, socklen_t *len);
int tcpd_getpeername(int fd, struct sockaddr *addr, socklen_t *len);
int tcpd_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int tcpd_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int tcpd_ioctl(int fd, unsigned long request, void *arg);

ssize_t tcpd_read(int fd, void *buf, size_t len);
ssize_t tcpd_readv(int fd, const struct iovec *iov, int count);
ssize_t tcpd_recv(int fd, void *buf, size_t len, int flags);
ssize_t tcpd_recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *addr,
                      socklen_t *addr_len);
ssize_t tcpd_recvmsg(int fd, struct msghdr *msg, int flags);
int tcpd_recvmmsg(int fd, struct mmsghdr *msgs, unsigned count, int flags,
                  struct timespec *timeout);
ssize_t tcpd_write(int fd, const void *buf, size_t len);
ssize_t tcpd_writev(int fd, const struct iovec *iov, int count);
ssize_t tcpd_send(int fd, const void *buf, size_t len, int flags);
ssize_t tcpd_sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *addr,
                    socklen_t addr_len);
ssize_t tcpd_sendmsg(int fd, const struct msghdr *msg, int flags);
int tcpd_sendmmsg(int fd, struct mmsghdr *msgs, unsigned count, int flags);
ssize_t tcpd_sendfile(int out_fd, int in_fd, off_t *offset, size_t count);

/**
 * tcpd_attach() - is this descriptor, inherited or received, a live socket of tcpd?
 *
 * Nothing has to be attached before use; this asks tcpd whether it knows the socket.
 * Returns 0; -1 with ENOTSOCK (not one of tcpd's) or ENETDOWN.
 */
int tcpd_attach(int fd);

#ifdef __cplusplus
}
#endif

#endif
