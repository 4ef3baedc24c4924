/* SPDX-License-Identifier: BSD-2-Clause */
/* Tunables as text, read and written: illumos-like rules of ranges, words and lists. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "proto/tunables.h"

#define LIMIT_TEXT_MAX 16 /* "65535:4294967295" */

static uint32_t *number_field(struct tunables *tun, const struct tunable_info *info)
{
    return (uint32_t *)((char *)tun + info->offset);
}

static uint32_t number_value(const struct tunables *tun, const struct tunable_info *info)
{
    return *(const uint32_t *)((const char *)tun + info->offset);
}

static struct tun_ports *ports_field(struct tunables *tun, const struct tunable_info *info)
{
    return (struct tun_ports *)((char *)tun + info->offset);
}

static bool is_port_list(const struct tunable_info *info)
{
    return info->type == TUNABLE_LIST && info->kind == TUNABLE_PORTS;
}

/* ---- writing text ------------------------------------------------------------------- */

__attribute__((format(printf, 4, 5))) static int append(char *buf, size_t size, size_t *len,
                                                        const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(buf + *len, size - *len, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= size - *len)
        return -ENOBUFS;
    *len += (size_t)n;
    return 0;
}

static int put(char *buf, size_t size, const char *text)
{
    size_t len = 0;

    return size ? append(buf, size, &len, "%s", text) : -ENOBUFS;
}

static int put_number(char *buf, size_t size, uint32_t number)
{
    size_t len = 0;

    return size ? append(buf, size, &len, "%u", number) : -ENOBUFS;
}

/* Word @n of words joined by commas; its length, 0 when there is no such one. */
static size_t word_at(const char *words, uint32_t n, const char **ret)
{
    for (; n > 0; n--) {
        words = strchr(words, ',');
        if (!words)
            return 0;
        words++;
    }
    *ret = words;
    return strcspn(words, ",");
}

static int put_word(char *buf, size_t size, const char *words, uint32_t n)
{
    const char *word = "";
    size_t len = 0, word_len = word_at(words, n, &word);

    return size ? append(buf, size, &len, "%.*s", (int)word_len, word) : -ENOBUFS;
}

static int put_ports(char *buf, size_t size, const struct tun_ports *ports)
{
    size_t len = 0;
    int r = put(buf, size, "");

    for (uint32_t i = 0; i < ports->count && r == 0; i++)
        r = append(buf, size, &len, "%s%u", i ? "," : "", ports->item[i]);
    return r;
}

static int put_limits(char *buf, size_t size, const struct tun_limits *limits)
{
    size_t len = 0;
    int r = put(buf, size, "");

    for (uint32_t i = 0; i < limits->count && r == 0; i++)
        r = append(buf, size, &len, "%s%u:%u", i ? "," : "", limits->item[i].port,
                   limits->item[i].ratio);
    return r;
}

static int get_value(const struct tunables *tun, const struct tunable_info *info, bool words,
                     char *buf, size_t size)
{
    const char *field = (const char *)tun + info->offset;

    if (info->obeyed == TUNABLE_PENDING)
        return -ENOENT;
    if (info->perm == TUNABLE_WO)
        return -EPERM;

    switch (info->type) {
    case TUNABLE_INT:
    case TUNABLE_BOOL:
        return put_number(buf, size, number_value(tun, info));
    case TUNABLE_ENUM:
        if (!words)
            return put_number(buf, size, number_value(tun, info));
        return put_word(buf, size, info->words, number_value(tun, info));
    case TUNABLE_STRING:
        return put(buf, size, field);
    case TUNABLE_LIST:
        if (info->kind == TUNABLE_PORTS)
            return put_ports(buf, size, (const struct tun_ports *)field);
        return put_limits(buf, size, (const struct tun_limits *)field);
    }
    return -ENOENT;
}

int tunable_get_text(const struct tunables *tun, const struct tunable_info *info, char *buf,
                     size_t size)
{
    return get_value(tun, info, true, buf, size);
}

int tunable_get_number(const struct tunables *tun, const struct tunable_info *info, char *buf,
                       size_t size)
{
    return get_value(tun, info, false, buf, size);
}

