/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making the two memfds, and starting on them. The supervisor maps them before
 * it starts a worker, so a worker inherits the mappings; what is private to a
 * worker (allocator, indices) it inherits empty, because the supervisor never
 * uses it, and rebuilds in state_attach().
 */
#include "state/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "state/state_internal.h"

DEFINE_CLEANUP(struct state *, state_free)

/* A memfd that keeps its size, so that no access to a mapping of it can fault. */
static int memfd_sealed(const char *name, uint64_t bytes)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -errno;
    if (ftruncate(fd, (off_t)bytes) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        int r = -errno;

        (void)close(fd);
        return r;
    }
    return fd;
}

static int map_at(void *address, int fd, uint64_t bytes)
{
    void *p = mmap(address, bytes, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_NORESERVE, fd, 0);

    if (p == MAP_FAILED)
        return -errno;
    if (p == address)
        return 0;
    (void)munmap(p, bytes);
    return -EEXIST;
}

static int map_both(struct state *s, const struct state_header *plan)
{
    int r;

    s->memfd = memfd_sealed("tcpd-state", plan->bytes);
    if (s->memfd < 0)
        return s->memfd;
    s->arena_fd = memfd_sealed("tcpd-arena", plan->arena_bytes);
    if (s->arena_fd < 0)
        return s->arena_fd;
    r = map_at(STATE_ADDRESS, s->memfd, plan->bytes);
    if (r)
        return r;
    s->header = STATE_ADDRESS;
    *s->header = *plan;
    layout_write_fields(s->header);
    r = map_at(ARENA_ADDRESS, s->arena_fd, plan->arena_bytes);
    if (r)
        return r;
    s->arena_base = ARENA_ADDRESS;
    return 0;
}

/* Everything that is private to a process, as if the memfds were empty. */
static int private_init(struct state *s)
{
    struct state_header *h = s->header;
    int r;

    r = arena_init(&s->arena, s->arena_fd, s->arena_base, h->arena_bytes);
    if (r)
        return r;
    r = slots_init(&s->conns, h, layout_section(h, SECTION_CONNS));
    if (r)
        return r;
    r = slots_init(&s->socks, h, layout_section(h, SECTION_SOCKS));
    if (r)
        return r;
    r = registry_init(&s->registry, h, layout_section(h, SECTION_FDS));
    if (r)
        return r;
    move_log_init(&s->moves, h, layout_section(h, SECTION_MOVES));
    return 0;
}

int state_create(const struct state_limits *limits, struct state **ret)
{
    _cleanup_(state_freep) struct state *s = NULL;
    struct state_header plan;
    int r;

    if (!limits->sockets || !limits->fds || limits->arena_bytes > ARENA_MAX_BYTES)
        return -EINVAL;
    s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->memfd = s->arena_fd = -1;
    s->global.next_id = 1;
    if (getrandom(s->global.seed, sizeof(s->global.seed), 0) != sizeof(s->global.seed))
        return -errno;
    layout_plan(limits, &plan);
    r = map_both(s, &plan);
    if (r)
        return r;
    r = private_init(s);
    if (r)
        return r;
    state_commit_store(s, 1);
    state_fd_add(s, s->memfd, STATE_FD_SYSTEM, 0);
    state_fd_add(s, s->arena_fd, STATE_FD_SYSTEM, 0);
    *ret = TAKE(s);
    return 0;
}

struct state *state_free(struct state *s)
{
    if (!s)
        return NULL;
    arena_deinit(&s->arena);
    slots_deinit(&s->conns);
    slots_deinit(&s->socks);
    registry_deinit(&s->registry);
    if (s->arena_base)
        (void)munmap(s->arena_base, s->header->arena_bytes);
    if (s->header)
        (void)munmap(s->header, s->header->bytes);
    if (s->arena_fd >= 0)
        (void)close(s->arena_fd);
    if (s->memfd >= 0)
        (void)close(s->memfd);
    free(s);
    return NULL;
}

static int global_recover(struct state *s, uint64_t generation)
{
    const struct global_copy *a = state_global_copy(s, generation);
    const struct global_copy *b = state_global_copy(s, generation - 1);

    if (a->generation != generation)
        a = b;
    if (!a->generation || a->generation > generation)
        return -EPROTO;
    s->global = a->global;
    return 0;
}

static void count_move(void *ctx, const struct state_move *m)
{
    ++*(uint32_t *)ctx;
}

/*
 * The rings are the connections' and go with them. Holes, not zeroes: this
 * gives the memory back, and the next owner of an extent reads none of it.
 */
static void rings_discard(struct state *s)
{
    (void)fallocate(s->arena_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                    (off_t)s->header->arena_bytes);
}

int state_attach(struct state *s)
{
    uint64_t generation;
    int r;

    r = layout_check(s->header);
    if (r)
        return r;
    generation = state_generation(s);
    r = global_recover(s, generation);
    if (r)
        return r;
    slots_recover(&s->conns, generation);
    slots_recover(&s->socks, generation);
    registry_recover(&s->registry);
    s->inherited = (struct state_inherited){ .conns = s->conns.used, .socks = s->socks.used };
    move_log_each(&s->moves, generation, count_move, &s->inherited.moves);

    /* This worker starts empty: what the former one left ends with its first commit. */
    slots_bury_all(&s->conns, generation + 1);
    slots_bury_all(&s->socks, generation + 1);
    s->global.workers++;
    state_commit_store(s, generation + 1);
    state_commit_done(s);
    rings_discard(s);

    /* A swapped-out record costs time, not safety: without the right to lock, go on. */
    (void)mlock2(s->header, s->header->bytes, MLOCK_ONFAULT);
    return 0;
}

void state_inherited(const struct state *s, struct state_inherited *ret)
{
    *ret = s->inherited;
}

struct state_global *state_global(struct state *s)
{
    return &s->global;
}

void state_heartbeat(struct state *s, usec_t now)
{
    __atomic_store_n(&s->header->heartbeat, now, __ATOMIC_RELAXED);
}

usec_t state_last_heartbeat(const struct state *s)
{
    return __atomic_load_n(&s->header->heartbeat, __ATOMIC_RELAXED);
}

static void *ring_alloc(void *ctx, size_t bytes, uint64_t *ret_offset)
{
    return arena_alloc(&((struct state *)ctx)->arena, bytes, ret_offset);
}

static void ring_free(void *ctx, void *data, size_t bytes, uint64_t offset)
{
    arena_free(&((struct state *)ctx)->arena, offset, bytes);
}

struct ring_mem state_ring_mem(struct state *s)
{
    return (struct ring_mem){ ring_alloc, ring_free, s };
}

uint64_t state_arena_used(const struct state *s)
{
    return s->arena.used;
}
