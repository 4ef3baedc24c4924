/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of this room share; nobody else includes it but their tests. */
#ifndef TCPD_STATE_STATE_INTERNAL_H
#define TCPD_STATE_STATE_INTERNAL_H

#include "state/arena.h"
#include "state/layout.h"
#include "state/move_log.h"
#include "state/registry.h"
#include "state/slots.h"
#include "state/state.h"

/* In the memfd, twice, used in turn: see slots.h. */
struct global_copy {
    uint64_t generation;
    struct state_global global;
};

struct state {
    int memfd, arena_fd;
    struct state_header *header; /* the mapping */
    void *arena_base;
    struct state_global global; /* the working copy; written out with each commit */
    struct arena arena;
    struct slot_table conns, socks;
    struct registry registry;
    struct move_log moves;
    struct state_inherited inherited;
};

/** state_global_copy() - the copy that a commit of @generation writes */
struct global_copy *state_global_copy(struct state *s, uint64_t generation);

/** state_commit_store() - the global record, then the one store that is the commit */
void state_commit_store(struct state *s, uint64_t generation);

/** state_commit_done() - let go of what waited for the commit */
void state_commit_done(struct state *s);

#endif
