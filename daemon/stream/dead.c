/* SPDX-License-Identifier: BSD-2-Clause */
#include "stream/dead.h"

void dead_put(struct dead *d, uint64_t cookie, int error)
{
    struct dead_stone *stone = &d->stones[d->next];

    dead_take(d, cookie);
    if (stone->cookie != 0)
        idmap_take(&d->by_cookie, stone->cookie);
    stone->cookie = 0;
    if (idmap_reserve(&d->by_cookie) < 0)
        return;
    stone->cookie = cookie;
    stone->error = error;
    idmap_put(&d->by_cookie, cookie, stone);
    d->next = (d->next + 1) % DEAD_MAX;
}

int dead_take(struct dead *d, uint64_t cookie)
{
    struct dead_stone *stone = idmap_take(&d->by_cookie, cookie);

    if (!stone)
        return 0;
    stone->cookie = 0;
    return stone->error;
}

void dead_deinit(struct dead *d)
{
    idmap_deinit(&d->by_cookie);
}
