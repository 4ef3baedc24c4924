/* SPDX-License-Identifier: BSD-2-Clause */
/* What one user may make us hold: sockets and listeners, counted per uid. */
#ifndef TCPD_SOCK_QUOTA_H
#define TCPD_SOCK_QUOTA_H

#include "sock/handle.h"

/** quota_charge_socket() - count @s for its owner. -EMFILE: the uid has _uid_sockets, -ENOMEM */
int quota_charge_socket(struct sock *s);

/** quota_release_socket() - @s, which was charged, ends; a listener waiting for room is woken */
void quota_release_socket(struct sock *s);

/** quota_charge_listener(), quota_release_listener() - the same for _uid_listeners */
int quota_charge_listener(struct sock *s);
void quota_release_listener(struct sock *s);

/** quota_starved() - accept on @listener failed for want of room: tell it when there is some */
void quota_starved(struct sock *listener);

void quota_deinit(struct sock_table *t);

#endif
