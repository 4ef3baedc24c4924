/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A table of slots in the state memfd, one for each living id. A slot holds two
 * copies of a record, each with the generation that wrote it. A copy above the
 * committed generation does not exist yet; of the others the newer one counts.
 */
#ifndef TCPD_STATE_SLOTS_H
#define TCPD_STATE_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "state/layout.h"

enum slot_kind {
    SLOT_EMPTY,
    SLOT_LIVE,
    SLOT_TOMB, /* its owner is gone; the slot is free once this is committed */
};

/* In the memfd, before each record. */
struct slot_copy {
    uint64_t generation;
    uint64_t id;
    uint32_t kind; /* enum slot_kind */
    uint32_t reserved;
    uint8_t record[];
};

struct slot_table {
    struct state_section *section;
    uint8_t *mem;
    uint32_t capacity, copy_bytes, mask;
    /* Private and rebuilt: what is in which slot, and the way from an id to it. */
    uint64_t *ids;   /* [capacity], 0: free */
    uint32_t *next;  /* [capacity], links of the free and the dying slots */
    uint8_t *dying;  /* [capacity] */
    uint32_t *index; /* [mask + 1], slot + 1 */
    uint32_t free_head, dying_head;
    uint32_t used;
    uint64_t refused; /* records that found no slot */
};

uint32_t slots_entry_bytes(size_t record_bytes);

/** slots_init() - over a section of the mapping at @base, as if it were empty; -ENOMEM */
int slots_init(struct slot_table *t, void *base, struct state_section *section);
void slots_deinit(struct slot_table *t);

/** slots_recover() - find what is there as of @generation; wipe every copy above it */
void slots_recover(struct slot_table *t, uint64_t generation);

/**
 * slots_write() - where to put the record of @id for @generation, which is not committed yet
 *
 * Takes a slot if @id has none. NULL: no slot is left, or @id was buried.
 */
void *slots_write(struct slot_table *t, uint64_t id, uint64_t generation);

/**
 * slots_bury() - @id is gone as of @generation
 *
 * An id that has no slot gets one for its tombstone: what came and went within
 * one wake-up must not be written afterwards.
 */
void slots_bury(struct slot_table *t, uint64_t id, uint64_t generation);

/** slots_bury_all() - every id is gone as of @generation */
void slots_bury_all(struct slot_table *t, uint64_t generation);

/** slots_committed() - tombstones are safe: their slots may serve again */
void slots_committed(struct slot_table *t);

/** slots_find() - the record of @id as of @generation, NULL if it does not live */
const void *slots_find(const struct slot_table *t, uint64_t id, uint64_t generation);

#endif