int tunable_default_text(const struct tunable_info *info, char *buf, size_t size)
{
    switch (info->type) {
    case TUNABLE_INT:
    case TUNABLE_BOOL:
        return put_number(buf, size, info->number);
    case TUNABLE_ENUM:
        return put_word(buf, size, info->words, info->number);
    case TUNABLE_STRING:
    case TUNABLE_LIST:
        return put(buf, size, info->text);
    }
    return -ENOENT;
}

/* The two buffers are bounded by another tunable. */
static uint32_t upper_bound(const struct tunables *tun, const struct tunable_info *info)
{
    if (info->id == TUNABLE_send_buf || info->id == TUNABLE_recv_buf)
        return MIN(info->max, tun->max_buf);
    return info->max;
}

int tunable_possible_text(const struct tunables *tun, const struct tunable_info *info, char *buf,
                          size_t size)
{
    size_t len = 0;

    if (!size)
        return -ENOBUFS;
    switch (info->type) {
    case TUNABLE_BOOL:
        return put(buf, size, "0,1");
    case TUNABLE_ENUM:
        return put(buf, size, info->words);
    case TUNABLE_STRING:
        return put(buf, size, "");
    case TUNABLE_INT:
        return append(buf, size, &len, "%u-%u", info->min, upper_bound(tun, info));
    case TUNABLE_LIST:
        if (is_port_list(info))
            return append(buf, size, &len, "%u-%u", info->min, info->max);
        return put(buf, size, "");
    }
    return -ENOENT;
}

/* ---- reading text --------------------------------------------------------------------- */

/* Decimal digits and nothing else, @len of them. -EINVAL; -ERANGE above 32 bits. */
static int parse_number(const char *text, size_t len, uint32_t *ret)
{
    uint64_t number = 0;

    if (len == 0)
        return -EINVAL;
    for (size_t i = 0; i < len; i++)
        if (!isdigit((unsigned char)text[i]))
            return -EINVAL;
    for (size_t i = 0; i < len; i++) {
        number = number * 10 + (uint64_t)(text[i] - '0');
        if (number > UINT32_MAX)
            return -ERANGE;
    }
    *ret = (uint32_t)number;
    return 0;
}

/* What holds between two tunables. */
static int check_against_others(const struct tunables *tun, const struct tunable_info *info,
                                uint32_t number)
{
    if (number > upper_bound(tun, info))
        return -ERANGE;
    if (info->id == TUNABLE_smallest_anon_port && number > tun->largest_anon_port)
        return -ERANGE;
    if (info->id == TUNABLE_largest_anon_port && number < tun->smallest_anon_port)
        return -ERANGE;
    return 0;
}

static int set_int(struct tunables *tun, const struct tunable_info *info, const char *text)
{
    uint32_t number;
    int r;

    r = parse_number(text, strlen(text), &number);
    if (r)
        return r;
    if (number < info->min || number > info->max)
        return -ERANGE;
    r = check_against_others(tun, info, number);
    if (r)
        return r;
    if (info->id == TUNABLE_wroff_xtra)
        number = (number + 7) & ~7u;
    *number_field(tun, info) = number;
    return 0;
}

static int set_bool(struct tunables *tun, const struct tunable_info *info, const char *text)
{
    if (strcmp(text, "0") != 0 && strcmp(text, "1") != 0)
        return -EINVAL;
    *number_field(tun, info) = (uint32_t)(text[0] - '0');
    return 0;
}

static bool word_is(const char *word, size_t len, const char *text)
{
    return strlen(text) == len && memcmp(word, text, len) == 0;
}

static int set_word(struct tunables *tun, const struct tunable_info *info, const char *text)
{
    const char *word = "";
    size_t len;

    /* names that Solaris and Linux give to the same algorithm */
    if (info->id == TUNABLE_congestion_control &&
        (strcmp(text, "sunreno") == 0 || strcmp(text, "reno") == 0))
        text = "newreno";

    for (uint32_t n = 0; (len = word_at(info->words, n, &word)) > 0; n++) {
        if (word_is(word, len, text)) {
            *number_field(tun, info) = n;
            return 0;
        }
    }
    return -EINVAL;
}

