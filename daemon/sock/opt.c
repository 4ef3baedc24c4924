/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * setsockopt() and getsockopt(): one dispatch over proto/sockopts.def. A set is
 * of exactly the option's size; a get is cut to the caller's buffer (illumos).
 */
#include "sock/opt.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "sock/listener.h"
#include "sock/ports.h"

enum opt_kind { BOOL, INT, UINT, MS, SEC_AS_MS, STRING, LINGER, TIMEVAL, ADDR4, SPECIAL };
enum opt_access { GETSET, GET, SET };
enum opt_states { ANY, BEFORE_BIND, BEFORE_CONNECT };
enum opt_obeyed { OBEYED, PENDING };
enum opt_target { TARGET_NONE, TARGET_NATIVE, TARGET_CONFIG, TARGET_SOCK, TARGET_CODE };

struct opt_row {
    int level, number;
    enum opt_kind kind;
    enum opt_access access;
    enum opt_states states;
    enum opt_obeyed obeyed;
    int64_t min, max;
    enum opt_target target;
    size_t offset;               /* of a uint32_t in struct tcp_config or struct sock_opts */
    const struct opt_code *code; /* of TARGET_CODE */
};

static const struct opt_row rows[] = {
#define SOCKOPT(level_, symbol_, number_, kind_, access_, states_, privilege_, inherit_, min_,     \
                max_, obeyed_, target_, help_)                                                     \
    { .level = level_,                                                                             \
      .number = number_,                                                                           \
      .kind = kind_,                                                                               \
      .access = access_,                                                                           \
      .states = states_,                                                                           \
      .obeyed = obeyed_,                                                                           \
      .min = min_,                                                                                 \
      .max = max_,                                                                                 \
      target_ },
#define CONFIG(field) .target = TARGET_CONFIG, .offset = offsetof(struct tcp_config, field)
#define SOCK(field)   .target = TARGET_SOCK, .offset = offsetof(struct sock_opts, field)
#define CODE(name)    .target = TARGET_CODE, .code = &opt_code_##name
#define NATIVE        .target = TARGET_NATIVE
#define NONE          .target = TARGET_NONE
#include "proto/sockopts.def"
#undef CONFIG
#undef SOCK
#undef CODE
#undef NATIVE
#undef NONE
};

static const struct opt_row *find(int level, int number)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].level == level && rows[i].number == number && rows[i].obeyed == OBEYED &&
            rows[i].target != TARGET_NATIVE)
            return &rows[i];
    return NULL;
}

/* Options of a level belong to the sockets of its family. */
static bool family_fits(const struct sock *s, int level)
{
    return !(level == IPPROTO_IP && s->family != AF_INET) &&
           !(level == IPPROTO_IPV6 && s->family != AF_INET6);
}

static bool state_fits(const struct sock *s, enum opt_states states)
{
    switch (states) {
    case BEFORE_BIND:
        return s->state == SOCK_IDLE;
    case BEFORE_CONNECT:
        return s->state == SOCK_IDLE || s->state == SOCK_BOUND;
    case ANY:
        break;
    }
    return true;
}

static bool is_number(enum opt_kind kind)
{
    return kind <= SEC_AS_MS;
}

/* Every number is four bytes; two kinds are unsigned. */
static int decode_number(const struct opt_row *row, const void *val, uint32_t len, int64_t *ret)
{
    int32_t number;
    uint32_t bits;
    int64_t value;

    if (len != sizeof(number))
        return -EINVAL;
    memcpy(&number, val, sizeof(number));
    memcpy(&bits, val, sizeof(bits));
    value = row->kind == UINT || row->kind == MS ? (int64_t)bits : number;
    if (row->kind == BOOL)
        value = value != 0;
    if (value < row->min || value > row->max)
        return -EINVAL;
    *ret = value;
    return 0;
}

