/* SPDX-License-Identifier: BSD-2-Clause */
/* The numbers of errors.def, their errno on this machine, their text. */
#ifndef TCPD_PROTO_ERRORS_H
#define TCPD_PROTO_ERRORS_H

#include <stdint.h>

enum error_number {
#define ERROR(ident, number, err, text) ERROR_##ident = (number),
#include "proto/errors.def"
};

/** error_to_wire() - a positive errno (0 = done); one without a row becomes ERROR_UNKNOWN */
uint32_t error_to_wire(int err);

/** error_to_errno() - a positive errno, 0 for ERROR_OK; EIO for a number of a newer peer */
int error_to_errno(uint32_t wire);

/** error_text() - a static text without a full stop, never NULL */
const char *error_text(uint32_t wire);

#endif
