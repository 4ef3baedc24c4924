/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of tunables, and the ways to find a row. Values as text: tunables_text.c. */
#include "proto/tunables.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define OFFSET_PORTS(field)     offsetof(struct tunables, field)
#define OFFSET_LIMITS(field)    offsetof(struct tunables, field)
#define OFFSET_LIMIT_ADD(field) 0 /* stores nothing */
#define OFFSET_LIMIT_DEL(field) 0

#define COMMON(field, name_, ndd, perm_, read_, obeyed_, help_)                                    \
    .id = TUNABLE_##field, .name = (name_), .ndd_name = (ndd), .perm = TUNABLE_##perm_,            \
    .read = TUNABLE_##read_, .obeyed = TUNABLE_##obeyed_, .help = (help_)

static const struct tunable_info infos[] = {
#define TUN_INT(field, name, ndd, perm, unit_, min_, def, max_, read, obeyed, help)                \
    {COMMON(field, name, ndd, perm, read, obeyed, help),                                           \
     .type = TUNABLE_INT,                                                                          \
     .unit = (unit_),                                                                              \
     .min = (min_),                                                                                \
     .max = (max_),                                                                                \
     .number = (def),                                                                              \
     .offset = offsetof(struct tunables, field)},
#define TUN_BOOL(field, name, ndd, perm, def, read, obeyed, help)                                  \
    {COMMON(field, name, ndd, perm, read, obeyed, help),                                           \
     .type = TUNABLE_BOOL,                                                                         \
     .unit = "",                                                                                   \
     .min = 0,                                                                                     \
     .max = 1,                                                                                     \
     .number = (def),                                                                              \
     .offset = offsetof(struct tunables, field)},
#define TUN_ENUM(field, name, ndd, perm, words_, def, read, obeyed, help)                          \
    {COMMON(field, name, ndd, perm, read, obeyed, help),                                           \
     .type = TUNABLE_ENUM,                                                                         \
     .unit = "",                                                                                   \
     .min = 0,                                                                                     \
     .max = TUN_LIST_MAX,                                                                          \
     .number = (def),                                                                              \
     .words = (words_),                                                                            \
     .offset = offsetof(struct tunables, field)},
#define TUN_STRING(field, name, ndd, perm, max_, def, read, obeyed, help)                          \
    {COMMON(field, name, ndd, perm, read, obeyed, help),                                           \
     .type = TUNABLE_STRING,                                                                       \
     .unit = "",                                                                                   \
     .min = 0,                                                                                     \
     .max = (max_),                                                                                \
     .text = (def),                                                                                \
     .offset = offsetof(struct tunables, field)},
#define TUN_LIST(field, name, ndd, perm, kind_, def, read, obeyed, help)                           \
    {COMMON(field, name, ndd, perm, read, obeyed, help),                                           \
     .type = TUNABLE_LIST,                                                                         \
     .unit = "port",                                                                               \
     .min = 1,                                                                                     \
     .max = 65535,                                                                                 \
     .text = (def),                                                                                \
     .kind = TUNABLE_##kind_,                                                                      \
     .offset = OFFSET_##kind_(field)},
#include "proto/tunables.def"
};

_Static_assert(ARRAY_LEN(infos) == TUNABLE_COUNT, "one row of infos for each tunable");

/* Spellings of former releases that are still accepted. */
static const struct {
    const char *old;
    enum tunable_id id;
} old_names[] = {
    {"_max_buf", TUNABLE_max_buf},
    {"recv_maxbuf", TUNABLE_recv_buf},
    {"send_maxbuf", TUNABLE_send_buf},
};

const struct tunable_info *tunable_info_at(size_t i)
{
    return i < ARRAY_LEN(infos) ? &infos[i] : NULL;
}

static const struct tunable_info *known(const struct tunable_info *info)
{
    return info->obeyed == TUNABLE_PENDING ? NULL : info;
}

const struct tunable_info *tunable_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(infos); i++)
        if (strcmp(infos[i].name, name) == 0)
            return known(&infos[i]);
    for (size_t i = 0; i < ARRAY_LEN(old_names); i++)
        if (strcmp(old_names[i].old, name) == 0)
            return known(&infos[old_names[i].id]);
    return NULL;
}

/* ---- ndd -------------------------------------------------------------------------- */

/* ndd has no += and -=: the one list that can be edited is three names, in this order. */
static const struct {
    const char *suffix;
    enum tunable_edit edit;
    enum tunable_perm perm;
} port_names[] = {
    {"_add", TUNABLE_ADD, TUNABLE_WO},
    {"_del", TUNABLE_REMOVE, TUNABLE_WO},
    {"", TUNABLE_SET, TUNABLE_RO},
};

static size_t ndd_names(const struct tunable_info *info)
{
    if (!info->ndd_name || info->obeyed == TUNABLE_PENDING)
        return 0;
    return info->type == TUNABLE_LIST && info->kind == TUNABLE_PORTS ? ARRAY_LEN(port_names) : 1;
}

static void ndd_name(const struct tunable_info *info, size_t n, struct tunable_ndd *ret)
{
    const char *suffix = "";

    *ret = (struct tunable_ndd){.info = info, .edit = TUNABLE_SET, .perm = info->perm};
    if (ndd_names(info) > 1) {
        suffix = port_names[n].suffix;
        ret->edit = port_names[n].edit;
        ret->perm = port_names[n].perm;
    }
    snprintf(ret->name, sizeof(ret->name), "%s%s", info->ndd_name, suffix);
}

int tunable_ndd_at(size_t at, struct tunable_ndd *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(infos); i++) {
        size_t names = ndd_names(&infos[i]);

        if (at < names) {
            ndd_name(&infos[i], at, ret);
            return 0;
        }
        at -= names;
    }
    return -ENOENT;
}

int tunable_ndd_find(const char *name, struct tunable_ndd *ret)
{
    for (size_t i = 0; tunable_ndd_at(i, ret) == 0; i++) {
        const char *private_name = ret->info->name;

        if (strcmp(ret->name, name) == 0)
            return 0;
        if (private_name[0] == '_' && strcmp(private_name, name) == 0)
            return 0;
    }
    return -ENOENT;
}

/* ---- words ---------------------------------------------------------------------------- */

const char *tunable_type_text(enum tunable_type type)
{
    switch (type) {
    case TUNABLE_INT:
        return "int";
    case TUNABLE_BOOL:
        return "bool";
    case TUNABLE_ENUM:
        return "enum";
    case TUNABLE_STRING:
        return "string";
    case TUNABLE_LIST:
        return "list";
    }
    return "";
}

const char *tunable_perm_text(enum tunable_perm perm)
{
    switch (perm) {
    case TUNABLE_RW:
        return "rw";
    case TUNABLE_RO:
        return "r-";
    case TUNABLE_WO:
        return "-w";
    }
    return "";
}

const char *tunable_error_text(int err)
{
    switch (err) {
    case ENOENT:
        return "Unknown property";
    case EPERM:
        return "Permission denied";
    case EACCES:
        return "Insufficient user authorizations";
    case EINVAL:
        return "Invalid argument provided";
    case ERANGE:
        return "Value is outside the allowed range";
    case ESRCH:
        return "Value does not exist";
    case EEXIST:
        return "Already exists";
    case EOVERFLOW:
        return "Number of values exceeds the allowed limit";
    case EOPNOTSUPP:
        return "Operation not supported";
    case ENOMEM:
        return "Insufficient memory";
    default:
        return "Operation failed";
    }
}
