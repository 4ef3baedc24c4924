/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tunables: one struct with their values, one table that says what they are.
 * Both come from tunables.def. Whoever owns a struct tunables changes it by the
 * functions below only; the others borrow it as const and read its fields.
 *
 * A row that is PENDING has its default in the struct and is otherwise unknown:
 * no lookup finds it, and it can be neither read nor set.
 */
#ifndef TCPD_PROTO_TUNABLES_H
#define TCPD_PROTO_TUNABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TUN_LIST_MAX 64

struct tun_ports {
    uint32_t count;
    uint16_t item[TUN_LIST_MAX];
};

struct tun_limits {
    uint32_t count;
    struct {
        uint16_t port;
        uint32_t ratio;
    } item[TUN_LIST_MAX];
};

/* What a list stores, by its kind. The two that edit another list store nothing. */
#define TUN_FIELD_PORTS(field)  struct tun_ports field;
#define TUN_FIELD_LIMITS(field) struct tun_limits field;
#define TUN_FIELD_LIMIT_ADD(field)
#define TUN_FIELD_LIMIT_DEL(field)

struct tunables {
#define TUN_INT(field, ...)                          uint32_t field;
#define TUN_BOOL(field, ...)                         uint32_t field;
#define TUN_ENUM(field, ...)                         uint32_t field;
#define TUN_STRING(field, name, ndd, perm, max, ...) char field[(max) + 1];
#define TUN_LIST(field, name, ndd, perm, kind, ...)  TUN_FIELD_##kind(field)
#include "proto/tunables.def"
};

/* The words of the enums. */
enum { TUN_NEVER, TUN_PASSIVE, TUN_ACTIVE }; /* sack, ecn */
enum { TUN_LINK_AUTO, TUN_LINK_RAW };        /* link_mode */

enum tunable_id {
#define TUN_INT(field, ...)    TUNABLE_##field,
#define TUN_BOOL(field, ...)   TUNABLE_##field,
#define TUN_ENUM(field, ...)   TUNABLE_##field,
#define TUN_STRING(field, ...) TUNABLE_##field,
#define TUN_LIST(field, ...)   TUNABLE_##field,
#include "proto/tunables.def"
    TUNABLE_COUNT,
};

enum tunable_type { TUNABLE_INT, TUNABLE_BOOL, TUNABLE_ENUM, TUNABLE_STRING, TUNABLE_LIST };
enum tunable_perm { TUNABLE_RW, TUNABLE_RO, TUNABLE_WO };
enum tunable_read { TUNABLE_COPY, TUNABLE_LIVE };
enum tunable_obeyed { TUNABLE_OBEYED, TUNABLE_NO_EFFECT, TUNABLE_PENDING };
enum tunable_kind { TUNABLE_PORTS, TUNABLE_LIMITS, TUNABLE_LIMIT_ADD, TUNABLE_LIMIT_DEL };

struct tunable_info {
    enum tunable_id id;
    const char *name;     /* ipadm */
    const char *ndd_name; /* NULL: ndd cannot reach it */
    enum tunable_type type;
    enum tunable_perm perm;
    const char *unit;       /* may be empty */
    uint32_t min, max;      /* of numbers; of an enum 0 and its last word; of a string its length */
    uint32_t number;        /* default of numbers and enums */
    const char *text;       /* default of strings and lists */
    const char *words;      /* of an enum, by commas; word 0 first */
    enum tunable_kind kind; /* of a list */
    enum tunable_read read;
    enum tunable_obeyed obeyed;
    const char *help;
    size_t offset; /* in struct tunables */
};

/* Room for the text of any value, with its end. */
#define TUNABLE_TEXT_MAX 1280

/** tunables_init() - every field gets its default */
void tunables_init(struct tunables *tun);

/** tunable_info_at() - row @i of tunables.def, PENDING ones too; NULL beyond the last */
const struct tunable_info *tunable_info_at(size_t i);