static int set_word_number(struct tunables *tun, const struct tunable_info *info, const char *text)
{
    const char *word = "";
    uint32_t number;
    int r;

    r = parse_number(text, strlen(text), &number);
    if (r)
        return r;
    if (number > info->max || word_at(info->words, number, &word) == 0)
        return -ERANGE;
    *number_field(tun, info) = number;
    return 0;
}

static int set_string(struct tunables *tun, const struct tunable_info *info, const char *text)
{
    size_t len = strlen(text);

    if (len > info->max)
        return -EINVAL;
    /* all of the field: nothing of a longer value may be left behind */
    memset((char *)tun + info->offset, 0, (size_t)info->max + 1);
    memcpy((char *)tun + info->offset, text, len);
    return 0;
}

/* ---- lists ------------------------------------------------------------------------------- */

static int parse_port(const struct tunable_info *info, const char *text, size_t len, uint16_t *ret)
{
    uint32_t number;
    int r;

    r = parse_number(text, len, &number);
    if (r)
        return r;
    if (number < info->min || number > info->max)
        return -ERANGE;
    *ret = (uint16_t)number;
    return 0;
}

static int ports_add(struct tun_ports *ports, uint16_t port)
{
    if (tun_ports_has(ports, port))
        return -EEXIST;
    if (ports->count == TUN_LIST_MAX)
        return -EOVERFLOW;
    ports->item[ports->count++] = port;
    return 0;
}

static int ports_remove(struct tun_ports *ports, uint16_t port)
{
    for (uint32_t i = 0; i < ports->count; i++) {
        if (ports->item[i] != port)
            continue;
        ports->count--;
        memmove(&ports->item[i], &ports->item[i + 1], (ports->count - i) * sizeof(ports->item[0]));
        return 0;
    }
    return -ESRCH;
}

/* "2049,4045", or nothing. */
static int parse_ports(const struct tunable_info *info, const char *text, struct tun_ports *ret)
{
    struct tun_ports ports = {0};

    while (*text) {
        size_t len = strcspn(text, ",");
        uint16_t port;
        int r;

        r = parse_port(info, text, len, &port);
        if (!r)
            r = ports_add(&ports, port);
        if (r)
            return r;
        text += len;
        if (*text && !*++text)
            return -EINVAL; /* ends with a comma */
    }
    *ret = ports;
    return 0;
}

static int set_port(struct tunables *tun, const struct tunable_info *info, const char *text)
{
    uint16_t port;
    int r;

    r = parse_port(info, text, strlen(text), &port);
    if (r)
        return r;
    *ports_field(tun, info) = (struct tun_ports){.count = 1, .item = {port}};
    return 0;
}

/* "port:ratio": replaces the port's, or is appended. */
static int limit_add(struct tun_limits *limits, const char *text)
{
    size_t len = strcspn(text, ":");
    uint32_t port, ratio, i = 0;

    if (parse_number(text, len, &port) || port < 1 || port > UINT16_MAX || text[len] != ':' ||
        parse_number(text + len + 1, strlen(text + len + 1), &ratio) || ratio == 0)
        return -EINVAL;
    while (i < limits->count && limits->item[i].port != port)
        i++;
    if (i == TUN_LIST_MAX)
        return -EOVERFLOW;
    limits->count = MAX(limits->count, i + 1);
    limits->item[i].port = (uint16_t)port;
    limits->item[i].ratio = ratio;
    return 0;
}

static int limit_del(struct tun_limits *limits, const char *text)
{
    uint32_t port;

    if (parse_number(text, strlen(text), &port) || port < 1 || port > UINT16_MAX)
        return -EINVAL;
    for (uint32_t i = 0; i < limits->count; i++) {
        if (limits->item[i].port != port)
            continue;
        limits->count--;
        memmove(&limits->item[i], &limits->item[i + 1],
                (limits->count - i) * sizeof(limits->item[0]));
        return 0;
    }
    return -ESRCH;
}

static int set_list(struct tunables *tun, const struct tunable_info *info, const char *text)
{
    switch (info->kind) {
    case TUNABLE_PORTS:
        return set_port(tun, info, text);
    case TUNABLE_LIMIT_ADD:
        return limit_add(&tun->listener_limit_conf, text);
    case TUNABLE_LIMIT_DEL:
        return limit_del(&tun->listener_limit_conf, text);
    case TUNABLE_LIMITS:
        break;
    }
    return -EOPNOTSUPP;
}

