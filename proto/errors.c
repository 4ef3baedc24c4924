/* SPDX-License-Identifier: BSD-2-Clause */
#include "proto/errors.h"

#include <errno.h>
#include <stddef.h>

struct error_row {
    uint32_t wire;
    int err;
    const char *text;
};

static const struct error_row rows[] = {
#define ERROR(ident, number, err, text) {(number), (err), (text)},
#include "proto/errors.def"
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

uint32_t error_to_wire(int err)
{
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].err == err)
            return rows[i].wire;
    return ERROR_UNKNOWN;
}

static const struct error_row *row_find(uint32_t wire)
{
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].wire == wire)
            return &rows[i];
    return NULL;
}

int error_to_errno(uint32_t wire)
{
    const struct error_row *row = row_find(wire);

    return row ? row->err : EIO;
}

const char *error_text(uint32_t wire)
{
    const struct error_row *row = row_find(wire);

    return row ? row->text : "failed for a reason that this program is too old to know";
}
