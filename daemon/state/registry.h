/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fd registry: one entry in the state memfd for each number of the shared
 * table, and the list of fds that close with the next commit.
 */
#ifndef TCPD_STATE_REGISTRY_H
#define TCPD_STATE_REGISTRY_H

#include <stdint.h>

#include "state/state.h"

struct state_section;

struct fd_entry {
    uint64_t arg;
    uint64_t cookie;  /* SO_COOKIE, 0: not a socket */
    uint32_t kind;    /* enum state_fd_kind; stored last */
    uint32_t closing; /* waits for the commit */
};

struct registry {
    struct state_section *section; /* high_water: one past the highest fd ever entered */
    struct fd_entry *entries;
    uint32_t capacity;
    int *later; /* private: fds to close */
    uint32_t later_count;
};

/** registry_init() - over a section of the mapping at @base; -ENOMEM */
int registry_init(struct registry *r, void *base, struct state_section *section);
void registry_deinit(struct registry *r);

/** registry_recover() - forget which fds the former worker was about to close */
void registry_recover(struct registry *r);

/** registry_committed() - close what waited */
void registry_committed(struct registry *r);

#endif
