/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers on paper. Names are those of tcpd.proto, taken from the message's own
 * description, so that a field which is added there shows up here by itself.
 */
#ifndef TCPD_CLI_OUT_H
#define TCPD_CLI_OUT_H

#include <stdint.h>
#include <stdio.h>

#include "proto/tcpd.pb-c.h"

/**
 * out_json() - one JSON object
 * @parts:  messages of one type: plain fields are those of the first, lists are joined
 *
 * Pairs become an object of their names; an address becomes text.
 */
void out_json(FILE *out, const ProtobufCMessage *const *parts, size_t n_parts);

/** out_fields() - one "name  value" line for each plain field and address of @msg */
void out_fields(FILE *out, const ProtobufCMessage *msg);

/** out_pairs() - one "name  value" line for each; the names as wide as the widest of @width */
void out_pairs(FILE *out, Tcpd__V1__Pair *const *pairs, size_t n);

#define OUT_ENDPOINT_MAX 64

/** out_addr() - the address as text, "" if it is none */
void out_addr(const ProtobufCBinaryData *addr, char *buf, size_t size);

/** out_endpoint() - "10.0.0.1:80", "[fe80::1%2]:80", "*:80", "*:*" */
void out_endpoint(const Tcpd__V1__Addr *addr, char *buf, size_t size);

/* ---- a field of a message, by its description ------------------------------------ */

static inline const void *out_member(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f)
{
    return (const uint8_t *)msg + f->offset;
}

static inline size_t out_count(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f)
{
    return *(const size_t *)((const uint8_t *)msg + f->quantifier_offset);
}

#endif
