/* SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "cli/out.h"

void out_addr(const ProtobufCBinaryData *addr, char *buf, size_t size)
{
    int family = addr->len == 4 ? AF_INET : addr->len == 16 ? AF_INET6 : AF_UNSPEC;

    if (family == AF_UNSPEC || !inet_ntop(family, addr->data, buf, (socklen_t)size))
        snprintf(buf, size, "%s", "");
}

static int is_any(const ProtobufCBinaryData *addr)
{
    for (size_t i = 0; i < addr->len; i++)
        if (addr->data[i])
            return 0;
    return 1;
}

void out_endpoint(const Tcpd__V1__Addr *addr, char *buf, size_t size)
{
    char text[INET6_ADDRSTRLEN + 1] = "*", scope[16] = "", port[16] = "*";

    if (addr && !is_any(&addr->addr))
        out_addr(&addr->addr, text, sizeof(text));
    if (addr && addr->scope)
        snprintf(scope, sizeof(scope), "%%%" PRIu32, addr->scope);
    if (addr && addr->port)
        snprintf(port, sizeof(port), "%" PRIu32, addr->port);
    snprintf(buf, size, strchr(text, ':') ? "[%s%s]:%s" : "%s%s:%s", text, scope, port);
}

static void put_value(FILE *out, const ProtobufCFieldDescriptor *field, const void *value)
{
    char text[OUT_ENDPOINT_MAX];

    switch (field->type) {
    case PROTOBUF_C_TYPE_UINT32:
        fprintf(out, "%" PRIu32, *(const uint32_t *)value);
        return;
    case PROTOBUF_C_TYPE_UINT64:
        fprintf(out, "%" PRIu64, *(const uint64_t *)value);
        return;
    case PROTOBUF_C_TYPE_INT32:
        fprintf(out, "%" PRId32, *(const int32_t *)value);
        return;
    case PROTOBUF_C_TYPE_BOOL:
        fputs(*(const protobuf_c_boolean *)value ? "yes" : "no", out);
        return;
    case PROTOBUF_C_TYPE_STRING:
        fputs(*(char *const *)value, out);
        return;
    case PROTOBUF_C_TYPE_MESSAGE:
        if (field->descriptor != &tcpd__v1__addr__descriptor)
            return;
        out_endpoint(*(Tcpd__V1__Addr *const *)value, text, sizeof(text));
        fputs(text, out);
        return;
    default:
        return;
    }
}

void out_fields(FILE *out, const ProtobufCMessage *msg)
{
    const ProtobufCMessageDescriptor *type = msg->descriptor;
    int width = 0;

    for (unsigned i = 0; i < type->n_fields; i++)
        width = MAX(width, (int)strlen(type->fields[i].name));
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];

        if (field->label == PROTOBUF_C_LABEL_REPEATED)
            continue;
        fprintf(out, "%-*s  ", width, field->name);
        put_value(out, field, out_member(msg, field));
        fputc('\n', out);
    }
}

void out_pairs(FILE *out, Tcpd__V1__Pair *const *pairs, size_t n)
{
    int width = 0;

    for (size_t i = 0; i < n; i++)
        width = MAX(width, (int)strlen(pairs[i]->name));
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%-*s %12" PRIu64 "\n", width, pairs[i]->name, pairs[i]->value);
}
