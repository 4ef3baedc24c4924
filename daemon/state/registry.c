/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The registry says what an fd is for; whether it is still wanted is in the
 * records. So an entry may name an fd of a socket that the last commit does not
 * know: a new worker closes that one. The other way round must not happen: an fd
 * is closed only after the entry is gone, and an fd without an entry is swept.
 */
#include "state/registry.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "state/state_internal.h"

int registry_init(struct registry *r, void *base, struct state_section *section)
{
    *r = (struct registry){
        .section = section,
        .entries = (struct fd_entry *)((uint8_t *)base + section->offset),
        .capacity = (uint32_t)section->entries,
    };
    r->later = calloc(r->capacity, sizeof(*r->later));
    return r->later ? 0 : -ENOMEM;
}

void registry_deinit(struct registry *r)
{
    free(r->later);
    *r = (struct registry){ 0 };
}

void registry_recover(struct registry *r)
{
    r->later_count = 0;
    for (uint64_t fd = 0; fd < r->section->high_water; fd++)
        r->entries[fd].closing = 0;
}

static uint64_t cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);

    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0 ? cookie : 0;
}

static struct fd_entry *entry_of(struct registry *r, int fd)
{
    return fd >= 0 && (uint32_t)fd < r->capacity ? &r->entries[fd] : NULL;
}

void state_fd_add(struct state *s, int fd, enum state_fd_kind kind, uint64_t arg)
{
    struct fd_entry *e = entry_of(&s->registry, fd);

    if (!e)
        return;
    e->arg = arg;
    e->cookie = cookie_of(fd);
    e->closing = 0;
    __atomic_store_n(&e->kind, (uint32_t)kind, __ATOMIC_RELEASE);
    s->registry.section->high_water = MAX(s->registry.section->high_water, (uint64_t)fd + 1);
}

void state_fd_close_later(struct state *s, int fd)
{
    struct registry *r = &s->registry;
    struct fd_entry *e = entry_of(r, fd);

    if (!e || e->closing)
        return;
    e->closing = 1;
    r->later[r->later_count++] = fd;
}

void registry_committed(struct registry *r)
{
    const uint32_t count = r->later_count;

    r->later_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct fd_entry *e = &r->entries[r->later[i]];

        if (!e->closing)
            continue; /* the number has got another owner meanwhile */
        __atomic_store_n(&e->kind, (uint32_t)STATE_FD_NONE, __ATOMIC_RELEASE);
        e->closing = 0;
        (void)close(r->later[i]);
    }
}

void state_fd_each(struct state *s,
                   void (*f)(void *ctx, int fd, enum state_fd_kind kind, uint64_t arg), void *ctx)
{
    for (uint64_t fd = 0; fd < s->registry.section->high_water; fd++) {
        const struct fd_entry *e = &s->registry.entries[fd];

        if (e->kind != STATE_FD_NONE)
            f(ctx, (int)fd, (enum state_fd_kind)e->kind, e->arg);
    }
}

void state_fd_sweep(struct state *s)
{
    unsigned from = 3;

    for (unsigned fd = from; fd < s->registry.section->high_water; fd++) {
        if (s->registry.entries[fd].kind == STATE_FD_NONE)
            continue;
        if (fd > from)
            (void)close_range(from, fd - 1, 0);
        from = fd + 1;
    }
    (void)close_range(from, ~0u, 0);
}
