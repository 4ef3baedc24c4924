/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The record of a connection in the state memfd: the SAVED rows of records.def,
 * in their order, packed, so that a row's offset is the sum of the sizes before
 * it. (A socket's is in sock/sock_record.h, made from records_sock.def.)
 *
 * Assign to members; take no typed pointer to one.
 */
#ifndef TCPD_STATE_RECORDS_H
#define TCPD_STATE_RECORDS_H

#include "engine/record_types.h"

#define RECORD_SAVED(...) __VA_ARGS__
#define RECORD_REBUILT(...)
#define RECORD_DROPPED(...)

struct conn_record {
#define FIELD(tag, type, name, fate, ...)        RECORD_##fate(type name;)
#define ARRAY(tag, type, name, count, fate, ...) RECORD_##fate(type name[count];)
#define GROUP(name)                              struct {
#define GROUP_END(name)                                                                            \
    }                                                                                              \
    __attribute__((packed)) name;
#include "state/records.def"
} __attribute__((packed));

#undef RECORD_SAVED
#undef RECORD_REBUILT
#undef RECORD_DROPPED

#endif
