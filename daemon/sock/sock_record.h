/* SPDX-License-Identifier: BSD-2-Clause */
/* What is saved of a socket, made from state/records_sock.def. No pointers in it. */
#ifndef TCPD_SOCK_SOCK_RECORD_H
#define TCPD_SOCK_SOCK_RECORD_H

#include "sock/opts.h"
#include "sock/sock.h"

struct sock_record {
#define SOCK_RECORD_SAVED(type, name) type name;
#define SOCK_RECORD_REBUILT(type, name)
#define SOCK_RECORD_DROPPED(type, name)
#define FIELD(tag, type, name, fate, note) SOCK_RECORD_##fate(type, name)
#include "state/records_sock.def"
#undef SOCK_RECORD_SAVED
#undef SOCK_RECORD_REBUILT
#undef SOCK_RECORD_DROPPED
};

#endif