void opt_copy_out(void *ret, uint32_t *len, const void *src, uint32_t size)
{
    *len = MIN(*len, size);
    if (*len > 0) /* without room there need be no buffer */
        memcpy(ret, src, *len);
}

static uint32_t *field_of(const struct opt_row *row, struct opt_call *call)
{
    void *base = row->target == TARGET_CONFIG ? (void *)call->config : (void *)&call->s->opts;

    return (uint32_t *)((char *)base + row->offset);
}

/* The settings in force: a living connection's own, else those of the one to come. */
static const struct tcp_config *config_of(const struct sock *s)
{
    return s->conn ? tcp_conn_config(s->conn) : &s->config;
}

static void apply(struct opt_call *call)
{
    struct sock *s = call->s;

    if (memcmp(call->config, config_of(s), sizeof(s->config)) != 0) {
        s->config = *call->config;
        if (s->conn)
            tcp_conn_configure(s->conn, call->config, call->now);
        else if (s->listener)
            listener_configure(s);
    }
    ports_refresh(s);
    sock_touch(s);
}

static int set_row(const struct opt_row *row, struct opt_call *call, const void *val, uint32_t len)
{
    int64_t number;
    int r;

    if (len == 0)
        val = ""; /* an empty value may come without an address */
    if (!is_number(row->kind)) {
        if (row->kind == STRING && (len < row->min || len > row->max))
            return -EINVAL;
        return row->code->set_bytes(call, val, len);
    }
    r = decode_number(row, val, len, &number);
    if (r < 0)
        return r;
    if (row->target == TARGET_CODE)
        return row->code->set(call, number);
    *field_of(row, call) = (uint32_t)number;
    return 0;
}

int sock_setopt(struct sock *s, int level, int name, const void *val, uint32_t len,
                const struct cred *cred, usec_t now)
{
    const struct opt_row *row = find(level, name);
    struct tcp_config config = *config_of(s);
    struct opt_call call = { .s = s, .config = &config, .cred = cred, .now = now };
    int r;

    if (!row || row->access == GET)
        return -ENOPROTOOPT;
    if (!family_fits(s, level) || !state_fits(s, row->states))
        return -EINVAL;
    r = set_row(row, &call, val, len);
    if (r < 0)
        return r;
    apply(&call);
    return 0;
}

int sock_getopt(struct sock *s, int level, int name, void *val, uint32_t *len, usec_t now)
{
    const struct opt_row *row = find(level, name);
    struct tcp_config config = *config_of(s);
    struct opt_call call = { .s = s, .config = &config, .now = now };
    int64_t number;
    uint32_t bits;
    int r = 0;

    if (!row || row->access == SET)
        return -ENOPROTOOPT;
    if (!family_fits(s, level))
        return -EINVAL;
    if (!is_number(row->kind))
        return row->code->get_bytes(&call, val, len);
    if (row->target == TARGET_CODE)
        r = row->code->get(&call, &number);
    else
        number = *field_of(row, &call);
    if (r < 0)
        return r;
    bits = (uint32_t)number;
    opt_copy_out(val, len, &bits, sizeof(bits));
    return 0;
}

/* What follows a listener's settings: SOCK(field) of the rows that say so, and SO_LINGER.
 * Those of the engine are copied there. */
void opt_inherit(struct sock_opts *opts, const struct sock_opts *listener)
{
    opts->linger_on = listener->linger_on;
    opts->linger_sec = listener->linger_sec;
#define SOCKOPT(level_, symbol_, number_, kind_, access_, states_, privilege_, inherit_, min_,     \
                max_, obeyed_, target_, help_)                                                     \
    FOLLOW_##inherit_(target_)
#define FOLLOW_INHERIT(target) target
#define FOLLOW_OWN(target)
#define SOCK(field) opts->field = listener->field;
#define CONFIG(field)
#define CODE(name)
#define NATIVE
#define NONE
#include "proto/sockopts.def"
}
