/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the state memfd is laid out: a header that says where each section lies
 * and, for the sections that hold records, which field lies where. A later
 * version of tcpd finds its way by kinds and tags alone, so both are for ever.
 *
 *     header | field directory | global | conns | socks | moves | fds
 *
 * Both memfds are mapped at fixed addresses: the move log holds pointers into
 * itself and into the arena, and must be the same in every worker.
 */
#ifndef TCPD_STATE_LAYOUT_H
#define TCPD_STATE_LAYOUT_H

#include <stdint.h>

#include "state/state.h"

/* Above what the kernel and ASan's allocator hand out, below the stack. */
#define STATE_ADDRESS   ((void *)0x200000000000)
#define ARENA_ADDRESS   ((void *)0x210000000000)
#define ARENA_MAX_BYTES (1ULL << 43)

#define STATE_MAGIC   0x3174617453706374ULL /* "tcpStat1" */
#define STATE_VERSION 1u

enum state_section_kind {
    SECTION_GLOBAL = 1,
    SECTION_CONNS = 2,
    SECTION_SOCKS = 3,
    SECTION_MOVES = 4,
    SECTION_FDS = 5,
};
#define STATE_SECTIONS 5

/* One member of a record: where a reader of another version finds it. */
struct state_field {
    uint32_t tag;
    uint32_t bytes;
    uint32_t offset; /* in the record */
};

struct state_section {
    uint32_t kind;        /* enum state_section_kind */
    uint32_t entry_bytes; /* distance of two entries */
    uint64_t entries;
    uint64_t offset;        /* of entry 0, from the start of the memfd */
    uint64_t fields_offset; /* of the first struct state_field; 0 fields: none */
    uint32_t fields;
    uint32_t record_bytes;
    uint64_t high_water; /* entries ever used: what recovery has to look at */
};

struct state_header {
    uint64_t magic;
    uint32_t version;
    uint32_t sections;
    uint64_t bytes, arena_bytes;
    struct state_section section[STATE_SECTIONS];
    /* The commit is the store of this one number. Touched by nothing else. */
    uint64_t generation __attribute__((aligned(64)));
    uint64_t heartbeat __attribute__((aligned(64)));
};

/** layout_plan() - fill @h for @limits; the memfd has to be h->bytes long */
void layout_plan(const struct state_limits *limits, struct state_header *h);

/** layout_write_fields() - the directories of both kinds of record, into the memfd mapped at @h */
void layout_write_fields(struct state_header *h);

/**
 * layout_check() - is what is mapped at @h the state of this very version?
 *
 * Errors: -EPROTO.
 */
int layout_check(const struct state_header *h);

/** layout_section() - the section of this kind; every layout has them all */
struct state_section *layout_section(struct state_header *h, enum state_section_kind kind);

#endif
