/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bytes between a program's descriptor and the rings; the only user of data fds.
 *
 * The life of a program's descriptor (an AF_UNIX stream socket):
 *
 *  fresh      socket() gave the program an unconnected AF_UNIX socket, named
 *             "\0tcpd/<4|6>/<random>", of which we keep nothing. It polls and fails
 *             natively as an unconnected TCP socket does.
 *  attached   at the first call that makes state (bind, an option, listen, connect)
 *             the fd that came with the call is connected to a private listener of
 *             ours and filled until EAGAIN: not writable, not readable. Our end is
 *             registered by the SO_COOKIE of the program's end.
 *  connected  the filler is drained but for its last byte (the sentinel: one byte
 *             stays unread so that our close() is an ECONNRESET for the program).
 *  listening  stays filled; each connection arrives as one message: STREAM_ACCEPT_LEN
 *             bytes and the fd of its own pair by SCM_RIGHTS.
 *  dead       our end closed with a byte unread. An errno other than ECONNRESET is
 *             kept under the cookie for a while, for the library to ask.
 */
#ifndef TCPD_STREAM_STREAM_H
#define TCPD_STREAM_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/usec.h"

struct stream;
struct sock;
struct sock_table;
struct state;

/* What one message on a listening descriptor says: see struct stream_accept_msg. */
#define STREAM_ACCEPT_MAGIC 0x74637064u /* "tcpd" */

struct stream_accept_msg {
    uint32_t magic;
    uint16_t family;   /* of the listening socket: AF_INET or AF_INET6 */
    uint16_t port;     /* peer's, host order */
    uint8_t addr[16];  /* peer's, IPv4 as mapped */
    uint32_t scope;
    uint32_t reserved;
};

struct stream_init {
    struct state *state;
    struct sock_table *socks;
    const char *private_dir; /* where the private listener is bound before it is unlinked */
};

int stream_new(const struct stream_init *init, struct stream **ret);
struct stream *stream_free(struct stream *st);

/** stream_epoll_fd() - the one fd to watch; call stream_input() when it is readable */
int stream_epoll_fd(const struct stream *st);

/**
 * stream_fresh() - a descriptor for socket(): unconnected, named, close-on-exec
 * @family:  AF_INET or AF_INET6, put into the name
 *
 * Returns an fd that the caller passes on and closes; -errno.
 */
int stream_fresh(struct stream *st, int family);

/**
 * stream_find() - the socket behind a descriptor that a client showed us
 * @fd:  borrowed
 *
 * NULL if it is fresh or not ours.
 */
struct sock *stream_find(struct stream *st, int fd);

/** stream_fresh_family() - AF_INET or AF_INET6 if @fd is a fresh descriptor, else 0 */
int stream_fresh_family(struct stream *st, int fd);

/** stream_attach() - tie @s to the fresh descriptor @fd (borrowed); -errno */
int stream_attach(struct stream *st, struct sock *s, int fd);

/**
 * stream_connecting() - sock_connect() on @s said EINPROGRESS
 * @fd:  its descriptor (borrowed)
 *
 * An attached descriptor has a small buffer, cheap to fill. Here it gets the one
 * that it will need when connected, and is filled again.
 */
void stream_connecting(struct stream *st, struct sock *s, int fd);

/**
 * stream_shutdown() - shutdown(2) on the descriptor @fd (borrowed) of @s
 *
 * Done on the descriptor itself, so it comes after the bytes written before it;
 * stream_input() tells sock. A listening socket that reads no more is closed.
 */
void stream_shutdown(struct stream *st, struct sock *s, int fd, int how);

/** stream_was_ours() - has @fd our name and a peer that is gone or not ours any more? */
bool stream_was_ours(struct stream *st, int fd);

/** stream_harmless() - is it certain that closing @fd does not block, whoever made it? */
bool stream_harmless(struct stream *st, int fd);

/** stream_untaken() - bytes that the program wrote and that are not in the send ring yet */
uint32_t stream_untaken(struct stream *st, const struct sock *s);

/** stream_last_error() - why a dead descriptor died: positive errno, told once; 0: not known */
int stream_last_error(struct stream *st, int fd);

/**
 * stream_input() - move bytes from descriptors into send rings, within a budget
 *
 * At most 256 KB per descriptor, round robin. Returns true if some remains.
 */
bool stream_input(struct stream *st, usec_t now);

/** stream_ready() - sock says that @s has something: remember it for stream_flush() */
void stream_ready(struct stream *st, struct sock *s, unsigned what, usec_t now);

/**
 * stream_flush() - after the commit: bytes, accepted connections, EOF and resets go out
 *
 * Returns true if something could not go out yet and waits for its descriptor.
 */
bool stream_flush(struct stream *st, usec_t now);

#endif
