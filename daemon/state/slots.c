/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which copy to write: never the one that counts. So whatever instant the worker
 * dies at, the copy that counts is whole. The order of the stores within a copy
 * does not matter: until the commit it is either older than the one that counts,
 * or above the generation, and both are passed over.
 *
 * A tombstone is a record like any other. Its slot serves a new id only after
 * the commit that contains it, and the new id's first copy overwrites the older one.
 *
 * The index is open-addressed with linear probing. Ids count up and are ours, so
 * spreading them needs no keyed hash.
 */
#include "state/slots.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define NIL UINT32_MAX

uint32_t slots_entry_bytes(size_t record_bytes)
{
    return 2 * (uint32_t)((sizeof(struct slot_copy) + record_bytes + 7) & ~7ULL);
}

static void *private_array(size_t count, size_t bytes)
{
    void *p = mmap(NULL, count * bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static void private_array_free(void *p, size_t count, size_t bytes)
{
    if (p)
        (void)munmap(p, count * bytes);
}

int slots_init(struct slot_table *t, void *base, struct state_section *section)
{
    *t = (struct slot_table){
        .section = section,
        .mem = (uint8_t *)base + section->offset,
        .capacity = (uint32_t)section->entries,
        .copy_bytes = section->entry_bytes / 2,
        .mask = 1,
        .free_head = NIL,
        .dying_head = NIL,
    };
    while (t->mask < 2ULL * t->capacity)
        t->mask = t->mask * 2 + 1;
    t->ids = private_array(t->capacity, sizeof(*t->ids));
    t->next = private_array(t->capacity, sizeof(*t->next));
    t->dying = private_array(t->capacity, sizeof(*t->dying));
    t->index = private_array(t->mask + 1ULL, sizeof(*t->index));
    if (t->ids && t->next && t->dying && t->index)
        return 0;
    slots_deinit(t);
    return -ENOMEM;
}

void slots_deinit(struct slot_table *t)
{
    private_array_free(t->ids, t->capacity, sizeof(*t->ids));
    private_array_free(t->next, t->capacity, sizeof(*t->next));
    private_array_free(t->dying, t->capacity, sizeof(*t->dying));
    private_array_free(t->index, t->mask + 1ULL, sizeof(*t->index));
    *t = (struct slot_table){ .free_head = NIL, .dying_head = NIL };
}

/* ---- the two copies ---------------------------------------------------------------- */

static struct slot_copy *copy_at(const struct slot_table *t, uint32_t slot, unsigned which)
{
    return (struct slot_copy *)(t->mem + (2ULL * slot + which) * t->copy_bytes);
}

static struct slot_copy *copy_that_counts(const struct slot_table *t, uint32_t slot,
                                          uint64_t generation)
{
    struct slot_copy *best = NULL;

    for (unsigned i = 0; i < 2; i++) {
        struct slot_copy *c = copy_at(t, slot, i);

        if (c->kind != SLOT_EMPTY && c->generation <= generation &&
            (!best || c->generation > best->generation))
            best = c;
    }
    return best;
}

static struct slot_copy *copy_to_write(const struct slot_table *t, uint32_t slot,
                                       uint64_t generation)
{
    const struct slot_copy *counts = copy_that_counts(t, slot, generation - 1);

    return copy_at(t, slot, counts == copy_at(t, slot, 0) ? 1 : 0);
}

/* ---- from an id to its slot -------------------------------------------------------- */

static uint32_t index_home(const struct slot_table *t, uint64_t id)
{
    return (uint32_t)((id * 0x9e3779b97f4a7c15ULL) >> 32) & t->mask;
}

/* Returns where @id is, or the empty place where it belongs. */
static uint32_t index_place(const struct slot_table *t, uint64_t id)
{
    uint32_t at = index_home(t, id);

    while (t->index[at] && t->ids[t->index[at] - 1] != id)
        at = (at + 1) & t->mask;
    return at;
}

static uint32_t slot_of(const struct slot_table *t, uint64_t id)
{
    const uint32_t entry = t->index[index_place(t, id)];

    return entry ? entry - 1 : NIL;
}

static void slot_name(struct slot_table *t, uint32_t slot, uint64_t id)
{
    t->ids[slot] = id;
    t->index[index_place(t, id)] = slot + 1;
    t->used++;
}

/* Take @slot's id out and close the gap that it leaves in the run of probes. */
static void slot_unname(struct slot_table *t, uint32_t slot)
{
    uint32_t gap = index_place(t, t->ids[slot]), at = gap;

    for (;;) {
        at = (at + 1) & t->mask;
        if (!t->index[at])
            break;
        const uint32_t home = index_home(t, t->ids[t->index[at] - 1]);

        if (((at - home) & t->mask) >= ((at - gap) & t->mask)) {
            t->index[gap] = t->index[at];
            gap = at;
        }
    }
    t->index[gap] = 0;
    t->ids[slot] = 0;
    t->used--;
}

static uint32_t slot_take(struct slot_table *t, uint64_t id)
{
    uint32_t slot = t->free_head;

    if (slot != NIL)
        t->free_head = t->next[slot];
    else if (t->section->high_water < t->capacity)
        slot = (uint32_t)t->section->high_water++;
    else
        return NIL;
    slot_name(t, slot, id);
    return slot;
}

static void slot_release(struct slot_table *t, uint32_t slot)
{
    t->next[slot] = t->free_head;
    t->free_head = slot;
}

/* ---- the verbs --------------------------------------------------------------------- */

void slots_recover(struct slot_table *t, uint64_t generation)
{
    const uint32_t end = (uint32_t)t->section->high_water;

    for (uint32_t slot = end; slot-- > 0;) {
        const struct slot_copy *c = copy_that_counts(t, slot, generation);

        for (unsigned i = 0; i < 2; i++)
            if (copy_at(t, slot, i)->generation > generation)
                memset(copy_at(t, slot, i), 0, sizeof(struct slot_copy));
        if (c && c->kind == SLOT_LIVE && slot_of(t, c->id) == NIL)
            slot_name(t, slot, c->id);
        else
            slot_release(t, slot);
    }
}

static void copy_head(struct slot_copy *c, uint64_t id, uint64_t generation, enum slot_kind kind)
{
    c->id = id;
    c->kind = kind;
    __atomic_store_n(&c->generation, generation, __ATOMIC_RELEASE);
}

void *slots_write(struct slot_table *t, uint64_t id, uint64_t generation)
{
    uint32_t slot = slot_of(t, id);
    struct slot_copy *c;

    if (slot == NIL)
        slot = slot_take(t, id);
    if (slot == NIL) {
        t->refused++;
        return NULL;
    }
    if (t->dying[slot])
        return NULL;
    c = copy_to_write(t, slot, generation);
    copy_head(c, id, generation, SLOT_LIVE);
    return c->record;
}

static void bury(struct slot_table *t, uint32_t slot, uint64_t generation)
{
    if (t->dying[slot])
        return;
    copy_head(copy_to_write(t, slot, generation), t->ids[slot], generation, SLOT_TOMB);
    t->dying[slot] = 1;
    t->next[slot] = t->dying_head;
    t->dying_head = slot;
}

void slots_bury(struct slot_table *t, uint64_t id, uint64_t generation)
{
    uint32_t slot = slot_of(t, id);

    if (slot == NIL)
        slot = slot_take(t, id);
    if (slot != NIL)
        bury(t, slot, generation);
}

void slots_bury_all(struct slot_table *t, uint64_t generation)
{
    for (uint32_t slot = 0; slot < t->section->high_water; slot++)
        if (t->ids[slot])
            bury(t, slot, generation);
}

void slots_committed(struct slot_table *t)
{
    while (t->dying_head != NIL) {
        const uint32_t slot = t->dying_head;

        t->dying_head = t->next[slot];
        t->dying[slot] = 0;
        slot_unname(t, slot);
        slot_release(t, slot);
    }
}

const void *slots_find(const struct slot_table *t, uint64_t id, uint64_t generation)
{
    const uint32_t slot = slot_of(t, id);
    const struct slot_copy *c = slot == NIL ? NULL : copy_that_counts(t, slot, generation);

    return c && c->kind == SLOT_LIVE && c->id == id ? c->record : NULL;
}
