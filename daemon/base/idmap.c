/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ids come from our own allocator and not from a peer, so a multiplication is
 * hash enough. At most half of the slots are used; removal moves later entries
 * of the run back, so a lookup never wades through what was deleted.
 */
#include "base/idmap.h"

#include <errno.h>
#include <stdlib.h>

#define IDMAP_MIN_SLOTS 16u

static uint32_t slot_of(const struct idmap *m, uint64_t id)
{
    return (uint32_t)((id * 0x9e3779b97f4a7c15ULL) >> 32) & (m->size - 1);
}

static struct idmap_slot *find(const struct idmap *m, uint64_t id)
{
    if (m->size == 0 || id == 0)
        return NULL;
    for (uint32_t i = slot_of(m, id); m->slots[i].id != 0; i = (i + 1) & (m->size - 1))
        if (m->slots[i].id == id)
            return &m->slots[i];
    return NULL;
}

int idmap_reserve(struct idmap *m)
{
    struct idmap bigger = { .size = m->size ? m->size * 2 : IDMAP_MIN_SLOTS };

    if (m->size != 0 && m->used + 1 <= m->size / 2)
        return 0;
    if (bigger.size < m->size)
        return -ENOMEM;
    bigger.slots = calloc(bigger.size, sizeof(*bigger.slots));
    if (!bigger.slots)
        return -ENOMEM;
    for (uint32_t i = 0; i < m->size; i++)
        if (m->slots[i].id != 0)
            idmap_put(&bigger, m->slots[i].id, m->slots[i].value);
    free(m->slots);
    *m = bigger;
    return 0;
}

void idmap_put(struct idmap *m, uint64_t id, void *value)
{
    uint32_t i = slot_of(m, id);

    while (m->slots[i].id != 0)
        i = (i + 1) & (m->size - 1);
    m->slots[i] = (struct idmap_slot){ id, value };
    m->used++;
}

void *idmap_get(const struct idmap *m, uint64_t id)
{
    struct idmap_slot *slot = find(m, id);

    return slot ? slot->value : NULL;
}

void *idmap_take(struct idmap *m, uint64_t id)
{
    struct idmap_slot *slot = find(m, id);
    uint32_t mask = m->size - 1, hole;
    void *value;

    if (!slot)
        return NULL;
    value = slot->value;
    hole = (uint32_t)(slot - m->slots);
    for (uint32_t i = (hole + 1) & mask; m->slots[i].id != 0; i = (i + 1) & mask) {
        /* An entry may fill the hole unless its own slot lies behind the hole. */
        if (((i - slot_of(m, m->slots[i].id)) & mask) < ((i - hole) & mask))
            continue;
        m->slots[hole] = m->slots[i];
        hole = i;
    }
    m->slots[hole] = (struct idmap_slot){ 0 };
    m->used--;
    return value;
}

void idmap_deinit(struct idmap *m)
{
    free(m->slots);
    *m = (struct idmap){ 0 };
}