/* ---- the calls ------------------------------------------------------------------------------ */

static int check_writable(const struct tunable_info *info)
{
    if (info->obeyed == TUNABLE_PENDING)
        return -ENOENT;
    return info->perm == TUNABLE_RO ? -EPERM : 0;
}

static int set_value(struct tunables *tun, const struct tunable_info *info, bool words,
                     const char *text)
{
    int r;

    r = check_writable(info);
    if (r)
        return r;

    switch (info->type) {
    case TUNABLE_INT:
        return set_int(tun, info, text);
    case TUNABLE_BOOL:
        return set_bool(tun, info, text);
    case TUNABLE_ENUM:
        return words ? set_word(tun, info, text) : set_word_number(tun, info, text);
    case TUNABLE_STRING:
        return set_string(tun, info, text);
    case TUNABLE_LIST:
        return set_list(tun, info, text);
    }
    return -ENOENT;
}

int tunable_set_text(struct tunables *tun, const struct tunable_info *info, const char *text)
{
    return set_value(tun, info, true, text);
}

int tunable_set_number(struct tunables *tun, const struct tunable_info *info, const char *text)
{
    return set_value(tun, info, false, text);
}

int tunable_load_text(struct tunables *tun, const struct tunable_info *info, const char *text)
{
    int r;

    if (!is_port_list(info))
        return tunable_set_text(tun, info, text);
    r = check_writable(info);
    return r ? r : parse_ports(info, text, ports_field(tun, info));
}

static int edit_list(struct tunables *tun, const struct tunable_info *info, const char *text,
                     int (*edit)(struct tun_ports *, uint16_t))
{
    uint16_t port;
    int r;

    r = check_writable(info);
    if (r)
        return r;
    if (!is_port_list(info))
        return -EINVAL;
    r = parse_port(info, text, strlen(text), &port);
    return r ? r : edit(ports_field(tun, info), port);
}

int tunable_add_text(struct tunables *tun, const struct tunable_info *info, const char *text)
{
    return edit_list(tun, info, text, ports_add);
}

int tunable_remove_text(struct tunables *tun, const struct tunable_info *info, const char *text)
{
    return edit_list(tun, info, text, ports_remove);
}

int tunable_edit_number(struct tunables *tun, const struct tunable_ndd *ndd, const char *text)
{
    if (ndd->perm == TUNABLE_RO)
        return -EPERM;
    switch (ndd->edit) {
    case TUNABLE_SET:
        return tunable_set_number(tun, ndd->info, text);
    case TUNABLE_ADD:
        return tunable_add_text(tun, ndd->info, text);
    case TUNABLE_REMOVE:
        return tunable_remove_text(tun, ndd->info, text);
    }
    return -ENOENT;
}

static void put_default(struct tunables *tun, const struct tunable_info *info)
{
    switch (info->type) {
    case TUNABLE_INT:
    case TUNABLE_BOOL:
    case TUNABLE_ENUM:
        *number_field(tun, info) = info->number;
        break;
    case TUNABLE_STRING:
        (void)set_string(tun, info, info->text);
        break;
    case TUNABLE_LIST:
        if (is_port_list(info))
            (void)parse_ports(info, info->text, ports_field(tun, info));
        break;
    }
}

void tunables_init(struct tunables *tun)
{
    const struct tunable_info *info;

    memset(tun, 0, sizeof(*tun));
    for (size_t i = 0; (info = tunable_info_at(i)) != NULL; i++)
        put_default(tun, info);
}

int tunable_reset(struct tunables *tun, const struct tunable_info *info)
{
    int r;

    if (info->obeyed == TUNABLE_PENDING)
        return -ENOENT;
    if (info->perm != TUNABLE_RW)
        return -EOPNOTSUPP;
    if (info->type == TUNABLE_INT) {
        r = check_against_others(tun, info, info->number);
        if (r)
            return r;
    }
    put_default(tun, info);
    return 0;
}
