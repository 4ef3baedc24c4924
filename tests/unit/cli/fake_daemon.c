/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_daemon.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define REQUESTS_MAX 8
#define MESSAGE_MAX  65536

struct fake_daemon {
    char dir[32];
    struct sockaddr_un addr;
    int listen_fd;
    pthread_t thread;
    bool stopped, garbage;
    Tcpd__V1__Reply *const *replies;
    size_t n_replies;
    Tcpd__V1__Request *requests[REQUESTS_MAX];
    size_t n_requests;
};

static bool receive(struct fake_daemon *d, int fd)
{
    uint8_t buf[MESSAGE_MAX];
    ssize_t len = recv(fd, buf, sizeof(buf), 0);
    Tcpd__V1__Request *req;

    if (len <= 0 || d->n_requests == REQUESTS_MAX)
        return false;
    req = tcpd__v1__request__unpack(NULL, (size_t)len, buf);
    assert(req);
    d->requests[d->n_requests++] = req;
    return true;
}

/* One answer, with all its parts. */
static void answer(struct fake_daemon *d, int fd, uint64_t id, size_t *next)
{
    uint8_t buf[MESSAGE_MAX];
    bool more = true;

    if (d->garbage) {
        (void)!write(fd, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11);
        return;
    }
    while (more && *next < d->n_replies) {
        Tcpd__V1__Reply *reply = d->replies[(*next)++];

        reply->id = id;
        more = reply->more;
        assert(tcpd__v1__reply__get_packed_size(reply) <= sizeof(buf));
        (void)!write(fd, buf, tcpd__v1__reply__pack(reply, buf));
    }
}

static void *serve(void *arg)
{
    struct fake_daemon *d = arg;
    int fd = accept(d->listen_fd, NULL, NULL);
    size_t next = 0;

    if (fd < 0)
        return NULL;
    while (receive(d, fd)) {
        answer(d, fd, d->requests[d->n_requests - 1]->id, &next);
        if (next == d->n_replies)
            break;
    }
    /* what is still asked for is kept, too, but never answered */
    shutdown(fd, SHUT_WR);
    while (receive(d, fd))
        ;
    close(fd);
    return NULL;
}

static struct fake_daemon *start(struct fake_daemon template)
{
    struct fake_daemon *d = malloc(sizeof(*d));
    int r;

    assert(d);
    *d = template;
    strcpy(d->dir, "/tmp/tcpctl-test-XXXXXX");
    if (!mkdtemp(d->dir))
        abort();
    d->addr.sun_family = AF_UNIX;
    snprintf(d->addr.sun_path, sizeof(d->addr.sun_path), "%s/sock", d->dir);
    d->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    r = bind(d->listen_fd, (struct sockaddr *)&d->addr, sizeof(d->addr));
    if (r == 0)
        r = listen(d->listen_fd, 1);
    if (r == 0)
        r = pthread_create(&d->thread, NULL, serve, d);
    if (r != 0)
        abort();
    return d;
}

struct fake_daemon *fake_daemon_new(Tcpd__V1__Reply *const *replies, size_t n)
{
    return start((struct fake_daemon){.replies = replies, .n_replies = n});
}

struct fake_daemon *fake_daemon_garbage(void)
{
    return start((struct fake_daemon){.garbage = true});
}

const char *fake_daemon_path(const struct fake_daemon *d)
{
    return d->addr.sun_path;
}

const Tcpd__V1__Request *fake_daemon_request(const struct fake_daemon *d, size_t i)
{
    return i < d->n_requests ? d->requests[i] : NULL;
}

void fake_daemon_stop(struct fake_daemon *d)
{
    if (d->stopped)
        return;
    shutdown(d->listen_fd, SHUT_RDWR); /* wakes an accept that nobody came to */
    pthread_join(d->thread, NULL);
    d->stopped = true;
}

void fake_daemon_free(struct fake_daemon *d)
{
    fake_daemon_stop(d);
    for (size_t i = 0; i < d->n_requests; i++)
        tcpd__v1__request__free_unpacked(d->requests[i], NULL);
    close(d->listen_fd);
    unlink(d->addr.sun_path);
    rmdir(d->dir);
    free(d);
}
