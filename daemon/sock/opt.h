/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the table of options and the code that some of its rows need. A row's
 * kind, length, range, state and access are checked before its code is called.
 */
#ifndef TCPD_SOCK_OPT_H
#define TCPD_SOCK_OPT_H

#include "sock/handle.h"

/* One setsockopt() or getsockopt(). */
struct opt_call {
    struct sock *s;
    struct tcp_config *config; /* a copy: what set changes takes effect if it returns 0 */
    const struct cred *cred;   /* NULL in a get */
    usec_t now;
};

/* A row's code. Numbers come in the row's own unit; bytes for the kinds that are none. */
struct opt_code {
    int (*set)(struct opt_call *call, int64_t value);
    int (*get)(struct opt_call *call, int64_t *ret);
    int (*set_bytes)(struct opt_call *call, const void *val, uint32_t len);
    /* @ret has room for *len bytes; *len becomes the length of the value, at most that */
    int (*get_bytes)(struct opt_call *call, void *ret, uint32_t *len);
};

#define SOCKOPT(level, symbol, number, kind, access, states, privilege, inherit, min, max, obeyed, \
                target, help)                                                                      \
    target
#define CONFIG(field)
#define SOCK(field)
#define CODE(name) extern const struct opt_code opt_code_##name;
#define NATIVE
#define NONE
#include "proto/sockopts.def"
#undef CONFIG
#undef SOCK
#undef CODE
#undef NATIVE
#undef NONE

/** opt_inherit() - what an accepted socket gets of its listener's options */
void opt_inherit(struct sock_opts *opts, const struct sock_opts *listener);

/** opt_copy_out() - @size bytes at @src as a value, cut to what there is room for */
void opt_copy_out(void *ret, uint32_t *len, const void *src, uint32_t size);

#endif
