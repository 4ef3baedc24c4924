/* SPDX-License-Identifier: BSD-2-Clause */
#include "stream/hidden.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

static int measure_one(const int pair[2], char *buf, uint32_t len, uint32_t *ret)
{
    int outq;

    if (send(pair[0], buf, len, MSG_DONTWAIT) != (ssize_t)len)
        return -EIO;
    if (ioctl(pair[0], SIOCOUTQ, &outq) < 0)
        return -errno;
    if (recv(pair[1], buf, len, MSG_DONTWAIT) != (ssize_t)len)
        return -EIO;
    *ret = (uint32_t)outq;
    return 0;
}

int hidden_costs_measure(struct hidden_costs *c)
{
    _cleanup_(freep) char *buf = calloc(1, HIDDEN_CHUNK_MAX);
    int pair[2], r = 0;

    if (!buf)
        return -ENOMEM;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    for (uint32_t i = 0; i < ARRAY_LEN(c->truesize) && r == 0; i++)
        r = measure_one(pair, buf, (i + 1) * HIDDEN_STEP, &c->truesize[i]);
    close(pair[0]);
    close(pair[1]);
    return r;
}

int hidden_reserve(struct hidden *h)
{
    uint32_t size = h->size ? h->size * 2 : 8;
    struct hidden_chunk *chunks;

    if (h->count < h->size)
        return 0;
    chunks = calloc(size, sizeof(*chunks));
    if (!chunks)
        return -ENOMEM;
    for (uint32_t i = 0; i < h->count; i++)
        chunks[i] = h->chunks[(h->first + i) & (h->size - 1)];
    free(h->chunks);
    h->chunks = chunks;
    h->size = size;
    h->first = 0;
    return 0;
}

void hidden_push(struct hidden *h, uint32_t bytes, uint32_t truesize)
{
    h->chunks[(h->first + h->count++) & (h->size - 1)] =
        (struct hidden_chunk){ .bytes = bytes, .truesize = truesize };
    h->bytes += bytes;
    h->truesize += truesize;
}

uint32_t hidden_settle(struct hidden *h, uint32_t outq)
{
    uint32_t before = h->bytes;

    while (h->count > 0) {
        const struct hidden_chunk *c = &h->chunks[h->first];

        /* An empty queue is the truth whatever the FIFO sums up to. */
        if (outq > 0 && h->truesize - c->truesize < outq)
            break;
        h->bytes -= c->bytes;
        h->truesize -= c->truesize;
        h->first = (h->first + 1) & (h->size - 1);
        h->count--;
    }
    if (h->count == 0)
        hidden_deinit(h); /* an idle descriptor holds nothing */
    return before - h->bytes;
}

void hidden_deinit(struct hidden *h)
{
    free(h->chunks);
    *h = (struct hidden){ 0 };
}
