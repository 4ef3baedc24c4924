/* SPDX-License-Identifier: BSD-2-Clause */
/* From a 64-bit id to a pointer: open addressing, linear probing, no tombstones. */
#ifndef TCPD_BASE_IDMAP_H
#define TCPD_BASE_IDMAP_H

#include <stdint.h>

struct idmap_slot {
    uint64_t id; /* 0: free */
    void *value;
};

struct idmap {
    struct idmap_slot *slots;
    uint32_t size; /* power of two, or 0 */
    uint32_t used;
};

/**
 * idmap_reserve() - room for one more, so that the next idmap_put() cannot fail
 *
 * Errors: -ENOMEM.
 */
int idmap_reserve(struct idmap *m);

/** idmap_put() - @id, which is not 0 and not in the map; room was reserved for it */
void idmap_put(struct idmap *m, uint64_t id, void *value);

/** idmap_get() - NULL if there is no such id */
void *idmap_get(const struct idmap *m, uint64_t id);

/** idmap_take() - as idmap_get(), and the id is gone from the map */
void *idmap_take(struct idmap *m, uint64_t id);

/** idmap_deinit() - free the map, not what it points to */
void idmap_deinit(struct idmap *m);

#endif