/** tunable_find() - by ipadm's name or one of its old spellings; NULL: no such property */
const struct tunable_info *tunable_find(const char *name);

/* A name as ndd knows it: what it reaches, and what a write does there. */
enum tunable_edit { TUNABLE_SET, TUNABLE_ADD, TUNABLE_REMOVE };

struct tunable_ndd {
    char name[64];
    const struct tunable_info *info;
    enum tunable_edit edit;
    enum tunable_perm perm; /* of this name, not of the row */
};

/** tunable_ndd_find() - by ndd's name, or a private ipadm name with its underscore. -ENOENT */
int tunable_ndd_find(const char *name, struct tunable_ndd *ret);

/** tunable_ndd_at() - name @i of `ndd /dev/tcp ?`, in its order. -ENOENT beyond the last */
int tunable_ndd_at(size_t i, struct tunable_ndd *ret);

/* ---- values as text ------------------------------------------------------------- */

/**
 * tunable_get_text() - the value, enums as words (ipadm)
 * tunable_get_number() - the value, enums as digits (ndd)
 *
 * A list is joined by commas; an empty one is empty text.
 * Errors: -ENOENT (PENDING), -EPERM (write only), -ENOBUFS.
 */
int tunable_get_text(const struct tunables *tun, const struct tunable_info *info, char *buf,
                     size_t size);
int tunable_get_number(const struct tunables *tun, const struct tunable_info *info, char *buf,
                       size_t size);

/** tunable_default_text(), tunable_possible_text() - as ipadm shows them; -ENOBUFS */
int tunable_default_text(const struct tunable_info *info, char *buf, size_t size);
int tunable_possible_text(const struct tunables *tun, const struct tunable_info *info, char *buf,
                          size_t size);

/**
 * tunable_set_text() - set from text, enums as words (ipadm)
 * tunable_set_number() - set from text, enums as digits (ndd)
 *
 * A list is emptied and gets this one value. Nothing is changed on error.
 * Errors: -EINVAL (not a number, not 0 or 1, not a word, a string too long),
 * -ERANGE (also against another tunable), -EPERM (read only), -ENOENT (PENDING).
 */
int tunable_set_text(struct tunables *tun, const struct tunable_info *info, const char *text);
int tunable_set_number(struct tunables *tun, const struct tunable_info *info, const char *text);

/** tunable_load_text() - tunable_set_text() of what tunable_get_text() gave: a list whole */
int tunable_load_text(struct tunables *tun, const struct tunable_info *info, const char *text);

/**
 * tunable_add_text(), tunable_remove_text() - one value of a list
 *
 * Errors: those of set, -EINVAL (not a list), -EEXIST, -EOVERFLOW (64 are there), -ESRCH.
 */
int tunable_add_text(struct tunables *tun, const struct tunable_info *info, const char *text);
int tunable_remove_text(struct tunables *tun, const struct tunable_info *info, const char *text);

/**
 * tunable_reset() - back to the default
 *
 * Errors: -EOPNOTSUPP (not RW), -ENOENT (PENDING), -ERANGE (smallest_anon_port
 * above the current largest_anon_port, send_buf above the current max_buf, ...).
 */
int tunable_reset(struct tunables *tun, const struct tunable_info *info);

/** tunable_edit_number() - carry out a write to an ndd name; errors as above */
int tunable_edit_number(struct tunables *tun, const struct tunable_ndd *ndd, const char *text);

const char *tunable_type_text(enum tunable_type type); /* int, bool, enum, string, list */
const char *tunable_perm_text(enum tunable_perm perm); /* rw, r-, -w */

/** tunable_error_text() - ipadm's words for a positive errno of the above */
const char *tunable_error_text(int err);

/** tun_ports_has() - is @port in the list? */
static inline bool tun_ports_has(const struct tun_ports *ports, uint16_t port)
{
    for (uint32_t i = 0; i < ports->count; i++)
        if (ports->item[i] == port)
            return true;
    return false;
}

#endif
