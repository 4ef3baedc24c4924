/* SPDX-License-Identifier: BSD-2-Clause */
#include "state/layout.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "sock/sock_record.h"
#include "state/move_log.h"
#include "state/records.h"
#include "state/registry.h"
#include "state/slots.h"
#include "state/state_internal.h"

/* One row of a directory for each SAVED row of a table. */
#define ROW_SAVED(...) { __VA_ARGS__ },
#define ROW_REBUILT(...)
#define ROW_DROPPED(...)

/* The members of a group have no name of their own that offsetof() could take, but the record is
 * packed: conn_fields_write() adds the sizes up. */
#define FIELD(tag, type, name, fate, ...)        ROW_##fate(tag, sizeof(type), 0)
#define ARRAY(tag, type, name, count, fate, ...) ROW_##fate(tag, sizeof(type) * (count), 0)
#define GROUP(name)
#define GROUP_END(name)
static const struct state_field conn_fields[] = {
#include "state/records.def"
};

#define FIELD(tag, type, name, fate, ...)                                                          \
    ROW_##fate(tag, sizeof(((struct sock_record *)0)->name), offsetof(struct sock_record, name))
static const struct state_field sock_fields[] = {
#include "state/records_sock.def"
};

static void conn_fields_write(struct state_field *ret)
{
    uint32_t offset = 0;

    for (size_t i = 0; i < ARRAY_LEN(conn_fields); i++) {
        ret[i] = (struct state_field){ conn_fields[i].tag, conn_fields[i].bytes, offset };
        offset += conn_fields[i].bytes;
    }
    assert(offset == sizeof(struct conn_record));
}

#define PAGE_BYTES 4096ULL

static uint64_t page_align(uint64_t bytes)
{
    return (bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
}

/* The sections in the order in which they lie in the memfd. */
static void sections_fill(const struct state_limits *limits, struct state_section *s)
{
    s[0] = (struct state_section){
        .kind = SECTION_GLOBAL,
        .entry_bytes = sizeof(struct global_copy),
        .entries = 2,
        .record_bytes = sizeof(struct state_global),
    };
    s[1] = (struct state_section){
        .kind = SECTION_CONNS,
        .entry_bytes = slots_entry_bytes(sizeof(struct conn_record)),
        .entries = limits->sockets,
        .fields = ARRAY_LEN(conn_fields),
        .record_bytes = sizeof(struct conn_record),
    };
    s[2] = (struct state_section){
        .kind = SECTION_SOCKS,
        .entry_bytes = slots_entry_bytes(sizeof(struct sock_record)),
        .entries = limits->sockets,
        .fields = ARRAY_LEN(sock_fields),
        .record_bytes = sizeof(struct sock_record),
    };
    s[3] = (struct state_section){
        .kind = SECTION_MOVES,
        .entry_bytes = sizeof(struct state_move),
        .entries = MOVE_LOG_ENTRIES,
    };
    s[4] = (struct state_section){
        .kind = SECTION_FDS,
        .entry_bytes = sizeof(struct fd_entry),
        .entries = limits->fds,
    };
}

void layout_plan(const struct state_limits *limits, struct state_header *h)
{
    uint64_t at = sizeof(*h);

    *h = (struct state_header){
        .magic = STATE_MAGIC,
        .version = STATE_VERSION,
        .sections = STATE_SECTIONS,
        .arena_bytes = limits->arena_bytes,
    };
    sections_fill(limits, h->section);
    for (unsigned i = 0; i < STATE_SECTIONS; i++) {
        h->section[i].fields_offset = at;
        at += h->section[i].fields * sizeof(struct state_field);
    }
    for (unsigned i = 0; i < STATE_SECTIONS; i++) {
        at = page_align(at);
        h->section[i].offset = at;
        at += h->section[i].entries * h->section[i].entry_bytes;
    }
    h->bytes = page_align(at);
}

void layout_write_fields(struct state_header *h)
{
    uint8_t *base = (uint8_t *)h;

    conn_fields_write((struct state_field *)(base + h->section[1].fields_offset));
    memcpy(base + h->section[2].fields_offset, sock_fields, sizeof(sock_fields));
}

/* Two layouts are one if all is equal but what a life changes: the high-water marks. */
static bool section_equal(const struct state_section *a, const struct state_section *b)
{
    return a->kind == b->kind && a->entry_bytes == b->entry_bytes && a->entries == b->entries &&
           a->offset == b->offset && a->fields == b->fields &&
           a->fields_offset == b->fields_offset && a->record_bytes == b->record_bytes &&
           a->high_water <= a->entries;
}

int layout_check(const struct state_header *h)
{
    const uint8_t *base = (const uint8_t *)h;
    const struct state_section *conns = &h->section[1], *socks = &h->section[2];
    const struct state_limits limits = { (uint32_t)conns->entries, (uint32_t)h->section[4].entries,
                                         h->arena_bytes };
    struct state_field want_conn[ARRAY_LEN(conn_fields)];
    struct state_header want;

    if (h->magic != STATE_MAGIC || h->version != STATE_VERSION || h->sections != STATE_SECTIONS)
        return -EPROTO;
    layout_plan(&limits, &want);
    if (h->bytes != want.bytes)
        return -EPROTO;
    for (unsigned i = 0; i < STATE_SECTIONS; i++)
        if (!section_equal(&h->section[i], &want.section[i]))
            return -EPROTO;
    conn_fields_write(want_conn);
    if (memcmp(base + conns->fields_offset, want_conn, sizeof(want_conn)) != 0 ||
        memcmp(base + socks->fields_offset, sock_fields, sizeof(sock_fields)) != 0)
        return -EPROTO;
    return 0;
}

struct state_section *layout_section(struct state_header *h, enum state_section_kind kind)
{
    for (unsigned i = 0; i < STATE_SECTIONS; i++)
        if (h->section[i].kind == kind)
            return &h->section[i];
    assert(false && "every layout has every section");
    return NULL;
}
