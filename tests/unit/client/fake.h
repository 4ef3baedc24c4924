/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A daemon without TCP: real sessions, real descriptors, made-up connections. It does
 * to descriptors what daemon/stream does (stream.h), so that what the client library
 * sees is what it will see.
 *
 * Addresses do not matter, ports decide what a connect() meets:
 */
#ifndef TCPD_TESTS_FAKE_H
#define TCPD_TESTS_FAKE_H

#include <sys/types.h>

enum {
    FAKE_REFUSED = 1,     /* ECONNREFUSED, after a while */
    FAKE_SILENT = 2,      /* never an answer */
    FAKE_TIMES_OUT = 3,   /* connected; soon after broken with ETIMEDOUT */
    FAKE_ENDS = 4,        /* connected; soon after an orderly end from the peer */
    FAKE_UNREACHABLE = 5, /* ENETUNREACH at once */
    FAKE_SLOW = 6,        /* connected after 300 ms; then as FAKE_ECHO */
    FAKE_ECHO = 7,        /* connected; what is written comes back */
                          /* a port that a socket listens on: connected to that one */
                          /* any other: ECONNREFUSED */
};

/* getsockopt(fd, FAKE_LEVEL, ...) makes it misbehave, or tells what it saw. */
#define FAKE_LEVEL 0x7fff

enum {
    FAKE_HANG_UP = 1,   /* ends the session instead of answering; the second time it answers 2 */
    FAKE_LATE = 2,      /* answers after 100 ms */
    FAKE_SESSIONS = 3,  /* how many sessions there have been */
    FAKE_WHO = 4,       /* pid, uid, gid of the request: 12 bytes */
    FAKE_GARBAGE = 5,   /* sends bytes that are no reply, the first time; then answers 2 */
    FAKE_BAD_ACCEPT = 6, /* puts a connection message with a wrong magic on the listener */
};

/* setsockopt(fd, FAKE_LEVEL, FAKE_LOSE_NEXT): the next bind() is done, but not answered. */
enum {
    FAKE_LOSE_NEXT = 100,
};

/** fake_start() - a process that serves the socket @path; its pid */
pid_t fake_start(const char *path);

/** fake_stop() - kill it and wait */
void fake_stop(pid_t pid);

#endif
