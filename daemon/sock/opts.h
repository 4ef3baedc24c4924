/* SPDX-License-Identifier: BSD-2-Clause */
/* The options that sock itself obeys: the SOCK(field) targets of proto/sockopts.def. */
#ifndef TCPD_SOCK_OPTS_H
#define TCPD_SOCK_OPTS_H

#include <stdint.h>

struct sock_opts {
    uint32_t reuseaddr;  /* SO_REUSEADDR */
    uint32_t reuseport;  /* SO_REUSEPORT */
    uint32_t exclbind;   /* SO_EXCLBIND, TCP_EXCLBIND */
    uint32_t v6only;     /* IPV6_V6ONLY */
    uint32_t linger_on;  /* SO_LINGER */
    uint32_t linger_sec;
    uint32_t oobinline;  /* SO_OOBINLINE: obeyed by the descriptor, remembered for those accepted */
};

#endif
