/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "cli/out.h"

struct json {
    FILE *out;
    int depth;
};

typedef const ProtobufCMessage *const *message_list;

static void put_messages(struct json *j, message_list parts, size_t n_parts);

static void new_line(struct json *j)
{
    fprintf(j->out, "\n%*s", 2 * j->depth, "");
}

/* What is not UTF-8 (protobuf lets it pass) leaves as \ufffd, a byte each. */
static size_t utf8_len(const char *text)
{
    const uint8_t *p = (const uint8_t *)text;
    size_t n = p[0] < 0x80   ? 1
               : p[0] < 0xc2 ? 0
               : p[0] < 0xe0 ? 2
               : p[0] < 0xf0 ? 3
               : p[0] < 0xf5 ? 4
                             : 0;

    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

static void put_string(struct json *j, const char *text)
{
    fputc('"', j->out);
    while (*text) {
        size_t n = utf8_len(text);

        if (n == 0)
            fputs("\\ufffd", j->out);
        else if (*text == '"' || *text == '\\')
            fprintf(j->out, "\\%c", *text);
        else if ((uint8_t)*text < 0x20 || *text == 0x7f)
            fprintf(j->out, "\\u%04x", (unsigned)(uint8_t)*text);
        else
            fwrite(text, 1, n, j->out);
        text += n ? n : 1;
    }
    fputc('"', j->out);
}

static void put_bytes(struct json *j, const ProtobufCBinaryData *bytes)
{
    fputc('"', j->out);
    for (size_t i = 0; i < bytes->len; i++)
        fprintf(j->out, "%02x", bytes->data[i]);
    fputc('"', j->out);
}

static void put_value(struct json *j, const ProtobufCFieldDescriptor *field, const void *value)
{
    const ProtobufCEnumValue *word;
    const ProtobufCMessage *msg;

    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        fprintf(j->out, "%" PRId32, *(const int32_t *)value);
        return;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        fprintf(j->out, "%" PRIu32, *(const uint32_t *)value);
        return;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        fprintf(j->out, "%" PRId64, *(const int64_t *)value);
        return;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        fprintf(j->out, "%" PRIu64, *(const uint64_t *)value);
        return;
    case PROTOBUF_C_TYPE_BOOL:
        fputs(*(const protobuf_c_boolean *)value ? "true" : "false", j->out);
        return;
    case PROTOBUF_C_TYPE_STRING:
        put_string(j, *(char *const *)value);
        return;
    case PROTOBUF_C_TYPE_BYTES:
        put_bytes(j, value);
        return;
    case PROTOBUF_C_TYPE_ENUM:
        word = protobuf_c_enum_descriptor_get_value(field->descriptor, *(const int *)value);
        put_string(j, word ? word->name : "");
        return;
    case PROTOBUF_C_TYPE_MESSAGE:
        msg = *(const ProtobufCMessage *const *)value;
        if (msg)
            put_messages(j, &msg, 1);
        else
            fputs("null", j->out);
        return;
    default: /* float and double: none is in the protocol */
        fputs("null", j->out);
        return;
    }
}

/* Bytes of a list's element. Messages, strings and nothing else are in lists so far. */
static size_t element_size(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
    case PROTOBUF_C_TYPE_STRING:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    default:
        return 4;
    }
}

static bool is_pairs(const ProtobufCFieldDescriptor *field)
{
    return field->type == PROTOBUF_C_TYPE_MESSAGE &&
           field->descriptor == &tcpd__v1__pair__descriptor;
}

static void put_element(struct json *j, const ProtobufCFieldDescriptor *field, const void *element)
{
    const Tcpd__V1__Pair *pair;

    if (!is_pairs(field)) {
        put_value(j, field, element);
        return;
    }
    pair = *(Tcpd__V1__Pair *const *)element;
    put_string(j, pair->name);
    fprintf(j->out, ": %" PRIu64, pair->value);
}

static void put_list(struct json *j, const ProtobufCFieldDescriptor *field, message_list parts,
                     size_t n_parts)
{
    bool first = true;

    fputc(is_pairs(field) ? '{' : '[', j->out);
    j->depth++;
    for (size_t p = 0; p < n_parts; p++) {
        const uint8_t *list = *(const uint8_t *const *)out_member(parts[p], field);

        for (size_t i = 0; i < out_count(parts[p], field); i++) {
            fputs(first ? "" : ",", j->out);
            new_line(j);
            put_element(j, field, list + i * element_size(field));
            first = false;
        }
    }
    j->depth--;
    if (!first)
        new_line(j);
    fputc(is_pairs(field) ? '}' : ']', j->out);
}

static void put_field(struct json *j, const ProtobufCFieldDescriptor *field, message_list parts,
                      size_t n_parts)
{
    bool is_address =
        parts[0]->descriptor == &tcpd__v1__addr__descriptor && field->type == PROTOBUF_C_TYPE_BYTES;

    fprintf(j->out, "\"%s\": ", field->name);
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        put_list(j, field, parts, n_parts);
    } else if (is_address) {
        char text[OUT_ENDPOINT_MAX];

        out_addr(out_member(parts[0], field), text, sizeof(text));
        put_string(j, text);
    } else {
        put_value(j, field, out_member(parts[0], field));
    }
}

static void put_messages(struct json *j, message_list parts, size_t n_parts)
{
    const ProtobufCMessageDescriptor *type = parts[0]->descriptor;

    fputc('{', j->out);
    j->depth++;
    for (unsigned i = 0; i < type->n_fields; i++) {
        fputs(i ? "," : "", j->out);
        new_line(j);
        put_field(j, &type->fields[i], parts, n_parts);
    }
    j->depth--;
    if (type->n_fields)
        new_line(j);
    fputc('}', j->out);
}

void out_json(FILE *out, const ProtobufCMessage *const *parts, size_t n_parts)
{
    struct json j = {.out = out};

    put_messages(&j, parts, n_parts);
    fputc('\n', out);
}
